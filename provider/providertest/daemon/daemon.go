// Package daemon is what the servers that tests start have in common: they listen on
// loopback alone, at a port that was free, and end with their test.
package daemon

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Host is the address that they listen at.
const Host = "127.0.0.1"

// Program is the path of the first of some programs that is installed. The test is skipped
// where none is, and fails where that is not allowed. Debian's package has it.
func Program(t *testing.T, title, debian string, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("KEYWRIGHT_REQUIRE_SERVICES") == "1" {
		t.Fatal(title + " is not installed, and KEYWRIGHT_REQUIRE_SERVICES=1")
	}
	t.Skip(title + " is not installed (the package " + debian + " has it)")
	return ""
}

// Port is one that nobody listened at a moment ago. Another process may take it meanwhile.
func Port(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", Host+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// Command is how a server is run.
type Command struct {
	Args    []string
	Env     []string // nil for ours
	Dir     string
	Log     string            // the file that its streams go to, which is made
	Stop    string            // a command of a shell that ends it: "kill $server"
	Prepare func(c *exec.Cmd) // may be nil
}

// ErrTaken is that of a server whose port another took first.
var ErrTaken = errors.New("another server has the port")

// Run runs a server until its input ends, which it does with our process, however that
// ends. Stop may be called twice, and waits until it has ended.
func (c Command) Run(t *testing.T) (stop func(), ended <-chan struct{}) {
	t.Helper()
	lives, ours, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer lives.Close()
	log, err := os.OpenFile(c.Log, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	script := `"$@" </dev/null & server=$!; { cat; ` + c.Stop + `; } <&3 3<&- 2>/dev/null & wait $server`
	cmd := exec.Command("/bin/sh", append([]string{"-c", script, "sh"}, c.Args...)...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = c.Dir, c.Env, log, log, []*os.File{lives}
	if c.Prepare != nil {
		c.Prepare(cmd)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() { _ = cmd.Wait(); close(over) }()
	return sync.OnceFunc(func() { ours.Close(); <-over }), over
}

// Start runs a server until the test ends, and waits until ready gives no error. Refused
// says of one whether a server gave it that is not ours.
func (c Command) Start(t *testing.T, ready func() error, refused func(error) bool) (stop func(), err error) {
	t.Helper()
	stop, ended := c.Run(t)
	for {
		err := ready()
		if err == nil {
			t.Cleanup(stop)
			return stop, nil
		}
		select {
		case <-ended:
			said, _ := os.ReadFile(c.Log)
			stop()
			return nil, fmt.Errorf("%w; it ended: %s", err, said)
		case <-t.Context().Done():
			stop()
			return nil, t.Context().Err()
		case <-time.After(20 * time.Millisecond):
		}
		if refused(err) {
			stop()
			return nil, ErrTaken
		}
	}
}

// Certify makes a certificate for loopback of each name, NAME.pem and NAME.key, and the
// one that they are signed with, roots.pem.
func Certify(t *testing.T, dir string, names ...string) {
	t.Helper()
	from, until := time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test root"}, NotBefore: from, NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	var rootKey *ecdsa.PrivateKey
	for i, name := range append([]string{"roots"}, names...) {
		c := root
		if i > 0 {
			c = &x509.Certificate{SerialNumber: big.NewInt(int64(i) + 1), NotBefore: from, NotAfter: until, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.ParseIP(Host)}}
		}
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if rootKey == nil {
			rootKey = key
		}
		signed, err := x509.CreateCertificate(rand.Reader, c, root, key.Public(), rootKey)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		for file, block := range map[string]*pem.Block{".pem": {Type: "CERTIFICATE", Bytes: signed}, ".key": {Type: "PRIVATE KEY", Bytes: der}} {
			if err := os.WriteFile(filepath.Join(dir, name+file), pem.EncodeToMemory(block), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}
