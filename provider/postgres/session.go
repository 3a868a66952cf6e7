package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/keywright/keywright/provider"
)

const (
	dialing    = 15 * time.Second // to reach a server
	altogether = time.Minute      // for all that a method does

	maxAnswer = 1 << 20 // bytes of a message from the server
)

// session is a connection of somebody who is logged in.
type session struct {
	conn    *pgconn.PgConn
	version int // of the server: 15
}

// acting is the admin's credential, for the server of another. Its own parameters are
// for one whose way there differs, past a pool of connections perhaps.
func acting(admin, c provider.Credential) provider.Credential {
	if admin.Params[host] == "" {
		params := map[string]string{}
		for _, name := range []string{host, port, database, sslMode, sslRoots} {
			params[name] = c.Params[name]
		}
		if d := admin.Params[database]; d != "" {
			params[database] = d
		}
		admin.Params = params
	}
	return admin
}

// within does something in a session. All errors that it returns are *provider.Error; a
// refusal in one is the server's. They show none of the passwords.
func within(ctx context.Context, doing string, c provider.Credential, do func(context.Context, *session) error, others ...provider.Credential) error {
	ctx, cancel := context.WithTimeout(ctx, altogether)
	defer cancel()
	hide := hider(append(others, c))
	config, err := configure(c)
	if err != nil {
		return incomplete(doing, err.Error())
	}
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return explain(ctx, doing, err, true, hide)
	}
	defer conn.Close(ctx)
	s := &session{conn: conn}
	major, _, _ := strings.Cut(conn.ParameterStatus("server_version"), ".")
	s.version, _ = strconv.Atoi(major)
	return explain(ctx, doing, do(ctx, s), false, hide)
}

// configure says how to log in with a credential. Nothing comes from the environment.
func configure(c provider.Credential) (*pgconn.Config, error) {
	at := func(name, otherwise string) string {
		if v := c.Params[name]; v != "" {
			return v
		}
		return otherwise
	}
	to, text := at(host, ""), at(port, "5432")
	number, err := strconv.ParseUint(text, 10, 16)
	switch {
	case to == "":
		return nil, errors.New("the host is needed")
	case err != nil || number == 0:
		return nil, fmt.Errorf("the port %q is not 1 to 65535", text)
	case provider.User(c) == "":
		return nil, errors.New("the user is needed")
	case c.Part(password).IsZero():
		return nil, errors.New("the password is needed")
	}
	secured, err := secure(to, at(sslMode, verifyFull), at(sslRoots, ""))
	if err != nil {
		return nil, err
	}
	// What is not said here would be taken from variables and files.
	config, err := pgconn.ParseConfig("host=localhost port=1 user=nobody password=none dbname=none sslmode=disable sslcertmode=disable sslrootcert='' sslcert='' sslkey='' sslpassword='' " +
		"target_session_attrs=any channel_binding=prefer require_auth='' min_protocol_version=3.0 max_protocol_version=3.0 connect_timeout=0")
	if err != nil {
		return nil, errors.New("PGSERVICE names a service that cannot be read")
	}
	config.Host, config.Port, config.Database = to, uint16(number), at(database, "postgres")
	config.User, config.Password = provider.User(c), string(c.Part(password).Reveal())
	config.TLSConfig, config.SSLNegotiation, config.Fallbacks = secured, "", nil
	config.RuntimeParams = map[string]string{"application_name": "keywright", "client_encoding": "UTF8", "DateStyle": "ISO"}
	config.KerberosSrvName, config.KerberosSpn = "", ""
	config.MaxProtocolMessageBodyLen = maxAnswer
	// A server that asks for no password would accept any. In the clear it is sent to a
	// server alone that has proved who it is.
	config.RequireAuth = "scram-sha-256,md5"
	if secured != nil {
		config.RequireAuth += ",password"
	}
	// One attempt, one answer: of a name's addresses, the first that takes connections.
	config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	dialer := &net.Dialer{Timeout: dialing, Control: provider.Control(c, secured != nil)}
	config.DialFunc = dialer.DialContext
	return config, nil
}

// secure is how a connection is protected; nil for not at all.
func secure(to, mode, roots string) (*tls.Config, error) {
	socket := filepath.IsAbs(to)
	switch mode {
	case disable:
		if !socket && !provider.IsHere(to) {
			return nil, fmt.Errorf("sslmode disable is for servers on this machine, not for %s", to)
		}
		return nil, nil
	case verifyFull:
	default:
		return nil, fmt.Errorf("the sslmode %q is neither verify-full nor disable", mode)
	}
	if socket {
		return nil, nil
	}
	config := &tls.Config{ServerName: to, MinVersion: tls.VersionTLS12}
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

// query returns rows of texts; what is null is empty.
func (s *session) query(ctx context.Context, sql string, args ...string) ([][]string, error) {
	values := make([][]byte, len(args))
	for i, a := range args {
		values[i] = []byte(a)
	}
	r := s.conn.ExecParams(ctx, sql, values, nil, nil, nil).Read()
	if r.Err != nil {
		return nil, r.Err
	}
	rows := make([][]string, len(r.Rows))
	for i, row := range r.Rows {
		for _, v := range row {
			rows[i] = append(rows[i], string(v))
		}
	}
	return rows, nil
}

// exec does what takes no parameters. The server itself quotes names for %I and texts
// for %L.
func (s *session) exec(ctx context.Context, format string, args ...string) error {
	sql := "SELECT format($1::text"
	for i := range args {
		sql += fmt.Sprintf(", $%d::text", i+2)
	}
	rows, err := s.query(ctx, sql+")", append([]string{format}, args...)...)
	if err != nil {
		return err
	}
	if len(rows) != 1 || len(rows[0]) != 1 {
		return errNonsense
	}
	_, err = s.conn.Exec(ctx, rows[0][0]).ReadAll()
	return err
}

// transaction does something, and in the end COMMIT or ROLLBACK. If it fails, the session
// is over, and the server forgets it.
func (s *session) transaction(ctx context.Context, end string, do func() error) error {
	if _, err := s.conn.Exec(ctx, "BEGIN").ReadAll(); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	_, err := s.conn.Exec(ctx, end).ReadAll()
	return err
}
