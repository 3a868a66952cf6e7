package report_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/charmbracelet/x/ansi"
	"github.com/xeipuuv/gojsonschema"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/report"
	"github.com/keywright/keywright/secret"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const plain = "not-a-secret-but-a-text-that-stands-for-one"

// hostile is what a file name or an author may hold: terminal escapes, a line
// break, a bidirectional override, a C1 control, DEL, and bytes that are not UTF-8.
const hostile = "a\x1b[31m\nb\u202e\u009b\x7f\xff\u200bc"

func day(d int) time.Time {
	return time.Date(2026, time.March, d, 23, 30, 0, 0, time.FixedZone("", 2*60*60))
}

func id(c string) string { return strings.Repeat(c, 40) }

// sample has every kind of place and every field.
func sample() *scan.Report {
	stripe := &scan.Rule{
		ID: "stripe-secret-key", Provider: "stripe", Title: "Stripe secret key",
		Why:       "Whoever holds it can charge cards and read customers.",
		Fix:       "Roll the key in the dashboard, then put the new one where it is not committed.",
		Reference: "https://docs.stripe.com/keys", Confidence: scan.High,
	}
	aws := &scan.Rule{
		ID: "aws-access-key", Provider: "aws", Title: "AWS access key", Confidence: scan.High,
		Fix: "Make a new key, then delete this one.",
	}
	generic := &scan.Rule{
		ID: "generic-assignment", Provider: "generic", Title: "Secret in an assignment of a long name",
		Why: "It may open anything.", Reference: "docs/rules.md", Confidence: scan.Medium,
	}
	value := secret.New([]byte(plain))
	history := func(d int, path, author string) scan.Place {
		return scan.Place{
			Source: scan.SourceHistory, Path: path, Line: d, Column: 5, EndLine: d, EndColumn: 48,
			Object: id("b"), Commit: id(fmt.Sprintf("%x", d)), Author: author, Email: "a@example.com", Date: day(d), Versions: 1,
		}
	}
	tip := history(2, "config/prod.env", "Ada Lovelace")
	tip.AtTip, tip.Versions = true, 3
	lost := history(3, "notes.txt", "")
	lost.Commit, lost.Date, lost.Unreachable = "", time.Time{}, true
	message := history(4, "", "Grace Brewster Murray Hopper")
	message.Source = scan.SourceMessage
	utf16 := history(5, "deploy/windows/settings-of-the-production-system/config.ini", "Linus")
	utf16.Via = []string{"utf-16"}
	return &scan.Report{
		Version: "0.1.0", RulesDigest: "d1g357", Suppressed: 2, BelowLevel: 3, LocalScope: true,
		Duration: 3900 * time.Millisecond,
		Coverage: scan.Coverage{
			Files: 12, Blobs: 161216, Commits: 81966, Bytes: 5_500_000_000,
			Gaps: []scan.Gap{
				{What: "object " + id("c"), Why: "missing: a partial clone", Hint: "git fetch --refetch"},
				{What: "object " + id("d"), Why: "missing: a partial clone", Hint: "git fetch --refetch"},
				{What: "pack-1234.pack", Why: "truncated"},
			},
			Excluded: []scan.Excluded{{What: "git-lfs content", Count: 1200}, {What: "submodule history", Count: 0}},
		},
		Findings: []scan.Finding{
			{
				Rule: generic, Confidence: scan.Medium, Reasons: []string{"entropy 4.1 bits a byte", "keyword \"password\""},
				Fingerprint: "k1:" + strings.Repeat("1", 32), Redacted: "not…", Secret: value,
				Places: []scan.Place{{Source: scan.SourceFile, Path: "a.go", Line: 3, Column: 1, EndLine: 3, EndColumn: 9, AtTip: true, Versions: 1}},
			},
			{
				Rule: stripe, Confidence: scan.Certain, Proof: scan.Proved, Reasons: []string{"checksum holds"},
				Fingerprint: "k1:" + strings.Repeat("2", 32), Redacted: "not-a-secret…-one", Secret: value,
				Places: []scan.Place{
					tip, lost, message, utf16, history(6, "b.txt", "Ada"), history(7, "c.txt", "Ada"),
				},
			},
			{
				Rule: aws, Confidence: scan.High, Reasons: []string{"the shape is distinctive"},
				Fingerprint: "k1:" + strings.Repeat("3", 32), Redacted: "not-a…-one", Secret: value, PublicID: "account 000000000000",
				Answer: &scan.Answer{Life: scan.Alive, Code: "200", Account: "000000000000"},
				Parts:  []scan.Part{{Role: scan.RoleSecret, Redacted: "not-a…-one"}, {Role: "id", Public: true, Redacted: "AKEXAMPLE"}},
				Places: []scan.Place{
					{Source: scan.SourceStdin, Line: 1, Column: 1, EndLine: 2, EndColumn: 1, Versions: 1},
					{Source: scan.SourceConfig, Path: ".git/config", Line: 7, Column: 9, EndLine: 7, EndColumn: 30, Versions: 1},
					{Source: scan.SourceIndex, Path: "x/y.yml", Line: 1, Column: 2, EndLine: 1, EndColumn: 4, Object: id("e"), AtTip: true, Versions: 1},
				},
			},
			{
				Answer: &scan.Answer{Life: scan.Dead, Code: "401 \x1b[31mBad credentials"},
				Rule:   generic, Confidence: scan.Low, Proof: scan.Failed, Reasons: []string{"edited, truncated or an example"},
				Fingerprint: "k1:" + strings.Repeat("4", 32), Redacted: "not…", Secret: value,
				Places: []scan.Place{history(8, "old.txt", "Ada"), history(9, "older.txt", "Ada"), history(10, "oldest.txt", "Ada"), history(11, "z.txt", "Ada")},
			},
		},
	}
}

