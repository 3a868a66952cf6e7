package launch

import (
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/keywright/keywright/secret"
)

// MinMask and MaxMask bound the length in bytes of what is masked. A shorter value
// would be found all over the output, and the place of each *** would betray it.
const (
	MinMask = 8
	MaxMask = 64 << 10
)

const (
	stars = "***"

	// holdFor is how long bytes that may begin a secret wait for the next ones. A
	// prompt has to be on the screen within 50 ms.
	holdFor = 35 * time.Millisecond
)

// A Masker is a writer that passes on what is written to it with secrets replaced by
// ***, wherever the writes are divided. It knows each value as it is, without the
// white space around it, in base64 (standard and URL alphabet, padded or not, also
// inside longer base64) and URL-escaped. Where several of these overlap, the whole
// stretch becomes one ***, so that no remainder of a secret shows beside another.
//
// Bytes are held back only while they may become a secret with those that follow, and
// not longer than 50 ms after the last write: then they are shown as they are.
//
// Masking is against accidents: a program that logs its configuration, a stack trace,
// a curl -v. It is no protection against a child that wants to show what it knows: to
// print a secret backwards, in hexadecimal, or one half a second after the other is
// enough.
//
// A Masker is safe for concurrent use; Close must be called at the end.
type Masker struct {
	mu    sync.Mutex
	w     io.Writer
	words *words
	err   error // of the writer below, which every later call repeats
	timer *time.Timer
	due   time.Time // when what is held has waited for long enough

	node   int32     // what the bytes seen so far end with
	seen   int64     // how many bytes were written to the Masker
	held   []byte    // the last of them, which were not passed on
	hidden []stretch // what is to be hidden of them and of what follows, in order, apart
	out    []byte    // for reuse
}

// stretch is a part of the output that is replaced by stars, by its first byte and
// the one after its last. Starred says that the stars were written.
type stretch struct {
	from, to int64
	starred  bool
}

// NewMasker returns a Masker that writes to w. Values under MinMask bytes are left
// out. A value above MaxMask bytes is an error: nothing shall be shown that the
// caller believes to be masked.
func NewMasker(w io.Writer, values []secret.Value) (*Masker, error) {
	var forms [][]byte
	for _, v := range values {
		if v.Len() > MaxMask {
			return nil, fmt.Errorf("mask a value of %d bytes: only up to %d bytes can be masked", v.Len(), MaxMask)
		}
		forms = append(forms, formsOf(v.Reveal())...)
	}
	return newMasker(w, newWords(forms)), nil
}

func newMasker(w io.Writer, known *words) *Masker {
	m := &Masker{w: w, words: known}
	m.timer = time.AfterFunc(time.Hour, m.tired)
	m.timer.Stop()
	return m
}

// formsOf lists the byte sequences that show a value. They may repeat.
func formsOf(value []byte) [][]byte {
	if len(value) < MinMask {
		return nil
	}
	s := string(value)
	forms := []string{s, strings.TrimSpace(s)}
	for _, plain := range inAddresses {
		text := escapeFor(s, plain)
		forms = append(forms, text, lowerEscapes(text))
	}
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		forms = append(forms, enc.EncodeToString(value), enc.WithPadding(base64.NoPadding).EncodeToString(value))
		forms = append(forms, insideBase64(enc, value)...)
	}
	var list [][]byte
	for _, f := range forms {
		if len(f) >= MinMask {
			list = append(list, []byte(f))
		}
	}
	return list
}

// insideBase64 gives the characters of a longer text's base64 that only value
// decides, for the three places in a group of three bytes at which it may begin.
func insideBase64(enc *base64.Encoding, value []byte) []string {
	var inside []string
	for before := range 3 {
		text := enc.EncodeToString(append(make([]byte, before), value...))
		first := (before*8 + 5) / 6
		last := (before + len(value)) * 8 / 6
		inside = append(inside, text[first:last])
	}
	return inside
}

// inAddresses lists what stands as it is in an address, beside letters and digits: that
// differs between languages and between the parts of an address. A blank is a plus sign
// where " " is in the list.
var inAddresses = []string{
	"-_.~",                 // RFC 3986, section 2.3: curl, PHP's rawurlencode
	"-_.~/",                // Python's quote
	"-_.~ ",                // Python's quote_plus, Go's QueryEscape
	"-_.* ",                // https://url.spec.whatwg.org: URLSearchParams, Java's URLEncoder
	"-_.~!'()*",            // JavaScript's encodeURIComponent
	"-_.~!'()*;,/?:@&=+$#", // JavaScript's encodeURI
	"-_.~$&+:=@",           // Go's PathEscape
	"-_.~$&+,;=",           // Go's UserPassword
}

