package keystoretest_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/keystore/keystoretest"
	"github.com/keywright/keywright/secret"
)

func TestMemory(t *testing.T) {
	m := keystoretest.NewMemory()
	keystoretest.Items(t, func(*testing.T) keystore.Items { return m })
	if left := m.Names(); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
}

var errBroken = errors.New("broken")

// A fault before a call leaves things as they were, one after it does not.
func TestFaults(t *testing.T) {
	n := 1
	for ; ; n++ {
		m := keystoretest.NewMemory()
		m.FailAt(n, errBroken)
		putErr := m.Put(t.Context(), "a", secret.New([]byte("x")))
		_, getErr := m.Get(t.Context(), "a")
		errs := []error{putErr, getErr, m.Delete(t.Context(), "a")}
		if m.Moments() < n {
			break
		}
		failed := (n - 1) / 2 // two moments a call
		if n == 1 {
			// Nothing was stored, so there is nothing to read.
			if !errors.Is(errs[1], keystore.ErrNoItem) {
				t.Errorf("read after a failed store: %v", errs[1])
			}
			errs[1] = nil
		}
		for i, err := range errs {
			if trouble, ok := keystore.TroubleOf(err); i == failed && (!errors.Is(err, errBroken) || !ok || trouble != keystore.Failed) || i != failed && err != nil {
				t.Errorf("fault %d, call %d: %v", n, i, err)
			}
		}
		if left := len(m.Names()); left != 0 && n != 5 || left != 1 && n == 5 {
			t.Errorf("fault %d: %d items left", n, left)
		}
	}
	if n != 7 { // three calls, two moments each
		t.Errorf("%d moments", n-1)
	}
}

func TestHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := keystoretest.NewMemory()
		locked := &keystore.BackendError{Backend: "it", Doing: "x", Trouble: keystore.Locked}
		m.SetHook(func(ctx context.Context, at keystoretest.Moment) error {
			switch at.Name {
			case "slow":
				time.Sleep(time.Minute)
			case "locked":
				return locked
			case "nested":
				return m.Put(ctx, "other", secret.Value{})
			}
			return nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if trouble, _ := keystore.TroubleOf(m.Put(ctx, "slow", secret.Value{})); trouble != keystore.Silent {
			t.Errorf("a slow call: %v", trouble)
		}
		if err := m.Put(t.Context(), "locked", secret.Value{}); err != error(locked) {
			t.Errorf("a BackendError became %v", err)
		}
		if err := m.Put(t.Context(), "nested", secret.Value{}); err != nil || len(m.Names()) != 2 {
			t.Errorf("a hook that stores: %v, %v", err, m.Names())
		}
	})
}

const storeDir = "KEYWRIGHT_TEST_STORE_DIR"

// TestProcesses runs the suite's helper over the simplest store that processes share.
func TestProcesses(t *testing.T) {
	dir := os.Getenv(storeDir)
	if dir == "" {
		dir = t.TempDir()
	}
	keystoretest.Processes(t, []string{storeDir + "=" + dir}, func(*testing.T) keystore.Items { return files(dir) })
}

// files keeps each item in a file of its own.
type files string

func (f files) Put(_ context.Context, name string, value secret.Value) error {
	temp, err := os.CreateTemp(string(f), "*.tmp")
	if err != nil {
		return err
	}
	_, err = temp.Write(value.Reveal())
	return errors.Join(err, temp.Close(), os.Rename(temp.Name(), filepath.Join(string(f), name)))
}

func (f files) Get(_ context.Context, name string) (secret.Value, error) {
	b, err := os.ReadFile(filepath.Join(string(f), name))
	return secret.New(b), err
}

func (f files) Delete(_ context.Context, name string) error {
	if err := os.Remove(filepath.Join(string(f), name)); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func TestMemoryRecords(t *testing.T) {
	keystoretest.Records(t, func(*testing.T) func() keystore.Records {
		m := &keystoretest.MemoryRecords{}
		return func() keystore.Records { return m }
	})
}
