// Package local replaces secrets that no service issues or checks: keys of sessions,
// secrets of webhooks, salts. Nobody can be asked whether one is alive, and nobody be
// told that it is not: it lives where programs have it.
package local

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"strings"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/secret"
)

// Provider makes successors. The zero value is ready for use.
type Provider struct{}

const (
	name = "local"
	part = "value"

	minBits = 80      // that a guesser must be up against
	maxSize = 1 << 16 // bytes
)

// Info implements provider.Provider.
func (Provider) Info() provider.Info {
	return provider.Info{
		Name:    name,
		Title:   "secrets without a provider",
		Parts:   []provider.Part{{Name: part}},
		Local:   true,
		Sources: []string{"RFC 4648", "RFC 9562"},
		Tested:  "itself: there is no server",
	}
}

// Make makes a secret of the kind and the length of the old one: hexadecimal, base 64, a
// UUID, or characters of the classes that it has. Signs stay where they are, and so does
// a word before an underscore, as in whsec_. What would be too easy to guess, and what
// has a form inside, as PEM, JSON and addresses have, is refused.
func (Provider) Make(_ context.Context, old provider.Credential) (provider.Credential, error) {
	value, err := successor(old)
	if err != nil {
		return provider.Credential{}, err
	}
	return provider.Credential{ID: old.ID, Parts: map[string]secret.Value{part: value}, Params: maps.Clone(old.Params)}, nil
}

// Plan refuses what Make would refuse, while another form can still be chosen.
func (Provider) Plan(_ context.Context, _, old provider.Credential) (provider.Plan, error) {
	value, err := successor(old)
	value.Wipe()
	return provider.Plan{}, err
}

func successor(old provider.Credential) (secret.Value, error) {
	value, err := like(old.Part(part))
	if err != nil {
		return secret.Value{}, &provider.Error{Provider: name, Doing: "make a secret like the old one", Kind: provider.Incomplete, Err: err,
			Hint: "make one of a form that can be made again, and put it where it is used: keywright generate ENV/NAME --kind hex"}
	}
	return value, nil
}

// Apply implements provider.Maker. There is nobody to tell.
func (Provider) Apply(context.Context, provider.Credential, provider.Credential, provider.Credential) error {
	return nil
}

const (
	digits = "0123456789"
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	signs  = "!#$%&*+,-.:;=?@^_~"
)

var (
	marked = regexp.MustCompile(`^(?:[a-z]{2,10}_){1,2}`)
	uuid   = regexp.MustCompile(`^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
)

// like makes a secret like another.
func like(old secret.Value) (secret.Value, error) {
	if n := old.Len(); n == 0 || n > maxSize {
		return secret.Value{}, fmt.Errorf("the old one has %d bytes, and 1 to %d are needed", n, maxSize)
	}
	if bytes.ContainsAny(old.Reveal(), "\r\n") { // which base 64 takes for nothing
		return secret.Value{}, errors.New("the old one has several lines, or ends with one")
	}
	mark := marked.FindString(string(old.Reveal()))
	rest := string(old.Reveal()[len(mark):])
	if strings.HasPrefix(rest, "-----") {
		return secret.Value{}, errors.New("the old one is in PEM form")
	}
	var body []byte
	var err error
	if encoding := base64Of(rest); encoding != nil {
		body, err = encoded(encoding, rest)
	} else {
		body, err = characters(rest)
	}
	if err != nil {
		return secret.Value{}, err
	}
	defer clear(body)
	return secret.New(append([]byte(mark), body...)), nil
}

// base64Of is the form of base 64 that a text can only be in; nil if it may as well be
// letters and digits.
func base64Of(text string) *base64.Encoding {
	for _, e := range []struct {
		form  *base64.Encoding
		signs string
	}{
		{base64.StdEncoding, "+/="}, {base64.RawStdEncoding, "+/"}, {base64.URLEncoding, "-_="}, {base64.RawURLEncoding, "-_"},
	} {
		if _, err := e.form.Strict().DecodeString(text); err == nil && strings.ContainsAny(text, e.signs) && strings.ContainsAny(text, upper) && strings.ContainsAny(text, lower) {
			return e.form
		}
	}
	return nil
}

func encoded(form *base64.Encoding, like string) ([]byte, error) {
	b, err := form.DecodeString(like)
	if err != nil {
		return nil, err
	}
	defer clear(b)
	if err := enough(8 * float64(len(b))); err != nil {
		return nil, err
	}
	rand.Read(b)
	return form.AppendEncode(nil, b), nil
}

// characters draws letters and digits of the classes that a text has anew.
func characters(like string) ([]byte, error) {
	var alphabet string
	switch has := func(class string) bool { return strings.ContainsAny(like, class) }; {
	case uuid.MatchString(like), has(digits) && only(like, digits+lower[:6]+signs):
		alphabet = digits + lower[:6]
	case has(digits) && only(like, digits+upper[:6]+signs):
		alphabet = digits + upper[:6]
	default:
		for _, class := range []string{digits, lower, upper} {
			if has(class) {
				alphabet += class
			}
		}
	}
	if !only(like, digits+lower+upper+signs) {
		return nil, errors.New("the old one has characters other than letters, digits and " + signs)
	}
	// Digits alone are no hexadecimal.
	if only(like, digits+signs) {
		alphabet = digits
	}
	var at []int
	for i := range len(like) {
		if !strings.ContainsRune(signs, rune(like[i])) {
			at = append(at, i)
		}
	}
	if err := enough(float64(len(at)) * math.Log2(float64(max(len(alphabet), 1)))); err != nil {
		return nil, err
	}
	drawn := secret.Random(len(at), alphabet)
	defer drawn.Wipe()
	text := []byte(like)
	for n, i := range at {
		text[i] = drawn.Reveal()[n]
	}
	if uuid.MatchString(like) { // version 4, and the variant
		text[14], text[19] = '4', "89ab"[strings.IndexByte(digits+lower, text[19])%4]
	}
	return text, nil
}

func only(text, alphabet string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return !strings.ContainsRune(alphabet, r) })
}

func enough(bits float64) error {
	if bits < minBits {
		return fmt.Errorf("one like it would have %.0f bits to guess, and %d are needed", bits, minBits)
	}
	return nil
}
