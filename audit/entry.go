package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// Entry says what keywright did, or refused, for whom. It never holds a value. All
// fields may be empty but those that Append sets.
type Entry struct {
	Schema       int       `json:"schema"`                 // set by Append
	Seq          int64     `json:"seq"`                    // set by Append: 0, 1, 2, …
	Time         time.Time `json:"time"`                   // in UTC
	Installation string    `json:"installation,omitempty"` // at random, kept in the name of the signing key
	User         string    `json:"user,omitempty"`
	Host         string    `json:"host,omitempty"`
	Process      string    `json:"process,omitempty"` // the program that asked
	Parent       string    `json:"parent,omitempty"`  // its parent
	Verb         string    `json:"verb,omitempty"`
	Key          string    `json:"key,omitempty"` // ENV/NAME
	Version      string    `json:"version,omitempty"`
	Environment  string    `json:"environment,omitempty"`
	Reason       string    `json:"reason,omitempty"`
	Decision     Decision  `json:"decision,omitempty"`
	Result       string    `json:"result,omitempty"` // how it ended, in an entry of its own
	Of           *int64    `json:"of,omitempty"`     // the entry whose result this is
	Child        *Child    `json:"child,omitempty"`
	Follows      string    `json:"follows,omitempty"` // the last checkpoint of the log that this one replaces
}

// Decision is whether something was allowed.
type Decision string

// The decisions. An entry about a result has none.
const (
	Granted Decision = "granted"
	Refused Decision = "refused"
)

// Child identifies a process that received secrets, also after its PID was reused.
type Child struct {
	PID     int       `json:"pid"`
	Started time.Time `json:"started"`
	Start   uint64    `json:"start,omitempty"` // the same in the system's own unit, exactly
	Boot    string    `json:"boot,omitempty"`  // the system's boot id
}

const (
	schema = 1

	// The bounds of texts, in bytes. Programs, reasons and the like may be long.
	maxText = 256
	maxLong = 1024
)

// ErrSchema says that an entry was written by a newer keywright.
var ErrSchema = errors.New("the entry was written by a newer version of keywright")

// clean returns the entry as it is recorded: texts bounded and valid, times in UTC.
func (e Entry) clean() Entry {
	for _, s := range []*string{&e.Installation, &e.User, &e.Host, &e.Verb, &e.Key, &e.Version, &e.Environment} {
		*s = bound(*s, maxText)
	}
	for _, s := range []*string{&e.Process, &e.Parent, &e.Reason, &e.Result, &e.Follows} {
		*s = bound(*s, maxLong)
	}
	e.Time = e.Time.Round(0).UTC()
	if e.Child != nil {
		e.Child = &Child{e.Child.PID, e.Child.Started.Round(0).UTC(), e.Child.Start, bound(e.Child.Boot, maxText)}
	}
	return e
}

// bound cuts a text to at most limit bytes, and shows where.
func bound(s string, limit int) string {
	const cut = "…"
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= limit {
		return s
	}
	end := limit - len(cut)
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + cut
}

// encode gives the body of an entry: JSON on one line, in which JSON's rules escape
// control characters. Equal entries have equal bodies.
func (e Entry) encode() ([]byte, error) {
	e = e.clean()
	if err := e.check(); err != nil {
		return nil, err
	}
	return json.Marshal(e)
}

func (e Entry) check() error {
	if e.Decision != "" && e.Decision != Granted && e.Decision != Refused {
		return fmt.Errorf("unknown decision %q", bound(string(e.Decision), maxText))
	}
	return nil
}

// decodeEntry reads a body. It takes what encode gives and nothing else: no unknown
// or double fields, no other spelling, nothing behind. The error matches ErrSchema
// if the entry may be right, but is newer than this program.
func decodeEntry(body []byte) (Entry, error) {
	var version struct {
		Schema int `json:"schema"`
	}
	if err := json.Unmarshal(body, &version); err != nil {
		return Entry{}, fmt.Errorf("decode entry: %w", err)
	}
	if version.Schema > schema {
		return Entry{}, ErrSchema
	}
	var e Entry
	if err := json.Unmarshal(body, &e); err != nil {
		return Entry{}, fmt.Errorf("decode entry: %w", err)
	}
	if same, err := e.encode(); err != nil || e.Schema != schema || e.Seq < 0 || !bytes.Equal(same, body) {
		return Entry{}, errors.New("decode entry: it is not as keywright writes them")
	}
	return e, nil
}
