package edit

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// shown is what was read, one line for each value and each problem.
func shown(f *File) (list []string) {
	for _, v := range f.Variables {
		list = append(list, fmt.Sprintf("%d %s=%s", v.Line, v.Name, v.Value.Reveal()))
	}
	for _, p := range f.Problems {
		list = append(list, p.String())
	}
	return list
}

// everywhere refers to a key for each value that is not empty.
func everywhere(f *File) map[string]string {
	texts := map[string]string{}
	for i, v := range f.Variables {
		if !v.Value.IsZero() {
			texts[v.Name] = fmt.Sprintf("keywright://dev/K%d#id", i)
		}
	}
	return texts
}

func TestReadAndRewrite(t *testing.T) {
	for _, c := range []struct {
		name, format, in string
		want             []string
		out              string // the K that stands in it is keywright://dev/K
	}{
		{"dotenv", FormatDotenv, "\xEF\xBB\xBF# why\r\nexport A = one # two\r\nB='x\r\ny' # z\r\n\r\nC=\"a\\n\"\r\nD=\r\nA=3",
			[]string{"2 A=one", "3 B=x\ny", "6 C=a\n", "7 D=", "line 8: A: line 2 sets it already"},
			"\xEF\xBB\xBF# why\r\nexport A = \"K0#id\" # two\r\nB='K1#id' # z\r\n\r\nC=\"K2#id\"\r\nD=\r\nA=3"},
		{"JSON", FormatJSON, "{\n  // why\n \"a\": {\"b c\":\t\"x\\ny\" , \"n\":-1.5e3},\n\"l\": [\"p\", {\"q\": \"\\u00e9\"}, [],\"\"], /* z */ \"t\": true, \"z\": null,\n}\n",
			[]string{"3 a.b c=x\ny", "3 a.n=-1.5e3", "4 l.0=p", "4 l.1.q=é", "4 l.3=", "line 4: t: neither a text nor a number", "line 4: z: neither a text nor a number"},
			"{\n  // why\n \"a\": {\"b c\":\t\"K0#id\" , \"n\":\"K1#id\"},\n\"l\": [\"K2#id\", {\"q\": \"K3#id\"}, [],\"\"], /* z */ \"t\": true, \"z\": null,\n}\n"},
		{"JSON twice", FormatJSON, "\xEF\xBB\xBF{\"a.b\": \"1\", \"a\": {\"b\": \"2\"}, \"u\": \"\\ud800\", \"z\":\"\\u0000\"}",
			[]string{"1 a.b=1", "line 1: a.b: line 1 sets it already", "line 1: u: it has half", "line 1: z: its value holds a NUL"},
			"\xEF\xBB\xBF{\"a.b\": \"K0#id\", \"a\": {\"b\": \"2\"}, \"u\": \"\\ud800\", \"z\":\"\\u0000\"}"},
		{"YAML", FormatYAML, "# top\ndb:\n  user: ada # who\n  'pass word': \"a\\\"b\\n\"\n  port: 5432\n  on: true\nlist:\n- x: 'it''s'\n- two words\n-   {k: v, l: [1, \"b\"]}\nempty:\nkey: |  # the key\n  line one\n\n   line two\n\nafter: >-\n  folded\n  text\nlast: é€ # end",
			[]string{"3 db.user=ada", "4 db.pass word=a\"b\n", "5 db.port=5432", "8 list.0.x=it's", "9 list.1=two words", "10 list.2.k=v", "10 list.2.l.0=1", "10 list.2.l.1=b", "12 key=line one\n\n line two\n", "17 after=folded text", "20 last=é€", "line 6: db.on: neither", "line 11: empty: neither"},
			"# top\ndb:\n  user: K0#id # who\n  'pass word': \"K1#id\"\n  port: K2#id\n  on: true\nlist:\n- x: 'K3#id'\n- K4#id\n-   {k: K5#id, l: [K6#id, \"K7#id\"]}\nempty:\nkey: K8#id  # the key\n\nafter: K9#id\nlast: K10#id # end"},
		{"YAML, CRLF and wide characters", FormatYAML, "\xEF\xBB\xBFé: 'ü'\r\n\"\U0001F511\": key\r\nb: |\r\n  x\r\n  y\r\nc: z\r\n",
			[]string{"1 é=ü", "2 \U0001F511=key", "3 b=x\ny\n", "6 c=z"},
			"\xEF\xBB\xBFé: 'K0#id'\r\n\"\U0001F511\": K1#id\r\nb: K2#id\r\nc: K3#id\r\n"},
		{"YAML that refers", FormatYAML, "a: &x hunter\nb: *x\nc: !!str 12\nd: &m\n  e: f\ng:\n  <<: *m\nh: !!binary aGk=\ni: |2\n   x\nj: a\n  b\n? [k]\n: v\n",
			[]string{"5 d.e=f", "line 1: a: it has an anchor", "line 2: b: it refers to another place", "line 3: c: it has a tag", "line 7: g.<<: it refers to another place", "line 8: h: it has a tag", "line 9: i: it is written in a way", "line 11: j: it is written in a way", "line 13: it holds something"},
			"a: &x hunter\nb: *x\nc: !!str 12\nd: &m\n  e: K0#id\ng:\n  <<: *m\nh: !!binary aGk=\ni: |2\n   x\nj: a\n  b\n? [k]\n: v\n"},
		{"YAML documents", FormatYAML, "---\na: 1\n---\nb: 2\n",
			[]string{"2 a=1", "line 3: it is in a further document of the file"}, "---\na: K0#id\n---\nb: 2\n"},
		{"freqtrade", FormatFreqtrade, "{\"stake_currency\": \"BTC\",\n\"exchange\": {\"name\": \"kraken\",\n\"key\": \"k\", \"secret\": \"s\",\n\"password\": \"\"},\n\"telegram\": {\"token\": \"your_telegram_token\"},\"api_server\":{\"ws_token\":\"w\"}}",
			[]string{"2 exchange.name=kraken", "3 exchange.key=k", "3 exchange.secret=s", "5 api_server.ws_token=w", "line 5: telegram.token: it is the example"},
			""},
		{"half of freqtrade's", FormatFreqtrade, "{\"stake_currency\": \"BTC\",\n\"exchange\": {\"name\": \"kraken\",\n\"key\": \"k\", \"secret\": \"\"}}",
			[]string{"2 exchange.name=kraken", "line 3: exchange.secret: its value is empty", "line 3: exchange.key: it needs both"}, ""},
		{"empty", FormatYAML, "", nil, ""},
	} {
		f, err := Read(c.format, []byte(c.in))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got := shown(f)
		for i := range got {
			if i < len(c.want) && strings.HasPrefix(c.want[i], "line") && strings.HasPrefix(got[i], c.want[i]) {
				got[i] = c.want[i]
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got\n%q, want\n%q", c.name, got, c.want)
		}
		if c.out == "" {
			continue
		}
		out, err := f.Rewrite(everywhere(f))
		if want := strings.NewReplacer("K0", "keywright://dev/K0").Replace(c.out); err != nil || short(string(out)) != short(want) {
			t.Errorf("%s: %v\n%q, want\n%q", c.name, err, short(string(out)), short(want))
		}
		if same, err := f.Rewrite(nil); err != nil || string(same) != c.in {
			t.Errorf("%s: rewritten without change: %q, %v", c.name, same, err)
		}
	}
}

func short(s string) string { return strings.ReplaceAll(s, "keywright://dev/K", "K") }

// A file that is not of its format is refused, and nothing of it is shown.
func TestReadRefuses(t *testing.T) {
	for _, c := range []struct{ format, in, want string }{
		{FormatJSON, "{\"a\": hunter2}", "line 1: it is not JSON: it does not parse there"},
		{FormatJSON, "{\"a\": \"x\",\n\"b\": \"hunter2", "line 2: it is not JSON"},
		{FormatJSON, "", "it is not JSON"},
		{FormatJSON, "{\"a\": \"hunter2\xff\"}", "not UTF-8"},
		{FormatJSON, strings.Repeat("[", 1<<20), "too many"},
		{FormatJSON, "\xff\xfe{\x00}\x00", "not UTF-8"},
		{FormatYAML, "a: *hunter2\n", "it is not YAML"},
		{FormatYAML, "a: b\n hunter2: [\n", "it is not YAML"},
		{FormatYAML, "a: \"hunter2\n", "it is not YAML"},
		{FormatYAML, "a: b\n---\n\thunter2: [\n", "it is not YAML"},
		{FormatYAML, strings.Repeat("[", 1<<20), "it is not YAML"},
		{FormatYAML, "a: \x00", "not UTF-8"},
		{"toml", "", "unknown format"},
	} {
		f, err := Read(c.format, []byte(c.in))
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%.40q: %v, %v, want %q", c.in, f, err, c.want)
		}
		if syntax := (*SyntaxError)(nil); c.format != "toml" && !errors.As(err, &syntax) {
			t.Errorf("%.40q: %T", c.in, err)
		}
	}
}

