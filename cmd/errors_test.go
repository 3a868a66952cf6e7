package cmd

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"filippo.io/age"

	"github.com/keywright/keywright/internal/durable"
	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/keystore/keychain"
)

// An error of a backend begins with what the user asked for, and not with what the
// backend was doing.
func TestErrorsBeginWithWhatWasAsked(t *testing.T) {
	locked := &keystore.BackendError{Backend: keychain.Name, Doing: "read item metadata-head", Trouble: keystore.Locked, Err: errors.New("its own words")}
	odd := &keystore.BackendError{Backend: keychain.Name, Doing: "read item metadata-head", Trouble: keystore.Failed}
	for _, tt := range []struct {
		args []string
		err  error
		want string
	}{
		{[]string{"get", "dev/A"}, locked, "get dev/A: the keychain is locked: its own words"},
		{[]string{"audit", "verify"}, locked, "audit verify: the keychain is locked: its own words"},
		{[]string{"run", "--env", "dev", "./bot"}, locked, "run --env dev: the keychain is locked: its own words"},
		{[]string{"get", "dev/A"}, &keystore.KeyError{Doing: "read", Name: keystore.Name{Env: "dev", Key: "A"}, Err: locked}, "read dev/A: the keychain is locked: its own words"},
		{[]string{"get", "dev/A"}, hintedError{locked, "do that"}, "get dev/A: the keychain is locked: its own words"},
		{[]string{"doctor"}, odd, "doctor: the keychain failed (read item metadata-head)"},
		{[]string{"get", "dev/A"}, errors.New("it broke"), "it broke"},
	} {
		root := newRoot(&newScreen().terminal)
		c, args, err := root.Find(tt.args)
		if err == nil {
			err = c.ParseFlags(args)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := asked(c, tt.err).Error(); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.args, got, tt.want)
		}
	}
}

// stuckDisk takes no new file.
type stuckDisk struct {
	durable.Machine
	err error
}

func (d stuckDisk) CreateTemp(dir, _ string) (durable.Handle, error) {
	return nil, &fs.PathError{Op: "open", Path: filepath.Join(dir, ".file.123.tmp"), Err: d.err}
}

// A disk that is full, or can only be read, is told with one path, once, and a hint; and
// doctor notices it.
func TestDisksThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "identity")
	if err := os.WriteFile(file, []byte(id.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(envHome, dir)
	t.Setenv(envKeystore, "agefile")
	t.Setenv(envIdentity, file)
	keys := filepath.Join(dir, "keys.age")
	for cause, want := range map[error][2]string{
		syscall.ENOSPC: {keys + " has no room: " + syscall.ENOSPC.Error(), "make room"},
		syscall.EROFS:  {keys + " cannot be written: " + syscall.EROFS.Error(), envHome},
		syscall.EACCES: {keys + " cannot be written: " + syscall.EACCES.Error(), envHome},
	} {
		try := func(args ...string) (*screen, int) {
			s := newScreen()
			s.disk, s.in = durable.On(stuckDisk{err: cause}), strings.NewReader("value")
			return s, run(t.Context(), &s.terminal, args)
		}
		s, code := try("set", "dev/A")
		got := s.stderr.String()
		_, after, _ := strings.Cut(got, "keywright: error: ")
		message, hint, _ := strings.Cut(after, "\nkeywright: hint: ")
		if code != exitFailed || message != "store dev/A: "+want[0] || !strings.Contains(hint, want[1]) {
			t.Errorf("%v: exit %d, %s\nwant %q and the hint %q", cause, code, got, want[0], want[1])
		}
		if s, code := try("doctor"); code != exitFailed || !strings.Contains(s.stdout.String(), "WRONG   the directory of the keys cannot be written: "+cause.Error()+"\n") {
			t.Errorf("doctor, %v: exit %d, %s", cause, code, s.stdout.String())
		}
	}
}
