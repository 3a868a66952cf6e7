package rules

// Boundaries for tokens whose alphabet RE2's \b does not know. They stand around
// the group named secret, and consume one byte.
const (
	// after ends a token of letters, digits, '_' and '-'.
	after = `(?:[^0-9A-Za-z_-]|$)`
	// afterBase64 ends a token of base64, padding included.
	afterBase64 = `(?:[^0-9A-Za-z+/=_-]|$)`
)

// Operators and quotes between a name and its value in code, configuration,
// .env files, JSON, YAML, XML attributes and shell.
const (
	assign = `["'` + "`" + `]?[ \t]{0,4}(?:=>|:=|==|=|:|,)[ \t]{0,4}(?:[brfu@]?["'` + "`" + `]|\\["'])?`
	quote  = `(?:["'` + "`" + `\\ \t\r\n,;<)}\]&#]|$)`
)

// labelled is an expression for a value without a shape of its own: a keyword
// (an RE2 alternation, matched without regard to case), at most 24 bytes of
// name, an operator, and the value, which must end there. The keyword begins a
// word or follows '_', '-' or '.', or a lower-case letter in camel case.
func labelled(keyword, value string) string {
	return `(?i:` + keyword + `)(?i:[0-9a-z_.-]{0,24})` + assign + `(?P<secret>` + value + `)` + quote
}
