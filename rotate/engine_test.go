package rotate

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/secret"
)

// crash ends a rotation as kill -9 does: nothing that comes after it happens.
type crash struct{ at string }

// world is everything that a rotation changes, and the hand that ends it at a moment.
type world struct {
	t   *testing.T
	now time.Time

	// point is called before and after each call that leaves the engine.
	points  int
	crashAt int // 0 for never
	trace   []string

	meanwhile func()          // at each point, what another process does; may be nil
	locks     map[string]bool // rotations that somebody is at
	lockless  bool            // the store cannot keep anybody out

	alive    map[string]string // the provider's: labels by secret
	disabled map[string]bool
	used     map[string]time.Time // when a secret was
	made     int
	issuedAt map[string]time.Time
	lag      int // probes that still say what was

	key       Key
	others    []Key
	gone      string         // the name of a key that is not there any more
	versions  map[int]string // secrets by version
	current   int
	pending   int
	previous  int
	journals  map[string][]byte
	rotating  bool
	consumers map[string]string // what they hold
	reloads   int
	running   []Process
	fault     *fault           // what the calls of the step meet; nil for nothing
	answer    *provider.Probe  // in place of a probe's
	before    func(j *Journal) // each step; may be nil
	questions int
}

func newWorld(t *testing.T) *world {
	w := &world{
		t: t, now: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC), alive: map[string]string{"old": ""}, disabled: map[string]bool{}, used: map[string]time.Time{}, issuedAt: map[string]time.Time{},
		versions: map[int]string{1: "old"}, current: 1, journals: map[string][]byte{}, locks: map[string]bool{},
		consumers: map[string]string{"one": "old", "two": "old"},
	}
	w.key = Key{Name: "prod/DB", Provider: "fake", ID: "id-old", Admin: "prod/ADMIN", Consumers: []string{"one", "two"}}
	return w
}

func (w *world) point(at string) {
	w.points++
	w.trace = append(w.trace, at)
	if w.meanwhile != nil {
		w.meanwhile()
	}
	if w.points == w.crashAt {
		panic(crash{at})
	}
}

// fault is what a call meets in place of its answer.
type fault struct {
	call    string // "save", "issue", "deliver three"
	skip    int    // so many calls go well first
	happens bool   // what was asked for is done all the same
	err     error
}

// call wraps a call that leaves the engine: it may fail, and the process may die before
// it and after it.
func (w *world) call(name string, do func()) error {
	w.point("before " + name)
	if f := w.fault; f != nil && f.call == name && f.skip == 0 {
		if f.happens {
			do()
		}
		return f.err
	} else if f != nil && f.call == name {
		f.skip--
	}
	do()
	w.point("after " + name)
	return nil
}

func parts(s string) map[string]secret.Value {
	return map[string]secret.Value{"value": secret.New([]byte(s))}
}

func text(p map[string]secret.Value) string { return string(p["value"].Reveal()) }

// The store.

func (w *world) Key(_ context.Context, name string) (Key, error) {
	if name == w.gone {
		return Key{}, errors.New(name + ": there is no such key")
	}
	if name != w.key.Name {
		return Key{Name: name, Current: 1}, nil
	}
	k := w.key
	k.Current, k.Next = w.current, max(w.current, w.pending, w.previous)+1
	for id := range w.journals {
		if j, _ := w.Journal(context.Background(), id); w.rotating && j.Open() {
			k.Rotation = id
		}
	}
	return k, nil
}

func (w *world) Keys(ctx context.Context) ([]Key, error) {
	k, err := w.Key(ctx, w.key.Name)
	return append(slices.Clone(w.others), k), err
}

func (w *world) Secrets(_ context.Context, name string, version int) (map[string]secret.Value, error) {
	switch name {
	case "prod/ADMIN":
		return parts("admin"), nil
	case "prod/SECOND", "prod/STRANGER":
		return parts("secret of " + name), nil
	}
	if name == "prod/TWIN" { // another name for what the key was
		return parts("old"), nil
	}
	s, ok := w.versions[version]
	if !ok {
		return nil, fmt.Errorf("%s has no version %d", name, version)
	}
	return parts(s), nil
}

func (w *world) Journal(_ context.Context, id string) (*Journal, error) {
	var j Journal
	if err := json.Unmarshal(w.journals[id], &j); err != nil {
		return nil, fmt.Errorf("no rotation %s", id)
	}
	return &j, nil
}

