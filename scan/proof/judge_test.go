package proof

import (
	"math"
	"strings"
	"testing"

	"github.com/keywright/keywright/scan"
)

func TestEntropy(t *testing.T) {
	for text, want := range map[string]float64{"": 0, "aaaa": 0, "abab": 1, "abcd": 2, "0123456789abcdef": 4} {
		if got := Entropy([]byte(text)); math.Abs(got-want) > 1e-9 {
			t.Errorf("Entropy(%q) = %v, want %v", text, got, want)
		}
	}
}

var placeholders = []string{
	"2fFZuXXX_CXB5XXXDGMRXXXDiCKTer", "sk_XXXX9aB7XXXX",
	"", "x", "xxxx", "XXXXXXXXXXXXXXXX", "xxxx-xxxx-xxxx", "********", "........", "0000000000000000",
	"your_api_key", "YOUR_API_KEY_HERE", "your-api-key", "<your-token>", "<token>", "<API KEY>",
	"${API_KEY}", "$API_KEY", "$(cat /run/secrets/key)", "{{ api_key }}", "{{secrets.TOKEN}}", "%API_KEY%",
	"__API_KEY__", "@@TOKEN@@", "#{token}", "<%= ENV['KEY'] %>", "[REDACTED]", "process.env.API_KEY",
	"os.environ['KEY']", "getenv(\"KEY\")", "get_secret(\"db\")", "config.get('password')", "env.PASSWORD",
	"changeme", "change-me", "ChangeMe123", "replace_me", "REPLACE_WITH_YOUR_KEY", "insert-key-here",
	"example", "AKIA1234EXAMPLE", "my-secret", "mysecretkey", "MySecretPassword", "supersecret",
	"super-secret-key", "test", "test123", "testtoken", "test-api-key", "dummy", "dummy_token_value",
	"fake-api-key", "placeholder", "password", "password123", "passw" + "ord", "secret", "admin", "root",
	"postgres", "minioadmin", "guest", "null", "None", "undefined", "123456", "12345678", "1234567890",
	"abcdef", "abcdefghijklmnop", "0123456789abcdef", "0123456789ABCDEF0123456789ABCDEF", "987654321",
	"deadbeefdeadbeefdeadbeefdeadbeef", "abcabcabcabc", "foobar", "foo", "qwerty", "qwerty123",
	"TODO: set this", "op://vault/item/field", "not-a-real-token", "some-secret-value", "'changeme'",
	"secret-%s", "Bearer %s", "{0}", "access_token", "client_secret", "sk-...", "openai_api_key", "a_secret_key",
}

func TestPlaceholder(t *testing.T) {
	for _, text := range placeholders {
		if !Placeholder([]byte(text)) {
			t.Errorf("Placeholder(%q) = false", text)
		}
	}
	for _, text := range []string{
		"hunter2!Zq", "Tr0ub4dor&3", "correct horse battery staple", "kX9#mP2$vL", "p4ssWrd-Kj82",
		"20260311", "s9d8f7g6", "Zurich-7-Lamp",
	} {
		if Placeholder([]byte(text)) {
			t.Errorf("Placeholder(%q) = true", text)
		}
	}
	random(func(text string) {
		if Placeholder([]byte(text)) {
			t.Errorf("Placeholder(%q) = true", text)
		}
	})
}

// random calls f with texts as key generators write them.
func random(f func(text string)) {
	g := scan.NewGen(7)
	for range 300 {
		f(g.String(scan.Base62, 16+g.IntN(48)))
		f(g.Hex(32))
		f(g.Hex(64))
		f(g.String(scan.Base64URL, 20+g.IntN(40)))
		f(g.String(scan.Base32, 24+g.IntN(30)))
		f("test_" + g.String(scan.Base62, 24))
	}
}

var identifiers = []string{
	"monkey", "publicKey", "public_key", "getUserName", "XMLHttpRequest", "HTTPServer", "user-profile-page",
	"com.example.app.MainActivity", "MAX_CONNECTION_COUNT", "password_field_label", "api-key-header-name",
	"./config/settings.json", "passwordResetTokenExpired", "NSLocalizedDescription", "secretAccessKeyInput",
	"application/json", "authentication required", "Enter your password", "this.form.password.value",
	"kubernetes.io/service-account-token", "utf8_general", "oauth2ClientCredentials", "tokenTypeHint",
	"TooManyRequestsException", "AuthorizationHeaderMissing", "org.apache.commons.logging", "keyboardShortcut",
}

