package keystore

import (
	"errors"
	"strings"
	"testing"

	"github.com/keywright/keywright/secret"
)

func TestParseReference(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"keywright://prod/BINANCE#secret", "prod/BINANCE#secret"},
		{"keywright://dev/TOKEN", "dev/TOKEN"},
		{"keywright://", ""},
		{"keywright://dev", ""},
		{"keywright://dev/", ""},
		{"keywright://dev/A#", ""},
		{"keywright://dev/A#B", ""},
		{"keywright://dev/A#a#b", ""},
		{"keywright://dev/A ", ""},
		{"keywright://dev/A\x00", ""},
		{"keywright://Dev/A", ""},
		{"keywright://keywright://dev/A", ""},
		{"keywright://dev/" + strings.Repeat("A", 300), ""},
	} {
		v := secret.New([]byte(c.in))
		r, err := ParseReference(v)
		if !IsReference(v) || !HoldsReference(v) {
			t.Errorf("%q is no reference", c.in)
		}
		switch name := (*NameError)(nil); {
		case c.want == "" && !errors.As(err, &name):
			t.Errorf("%q is %v, %v", c.in, r, err)
		case c.want != "" && (err != nil || r.String() != c.want || r.Reference() != c.in):
			t.Errorf("%q is %v, %v, written %s", c.in, r, err, r.Reference())
		}
	}
	for _, s := range []string{"", "dev/A", "keywright:/dev/A", "KEYWRIGHT://dev/A", " keywright://dev/A"} {
		v := secret.New([]byte(s))
		if _, err := ParseReference(v); err == nil || IsReference(v) {
			t.Errorf("%q is a reference", s)
		}
	}
}

// What is read as a reference is written as it was, and names what its reader checks.
func FuzzParseReference(f *testing.F) {
	for _, s := range []string{"keywright://prod/BINANCE#secret", "keywright://a/b", "keywright://a/b#", "keywright://../x", "x"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v := secret.New(b)
		r, err := ParseReference(v)
		if err != nil {
			_ = err.Error()
			return
		}
		if r.Reference() != string(b) || !IsReference(v) || ValidEnv(r.Env) != nil || r.Part != "" && ValidPart(r.Part) != nil {
			t.Errorf("%q is %v", b, r)
		}
	})
}
