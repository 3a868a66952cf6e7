package server_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/providertest/daemon"
	"github.com/keywright/keywright/provider/server"
	"github.com/keywright/keywright/secret"
)

func credential(password string, params map[string]string) provider.Credential {
	return provider.Credential{ID: "app", Params: params, Parts: map[string]secret.Value{"password": secret.New([]byte(password))}}
}

func TestAddress(t *testing.T) {
	for port, want := range map[string]uint16{"": 1234, "1": 1, "65535": 65535} {
		host, number, err := server.Address(credential("p", map[string]string{"host": "db.example.com", "port": port}), "1234")
		if err != nil || host != "db.example.com" || number != want {
			t.Errorf("%q: %s, %d, %v", port, host, number, err)
		}
	}
	nobody := credential("p", map[string]string{"host": "h"})
	nobody.ID = ""
	for missing, c := range map[string]provider.Credential{
		"host": credential("p", nil), "user": nobody, "password": credential("", map[string]string{"host": "h"}),
		`port "0"`: credential("p", map[string]string{"host": "h", "port": "0"}), `port "65536"`: credential("p", map[string]string{"host": "h", "port": "65536"}),
		`port "x"`: credential("p", map[string]string{"host": "h", "port": "x"}),
	} {
		if _, _, err := server.Address(c, "1234"); err == nil || !strings.Contains(err.Error(), missing) {
			t.Errorf("%s: %v", missing, err)
		}
	}
}

var here = map[string]bool{
	"localhost": true, "127.0.0.1": true, "127.1.2.3": true, "::1": true,
	"db.example.com": false, "192.0.2.1": false, "localhost.example.com": false, "2001:db8::1": false, "": false,
}

func TestHere(t *testing.T) {
	for host, want := range here {
		if got := server.Here(host); got != want {
			t.Errorf("%s: %v", host, got)
		}
	}
	if !server.Here(t.TempDir()) {
		t.Error("a socket is elsewhere")
	}
}

// Nothing is sent in the clear but to this machine.
func TestSecure(t *testing.T) {
	for host, local := range here {
		config, err := server.Secure(host, server.Disable, "")
		if config != nil || (err == nil) != local {
			t.Errorf("%s, disable: %v, %v", host, config, err)
		}
		for _, mode := range []string{"", server.VerifyFull} {
			config, err := server.Secure(host, mode, "")
			if err != nil || config == nil || config.ServerName != host || config.InsecureSkipVerify || config.MinVersion < tls.VersionTLS12 || config.RootCAs != nil {
				t.Errorf("%s, %q: %+v, %v", host, mode, config, err)
			}
		}
		for _, mode := range []string{"require", "prefer", "verify-ca", "no"} {
			if _, err := server.Secure(host, mode, ""); err == nil {
				t.Errorf("%s: it takes %q", host, mode)
			}
		}
	}
	for _, mode := range []string{"", server.VerifyFull, server.Disable} {
		if config, err := server.Secure(t.TempDir(), mode, ""); err != nil || config != nil {
			t.Errorf("a socket, %q: %v, %v", mode, config, err)
		}
	}
	file := filepath.Join(t.TempDir(), "roots.pem")
	if _, err := server.Secure("db.example.com", "", file); err == nil {
		t.Error("it goes on without the roots")
	}
	if err := os.WriteFile(file, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Secure("db.example.com", "", file); err == nil {
		t.Error("it goes on without a root")
	}
}

// TestSigned: a certificate without a name, or with another, is taken if it is signed with
// one of the roots, and no other is.
func TestSigned(t *testing.T) {
	ours, others := t.TempDir(), t.TempDir()
	daemon.Certify(t, ours, "server")
	daemon.Certify(t, others, "server")
	if _, err := server.Signed(""); err == nil {
		t.Error("it goes on without roots")
	}
	config, err := server.Signed(filepath.Join(ours, "roots.pem"))
	if err != nil {
		t.Fatal(err)
	}
	config.ServerName = "db.example.com" // which is none of those in the certificate
	for dir, want := range map[string]bool{ours: true, others: false} {
		certificate, err := tls.LoadX509KeyPair(filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key"))
		if err != nil {
			t.Fatal(err)
		}
		here, there := net.Pipe()
		go func() {
			_ = tls.Server(there, &tls.Config{Certificates: []tls.Certificate{certificate}}).Handshake()
			there.Close()
		}()
		err = tls.Client(here, config).Handshake()
		here.Close()
		if no := (*tls.CertificateVerificationError)(nil); (err == nil) != want || !want && !errors.As(err, &no) {
			t.Errorf("signed with its roots: %v: %v", want, err)
		}
	}
}

// Whatever a name means, nobody but this machine is dialled without protection.
func TestDialer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := server.Dialer(provider.Credential{}, nil).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// Sessions have ended when there was none twice.
func TestDrain(t *testing.T) {
	open := []int{2, 1, 0, 1, 0, 0, 5}
	if err := server.Drain(t.Context(), func() (int, error) { n := open[0]; open = open[1:]; return n, nil }); err != nil || len(open) != 1 {
		t.Errorf("%v, %v", open, err)
	}
	why := errors.New("no")
	if err := server.Drain(t.Context(), func() (int, error) { return 1, why }); !errors.Is(err, why) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := server.Drain(ctx, func() (int, error) { cancel(); return 1, nil }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Those that do not end are not waited for without end.
func TestDrainTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if err := server.Drain(t.Context(), func() (int, error) { return 3, nil }); !errors.Is(err, server.ErrStillOpen) || !strings.HasSuffix(err.Error(), "after 15s: 3") {
			t.Error(err)
		}
	})
}

func TestHider(t *testing.T) {
	hide := server.Hider([]provider.Credential{credential("first", nil), credential("", nil), credential("second", nil)}, secret.New([]byte("third")))
	if got := hide("a first, second\x1b[2J\nand third: first"); got != "a [redacted], [redacted] [2J and [redacted]: [redacted]" {
		t.Errorf("%q", got)
	}
	if got := hide(strings.Repeat("ü", 1000)); len([]rune(got)) != 300 {
		t.Errorf("%d characters", len([]rune(got)))
	}
}