// nasty has hostile text wherever text comes from outside.
func nasty() *scan.Report {
	r := sample()
	r.Coverage.Gaps[0].What, r.Coverage.Gaps[0].Why, r.Coverage.Gaps[0].Hint = hostile, hostile, hostile
	for i := range r.Findings {
		f := &r.Findings[i]
		f.Redacted, f.PublicID, f.Reasons = hostile, hostile, []string{hostile}
		f.Parts = []scan.Part{{Role: hostile, Public: true, Redacted: hostile}}
		f.Secret = secret.New([]byte(hostile))
		for j := range f.Places {
			p := &f.Places[j]
			p.Path, p.Author, p.Email, p.Via = hostile, hostile, hostile, []string{hostile}
		}
	}
	return r
}

func write(t *testing.T, format string, r *scan.Report, o report.Options) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := report.Write(&b, format, r, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestGolden(t *testing.T) {
	clean := &scan.Report{Version: "0.1.0", Coverage: scan.Coverage{Files: 1, Bytes: 512}, Duration: 42 * time.Millisecond}
	interrupted := &scan.Report{Interrupted: true, Coverage: scan.Coverage{Blobs: 7, Bytes: 1}, Duration: 63 * time.Second}
	for _, c := range []struct {
		name, format string
		r            *scan.Report
		o            report.Options
	}{
		{"text", report.Text, sample(), report.Options{Level: scan.Medium}},
		{"text-low", report.Text, sample(), report.Options{Level: scan.Low}},
		{"text-certain", report.Text, sample(), report.Options{Level: scan.Certain}},
		{"text-colour", report.Text, sample(), report.Options{Level: scan.Medium, Colour: true}},
		{"text-narrow", report.Text, sample(), report.Options{Width: 40}},
		{"text-wide", report.Text, sample(), report.Options{Width: 120}},
		{"text-verbose", report.Text, sample(), report.Options{Verbose: true}},
		{"text-secrets", report.Text, sample(), report.Options{ShowSecrets: true, Level: scan.High}},
		{"text-nasty", report.Text, nasty(), report.Options{}},
		{"text-clean", report.Text, clean, report.Options{}},
		{"text-interrupted", report.Text, interrupted, report.Options{}},
		{"json", report.JSON, sample(), report.Options{Level: scan.Medium}},
		{"json-secrets", report.JSON, nasty(), report.Options{ShowSecrets: true, Level: scan.Certain}},
		{"json-clean", report.JSON, clean, report.Options{}},
		{"jsonl", report.JSONL, sample(), report.Options{Level: scan.Medium}},
		{"sarif", report.SARIF, sample(), report.Options{Level: scan.Medium}},
		{"sarif-clean", report.SARIF, clean, report.Options{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := write(t, c.format, c.r, c.o)
			file := filepath.Join("testdata", c.name+".golden")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, bytes.ReplaceAll(want, []byte("\r\n"), []byte("\n"))) {
				t.Errorf("not as in %s (-update rewrites it):\n%s", file, got)
			}
		})
	}
}

