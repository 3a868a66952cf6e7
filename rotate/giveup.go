package rotate

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// GiveUp closes a rotation that can go neither way, and changes nothing at the provider or
// at consumers. The new version is kept as the previous one if it is not current and the
// provider may accept it. What is not known is in the journal, and in the note.
func (e *Engine) GiveUp(ctx context.Context, id string) (o Outcome, err error) {
	release, err := e.hold(ctx, id, "")
	if err != nil {
		return Outcome{}, err
	}
	defer release(&err)
	j, err := e.journal(ctx, id)
	if err != nil {
		return Outcome{}, err
	}
	key, err := e.Store.Key(ctx, j.Key)
	if err != nil {
		return Outcome{}, err
	}
	if err := e.Record(ctx, "rotate abort", j.Key, j.Old, j.ID+" is given up"); err != nil {
		return Outcome{}, err
	}
	var notes []string
	say := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	c := Change{End: true}
	say("version %d is the current one", key.Current)
	issued := slices.ContainsFunc(j.Events, func(e Event) bool {
		return (e.Step.Name == Apply || e.Step.Name == Issue || e.Step.Name == Ask) && j.touched(e.Step)
	})
	switch {
	case j.New != 0 && key.Current == j.New && j.Grade != "": // it is known to be gone
	case j.New != 0 && key.Current == j.New:
		say("the old key%s may be alive, and is the previous version", named(j.OldID))
		j.suspect(j.OldID)
	case j.New != 0 && issued:
		c.Settle = true
		say("the new key%s may be alive, and is kept as the previous version, %d", named(j.NewID), j.New)
		j.suspect(j.NewID)
	case j.New != 0:
		c.Drop = true
	}
	if j.irrevocable() && key.Current == j.Old {
		say("the current one may be dead")
	}
	for _, s := range j.delivered() {
		say("%s may hold either", s)
	}
	if what, since := j.Outage(); what != "" {
		say("outage since %s: %s", since.Local().Format(time.DateTime), what)
	}
	if j.unclear() {
		say("a key may have been issued at %s whose secret is lost", j.Asked.Local().Format(time.DateTime))
		if w, err := e.work(ctx, j); err != nil {
			say("the provider was not asked for it: %v", err)
		} else if err := w.late(ctx); err != nil {
			say("%v", err)
		}
	}
	if len(j.Suspects) > 0 {
		say("'keywright rotate orphans' names what is left at the provider")
	}
	note := strings.Join(notes, "; ")
	j.note(e.Now(), Turned, "given up: "+note)
	j.Closed, j.Result, j.Until, j.Forth = e.Now().UTC(), GivenUp, time.Time{}, nil
	return Outcome{Step: j.Step(), Note: note, Done: true}, e.save(ctx, j, c)
}

// named is an id in a sentence, if there is one.
func named(id string) string {
	if id == "" {
		return ""
	}
	return " (" + id + ")"
}

// delivered are the consumers that got the new key, or may have, each once.
func (j *Journal) delivered() (specs []string) {
	for _, e := range j.Events {
		if e.Step.Name == Deliver && j.touched(e.Step) && !slices.Contains(specs, e.Step.Consumer) {
			specs = append(specs, e.Step.Consumer)
		}
	}
	return specs
}
