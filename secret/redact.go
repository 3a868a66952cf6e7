package secret

import "bytes"

// The bounds of Redact, in bytes of the value.
const (
	redactHead  = 12 // most that is shown of the beginning
	redactTail  = 4  // shown of the end, of values of at least redactLong
	redactLong  = 20 // shorter values show a few bytes of their beginning at most
	redactShort = 8  // shorter values show nothing
	redactShare = 3  // never more than one byte in so many is shown

	pemOpen  = "-----BEGIN "
	pemDash  = "-----"
	pemLabel = 64 // longest label that is believed, dashes included

	ellipsis = "…"
)

// Redact returns what may be shown of a secret: enough of its beginning to
// recognise the kind, of its end to tell two apart, and an ellipsis for the rest.
// At most a third of the bytes is shown, of values under 20 bytes a sixth and no
// end, of values under 8 bytes nothing. A PEM block shows its first line, which
// holds none of the key. Of other values of several lines only the first is shown
// from. Bytes that are not printable ASCII appear as '?', so that the result is
// one line that any terminal can take. An empty value gives an empty string.
func Redact(value []byte) string {
	if len(value) == 0 {
		return ""
	}
	if label := label(value); label != "" && redactShare*len(label) <= len(value) {
		return label + ellipsis
	}
	head, tail := shown(len(value))
	if i := bytes.IndexAny(value, "\r\n"); i >= 0 {
		head, tail = min(head, i), 0
	}
	return printable(value[:head]) + ellipsis + printable(value[len(value)-tail:])
}

// shown says how many bytes of the beginning and of the end of n may be shown.
func shown(n int) (head, tail int) {
	switch {
	case n < redactShort:
		return 0, 0
	case n < redactLong:
		return n / (2 * redactShare), 0
	}
	return min(redactHead, n/redactShare-redactTail), redactTail
}

// label returns the opening line of a PEM block (RFC 7468, section 2), which may
// be followed by a line break or, in a quoted string, by an escaped one.
func label(value []byte) string {
	if !bytes.HasPrefix(value, []byte(pemOpen)) {
		return ""
	}
	rest := value[len(pemOpen):min(len(value), pemLabel)]
	i := bytes.Index(rest, []byte(pemDash))
	if i < 0 {
		return ""
	}
	for _, c := range rest[:i] {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != ' ' {
			return ""
		}
	}
	return string(value[:len(pemOpen)+i+len(pemDash)])
}

// printable works byte by byte, because the cut may have split a character.
func printable(b []byte) string {
	out := bytes.Clone(b)
	for i, c := range out {
		if c < ' ' || c > '~' {
			out[i] = '?'
		}
	}
	return string(out)
}
