// Package backup writes all keys of a store into one file that is encrypted with age,
// and reads them back.
package backup

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"filippo.io/age"

	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/secret"
)

// content is what a backup holds, as JSON: keys with their versions, and where the audit
// log stood. The log's signing key is not among it: a copy could go on with the log.
type content struct {
	Format     int       `json:"format"`
	Made       time.Time `json:"made"`
	Checkpoint string    `json:"checkpoint,omitempty"` // of the audit log, signed
	Keys       []saved   `json:"keys"`
	Protected  []string  `json:"protected,omitempty"` // environments
	Retired    []retired `json:"retired,omitempty"`   // from format 2 on
}

type saved struct {
	Key     keystore.Key                 `json:"key"`
	Secrets map[int]map[string]plainText `json:"secrets"` // by version and part
}

// retired is what a version is found by whose secrets are gone.
type retired struct {
	keystore.Name
	Number    int                  `json:"number"`
	Item      string               `json:"item"`
	Died      time.Time            `json:"died"`
	DigestKey plainText            `json:"digest_key"`
	Digests   map[string]plainText `json:"digests"` // by part
}

// plainText is a secret on its way into or out of the encrypted file.
type plainText []byte

const (
	format      = 2 // what is written
	firstFormat = 1 // that is read

	// maxBackup bounds what is read into memory.
	maxBackup = 1 << 30
)

// Write encrypts the keys of a store, with all their versions, to a recipient. Checkpoint
// is that of the audit log; it may be empty. It returns how many keys there are.
func Write(ctx context.Context, w io.Writer, to age.Recipient, store *keystore.Store, checkpoint string, now time.Time) (int, error) {
	c := content{Format: format, Made: now.UTC(), Checkpoint: checkpoint}
	defer c.wipe()
	err := store.Each(ctx, func(k keystore.Key, versions map[int]keystore.Parts) error {
		s := saved{k, map[int]map[string]plainText{}}
		for n, parts := range versions {
			s.Secrets[n] = map[string]plainText{}
			for name, v := range parts {
				s.Secrets[n][name] = bytes.Clone(v.Reveal())
			}
		}
		c.Keys = append(c.Keys, s)
		return nil
	})
	if err != nil {
		return 0, err
	}
	if err := c.addRetired(ctx, store); err != nil {
		return 0, err
	}
	catalog, err := store.Catalog(ctx)
	if err != nil {
		return 0, err
	}
	for _, p := range catalog.Protected {
		c.Protected = append(c.Protected, p.Env)
	}
	plain, err := json.Marshal(c)
	if err != nil {
		return 0, fmt.Errorf("encode backup: %w", err)
	}
	defer clear(plain)
	e, err := age.Encrypt(w, to)
	if err != nil {
		return 0, fmt.Errorf("encrypt backup: %w", err)
	}
	if _, err := e.Write(plain); err != nil {
		return 0, fmt.Errorf("write backup: %w", err)
	}
	if err := e.Close(); err != nil {
		return 0, fmt.Errorf("write backup: %w", err)
	}
	return len(c.Keys), nil
}

// addRetired comes behind the keys: a version that is retired meanwhile is among both.
func (c *content) addRetired(ctx context.Context, store *keystore.Store) error {
	all, err := store.Retired(ctx)
	for _, r := range all {
		gone := retired{r.Name, r.Number, r.Item, r.Died, bytes.Clone(r.Key.Reveal()), map[string]plainText{}}
		for part, digest := range r.Digests {
			gone.Digests[part] = bytes.Clone(digest.Reveal())
		}
		c.Retired = append(c.Retired, gone)
	}
	return err
}

func (c *content) wipe() {
	for _, k := range c.Keys {
		for _, parts := range k.Secrets {
			for _, b := range parts {
				clear(b)
			}
		}
	}
	for _, r := range c.Retired {
		clear(r.DigestKey)
	}
}

// The errors of Read.
var (
	ErrNoBackup = errors.New("it is not a backup, or damaged")
	ErrLocked   = errors.New("the passphrase or identity does not open it")
	ErrFormat   = errors.New("it was written by another version of keywright")
)

// noBackup says why a file could not be read. What the library makes of its content is
// left out: it may quote that, and somebody may have given the wrong file.
func noBackup(err error) error {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return fmt.Errorf("%w: %w", ErrNoBackup, path)
	}
	return ErrNoBackup
}

// Backup is one that was read.
type Backup struct {
	Made       time.Time
	Checkpoint string

	content content
}

// Read decrypts a backup. The error matches one of those above, or is one of reading.
func Read(r io.Reader, with age.Identity) (*Backup, error) {
	d, err := age.Decrypt(r, with)
	var wrong *age.NoIdentityMatchError
	switch {
	case errors.As(err, &wrong):
		return nil, ErrLocked
	case err != nil:
		return nil, noBackup(err)
	}
	plain, err := io.ReadAll(io.LimitReader(d, maxBackup))
	defer clear(plain)
	if err != nil {
		return nil, noBackup(err)
	}
	var c content
	if err := json.Unmarshal(plain, &c); err != nil {
		return nil, ErrNoBackup // the error of the library may quote what it read
	}
	if c.Format < firstFormat || c.Format > format {
		return nil, fmt.Errorf("%w: format %d", ErrFormat, c.Format)
	}
	return &Backup{c.Made, c.Checkpoint, c}, nil
}

// Keys are what is known of the keys.
func (b *Backup) Keys() []keystore.Key {
	keys := make([]keystore.Key, len(b.content.Keys))
	for i := range b.content.Keys {
		keys[i] = b.content.Keys[i].Key
	}
	return keys
}

// Protected are the environments that were protected.
func (b *Backup) Protected() []string { return b.content.Protected }

// Restore stores what the backup holds, all of it or nothing, and returns the names of the
// keys that are there already: see keystore.Store.Restore. By is who acts.
func (b *Backup) Restore(ctx context.Context, by string, store *keystore.Store) (left []keystore.Name, err error) {
	saved := keystore.Saved{Protected: b.content.Protected}
	for _, s := range b.content.Keys {
		k := keystore.SavedKey{Key: s.Key, Versions: map[int]keystore.Parts{}}
		for n, texts := range s.Secrets {
			k.Versions[n] = parts(texts)
			defer k.Versions[n].Wipe()
		}
		saved.Keys = append(saved.Keys, k)
	}
	for _, r := range b.content.Retired {
		saved.Retired = append(saved.Retired, keystore.RetiredValues{Name: r.Name, Number: r.Number, Item: r.Item, Died: r.Died, Key: secret.New(r.DigestKey), Digests: parts(r.Digests)})
	}
	return store.Restore(ctx, by, saved)
}

func parts(texts map[string]plainText) keystore.Parts {
	p := keystore.Parts{}
	for name, v := range texts {
		p[name] = secret.New(v)
	}
	return p
}

// Wipe overwrites the secrets.
func (b *Backup) Wipe() { b.content.wipe() }
