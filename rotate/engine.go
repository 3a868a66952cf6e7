package rotate

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/secret"
)

// Engine drives rotations. It keeps nothing between calls, and is safe for concurrent
// use: while a step of a rotation is done, whoever else wants to do one is told ErrHeld.
type Engine struct{ World }

// Options are how a key is to be replaced.
type Options struct {
	Emergency   bool
	RevokeFirst bool          // in an emergency, before there is a new one
	Grace       time.Duration // that the old one lives on for
}

// Answer is what somebody said to a Need.
type Answer struct {
	Yes   string                  // the question that is answered with yes
	No    string                  // the one that is answered with no, where that is an answer
	Parts map[string]secret.Value // that were made by hand
}

// Outcome is what became of a step.
type Outcome struct {
	Step  Step
	Until time.Time // nothing is done before; zero if it can go on
	Need  *Need     // what has to be known first; nil if nothing
	Note  string    // worth telling
	Done  bool      // the rotation is over
}

// Need is what the engine cannot know.
type Need struct {
	Question string         // a yes is wanted; empty if it is parts
	No       bool           // a no is an answer as well; else it only says that it has to wait
	Others   bool           // it is whether what other installations issued is left alone
	Steps    provider.Steps // what to do for them
	Parts    []string       // that are wanted
}

// StepError says that a step failed. The rotation stands where it stood before it.
type StepError struct {
	ID   string
	Key  string
	Step Step
	Err  error
	Hint string // what to do about it; may be empty
}

func (e *StepError) Error() string { return fmt.Sprintf("rotate %s: %s: %v", e.Key, e.Step, e.Err) }
func (e *StepError) Unwrap() error { return e.Err }

// The errors of rotations.
var (
	ErrNoProvider   = errors.New("the key has no provider that keywright knows")
	ErrCannot       = errors.New("the provider can be asked for no new one")
	ErrUnseen       = errors.New("the key has a policy, and its provider cannot be asked what a key may do")
	ErrIrrevocable  = errors.New("the old key may be gone already: it can only go on")
	ErrNoGrace      = errors.New("it waits for no grace to end")
	ErrClosed       = errors.New("the rotation is over")
	ErrElsewhere    = errors.New("the rotation was begun on another installation")
	errNotAsked     = errors.New("a new key was given, and is not wanted any more: another keywright went on")
	errOutOfSecrets = errors.New("the old version has no secrets any more")
)

// New plans the rotation of a key, with everything that can be known beforehand, and
// changes nothing: what it returns is saved by Begin.
func (e *Engine) New(ctx context.Context, name string, o Options) (*Journal, error) {
	key, err := e.Store.Key(ctx, name)
	if err != nil {
		return nil, err
	}
	p, ok := e.Provider(key.Provider)
	if !ok {
		return nil, fmt.Errorf("rotate %s: %w", name, ErrNoProvider)
	}
	var id [4]byte
	rand.Read(id[:])
	now := e.Now().UTC()
	j := &Journal{
		ID: now.Format("20060102") + "-" + hex.EncodeToString(id[:]), Key: name, Admin: key.Admin, Provider: key.Provider, Opened: now,
		Installation: e.Installation, Origin: e.Origin, By: e.By, Mode: Overlap, Urgent: o.Emergency, Grace: o.Grace, Old: key.Current, OldID: key.ID, OldExpires: key.Expires, Lingers: p.Info().Lingers,
	}
	w, err := e.work(ctx, j)
	if err != nil {
		return nil, err
	}
	if planner, ok := p.(provider.Planner); ok {
		if j.Plan, err = planner.Plan(ctx, w.admin, w.old); err != nil {
			return nil, fmt.Errorf("rotate %s: %w", name, err)
		}
		j.Tried = []time.Time{now} // it may have been asked with the old key
		if l := j.Plan.Lingers; l != nil {
			j.Lingers = *l
		}
	}
	if err := cmp.Or(w.mode(o), w.room()); err != nil {
		return nil, fmt.Errorf("rotate %s: %w", name, err)
	}
	reloads := map[string]bool{}
	for _, spec := range key.Consumers {
		c, err := e.Consumer(name, spec)
		if err != nil {
			return nil, fmt.Errorf("rotate %s: consumer %s: %w", name, spec, err)
		}
		_, reloads[spec] = c.(Reloader)
	}
	if (len(key.Policy.Forbidden) > 0 || key.Policy.RequireIPs) && !is[provider.Verifier](p) {
		return nil, fmt.Errorf("rotate %s: %w", name, ErrUnseen)
	}
	j.Steps, err = stepsFor(p, j.Mode, o.RevokeFirst, o.Grace > 0, w.itself, key.Consumers, reloads)
	if err != nil {
		return nil, fmt.Errorf("rotate %s: %w", name, err)
	}
	if j.Plan.Outage == "" {
		j.Plan.Outage = j.outage(len(key.Consumers) > 0)
	}
	return j, nil
}

