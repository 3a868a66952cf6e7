//go:build (dragonfly && cgo) || (freebsd && cgo) || linux || netbsd || openbsd

package keychain

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/godbus/dbus/v5"

	"github.com/keywright/keywright/keystore"
)

// Names of the Secret Service, of the bus, and of GNOME Keyring.
const (
	secrets          = "org.freedesktop.secrets"
	secretsPath      = dbus.ObjectPath("/org/freedesktop/secrets")
	secretService    = "org.freedesktop.Secret.Service"
	loginCollection  = secretsPath + "/collection/login"
	collectionLocked = "org.freedesktop.Secret.Collection.Locked"
	promptCompleted  = "org.freedesktop.Secret.Prompt.Completed"
	readAlias        = secretService + ".ReadAlias"
	listCollections  = secretService + ".Collections"
	noObject         = dbus.ObjectPath("/")

	busInterface = "org.freedesktop.DBus"
	ownerChanged = busInterface + ".NameOwnerChanged"
	getNameOwner = busInterface + ".GetNameOwner"

	gnomeKeyring  = "org.gnome.keyring"
	gnomePrompter = "org.gnome.keyring.SystemPrompter"
)

var (
	errBusGone   = errors.New("the session bus ended during the call")
	errOwnerGone = errors.New("the service that keeps it ended during the call")
	errNoKeyring = errors.New("it has no default keyring, or none is open")
)

// busWatch watches calls to the Secret Service. The library has its one connection
// from the same place, so that the signals that it gets can be seen here, too. Calls
// that overlap see each other's: they are reads, to which prompts of others are nothing.
type busWatch struct {
	mu      sync.Mutex
	matched *dbus.Conn // where the bus is to tell of a change of owner
}

func newWatcher() watcher { return (&busWatch{}).begin }

func (w *busWatch) begin(noPrompt bool, lost chan<- error) (func(bool, error) error, error) {
	conn, err := w.connect()
	if err != nil {
		return nil, err
	}
	if noPrompt {
		if err := unlocked(conn); err != nil {
			return nil, err
		}
	}
	c := &busCall{conn: conn, signals: make(chan *dbus.Signal, 16), over: make(chan struct{}), read: make(chan struct{}), lost: lost}
	conn.Signal(c.signals)
	go c.listen()
	return c.end, nil
}

// connect returns the connection that the library will use. Without a bus it fails
// here: the library would start one that nobody ends.
func (w *busWatch) connect() (*dbus.Conn, error) {
	if err := busAddress(); err != nil {
		return nil, err
	}
	conn, err := dbus.SessionBus()
	if err != nil {
		return nil, fmt.Errorf("connect to the session bus: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if conn == w.matched {
		return conn, nil
	}
	if err := conn.AddMatchSignal(dbus.WithMatchInterface(busInterface), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, secrets)); err != nil {
		return nil, fmt.Errorf("watch the session bus: %w", err)
	}
	w.matched = conn
	return conn, nil
}

// busAddress looks for a session bus where godbus does before it starts one.
func busAddress() error {
	const variable = "DBUS_SESSION_BUS_ADDRESS"
	if a := os.Getenv(variable); a != "" && a != "autolaunch:" {
		return nil
	}
	dir := fmt.Sprintf("/run/user/%d", os.Getuid())
	for _, file := range []string{"bus", "dbus-session"} {
		if _, err := os.Stat(filepath.Join(dir, file)); err == nil {
			return nil
		}
	}
	return &fault{keystore.Absent, fmt.Errorf("there is no session bus: %s is not set, and there is none in %s", variable, dir)}
}

// unlocked fails unless the library's collection is open.
func unlocked(conn *dbus.Conn) error {
	collection, err := collection(conn)
	if err != nil {
		return err
	}
	locked, err := conn.Object(secrets, collection).GetProperty(collectionLocked)
	if err != nil {
		return err
	}
	if is, ok := locked.Value().(bool); !ok || is {
		return &fault{keystore.Locked, nil}
	}
	return nil
}

