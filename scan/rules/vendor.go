package rules

import (
	"bytes"
	"regexp"
	"strings"
	"sync"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/proof"
)

// What a name says of a value that is a secret.
const secretWord = "key|token|secret|pass|pwd|auth|cred"

// assigned stands between a name and its value: an operator, also one that gives
// a default, with quotes, with a type before it, C#'s accessors, a bracket of
// os.environ["NAME"], a call that wraps a text, markdown's bold or YAML's block
// marks; the name/value pairs of Kubernetes, ECS and .NET; a block or object that
// holds the value or a default; the blank of a flag or of Dockerfile's ENV, perhaps
// with a further flag; the end of an XML tag, and that of plist or Hadoop.
const assigned = `(?:` +
	`(?:\\?["'` + "`" + `]|[*_]{2})?[\[\])]{0,2}[ \t]{0,15}(?:[ :]{0,2}[&*]?(?:'static )?[A-Za-z][A-Za-z<>]{2,9}[?!]?[ \t]|\{ ?get;[ a-z;]{0,16}\} )?(?:=>|:=|==|\|\|=?|\?\??=?|:-|<-|=|:|,|\||\(|or )[*]{0,2}[ \t]{0,8}` +
	`(?:[|>][+-]?|!!str)?\s{0,12}(?:(?:new )?[\[\]A-Za-z][0-9A-Za-z_.:\]]{2,20}\((?:default=)?)?(?:[brfu@]?["'` + "`" + `]?\\?["'` + "`" + `])?(?:Bearer |[Tt]oken )?` +
	`|["']?,?\s{0,24}["']?[Vv]alue["']?\s{0,2}[:=]\s{0,2}\\?["']?` +
	`|["']?\s{0,2}[:=]?\s{0,2}\{[\t\n\r -z|]{0,84}?(?:[Dd]efault|[Vv]alue)["']?\s{0,8}[:=]\s{0,4}["']?` +
	`|["']?[ \t]{1,4}(?:--?[a-z-]{1,12}[= ])?\\?["']?` +
	`|["']?>\s{0,12}|</[a-z]{3,4}>\s{0,24}<(?:string|value)>)`

// notLiteral is an alternative that nothing matches. It keeps the engine from
// looking for the words that stand beside it: of all that an expression asks for, the
// vendor's name at its beginning is what is rare.
const notLiteral = `|\x00\x00`

// named is an expression for a value without a shape of its own, told by its
// name: the vendor's name, at most 32 bytes to a word for what it is (one of the
// alternatives of word), an assignment, and the value, which must end there. The
// word may stand below the vendor's name, as in YAML or an object. Vendor, word
// and value are RE2 expressions; the first two are matched without regard to case,
// and written with an underscore where a name may have a hyphen or a dot, too.
func named(vendor, word, value string) string {
	return `(?i:` + anySeparator(vendor) + `)(?i:[0-9a-z_.\s"'()\[\]{:=>-]{0,32}?(?:` + anySeparator(word) + notLiteral + `)[0-9a-z_.-]{0,12})` + assigned + `(?P<secret>` + value + `)` + quote
}

