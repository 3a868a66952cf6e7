package keychain

import (
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/keywright/keywright/internal/durable"
	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/secret"
)

// A sealed value is the file
//
//	"keywright sealed 1\n" || nonce (24 bytes) || ciphertext and tag
//
// of XChaCha20-Poly1305, with the first line and the item's name as additional data,
// so that no file stands in for another. Each writing has a new file and a new key.
const (
	sealedHeader = "keywright sealed 1\n"
	sealedExt    = ".sealed"
	filePerm     = 0o600

	maxSealed = int64(len(sealedHeader) + chacha20poly1305.NonceSizeX + keystore.MaxItem + chacha20poly1305.Overhead)

	// staleFile is when a file that no item points to goes. Until then, a call that
	// was given up may still make its item point to it.
	staleFile = 24 * time.Hour
)

// pointer is what the keychain holds of a sealed value.
type pointer struct {
	file string // its name below Options.Dir
	key  secret.Value
}

// reveal is the pointer as the keychain holds it, with the key.
func (p pointer) reveal() string {
	return sealed + p.file + ":" + base64.StdEncoding.EncodeToString(p.key.Reveal())
}

func parsePointer(stored string) (p pointer, ok bool) {
	text, ok := strings.CutPrefix(stored, sealed)
	file, key, found := strings.Cut(text, ":")
	b, err := base64.StdEncoding.Strict().DecodeString(key)
	if !ok || !found || err != nil || len(b) != chacha20poly1305.KeySize || filepath.Base(file) != file || !strings.HasSuffix(file, sealedExt) {
		return pointer{}, false
	}
	return pointer{file, secret.New(b)}, true
}

// filePrefix begins the names of an item's files. Item names themselves would not
// do: some are devices on Windows, and some differ in case alone.
func filePrefix(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:16]) + "-"
}

// seal writes a value to a new file.
func (o *operation) seal(name string, value secret.Value) (pointer, error) {
	key, nonce := make([]byte, chacha20poly1305.KeySize), make([]byte, chacha20poly1305.NonceSizeX)
	rand.Read(key)
	rand.Read(nonce)
	defer clear(key)
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return pointer{}, err
	}
	p := pointer{filePrefix(name) + strings.ToLower(rand.Text()) + sealedExt, secret.New(key)}
	content := append([]byte(sealedHeader), nonce...)
	content = aead.Seal(content, nonce, value.Reveal(), additional(name))
	write := func(w io.Writer) error { _, err := w.Write(content); return err }
	if err := o.options.Disk.WriteFile(o.path(p.file), write, filePerm); err != nil {
		return pointer{}, err
	}
	return p, nil
}

func additional(name string) []byte { return []byte(sealedHeader + name) }

// unseal reads the value that a pointer points to.
func (o *operation) unseal(name string, p pointer) (secret.Value, error) {
	content, err := readAtMost(o.path(p.file), maxSealed)
	if err != nil {
		return secret.Value{}, fmt.Errorf("read the sealed value: %w", err)
	}
	aead, err := chacha20poly1305.NewX(p.key.Reveal())
	if err != nil {
		return secret.Value{}, err
	}
	value, err := open(aead, name, content)
	if err != nil {
		return secret.Value{}, &fault{keystore.Damaged, fmt.Errorf("%s: %w", o.path(p.file), err)}
	}
	defer clear(value)
	return secret.New(value), nil
}

var errSealed = errors.New("it is not the file that was written")

func open(aead cipher.AEAD, name string, content []byte) ([]byte, error) {
	rest, ok := strings.CutPrefix(string(content), sealedHeader)
	if !ok || len(rest) < aead.NonceSize() {
		return nil, errSealed
	}
	nonce, text := content[len(sealedHeader):][:aead.NonceSize()], content[len(sealedHeader)+aead.NonceSize():]
	value, err := aead.Open(nil, nonce, text, additional(name))
	if err != nil {
		return nil, errSealed
	}
	return value, nil
}

// readAtMost reads a file, and one byte more than a limit of a file that is larger.
func readAtMost(path string, limit int64) ([]byte, error) {
	f, err := durable.OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit+1))
}

func (o *operation) path(file string) string { return filepath.Join(o.options.Dir, file) }

// files lists an item's files, those that were never finished included.
func (o *operation) files(name string) ([]string, error) {
	entries, err := os.ReadDir(o.options.Dir)
	if err != nil {
		return nil, fmt.Errorf("list sealed values: %w", err)
	}
	var files []string
	for _, e := range entries {
		if strings.HasPrefix(strings.TrimPrefix(e.Name(), "."), filePrefix(name)) {
			files = append(files, e.Name())
		}
	}
	return files, nil
}

// sweep removes what failed calls have left of an item, apart from the file to keep.
func (o *operation) sweep(name, keep string) {
	files, _ := o.files(name)
	for _, f := range files {
		if info, err := os.Stat(o.path(f)); f != keep && err == nil && time.Since(info.ModTime()) > staleFile {
			o.remove(f)
		}
	}
}

// removeAll removes every file of an item.
func (o *operation) removeAll(name string) error {
	files, err := o.files(name)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := o.options.Disk.Remove(o.path(f)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove a sealed value: %w", err)
		}
	}
	return nil
}

// remove removes a file that no item points to. That it fails does no harm: nobody
// has the key, and sweep tries again. Windows keeps a file that is being read.
func (o *operation) remove(file string) { _ = o.options.Disk.Remove(o.path(file)) }
