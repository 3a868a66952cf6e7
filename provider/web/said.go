package web

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/keywright/keywright/provider"
)

// Said is an answer in JSON, of which single fields are read. There may be secrets in the
// others.
type Said []byte

// UnmarshalJSON takes anything.
func (s *Said) UnmarshalJSON(b []byte) error {
	*s = slices.Clone(b)
	return nil
}

// Text is a field that is a text, a number or a boolean: "user.email", "errors.0.code".
// It is empty if there is none.
func (s Said) Text(path string) string {
	at := s.field(path)
	var text string
	switch {
	case len(at) == 0 || strings.ContainsRune("{[n", rune(at[0])):
		return ""
	case at[0] != '"':
		return string(at)
	case json.Unmarshal(at, &text) != nil:
		return ""
	}
	return text
}

// Texts is a field that is a list of texts, sorted, or a single one.
func (s Said) Texts(path string) (all []string) {
	if one := s.Text(path); one != "" {
		return []string{one}
	}
	if at := s.field(path); len(at) == 0 || json.Unmarshal(at, &all) != nil {
		return nil
	}
	slices.Sort(all)
	return all
}

// Has reports whether there is a field, whatever it holds.
func (s Said) Has(path string) bool { at := s.field(path); return at != nil && string(at) != "null" }

func (s Said) field(path string) json.RawMessage {
	at := json.RawMessage(s)
	for step := range strings.SplitSeq(path, ".") {
		var list []json.RawMessage
		var object map[string]json.RawMessage
		n, err := strconv.ParseUint(step, 10, 16)
		switch {
		case err != nil && json.Unmarshal(at, &object) == nil:
			at = object[step]
		case err == nil && json.Unmarshal(at, &list) == nil && n < uint64(len(list)):
			at = list[n]
		default:
			return nil
		}
	}
	return at
}

// Code is what a service says of a credential, in words of its own, and what it means.
type Code struct {
	Status int
	Field  string // as of Said.Text
	// Words are all that the field holds. What varies, and may quote the credential, is
	// given as *, once.
	Words []string
	State provider.State
}

// of reports whether an answer says this, and by which words: those before the *, or the
// field's name if it is true.
func (c Code) of(status int, s Said) (word string, ok bool) {
	text := s.Text(c.Field)
	if c.Status != status || text == "" {
		return "", false
	}
	for _, w := range c.Words {
		before, after, varies := strings.Cut(w, "*")
		switch {
		case text == w && w == "true":
			return c.Field[strings.LastIndex(c.Field, ".")+1:], true
		case text == w || varies && len(text) >= len(before)+len(after) && strings.HasPrefix(text, before) && strings.HasSuffix(text, after):
			return strings.TrimRight(before, ` :"`), true
		}
	}
	return "", false
}

// Probe is what an answer says of the credential that asked, by the first code that it
// holds. The state of one without any is empty if it is good: what is in it, the caller
// knows. What is bad and has no code is Unknown.
func (a *Answer) Probe(codes []Code) (provider.Probe, Said, error) {
	bare, err := a.Bare()
	if !a.OK() && (err != nil || bare.State == provider.Throttled) {
		return bare, nil, err
	}
	var said Said
	if err := a.JSON(&said); err != nil {
		if a.OK() {
			return provider.Probe{}, nil, err
		}
		return bare, nil, nil // a proxy, or a login page
	}
	probe := provider.Probe{Code: strconv.Itoa(a.Status), After: a.After}
	for _, c := range codes {
		if word, ok := c.of(a.Status, said); ok {
			probe.State, probe.Code = c.State, strings.TrimSpace(probe.Code+" "+word)
			return probe, said, nil
		}
	}
	if !a.OK() {
		probe.State = provider.Unknown
	}
	return probe, said, nil
}
