package keystore

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/sethvargo/go-diceware/diceware"

	"github.com/keywright/keywright/secret"
)

func TestGenerate(t *testing.T) {
	shapes := map[string]string{
		"alphanumeric": `^[0-9A-Za-z]{32}$`,
		"password":     `^[0-9A-Za-z!#%+:=?@_.-]{24}$`,
		"base58":       `^[1-9A-HJ-NP-Za-km-z]{32}$`,
		"passphrase":   `^[a-z]+(-[a-z]+){6,}$`,
		"hex":          `^[0-9a-f]{64}$`,
		"base64":       `^[0-9A-Za-z+/]{43}=$`,
		"uuid":         `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`,
		"ed25519":      `^-----BEGIN PRIVATE KEY-----\n`,
		"ecdsa-p256":   `^-----BEGIN PRIVATE KEY-----\n`,
		"rsa-4096":     `^-----BEGIN PRIVATE KEY-----\n`,
		"secp256k1":    `^[0-9a-f]{64}$`,
	}
	for _, k := range Kinds() {
		shape := shapes[k.Name]
		if shape == "" {
			t.Errorf("%s is not tested", k.Name)
			continue
		}
		seen := map[string]bool{}
		rounds := 200
		if strings.HasPrefix(k.Name, "rsa") {
			rounds = 2
		}
		for range rounds {
			v, public, err := k.Generate(0)
			if err != nil {
				t.Fatal(err)
			}
			text := string(v.Reveal())
			if !regexp.MustCompile(shape).MatchString(text) || seen[text] {
				t.Fatalf("%s: not %s, or seen before", k.Name, shape)
			}
			seen[text] = true
			if strings.Contains(public, text) {
				t.Fatalf("%s shows its secret", k.Name)
			}
			if k.Name == "password" && !hasEach(text, []string{"abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", "!#%+:=?@_.-"}) {
				t.Fatal("a password lacks a class")
			}
		}
		if k.Unit == "" {
			if _, _, err := k.Generate(5); err == nil {
				t.Errorf("%s took a size", k.Name)
			}
			continue
		}
		for size, good := range map[int]bool{k.Least - 1: false, k.Least: true, maxSize: true, maxSize + 1: false, -1: false} {
			if _, _, err := k.Generate(size); (err == nil) != good {
				t.Errorf("%s, size %d: %v", k.Name, size, err)
			}
		}
	}
	if _, err := KindOf("nothing"); !errors.Is(err, ErrKind) {
		t.Errorf("unknown kind: %v", err)
	}
}

// TestPairs wants the public half to be that of the private one.
func TestPairs(t *testing.T) {
	v, public, err := generate(t, "ed25519")
	if err != nil {
		t.Fatal(err)
	}
	private, _ := pem.Decode(v.Reveal())
	shown, _ := pem.Decode([]byte(public))
	key, err := x509.ParsePKCS8PrivateKey(private.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	want, err := x509.ParsePKIXPublicKey(shown.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if !key.(ed25519.PrivateKey).Public().(ed25519.PublicKey).Equal(want) {
		t.Error("the halves do not belong together")
	}
	v, public, err = generate(t, "secp256k1")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := hex.DecodeString(string(v.Reveal()))
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(secp256k1.PrivKeyFromBytes(raw).PubKey().SerializeCompressed()); got != strings.TrimSpace(public) {
		t.Error("the halves on secp256k1 do not belong together")
	}
}

// Every roll of the dice is a word, and all are different: that is what the entropy rests
// on.
func TestWordList(t *testing.T) {
	list, seen := diceware.WordListEffLarge(), map[string]bool{}
	for n := range diceWords {
		roll := 0
		for range dice {
			roll, n = 10*roll+1+n%6, n/6
		}
		word := list.WordAt(roll)
		if word == "" || seen[word] {
			t.Fatalf("%d is %q", roll, word)
		}
		seen[word] = true
	}
	for word := range seen {
		if first, rest, ok := strings.Cut(word, "-"); ok && (seen[first] || strings.Contains(rest, "-")) {
			t.Errorf("%s begins with another word", word)
		}
	}
}

func TestEntropy(t *testing.T) {
	for _, k := range Kinds() {
		want := map[string]int{"alphanumeric": 190, "password": 148, "base58": 187, "passphrase": 90, "hex": 256, "base64": 256}[k.Name]
		if got := k.Entropy(0); got != want {
			t.Errorf("%s: %d bits, want %d", k.Name, got, want)
		}
		if got := k.Entropy(2 * k.Size); k.Unit != "" && got < 2*want || k.Unit == "" && got != 0 {
			t.Errorf("%s, twice as long: %d bits", k.Name, got)
		}
	}
}

func generate(t *testing.T, kind string) (secret.Value, string, error) {
	t.Helper()
	k, err := KindOf(kind)
	if err != nil {
		t.Fatal(err)
	}
	return k.Generate(0)
}

// A password has the signs that were asked for, one at least, and no others.
func TestPasswordSigns(t *testing.T) {
	for signs, bits := range map[string]int{"": 142, "$&": 144, Signs: 148} {
		k, err := Password(signs)
		if err != nil {
			t.Fatal(err)
		}
		for range 50 {
			v, _, err := k.Generate(0)
			if err != nil {
				t.Fatal(err)
			}
			rest := strings.Map(func(r rune) rune {
				if strings.ContainsRune(lower+upper+digits+signs, r) {
					return -1
				}
				return r
			}, string(v.Reveal()))
			if has := strings.ContainsAny(string(v.Reveal()), signs); rest != "" || has != (signs != "") {
				t.Errorf("with the signs %q: some of them: %v; beside them %q", signs, has, rest)
			}
		}
		if got := k.Entropy(0); got != bits {
			t.Errorf("with the signs %q: %d bits, want %d", signs, got, bits)
		}
	}
	for _, signs := range []string{"a", "!!", " ", "é", "\x00"} {
		if _, err := Password(signs); err == nil {
			t.Errorf("%q are taken for signs", signs)
		}
	}
}
