// Package rotate replaces a key at its provider: a new one is made or issued, stored,
// verified and delivered to everything that uses it, the old one is revoked, and its
// death is proved. A journal says what was begun before it is begun and what has ended
// after it has, so that a rotation that dies at any instant is resumed or taken back.
//
// The engine is a step function: it never sleeps and never asks. What it has to wait
// for, and what it needs to know, it returns.
package rotate

import (
	"slices"
	"time"

	"github.com/keywright/keywright/provider"
)

// Mode is how a rotation weighs an outage against a leak.
type Mode string

// The modes.
const (
	// Overlap keeps the old key alive until everything has the new one.
	Overlap Mode = "overlap"
	// InPlace is for providers where the old key dies as the new one is born.
	InPlace Mode = "in place"
	// Emergency is for a key that has leaked: it is disabled first, or revoked as soon as
	// the new one is verified.
	Emergency Mode = "emergency"
)

// StepName is what a step does.
type StepName string

// The steps of a rotation, and those that take one back.
const (
	Preflight StepName = "preflight" // everything that can be known beforehand
	Make      StepName = "make"      // a successor is made here, and stored as pending
	Apply     StepName = "apply"     // the provider accepts it
	Issue     StepName = "issue"     // the provider makes it, and it is stored as pending
	Ask       StepName = "ask"       // somebody makes it by hand, and it is stored as pending
	Verify    StepName = "verify"    // the provider says that it is alive
	Parity    StepName = "parity"    // it may do what the old one may, and no more
	Deliver   StepName = "deliver"   // a consumer gets it
	Reload    StepName = "reload"    // a consumer takes it up
	Promote   StepName = "make current"
	Grace     StepName = "grace"   // the old one lives on for a while
	Disable   StepName = "disable" // the old one is refused, and could be taken back
	Revoke    StepName = "revoke"  // the old one is ended
	Prove     StepName = "prove dead"
	Close     StepName = "close"

	TryOld    StepName = "try old"    // it has to be accepted, or nothing is taken back
	TakeBack  StepName = "take back"  // a consumer gets the old one again
	Enable    StepName = "enable"     // the old one, again
	Demote    StepName = "demote"     // the old version is current again
	RevokeNew StepName = "revoke new" // the new one is ended
	Drop      StepName = "drop"       // the new version is forgotten
)

// Step is one of a rotation.
type Step struct {
	Name     StepName `json:"name"`
	Consumer string   `json:"consumer,omitempty"` // which one
}

func (s Step) String() string {
	if s.Consumer != "" {
		return string(s.Name) + " " + s.Consumer
	}
	return string(s.Name)
}

// What is what an event says of a step.
type What string

// What can happen to a step.
const (
	Begun   What = "begun"
	Ended   What = "ended"
	Skipped What = "skipped"
	Failed  What = "failed"
	Waits   What = "waits"
	Asks    What = "asks"
	Turned  What = "turned" // the rotation was, at this step: it is taken back, goes on, or elsewhere
)

// Event is an entry of a journal. It holds no secret.
type Event struct {
	At   time.Time `json:"at"`
	Step Step      `json:"step"`
	What What      `json:"what"`
	Note string    `json:"note,omitempty"`
}

// Result is how a rotation ended.
type Result string

// The results. The empty one says that it is open.
const (
	Done    Result = "done"
	Aborted Result = "aborted"
	GivenUp Result = "given up" // it could go neither way
)

// Grade is how well it is known that the old key is dead.
type Grade string

// The grades, the best first.
const (
	RefusedDead   Grade = "refused as not valid, with the new one accepted beside it"
	RefusedUnseen Grade = "refused as not valid; it was not seen alive before"
	Absent        Grade = "absent from the provider's complete list"
	OutOfUse      Grade = "listed by the provider as out of use"
	RefusedMute   Grade = "refused, with the new one accepted beside it; its provider refuses others so, too"
	Acknowledged  Grade = "the provider acknowledged its end; nobody looked"
	Said          Grade = "somebody said that it was deleted; nobody looked"
	NoProvider    Grade = "no provider knows it: only what it was given to does"
	Unended       Grade = "nobody ended it: it may be alive"
)

