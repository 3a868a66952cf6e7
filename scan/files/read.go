package files

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"syscall"
	"time"
)

// worker reads files one after the other into a buffer that it keeps.
type worker struct {
	*tally
	number int
	o      *Options
	visit  Visit
	buf    []byte
	head   []byte
	real   map[string]bool // directories of a list: reached without a symbolic link
}

// visitError carries an error of visit past the handling of reading errors.
type visitError struct{ error }

func (e visitError) Unwrap() error { return e.error }

// file reads one file. Only an error of visit, or of ctx, is returned.
func (w *worker) file(ctx context.Context, name, path string) error {
	if w.o.Known != nil {
		if stamp, ok := lookAt(name); ok && w.o.Known(path, stamp, w.number) {
			w.files++
			w.bytes += stamp.Size
			return nil
		}
	}
	now := time.Now()
	f, size, stamp, err := openRegular(name)
	if !stamp.settled(now) {
		stamp = Stamp{}
	}
	if err != nil {
		w.refused(path, err)
		return nil
	}
	defer f.Close()
	err = w.content(ctx, f, Document{Path: path, Size: size, Stamp: stamp})
	var visited visitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &visited):
		return visited.error
	case ctx.Err() != nil:
		return ctx.Err()
	}
	w.gap(path, err)
	return nil
}

// refused notes why a file was not opened.
func (w *worker) refused(path string, err error) {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		// It vanished since it was listed.
	case errors.Is(err, errLink):
		w.exclude(ExcludedLink)
	case errors.Is(err, errSpecial):
		w.exclude(ExcludedSpecial)
	case errors.Is(err, errDir):
		w.exclude(ExcludedDir)
	default:
		w.gap(path, err)
	}
}

// content hands out what r holds, as documents that go on from doc. What is appended
// to a file of a known size while it is read is not part of it. What could be read
// before an error is handed out too.
func (w *worker) content(ctx context.Context, r io.Reader, doc Document) error {
	size := doc.Size
	if size > 0 {
		r = &io.LimitedReader{R: r, N: size}
	}
	w.files++
	doc.First, doc.Line, doc.Column, doc.Worker = true, 1, 1, w.number
	buf := w.buffer(size)
	defer func() { w.keep(buf) }()
	n := 0
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		read, err := fill(r, buf[n:])
		w.bytes += int64(read)
		n += read
		if err == nil && len(buf) < w.o.largest() && size <= 0 {
			buf = grow(buf, w.o.largest())
			continue
		}
		if doc.First {
			w.head = append(w.head[:0], buf[:min(n, HeadSize)]...)
			doc.Head = w.head
		}
		doc.Data, doc.Last, doc.KeepTo = buf[:n], err != nil, n
		if !doc.Last {
			doc.KeepTo = n - Overlap
		}
		if err != nil && err != io.EOF {
			doc.Stamp = Stamp{} // it does not stand for what could not be read
		}
		if verr := w.visit(doc); verr != nil {
			return visitError{verr}
		}
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		n = doc.advance(buf)
	}
}

// advance makes the document the next chunk's: the end of the full buffer moves
// to its beginning. It returns how many bytes those are.
func (d *Document) advance(buf []byte) int {
	start := len(buf) - 2*Overlap
	d.Line, d.Column = after(d.Line, d.Column, buf[:start], d.Head)
	d.Offset += int64(start)
	d.First, d.KeepFrom = false, Overlap
	return copy(buf, buf[start:])
}

// fill reads until the buffer is full or r ends. It returns io.EOF if r ended.
func fill(r io.Reader, buf []byte) (int, error) {
	if l, ok := r.(*io.LimitedReader); ok && l.N <= int64(len(buf)) {
		n, err := io.ReadFull(r, buf[:l.N])
		if err == nil || err == io.ErrUnexpectedEOF {
			err = io.EOF // the whole, or all that is left of a file that shrank
		}
		return n, err
	}
	n, err := io.ReadFull(r, buf)
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	return n, err
}

const (
	firstBuffer = 64 << 10 // for what has no known size
	keptBuffer  = 8 << 20  // a larger buffer is not kept
)

// largest is the size of the largest buffer.
func (o *Options) largest() int { return max(o.Whole, o.chunkBuffer()) }

// chunkBuffer is the size of the buffer of a file that is read in chunks.
func (o *Options) chunkBuffer() int { return o.Chunk + 2*Overlap }

// buffer returns a buffer for content of this size, 0 if unknown.
func (w *worker) buffer(size int64) []byte {
	want := firstBuffer
	switch {
	case size > int64(w.o.Whole):
		want = w.o.chunkBuffer()
	case size > 0:
		want = int(size)
	}
	if cap(w.buf) < want {
		w.buf = make([]byte, max(want, firstBuffer, min(2*cap(w.buf), keptBuffer)))
	}
	return w.buf[:want]
}

// keep remembers a buffer for the next file.
func (w *worker) keep(buf []byte) {
	if cap(buf) <= keptBuffer {
		w.buf = buf
	} else {
		w.buf = nil
	}
}

// grow doubles a buffer, to at most limit bytes.
func grow(buf []byte, limit int) []byte {
	larger := make([]byte, min(2*len(buf), limit))
	copy(larger, buf)
	return larger
}
