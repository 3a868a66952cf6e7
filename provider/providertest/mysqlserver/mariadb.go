package mysqlserver

import (
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/keywright/keywright/provider/providertest/daemon"
)

// StartMariaDB starts a MariaDB, and skips the test where none is installed.
func StartMariaDB(t *testing.T) *Server {
	t.Helper()
	program := daemon.Program(t, "MariaDB", "mariadb-server", "mariadbd", "/usr/sbin/mariadbd")
	install := daemon.Program(t, "MariaDB", "mariadb-server", "mariadb-install-db", "/usr/sbin/mariadb-install-db")
	s := prepare(t, func(*Server) map[string]string { return map[string]string{"sslmode": "disable"} })
	common := []string{"--no-defaults", "--datadir=" + s.Path("data"), "--debug-no-sync", "--innodb-buffer-pool-size=8M", "--innodb-log-file-size=4M"}
	if os.Geteuid() == 0 {
		common = append(common, "--user="+own(t, s.Dir))
	}
	out, err := exec.Command(install, append(common, "--skip-test-db", "--skip-name-resolve", "--auth-root-authentication-method=normal")...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", install, err, out)
	}
	s.start(t, "CONNECTION ADMIN", append(append([]string{program}, common...), "--plugin-load-add=auth_ed25519")...)
	return s
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