func (w *world) Hold(_ context.Context, id string) (func() error, error) {
	switch {
	case w.lockless:
		return func() error { return nil }, nil
	case w.locks[id]:
		return nil, &Held{PID: 4711}
	}
	w.locks[id] = true
	return func() error { w.locks[id] = false; return nil }, nil
}

func (w *world) Save(_ context.Context, j *Journal, c Change) (err error) {
	failed := w.call("save", func() {
		known, unknown := w.Journal(context.Background(), j.ID)
		switch {
		case unknown == nil && known.Revision+1 != j.Revision:
			err = ErrMoved
			return
		case c.Begin == w.rotating && (unknown != nil || known.Open()):
			err = errors.New("it is being rotated, or is not")
			return
		}
		b, err := json.Marshal(j)
		if err != nil {
			w.t.Error(err)
		}
		w.journals[j.ID] = b
		w.rotating = w.rotating && !c.End || c.Begin
		switch {
		case c.Pending != nil:
			w.pending = j.New
			w.versions[w.pending] = text(c.Pending)
		case c.Promote:
			w.previous, w.current, w.pending = w.current, w.pending, 0
			w.key.ID = c.ID
		case c.Demote:
			w.pending, w.current, w.previous = w.current, w.previous, 0
			w.key.ID = c.ID
		case c.Drop:
			delete(w.versions, w.pending)
			w.pending = 0
		case c.Settle:
			delete(w.versions, w.previous)
			w.previous, w.pending = w.pending, 0
		case c.Retire:
			delete(w.versions, w.previous)
			w.previous = 0
		}
	})
	return cmp.Or(failed, err)
}

// The provider. What each can do is a type below.

type fake struct{ w *world }

func (f fake) Info() provider.Info {
	return provider.Info{Name: "fake", Title: "Fake", Parts: []provider.Part{{Name: "value"}}, Propagation: 4 * time.Second}
}

func (f fake) Verify(_ context.Context, c provider.Credential) (p provider.Probe, err error) {
	err = f.w.call("verify", func() {
		s := text(c.Parts)
		_, ok := f.w.alive[s]
		f.w.used[s] = f.w.now
		p = provider.Probe{State: provider.Dead, Code: "401"}
		if ok && !f.w.disabled[s] {
			p = provider.Probe{State: provider.Alive, Code: "200", Who: provider.Identity{Account: "acct", ID: "id-" + s, Scopes: []string{"read"}}}
		}
		if f.w.answer != nil {
			p = *f.w.answer
		}
		if f.w.lag > 0 {
			f.w.lag--
			p = provider.Probe{State: provider.Unknown, Code: "503"}
		}
	})
	return p, err
}

func (f fake) Revoke(_ context.Context, _, c, other provider.Credential) error {
	return f.w.call("revoke", func() {
		for s := range f.w.alive {
			if "id-"+s == c.ID || s == text(c.Parts) {
				if s == text(other.Parts) {
					f.w.t.Errorf("%s was revoked, and is to stay", s)
				}
				delete(f.w.alive, s)
			}
		}
	})
}

type maker struct{ fake }

func (f maker) Make(context.Context, provider.Credential) (provider.Credential, error) {
	f.w.made++
	s := fmt.Sprint("new", f.w.made)
	return provider.Credential{ID: "id-" + s, Parts: parts(s)}, nil
}

func (f maker) Apply(_ context.Context, _, old, next provider.Credential) error {
	return f.w.call("apply", func() { f.w.alive[text(next.Parts)] = "" })
}

type inPlace struct{ maker }

func (f inPlace) Plan(context.Context, provider.Credential, provider.Credential) (provider.Plan, error) {
	return provider.Plan{InPlace: true, Outage: "logins"}, nil
}

func (f inPlace) Apply(_ context.Context, _, old, next provider.Credential) error {
	return f.w.call("apply", func() {
		delete(f.w.alive, text(old.Parts))
		f.w.alive[text(next.Parts)] = ""
	})
}

// Revoke ends sessions: there is only one credential.
func (f inPlace) Revoke(_ context.Context, _, c, other provider.Credential) error {
	return f.w.call("revoke", func() {
		if text(other.Parts) == "old" {
			f.w.alive["old"] = ""
			delete(f.w.alive, text(c.Parts))
		}
	})
}

type issuer struct{ fake }

