package durable_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/keywright/keywright/internal/durable"
)

// A limit on the size of files stands for a full disk.
func TestFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := durable.WriteFile(path, text("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1 << 20, Max: was.Max}); err != nil {
		t.Skipf("cannot limit the size of files: %v", err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was)
	err := durable.WriteFile(path, func(w io.Writer) error {
		_, err := io.Copy(w, strings.NewReader(strings.Repeat("x", 4<<20)))
		return err
	}, 0o600)
	if !errors.Is(err, syscall.EFBIG) {
		t.Errorf("error %v", err)
	}
	check(t, path, "old")
}

func TestDirectoryWithoutPermission(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write everywhere")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := errors.Join(durable.WriteFile(path, text("old"), 0o600), os.Chmod(dir, 0o500)); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o700)
	if err := durable.WriteFile(path, text("new"), 0o600); !errors.Is(err, os.ErrPermission) {
		t.Errorf("error %v", err)
	}
	check(t, path, "old")
}
