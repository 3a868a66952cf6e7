package provider

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"github.com/keywright/keywright/secret"
)

// The parameters of a server that is reached at its address.
const (
	HostParam     = "host"
	PortParam     = "port"
	DatabaseParam = "database"
)

// HostRecognizer knows its credentials among addresses that a scan finds, which name a
// server: SCHEME://USER:PASSWORD@HOST. Whoever wrote what was scanned chose the host.
type HostRecognizer interface {
	// RecognizeHost is Recognizer's Recognize for such an address. The credential is Found.
	RecognizeHost(rule string, parts map[string]secret.Value) (Credential, bool)
}

// FoundAt makes a credential of the parts of an address of one of some schemes: user,
// password, host, port and database. Its host may be any. It reports false if it is no
// such address, or one of which it is not sure who is asked.
func FoundAt(rule string, parts map[string]secret.Value, schemes ...string) (c Credential, scheme string, ok bool) {
	text := func(role string) string { return string(parts[role].Reveal()) }
	scheme = strings.ToLower(text("scheme"))
	if rule != "database-url-password" || !slices.Contains(schemes, scheme) {
		return c, "", false
	}
	if driver := text("driver"); driver != "" && strings.Trim(driver, "0123456789_abcdefghijklmnopqrstuvwxyz") != "" || driver == "srv" || driver == "sentinel" {
		return c, "", false
	}
	host := strings.ToLower(text("host"))
	if inside, ok := strings.CutPrefix(host, "["); ok {
		host = strings.TrimSuffix(inside, "]")
	}
	user, err1 := url.PathUnescape(text("user"))
	password, err2 := url.PathUnescape(text("secret"))
	database, err3 := url.PathUnescape(text("database"))
	port := text("port")
	number, err4 := strconv.ParseUint(port, 10, 16)
	switch {
	case errors.Join(err1, err2, err3) != nil, host == "", password == "":
		return c, "", false
	case port != "" && (err4 != nil || number == 0):
		return c, "", false
	}
	for _, s := range []string{user, password, database} { // a protocol must not take one for its own
		if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
			return c, "", false
		}
	}
	c = Credential{
		Parts:  map[string]secret.Value{UserPart: secret.New([]byte(user)), "password": secret.New([]byte(password))},
		Params: map[string]string{HostParam: host, PortParam: port, DatabaseParam: database},
		Found:  true,
	}
	return c, scheme, true
}

// IsHere reports whether a name or an address is that of this machine.
func IsHere(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// Control is that of a net.Dialer which connects in the name of a credential. What is not
// protected goes to this machine alone, whatever localhost means; and an address that was
// found leads to none of the link: there the metadata services of clouds are.
func Control(c Credential, protected bool) func(network, address string, _ syscall.RawConn) error {
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
