// Package pgserver starts a PostgreSQL for tests, in a directory of its own.
package pgserver

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/keywright/keywright/provider/providertest/daemon"
)

// Server is a PostgreSQL that listens on loopback alone, and ends with its test. Whoever
// logs in needs a password, by SCRAM.
type Server struct {
	Host, Port string
	Sockets    string // the directory of its Unix socket
	Roots      string // a file with the certificate that its own, for Host and localhost, is signed with
	Version    string // "15"
	User       string // a superuser
	Password   string

	log string
}

// Start starts a server, and skips the test where none is installed. Lines of hba come
// before the others of pg_hba.conf.
func Start(t *testing.T, hba ...string) *Server {
	t.Helper()
	bin := installed(t)
	// Not the test's own directory: the server runs as another user if we are root.
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &Server{Host: daemon.Host, Sockets: dir, Roots: filepath.Join(dir, "roots.pem"), User: "postgres", Password: rand.Text(),
		log: filepath.Join(dir, "log"), Version: filepath.Base(filepath.Dir(bin))}
	data := filepath.Join(dir, "data")
	write(t, filepath.Join(dir, "password"), []byte(s.Password))
	write(t, s.log, nil)
	own(t, dir)
	run(t, filepath.Join(bin, "initdb"), "--pgdata="+data, "--username="+s.User, "--pwfile="+filepath.Join(dir, "password"),
		"--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync")
	rules := strings.Join(hba, "\n") + "\nlocal all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n"
	write(t, filepath.Join(data, "pg_hba.conf"), []byte(rules))
	daemon.Certify(t, dir, "server")
	own(t, dir)
	for range 5 { // another process may take the port meanwhile
		if err = s.start(t, bin, data); err == nil {
			return s
		}
	}
	t.Fatalf("PostgreSQL does not start: %v\n%s", err, s.Log(t))
	return nil
}

// installed is the directory of PostgreSQL's newest programs.
func installed(t *testing.T) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if p, err := exec.LookPath("initdb"); err == nil {
		found = append(found, p)
	}
	newest, version := "initdb", -1
	for _, p := range found {
		if n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(p)))); n > version {
			newest, version = p, n
		}
	}
	return filepath.Dir(daemon.Program(t, "PostgreSQL", "postgresql", newest))
}

func (s *Server) start(t *testing.T, bin, data string) error {
	t.Helper()
	s.Port = daemon.Port(t)
	args := []string{filepath.Join(bin, "postgres"), "-D", data, "-k", s.Sockets, "-p", s.Port}
	for _, setting := range []string{"listen_addresses=" + s.Host, "fsync=off", "synchronous_commit=off", "full_page_writes=off",
		"shared_buffers=16MB", "log_statement=all", "log_connections=on", "ssl=on", "password_encryption=scram-sha-256",
		"ssl_cert_file=" + filepath.Join(s.Sockets, "server.pem"), "ssl_key_file=" + filepath.Join(s.Sockets, "server.key")} {
		args = append(args, "-c", setting)
	}
	c := daemon.Command{Args: args, Dir: s.Sockets, Log: s.log, Stop: "kill -INT $server", Prepare: func(c *exec.Cmd) { unprivileged(t, c) }}
	_, err := c.Start(t, func() error { return s.Login(t, s.User, s.Password) }, func(err error) bool {
		refused := new(pgconn.PgError)
		return errors.As(err, &refused) && refused.Code == "28P01"
	})
	return err
}

// connect logs in with nothing of ours in between.
func (s *Server) connect(ctx context.Context, user, password string) (*pgconn.PgConn, error) {
	quote := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace
	return pgconn.Connect(ctx, fmt.Sprintf("host=%s port=%s user='%s' password='%s' dbname=postgres sslmode=disable", s.Host, s.Port, quote(user), quote(password)))
}

// Login asks whether a password is accepted; an error says that it is not.
func (s *Server) Login(t *testing.T, user, password string) error {
	c, err := s.connect(t.Context(), user, password)
	if err == nil {
		_ = c.Close(t.Context())
	}
	return err
}

// Connect opens a session, which is closed when the test ends.
func (s *Server) Connect(t *testing.T, user, password string) *pgconn.PgConn {
	t.Helper()
	c, err := s.connect(t.Context(), user, password)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.WithoutCancel(t.Context())) })
	return c
}

// Exec does something as the superuser, and returns the first column.
func (s *Server) Exec(t *testing.T, sql string) (rows []string) {
	t.Helper()
	c, err := s.connect(t.Context(), s.User, s.Password)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	results, err := c.Exec(t.Context(), sql).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	for _, r := range results {
		for _, row := range r.Rows {
			rows = append(rows, string(row[0]))
		}
	}
	return rows
}

// Log is what the server has logged: every statement and every login.
func (s *Server) Log(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(s.log)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// run runs a program as the server's user.
func run(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = os.TempDir()
	unprivileged(t, cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", args[0], err, bytes.TrimSpace(out))
	}
}
