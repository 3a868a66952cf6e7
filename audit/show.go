package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// Filter selects entries. A zero field selects all.
type Filter struct {
	Environment string
	Key         string
	Verb        string
	Decision    Decision
	Since       time.Time // not before
	Until       time.Time // before
}

func (f Filter) selects(e Entry) bool {
	return (f.Environment == "" || f.Environment == e.Environment) &&
		(f.Key == "" || f.Key == e.Key) &&
		(f.Verb == "" || f.Verb == e.Verb) &&
		(f.Decision == "" || f.Decision == e.Decision) &&
		(f.Since.IsZero() || !e.Time.Before(f.Since)) &&
		(f.Until.IsZero() || e.Time.Before(f.Until))
}

// Entries iterates over the entries that a filter selects, in order. It authenticates
// nothing: Verify does. Beside an error that concerns one entry stands an Entry with no
// more than its number, and the iteration goes on: the error matches [ErrErased] or
// [ErrSchema], or is a [*Fault] for what is no entry. For that alone the keychain is asked,
// for the head: what is no entry and stands behind it was left by an interrupted append,
// and ends the iteration, as a last line without an end does.
func (l *Log) Entries(ctx context.Context, filter Filter) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		file, err := l.disk.open(entriesFile)
		if err != nil {
			yield(Entry{}, fmt.Errorf("read audit log %s: %w", l.disk, err))
			return
		}
		defer file.Close()
		behind := l.behindHead(ctx)
		seq := int64(0)
		for line, err := range lines(io.NewSectionReader(file, 0, file.Size())) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(Entry{}, fmt.Errorf("read audit log %s: %w", l.disk, err))
				return
			}
			e, err := readLine(line, seq)
			if errors.As(err, new(*Fault)) && (!bytes.HasSuffix(line, []byte("\n")) || behind(seq)) {
				return
			}
			seq++
			if (err != nil || filter.selects(e)) && !yield(e, err) {
				return
			}
		}
	}
}

// behindHead reports whether an entry of a number would stand behind the head, as far as
// that is known. It asks the keychain when it is first called.
func (l *Log) behindHead(ctx context.Context) func(seq int64) bool {
	head := sync.OnceValues(func() (tlog.Tree, error) { return l.head(ctx) })
	return func(seq int64) bool {
		h, err := head()
		return err == nil && seq >= h.N
	}
}

// readLine returns the entry on a line that should be that of a number.
func readLine(line []byte, seq int64) (Entry, error) {
	r, err := parseRecord(line)
	if err != nil || r.Seq != seq {
		return Entry{Seq: seq}, &Fault{Altered, seq}
	}
	if r.erased() {
		return Entry{Seq: seq}, ErrErased
	}
	e, err := decodeEntry(r.Body)
	if err != nil {
		return Entry{Seq: seq}, fmt.Errorf("entry %d: %w", seq, err)
	}
	if e.Seq != seq {
		return Entry{Seq: seq}, &Fault{Altered, seq}
	}
	return e, nil
}
