package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/rotate"
)

const rotateLsLong = `Lists the rotations that are open, with the step that each is at, until when it
waits and what does not work meanwhile; and the last 50 that are over, with what
is known of the old key's end, and older ones that may have left a key at its
provider. It asks no provider. 'keywright rotate show ID' says more of one.
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
		rows = append(rows, []string{j.ID, j.Key, escaped(j.Provider), escaped(standing(j, time.Now()))})
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
	case rotate.RefusedMute:
		return "old key refused, not proved"
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

// standing says in a few words how far a rotation is now.
func standing(j *rotate.Journal, now time.Time) string {
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
	switch {
	case j.Until.IsZero():
	case now.Before(j.Until):
		text += ", until " + moment(j.Until)
	default:
		text += ", may go on since " + moment(j.Until)
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
				return e.Encode(evidenceOf(j))
			}
			return showRotation(term, j)
		},
	}
	c.Flags().StringVar(&format, "format", "text", "`FORMAT` is text or json")
	complete(c, "format", textOrJSON)
	return c
}

// evidence is a journal as others read it: spans of time are written as people write them.
type evidence struct {
	*rotate.Journal
	Grace   string   `json:"grace,omitempty"`
	Lingers *lingers `json:"lingers,omitempty"`
}

type lingers struct {
	What    string `json:"what"`
	Longest string `json:"longest,omitempty"`
}

func evidenceOf(j *rotate.Journal) evidence {
	span := func(d time.Duration) string {
		if d == 0 {
			return ""
		}
		return d.String()
	}
	e := evidence{Journal: j, Grace: span(j.Grace)}
	if l := j.Lingers; l.What != "" {
		e.Lingers = &lingers{l.What, span(l.Longest)}
	}
	return e
}

func showRotation(term *terminal, j *rotate.Journal) error {
	origin := ""
	if j.Origin != "" {
		origin = ", installation " + j.Origin
	}
	term.print("", fmt.Sprintf("%s at %s, %s, by %s%s", j.Key, escaped(j.Provider), j.Mode, escaped(j.By), escaped(origin)))
	term.print("", escaped(standing(j, time.Now())))
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

const resumeLong = `Goes on with the rotation of an ID, or with all that are open, where each was
interrupted, refused or told to wait. What may have happened is looked up first;
in an overlap the new key and each place are looked at again before the old one
is revoked. One that waits for its time is left alone, which is said; with
--end-grace the old key goes before it.

It asks at the terminal; without one it says what would be asked, and ends with
4. One of another installation is refused without --take-over. If the key that
changes are made with is gone or refused, name another: keywright edit --admin.
`

func newRotateResume(term *terminal) *cobra.Command {
	var takeOver, beside, endGrace bool
	c := &cobra.Command{
		Use:   "resume [ID]",
		Short: "Go on with rotations that were interrupted, or wait",
		Long:  resumeLong,
		Args:  atMostOneArg("a rotation"),
		RunE: func(c *cobra.Command, args []string) error {
			what := toResume(takeOver)
			goOn := what.do
			switch {
			case endGrace && len(args) == 0:
				return usagef("'keywright rotate ls' names them", "--end-grace takes the rotation's ID")
			case endGrace:
				what.idle, goOn = never, (*keyring).resumeNow
			}
			what.do = func(k *keyring, ctx context.Context, e *rotate.Engine, j *rotate.Journal) error {
				k.besideOthers = beside
				return goOn(k, ctx, e, j)
			}
			return withRotations(c.Context(), term, args, what)
		},
	}
	c.Flags().SortFlags = false
	c.Flags().BoolVar(&endGrace, "end-grace", false, "do not wait for the end of the grace that was given to\nthe old key")
	addBesideOthers(c.Flags(), &beside)
	addTakeOver(c.Flags(), &takeOver)
	return c
}

func addTakeOver(f *pflag.FlagSet, takeOver *bool) {
	f.BoolVar(takeOver, "take-over", false, "also one that was begun on another machine, and does not\ngo on there")
}

func toResume(takeOver bool) goingOn {
	return goingOn{verb: "resume", doing: "Go on replacing", do: (*keyring).resume, idle: waits, takeOver: takeOver}
}

// resume goes on with a rotation.
func (k *keyring) resume(ctx context.Context, e *rotate.Engine, j *rotate.Journal) error {
	fmt.Fprintf(k.term.out, "%s, rotation %s\n", j.Key, j.ID)
	return k.drive(ctx, e, j.ID)
}

// resumeNow goes on with a rotation whose old key was to live on for a while.
func (k *keyring) resumeNow(ctx context.Context, e *rotate.Engine, j *rotate.Journal) error {
	if err := e.EndGrace(ctx, j.ID); err != nil {
		return err
	}
	return k.resume(ctx, e, j)
}

const abortLong = `Takes a rotation back: each place that got the new key gets the old one again,
the old one is current, and the new one is ended at its provider. Without an ID
it is the one that is open; of several it wants to be told which.

