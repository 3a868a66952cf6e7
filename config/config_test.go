package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/keywright/keywright/config"
	"github.com/keywright/keywright/scan"
)

const full = `# all there is
repository_id = "acme/shop"

[scan]
exclude = ["vendor", "docs/**"]
confidence = "high"
rules = ["-generic-*"]
max_memory = "1GiB"

[[rule]]
id = "acme-token"
title = "Acme token"
provider = "acme"
expr = 'acme_(?P<secret>[0-9a-f]{32})'
confidence = "high"
why = "It opens the shop."
fix = "Revoke it."
reference = "https://example.com/tokens"
min_entropy = 3.5
generic = true
public = ["id"]

  [[rule.partner]]
  role = "id"
  expr = 'id=([0-9]+)'
  within = 100
  required = true

[[rule]]
id = "acme-2"
expr = 'acme2_[0-9]{20}'
`

func TestParse(t *testing.T) {
	got, err := config.Parse("f", []byte(full))
	if err != nil {
		t.Fatal(err)
	}
	want := config.Scan{
		Exclude: []string{"vendor", "docs/**"}, Confidence: scan.High, Rules: []string{"-generic-*"}, MaxMemory: 1 << 30,
	}
	if got.RepositoryID != "acme/shop" || !reflect.DeepEqual(got.Scan, want) {
		t.Errorf("got %+v", got)
	}
	wantRules := []*scan.Rule{
		{
			ID: "acme-token", Title: "Acme token", Provider: "acme", Expr: `acme_(?P<secret>[0-9a-f]{32})`,
			Confidence: scan.High, Why: "It opens the shop.", Fix: "Revoke it.", Reference: "https://example.com/tokens",
			MinEntropy: 3.5, Generic: true, Public: []string{"id"},
			Partners: []scan.Partner{{Role: "id", Expr: `id=([0-9]+)`, Within: 100, Required: true}},
		},
		{
			ID: "acme-2", Title: "acme-2", Provider: "generic", Expr: `acme2_[0-9]{20}`, Confidence: scan.Medium,
			Fix: "Revoke it where it was issued, then put the new one where it is not committed.",
		},
	}
	if !reflect.DeepEqual(got.Rules, wantRules) {
		t.Errorf("got %+v, %+v", got.Rules[0], got.Rules[1])
	}
}

