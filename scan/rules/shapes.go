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