// The fields are published: a change here is a change of the format.
func TestJSONFields(t *testing.T) {
	r := nasty()
	var got any
	if err := json.Unmarshal(write(t, report.JSON, r, report.Options{ShowSecrets: true}), &got); err != nil {
		t.Fatal(err)
	}
	fields := map[string]bool{}
	collect(fields, "", got)
	want := strings.Fields(`
		schema:number tool:object tool.version:string tool.rules_digest:string state:string
		coverage:object coverage.complete:bool coverage.files:number coverage.blobs:number coverage.commits:number
		coverage.bytes:number coverage.gaps:array coverage.gaps.what:string coverage.gaps.what_base64:string
		coverage.gaps.why:string coverage.gaps.hint:string
		coverage.excluded:array coverage.excluded.what:string coverage.excluded.count:number
		suppressed:number below_level:number fingerprint_scope:string
		findings:array findings.rule:string findings.provider:string findings.title:string findings.confidence:string
		findings.proof:string findings.reasons:array findings.reasons:string findings.fingerprint:string
		findings.public_id:string findings.redacted:string findings.secret:string findings.secret_base64:string
		findings.verified:object findings.verified.state:string findings.verified.code:string findings.verified.account:string
		findings.parts:array findings.parts.role:string findings.parts.public:bool findings.parts.redacted:string
		findings.places:array findings.places.source:string findings.places.path:string findings.places.path_base64:string
		findings.places.via:array findings.places.via:string findings.places.line:number findings.places.column:number
		findings.places.end_line:number findings.places.end_column:number findings.places.object:string
		findings.places.commit:string findings.places.author:string findings.places.email:string findings.places.date:string
		findings.places.at_tip:bool findings.places.unreachable:bool findings.places.versions:number`)
	for _, f := range want {
		if !fields[f] {
			t.Errorf("%s is missing", f)
		}
		delete(fields, f)
	}
	for f := range fields {
		t.Errorf("%s is not documented here", f)
	}
}

func collect(fields map[string]bool, path string, v any) {
	kind := map[reflect.Kind]string{
		reflect.String: "string", reflect.Float64: "number", reflect.Bool: "bool", reflect.Map: "object", reflect.Slice: "array",
	}[reflect.ValueOf(v).Kind()]
	if path != "" {
		fields[path+":"+kind] = true
	}
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			collect(fields, strings.TrimPrefix(path+"."+k, "."), x)
		}
	case []any:
		for _, x := range v {
			if _, isObject := x.(map[string]any); isObject {
				for k, y := range x.(map[string]any) {
					collect(fields, path+"."+k, y)
				}
				continue
			}
			collect(fields, path, x)
		}
	}
}

// Without anything to say the optional fields are absent and no list is null.
func TestJSONOptional(t *testing.T) {
	got := string(write(t, report.JSON, &scan.Report{Findings: []scan.Finding{{
		Rule: &scan.Rule{ID: "r"}, Confidence: scan.High, Places: []scan.Place{{}},
	}}}, report.Options{}))
	for _, absent := range []string{"null", "base64", "below_level", "fingerprint_scope", "hint", "secret"} {
		if strings.Contains(got, absent) {
			t.Errorf("%s in %s", absent, got)
		}
	}
}

