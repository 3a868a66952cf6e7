//go:build !unix

package pgserver

import (
	"os/exec"
	"testing"
)

func unprivileged(t *testing.T, _ *exec.Cmd) { t.Skip("PostgreSQL is started on Unixes alone") }

func own(*testing.T, string) {}
