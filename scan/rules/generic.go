package rules

import (
	"strings"

	"github.com/keywright/keywright/scan"
)

// The generic rules find assignments whose name says that the value is
// confidential. They share one judge (generic_judge.go) and differ in the keyword
// and in how the assignment is written.
//
// Names like these stand on every page, so each expression begins at a fixed
// distance from its literal, and the classes that follow are disjoint from their
// neighbours: the engine's check before the expression goes through to the value,
// and the expression itself runs in one pass. What stands before a keyword is
// therefore part of the keyword or not looked at.
const (
	genericTail = `[0-9A-Za-z_.-]{0,24}`

	// Bytes of values: visible ASCII without quotes and backslashes, and without
	// what ends an expression in code or begins a template.
	genericQuotedByte = `[!#-&(-\[\]-_a-~]`
	genericBareByte   = `[!#%*+\-./0-9:=?@A-Z^_a-z~$]`
	genericBareFirst  = `[0-9A-Za-z+/_@^~!#]`
	genericBareEnd    = `(?:[ \t\r\n&"';,}\\]|$)`
)

// A genericName is a set of names; its expression begins with them.
type genericName struct {
	id, expr string
	kind     nameClass
	sample   string // a name of the set
	forms    string // the forms that it is looked for in
}

// genericNames are written so that one stretch of text, not one of several
// alternatives, is the literal: only then the engine derives the whole check.
func genericNames() []genericName {
	const keyHeads = `api|access|private|encrypt|encryption|crypt|crypto|sign|signing|auth|master|account|storage|shared|session|service|admin|app|application|license|hmac|jwt|cipher|consumer|deploy|root`
	const tokenHeads = `access|auth|api|refresh|bearer|bot|id|session|service|identity|security|lication|tication|rization|gration|client|agent|user|deployment|my|ci|gh|tg|hf|db|app|web|jwt|oauth`
	return []genericName{
		{"password", `(?i:pass(?:w|ph)(?:ord|d|rase|ort))`, kindPassword, "password", "qbpxmy"},
		{"password-short", `(?:\b[Pp]|\BP)(?i:ass)`, kindPassword, "smtpPass", "QBPX"},
		{"password-pwd", `(?:[_.;]{1}|["']{1})(?i:p(?:as|w)[sd])`, kindPassword, "my_pwd", "qbp"},
		{"secret", `(?i:(?:secre|credentia)[tl])`, kindSecret, "client_secret", "qbpxsmy"},
		{"key", `(?i:(?:` + keyHeads + `)[_.-]{0,1}key)`, kindKey, "service_api_key", "qbpxsmy"},
		{"token", `[ \t"'.:,;(\[{<>@$&?/|=!` + "`" + `](?i:token)`, kindWeakKey, ".token", "qb"},
		{"token-line", `(?m:^)(?i:token)`, kindWeakKey, "\ntoken", "qb"},
		{"access-token", `(?i:(?:` + tokenHeads + `)[_.-]{0,1}token)`, kindWeakKey, "access_token", "qbpx"},
		{"named-token", notAfter(harmlessTokens) + `[_-](?i:token)`, kindWeakKey, "VENDOR_TOKEN", "qbpxs"},
		{"camel-token", notAfter(harmlessTokens) + `Token`, kindWeakKey, "vendorToken", "qbx"},
		{"flag", `--(?:password|passphrase|token|secret|api-key|apikey|api-token|access-token|auth-token|access-key|secret-key|client-secret|private-key|bearer-token)`, kindSecret, "--token", "qbf"},
		{"directive", `(?:ENV|SetEnv|-gx) [0-9A-Z_]{3,40}`, kindSecret, "ENV CLIENT_SECRET", "f"},
	}
}

// harmlessTokens are the last three letters of what makes a token harmless when
// it stands before it: csrf, page, next, sync, continuation, cursor, skip, stop,
// eos, bos, pad, unk, mask, sep, cls, design, device, push, fcm, authenticity,
// query, previous, current, last, first, peek, lex, lexer, parser, state; and key, as
// in the PublicKeyToken of .NET.
var harmlessTokens = []string{
	"age", "ask", "ast", "ate", "bos", "cls", "eek", "ent", "eos", "ery", "ext", "fcm", "ice", "ign", "ion", "ity", "key", "kip", "lex",
	"ous", "pad", "rst", "sep", "ser", "sor", "srf", "top", "unk", "ush", "xer", "ync",
}

