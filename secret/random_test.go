package secret_test

import (
	"strings"
	"testing"

	"github.com/keywright/keywright/secret"
)

// Each character is about as likely as any other: the rest of a division would show.
func TestRandom(t *testing.T) {
	const alphabet, each = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", 2000
	text := string(secret.Random(each*len(alphabet), alphabet).Reveal())
	if len(text) != each*len(alphabet) {
		t.Fatalf("%d characters", len(text))
	}
	for _, c := range alphabet {
		// Six standard deviations are 268.
		if n := strings.Count(text, string(c)); n < each-300 || n > each+300 {
			t.Errorf("%c %d times, of %d", c, n, each)
		}
	}
	if a, b := secret.Random(40, alphabet), secret.Random(40, alphabet); a.Digest(nil) == b.Digest(nil) {
		t.Error("the same twice")
	}
	if !secret.Random(0, alphabet).IsZero() {
		t.Error("none is some")
	}
}
