// Package cache keeps what scans have found out, between runs. Entries are sealed
// with a key of this user on this machine: what was damaged, or written by anyone
// else, is as good as not there. An entry holds no secret, and of secrets only
// digests under that key.
package cache

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/gob"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/keywright/keywright/internal/durable"
)

// Cache is a directory of entries. It is safe for concurrent use by any number of
// processes: an entry is replaced whole, and the last one written stays.
type Cache struct {
	dir string
	key []byte
}

const (
	format  = 1 // of entries
	keyFile = "key"
	keySize = 32
	suffix  = ".entry"
	dirPerm = 0o700

	// What entries may take together. The oldest go first.
	maxBytes = 512 << 20
	// How long the left-over of a killed writer may be one that is still at work.
	staleTemp = time.Hour
)

// Open opens the cache in a directory, which is made if need be.
func Open(dir string) (*Cache, error) {
	if err := os.MkdirAll(dir, dirPerm); err != nil {
		return nil, fmt.Errorf("open cache: %w", err)
	}
	key, err := readKey(filepath.Join(dir, keyFile))
	if err != nil {
		return nil, fmt.Errorf("open cache: %w", err)
	}
	return &Cache{dir, key}, nil
}

// readKey returns the key in a file, and makes it on first use. Of two processes
// that do so at once one wins, and both use its key.
func readKey(path string) ([]byte, error) {
	key, err := os.ReadFile(path)
	if err == nil && len(key) == keySize {
		return key, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	fresh := make([]byte, keySize)
	rand.Read(fresh)
	err = durable.WriteFile(path, func(w io.Writer) error { _, err := w.Write(fresh); return err }, 0o600)
	if err != nil {
		return nil, err
	}
	if key, err = os.ReadFile(path); err == nil && len(key) != keySize {
		err = fmt.Errorf("%s has %d bytes instead of %d", path, len(key), keySize)
	}
	return key, err
}

// Key returns a key for one purpose, derived from the cache's own. Digests under
// it may be kept in entries.
func (c *Cache) Key(purpose string) [32]byte {
	h := hmac.New(sha256.New, c.key)
	h.Write([]byte(purpose))
	return [32]byte(h.Sum(nil))
}

// path is where the entry of a name lives. Names are not readable from it.
func (c *Cache) path(name string) string {
	key := c.Key("entry name")
	h := hmac.New(sha256.New, key[:])
	h.Write([]byte(name))
	return filepath.Join(c.dir, hex.EncodeToString(h.Sum(nil)[:16])+suffix)
}

// Load decodes the entry of a name into what v points to. It reports false if
// there is none that can be used, for whatever reason.
func (c *Cache) Load(name string, v any) bool {
	data, err := os.ReadFile(c.path(name))
	if err != nil {
		return false
	}
	key := c.Key("seal")
	payload, err := durable.Open(key[:], format, data)
	if err != nil {
		return false
	}
	var of string
	d := gob.NewDecoder(bytes.NewReader(payload))
	return d.Decode(&of) == nil && of == name && d.Decode(v) == nil
}

// Save encodes v as the entry of a name, and removes old entries if there are too
// many.
func (c *Cache) Save(name string, v any) error {
	var b bytes.Buffer
	e := gob.NewEncoder(&b)
	if err := errors.Join(e.Encode(name), e.Encode(v)); err != nil {
		return fmt.Errorf("encode cache entry: %w", err)
	}
	key := c.Key("seal")
	sealed := durable.Seal(key[:], format, b.Bytes())
	err := durable.WriteFile(c.path(name), func(w io.Writer) error { _, err := w.Write(sealed); return err }, 0o600)
	if err != nil {
		return fmt.Errorf("write cache entry: %w", err)
	}
	return c.sweep()
}

// sweep removes the oldest entries over the limit, and what killed writers left.
func (c *Cache) sweep() error {
	files, err := os.ReadDir(c.dir)
	if err != nil {
		return err
	}
	var entries []fs.FileInfo
	total := int64(0)
	for _, f := range files {
		info, err := f.Info()
		switch {
		case err != nil:
		case strings.HasSuffix(f.Name(), suffix):
			entries = append(entries, info)
			total += info.Size()
		case f.Name() != keyFile && time.Since(info.ModTime()) > staleTemp:
			os.Remove(filepath.Join(c.dir, f.Name()))
		}
	}
	slices.SortFunc(entries, func(a, b fs.FileInfo) int { return cmp.Or(a.ModTime().Compare(b.ModTime()), cmp.Compare(a.Name(), b.Name())) })
	for _, e := range entries {
		if total <= maxBytes {
			break
		}
		if os.Remove(filepath.Join(c.dir, e.Name())) == nil {
			total -= e.Size()
		}
	}
	return nil
}
