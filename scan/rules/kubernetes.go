package rules

import (
	"bytes"
	"encoding/base64"
	"regexp"
	"sync"
	"unicode/utf8"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/proof"
)

// kubernetesSecrets are the values of Secrets in manifests. They are written in
// base64, so that nothing but their names can be told from the text: they are judged
// by what they decode to.
func kubernetesSecrets() []scan.Rule {
	rule := func(id, gate string, manifest func(name, value string) string) scan.Rule {
		return scan.Rule{
			ID: id, Provider: "kubernetes", Title: "Value of a Kubernetes Secret, in base 64",
			Why:       "Base 64 hides nothing: whoever reads the manifest has the value.",
			Fix:       "Change the value where it is accepted, and keep it in a secret store or a sealed or encrypted Secret.",
			Reference: "https://kubernetes.io/docs/concepts/configuration/secret/", Confidence: scan.Medium,
			Object: &scan.Object{Gate: gate, Parse: secretData},
			Samples: func(g *scan.Gen) scan.Samples {
				data := func(name, value string) string { return manifest(name, sealBase64(value)) }
				return scan.Samples{
					Match: []string{
						data("password", chosenPassword(g)), data("API_TOKEN", machineKey(g)), data("api-key", g.UUID()), data("session.key", g.Hex(32)),
						data("url", "postgres://joe:"+g.String(scan.Base62, 16)+"@db.corp.net/x"), data("hook", "T0"+g.String(scan.Base62, 40)),
						data(".env", "DEBUG=1\nDB_PASSWORD="+chosenPassword(g)+"\n"), data("config.json", `{"port":1,"apiKey":"`+machineKey(g)+`"}`),
					},
					NoMatch: []string{
						data("password", "password"), data("username", "administrator"), data("host", "db-1.corp.net"), data("port", "5432"), data("id", g.UUID()),
						data("token", "${TOKEN}"), data("ca.crt", "-----BEGIN CERTIFICATE-----\n"+g.String(scan.Base64Std, 64)), data("LOG_LEVEL", "information"),
						data("settings", "port=1\nname=service\n"), manifest("token", "{{ .Values.token | b64enc }}"),
					},
				}
			},
		}
	}
	return []scan.Rule{
		rule("kubernetes-secret", "kind: Secret", func(name, value string) string {
			return "apiVersion: v1\nkind: Secret\nmetadata:\n  name: x\ntype: Opaque\ndata:\n  other: eA==\n  " + name + ": " + value + "\n---\nkind: ConfigMap\ndata:\n  a: b\n"
		}),
		rule("kubernetes-secret-json", `"kind": "Secret"`, func(name, value string) string {
			return "{\n  \"apiVersion\": \"v1\",\n  \"data\": {\n    \"" + name + "\": \"" + value + "\"\n  },\n  \"kind\": \"Secret\"\n}\n"
		}),
	}
}

// secretLines tell what a line of a manifest is: the kind of an object, the opening
// of its data, a value in base64.
var secretLines = sync.OnceValue(func() (l struct{ kind, data, value *regexp.Regexp }) {
	l.kind = regexp.MustCompile(`(?m)^[ \t-]*"?kind"?: ["']?Secret["']?,?[ \t]*\r?$`)
	l.data = regexp.MustCompile(`^([ \t]*)"?data"?:(?: ?\{)?[ \t]*\r?$`)
	l.value = regexp.MustCompile(`^([ \t]*)["']?([0-9A-Za-z._-]+)["']?:[ \t]+["']?([0-9A-Za-z+/]{8,}={0,2})["']?,?[ \t]*(?:#.*)?\r?$`)
	return l
})

// secretData finds the values of the Secrets in a stream of YAML or JSON documents,
// line by line: templates need not parse.
func secretData(data []byte) (out []scan.ObjectMatch) {
	lines := secretLines()
	for start := 0; start < len(data); {
		end := len(data)
		if i := bytes.Index(data[start:], []byte("\n---")); i >= 0 {
			end = start + i + 1
		}
		if lines.kind.Match(data[start:end]) {
			out = secretValues(data, start, end, out)
		}
		start = end + len("---")
	}
	return out
}

