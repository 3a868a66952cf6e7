package audit

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// Report says what Verify found right.
type Report struct {
	Size int64     // how many entries the head names
	Root tlog.Hash // of these
	// What an interrupted append left behind them: entries that are authentic, but
	// that nobody was told of, and bytes that are none. The next Append takes in the
	// former and removes the latter.
	Unacknowledged int64
	Unfinished     int64
	// SetBack is the first entry that is earlier than one before it, and by how much;
	// nil if there is none. Entries are in the order of their numbers, whatever a clock
	// said, so this is no fault: but what their times say cannot be relied upon.
	SetBack *SetBack
}

// SetBack says that the clock was, before an entry.
type SetBack struct {
	Seq int64
	By  time.Duration
}

// Clocks that are kept right by small steps may go back by less.
const clockSlack = time.Minute

// Verify reads the whole log and compares it with the head in the keychain. If it is
// not as keywright left it, the error is a [*Fault], which names the first entry
// concerned. It does not keep others from appending.
func (l *Log) Verify(ctx context.Context) (Report, error) {
	r, err := l.verify(ctx)
	var f *Fault
	if errors.As(err, &f) {
		// Perhaps an append was at work. With the log locked there is no doubt; if it
		// cannot be locked, the doubt does not matter.
		_ = l.locked(ctx, func() error {
			r, err = l.verify(ctx)
			return nil
		})
	}
	if err != nil {
		return Report{}, fmt.Errorf("verify audit log %s: %w", l.disk, err)
	}
	return r, nil
}

func (l *Log) verify(ctx context.Context) (Report, error) {
	k, err := l.key(ctx)
	if errors.Is(err, ErrNotKept) {
		return Report{Root: emptyTree().Hash}, l.refuseOrphans()
	}
	if err != nil {
		return Report{}, err
	}
	head, err := l.head(ctx)
	if err != nil {
		return Report{}, err
	}
	entries, err := l.disk.open(entriesFile)
	if err != nil {
		return Report{}, err
	}
	defer entries.Close()
	hashes, err := l.hashes(tlog.StoredHashCount(head.N))
	if err != nil {
		return Report{}, err
	}
	defer hashes.Close()
	v := verifier{key: k, head: head, hashes: bufio.NewReader(io.NewSectionReader(hashes, 0, hashes.Size()))}
	if err := v.read(ctx, entries); err != nil {
		return Report{}, err
	}
	if err := v.judge(hashes.Size()); err != nil {
		return Report{}, err
	}
	rest := v.behind()
	return Report{head.N, head.Hash, int64(len(rest.records)), entries.Size() - rest.end, v.back}, nil
}

// verifier goes through the lines of a log once. Until the first that is not the
// next record it grows the tree; from there on it notes what explains the fault.
type verifier struct {
	key    *key
	head   tlog.Tree
	hashes *bufio.Reader // the stored ones

	next    int64 // the record that is expected
	end     int64 // of the last good one, in bytes
	tree    frontier
	badHash *Fault // the first stored hash that is wrong
	tail    *tail  // what lies behind the head; see behind
	latest  time.Time
	back    *SetBack

	broken bool // a line below the head was not the next record
	first  lineKind
	later  map[int64]int // authentic records after that line, how often each
}

// lineKind is what a line is: an authentic record of some number, or nothing (-1),
// and whether it ends.
type lineKind struct {
	seq   int64
	whole bool
}

