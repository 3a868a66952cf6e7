package proof

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"

	"github.com/keywright/keywright/scan"
)

// A key stays a key in whatever text it is put.
func TestPEMInOtherTexts(t *testing.T) {
	g := scan.NewGen(20)
	key := SealRSAKey(g, 1024)
	lines := strings.Split(strings.TrimSpace(key), "\n")
	quoted, err := json.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	want := PEMKey(candidate(key))
	if want.Proof != scan.Proved || !strings.HasPrefix(want.PublicID, "SHA256:") {
		t.Fatalf("the key itself: %+v", want)
	}
	for name, text := range map[string]string{
		"json":          string(quoted),
		"json in json":  strings.ReplaceAll(string(quoted), `\n`, `\\n`),
		"crlf":          strings.ReplaceAll(key, "\n", "\r\n"),
		"json crlf":     strings.ReplaceAll(string(quoted), `\n`, `\r\n`),
		"yaml":          "key: |\n    " + strings.Join(lines, "\n    "),
		"one line":      strings.Join(lines, " "),
		"go":            `"` + strings.Join(lines, "\\n\" +\n\t\"") + `"`,
		"java":          `"` + strings.Join(lines, "\\n\"\n + \"") + `";`,
		"comment":       "# " + strings.Join(lines, "\n# "),
		"python":        "'" + strings.Join(lines, "'\n'") + "'",
		"after another": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n" + key,
	} {
		if got := PEMKey(candidate(text)); got != want {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := PEMBase64(candidate(base64.StdEncoding.EncodeToString([]byte(key)))); got != want {
		t.Errorf("base 64: %+v", got)
	}
	der := strings.Join(lines[1:len(lines)-1], "")
	if got := DERKey(candidate(der)); got != want {
		t.Errorf("bare: %+v", got)
	}
}

func TestPEMKey(t *testing.T) {
	g := scan.NewGen(21)
	block := func(label, body string) string {
		return "-----BEGIN " + label + "-----\n" + body + "\n-----END " + label + "-----\n"
	}
	body := base64.StdEncoding.EncodeToString(g.Bytes(300))
	rsa := SealRSAKey(g, 1024)
	tests := []struct {
		name, text string
		want       scan.Evidence
	}{
		{"certificate", block("CERTIFICATE", body), scan.Rejected},
		{"public key", block("PUBLIC KEY", body), scan.Rejected},
		{"elided", block("RSA "+"PRIVATE KEY", "MIIEpAIBAAKCAQEA..."), scan.Fails("its inside is left out: an example")},
		{"empty", block("PRIVATE KEY", ""), scan.Fails("its inside is left out: an example")},
		{"random", block("PRIVATE KEY", body), scan.Fails("does not parse as a private key: edited, truncated or an example")},
		{"cut", block("RSA "+"PRIVATE KEY", strings.Join(strings.Split(rsa, "\n")[1:6], "\n")),
			scan.Fails("does not parse as a private key: edited, truncated or an example")},
		{"encrypted", block("RSA "+"PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00FF\n\n"+body),
			scan.Evidence{Reason: "encrypted with a passphrase (AES-128-CBC)", Cap: scan.Medium}},
		{"openssh, random", block("OPENSSH "+"PRIVATE KEY", body),
			scan.Fails("does not parse as an OpenSSH key: edited, truncated or an example")},
		{"no end", "-----BEGIN " + "PRIVATE KEY-----\n" + body, scan.Evidence{}},
		{"short", SealRSAKey(g, 512), scan.Evidence{}},
	}
	for _, tt := range tests {
		got := PEMKey(candidate(tt.text))
		if tt.name == "short" {
			if got.Proof != scan.Proved || got.Cap != scan.Medium {
				t.Errorf("short: %+v", got)
			}
			continue
		}
		if got != tt.want {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
	if e := PEMKey(candidate(SealPKCS8Key(g.Bytes(32)))); e.Proof != scan.Proved || !strings.HasPrefix(e.PublicID, "SHA256:") {
		t.Errorf("PKCS #8: %+v", e)
	}
	if e := PEMKey(candidate(SealECKey(g.Bytes(32)))); e.Reason != "EC P-256: the public half is that of the private one" {
		t.Errorf("EC: %+v", e)
	}
}

// RFC 8410, section 10.3: the Ed25519 key, of which ssh-keygen gives the fingerprint.
func TestPublishedPrivateKey(t *testing.T) {
	der := "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK" + "1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC"
	e := DERKey(candidate(der))
	if e.PublicID != "SHA256:ebCT4wkJOqO5AIlHG03cHvn3Cr3ZZEEh8m81duHhR3Q" || e.Cap != scan.Low || e.Proof != scan.Proved {
		t.Errorf("%+v", e)
	}
}

func TestOpenSSHEncrypted(t *testing.T) {
	g := scan.NewGen(22)
	pub := sshBlob([]byte("ssh-ed25519"), g.Bytes(32))
	data := append([]byte(opensshMagic), sshBlob([]byte("aes256-ctr"), []byte("bcrypt"), g.Bytes(24))...)
	data = binary.BigEndian.AppendUint32(data, 1)
	data = append(data, sshBlob(pub, g.Bytes(144))...)
	e := PEMKey(candidate(sealPEM("OPENSSH "+"PRIVATE KEY", data, nil)))
	if e.Reason != "encrypted with a passphrase (aes256-ctr)" || e.Cap != scan.Medium || e.PublicID != fingerprint(pub) {
		t.Errorf("%+v", e)
	}
}

func TestPuTTYEncrypted(t *testing.T) {
	text := strings.Replace(SealPuTTYKey(3, scan.NewGen(23).Bytes(32)), "Encryption: none", "Encryption: aes256-cbc", 1)
	if e := PuTTYKey(candidate(text)); e.Cap != scan.Medium || e.Proof != scan.Unproved {
		t.Errorf("%+v", e)
	}
	if e := PuTTYKey(candidate(text[:100])); e.Proof != scan.Failed {
		t.Errorf("cut: %+v", e)
	}
}

func TestPGPStub(t *testing.T) {
	// A packet whose secret is elsewhere: S2K usage 255, type 101, "GNU".
	body := append([]byte{4, 0, 0, 0, 1, 27}, make([]byte, 32)...)
	body = append(body, 255, 0, 101, 0, 'G', 'N', 'U', 1)
	data := append([]byte{0x94, byte(len(body))}, body...)
	text := pgpBegin + "\nVersion: x\n\n" + sealLines(data) + "=" + armorSum(data) + "\n" + strings.Replace(pgpBegin, "BEGIN", "END", 1)
	if e := PEMKey(candidate(text)); !e.Reject {
		t.Errorf("%+v", e)
	}
}

func TestURLPassword(t *testing.T) {
	g := scan.NewGen(24)
	strong := g.String(scan.Base62, 20)
	tests := []struct {
		name, text, password string
		want                 scan.Evidence
	}{
		{"plain", "postgres://app:" + strong + "@db.acme.dev:5432/x", strong, scan.Evidence{PublicID: "db.acme.dev"}},
		{"two hosts", "mongodb://u:" + strong + "@a.acme.dev:1,b.acme.dev:2/x", strong, scan.Evidence{PublicID: "a.acme.dev"}},
		{"ipv6", "redis://:" + strong + "@[2001:db8::1]:6379", strong, scan.Evidence{PublicID: "2001:db8::1"}},
		{"local", "mysql://root:" + strong + "@127.0.0.1/x", strong,
			scan.Evidence{PublicID: "127.0.0.1", Reason: "the host is this machine", Cap: scan.Low}},
		{"example", "https://me:" + strong + "@www.example.com/", strong,
			scan.Evidence{PublicID: "www.example.com", Reason: "the host is an example", Cap: scan.Low}},
		{"service", "amqp://me:" + strong + "@rabbit:5672/", strong,
			scan.Evidence{PublicID: "rabbit", Reason: "the host is a name of a local network", Cap: scan.Medium}},
		{"same", "ftp://zoltan:zoltan@ftp.acme.dev", "zoltan",
			scan.Evidence{PublicID: "ftp.acme.dev", Reason: "the password is the user's name", Cap: scan.Low}},
		{"default", "postgres://postgres:postgres@db.acme.dev", "postgres",
			scan.Evidence{PublicID: "db.acme.dev", Reason: "a placeholder or a default password", Cap: scan.Low}},
		{"minio", "http://minioadmin:minioadmin@s3.acme.dev", "minioadmin",
			scan.Evidence{PublicID: "s3.acme.dev", Reason: "a placeholder or a default password", Cap: scan.Low}},
		{"template", "postgres://u:${DB_PASSWORD}@db.acme.dev", "${DB_PASSWORD}", scan.Rejected},
		{"brackets", "postgres://u:<password>@db.acme.dev", "<password>", scan.Rejected},
		{"stars", "postgres://u:*****@db.acme.dev", "*****", scan.Rejected},
		{"empty", "postgres://u:@db.acme.dev", "", scan.Rejected},
		{"encoded", "postgres://u:%24%7BPW%7D@db.acme.dev", "%24%7BPW%7D", scan.Rejected},
	}
	for _, tt := range tests {
		c := scan.Candidate{Text: []byte(tt.text), Roles: []string{scan.RoleSecret}, Spans: [][]byte{[]byte(tt.password)}}
		if got := URLPassword(c); got != tt.want {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
}

func TestDSNPassword(t *testing.T) {
	strong := scan.NewGen(25).String(scan.Base62, 20)
	for text, host := range map[string]string{
		"Server=tcp:sql.acme.dev,1433;User ID=app;Password=" + strong + ";": "sql.acme.dev",
		"Data Source=sql.acme.dev;Password=" + strong:                       "sql.acme.dev",
		"host=pg.acme.dev port=5432 user=app password=" + strong:            "pg.acme.dev",
		"password=" + strong: "",
	} {
		c := scan.Candidate{Text: []byte(text), Roles: []string{scan.RoleSecret}, Spans: [][]byte{[]byte(strong)}}
		if got := DSNPassword(c); got != (scan.Evidence{PublicID: host}) {
			t.Errorf("%s: %+v", text, got)
		}
	}
}

func TestBasicAuth(t *testing.T) {
	g := scan.NewGen(26)
	encode := func(s string) scan.Candidate { return candidate(base64.StdEncoding.EncodeToString([]byte(s))) }
	if e := BasicAuth(encode("robot:" + g.String(scan.Base62, 20))); e.Proof != scan.Proved {
		t.Errorf("plain: %+v", e)
	}
	if e := BasicAuth(encode("user:password")); e.Cap != scan.Low {
		t.Errorf("default: %+v", e)
	}
	if e := BasicAuth(encode("user:${TOKEN}")); !e.Reject {
		t.Errorf("template: %+v", e)
	}
	if e := BasicAuth(encode("no colon here")); e.Proof != scan.Failed {
		t.Errorf("no colon: %+v", e)
	}
	if e := Base64Password(encode("changeme")); e.Cap != scan.Low {
		t.Errorf("password: %+v", e)
	}
}

func TestPgpassLine(t *testing.T) {
	strong := scan.NewGen(27).String(scan.Base62, 16)
	for line, want := range map[string]scan.Evidence{
		"db.acme.dev:5432:*:app:" + strong:     {PublicID: "db.acme.dev"},
		"*:*:*:app:" + strong + `\:x`:          {},
		"localhost:5432:x:app:" + strong:       {PublicID: "localhost", Reason: "the host is this machine", Cap: scan.Low},
		"db.acme.dev:5432:x:app":               scan.Rejected,
		"10:20:30:40:" + strong + ":" + strong: scan.Rejected,
		"db.acme.dev:port:x:app:" + strong:     scan.Rejected,
		"db.acme.dev:5432:x:app:${PGPASSWORD}": scan.Rejected,
	} {
		if got := PgpassLine(scan.Candidate{Text: []byte(line)}); got != want {
			t.Errorf("%s: %+v", line, got)
		}
	}
}

func TestPasswordHash(t *testing.T) {
	g := scan.NewGen(28)
	b62 := func(n int) string { return g.String(scan.Base62, n) }
	for text, want := range map[string]string{
		"$2y$10$" + b62(53):                 "a bcrypt hash of a password",
		"$apr1$" + b62(8) + "$" + b62(22):   "an Apache MD5 hash of a password",
		"$6$" + b62(8) + "$" + b62(86):      "a SHA-512 crypt hash of a password",
		"$6$rounds=5000$ab$" + b62(86):      "a SHA-512 crypt hash of a password",
		"$y$j9T$" + b62(22) + "$" + b62(43): "a yescrypt hash of a password",
		"{SHA}" + b62(27) + "=":             "an SHA-1 hash of a password",
	} {
		if e := PasswordHash(candidate(text)); e.Reason != want || e.Cap != scan.Low {
			t.Errorf("%s: %+v", text, e)
		}
	}
	for _, text := range []string{"$2y$10$" + b62(52), "$6$ab$" + b62(85), "$HOME$x", "plain"} {
		if e := PasswordHash(candidate(text)); !e.Reject {
			t.Errorf("%s: %+v", text, e)
		}
	}
}

func TestEncrypted(t *testing.T) {
	for text, want := range map[string]string{
		"$ANSIBLE_VAULT;1.1;AES256\n6162":       "Ansible Vault",
		"ENC[AES256_GCM,data:abc,iv:x,tag:y]":   "SOPS",
		"ENC(abcdef)":                           "Jasypt",
		"{" + strings.Repeat("Ab1+", 8) + "}":   "Maven",
		"Ag" + strings.Repeat("A1b2", 150):      "Sealed Secrets",
		"-----BEGIN AGE ENCRYPTED FILE-----\nx": "age",
		"hunter2":                               "",
		"":                                      "",
	} {
		if got := Encrypted([]byte(text)); got != want {
			t.Errorf("Encrypted(%.30q) = %q", text, got)
		}
	}
	inner := strings.Join([]string{strings.Repeat("ab", 32), strings.Repeat("cd", 32), "0011"}, "\n")
	vault := "$ANSIBLE_VAULT;1.1;AES256\n  " + hex.EncodeToString([]byte(inner))[:80] + "\n  " + hex.EncodeToString([]byte(inner))[80:]
	if e := AnsibleVault(candidate(vault)); !e.Reject {
		t.Errorf("vault: %+v", e)
	}
	if e := AnsibleVault(candidate("$ANSIBLE_VAULT;1.1;AES256\nnothing")); e.Reject {
		t.Errorf("no vault: %+v", e)
	}
}

// The vectors of rclone's own test, fs/config/obscure/obscure_test.go.
func TestRclone(t *testing.T) {
	for text, want := range map[string]string{
		"YWFhYWFhYWFhYWFhYWFhYXMaGgIlEQ": "potato",
		"YmJiYmJiYmJiYmJiYmJiYp3gcEWbAw": "potato",
	} {
		if got, ok := rcloneReveal([]byte(text)); !ok || string(got) != want {
			t.Errorf("rcloneReveal(%s) = %q, %v", text, got, ok)
		}
	}
	if e := RclonePassword(candidate("YWFhYWFhYWFhYWFhYWFhYXMaGgIlEQ")); e.Proof != scan.Proved {
		t.Errorf("%+v", e)
	}
}

func TestKeyStores(t *testing.T) {
	entry := func(tag uint32, rest ...byte) []byte {
		b := binary.BigEndian.AppendUint32(nil, tag)
		b = append(b, 0, 1, 'a')          // alias
		b = append(b, make([]byte, 8)...) // date
		return append(b, rest...)
	}
	jks := func(count byte, entries ...[]byte) []byte {
		return append([]byte("\xfe\xed\xfe\xed\x00\x00\x00\x02\x00\x00\x00"+string(count)), bytes.Join(entries, nil)...)
	}
	certificate := entry(2, 0, 1, 'X', 0, 0, 0, 2, 1, 2)
	key := entry(1, 0, 0, 0, 4, 1, 2, 3, 4)
	if got := JavaKeyStore(jks(2, certificate, key)); len(got) != 1 || got[0].Evidence.Cap != scan.Medium || got[0].Parts[0].End == 0 {
		t.Errorf("with a key: %+v", got)
	}
	if got := JavaKeyStore(jks(1, certificate)); got != nil {
		t.Errorf("certificates only: %+v", got)
	}
	inside := append([]byte{2, 1, 3, 0x30, 0x80}, PKCS12Gate...)
	if got := PKCS12Store(append([]byte{0x30, byte(len(inside))}, inside...)); len(got) != 1 {
		t.Errorf("PKCS #12: %+v", got)
	}
	if got := PKCS12Store(append([]byte{0x30, byte(len(inside) + 1)}, inside...)); got != nil {
		t.Errorf("PKCS #12, cut: %+v", got)
	}
}

func FuzzKeys(f *testing.F) {
	g := scan.NewGen(29)
	for _, s := range []string{
		"", SealRSAKey(g, 512), SealECKey(g.Bytes(32)), SealPKCS8Key(g.Bytes(32)), SealOpenSSHKey(g.Bytes(32)),
		SealPuTTYKey(2, g.Bytes(32)), SealPGPKey(g.Bytes(32)), "postgres://a:b@c", "a:1:b:c:d", "$2y$10$", "$ANSIBLE_VAULT;1.1\n00",
		JKSGate + "\x02\x00\x00\x00\x01\x00\x00\x00\x01", "0\x80\x02\x01\x03\x30" + PKCS12Gate,
	} {
		f.Add([]byte(s))
	}
	checks := []func(scan.Candidate) scan.Evidence{
		PEMKey, PEMBase64, DERKey, PuTTYKey, URLPassword, DSNPassword, PlainPassword, BasicAuth, Base64Password,
		PgpassLine, PasswordHash, AnsibleVault, RclonePassword,
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, check := range checks {
			check(candidate(string(b)))
		}
		JavaKeyStore(b)
		PKCS12Store(b)
		derEvidence(b)
		opensshEvidence(b)
		parsePGP(b)
		parseMacaroon(b)
		skipMessagePack(b, 0)
		vaultMessage(b)
	})
}