// anySeparator lets the underscores inside of names be hyphens or dots. One at the
// end of a name, where "box-" and "line." are too common to look for, may be so
// before what such a name goes on with. A name that must not begin inside of a word
// may follow an underscore.
func anySeparator(names string) string {
	const inner, last = `[_.-]`, `(?:_|[.-](?:api|client|access|auth|app))`
	at := func(i int) byte {
		if i < 0 || i >= len(names) {
			return '|'
		}
		return names[i]
	}
	letter := func(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' }
	var b strings.Builder
	for i := range len(names) {
		next := at(i + 1)
		optional := next == '?'
		if optional {
			next = at(i + 2)
		}
		switch {
		case names[i] != '_' || !letter(at(i-1)):
			b.WriteByte(names[i])
		case letter(next) || next == '(':
			b.WriteString(inner)
		case !optional && (next == '|' || next == ')'):
			b.WriteString(last)
		default:
			b.WriteByte('_')
		}
	}
	return strings.ReplaceAll(b.String(), `\b`, `(?:\b|_)`)
}

// looksRandom rejects values that read as names. It is the check of rules that
// only a name tells.
func looksRandom(c scan.Candidate) scan.Evidence {
	if proof.LooksRandom(c.Secret()) < 0.5 {
		return scan.Rejected
	}
	return scan.Evidence{}
}

// inContexts writes a credential as it stands in .env files, shell, JSON, YAML,
// code, headers and addresses. name is in upper snake case.
func inContexts(name, value string) []string {
	return append(inAssignments(name, value),
		"curl -H \"Authorization: Bearer "+value+"\" https://api.test/v1\n",
		"see https://api.test/v1?"+strings.ToLower(name)+"="+value+"&limit=10 for more\n",
		"client := api.New(\""+value+"\")\n",
	)
}

// inAssignments writes a credential as the value of a name in upper snake case.
func inAssignments(name, value string) []string {
	lower, camel := strings.ToLower(name), camelCase(name)
	return []string{
		"DEBUG=1\n" + name + "=" + value + "\nPORT=8080\n",
		"export " + name + "=\"" + value + "\"\n",
		"{\n  \"" + lower + "\": \"" + value + "\",\n  \"port\": 8080\n}\n",
		"config:\n  " + lower + ": " + value + "\n  port: 8080\n",
		"const " + camel + " = '" + value + "';\n",
		"const " + camel + ": string = \"" + value + "\"\n",
		"os.environ[\"" + name + "\"] = \"" + value + "\"\n",
		"env:\n  - name: " + name + "\n    value: " + value + "\n",
	}
}

func camelCase(name string) string {
	parts := strings.Split(strings.ToLower(name), "_")
	for i, p := range parts[1:] {
		parts[i+1] = strings.ToUpper(p[:1]) + p[1:]
	}
	return strings.Join(parts, "")
}

// shaped makes samples for a token with a shape of its own, described by an
// expression without boundaries. name is one that it is often given.
func shaped(name, token string) func(*scan.Gen) scan.Samples {
	return sealed(name, func(g *scan.Gen) string { return g.Expr(token) })
}

// sealed is shaped for a token that make completes with a checksum.
func sealed(name string, make func(*scan.Gen) string) func(*scan.Gen) scan.Samples {
	return func(g *scan.Gen) scan.Samples {
		value := make(g)
		return scan.Samples{
			Match: inContexts(name, value),
			NoMatch: []string{
				name + "=x" + value + "\n",
				name + "=" + value[:len(value)/3] + "\n",
				name + "=" + value[:len(value)/3] + strings.Repeat("x", len(value)-len(value)/3) + "\n",
				name + "=${" + name + "}\n",
			},
		}
	}
}

// bound makes samples for a value that only its name tells, described by an
// expression. Other names, references and placeholders are no secrets.
func bound(name, value string) func(*scan.Gen) scan.Samples {
	return func(g *scan.Gen) scan.Samples {
		v := g.Expr(value)
		return scan.Samples{
			Match: inAssignments(name, v),
			NoMatch: []string{
				"commit: " + v + "\n",
				"\"integrity\": \"" + v + "\"\n",
				name + "=${" + name + "}\n",
				"const x = process.env." + name + ";\n",
				name + "=your_" + strings.ToLower(name) + "_here\n",
				name + "=" + strings.Repeat("x", len(v)) + "\n",
				name + "=" + v + v + v + "\n",
			},
		}
	}
}

// longTokens is a parser that finds every match of an expression, of whatever
// width: for tokens longer than an expression of a rule may be. The first group
// is the token.
func longTokens(expr string) func(data []byte) []scan.ObjectMatch {
	compiled := sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
	return func(data []byte) []scan.ObjectMatch {
		var out []scan.ObjectMatch
		for _, m := range compiled().FindAllSubmatchIndex(data, -1) {
			out = append(out, scan.ObjectMatch{Parts: []scan.Span{{Role: scan.RoleSecret, Start: m[2], End: m[3]}}})
		}
		return out
	}
}

// mixedAndRandom is looksRandom for values of mixed letters and digits, which it
// asks for: names that are joined without a word in them look random, too.
func mixedAndRandom(c scan.Candidate) scan.Evidence {
	s := c.Secret()
	if !bytes.ContainsAny(s, scan.Digits) || !bytes.ContainsAny(s, scan.LowerAZ) || !bytes.ContainsAny(s, scan.UpperAZ) {
		return scan.Rejected
	}
	return looksRandom(c)
}
