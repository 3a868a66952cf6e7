package secret_test

import (
	"strings"
	"testing"

	"github.com/keywright/keywright/secret"
)

func TestRedact(t *testing.T) {
	digits := func(n int) string { return strings.Repeat("0123456789", 1+n/10)[:n] }
	pem := func(label string, body int) string {
		return "-----BEGIN " + label + "-----\n" + digits(body) + "\n-----END " + label + "-----\n"
	}
	for _, c := range []struct{ name, value, want string }{
		{"empty", "", ""},
		{"one byte", "x", "…"},
		{"seven bytes show nothing", digits(7), "…"},
		{"eight bytes", digits(8), "0…"},
		{"nineteen bytes show no end", digits(19), "012…"},
		{"twenty bytes", digits(20), "01…6789"},
		{"forty bytes", digits(40), "012345678…6789"},
		{"forty-eight bytes reach the cap", digits(48), "012345678901…4567"},
		{"a thousand bytes stay at the cap", digits(1000), "012345678901…6789"},
		{"PEM shows its label", pem("RSA PRIVATE KEY", 200), "-----BEGIN RSA PRIVATE KEY-----…"},
		{"PEM in a quoted string", strings.ReplaceAll(pem("PRIVATE KEY", 200), "\n", `\n`), "-----BEGIN PRIVATE KEY-----…"},
		{"a label too long for its body", pem("PRIVATE KEY", 2), "-----BEGIN P…"},
		{"a label that is no label", "-----BEGIN hunter2-----\n" + digits(200), "-----BEGIN h…"},
		{"lines show the first only", "{\n" + digits(60) + "\n}", "{…"},
		{"bytes that cannot be printed", "\x1b[31m\xff\u00e9" + digits(40), "?[31m???01234567"[:12] + "…6789"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := secret.Redact([]byte(c.value)); got != c.want {
				t.Errorf("Redact(%q) = %q, want %q", c.value, got, c.want)
			}
		})
	}
}

// checkRedacted fails unless out shows at most a third of value.
func checkRedacted(t *testing.T, value []byte, out string) {
	t.Helper()
	shown := len(strings.ReplaceAll(out, "…", ""))
	if 3*shown > len(value) {
		t.Errorf("%d of %d bytes shown: %q", shown, len(value), out)
	}
	if strings.ContainsFunc(strings.ReplaceAll(out, "…", ""), func(r rune) bool { return r < ' ' || r > '~' }) {
		t.Errorf("unprintable: %q", out)
	}
}

func TestRedactBound(t *testing.T) {
	for n := range 300 {
		value := make([]byte, n)
		for i := range value {
			value[i] = byte('a' + i%26)
		}
		checkRedacted(t, value, secret.Redact(value))
	}
}

func FuzzRedact(f *testing.F) {
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"))
	f.Add([]byte("-----BEGIN -----"))
	f.Add([]byte("\xff\x00\n\r"))
	f.Fuzz(func(t *testing.T, value []byte) { checkRedacted(t, value, secret.Redact(value)) })
}
