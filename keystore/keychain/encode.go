package keychain

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/secret"
)

// What the keychain holds is the value itself, or begins with one of these.
const (
	ours   = "keywright:"
	base   = ours + "base64:"   // then the value in base64
	sealed = ours + "sealed-1:" // then the file, a colon, and the key in base64
)

// maxStored is what fits into one item everywhere: Windows takes 2,560 bytes, macOS
// 4,096 for a command line that holds the name and these in base64.
const maxStored = 2048

var errForm = errors.New("it begins like something that keywright stored, but goes on otherwise")

// encode makes of a value what the keychain is to hold. If it had to be sealed, file
// is where the value itself is now.
func (o *operation) encode(name string, value secret.Value) (stored, file string, err error) {
	b := value.Reveal()
	if len(b) <= maxStored && plain(b) {
		return string(b), "", nil
	}
	if base64.StdEncoding.EncodedLen(len(b)) <= maxStored-len(base) {
		return base + base64.StdEncoding.EncodeToString(b), "", nil
	}
	p, err := o.seal(name, value)
	if err != nil {
		return "", "", err
	}
	return p.reveal(), p.file, nil
}

// plain reports whether every system and tool takes a value as it is. An empty one
// is no value for some, and white space around one is cut off.
func plain(b []byte) bool {
	s := string(b)
	return s != "" && utf8.ValidString(s) && !strings.Contains(s, "\x00") &&
		strings.TrimSpace(s) == s && !strings.HasPrefix(s, ours)
}

// decode is the reverse of encode. If the file of a sealed value is not there, the
// error matches fs.ErrNotExist. What another tool has stored is the value itself.
func (o *operation) decode(name, stored string) (value secret.Value, file string, err error) {
	if !strings.HasPrefix(stored, ours) {
		return secret.New([]byte(stored)), "", nil
	}
	if text, ok := strings.CutPrefix(stored, base); ok {
		b, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil {
			return secret.Value{}, "", &fault{keystore.Damaged, errForm}
		}
		defer clear(b)
		return secret.New(b), "", nil
	}
	p, ok := parsePointer(stored)
	if !ok {
		return secret.Value{}, "", &fault{keystore.Damaged, errForm}
	}
	value, err = o.unseal(name, p)
	return value, p.file, err
}
