package agefile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"filippo.io/age"

	"github.com/keywright/keywright/internal/durable"
	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/secret"
)

// IdentityFile is an Opener: a file with an age identity, as age-keygen writes it, or
// systemd hands it out. It must hold one identity.
type IdentityFile string

// Identity implements Opener.
func (path IdentityFile) Identity(context.Context, bool) (*age.X25519Identity, error) {
	data, err := os.ReadFile(string(path))
	if err != nil {
		return nil, &problem{keystore.Locked, err}
	}
	defer clear(data)
	return parseIdentity(data, string(path))
}

func parseIdentity(data []byte, from string) (*age.X25519Identity, error) {
	all, err := age.ParseIdentities(bytes.NewReader(data))
	if err != nil {
		// The error of the library may quote the line.
		return nil, &problem{keystore.Locked, fmt.Errorf("%s holds no identity of age", from)}
	}
	identity, ok := all[0].(*age.X25519Identity)
	if len(all) != 1 || !ok {
		return nil, &problem{keystore.Locked, fmt.Errorf("%s does not hold just one identity of the kind AGE-SECRET-KEY-1", from)}
	}
	return identity, nil
}

// Passphrase is an Opener: the identity lies in a file of its own, encrypted with a
// passphrase (scrypt), and is made with the first item.
type Passphrase struct {
	Disk durable.Disk
	Path string // of the identity
	// Ask returns the passphrase; fresh says that it is a new one, to be asked twice. An
	// error that matches io.EOF says that the user declined.
	Ask func(ctx context.Context, fresh bool) (secret.Value, error)

	work int // scrypt's work factor as a power of two; the library's if zero
}

// Identity implements Opener.
func (p *Passphrase) Identity(ctx context.Context, make bool) (*age.X25519Identity, error) {
	sealed, err := durable.ReadFile(p.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && make:
		return p.create(ctx)
	case errors.Is(err, fs.ErrNotExist):
		return nil, &problem{keystore.Absent, fmt.Errorf("its identity is gone: %w", err)}
	case err != nil:
		return nil, err
	}
	phrase, err := p.Ask(ctx, false)
	if err != nil {
		return nil, notGiven(err)
	}
	key, err := age.NewScryptIdentity(string(phrase.Reveal()))
	if err != nil {
		return nil, &problem{keystore.Locked, errors.New("the passphrase is empty")}
	}
	r, err := age.Decrypt(bytes.NewReader(sealed), key)
	if err != nil {
		return nil, &problem{keystore.Locked, errors.New("the passphrase is wrong, or the identity's file is damaged")}
	}
	plain, err := io.ReadAll(r)
	defer clear(plain)
	if err != nil {
		return nil, &problem{keystore.Damaged, err}
	}
	return parseIdentity(plain, p.Path)
}

// ErrNotAsked is what Passphrase.Ask returns if nobody is to be asked.
var ErrNotAsked = errors.New("nobody was asked for the passphrase")

// notGiven is the problem of a passphrase that was not given. The end of input is a no.
func notGiven(err error) error {
	if errors.Is(err, io.EOF) {
		return &problem{keystore.Dismissed, err}
	}
	return &problem{keystore.Locked, err}
}

func (p *Passphrase) create(ctx context.Context) (*age.X25519Identity, error) {
	phrase, err := p.Ask(ctx, true)
	if err != nil {
		return nil, notGiven(err)
	}
	recipient, err := age.NewScryptRecipient(string(phrase.Reveal()))
	if err != nil {
		return nil, &problem{keystore.Locked, errors.New("the passphrase is empty")}
	}
	if p.work > 0 {
		recipient.SetWorkFactor(p.work)
	}
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, err
	}
	return identity, p.Disk.WriteFile(p.Path, func(w io.Writer) error {
		e, err := age.Encrypt(w, recipient)
		if err != nil {
			return err
		}
		if _, err := io.WriteString(e, identity.String()+"\n"); err != nil {
			return err
		}
		return e.Close()
	}, filePerm)
}
