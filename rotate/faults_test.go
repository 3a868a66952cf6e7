package rotate

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/keywright/keywright/provider"
)

var update = flag.Bool("update", false, "write the golden table of faults anew")

// A failure is a way in which a call goes wrong.
type failure struct {
	name    string
	kind    provider.Kind // of a provider's error; empty for another error
	happens bool
	probe   *provider.Probe // what a probe says, in place of failing
	lag     int             // so many probes say nothing yet
	err     error
}

func (f failure) error() error {
	if f.kind == "" {
		return f.err
	}
	return &provider.Error{Provider: "fake", Doing: "do it", Kind: f.kind}
}

var (
	gone      = failure{name: "network gone", kind: provider.Unreached}
	broken    = failure{name: "500", kind: provider.Unclear}
	late      = failure{name: "500, and it was done", kind: provider.Unclear, happens: true}
	slower    = failure{name: "429", kind: provider.Busy}
	nonsense  = failure{name: "not JSON, and it was done", kind: provider.Malformed, happens: true}
	refused   = failure{name: "200 with an error inside", kind: provider.Refused}
	forbidden = failure{name: "a right is missing", kind: provider.Forbidden}
	noSlot    = failure{name: "no slot", kind: provider.NoSlot}
	full      = failure{name: "disk full", err: errors.New("no space left on device")}
	locked    = failure{name: "keychain locked", err: errors.New("the keychain is locked")}
	fails     = failure{name: "fails", err: errors.New("permission denied")}
	skewed    = failure{name: "clock 10 minutes off", probe: &provider.Probe{State: provider.Skewed, Code: "10002"}}
	throttled = failure{name: "429", probe: &provider.Probe{State: provider.Throttled, Code: "429"}}
	blocked   = failure{name: "blocked by address", probe: &provider.Probe{State: provider.Blocked, Code: "10010"}}
	still     = failure{name: "says deleted, keeps it alive", probe: &provider.Probe{State: provider.Alive, Code: "200"}}
	slow      = failure{name: "known everywhere after a minute", lag: 20}
	dead      = failure{name: "refused as not valid", probe: &provider.Probe{State: provider.Dead, Code: "401"}}
)

// class is a kind of calls: of which family's rotation, at which step, and what it may
// meet. With from, the rotation is taken back from that step on.
type class struct {
	call   string
	family string
	step   string
	skip   int
	of     []failure
	from   StepName
}

func (c class) at() string {
	if c.from != "" {
		return "abort: " + c.step
	}
	return c.step
}

var classes = []class{
	{"save", "issued", "preflight", 0, []failure{full, locked}, ""},
	{"verify", "issued", "preflight", 0, []failure{gone, broken, skewed, blocked, dead}, ""},
	{"list", "issued", "preflight", 0, []failure{gone, forbidden}, ""},
	{"save", "made here", "make", 0, []failure{full}, ""},
	{"apply", "made here", "apply", 0, []failure{gone, broken, late, slower, refused, forbidden, noSlot}, ""},
	{"apply", "in place", "apply", 0, []failure{gone, late, refused}, ""},
	{"save", "in place", "apply", 1, []failure{full}, ""},
	{"list", "issued", "issue", 0, []failure{gone}, ""},
	{"save", "issued", "issue", 0, []failure{full}, ""},
	{"issue", "issued", "issue", 0, []failure{gone, broken, late, nonsense, slower, refused, forbidden, noSlot}, ""},
	{"save", "issued", "issue", 1, []failure{full}, ""},
	{"issue", "issued, no list", "issue", 0, []failure{gone, late}, ""},
	{"verify", "issued", "verify", 0, []failure{gone, broken, throttled, skewed, blocked, dead, slow}, ""},
	{"deliver three", "issued", "deliver three", 0, []failure{fails, late}, ""},
	{"save", "issued", "deliver three", 1, []failure{full}, ""},
	{"reload three", "issued", "reload three", 0, []failure{fails}, ""},
	{"save", "issued", "make current", 0, []failure{full}, ""},
	{"disable", "disabled first", "disable", 0, []failure{gone, late, forbidden}, ""},
	{"verify", "issued", "revoke", 0, []failure{gone, dead}, ""},
	{"revoke", "issued", "revoke", 0, []failure{gone, broken, late, slower, refused, forbidden}, ""},
	{"save", "issued", "revoke", 1, []failure{full}, ""},
	{"list", "issued, tells", "revoke", 0, []failure{gone}, ""},
	{"list", "busy, leaked", "revoke", 0, []failure{gone}, ""},
	{"revoke", "issued, leaked", "revoke", 0, []failure{gone, late}, ""},
	{"deliver three", "issued, leaked", "deliver three", 0, []failure{fails}, ""},
	{"issue", "revoked first", "issue", 0, []failure{gone, late}, ""},
	{"verify", "issued", "prove dead", 0, []failure{gone, throttled, skewed, still, slow}, ""},
	{"save", "issued", "close", 0, []failure{full}, ""},
	{"verify", "issued", "try old", 0, []failure{gone, throttled, dead}, Revoke},
	{"deliver three", "issued", "take back three", 0, []failure{fails}, Revoke},
	{"revoke", "issued", "revoke new", 0, []failure{gone, late}, Revoke},
	{"enable", "disabled first", "enable", 0, []failure{gone, late, forbidden}, Revoke},
}

