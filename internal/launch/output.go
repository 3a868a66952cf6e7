package launch

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/keywright/keywright/secret"
)

// output carries what a child writes to writers that it cannot be given itself.
// Package os/exec could, but once the child has ended it counts the time that a slow
// reader of ours takes (a pager) against the child's pipe, and loses what is in it.
type output struct {
	streams []*stream
	theirs  []*os.File // the child's ends
}

// stream is one pipe.
type stream struct {
	from *os.File
	to   io.Writer
	mask *Masker // to, if it masks

	childEnded atomic.Bool
	reads      atomic.Int64 // odd while one is under way
	done       chan struct{}
	err        error // valid once done is closed
}

// connect gives cmd the outputs of c, through pipes where that is needed. When it
// fails nothing is left open.
func connect(cmd *exec.Cmd, c Command) (*output, error) {
	o := &output{}
	known, err := maskedWords(c)
	if err != nil {
		return nil, fmt.Errorf("mask the output of %s: %w", called(c), err)
	}
	cmd.Stdout, err = o.give(c.Stdout, known)
	if err == nil {
		if c.Stderr != nil && sameWriter(c.Stdout, c.Stderr) {
			cmd.Stderr = cmd.Stdout
		} else {
			cmd.Stderr, err = o.give(c.Stderr, known)
		}
	}
	if err != nil {
		o.started()
		o.end()
		return nil, fmt.Errorf("make a pipe for the output of %s: %w", called(c), err)
	}
	return o, nil
}

// maskedWords is nil if nothing is to be masked. The streams share it, as it is large.
func maskedWords(c Command) (*words, error) {
	if !c.Mask {
		return nil, nil
	}
	var forms [][]byte
	for _, set := range []map[string]secret.Value{c.Secrets, c.Files} {
		for name, v := range set {
			if v.Len() > MaxMask {
				return nil, fmt.Errorf("%s has %d bytes, and only up to %d bytes can be masked", name, v.Len(), MaxMask)
			}
			forms = append(forms, formsOf(v.Reveal())...)
		}
	}
	return newWords(forms), nil
}

// give returns what the child shall write to so that it arrives at w.
func (o *output) give(w io.Writer, known *words) (io.Writer, error) {
	if w == nil {
		return nil, nil
	}
	if _, isFile := w.(*os.File); isFile && known == nil {
		return w, nil
	}
	ours, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s := &stream{from: ours, to: w, done: make(chan struct{})}
	if known != nil {
		s.mask = newMasker(w, known)
		s.to = s.mask
	}
	o.streams, o.theirs = append(o.streams, s), append(o.theirs, theirs)
	go s.copy()
	return theirs, nil
}

// sameWriter compares as == does, for writers that can be compared.
func sameWriter(a, b io.Writer) bool {
	return a != nil && b != nil && reflect.TypeOf(a).Comparable() && reflect.TypeOf(b).Comparable() && a == b
}

// started is called once the child has its ends, or will never have them.
func (o *output) started() {
	for _, f := range o.theirs {
		f.Close()
	}
	o.theirs = nil
}

// end waits for all that the child wrote, but for no grandchild: while nothing more
// comes, it waits for linger in all.
func (o *output) end() error {
	for _, s := range o.streams {
		s.childEnded.Store(true)
	}
	var errs []error
	for _, s := range o.streams {
		// A read that is under way must end as well.
		if err := s.from.SetReadDeadline(time.Now().Add(linger)); err == nil {
			<-s.done
		} else if !s.ends() {
			continue // the system cannot end the read: leave it
		}
		s.from.Close()
		if s.err != nil {
			errs = append(errs, fmt.Errorf("pass on the output: %w", s.err))
		}
	}
	return errors.Join(errs...)
}

// ends waits for the end of a stream, and reports false if a read waits in vain.
func (s *stream) ends() bool {
	for {
		before := s.reads.Load()
		select {
		case <-s.done:
			return true
		case <-time.After(linger):
			if before%2 == 1 && before == s.reads.Load() {
				return false
			}
		}
	}
}

// copy passes on what comes until its end, an error of the writer, or until the child
// has ended and reading took linger in vain.
func (s *stream) copy() {
	defer close(s.done)
	buf := make([]byte, 32<<10)
	left := linger
	for {
		start, after := time.Now(), s.childEnded.Load()
		if after {
			s.from.SetReadDeadline(start.Add(left))
		}
		s.reads.Add(1)
		n, err := s.from.Read(buf)
		s.reads.Add(1)
		if after {
			left -= time.Since(start)
		}
		if n > 0 {
			if _, s.err = s.to.Write(buf[:n]); s.err != nil {
				break
			}
		}
		if err != nil {
			break // the end, or the deadline
		}
	}
	if s.mask != nil {
		if err := s.mask.Close(); s.err == nil {
			s.err = err
		}
	}
	if s.err != nil {
		s.from.Close() // the child shall notice, as if it wrote there itself
	}
	clear(buf)
}
