package config

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/keywright/keywright/internal/durable"
)

// Trust remembers which files of repositories a user has said yes to, by path and
// content. It is a file in a directory of the user's, for the user alone; of the files it
// holds no more than a keyed digest. It may be used by several processes at once.
type Trust struct{ dir string }

// OpenTrust returns what is remembered in a directory, which is made when needed.
func OpenTrust(dir string) Trust { return Trust{dir} }

const (
	trustFile   = "trusted.json"
	trustLock   = "trusted.lock"
	trustFormat = 1
)

// trusted is the file's content.
type trusted struct {
	Format int               `json:"format"`
	Key    []byte            `json:"key"`
	Files  map[string][]byte `json:"files"` // digests by path
}

func (t *trusted) digest(content []byte) []byte {
	h := hmac.New(sha256.New, t.Key)
	h.Write(content)
	return h.Sum(nil)
}

// Has reports whether the user has said yes to this content of a file. The path is
// absolute.
func (t Trust) Has(path string, content []byte) (bool, error) {
	list, err := t.read()
	if err != nil {
		return false, err
	}
	known, ok := list.Files[path]
	return ok && hmac.Equal(known, list.digest(content)), nil
}

// Add remembers that the user said yes to this content of a file, in place of any other
// that it had.
func (t Trust) Add(ctx context.Context, path string, content []byte) (err error) {
	const private = 0o700
	if err := os.MkdirAll(t.dir, private); err != nil {
		return fmt.Errorf("remember the yes to %s: %w", path, err)
	}
	unlock, err := durable.Lock(ctx, filepath.Join(t.dir, trustLock))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	list, err := t.read()
	if err != nil {
		return err
	}
	list.Files[path] = list.digest(content)
	data, err := json.MarshalIndent(list, "", " ")
	if err != nil {
		return err
	}
	const perm = 0o600
	err = durable.WriteFile(filepath.Join(t.dir, trustFile), func(w io.Writer) error { _, err := w.Write(append(data, '\n')); return err }, perm)
	if err != nil {
		return fmt.Errorf("remember the yes to %s: %w", path, err)
	}
	return nil
}

// read returns what is remembered. What others could have written is not believed.
func (t Trust) read() (*trusted, error) {
	path := filepath.Join(t.dir, trustFile)
	data, err := durable.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key := make([]byte, sha256.Size)
		rand.Read(key)
		return &trusted{trustFormat, key, map[string][]byte{}}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read what was said yes to: %w", err)
	}
	const others = 0o077
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read what was said yes to: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&others != 0 {
		return nil, &Error{File: path, Problem: "others than its owner may use it", Advice: "remove it, and say yes again"}
	}
	list := &trusted{}
	if err := json.Unmarshal(data, list); err != nil || list.Format != trustFormat || len(list.Key) != sha256.Size || list.Files == nil {
		return nil, &Error{File: path, Problem: "it is damaged, or of another version of keywright", Advice: "remove it, and say yes again"}
	}
	return list, nil
}
