package local

import (
	"regexp"
	"testing"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/secret"
)

// TestSuccessor: what takes the old secret takes the new one, and it is another each time.
func TestSuccessor(t *testing.T) {
	for old, like := range map[string]string{
		"0123456789abcdef0123456789abcdef":             `^[0-9a-f]{32}$`,
		"0123456789ABCDEF0123456789ABCDEF":             `^[0-9A-F]{32}$`,
		"31415926535897932384":                         `^[0-9]{20}$`,
		"short":                                        `^[0-9A-Za-z]{16}$`,
		"AbCdEfGhIjKlMnOpQrSt":                         `^[0-9A-Za-z]{20}$`,
		"with-dashes_and-more-of-it":                   `^[-_0-9A-Za-z]{26}$`,
		"q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=": `^[0-9A-Za-z+/]{43}=$`,
		"8c1f2a9e-1111-4222-8333-abcdefabcdef":         `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`,
		"":                                             `^[-_0-9A-Za-z]{16}$`,
	} {
		c := provider.Credential{Parts: map[string]secret.Value{"value": secret.New([]byte(old))}}
		seen := map[string]bool{old: true}
		for range 5 {
			next, err := New().Make(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			got := string(next.Part("value").Reveal())
			if !regexp.MustCompile(like).MatchString(got) || seen[got] {
				t.Errorf("the successor of %q is %q", old, got)
			}
			seen[got] = true
		}
	}
	if _, err := New().Make(t.Context(), provider.Credential{}); err == nil {
		t.Error("a key without parts has a successor")
	}
}
