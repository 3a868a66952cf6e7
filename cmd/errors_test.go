package cmd

import (
	"errors"
	"testing"

	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/keystore/keychain"
)

// An error of a backend begins with what the user asked for, and not with what the
// backend was doing.
func TestErrorsBeginWithWhatWasAsked(t *testing.T) {
	locked := &keystore.BackendError{Backend: keychain.Name, Doing: "read item metadata-head", Trouble: keystore.Locked, Err: errors.New("its own words")}
	odd := &keystore.BackendError{Backend: keychain.Name, Doing: "read item metadata-head", Trouble: keystore.Failed}
	for _, tt := range []struct {
		args []string
		err  error
		want string
	}{
		{[]string{"get", "dev/A"}, locked, "get dev/A: the keychain is locked: its own words"},
		{[]string{"audit", "verify"}, locked, "audit verify: the keychain is locked: its own words"},
		{[]string{"run", "--env", "dev", "./bot"}, locked, "run --env dev: the keychain is locked: its own words"},
		{[]string{"get", "dev/A"}, &keystore.KeyError{Doing: "read", Name: keystore.Name{Env: "dev", Key: "A"}, Err: locked}, "read dev/A: the keychain is locked: its own words"},
		{[]string{"get", "dev/A"}, hintedError{locked, "do that"}, "get dev/A: the keychain is locked: its own words"},
		{[]string{"doctor"}, odd, "doctor: the keychain failed (read item metadata-head)"},
		{[]string{"get", "dev/A"}, errors.New("it broke"), "it broke"},
	} {
		root := newRoot(&newScreen().terminal)
		c, args, err := root.Find(tt.args)
		if err == nil {
			err = c.ParseFlags(args)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := asked(c, tt.err).Error(); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.args, got, tt.want)
		}
	}
}
