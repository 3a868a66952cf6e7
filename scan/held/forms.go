package held

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
)

// form is a way in which programs write a value.
type form uint8

// The forms. Of base 64 there are three: the value begins with a group of three
// bytes, or one or two bytes later.
const (
	raw form = iota
	lines
	hexadecimal
	percent
	escaped
	base64At0
	base64At1
	base64At2
	forms
)

// String is the form as reports name it, empty for the value as it is.
func (f form) String() string {
	switch f {
	case hexadecimal:
		return "hex"
	case percent:
		return "percent-encoding"
	case escaped:
		return "escapes"
	case base64At0, base64At1, base64At2:
		return "base64"
	}
	return ""
}

// maxForm bounds a form's text, in bytes: no form makes more than six bytes of one.
const maxForm = 6 * maxValue

// How much white space the lines of a form may have that is not the form's own: so many
// bytes for each line of base 64, or for each of the shortest lines of a text, and in all.
const (
	maxIndent  = 64
	shortLine  = 16
	maxBlank   = 4 << 10
	breathing  = 2 // lines more than the form fills
	groupShare = 4 // digits of base 64 beside the form's own
)

// blank is how many bytes of white space a form may have in addition to its own.
func (e *entry) blank() int {
	switch {
	case e.form == lines:
		return min((e.size/shortLine+breathing)*maxIndent, maxBlank)
	case e.form >= base64At0:
		return min((e.size/folded+breathing)*maxIndent, maxBlank)
	}
	return 0
}

// spelling is the text of a form of a value.
type spelling struct {
	kind form
	text []byte
}

// formsOf are the texts of a value's forms: those that differ from it, and have room
// for a window.
func formsOf(value []byte) (all []spelling) {
	add := func(f form, text []byte) {
		if len(text) >= window && (f == raw || !bytes.Equal(text, value)) {
			all = append(all, spelling{f, text})
		}
	}
	add(raw, bytes.Clone(value))
	if text := canonical(value); bytes.IndexByte(text, '\n') >= 0 && len(text) >= window {
		all = append(all, spelling{lines, text})
	}
	small := []byte(hex.EncodeToString(value))
	add(hexadecimal, small)
	add(hexadecimal, bytes.ToUpper(small))
	for _, plain := range []string{
		"-._~",                 // RFC 3986, section 2.3
		"-._~/",                // Python's quote
		"-._*",                 // https://url.spec.whatwg.org: URLSearchParams
		"-._~!'()*",            // JavaScript's encodeURIComponent
		"-._~!'()*;,/?:@&=+$#", // JavaScript's encodeURI
	} {
		add(percent, percentEncode(value, "%%%02X", plain))
	}
	add(percent, percentEncode(value, "%%%02x", "-._~"))
	add(escaped, escape(value))
	for shift := range 3 {
		add(base64At0+form(shift), base64Of(value, shift, base64.RawStdEncoding))
		if text := base64Of(value, shift, base64.RawURLEncoding); bytes.ContainsAny(text, "-_") {
			add(base64At0+form(shift), text)
		}
	}
	return dedupe(all)
}

func dedupe(all []spelling) []spelling {
	kept := all[:0]
next:
	for _, s := range all {
		for _, k := range kept {
			if k.kind == s.kind && bytes.Equal(k.text, s.text) {
				continue next
			}
		}
		kept = append(kept, s)
	}
	return kept
}

// percentEncode writes a value as in addresses (RFC 3986, section 2.1): a format for the
// bytes that may not stand there, and which do, beside letters and digits.
func percentEncode(value []byte, format, plain string) []byte {
	var out []byte
	for _, c := range value {
		if 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || strings.IndexByte(plain, c) >= 0 {
			out = append(out, c)
		} else {
			out = fmt.Appendf(out, format, c)
		}
	}
	return out
}

// escape writes a value as in a string of JSON or most languages.
func escape(value []byte) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(string(value)) != nil || b.Len() < 3 {
		return nil
	}
	return b.Bytes()[1 : b.Len()-2] // without quotes and the line's end
}