func TestLooksLikeIdentifier(t *testing.T) {
	for _, text := range identifiers {
		if !LooksLikeIdentifier([]byte(text)) {
			t.Errorf("LooksLikeIdentifier(%q) = false, share %.2f", text, wordShare([]byte(text)))
		}
	}
	wrong := 0
	random(func(text string) {
		if LooksLikeIdentifier([]byte(text)) {
			wrong++
			t.Logf("taken for an identifier: %q", text)
		}
	})
	if wrong > 0 {
		t.Errorf("%d random texts look like identifiers", wrong)
	}
}

func TestLooksRandom(t *testing.T) {
	for _, text := range append(identifiers, "aaaaaaaaaaaaaaaa", "12345678901234567890", "abcdefghijklmnop",
		"the quick brown fox jumps", "hello-world-service", "1.2.3.4", "2024-01-02") {
		if got := LooksRandom([]byte(text)); got > 0.5 {
			t.Errorf("LooksRandom(%q) = %.2f", text, got)
		}
	}
	total, low := 0, 0
	random(func(text string) {
		total++
		if got := LooksRandom([]byte(text)); got < 0.5 {
			low++
			t.Logf("LooksRandom(%q) = %.2f", text, got)
		} else if got > 1 {
			t.Errorf("LooksRandom(%q) = %v", text, got)
		}
	})
	if low*200 > total {
		t.Errorf("%d of %d random texts are below 0.5", low, total)
	}
}

func TestLooksLikePassword(t *testing.T) {
	for text, want := range map[string]bool{
		"kX9#mP2$vL": true, "Tr0ub4dor&3": true, "Gr8-Vienna!": true, "short1!": false, "password": false,
		"lowercase": false, "ChangeMe123!": false, "${DB_PASS}": false, "http://host/Path9": false,
		"/Etc/Passwd9": false, "SomeCamelCaseName": false, strings.Repeat("aB3!", 20): false,
	} {
		if got := LooksLikePassword([]byte(text)); got != want {
			t.Errorf("LooksLikePassword(%q) = %v", text, got)
		}
	}
}

func TestUUIDAndHash(t *testing.T) {
	g := scan.NewGen(1)
	uuid := g.UUID()
	for text, want := range map[string]bool{
		uuid: true, strings.ToUpper(uuid): true, "{" + uuid + "}": true,
		uuid[:35]: false, strings.ReplaceAll(uuid, "-", "_"): false, "g" + uuid[1:]: false,
	} {
		if got := UUID([]byte(text)); got != want {
			t.Errorf("UUID(%q) = %v", text, got)
		}
	}
	for text, want := range map[string]string{
		g.Hex(32): "MD5", g.Hex(40): "SHA-1", strings.ToUpper(g.Hex(40)): "SHA-1", g.Hex(64): "SHA-256",
		g.Hex(128): "SHA-512", g.Hex(33): "", "sha256:" + g.Hex(64): "SHA-256",
		"sha512-" + g.String(scan.Base62, 86) + "==": "SHA-512", "sha-something-else-entirely": "",
		g.String("abcdefABCDEF0123456789", 39) + "g": "", "aB" + g.Hex(30): "",
		"md5=" + g.Hex(32): "MD5",
	} {
		if got := Hash([]byte(text)); got != want {
			t.Errorf("Hash(%q) = %q, want %q", text, got, want)
		}
	}
}

func FuzzJudge(f *testing.F) {
	for _, text := range placeholders {
		f.Add([]byte(text))
	}
	for _, text := range identifiers {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		Placeholder(b)
		LooksLikeIdentifier(b)
		LooksLikePassword(b)
		Hash(b)
		UUID(b)
		if r := LooksRandom(b); r < 0 || r > 1 || math.IsNaN(r) {
			t.Errorf("LooksRandom = %v", r)
		}
	})
}

// Passwords of any visible characters are seldom taken for placeholders.
func TestPlaceholderSigns(t *testing.T) {
	var visible strings.Builder
	for c := byte('!'); c <= '~'; c++ {
		visible.WriteByte(c)
	}
	g, wrong := scan.NewGen(11), 0
	const n = 5000
	for range n {
		if Placeholder([]byte(g.String(visible.String(), 14))) {
			wrong++
		}
	}
	if wrong*100 > n {
		t.Errorf("%d of %d passwords are placeholders", wrong, n)
	}
}
