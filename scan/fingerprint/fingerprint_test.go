package fingerprint

import (
	"math"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/secret"
)

// The format is published in ignore files: these must never change. They were
// computed apart from this code, with Python's hmac and the reference argon2 program.
func TestVectors(t *testing.T) {
	for _, c := range []struct{ salt, value, want string }{
		{"salt", "!#%')+-/13579;=?ACEGIKMOQSUWY[]_", "k1:e7727962a9ca6de3617664b7c8610ee8"},
		{"salt", "hunter2", "k1:418d45b2c18f112db10c5229b4514418"},
		{strings.Repeat("0123456789abcdef", 3)[:40], "correct horse battery staple", "k1:da19473284ffb27641639f95980e76a4"},
	} {
		if got := New([]byte(c.salt)).Of(secret.New([]byte(c.value))); got != c.want {
			t.Errorf("salt %q, value %q: %s, want %s", c.salt, c.value, got, c.want)
		}
	}
}

func TestOf(t *testing.T) {
	g := scan.NewGen(1)
	strong, weak := secret.New(g.Bytes(32)), secret.New([]byte("hunter2"))
	m := New([]byte("salt"))
	form := regexp.MustCompile(`^k1:[0-9a-f]{32}$`)
	seen := map[string]bool{}
	for _, f := range []string{
		m.Of(strong), m.Of(weak), m.Of(secret.Value{}),
		New([]byte("other")).Of(strong), New([]byte("other")).Of(weak), New(nil).Of(strong),
	} {
		if !form.MatchString(f) || seen[f] {
			t.Errorf("%s is not valid or came twice", f)
		}
		seen[f] = true
	}
	if again := New([]byte("salt")); again.Of(strong) != m.Of(strong) || again.Of(weak) != m.Of(weak) {
		t.Error("the same salt gives another fingerprint")
	}
}

func TestConcurrent(t *testing.T) {
	m := New([]byte("salt"))
	weak, strong := secret.New([]byte("hunter2")), secret.New(scan.NewGen(2).Bytes(32))
	wantWeak, wantStrong := m.Of(weak), m.Of(strong)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if m.Of(weak) != wantWeak || m.Of(strong) != wantStrong {
				t.Error("a fingerprint differs")
			}
		})
	}
	wg.Wait()
}

func TestBits(t *testing.T) {
	for _, weak := range []string{
		"", "a", "hunter2", "Password123!", "P@ssw0rd2024", "correct horse battery staple", "MySuperSecretPassword2024!",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "123456789012345678901234567890", "abcdefghijklmnopqrstuvwxyz",
		"administrator-of-the-database", "changeme_changeme_changeme", "qwertyuiopasdfghjkl",
	} {
		if b := Bits([]byte(weak)); b >= strongBits {
			t.Errorf("%q has %d bits", weak, b)
		}
	}
	g := scan.NewGen(3)
	for _, strong := range []struct {
		alphabet string
		n        int
	}{{scan.LowerHex, 32}, {scan.Base62, 32}, {scan.Base32, 52}, {scan.Base64URL, 32}, {scan.Base58, 51}, {scan.Digits, 64}} {
		for range 200 {
			if s := g.String(strong.alphabet, strong.n); Bits([]byte(s)) < strongBits {
				t.Errorf("%q has %d bits", s, Bits([]byte(s)))
			}
		}
	}
}

// An estimate above what random text of so many bytes can hold would be wrong.
func TestBitsIsLow(t *testing.T) {
	g := scan.NewGen(4)
	for _, alphabet := range []string{scan.Digits, scan.LowerHex, scan.Base32, scan.Base62, scan.LowerAZ} {
		for n := range 80 {
			most := float64(n) * math.Log2(float64(len(alphabet)))
			if b := Bits([]byte(g.String(alphabet, n))); float64(b) > most+1e-9 {
				t.Errorf("%d of %q: %d bits, %f at most", n, alphabet, b, most)
			}
		}
	}
}

func TestCentibits(t *testing.T) {
	for n := 1; n <= 256; n++ {
		if got, want := float64(centibits(n)), 100*math.Log2(float64(n)); got > want+1e-9 || got < want-1.01 {
			t.Errorf("centibits(%d) = %v, want about %f", n, got, want)
		}
	}
}

func FuzzBits(f *testing.F) {
	f.Add([]byte("Password123!"))
	f.Add([]byte{0, 255, 0, 1})
	f.Fuzz(func(t *testing.T, value []byte) {
		if b := Bits(value); b < 0 || b > 8*len(value) {
			t.Errorf("%d bits in %d bytes", b, len(value))
		}
	})
}

func BenchmarkWeak(b *testing.B) {
	m, v := New([]byte("salt")), secret.New([]byte("hunter2"))
	for b.Loop() {
		m.Of(v)
	}
}
