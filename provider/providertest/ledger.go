package providertest

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/secret"
)

// Key is a credential as a fake knows it. A fake's own type of keys embeds it, and has what
// only that service knows.
type Key struct {
	ID, Secret string
	Phrase     string // where the service has one
	Label      string
	Account    string   // that it is of, in the service's own name for it
	Rights     []string // in the service's own words
	IPs        []string // that it may be used from
	Created    time.Time
	Expires    time.Time // zero for never
	Disabled   bool
}

// Base is the key itself, for those that embed it.
func (k *Key) Base() *Key { return k }

// May reports whether a key has a right.
func (k *Key) May(right string) bool { return slices.Contains(k.Rights, right) }

// Milli is when a key was made, in milliseconds; zero if that is not known.
func (k *Key) Milli() int64 {
	if k.Created.IsZero() {
		return 0
	}
	return k.Created.UnixMilli()
}

// Entry is a pointer to what embeds a Key.
type Entry interface {
	comparable
	Base() *Key
}

// Ledger is a fake that knows keys. How a request is signed and what an answer looks like
// is for the fake that embeds it. What does not lock it must hold it, or ask while nothing
// is served.
type Ledger[K Entry] struct {
	*HTTP
	Keys  []K
	From  string // the address that calls come from
	Param string // the parameter of a credential that names its account; none if empty

	made int
}

// NewLedger starts a fake, as Serve does, which knows these keys.
func NewLedger[K Entry](t *testing.T, h http.HandlerFunc, keys ...K) *Ledger[K] {
	t.Helper()
	return &Ledger[K]{HTTP: Serve(t, h), Keys: keys, From: "192.0.2.1"}
}

// Book is the ledger itself, for those that embed it.
func (l *Ledger[K]) Book() *Ledger[K] { return l }

// Find is the key of an ID; nil if there is none.
func (l *Ledger[K]) Find(id string) (none K) {
	for _, k := range l.Keys {
		if k.Base().ID == id {
			return k
		}
	}
	return none
}

// Add adds keys.
func (l *Ledger[K]) Add(keys ...K) { l.Keys = append(l.Keys, keys...) }

// Drop deletes the key of an ID.
func (l *Ledger[K]) Drop(id string) {
	l.Keys = slices.DeleteFunc(l.Keys, func(k K) bool { return k.Base().ID == id })
}

// Issue adds a key as a service does that makes it itself: the first is new1, and its
// secret is Marked with n1 behind it.
func (l *Ledger[K]) Issue(k K) {
	l.made++
	b := k.Base()
	b.ID, b.Secret, b.Created = fmt.Sprint("new", l.made), fmt.Sprint(Marked, "n", l.made), time.Now()
	l.Add(k)
}

// Issued is how many keys were. It locks the ledger.
func (l *Ledger[K]) Issued() int {
	l.Lock()
	defer l.Unlock()
	return l.made
}

// There reports whether there is a key of an ID. It locks the ledger.
func (l *Ledger[K]) There(id string) bool {
	l.Lock()
	defer l.Unlock()
	var none K
	return l.Find(id) != none
}

// Credential is a key as keywright holds it.
func (l *Ledger[K]) Credential(id string) provider.Credential {
	k := l.Find(id).Base()
	c := provider.Credential{
		ID: id, Params: map[string]string{"host": l.URL},
		Parts: map[string]secret.Value{"id": secret.New([]byte(id)), "secret": secret.New([]byte(k.Secret))},
	}
	if k.Phrase != "" {
		c.Parts["passphrase"] = secret.New([]byte(k.Phrase))
	}
	if l.Param != "" && k.Account != "" {
		c.Params[l.Param] = k.Account
	}
	return c
}

// Accepts reports whether a credential is that of a key that can be used. It locks the
// ledger.
func (l *Ledger[K]) Accepts(c provider.Credential) bool {
	l.Lock()
	defer l.Unlock()
	var none K
	found := l.Find(string(c.Part("id").Reveal()))
	if found == none {
		return false
	}
	k := found.Base()
	return !k.Disabled && k.Secret == string(c.Part("secret").Reveal()) && k.Phrase == string(c.Part("passphrase").Reveal())
}

// Fault has calls answered so, from now on: those of a path, or with a method before it, of
// that alone. It locks the fake.
func (s *HTTP) Fault(call string, answer Answer) {
	s.Lock()
	defer s.Unlock()
	s.Answer = func(w http.ResponseWriter, r *http.Request, done func()) bool {
		if r.URL.Path != call && r.Method+" "+r.URL.Path != call {
			return false
		}
		answer(w, done)
		return true
	}
}
