package rules

// Boundaries for tokens whose alphabet RE2's \b does not know. They stand around
// the group named secret, and consume one byte.
const (
	// begin stands before a token that begins with a letter or digit: a word's
	// boundary, or what a text escaped for JSON, for an address or for a terminal
	// has there in place of a blank, a quote or a line's end.
	begin = `(?:\b|\\[nrt]|%[0-9A-Fa-f]{2}|\\u00[0-9a-f]{2}|\[[0-9;]{1,5}m)`
	// after ends a token of letters, digits, '_' and '-'.
	after = `(?:[^0-9A-Za-z_-]|$)`
	// afterBase64 ends a token of base64, padding included.
	afterBase64 = `(?:[^0-9A-Za-z+/=_-]|$)`
)

// lead is one of the bytes that stand before a token, and consumes it: for tokens
// whose first letters stand inside of many words. It is written in classes of four
// bytes so that the engine takes it for a part of the token's literal.
const lead = `(?:["'= ]{1}|[:>(,]{1}|[\n\t/|]{1}|[;\[\\` + "`" + `]{1}|[<{*@]{1})`

// tightLead is lead without a lone blank, behind which too many words begin like
// some tokens.
const tightLead = "(?:[\"'=`]{1}|[:,\\n|]{1}|[:=][ ]|(?:earer|oken|_KEY|-key) )"

// quote ends a value.
const quote = `(?:["'` + "`" + `\\ \t\r\n,;<)}\]&#|*]|$)`
