package keystore

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strings"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/sethvargo/go-diceware/diceware"

	"github.com/keywright/keywright/secret"
)

// Kind is a kind of secret that can be made.
type Kind struct {
	Name  string
	Title string
	Unit  string // of its size; empty if it has but one
	Size  int    // if none is asked for
	Least int
	Bits  float64 // that an attacker has to guess of each unit; 0 if it has but one size

	make func(size int) (private []byte, public string, err error)
}

// maxSize bounds what is made, in units.
const maxSize = 4096

const lower, upper, digits = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"

// Signs are those of a password, if no others are asked for.
const Signs = "!#%+:=?@_.-"

// Password is that kind with other signs; without any if there are none. Signs are
// punctuation of ASCII, each once.
func Password(signs string) (Kind, error) {
	const all = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
	for i, c := range signs {
		switch {
		case !strings.ContainsRune(all, c):
			return Kind{}, fmt.Errorf("%q is no sign: want some of %s", c, all)
		case strings.ContainsRune(signs[:i], c):
			return Kind{}, fmt.Errorf("%q is there twice", c)
		}
	}
	return password(signs), nil
}

func password(signs string) Kind {
	each := []string{lower, upper, digits}
	if signs != "" {
		each = append(each, signs)
	}
	return Kind{"password", "letters, digits and signs, some of each", "characters", 24, 12, math.Log2(float64(62 + len(signs))), from(strings.Join(each, ""), each...)}
}

func from(alphabet string, each ...string) func(int) ([]byte, string, error) {
	return func(n int) ([]byte, string, error) {
		return characters(n, alphabet, each), "", nil
	}
}

// Kinds are the kinds of secrets that can be made. All randomness is crypto/rand's.
func Kinds() []Kind {
	const bitcoin = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	bits := func(choices int) float64 { return math.Log2(float64(choices)) }
	encoded := func(encode func([]byte) string) func(int) ([]byte, string, error) {
		return func(n int) ([]byte, string, error) {
			b := make([]byte, n)
			rand.Read(b)
			defer clear(b)
			return []byte(encode(b)), "", nil
		}
	}
	return []Kind{
		{"alphanumeric", "letters and digits", "characters", 32, 12, bits(62), from(lower + upper + digits)},
		password(Signs),
		{"base58", "letters and digits that are not mistaken", "characters", 32, 12, bits(58), from(bitcoin)},
		{"passphrase", "words of EFF's large list, 12.9 bits each", "words", 7, 5, bits(diceWords), makePassphrase},
		{"hex", "random bytes in hexadecimal", "bytes", 32, 8, 8, encoded(hex.EncodeToString)},
		{"base64", "random bytes in base 64", "bytes", 32, 8, 8, encoded(base64.StdEncoding.EncodeToString)},
		{"uuid", "a random UUID (RFC 9562, version 4)", "", 0, 0, 0, makeUUID},
		{"ed25519", "an Ed25519 key pair, PKCS #8", "", 0, 0, 0, keyPair(func() (crypto.Signer, error) { _, k, err := ed25519.GenerateKey(rand.Reader); return k, err })},
		{"ecdsa-p256", "an ECDSA key pair on P-256, PKCS #8", "", 0, 0, 0, keyPair(func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) })},
		{"rsa-4096", "an RSA key pair of 4096 bits, PKCS #8", "", 0, 0, 0, keyPair(func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 4096) })},
		{"secp256k1", "a key pair on secp256k1, in hexadecimal", "", 0, 0, 0, makeSecp256k1},
	}
}

// Entropy is how many bits an attacker has to guess of a secret of so many units, or of
// the usual number if size is zero; 0 if the kind has but one size.
func (k Kind) Entropy(size int) int {
	return int(k.Bits * float64(cmp.Or(size, k.Size)))
}

// ErrKind says that there is no kind of a name.
var ErrKind = errors.New("there is no such kind of secret")

// KindOf is the kind of a name. The error matches ErrKind if there is none.
func KindOf(name string) (Kind, error) {
	for _, k := range Kinds() {
		if k.Name == name {
			return k, nil
		}
	}
	return Kind{}, fmt.Errorf("%w: %s", ErrKind, name)
}

// Generate makes a secret of the kind: so many units of it, or the usual number if size is
// zero. Public is the half of a key pair that may be shown, otherwise empty.
func (k Kind) Generate(size int) (private secret.Value, public string, err error) {
	switch {
	case size == 0:
		size = k.Size
	case k.Unit == "":
		return private, "", fmt.Errorf("%s has one size", k.Name)
	case size < k.Least || size > maxSize:
		return private, "", fmt.Errorf("%s: %d %s are not %d to %d", k.Name, size, k.Unit, k.Least, maxSize)
	}
	b, public, err := k.make(size)
	defer clear(b)
	if err != nil {
		return private, "", fmt.Errorf("make %s: %w", k.Name, err)
	}
	return secret.New(b), public, nil
}

// characters are n of an alphabet, each as likely as any other. With classes, texts
// that have none of some class are thrown away, so that those that stay are as likely
// as each other.
func characters(n int, alphabet string, classes []string) []byte {
	for {
		if b := secret.Random(n, alphabet).Reveal(); hasEach(string(b), classes) {
			return b
		}
	}
}

func hasEach(text string, classes []string) bool {
	for _, c := range classes {
		if !strings.ContainsAny(text, c) {
			return false
		}
	}
	return true
}

const (
	dice      = 5                 // for a word
	diceWords = 6 * 6 * 6 * 6 * 6 // of the list
)

// makePassphrase takes each word from EFF's large list, as likely as any other, and joins
// them with hyphens. No list's word is a beginning of another with a hyphen behind, so
// that different words give different phrases.
func makePassphrase(n int) ([]byte, string, error) {
	list := diceware.WordListEffLarge()
	var phrase []byte
	for i := range n {
		roll := 0
		for range dice {
			side, err := rand.Int(rand.Reader, big.NewInt(6))
			if err != nil {
				return nil, "", err
			}
			roll = 10*roll + 1 + int(side.Int64())
		}
		if i > 0 {
			phrase = append(phrase, '-')
		}
		phrase = append(phrase, list.WordAt(roll)...)
	}
	return phrase, "", nil
}

func makeUUID(int) ([]byte, string, error) {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0F | 0x40
	b[8] = b[8]&0x3F | 0x80
	return fmt.Appendf(nil, "%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), "", nil
}

func keyPair(generate func() (crypto.Signer, error)) func(int) ([]byte, string, error) {
	return func(int) ([]byte, string, error) {
		k, err := generate()
		if err != nil {
			return nil, "", err
		}
		private, err := x509.MarshalPKCS8PrivateKey(k)
		if err != nil {
			return nil, "", err
		}
		defer clear(private)
		public, err := x509.MarshalPKIXPublicKey(k.Public())
		if err != nil {
			return nil, "", err
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
			string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})), nil
	}
}

func makeSecp256k1(int) ([]byte, string, error) {
	k, err := secp256k1.GeneratePrivateKey()
	if err != nil {
		return nil, "", err
	}
	defer k.Zero()
	b := k.Serialize()
	defer clear(b)
	return []byte(hex.EncodeToString(b)), hex.EncodeToString(k.PubKey().SerializeCompressed()) + "\n", nil
}
