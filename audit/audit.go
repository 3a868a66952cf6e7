// Package audit keeps the tamper-evident record of what keywright did with keys: an
// append-only Merkle log as in Go's checksum database (golang.org/x/mod/sumdb/tlog),
// with signed notes as checkpoints.
//
// It records uses through keywright. It is evidence against edits by anyone who
// cannot read the keychain, not against the user's own account; a checkpoint kept
// elsewhere (see [Log.VerifyAgainst]) holds against that account too.
//
// # Files
//
// A log is a directory with the files
//
//	entries   one record a line, in order
//	hashes    tlog's stored hashes, 32 bytes each, in tlog's order
//	lock      held by whoever writes
//
// and two items in the keychain: the signing key, and the head, which is the number
// of entries and the root hash. A record is JSON, in exactly the bytes that this
// package would write:
//
//	{"seq":7,"salt":"…","body":{…},"mac":"…"}      an entry
//	{"seq":7,"digest":"…","mac":"…"}               one whose body was erased
//
// where body is an [Entry], salt is 16 random bytes and digest is SHA-256(salt ||
// body). Binary fields are in base64. The leaf of the tree is
//
//	version (1 byte, 1) || sequence (8 bytes, big-endian) || digest (32 bytes)
//
// so a proof tells nothing of an entry's neighbours, and a body can be erased: salt
// and body go together, since with the salt a body could be guessed. The mac is
// HMAC-SHA-256 of a byte ('e' for an entry, 'x' for an erased one) and the leaf,
// under a key derived from the signing key. It makes each record authentic by
// itself: so Verify can name the first that is not, nobody else can erase, and what
// lies after the head can be told from a forgery.
//
// A checkpoint is a signed note whose text is three lines, as in C2SP's
// tlog-checkpoint: the name of the key, the number of entries, the root hash.
//
// # Crashes
//
// Append holds the lock and
//
//  1. cuts off what an interrupted append left, writes the records behind the last
//     one, and synchronises entries;
//  2. does the same with hashes, which are not read behind the head, so that the cut
//     need not last before the rest;
//  3. puts the new head into the keychain, and returns.
//
// Nothing before the end of the last acknowledged entry is ever written again, so an
// entry that was acknowledged stays, whenever the crash comes. Before 3, the kept
// head names a tree whose records and hashes were synchronised before that head was
// written, so the log verifies. Behind it may lie whole records, with a right mac
// and the next number: these are authentic, and the next Append takes them in. That
// records a use that was never granted, which is the harmless way to be wrong. Or
// there may be parts of records, or anything at all after a power cut: no record,
// ignored, and cut off by the next Append. Hashes behind the head are not read, but
// made again. A record behind the head that is whole and has a wrong mac is not what
// a crash leaves: it is reported as inserted. A head that the keychain stored late,
// over a newer one, is mended in the same way.
//
// A log is made by making empty files, then the head, then the key: where there is a
// key there is everything.
package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/keywright/keywright/internal/durable"
	"github.com/keywright/keywright/secret"
)

// Keeper is what a log needs of a keychain. The error of Get matches [ErrNotKept] if
// there is nothing of that name. Put replaces.
type Keeper interface {
	Get(ctx context.Context, name string) (secret.Value, error)
	Put(ctx context.Context, name string, v secret.Value) error
}

// The names under which a log keeps things.
const (
	KeyItem  = "audit-key"
	HeadItem = "audit-head"
)

var (
	// ErrNotKept says that a Keeper has nothing of a name.
	ErrNotKept = errors.New("nothing is kept under this name")
	// ErrNoLog says that nothing was appended yet.
	ErrNoLog = errors.New("there is no audit log yet")
	// ErrErased says that the body of an entry was erased by Erase.
	ErrErased = errors.New("the entry was erased")
	// ErrUnacknowledged says that entries are on the disk, and that the head does not name
	// them: the next Append takes them in.
	ErrUnacknowledged = errors.New("its entries are written, but not its head")
	// ErrNoEntry says that the log has no entry of a number, yet.
	ErrNoEntry = errors.New("no such entry")
)

// Log is an audit log. It holds no state of its own, and is safe for concurrent use
// by any number of processes.
type Log struct {
	disk disk
	keep Keeper
	lock func(ctx context.Context) (unlock func() error, err error)
}

const (
	entriesFile = "entries"
	hashesFile  = "hashes"
	lockFile    = "lock"
	dirPerm     = 0o700
	filePerm    = 0o600
)

// Open returns the log in a directory. It touches neither directory nor keychain:
// the first Append makes what is not there.
func Open(dir string, keep Keeper) *Log { return OpenOn(durable.Disk{}, dir, keep) }

// OpenOn is Open for a directory on a disk.
func OpenOn(d durable.Disk, dir string, keep Keeper) *Log {
	return &Log{
		disk: directory{d, dir},
		keep: keep,
		lock: func(ctx context.Context) (func() error, error) {
			if err := d.MkdirAll(dir, dirPerm); err != nil {
				return nil, err
			}
			return durable.Lock(ctx, filepath.Join(dir, lockFile))
		},
	}
}

// Append adds entries, in order, and returns the sequence number of the first. It
// sets their schema and sequence, and time and installation where they are not set;
// texts that are too long are cut and end in "…". When it returns nil the entries are on the disk and
// the head in the keychain names them. When it returns an error they may have been
// recorded nevertheless; if it matches [ErrUnacknowledged] they were, with the number that is
// returned. The error is a [*Fault] if the log was tampered with: nothing is added to
// such a log.
func (l *Log) Append(ctx context.Context, entries ...Entry) (first int64, err error) {
	err = l.locked(ctx, func() error {
		first, err = l.append(ctx, entries)
		return err
	})
	if err != nil {
		err = fmt.Errorf("append to audit log %s: %w", l.disk, err)
	}
	return first, err
}

