// Package consumertest holds what every consumer must do, as tests.
package consumertest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/keywright/keywright/rotate"
	"github.com/keywright/keywright/secret"
)

// Place is a consumer that was made for a test.
type Place struct {
	Consumer rotate.Consumer
	// Got is what a program finds there, by part, without asking the consumer.
	Got func(t *testing.T) map[string]string
	// Put lets somebody else change a part; nil where the consumer would not know.
	Put func(t *testing.T, part, value string)
	// Stamp changes whenever anything is written there.
	Stamp func(t *testing.T) string

	// Of a place at a service, what requests to it go over; nil for others.
	Wire *Wire
	// Writes is how many requests of one delivery change something there; 1 if it is 0.
	Writes int
	// Apart says that each part is written by itself, so that a delivery that was cut
	// short leaves some old and some new.
	Apart bool
	// Guarded says that nothing is written if somebody else wrote since it was read, and
	// that the error says so: "somebody else has changed it".
	Guarded bool
}

// Run is the conformance suite. Open makes a place that holds parts; those of the names
// that are given are what its key has.
func Run(t *testing.T, names []string, open func(t *testing.T, held map[string]string) Place) {
	s := suite{names, open}
	t.Run("delivers", s.delivers)
	t.Run("takes back", s.takesBack)
	t.Run("holds", s.holds)
	t.Run("drift", s.drift)
	t.Run("half and half", s.half)
	t.Run("values", s.values)
	t.Run("no part", s.noPart)
	t.Run("cancelled", s.cancelled)
	t.Run("at once", s.atOnce)
	t.Run("refusals", s.refusals)
	t.Run("lost answers", s.lostAnswers)
	t.Run("meanwhile", s.meanwhile)
}

type suite struct {
	names []string
	open  func(t *testing.T, held map[string]string) Place
}

// marked is a value for each part that errors are searched for.
func (s suite) marked() map[string]string {
	values := map[string]string{}
	for _, n := range s.names {
		values[n] = mark + rand.Text()
	}
	return values
}

const mark = "marked-"

func secrets(values map[string]string) map[string]secret.Value {
	parts := map[string]secret.Value{}
	for n, v := range values {
		parts[n] = secret.New([]byte(v))
	}
	return parts
}

// readable reports whether a consumer says what it holds.
func readable(t *testing.T, c rotate.Consumer) bool {
	t.Helper()
	_, err := c.Holds(t.Context())
	if err != nil && !errors.Is(err, rotate.ErrUnreadable) {
		t.Fatal(err)
	}
	return err == nil
}

// deliver fails unless values are there afterwards.
func deliver(t *testing.T, p Place, from, to map[string]string) {
	t.Helper()
	if err := p.Consumer.Deliver(t.Context(), secrets(from), secrets(to)); err != nil {
		t.Fatal(err)
	}
	expect(t, p, to)
}

// expect fails unless just these values are there.
func expect(t *testing.T, p Place, want map[string]string) {
	t.Helper()
	got := p.Got(t)
	for part, v := range got {
		if v != want[part] {
			t.Errorf("%s is %q, want %q", part, v, want[part])
		}
	}
	if len(got) == 0 && len(want) > 0 {
		t.Error("nothing is there")
	}
}

// quiet fails if an error shows a marked value, however it is printed.
func quiet(t *testing.T, err error) {
	t.Helper()
	if text := fmt.Sprintf("%v %+v %#v %s %q", err, err, err, err, err); strings.Contains(text, mark) {
		t.Errorf("it shows a secret: %v", err)
	}
}

// What is delivered is there, and a second time changes nothing where that can be seen.
func (s suite) delivers(t *testing.T) {
	old, next := s.marked(), s.marked()
	p := s.open(t, old)
	deliver(t, p, old, next)
	before := p.Stamp(t)
	deliver(t, p, old, next)
	if after := p.Stamp(t); readable(t, p.Consumer) && after != before {
		t.Errorf("delivered twice, it was written twice: %s, %s", before, after)
	}
}

// The same way leads back.
func (s suite) takesBack(t *testing.T) {
	old, next := s.marked(), s.marked()
	p := s.open(t, old)
	deliver(t, p, old, next)
	deliver(t, p, next, old)
	deliver(t, p, old, next)
}

// What a consumer says it holds is what is there.
func (s suite) holds(t *testing.T) {
	old, next := s.marked(), s.marked()
	p := s.open(t, old)
	if !readable(t, p.Consumer) {
		_, err := p.Consumer.Holds(t.Context())
		quiet(t, err)
		return
	}
	for _, want := range []map[string]string{old, next} {
		deliver(t, p, old, want)
		held, err := p.Consumer.Holds(t.Context())
		if err != nil || len(held) == 0 {
			t.Fatalf("%v, %v", held, err)
		}
		for part, v := range held {
			if string(v.Reveal()) != want[part] {
				t.Errorf("%s is not what is there", part)
			}
			v.Wipe()
		}
		expect(t, p, want)
	}
}

