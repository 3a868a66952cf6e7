package rules

// Boundaries for tokens whose alphabet RE2's \b does not know. They stand around
// the group named secret, and consume one byte.
const (
	// after ends a token of letters, digits, '_' and '-'.
	after = `(?:[^0-9A-Za-z_-]|$)`
	// afterBase64 ends a token of base64, padding included.
	afterBase64 = `(?:[^0-9A-Za-z+/=_-]|$)`
)

// lead is one of the bytes that stand before a token, and consumes it: for tokens
// whose first letters stand inside of many words. It is written in classes of four
// bytes so that the engine takes it for a part of the token's literal.
const lead = `(?:["'= ]{1}|[:>(,]{1}|[\n\t/|]{1}|[;\[\\` + "`" + `]{1})`

// tightLead is lead without a lone blank, behind which too many words begin like
// some tokens.
const tightLead = "(?:[\"'=`]{1}|[:,\\n]{1}|[:=][ ]|earer )"

// Operators and quotes between a name and its value in code, configuration,
// .env files, JSON, YAML, XML attributes and shell.
const (
	assign = `["'` + "`" + `]?[ \t]{0,4}(?:=>|:=|==|=|:|,)[ \t]{0,4}(?:[brfu@]?["'` + "`" + `]|\\["'])?`
	quote  = `(?:["'` + "`" + `\\ \t\r\n,;<)}\]&#]|$)`
)
