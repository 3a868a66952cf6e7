package edit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/keywright/keywright/secret"
)

// The reasons why a value of a file cannot be had, or be replaced.
var (
	ErrAbsent   = errors.New("it is not there")
	ErrNotTaken = errors.New("it cannot be taken")
	ErrNoRoom   = errors.New("the format cannot hold its new value")
)

// Find returns the variable of a name. The error matches ErrAbsent if the file has none,
// and ErrNotTaken if it was not understood, or is there twice: then nobody knows what
// programs make of it.
func (f *File) Find(name string) (Variable, error) {
	for _, p := range f.Problems {
		if p.Name == name {
			return Variable{}, fmt.Errorf("line %d: %w: %s", p.Line, ErrNotTaken, p.Why)
		}
	}
	i := slices.IndexFunc(f.Variables, func(v Variable) bool { return v.Name == name })
	if i < 0 {
		return Variable{}, ErrAbsent
	}
	return f.Variables[i], nil
}

// Put is the content of the file with other values in place of those of some variables,
// written as those before were if the value lets them be, and every other byte as it was.
// That what comes out is read as it should be is checked: the error matches ErrMeaning if
// not, and ErrNoRoom if the format has no way to write a value. What is returned holds
// the secrets: whoever asked for it clears it.
func (f *File) Put(values map[string]secret.Value) ([]byte, error) {
	old := f.data.Reveal()
	size := len(old)
	for _, v := range values {
		size += 6*v.Len() + 2 // the longest that a format makes of it
	}
	out := make([]byte, 0, size)
	at := 0
	for _, v := range f.Variables {
		value, ok := values[v.Name]
		if !ok {
			continue
		}
		token, err := f.token(v, value.Reveal())
		if err != nil {
			clear(out)
			return nil, fmt.Errorf("%s: %w", v.Name, err)
		}
		start, end := v.place.whole()
		out = append(append(out, old[at:start]...), token...)
		clear(token)
		if f.format == FormatYAML {
			out = append(out, v.place.right...) // the comment beside a block's beginning
		}
		at = end
	}
	out = append(out, old[at:]...)
	if err := f.check(out, values); err != nil {
		clear(out)
		return nil, err
	}
	return out, nil
}

// token is a value as it is written in the place of a variable, quotes included.
func (f *File) token(v Variable, value []byte) ([]byte, error) {
	if bytes.IndexByte(value, 0) >= 0 {
		return nil, fmt.Errorf("%w: it has a NUL", ErrNoRoom)
	}
	if f.format == FormatDotenv {
		return dotenvToken(value, v.place.quote), nil
	}
	if !utf8.Valid(value) {
		return nil, fmt.Errorf("%w: it is not UTF-8", ErrNoRoom)
	}
	number := v.place.quote == 0 && integer.Match(value) && integer.Match(v.Value.Reveal())
	switch {
	case number:
		return bytes.Clone(value), nil
	case f.format == FormatYAML:
		return yamlToken(value, f.data.Reveal()[v.place.start:v.place.end], v.place.quote), nil
	}
	return jsonToken(value)
}

// integer is what JSON and YAML take for a number without quotes, and no program rounds.
var integer = regexp.MustCompile(`^(0|[1-9][0-9]{0,14})$`)

// dotenvToken writes a value for a .env file. Loaders differ in what they make of
// backslashes, and shells of much else, so that a value gets the quotes that most of them
// agree on: none or those that were there for what needs none, and else single ones,
// where it has no single quote, no line break, and no backslash that would escape one.
func dotenvToken(value []byte, quote byte) []byte {
	switch {
	case bareValue.Match(value):
		if quote == 0 {
			return bytes.Clone(value)
		}
		return quoted(value, quote)
	case !bytes.ContainsAny(value, "'\r\n") && !bytes.Contains(value, []byte(`\\`)) && !bytes.HasSuffix(value, []byte(`\`)):
		if quote == '"' && !bytes.ContainsAny(value, "\"\\$`") {
			return quoted(value, '"')
		}
		return quoted(value, '\'')
	}
	return quoted(escaped(value, func(r rune) string {
		switch r {
		case '\\', '"', '$':
			return `\` + string(r)
		case '\n':
			return `\n`
		case '\r':
			return `\r`
		}
		return ""
	}), '"')
}

var bareValue = regexp.MustCompile(`^[A-Za-z0-9_./:+=@%,-]+$`)

// jsonToken writes a text of JSON.
func jsonToken(value []byte) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(6*len(value) + 3)
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(string(value)); err != nil {
		return nil, errors.New("encode it")
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// yamlToken writes a text of YAML, in the way of the one before: plain, in single quotes,
// and otherwise in double quotes.
func yamlToken(value, before []byte, quote byte) []byte {
	block := quote == 0 && len(before) > 0 && (before[0] == '|' || before[0] == '>')
	printable := !bytes.ContainsFunc(value, func(r rune) bool { return !unicode.IsPrint(r) })
	switch {
	case quote == 0 && !block && plainValue.Match(value) && !slices.Contains(yamlWords, strings.ToLower(string(value))):
		return bytes.Clone(value)
	case quote == '\'' && printable:
		return quoted(bytes.ReplaceAll(value, []byte("'"), []byte("''")), '\'')
	}
	return quoted(escaped(value, func(r rune) string {
		switch {
		case r == '\\' || r == '"':
			return `\` + string(r)
		case r == '\n':
			return `\n`
		case unicode.IsPrint(r):
			return ""
		case r > 0xffff:
			return fmt.Sprintf(`\U%08x`, r)
		}
		return fmt.Sprintf(`\u%04x`, r)
	}), '"')
}

// What YAML, of whatever version, takes for a text without quotes: it begins with a
// letter, and is none of the words that mean something else.
var (
	plainValue = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_./+=-]*$`)
	yamlWords  = []string{"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
)

func quoted(value []byte, quote byte) []byte {
	return append(append([]byte{quote}, value...), quote)
}

// escaped is a value in which escape says what to write for a character; nothing for
// itself. Bytes that are no character stay.
func escaped(value []byte, escape func(rune) string) []byte {
	out := make([]byte, 0, 2*len(value))
	for len(value) > 0 {
		r, size := utf8.DecodeRune(value)
		if e := escape(r); e != "" && !(r == utf8.RuneError && size == 1) {
			out = append(out, e...)
		} else {
			out = append(out, value[:size]...)
		}
		value = value[size:]
	}
	return out
}
