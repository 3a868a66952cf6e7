package keychain

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/keystore/keystoretest"
	"github.com/keywright/keywright/secret"
)

// fake is a library with a hook before and after each call.
type fake struct {
	mu     sync.Mutex
	items  map[string]string
	before func(op, user string) error
	after  func(op, user string) error
}

func newFake() *fake { return &fake{items: map[string]string{}} }

func (f *fake) call(op, user string, do func() error) error {
	if f.before != nil {
		if err := f.before(op, user); err != nil {
			return err
		}
	}
	f.mu.Lock()
	err := do()
	f.mu.Unlock()
	if err == nil && f.after != nil {
		return f.after(op, user)
	}
	return err
}

func (f *fake) Set(_, user, value string) error {
	return f.call("set", user, func() error { f.items[user] = value; return nil })
}

func (f *fake) Get(_, user string) (value string, err error) {
	err = f.call("get", user, func() error { return f.find(user, &value) })
	return value, err
}

func (f *fake) find(user string, value *string) error {
	found, ok := f.items[user]
	if !ok {
		return keyring.ErrNotFound
	}
	*value = found
	return nil
}

func (f *fake) Delete(_, user string) error {
	return f.call("delete", user, func() error {
		var value string
		err := f.find(user, &value)
		delete(f.items, user)
		return err
	})
}

func unwatched(bool, chan<- error) (func(bool, error) error, error) {
	return func(_ bool, err error) error { return err }, nil
}

// openFake returns a keychain over a fake, with a directory of its own.
func openFake(t *testing.T, f *fake, timeout time.Duration) *Keychain {
	return newKeychain(Options{Dir: filepath.Join(t.TempDir(), "sealed"), Timeout: timeout}, f, unwatched)
}

func sealedFiles(t *testing.T, k *Keychain) (files []string) {
	t.Helper()
	entries, err := os.ReadDir(k.options.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != lockFile {
			files = append(files, filepath.Join(k.options.Dir, e.Name()))
		}
	}
	return files
}

func wantTrouble(t *testing.T, err error, want keystore.Trouble) {
	t.Helper()
	if got, ok := keystore.TroubleOf(err); !ok || got != want {
		t.Errorf("the trouble is not %q but %q: %v", want, got, err)
	}
}

func value(size int) secret.Value {
	return secret.New(bytes.Repeat([]byte("sesame-"), size/7+1)[:size])
}

func TestConformance(t *testing.T) {
	f := newFake()
	k := openFake(t, f, 0)
	keystoretest.Items(t, func(*testing.T) keystore.Items { return k })
	if left := sealedFiles(t, k); len(left) != 0 || len(f.items) != 0 {
		t.Errorf("left over: %v, %d items", left, len(f.items))
	}
}

// Every system takes what is stored: Windows 2,560 bytes, macOS a command line of
// 4,096.
func TestStoredFitsEverywhere(t *testing.T) {
	f := newFake()
	k := openFake(t, f, 0)
	name := strings.Repeat("n", keystore.MaxItemName)
	var values [][]byte
	for size := maxStored - 3; size <= maxStored+3; size++ {
		values = append(values, bytes.Repeat([]byte{'x'}, size), bytes.Repeat([]byte{0xff}, size*3/4-12))
	}
	for _, v := range keystoretest.Values() {
		values = append(values, v)
	}
	for _, v := range values {
		if err := k.Put(t.Context(), name, secret.New(v)); err != nil {
			t.Fatal(err)
		}
		stored := f.items[name]
		command := fmt.Sprintf("add-generic-password -U -s '%s' -a '%s' -w 'go-keyring-base64:%s'\n", service, name, base64.StdEncoding.EncodeToString([]byte(stored)))
		if stored == "" || len(stored) > maxStored || len(stored) > 2560 || len(command) > 4096 {
			t.Errorf("%d bytes are stored as %d, on macOS %d", len(v), len(stored), len(command))
		}
		if len(v) > maxStored && len(sealedFiles(t, k)) != 1 {
			t.Errorf("%d bytes are not sealed", len(v))
		}
	}
}

