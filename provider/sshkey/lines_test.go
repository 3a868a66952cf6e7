package sshkey

import (
	"bytes"
	"crypto/ed25519"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

func public(t testing.TB, seed byte) ssh.PublicKey {
	t.Helper()
	k, err := ssh.NewPublicKey(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize)).Public())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// FuzzLines: whatever is in the file, what is not the old key's stays byte for byte, and
// a key that was added and removed leaves what was there.
func FuzzLines(f *testing.F) {
	old, next := public(f, 1), public(f, 2)
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(old)))
	for _, text := range []string{
		line + "\n", line, "# " + line + "\n" + line + " me@here keywright-0123456789ab\r\n", "no-pty,from=\"a b,c\" " + line + " x\n\n\tssh-rsa junk\n",
		"command=\"echo \\\"hi\\\" # not a comment\" " + line + "\n" + line, "\x00\xff\n" + line,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, there := find(text, fingerprint(next)); there {
			return
		}
		was, there := find(text, fingerprint(old))
		with, err := add(text, fingerprint(old), next)
		if there != (err == nil) {
			t.Fatalf("%v", err)
		}
		if !there {
			return
		}
		is, ok := find(with, fingerprint(next))
		if !ok || is.options != was.options || !bytes.HasPrefix(with, text) {
			t.Errorf("%q", with)
		}
		if twice, err := add(with, fingerprint(old), next); err != nil || !bytes.Equal(twice, with) {
			t.Errorf("twice: %q, %v", twice, err)
		}
		if left := remove(with, fingerprint(next)); !bytes.Equal(bytes.TrimSuffix(left, []byte("\n")), bytes.TrimSuffix(text, []byte("\n"))) {
			t.Errorf("%q left of %q", left, text)
		}
		if _, there := find(remove(with, fingerprint(old)), fingerprint(old)); there {
			t.Error("the old one is still there")
		}
	})
}
