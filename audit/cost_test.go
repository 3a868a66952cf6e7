package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/durable"
	"github.com/keywright/keywright/secret"
)

// unsynced is the directory as it is, but for synchronising, whose cost is the disk's
// and would hide all others; and it counts what is read.
type unsynced struct {
	directory
	bytes *int64
}

func (d unsynced) edit(name string) (editable, error) {
	f, err := d.directory.edit(name)
	if err != nil {
		return nil, err
	}
	return unsyncedFile{f}, nil
}

type unsyncedFile struct{ editable }

func (unsyncedFile) Sync() error { return nil }

func (d unsynced) open(name string) (file, error) {
	f, err := d.directory.open(name)
	if err != nil {
		return nil, err
	}
	return countedFile{f, d.bytes}, nil
}

type countedFile struct {
	file
	bytes *int64
}

func (f countedFile) ReadAt(p []byte, at int64) (int, error) {
	n, err := f.file.ReadAt(p, at)
	*f.bytes += int64(n)
	return n, err
}

// Ten thousand entries, appended one by one and verified, take linear time: what an
// append reads does not grow with the log, but for a few hashes.
func TestTenThousand(t *testing.T) {
	const total, step = 10_000, 1000
	var bytes int64
	dir := t.TempDir()
	l := openRAM(unsynced{directory{name: dir}, &bytes}, &memory{})
	var most, took []time.Duration
	var reads []int64
	for at := 0; at < total; at += step {
		bytes = 0
		start := time.Now()
		for i := range step {
			if _, err := l.Append(t.Context(), entry(at+i)); err != nil {
				t.Fatal(err)
			}
		}
		most, reads = append(most, time.Since(start)), append(reads, bytes/step)
		start, bytes = time.Now(), 0
		if r, err := l.Verify(t.Context()); err != nil || r.Size != int64(at+step) {
			t.Fatalf("%+v, %v", r, err)
		}
		took = append(took, time.Since(start))
		size := int64(0)
		for _, name := range []string{entriesFile, hashesFile} {
			if info, err := os.Stat(filepath.Join(dir, name)); err == nil {
				size += info.Size()
			}
		}
		if bytes > size+maxLine {
			t.Errorf("verifying %d bytes reads %d", size, bytes)
		}
	}
	last := len(reads) - 1
	if reads[last] > reads[0]+1024 {
		t.Errorf("an append reads %d bytes at first, %d in the end", reads[0], reads[last])
	}
	t.Logf("append: %v the first thousand, %v the last; %d bytes read for one at first, %d in the end", most[0], most[last], reads[0], reads[last])
	t.Logf("verify: %v for %d entries, %v for %d", took[0], step, took[last], total)
	start := time.Now()
	data, err := l.Prove(t.Context(), 5000)
	if err != nil {
		t.Fatal(err)
	}
	proved := time.Since(start)
	public, _ := l.PublicKey(t.Context())
	start = time.Now()
	if _, err := CheckProof(data, public); err != nil {
		t.Fatal(err)
	}
	t.Logf("proof: %d bytes, made in %v, checked in %v", len(data), proved, time.Since(start))
}

func BenchmarkAppend(b *testing.B) {
	l := Open(b.TempDir(), &memory{})
	for i := 0; b.Loop(); i++ {
		if _, err := l.Append(b.Context(), entry(i)); err != nil {
			b.Fatal(err)
		}
	}
}

// shelf is a keychain that processes share: a file for each item.
type shelf string

func (s shelf) Get(_ context.Context, name string) (secret.Value, error) {
	data, err := os.ReadFile(filepath.Join(string(s), name))
	if errors.Is(err, fs.ErrNotExist) {
		err = ErrNotKept
	}
	return secret.New(data), err
}

func (s shelf) Put(_ context.Context, name string, v secret.Value) error {
	return durable.WriteFile(filepath.Join(string(s), name), func(w io.Writer) error { _, err := w.Write(v.Reveal()); return err }, 0o600)
}

const (
	writerEnv = "KEYWRIGHT_TEST_AUDIT_WRITER"
	perWriter = 25
)

// TestProcesses appends from several processes at once, and kills one of them over
// and over.
func TestProcesses(t *testing.T) {
	if dir := os.Getenv(writerEnv); dir != "" {
		writer(t, dir)
		return
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	command := func() *exec.Cmd {
		c := exec.Command(os.Args[0], "-test.run=^TestProcesses$", "-test.count=1")
		c.Env = append(os.Environ(), writerEnv+"="+dir)
		return c
	}
	var writers []*exec.Cmd
	for range 3 {
		c := command()
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		writers = append(writers, c)
	}
	l := Open(filepath.Join(dir, "log"), shelf(filepath.Join(dir, "keys")))
	for i := range 8 {
		victim := command()
		if err := victim.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(40+17*i) * time.Millisecond)
		if err := victim.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = victim.Wait() // it was killed
		if _, err := l.Verify(t.Context()); err != nil {
			t.Error(err)
		}
	}
	want := map[string]int{}
	for _, c := range writers {
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
		for i := range perWriter {
			want[fmt.Sprintf("%d %d", c.Process.Pid, i)]++
		}
	}
	if _, err := l.Append(t.Context(), Entry{Reason: "last"}); err != nil {
		t.Fatal(err)
	}
	r, err := l.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := reasons(t, l)
	if int64(len(got)) != r.Size || r.Unfinished+r.Unacknowledged != 0 {
		t.Errorf("%d entries, %+v", len(got), r)
	}
	for _, reason := range got {
		delete(want, reason)
	}
	if len(want) != 0 {
		t.Errorf("missing: %v", want)
	}
	t.Logf("%d entries of 3 writers, 8 killed ones", len(got))
}

// writer is one of the processes.
func writer(t *testing.T, dir string) {
	l := Open(filepath.Join(dir, "log"), shelf(filepath.Join(dir, "keys")))
	for i := range perWriter {
		if _, err := l.Append(t.Context(), Entry{Reason: fmt.Sprintf("%d %d", os.Getpid(), i)}); err != nil {
			t.Fatal(err)
		}
	}
}