// stepsFor are the steps of a rotation. A key that has to make its own successor is not
// disabled first.
func stepsFor(p provider.Provider, mode Mode, first, grace, itself bool, consumers []string, reloads map[string]bool) (steps []Step, err error) {
	add := func(names ...StepName) {
		for _, n := range names {
			steps = append(steps, Step{Name: n})
		}
	}
	_, verifies := p.(provider.Verifier)
	_, lists := p.(provider.Lister)
	_, disables := p.(provider.Disabler)
	_, revokes := p.(provider.Revoker)
	_, guided := p.(provider.Guide)
	disables = disables && !itself
	add(Preflight)
	switch {
	case first:
		add(Revoke)
	case mode == Emergency && disables:
		add(Disable)
	}
	switch {
	case is[provider.Maker](p):
		add(Make, Apply)
	case is[provider.Issuer](p):
		add(Issue)
	case guided:
		add(Ask)
	default:
		return nil, ErrCannot
	}
	if verifies {
		add(Verify, Parity)
	}
	deliver := func() {
		for _, c := range consumers {
			steps = append(steps, Step{Deliver, c})
		}
		for _, c := range consumers {
			if reloads[c] {
				steps = append(steps, Step{Reload, c})
			}
		}
	}
	end := func() {
		if revokes || guided {
			add(Revoke)
		}
	}
	switch {
	case first:
		add(Promote)
		deliver()
	case mode == Emergency && !disables:
		add(Promote)
		end()
		deliver()
	case mode == Emergency:
		add(Promote)
		deliver()
		end()
	default:
		deliver()
		add(Promote)
		if grace && mode == Overlap {
			add(Grace)
		}
		end()
	}
	if verifies && !p.Info().Nonce || lists {
		add(Prove)
	}
	add(Close)
	return steps, nil
}

func is[T any](p provider.Provider) bool {
	_, ok := p.(T)
	return ok
}

// Begin saves a rotation that New planned.
func (e *Engine) Begin(ctx context.Context, j *Journal) (err error) {
	release, err := e.hold(ctx, j.ID, j.Key)
	if err != nil {
		return err
	}
	defer release(&err)
	if err := e.Record(ctx, "rotate", j.Key, j.Old, "begins "+j.ID+", "+string(j.Mode)); err != nil {
		return err
	}
	return e.save(ctx, j, Change{Begin: true})
}

func (e *Engine) save(ctx context.Context, j *Journal, c Change) error {
	j.Revision++
	// What was done is put on record also when the user has had enough.
	return e.Store.Save(context.WithoutCancel(ctx), j, c)
}

func (e *Engine) journal(ctx context.Context, id string) (*Journal, error) {
	j, err := e.Store.Journal(ctx, id)
	if err != nil {
		return nil, err
	}
	switch {
	case !j.Open():
		return nil, &StepError{ID: id, Key: j.Key, Step: Step{Name: Close}, Err: ErrClosed}
	case j.Installation != e.Installation:
		return nil, &StepError{ID: id, Key: j.Key, Step: j.Step(), Err: ErrElsewhere}
	}
	return j, nil
}

// TakeOver makes a rotation one of this installation.
func (e *Engine) TakeOver(ctx context.Context, id string) (err error) {
	release, err := e.hold(ctx, id, "")
	if err != nil {
		return err
	}
	defer release(&err)
	j, err := e.Store.Journal(ctx, id)
	if err != nil || j.Installation == e.Installation {
		return err
	}
	j.note(e.Now(), Turned, "taken over from "+j.Installation)
	j.Installation = e.Installation
	return e.save(ctx, j, Change{})
}

