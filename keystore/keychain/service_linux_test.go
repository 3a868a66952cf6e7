package keychain

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/keystore/keystoretest"
)

// busConfig is a session bus that starts no services.
const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:dir=%s</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
`

const addressVariable = "DBUS_SESSION_BUS_ADDRESS"

// startBus starts a bus of the test's own, and makes it the session bus.
func startBus(t *testing.T) *exec.Cmd {
	t.Helper()
	keystoretest.Need(t, "dbus-daemon")
	dir, err := os.MkdirTemp("", "kw") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	config := filepath.Join(dir, "bus.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, busConfig, dir), 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("dbus-daemon", "--config-file="+config, "--nofork", "--nopidfile", "--print-address=1")
	out, err := c.StdoutPipe()
	if err := errors.Join(err, c.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopBus(c) })
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the bus did not start: %v", err)
	}
	t.Setenv(addressVariable, strings.TrimSpace(address))
	return c
}

// stopBus kills a bus, and waits until the library's connection has noticed.
func stopBus(c *exec.Cmd) {
	conn, err := dbus.SessionBus()
	_ = c.Process.Kill()
	_ = c.Wait() // it was killed, perhaps before
	for err == nil && conn.Connected() {
		time.Sleep(time.Millisecond)
	}
}

// fakeService is a Secret Service with one collection, whose behaviour is a test's.
type fakeService struct {
	t    *testing.T
	bus  *exec.Cmd
	conn *dbus.Conn

	mu       sync.Mutex
	items    map[dbus.ObjectPath]*fakeItem
	serial   int
	prompted int

	locked       bool
	noCollection bool
	unlockAsks   bool // Unlock returns a prompt
	changeAsks   bool // CreateItem and Delete do
	prompt       func(s *fakeService, path dbus.ObjectPath)
	openSession  func(s *fakeService) *dbus.Error
	createItem   func(value []byte) *dbus.Error
}

type fakeItem struct {
	attributes map[string]string
	secret     fakeSecret
}

type fakeSecret struct {
	Session     dbus.ObjectPath
	Parameters  []byte
	Value       []byte
	ContentType string
}

const (
	collectionInterface = "org.freedesktop.Secret.Collection"
	itemInterface       = "org.freedesktop.Secret.Item"
	promptInterface     = "org.freedesktop.Secret.Prompt"
	propertiesInterface = "org.freedesktop.DBus.Properties"
	fakePrompt          = secretsPath + "/prompt/p1"
	fakeSession         = secretsPath + "/session/s1"
)

// start takes the name of the Secret Service on the session bus.
func (s *fakeService) start() {
	s.t.Helper()
	s.items = map[dbus.ObjectPath]*fakeItem{}
	conn, err := dbus.ConnectSessionBus()
	if err != nil {
		s.t.Fatal(err)
	}
	s.conn = conn
	s.t.Cleanup(func() { conn.Close() })
	s.export(secretsPath, secretService, map[string]any{"OpenSession": s.OpenSession, "Unlock": s.Unlock, "ReadAlias": s.ReadAlias})
	s.export(secretsPath, propertiesInterface, map[string]any{"Get": s.Property})
	s.export(loginCollection, collectionInterface, map[string]any{"SearchItems": s.SearchItems, "CreateItem": s.CreateItem})
	s.export(loginCollection, propertiesInterface, map[string]any{"Get": s.Property})
	s.export(fakePrompt, promptInterface, map[string]any{"Prompt": s.Prompt})
	s.export(fakeSession, "org.freedesktop.Secret.Session", map[string]any{"Close": func() *dbus.Error { return nil }})
	s.own(secrets)
}

func (s *fakeService) own(name string) {
	if reply, err := s.conn.RequestName(name, dbus.NameFlagDoNotQueue); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		s.t.Fatalf("own %s: %v, %v", name, reply, err)
	}
}

func (s *fakeService) export(path dbus.ObjectPath, intf string, methods map[string]any) {
	if err := s.conn.ExportMethodTable(methods, path, intf); err != nil {
		s.t.Error(err)
	}
}

func (s *fakeService) OpenSession(string, dbus.Variant) (dbus.Variant, dbus.ObjectPath, *dbus.Error) {
	if s.openSession != nil {
		if err := s.openSession(s); err != nil {
			return dbus.MakeVariant(""), noObject, err
		}
	}
	return dbus.MakeVariant(""), fakeSession, nil
}

func (s *fakeService) ReadAlias(string) (dbus.ObjectPath, *dbus.Error) {
	if s.noCollection {
		return noObject, nil
	}
	return loginCollection, nil
}

func (s *fakeService) Property(intf, name string) (dbus.Variant, *dbus.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch name {
	case "Collections":
		if s.noCollection {
			return dbus.MakeVariant([]dbus.ObjectPath{}), nil
		}
		return dbus.MakeVariant([]dbus.ObjectPath{loginCollection}), nil
	case "Locked":
		return dbus.MakeVariant(s.locked), nil
	}
	return dbus.Variant{}, dbus.MakeFailedError(errors.New("no such property"))
}

func (s *fakeService) Unlock(objects []dbus.ObjectPath) ([]dbus.ObjectPath, dbus.ObjectPath, *dbus.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.noCollection, s.locked && !s.unlockAsks:
		return nil, noObject, nil
	case s.locked:
		return nil, fakePrompt, nil
	}
	return objects, noObject, nil
}

func (s *fakeService) Prompt(string) *dbus.Error {
	s.mu.Lock()
	s.prompted++
	s.mu.Unlock()
	go s.prompt(s, fakePrompt)
	return nil
}

func (s *fakeService) asks() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changeAsks
}

func (s *fakeService) prompts() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.prompted
}

// complete ends a prompt.
func (s *fakeService) complete(path dbus.ObjectPath, dismissed bool, result any) {
	_ = s.conn.Emit(path, promptCompleted, dismissed, dbus.MakeVariant(result))
}

func (s *fakeService) SearchItems(attributes map[string]string) ([]dbus.ObjectPath, *dbus.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := []dbus.ObjectPath{}
	for path, item := range s.items {
		if maps.Equal(attributes, item.attributes) {
			found = append(found, path)
		}
	}
	return found, nil
}

func (s *fakeService) CreateItem(properties map[string]dbus.Variant, secret fakeSecret, replace bool) (dbus.ObjectPath, dbus.ObjectPath, *dbus.Error) {
	if s.createItem != nil {
		if err := s.createItem(secret.Value); err != nil {
			return noObject, noObject, err
		}
	}
	if s.asks() {
		return noObject, fakePrompt, nil
	}
	attributes, _ := properties[itemInterface+".Attributes"].Value().(map[string]string)
	if old, _ := s.SearchItems(attributes); replace && len(old) > 0 {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.items[old[0]].secret = secret
		return old[0], noObject, nil
	}
	return s.add(attributes, secret), noObject, nil
}

func (s *fakeService) add(attributes map[string]string, secret fakeSecret) dbus.ObjectPath {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serial++
	path := dbus.ObjectPath(fmt.Sprintf("%s/%d", loginCollection, s.serial))
	item := &fakeItem{attributes, secret}
	s.items[path] = item
	s.export(path, itemInterface, map[string]any{
		"GetSecret": func(dbus.ObjectPath) (fakeSecret, *dbus.Error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			return item.secret, nil
		},
		"Delete": func() (dbus.ObjectPath, *dbus.Error) {
			if s.asks() {
				return fakePrompt, nil
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.items, path)
			return noObject, nil
		},
	})
	return path
}

// realKeychain calls the real library, on the session bus of the test.
func realKeychain(t *testing.T, timeout time.Duration) *Keychain {
	return New(Options{Dir: filepath.Join(t.TempDir(), "sealed"), Timeout: timeout})
}

func TestFakeServiceConforms(t *testing.T) {
	s := &fakeService{t: t, bus: startBus(t)}
	s.start()
	k := realKeychain(t, 0)
	keystoretest.Items(t, func(*testing.T) keystore.Items { return k })
}

// dismiss completes a prompt as if the user had closed it.
func dismiss(s *fakeService, path dbus.ObjectPath) { s.complete(path, true, "") }

const soon = 30 * time.Millisecond // a moment after which a prompt is on the screen

// TestTroubles is what every method says when the Secret Service or the bus fails,
// and that it says so in time.
func TestTroubles(t *testing.T) {
	const timeout = 600 * time.Millisecond
	noService := func(*fakeService) {}
	for _, c := range []struct {
		what  string
		start func(s *fakeService)
		want  keystore.Trouble
		words string // that tell it from others of the same trouble
	}{
		{"locked, without a prompt", func(s *fakeService) { s.locked = true; s.start() }, keystore.Locked, ""},
		{"locked, with a prompter that cannot start", func(s *fakeService) {
			s.locked, s.unlockAsks, s.prompt = true, true, dismiss
			s.start()
			s.own(gnomeKeyring)
		}, keystore.Locked, "no prompt"},
		{"locked, dismissed", func(s *fakeService) { s.locked, s.unlockAsks, s.prompt = true, true, dismiss; s.start() }, keystore.Dismissed, ""},
		{"locked, dismissed by GNOME's prompter", func(s *fakeService) {
			s.locked, s.unlockAsks, s.prompt = true, true, dismiss
			s.start()
			s.own(gnomeKeyring)
			s.own(gnomePrompter)
		}, keystore.Dismissed, ""},
		{"locked, and the prompt is not answered", func(s *fakeService) {
			s.locked, s.unlockAsks, s.prompt = true, true, func(*fakeService, dbus.ObjectPath) {}
			s.start()
		}, keystore.Silent, "given up"},
		{"silent without a prompt", func(s *fakeService) {
			over := make(chan struct{})
			s.t.Cleanup(func() { close(over) })
			s.locked, s.openSession = true, func(*fakeService) *dbus.Error { <-over; return nil }
			s.unlockAsks, s.prompt = true, func(*fakeService, dbus.ObjectPath) {}
			s.start()
		}, keystore.Silent, "given up"},
		{"the service dies in mid-prompt", func(s *fakeService) {
			s.locked, s.unlockAsks, s.prompt = true, true, func(s *fakeService, _ dbus.ObjectPath) { time.Sleep(soon); s.conn.Close() }
			s.start()
		}, keystore.Failed, "the service that keeps it ended"},
		{"the bus dies in mid-prompt", func(s *fakeService) {
			s.locked, s.unlockAsks, s.prompt = true, true, func(s *fakeService, _ dbus.ObjectPath) { time.Sleep(soon); _ = s.bus.Process.Kill() }
			s.start()
		}, keystore.Failed, "the session bus ended"},
		{"a prompt ends in a form that the library does not expect", func(s *fakeService) {
			s.locked, s.unlockAsks, s.prompt = true, true, func(s *fakeService, p dbus.ObjectPath) { _ = s.conn.Emit(p, promptCompleted, "no") }
			s.start()
		}, keystore.Failed, "panicked"},
		{"no keyring", func(s *fakeService) { s.noCollection = true; s.start() }, keystore.Absent, "no default keyring"},
		{"no provider", noService, keystore.Absent, "not provided"},
		{"the bus has gone", func(s *fakeService) { stopBus(s.bus) }, keystore.Absent, "connect"},
		{"a stale address", func(s *fakeService) { s.t.Setenv(addressVariable, "unix:path=/nonexistent/bus") }, keystore.Absent, "connect"},
		{"no address", func(s *fakeService) {
			if matches, _ := filepath.Glob(fmt.Sprintf("/run/user/%d/*bus*", os.Getuid())); len(matches) > 0 {
				s.t.Skip("this user has a session bus")
			}
			s.t.Setenv(addressVariable, "")
		}, keystore.Absent, "no session bus"},
		{"a bus that accepts and says nothing", func(s *fakeService) { silentBus(s.t) }, keystore.Silent, "given up"},
	} {
		for _, op := range []string{"put", "get", "delete"} {
			t.Run(c.what+"/"+op, func(t *testing.T) {
				s := &fakeService{t: t, bus: startBus(t)}
				c.start(s)
				k := realKeychain(t, timeout)
				start := time.Now()
				err := call(t, k, op)
				took := time.Since(start)
				t.Logf("%v: %v", took.Round(time.Millisecond), err)
				wantTrouble(t, err, c.want)
				if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), string(value(100).Reveal()[:20])) {
					t.Errorf("the value is in %v", err)
				}
				if !strings.Contains(fmt.Sprint(err), c.words) {
					t.Errorf("%v does not say %q", err, c.words)
				}
				if most := timeout + time.Second; took > most {
					t.Errorf("took %v", took)
				}
			})
		}
	}
}

func call(t *testing.T, k *Keychain, op string) error {
	switch op {
	case "put":
		return k.Put(t.Context(), "x", value(100))
	case "get":
		_, err := k.Get(t.Context(), "x")
		return err
	}
	return k.Delete(t.Context(), "x")
}

// silentBus is a socket that is taken for a bus, for as long as the test goes on.
func silentBus(t *testing.T) {
	dir, err := os.MkdirTemp("", "kw")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "bus"))
	if err != nil {
		t.Fatal(err)
	}
	var conns []net.Conn
	accepting := make(chan struct{})
	go func() {
		defer close(accepting)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns = append(conns, c)
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-accepting
		for _, c := range conns {
			c.Close()
		}
		os.RemoveAll(dir)
	})
	t.Setenv(addressVariable, "unix:path="+filepath.Join(dir, "bus"))
}

// A prompt for a single change that is dismissed is none that was granted.
func TestDismissedChange(t *testing.T) {
	s := &fakeService{t: t, bus: startBus(t), prompt: dismiss}
	s.start()
	k := realKeychain(t, time.Second)
	if err := k.Put(t.Context(), "x", value(100)); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.changeAsks = true
	s.mu.Unlock()
	wantTrouble(t, k.Put(t.Context(), "x", value(5000)), keystore.Dismissed)
	wantTrouble(t, k.Delete(t.Context(), "x"), keystore.Dismissed)
	if got, err := k.Get(t.Context(), "x"); err != nil || got.Len() != 100 {
		t.Errorf("afterwards: %d bytes, %v", got.Len(), err)
	}
	if left := sealedFiles(t, k); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
}

// A user who takes a while is told that keywright waits, and gets the value.
func TestPromptAnswered(t *testing.T) {
	s := &fakeService{t: t, bus: startBus(t)}
	s.locked, s.unlockAsks = true, true
	s.prompt = func(s *fakeService, path dbus.ObjectPath) {
		time.Sleep(1200 * time.Millisecond)
		s.mu.Lock()
		s.locked = false
		s.mu.Unlock()
		s.complete(path, false, []dbus.ObjectPath{loginCollection})
	}
	s.start()
	k, told := realKeychain(t, 10*time.Second), 0
	k.options.Waiting = func() { told++ }
	if err := k.Put(t.Context(), "x", value(100)); err != nil || told != 1 || s.prompts() != 1 {
		t.Errorf("%v, told %d times, %d prompts", err, told, s.prompts())
	}
}

// Without leave to prompt nobody is asked, and a keychain that is open works.
func TestNoPrompt(t *testing.T) {
	s := &fakeService{t: t, bus: startBus(t)}
	s.locked, s.unlockAsks, s.prompt = true, true, dismiss
	s.start()
	k := realKeychain(t, 5*time.Second)
	k.options.NoPrompt = true
	each(t, k, func(_ string, err error) { wantTrouble(t, err, keystore.Locked) })
	if n := s.prompts(); n != 0 {
		t.Errorf("%d prompts", n)
	}
	s.mu.Lock()
	s.locked = false
	s.mu.Unlock()
	each(t, k, func(op string, err error) {
		if err != nil {
			t.Errorf("%s: %v", op, err)
		}
	})
}

// A service that dies is one thing, the next one to take its place another.
func TestServiceComesBack(t *testing.T) {
	s := &fakeService{t: t, bus: startBus(t)}
	s.locked, s.unlockAsks, s.prompt = true, true, func(s *fakeService, _ dbus.ObjectPath) { s.conn.Close() }
	s.start()
	k := realKeychain(t, 2*time.Second)
	wantTrouble(t, k.Put(t.Context(), "x", value(100)), keystore.Failed)
	next := &fakeService{t: t, bus: s.bus}
	next.start()
	if err := k.Put(t.Context(), "x", value(100)); err != nil {
		t.Errorf("with another service: %v", err)
	}
}

func TestServiceQuotesTheValue(t *testing.T) {
	s := &fakeService{t: t, bus: startBus(t)}
	s.createItem = func(v []byte) *dbus.Error { return dbus.MakeFailedError(fmt.Errorf("%q is no good", v)) }
	s.start()
	err := realKeychain(t, time.Second).Put(t.Context(), "x", value(100))
	wantTrouble(t, err, keystore.Failed)
	if strings.Contains(fmt.Sprintf("%+v %#v", err, errors.Unwrap(err)), "sesame") {
		t.Error("the error shows the value")
	}
}

// Two items of one name, as another tool can make them, both go.
func TestDeleteTakesAll(t *testing.T) {
	s := &fakeService{t: t, bus: startBus(t)}
	s.start()
	for range 3 {
		s.add(map[string]string{"service": service, "username": "x"}, fakeSecret{fakeSession, nil, []byte("v"), ""})
	}
	k := realKeychain(t, time.Second)
	err := k.Delete(t.Context(), "x")
	if left, _ := s.SearchItems(map[string]string{"service": service, "username": "x"}); err != nil || len(left) != 0 {
		t.Errorf("%d left, %v", len(left), err)
	}
}
