package consumer

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Spec
		out  string // canonical; empty if it is the same
	}{
		{"env:/srv/.env,DB", Spec{Kind: "env", Target: "/srv/.env", Fields: []Field{{"", "DB"}}}, ""},
		{"env:/srv/.env,secret=S,id=K", Spec{Kind: "env", Target: "/srv/.env", Fields: []Field{{"id", "K"}, {"secret", "S"}}}, "env:/srv/.env,id=K,secret=S"},
		{`env:C:\bot\.env,secret=S`, Spec{Kind: "env", Target: `C:\bot\.env`, Fields: []Field{{"secret", "S"}}}, ""},
		{"json:/a,, b.json,ready=x y,secret=a b.0.c=d,reload=r -o a,,b", Spec{Kind: "json", Target: "/a, b.json", Fields: []Field{{"secret", "a b.0.c=d"}}, Reload: "r -o a,b", Ready: "x y"},
			"json:/a,, b.json,secret=a b.0.c=d,reload=r -o a,,b,ready=x y"},
		{"yaml:/a,,,part=x", Spec{Kind: "yaml", Target: "/a,", Fields: []Field{{"part", "x"}}}, ""},
		{"command:gh secret set X", Spec{Kind: "command", Target: "gh secret set X"}, ""},
		{"gh:ada/bot,ready=x,auth=prod/GH,secret=S", Spec{Kind: "gh", Target: "ada/bot", Fields: []Field{{"secret", "S"}}, Auth: "prod/GH", Ready: "x"}, "gh:ada/bot,secret=S,auth=prod/GH,ready=x"},
		{"gh:ada/bot/live,, blue,S,auth=prod/GH", Spec{Kind: "gh", Target: "ada/bot/live, blue", Fields: []Field{{"", "S"}}, Auth: "prod/GH"}, ""},
		{"gitlab:groups/a/b,auth=a/b,scope=live/*,p=V", Spec{Kind: "gitlab", Target: "groups/a/b", Fields: []Field{{"p", "V"}}, Auth: "a/b", Settings: map[string]string{"scope": "live/*"}}, "gitlab:groups/a/b,p=V,scope=live/*,auth=a/b"},
		{"k8s:prod/db,p=password,context=a,,b", Spec{Kind: "k8s", Target: "prod/db", Fields: []Field{{"p", "password"}}, Settings: map[string]string{"context": "a,b"}}, ""},
		{"secretsmanager:eu-central-1/prod/db,p=*,auth=a/b", Spec{Kind: "secretsmanager", Target: "eu-central-1/prod/db", Fields: []Field{{"p", "*"}}, Auth: "a/b"}, ""},
		{"ssm:us-gov-west-1,p=/prod/db,auth=a/b", Spec{Kind: "ssm", Target: "us-gov-west-1", Fields: []Field{{"p", "/prod/db"}}, Auth: "a/b"}, ""},
		{"vault:kv/data/a,x y,auth=a/b", Spec{Kind: "vault", Target: "kv/data/a", Fields: []Field{{"", "x y"}}, Auth: "a/b"}, ""},
		{"env:/a,auth=A", Spec{Kind: "env", Target: "/a", Fields: []Field{{"auth", "A"}}}, ""},
		{"command:sh -c 'x y',part=secret,ready=z", Spec{Kind: "command", Target: "sh -c 'x y'", Part: "secret", Ready: "z"}, ""},
	} {
		got, err := Parse(c.in)
		out := c.out
		if out == "" {
			out = c.in
		}
		if err != nil || !reflect.DeepEqual(got, c.want) || got.String() != out {
			t.Errorf("%s: %+v, %q, %v", c.in, got, got.String(), err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for in, want := range map[string]string{
		"":                            "it begins with none of env:, json:, yaml:, command:, gh:, gitlab:, k8s:, secretsmanager:, ssm:, vault:",
		"/srv/.env":                   "it begins with none of",
		"toml:/a,b":                   "it begins with none of",
		"env:":                        "it has no target",
		"env:,A":                      "it has no target",
		"command: ":                   "it has no target",
		"env:/a":                      "PART=NAME",
		"env:/a,A,B":                  "twice where part \"\" goes",
		"env:/a,A,id=B":               "PART=NAME",
		"env:/a,id=A,id=B":            `twice where part "id" goes`,
		"env:/a,id=A,secret=A":        "two parts go to A",
		"env:/a,id=a.b":               `"a.b" is not the name of a value`,
		"env:/a,id=":                  `"" is not the name of a value`,
		"env:/a,":                     `"" is not the name of a value`,
		"env:/a,ID=A":                 `"ID" is not the name of a part`,
		"json:/a,exchange.key=x,=":    "is not the name",
		"env:/a,A,reload=":            "reload has no value",
		"env:/a,A,ready=x,ready=y":    "ready stands there twice",
		"command:a,part=x,part=y":     "part stands there twice",
		"command:a,part=X":            `there is no option "part=X"`,
		"command:a -o x,source=y":     "a comma that ends nothing is written twice",
		"env:/a\n,A":                  "no terminal shows",
		"env:/\xff,A":                 "no terminal shows",
		"env:/a" + long + ",A":        "longer",
		"env:/srv/.env?secret=A&id=B": "PART=NAME",
		"gh:ada/bot,S":                "auth=ENV/NAME",
		"gh:ada/bot,S,auth=GH":        `"GH" is not the name of a key`,
		"gh:ada/bot,S,auth=a/b,auth=": "auth has no value",
		"gh:ada/bot,auth=a/b":         "PART=NAME",
		"gh:ada/bot,p=a.b,auth=a/b":   `"a.b" is not the name of a value`,
		"gh:ada bot,S,auth=a/b":       "its target is not like OWNER/REPOSITORY",
		"gitlab:ada/bot,S,auth=a/b":   "its target is not like projects/PATH",
		"gitlab:groups/a,S,auth=a/b,scope=x,scope=y": "scope stands there twice",
		"vault:kv/a,S,auth=a/b":                      "its target is not like MOUNT/data/PATH",
		"ssm:Frankfurt,S,auth=a/b":                   "its target is not like REGION",
		"ssm:eu-central-1.x.test/,S,auth=a/b":        "its target is not like REGION",
		"gh:ada/,S,auth=a/b":                         "its target is not like",
	} {
		_, err := Parse(in)
		var ours *SpecError
		if !errors.As(err, &ours) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %s", in, err, want)
		}
	}
}

var long = strings.Repeat("a", maxSpec)

func TestOpenRefuses(t *testing.T) {
	for in, want := range map[string]string{
		"env:.env,id=A":                  "not absolute",
		"env:" + root + "a,A":            "which part goes to A",
		"command:gh x":                   `the program "gh" is not absolute`,
		"command:'":                      "does not end its quotes",
		"env:" + root + "a,id=A,ready=x": `the program "x" is not absolute`,
		"gh:ada/bot,A,auth=a/b":          "which part goes to A",
		"x":                              "it begins with none of",
	} {
		c, err := World{}.Open(in)
		var ours *SpecError
		if !errors.As(err, &ours) || !strings.Contains(err.Error(), want) || c != nil {
			t.Errorf("%q: %v, %v", in, c, err)
		}
	}
}

// root is an absolute path.
var root = func() string {
	if runtime.GOOS == "windows" {
		return `C:\`
	}
	return "/"
}()

func TestNormalize(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	t.Setenv("HOME", filepath.Join(dir, "home"))
	t.Setenv("USERPROFILE", filepath.Join(dir, "home"))
	bin := filepath.Join(dir, "my bin")
	t.Setenv("PATH", bin)
	name := "deploy"
	if runtime.GOOS == "windows" {
		name = "deploy.exe"
	}
	program := filepath.Join(bin, name)
	if err := os.Mkdir(bin, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	kube := filepath.Join(dir, "kube")
	t.Setenv("KUBECONFIG", "kube")
	if err := os.WriteFile(kube, []byte("current-context: now\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	two := []string{"id", "secret"}
	for _, c := range []struct {
		in    string
		parts []string
		want  string // or what the error has
	}{
		{"env:.env,A", []string{"value"}, "env:" + filepath.Join(dir, ".env") + ",value=A"},
		{"json:~/x/../c.json,secret=a.b", two, "json:" + filepath.Join(dir, "home", "c.json") + ",secret=a.b"},
		{"env:" + root + "a,secret=A,id=B", two, "env:" + root + "a,id=B,secret=A"},
		{"command:deploy  --bot 'a b',part=id", two, `command:"` + program + `"  --bot 'a b',part=id`},
		{"command:'my bin/deploy' x", two, `command:"` + program + `" x`},
		{"env:.env,A,reload=deploy,ready=deploy x", []string{"p"}, "env:" + filepath.Join(dir, ".env") + `,p=A,reload="` + program + `",ready="` + program + `" x`},
		{"gh:ada/bot,A,auth=prod/GH,reload=deploy", []string{"p"}, `gh:ada/bot,p=A,auth=prod/GH,reload="` + program + `"`},
		{"k8s:prod/db,pass-word", []string{"p"}, "k8s:prod/db,p=pass-word,config=" + kube + ",context=now"},
		{"k8s:prod/db,A,context=other,config=kube,auth=prod/K", []string{"p"}, "k8s:prod/db,p=A,config=" + kube + ",context=other,auth=prod/K"},
		{"k8s:prod/db,A,config=none", []string{"p"}, "none: "},
		{"gh:ada/bot,A,auth=prod/GH", two, "which of the parts"},
		{"env:.env,A", two, "which of the parts id, secret goes to A?"},
		{"env:.env,key=A", two, `the key has no part "key", but id, secret`},
		{"command:deploy,part=key", two, `the key has no part "key"`},
		{"command:none", two, `there is no program "none"`},
		{"env:.env,id=A,ready=./none", two, `there is no program "./none"`},
		{"env:.env", two, "PART=NAME"},
	} {
		got, err := Normalize(c.in, c.parts)
		if err != nil {
			var ours *SpecError
			if !errors.As(err, &ours) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v", c.in, err)
			}
			continue
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.in, got, c.want)
		}
		again, err := Normalize(got, c.parts)
		if err != nil || again != got {
			t.Errorf("%s: normalized twice: %s, %v", c.in, again, err)
		}
		if _, err := (World{}).Open(got); err != nil {
			t.Errorf("%s: %v", c.in, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"env:/srv/.env,DB", "env:/a,,b,id=A,secret=B,reload=c d,,e", "json:/a,,,id=x.y=z,ready=q", "yaml:a,0.b", `command:sh -c "a,,b",part=id`, "env:,", "json:x,,,,y", "gh:ada/bot,p=S,auth=a/b,ready=x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text)
		if err != nil {
			var ours *SpecError
			if !errors.As(err, &ours) {
				t.Errorf("%T", err)
			}
			return
		}
		again, err := Parse(s.String())
		if len(s.String()) <= maxSpec && (err != nil || !reflect.DeepEqual(again, s) || again.String() != s.String()) {
			t.Errorf("%q: %+v became %q: %+v, %v", text, s, s.String(), again, err)
		}
		_, _ = World{}.Open(text)
	})
}

// TestRenamed: the key that a consumer is reached with is known by its new name, and
// nothing else of the spec changes.
func TestRenamed(t *testing.T) {
	long := "gh:ada/bot,secret=S,auth=a/b,reload=" + strings.Repeat("x", maxSpec-len("gh:ada/bot,secret=S,auth=a/b,reload="))
	for _, c := range []struct{ spec, auth, want string }{
		{"gh:ada/bot/live,, blue,secret=S,auth=a/b,ready=x a/b", "a/b", "gh:ada/bot/live,, blue,secret=S,auth=new/name,ready=x a/b"},
		{"gh:ada/bot,secret=S,auth=a/bc", "a/bc", "gh:ada/bot,secret=S,auth=a/bc"},
		{"k8s:prod/db,p=password,context=a,,b", "", "k8s:prod/db,p=password,context=a,,b"},
		{"env:/a,auth=A", "", "env:/a,auth=A"},
		{"command:sh -c 'auth=a/b'", "", "command:sh -c 'auth=a/b'"},
		{"later:what,auth=a/b", "", "later:what,auth=a/b"},
		{long, "a/b", ""},
	} {
		got, err := Renamed(c.spec, "a/b", "new/name")
		if got != c.want || (err != nil) != (c.want == "") || Auth(c.spec) != c.auth {
			t.Errorf("%.60s: %q, %v; reached with %q", c.spec, got, err, Auth(c.spec))
		}
	}
}