func (v *verifier) read(ctx context.Context, entries file) error {
	count := 0
	for line, err := range lines(io.NewSectionReader(entries, 0, entries.Size())) {
		if count++; count%1024 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err == nil {
			err = v.line(line)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// behind is the tail, which begins where the records that the head names end.
func (v *verifier) behind() *tail {
	if v.tail == nil {
		v.tail = &tail{key: v.key, next: v.next, end: v.end}
	}
	return v.tail
}

func (v *verifier) line(line []byte) error {
	if !v.broken && v.next == v.head.N {
		return v.behind().take(line)
	}
	kind := lineKind{-1, bytes.HasSuffix(line, []byte("\n"))}
	r, err := parseRecord(line)
	if err == nil && r.authentic(v.key) {
		kind.seq = r.Seq
	}
	switch {
	case v.broken && kind.seq >= 0:
		v.later[kind.seq]++
	case v.broken:
	case kind.seq != v.next:
		v.broken, v.first, v.later = true, kind, map[int64]int{}
	default:
		v.end += int64(len(line))
		v.clock(r)
		return v.grow(r)
	}
	return nil
}

// clock looks whether the clock was set back before an entry. What cannot be read, or was
// erased, says nothing.
func (v *verifier) clock(r record) {
	var e struct {
		Time time.Time `json:"time"`
	}
	if r.erased() || json.Unmarshal(r.Body, &e) != nil || e.Time.IsZero() {
		return
	}
	if by := v.latest.Sub(e.Time); by > clockSlack && v.back == nil {
		v.back = &SetBack{r.Seq, by}
	}
	if e.Time.After(v.latest) {
		v.latest = e.Time
	}
}

// grow adds the next record to the tree, and compares the hashes that this stores.
func (v *verifier) grow(r record) error {
	added, err := v.tree.add(v.next, r.leaf())
	if err != nil {
		return err
	}
	index := tlog.StoredHashIndex(0, v.next)
	v.next++
	if v.badHash != nil {
		return nil
	}
	for i, want := range added {
		var got tlog.Hash
		_, err := io.ReadFull(v.hashes, got[:])
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		if err != nil || got != want {
			v.badHash = badHash(index + int64(i))
			return nil
		}
	}
	return nil
}

// judge gives the log's fault, if there is one, after all lines were read.
func (v *verifier) judge(hashBytes int64) error {
	if v.broken {
		return v.explain()
	}
	if v.next < v.head.N {
		if v.badHash == nil && hashBytes == tlog.StoredHashCount(v.next)*tlog.HashSize {
			return &Fault{RolledBack, v.next}
		}
		return &Fault{CutOff, v.next}
	}
	root, err := v.tree.root(v.head.N)
	if err != nil {
		return err
	}
	if root != v.head.Hash {
		return &Fault{Forked, v.head.N}
	}
	if v.badHash != nil {
		return v.badHash
	}
	// Hashes behind the head are those of entries that an interrupted append left.
	if most := tlog.StoredHashCount(v.behind().next); hashBytes > most*tlog.HashSize {
		return badHash(most)
	}
	return nil
}

// explain tells from what followed how the expected record came to be missing.
func (v *verifier) explain() error {
	found, here := v.later[v.next] > 0, v.first.seq
	switch {
	case found && here > v.next && v.later[here] == 0:
		return &Fault{Reordered, v.next}
	case found:
		return &Fault{Inserted, v.next}
	case here > v.next:
		return &Fault{Dropped, v.next}
	case !v.first.whole:
		return &Fault{CutOff, v.next} // in the middle of its line
	}
	return &Fault{Altered, v.next}
}

// tail is what lies behind the head: see "Crashes" in the package's comment.
type tail struct {
	key     *key
	next    int64
	end     int64 // of the last record that counts, in bytes
	records []record
	stopped bool // at something that is no record
}

// take judges the next line.
func (t *tail) take(line []byte) error {
	r, err := parseRecord(line)
	switch {
	case err != nil:
		t.stopped = true
	case !r.authentic(t.key) || r.Seq < t.next:
		return &Fault{Inserted, t.next}
	case r.Seq > t.next:
		t.stopped = true
	case !t.stopped:
		t.records = append(t.records, r)
		t.end += int64(len(line))
		t.next++
	}
	return nil
}

// tail finds the end of the entries that the head names, without reading those, and
// reads on from there. The error is a Fault, not always the first, if what the next
// append rests on is wrong.
func (l *Log) tail(k *key, head tlog.Tree, hashes *hashes) (*tail, error) {
	root, err := tlog.TreeHash(head.N, hashes)
	if err == nil && root != head.Hash {
		err = &Fault{Forked, head.N}
	}
	if err != nil {
		return nil, err
	}
	entries, err := l.disk.open(entriesFile)
	if err != nil {
		return nil, err
	}
	defer entries.Close()
	end, err := lastRecord(k, head.N, entries, hashes)
	if err != nil {
		return nil, err
	}
	t := &tail{key: k, next: head.N, end: end}
	for line, err := range lines(io.NewSectionReader(entries, end, entries.Size()-end)) {
		if err == nil {
			err = t.take(line)
		}
		if err != nil {
			return nil, err
		}
	}
	return t, nil
}

// lastRecord returns where the last of n records ends. It looks from the end of the
// file, in windows that grow.
func lastRecord(k *key, n int64, entries file, hashes *hashes) (int64, error) {
	if n == 0 {
		return 0, nil
	}
	want, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, n-1)})
	if err != nil {
		return 0, err
	}
	is := func(line []byte) bool {
		r, err := parseRecord(line)
		return err == nil && r.Seq == n-1 && r.authentic(k) && tlog.RecordHash(r.leaf()) == want[0]
	}
	for window := int64(4 << 10); ; window *= 16 {
		start := max(0, entries.Size()-window)
		b := make([]byte, entries.Size()-start)
		if _, err := entries.ReadAt(b, start); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if end := lastLine(b, start == 0, is); end >= 0 {
			return start + int64(end), nil
		}
		if start == 0 {
			return 0, &Fault{Altered, n - 1}
		}
	}
}

// lastLine returns where the last line in b ends for which is holds, or -1. The first
// line may be a part of one, unless b is a beginning.
func lastLine(b []byte, beginning bool, is func([]byte) bool) int {
	for end := bytes.LastIndexByte(b, '\n') + 1; end > 0; {
		start := bytes.LastIndexByte(b[:end-1], '\n') + 1
		if start == 0 && !beginning {
			break
		}
		if is(b[start:end]) {
			return end
		}
		end = start
	}
	return -1
}

// frontier is the part of a growing tree that is still needed: at each level the
// last hash that was stored.
type frontier [64]tlog.Hash

// add returns the hashes that are stored with record n.
func (f *frontier) add(n int64, leaf []byte) ([]tlog.Hash, error) {
	added, err := tlog.StoredHashes(n, leaf, tlog.HashReaderFunc(f.read))
	copy(f[:], added)
	return added, err
}

func (f *frontier) root(n int64) (tlog.Hash, error) {
	if n == 0 {
		return emptyTree().Hash, nil
	}
	return tlog.TreeHash(n, tlog.HashReaderFunc(f.read))
}

func (f *frontier) read(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		level, _ := tlog.SplitStoredHashIndex(index)
		found[i] = f[level]
	}
	return found, nil
}
