package cmd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/keywright/keywright/rotate"
	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/gitrepo"
)

// screen is a terminal of buffers.
type screen struct {
	terminal
	stdout, stderr bytes.Buffer
}

func newScreen() *screen {
	s := &screen{}
	s.terminal = terminal{in: strings.NewReader(""), out: &s.stdout, err: &s.stderr, width: 80, errWidth: 80}
	return s
}

// runWith runs scan with a stand-in for the pipeline, which gets the job.
func runWith(s *screen, r *scan.Report, fail error, args ...string) (scanJob, int) {
	var got scanJob
	scanning := func(_ context.Context, _ *terminal, job scanJob) (*scan.Report, error) {
		got = job
		return r, fail
	}
	c := newScan(&s.terminal, scanning)
	c.SilenceErrors, c.SilenceUsage = true, true
	c.SetFlagErrorFunc(flagError)
	c.SetOut(&s.stdout)
	c.SetArgs(args)
	return got, conclude(&s.terminal, c.ExecuteContext(context.Background()))
}

func TestExplain(t *testing.T) {
	for _, tt := range []struct {
		name          string
		err           error
		message, hint string
		code          int
	}{
		{"none", nil, "", "", 0},
		{"findings", outcome(exitFindings), "", "", 1},
		{"wrapped outcome", fmt.Errorf("x: %w", outcome(exitIncomplete)), "", "", 3},
		{"usage", usagef("do that", "wrong %d", 1), "wrong 1", "do that", 2},
		{"wrapped usage", fmt.Errorf("scan: %w", usagef("do that", "wrong")), "scan: wrong", "do that", 2},
		{"no repository", fmt.Errorf("x: %w", gitrepo.ErrNotRepository), "x: not a git repository", "run it in a repository, or scan files alone: keywright scan PATH", 2},
		{"unknown revision", fmt.Errorf("x: %w", &gitrepo.RevisionError{Revision: "r", Reason: "why", Hint: "do that"}), `x: revision "r": why`, "do that", 2},
		{"step", &rotate.StepError{ID: "r1", Key: "prod/A", Step: rotate.Step{Name: rotate.Close}, Err: rotate.ErrIrrevocable, Hint: "do that"}, "rotate prod/A: close: the old key may be gone already: it can only go on", "do that", 4},
		{"failure", errors.New("it broke"), "it broke", "", 4},
		{"interrupted", fmt.Errorf("scan: %w", context.Canceled), "interrupted", "", 130},
		{"interrupted step", &rotate.StepError{ID: "r1", Key: "prod/A", Err: context.Canceled, Hint: "do that"}, "interrupted", "do that", 130},
		{"interrupted question", hintedError{context.Canceled, "do that"}, "interrupted", "do that", 130},
		{"closed pipe", fmt.Errorf("write: %w", &fs.PathError{Op: "write", Path: "1", Err: syscall.EPIPE}), "", "", 0},
		{"disk full", &fs.PathError{Op: "write", Path: "f", Err: syscall.ENOSPC}, "write f: " + syscall.ENOSPC.Error(), "make room on that disk and try again", 4},
	} {
		message, hint, code := explain(tt.err)
		if message != tt.message || hint != tt.hint || code != tt.code {
			t.Errorf("%s: got (%q, %q, %d), want (%q, %q, %d)", tt.name, message, hint, code, tt.message, tt.hint, tt.code)
		}
	}
}

