package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/gomodule/redigo/redis"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/server"
	"github.com/keywright/keywright/secret"
)

const maxAnswer = 32 << 20 // bytes from a server in a session

// errNonsense says that an answer cannot be one of Redis'.
var errNonsense = errors.New("the answer is not one of Redis'")

// session is a connection of somebody who is logged in.
type session struct {
	conn redis.Conn
	hide func(string) string
}

// within does something in a session. All errors that it returns are *provider.Error; a
// refusal in one is the server's. They show none of the passwords, nor their hashes.
func within(ctx context.Context, doing string, c provider.Credential, do func(*session) error, others ...provider.Credential) error {
	limited, cancel := context.WithTimeout(ctx, server.Altogether)
	defer cancel()
	s := &session{hide: hider(append(others, c))}
	fail := func(login bool, err error) error { return explain(limited, doing, s.hide, login, err) }
	to, number, err := server.Address(c, "6379")
	if err != nil {
		return incomplete(doing, err.Error())
	}
	config, err := protection(c)
	if err != nil {
		return incomplete(doing, err.Error())
	}
	conn, err := server.Dialer(c, config).DialContext(limited, "tcp", net.JoinHostPort(to, strconv.Itoa(int(number))))
	if err != nil {
		return fail(true, err)
	}
	defer conn.Close()
	// Deadlines are set by the client, too: what is closed stays closed.
	defer context.AfterFunc(limited, func() { conn.Close() })()
	protected := conn
	if config != nil {
		t := tls.Client(conn, config)
		if err := t.HandshakeContext(limited); err != nil {
			return fail(true, err)
		}
		protected = t
	}
	s.conn = redis.NewConn(&bounded{Conn: protected, left: maxAnswer}, 0, 0)
	if err := s.do("AUTH", provider.User(c), string(c.Part(password).Reveal())); err != nil {
		return fail(true, err)
	}
	return fail(false, do(s))
}

