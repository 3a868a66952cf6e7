package durable_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/durable"
)

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := durable.Lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := durable.TryLock(path); err != nil || second != nil {
		t.Errorf("the lock was taken twice, %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := durable.Lock(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting ends with %v", err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	third, err := durable.TryLock(path)
	if err != nil || third == nil {
		t.Fatalf("the lock is still held, %v", err)
	}
	if err := third(); err != nil {
		t.Error(err)
	}
}

func TestClaim(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, holder, err := durable.Claim(path)
	if err != nil || unlock == nil || holder != 0 {
		t.Fatalf("holder %d, %v", holder, err)
	}
	if second, holder, err := durable.Claim(path); second != nil || holder != os.Getpid() || err != nil {
		t.Errorf("taken twice, by %d, %v", holder, err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	other, err := durable.TryLock(path) // who does not say who it is
	if err != nil {
		t.Fatal(err)
	}
	if second, holder, err := durable.Claim(path); second != nil || holder != 0 || err != nil {
		t.Errorf("taken twice, by %d, %v", holder, err)
	}
	if err := other(); err != nil {
		t.Error(err)
	}
	if _, _, err := durable.Claim(filepath.Join(t.TempDir(), "none", "lock")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestLockKeepsOut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	inside, most := 0, 0
	var count sync.Mutex
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 3 {
				unlock, err := durable.Lock(t.Context(), path)
				if err != nil {
					t.Error(err)
					return
				}
				count.Lock()
				inside++
				most = max(most, inside)
				count.Unlock()
				time.Sleep(time.Millisecond)
				count.Lock()
				inside--
				count.Unlock()
				if err := unlock(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if most != 1 {
		t.Errorf("%d at once", most)
	}
}

func TestLockWithoutDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none", "lock")
	if _, err := durable.Lock(t.Context(), path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Lock gives %v", err)
	}
	if _, err := durable.TryLock(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("TryLock gives %v", err)
	}
}

const holder = "KEYWRIGHT_TEST_LOCK_PATH"

// The lock of a process that dies is free.
func TestLockOfTheDead(t *testing.T) {
	if path := os.Getenv(holder); path != "" {
		if _, err := durable.Lock(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		fmt.Println("locked")
		select {}
	}
	path := filepath.Join(t.TempDir(), "lock")
	c := exec.Command(os.Args[0], "-test.run=^TestLockOfTheDead$")
	c.Env = append(os.Environ(), holder+"="+path)
	out, err := c.StdoutPipe()
	if err := errors.Join(err, c.Start()); err != nil {
		t.Fatal(err)
	}
	_, err = out.Read(make([]byte, 6))
	if held, lockErr := durable.TryLock(path); lockErr != nil || held != nil {
		t.Errorf("another process's lock was taken, %v", lockErr)
	}
	if err := errors.Join(err, c.Process.Kill()); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // it was killed
	unlock, err := durable.Lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := unlock(); err != nil {
		t.Error(err)
	}
}