func TestJSONPathIsExact(t *testing.T) {
	for _, path := range []string{"plain.txt", "ümlaut\u202e\n\"\\.txt", hostile, "\xff\xfe", "\u2028<&>\x00"} {
		r := sample()
		r.Findings[0].Places[0].Path = path
		r.Findings = r.Findings[:1]
		var got struct {
			Findings []struct {
				Places []struct {
					Path   string
					Base64 []byte `json:"path_base64"`
				}
			}
		}
		if err := json.Unmarshal(write(t, report.JSON, r, report.Options{}), &got); err != nil {
			t.Fatal(err)
		}
		p := got.Findings[0].Places[0]
		exact := p.Path
		if p.Base64 != nil {
			exact = string(p.Base64)
		}
		if exact != path {
			t.Errorf("%q comes back as %q", path, exact)
		}
	}
}

func TestJSONLIsJSONInLines(t *testing.T) {
	lines := bytes.Split(bytes.TrimSuffix(write(t, report.JSONL, sample(), report.Options{}), []byte("\n")), []byte("\n"))
	if len(lines) != len(sample().Findings)+1 {
		t.Fatalf("%d lines", len(lines))
	}
	var whole, last map[string]any
	if err := json.Unmarshal(write(t, report.JSON, sample(), report.Options{}), &whole); err != nil {
		t.Fatal(err)
	}
	for i, want := range whole["findings"].([]any) {
		var got any
		if err := json.Unmarshal(lines[i], &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("line %d: %v, %s", i, err, lines[i])
		}
	}
	delete(whole, "findings")
	if err := json.Unmarshal(lines[len(lines)-1], &last); err != nil || !reflect.DeepEqual(last, whole) {
		t.Errorf("last line: %v, %s", err, lines[len(lines)-1])
	}
}

// sarifLog is what of SARIF the tests look at.
type sarifLog struct {
	Runs []struct {
		Tool struct {
			Driver struct {
				Rules []struct {
					ID   string
					Help struct{ Text string }
				}
			}
		}
		Results []sarifResult
	}
}

type sarifResult struct {
	RuleID                      string
	RuleIndex                   int
	Locations, RelatedLocations []struct {
		PhysicalLocation struct {
			ArtifactLocation struct{ URI string }
			Region           struct{ StartLine, StartColumn, EndLine, EndColumn int }
		}
	}
	PartialFingerprints map[string]string
}

func parseSARIF(t *testing.T, text []byte) (log sarifLog) {
	t.Helper()
	if err := json.Unmarshal(text, &log); err != nil {
		t.Fatal(err)
	}
	return log
}

