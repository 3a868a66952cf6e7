// Package agefile keeps secrets in one file that is encrypted with age
// (age-encryption.org/v1), for systems without a keychain: containers, servers, CI.
//
// The file is replaced whole with each change, under a lock. Whoever has the identity
// can read it, and put an older one in its place unnoticed.
package agefile

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"filippo.io/age"

	"github.com/keywright/keywright/internal/durable"
	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/secret"
)

// Opener gives the identity that a file is encrypted to. It is asked when the file is
// first needed, and may prompt. Make says that there is no file yet.
type Opener interface {
	Identity(ctx context.Context, make bool) (*age.X25519Identity, error)
}

// File is a keystore.Items in one file. All methods may be called concurrently, by
// several processes, too.
type File struct {
	disk   durable.Disk
	path   string
	opener Opener

	mu       sync.Mutex
	identity *age.X25519Identity

	reading sync.Mutex
	last    opened
	forgets *time.Timer
}

// opened is a file as it was last read: who reads many items decrypts it once.
type opened struct {
	sealed []byte
	content
}

// New returns the items in the file at path, which is made with the first one.
func New(path string, opener Opener) *File { return NewOn(durable.Disk{}, path, opener) }

// NewOn is New for a file on a disk.
func NewOn(disk durable.Disk, path string, opener Opener) *File {
	return &File{disk: disk, path: path, opener: opener}
}

const (
	dirPerm  = 0o700
	filePerm = 0o600
	lockExt  = ".lock"

	// maxFile bounds what is read into memory.
	maxFile = 1 << 30

	// linger is how long what was read stays in memory after its last use.
	linger = time.Second
)

// content is what is encrypted.
type content struct {
	Format int               `json:"format"`
	Items  map[string][]byte `json:"items"`
}

const contentFormat = 1

// Put implements keystore.Items.
func (f *File) Put(ctx context.Context, name string, value secret.Value) error {
	if err := keystore.ValidItem(name, value); err != nil {
		return f.trouble("store an item", err)
	}
	return f.change(ctx, "store item "+name, func(c *content) bool {
		c.Items[name] = bytes.Clone(value.Reveal())
		return true
	})
}

// Get implements keystore.Items.
func (f *File) Get(ctx context.Context, name string) (secret.Value, error) {
	if err := keystore.ValidItem(name, secret.Value{}); err != nil {
		return secret.Value{}, f.trouble("read an item", err)
	}
	doing := "read item " + name
	f.reading.Lock()
	defer f.reading.Unlock()
	if err := f.look(ctx); err != nil {
		return secret.Value{}, f.trouble(doing, err)
	}
	b, ok := f.last.Items[name]
	if !ok {
		return secret.Value{}, fmt.Errorf("%s: %w", doing, keystore.ErrNoItem)
	}
	return secret.New(b), nil
}

// look makes last what the file holds now. Who calls it holds the lock.
func (f *File) look(ctx context.Context) error {
	sealed, err := f.sealed(ctx)
	if err != nil {
		return err
	}
	if f.last.Items == nil || !bytes.Equal(sealed, f.last.sealed) {
		c, err := f.open(ctx, sealed)
		if err != nil {
			return err
		}
		f.last.wipe()
		f.last = opened{sealed, *c}
	}
	if f.forgets == nil {
		f.forgets = time.AfterFunc(linger, f.forget)
	}
	f.forgets.Reset(linger)
	return nil
}

// forget wipes what was read.
func (f *File) forget() {
	f.reading.Lock()
	defer f.reading.Unlock()
	f.last.wipe()
	f.last = opened{}
}

// Delete implements keystore.Items.
func (f *File) Delete(ctx context.Context, name string) error {
	if err := keystore.ValidItem(name, secret.Value{}); err != nil {
		return f.trouble("delete an item", err)
	}
	return f.change(ctx, "delete item "+name, func(c *content) bool {
		_, ok := c.Items[name]
		delete(c.Items, name)
		return ok
	})
}

// change replaces the file if do changed its content.
func (f *File) change(ctx context.Context, doing string, do func(*content) bool) (err error) {
	if err := f.disk.MkdirAll(filepath.Dir(f.path), dirPerm); err != nil {
		return f.trouble(doing, writing(err))
	}
	unlock, err := durable.Lock(ctx, f.path+lockExt)
	if err != nil {
		return f.trouble(doing, writing(err))
	}
	defer func() {
		if unlockErr := unlock(); err == nil && unlockErr != nil {
			err = f.trouble(doing, unlockErr)
		}
	}()
	c, err := f.read(ctx)
	if err != nil {
		return f.trouble(doing, err)
	}
	defer c.wipe()
	f.disk.Sweep(f.path)
	if !do(c) {
		return nil
	}
	if err := f.write(ctx, c); err != nil {
		return f.trouble(doing, writing(err))
	}
	return nil
}

