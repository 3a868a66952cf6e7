package mariadb

import (
	"context"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/server"
)

const (
	maxAnswer = 32 << 20 // bytes from a server in a session
	maxLogin  = 64 << 10 // bytes of a message while logging in
)

// session is a connection of somebody who is logged in.
type session struct {
	conn driver.Conn
	user string
	any  bool // the server may be MySQL, too
}

// within does something in a session. All errors that it returns are *provider.Error; a
// refusal in one is the server's. They show none of the passwords.
func within(ctx context.Context, doing string, c provider.Credential, do func(context.Context, *session) error, others ...provider.Credential) error {
	ctx, cancel := context.WithTimeout(ctx, server.Altogether)
	defer cancel()
	hide := server.Hider(append(others, c))
	config, err := configure(c)
	if err != nil {
		return incomplete(doing, err.Error())
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return incomplete(doing, "what is known of the server cannot be used")
	}
	conn, err := connect(ctx, connector)
	if err != nil {
		return explain(ctx, doing, err, true, hide)
	}
	defer conn.Close()
	s := &session{conn, provider.User(c), c.Found}
	if err := s.begin(ctx); err != nil {
		return explain(ctx, doing, err, false, hide)
	}
	return explain(ctx, doing, do(ctx, s), false, hide)
}

// connect logs in. The server speaks first, and one that does not is not waited for as long
// as for one that works.
func connect(ctx context.Context, connector driver.Connector) (driver.Conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, server.Dialing, errSilent)
	defer cancel()
	conn, err := connector.Connect(ctx)
	// Of 256 challenges for ed25519, the client takes one for malformed: that which ends
	// with a zero. It has answered nothing by then, and the next is another.
	for again := 0; again < 3 && errors.Is(err, mysql.ErrMalformPkt); again++ {
		conn, err = connector.Connect(ctx)
	}
	if err != nil && context.Cause(ctx) == errSilent {
		return nil, errSilent
	}
	return conn, err
}

// begin makes sure of the server, and that it quotes and takes quotes as we do.
func (s *session) begin(ctx context.Context) error {
	rows, err := s.query(ctx, "SELECT VERSION()")
	if err != nil {
		return err
	}
	if len(rows) != 1 {
		return errNonsense
	}
	if !s.any && !strings.Contains(rows[0][0], "MariaDB") {
		return &refusal{text: "this is MySQL, which differs in what a rotation needs"}
	}
	return s.exec(ctx, "SET SESSION sql_mode = '', sql_quote_show_create = 1")
}

// configure says how to log in with a credential. Nothing comes from the environment.
func configure(c provider.Credential) (*mysql.Config, error) {
	to, number, err := server.Address(c, "3306")
	if err != nil {
		return nil, err
	}
	config := mysql.NewConfig()
	if config.TLS, err = server.Secure(to, c.Params[sslMode], c.Params[sslRoots]); err != nil {
		return nil, err
	}
	config.User, config.Passwd = provider.User(c), string(c.Part(password).Reveal())
	config.Net, config.Addr = "tcp", net.JoinHostPort(to, strconv.Itoa(int(number)))
	if filepath.IsAbs(to) {
		config.Net, config.Addr = "unix", to
	}
	config.Logger = &mysql.NopLogger{}
	config.InterpolateParams = true // with the server's own rules; ALTER USER takes no others
	config.CheckConnLiveness = false
	config.WriteTimeout = server.Dialing
	dialer, plain := server.Dialer(c, config.TLS), config.TLS == nil
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &guard{Conn: conn, left: maxAnswer, login: true, plain: plain}, nil
	}
	return config, nil
}

// guard is a connection that ends when a server sent more than is believed, or refuses a
// password that it was not told yet. On one without TLS it also reads along while somebody
// logs in: a server that has not proved who it is could ask for the password itself,
// encrypted with a key of its own, and the client would send it.
type guard struct {
	net.Conn
	left  int64
	plain bool
	login bool   // the next message is looked at
	seen  bool   // the server's greeting
	ready []byte // read from the server, and looked at
}

// The first byte of a message from the server.
const (
	isOK       = 0x00
	isMore     = 0x01 // data for a method to log in by: none of those that are known needs it
	isError    = 0xff
	messageTop = 4 // bytes of a header: a length in three, and a number
)

func (g *guard) Read(p []byte) (n int, err error) {
	if len(g.ready) == 0 && g.login {
		if err := g.message(); err != nil {
			return 0, err
		}
	}
	if len(g.ready) > 0 {
		n = copy(p, g.ready)
		g.ready = g.ready[n:]
	} else {
		n, err = g.Conn.Read(p)
	}
	if g.left -= int64(n); g.left < 0 {
		return 0, errNonsense
	}
	return n, err
}

// message reads a message of a login.
func (g *guard) message() error {
	top := make([]byte, messageTop)
	if _, err := io.ReadFull(g.Conn, top); err != nil {
		return err
	}
	size := int(binary.LittleEndian.Uint32(append(slices.Clone(top[:3]), 0)))
	if size == 0 || size > maxLogin {
		return errNonsense
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(g.Conn, body); err != nil {
		return err
	}
	switch first := body[0]; {
	case g.seen && first == isMore:
		return errNonsense
	case !g.seen && first == isError && size >= 3:
		if code := binary.LittleEndian.Uint16(body[1:]); code == accessDenied || code == accountLocked {
			return errNonsense
		}
	default:
		g.login = g.plain && first != isError && !(g.seen && first == isOK)
	}
	g.seen = true
	g.ready = append(top, body...)
	return nil
}

// query returns rows of texts; what is null is empty. Texts in place of question marks are
// quoted.
func (s *session) query(ctx context.Context, sql string, args ...string) (rows [][]string, err error) {
	r, err := s.conn.(driver.QueryerContext).QueryContext(ctx, sql, named(args))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	values := make([]driver.Value, len(r.Columns()))
	for {
		if err := r.Next(values); errors.Is(err, io.EOF) {
			return rows, nil
		} else if err != nil {
			return nil, err
		}
		var row []string
		for _, v := range values {
			switch v := v.(type) {
			case nil:
				row = append(row, "")
			case []byte:
				row = append(row, string(v))
			default:
				row = append(row, fmt.Sprint(v))
			}
		}
		rows = append(rows, row)
	}
}

// exec does what has no rows for an answer.
func (s *session) exec(ctx context.Context, sql string, args ...string) error {
	_, err := s.conn.(driver.ExecerContext).ExecContext(ctx, sql, named(args))
	return err
}

func named(args []string) (all []driver.NamedValue) {
	for i, a := range args {
		all = append(all, driver.NamedValue{Ordinal: i + 1, Value: a})
	}
	return all
}
