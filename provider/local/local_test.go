package local_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/local"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/secret"
)

func credential(text string) provider.Credential {
	return provider.Credential{Parts: map[string]secret.Value{"value": secret.New([]byte(text))}, Params: map[string]string{"x": "y"}}
}

func TestConformance(t *testing.T) {
	providertest.Provider(t, providertest.Subject{Provider: local.Provider{}, Old: credential(strings.Repeat("0a", 32))})
}

func successor(text string) (string, error) {
	next, err := local.Provider{}.Make(context.Background(), credential(text))
	return string(next.Part("value").Reveal()), err
}

func TestKinds(t *testing.T) {
	raw := bytes.Repeat([]byte{0xfb, 0xef, 0xbe, 0x41, 0x07}, 8)
	for _, c := range []struct{ name, old, want string }{
		{"hex", strings.Repeat("0a", 32), `^[0-9a-f]{64}$`},
		{"hex of one nibble more", strings.Repeat("0a", 32) + "f", `^[0-9a-f]{65}$`},
		{"upper hex", strings.Repeat("0A", 32), `^[0-9A-F]{64}$`},
		{"a MAC address and more", strings.Repeat("0a:", 15) + "0a", `^([0-9a-f]{2}:){15}[0-9a-f]{2}$`},
		{"digits", strings.Repeat("0123456789", 4), `^[0-9]{40}$`},
		{"letters and digits", strings.Repeat("aZ9", 12), `^[a-zA-Z0-9]{36}$`},
		{"lower case", strings.Repeat("xyz", 12), `^[a-z]{36}$`},
		{"base 64", base64.StdEncoding.EncodeToString(raw[:32]), `^[a-zA-Z0-9+/]{43}=$`},
		{"base 64 without padding", base64.RawStdEncoding.EncodeToString(raw[:32]), `^[a-zA-Z0-9+/]{43}$`},
		{"base 64 for addresses", base64.URLEncoding.EncodeToString(raw[:32]), `^[a-zA-Z0-9_-]{43}=$`},
		{"base 64 for addresses without padding", base64.RawURLEncoding.EncodeToString(raw[:32]), `^[a-zA-Z0-9_-]{43}$`},
		{"a mark before it", "whsec_" + base64.StdEncoding.EncodeToString(raw[:24]), `^whsec_[a-zA-Z0-9+/]{32}$`},
		{"two marks", "app_live_" + strings.Repeat("aZ9", 12), `^app_live_[a-zA-Z0-9]{36}$`},
		{"a UUID", "0b7c3f9e-12ab-1cde-7f01-0123456789ab", `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`},
		{"signs", strings.Repeat("aZ9", 6) + "!?" + strings.Repeat("b", 6), `^[a-zA-Z0-9]{18}!\?[a-zA-Z0-9]{6}$`},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 50 {
				got, err := successor(c.old)
				if err != nil {
					t.Fatal(err)
				}
				if got == c.old || len(got) != len(c.old) || !regexp.MustCompile(c.want).MatchString(got) {
					t.Errorf("after %s comes %s", c.old, got)
				}
			}
		})
	}
}

func TestNoKind(t *testing.T) {
	for name, old := range map[string]string{
		"nothing":             "",
		"a word":              "hunter" + "2",
		"ten hex bytes less":  strings.Repeat("0a", 9),
		"signs alone":         strings.Repeat("!", 40),
		"a mark alone":        "whsec_",
		"a sentence":          "correct horse battery staple and much more",
		"two lines":           strings.Repeat("0a", 32) + "\n",
		"JSON":                `{"a":"` + strings.Repeat("0a", 32) + `"}`,
		"an address":          "postgres://app:" + strings.Repeat("0a", 32) + "@db/app",
		"PEM":                 "-----BEGIN " + "PRIVATE KEY-----",
		"not ASCII":           strings.Repeat("ü", 40),
		"bytes":               strings.Repeat("\xff\x00", 32),
		"short, of base 64":   "+/+aZ+==",
		"more than is likely": strings.Repeat("a", 1<<16+1),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := (local.Provider{}).Plan(t.Context(), provider.Credential{}, credential(old)); !refused(err) {
				t.Errorf("planned: %v", err)
			}
			got, err := successor(old)
			if e := new(provider.Error); !errors.As(err, &e) || e.Kind != provider.Incomplete || e.Hint == "" || got != "" {
				t.Errorf("%q, %v", got, err)
			} else if len(old) > 5 && strings.Contains(err.Error(), old) {
				t.Error("the error shows it")
			}
		})
	}
}

// refused reports whether an error says that there is no other like it, and what to do.
func refused(err error) bool {
	e := new(provider.Error)
	return errors.As(err, &e) && e.Kind == provider.Incomplete && strings.Contains(e.Hint, "keywright generate ENV/NAME --kind hex")
}

// What can be made is planned, and nothing is made by that.
func TestPlan(t *testing.T) {
	plan, err := (local.Provider{}).Plan(t.Context(), provider.Credential{}, credential(strings.Repeat("0a", 32)))
	if err != nil || !reflect.DeepEqual(plan, provider.Plan{}) {
		t.Errorf("%+v, %v", plan, err)
	}
}

// What is like another is like what comes after it.
func FuzzLike(f *testing.F) {
	for _, seed := range []string{"", "0a0b0c0d0e0f00010203040506070809", "whsec_" + strings.Repeat("aB3+", 8), strings.Repeat("A-_z", 9), "\xff", "0b7c3f9e-12ab-4cde-8f01-0123456789ab", "0A\r000000+000a00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, old string) {
		got, err := successor(old)
		if err != nil {
			return
		}
		if len(got) != len(old) || got == old {
			t.Errorf("after %q comes %q", old, got)
		}
	})
}