func (f issuer) Issue(_ context.Context, _, _ provider.Credential, lineage provider.Lineage) (c provider.Credential, err error) {
	err = f.w.call("issue", func() {
		f.w.made++
		s := fmt.Sprint("new", f.w.made)
		f.w.alive[s] = lineage.String()
		f.w.issuedAt[s] = f.w.now
		c = provider.Credential{ID: "id-" + s, Parts: parts(s)}
	})
	return c, err
}

// lister shows labels; unlabelled shows ids alone.
type lister struct{ issuer }

func (f lister) List(context.Context, provider.Credential, provider.Credential) (all []provider.Listed, err error) {
	err = f.w.call("list", func() {
		for _, s := range slices.Sorted(maps.Keys(f.w.alive)) {
			all = append(all, provider.Listed{Identity: provider.Identity{ID: "id-" + s, Label: f.w.alive[s]}, Disabled: f.w.disabled[s]})
		}
	})
	return all, err
}

type unlabelled struct{ lister }

func (f unlabelled) List(ctx context.Context, a, c provider.Credential) ([]provider.Listed, error) {
	all, err := f.lister.List(ctx, a, c)
	for i := range all {
		all[i].Label = ""
	}
	return all, err
}

// telling says when a key was used last.
type telling struct{ lister }

func (f telling) Info() provider.Info {
	i := f.lister.Info()
	i.Uses, i.UseSpan = true, 15*time.Minute
	return i
}

func (f telling) List(ctx context.Context, a, c provider.Credential) ([]provider.Listed, error) {
	all, err := f.lister.List(ctx, a, c)
	for i := range all {
		all[i].LastUsed = f.w.used[strings.TrimPrefix(all[i].ID, "id-")]
	}
	return all, err
}

// busy is one at which something uses the old key all the time.
type busy struct{ telling }

func (f busy) List(ctx context.Context, a, c provider.Credential) ([]provider.Listed, error) {
	f.w.now = f.w.now.Add(2 * time.Minute)
	f.w.used["old"] = f.w.now
	return f.telling.List(ctx, a, c)
}

type disabler struct{ lister }

func (f disabler) Disable(_ context.Context, _, c provider.Credential) error {
	return f.w.call("disable", func() { f.w.disabled[text(c.Parts)] = true })
}

func (f disabler) Enable(_ context.Context, _, c provider.Credential) error {
	return f.w.call("enable", func() { delete(f.w.disabled, text(c.Parts)) })
}

// guided has no way to issue or revoke: somebody does it, when asked.
type guided struct{ w *world }

func (f guided) Info() provider.Info { return fake(f).Info() }
func (f guided) Verify(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	return fake(f).Verify(ctx, c)
}
func (f guided) Guide(provider.Credential) provider.Steps {
	return provider.Steps{IssueAt: "https://provider.test/new", RevokeAt: "https://provider.test/keys"}
}

// counting is one by hand at which a key that is in use is not tried.
type counting struct{ guided }

func (f counting) Info() provider.Info {
	i := f.guided.Info()
	i.Nonce = true
	return i
}
func (f counting) Verify(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	for name, s := range f.w.consumers {
		if s == text(c.Parts) {
			f.w.t.Errorf("%s is tried, and %s uses it", s, name)
		}
	}
	return f.guided.Verify(ctx, c)
}

// ended is one by hand whose old key is ended by having it.
type ended struct{ guided }

func (f ended) Revoke(ctx context.Context, a, c, other provider.Credential) error {
	return fake{f.w}.Revoke(ctx, a, c, other)
}

// curt is one that refuses what is dead as it refuses others, also when that is to be ended
// once more.
type curt struct{ ended }

func (f curt) Info() provider.Info {
	i := f.ended.Info()
	i.Mute = true
	return i
}

func (f curt) Verify(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	p, err := f.ended.Verify(ctx, c)
	if p.State == provider.Dead {
		p.State = provider.Unknown
	}
	return p, err
}

func (f curt) Revoke(ctx context.Context, a, c, other provider.Credential) error {
	if _, ok := f.w.alive[text(c.Parts)]; !ok {
		return &provider.Error{Provider: "fake", Doing: "end it", Kind: provider.Forbidden}
	}
	return f.ended.Revoke(ctx, a, c, other)
}

// The consumers.

type consumer struct {
	w    *world
	name string
}

func (c consumer) Holds(context.Context) (map[string]secret.Value, error) {
	return parts(c.w.consumers[c.name]), nil
}

