// Package mysqlserver starts a MariaDB or a MySQL for tests.
package mysqlserver

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"errors"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/providertest/daemon"
	"github.com/keywright/keywright/secret"
)

// Server is one that listens on loopback alone, and ends with its test.
type Server struct {
	Dir, Port string
	Boss      string // the password of a user that may do everything
	// Admin is a user without more rights than the provider asks for.
	Admin provider.Credential

	way map[string]string // to reach it, for a credential
}

// prepare makes the directory of a server.
func prepare(t *testing.T, way func(s *Server) map[string]string) *Server {
	t.Helper()
	// Not the test's own directory: the server runs as another user if we are root.
	dir, err := os.MkdirTemp("", "mysql")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &Server{Dir: dir, Boss: rand.Text()}
	s.way = way(s)
	daemon.Certify(t, dir, "server")
	s.write(t, "init.sql", "CREATE USER IF NOT EXISTS boss@'%' IDENTIFIED BY '"+s.Boss+"';\nGRANT ALL ON *.* TO boss@'%' WITH GRANT OPTION;\n")
	s.write(t, "log", "")
	return s
}

// start starts a server that was prepared, and makes its admin. The right to end sessions is
// called otherwise by the other kind.
func (s *Server) start(t *testing.T, ends string, args ...string) {
	t.Helper()
	args = append(args, "--bind-address="+daemon.Host, "--socket="+s.Path("socket"), "--pid-file="+s.Path("pid"), "--init-file="+s.Path("init.sql"),
		"--general-log=1", "--general-log-file="+s.Path("general.log"), "--skip-name-resolve", "--loose-innodb-flush-log-at-trx-commit=0",
		"--ssl-cert="+s.Path("server.pem"), "--ssl-key="+s.Path("server.key"))
	var err error
	for range 5 { // another process may take the port meanwhile
		s.Port = daemon.Port(t)
		if err = s.run(t, append(args[:len(args):len(args)], "--port="+s.Port)); err == nil {
			s.Admin = s.Credential("kwadmin", rand.Text())
			s.Do(t, "CREATE USER kwadmin@'%' IDENTIFIED BY '"+password(s.Admin)+"';\nGRANT CREATE USER, "+ends+", PROCESS ON *.* TO kwadmin@'%';\nGRANT SELECT ON mysql.* TO kwadmin@'%'")
			return
		}
	}
	t.Fatalf("the server does not start: %v", err)
}

// Path is that of a file in its directory.
func (s *Server) Path(name string) string { return filepath.Join(s.Dir, name) }

func (s *Server) run(t *testing.T, args []string) error {
	t.Helper()
	// Its data is not needed any more in the end.
	c := daemon.Command{Args: args, Dir: s.Dir, Log: s.Path("log"), Stop: "kill -KILL $server"}
	_, err := c.Start(t, func() error {
		conn, err := s.Login(t.Context(), "boss", s.Boss)
		if err == nil {
			conn.Close()
		}
		return err
	}, func(err error) bool { return Code(err) != 0 })
	return err
}

func (s *Server) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(s.Path(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Read is what is in a file of its directory.
func (s *Server) Read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(s.Path(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Code is the server's code in an error; 0 if it is none of the server's.
func Code(err error) uint16 {
	if said := (*mysql.MySQLError)(nil); errors.As(err, &said) {
		return said.Number
	}
	return 0
}

// connector opens connections with nothing of ours in between.
func (s *Server) connector(user, password string) (driver.Connector, error) {
	config := mysql.NewConfig()
	config.User, config.Passwd, config.Net, config.Addr = user, password, "tcp", net.JoinHostPort(daemon.Host, s.Port)
	config.Logger, config.CheckConnLiveness = &mysql.NopLogger{}, false
	return mysql.NewConnector(config)
}

// Session is a connection that somebody is logged in on.
type Session struct{ driver.Conn }

// Login opens a session.
func (s *Server) Login(ctx context.Context, user, password string) (Session, error) {
	connector, err := s.connector(user, password)
	if err != nil {
		return Session{}, err
	}
	conn, err := connector.Connect(ctx)
	for errors.Is(err, mysql.ErrMalformPkt) { // one challenge of ed25519 in 256
		conn, err = connector.Connect(ctx)
	}
	return Session{conn}, err
}

// Alive asks whether a session goes on.
func (s Session) Alive() bool {
	_, err := s.Conn.(driver.ExecerContext).ExecContext(context.Background(), "DO 1", nil)
	return err == nil
}

// Connect opens a session, which is closed when the test ends.
func (s *Server) Connect(t *testing.T, c provider.Credential) Session {
	t.Helper()
	conn, err := s.Login(t.Context(), c.ID, password(c))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// Do does something as the one who may, a statement a line, and returns the first column
// of the last.
func (s *Server) Do(t *testing.T, lines string) (column []string) {
	t.Helper()
	connector, err := s.connector("boss", s.Boss)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	db.SetMaxOpenConns(1)
	for line := range strings.SplitSeq(lines, ";\n") {
		rows, err := db.QueryContext(t.Context(), line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		column = nil
		names, _ := rows.Columns()
		for rows.Next() {
			values := make([]any, len(names))
			var first sql.NullString
			for i := range values {
				values[i] = new(any)
			}
			values[0] = &first
			if err := rows.Scan(values...); err != nil {
				t.Fatal(err)
			}
			column = append(column, first.String)
		}
		rows.Close()
	}
	return column
}

// Credential is one of its users, as keywright has it.
func (s *Server) Credential(user, password string) provider.Credential {
	return provider.Credential{
		ID:     user,
		Parts:  map[string]secret.Value{"user": secret.New([]byte(user)), "password": secret.New([]byte(password))},
		Params: s.params(),
	}
}

func (s *Server) params() map[string]string {
	params := maps.Clone(s.way)
	params["host"], params["port"] = daemon.Host, s.Port
	return params
}

func password(c provider.Credential) string { return string(c.Part("password").Reveal()) }

// One makes a user.
func (s *Server) One(t *testing.T) provider.Credential {
	t.Helper()
	c := s.Credential("app_"+strings.ToLower(rand.Text()[:8]), rand.Text())
	s.Do(t, "CREATE USER "+c.ID+"@'%' IDENTIFIED BY '"+password(c)+"'")
	return c
}

// Two makes users that take turns, and returns the one that is in use.
func (s *Server) Two(t *testing.T) provider.Credential {
	t.Helper()
	c := s.One(t)
	role, other := c.ID+"_role", c.ID+"_b"
	s.Do(t, strings.NewReplacer("ROLE_", role, "A_", c.ID+"@'%'", "B_", other+"@'%'").Replace(
		"CREATE ROLE ROLE_;\nGRANT SELECT ON shop.* TO ROLE_;\nCREATE USER B_ ACCOUNT LOCK;\nGRANT ROLE_ TO A_;\nGRANT ROLE_ TO B_;\nSET DEFAULT ROLE ROLE_ FOR A_;\nSET DEFAULT ROLE ROLE_ FOR B_"))
	c.Params["users"] = c.ID + " , " + other
	return c
}

// Accepts asks the server itself.
func (s *Server) Accepts(t *testing.T, c provider.Credential) bool {
	t.Helper()
	conn, err := s.Login(t.Context(), string(c.Part("user").Reveal()), password(c))
	if err != nil {
		if Code(err) == 0 {
			t.Fatal(err)
		}
		return false
	}
	conn.Close()
	return true
}