func TestErrorsAreEscaped(t *testing.T) {
	s := newScreen()
	conclude(&s.terminal, usagef("look at \x1b[2J", "no file \x1b[31m"))
	if got, want := s.stderr.String(), "keywright: error: no file \\x1b[31m\nkeywright: hint: look at \\x1b[2J\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestScanFlags(t *testing.T) {
	dir := t.TempDir()
	base := scanJob{path: "."}
	with := func(change func(*scanJob)) scanJob {
		job := base
		change(&job)
		return job
	}
	for _, tt := range []struct {
		args []string
		want scanJob
	}{
		{nil, base},
		{[]string{dir}, with(func(j *scanJob) { j.path = dir })},
		{[]string{"-"}, with(func(j *scanJob) { j.mode = scanStdin })},
		{[]string{"--stdin"}, with(func(j *scanJob) { j.mode = scanStdin })},
		{[]string{"--staged"}, with(func(j *scanJob) { j.mode = scanStaged })},
		{[]string{"--no-history"}, with(func(j *scanJob) { j.mode = scanFiles })},
		{[]string{"--history-only", "--since", "2026-01-01"}, with(func(j *scanJob) { j.mode, j.since = scanHistory, time.Date(2026, 1, 1, 0, 0, 0, 0, time.Local) })},
		{[]string{"--range", "main..HEAD"}, with(func(j *scanJob) { j.mode, j.revisions = scanRange, "main..HEAD" })},
		{[]string{"--range", "main.."}, with(func(j *scanJob) { j.mode, j.revisions = scanRange, "main.." })},
		{[]string{"--exclude", "a,b", "--exclude", "c"}, with(func(j *scanJob) { j.exclude = []string{"a,b", "c"} })},
		{[]string{"--rules", "a,-b"}, with(func(j *scanJob) { j.rules = []string{"a", "-b"} })},
		{[]string{"--confidence", "low", "--max-memory", "1g", "--no-ignore", "--no-cache"}, with(func(j *scanJob) { j.level, j.maxMemory, j.noIgnore, j.noCache = scan.Low, 1<<30, true, true })},
	} {
		s := newScreen()
		if got, code := runWith(s, &scan.Report{}, nil, tt.args...); code != 0 || !reflect.DeepEqual(fill(got), fill(tt.want)) {
			t.Errorf("%q: exit %d, %s\ngot  %+v\nwant %+v", tt.args, code, s.stderr.String(), got, tt.want)
		}
	}
}

// fill makes empty and absent lists the same.
func fill(j scanJob) scanJob {
	j.rules = append([]string{}, j.rules...)
	j.exclude = append([]string{}, j.exclude...)
	return j
}

func TestScanRefuses(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct {
		args []string
		hint string // part of it
	}{
		{[]string{"--no-history", "--history-only"}, "leave out both"},
		{[]string{"--staged", "--range", "a..b"}, "give one"},
		{[]string{"--staged", "--no-history"}, "--staged alone"},
		{[]string{"--range", "a..b", "--history-only"}, "--range alone"},
		{[]string{"--staged", "--since", "2026-01-01"}, "leave out --staged"},
		{[]string{"--no-history", "--since", "2026-01-01"}, "leave out --no-history"},
		{[]string{"-", "--staged"}, "give one"},
		{[]string{"--stdin", dir}, "leave out"},
		{[]string{"--range", "main"}, "--range main..HEAD"},
		{[]string{"--range", "main", "HEAD"}, "--range main..HEAD"},
		{[]string{"a", "b"}, "one after the other"},
		{[]string{""}, "give no path"},
		{[]string{filepath.Join(dir, "none")}, "check the path"},
		{[]string{"--confidence", "hihg"}, "--confidence high"},
		{[]string{"--format", "xml"}, "text, json, jsonl, sarif"},
		{[]string{"--max-memory", "lots"}, "512MiB"},
		{[]string{"--since", "yesterday"}, "an age"},
		{[]string{"--json"}, "--format json"},
		{[]string{"--report-path", "x"}, "--output"},
		{[]string{"--redact"}, "always redacted"},
		{[]string{"--frobnicate"}, "scan --help"},
		{[]string{"--range"}, "scan --help"},
		{[]string{"-o", dir}, "give a file in it"},
		{[]string{"-o", filepath.Join(dir, "none", "f")}, "make the directory"},
	} {
		s := newScreen()
		_, code := runWith(s, &scan.Report{}, nil, tt.args...)
		got := s.stderr.String()
		if _, hint, ok := strings.Cut(got, "\nkeywright: hint: "); code != exitUsage || !ok || !strings.Contains(hint, tt.hint) {
			t.Errorf("%q: exit %d, want 2 and the hint %q, got %s", tt.args, code, tt.hint, got)
		}
		if s.stdout.Len() > 0 {
			t.Errorf("%q: prints %q", tt.args, s.stdout.String())
		}
	}
}