// secretValues appends those of one document.
func secretValues(data []byte, start, end int, out []scan.ObjectMatch) []scan.ObjectMatch {
	lines := secretLines()
	within := -1 // the indentation of the data that the line may belong to
	for at := start; at < end; {
		next := end
		if i := bytes.IndexByte(data[at:end], '\n'); i >= 0 {
			next = at + i + 1
		}
		line := bytes.TrimRight(data[at:next], "\n")
		if m := lines.data.FindSubmatch(line); m != nil {
			within = len(m[1])
		} else if m := lines.value.FindSubmatchIndex(line); within >= 0 && m != nil && m[3] > within {
			if ev := judgeEncoded(line[m[4]:m[5]], line[m[6]:m[7]]); !ev.Reject {
				out = append(out, scan.ObjectMatch{Parts: []scan.Span{{Role: scan.RoleSecret, Start: at + m[6], End: at + m[7]}}, Evidence: ev})
			}
		} else if text := bytes.TrimLeft(line, " \t"); len(text) > 0 && text[0] != '#' && len(line)-len(text) <= within {
			within = -1
		}
		at = next
	}
	return out
}

// judgeEncoded judges a value in base 64 by its name and by what it decodes to.
func judgeEncoded(name, encoded []byte) scan.Evidence {
	value, err := base64.StdEncoding.DecodeString(string(encoded))
	if err != nil {
		return scan.Rejected
	}
	kind := nameKind(name)
	if !plainText(value) {
		if kind == kindNone || len(value) < minKey {
			return scan.Rejected
		}
		return scan.Evidence{Reason: "decodes to random bytes"}
	}
	value = bytes.TrimSpace(value)
	if bytes.Contains(value, []byte("-----BEGIN ")) || len(value) == 0 { // keys in PEM have a rule of their own
		return scan.Rejected
	}
	if bytes.IndexByte(value, '\n') < 0 && value[0] != '{' {
		return judgeNamed(kind, value)
	}
	for _, field := range bytes.FieldsFunc(value, func(r rune) bool { return r == '\n' || r == ',' || r == '{' || r == '}' }) {
		i := bytes.IndexAny(field, ":=")
		if i < 0 {
			continue
		}
		name := bytes.TrimPrefix(bytes.Trim(field[:i], " \t\r\"'"), []byte("export "))
		kind := nameKind(name)
		if v := bytes.Trim(field[i+1:], " \t\r\"';"); kind != kindNone && len(v) > 0 {
			if ev := judgeNamed(kind, v); !ev.Reject && ev.Cap == 0 {
				return scan.Evidence{Reason: "decodes to a file that holds a secret"}
			}
		}
	}
	return scan.Rejected
}

// judgeNamed judges a value that stands where nothing but secrets belong, though
// people put names and addresses beside them.
func judgeNamed(kind nameClass, v []byte) scan.Evidence {
	switch {
	case bytes.Contains(v, []byte("://")):
		if addressWithPassword().Match(v) {
			return scan.Evidence{Reason: "decodes to an address with a password"}
		}
		return scan.Rejected
	case kind != kindNone && kind != kindPassword && proof.UUID(v) && !proof.Placeholder(v):
		return scan.Evidence{}
	case smallLetters(v), notSecret(v):
		return scan.Rejected
	}
	if name, ok := proof.PublishedExample(v); ok {
		return scan.Evidence{Cap: scan.Low, Reason: "a published example: " + name}
	}
	if reason := encrypted(v); reason != "" {
		return scan.Evidence{Cap: scan.Low, Reason: reason}
	}
	if kind == kindNone {
		if len(v) >= 20 && randomKey(v, kindWeakKey) {
			return scan.Evidence{Reason: "decodes to a random text"}
		}
		return scan.Rejected
	}
	return judgeQuoted(v, kind)
}

// addressWithPassword is an address with a password that is no template or placeholder's
// first letters.
var addressWithPassword = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[a-z0-9+]{2,20}://[^/:@\s]*:[^/@\s$<{%*][^/@\s]{5,}@`)
})

// plainText reports whether b is text of visible characters.
func plainText(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return utf8.Valid(b)
}
