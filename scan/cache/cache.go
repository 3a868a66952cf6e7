// Package cache keeps what scans have found out, between runs. Entries are sealed
// with a key of this user on this machine: what was damaged, or written by anyone
// else, is as good as not there. An entry holds no secret, and of secrets only
// digests under that key.
package cache

import (
	"bytes"
	"cmp"
	"context"
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
	format   = 1 // of entries
	keyFile  = "key"
	keySize  = 32
	lockFile = "lock" // held while the key is made
	suffix   = ".entry"
	temp     = ".tmp" // of what durable has not finished
	dirPerm  = 0o700
	filePerm = 0o600

	// How long another process may take to make the key.
	maxWait = 5 * time.Second

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
// that do so at once one wins, and both use its key. A key that cannot be one is
// replaced: entries under it are not there any more.
func readKey(path string) ([]byte, error) {
	if key, err := wholeKey(path); key != nil || err != nil {
		return key, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), maxWait)
	defer cancel()
	unlock, err := durable.Lock(ctx, filepath.Join(filepath.Dir(path), lockFile))
	if err != nil {
		return nil, err
	}
	defer unlock()
	if key, err := wholeKey(path); key != nil || err != nil {
		return key, err // another was faster
	}
	key := make([]byte, keySize)
	rand.Read(key)
	return key, durable.WriteFile(path, func(w io.Writer) error { _, err := w.Write(key); return err }, filePerm)
}

// wholeKey returns the key in a file, nil if there is none or not a whole one.
func wholeKey(path string) ([]byte, error) {
	key, err := durable.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && len(key) != keySize:
		return nil, nil
	case err != nil:
		return nil, err
	}
	return key, nil
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
// there is none that can be used, for whatever reason; v may have been written to
// then.
func (c *Cache) Load(name string, v any) bool {
	path := c.path(name)
	data, err := durable.ReadFile(path)
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
	if d.Decode(&of) != nil || of != name || d.Decode(v) != nil {
		return false
	}
	now := time.Now()
	_ = os.Chtimes(path, now, now) // so that what is used is not among the oldest
	return true
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
	err := durable.WriteFile(c.path(name), func(w io.Writer) error { _, err := w.Write(sealed); return err }, filePerm)
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
		case strings.HasPrefix(f.Name(), ".") && strings.HasSuffix(f.Name(), temp) && time.Since(info.ModTime()) > staleTemp:
			os.Remove(filepath.Join(c.dir, f.Name()))
		}
	}
	slices.SortFunc(entries, func(a, b fs.FileInfo) int {
		return cmp.Or(a.ModTime().Compare(b.ModTime()), cmp.Compare(a.Name(), b.Name()))
	})
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
