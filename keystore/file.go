package keystore

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/keywright/keywright/internal/durable"
	"github.com/keywright/keywright/secret"
)

const (
	metadataFile = "metadata"
	lockFile     = "lock"
	sealKeyItem  = "metadata-key"
	headItem     = "metadata-head"

	dirPerm  = 0o700
	filePerm = 0o600
)

// digest names the content of the metadata file; zero for no file.
type digest [sha256.Size]byte

func digestOf(data []byte) (d digest) {
	if data == nil {
		return d
	}
	return sha256.Sum256(data)
}

// head is what the backend knows of the metadata file.
type head struct{ last, intended digest }

func (h head) value() secret.Value { return secret.New(append(h.last[:], h.intended[:]...)) }

func parseHead(v secret.Value) (h head, ok bool) {
	b := v.Reveal()
	if len(b) != 2*sha256.Size {
		return h, false
	}
	return head{digest(b[:sha256.Size]), digest(b[sha256.Size:])}, true
}

// File is Records in a directory of this machine. The document is a file, sealed with a
// key that a backend holds. The backend holds the head, too: the digests of the file as
// it was last and as it is meant to become, written before the file is. A file that is
// neither was put there by someone else: an older one, one of another user, or none at
// all. Changes exclude each other by a lock on a file beside it.
type File struct {
	disk  durable.Disk
	dir   string
	items Items
}

// NewFile returns the records in a directory, which is made when something is written.
func NewFile(disk durable.Disk, dir string, items Items) *File { return &File{disk, dir, items} }

func (f *File) path() string { return filepath.Join(f.dir, metadataFile) }

func (f *File) lock(ctx context.Context) (unlock func() error, err error) {
	if err := f.disk.MkdirAll(f.dir, dirPerm); err != nil {
		return nil, fmt.Errorf("make the keys' directory: %w", err)
	}
	return durable.Lock(ctx, filepath.Join(f.dir, lockFile))
}

// read returns the file's content; nil if there is none.
func (f *File) read() ([]byte, error) {
	data, err := durable.ReadFile(f.path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read metadata: %w", err)
	}
	return data, nil
}

// Glance implements Records.
func (f *File) Glance() ([]byte, error) {
	data, err := f.read()
	switch {
	case err != nil || data == nil:
		return nil, err
	case len(data) < durable.SealOverhead:
		return nil, &TamperError{What: "its file is cut off"}
	}
	return data[durable.SealOverhead:], nil
}

// sealed is a document and what of its file is needed to replace it.
type sealed struct {
	Record
	digest digest
	head   head
}

// Load implements Records.
func (f *File) Load(ctx context.Context) (Record, error) {
	s, err := f.load(ctx)
	if err != nil {
		return Record{}, err
	}
	return s.Record, nil
}

// load reads the file and authenticates it. Without a lock, the file may be replaced
// between the two looks: then they are repeated.
func (f *File) load(ctx context.Context) (*sealed, error) {
	const tries = 5
	for try := 1; ; try++ {
		data, err := f.read()
		if err != nil {
			return nil, err
		}
		s, err := f.authenticate(ctx, data)
		var tampered *TamperError
		if err == nil || !errors.As(err, &tampered) || try == tries {
			return s, err
		}
		if again, readErr := f.read(); readErr == nil && digestOf(again) == digestOf(data) {
			return nil, err
		}
	}
}

func (f *File) authenticate(ctx context.Context, data []byte) (*sealed, error) {
	s := &sealed{digest: digestOf(data)}
	stored, err := f.items.Get(ctx, headItem)
	switch {
	case errors.Is(err, ErrNoItem) && data == nil:
		s.Key, err = f.items.Get(ctx, sealKeyItem)
		if errors.Is(err, ErrNoItem) {
			err = nil // nothing was ever stored
		}
		return s, err
	case errors.Is(err, ErrNoItem):
		return nil, &TamperError{What: "the backend does not know it: it belongs to another one, or its head was removed"}
	case err != nil:
		return nil, err
	}
	var ok bool
	if s.head, ok = parseHead(stored); !ok {
		return nil, &TamperError{What: "the head in the backend is damaged"}
	}
	tampered := func(what string) error {
		return &TamperError{what, hex.EncodeToString(s.head.intended[:])}
	}
	known := s.digest == s.head.last || s.digest == s.head.intended
	if data == nil && !known {
		return nil, tampered("the file is gone")
	}
	if s.Key, err = f.items.Get(ctx, sealKeyItem); err != nil {
		if errors.Is(err, ErrNoItem) {
			err = tampered("the key that authenticates it is gone")
		}
		return nil, err
	}
	if data == nil {
		return s, nil // the first write did not get that far
	}
	s.Document, err = durable.Open(s.Key.Reveal(), catalogFormat, data)
	switch {
	case known && errors.Is(err, durable.ErrVersion):
		return nil, fmt.Errorf("read metadata: %w", err)
	case known && err != nil:
		return nil, tampered("its seal does not fit")
	case err != nil:
		return nil, tampered(damage(data))
	case !known:
		return nil, tampered(rolledBack(s.Document))
	}
	return s, nil
}