func TestExitCodes(t *testing.T) {
	finding := []scan.Finding{{Rule: &scan.Rule{ID: "r"}, Places: []scan.Place{{Path: "f", Line: 1, Column: 1}}}}
	gaps := scan.Coverage{Gaps: []scan.Gap{{What: "f", Why: "gone"}}}
	for _, tt := range []struct {
		name   string
		report scan.Report
		fail   error
		args   []string
		want   int
	}{
		{"clean", scan.Report{}, nil, nil, 0},
		{"findings", scan.Report{Findings: finding}, nil, nil, 1},
		{"findings and gaps", scan.Report{Findings: finding, Coverage: gaps}, nil, nil, 1},
		{"findings and gaps, allowed", scan.Report{Findings: finding, Coverage: gaps}, nil, []string{"--allow-incomplete"}, 1},
		{"gaps", scan.Report{Coverage: gaps}, nil, nil, 3},
		{"gaps, allowed", scan.Report{Coverage: gaps}, nil, []string{"--allow-incomplete"}, 0},
		{"interrupted", scan.Report{Findings: finding, Interrupted: true}, nil, nil, 130},
		{"failed", scan.Report{}, errors.New("it broke"), nil, 4},
		{"canceled", scan.Report{}, context.Canceled, nil, 130},
	} {
		s := newScreen()
		if _, got := runWith(s, &tt.report, tt.fail, tt.args...); got != tt.want {
			t.Errorf("%s: exit %d, want %d: %s", tt.name, got, tt.want, s.stderr.String())
		}
		if tt.fail == nil && s.stdout.Len() == 0 {
			t.Errorf("%s: no report", tt.name)
		}
	}
}

// closedWriter is standard output whose reader has gone.
type closedWriter struct{}

func (closedWriter) Write([]byte) (int, error) {
	return 0, &fs.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.EPIPE}
}

func TestClosedOutputIsQuiet(t *testing.T) {
	s := newScreen()
	s.out = closedWriter{}
	finding := scan.Finding{Rule: &scan.Rule{ID: "r"}, Places: []scan.Place{{Path: "f", Line: 1, Column: 1}}}
	if _, code := runWith(s, &scan.Report{Findings: []scan.Finding{finding}}, nil); code != 1 || s.stderr.Len() > 0 {
		t.Errorf("exit %d, want what was found; stderr %q", code, s.stderr.String())
	}
}

func TestOutputFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "report.json")
	s := newScreen()
	if _, code := runWith(s, &scan.Report{}, nil, "--format", "json", "-o", name); code != 0 || s.stdout.Len() > 0 {
		t.Fatalf("exit %d, stdout %q, stderr %q", code, s.stdout.String(), s.stderr.String())
	}
	if content, err := os.ReadFile(name); err != nil || !strings.Contains(string(content), `"schema"`) {
		t.Errorf("got %q, %v", content, err)
	}
	entries, _ := os.ReadDir(filepath.Dir(name))
	if len(entries) != 1 {
		t.Errorf("%d files, want the report alone", len(entries))
	}
}

func TestReplaceFileKeepsTheOldOnFailure(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err := replaceFile(name, 0o600, func(w io.Writer) error {
		io.WriteString(w, "half of the n")
		return broken
	})
	content, _ := os.ReadFile(name)
	entries, _ := os.ReadDir(filepath.Dir(name))
	if !errors.Is(err, broken) || string(content) != "old" || len(entries) != 1 {
		t.Errorf("got %v, content %q, %d files", err, content, len(entries))
	}
	if err := replaceFile(name, 0o600, func(w io.Writer) error { _, err := io.WriteString(w, "new"); return err }); err != nil {
		t.Error(err)
	}
	if content, _ := os.ReadFile(name); string(content) != "new" {
		t.Errorf("content %q, want the new", content)
	}
}

func TestRoot(t *testing.T) {
	for _, tt := range []struct {
		args     []string
		code     int
		out, err string // parts
	}{
		{nil, 0, "Available Commands", ""},
		{[]string{"--help"}, 0, "EXIT STATUS", ""},
		{[]string{"help", "scan"}, 0, "EXIT STATUS", ""},
		{[]string{"scan", "--help"}, 0, "--staged", ""},
		{[]string{"version"}, 0, "keywright ", ""},
		{[]string{"version", "x"}, 2, "", "takes no argument"},
		{[]string{"scna"}, 2, "", "did you mean 'keywright scan'?"},
		{[]string{"help", "scna"}, 2, "", "did you mean 'keywright scan'?"},
		{[]string{"cmd_test.go"}, 2, "", "to scan it: keywright scan"},
		{[]string{"--frobnicate"}, 2, "", "unknown flag"},
		{[]string{"completion", "bash"}, 0, "keywright", ""},
		{[]string{"__complete", "scan", "--format", "s"}, 0, "sarif", "Completion ended"},
		{[]string{"__complete", "scan", "--rules", "gith"}, 0, "github-pat", "Completion ended"},
	} {
		s := newScreen()
		code := run(context.Background(), &s.terminal, tt.args)
		if code != tt.code || !strings.Contains(s.stdout.String(), tt.out) || !strings.Contains(s.stderr.String(), tt.err) {
			t.Errorf("%q: exit %d, stdout %.200q, stderr %q", tt.args, code, s.stdout.String(), s.stderr.String())
		}
		if tt.err == "" && s.stderr.Len() > 0 {
			t.Errorf("%q: stderr %q", tt.args, s.stderr.String())
		}
	}
}

