// Package mysql rotates the passwords of the users of MySQL and of MariaDB, which speak one
// protocol, and say of accounts what they do not have in common.
package mysql

import (
	"context"
	"crypto/sha1"
	"database/sql/driver"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/server"
	"github.com/keywright/keywright/secret"
)

const (
	maxAnswer = 32 << 20 // bytes from a server in a session
	maxLogin  = 64 << 10 // bytes of a message while logging in
)

// dialect is which of the servers one is to be, in whose name it is talked to.
type dialect struct {
	name string
	// check refuses one that is of another kind, or too old.
	check func(version string) error
	// itself says that the password itself is asked for where a connection is protected:
	// at a Unix socket, or over TLS with the certificate that a server makes itself.
	itself bool
	hint   string // for one that asks for it elsewhere, or by a method that is not known
}

// session is a connection of somebody who is logged in.
type session struct {
	dialect
	conn driver.Conn
	user string
	any  bool // the server may be of the other kind, too
}

// The parts and parameters of a key.
const (
	user     = provider.UserPart
	password = server.Password

	host     = server.Host
	port     = server.Port
	sslMode  = server.SSLMode
	sslRoots = server.SSLRoots
	users    = provider.UsersParam // of MariaDB's
)

// within does something in a session. All errors that it returns are *provider.Error; a
// refusal in one is the server's. They show none of the passwords.
func (d dialect) within(ctx context.Context, doing string, c provider.Credential, do func(context.Context, *session) error, others ...provider.Credential) error {
	ctx, cancel := context.WithTimeout(ctx, server.Altogether)
	defer cancel()
	hide := server.Hider(append(others, c))
	var asked bool
	config, err := d.configure(c, &asked)
	if err != nil {
		return d.incomplete(doing, err.Error())
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return d.incomplete(doing, "what is known of the server cannot be used")
	}
	conn, err := connect(ctx, connector)
	if asked {
		err = &refusal{text: "the server asks for the password itself, and has not proved who it is", hint: d.hint}
	}
	if err != nil {
		return d.explain(ctx, doing, err, true, hide)
	}
	defer conn.Close()
	s := &session{d, conn, provider.User(c), c.Found}
	if err := s.begin(ctx); err != nil {
		return d.explain(ctx, doing, err, false, hide)
	}
	return d.explain(ctx, doing, do(ctx, s), false, hide)
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
	if !s.any {
		if err := s.check(rows[0][0]); err != nil {
			return err
		}
	}
	return s.exec(ctx, "SET SESSION sql_mode = '', sql_quote_show_create = 1")
}