// damage is what is wrong with a file that keywright did not write so.
func damage(data []byte) string {
	switch {
	case len(data) == 0:
		return "the file is empty"
	case len(data) < durable.SealOverhead, !bytes.HasSuffix(data, []byte("\n")), !json.Valid(data[durable.SealOverhead:]):
		return "the file is cut off, or damaged"
	}
	return "the file was changed"
}

// rolledBack is what is wrong with a file that keywright wrote, but not as the last.
func rolledBack(payload []byte) string {
	what := "the file is not the last one that was written: an older one was put in its place"
	if c, err := decodeCatalog(payload); err == nil {
		what += fmt.Sprintf(", that of change %d", c.Generation)
		if c.By != "" {
			what += " by " + c.By
		}
	}
	return what
}

// Change implements Records. It waits until nobody else changes anything.
func (f *File) Change(ctx context.Context, _ string) (Change, error) {
	unlock, err := f.lock(ctx)
	if err != nil {
		return nil, err
	}
	s, err := f.load(ctx)
	if err == nil {
		err = f.renew(s)
	}
	if err != nil {
		return nil, errors.Join(err, unlock())
	}
	f.disk.Sweep(f.path())
	return &fileChange{f, s, unlock}, nil
}

// renew makes a file last whose writer died before it told the backend: the next head
// forgets the one before it.
func (f *File) renew(s *sealed) error {
	if s.head.last == s.head.intended {
		return nil
	}
	if err := f.disk.SyncDir(f.dir); err != nil {
		return fmt.Errorf("write metadata: %w", err)
	}
	return nil
}

// Anew implements Records. A process that dies before the end leaves the file as it was,
// or none, or the new one.
func (f *File) Anew(ctx context.Context, by string, document []byte) (err error) {
	unlock, err := f.lock(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	_, err = f.load(ctx)
	var tampered *TamperError
	switch {
	case err == nil:
		return ErrInOrder
	case !errors.As(err, &tampered):
		return err
	}
	aside := filepath.Join(f.dir, "old-"+metadataFile+"-"+rand.Text())
	if err := f.disk.Rename(f.path(), aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("set metadata aside: %w", err)
	}
	key, err := f.items.Get(ctx, sealKeyItem)
	if err != nil && !errors.Is(err, ErrNoItem) {
		return err
	}
	c := fileChange{f, &sealed{Record: Record{Key: key}}, unlock}
	return c.Commit(ctx, document)
}

// fileChange holds the lock, so that nobody comes between.
type fileChange struct {
	f      *File
	s      *sealed
	unlock func() error
}

func (c *fileChange) Record() Record { return c.s.Record }

// Prepare leaves it at the head that knows the file before, too, which spares a call.
func (c *fileChange) Prepare(ctx context.Context, document []byte) error {
	if c.s.Key.IsZero() {
		key := make([]byte, sha256.Size)
		rand.Read(key)
		c.s.Key = secret.New(key)
		if err := c.f.items.Put(ctx, sealKeyItem, c.s.Key); err != nil {
			return err
		}
	}
	data := durable.Seal(c.s.Key.Reveal(), catalogFormat, document)
	next := head{last: c.s.digest, intended: digestOf(data)}
	if err := c.f.items.Put(ctx, headItem, next.value()); err != nil {
		return err
	}
	err := c.f.disk.WriteFile(c.f.path(), func(w io.Writer) error { _, err := w.Write(data); return err }, filePerm)
	if err != nil {
		return fmt.Errorf("write metadata: %w", err)
	}
	c.s.Document, c.s.head, c.s.digest = document, next, next.intended
	return nil
}

// Commit tells the backend, too, that the file is written, so that the one before it is
// not taken for the last any more.
func (c *fileChange) Commit(ctx context.Context, document []byte) error {
	if err := c.Prepare(ctx, document); err != nil {
		return err
	}
	c.s.head = head{c.s.digest, c.s.digest}
	return c.f.items.Put(ctx, headItem, c.s.head.value())
}

func (c *fileChange) Close() error { return c.unlock() }
