package mysqlserver_test

import (
	"strings"
	"testing"

	"github.com/keywright/keywright/provider/providertest/mysqlserver"
)

// TestStartMySQL: what KEYWRIGHT_MYSQLD names starts, and is MySQL. .ci/run asks that before
// it counts on it.
func TestStartMySQL(t *testing.T) {
	s := mysqlserver.StartMySQL(t)
	if v := s.Do(t, "SELECT VERSION()"); len(v) != 1 || strings.Contains(v[0], "MariaDB") {
		t.Error(v)
	}
}
