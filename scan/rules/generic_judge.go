package rules

import (
	"bytes"
	"strings"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/proof"
)

// judgeAssignment decides whether an assignment holds a credential. Its match
// consists of the name, what stands between name and value, the value (the part
// named secret), and one byte after it.
func judgeAssignment(c scan.Candidate) scan.Evidence {
	if smallLetters(c.Secret()) { // most values: this must cost little
		return scan.Rejected
	}
	a := parseAssignment(c.Text, c.Secret())
	if !a.wellFormed() {
		return scan.Rejected
	}
	kind := nameKind(a.name)
	if kind == kindNone || notSecret(a.value) || a.namesItself() {
		return scan.Rejected
	}
	if name, ok := proof.PublishedExample(a.value); ok {
		return scan.Evidence{Cap: scan.Low, Reason: "a published example: " + name}
	}
	if reason := encrypted(a.value); reason != "" {
		return scan.Evidence{Cap: scan.Low, Reason: reason}
	}
	e := judgeQuoted(a.value, kind)
	if a.bare {
		e = judgeBare(a, kind)
	}
	if !e.Reject && isDocumented(a.value) {
		return scan.Evidence{Cap: scan.Low, Reason: "an example of a standard"}
	}
	return e
}

// smallLetters reports whether v is small letters and the punctuation of names,
// which no rule for keys or passwords accepts.
func smallLetters(v []byte) bool {
	for _, c := range v {
		if (c < 'a' || c > 'z') && strings.IndexByte("-_.:=/", c) < 0 {
			return false
		}
	}
	return true
}

// assignment is a match taken apart.
type assignment struct {
	name    []byte
	between []byte // from name to value
	value   []byte
	after   byte // 0 at the end of the object
	bare    bool // no quote before the value

	directive bool // what stands before the name lets a blank assign
}

// directives set a variable to what stands behind its name: of Dockerfiles, Apache
// and fish.
var directives = [...]string{"ENV ", "SetEnv ", "-gx "}

// parseAssignment takes the text of a match apart; value is a part of text.
func parseAssignment(text, value []byte) assignment {
	var a assignment
	at := bytes.LastIndex(text, value)
	if at < 0 {
		return a
	}
	start := 0
	if at > 0 && !nameByte(text[0]) {
		start = 1 // what stands before some names is part of the match
	}
	for _, d := range directives {
		if len(d) <= at && bytes.HasPrefix(text, []byte(d)) {
			start, a.directive = len(d), true
		}
	}
	n := start
	for n < at && nameByte(text[n]) {
		n++
	}
	a.name, a.between, a.value = text[start:n], text[n:at], value
	if end := at + len(value); end < len(text) {
		a.after = text[end]
	}
	a.bare = at == 0 || !isQuote(text[at-1])
	return a
}