// notAfter is an expression for three bytes of a name that are none of the
// endings, in either case: RE2 cannot look behind.
func notAfter(endings []string) string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz"
	class := func(without string) string {
		var b strings.Builder
		b.WriteString(`[0-9_.-`)
		for _, c := range alphabet {
			if !strings.ContainsRune(without, c) {
				b.WriteRune(c)
				b.WriteRune(c - 'a' + 'A')
			}
		}
		return strings.ReplaceAll(b.String(), ".-", `.\-`) + `]`
	}
	heads := map[string]string{} // of one or two letters, to the letters that must not follow
	var firsts, pairs string
	for _, e := range endings {
		if !strings.Contains(firsts, e[:1]) {
			firsts += e[:1]
		}
		if !strings.Contains(heads[e[:1]], e[1:2]) {
			heads[e[:1]] += e[1:2]
			pairs += e[:2] + " "
		}
		heads[e[:2]] += e[2:]
	}
	any := class("")
	alternatives := []string{class(firsts) + any + any}
	for _, f := range firsts {
		alternatives = append(alternatives, `(?i:`+string(f)+`)`+class(heads[string(f)])+any)
	}
	for _, p := range strings.Fields(pairs) {
		alternatives = append(alternatives, `(?i:`+p+`)`+class(heads[p]))
	}
	return `(?:` + strings.Join(alternatives, "|") + `)`
}

// A genericForm is a way to write an assignment; its rules differ in the least
// length, in bytes, of passwords and of keys. The expression's parts stand between
// name and value, at the value's first byte, for its other bytes, and behind it.
type genericForm struct {
	letter                      string // in genericName.forms
	id                          string // what the ids of its rules end in
	password, key               string
	before, first, value, after string
	samples                     []string // with $N for the name, $V for the value
}

var genericForms = [...]genericForm{
	{"q", "", "6", "10", genericTail + `["'` + "`" + `\\]{0,3}[ \t\])\[:=,(][ \t\])\[:=,>(&*?<|@$A-Za-z_.-]{0,40}["'` + "`" + `\\]{1,4}`, "", genericQuotedByte, `["'` + "`" + `\\]`, []string{
		"const $N = \"$V\";\n", "{\"$N\": \"$V\"}\n", "$N='$V'\n", "set('$N', '$V')\n", "x['$N'] = '$V'", "\\\"$N\\\":\\\"$V\\\"",
		"const $N string = \"$V\"\n", "let $N: &str = \"$V\";", "private $N: string = '$V'\n", "var $N = []byte(\"$V\")\n", "$N: Buffer.from('$V'),\n", "x.$N(\"$V\")\n"}},
	{"b", "-bare", "7", "15", genericTail + `["']{0,1}[ \t]{0,24}[:=?]{1,2}-{0,1}[ \t]{0,8}`, genericBareFirst, genericBareByte, genericBareEnd, []string{
		"$N=$V\n", "export $N=$V", "  $N: $V\r\n", "$N = $V # old\n", "x;$N=$V;y", "x: ${$N:-$V}\n", "${$N:$V}", "\"$N=$V\\n\""}},
	// the same directly behind a word of four letters: what may follow belongs to
	// the literal, for it is the beginning of many a word
	{"Q", "", "6", "10", `(?:(?:\\["']|["'` + "`" + `]){0,1}(?:[:=,\t]{1}|[\])(\[]{1})|["'` + "`" + `][ ]|[ ](?:[=:s&]{1}|[ \t(]{1}))[ \t\])\[:=,>(&*?<|@$A-Za-z_.-]{0,40}["'` + "`" + `\\]{1,4}`, "", genericQuotedByte, `["'` + "`" + `\\]`, []string{
		"const $N = \"$V\";\n", "{\"$N\": \"$V\"}\n", "$N='$V'\n", "set('$N', '$V')\n", "x['$N'] = '$V'", "\\\"$N\\\":\\\"$V\\\"",
		"const $N string = \"$V\"\n", "let $N: &str = \"$V\";", "var $N = []byte(\"$V\")\n", "$N: Buffer.from('$V'),\n", "x.$N(\"$V\")\n"}},
	{"B", "-bare", "7", "15", `["']{0,1}(?:[:=\t]{1}|[ ][:= ])[ \t]{0,24}[:=]{0,2}-{0,1}[ \t]{0,8}`, genericBareFirst, genericBareByte, genericBareEnd, []string{
		"$N=$V\n", "export $N=$V", "  $N: $V\r\n", "$N = $V # old\n", "$N   = $V\n", "x;$N=$V;y"}},
	{"p", "-pair", "6", "10", genericTail + `["']{0,1}[,{\s]{1,40}["']{0,1}[DVdv][A-Za-z]{4,6}["']{0,1}[ \t]{0,2}[:=][ \t]{0,8}["']{0,1}`, "", genericQuotedByte, `(?:["'\s]|$)`, []string{
		"- name: $N\n  value: $V\n", "{\"name\": \"$N\", \"value\": \"$V\"}"}},
	{"x", "-xml", "6", "10", genericTail + `["']{0,1}>`, "", `[!#-;=?-~]`, `<`, []string{
		"<$N>$V</$N>\n", "<string name=\"$N\">$V</string>"}},
	// the same without a tail
	{"P", "-pair", "6", "10", `["']{0,1}[,{\s]{1,40}["']{0,1}[DVdv][A-Za-z]{4,6}["']{0,1}[ \t]{0,2}[:=][ \t]{0,8}["']{0,1}`, "", genericQuotedByte, `(?:["'\s]|$)`, []string{
		"- name: $N\n  value: $V\n", "{\"name\": \"$N\", \"value\": \"$V\"}"}},
	{"X", "-xml", "6", "10", `["']{0,1}>`, "", `[!#-;=?-~]`, `<`, []string{"<$N>$V</$N>\n", "<string name=\"$N\">$V</string>"}},
	// blocks and pairs of tags that hold the value: Terraform, C#, property lists
	{"m", "-within", "6", "10", genericTail + `["']{0,1}[ ]{0,1}[{<]{1}(?: ?get;[ a-z;]{0,16}\} ?= ?"|/key>\s{0,24}<string>|[\t\n\r -z|]{0,120}?default[ \t]{0,24}=[ \t]{0,4}")`, "", `[!#-&(-;=?-\[\]-_a-~]`, `["<]`, []string{
		"variable \"$N\" {\n  description = \"of the service\"\n  type        = string\n  default     = \"$V\"\n}\n",
		"public string $N { get; set; } = \"$V\";\n", "<key>$N</key>\n\t<string>$V</string>\n"}},
	{"y", "-block", "7", "15", genericTail + `["']{0,1}:[ ]{1,2}[|>]{1}[+-]{0,1}[ ]{0,2}\r{0,1}\n[ \t]{1,16}`, genericBareFirst, genericBareByte, `(?:[ \t\r\n]|$)`, []string{
		"$N: |\n  $V\nx: 1\n", "  $N: >-\r\n    $V\r\n"}},
	{"s", "-static", "7", "10", genericTail + `: {0,1}&'static str {0,1}= {0,1}"`, "", genericQuotedByte, `"`, []string{
		"const $N: &'static str = \"$V\";\n"}},
	{"f", "-argument", "7", "7", `[ \t]{1,2}["']{0,1}`, `[0-9A-Za-z]`, `[!#%*+\-./0-9:=?@A-Z^_a-z~$]`, `(?:[\s"']|$)`, []string{
		"x $N $V -v\n"}},
}

