package mysqlserver

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// StartMySQL starts the MySQL that KEYWRIGHT_MYSQLD names, a program that is run as mysqld,
// or that is installed, and skips the test where there is none: few systems have one, and
// where MariaDB is, mysqld is that.
func StartMySQL(t *testing.T) *Server {
	t.Helper()
	program := os.Getenv("KEYWRIGHT_MYSQLD")
	if program == "" {
		program, _ = exec.LookPath("mysqld")
		if version, err := exec.Command(program, "--version").Output(); err != nil || strings.Contains(string(version), "MariaDB") {
			t.Skip("MySQL is not installed (KEYWRIGHT_MYSQLD names a mysqld)")
		}
	}
	// With its usual method to log in, users are let in over TLS.
	s := prepare(t, func(s *Server) map[string]string { return map[string]string{"sslrootcert": s.Path("roots.pem")} })
	common := []string{"--no-defaults", "--datadir=" + s.Path("data"), "--skip-log-bin", "--innodb-buffer-pool-size=8M", "--innodb-redo-log-capacity=32M", "--innodb-flush-method=nosync", "--innodb-doublewrite=OFF"}
	if os.Geteuid() == 0 {
		common = append(common, "--user=root")
	}
	out, err := exec.Command(program, append(common, "--initialize-insecure")...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
	s.start(t, "CONNECTION_ADMIN", append(append([]string{program}, common...), "--loose-mysqlx=OFF", "--secure-file-priv=NULL")...)
	return s
}
