package keystore

import (
	"fmt"
	"strconv"
	"strings"
)

// Name is what a key is called: ENV/NAME.
type Name struct {
	Env string `json:"env"`
	Key string `json:"key"`
}

func (n Name) String() string { return n.Env + "/" + n.Key }

// A Ref is a part of a key, or a whole key: ENV/NAME#part, ENV/NAME.
type Ref struct {
	Name
	Part string // empty for all parts
}

func (r Ref) String() string {
	if r.Part == "" {
		return r.Name.String()
	}
	return r.Name.String() + "#" + r.Part
}

// The bounds of names, in bytes.
const (
	maxEnv  = 32
	maxKey  = 64
	maxPart = 32
)

// NameError says what is wrong with a name.
type NameError struct {
	Name string // as it was given; printed quoted and cut
	What string // "environment", "key", "part", "name"
	Why  string
}

func (e *NameError) Error() string {
	const most = 80
	shown := e.Name
	if len(shown) > most {
		shown = shown[:most] + "…"
	}
	return fmt.Sprintf("%s %q: %s", e.What, shown, e.Why)
}

// ParseName reads ENV/NAME.
func ParseName(s string) (Name, error) {
	r, err := ParseRef(s)
	if err == nil && r.Part != "" {
		err = &NameError{s, "name", "a whole key is meant here, without a part"}
	}
	return r.Name, err
}

// ParseRef reads ENV/NAME, ENV/NAME#part, and either behind keywright://.
func ParseRef(s string) (Ref, error) {
	rest := strings.TrimPrefix(s, Scheme)
	rest, part, hasPart := strings.Cut(rest, "#")
	env, key, ok := strings.Cut(rest, "/")
	if !ok {
		return Ref{}, &NameError{s, "name", "want ENV/NAME"}
	}
	if err := ValidEnv(env); err != nil {
		return Ref{}, err
	}
	if why := wrong(key, maxKey, isKeyByte); why != "" {
		return Ref{}, &NameError{key, "key", why}
	}
	if hasPart {
		if err := ValidPart(part); err != nil {
			return Ref{}, err
		}
	}
	return Ref{Name{env, key}, part}, nil
}

// ValidEnv reports what is wrong with the name of an environment.
func ValidEnv(env string) error {
	if why := wrong(env, maxEnv, isLowByte); why != "" {
		return &NameError{env, "environment", why}
	}
	return nil
}

// ValidPart reports what is wrong with the name of a part.
func ValidPart(part string) error {
	if why := wrong(part, maxPart, isLowByte); why != "" {
		return &NameError{part, "part", why}
	}
	return nil
}

// Names are ASCII, so that two that look alike are the same, and safe in a shell, a
// file name and a variable's.
func isLowByte(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.'
}

func isKeyByte(c byte) bool { return isLowByte(c) || 'A' <= c && c <= 'Z' }

func wrong(s string, most int, ok func(byte) bool) string {
	switch {
	case s == "":
		return "it is empty"
	case len(s) > most:
		return fmt.Sprintf("it has %d bytes, more than %d", len(s), most)
	case s[0] == '-' || s[0] == '.':
		return "it begins with a hyphen or a dot"
	}
	for i, r := range s {
		if r >= 0x80 || !ok(s[i]) {
			shown := strconv.QuoteRune(r)
			if r >= 0x80 { // it may look like a letter that is
				shown += fmt.Sprintf(" (%U)", r)
			}
			return fmt.Sprintf("%s is not allowed: want letters of ASCII, digits, '-', '_' and '.'%s", shown, lowOnly(ok))
		}
	}
	return ""
}

func lowOnly(ok func(byte) bool) string {
	if ok('A') {
		return ""
	}
	return ", in lower case"
}