func TestForeignValues(t *testing.T) {
	f := newFake()
	k := openFake(t, f, 0)
	for _, v := range []string{"plain", "", " spaces ", "\xff\x00", strings.Repeat("large", 1000)} {
		f.items["x"] = v
		if got, err := k.Get(t.Context(), "x"); err != nil || string(got.Reveal()) != v {
			t.Errorf("what another tool stored: %d bytes instead of %d, %v", got.Len(), len(v), err)
		}
	}
	good, _, _ := k.begin(t.Context()).encode("x", value(10))
	for _, v := range []string{ours, ours + "other:", base + "*", base + "eA=", sealed, sealed + "a:b", sealed + "../x.sealed:" + base64.StdEncoding.EncodeToString(make([]byte, 32)), sealed + "x.sealed:AAAA"} {
		f.items["x"] = v
		_, err := k.Get(t.Context(), "x")
		wantTrouble(t, err, keystore.Damaged)
		// It can still be replaced, and deleted.
		if err := k.Put(t.Context(), "x", value(10)); err != nil || f.items["x"] != good {
			t.Errorf("replace %q: %v", v, err)
		}
		f.items["x"] = v
		if err := k.Delete(t.Context(), "x"); err != nil || len(f.items) != 0 {
			t.Errorf("delete %q: %v", v, err)
		}
	}
}

// each runs every method of a keychain.
func each(t *testing.T, k *Keychain, check func(op string, err error)) {
	t.Helper()
	check("put", k.Put(t.Context(), "x", value(100)))
	_, err := k.Get(t.Context(), "x")
	check("get", err)
	check("delete", k.Delete(t.Context(), "x"))
}

func TestPanic(t *testing.T) {
	f := newFake()
	k := openFake(t, f, 0)
	for _, p := range []any{nil, "sesame", errors.New("sesame")} {
		f.before = func(string, string) error {
			if p != nil {
				panic(p)
			}
			var e *fs.PathError
			return e.Err
		}
		each(t, k, func(op string, err error) {
			wantTrouble(t, err, keystore.Failed)
			if !strings.Contains(fmt.Sprint(err), "panicked") || strings.Contains(fmt.Sprint(err), "sesame") {
				t.Errorf("%s: %v", op, err)
			}
		})
	}
}

// A call that does not end takes its deadline and no more, and those after it, too.
// Once it has ended, all is well.
func TestSilence(t *testing.T) {
	for _, blocked := range []string{"set", "get", "delete"} {
		synctest.Test(t, func(t *testing.T) {
			f, release := newFake(), make(chan struct{})
			told := 0
			k := openFake(t, f, 10*time.Second)
			k.options.Waiting = func() { told++ }
			if err := k.Put(t.Context(), "x", value(100)); err != nil || told != 0 {
				t.Fatalf("%v, told %d times", err, told)
			}
			f.before = func(op, _ string) error {
				if op == blocked {
					<-release
				}
				return nil
			}
			start := time.Now()
			_, getErr := k.Get(t.Context(), "x")
			first := map[string]error{"set": k.Put(t.Context(), "x", value(100)), "get": getErr, "delete": k.Delete(t.Context(), "x")}[blocked]
			wantTrouble(t, first, keystore.Silent)
			if !errors.Is(first, context.DeadlineExceeded) {
				t.Errorf("%s: %v", blocked, first)
			}
			_, err := k.Get(t.Context(), "x")
			wantTrouble(t, err, keystore.Silent)
			if took := time.Since(start); took > 41*time.Second || told == 0 || time.Duration(told)*10*time.Second > took {
				t.Errorf("took %v, told %d times", took, told)
			}
			close(release)
			synctest.Wait()
			if err := errors.Join(k.Put(t.Context(), "x", value(9)), k.Delete(t.Context(), "x")); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func TestWaitingIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		var at []time.Duration
		start := time.Now()
		k := openFake(t, f, time.Minute)
		k.options.Waiting = func() { at = append(at, time.Since(start)) }
		f.before = func(string, string) error { time.Sleep(5 * time.Second); return nil }
		if err := k.Put(t.Context(), "x", value(100)); err != nil {
			t.Error(err)
		}
		if len(at) != 1 || at[0] != time.Second {
			t.Errorf("told at %v", at)
		}
	})
}

// A caller's deadline and cancellation count as well as the keychain's own.
// Reads go on at once where the call before succeeded, up to a number; after a failed
// one, and with a change, there is one call at a time.
func TestReadsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		now, most := 0, 0
		fail := false
		f.before = func(string, string) error {
			f.mu.Lock()
			now++
			most = max(most, now)
			f.mu.Unlock()
			time.Sleep(10 * time.Millisecond)
			f.mu.Lock()
			defer f.mu.Unlock()
			now--
			if fail {
				return errors.New("broken")
			}
			return nil
		}
		k := openFake(t, f, 0)
		together := func(do func() error) int {
			t.Helper()
			most = 0
			var all sync.WaitGroup
			for range 3 * maxReads {
				all.Go(func() { _ = do() })
			}
			all.Wait()
			return most
		}
		get := func() error { _, err := k.Get(t.Context(), "x"); return err }
		put := func() error { return k.Put(t.Context(), "x", value(10)) }
		if err := put(); err != nil {
			t.Fatal(err)
		}
		if n := together(get); n != maxReads {
			t.Errorf("%d reads at once", n)
		}
		if n := together(func() error { return errors.Join(put(), get()) }); n > maxReads {
			t.Errorf("%d calls at once", n)
		}
		fail = true
		_ = get()
		if n := together(get); n != 1 {
			t.Errorf("%d reads at once, and the last call failed", n)
		}
		fail = false
		f.before = nil
		if err := get(); err != nil {
			t.Error(err)
		}
		f.before = func(op, _ string) error { // no read is there while something is stored
			f.mu.Lock()
			defer f.mu.Unlock()
			if op != "get" && len(k.slot) != maxReads {
				t.Errorf("%s with %d tokens", op, len(k.slot))
			}
			return nil
		}
		together(func() error { return errors.Join(get(), put(), get()) })
	})
}

func TestContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, release := newFake(), make(chan struct{})
		k := openFake(t, f, time.Minute)
		f.before = func(string, string) error { <-release; return nil }
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err := k.Get(ctx, "x")
		wantTrouble(t, err, keystore.Silent)
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if err := k.Put(ctx, "x", value(1)); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		if took := time.Since(start); took > 1300*time.Millisecond {
			t.Errorf("took %v", took)
		}
		close(release)
	})
}

// The library says that all is well, and it is not.
func TestReadBack(t *testing.T) {
	for what, spoil := range map[string]func(f *fake){
		"dropped":          func(f *fake) { delete(f.items, "x") },
		"another":          func(f *fake) { f.items["x"] = "another" },
		"cut":              func(f *fake) { f.items["x"] = f.items["x"][:len(f.items["x"])-1] },
		"another encoding": func(f *fake) { f.items["x"] = base + "?" },
	} {
		for _, size := range []int{100, 5000} {
			f := newFake()
			k := openFake(t, f, 0)
			f.after = func(op, _ string) error {
				if op == "set" {
					spoil(f)
				}
				return nil
			}
			if err := k.Put(t.Context(), "x", value(size)); err == nil {
				t.Errorf("%s: not noticed", what)
			} else {
				wantTrouble(t, err, keystore.Damaged)
			}
		}
	}
	f := newFake()
	k := openFake(t, f, 0)
	f.items["x"] = "stays"
	f.after = func(op, _ string) error {
		if op == "delete" {
			f.items["x"] = "stays"
		}
		return nil
	}
	wantTrouble(t, k.Delete(t.Context(), "x"), keystore.Failed)
}

func TestSealedFiles(t *testing.T) {
	f := newFake()
	k := openFake(t, f, 0)
	plainText := value(5000)
	if err := errors.Join(k.Put(t.Context(), "x", plainText), k.Put(t.Context(), "y", value(6000))); err != nil {
		t.Fatal(err)
	}
	first := sealedFiles(t, k)
	if len(first) != 2 {
		t.Fatalf("files: %v", first)
	}
	for _, path := range first {
		content, err := os.ReadFile(path)
		if err != nil || bytes.Contains(content, []byte("sesame")) {
			t.Errorf("the value is readable, %v", err)
		}
		if info, err := os.Stat(path); runtime.GOOS != "windows" && (err != nil || info.Mode().Perm() != 0o600) {
			t.Errorf("permissions %v, %v", info.Mode(), err)
		}
	}
	if strings.Contains(f.items["x"], "sesame") || f.items["x"] == f.items["y"] {
		t.Error("the item holds the value")
	}
	if err := k.Put(t.Context(), "x", plainText); err != nil {
		t.Fatal(err)
	}
	if now := sealedFiles(t, k); len(now) != 2 || now[0] == first[0] && now[1] == first[1] {
		t.Errorf("replaced in place, or left over: %v", now)
	}
	if err := k.Put(t.Context(), "x", value(10)); err != nil || len(sealedFiles(t, k)) != 1 {
		t.Errorf("a small value in place of a large one: %v, %v", sealedFiles(t, k), err)
	}
	if err := k.Delete(t.Context(), "y"); err != nil || len(sealedFiles(t, k)) != 0 {
		t.Errorf("after deleting: %v, %v", sealedFiles(t, k), err)
	}
}