func TestParseEmpty(t *testing.T) {
	for _, data := range []string{"", "\n# nothing\n", "\ufeff", "[scan]\n", "[scan]\r\nexclude = []\r\n"} {
		got, err := config.Parse("f", []byte(data))
		if err != nil || got.RepositoryID != "" || !reflect.DeepEqual(got.Scan, config.Scan{}) || got.Rules != nil {
			t.Errorf("%q: %+v, %v", data, got, err)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ data, want, hint string }{
		{"repositroy_id = 'a'", `f:1:1: unknown key "repositroy_id"`, "repository_id, scan, rule"},
		{"[scan]\n  exlcude = ['a']", `f:2:3: unknown key "scan.exlcude"`, "exclude, confidence, rules, max_memory"},
		{"[scna]\nexclude = ['a']", `unknown key "scna`, "repository_id, scan, rule"},
		{"[[rule]]\nid = 'a'\nregex = 'b'", `f:3:1: unknown key "rule.regex"`, "expr"},
		{"[[rule]]\nid = 'a'\n[[rule.partner]]\nnear = 3", `f:4:1: unknown key "rule.partner.near"`, "role, expr, within"},
		{"[scan]\nconfidence = 'sure'", `f:2:14: unknown confidence "sure"`, ""},
		{"[scan]\nmax_memory = '5 apples'", `f:2:14: "5 apples" is not a size`, ""},
		{"[scan]\nmax_memory = true", `f: "true" is not a size`, ""},
		{"[scan]\nexclude = ['a', '[b']", `f:2:17: pattern "[b" is malformed`, ""},
		{"[scan]\nexclude = 'a'", `f:2:`, ""},
		{"[scan]\nrules = ['-']", `f:2:10: "-" is neither`, ""},
		{"repository_id = ''", `f:1:17: repository_id must have`, ""},
		{"repository_id = 'a b'", `f:1:17: repository_id must be printable`, ""},
		{"repository_id = ", `f:1:`, ""},
		{"repository_id = 'a'\nrepository_id = 'b'", `f:2:`, ""},
		{"[[rule]]\nexpr = 'a'", `f: rule 1 has no id`, ""},
		{"[[rule]]\nid = 'a'\nexpr = 'x'\n[[rule]]\nid = 'b'", `f: rule "b" has no expr`, ""},
		{"[[rule]]\nid = 'A b'\nexpr = 'a'", `f: rule "A b" must have an id of`, ""},
		{"[[rule]]\nid = 'a'\nprovider='A'\nexpr = 'a'", `must have a provider of`, ""},
		{"[[rule]]\nid = 'a'\nexpr = 'a('", `f:3:8: error parsing regexp: missing closing`, ""},
		{"[[rule]]\nid = 'a'\nexpr = 'a*'", `f:3:8: the expression "a*" matches the empty text`, ""},
		{"[[rule]]\nid = 'a'\nexpr = 'a'\nconfidence = 'certain'", `rule "a" cannot be certain`, ""},
		{"[[rule]]\nid = 'a'\nexpr = 'a'\nmin_entropy = 9.0", `must have a min_entropy`, ""},
		{"[[rule]]\nid = 'a'\nexpr = 'a'\npublic = ['id']", `cannot make "id" public`, ""},
		{"[[rule]]\nid = 'a'\nexpr = '(?P<secret>a)'\npublic = ['secret']", `cannot make "secret" public`, ""},
		{"[[rule]]\nid = 'a'\nexpr = 'a'\n[[rule.partner]]\nrole = 'id'", `no expr for its partner "id"`, ""},
		{"[[rule]]\nid = 'a'\nexpr = 'a'\n[[rule.partner]]\nexpr = 'b'", `partners of different roles`, ""},
		{"[[rule]]\nid = 'a'\nexpr = '(?P<id>a)'\n[[rule.partner]]\nrole = 'id'\nexpr = 'b'", `partners of different roles`, ""},
		{"[[rule]]\nid = 'a'\nexpr = 'a'\n[[rule.partner]]\nrole = 'id'\nexpr = 'b'\nwithin = 9999", `within 1 to 512 bytes`, ""},
		{"\xff", `f:1:1: `, ""},
	} {
		_, err := config.Parse("f", []byte(c.data))
		var e *config.Error
		if !errors.As(err, &e) || !e.Usage() {
			t.Errorf("%q gives %v", c.data, err)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "f:") {
			t.Errorf("%q gives %q, want %q", c.data, err, c.want)
		}
		if !strings.Contains(e.Hint(), c.hint) {
			t.Errorf("%q gives the hint %q, want %q", c.data, e.Hint(), c.hint)
		}
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, config.FileName)
	if c, err := config.Load(path); err != nil || c.RepositoryID != "" {
		t.Errorf("a missing file gives %+v, %v", c, err)
	}
	if i, err := config.LoadIgnore(path); err != nil || i.Len() != 0 {
		t.Errorf("a missing file gives %+v, %v", i, err)
	}
	if _, err := config.Load(dir); err == nil {
		t.Error("a directory was read")
	}
	if _, err := config.LoadIgnore(dir); err == nil {
		t.Error("a directory was read")
	}
	if err := os.WriteFile(path, []byte("repository_id = 'x'"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := config.Load(path); err != nil || c.RepositoryID != "x" {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestParseSize(t *testing.T) {
	for s, want := range map[string]int64{
		"1": 1, "512MiB": 512 << 20, "512 MiB": 512 << 20, "2g": 2 << 30, "64MB": 64 << 20, "7K": 7 << 10, "10b": 10, "1TiB": 1 << 40,
		"8388607TiB": 8388607 << 40,
		"":           0, "MiB": 0, "-1": 0, "0": 0, "1.5GiB": 0, "1XiB": 0, "1 2": 0, "9223372036854775807k": 0, "8388608TiB": 0, "1i": 0,
	} {
		if got, err := config.ParseSize(s); got != want || (err == nil) != (want > 0) {
			t.Errorf("ParseSize(%q) = %d, %v; want %d", s, got, err, want)
		}
	}
}

func builtin() []*scan.Rule {
	return []*scan.Rule{{ID: "aws-access-key"}, {ID: "generic-assignment"}, {ID: "stripe-live-key"}, {ID: "stripe-test-key"}}
}

func TestSelectRules(t *testing.T) {
	const own = "[[rule]]\nid = 'own'\nexpr = 'own_[0-9]{9}'\n"
	for _, c := range []struct{ file, patterns, want string }{
		{"", "", "aws-access-key generic-assignment stripe-live-key stripe-test-key"},
		{own, "", "aws-access-key generic-assignment stripe-live-key stripe-test-key own"},
		{own, "own", "own"},
		{"", "stripe-*", "stripe-live-key stripe-test-key"},
		{"", "-stripe-*", "aws-access-key generic-assignment"},
		{"", "stripe-* -*-test-* aws-*", "aws-access-key stripe-live-key"},
		{"", "-* aws-access-key", "aws-access-key"},
		{"[scan]\nrules = ['aws-*']", "", "aws-access-key"},
		{"[scan]\nrules = ['aws-*']", "stripe-live-key", "stripe-live-key"},
		{"", "{aws,stripe}-*-key -stripe-test-key", "aws-access-key stripe-live-key"},
		{"", "-*", "!the selection leaves no rule"},
		{"[scan]\nrules = ['-*']", "", "!f: the selection leaves no rule"},
		{"[scan]\nrules = ['-nothing']", "", `!f: no rule is called "nothing"`},
		{"", "stripe-key", `!no rule is called "stripe-key"`},
		{"", "-none-*", `!no rule is called "none-*"`},
		{"", "[", `!"[" is neither`},
		{"[[rule]]\nid = 'aws-access-key'\nexpr = 'x'", "", `!f: rule "aws-access-key" is there already`},
	} {
		conf, err := config.Parse("f", []byte(c.file))
		if err != nil {
			t.Fatal(err)
		}
		rules, err := conf.SelectRules(builtin(), strings.Fields(c.patterns))
		if problem, wrong := strings.CutPrefix(c.want, "!"); wrong {
			var e *config.Error
			if !errors.As(err, &e) || !strings.HasPrefix(err.Error(), problem) {
				t.Errorf("%q %q: %v, want %s", c.file, c.patterns, err, problem)
			}
			continue
		}
		var ids []string
		for _, r := range rules {
			ids = append(ids, r.ID)
		}
		if got := strings.Join(ids, " "); err != nil || got != c.want {
			t.Errorf("%q %q: %s, %v; want %s", c.file, c.patterns, got, err, c.want)
		}
	}
	var e *config.Error
	if _, err := (&config.Config{}).SelectRules(builtin(), []string{"stripe-key"}); !errors.As(err, &e) ||
		e.Hint() != "there is stripe-live-key, stripe-test-key" {
		t.Errorf("the hint is %q", e.Hint())
	}
}

func TestGlobs(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		dir, want     bool
	}{
		{"*.lock", "yarn.lock", false, true},
		{"*.lock", "a/b/yarn.lock", false, true},
		{"*.lock", "a.lock/file", false, true},
		{"*.lock", "lock", false, false},
		{"node_modules", "a/node_modules/b/c.js", false, true},
		{"node_modules", "a/node_modules", true, true},
		{"node_modules", "node_modules2/c.js", false, false},
		{"docs/*.md", "docs/a.md", false, true},
		{"docs/*.md", "x/docs/a.md", false, false},
		{"docs/*.md", "docs/a/b.md", false, false},
		{"docs/**", "docs/a/b.md", false, true},
		{"docs/**", "docs", true, true},
		{"docs", "docs/a/b.md", false, true},
		{"**/testdata/**", "a/b/testdata/c/d", false, true},
		{"**/testdata/*.json", "testdata/a.json", false, true},
		{"a/**/z", "a/z", false, true},
		{"a/**/z", "a/b/c/z/y", false, true},
		{"/build", "build/x", false, true},
		{"/build", "a/build/x", false, false},
		{"./build", "build", false, true},
		{"build/", "build", false, false},
		{"build/", "build", true, true},
		{"build/", "a/build/x", false, true},
		{"a/build/", "a/build", false, false},
		{"a/build/", "a/build/x", false, true},
		{"{a,b}.txt", "x/b.txt", false, true},
		{"[a-c]?.txt", "bz.txt", false, true},
		{`\!a`, "!a", false, true},
		{`a\*`, "a*", false, true},
		{`a\*`, "ab", false, false},
		{"A", "a", false, false},
		{"*", "\xff\n", false, true},
		{"**", "a/b", false, true},
		{"*", "", false, false},
		{"*", ".", true, false},
	} {
		g, err := config.NewGlobs([]string{"none", c.pattern})
		if err != nil {
			t.Fatal(err)
		}
		got := g.Match(c.path)
		if c.dir {
			got = g.MatchDir(c.path)
		}
		if got != c.want {
			t.Errorf("%s on %q: %v", c.pattern, c.path, got)
		}
	}
	for _, bad := range []string{"", "/", "./", "[a", "{a", "a[", "!a", `a\`} {
		if _, err := config.NewGlobs([]string{bad}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	var none *config.Globs
	if none.Match("a") || (&config.Globs{}).Match("a") {
		t.Error("no pattern matches")
	}
}

func TestIgnore(t *testing.T) {
	a, b := "k1:"+strings.Repeat("a", 32), "k1:"+strings.Repeat("b", 32)
	got, err := config.ParseIgnore("f", []byte("\ufeff# accepted\n\n"+a+" a test key, see #12 \r\n  "+b+"\t# revoked\n"+a+" again"))
	if err != nil {
		t.Fatal(err)
	}
	if r, ok := got.Reason(a); !ok || r != "a test key, see #12" {
		t.Errorf("reason %q, %v", r, ok)
	}
	if r, ok := got.Reason(b); !ok || r != "revoked" {
		t.Errorf("reason %q, %v", r, ok)
	}
	if _, ok := got.Reason("k1:" + strings.Repeat("c", 32)); ok || got.Len() != 2 {
		t.Errorf("%d accepted", got.Len())
	}
	var none *config.Ignore
	if _, ok := none.Reason(a); ok || none.Len() != 0 {
		t.Error("nothing accepts something")
	}
}

func TestIgnoreErrors(t *testing.T) {
	hex := strings.Repeat("a", 32)
	for _, c := range []struct{ data, want string }{
		{"hunter2 my password", "f:1: this is not a fingerprint"},
		{"\n# x\nk1:" + hex, "f:3: no reason"},
		{"k1:" + hex + " # ", "f:1: no reason"},
		{"k1:" + hex[1:] + " why", "f:1: this is not"},
		{"k1:" + strings.ToUpper(hex) + " why", "f:1: this is not"},
		{"k2:" + hex + " why", "f:1: a fingerprint of an unknown version"},
		{"k1:" + hex + " \xff", "f:1: not UTF-8"},
		{"a b\nk1:" + hex + " why\nc d", "f:1: this is not a fingerprint\nf:3: this is not a fingerprint"},
	} {
		_, err := config.ParseIgnore("f", []byte(c.data))
		var e *config.Error
		if !errors.As(err, &e) || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q gives %v, want %s", c.data, err, c.want)
		}
		if err != nil && strings.Contains(err.Error()+e.Hint(), "hunter2") {
			t.Error("an error repeats what may be a secret")
		}
	}
	if _, err := config.ParseIgnore("f", []byte(strings.Repeat("x y\n", 1000))); strings.Count(err.Error(), "\n") != 9 {
		t.Errorf("%v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte(projectText))
	f.Add([]byte("[scan]\nmax_memory = '9223372036854775807k'\nrules = ['[']"))
	f.Add([]byte("rule = [{id='a', expr='(?P<a>b', partner=[{}]}]\nscan = 1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := config.Parse("f", data)
		var e *config.Error
		if err != nil && !errors.As(err, &e) {
			t.Errorf("error %v", err)
		}
		if err == nil {
			if _, err := config.NewGlobs(c.Scan.Exclude); err != nil {
				t.Errorf("accepted, but %v", err)
			}
		}
	})
}

func FuzzParseIgnore(f *testing.F) {
	f.Add([]byte("k1:" + strings.Repeat("0", 32) + " why\n#\n\xff x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		i, err := config.ParseIgnore("f", data)
		if (i == nil) == (err == nil) {
			t.Errorf("%v and %v", i, err)
		}
	})
}

func FuzzGlobs(f *testing.F) {
	f.Add("**/a/{b,[c-d]}*/", "x/a/b/y")
	f.Fuzz(func(t *testing.T, pattern, path string) {
		g, err := config.NewGlobs([]string{pattern})
		if err == nil && g.Match(path) && !g.MatchDir(path) {
			t.Errorf("%q matches the file %q, not the directory", pattern, path)
		}
	})
}

func FuzzParseSize(f *testing.F) {
	f.Add("512MiB")
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := config.ParseSize(s); (n > 0) != (err == nil) {
			t.Errorf("%q: %d, %v", s, n, err)
		}
	})
}
