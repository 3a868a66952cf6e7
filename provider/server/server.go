// Package server is what the providers of servers have in common that somebody runs
// themselves, and that know users with passwords: how one is reached, over TLS or on this
// machine alone, and how what it says is shown.
package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/secret"
)

// The limits of a conversation.
const (
	Dialing    = 15 * time.Second // to reach a server
	Altogether = time.Minute      // for all that a method does
)

// The parts and parameters of a credential that are the same for all.
const (
	Password = "password"
	Host     = provider.HostParam
	Port     = provider.PortParam
	Database = "database"
	SSLMode  = "sslmode"
	SSLRoots = "sslrootcert"
)

// The values of SSLMode, of which Secure knows the first and the last.
const (
	VerifyFull = "verify-full"
	VerifyCA   = "verify-ca"
	Disable    = "disable"
)

// Address is where to log in with a credential, and an error if there is something missing
// for that. Otherwise is the port if none is said.
func Address(c provider.Credential, otherwise string) (host string, port uint16, err error) {
	host, text := c.Params[Host], c.Params[Port]
	if text == "" {
		text = otherwise
	}
	number, err := strconv.ParseUint(text, 10, 16)
	switch {
	case host == "":
		return "", 0, errors.New("the host is needed")
	case err != nil || number == 0:
		return "", 0, fmt.Errorf("the port %q is not 1 to 65535", text)
	case provider.User(c) == "":
		return "", 0, errors.New("the user is needed")
	case c.Part(Password).IsZero():
		return "", 0, errors.New("the password is needed")
	}
	return host, uint16(number), nil
}

// Here reports whether a host is this machine by its name: localhost, an address of it, or
// the path of a Unix socket.
func Here(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || filepath.IsAbs(host) || err == nil && ip.IsLoopback()
}

// Secure is how a connection is protected that is to be so by SSLMode; nil for not at all,
// which is for this machine alone.
func Secure(host, mode, roots string) (*tls.Config, error) {
	switch mode {
	case Disable:
		if !Here(host) {
			return nil, fmt.Errorf("sslmode disable is for servers on this machine, not for %s", host)
		}
		return nil, nil
	case VerifyFull, "":
	default:
		return nil, fmt.Errorf("the sslmode %q is neither verify-full nor disable", mode)
	}
	if filepath.IsAbs(host) {
		return nil, nil
	}
	return Verified(host, roots)
}

// Verified is TLS with a server whose certificate is of its name, and signed with one of the
// system's, or of the file of roots if there is one.
func Verified(host, roots string) (*tls.Config, error) {
	config := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if roots != "" {
		b, err := os.ReadFile(roots)
		if err != nil {
			return nil, fmt.Errorf("read the root certificates: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(b) {
			return nil, fmt.Errorf("%s holds no certificate in PEM form", roots)
		}
	}
	return config, nil
}

// Signed is TLS with a server whose certificate is signed with one of a file of roots,
// whatever its name: such as servers make themselves, with roots of their own.
func Signed(roots string) (*tls.Config, error) {
	if roots == "" {
		return nil, errors.New("sslmode verify-ca needs sslrootcert: others have certificates of the system's, too")
	}
	config, err := Verified("", roots)
	if err != nil {
		return nil, err
	}
	config.InsecureSkipVerify = true // the name; the rest is verified here
	config.VerifyConnection = func(state tls.ConnectionState) error {
		others := x509.NewCertPool()
		for _, c := range state.PeerCertificates[1:] {
			others.AddCert(c)
		}
		if _, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: config.RootCAs, Intermediates: others}); err != nil {
			return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
		}
		return nil
	}
	return config, nil
}

// Dialer reaches a server in the name of a credential.
func Dialer(c provider.Credential, protected *tls.Config) *net.Dialer {
	return &net.Dialer{Timeout: Dialing, Control: control(c, protected != nil)}
}

// control looks at an address before it is dialled. What is not protected goes to this
// machine alone, whatever a name means; and an address that was found leads to none of the
// link: there the metadata services of clouds are.
func control(c provider.Credential, protected bool) func(network, address string, _ syscall.RawConn) error {
	return func(network, address string, _ syscall.RawConn) error {
		if !strings.HasPrefix(network, "tcp") {
			return nil
		}
		at, err := netip.ParseAddrPort(address)
		ip := at.Addr().Unmap()
		switch {
		case err != nil:
			return fmt.Errorf("%s is no address", address)
		case c.Found && (ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified()):
			return fmt.Errorf("%s is no address that is asked if a scan found it", address)
		case !protected && !ip.IsLoopback():
			return fmt.Errorf("%s is not on this machine", address)
		}
		return nil
	}
}

// ending is how long sessions have to end that were told to.
const ending = 15 * time.Second

// ErrStillOpen says that sessions have not ended that were told to.
var ErrStillOpen = errors.New("sessions are still open")

// Drain has sessions told to end by tell, which returns how many there are, until none is
// left. One that was about to open as its user was changed may show up late: none is left
// when there was none twice.
func Drain(ctx context.Context, tell func() (open int, err error)) error {
	late := time.After(ending)
	for none := 0; none < 2; {
		open, err := tell()
		if err != nil {
			return err
		}
		if none++; open > 0 {
			none = 0
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-late:
			return fmt.Errorf("%w after %v: %d", ErrStillOpen, ending, open)
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

// longest is how many characters are taken from a server's text.
const longest = 300

// Hider returns a function that makes a text of a server's one that can be shown: it is one
// line, and neither the passwords of credentials nor what else is given are in it.
func Hider(credentials []provider.Credential, also ...secret.Value) func(string) string {
	for _, c := range credentials {
		also = append(also, c.Part(Password))
	}
	return func(text string) string {
		b := []byte(text)
		for _, v := range also {
			if !v.IsZero() {
				b = bytes.ReplaceAll(b, v.Reveal(), []byte("[redacted]"))
			}
		}
		shown := []rune(strings.Map(func(r rune) rune {
			if unicode.IsSpace(r) || !unicode.IsPrint(r) {
				return ' '
			}
			return r
		}, string(b)))
		return string(shown[:min(len(shown), longest)])
	}
}
