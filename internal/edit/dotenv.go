package edit

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/keywright/keywright/secret"
)

// Dotenv reads a .env file: lines NAME=value, with "export" before them or not, and
// comments. A value is bare up to the end of the line or a comment (" #"), or stands in
// single quotes as it is, or in double quotes with \n, \r, \t, \", \\ and \$; quoted
// values may have several lines. Loaders differ in what they make of variables in values
// that are not in single quotes, so that such lines are not taken. Of two lines for one
// name the second is not taken.
func Dotenv(data []byte) (variables []Variable, problems []Problem) {
	rest := bytes.TrimPrefix(data, []byte(byteOrderMark))
	d := dotenv{rest: rest, at: len(data) - len(rest), line: 1, seen: map[string]int{}}
	for len(d.rest) > 0 {
		v, why := d.next()
		switch {
		case why != "":
			problems = append(problems, Problem{v.Line, v.Name, why})
		case v.Name != "":
			d.seen[v.Name] = v.Line
			variables = append(variables, v)
		}
	}
	return variables, problems
}

// dotenv is a file that is being read.
type dotenv struct {
	rest []byte
	at   int // where in the file the rest begins
	line int
	seen map[string]int
}

// next reads a line, or more if a value has more. Without a name there is nothing on it,
// or why says what is wrong.
func (d *dotenv) next() (v Variable, why string) {
	v.Line = d.line
	text := bytes.TrimLeft(firstLine(d.rest), " \t\r")
	if len(text) == 0 || text[0] == '#' {
		d.skip(len(firstLine(d.rest)))
		return v, ""
	}
	at := len(firstLine(d.rest)) - len(text) // where the assignment begins
	if word, ok := bytes.CutPrefix(text, []byte("export")); ok && len(word) > 0 && (word[0] == ' ' || word[0] == '\t') {
		trimmed := bytes.TrimLeft(word, " \t")
		at += len(text) - len(trimmed)
		text = trimmed
	}
	name, _, ok := bytes.Cut(text, []byte("="))
	if !ok {
		d.skip(len(firstLine(d.rest)))
		return v, "no assignment NAME=value"
	}
	bare := strings.TrimRight(string(name), " \t")
	if !isName(bare) {
		d.skip(len(firstLine(d.rest)))
		return v, "what stands before '=' is not the name of a variable"
	}
	v.Name = bare
	at += len(name) + 1
	for at < len(d.rest) && (d.rest[at] == ' ' || d.rest[at] == '\t') {
		at++
	}
	value, inner, n, why := readValue(d.rest[at:])
	defer clear(value)
	v.place = place{start: d.at + at + inner.start, end: d.at + at + inner.end, bare: inner.bare, quote: inner.quote}
	d.skip(at + n)
	first, again := d.seen[bare]
	switch {
	case why != "":
		return v, why
	case again:
		return v, fmt.Sprintf("line %d sets it already", first)
	case bytes.IndexByte(value, 0) >= 0:
		return v, "its value holds a NUL, which no variable can"
	}
	v.Value = secret.New(value)
	return v, ""
}

// skip moves behind n bytes and the rest of their line.
func (d *dotenv) skip(n int) {
	n += len(firstLine(d.rest[n:]))
	if n < len(d.rest) {
		n++ // the line break
	}
	d.line += bytes.Count(d.rest[:n], []byte("\n"))
	d.rest, d.at = d.rest[n:], d.at+n
}

// firstLine is what stands before the first line break; it may end with a carriage return.
func firstLine(b []byte) []byte {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		b = b[:i]
	}
	return b
}

// isName reports whether a name is one that shells take.
func isName(s string) bool {
	for i, c := range []byte(s) {
		if !(c == '_' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || i > 0 && '0' <= c && c <= '9') {
			return false
		}
	}
	return s != ""
}

// readValue reads a value, and says where it stands and how many bytes it takes, quotes
// included.
func readValue(b []byte) (value []byte, inner place, n int, why string) {
	if len(b) == 0 {
		return nil, place{bare: true}, 0, ""
	}
	switch quote := b[0]; quote {
	case '\'', '"':
		value, n, why = readQuoted(b, quote)
		if why != "" {
			return value, inner, n, why
		}
		after := bytes.TrimSpace(firstLine(b[n:]))
		if len(after) > 0 && after[0] != '#' {
			return value, inner, n, "something follows the closing quote"
		}
		return value, place{start: 1, end: n - 1, quote: quote}, n, ""
	}
	line := firstLine(b)
	text := line
	for i := range text {
		if text[i] == '#' && (i == 0 || text[i-1] == ' ' || text[i-1] == '\t') {
			text = text[:i]
			break
		}
	}
	text = bytes.TrimRight(text, " \t\r")
	if why := expands(text); why != "" {
		return nil, inner, len(line), why
	}
	return bytes.Clone(text), place{end: len(text), bare: true}, len(line), ""
}

func readQuoted(b []byte, quote byte) (value []byte, n int, why string) {
	const noEnd = "its closing quote is missing"
	if quote == '\'' {
		end := bytes.IndexByte(b[1:], quote)
		if end < 0 {
			return nil, len(firstLine(b)), noEnd
		}
		return withoutCR(b[1 : 1+end]), end + 2, ""
	}
	expanded := ""
	for i := 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return value, i + 1, expanded
		case c == '\\' && i+1 < len(b):
			i++
			switch b[i] {
			case 'n':
				value = append(value, '\n')
			case 'r':
				value = append(value, '\r')
			case 't':
				value = append(value, '\t')
			case '"', '\\', '$':
				value = append(value, b[i])
			default:
				value = append(value, '\\', b[i])
			}
		case c == '\r' && i+1 < len(b) && b[i+1] == '\n': // the line break of another system
		default:
			if c == '$' && expanded == "" {
				expanded = expands(b[i:min(i+3, len(b))])
			}
			value = append(value, c)
		}
	}
	return value, len(firstLine(b)), noEnd
}

// withoutCR is a copy in which line breaks have no carriage return.
func withoutCR(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")) }

// expands says what loaders may take a text for; nothing if it stands for itself.
func expands(text []byte) (why string) {
	const otherwise = "; in single quotes it would stand for itself"
	for i := range len(text) - 1 {
		switch next := text[i+1]; {
		case text[i] != '$' || i > 0 && text[i-1] == '\\':
		case next == '(':
			return "its value runs a command" + otherwise
		case next == '{' || isName(string(next)):
			return "its value refers to another variable" + otherwise
		}
	}
	return ""
}
