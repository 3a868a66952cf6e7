package files

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Read reads a stream, standard input above all, as if it were a file with this
// path. It reads to the end, or until ctx is done: then a Read of r that is still
// blocked is left behind.
//
// An error of r is a gap, and what was read before it is handed out.
func Read(ctx context.Context, r io.Reader, path string, o Options, visit Visit) (Result, error) {
	o = o.withDefaults()
	// A read from a terminal or a pipe cannot be interrupted.
	out, in := io.Pipe()
	go func() {
		_, err := io.Copy(in, r)
		in.CloseWithError(err)
	}()
	defer out.Close()
	defer context.AfterFunc(ctx, func() { out.CloseWithError(ctx.Err()) })()

	var t tally
	w := &worker{tally: &t, o: &o, visit: visit}
	err := w.content(ctx, out, Document{Path: path})
	var visited visitError
	switch {
	case errors.As(err, &visited):
		err = visited.error
	case ctx.Err() != nil:
		err = fmt.Errorf("read %s: %w", path, ctx.Err())
	case err != nil:
		w.gap(path, err)
		err = nil
	}
	return merge([]tally{t}), err
}
