// Package local replaces secrets that no provider knows: session keys, webhook secrets,
// passwords between one's own programs. A successor is made here, of the kind and length
// of the old one. What holds the old one is asked by nobody but itself.
package local

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/secret"
)

// Provider is the one without a service behind it.
type Provider struct{}

// New returns it.
func New() Provider { return Provider{} }

const (
	name = "local"
	part = "value"

	digits   = "0123456789"
	hexLower = digits + "abcdef"
	hexUpper = digits + "ABCDEF"
	letters  = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	alnum    = letters + digits
	urlSafe  = alnum + "-_"

	// least is how long a successor is at least, in characters: an old one may have been
	// chosen by a person.
	least = 16
)

// Info implements provider.Provider.
func (Provider) Info() provider.Info {
	return provider.Info{
		Name: name, Title: "a secret of your own", Parts: []provider.Part{{Name: part}},
		Sources: []string{"none: no service is asked"}, Tested: "itself",
	}
}

// Make implements provider.Maker.
func (Provider) Make(_ context.Context, old provider.Credential) (provider.Credential, error) {
	next := provider.Credential{Params: old.Params, Parts: map[string]secret.Value{}}
	for name, v := range old.Parts {
		next.Parts[name] = successor(v)
	}
	if len(next.Parts) == 0 {
		return next, &provider.Error{Provider: name, Doing: "make a successor", Kind: provider.Incomplete}
	}
	return next, nil
}

// Apply implements provider.Maker: there is nobody to tell.
func (Provider) Apply(context.Context, provider.Credential, provider.Credential, provider.Credential) error {
	return nil
}

// successor is a random secret that passes where the old one did.
func successor(old secret.Value) secret.Value {
	text := string(old.Reveal())
	if uuid.MatchString(text) {
		return randomUUID()
	}
	if raw, err := base64.StdEncoding.DecodeString(text); err == nil && len(text) >= least && strings.ContainsAny(text, "+/=") {
		rand.Read(raw)
		return secret.New([]byte(base64.StdEncoding.EncodeToString(raw)))
	}
	alphabet := urlSafe
	for _, a := range []string{digits, hexLower, hexUpper, alnum} {
		if text != "" && strings.Trim(text, a) == "" {
			alphabet = a
			break
		}
	}
	return secret.Random(max(len(text), least), alphabet)
}

var uuid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// randomUUID is one of version 4 (RFC 9562, section 5.4).
func randomUUID() secret.Value {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return secret.New(fmt.Appendf(nil, "%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]))
}
