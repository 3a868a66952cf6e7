package match

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// view is how an object's bytes are read.
type view uint8

const (
	utf8View view = iota
	utf16LE
	utf16BE
)

// sniff is how many bytes decide an object's view.
const sniff = 256

// viewOf tells UTF-16 by its byte order mark, or by text whose every second byte
// is zero.
func viewOf(data []byte) view {
	if len(data) < 4 || len(data)%2 != 0 && len(data) < sniff {
		return utf8View
	}
	switch {
	case data[0] == 0xFF && data[1] == 0xFE && (data[2] != 0 || data[3] != 0):
		return utf16LE
	case data[0] == 0xFE && data[1] == 0xFF:
		return utf16BE
	case data[0] != 0 && data[1] != 0:
		return utf8View
	}
	head := data[:min(len(data), sniff)&^1]
	var odd, even int
	for i := 0; i < len(head); i += 2 {
		switch {
		case head[i] != 0 && head[i+1] == 0:
			odd++
		case head[i] == 0 && head[i+1] != 0:
			even++
		}
	}
	switch most := len(head) / 2 * 9 / 10; {
	case len(head) < 16:
		return utf8View
	case odd > most:
		return utf16LE
	case even > most:
		return utf16BE
	}
	return utf8View
}

// Text returns an object's bytes as the engine reads them, UTF-16 decoded, and
// the name of the encoding if there was one: what offsets of verdicts refer to.
func Text(data []byte) (text []byte, encoding string) {
	return decode(data, viewOf(data))
}

func decode(data []byte, v view) ([]byte, string) {
	if v == utf8View {
		return data, ""
	}
	data = bytes.TrimPrefix(bytes.TrimPrefix(data, []byte{0xFF, 0xFE}), []byte{0xFE, 0xFF})
	out := make([]byte, 0, len(data)/2+len(data)/8)
	unit := func(i int) rune {
		if v == utf16LE {
			return rune(data[i]) | rune(data[i+1])<<8
		}
		return rune(data[i])<<8 | rune(data[i+1])
	}
	for i := 0; i+2 <= len(data); i += 2 {
		r := unit(i)
		if utf16.IsSurrogate(r) && i+4 <= len(data) {
			if full := utf16.DecodeRune(r, unit(i+2)); full != utf8.RuneError {
				r = full
				i += 2
			}
		}
		out = utf8.AppendRune(out, r)
	}
	return out, "utf-16"
}