// read decrypts the file, for who changes what is in it.
func (f *File) read(ctx context.Context) (*content, error) {
	sealed, err := f.sealed(ctx)
	if err != nil {
		return nil, err
	}
	return f.open(ctx, sealed)
}

// sealed is the file; nil if there is none.
func (f *File) sealed(ctx context.Context) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	data, err := durable.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// open decrypts a file. There being none is an empty one.
func (f *File) open(ctx context.Context, sealed []byte) (*content, error) {
	if sealed == nil {
		return &content{contentFormat, map[string][]byte{}}, nil
	}
	identity, err := f.unlock(ctx, false)
	if err != nil {
		return nil, err
	}
	r, err := age.Decrypt(bytes.NewReader(sealed), identity)
	var wrong *age.NoIdentityMatchError
	if errors.As(err, &wrong) {
		return nil, &problem{keystore.Locked, errors.New("the identity does not fit it")}
	}
	if err != nil { // it may quote what is there in its place
		return nil, &problem{keystore.Damaged, errors.New("it is no file of age")}
	}
	plain, err := io.ReadAll(io.LimitReader(r, maxFile))
	defer clear(plain)
	if err != nil {
		return nil, &problem{keystore.Damaged, err}
	}
	var c content
	if err := json.Unmarshal(plain, &c); err != nil {
		return nil, &problem{keystore.Damaged, errors.New("what it holds is not a list of items")}
	}
	if c.Format != contentFormat {
		return nil, &problem{keystore.Failed, fmt.Errorf("it was written by another version of keywright: format %d", c.Format)}
	}
	if c.Items == nil {
		c.Items = map[string][]byte{}
	}
	return &c, nil
}

func (f *File) write(ctx context.Context, c *content) error {
	_, err := os.Stat(f.path)
	identity, err := f.unlock(ctx, errors.Is(err, fs.ErrNotExist))
	if err != nil {
		return err
	}
	plain, err := json.Marshal(c)
	if err != nil {
		return err
	}
	defer clear(plain)
	return f.disk.WriteFile(f.path, func(w io.Writer) error {
		e, err := age.Encrypt(w, identity.Recipient())
		if err != nil {
			return err
		}
		if _, err := e.Write(plain); err != nil {
			return err
		}
		return e.Close()
	}, filePerm)
}

// SetAside gives a file that is damaged another name, so that there is none, and returns
// that. The error is nil only if it was damaged.
func (f *File) SetAside(ctx context.Context) (aside string, err error) {
	const doing = "set it aside"
	unlock, err := durable.Lock(ctx, f.path+lockExt)
	if err != nil {
		return "", f.trouble(doing, err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	var known *problem
	switch c, err := f.read(ctx); {
	case err == nil:
		c.wipe()
		return "", f.trouble(doing, errors.New("it is not damaged"))
	case !errors.As(err, &known) || known.trouble != keystore.Damaged:
		return "", f.trouble(doing, err)
	}
	dir, name := filepath.Split(f.path)
	aside = filepath.Join(dir, "old-"+name+"-"+rand.Text())
	if err := f.disk.Rename(f.path, aside); err != nil {
		return "", f.trouble(doing, err)
	}
	if err := f.disk.SyncDir(dir); err != nil {
		return "", f.trouble(doing, err)
	}
	return aside, nil
}

// unlock asks for the identity once.
func (f *File) unlock(ctx context.Context, make bool) (*age.X25519Identity, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.identity == nil {
		identity, err := f.opener.Identity(ctx, make)
		if err != nil {
			return nil, err
		}
		f.identity = identity
	}
	return f.identity, nil
}

func (c *content) wipe() {
	for _, b := range c.Items {
		clear(b)
	}
}

// problem is an error whose trouble is known.
type problem struct {
	trouble keystore.Trouble
	err     error
}

func (p *problem) Error() string { return p.err.Error() }
func (p *problem) Unwrap() error { return p.err }

// writing makes a problem of an error of a directory that takes no change.
func writing(err error) error {
	var known *problem
	if !errors.As(err, &known) && (errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission)) {
		return &problem{keystore.Fixed, err}
	}
	return err
}

// trouble makes a keystore.BackendError of an error. The path is named once.
func (f *File) trouble(doing string, err error) error {
	trouble := keystore.Failed
	var known *problem
	var path *fs.PathError
	switch {
	case errors.As(err, &known):
		trouble, doing = known.trouble, "" // it is the whole file's
	case errors.Is(err, context.DeadlineExceeded):
		trouble = keystore.Silent
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, keystore.ErrTooLarge):
		trouble = keystore.Full
	}
	if errors.As(err, &path) && (path.Path == f.path || path.Path == f.path+lockExt) {
		err = path.Err
	}
	return &keystore.BackendError{Backend: f.path, Doing: doing, Trouble: trouble, Err: err}
}