// generated makes samples of a rule: the form's texts with generated values, and
// the same with values that are none.
func (f genericForm) generated(name string, value func(*scan.Gen) string) func(*scan.Gen) scan.Samples {
	return func(g *scan.Gen) scan.Samples {
		var s scan.Samples
		for _, text := range f.samples {
			write := func(name, value string) string {
				return strings.NewReplacer("$N", name, "$V", value).Replace(text)
			}
			v := value(g)
			s.Match = append(s.Match, write(name, v))
			s.NoMatch = append(s.NoMatch,
				write("monkey", v), write("public_key", v), write(name+"_hash", v), write("csrf_token", v),
				write(name, g.UUID()), write(name, "your_"+name+"_goes_here"), write(name, "${"+strings.ToUpper(name)+"}"),
				write(name, "getCredentialsFromStore"), write(name, "https://example.test/"+name))
		}
		return s
	}
}

// chosenPassword writes a password as a person would.
func chosenPassword(g *scan.Gen) string {
	return g.String("BDFGKLMNPRTVZ", 1) + g.String("aeiou", 1) + g.String("bdfgklmnprtvz", 1) + g.String(scan.LowerAZ, 2) +
		g.String("23456789", 2) + g.String("!#%+?", 1) + g.String("ghkwxz", 2) + g.String(scan.UpperAZ, 1)
}

// machineKey writes a key as a service would.
func machineKey(g *scan.Gen) string {
	switch g.IntN(5) {
	case 0:
		return g.Hex(32)
	case 1:
		return g.Hex(64)
	case 2:
		return g.String(scan.Base62, 40)
	case 3:
		return g.String(scan.Base64URL[2:], 43)
	}
	return g.String(scan.Base64Std, 43) + "="
}

const genericReference = "https://cheatsheetseries.owasp.org/cheatsheets/Secrets_Management_Cheat_Sheet.html"

func generic() []scan.Rule {
	password := scan.Rule{
		Provider:   "generic",
		Why:        "Whoever reads it can log in as the account that it belongs to.",
		Fix:        "Change the password where it is accepted, and read the new one from the environment or a secret store.",
		Reference:  genericReference,
		Confidence: scan.Medium,
		Generic:    true,
		Check:      judgeAssignment,
	}
	key := scan.Rule{
		Provider:   "generic",
		Why:        "Whoever reads it can use the service that accepts it, or forge what it signs.",
		Fix:        "Revoke it at the service that issued it, and read the new one from the environment or a secret store.",
		Reference:  genericReference,
		Confidence: scan.Medium,
		Generic:    true,
		Check:      judgeAssignment,
	}
	var all []scan.Rule
	for _, n := range genericNames() {
		for _, f := range genericForms {
			if !strings.Contains(n.forms, f.letter) {
				continue
			}
			r, least, value := key, f.key, machineKey
			r.Title = "Secret, token or key"
			if n.kind == kindPassword {
				r, least, value = password, f.password, chosenPassword
				r.Title = "Password"
			}
			r.ID = "generic-" + n.id + f.id
			r.Expr = n.expr + f.before + `(?P<secret>` + f.first + f.value + `{` + least + `,128})` + f.after
			r.Samples = f.generated(n.sample, value)
			all = append(all, r)
		}
	}
	return all
}