// configure says how to log in with a credential. Nothing comes from the environment. A
// server that is not told the password it asks for sets asked.
func (d dialect) configure(c provider.Credential, asked *bool) (*mysql.Config, error) {
	to, number, err := server.Address(c, "3306")
	if err != nil {
		return nil, err
	}
	config := mysql.NewConfig()
	if d.itself && c.Params[sslMode] == server.VerifyCA && !filepath.IsAbs(to) {
		config.TLS, err = server.Signed(c.Params[sslRoots])
	} else {
		config.TLS, err = server.Secure(to, c.Params[sslMode], c.Params[sslRoots])
	}
	if err != nil {
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
	dialer := server.Dialer(c, config.TLS)
	plain := config.TLS == nil && !(d.itself && config.Net == "unix")
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &guard{Conn: conn, left: maxAnswer, login: true, plain: plain, asked: asked}, nil
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
	asked *bool  // set if it asks for the password itself
	login bool   // the next message is looked at
	seen  bool   // the server's greeting
	ready []byte // read from the server, and looked at
}

// The first byte of a message from the server.
const (
	isOK       = 0x00
	isMore     = 0x01 // data for a method to log in by, which asks for the password itself
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
		*g.asked = true
		return errNonsense
	case !g.seen && first == isError && size >= 3:
		if code := binary.LittleEndian.Uint16(body[1:]); code == accessDenied || locked(code) {
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

// verify logs in. Dead is what is refused by the code for wrong passwords, or for locked
// users.
func (d dialect) verify(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	var probe provider.Probe
	err := d.within(ctx, "log in as "+provider.User(c), c, func(ctx context.Context, s *session) error {
		grants, err := s.query(ctx, "SHOW GRANTS")
		if err != nil {
			return err
		}
		probe = provider.Probe{State: provider.Alive, Who: provider.Identity{ID: provider.User(c), Scopes: rights(grants)}}
		return nil
	})
	if no := (*refusal)(nil); errors.As(err, &no) && no.code != 0 {
		probe = no.probe()
		if c.Found && no.code == accessDenied && probe.State == provider.Dead {
			probe = provider.Probe{State: provider.Unknown, Code: no.said() + ", which is said for the address that it is tried from, too"}
		}
		return probe, nil
	}
	if err != nil {
		return provider.Probe{}, err
	}
	return probe, nil
}

// alphabet is such that a password can stand in an address, a .env file and a shell
// without quotes. 40 of it are 238 bits: its hash tells nobody what it is.
const (
	alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	length   = 40
)

// successorOf is a new password for a user, at the server of a credential.
func successorOf(old provider.Credential, to string) provider.Credential {
	return provider.Credential{
		ID:     to,
		Parts:  map[string]secret.Value{user: secret.New([]byte(to)), password: secret.Random(length, alphabet)},
		Params: maps.Clone(old.Params),
	}
}

// nativeHash is how the older method keeps a password, in both kinds of servers.
func nativeHash(password secret.Value) string {
	once := sha1.Sum(password.Reveal())
	twice := sha1.Sum(once[:])
	return "*" + strings.ToUpper(hex.EncodeToString(twice[:]))
}

// end ends all sessions of a user that have begun by now, and waits until none of them is
// left. Those that begin later know what the user was changed to.
func (s *session) end(ctx context.Context, user string) error {
	_, last, err := s.sessions(ctx, user)
	if err != nil {
		return err
	}
	return server.Drain(ctx, func() (open int, err error) {
		ids, _, err := s.sessions(ctx, user)
		for _, id := range ids {
			if id > last {
				continue
			}
			if err := s.exec(ctx, "KILL CONNECTION "+strconv.FormatUint(id, 10)); err != nil && !refused(err, noSuchThread) {
				return 0, err
			}
			open++
		}
		return open, err
	})
}

// sessions are the numbers of a user's sessions, but of this one, and of the last one that
// anybody has begun.
func (s *session) sessions(ctx context.Context, user string) (ids []uint64, last uint64, err error) {
	own, err := s.query(ctx, "SELECT CONNECTION_ID()")
	if err != nil {
		return nil, 0, err
	}
	all, err := s.query(ctx, "SHOW PROCESSLIST")
	for _, r := range all {
		if len(own) != 1 || len(r) < 2 {
			return nil, 0, errNonsense
		}
		id, err := strconv.ParseUint(r[0], 10, 64)
		if err != nil {
			return nil, 0, errNonsense
		}
		if last = max(last, id); r[1] == user && r[0] != own[0][0] {
			ids = append(ids, id)
		}
	}
	return ids, last, err
}

// may refuses an admin that lacks rights, and names them.
func (s *session) may(ctx context.Context, needed ...string) error {
	grants, err := s.query(ctx, "SHOW GRANTS")
	if err != nil {
		return err
	}
	var has []string
	for _, r := range rights(grants) { // of its roles, too
		if everywhere, found := strings.CutSuffix(strings.TrimSuffix(r, " WITH GRANT OPTION"), " ON *.*"); found {
			for right := range strings.SplitSeq(everywhere, ",") {
				has = append(has, strings.TrimSpace(right))
			}
		}
	}
	var missing []string
	for _, right := range needed {
		// SUPER has it, too, and is what servers before MariaDB 10.5 know.
		if !slices.Contains(has, right) && !slices.Contains(has, "ALL PRIVILEGES") && !(strings.HasPrefix(right, "CONNECTION") && slices.Contains(has, "SUPER")) {
			missing = append(missing, right)
		}
	}
	if len(missing) > 0 {
		all := strings.Join(missing, ", ")
		return &refusal{code: specificDenied, text: s.user + " lacks " + all, hint: "GRANT " + all + " ON *.* TO " + s.user}
	}
	return nil
}

// rights are what SHOW GRANTS says, without the name of who has them, and without the
// hash of a password.
func rights(grants [][]string) (all []string) {
	for _, g := range grants {
		what, to, found := strings.Cut(g[0], " TO `")
		if !found {
			what, _, _ = strings.Cut(g[0], " FOR `") // SET DEFAULT ROLE
		}
		for _, option := range []string{" WITH GRANT OPTION", " WITH ADMIN OPTION"} {
			if strings.HasSuffix(to, option) {
				what += option
			}
		}
		if what = strings.TrimPrefix(what, "GRANT "); what != "USAGE ON *.*" {
			all = append(all, what)
		}
	}
	return all
}
