package cmd

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestVerbsInKeychain lets every verb that deals with keys do its work in a real Secret
// Service, each in a process of its own.
func TestVerbsInKeychain(t *testing.T) {
	inVerb(t)
	dir, there := useKeychain(t)
	if !there {
		return
	}
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if content != "" {
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return path
	}
	env, phrase, backup := file("env", "TOKEN=a token of mine\nOTHER=another\n"), file("phrase", "correct horse battery staple\n"), file("backup", "")
	for _, c := range []struct {
		args  []string
		stdin string
		code  int
		shows string // on standard output
	}{
		{args: []string{"set", "dev/DB", "--parts", "user,password"}, stdin: "user=app\npassword=first\n"},
		{args: []string{"set", "dev/DB"}, stdin: "user=app\npassword=" + strings.Repeat("second ", 1000) + "\n"},
		{args: []string{"get", "dev/DB#password"}, shows: "second second"},
		{args: []string{"set", "dev/DB", "--undo"}},
		{args: []string{"get", "dev/DB#password"}, shows: "first"},
		{args: []string{"edit", "dev/DB", "--owner", "ada", "--expires", "3d"}},
		{args: []string{"generate", "dev/SIGNING", "--kind", "ed25519"}, shows: "PUBLIC KEY"},
		{args: []string{"import", "dev", env}},
		{args: []string{"ls", "dev"}, shows: "dev/TOKEN"},
		{args: []string{"run", "--env", "dev", "--", "sh", "-c", "echo $DB_USER $DB_PASSWORD $TOKEN"}, shows: "app first a token of mine"},
		{args: []string{"run", "--env", "dev", "--mask", "--", "sh", "-c", "echo $TOKEN; exit 3"}, code: 3, shows: "***"},
		{args: []string{"export", "dev", "--only", "TOKEN", "--yes-plaintext"}, shows: `TOKEN="a token of mine"`},
		{args: []string{"status"}, shows: "dev/DB"},
		{args: []string{"status", "--fail", "--within", "14d"}, code: exitFindings, shows: "dev/DB"},
		{args: []string{"backup", backup, "--passphrase-file", phrase}},
		{args: []string{"mv", "dev/TOKEN", "test/TOKEN"}},
		{args: []string{"rm", "--yes", "dev/DB"}},
		{args: []string{"get", "dev/DB#user"}, code: exitFailed},
		{args: []string{"restore", backup, "--passphrase-file", phrase}, code: exitIncomplete}, // two are there
		{args: []string{"get", "dev/DB#password"}, shows: "first"},
		{args: []string{"get", "dev/TOKEN"}, shows: "a token of mine"},
		{args: []string{"audit", "verify"}, shows: "all as written"},
		{args: []string{"doctor"}, shows: "can be read"},
	} {
		cmd := process(t.Name(), 0, change{verb: verb{args: c.args, stdin: c.stdin}})
		var out, err bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &err
		_ = cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != c.code || !strings.Contains(out.String(), c.shows) {
			t.Errorf("%q: exit %d, want %d and %q\n%s%s", c.args, code, c.code, c.shows, out.String(), err.String())
		}
	}
}
