package rules

import (
	"strings"
	"testing"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/match"
)

// TestNamed finds one value that only its name tells in the ways in which people
// assign values, with this package's whole list of rules at work.
func TestNamed(t *testing.T) {
	e, err := match.New(All())
	if err != nil {
		t.Fatal(err)
	}
	value := scan.NewGen(1).Hex(64)
	for _, context := range []string{
		"$env:LINODE_TOKEN = \"%s\"\r\n",
		"set LINODE_TOKEN=%s\r\n",
		"setx LINODE_TOKEN \"%s\"\r\n",
		"<linodeToken>%s</linodeToken>\n",
		"<add key=\"LinodeToken\" value=\"%s\" />\n",
		"define('LINODE_TOKEN', '%s');\n",
		"ENV['LINODE_TOKEN'] ||= '%s'\n",
		"linode.api.token=%s\n",
		"helm install --set linode.token=%s x\n",
		"\tLinodeToken string = \"%s\"\n",
		"ENV LINODE_TOKEN %s\n",
		"# LINODE_TOKEN: %s\n",
		"- `LINODE_TOKEN`: `%s`\n",
		"{\\\"linode_token\\\":\\\"%s\\\"}",
		"linode:\n  api:\n    token: '%s'\n",
		"provider \"linode\" {\n  token = \"%s\"\n}\n",
		"new Linode({ token: '%s' })\n",
		"linode-cli --token %s\n",
		"os.getenv(\"LINODE_TOKEN\", \"%s\")\n",
		"os.environ.get('LINODE_TOKEN') or '%s'\n",
		"process.env.LINODE_TOKEN ?? \"%s\"\n",
		"{\"name\": \"LINODE_TOKEN\", \"value\": \"%s\"}\n",
		"[linode]\ntoken = %s\n",
		"| Linode token | %s |\n",
		"linode_token: >-\n  %s\n",
		"linode_token: !!str %s\n",
		"val linodeToken: String? = \"%s\"\n",
		"pub const LINODE_TOKEN: &str = \"%s\";\n",
		"#define LINODE_TOKEN \"%s\"\n",
		"LINODE_TOKEN: ${LINODE_TOKEN:-%s}\n",
		"linode-api-token = \"%s\"\n",
		"curl -H 'X-Linode-Api-Token: %s' x\n",
		"System.setProperty(\"linode.token.value\", \"%s\");\n",
		"<key>LinodeToken</key>\n\t<string>%s</string>\n",
		"<string name=\"linode_token\">%s</string>\n",
		"<name>linode.token</name>\n    <value>%s</value>\n",
		"let linode_token = String::from(\"%s\");\n",
		"linodeToken := []byte(\"%s\")\n",
		"linode_token = SecretStr(\"%s\")\n",
		"static LINODE_TOKEN: &'static str = \"%s\";\n",
		"public string LinodeToken { get; set; } = \"%s\";\n",
		"static char linode_token[] = \"%s\";\n",
		"- **Linode token**: `%s`\n",
		"**Linode token:** %s\n",
		"variable \"linode_token\" {\n  type    = string\n  default = \"%s\"\n}\n",
		"{\"linodeToken\": {\"type\": \"string\", \"value\": \"%s\"}}\n",
		"gh secret set LINODE_TOKEN --body \"%s\"\n",
		"heroku config:set LINODE_TOKEN=%s\n",
	} {
		v := verdicts(e, strings.ReplaceAll(context, "%s", value))
		if len(v) != 1 || v[0].Rule.ID != "linode-token" {
			t.Errorf("%q: %s", context, describe(v))
		}
	}
}

// TestNearerName gives a value that two vendors' names stand before to the nearer.
func TestNearerName(t *testing.T) {
	e, err := match.New(All())
	if err != nil {
		t.Fatal(err)
	}
	v := verdicts(e, "heroku config:set HUBSPOT_API_KEY="+scan.NewGen(1).UUID()+"\n")
	if len(v) != 1 || v[0].Rule.ID != "hubspot-api-key" {
		t.Error(describe(v))
	}
}

// TestEscaped finds a token behind what escapes a line's end or a quote.
func TestEscaped(t *testing.T) {
	e, err := match.New(All())
	if err != nil {
		t.Fatal(err)
	}
	token := "sk-or-" + "v1-" + scan.NewGen(1).Hex(64)
	for _, context := range []string{
		"{\"log\": \"token:\\n%s\\n\"}", "?next=key%%3D%s&x=1", "{\"html\": \"\\u0022%s\\u0022\"}", "key \x1b[1;32m%s\x1b[0m\n", "<%s>", "*%s*",
	} {
		v := verdicts(e, strings.ReplaceAll(strings.ReplaceAll(context, "%%", "%"), "%s", token))
		if len(v) != 1 || v[0].Rule.ID != "openrouter-api-key" {
			t.Errorf("%q: %s", context, describe(v))
		}
	}
}

func TestAnySeparator(t *testing.T) {
	for in, want := range map[string]string{
		`api_?key|pat`:   `api[_.-]?key|pat`,
		`arm_client`:     `arm[_.-]client`,
		`box_|boxapp`:    `box(?:_|[.-](?:api|client|access|auth|app))|boxapp`,
		`\bduo[_-]|_oci`: `(?:\b|_)duo[_-]|_oci`,
		`scw[_-]?s`:      `scw[_-]?s`,
	} {
		if got := anySeparator(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

// FuzzObjectParsers wants offsets inside the object, whatever the object holds.
func FuzzObjectParsers(f *testing.F) {
	g := scan.NewGen(1)
	for _, r := range append(google(), append(hosting(), infrastructure()...)...) {
		if r.Object != nil {
			s := r.Samples(g)
			for _, text := range append(s.Match, s.NoMatch...) {
				f.Add([]byte(text))
			}
		}
	}
	f.Add([]byte("-----BEGIN PRIVATE KEY----------END PRIVATE KEY-----a-bc@d.iam.gserviceaccount.com"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, r := range append(google(), append(hosting(), infrastructure()...)...) {
			if r.Object == nil {
				continue
			}
			for _, m := range r.Object.Parse(data) {
				for _, p := range m.Parts {
					if p.Start < 0 || p.Start >= p.End || p.End > len(data) {
						t.Fatalf("%s: part %v of an object of %d bytes", r.ID, p, len(data))
					}
				}
			}
		}
	})
}
