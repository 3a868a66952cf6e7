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
	} {
		v := verdicts(e, strings.ReplaceAll(context, "%s", value))
		if len(v) != 1 || v[0].Rule.ID != "linode-token" {
			t.Errorf("%q: %s", context, describe(v))
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