func TestDamagedFiles(t *testing.T) {
	f := newFake()
	k := openFake(t, f, 0)
	if err := k.Put(t.Context(), "x", value(3000)); err != nil {
		t.Fatal(err)
	}
	path := sealedFiles(t, k)[0]
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damaged := func(content []byte) {
		t.Helper()
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := k.Get(t.Context(), "x")
		wantTrouble(t, err, keystore.Damaged)
	}
	for i := range good {
		if i > 60 && i < len(good)-20 && i%97 != 0 {
			continue
		}
		bad := bytes.Clone(good)
		bad[i] ^= 1
		damaged(bad)
		damaged(good[:i])
	}
	damaged(append(bytes.Clone(good), 0))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, err = k.Get(t.Context(), "x")
	wantTrouble(t, err, keystore.Damaged)
	// Another item's pointer and file are not this one's.
	if err := k.Put(t.Context(), "y", value(3000)); err != nil {
		t.Fatal(err)
	}
	f.items["x"] = f.items["y"]
	_, err = k.Get(t.Context(), "x")
	wantTrouble(t, err, keystore.Damaged)
	// Whatever happens to x leaves y's file alone.
	if err := errors.Join(k.Put(t.Context(), "x", value(1)), k.Delete(t.Context(), "x")); err != nil {
		t.Error(err)
	}
	if got, err := k.Get(t.Context(), "y"); err != nil || got.Len() != 3000 {
		t.Errorf("%d bytes, %v", got.Len(), err)
	}
}

// A fault at any call into the library, whether or not it has done its work, leaves
// the old value or the new one.
func TestFaultAtEveryCall(t *testing.T) {
	broken := errors.New("broken")
	for _, sizes := range [][2]int{{10, 20}, {10, 5000}, {5000, 10}, {5000, 6000}} {
		for _, after := range []bool{false, true} {
			for n := 1; ; n++ {
				f := newFake()
				k := openFake(t, f, 0)
				if err := k.Put(t.Context(), "x", value(sizes[0])); err != nil {
					t.Fatal(err)
				}
				calls := 0
				count := func(string, string) error {
					if calls++; calls == n {
						return broken
					}
					return nil
				}
				if after {
					f.after = count
				} else {
					f.before = count
				}
				err := k.Put(t.Context(), "x", value(sizes[1]))
				f.before, f.after = nil, nil
				if calls < n {
					if err != nil {
						t.Errorf("without a fault: %v", err)
					}
					break
				}
				wantTrouble(t, err, keystore.Failed)
				got, err := k.Get(t.Context(), "x")
				if err != nil || got.Len() != sizes[0] && got.Len() != sizes[1] {
					t.Errorf("%v, fault %d: %d bytes, %v", sizes, n, got.Len(), err)
				}
			}
		}
	}
}

// A call that was given up can happen later. What it points to must be there then,
// and go in the end.
func TestLateStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, release := newFake(), make(chan struct{})
		k := openFake(t, f, time.Second)
		if err := k.Put(t.Context(), "x", value(5000)); err != nil {
			t.Fatal(err)
		}
		f.before = func(op, _ string) error {
			if op == "set" {
				<-release
			}
			return nil
		}
		wantTrouble(t, k.Put(t.Context(), "x", value(6000)), keystore.Silent)
		close(release)
		synctest.Wait()
		if got, err := k.Get(t.Context(), "x"); err != nil || got.Len() != 6000 {
			t.Errorf("after a late store: %d bytes, %v", got.Len(), err)
		}
	})
}

// A reader that has the item, but not yet the file that it points to, when a writer
// replaces both, reads the new value. So it does when the item is deleted.
func TestReplacedWhileReading(t *testing.T) {
	f := newFake()
	k := openFake(t, f, 0)
	writer := newKeychain(k.options, &fake{items: f.items}, unwatched)
	if err := k.Put(t.Context(), "x", value(5000)); err != nil {
		t.Fatal(err)
	}
	change := func(do func() error) {
		f.after = func(string, string) error {
			f.after = nil
			return do()
		}
	}
	change(func() error { return writer.Put(t.Context(), "x", value(6000)) })
	if got, err := k.Get(t.Context(), "x"); err != nil || got.Len() != 6000 {
		t.Errorf("replaced: %d bytes, %v", got.Len(), err)
	}
	change(func() error { return writer.Delete(t.Context(), "x") })
	if _, err := k.Get(t.Context(), "x"); !errors.Is(err, keystore.ErrNoItem) {
		t.Errorf("deleted: %v", err)
	}
}

