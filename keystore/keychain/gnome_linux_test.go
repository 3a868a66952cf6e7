package keychain

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/zalando/go-keyring"

	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/keystore/keystoretest"
	"github.com/keywright/keywright/secret"
)

// gnome runs a test in a session of its own with GNOME Keyring, and reports whether
// this is there.
func gnome(t *testing.T) bool {
	t.Helper()
	dir, there := keystoretest.SecretService(t)
	if there {
		t.Setenv(sealedVariable, dir)
	}
	return there
}

// sealedVariable tells a test, and its copies, where sealed values are.
const sealedVariable = "KEYWRIGHT_TEST_SEALED"

func gnomeKeychain(timeout time.Duration) *Keychain {
	return New(Options{Dir: os.Getenv(sealedVariable), Timeout: timeout})
}

func TestGnomeConforms(t *testing.T) {
	if gnome(t) {
		k := gnomeKeychain(0)
		keystoretest.Items(t, func(*testing.T) keystore.Items { return k })
		if left := sealedFiles(t, k); len(left) != 0 {
			t.Errorf("left over: %v", left)
		}
	}
}

func TestGnomeProcesses(t *testing.T) {
	if gnome(t) {
		keystoretest.Processes(t, nil, func(*testing.T) keystore.Items { return gnomeKeychain(0) })
	}
}

func secretTool(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	c := exec.Command("secret-tool", args...)
	c.Stdin = strings.NewReader(stdin)
	out, err := c.Output()
	if err != nil {
		t.Fatalf("secret-tool %s: %v", args[0], err)
	}
	return string(out)
}

// secret-tool reads what keywright wrote, and the reverse; each replaces and deletes
// what the other stored.
func TestSecretTool(t *testing.T) {
	if !gnome(t) {
		return
	}
	k := gnomeKeychain(0)
	lookup := []string{"lookup", "service", service, "username", "x"}
	store := []string{"store", "--label=x", "service", service, "username", "x"}
	expect := func(who, want string) {
		t.Helper()
		if out := secretTool(t, "", lookup...); out != want {
			t.Errorf("%s: secret-tool reads %q", who, out)
		}
		if got, err := k.Get(t.Context(), "x"); err != nil || string(got.Reveal()) != want {
			t.Errorf("%s: keywright reads %q, %v", who, got.Reveal(), err)
		}
	}
	put := func(v string) {
		t.Helper()
		if err := k.Put(t.Context(), "x", secret.New([]byte(v))); err != nil {
			t.Fatal(err)
		}
	}
	put("written by keywright: ü")
	expect("keywright stores", "written by keywright: ü")
	secretTool(t, "written by secret-tool", store...)
	expect("secret-tool replaces", "written by secret-tool")
	put("again by keywright")
	expect("keywright replaces", "again by keywright")
	if err := k.Delete(t.Context(), "x"); err != nil {
		t.Error(err)
	}
	secretTool(t, "first by secret-tool", store...)
	expect("secret-tool stores", "first by secret-tool")
	put("over secret-tool's")
	expect("keywright replaces secret-tool's", "over secret-tool's")
	if err := k.Delete(t.Context(), "x"); err != nil {
		t.Error(err)
	}
	if out := secretTool(t, "", "search", "--all", "service", service); out != "" {
		t.Error("something is left")
	}
}

// lockKeyring locks the collection, as a screen saver may.
func lockKeyring(t *testing.T, conn *dbus.Conn) {
	t.Helper()
	if err := conn.Object(secrets, secretsPath).Call(secretService+".Lock", 0, []dbus.ObjectPath{loginCollection}).Err; err != nil {
		t.Fatal(err)
	}
}