// sarifSchema is the one that OASIS published with the standard. It allows no
// properties but its own.
func sarifSchema(t *testing.T) *gojsonschema.Schema {
	t.Helper()
	text, err := os.ReadFile("testdata/sarif-schema-2.1.0.json")
	if err != nil {
		t.Fatal(err)
	}
	schema, err := gojsonschema.NewSchema(gojsonschema.NewBytesLoader(text))
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func TestSARIFIsValid(t *testing.T) {
	schema := sarifSchema(t)
	odd := nasty()
	odd.Findings[0].Places[0] = scan.Place{Source: scan.SourceStdin} // line and column 0
	odd.Interrupted = true
	for name, r := range map[string]*scan.Report{"sample": sample(), "odd": odd, "empty": {}} {
		t.Run(name, func(t *testing.T) {
			text := write(t, report.SARIF, r, report.Options{})
			result, err := schema.Validate(gojsonschema.NewBytesLoader(text))
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range result.Errors() {
				t.Error(e)
			}
			log := parseSARIF(t, text)
			if log.Runs[0].Results == nil {
				t.Error("no results at all: that says that nothing was scanned")
			}
			for _, res := range log.Runs[0].Results {
				checkResult(t, log, res)
			}
		})
	}
}

// checkResult asks what code scanning asks beside the schema.
func checkResult(t *testing.T, log sarifLog, res sarifResult) {
	t.Helper()
	if rule := log.Runs[0].Tool.Driver.Rules[res.RuleIndex]; rule.ID != res.RuleID || rule.Help.Text == "" {
		t.Errorf("result of %s points to rule %s", res.RuleID, rule.ID)
	}
	if len(res.Locations) != 1 || len(res.PartialFingerprints) != 2 {
		t.Errorf("%d locations, %d fingerprints", len(res.Locations), len(res.PartialFingerprints))
	}
	for _, loc := range slices.Concat(res.Locations, res.RelatedLocations) {
		g := loc.PhysicalLocation.Region
		if g.StartLine < 1 || g.StartColumn < 1 || g.EndLine < g.StartLine || g.EndColumn < 1 ||
			g.EndLine == g.StartLine && g.EndColumn <= g.StartColumn {
			t.Errorf("region %d:%d to %d:%d", g.StartLine, g.StartColumn, g.EndLine, g.EndColumn)
		}
		if u := loc.PhysicalLocation.ArtifactLocation.URI; u == "" || strings.ContainsAny(u, ": \\?#\n\x1b") || strings.HasPrefix(u, "/") {
			t.Errorf("URI %q", u)
		}
	}
}

func TestSARIFPlaces(t *testing.T) {
	r := sample()
	f := &r.Findings[0]
	f.Places = []scan.Place{{Source: scan.SourceHistory, Path: "b", Line: 1}, {Source: scan.SourceFile, Path: "d/ö %41?#:\xff", Line: 1}}
	for range 2000 {
		f.Places = append(f.Places, f.Places[0])
	}
	r.Findings = r.Findings[:1]
	res := parseSARIF(t, write(t, report.SARIF, r, report.Options{})).Runs[0].Results[0]
	const want = "d/%C3%B6%20%2541%3F%23%3A%FF"
	if got := res.Locations[0].PhysicalLocation.ArtifactLocation.URI; got != want {
		t.Errorf("the nearest place is %s, want %s", got, want)
	}
	if n := len(res.Locations) + len(res.RelatedLocations); n != 1000 {
		t.Errorf("%d locations, want the 1,000 that GitHub takes", n)
	}
}

func TestNothingUnprintable(t *testing.T) {
	for _, format := range report.Formats() {
		for _, o := range []report.Options{{}, {ShowSecrets: true, Verbose: true}} {
			out := string(write(t, format, nasty(), o))
			for i, r := range out {
				if r != '\n' && r != '\uFFFD' && !unicode.IsPrint(r) {
					t.Fatalf("%s: %U at %d: %q", format, r, i, out[max(0, i-40):i+10])
				}
			}
		}
	}
}

func TestRedacted(t *testing.T) {
	encoded := base64.StdEncoding.EncodeToString([]byte(plain))
	for _, format := range report.Formats() {
		out := string(write(t, format, sample(), report.Options{Verbose: true}))
		if strings.Contains(out, plain) || strings.Contains(out, encoded) {
			t.Errorf("%s shows the secret", format)
		}
		out = string(write(t, format, sample(), report.Options{ShowSecrets: true}))
		if strings.Count(out, plain) != len(sample().Findings) {
			t.Errorf("%s does not show each secret once when asked", format)
		}
	}
}

func TestSecretOfSeveralLines(t *testing.T) {
	r := sample()
	r.Findings = r.Findings[:1]
	r.Findings[0].Secret = secret.New([]byte("first\r\nsec\x1bond\nthird\n"))
	out := string(write(t, report.Text, r, report.Options{ShowSecrets: true}))
	if want := "\n    first\n    sec\\x1bond\n    third\n  entropy"; !strings.Contains(out, want) {
		t.Errorf("%q not in:\n%s", want, out)
	}
}

func TestOrderOfFindingsMakesNoDifference(t *testing.T) {
	for _, format := range report.Formats() {
		want := write(t, format, sample(), report.Options{})
		for seed := range uint64(10) {
			r := sample()
			rand.New(rand.NewPCG(seed, 0)).Shuffle(len(r.Findings), func(i, j int) {
				r.Findings[i], r.Findings[j] = r.Findings[j], r.Findings[i]
			})
			if got := write(t, format, r, report.Options{}); !bytes.Equal(got, want) {
				t.Errorf("%s: seed %d gives another report", format, seed)
			}
		}
	}
}

func TestReportIsNotChanged(t *testing.T) {
	r, same := sample(), sample()
	for _, format := range report.Formats() {
		write(t, format, r, report.Options{Level: scan.High})
	}
	for i := range r.Findings {
		r.Findings[i].Secret, same.Findings[i].Secret = secret.Value{}, secret.Value{}
	}
	if !reflect.DeepEqual(r, same) {
		t.Error("the report has changed")
	}
}

func TestTextFits(t *testing.T) {
	for _, width := range []int{40, 60, 80, 100, 200} {
		for _, colour := range []bool{false, true} {
			out := string(write(t, report.Text, sample(), report.Options{Width: width, Colour: colour, Verbose: true}))
			for line := range strings.Lines(out) {
				line = strings.TrimSuffix(line, "\n")
				if strings.TrimRight(line, " ") != line {
					t.Errorf("trailing space: %q", line)
				}
				// Nothing that is there to be copied is cut, and the summary is one line.
				words := slices.MaxFunc(strings.Fields(line+" x"), func(a, b string) int { return len(a) - len(b) })
				if w := ansi.StringWidth(line); w > width && len(words) < width-10 && !strings.Contains(line, "blobs") {
					t.Errorf("%d columns of %d: %q", w, width, line)
				}
			}
		}
	}
}

func TestColourIsTheOnlyDifference(t *testing.T) {
	coloured := write(t, report.Text, sample(), report.Options{Colour: true})
	if got, want := ansi.Strip(string(coloured)), string(write(t, report.Text, sample(), report.Options{})); got != want {
		t.Errorf("%s\nis not\n%s", got, want)
	}
}

func TestManyGaps(t *testing.T) {
	r := &scan.Report{}
	for i := range 1500 {
		r.Coverage.Gaps = append(r.Coverage.Gaps, scan.Gap{What: fmt.Sprintf("object %d", i), Why: "missing", Hint: "fetch it"})
	}
	short := string(write(t, report.Text, r, report.Options{}))
	if strings.Count(short, "object ") != 10 || strings.Count(short, "fetch it") != 1 ||
		!strings.Contains(short, "1,490 more") || !strings.HasSuffix(short, "incomplete: 1,500 gaps\n") {
		t.Error(short)
	}
	if long := string(write(t, report.Text, r, report.Options{Verbose: true})); strings.Count(long, "object ") != 1500 {
		t.Error("not every gap is named")
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestErrors(t *testing.T) {
	if err := report.Write(&bytes.Buffer{}, "xml", sample(), report.Options{}); err == nil || !strings.Contains(err.Error(), "sarif") {
		t.Errorf("an unknown format gives %v", err)
	}
	for _, format := range report.Formats() {
		if err := report.Write(broken{}, format, sample(), report.Options{}); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s: a closed writer gives %v", format, err)
		}
	}
}

func TestEscape(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"plain/path.go", "plain/path.go"},
		{"größe/日本語.txt", "größe/日本語.txt"},
		{"a\nb\tc\rd", `a\nb\tc\rd`},
		{"\x1b]0;title\x07", `\x1b]0;title\x07`},
		{"\xff\xc3", `\xff\xc3`},
		{"user\u202etxt.exe", `user\u202etxt.exe`},
		{"\u009b31m\u00a0\u200b\ufeff", `\u009b31m\u00a0\u200b\ufeff`},
		{"\U000e0041", `\U000e0041`},
		{"\uFFFD", "\uFFFD"},
	} {
		if got := report.Escape(c.in); got != c.want {
			t.Errorf("Escape(%q) = %s, want %s", c.in, got, c.want)
		}
	}
}

func FuzzEscape(f *testing.F) {
	f.Add(hostile)
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range report.Escape(s) {
			if !unicode.IsPrint(r) {
				t.Errorf("%U is left of %q", r, s)
			}
		}
	})
}

// FuzzJSON checks that what makes JSON safe to print does not change its meaning.
func FuzzJSON(f *testing.F) {
	f.Add(hostile)
	f.Add("\U000e0041\\u0041\"")
	f.Fuzz(func(t *testing.T, s string) {
		r := sample()
		r.Findings = r.Findings[:1]
		r.Findings[0].Places[0].Path = s
		out := write(t, report.JSON, r, report.Options{})
		var got struct {
			Findings []struct {
				Places []struct {
					Path   string
					Base64 []byte `json:"path_base64"`
				}
			}
		}
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatal(err)
		}
		if p := got.Findings[0].Places[0]; p.Path != s && string(p.Base64) != s {
			t.Errorf("%q comes back as %q", s, p.Path)
		}
	})
}