// base64Of are the digits of base 64 that a value decides alone when so many bytes
// stand before it, in their group of three.
func base64Of(value []byte, before int, encoding *base64.Encoding) []byte {
	text := make([]byte, encoding.EncodedLen(before+len(value)))
	encoding.Encode(text, append(make([]byte, before), value...))
	end := (before + len(value)) * 8 / 6
	return text[firstDigit(before):end]
}

// firstDigit is the first digit of base 64 that bytes behind so many others decide
// alone.
func firstDigit(before int) int { return (before*8 + 5) / 6 }

// folded is how long lines of base 64 are at least, in digits.
const folded = 64

// windows are where the form's text is looked at: at the window that is hardest to
// guess. Where lines may be broken, at one in each half of a stretch round it that is no
// longer than a line: no line's end is in both.
func (s spelling) windows() []int {
	last := len(s.text) - window
	first := s.hardest(0, last)
	if s.kind < base64At0 || len(s.text) < 2*window {
		return []int{first}
	}
	from := max(0, min(first-folded/2, len(s.text)-folded))
	to := min(len(s.text), from+folded)
	middle := (from + to) / 2
	return []int{s.hardest(from, middle-window), s.hardest(middle, to-window)}
}

// hardest is where the window that is hardest to guess begins, in [from, to].
func (s spelling) hardest(from, to int) (best int) {
	score := -1
	for at := from; at <= to; at++ {
		if n := s.hardness(at); n > score {
			best, score = at, n
		}
	}
	return best
}

// hardness says how hard a window is to guess: many different bytes of many kinds, and
// none that other writers of the form may write differently.
func (s spelling) hardness(at int) (n int) {
	var seen [256]bool
	last := byte(0)
	for _, c := range s.text[at : at+window] {
		if !seen[c] {
			n += 4
		}
		seen[c] = true
		kind := kindOf(c)
		if kind != last {
			n += 2
		}
		last = kind
	}
	const most = 6 * window
	context := s.text[max(0, at-2) : at+window]
	switch {
	case s.kind == lines && bytes.ContainsAny(s.text[at:at+window], "\n \t"),
		s.kind == percent && bytes.IndexByte(context, '%') >= 0,
		s.kind == escaped && bytes.IndexByte(s.text[at:at+window], '\\') >= 0:
		return n
	}
	return n + most
}

func kindOf(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return '0'
	case 'a' <= c && c <= 'z':
		return 'a'
	case 'A' <= c && c <= 'Z':
		return 'A'
	case c == '\n', c == '\r', c == ' ', c == '\t':
		return ' '
	}
	return '!'
}

// reach bounds the bytes before and from a window that decide whether the form stands
// there.
func (e *entry) reach() (back, ahead int) {
	slack := e.blank() + groupShare
	return e.offset + slack, e.size - e.offset + slack
}

// undo returns the value of a form whose window stands at a position of a text, and
// where the form begins and ends. It may not be the value after all.
func (e *entry) undo(data []byte, at int) (start, end int, value []byte, ok bool) {
	start, end = at-e.offset, at-e.offset+e.size
	switch e.form {
	case lines:
		return undoLines(data, at, e.offset, e.size-e.offset, e.blank())
	case base64At0, base64At1, base64At2:
		return undoBase64(data, at, e.offset, e.size-e.offset, e.blank(), int(e.form-base64At0))
	}
	if start < 0 || end > len(data) {
		return 0, 0, nil, false
	}
	text := data[start:end]
	switch e.form {
	case raw:
		return start, end, text, true
	case hexadecimal:
		value = make([]byte, len(text)/2)
		_, err := hex.Decode(value, text)
		return start, end, value, err == nil
	case percent:
		value, ok = percentDecode(text)
		return start, end, value, ok
	default:
		value, ok = unescape(text)
		return start, end, value, ok
	}
}

func percentDecode(text []byte) (out []byte, ok bool) {
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '%' {
			if i+2 >= len(text) {
				return nil, false
			}
			var b [1]byte
			if _, err := hex.Decode(b[:], text[i+1:i+3]); err != nil {
				return nil, false
			}
			c = b[0]
			i += 2
		}
		out = append(out, c)
	}
	return out, true
}