func privateConn(t *testing.T) *dbus.Conn {
	t.Helper()
	conn, err := dbus.ConnectSessionBus()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// prompter stands for GNOME's, which draws the window. It does not answer, or
// declines.
type prompter struct {
	conn    *dbus.Conn
	decline bool
}

func (p *prompter) BeginPrompting(sender dbus.Sender, callback dbus.ObjectPath) *dbus.Error {
	if p.decline {
		go p.ready(sender, callback, "")
	}
	return nil
}

func (p *prompter) PerformPrompt(sender dbus.Sender, callback dbus.ObjectPath, _ string, _ map[string]dbus.Variant, _ string) *dbus.Error {
	go p.ready(sender, callback, "no")
	return nil
}

func (p *prompter) StopPrompting(sender dbus.Sender, callback dbus.ObjectPath) *dbus.Error {
	go p.conn.Object(string(sender), callback).Call("org.gnome.keyring.internal.Prompter.Callback.PromptDone", 0)
	return nil
}

// ready calls back once the method that it follows has returned; the daemon takes it
// for lost otherwise.
func (p *prompter) ready(sender dbus.Sender, callback dbus.ObjectPath, reply string) {
	time.Sleep(soon)
	p.conn.Object(string(sender), callback).Call("org.gnome.keyring.internal.Prompter.Callback.PromptReady", 0, reply, map[string]dbus.Variant{}, "")
}

func startPrompter(t *testing.T, decline bool) {
	t.Helper()
	p := &prompter{privateConn(t), decline}
	if err := p.conn.Export(p, "/org/gnome/keyring/Prompter", "org.gnome.keyring.internal.Prompter"); err != nil {
		t.Fatal(err)
	}
	if _, err := p.conn.RequestName(gnomePrompter, dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
}

// TestGnomeLocked locks the real keyring where nobody can be asked.
func TestGnomeLocked(t *testing.T) {
	if gnome(t) {
		gnomeTroubles(t, 3*time.Second, keystore.Locked)
	}
}

func TestGnomeDismissed(t *testing.T) {
	if gnome(t) {
		startPrompter(t, true)
		gnomeTroubles(t, 3*time.Second, keystore.Dismissed)
	}
}

func TestGnomeUnanswered(t *testing.T) {
	if gnome(t) {
		startPrompter(t, false)
		gnomeTroubles(t, 700*time.Millisecond, keystore.Silent)
	}
}

// gnomeTroubles has every method fail on the locked keyring.
func gnomeTroubles(t *testing.T, timeout time.Duration, want keystore.Trouble) {
	t.Helper()
	if err := gnomeKeychain(0).Put(t.Context(), "x", value(100)); err != nil {
		t.Fatal(err)
	}
	lockKeyring(t, privateConn(t))
	for _, op := range []string{"put", "get", "delete"} {
		start := time.Now()
		err := call(t, gnomeKeychain(timeout), op)
		t.Logf("%v: %v", time.Since(start).Round(time.Millisecond), err)
		wantTrouble(t, err, want)
		if took := time.Since(start); took > timeout+time.Second {
			t.Errorf("%s took %v", op, took)
		}
	}
	k := gnomeKeychain(5 * time.Second)
	k.options.NoPrompt = true
	_, err := k.Get(t.Context(), "x")
	wantTrouble(t, err, keystore.Locked)
}

// TestGnomeDies kills the real daemon while its prompt is open.
func TestGnomeDies(t *testing.T) {
	if !gnome(t) {
		return
	}
	if err := gnomeKeychain(0).Put(t.Context(), "x", value(100)); err != nil {
		t.Fatal(err)
	}
	startPrompter(t, false)
	conn := privateConn(t)
	lockKeyring(t, conn)
	var pid uint32
	if err := conn.BusObject().Call(busInterface+".GetConnectionUnixProcessID", 0, secrets).Store(&pid); err != nil {
		t.Fatal(err)
	}
	daemon, err := os.FindProcess(int(pid))
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(300*time.Millisecond, func() { _ = daemon.Kill() })
	start := time.Now()
	_, err = gnomeKeychain(5*time.Second).Get(t.Context(), "x")
	t.Logf("%v: %v", time.Since(start).Round(time.Millisecond), err)
	wantTrouble(t, err, keystore.Failed)
	if took := time.Since(start); took > 4*time.Second {
		t.Errorf("took %v", took)
	}
}

const crashing = "KEYWRIGHT_TEST_CRASHING"

// TestGnomeCrash kills a process that stores values, large ones and small, at any
// moment. The item is there afterwards, whole, and can be replaced.
func TestGnomeCrash(t *testing.T) {
	if !gnome(t) {
		return
	}
	k := gnomeKeychain(0)
	if os.Getenv(crashing) != "" {
		for i := 0; ; i++ {
			if err := k.Put(t.Context(), "x", value(10+i%3*5000)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := k.Put(t.Context(), "x", value(10)); err != nil {
		t.Fatal(err)
	}
	for range 12 {
		c := keystoretest.Rerun(t, []string{crashing + "=1"})
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(80*time.Millisecond + rand.N(150*time.Millisecond))
		_ = c.Process.Kill()
		if err := c.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Errorf("the process ended by itself: %v", err)
		}
		got, err := k.Get(t.Context(), "x")
		if err != nil || !bytes.Equal(got.Reveal(), value(got.Len()).Reveal()) || got.Len()%5000 != 10 {
			t.Errorf("%d bytes, %v", got.Len(), err)
		}
	}
	if err := k.Put(t.Context(), "x", value(5000)); err != nil {
		t.Error(err)
	}
	if err := k.Delete(t.Context(), "x"); err != nil {
		t.Error(err)
	}
	if left := sealedFiles(t, k); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
}

// TestGnomeCost compares reading through this package with reading through the
// library alone.
func TestGnomeCost(t *testing.T) {
	if !gnome(t) {
		return
	}
	k := gnomeKeychain(0)
	small, large := value(100), value(3000)
	stores := medians(20,
		func() error { return k.Put(t.Context(), "small", small) },
		func() error { return k.Put(t.Context(), "large", large) })
	reads := medians(100,
		func() error { _, err := keyring.Get(service, "small"); return err },
		func() error { _, err := k.Get(t.Context(), "small"); return err },
		func() error { _, err := k.Get(t.Context(), "large"); return err })
	t.Logf("median: read by the library alone %v, here %v, sealed %v; store %v, sealed %v", reads[0], reads[1], reads[2], stores[0], stores[1])
	if reads[1] > 3*reads[0] {
		t.Errorf("reading takes %v, by the library alone %v", reads[1], reads[0])
	}
}

// medians returns the median time of each call, all made in turn n times: what else
// the machine does then bears on all. It is absurd for one that fails.
func medians(n int, calls ...func() error) []time.Duration {
	times := make([][]time.Duration, len(calls))
	for range n {
		for i, do := range calls {
			start, took := time.Now(), time.Hour
			if do() == nil {
				took = time.Since(start).Round(10 * time.Microsecond)
			}
			times[i] = append(times[i], took)
		}
	}
	var middle []time.Duration
	for _, all := range times {
		slices.Sort(all)
		middle = append(middle, all[n/2])
	}
	return middle
}

// A scan waits 300 ms and never prompts. With the keyring open that is enough.
func TestGnomeWithinAScansPatience(t *testing.T) {
	if !gnome(t) {
		return
	}
	if err := gnomeKeychain(0).Put(t.Context(), "x", value(5000)); err != nil {
		t.Fatal(err)
	}
	k := gnomeKeychain(300 * time.Millisecond)
	k.options.NoPrompt = true
	var err error
	for range 3 { // the machine may be busy
		start := time.Now()
		if _, err = k.Get(t.Context(), "x"); err == nil {
			t.Logf("took %v", time.Since(start).Round(time.Millisecond))
			return
		}
	}
	t.Error(err)
}