// Step does the next step of a rotation. Answer is what was said to the last Need, the
// zero Answer if there was none.
func (e *Engine) Step(ctx context.Context, id string, a Answer) (o Outcome, err error) {
	release, err := e.hold(ctx, id, "")
	if err != nil {
		return Outcome{}, err
	}
	defer release(&err)
	j, err := e.journal(ctx, id)
	if err != nil {
		return Outcome{}, err
	}
	step := j.Step()
	if len(a.Parts) > 0 && step.Name != Ask {
		return Outcome{}, &StepError{ID: id, Key: j.Key, Step: step, Err: errNotAsked, Hint: "delete what was made for it at the provider; keywright rotate resume " + id}
	}
	if j.Waits(e.Now()) {
		return Outcome{Step: step, Until: j.Until}, nil
	}
	w, err := e.work(ctx, j)
	if err != nil {
		return Outcome{}, &StepError{ID: id, Key: j.Key, Step: step, Err: err, Hint: advice(err)}
	}
	if err := w.join(); err != nil {
		return Outcome{}, &StepError{ID: id, Key: j.Key, Step: step, Err: err}
	}
	step = j.Step()
	w.answer, w.again = a, j.interrupted()
	r, err := w.do(ctx)
	switch {
	case err != nil && j.Taking && j.Forth != nil && step.look() && !errors.Is(err, ErrMoved):
		return Outcome{}, w.forth(ctx, err)
	case err != nil:
		return Outcome{}, w.fail(ctx, err)
	case r.need != nil:
		j.note(e.Now(), Asks, r.need.Question)
		return Outcome{Step: step, Need: r.need, Note: r.note}, e.save(ctx, j, Change{})
	case !r.until.IsZero():
		j.note(e.Now(), Waits, r.note)
		j.Until = r.until.UTC()
		j.Tries++
		return Outcome{Step: step, Until: j.Until, Note: r.note}, e.save(ctx, j, Change{})
	}
	what := Ended
	if r.skipped {
		what = Skipped
	}
	j.note(e.Now(), what, r.note)
	j.Next++
	j.Tries, j.Until = 0, time.Time{}
	if err := e.save(ctx, j, r.change); err != nil {
		return Outcome{}, w.lost(ctx, step, err)
	}
	return Outcome{Step: step, Note: r.note, Done: !j.Open()}, nil
}

// work is a rotation at a step.
type work struct {
	*Engine
	j      *Journal
	p      provider.Provider
	admin  provider.Credential
	old    provider.Credential
	next   provider.Credential // without parts if there is none yet
	itself bool                // changes are made with the key itself, perhaps under another name
	key    Key
	answer Answer
	again  bool // the step was begun before, and nobody knows how it went
	issued bool // next exists at the provider, and nowhere else
	begun  bool // the step, in this call
}

// yes reports whether a question was answered with yes, now or before.
func (w *work) yes(question string) bool {
	if w.answer.Yes == question && !slices.Contains(w.j.Agreed, question) {
		w.j.Agreed = append(w.j.Agreed, question)
	}
	return slices.Contains(w.j.Agreed, question)
}

// no reports whether a question is answered with no.
func (w *work) no(question string) bool { return w.answer.No == question }

// work reads what a step needs.
func (e *Engine) work(ctx context.Context, j *Journal) (*work, error) {
	key, err := e.Store.Key(ctx, j.Key)
	if err != nil {
		return nil, err
	}
	p, ok := e.Provider(j.Provider)
	if !ok {
		return nil, ErrNoProvider
	}
	w := &work{Engine: e, j: j, p: p, key: key, itself: key.Admin == ""}
	w.old = provider.Credential{ID: j.OldID, Params: key.Params}
	if w.old.Parts, err = e.Store.Secrets(ctx, j.Key, j.Old); err != nil {
		return nil, err
	}
	w.next = provider.Credential{ID: j.NewID, Params: key.Params}
	if j.Mode == InPlace {
		w.next.Since = j.Revoked
	}
	if j.New != 0 {
		if w.next.Parts, err = e.Store.Secrets(ctx, j.Key, j.New); err != nil {
			return nil, err
		}
	}
	w.admin = w.old
	if w.next.Parts != nil && j.begun(Promote) && !j.Taking {
		w.admin = w.next // the key that it authenticates with is the one that is replaced
	}
	if key.Admin != "" {
		admin, err := e.Store.Key(ctx, key.Admin)
		if err != nil {
			err = fmt.Errorf("the key to make changes with: %w", err)
			return nil, &stop{error: err, hint: "store " + key.Admin + " again, or name another: keywright edit " + j.Key + " --admin ENV/NAME; then keywright rotate resume " + j.ID}
		}
		parts, err := e.Store.Secrets(ctx, key.Admin, admin.Current)
		if err != nil {
			return nil, fmt.Errorf("the key to make changes with: %w", err)
		}
		if w.itself = equal([]byte(rand.Text()), parts, w.old.Parts); !w.itself {
			w.admin = provider.Credential{ID: admin.ID, Params: admin.Params, Parts: parts}
		}
	}
	return w, nil
}

