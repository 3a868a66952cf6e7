package sshkey

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/crypto/ssh"
)

// line is a line of authorized_keys that lists a key.
type line struct {
	options string
	comment string
}

// keyOf reads a line; no is for one that lists no key.
func keyOf(raw []byte) (l line, id string, ok bool) {
	if text := bytes.TrimSpace(raw); len(text) == 0 || text[0] == '#' {
		return line{}, "", false
	}
	public, comment, options, _, err := ssh.ParseAuthorizedKey(raw)
	if err != nil {
		return line{}, "", false
	}
	return line{options: strings.Join(options, ","), comment: comment}, fingerprint(public), true
}

func find(lines []byte, id string) (line, bool) {
	for raw := range bytes.Lines(lines) {
		if l, of, ok := keyOf(raw); ok && of == id {
			return l, true
		}
	}
	return line{}, false
}

// add adds a line for a key, with the options and the comment of another's.
func add(lines []byte, from string, next ssh.PublicKey) ([]byte, error) {
	if _, there := find(lines, fingerprint(next)); there {
		return lines, nil
	}
	old, ok := find(lines, from)
	if !ok {
		return nil, errors.New("the file does not list the old key " + from)
	}
	out := bytes.Clone(lines)
	if !bytes.HasSuffix(out, []byte("\n")) {
		out = append(out, '\n')
	}
	if old.options != "" {
		out = append(append(out, old.options...), ' ')
	}
	out = append(out, bytes.TrimSpace(ssh.MarshalAuthorizedKey(next))...)
	if who := marked.ReplaceAllString(old.comment, ""); who != "" {
		out = append(append(out, ' '), who...)
	}
	return append(append(append(out, ' '), mark(next)...), '\n'), nil
}

// remove leaves all other lines as they are.
func remove(lines []byte, id string) []byte {
	var out []byte
	for raw := range bytes.Lines(lines) {
		if _, of, ok := keyOf(raw); !ok || of != id {
			out = append(out, raw...)
		}
	}
	return out
}

// mark says in a key's comment which one it is, and that keywright made it.
func mark(k ssh.PublicKey) string {
	sum := sha256.Sum256(k.Marshal())
	return "keywright-" + hex.EncodeToString(sum[:6])
}

var marked = regexp.MustCompile(` ?\bkeywright-[0-9a-f]{12}$`)

// printable is one line that any terminal can take.
func printable(text string) string {
	r := []rune(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text))
	return string(r[:min(len(r), 300)])
}
