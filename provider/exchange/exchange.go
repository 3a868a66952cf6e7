// Package exchange is what the providers of exchanges have in common: keys of an id and a
// secret that signs, and answers with a code of the exchange's own, which says what became of
// a call and of the key that it was signed with.
package exchange

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/web"
	"github.com/keywright/keywright/secret"
)

// Host is the address of the API that a key is of; empty if it is not said.
func Host(c provider.Credential) string { return strings.TrimSuffix(c.Params["host"], "/") }

// Name is what an exchange calls a key: the public half of it.
func Name(c provider.Credential) string {
	if c.ID != "" {
		return c.ID
	}
	return string(c.Part("id").Reveal())
}

// Key is a key of an id and a secret.
func Key(id string, s secret.Value, params map[string]string) provider.Credential {
	return provider.Credential{ID: id, Parts: map[string]secret.Value{"id": secret.New([]byte(id)), "secret": s}, Params: params}
}

// Issued is the key in an answer to a call that issues one in place of another. It reports
// false if there is no new one.
func Issued(old provider.Credential, id string, s web.Secret) (provider.Credential, bool) {
	if id == "" || id == Name(old) || s.IsZero() {
		return provider.Credential{}, false
	}
	return Key(id, s.Value, old.Params), true
}

// Words are those of a list with commas, sorted; nil if there is none.
func Words(list string) []string {
	var all []string
	for word := range strings.SplitSeq(list, ",") {
		if word = strings.TrimSpace(word); word != "" {
			all = append(all, word)
		}
	}
	slices.Sort(all)
	return all
}

// Unsure reports whether an error of a call that ends something leaves open that it was done
// now, or had been before.
func Unsure(err error) bool {
	var e *provider.Error
	return errors.As(err, &e) && (e.Kind == provider.Refused || e.Kind == provider.Unclear || e.Kind == provider.Malformed)
}

// Meaning is what a code says of the key that asked, and of what was asked with it.
type Meaning struct {
	State provider.State // empty if a key of another of the exchange's worlds gets it, too
	Kind  provider.Kind
	Word  string
	Hint  string // may be empty
}

// Means is a meaning. What to do about it, if anything, is the hint.
func Means(state provider.State, kind provider.Kind, word string, hint ...string) Meaning {
	return Meaning{State: state, Kind: kind, Word: word, Hint: strings.Join(hint, "")}
}

// Hints, for what exchanges have in common.
const (
	SetClock   = "set the clock of this machine"
	AddAddress = "add the address of this machine to those of the key, or work from one of them"
	Belongs    = "see that the key and its host belong together"
)

// Reply is an answer of an exchange, whatever it says.
type Reply struct {
	Answer  web.Answer
	Code    string          // of the body; of HTTP, if the body has none; nothing that quotes the body
	Done    bool            // what was asked for
	Data    json.RawMessage // that is in the answer then; there may be secrets in it
	Meaning Meaning         // of the code, if it was not done
}

// Uncoded is the reply of an answer without a code, by its status; an error if that does not
// say enough. Decoding is why there is no code; nil if the answer is JSON without one.
func Uncoded(a web.Answer, decoding error) (Reply, error) {
	switch {
	case a.OK() && decoding != nil:
		return Reply{}, decoding
	case a.OK():
		return Reply{}, a.Failure(provider.Malformed, "", errors.New("it has no code"))
	case a.Status == http.StatusUnauthorized || a.Status == http.StatusForbidden || a.Status == http.StatusTooManyRequests:
		return Reply{Answer: a, Code: strconv.Itoa(a.Status)}, nil
	}
	return Reply{}, a.Refusal()
}

// Probe is what a reply says of the key that asked, and whether that is not known to the
// world that was asked. What is in the answer, the caller knows.
func (r Reply) Probe() (probe provider.Probe, unheard bool) {
	if r.Done {
		return provider.Probe{State: provider.Alive, Code: r.Code}, false
	}
	return provider.Probe{State: r.Meaning.State, Code: r.word(), After: r.Answer.After}, r.Meaning.State == ""
}

// word is the code, and how wrong the clock is where that matters.
func (r Reply) word() string {
	if r.Meaning.State == provider.Skewed && r.Answer.Ahead != 0 {
		return r.Code + ", the clock here is " + web.Offset(r.Answer.Ahead)
	}
	return r.Code
}

// Decode takes what was asked for, and forgets it: secrets belong into fields of the type
// web.Secret. It is an error if it was not done, or is something else. Where nothing is to be
// in the answer, into is nil.
func (r Reply) Decode(into any) error {
	defer clear(r.Data)
	if !r.Done {
		e := r.Answer.Failure(r.Meaning.Kind, r.word(), errors.New(r.Meaning.Word))
		e.Hint = r.Meaning.Hint
		return e
	}
	if into != nil && json.Unmarshal(r.Data, into) != nil {
		return r.Answer.Failure(provider.Malformed, "", errors.New("what is in it is not what is documented"))
	}
	return nil
}
