package cmd

import (
	"testing"

	"github.com/keywright/keywright/keystore"
)

// TestStatusOpensOnce: opening may take a second, for a passphrase, and is done once.
func TestStatusOpensOnce(t *testing.T) {
	m, _ := plant(t)
	for _, args := range [][]string{{"status"}, {"ls"}} {
		opened := 0
		scr := newScreen()
		scr.items = func(string, asking) (keystore.Items, error) { opened++; return m, nil }
		if code := run(t.Context(), &scr.terminal, args); code != exitOK || opened != 1 {
			t.Errorf("%v: exit %d, opened %d times", args, code, opened)
		}
	}
}
