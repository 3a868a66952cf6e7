package keystoretest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sessionDir tells a copy of a test where the session's files are.
const sessionDir = "KEYWRIGHT_TEST_SESSION"

// Need skips a test without certain programs, or fails it where services are required.
func Need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err == nil {
			continue
		}
		if os.Getenv("KEYWRIGHT_REQUIRE_SERVICES") == "1" {
			t.Fatalf("%s is not installed, and KEYWRIGHT_REQUIRE_SERVICES=1", p)
		}
		t.Skipf("%s is not installed (the packages gnome-keyring, dbus and libsecret-tools have all)", p)
	}
}

// SecretService runs a test under a session bus and a home of its own, with GNOME
// Keyring open under a password, by running it again there. It reports whether this is
// there, and gives a directory that ends with the session.
func SecretService(t *testing.T) (dir string, there bool) {
	t.Helper()
	Need(t, "dbus-run-session", "gnome-keyring-daemon", "secret-tool")
	if dir := os.Getenv(sessionDir); dir != "" {
		openKeyring(t)
		return dir, true
	}
	home := t.TempDir()
	run := filepath.Join(home, "run")
	if err := os.Mkdir(run, 0o700); err != nil {
		t.Fatal(err)
	}
	c := Rerun(t, []string{sessionDir + "=" + filepath.Join(home, "session"), "HOME=" + home, "XDG_RUNTIME_DIR=" + run}, "dbus-run-session", "--")
	for _, not := range []string{"DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY", "XDG_DATA_HOME", "GNOME_KEYRING_CONTROL"} {
		c.Env = slices.DeleteFunc(c.Env, func(v string) bool { return strings.HasPrefix(v, not+"=") })
	}
	out, err := c.CombinedOutput()
	t.Logf("%s", out)
	if err != nil || !bytes.Contains(out, []byte("--- PASS")) {
		t.Errorf("in the session: %v", err)
	}
	return "", false
}

// openKeyring starts the daemon if need be. Copies of a copy find it there.
func openKeyring(t *testing.T) {
	t.Helper()
	c := exec.Command("gnome-keyring-daemon", "--unlock", "--components=secrets")
	c.Stdin = strings.NewReader("password")
	if err := c.Run(); err != nil {
		t.Fatalf("open the keyring: %v", err)
	}
}