// collection is the one that the library uses.
func collection(conn *dbus.Conn) (dbus.ObjectPath, error) {
	service := conn.Object(secrets, secretsPath)
	list, err := service.GetProperty(listCollections)
	if err != nil {
		return "", err
	}
	all, _ := list.Value().([]dbus.ObjectPath)
	for _, c := range all {
		if c == loginCollection {
			return c, nil
		}
	}
	var alias dbus.ObjectPath
	if err := service.Call(readAlias, 0, "default").Store(&alias); err != nil {
		return "", err
	}
	if alias == noObject {
		return "", &fault{keystore.Absent, errNoKeyring}
	}
	return alias, nil
}

// busCall is one call that is watched.
type busCall struct {
	conn    *dbus.Conn
	signals chan *dbus.Signal
	over    chan struct{} // closed by end
	read    chan struct{} // closed when all signals have been read
	lost    chan<- error

	dismissed atomic.Bool
	gone      atomic.Pointer[error]
}

// listen reads signals until the call is over, and what came before that.
func (c *busCall) listen() {
	defer close(c.read)
	for {
		select {
		case s, open := <-c.signals:
			if !open {
				c.lose(errBusGone)
				return
			}
			c.notice(s)
		case <-c.over:
			for len(c.signals) > 0 {
				c.notice(<-c.signals)
			}
			return
		}
	}
}

func (c *busCall) notice(s *dbus.Signal) {
	switch {
	case s == nil:
		c.lose(errBusGone)
	case s.Name == promptCompleted && len(s.Body) > 0 && s.Body[0] == true:
		c.dismissed.Store(true)
	case s.Name == ownerChanged && len(s.Body) == 3 && s.Body[0] == secrets && s.Body[2] == "":
		c.lose(errOwnerGone)
	}
}

func (c *busCall) lose(err error) {
	if c.gone.CompareAndSwap(nil, &err) {
		c.lost <- err
	}
}

// end says what was the matter. The library does not tell a dismissed prompt from
// one that was answered.
func (c *busCall) end(reading bool, err error) error {
	c.conn.RemoveSignal(c.signals)
	close(c.over)
	<-c.read
	switch gone := c.gone.Load(); {
	case err == nil && (reading || !c.dismissed.Load()):
		return nil
	case gone != nil:
		return *gone
	case c.dismissed.Load() && !c.nobodyAsked():
		return &fault{keystore.Dismissed, nil}
	case c.dismissed.Load():
		return &fault{keystore.Locked, errors.New("it can show no prompt here")}
	case err != nil && strings.Contains(err.Error(), failedToUnlock):
		if _, err := collection(c.conn); err != nil {
			return err
		}
		return &fault{keystore.Locked, nil}
	}
	return err
}

// nobodyAsked reports whether a prompt was "dismissed" by GNOME Keyring because its
// prompter could not be started, as without a display.
func (c *busCall) nobodyAsked() bool {
	service, keyring := c.owner(secrets), c.owner(gnomeKeyring)
	return service != "" && service == keyring && c.owner(gnomePrompter) == ""
}

func (c *busCall) owner(name string) (owner string) {
	if c.conn.BusObject().Call(getNameOwner, 0, name).Store(&owner) != nil {
		return ""
	}
	return owner
}

// failedToUnlock begins an error of the library that has no type.
const failedToUnlock = "failed to unlock correct collection"

// systemTrouble says what trouble an error of the bus, or of the Secret Service, is.
func systemTrouble(err error) keystore.Trouble {
	var name string
	var value dbus.Error
	var pointer *dbus.Error
	var dial *net.OpError
	switch {
	case errors.As(err, &value):
		name = value.Name
	case errors.As(err, &pointer):
		name = pointer.Name
	case errors.As(err, &dial) && dial.Op == "dial":
		return keystore.Absent
	}
	switch name {
	case "org.freedesktop.Secret.Error.IsLocked":
		return keystore.Locked
	case "org.freedesktop.DBus.Error.NoReply", "org.freedesktop.DBus.Error.Timeout", "org.freedesktop.DBus.Error.TimedOut":
		return keystore.Silent
	case "org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner":
		return keystore.Absent
	}
	if strings.HasPrefix(name, "org.freedesktop.DBus.Error.Spawn.") {
		return keystore.Absent
	}
	return keystore.Failed
}