// What nests deeply is named, not followed.
func TestReadDeep(t *testing.T) {
	const deep = 9000
	in := strings.Repeat("[", deep) + `"x"` + strings.Repeat("]", deep)
	for _, format := range []string{FormatJSON, FormatYAML} {
		f, err := Read(format, []byte(in))
		if err != nil || len(f.Variables) != 0 || len(f.Problems) != 1 {
			t.Errorf("%s: %v, %v", format, f, err)
		}
	}
}

func TestGuess(t *testing.T) {
	for _, c := range []struct{ path, in, want string }{
		{".env", "", FormatDotenv}, {".env.local", "", FormatDotenv}, {"a/b.YML", "", FormatYAML}, {"b.yaml", "", FormatYAML},
		{"c.json", "{", FormatJSON}, {"c.json", `{"exchange": {"key": "x"}}`, FormatJSON},
		{"c.json", `{"stake_currency": "x", "exchange": {"key": "x"}, // y` + "\n}", FormatFreqtrade},
		{"c.json", `{"stake_currency": "x", "exchange": "y"}`, FormatJSON},
		{"c.json", `[]`, FormatJSON},
	} {
		if got := Guess(c.path, []byte(c.in)); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.path, c.in, got, c.want)
		}
	}
}

func TestCredentials(t *testing.T) {
	const config = `{"stake_currency": "x", "exchange": {"key": "i", "name": "binance", "secret": "s", "password": "p"}, "telegram": {"token": "t"}}`
	f, err := Read(FormatFreqtrade, []byte(config))
	if err != nil {
		t.Fatal(err)
	}
	list := f.Credentials()
	var got []string
	for _, c := range list {
		for _, p := range c.Parts {
			got = append(got, fmt.Sprintf("%s %s %s=%s %s", c.Name, c.Provider, p.Part, p.Value.Reveal(), p.Env))
		}
	}
	want := []string{"BINANCE binance id=i FREQTRADE__EXCHANGE__KEY", "BINANCE binance secret=s FREQTRADE__EXCHANGE__SECRET",
		"BINANCE binance passphrase=p FREQTRADE__EXCHANGE__PASSWORD", "telegram.token  =t FREQTRADE__TELEGRAM__TOKEN"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// fuzzRewrite checks that what is rewritten holds references under the names that held
// values, and outside of their places each byte as it was.
func fuzzRewrite(f *testing.F, format string, seeds ...string) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Read(format, data)
		if err != nil {
			_ = err.Error()
			return
		}
		texts := everywhere(file)
		out, err := file.Rewrite(texts)
		if err != nil {
			if !errors.Is(err, ErrMeaning) || out != nil {
				t.Errorf("%v, %q", err, out)
			}
			return
		}
		again, err := Read(format, out)
		if err != nil || len(again.Variables) != len(file.Variables) || len(again.Problems) != len(file.Problems) {
			t.Fatalf("%q became %q: %v, %v", data, out, err, again)
		}
		at, to := 0, 0
		for i, v := range file.Variables {
			w := again.Variables[i]
			text, taken := texts[v.Name]
			if w.Name != v.Name || taken && string(w.Value.Reveal()) != text || !taken && string(w.Value.Reveal()) != string(v.Value.Reveal()) {
				t.Fatalf("%q became %q: %q", data, out, w.Name)
			}
			if !taken {
				continue
			}
			before := string(data[at:v.place.start])
			rest, ok := strings.CutPrefix(string(out[to:]), before)
			if i := strings.Index(rest, text); !ok || i < 0 || i > 1 {
				t.Fatalf("%q became %q: %q moved", data, out, w.Name)
			} else {
				to += len(before) + i + len(text)
				to += i // what was opened is closed
				to += len(v.place.right) - min(i, len(v.place.right))
			}
			at = v.place.end
		}
		if string(data[at:]) != string(out[to:]) {
			t.Fatalf("%q became %q", data, out)
		}
	})
}

func FuzzRewriteDotenv(f *testing.F) {
	fuzzRewrite(f, FormatDotenv, "A=1\nB='2\n3' # x\n", "export C=\"x\\n$Y\"", "\xEF\xBB\xBFA= b\r\n", "A=#\nA=x#y\n")
}

func FuzzRewriteJSON(f *testing.F) {
	fuzzRewrite(f, FormatJSON, `{"a": {"b": "c\n"}, "l": [1, "2", true, null]}`, "// x\n[\"a\",]", "{\"a\":\"1\",\"a\":\"\\ud800\"}", "\xEF\xBB\xBF1")
}

func FuzzRewriteYAML(f *testing.F) {
	fuzzRewrite(f, FormatYAML, "a: b # c\nd:\n- 'e'\n- {f: g}\n", "k: |\n  a\n\n  b\nl: >-\n  c\n", "a: &x y\nb: *x\n<<: {c: !!str d}\n", "a: \"\\\"\"\r\nb: 1\n---\nc: d\n", "- - a\n  - |+ # x\n   b\n\n")
}