// escapeFor writes a text as in an address in which the plain characters stand as they are.
func escapeFor(s, plain string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case c == ' ' && strings.Contains(plain, " "):
			b.WriteByte('+')
		case 'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9', strings.IndexByte(plain, c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// lowerEscapes turns %2F into %2f.
func lowerEscapes(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:], strings.ToLower(string(b[i+1:i+3])))
			i += 2
		}
	}
	return string(b)
}

// Write masks and passes on p, apart from an end of it that may begin a secret. It
// returns the error of the writer below, also one met since the last Write.
func (m *Masker) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return 0, m.err
	}
	m.look(p)
	m.held = append(m.held, p...)
	if m.pass(m.words.depth[m.node]); m.err != nil {
		return 0, m.err
	}
	if len(m.held) > 0 {
		m.due = time.Now().Add(holdFor)
		m.timer.Reset(holdFor)
	} else {
		m.timer.Stop()
	}
	return len(p), nil
}

// Close passes on what is held back. It does not close the writer below, and returns
// its error. Nothing may be written afterwards.
func (m *Masker) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.timer.Stop()
	m.pass(0)
	clear(m.held[:cap(m.held)])
	return m.err
}

// tired passes on what waited for too long. What was seen stays in mind: if a secret
// is completed after all, the rest of it is masked.
func (m *Masker) tired() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !time.Now().Before(m.due) { // no Write came just before
		m.pass(0)
	}
}

// look notes which stretches of the next bytes, and of those that are held, to hide.
func (m *Masker) look(p []byte) {
	for i := 0; i < len(p); i++ {
		if m.node == 0 {
			if i += m.words.skip(p[i:]); i == len(p) {
				break
			}
		}
		m.node = m.words.next(m.node, p[i])
		if n := m.words.match[m.node]; n > 0 {
			end := m.seen + int64(i) + 1
			m.hide(stretch{from: end - int64(n), to: end})
		}
	}
	m.seen += int64(len(p))
}

// hide adds a stretch that ends after all others, joined with those that it overlaps.
func (m *Masker) hide(s stretch) {
	for n := len(m.hidden); n > 0 && m.hidden[n-1].to > s.from; n-- {
		last := m.hidden[n-1]
		s.from, s.starred = min(s.from, last.from), s.starred || last.starred
		m.hidden = m.hidden[:n-1]
	}
	m.hidden = append(m.hidden, s)
}

// pass writes what is held apart from the last keep bytes, in one piece.
func (m *Masker) pass(keep int32) {
	at, end := m.seen-int64(len(m.held)), m.seen-int64(keep)
	if m.err != nil || end <= at {
		return // what was passed on when it had waited stays passed on
	}
	plain, done := m.held[:end-at], 0
	m.out = m.out[:0]
	for i := range m.hidden {
		h := &m.hidden[i]
		if h.from >= end {
			break
		}
		if from := max(h.from, at); from > at+int64(done) {
			m.out = append(m.out, plain[done:from-at]...)
		}
		if !h.starred {
			m.out, h.starred = append(m.out, stars...), true
		}
		done = max(done, int(min(h.to, end)-at))
	}
	out := plain
	if done > 0 || len(m.hidden) > 0 && m.hidden[0].from < end {
		m.out = append(m.out, plain[done:]...)
		out = m.out
	}
	if len(out) > 0 {
		_, m.err = m.w.Write(out)
	}
	m.held = append(m.held[:0], m.held[end-at:]...)
	m.forget(end)
}

// forget drops the stretches that end before everything that is still to come. One
// that ends just there may have to be joined with what follows.
func (m *Masker) forget(end int64) {
	begins := m.seen - int64(m.words.depth[m.node]) // of what may still be found
	n := 0
	for n < len(m.hidden) && m.hidden[n].to <= end && m.hidden[n].to <= begins {
		n++
	}
	m.hidden = append(m.hidden[:0], m.hidden[n:]...)
}
