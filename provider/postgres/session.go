package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/server"
)

const maxAnswer = 1 << 20 // bytes of a message from the server

// session is a connection of somebody who is logged in.
type session struct {
	conn    *pgconn.PgConn
	version int // of the server: 15
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
	to, number, err := server.Address(c, "5432")
	if err != nil {
		return nil, err
	}
	secured, err := server.Secure(to, c.Params[sslMode], c.Params[sslRoots])
	if err != nil {
		return nil, err
	}
	// What is not said here would be taken from variables and files.
	config, err := pgconn.ParseConfig("host=localhost port=1 user=nobody password=none dbname=none sslmode=disable sslcertmode=disable sslrootcert='' sslcert='' sslkey='' sslpassword='' " +
		"target_session_attrs=any channel_binding=prefer require_auth='' min_protocol_version=3.0 max_protocol_version=3.0 connect_timeout=0")
	if err != nil {
		return nil, errors.New("PGSERVICE names a service that cannot be read")
	}
	config.Host, config.Port, config.Database = to, number, c.Params[database]
	if config.Database == "" {
		config.Database = "postgres"
	}
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
	config.DialFunc = server.Dialer(c, secured).DialContext
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
