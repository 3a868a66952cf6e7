package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"filippo.io/age"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/keywright/keywright/cmd"
	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/match"
	"github.com/keywright/keywright/scan/rules"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"keywright": func() { os.Exit(cmd.Main()) },
	})
}

// TestScript runs testdata/script, which specifies the command line: one behaviour
// a script, headed by a line that says which. Beside the commands of testscript
// there are
//
//	exits CODE program args...  runs a program that must end with this code
//	sample RULE FILE [SEED]     writes a text that the rule finds, made at run time,
//	                            one line if that is enough, and sets $SECRET to the
//	                            secret in it
//	! sample RULE FILE [SEED]   writes one whose proof fails
//	wide FILE                   makes UTF-16 of a file
//	repeat COUNT TEXT FILE      writes a text many times
//	named FILE NAME             copies a file; the name is a Go string literal
//	identity                    keeps keys in a file that is encrypted to a new identity
//	enrol                       enrols an authenticator (Linux), and sets $RECOVERY0 to
//	                            $RECOVERY9 to its recovery codes
//	code PERIODS FILE LINE...   writes lines and its code of so many periods from now
func TestScript(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Fatal("the scripts need git")
	}
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		Setup:               isolate,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("TESTSCRIPT_UPDATE") != "",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    exits,
			"sample":   sample,
			"wide":     wide,
			"repeat":   repeat,
			"named":    named,
			"identity": identity,
			"enrol":    enrol,
			"code":     code,
		},
		Condition: condition,
	})
}

// isolate keeps a script away from the user's files, configuration and clock.
func isolate(env *testscript.Env) error {
	home := filepath.Join(env.WorkDir, ".home")
	if err := os.MkdirAll(home, 0o755); err != nil {
		return err
	}
	config := filepath.Join(home, "gitconfig")
	const gitConfig = `[user]
	name = Ada
	email = ada@example.com
[init]
	defaultBranch = main
[core]
	autocrlf = false
[gc]
	auto = 0
[advice]
	detachedHead = false
[protocol "file"]
	allow = always
`
	if err := os.WriteFile(config, []byte(gitConfig), 0o644); err != nil {
		return err
	}
	for variable, value := range map[string]string{
		"HOME": home, "USERPROFILE": home, "XDG_CACHE_HOME": filepath.Join(home, "cache"),
		"XDG_CONFIG_HOME": filepath.Join(home, "config"), "LocalAppData": filepath.Join(home, "cache"),
		"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": config, "GIT_TERMINAL_PROMPT": "0",
		"GIT_AUTHOR_DATE": "2026-03-02T10:00:00+01:00", "GIT_COMMITTER_DATE": "2026-03-02T10:00:00+01:00",
		"GIT_CEILING_DIRECTORIES": filepath.Dir(env.WorkDir),
		"TZ":                      "UTC", "LC_ALL": "C", "TERM": "xterm",
	} {
		env.Setenv(variable, value)
	}
	return nil
}

func condition(name string) (bool, error) {
	switch name {
	case "root":
		return os.Geteuid() == 0, nil
	case "modes": // files have permissions that chmod sets
		return runtime.GOOS != "windows", nil
	}
	return false, fmt.Errorf("unknown condition %q", name)
}

// exits runs a program that must end with the given code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE program args...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	switch err := ts.Exec(args[1], args[2:]...); {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("run %s: %v", args[1], err)
	}
	if got != want {
		ts.Fatalf("%s: exit code %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// sample writes a text that a rule finds.
func sample(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: [!] sample RULE FILE [SEED]")
	}
	seed := uint64(1)
	if len(args) == 3 {
		var err error
		seed, err = strconv.ParseUint(args[2], 10, 64)
		ts.Check(err)
	}
	text, secret, err := makeSample(args[0], seed, neg)
	ts.Check(err)
	name := ts.MkAbs(args[1])
	ts.Check(os.MkdirAll(filepath.Dir(name), 0o755))
	ts.Check(os.WriteFile(name, text, 0o644))
	ts.Setenv("SECRET", secret)
}

// makeSample makes the first text that a rule must match, or the first whose proof
// fails, and finds the secret in it.
func makeSample(id string, seed uint64, failed bool) (text []byte, secret string, err error) {
	all := rules.All()
	i := slices.IndexFunc(all, func(r *scan.Rule) bool { return r.ID == id })
	if i < 0 {
		return nil, "", fmt.Errorf("no rule is called %s", id)
	}
	r, g := all[i], scan.NewGen(seed)
	samples := scan.Samples{Match: []string{""}}
	switch {
	case r.Samples != nil:
		samples = r.Samples(g)
	case r.Expr != "":
		samples.Match[0] = g.Expr(r.Expr)
	}
	chosen := samples.Match
	if failed {
		chosen = samples.Failed
	}
	if len(chosen) == 0 {
		return nil, "", fmt.Errorf("rule %s has no such sample", id)
	}
	engine, err := match.New([]*scan.Rule{r})
	if err != nil {
		return nil, "", err
	}
	find := func(text []byte) string {
		for _, v := range engine.Whole(&match.Scratch{}, text).Verdicts() {
			return string(text[v.Secret().Start:v.Secret().End])
		}
		return ""
	}
	text = append(bytes.TrimRight([]byte(chosen[0]), "\n"), '\n')
	secret = find(text)
	if secret == "" {
		return nil, "", fmt.Errorf("rule %s does not find its sample", id)
	}
	for line := range bytes.Lines(text) {
		if bytes.Contains(line, []byte(secret)) && find(line) == secret {
			return line, secret, nil // one line is enough
		}
	}
	return text, secret, nil
}

// wide makes UTF-16 with a byte order mark of a file.
func wide(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: wide FILE")
	}
	out := []byte{0xff, 0xfe}
	for _, unit := range utf16.Encode([]rune(ts.ReadFile(args[0]))) {
		out = binary.LittleEndian.AppendUint16(out, unit)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), out, 0o644))
}

// repeat writes a text, a Go string literal without its quotes, many times.
func repeat(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: repeat COUNT TEXT FILE")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	text, err := strconv.Unquote(`"` + args[1] + `"`)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), bytes.Repeat([]byte(text), n), 0o644))
}

// named copies a file to a name that is given as a Go string literal without its
// quotes.
func named(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: named FILE NAME")
	}
	name, err := strconv.Unquote(`"` + args[1] + `"`)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(name), []byte(ts.ReadFile(args[0])), 0o644))
}

// identity makes keys be kept in a file, encrypted to an identity that is made here.
func identity(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: identity")
	}
	id, err := age.GenerateX25519Identity()
	ts.Check(err)
	home := ts.MkAbs(".home/keys")
	ts.Check(os.MkdirAll(home, 0o700))
	file := ts.MkAbs(".home/identity")
	ts.Check(os.WriteFile(file, []byte(id.String()+"\n"), 0o600))
	ts.Setenv("KEYWRIGHT_HOME", home)
	ts.Setenv("KEYWRIGHT_KEYSTORE", "agefile")
	ts.Setenv("KEYWRIGHT_IDENTITY_FILE", file)
}
