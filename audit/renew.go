package audit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// Erase removes the bodies of entries made before a time, and says how many. Their
// leaves stay, so the log still verifies and the proofs of other entries hold. What
// was erased may be found on the disk by other means until its blocks are used again.
// A log that does not verify is left alone: the error is a [*Fault] then.
func (l *Log) Erase(ctx context.Context, before time.Time) (erased int, err error) {
	err = l.locked(ctx, func() error {
		erased, err = l.erase(ctx, before)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("erase old entries of audit log %s: %w", l.disk, err)
	}
	return erased, nil
}

func (l *Log) erase(ctx context.Context, before time.Time) (int, error) {
	if _, err := l.verify(ctx); err != nil {
		return 0, err
	}
	k, head, err := l.signed(ctx)
	if errors.Is(err, ErrNoLog) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	old, err := l.disk.open(entriesFile)
	if err != nil {
		return 0, err
	}
	// The file is closed before the new one takes its place, as Windows wants it.
	erased, kept := 0, []byte(nil)
	for line, err := range lines(io.NewSectionReader(old, 0, old.Size())) {
		if err != nil {
			old.Close()
			return 0, err
		}
		if r, err := parseRecord(line); err == nil && r.Seq < head.N && r.olderThan(before) {
			if line, err = r.erase(k).encode(); err != nil {
				old.Close()
				return 0, err
			}
			erased++
		}
		kept = append(kept, line...)
	}
	old.Close()
	if erased == 0 {
		return 0, nil
	}
	return erased, l.disk.replace(entriesFile, func(w io.Writer) error { _, err := w.Write(kept); return err })
}

// olderThan is false for what was erased, and for what this version cannot read.
func (r record) olderThan(t time.Time) bool {
	if r.erased() {
		return false
	}
	e, err := decodeEntry(r.Body)
	return err == nil && e.Time.Before(t)
}

// Rehash makes the stored hashes again from the entries, where these are right and the
// hashes are not: for [BadHashes]. The error is a [*Fault] if the entries are not what the
// head names; nothing is changed then, nor in a log that is in order.
func (l *Log) Rehash(ctx context.Context) error {
	if err := l.locked(ctx, func() error { return l.rehash(ctx) }); err != nil {
		return fmt.Errorf("make the hashes of audit log %s again: %w", l.disk, err)
	}
	return nil
}

func (l *Log) rehash(ctx context.Context) error {
	_, err := l.verify(ctx)
	var f *Fault
	if !errors.As(err, &f) || f.Kind != BadHashes {
		return err
	}
	head, err := l.head(ctx)
	if err != nil {
		return err
	}
	all, err := l.hashesOf(head)
	if err != nil {
		return err
	}
	return l.disk.replace(hashesFile, func(w io.Writer) error { _, err := w.Write(all.bytes()); return err })
}

// hashesOf makes the hashes of the entries that a head names.
func (l *Log) hashesOf(head tlog.Tree) (*hashes, error) {
	entries, err := l.disk.open(entriesFile)
	if err != nil {
		return nil, err
	}
	defer entries.Close()
	all, next := &hashes{}, int64(0)
	for line, err := range lines(io.NewSectionReader(entries, 0, entries.Size())) {
		if err != nil {
			return nil, err
		}
		if next == head.N {
			break
		}
		r, err := parseRecord(line)
		if err != nil {
			return nil, &Fault{Altered, next}
		}
		added, err := tlog.StoredHashes(next, r.leaf(), all)
		if err != nil {
			return nil, err
		}
		all.added = append(all.added, added...)
		next++
	}
	root := emptyTree().Hash
	if head.N > 0 {
		if root, err = tlog.TreeHash(next, all); err != nil {
			return nil, err
		}
	}
	if next != head.N || root != head.Hash {
		return nil, &Fault{Forked, head.N}
	}
	return all, nil
}

// Restart begins a new log with a new key in place of one that is beyond repair or
// whose key was lost. The old files stay beside it, under names that begin with
// "old-". The first entry is e; unless it says which log it follows, it gets the old
// one's last checkpoint, if the keychain still has what that takes. After a crash in
// the middle there is no log that verifies, and Restart can be called again.
func (l *Log) Restart(ctx context.Context, e Entry) error {
	err := l.locked(ctx, func() error { return l.restart(ctx, e) })
	if err != nil {
		return fmt.Errorf("restart audit log %s: %w", l.disk, err)
	}
	return nil
}

func (l *Log) restart(ctx context.Context, e Entry) error {
	if e.Follows == "" {
		last, err := l.lastCheckpoint(ctx)
		if err != nil {
			return err
		}
		e.Follows = last
	}
	prefix := "old-" + rand.Text() + "-"
	for _, name := range []string{entriesFile, hashesFile} {
		if err := errors.Join(l.disk.rename(name, prefix+name), l.disk.create(name)); err != nil {
			return err
		}
	}
	installation := "" // a new one, unless the old key can be read
	if old, err := l.key(ctx); err == nil {
		installation = old.installation()
	}
	k, err := l.startKey(ctx, installation)
	if err != nil {
		return err
	}
	hashes, err := l.hashes(0)
	if err != nil {
		return err
	}
	defer hashes.Close()
	// The old head stays until the new one names e, which cites it.
	g := growing{key: k, hashes: hashes}
	if err := g.addEntry(e); err != nil {
		return err
	}
	return l.store(ctx, &g, 0)
}

// lastCheckpoint is "" if the keychain has lost what it takes. That it does not
// answer is an error.
func (l *Log) lastCheckpoint(ctx context.Context) (string, error) {
	k, head, err := l.signed(ctx)
	var f *Fault
	if errors.Is(err, ErrNoLog) || errors.Is(err, errKey) || errors.Is(err, errHead) || errors.As(err, &f) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	checkpoint, err := k.checkpoint(head)
	return string(checkpoint), err
}