func nameByte(c byte) bool {
	return c == '_' || c == '-' || c == '.' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

func isQuote(c byte) bool { return c == '"' || c == '\'' || c == '`' || c == '\\' }

// wellFormed reports whether what stands round the value can be an assignment:
// a comma only after a quoted name (a call with two arguments), quotes that
// match, no comparison of bare values.
func (a *assignment) wellFormed() bool {
	if len(a.value) == 0 || len(a.between) == 0 {
		return false
	}
	if a.bare {
		return a.bareOperator()
	}
	if !a.closes() {
		return false
	}
	operator := bytes.Trim(a.between, "\"'`\\ \t\r\n")
	if bytes.HasSuffix(operator, []byte(") or")) || bytes.HasSuffix(operator, []byte("] or")) {
		return true // a default
	}
	operator = bytes.TrimRight(operator, "bBrRuUfFL@$\"'`\\ \t")
	switch string(bytes.ReplaceAll(operator, []byte(" "), nil)) {
	case "=", ":", ":=", "=>", "]=", ")=", "]:", "::", "==", "===", ">", "[]=", "<-":
		return true
	case "||", ")||", "]||", "??", ")??", "]??": // a default
		return true
	case "(", "{get;set;}=", "{get;}=", "{get;init;}=", "{get;privateset;}=":
		return true
	case "":
		return !isQuote(a.between[0]) && (bytes.HasPrefix(a.name, []byte("-")) || capitals(a.name))
	case ",", "],":
		return isQuote(a.between[0])
	}
	return namesValue(operator) || typed(operator) || wrapped(operator)
}

// capitals reports whether a name is written in capitals, as macros are.
func capitals(name []byte) bool { return bytes.Equal(name, bytes.ToUpper(name)) }

// bareOperator reports whether the operator before a value without quotes can
// be that of configuration, a query or a command line.
func (a *assignment) bareOperator() bool {
	operator := string(bytes.Trim(a.between, "\"'`\\ \t\r\n"))
	tight := string(a.between) == "="
	switch a.after {
	case '"', '\'', ',': // in a string: a header, or what is tight
		return tight || operator == ":" && len(a.value) >= minKey && tokenAlphabet(a.value)
	case ';', '&', '\\':
		return tight // in a string: a query, a connection string
	case '}':
		return tight || string(a.between) == ":" || string(a.between) == ":-" || string(a.between) == ":=" // a default: ${NAME:-value}
	case '<':
		return operator == ">" || strings.HasSuffix(operator, "<string>")
	}
	switch operator {
	case "=", ":", ":=", "::", "?=":
		return true
	case ": |", ": >", ": |-", ": >-", ": |+", ": >+": // a block of YAML
		return true
	case "":
		return a.directive || bytes.HasPrefix(a.name, []byte("--"))
	}
	return namesValue([]byte(operator))
}

// inText reports whether a colon and a blank stand before a value that a quote or a
// comma ends: a header in a string, and many things that are no assignment.
func (a *assignment) inText() bool {
	return bytes.IndexByte([]byte("\"',"), a.after) >= 0 && bytes.IndexByte(a.between, ':') >= 0
}

// namesItself reports whether the value says again what it is called, as constants do
// that hold the names of fields.
func (a *assignment) namesItself() bool {
	plain := func(b []byte) []byte {
		return bytes.Map(func(r rune) rune {
			if r == '_' || r == '-' || r == '.' {
				return -1
			}
			return r
		}, bytes.ToLower(b))
	}
	name, value := plain(a.name), plain(a.value)
	return bytes.HasSuffix(name, value) || bytes.HasSuffix(value, name) && snakeCase(a.value)
}

// snakeCase reports whether v is small letters and digits, joined by underscores.
func snakeCase(v []byte) bool {
	for _, c := range v {
		if c != '_' && !digitByte(c) && (c < 'a' || c > 'z') {
			return false
		}
	}
	return bytes.IndexByte(v, '_') > 0
}

// namesValue reports whether operator leads from the name of a pair to its
// value: name: X, value: Y.
func namesValue(operator []byte) bool {
	for _, word := range [...]string{"value", "default"} {
		if i := bytes.Index(bytes.ToLower(operator), []byte(word)); i >= 0 {
			return true
		}
	}
	return false
}

// typed reports whether operator is an equals sign behind the name of a type of
// texts: Go, Rust, TypeScript, Swift, Kotlin, C.
func typed(operator []byte) bool {
	name, ok := bytes.CutSuffix(operator, []byte("="))
	if !ok {
		return false
	}
	name = bytes.TrimRight(bytes.ToLower(bytes.Trim(name, ": \t&*?[]")), "[]?*<> ")
	for _, t := range [...]string{"string", "str", "byte", "char", "text", "static str", "optional[str", "cstring", "std.string"} {
		if bytes.HasSuffix(bytes.TrimLeft(name, "'"), []byte(t)) {
			return true
		}
	}
	return false
}

// wrapped reports whether operator ends in a call that makes bytes or texts of
// its argument as it is.
func wrapped(operator []byte) bool {
	i := bytes.LastIndexByte(operator, '=')
	if i < 0 {
		i = bytes.IndexByte(operator, ':')
	}
	if i < 0 {
		return false
	}
	call := string(bytes.ToLower(bytes.TrimLeft(operator[i:], "=: \t")))
	switch call {
	case "[]byte(", "buffer.from(", "bytes(", "string(", "str(", "text(", "string.from(", "string::from(", "std.string(", "std::string(", "field(", "some(", "secretstr(", "secretstr.of(",
		"secret(", "aws.string(", "pointer.string(", "ptr(", "ptr.to(", "encode(", "b64decode(", "base64.b64decode(", "atob(":
		return true
	}
	return false
}

// closes reports whether the byte after the value is the quote that opened it,
// and the first one: an escaped quote ends with a backslash.
func (a *assignment) closes() bool {
	b := a.between
	open := b[len(b)-1]
	if open == '\\' {
		return false
	}
	escaped := len(b) > 1 && b[len(b)-2] == '\\'
	if escaped {
		return a.after == '\\'
	}
	return a.after == open
}

// minKey is the length, in bytes, from which a value can pass as random.
const minKey = 16

// judgeQuoted judges a value in quotes.
func judgeQuoted(v []byte, kind nameClass) scan.Evidence {
	switch {
	case kind == kindPassword && proof.Hash(v) != "":
		return scan.Evidence{Cap: scan.Low, Reason: "has the form of a digest"}
	case randomKey(v, kind):
		return scan.Evidence{}
	case kind == kindPassword:
		return judgePassword(v, 6)
	case kind == kindSecret:
		return judgeChosenSecret(v)
	}
	return scan.Rejected
}

// judgeBare judges a value without quotes: in code that is an expression, so
// only what no expression looks like passes.
func judgeBare(a assignment, kind nameClass) scan.Evidence {
	v := a.value
	switch {
	case expressionLike(v):
		return scan.Rejected
	case kind == kindPassword && proof.Hash(v) != "":
		return scan.Evidence{Cap: scan.Low, Reason: "has the form of a digest"}
	case randomKey(v, kind):
		return scan.Evidence{}
	case kind == kindPassword && bytes.Equal(a.name, []byte("PASS")) && a.between[0] == ':':
		return scan.Rejected // a test's result
	case kind == kindPassword && a.inText():
		return scan.Rejected // a field of an object or a sentence
	case kind == kindPassword:
		return judgePassword(v, 8)
	case kind == kindSecret:
		return judgeChosenSecret(v)
	}
	return scan.Rejected
}

// judgeChosenSecret judges what a person wrote where a random secret belongs.
func judgeChosenSecret(v []byte) scan.Evidence {
	if _, digits := byteClasses(v); len(v) < 12 || digits == 0 && !symbols(v) {
		return scan.Rejected
	}
	return judgePassword(v, 12)
}

// judgePassword judges a value that a person may have chosen, of at least min
// bytes. What a dictionary holds, with a number, is reported as weak.
func judgePassword(v []byte, min int) scan.Evidence {
	classes, digits := byteClasses(v)
	switch {
	case len(v) < min || len(v) > 64 || classes < 2:
		return scan.Rejected
	case proof.Placeholder(plainLetters(v)), famous.Has(string(plainLetters(v))):
		return scan.Evidence{Cap: scan.Low, Reason: "a well-known password"}
	case digits == 0 && !symbols(v):
		return scan.Rejected
	case proof.LooksLikePassword(v):
		return scan.Evidence{}
	case proof.LooksLikeIdentifier(v):
		if digits == 0 {
			return scan.Rejected
		}
		return scan.Evidence{Cap: scan.Low, Reason: "a word and a number"}
	case len(v) >= 8 && proof.LooksRandom(v) >= 0.35:
		return scan.Evidence{}
	}
	return scan.Evidence{Cap: scan.Low, Reason: "short and of few kinds of characters"}
}

// famous are passwords that everybody knows, without digits and symbols.
var famous = proof.WordSet{List: `hunter troubador swordfish correcthorsebatterystaple opensesame`}

// randomKey reports whether v looks drawn at random from a token's alphabet.
func randomKey(v []byte, kind nameClass) bool {
	if len(v) < minKey || len(v) > 160 || !tokenAlphabet(v) {
		return false
	}
	classes, digits := byteClasses(v)
	switch {
	case digits == 0 && (classes < 2 || len(v) < 24):
		return false
	case proof.Entropy(v) < 3:
		return false
	}
	want := 0.5
	if kind == kindWeakKey {
		want = 0.6
	}
	return proof.LooksRandom(v) >= want
}

// tokenAlphabet reports whether all bytes are of the alphabets that tokens are
// written in: base 64 in both forms, dots, colons and tildes between parts.
func tokenAlphabet(v []byte) bool {
	for _, c := range v {
		if !nameByte(c) && strings.IndexByte("+/=~:", c) < 0 {
			return false
		}
	}
	return true
}

// byteClasses counts the kinds of bytes in v (lower, upper, digit, other), and
// its digits.
func byteClasses(v []byte) (classes, digits int) {
	var seen [4]int
	for _, c := range v {
		switch {
		case digitByte(c):
			seen[2]++
		case upperByte(c):
			seen[1]++
		case letterByte(c):
			seen[0]++
		default:
			seen[3]++
		}
	}
	for _, n := range seen {
		if n > 0 {
			classes++
		}
	}
	return classes, seen[2]
}

// symbols reports whether v holds a visible byte that names and paths do not.
func symbols(v []byte) bool { return bytes.ContainsAny(v, "!#$%^&*+=?@~") }

// plainLetters undoes the usual replacements of letters by digits and symbols,
// and drops what stands behind a word to satisfy a policy.
func plainLetters(v []byte) []byte {
	out := bytes.TrimRight(bytes.ToLower(v), "!@#$%&*?.+=-_^~0123456789")
	for i, c := range out {
		if at := strings.IndexByte("@430157$!", c); at >= 0 {
			out[i] = "aaeoistsi"[at]
		}
	}
	return out
}