func TestHelpFitsTheScreen(t *testing.T) {
	var check func(c *cobra.Command)
	check = func(c *cobra.Command) {
		if c.Name() == "completion" {
			return // Cobra's own words
		}
		s := newScreen()
		c.SetOut(&s.stdout)
		if err := c.Help(); err != nil {
			t.Fatal(err)
		}
		checkWidth(t, c.CommandPath(), s.stdout.String())
		for _, sub := range c.Commands() {
			check(sub)
		}
	}
	check(newRoot(&newScreen().terminal))
}

// checkWidth wants a text to fit a screen of 80 columns.
func checkWidth(t *testing.T, what, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 {
			t.Errorf("%s: %d columns: %s", what, n, line)
		}
	}
}

func TestEveryCommandListsItsExitStatus(t *testing.T) {
	var check func(*cobra.Command)
	check = func(c *cobra.Command) {
		if strings.Count(c.Long, exitStatus) != 1 {
			t.Errorf("%s: the help does not list the exit codes once", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			check(sub)
		}
	}
	check(newRoot(&newScreen().terminal))
}

func TestParseSince(t *testing.T) {
	zone := time.FixedZone("", 3600)
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, zone)
	for in, want := range map[string]time.Time{
		"2026-01-31":           time.Date(2026, 1, 31, 0, 0, 0, 0, zone),
		"2026-01-31 15:04":     time.Date(2026, 1, 31, 15, 4, 0, 0, zone),
		"2026-01-31T15:04:05Z": time.Date(2026, 1, 31, 15, 4, 5, 0, time.UTC),
		"36h":                  now.Add(-36 * time.Hour),
		"14d":                  now.AddDate(0, 0, -14),
		"2w":                   now.AddDate(0, 0, -14),
	} {
		if got, err := parseSince(in, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: got %v, %v, want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "yesterday", "2026-13-01", "-3d", "d", "3", "3dd", "99999999999999w", "1y"} {
		if got, err := parseSince(in, now); err == nil {
			t.Errorf("%q: got %v, want an error", in, got)
		}
	}
}

func TestProgress(t *testing.T) {
	var out bytes.Buffer
	clock := time.Unix(0, 0)
	p := &progress{out: &out, width: 40, now: func() time.Time { return clock }, next: clock.Add(progressDelay)}
	p.show("reading", "objects", 1, 1000)
	p.clear()
	if out.Len() > 0 {
		t.Errorf("at once: %q", out.String())
	}
	clock = clock.Add(time.Second)
	p.show("reading", "objects", 500, 12345)
	p.show("reading", "objects", 501, 12345) // too soon
	if got, want := out.String(), "\rreading    4 %  500 of 12,345 objects\x1b[K"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	out.Reset()
	p.clear()
	if got, want := out.String(), "\r\x1b[K"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	out.Reset()
	clock = clock.Add(time.Second)
	p.show(strings.Repeat("long ", 20), "objects", 7, 0)
	if n := out.Len() - len("\r\x1b[K"); n != 39 {
		t.Errorf("a line of %d columns on a terminal of 40", n)
	}
	if newProgress(&newScreen().terminal) != nil {
		t.Error("progress without a terminal")
	}
	var none *progress
	none.show("reading", "objects", 1, 2)
	none.clear()
}

func TestColour(t *testing.T) {
	for _, tt := range []struct {
		tty, environment bool
		args             []string
		want             bool
	}{
		{true, false, nil, true},
		{true, true, nil, false},
		{true, false, []string{"--no-color"}, false},
		{false, false, nil, false},
	} {
		s := newScreen()
		s.outTTY, s.noColour = tt.tty, tt.environment
		run(context.Background(), &s.terminal, append(tt.args, "version"))
		if got := s.colour(); got != tt.want {
			t.Errorf("%+v: got %v", tt, got)
		}
	}
}
