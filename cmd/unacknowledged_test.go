package cmd

import (
	"context"
	"strings"
	"testing"

	"github.com/keywright/keywright/audit"
	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/secret"
)

// readOnly is a backend that takes no change.
type readOnly struct{ keystore.Items }

var errReadOnly = &keystore.BackendError{Backend: "memory", Trouble: keystore.Fixed}

func (readOnly) Put(context.Context, string, secret.Value) error { return errReadOnly }
func (readOnly) Delete(context.Context, string) error            { return errReadOnly }

// TestUnacknowledged: where the log's files can be written and its head cannot, what then
// failed does not stand in the log as done.
func TestUnacknowledged(t *testing.T) {
	keptIn(t, t.TempDir())
	kept := items{held: map[string]string{}}
	do := func(backend keystore.Items, stdin string, args ...string) (code int, said string) {
		t.Helper()
		scr := newScreen()
		scr.in = strings.NewReader(stdin)
		scr.items = func(string, asking) (keystore.Items, error) { return backend, nil }
		code = run(t.Context(), &scr.terminal, args)
		return code, scr.stderr.String()
	}
	for _, args := range [][]string{{"set", "dev/A"}, {"set", "prod/A"}, {"edit", "prod", "--protected"}} {
		if code, said := do(kept, "one", args...); code != exitOK {
			t.Fatalf("%q: exit %d, %s", args, code, said)
		}
	}
	for _, name := range []string{"dev/A", "prod/A"} {
		code, said := do(readOnly{kept}, "two", "set", name)
		if code != exitFailed || strings.Count(said, "append to audit log") != 1 {
			t.Errorf("set %s: exit %d, %s", name, code, said)
		}
	}
	if code, said := do(kept, "three", "set", "dev/A"); code != exitOK { // takes in what was left
		t.Fatalf("set: exit %d, %s", code, said)
	}
	scr := newScreen()
	scr.items = func(string, asking) (keystore.Items, error) { return kept, nil }
	keys, err := openKeys(&scr.terminal, mayAsk)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for e, err := range keys.log.Entries(t.Context(), audit.Filter{Verb: "set"}) {
		if err != nil {
			t.Fatal(err)
		}
		text := e.Key + " " + string(e.Decision)
		if e.Of != nil {
			text += "failed"
			if result, _, _ := strings.Cut(e.Result, ":"); result != "failed" || *e.Of != e.Seq-1 {
				t.Errorf("entry %d is the result of %d: %s", e.Seq, *e.Of, e.Result)
			}
		}
		got = append(got, text)
	}
	want := "dev/A granted, prod/A granted, dev/A granted, dev/A failed, prod/A granted, prod/A failed, dev/A granted"
	if strings.Join(got, ", ") != want {
		t.Errorf("the log has %q", got)
	}
	if r, err := keys.log.Verify(t.Context()); err != nil || r.Unacknowledged > 0 {
		t.Errorf("%+v, %v", r, err)
	}
}
