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
	"os"
	"path/filepath"

	"github.com/keywright/keywright/internal/durable"
	"github.com/keywright/keywright/secret"
)

// The metadata is a file, sealed with a key that the backend holds. The backend holds
// the head, too: the digests of the file as it was last and as it is meant to become,
// written before the file is. A file that is neither was put there by someone else: an
// older one, one of another user, or none at all.
const (
	metadataFile = "metadata"
	lockFile     = "lock"
	sealKeyItem  = "metadata-key"
	headItem     = "metadata-head"

	dirPerm  = 0o700
	filePerm = 0o600
)

// TamperError says that what is stored is not what keywright wrote.
type TamperError struct {
	What string
	Last string // digest of the last file that the backend knows of, in hex, if it does
}

func (e *TamperError) Error() string { return "the metadata of the keys cannot be trusted: " + e.What }

// ErrUnauthenticated says that the backend was not asked whether the metadata is what
// keywright wrote, or did not answer.
var ErrUnauthenticated = errors.New("the metadata was not authenticated")

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

// record is the metadata file and what guards it.
type record struct {
	disk  durable.Disk
	dir   string
	items Items
}

func (r *record) path() string { return filepath.Join(r.dir, metadataFile) }

// lock keeps other processes from changing anything until unlock is called.
func (r *record) lock(ctx context.Context) (unlock func() error, err error) {
	if err := r.disk.MkdirAll(r.dir, dirPerm); err != nil {
		return nil, fmt.Errorf("make the keys' directory: %w", err)
	}
	return durable.Lock(ctx, filepath.Join(r.dir, lockFile))
}

// read returns the file's content; nil if there is none.
func (r *record) read() ([]byte, error) {
	data, err := os.ReadFile(r.path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read metadata: %w", err)
	}
	return data, nil
}

// unchecked decodes the file without asking the backend.
func (r *record) unchecked() (*Catalog, error) {
	data, err := r.read()
	if err != nil || data == nil {
		return &Catalog{}, err
	}
	if len(data) < durable.SealOverhead {
		return nil, &TamperError{What: "its file is cut off"}
	}
	return decodeCatalog(data[durable.SealOverhead:])
}

// state is an authenticated catalog and what is needed to replace it.
type state struct {
	catalog *Catalog
	key     secret.Value // zero if there is none yet
	digest  digest       // of the file
	head    head
}

// load reads the file and authenticates it. Without a lock, the file may be replaced
// between the two looks: then they are repeated.
func (r *record) load(ctx context.Context) (*state, error) {
	const tries = 5
	for try := 1; ; try++ {
		data, err := r.read()
		if err != nil {
			return nil, err
		}
		s, err := r.authenticate(ctx, data)
		var tampered *TamperError
		if err == nil || !errors.As(err, &tampered) || try == tries {
			return s, err
		}
		if again, readErr := r.read(); readErr == nil && digestOf(again) == digestOf(data) {
			return nil, err
		}
	}
}

func (r *record) authenticate(ctx context.Context, data []byte) (*state, error) {
	s := &state{catalog: &Catalog{}, digest: digestOf(data)}
	stored, err := r.items.Get(ctx, headItem)
	switch {
	case errors.Is(err, ErrNoItem) && data == nil:
		s.key, err = r.items.Get(ctx, sealKeyItem)
		if errors.Is(err, ErrNoItem) {
			err = nil // nothing was ever stored
		}
		return s, err
	case errors.Is(err, ErrNoItem):
		return nil, &TamperError{What: "the backend does not know it: it belongs to another keychain, or its head was removed"}
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
	if s.key, err = r.items.Get(ctx, sealKeyItem); err != nil {
		if errors.Is(err, ErrNoItem) {
			err = tampered("the key that authenticates it is gone")
		}
		return nil, err
	}
	if data == nil {
		return s, nil // the first write did not get that far
	}
	payload, err := durable.Open(s.key.Reveal(), catalogFormat, data)
	switch {
	case known && errors.Is(err, durable.ErrVersion):
		return nil, fmt.Errorf("read metadata: %w", err)
	case known && err != nil:
		return nil, tampered("its seal does not fit")
	case err != nil:
		return nil, tampered(damage(data))
	case !known:
		return nil, tampered(rolledBack(payload))
	}
	s.catalog, err = decodeCatalog(payload)
	return s, err
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
	}
	return what
}

// save replaces the file. The state becomes that of the new one.
func (r *record) save(ctx context.Context, s *state) error {
	s.catalog.Generation++
	payload, err := s.catalog.encode()
	if err != nil {
		return err
	}
	if s.key.IsZero() {
		key := make([]byte, sha256.Size)
		rand.Read(key)
		s.key = secret.New(key)
		if err := r.items.Put(ctx, sealKeyItem, s.key); err != nil {
			return err
		}
	}
	data := durable.Seal(s.key.Reveal(), catalogFormat, payload)
	next := head{last: s.digest, intended: digestOf(data)}
	if err := r.items.Put(ctx, headItem, next.value()); err != nil {
		return err
	}
	err = r.disk.WriteFile(r.path(), func(w io.Writer) error { _, err := w.Write(data); return err }, filePerm)
	if err != nil {
		return fmt.Errorf("write metadata: %w", err)
	}
	s.head, s.digest = next, next.intended
	return nil
}

// renew makes a file last whose writer died before it told the backend: the next head
// forgets the one before it.
func (r *record) renew(s *state) error {
	if s.head.last == s.head.intended {
		return nil
	}
	if err := r.disk.SyncDir(r.dir); err != nil {
		return fmt.Errorf("write metadata: %w", err)
	}
	return nil
}

// anew puts an empty catalog in place of one that cannot be trusted, whose file is set
// aside. A process that dies before the end leaves either.
func (r *record) anew(ctx context.Context) error {
	aside := filepath.Join(r.dir, "old-"+metadataFile+"-"+rand.Text())
	if err := r.disk.Rename(r.path(), aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("set metadata aside: %w", err)
	}
	key, err := r.items.Get(ctx, sealKeyItem)
	if err != nil && !errors.Is(err, ErrNoItem) {
		return err
	}
	s := &state{catalog: &Catalog{}, key: key}
	if err := r.save(ctx, s); err != nil {
		return err
	}
	return r.settle(ctx, s)
}

// settle tells the backend that the file is written, so that the one before it is not
// taken for the last any more.
func (r *record) settle(ctx context.Context, s *state) error {
	if s.head.last == s.digest && s.head.intended == s.digest {
		return nil
	}
	s.head = head{s.digest, s.digest}
	return r.items.Put(ctx, headItem, s.head.value())
}