// Journal is all that is known of a rotation. It holds no secret.
type Journal struct {
	ID           string    `json:"id"`
	Revision     int       `json:"revision"`        // one more with each time that it is saved
	Key          string    `json:"key"`             // ENV/NAME
	Admin        string    `json:"admin,omitempty"` // the key that changes are made with, as of the step that was done last
	Provider     string    `json:"provider"`
	Installation string    `json:"installation"`
	Origin       string    `json:"origin,omitempty"` // the installation that began it, in the labels of what it issues; empty in older journals
	By           string    `json:"by"`
	Opened       time.Time `json:"opened"`

	Mode   Mode `json:"mode"`
	Urgent bool `json:"urgent,omitempty"` // the old key has leaked: nobody is asked who needs it
	// RevokeFirst says that the old key is revoked before there is a new one.
	RevokeFirst bool          `json:"revoke_first,omitempty"`
	Grace       time.Duration `json:"grace,omitempty"`
	Plan        provider.Plan `json:"plan"`

	Old   int    `json:"old"`           // version
	New   int    `json:"new,omitempty"` // version, once it is stored
	OldID string `json:"old_id,omitempty"`
	NewID string `json:"new_id,omitempty"`

	OldExpires time.Time `json:"old_expires,omitzero"`
	Expires    time.Time `json:"expires,omitzero"` // the new one, if the provider says so

	Steps  []Step  `json:"steps"`
	Next   int     `json:"next"` // index of the step that is to be done
	Events []Event `json:"events"`

	Until   time.Time `json:"until,omitzero"`    // nothing is done before
	Tries   int       `json:"tries,omitempty"`   // of the step that is to be done
	Known   []string  `json:"known,omitempty"`   // ids at the provider before one was asked for, and of others' since
	Others  []string  `json:"others,omitempty"`  // ids of what other installations issued, and that is left alone
	Asked   time.Time `json:"asked,omitzero"`    // when the provider was last asked to issue one
	Unclear bool      `json:"unclear,omitempty"` // it was not known once whether one was issued
	Agreed  []string  `json:"agreed,omitempty"`  // questions that were answered with yes
	Control bool      `json:"control"`           // the old key was alive before it was revoked

	// Was is what the provider said of the old key before anything was changed; nil if it
	// did not say.
	Was *provider.Identity `json:"was,omitempty"`

	Revoked time.Time     `json:"revoked,omitzero"` // when the provider said so
	Tried   []time.Time   `json:"tried,omitempty"`  // the old key, by keywright: its provider may take that for uses
	Used    time.Time     `json:"used,omitzero"`    // the old key, as its provider told when its end was at hand
	Deaths  []Observation `json:"deaths,omitempty"` // of the old key, one after the other

	// Lingers is what outlives the old key, and LingersUntil is when that has ended at the
	// latest, once the old key has; zero if it is not known.
	Lingers      provider.Lingers `json:"lingers,omitzero"`
	LingersUntil time.Time        `json:"lingers_until,omitzero"`

	Taking bool      `json:"taking_back,omitempty"` // it is being taken back
	Forth  *Way      `json:"forth,omitempty"`       // where it goes on if that cannot be
	Grade  Grade     `json:"grade,omitempty"`
	Result Result    `json:"result,omitempty"`
	Closed time.Time `json:"closed,omitzero"`

	Suspects []string `json:"suspects,omitempty"` // ids at the provider that it may have left there
}

// Observation is a probe of the old key after its end, and of the new one beside it.
type Observation struct {
	At   time.Time `json:"at"`
	Code string    `json:"code"` // of the old key
}

// Open reports whether something is left to do.
func (j *Journal) Open() bool { return j.Result == "" }

// Step is the one that is to be done.
func (j *Journal) Step() Step {
	if j.Next >= len(j.Steps) {
		return Step{Name: Close}
	}
	return j.Steps[j.Next]
}

// Lineage names the rotation where a provider shows it. It stays when another installation
// takes the rotation over.
func (j *Journal) Lineage() provider.Lineage {
	return provider.Lineage{Installation: j.Origin, Rotation: j.ID}
}

// labelled reports whether a label is that of what the rotation issues.
func (j *Journal) labelled(label string) bool {
	l, ok := provider.ParseLineage(label)
	return ok && l == j.Lineage()
}

// note adds an event. That it still waits for the same is said once.
func (j *Journal) note(at time.Time, what What, note string) {
	e := Event{at.UTC().Truncate(time.Millisecond), j.Step(), what, note}
	if n := len(j.Events); n > 0 && what == Waits {
		last := j.Events[n-1]
		if last.At = e.At; last == e {
			return
		}
	}
	j.Events = append(j.Events, e)
}

// touched reports whether a step may have changed something: it was begun, and did not
// fail such that nothing happened.
func (j *Journal) touched(s Step) (touched bool) {
	for _, e := range j.Events {
		if e.Step != s {
			continue
		}
		switch e.What {
		case Begun, Ended:
			touched = true
		case Failed:
			touched = false
		}
	}
	return touched
}

func (j *Journal) ended(s Step) bool {
	return slices.ContainsFunc(j.Events, func(e Event) bool { return e.Step == s && e.What == Ended })
}

// promoted is when the new key became the current one; zero if it has not.
func (j *Journal) promoted() (at time.Time) {
	for _, e := range j.Events {
		if e.Step.Name == Promote && e.What == Ended {
			at = e.At
		}
	}
	return at
}

// begun is touched for a step that concerns no consumer.
func (j *Journal) begun(name StepName) bool { return j.touched(Step{Name: name}) }

// interrupted reports whether the step that is to be done was begun before, and nobody
// knows how it went.
func (j *Journal) interrupted() bool {
	for _, e := range slices.Backward(j.Events) {
		if e.Step == j.Step() && e.What != Asks && e.What != Waits && e.What != Turned {
			return e.What == Begun
		}
	}
	return false
}

// Outage says what does not work now, and since when; empty if all does.
func (j *Journal) Outage() (what string, since time.Time) {
	if j.Plan.Outage == "" || !j.Open() {
		return "", since
	}
	left := j.Steps[min(j.Next, len(j.Steps)):]
	if !slices.ContainsFunc(left, func(s Step) bool {
		return s.Name == Deliver || s.Name == Reload || s.Name == TakeBack || s.Name == Promote && j.RevokeFirst
	}) {
		return "", since
	}
	for _, e := range j.Events {
		if e.Step.Name == Revoke && e.What == Asks && e.Note == askDeleted {
			return j.Plan.Outage, e.At // somebody may have done it, and has not said so
		}
		if j.ends(e.Step) && e.What == Begun {
			return j.Plan.Outage, e.At
		}
	}
	return "", since
}

// irrevocable reports whether the old key may be gone for good.
func (j *Journal) irrevocable() bool {
	return j.begun(Revoke) || j.Mode == InPlace && j.begun(Apply)
}