// What is neither old nor new is left alone, whichever part it is.
func (s suite) drift(t *testing.T) {
	old, next := s.marked(), s.marked()
	p := s.open(t, old)
	if !readable(t, p.Consumer) {
		t.Skip("it cannot know")
	}
	for _, part := range slices.Sorted(maps.Keys(p.Got(t))) {
		p.Put(t, part, mark+"other")
		before := p.Stamp(t)
		err := p.Consumer.Deliver(t.Context(), secrets(old), secrets(next))
		if !errors.Is(err, rotate.ErrDrift) || !untouched(err) {
			t.Errorf("%s: %T: %v", part, err, err)
		}
		quiet(t, err)
		if after := p.Stamp(t); after != before {
			t.Errorf("%s: it was written", part)
		}
		p.Put(t, part, old[part])
	}
	deliver(t, p, old, next)
}

// A place that is old in one part and new in another is none that we left, unless each
// part is written by itself: then it is taken on, and back.
func (s suite) half(t *testing.T) {
	old, next := s.marked(), s.marked()
	p := s.open(t, old)
	if !readable(t, p.Consumer) {
		t.Skip("it cannot know")
	}
	parts := slices.Sorted(maps.Keys(p.Got(t)))
	if len(parts) < 2 {
		t.Skip("it has no halves")
	}
	p.Put(t, parts[0], next[parts[0]])
	if p.Apart {
		deliver(t, p, old, next)
		p.Put(t, parts[0], old[parts[0]])
		deliver(t, p, next, old)
		return
	}
	before := p.Stamp(t)
	err := p.Consumer.Deliver(t.Context(), secrets(old), secrets(next))
	if !errors.Is(err, rotate.ErrDrift) {
		t.Error(err)
	}
	quiet(t, err)
	if p.Stamp(t) != before {
		t.Error("it was written")
	}
	// A part that does not change is both.
	same := maps.Clone(next)
	same[parts[0]] = old[parts[0]]
	p.Put(t, parts[0], old[parts[0]])
	deliver(t, p, old, same)
}

// odd are values that a consumer may get wrong.
var odd = []string{"x", "123456", "true", "null", " x ", "a #b", "it's", `"`, `'"`, `\`, `a\nb`, "$HOME", "${x}", "`id`", "a=b&c", "é鍵🔑", "a\nb\n", "a\r\nb", "\t",
	"\x00", "\xff\xfe", "- a: b", "{{x}}", "%41", "<&>", "\u2028", strings.Repeat("0123456789", 400)}

// Whatever a value is, it arrives as it is, or is refused with nothing changed.
func (s suite) values(t *testing.T) {
	arrived := 0
	for _, v := range odd {
		old, next := s.marked(), map[string]string{}
		for i, n := range s.names {
			next[n] = v + strings.Repeat("x", i)
		}
		p := s.open(t, old)
		before := p.Stamp(t)
		err := p.Consumer.Deliver(t.Context(), secrets(old), secrets(next))
		if err != nil {
			quiet(t, err)
			if p.Stamp(t) != before {
				t.Errorf("%.20q: refused, and something was written: %v", v, err)
			}
			continue
		}
		arrived++
		expect(t, p, next)
		if !readable(t, p.Consumer) {
			continue
		}
		deliver(t, p, next, old)
	}
	if arrived < len(odd)-2 {
		t.Errorf("only %d of %d values were taken", arrived, len(odd))
	}
}

// A key that lacks a part is an error.
func (s suite) noPart(t *testing.T) {
	old := s.marked()
	p := s.open(t, old)
	before := p.Stamp(t)
	if err := p.Consumer.Deliver(t.Context(), secrets(old), nil); !untouched(err) || p.Stamp(t) != before {
		t.Errorf("nothing was delivered: %T: %v", err, err)
	}
	empty := secrets(map[string]string{s.names[0]: ""})
	if err := p.Consumer.Deliver(t.Context(), secrets(old), empty); !untouched(err) || p.Stamp(t) != before {
		t.Errorf("an empty value was delivered: %T: %v", err, err)
	}
}

// untouched reports whether an error says that nothing has changed.
func untouched(err error) bool { return errors.As(err, new(*rotate.Untouched)) }

// Nothing happens once the context has ended.
func (s suite) cancelled(t *testing.T) {
	old, next := s.marked(), s.marked()
	p := s.open(t, old)
	before := p.Stamp(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := p.Consumer.Deliver(ctx, secrets(old), secrets(next))
	if !errors.Is(err, context.Canceled) || !untouched(err) || p.Stamp(t) != before {
		t.Errorf("%T: %v", err, err)
	}
	quiet(t, err)
}

// Several at once leave the new value, whole.
func (s suite) atOnce(t *testing.T) {
	old, next := s.marked(), s.marked()
	p := s.open(t, old)
	var all sync.WaitGroup
	var mu sync.Mutex
	done := 0
	for range 4 {
		all.Go(func() {
			err := p.Consumer.Deliver(t.Context(), secrets(old), secrets(next))
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				done++
				return
			}
			quiet(t, err)
		})
	}
	all.Wait()
	if done == 0 {
		t.Error("none got through")
	}
	expect(t, p, next)
}
