package provider

import (
	"crypto/sha256"
	"regexp"
	"testing"
)

// TestLineage: what a label says comes out of it again, in both forms, which hold what the
// services with the least room take.
func TestLineage(t *testing.T) {
	if l := (Lineage{"q7kf", "20261130-0123abcd"}); l.String() != "keywright-q7kf-20261130-0123abcd" || l.Short() != "kwq7kf09rk0i7aud" {
		t.Errorf("what was issued before is called %s or %s now", l, l.Short())
	}
	plain, narrow := regexp.MustCompile(`^[a-z0-9-]{1,32}$`), regexp.MustCompile(`^[A-Za-z0-9]{1,16}$`)
	for _, installation := range []string{"0000", "vvvv", Installation(sha256.Sum256([]byte("a"))), Installation([32]byte{}), Installation([32]byte{255, 255, 255})} {
		for _, rotation := range []string{"20200101-00000000", "20261130-0123abcd", "20991231-ffffffff"} {
			l := Lineage{installation, rotation}
			for label, form := range map[string]*regexp.Regexp{l.String(): plain, l.Short(): narrow} {
				if !form.MatchString(label) {
					t.Errorf("%+v is %q", l, label)
				}
				if got, ok := ParseLineage(label); !ok || got != l {
					t.Errorf("%q is %+v, %v, want %+v", label, got, ok, l)
				}
			}
		}
	}
}

// TestOlderLabels: what older versions called their keys is known, at each service.
func TestOlderLabels(t *testing.T) {
	want := Lineage{Rotation: "20260102-0123abcd"}
	for _, label := range []string{"keywright-20260102-0123abcd", "keyw-20260102-0123abcd", "k260102_0123abcd", want.String(), want.Short()} {
		if got, ok := ParseLineage(label); !ok || got != want {
			t.Errorf("%q is %+v, %v", label, got, ok)
		}
	}
	if got := want.String(); got != "keywright-20260102-0123abcd" {
		t.Errorf("a rotation that an older version began looks for %q", got)
	}
}

// TestNoLineage: what people call their keys is none.
func TestNoLineage(t *testing.T) {
	for _, label := range []string{
		"", "keywright", "keywright-bot", "keywright-20260102", "keywright-20260102-0123ABCD", "my keywright-20260102-0123abcd", "keywright-20260102-0123abcd ",
		"keywright-wxyz-20260102-0123abcd", "kwthetradingbot2", "kwbotbotbotbot", "k260102_0123abcg", "kw0000vvvvvvvvvv",
	} {
		if l, ok := ParseLineage(label); ok {
			t.Errorf("%q is %+v", label, l)
		}
	}
}

// FuzzParseLineage: what is read is written the same way, but for older forms, and names
// the same then.
func FuzzParseLineage(f *testing.F) {
	for _, seed := range []string{"keywright-q7kf-20261130-0123abcd", "keywright-20260102-0123abcd", "keyw-20260102-0123abcd", "k260102_0123abcd", "kwq7kf09rk0i7aud", "kwvvvv0vvvvvvvvv", "keywright-21050101-00000000"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, label string) {
		l, ok := ParseLineage(label)
		if !ok {
			return
		}
		for _, again := range []string{l.String(), l.Short()} {
			if got, ok := ParseLineage(again); !ok || got != l {
				t.Errorf("%q is %+v, which is written as %q, which is %+v, %v", label, l, again, got, ok)
			}
		}
	})
}