// TestFaults puts every kind of call through what it may meet, and compares where the
// rotation stands then, and what becomes of it, with a table that was read line by line.
// Whatever it meets: the current version and what consumers hold is accepted, or the
// journal names the outage; and once the fault is over the rotation ends as promised.
func TestFaults(t *testing.T) {
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "family\tat\tcall\tmeets\tthen\taccepted\tconsumers hold\tresumed\ttaken back")
	for _, c := range classes {
		for _, f := range c.of {
			where, alive, hold := faulty(t, c, f, func(*world, string) {})
			var resumed, back string
			faulty(t, c, f, func(w *world, id string) { resumed = w.ends(t, c, id, false) })
			faulty(t, c, f, func(w *world, id string) { back = w.ends(t, c, id, true) })
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", c.family, c.at(), c.call, f.name, where, alive, hold, resumed, back)
		}
	}
	w.Flush()
	const golden = "testdata/faults.golden"
	if *update {
		if err := os.WriteFile(golden, table.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, table.Bytes()) {
		t.Errorf("the table is not as it was read; go test ./rotate -run Faults -update, and read it again:\n%s", table.Bytes())
	}
}

// faulty drives a rotation into a fault, and says where it stands.
func faulty(t *testing.T, c class, f failure, then func(w *world, id string)) (where, alive, hold string) {
	t.Helper()
	w := newWorld(t)
	w.key.Consumers = []string{"one", "two", "three", "four", "five"}
	for _, name := range w.key.Consumers {
		w.consumers[name] = "old"
	}
	of, o := familyOf(t, c.family)
	e := w.engine(of)
	j, err := e.New(t.Context(), "prod/DB", o)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Begin(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	if c.from != "" {
		w.until(e, j.ID, c.from)
		if err := e.Abort(t.Context(), j.ID); err != nil {
			t.Fatal(err)
		}
	}
	met := false
	w.before = func(j *Journal) {
		w.fault, w.answer = nil, nil
		if j.Step().String() != c.step {
			return
		}
		if f.lag > 0 && !met {
			w.lag = f.lag
		}
		met = true
		if w.answer = f.probe; f.probe == nil && f.lag == 0 {
			w.fault = &fault{c.call, c.skip, f.happens, f.error()}
		}
	}
	err = w.drive(e, j.ID)
	if !met {
		t.Fatalf("%s has no step %s", c.family, c.step)
	}
	w.fault, w.answer, w.before = nil, nil, nil
	switch stepErr := (*StepError)(nil); {
	case err == nil:
		if where = "goes on"; w.questions > 0 {
			where += ", asks"
		}
	case errors.As(err, &stepErr) && stepErr.Step.String() == c.step:
		where = "stops: " + strings.TrimPrefix(err.Error(), fmt.Sprintf("rotate prod/DB: %s: ", c.step))
		if stepErr.Hint == "" {
			t.Errorf("%s, %s at %s: it does not say what to do", c.call, f.name, c.step)
		}
	default:
		where = "stops at another step: " + err.Error()
	}
	w.stands(t, c, f, j.ID)
	alive, hold = w.accepted(), w.held()
	then(w, j.ID)
	return where, alive, hold
}

func familyOf(t *testing.T, name string) (func(*world) provider.Provider, Options) {
	for _, f := range families {
		if f.name == name {
			return f.of, f.o
		}
	}
	t.Fatalf("no family %s", name)
	return nil, Options{}
}

// stands checks what must hold whenever a rotation stops: what is current, and what
// consumers hold, is accepted, or the journal names the outage.
func (w *world) stands(t *testing.T, c class, f failure, id string) {
	t.Helper()
	j, err := w.Journal(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	outage, _ := j.Outage()
	accepts := func(s string) bool { _, ok := w.alive[s]; return ok && !w.disabled[s] }
	kept := accepts(w.versions[w.current]) || accepts(w.versions[w.pending])
	for _, s := range w.consumers {
		if !accepts(s) && outage == "" {
			t.Errorf("%s, %s, %s at %s: a consumer holds %s, which is not accepted, and the journal names no outage", c.family, c.call, f.name, c.step, s)
		}
	}
	if !kept && !w.disabled["old"] && !(j.RevokeFirst && outage != "") {
		t.Errorf("%s, %s, %s at %s: no version that is kept is accepted", c.family, c.call, f.name, c.step)
	}
}

// accepted lists what the provider accepts.
func (w *world) accepted() string {
	var all []string
	for _, s := range slices.Sorted(maps.Keys(w.alive)) {
		if !w.disabled[s] {
			all = append(all, s)
		}
	}
	return strings.Join(all, ", ")
}

// held counts what the consumers hold.
func (w *world) held() string {
	counts := map[string]int{}
	for _, s := range w.consumers {
		counts[s]++
	}
	var all []string
	for _, s := range slices.Sorted(maps.Keys(counts)) {
		all = append(all, fmt.Sprintf("%s %d", s, counts[s]))
	}
	return strings.Join(all, ", ")
}

// ends lets a rotation that stopped go on, or be taken back, with the fault over, and says
// how that went.
func (w *world) ends(t *testing.T, c class, id string, back bool) string {
	t.Helper()
	of, _ := familyOf(t, c.family)
	e := w.engine(of)
	if j, err := w.Journal(context.Background(), id); err != nil || !j.Open() {
		return "-"
	}
	if back {
		if err := e.Abort(context.Background(), id); errors.Is(err, ErrIrrevocable) {
			return "too late"
		} else if err != nil {
			return err.Error()
		}
	}
	w.questions = 0
	if err := w.drive(e, id); err != nil {
		return "stops: " + err.Error()
	}
	if err := w.check(id); err != nil {
		t.Errorf("%s, %s at %s, taken back %v: %v", c.family, c.call, c.step, back, err)
	}
	text := "done"
	if back {
		text = "yes"
	}
	if w.made > 1 {
		text += fmt.Sprintf(", %d made", w.made)
	}
	if w.questions > 0 {
		text += ", asks"
	}
	return text
}
