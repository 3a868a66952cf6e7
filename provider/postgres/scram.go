package postgres

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/keywright/keywright/secret"
)

// What PostgreSQL itself takes. More iterations would help against guessing a password
// that somebody thought of; those that are made here cannot be guessed.
const (
	iterations = 4096
	saltSize   = 16
)

// scram is a verifier of a password, by RFC 5802 and RFC 7677, as PostgreSQL stores it
// and takes it in place of the password. It does not give the password away.
func scram(password secret.Value) (string, error) {
	// Other characters would have to be prepared (RFC 4013), which clients do in ways
	// that differ.
	for _, c := range password.Reveal() {
		if c <= ' ' || c > '~' {
			return "", errors.New("the password has characters other than printable ASCII")
		}
	}
	salt := make([]byte, saltSize)
	rand.Read(salt)
	return verifier(password, salt, iterations)
}

func verifier(password secret.Value, salt []byte, iterations int) (string, error) {
	salted, err := pbkdf2.Key(sha256.New, string(password.Reveal()), salt, iterations, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("derive a key: %w", err)
	}
	defer clear(salted)
	client := keyed(salted, "Client Key")
	stored := sha256.Sum256(client)
	encode := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, encode(salt), encode(stored[:]), encode(keyed(salted, "Server Key"))), nil
}

func keyed(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