// protection is how a connection is protected; nil for not at all, which is for this
// machine alone.
func protection(c provider.Credential) (*tls.Config, error) {
	to := c.Params[host]
	here := server.Here(to)
	switch which := c.Params[secure]; {
	case which == "no" && !here:
		return nil, fmt.Errorf("tls no is for servers on this machine, not for %s", to)
	case which == "no", which == "" && here:
		return nil, nil
	case which != "" && which != "yes":
		return nil, fmt.Errorf("tls %q is neither yes nor no", which)
	}
	config, err := server.Verified(to, c.Params[roots])
	if err != nil {
		return nil, err
	}
	if c.Params[cert] != "" || c.Params[key] != "" {
		pair, err := tls.LoadX509KeyPair(c.Params[cert], c.Params[key])
		if err != nil {
			return nil, fmt.Errorf("read the client's certificate and its key: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// bounded is a connection that ends when more was sent than is believed, or announced:
// the client makes room for as many bytes and elements as an answer says that it has.
type bounded struct {
	net.Conn
	left int64
	line []byte // the beginning of the line so far
}

// element is how many bytes an element of an array counts for.
const element = 32

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.Conn.Read(p)
	for _, c := range p[:n] {
		switch {
		case c == '\n':
			b.line = b.line[:0]
		case len(b.line) < maxLine:
			if b.line = append(b.line, c); c == '\r' || len(b.line) == maxLine {
				b.left -= announced(b.line)
			}
		}
	}
	if b.left -= int64(n); b.left < 0 {
		return 0, errNonsense
	}
	return n, err
}

// maxLine is how long a line can't be that announces something to be believed.
const maxLine = 20

// announced is how many bytes a line says that there will be.
func announced(line []byte) int64 {
	if line[0] != '$' && line[0] != '*' {
		return 0
	}
	size, err := strconv.ParseUint(strings.TrimSuffix(string(line[1:]), "\r"), 10, 64)
	switch {
	case err != nil && !errors.Is(err, strconv.ErrRange):
		return 0
	case size > maxAnswer, len(line) == maxLine:
		return 2 * maxAnswer
	case line[0] == '*':
		return int64(size) * element
	}
	return int64(size)
}

// ask sends a command and returns the answer: nil, []byte, string, int64 or []any.
func (s *session) ask(command ...string) (any, error) {
	args := make([]any, len(command)-1)
	for i, a := range command[1:] {
		args[i] = a
	}
	answer, err := s.conn.Do(command[0], args...)
	if said := redis.Error(""); errors.As(err, &said) {
		text := string(said)
		code, _, _ := strings.Cut(text, " ")
		return nil, &refusal{code: code, text: s.hide(text)}
	}
	return answer, err
}

// do asks for something, and its answer says nothing more.
func (s *session) do(command ...string) error {
	_, err := s.ask(command...)
	return err
}

// text asks for something that is a text.
func (s *session) text(command ...string) (string, error) {
	answer, err := s.ask(command...)
	if err != nil {
		return "", err
	}
	return asText(answer)
}

func asText(answer any) (string, error) {
	switch a := answer.(type) {
	case string:
		return a, nil
	case []byte:
		return string(a), nil
	}
	return "", errNonsense
}

// texts are the elements of an answer that are texts, all of them.
func texts(answer any) (all []string, err error) {
	elements, ok := answer.([]any)
	if !ok {
		return nil, errNonsense
	}
	for _, e := range elements {
		text, err := asText(e)
		if err != nil {
			return nil, err
		}
		all = append(all, text)
	}
	return all, nil
}

// refusal is a no: the server's, with its code, or ours.
type refusal struct {
	code string // the first word: "WRONGPASS"
	text string // what it said, the code included
	hint string
}

func (r *refusal) Error() string { return r.text }

// refused reports whether an error is a refusal that begins with some words.
func refused(err error, words string) bool {
	no := (*refusal)(nil)
	return errors.As(err, &no) && strings.HasPrefix(no.text, words)
}

const crowded = "ERR max number of clients reached"

// probe is what a refusal says of the credential that was tried.
func (r *refusal) probe() provider.Probe {
	switch {
	case r.code == "WRONGPASS":
		return provider.Probe{State: provider.Dead, Code: r.code}
	case r.code == "DENIED": // protected mode: by the address
		return provider.Probe{State: provider.Blocked, Code: r.code}
	case strings.HasPrefix(r.text, crowded):
		return provider.Probe{State: provider.Throttled, Code: r.text}
	default:
		return provider.Probe{State: provider.Unknown, Code: r.text}
	}
}

// kind is what a refusal is to those who do not know Redis' codes.
func (r *refusal) kind() provider.Kind {
	switch r.code {
	case "NOPERM", "WRONGPASS", "NOAUTH":
		return provider.Forbidden
	case "LOADING", "BUSY", "TRYAGAIN", "MASTERDOWN":
		return provider.Busy
	}
	if strings.HasPrefix(r.text, crowded) {
		return provider.Busy
	}
	return provider.Refused
}

// explain makes an error one that a provider may return.
func explain(ctx context.Context, doing string, hide func(string) string, login bool, err error) error {
	if err == nil {
		return nil
	}
	e := &provider.Error{Provider: name, Doing: doing, Kind: provider.Unclear}
	if login {
		e.Kind = provider.Unreached
	}
	no := (*refusal)(nil)
	switch {
	case errors.As(err, &no):
		e.Kind, e.Code, e.Hint, e.Err = no.kind(), no.code, no.hint, err
		if errors.As(err, new(*partly)) { // who goes on must not take it for not done
			e.Kind = provider.Unclear
		}
		return e
	case ctx.Err() != nil:
		e.Err = ctx.Err()
		return e
	case !lost(err):
		e.Kind = provider.Malformed
	}
	e.Err = errors.New(hide(err.Error()))
	return e
}

// lost reports whether an error is the network's, or of whoever answers in its name.
func lost(err error) bool {
	network, certificate, alert := net.Error(nil), (*tls.CertificateVerificationError)(nil), tls.AlertError(0)
	return errors.As(err, &network) || errors.As(err, &certificate) || errors.As(err, &alert) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

// hider returns a function that makes a text of a server's one that can be shown: neither
// the passwords of credentials nor their hashes are in it.
func hider(credentials []provider.Credential) func(string) string {
	var hashes []secret.Value
	for _, c := range credentials {
		if !c.Part(password).IsZero() {
			hashes = append(hashes, secret.New([]byte(hash(c))))
		}
	}
	return server.Hider(credentials, hashes...)
}

func incomplete(doing, what string) error {
	return &provider.Error{Provider: name, Doing: doing, Kind: provider.Incomplete, Err: errors.New(what)}
}