func (c consumer) Deliver(_ context.Context, from, to map[string]secret.Value) (err error) {
	callErr := c.w.call("deliver "+c.name, func() {
		switch c.w.consumers[c.name] {
		case text(to):
		case text(from):
			c.w.consumers[c.name] = text(to)
		default:
			err = ErrDrift
		}
	})
	return errors.Join(err, callErr)
}

func (c consumer) Reload(context.Context) error {
	return c.w.call("reload "+c.name, func() { c.w.reloads++ })
}

func (w *world) engine(p func(*world) provider.Provider) *Engine {
	return &Engine{World{
		Store:    w,
		Provider: func(string) (provider.Provider, bool) { return p(w), true },
		Consumer: func(_, spec string) (Consumer, error) { return consumer{w, spec}, nil },
		Place:    func(spec string) string { return spec },
		Running:  func(context.Context, string, int) ([]Process, error) { return w.running, nil },
		Record:   func(context.Context, string, string, int, string) error { return nil },
		Now:      func() time.Time { return w.now },
		Origin:   origin,
	}}
}

// origin is this installation, in labels.
const origin = "q7kf"

// drive does steps until the rotation is over, and says what somebody would who is asked.
func (w *world) drive(e *Engine, id string) error {
	var a Answer
	for range 1000 {
		if j, err := w.Journal(context.Background(), id); w.before != nil && err == nil {
			w.before(j)
		}
		o, err := e.Step(context.Background(), id, a)
		a = Answer{}
		switch {
		case err != nil:
			return err
		case o.Done:
			return nil
		case o.Need != nil && len(o.Need.Parts) > 0:
			w.made++
			s := fmt.Sprint("new", w.made)
			for old := range w.alive { // who makes another key deletes the one that was not taken
				if strings.HasPrefix(old, "new") {
					delete(w.alive, old)
				}
			}
			w.alive[s] = ""
			a.Parts = parts(s)
		case o.Need != nil:
			w.questions++
			if _, alive := w.alive["old"]; o.Need.No && !alive {
				a.No = o.Need.Question
				continue
			}
			a.Yes = o.Need.Question
			if strings.Contains(a.Yes, "old key deleted") {
				delete(w.alive, "old")
			}
			if strings.Contains(a.Yes, "secret is lost") || strings.Contains(a.Yes, "new key deleted") {
				for s := range w.alive {
					if strings.HasPrefix(s, "new") && (w.versions[w.pending] != s || strings.Contains(a.Yes, "new key")) && w.versions[w.current] != s {
						delete(w.alive, s)
					}
				}
			}
		case !o.Until.IsZero():
			w.now = o.Until
		}
	}
	return errors.New("it does not end")
}

// until runs f, and reports whether it died.
func died(f func()) (at string, dead bool) {
	defer func() {
		if r := recover(); r != nil {
			c, ok := r.(crash)
			if !ok {
				panic(r)
			}
			at, dead = c.at, true
		}
	}()
	f()
	return "", false
}

// check compares the world with what a rotation that is over promises.
func (w *world) check(id string) error {
	j, err := w.Journal(context.Background(), id)
	if err != nil {
		return err
	}
	var wrong []string
	bad := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	now := w.versions[w.current]
	if _, ok := w.alive[now]; !ok || w.disabled[now] {
		bad("the current version, %s, is not accepted", now)
	}
	for name, s := range w.consumers {
		if s != now {
			bad("consumer %s holds %s, the current version is %s", name, s, now)
		}
	}
	for s := range w.alive {
		if s != now {
			bad("%s is alive, and nobody's", s)
		}
	}
	if w.rotating {
		bad("the key is still being rotated")
	}
	switch {
	case j.Result == Done && now == "old":
		bad("it is done, and the old key is the current one")
	case j.Result == Aborted && now != "old":
		bad("it was taken back, and the current key is %s", now)
	case j.Result == Done && j.Grade != RefusedDead && j.Grade != RefusedMute && (j.Grade != Said || slices.Contains(j.Steps, Step{Name: Prove})):
		bad("the old key is dead, and the journal says %q", j.Grade)
	case j.Result == Aborted && j.Grade != "":
		bad("the old key lives, and the journal says %q", j.Grade)
	}
	if strings.Contains(string(w.journals[id]), `"old"`+"\"") {
		bad("the journal holds a secret")
	}
	if len(wrong) > 0 {
		return errors.New(strings.Join(wrong, "; "))
	}
	return nil
}

