package keystore

import (
	"errors"
	"strings"
	"testing"
)

func TestParseRef(t *testing.T) {
	for _, c := range []struct{ in, want, wrong string }{
		{"prod/BINANCE", "prod/BINANCE", ""},
		{"prod/BINANCE#secret", "prod/BINANCE#secret", ""},
		{"keywright://dev/db.main#user", "dev/db.main#user", ""},
		{"my-env_2/a", "my-env_2/a", ""},
		{strings.Repeat("e", 32) + "/" + strings.Repeat("K", 64), strings.Repeat("e", 32) + "/" + strings.Repeat("K", 64), ""},
		{"", "", "want ENV/NAME"},
		{"BINANCE", "", "want ENV/NAME"},
		{"/x", "", `environment "": it is empty`},
		{"prod/", "", `key "": it is empty`},
		{"prod/a#", "", `part "": it is empty`},
		{"prod/a/b", "", `'/' is not allowed`},
		{"Prod/a", "", "in lower case"},
		{"prod/a b", "", `' ' is not allowed`},
		{"prod/a\x00", "", `'\x00' is not allowed`},
		{"prod/a\n", "", `'\n' is not allowed`},
		{"prod/BINАNCE", "", `'А' (U+0410) is not allowed`}, // a Cyrillic letter
		{"prod/-x", "", "begins with a hyphen"},
		{"../x", "", "begins with a hyphen or a dot"},
		{"prod/" + strings.Repeat("x", 300), "", "300 bytes, more than 64"},
		{"prod/a\xff", "", "is not allowed"},
	} {
		r, err := ParseRef(c.in)
		if c.wrong == "" {
			if err != nil || r.String() != c.want {
				t.Errorf("ParseRef(%q) = %v, %v", c.in, r, err)
			}
			continue
		}
		var name *NameError
		if !errors.As(err, &name) || !strings.Contains(err.Error(), c.wrong) || len(err.Error()) > 300 {
			t.Errorf("ParseRef(%q): %v, want %q", c.in, err, c.wrong)
		}
	}
	if _, err := ParseName("prod/a#b"); err == nil {
		t.Error("a part was taken for a whole key")
	}
}

func FuzzParseRef(f *testing.F) {
	for _, s := range []string{"prod/BINANCE#secret", "keywright://a/b", "a/b#", "\xff/é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRef(s)
		if err != nil {
			_ = err.Error()
			return
		}
		again, err := ParseRef(r.String())
		if err != nil || again != r || strings.TrimPrefix(s, Scheme) != r.String() {
			t.Errorf("%q is %v, and that %v, %v", s, r, again, err)
		}
	})
}