// begin puts on record that the step is about to be done.
func (w *work) begin(ctx context.Context) error {
	w.begun = true
	w.j.Agreed = nil // a yes was for this once
	w.j.note(w.Now(), Begun, "")
	if what, _ := w.j.Outage(); what != "" && w.j.ends(w.j.Step()) {
		w.j.Events[len(w.j.Events)-1].Note = "an outage begins here; keywright rotate resume " + w.j.ID + " ends it"
	}
	return w.save(ctx, w.j, Change{})
}

// fail puts on record that the step did not end. The error that it was is returned also
// if that cannot be recorded.
func (w *work) fail(ctx context.Context, err error) error {
	if errors.Is(err, ErrMoved) {
		return err
	}
	step := w.j.Step()
	hint := "keywright rotate resume " + w.j.ID + "; what stands: keywright rotate show " + w.j.ID
	if do := cmp.Or(advice(err), w.otherAdmin(err)); do != "" {
		hint = do + "; then " + hint
	}
	// What failed is not done again unasked: a call that was refused so may be the last of
	// several. Who asks too early waits.
	if w.j.Until = (time.Time{}); after(err) > 0 {
		w.j.Until = w.Now().Add(after(err)).UTC()
		hint = "not before " + w.j.Until.Local().Format(time.DateTime) + ": " + hint
	}
	w.j.note(w.Now(), Failed, err.Error())
	if w.again || w.begun && unclear(step, err) { // it is not known whether it happened
		w.j.note(w.Now(), Begun, "how it went is not known")
	}
	if saving := w.save(ctx, w.j, Change{}); saving != nil {
		hint = "the journal could not be written; " + hint
	}
	return &StepError{ID: w.j.ID, Key: w.j.Key, Step: step, Err: err, Hint: hint}
}

// unclear reports whether what failed may have happened all the same. A key is issued by
// one call, which happened or not; other steps take several, and a refusal may have come
// to the last of them.
func unclear(step Step, err error) bool {
	known, untouched := (*provider.Error)(nil), (*Untouched)(nil)
	switch {
	case errors.As(err, &untouched):
		return false
	case !errors.As(err, &known):
		return true
	case step.Name == Issue:
		return known.Kind == provider.Unclear || known.Kind == provider.Malformed
	}
	return known.Kind != provider.Unreached && known.Kind != provider.Incomplete
}

// lost says that what was done could not be recorded. A credential that the provider has
// just made, and nobody can know but this process, is ended, unless the journal turns out
// to have it.
func (w *work) lost(ctx context.Context, step Step, err error) error {
	hint := "keywright rotate resume " + w.j.ID
	if w.issued && !w.recorded(ctx) {
		if r, ok := w.p.(provider.Revoker); ok {
			if ended := r.Revoke(context.WithoutCancel(ctx), w.admin, w.next, w.old); ended == nil {
				hint = "the new one was ended at the provider; " + hint
			} else {
				hint = fmt.Sprintf("the new one, %s, is still there, and its secret is lost; %s", w.next.ID, hint)
			}
		}
	}
	return &StepError{ID: w.j.ID, Key: w.j.Key, Step: step, Err: err, Hint: hint}
}

// recorded reports whether the journal that is stored has the new key.
func (w *work) recorded(ctx context.Context) bool {
	ctx = context.WithoutCancel(ctx)
	j, err := w.Store.Journal(ctx, w.j.ID)
	if err != nil || j.New == 0 {
		return false
	}
	stored, err := w.Store.Secrets(ctx, j.Key, j.New)
	return err == nil && equal([]byte(rand.Text()), stored, w.next.Parts)
}