// families are the kinds of providers, and how their keys are replaced.
var families = []struct {
	name string
	of   func(*world) provider.Provider
	o    Options
	self bool // the key makes its own successor
}{
	{"made here", func(w *world) provider.Provider { return maker{fake{w}} }, Options{}, false},
	{"made here, with a grace", func(w *world) provider.Provider { return maker{fake{w}} }, Options{Grace: time.Hour}, false},
	{"made here, leaked", func(w *world) provider.Provider { return maker{fake{w}} }, Options{Emergency: true}, false},
	{"made here, by itself", func(w *world) provider.Provider { return maker{fake{w}} }, Options{}, true},
	{"in place", func(w *world) provider.Provider { return inPlace{maker{fake{w}}} }, Options{}, false},
	{"issued", func(w *world) provider.Provider { return lister{issuer{fake{w}}} }, Options{}, false},
	{"issued, ids alone", func(w *world) provider.Provider { return unlabelled{lister{issuer{fake{w}}}} }, Options{}, false},
	{"issued, no list", func(w *world) provider.Provider { return issuer{fake{w}} }, Options{}, false},
	{"issued, leaked", func(w *world) provider.Provider { return issuer{fake{w}} }, Options{Emergency: true}, false},
	{"disabled first", func(w *world) provider.Provider { return disabler{lister{issuer{fake{w}}}} }, Options{Emergency: true}, false},
	{"issued, tells", func(w *world) provider.Provider { return telling{lister{issuer{fake{w}}}} }, Options{Grace: time.Hour}, false},
	{"issued, busy", func(w *world) provider.Provider { return busy{telling{lister{issuer{fake{w}}}}} }, Options{}, false},
	{"busy, leaked", func(w *world) provider.Provider { return busy{telling{lister{issuer{fake{w}}}}} }, Options{Emergency: true}, false},
	{"by hand, ended by having it", func(w *world) provider.Provider { return ended{guided{w}} }, Options{}, false},
	{"by hand, ended by having it, and nobody says so", func(w *world) provider.Provider { return curt{ended{guided{w}}} }, Options{}, false},
	{"by hand", func(w *world) provider.Provider { return guided{w} }, Options{}, false},
	{"by hand, never tried while in use", func(w *world) provider.Provider { return counting{guided{w}} }, Options{}, false},
	{"revoked first", func(w *world) provider.Provider { return anew{lister{issuer{fake{w}}}} }, Options{Emergency: true, RevokeFirst: true}, false},
	{"by hand, revoked first", func(w *world) provider.Provider { return guided{w} }, Options{Emergency: true, RevokeFirst: true}, false},
	{"by hand, leaked, never tried while in use", func(w *world) provider.Provider { return counting{guided{w}} }, Options{Emergency: true}, false},
}

// TestRotations: every family and mode ends with the new key everywhere and the old one
// proved dead.
func TestRotations(t *testing.T) {
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			w := newWorld(t)
			if f.self {
				w.key.Admin = ""
			}
			e := w.engine(f.of)
			j, err := e.New(t.Context(), "prod/DB", f.o)
			if err != nil {
				t.Fatal(err)
			}
			if err := e.Begin(t.Context(), j); err != nil {
				t.Fatal(err)
			}
			if err := w.drive(e, j.ID); err != nil {
				t.Fatal(err)
			}
			if err := w.check(j.ID); err != nil {
				t.Error(err)
			}
			if w.reloads != 2 {
				t.Errorf("%d reloads", w.reloads)
			}
		})
	}
}

// TestKilled: killed before or after whatever call, and again while it goes on, a
// rotation is resumed, or taken back where that can be, with nothing lost.
func TestKilled(t *testing.T) {
	total, aborted := 0, 0
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			for _, back := range []bool{false, true} {
				for at := 1; ; at++ {
					w := newWorld(t)
					if f.self {
						w.key.Admin = ""
					}
					w.crashAt = at
					var id string
					where, dead := died(func() {
						e := w.engine(f.of)
						j, err := e.New(context.Background(), "prod/DB", f.o)
						if err != nil {
							t.Fatal(err)
						}
						id = j.ID
						if err := e.Begin(context.Background(), j); err != nil {
							t.Fatal(err)
						}
						if err := w.drive(e, id); err != nil {
							t.Fatal(err)
						}
					})
					if !dead {
						break
					}
					total++
					if w.journals[id] == nil {
						continue // it never began
					}
					for again := range 3 { // the process that goes on is killed, too
						w.crashAt, w.points = 0, 0
						if again < 2 {
							w.crashAt = 3 + 2*again + at%5
						}
						var err error
						_, dead = died(func() { err = w.goOn(f.of, id, back, &aborted) })
						if !dead {
							if err != nil {
								t.Fatalf("killed %s: %v", where, err)
							}
							break
						}
					}
					if err := w.check(id); err != nil {
						t.Errorf("killed at %d, %s (taking back: %v): %v\n%s", at, where, back, err, strings.Join(w.trace, "\n"))
						return
					}
				}
			}
		})
	}
	t.Logf("%d kills, %d taken back", total, aborted)
	if total < 300 || aborted < 50 {
		t.Errorf("only %d kills, %d taken back: the test does not test it", total, aborted)
	}
}