func TestRefusedStoreLeavesNoFile(t *testing.T) {
	f := newFake()
	k := openFake(t, f, 0)
	f.before = func(op, _ string) error {
		if op == "set" {
			return keyring.ErrSetDataTooBig
		}
		return nil
	}
	wantTrouble(t, k.Put(t.Context(), "x", value(5000)), keystore.Full)
	if left := sealedFiles(t, k); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
}

func TestStaleFilesGo(t *testing.T) {
	f := newFake()
	k := openFake(t, f, 0)
	if err := errors.Join(k.Put(t.Context(), "x", value(5000)), k.Put(t.Context(), "y", value(5000))); err != nil {
		t.Fatal(err)
	}
	stale, recent := filePrefix("x")+"stale.sealed", filePrefix("x")+"recent.sealed"
	long := time.Now().Add(-2 * staleFile)
	for _, file := range []string{stale, recent, "." + stale + ".1.tmp"} {
		path := filepath.Join(k.options.Dir, file)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range sealedFiles(t, k) {
		if !strings.Contains(path, "recent") {
			if err := os.Chtimes(path, long, long); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := k.Put(t.Context(), "x", value(5000)); err != nil {
		t.Fatal(err)
	}
	files := strings.Join(sealedFiles(t, k), " ")
	if strings.Contains(files, "stale") || !strings.Contains(files, recent) || !strings.Contains(files, filePrefix("y")) {
		t.Errorf("files: %s", files)
	}
	if err := k.Delete(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	if left := sealedFiles(t, k); len(left) != 1 || !strings.Contains(left[0], filePrefix("y")) {
		t.Errorf("after deleting: %v", left)
	}
}

func TestDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	k := newKeychain(Options{Dir: file}, newFake(), unwatched)
	wantTrouble(t, k.Put(t.Context(), "x", value(10)), keystore.Failed)
	wantTrouble(t, k.Delete(t.Context(), "x"), keystore.Failed)
	if _, err := k.Get(t.Context(), "x"); !errors.Is(err, keystore.ErrNoItem) {
		t.Errorf("reading needs no directory: %v", err)
	}
}

func TestAnotherProcessHoldsTheLock(t *testing.T) {
	f := newFake()
	k := openFake(t, f, 200*time.Millisecond)
	unlock, err := k.begin(t.Context()).lock()
	if err != nil {
		t.Fatal(err)
	}
	err = k.Put(t.Context(), "x", value(10))
	wantTrouble(t, err, keystore.Silent)
	if !strings.Contains(fmt.Sprint(err), "another change") {
		t.Errorf("%v", err)
	}
	if err := errors.Join(unlock(), k.Put(t.Context(), "x", value(10))); err != nil {
		t.Error(err)
	}
}

func TestWordsThatHoldTheValue(t *testing.T) {
	f := newFake()
	k := openFake(t, f, 0)
	f.before = func(string, string) error { return fmt.Errorf("cannot store %q: no", value(100).Reveal()) }
	err := k.Put(t.Context(), "x", value(100))
	wantTrouble(t, err, keystore.Failed)
	if text := fmt.Sprintf("%v %+v %#v", err, err, errors.Unwrap(err)); strings.Contains(text, "sesame") || !strings.Contains(text, "withheld") {
		t.Errorf("%s", text)
	}
}

func TestDiagnose(t *testing.T) {
	exit := func(code int) error { return exec.Command("sh", "-c", fmt.Sprintf("exit %d", code)).Run() }
	cases := []struct {
		err  error
		want keystore.Trouble
	}{
		{errors.New("anything"), keystore.Failed},
		{keyring.ErrUnsupportedPlatform, keystore.Absent},
		{keyring.ErrSetDataTooBig, keystore.Full},
		{&fs.PathError{Op: "write", Err: syscall.ENOSPC}, keystore.Full},
		{&exec.Error{Name: "dbus-launch", Err: exec.ErrNotFound}, keystore.Absent},
		{context.DeadlineExceeded, keystore.Silent},
		{context.Canceled, keystore.Failed},
		{fmt.Errorf("wrapped: %w", &fault{keystore.Dismissed, nil}), keystore.Dismissed},
	}
	if runtime.GOOS != "windows" {
		for code, want := range map[int]keystore.Trouble{1: keystore.Failed, 36: keystore.Locked, 51: keystore.Locked, 128: keystore.Dismissed, 50: keystore.Absent} {
			cases = append(cases, struct {
				err  error
				want keystore.Trouble
			}{exit(code), want})
		}
	}
	for _, c := range cases {
		wantTrouble(t, report("read", "x", c.err), c.want)
	}
}