It needs the old key, which is tried first: if it is not accepted any more,
nothing is changed. It is refused once the old key's end was begun, or in
place, when the provider was told the new one. Then the rotation can only go on.
It stops where a place holds neither of the two, and goes on when that is right:
keywright rotate resume.
`

func newRotateAbort(term *terminal) *cobra.Command {
	var takeOver, giveUp, yes bool
	c := &cobra.Command{
		Use:   "abort [ID]",
		Short: "Take a rotation back, while the old key is there",
		Long:  abortLong,
		Args:  atMostOneArg("a rotation"),
		RunE: func(c *cobra.Command, args []string) error {
			what := goingOn{verb: "abort", doing: "Stop replacing", do: (*keyring).abort, idle: never, one: true, takeOver: takeOver}
			switch {
			case giveUp && len(args) == 0:
				return usagef("'keywright rotate ls' names them", "--give-up takes the rotation's ID")
			case yes && !giveUp:
				return usagef("leave it out", "--yes goes with --give-up")
			case giveUp:
				what.do = func(k *keyring, ctx context.Context, e *rotate.Engine, j *rotate.Journal) error {
					return k.giveUp(ctx, e, j, yes)
				}
			}
			return withRotations(c.Context(), term, args, what)
		},
	}
	c.Flags().BoolVar(&giveUp, "give-up", false, "close one that can go neither way: nothing is changed\nat the provider or where the key is used")
	c.Flags().BoolVar(&yes, "yes", false, "with --give-up: without asking")
	addTakeOver(c.Flags(), &takeOver)
	return c
}

// abort takes a rotation back.
func (k *keyring) abort(ctx context.Context, e *rotate.Engine, j *rotate.Journal) error {
	if err := e.Abort(ctx, j.ID); err != nil {
		return err
	}
	return k.drive(ctx, e, j.ID)
}

// giveUp closes a rotation as it stands.
func (k *keyring) giveUp(ctx context.Context, e *rotate.Engine, j *rotate.Journal, yes bool) error {
	if !yes {
		yes, err := k.term.askYes(ctx, "Close rotation "+j.ID+" of "+j.Key+" as it stands? Keys that it leaves at the provider stay alive.")
		switch {
		case errors.Is(err, errNobody):
			return usageError{err, "to close it without asking: keywright rotate abort " + j.ID + " --give-up --yes"}
		case err != nil:
			return err
		case !yes:
			fmt.Fprintln(k.term.err, "keywright: not closed")
			return outcome(exitFailed)
		}
	}
	o, err := e.GiveUp(ctx, j.ID)
	if err != nil {
		return err
	}
	for _, line := range strings.Split(o.Note, "; ") {
		fmt.Fprintln(k.term.out, escaped(line))
	}
	fmt.Fprintf(k.term.out, "rotation %s is given up\n", j.ID)
	return nil
}

// openRotations are the journals of the rotations that are open, the oldest first.
func (k *keyring) openRotations(ctx context.Context) ([]*rotate.Journal, error) {
	all, err := rotor{k}.journals(ctx)
	return slices.DeleteFunc(all, func(j *rotate.Journal) bool { return !j.Open() }), err
}

// waits reports whether a rotation is left alone for now when it is resumed, and uses no key.
func waits(j *rotate.Journal) bool {
	return j.Waits(time.Now()) && time.Until(j.Until) > shortWait
}

func never(*rotate.Journal) bool { return false }

// goingOn is what is about to be done with open rotations.
type goingOn struct {
	verb     string // resume or abort
	doing    string // for a question: "Go on replacing"
	do       func(*keyring, context.Context, *rotate.Engine, *rotate.Journal) error
	idle     func(*rotate.Journal) bool // it is left alone for now, and uses no key
	one      bool                       // which one has to be said, if several are open
	takeOver bool                       // also if it was begun on another installation
}

// withRotations does something with the open rotation that is named, or with all. Before
// that it asks, where the keys of those that are not idle want that.
func withRotations(ctx context.Context, term *terminal, args []string, what goingOn) error {
	keys, engine, err := openEngine(ctx, term)
	if err != nil {
		return err
	}
	chosen, err := keys.openRotations(ctx)
	if err != nil {
		return err
	}
	if len(args) > 0 {
		chosen = slices.DeleteFunc(chosen, func(j *rotate.Journal) bool { return j.ID != args[0] })
	}
	switch {
	case len(chosen) == 0 && len(args) > 0:
		return usagef("'keywright rotate ls' names them", "there is no open rotation %s", quote(args[0]))
	case len(chosen) == 0:
		fmt.Fprintln(term.out, "no rotation is open")
		return nil
	case len(chosen) > 1 && what.one:
		var words []string
		for _, j := range chosen {
			words = append(words, j.ID+" of "+j.Key)
		}
		return usagef("say which: keywright rotate "+what.verb+" ID", "%d rotations are open: %s", len(chosen), strings.Join(words, ", "))
	}
	catalog, err := keys.Catalog(ctx)
	if err != nil {
		return err
	}
	given, err := keys.permitReplacing(ctx, what.doing, "", inUse(catalog, chosen, what.idle))
	if err != nil {
		return err
	}
	var list []func() error
	for _, j := range chosen {
		list = append(list, func() error { return keys.goOn(ctx, engine, catalog, given, j, what) })
	}
	return each(ctx, term, list)
}

// inUse are the keys of rotations that are not idle.
func inUse(catalog *keystore.Catalog, open []*rotate.Journal, idle func(*rotate.Journal) bool) (used []replaced) {
	for _, j := range open {
		if !idle(j) {
			used = append(used, resuming(catalog, j))
		}
	}
	return used
}

// goOn does something with an open rotation, if that was permitted.
func (k *keyring) goOn(ctx context.Context, engine *rotate.Engine, catalog *keystore.Catalog, given permissions, j *rotate.Journal, what goingOn) error {
	if !what.idle(j) {
		if err := given.refused(resuming(catalog, j)); err != nil {
			return err
		}
	}
	if what.takeOver {
		if err := engine.TakeOver(ctx, j.ID); err != nil {
			return err
		}
	}
	err := what.do(k, ctx, engine, j)
	if errors.Is(err, rotate.ErrElsewhere) {
		return hintedError{err, "if it does not go on there: keywright rotate " + what.verb + " " + j.ID + " --take-over"}
	}
	return err
}

// openEngine opens the user's keys, and what replaces them.
func openEngine(ctx context.Context, term *terminal) (*keyring, *rotate.Engine, error) {
	keys, err := openKeys(term, mayAsk)
	if err != nil {
		return nil, nil, err
	}
	engine, err := keys.engine(ctx)
	return keys, engine, err
}