func unescape(text []byte) (out []byte, ok bool) {
	quoted := make([]byte, 0, len(text)+2)
	quoted = append(append(append(quoted, '"'), text...), '"')
	var s string
	if json.Unmarshal(quoted, &s) != nil {
		return nil, false
	}
	return []byte(s), true
}

// undoLines collects the value's bytes before and from a position: line ends of either
// kind are one, and what indents a line is left out.
func undoLines(data []byte, at, before, after, room int) (start, end int, value []byte, ok bool) {
	start = at
	var head []byte // backwards
	for blank := 0; len(head) < before; {
		if start == 0 || blank > room {
			return 0, 0, nil, false
		}
		start--
		c := data[start]
		if c == ' ' || c == '\t' {
			first := start
			for first > 0 && (data[first-1] == ' ' || data[first-1] == '\t') && start-first+blank < room {
				first--
			}
			if first > 0 && data[first-1] == '\n' {
				blank += start - first + 1
				start = first
				continue
			}
		}
		if c == '\r' {
			blank++
			continue
		}
		head = append(head, c)
	}
	value = make([]byte, 0, before+after)
	for i := len(head) - 1; i >= 0; i-- {
		value = append(value, head[i])
	}
	end = at
	indent := false
	for blank := 0; len(value) < before+after; end++ {
		if end == len(data) || blank > room {
			return 0, 0, nil, false
		}
		c := data[end]
		if c == '\r' || indent && (c == ' ' || c == '\t') {
			blank++
			continue
		}
		indent = c == '\n'
		value = append(value, c)
	}
	return start, end, value, true
}

// undoBase64 decodes the digits before and from a position, and those beside them that
// hold the rest of the value's first and last byte. Line ends between are skipped.
func undoBase64(data []byte, at, before, after, room, shift int) (start, end int, value []byte, ok bool) {
	// The digits are the value's own; its first and last byte may reach into one more.
	first := firstDigit(shift)        // of the value's own, in their group
	lead := first - shift*8/6         // digits before that hold bits of the value
	size := before + after            // the value's own digits
	total := (first + size) * 6       // bits up to their end
	var tail int                      // digits behind that hold bits of the value
	if rest := total % 8; rest != 0 { // the last byte is not complete
		tail = (8 - rest + 5) / 6
	}
	digits := make([]byte, 0, lead+size+tail)
	start = at
	for blank := 0; len(digits) < lead+before; {
		if start == 0 || blank > room {
			return 0, 0, nil, false
		}
		start--
		switch d := digit64(data[start]); {
		case d >= 0:
			digits = append(digits, byte(d))
		case isBlank(data[start]):
			blank++
		default:
			return 0, 0, nil, false
		}
	}
	for i, j := 0, len(digits)-1; i < j; i, j = i+1, j-1 {
		digits[i], digits[j] = digits[j], digits[i]
	}
	end = at
	for blank := 0; len(digits) < lead+size+tail; end++ {
		if end == len(data) || blank > room {
			return 0, 0, nil, false
		}
		switch d := digit64(data[end]); {
		case d >= 0:
			digits = append(digits, byte(d))
		case isBlank(data[end]):
			blank++
		default:
			return 0, 0, nil, false
		}
	}
	// Bits before the value's first byte are dropped.
	var bits, n uint
	skip := uint(shift*8) - uint(first-lead)*6
	for i, d := range digits {
		bits, n = bits<<6|uint(d), n+6
		if i == 0 {
			n -= skip
			bits &= 1<<n - 1
		}
		if n >= 8 {
			n -= 8
			value = append(value, byte(bits>>n))
			bits &= 1<<n - 1
		}
	}
	return start, end, value, true
}

// digit64 is the value of a digit of base 64 in either alphabet, -1 if it is none.
func digit64(c byte) int {
	switch {
	case 'A' <= c && c <= 'Z':
		return int(c - 'A')
	case 'a' <= c && c <= 'z':
		return int(c-'a') + 26
	case '0' <= c && c <= '9':
		return int(c-'0') + 52
	case c == '+', c == '-':
		return 62
	case c == '/', c == '_':
		return 63
	}
	return -1
}

func isBlank(c byte) bool { return c == '\n' || c == '\r' || c == ' ' || c == '\t' }
