package rules

import (
	"strings"

	"github.com/keywright/keywright/scan"
)

// The generic rules find name = "value" assignments whose name says that the
// value is confidential. They share one judge (generic_judge.go) and differ in
// how the assignment is written, so that the engine's check before the
// expression gets as far as the end of the value.
//
// The words of a name around the keyword are [0-9A-Za-z_.-]; the classes of what
// follows (quotes, a bracket, blanks, operator, blanks, quotes, value) are
// disjoint from their neighbours.
const (
	genericHead = `[0-9A-Za-z_.-]{0,24}`
	genericTail = `[0-9A-Za-z_.-]{0,24}`

	// What the names of confidential values contain. The judge looks at whole
	// words; here is only what the engine looks for, written so that the last byte
	// is a class of its own: the check before an expression is derived from one
	// stretch of text, not from alternatives.
	genericPassword = `(?:pas|[_."']pw)[sd]`
	genericSecret   = `(?:secre|toke|credentia)[tnl]`
	genericKey      = `(?:api|access|private|encrypt|encryption|crypt|crypto|sign|signing|auth|master|account|storage|shared|session|service|admin|app|application|license|hmac|jwt|cipher|consumer|deploy|root)[_.-]{0,1}key`

	// Bytes of values: visible ASCII without quotes and backslashes.
	genericQuotedByte = `[!#-&(-\[\]-_a-~]`
	// ... and without what ends an expression in code, or begins a template.
	genericBareByte  = `[!#%*+\-./0-9:=?@A-Z^_a-z~$]`
	genericBareFirst = `[0-9A-Za-z+/_@^~!#]`

	genericClose = `["'` + "`" + `\\]`
	genericOpen  = `[ \t]{0,24}[bBrRuUfFL@$]{0,1}["'` + "`" + `\\]{1,4}`
	genericOp    = `["'` + "`" + `\\]{0,3}[\[\])]{0,2}[ \t]{0,24}[:=,]{1,3}>?`
	genericBare  = `["']{0,1}[ \t]{0,24}[:=]{1,2}[ \t]{0,8}`
	genericStop  = `(?:[ \t\r\n&"';,]|$)`
)

// A genericForm is a way to write an assignment; its rules differ in the least
// length, in bytes, of passwords and of keys. The expression's parts stand between
// name and value, at the value's first byte, for its other bytes, and behind it.
type genericForm struct {
	id                          string // what the ids of its rules end in
	password, key               string
	before, first, value, after string
	samples                     []string // with $N for the name, $V for the value
}

var genericForms = [...]genericForm{
	{"", "6", "10", genericOp + genericOpen, "", genericQuotedByte, genericClose, []string{
		"const $N = \"$V\";\n", "{\"$N\": \"$V\"}\n", "$N='$V'\n", "set('$N', '$V')\n", "x['$N'] = '$V'", "\\\"$N\\\":\\\"$V\\\""}},
	{"-bare", "7", "15", genericBare, genericBareFirst, genericBareByte, genericStop, []string{
		"$N=$V\n", "export $N=$V", "  $N: $V\r\n", "$N = $V # old\n", "x;$N=$V;y"}},
	{"-typed", "6", "10", `[ \t:][&*?'<>\[\]A-Za-z_. \t]{2,28}=[ \t]{0,8}["'` + "`" + `]`, "", genericQuotedByte, genericClose, []string{
		"const $N string = \"$V\"\n", "let $N: &'static str = \"$V\";", "private $N: string = '$V'\n"}},
	{"-wrapped", "6", "10", `[ \t]{0,24}[:=]{1,2}[ \t]{0,8}[A-Za-z_.\[\](]{3,24}["'` + "`" + `]`, "", genericQuotedByte, genericClose, []string{
		"var $N = []byte(\"$V\")\n", "$N: Buffer.from('$V'),\n"}},
	{"-pair", "6", "10", `["']{0,1}[,{\s]{1,40}["']{0,1}[DVdv][A-Za-z]{4,6}["']{0,1}[ \t]{0,2}[:=][ \t]{0,8}["']{0,1}`, "", genericQuotedByte, `(?:["'\s]|$)`, []string{
		"- name: $N\n  value: $V\n", "<add key=\"$N\" value=\"$V\"/>\n", "{\"name\": \"$N\", \"value\": \"$V\"}"}},
	{"-argument", "6", "10", `[ \t(]{1,8}["']`, "", genericQuotedByte, genericClose, []string{
		"x.$N(\"$V\")\n", "x --$N '$V'\n"}},
	{"-flag", "7", "15", `[ \t]{1,2}`, `[0-9A-Za-z]`, `[!#%*+\-./0-9:=?@A-Z^_a-z~$]`, `(?:[\s"']|$)`, []string{
		"x --$N $V -v\n"}},
	{"-xml", "6", "10", `["']{0,1}>`, "", `[!#-;=?-~]`, `<`, []string{
		"<$N>$V</$N>\n", "<string name=\"$N\">$V</string>"}},
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
			s.Match = append(s.Match, write(name, v), write(strings.ToUpper(name), v))
			s.NoMatch = append(s.NoMatch,
				write("monkey", v), write("public_key", v), write(name+"_hash", v), write("csrf_"+name, v),
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

func genericExpr(keyword, before, first, value, min, after string) string {
	return genericHead + `(?i:` + keyword + `)` + genericTail + before + `(?P<secret>` + first + value + `{` + min + `,160})` + after
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
	for _, f := range genericForms {
		rule := func(r scan.Rule, id, title, keyword, min, name string, value func(*scan.Gen) string) {
			r.ID, r.Title = "generic-"+id+f.id, title
			r.Expr = genericExpr(keyword, f.before, f.first, f.value, min, f.after)
			r.Samples = f.generated(name, value)
			all = append(all, r)
		}
		rule(password, "password", "Password", genericPassword, f.password, "db_password", chosenPassword)
		rule(key, "secret", "Secret or token", genericSecret, f.key, "service_token", machineKey)
		rule(key, "key", "API key or other key", genericKey, f.key, "service_api_key", machineKey)
	}
	return all
}
