package cmd

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// progress is one line on a terminal that says what a command does and how much
// is left. It waits before it appears, so that short work shows nothing, and is
// rewritten a few times a second at most. It is safe for concurrent use; a nil
// progress shows nothing.
type progress struct {
	out   io.Writer
	width int
	now   func() time.Time

	mu    sync.Mutex
	next  time.Time // not before
	shown bool
}

const (
	progressDelay    = 400 * time.Millisecond
	progressInterval = 100 * time.Millisecond
)

// newProgress returns nil if nobody watches.
func newProgress(term *terminal) *progress {
	if !term.errTTY {
		return nil
	}
	width := term.errWidth
	if width == 0 {
		width = 80
	}
	return &progress{out: term.err, width: width, now: time.Now, next: time.Now().Add(progressDelay)}
}

// show says that done of total units of a phase are done; total is 0 if unknown.
func (p *progress) show(phase, unit string, done, total int64) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if now.Before(p.next) {
		return
	}
	p.next, p.shown = now.Add(progressInterval), true
	line := phase
	switch {
	case total > 0:
		line += fmt.Sprintf("  %3d %%  %s of %s %s", min(100, done*100/total), group(done), group(total), unit)
	case done > 0:
		line += fmt.Sprintf("  %s %s", group(done), unit)
	}
	if len(line) >= p.width {
		line = line[:max(0, p.width-1)]
	}
	fmt.Fprintf(p.out, "\r%s\x1b[K", line)
}

// clear removes the line: what is printed next begins where it stood.
func (p *progress) clear() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
	p.shown = false
	p.next = p.now().Add(progressDelay)
}

// group writes a number with commas between its thousands.
func group(n int64) string {
	digits := fmt.Sprint(n)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 && digits[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}
