package rabbitmq

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/server"
)

const (
	dialing  = server.Dialing // to reach a broker, and to be let in
	maxFrame = 128 << 10      // bytes of a frame from the broker
)

// Methods of AMQP 0-9-1's class connection.
const (
	class   = 10
	start   = 10
	startOK = 11
	tune    = 30
	tuneOK  = 31
	open    = 40
	openOK  = 41
	closing = 50
	closeOK = 51
)

// Reply codes of AMQP 0-9-1.
const (
	accessRefused = 403
	notAllowed    = 530
)

var (
	errNonsense = errors.New("the answer is not one of RabbitMQ's")
	errPlain    = errors.New("the broker takes no passwords: it does not offer PLAIN")
)

// Verify opens a connection by AMQP. Dead is ACCESS_REFUSED (403) before one is open, which
// is for a wrong password, a user that is not there and one without a password alike. The
// broker says that to those alone who announce that they understand it, as is done here; to
// others it closes the connection without a word. It also says so of the user guest, who
// may come from the broker's own machine alone.
func (p *Provider) Verify(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	doing := "log in as " + provider.User(c)
	to, config, err := target(c)
	if err != nil {
		return provider.Probe{}, incomplete(doing, err.Error())
	}
	ctx, cancel := context.WithTimeout(ctx, dialing)
	defer cancel()
	probe, err := handshake(ctx, c, to, config)
	if err == nil {
		return probe, nil
	}
	e := &provider.Error{Provider: name, Doing: doing, Kind: provider.Unreached, Err: errors.New("the connection broke off, or what came was not RabbitMQ's")}
	network, certificate := (*net.OpError)(nil), (*tls.CertificateVerificationError)(nil)
	switch {
	case ctx.Err() != nil:
		e.Err = ctx.Err()
	case errors.Is(err, errNonsense):
		e.Kind, e.Err = provider.Malformed, errNonsense
	case errors.Is(err, errPlain):
		e.Kind, e.Err = provider.Refused, errPlain
	case errors.As(err, &network):
		e.Err = network
	case errors.As(err, &certificate):
		e.Err = certificate
	}
	return provider.Probe{}, e
}

// target is where a broker listens for AMQP, and how a connection is protected: nil for not
// at all.
func target(c provider.Credential) (string, *tls.Config, error) {
	to, at := c.Params[host], c.Params[port]
	if to == "" {
		if u, err := url.Parse(c.Params[management]); err == nil {
			to = u.Hostname()
		}
	}
	config, err := server.Secure(to, c.Params[sslMode], c.Params[sslRoots])
	if err != nil {
		return "", nil, err
	}
	if at == "" {
		if at = "5671"; config == nil {
			at = "5672"
		}
	}
	number, err := strconv.ParseUint(at, 10, 16)
	switch {
	case to == "":
		return "", nil, errors.New("the host is needed")
	case err != nil || number == 0:
		return "", nil, fmt.Errorf("the port %q is not 1 to 65535", at)
	case provider.User(c) == "" || c.Part(password).IsZero():
		return "", nil, errors.New("the user and the password are needed")
	case strings.ContainsRune(provider.User(c), 0), slices.Contains(c.Part(password).Reveal(), 0), len(c.Params[vhost]) > 255:
		return "", nil, errors.New("the user, the password or the virtual host is none that AMQP can say")
	}
	return net.JoinHostPort(to, at), config, nil
}

