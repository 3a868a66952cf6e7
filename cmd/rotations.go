package cmd

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keywright/keywright/rotate"
)

const rotateLsLong = `Lists the rotations that are open, with the step that each is at, until when it
waits and what does not work meanwhile, and the last 50 that are over, with what
is known of the old key's end. It asks no provider. 'keywright rotate show ID'
says more of one.
`

func newRotateLs(term *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "ls",
		Short: "List rotations",
		Long:  rotateLsLong,
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			keys, err := openKeys(term, mayAsk)
			if err != nil {
				return err
			}
			all, err := rotor{keys}.journals(c.Context())
			if err != nil {
				return err
			}
			return listRotations(term, all)
		},
	}
}

// listRotations prints a line for each rotation.
func listRotations(term *terminal, all []*rotate.Journal) error {
	if len(all) == 0 {
		return nil
	}
	rows := [][]string{{"ROTATION", "KEY", "PROVIDER", "STATE"}}
	for _, j := range all {
		rows = append(rows, []string{j.ID, j.Key, escaped(j.Provider), escaped(standing(j))})
	}
	return term.printWrapped("", rows)
}

// shortGrade is how well it is known that an old key is dead, in a few words.
func shortGrade(g rotate.Grade) string {
	switch g {
	case rotate.RefusedDead:
		return "old key dead"
	case rotate.Absent:
		return "old key not listed any more"
	case rotate.Acknowledged:
		return "old key's end acknowledged"
	case rotate.Said:
		return "old key said to be deleted"
	case rotate.NoProvider:
		return "old secret replaced"
	case rotate.RefusedUnseen:
		return "old key refused"
	case rotate.OutOfUse:
		return "old key out of use"
	case rotate.Unended:
		return "old key perhaps alive"
	}
	return string(g)
}

// left names what a rotation may have left at its provider.
func left(j *rotate.Journal) string {
	if len(j.Suspects) == 0 {
		return ""
	}
	return "; perhaps alive: " + strings.Join(j.Suspects, ", ")
}

// standing says in a few words how far a rotation is.
func standing(j *rotate.Journal) string {
	switch {
	case j.Result == rotate.Done:
		return "done, " + shortGrade(j.Grade) + left(j)
	case j.Result == rotate.Aborted:
		return "taken back" + left(j)
	case j.Result == rotate.GivenUp:
		return "given up" + left(j)
	}
	text := fmt.Sprintf("at step %d of %d, %s", j.Next+1, len(j.Steps), j.Step())
	if j.Taking {
		text = "being taken back, " + text
	}
	if what, since := j.Outage(); what != "" {
		text += "; outage since " + moment(since)
	}
	if !j.Until.IsZero() {
		text += ", until " + moment(j.Until)
	}
	return text
}

const rotateShowLong = `Shows the journal of a rotation: what was begun, done, refused and asked, and
when, which outage it caused, and how the old key was refused after its end. It
asks no provider, and holds no secret. With --format json it is evidence, with
all that is known, ids at the provider among it.
`

func newRotateShow(term *terminal) *cobra.Command {
	format := "text"
	c := &cobra.Command{
		Use:   "show ID",
		Short: "Show what was done in a rotation",
		Long:  rotateShowLong,
		Args:  oneArg("a rotation"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkFormat(format); err != nil {
				return err
			}
			keys, err := openKeys(term, mayAsk)
			if err != nil {
				return err
			}
			j, err := rotor{keys}.Journal(c.Context(), args[0])
			if err != nil {
				return err
			}
			if format == "json" {
				e := json.NewEncoder(term.out)
				e.SetIndent("", "  ")
				return e.Encode(j)
			}
			return showRotation(term, j)
		},
	}
	c.Flags().StringVar(&format, "format", "text", "`FORMAT` is text or json")
	complete(c, "format", textOrJSON)
	return c
}

func showRotation(term *terminal, j *rotate.Journal) error {
	term.print("", fmt.Sprintf("%s at %s, %s, by %s", j.Key, escaped(j.Provider), j.Mode, escaped(j.By)))
	term.print("", escaped(standing(j)))
	if !j.Open() {
		term.print("", "over since "+moment(j.Closed))
	}
	if j.Grade != "" {
		term.print("the old key: ", escaped(string(j.Grade)))
	}
	fmt.Fprintln(term.out)
	var rows [][]string
	for _, e := range j.Events {
		text := e.Step.String()
		if e.Note != "" {
			text += ": " + e.Note
		}
		rows = append(rows, []string{moment(e.At), string(e.What), escaped(text)})
	}
	if err := term.printWrapped("", rows); err != nil {
		return err
	}
	if what, since := j.Outage(); what != "" {
		fmt.Fprintln(term.out)
		term.print("outage since "+moment(since)+": ", escaped(what))
		term.print("  ended by: ", "keywright rotate resume "+j.ID)
	}
	if len(j.Deaths) > 0 {
		fmt.Fprintln(term.out)
	}
	for _, d := range j.Deaths {
		term.print("the old key was refused "+moment(d.At)+": ", escaped(d.Code))
	}
	switch l := j.Lingers; {
	case !j.LingersUntil.IsZero():
		term.print("alive until "+moment(j.LingersUntil)+" at most: ", escaped(l.What))
	case l.What != "":
		term.print("outlives the old key: ", escaped(l.What+atMost(l.Longest)))
	}
	return nil
}
