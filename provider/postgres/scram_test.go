package postgres

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/keywright/keywright/secret"
)

// The exchange of RFC 7677, section 3: both sides' proofs follow from the verifier.
func TestVerifier(t *testing.T) {
	const message = "n=user,r=rOprNGfwEbeRWgbNEkqO," +
		"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096," +
		"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
	const proof, signature = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
	decode := func(s string) []byte {
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	v, err := verifier(secret.New([]byte("pencil")), decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)
	if err != nil {
		t.Fatal(err)
	}
	keys, ok := strings.CutPrefix(v, "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$")
	if !ok {
		t.Fatalf("not in PostgreSQL's form: %s", v)
	}
	stored, server, _ := strings.Cut(keys, ":")
	sign := func(key []byte) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(message))
		return h.Sum(nil)
	}
	if !bytes.Equal(sign(decode(server)), decode(signature)) {
		t.Error("the server's signature is another")
	}
	client := decode(proof)
	for i, b := range sign(decode(stored)) {
		client[i] ^= b
	}
	if sum := sha256.Sum256(client); !bytes.Equal(sum[:], decode(stored)) {
		t.Error("the client's proof is another")
	}
}

func TestScram(t *testing.T) {
	a, err := scram(secret.Random(length, alphabet))
	b, _ := scram(secret.Random(length, alphabet))
	if err != nil || a == b {
		t.Errorf("%v", err)
	}
	for _, bad := range []string{"with space", "ümlaut", "tab\t", "nul\x00"} {
		if v, err := scram(secret.New([]byte(bad))); err == nil {
			t.Errorf("%q gave %s", bad, v)
		}
	}
}