// goOn is what a user does about a rotation that died.
func (w *world) goOn(p func(*world) provider.Provider, id string, back bool, aborted *int) error {
	e := w.engine(p)
	j, err := w.Journal(context.Background(), id)
	if err != nil || !j.Open() {
		return err
	}
	if back {
		err := e.Abort(context.Background(), id)
		if err != nil && !errors.Is(err, ErrIrrevocable) {
			return err
		}
		if err == nil {
			*aborted++
		}
	}
	err = w.drive(e, id)
	if back && errors.Is(err, ErrNotAccepted) { // somebody has deleted it, and was not asked any more
		err = w.drive(e, id)
	}
	return err
}

// TestRefusedHalfWay: a refusal that comes after something was changed is not taken for
// nothing: what was applied is ended when the rotation is taken back, and a revocation
// that was begun cannot be.
func TestRefusedHalfWay(t *testing.T) {
	refused := &provider.Error{Provider: "fake", Doing: "the last of it", Kind: provider.Forbidden}
	for _, step := range []StepName{Apply, Revoke} {
		w := newWorld(t)
		e := w.engine(func(w *world) provider.Provider { return half{maker{fake{w}}, step, refused} })
		j, err := e.New(t.Context(), "prod/DB", Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Begin(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		if err := w.drive(e, j.ID); !errors.Is(err, refused) {
			t.Fatalf("%s: %v", step, err)
		}
		err = w.engine(func(w *world) provider.Provider { return maker{fake{w}} }).Abort(t.Context(), j.ID)
		if step == Revoke {
			if !errors.Is(err, ErrIrrevocable) {
				t.Errorf("a revocation is taken back: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := w.drive(w.engine(func(w *world) provider.Provider { return maker{fake{w}} }), j.ID); err != nil {
			t.Fatal(err)
		}
		if err := w.check(j.ID); err != nil {
			t.Error(err)
		}
	}
}

// TestUntouched: what a consumer says it has not changed is not taken back, which it might
// refuse as well; of what is not known, the taking back is tried.
func TestUntouched(t *testing.T) {
	refused := &provider.Error{Provider: "fake", Doing: "write", Kind: provider.Forbidden}
	for _, c := range []struct {
		err  error
		back bool
	}{{&Untouched{refused}, true}, {refused, false}} {
		w := newWorld(t)
		w.fault = &fault{call: "deliver two", err: c.err}
		e := w.engine(func(w *world) provider.Provider { return maker{fake{w}} })
		j, err := e.New(t.Context(), "prod/DB", Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Begin(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		if err := w.drive(e, j.ID); !errors.Is(err, refused) {
			t.Fatal(err)
		}
		if err := e.Abort(t.Context(), j.ID); err != nil {
			t.Fatal(err)
		}
		if err := w.drive(e, j.ID); (err == nil) != c.back {
			t.Errorf("%T: %v", c.err, err)
		}
		w.fault = nil
		if !c.back {
			if err := w.drive(e, j.ID); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.check(j.ID); err != nil {
			t.Error(err)
		}
	}
}

// half does a step, and is refused something after it.
type half struct {
	maker
	step StepName
	err  error
}

func (h half) Apply(ctx context.Context, a, old, next provider.Credential) error {
	if err := h.maker.Apply(ctx, a, old, next); err != nil || h.step != Apply {
		return err
	}
	return h.err
}

func (h half) Revoke(ctx context.Context, a, c, other provider.Credential) error {
	if err := h.maker.Revoke(ctx, a, c, other); err != nil || h.step != Revoke {
		return err
	}
	return h.err
}