// handshake opens a connection, and closes it. The client that programs use does not say
// that it understands why it was refused: so it is done by hand.
func handshake(ctx context.Context, c provider.Credential, to string, config *tls.Config) (provider.Probe, error) {
	conn, err := server.Dialer(c, config).DialContext(ctx, "tcp", to)
	if err != nil {
		return provider.Probe{}, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if config != nil {
		secured := tls.Client(conn, config)
		if err := secured.HandshakeContext(ctx); err != nil {
			return provider.Probe{}, err
		}
		conn = secured
	}
	if _, err := io.WriteString(conn, "AMQP\x00\x00\x09\x01"); err != nil {
		return provider.Probe{}, err
	}
	hello, err := expect(conn, start)
	if err != nil {
		return provider.Probe{}, err
	}
	if err := plain(hello); err != nil {
		return provider.Probe{}, err
	}
	login := "\x00" + provider.User(c) + "\x00" + string(c.Part(password).Reveal())
	capabilities := short("capabilities") + "F" + long(short("authentication_failure_close")+"t\x01")
	if err := say(conn, startOK, long(short("product")+"S"+long("keywright")+capabilities)+short("PLAIN")+long(login)+short("en_US")); err != nil {
		return provider.Probe{}, err
	}
	limits, err := expect(conn, tune)
	if no := (*refusal)(nil); errors.As(err, &no) {
		return no.probe(false), nil
	}
	if err != nil {
		return provider.Probe{}, err
	}
	if len(limits) != 8 {
		return provider.Probe{}, errNonsense
	}
	world := c.Params[vhost]
	if world == "" {
		world = "/"
	}
	err = errors.Join(say(conn, tuneOK, limits), say(conn, open, short(world)+"\x00\x00"))
	if err == nil {
		_, err = expect(conn, openOK)
	}
	if no := (*refusal)(nil); errors.As(err, &no) {
		return no.probe(true), nil
	}
	if err != nil {
		return provider.Probe{}, err
	}
	// That it is closed politely keeps the broker's log clean.
	if err := say(conn, closing, "\x00\xc8"+short("")+"\x00\x00\x00\x00"); err == nil {
		_, _ = expect(conn, closeOK)
	}
	return provider.Probe{State: provider.Alive, Who: provider.Identity{ID: provider.User(c)}}, nil
}

// refusal is a connection that the broker closes. Its text may hold what it was sent.
type refusal struct {
	code uint16
	text string
}

func (r *refusal) Error() string { return "the broker closed the connection" }

// probe is what a refusal says of the credential that was tried.
func (r *refusal) probe(loggedIn bool) provider.Probe {
	switch {
	case !loggedIn && r.code == accessRefused:
		return provider.Probe{State: provider.Dead, Code: "403 ACCESS_REFUSED"}
	case r.code == notAllowed && strings.Contains(r.text, "limit"):
		return provider.Probe{State: provider.Throttled, Code: "530 NOT_ALLOWED"}
	case loggedIn && r.code == notAllowed: // to open the virtual host
		return provider.Probe{State: provider.Narrow, Code: "530 NOT_ALLOWED"}
	}
	return provider.Probe{State: provider.Unknown, Code: strconv.Itoa(int(r.code))}
}

// plain refuses a broker that does not offer to be told a password.
func plain(hello string) error {
	if len(hello) < 6 { // the version, and how long the properties are
		return errNonsense
	}
	rest := hello[2:]
	for range 2 {
		if len(rest) < 4 {
			return errNonsense
		}
		n := binary.BigEndian.Uint32([]byte(rest))
		if uint64(n) > uint64(len(rest)-4) {
			return errNonsense
		}
		if text := rest[4 : 4+n]; slices.Contains(strings.Fields(text), "PLAIN") {
			return nil
		}
		rest = rest[4+n:]
	}
	return errPlain
}

// short and long are texts with their length.
func short(s string) string { return string([]byte{byte(len(s))}) + s }

func long(s string) string { return string(binary.BigEndian.AppendUint32(nil, uint32(len(s)))) + s }

// say sends a method.
func say(w io.Writer, method byte, args string) error {
	body := string([]byte{0, class, 0, method}) + args
	_, err := io.WriteString(w, "\x01\x00\x00"+long(body)+"\xce")
	return err
}

// expect reads a method's arguments. That the broker closes the connection is a *refusal.
func expect(r io.Reader, method byte) (string, error) {
	top := make([]byte, 7)
	if _, err := io.ReadFull(r, top); err != nil {
		return "", err
	}
	size := binary.BigEndian.Uint32(top[3:])
	if top[0] != 1 || top[1] != 0 || top[2] != 0 || size < 4 || size > maxFrame {
		return "", errNonsense
	}
	body := make([]byte, size+1)
	if _, err := io.ReadFull(r, body); err != nil {
		return "", err
	}
	if body[size] != 0xce || binary.BigEndian.Uint16(body) != class || body[2] != 0 {
		return "", errNonsense
	}
	args := string(body[4:size])
	switch body[3] {
	case method:
		return args, nil
	case closing:
		if len(args) < 3 || len(args) < 3+int(args[2]) {
			return "", errNonsense
		}
		return "", &refusal{binary.BigEndian.Uint16([]byte(args)), args[3 : 3+int(args[2])]}
	}
	return "", errNonsense
}
