package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/keywright/keywright/internal/durable"
)

// Ignore holds the accepted findings of a .keywrightignore: a fingerprint and the
// reason for accepting it on each line. Lines that begin with # are comments, as
// are empty ones. A # may stand before the reason. The zero value accepts nothing.
// It is safe for concurrent use.
type Ignore struct{ reasons map[string]string }

// Reason returns why the finding with this fingerprint is accepted, if it is.
func (i *Ignore) Reason(fingerprint string) (reason string, accepted bool) {
	if i == nil {
		return "", false
	}
	reason, accepted = i.reasons[fingerprint]
	return reason, accepted
}

// Len is the number of accepted findings.
func (i *Ignore) Len() int {
	if i == nil {
		return 0
	}
	return len(i.reasons)
}

// LoadIgnore reads the file with this path. A file that does not exist is empty.
func LoadIgnore(path string) (*Ignore, error) {
	data, err := durable.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &Ignore{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the accepted findings: %w", err)
	}
	return ParseIgnore(path, data)
}

// fingerprintForm is what scan/fingerprint makes; the number is the version.
var fingerprintForm = regexp.MustCompile(`^k([0-9]+):([0-9a-f]{32})$`)

// maxIgnoreErrors is how many wrong lines are named at once.
const maxIgnoreErrors = 10

// ParseIgnore reads the content of a file; name is for errors. It names up to ten
// wrong lines in one error, which holds an *Error for each. A fingerprint that
// comes twice keeps its first reason.
func ParseIgnore(name string, data []byte) (*Ignore, error) {
	out := &Ignore{reasons: map[string]string{}}
	var wrong []error
	number := 0
	for line := range bytes.Lines(bytes.TrimPrefix(data, []byte("\ufeff"))) {
		number++
		fingerprint, reason, problem := ignoreLine(string(bytes.TrimSpace(line)))
		if problem != nil {
			problem.File, problem.Line = name, number
			if wrong = append(wrong, problem); len(wrong) == maxIgnoreErrors {
				break
			}
			continue
		}
		if _, twice := out.reasons[fingerprint]; fingerprint != "" && !twice {
			out.reasons[fingerprint] = reason
		}
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, err
	}
	return out, nil
}

// ignoreLine reads one line without its ending. Comments have no fingerprint.
func ignoreLine(line string) (fingerprint, reason string, problem *Error) {
	if line == "" || line[0] == '#' {
		return "", "", nil
	}
	if !utf8.ValidString(line) {
		return "", "", &Error{Problem: "not UTF-8"}
	}
	fingerprint, reason = line, ""
	if i := strings.IndexAny(line, " \t"); i >= 0 {
		fingerprint, reason = line[:i], strings.TrimSpace(strings.TrimLeft(line[i:], " \t#"))
	}
	form := fingerprintForm.FindStringSubmatch(fingerprint)
	switch {
	case form == nil:
		return "", "", &Error{
			Problem: "this is not a fingerprint", // it may be a secret: do not repeat it
			Advice:  "copy it from a report: k1: and 32 hexadecimal digits, then the reason",
		}
	case form[1] != "1":
		return "", "", &Error{Problem: "a fingerprint of an unknown version", Advice: "update keywright"}
	case reason == "":
		return "", "", &Error{
			Problem: "no reason after the fingerprint",
			Advice:  "say on the same line why the finding is accepted",
		}
	}
	return fingerprint, reason, nil
}
