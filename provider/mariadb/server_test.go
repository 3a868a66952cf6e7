package mariadb_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"database/sql/driver"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/secret"
)

// server is a MariaDB that listens on loopback alone, and ends with its test.
type server struct {
	dir, port string
	boss      string // the password of a user that may do everything
	admin     provider.Credential
}

const host = "127.0.0.1"

func (s *server) path(name string) string { return filepath.Join(s.dir, name) }

// start starts a server, and skips the test where none is installed.
func start(t *testing.T) *server {
	t.Helper()
	program, install := installed(t, "mariadbd"), installed(t, "mariadb-install-db")
	// Not the test's own directory: the server runs as another user if we are root.
	dir, err := os.MkdirTemp("", "mariadb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &server{dir: dir, boss: rand.Text()}
	certify(t, dir)
	s.write(t, "init.sql", "CREATE OR REPLACE USER boss@'%' IDENTIFIED BY '"+s.boss+"';\nGRANT ALL ON *.* TO boss@'%' WITH GRANT OPTION;\n")
	s.write(t, "log", "")
	common := []string{"--no-defaults", "--datadir=" + s.path("data"), "--debug-no-sync", "--innodb-buffer-pool-size=8M", "--innodb-log-file-size=4M"}
	if os.Geteuid() == 0 {
		common = append(common, "--user="+own(t, dir))
	}
	out, err := exec.Command(install, append(common, "--skip-test-db", "--skip-name-resolve", "--auth-root-authentication-method=normal")...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", install, err, out)
	}
	args := append(append([]string{program}, common...), "--bind-address="+host, "--socket="+s.path("socket"), "--pid-file="+s.path("pid"), "--init-file="+s.path("init.sql"),
		"--general-log=1", "--general-log-file="+s.path("general.log"), "--skip-name-resolve", "--loose-innodb-flush-log-at-trx-commit=0",
		"--ssl-cert="+s.path("server.pem"), "--ssl-key="+s.path("server.key"), "--plugin-load-add=auth_ed25519")
	for range 5 { // another process may take the port meanwhile
		s.port = free(t)
		if err = s.run(t, append(args[:len(args):len(args)], "--port="+s.port)); err == nil {
			return s
		}
	}
	t.Fatalf("MariaDB does not start: %v", err)
	return nil
}

func installed(t *testing.T, name string) string {
	t.Helper()
	for _, name := range []string{name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("KEYWRIGHT_REQUIRE_SERVICES") == "1" {
		t.Fatal("MariaDB is not installed, and KEYWRIGHT_REQUIRE_SERVICES=1")
	}
	t.Skip("MariaDB is not installed (the package mariadb-server has it)")
	return ""
}

// own gives a directory to a user that the server can run as: it refuses root.
func own(t *testing.T, dir string) string {
	t.Helper()
	u, err := user.Lookup("mysql")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		t.Fatalf("a user for MariaDB: %v", err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	err = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, uid, gid)
	})
	if err != nil {
		t.Fatal(err)
	}
	return u.Username
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", host+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// keep runs a server until its input ends, which it does with our process, however that
// ends. Its data is not needed any more then.
const keep = `"$@" </dev/null & server=$!; { cat; kill -KILL $server; } <&3 3<&- & wait $server`

func (s *server) run(t *testing.T, args []string) error {
	t.Helper()
	lives, ours, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer lives.Close()
	log, err := os.OpenFile(s.path("log"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command("/bin/sh", append([]string{"-c", keep, "sh"}, args...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = s.dir, log, log, []*os.File{lives}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	stop := func() { ours.Close(); <-ended }
	for {
		conn, err := s.login(t.Context(), "boss", s.boss)
		if err == nil {
			conn.Close()
			t.Cleanup(stop)
			return nil
		}
		select {
		case <-ended:
			ours.Close()
			return fmt.Errorf("%w; it ended: %s", err, s.read(t, "log"))
		case <-t.Context().Done():
			stop()
			return t.Context().Err()
		case <-time.After(20 * time.Millisecond):
		}
		if code(err) != 0 {
			stop()
			return errors.New("another server has the port")
		}
	}
}

func (s *server) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *server) read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(s.path(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// code is the server's code in an error; 0 if it is none of the server's.
func code(err error) uint16 {
	if said := (*mysql.MySQLError)(nil); errors.As(err, &said) {
		return said.Number
	}
	return 0
}

// connector opens connections with nothing of ours in between.
func (s *server) connector(user, password string) (driver.Connector, error) {
	config := mysql.NewConfig()
	config.User, config.Passwd, config.Net, config.Addr = user, password, "tcp", net.JoinHostPort(host, s.port)
	config.Logger, config.CheckConnLiveness = &mysql.NopLogger{}, false
	return mysql.NewConnector(config)
}

// session is a connection that somebody is logged in on.
type session struct{ driver.Conn }

func (s *server) login(ctx context.Context, user, password string) (session, error) {
	connector, err := s.connector(user, password)
	if err != nil {
		return session{}, err
	}
	conn, err := connector.Connect(ctx)
	for errors.Is(err, mysql.ErrMalformPkt) { // one challenge of ed25519 in 256
		conn, err = connector.Connect(ctx)
	}
	return session{conn}, err
}

// Alive asks whether a session goes on.
func (s session) Alive() bool {
	_, err := s.Conn.(driver.ExecerContext).ExecContext(context.Background(), "DO 1", nil)
	return err == nil
}

// connect opens a session, which is closed when the test ends.
func (s *server) connect(t *testing.T, c provider.Credential) session {
	t.Helper()
	conn, err := s.login(t.Context(), c.ID, reveal(c))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// do does something as the one who may, a statement a line, and returns the first column
// of the last.
func (s *server) do(t *testing.T, lines string) (column []string) {
	t.Helper()
	connector, err := s.connector("boss", s.boss)
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

func (s *server) credential(user, password string) provider.Credential {
	return provider.Credential{
		ID:     user,
		Parts:  map[string]secret.Value{"user": secret.New([]byte(user)), "password": secret.New([]byte(password))},
		Params: map[string]string{"host": host, "port": s.port, "sslmode": "disable"},
	}
}

func reveal(c provider.Credential) string { return string(c.Part("password").Reveal()) }

func quoted(name string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(name) + "'"
}

// certify makes a certificate for the server, and the one that it is signed with.
func certify(t *testing.T, dir string) {
	t.Helper()
	from, until := time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test root"}, NotBefore: from, NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	var rootKey *ecdsa.PrivateKey
	for _, c := range []struct {
		name     string
		template *x509.Certificate
	}{
		{"roots", root},
		{"server", &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: from, NotAfter: until, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.ParseIP(host)}}},
	} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if rootKey == nil {
			rootKey = key
		}
		signed, err := x509.CreateCertificate(rand.Reader, c.template, root, key.Public(), rootKey)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		for file, block := range map[string]*pem.Block{".pem": {Type: "CERTIFICATE", Bytes: signed}, ".key": {Type: "PRIVATE KEY", Bytes: der}} {
			if err := os.WriteFile(filepath.Join(dir, c.name+file), pem.EncodeToMemory(block), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}