// Writable reports what keeps the files of the log from being written, and changes nothing.
func (l *Log) Writable() error {
	for _, name := range []string{entriesFile, hashesFile} {
		switch f, err := l.disk.edit(name); {
		case errors.Is(err, fs.ErrNotExist): // it is made by the first Append
		case err != nil:
			return fmt.Errorf("append to audit log %s: %w", l.disk, err)
		default:
			f.Close()
		}
	}
	return nil
}

// locked calls f while the log is locked.
func (l *Log) locked(ctx context.Context, f func() error) error {
	unlock, err := l.lock(ctx)
	if err != nil {
		return err
	}
	return errors.Join(f(), unlock())
}

func (l *Log) append(ctx context.Context, entries []Entry) (int64, error) {
	k, err := l.key(ctx)
	create := errors.Is(err, ErrNotKept)
	if create {
		k, err = l.create(ctx)
	}
	if err != nil {
		return 0, err
	}
	head, err := l.head(ctx)
	if err == nil && head.N == 0 && !create {
		// Whoever made the log may have died before its key lasted: where keys are in a
		// file, that lasts with the next item. No entry may last before its key.
		err = l.putHead(ctx, head)
	}
	if err != nil {
		return 0, err
	}
	hashes, err := l.hashes(tlog.StoredHashCount(head.N))
	if err != nil {
		return 0, err
	}
	defer hashes.Close()
	tail, err := l.tail(k, head, hashes)
	if err != nil {
		return 0, l.explain(ctx, err)
	}
	g := growing{key: k, next: head.N, hashes: hashes}
	for _, r := range tail.records {
		if err := g.add(r); err != nil {
			return 0, err
		}
	}
	g.lines = nil // they are on the disk
	first := g.next
	for _, e := range entries {
		if err := g.addEntry(e); err != nil {
			return 0, err
		}
	}
	return first, l.store(ctx, &g, tail.end)
}

// explain finds out what is wrong with a log in which err came up, which is the
// answer if nothing is found.
func (l *Log) explain(ctx context.Context, err error) error {
	_, found := l.verify(ctx)
	var f *Fault
	if errors.As(found, &f) {
		return found
	}
	return err
}

// store writes what was added to a log whose last record ends at end: the three
// steps of the package's comment.
func (l *Log) store(ctx context.Context, g *growing, end int64) error {
	if err := extend(l.disk, entriesFile, end, g.lines, true); err != nil {
		return err
	}
	if err := l.acknowledge(ctx, g); err != nil {
		return fmt.Errorf("%w: %w", ErrUnacknowledged, err)
	}
	return nil
}

// acknowledge is all that follows the entries.
func (l *Log) acknowledge(ctx context.Context, g *growing) error {
	if err := extend(l.disk, hashesFile, g.hashes.stored*tlog.HashSize, g.hashes.bytes(), false); err != nil {
		return err
	}
	root, err := tlog.TreeHash(g.next, g.hashes)
	if err != nil {
		return err
	}
	return l.putHead(ctx, tlog.Tree{N: g.next, Hash: root})
}

// growing is what an Append adds.
type growing struct {
	key    *key
	next   int64 // sequence number
	lines  []byte
	hashes *hashes
}

func (g *growing) addEntry(e Entry) error {
	e.Schema, e.Seq = schema, g.next
	e.Installation = cmp.Or(e.Installation, g.key.installation())
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	body, err := e.encode()
	if err != nil {
		return fmt.Errorf("encode entry: %w", err)
	}
	return g.add(newRecord(g.key, g.next, body))
}

func (g *growing) add(r record) error {
	line, err := r.encode()
	if err != nil {
		return fmt.Errorf("encode record: %w", err)
	}
	added, err := tlog.StoredHashes(g.next, r.leaf(), g.hashes)
	if err != nil {
		return fmt.Errorf("read hashes: %w", err)
	}
	g.lines = append(g.lines, line...)
	g.hashes.added = append(g.hashes.added, added...)
	g.next++
	return nil
}

// create makes an empty log, unless there is one whose key is lost.
func (l *Log) create(ctx context.Context) (*key, error) {
	if err := l.refuseOrphans(); err != nil {
		return nil, err
	}
	for _, name := range []string{entriesFile, hashesFile} {
		if err := l.disk.create(name); err != nil {
			return nil, err
		}
	}
	if err := l.putHead(ctx, emptyTree()); err != nil {
		return nil, err
	}
	return l.startKey(ctx, "")
}

// startKey keeps a new key for an installation.
func (l *Log) startKey(ctx context.Context, installation string) (*key, error) {
	k, v, err := newKey(installation)
	if err != nil {
		return nil, err
	}
	if err := l.keep.Put(ctx, KeyItem, v); err != nil {
		return nil, fmt.Errorf("keep the log's signing key: %w", err)
	}
	return k, nil
}

// refuseOrphans returns a Fault if there are entries, whose key is not there.
func (l *Log) refuseOrphans() error {
	size, err := l.size(entriesFile)
	if err == nil && size > 0 {
		err = &Fault{Kind: KeyLost}
	}
	return err
}

// size is that of a file, 0 if it is not there.
func (l *Log) size(name string) (int64, error) {
	f, err := l.disk.open(name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return f.Size(), nil
}
