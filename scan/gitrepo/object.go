package gitrepo

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/keywright/keywright/scan/packfile"
)

// ID names a Git object.
type ID = packfile.ID

// The file modes of tree and index entries.
const (
	ModeDir     uint32 = 0o040000
	ModeRegular uint32 = 0o100644
	ModeExec    uint32 = 0o100755
	ModeSymlink uint32 = 0o120000
	ModeGitlink uint32 = 0o160000 // a submodule's commit

	modeType uint32 = 0o170000
)

func isDir(mode uint32) bool     { return mode&modeType == ModeDir }
func isGitlink(mode uint32) bool { return mode&modeType == ModeGitlink }

// IsRegular reports whether a mode is a regular file's, executable or not.
func IsRegular(mode uint32) bool { return mode&modeType == ModeRegular&modeType }

// isBlob holds for regular files, executables and symbolic links.
func isBlob(mode uint32) bool { return !isDir(mode) && !isGitlink(mode) }

// TreeEntry is one line of a tree object. Name and ID point into the tree's bytes.
type TreeEntry struct {
	Mode uint32
	Name []byte // raw bytes, no slash in a well-formed tree
	ID   *ID
}

var errTree = errors.New("malformed tree entry")

// NextEntry reads the first entry of a tree's bytes and returns what follows it.
// It allocates nothing. An entry without name, mode or whole id is an error; an
// odd mode or a name that Git would refuse is not.
func NextEntry(tree []byte) (TreeEntry, []byte, error) {
	var mode uint32
	i := 0
	for ; i < len(tree) && tree[i] != ' '; i++ {
		c := tree[i] - '0'
		if c > 7 || i > 10 {
			return TreeEntry{}, nil, errTree
		}
		mode = mode<<3 | uint32(c)
	}
	if i == 0 || i == len(tree) {
		return TreeEntry{}, nil, errTree
	}
	rest := tree[i+1:]
	n := bytes.IndexByte(rest, 0)
	if n <= 0 || len(rest)-n-1 < packfile.Size {
		return TreeEntry{}, nil, errTree
	}
	end := n + 1 + packfile.Size
	return TreeEntry{mode, rest[:n], (*ID)(rest[n+1 : end])}, rest[end:], nil
}

// Commit is a parsed commit object. Every slice but Parents points into the
// object's bytes, in whatever encoding those are.
type Commit struct {
	Tree      ID
	Parents   []ID
	Author    []byte // the raw "name <email> seconds zone" line, for ParseSignature
	Committer []byte
	Encoding  []byte // the message's encoding header; empty means UTF-8
	Message   []byte
}

// ParseCommit fills c from a commit object's bytes and reuses c's Parents. A
// commit without a tree line is an error; later headers that Git would not
// write are skipped, as Git does.
func ParseCommit(data []byte, c *Commit) error {
	*c = Commit{Parents: c.Parents[:0]}
	line, rest := cutLine(data)
	if !idLine(line, "tree ", &c.Tree) {
		return errors.New("commit without a tree line")
	}
	var id ID
	for {
		line, next := cutLine(rest)
		if !bytes.HasPrefix(line, []byte("parent ")) {
			break
		}
		if !idLine(line, "parent ", &id) {
			return errors.New("commit with a malformed parent line")
		}
		c.Parents = append(c.Parents, id)
		rest = next
	}
	c.Message = eachHeader(rest, func(key string, value []byte) {
		switch {
		case key == "author" && c.Author == nil:
			c.Author = value
		case key == "committer" && c.Committer == nil:
			c.Committer = value
		case key == "encoding" && c.Encoding == nil:
			c.Encoding = value
		}
	})
	return nil
}

// Tag is a parsed annotated tag. Its slices point into the object's bytes.
type Tag struct {
	Target  ID
	Type    packfile.Type // of the target
	Name    []byte
	Tagger  []byte // as Commit.Author; absent in very old tags
	Message []byte // with its signature, if there is one
}

// ParseTag reads a tag object's bytes.
func ParseTag(data []byte) (Tag, error) {
	var t Tag
	line, rest := cutLine(data)
	if !idLine(line, "object ", &t.Target) {
		return Tag{}, errors.New("tag without an object line")
	}
	line, rest = cutLine(rest)
	kind, ok := bytes.CutPrefix(line, []byte("type "))
	if !ok {
		return Tag{}, errors.New("tag without a type line")
	}
	var err error
	if t.Type, err = packfile.ParseType(string(kind)); err != nil {
		return Tag{}, fmt.Errorf("tag: %w", err)
	}
	t.Message = eachHeader(rest, func(key string, value []byte) {
		switch {
		case key == "tag" && t.Name == nil:
			t.Name = value
		case key == "tagger" && t.Tagger == nil:
			t.Tagger = value
		}
	})
	return t, nil
}

// eachHeader calls fn for every header line up to the empty line and returns
// what follows it. Continuation lines, which begin with a space, are skipped.
func eachHeader(data []byte, fn func(key string, value []byte)) []byte {
	for len(data) > 0 {
		line, rest := cutLine(data)
		data = rest
		if len(line) == 0 {
			return data
		}
		if line[0] == ' ' {
			continue
		}
		if key, value, ok := bytes.Cut(line, []byte(" ")); ok {
			fn(string(key), value)
		}
	}
	return nil
}

// cutLine splits off the first line, without its newline.
func cutLine(b []byte) (line, rest []byte) {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return b[:i], b[i+1:]
	}
	return b, nil
}

func idLine(line []byte, key string, id *ID) bool {
	digits, ok := bytes.CutPrefix(line, []byte(key))
	return ok && decodeID(digits, id)
}

// decodeID reads exactly 40 hexadecimal digits, without allocating.
func decodeID(digits []byte, id *ID) bool {
	if len(digits) != 2*packfile.Size {
		return false
	}
	for i := range id {
		hi, lo := unhex(digits[2*i]), unhex(digits[2*i+1])
		if hi > 15 || lo > 15 {
			return false
		}
		id[i] = hi<<4 | lo
	}
	return true
}

func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// Signature is who did something, and when. Name and Email are raw bytes.
type Signature struct {
	Name, Email []byte
	When        time.Time // with the zone that was written; zero if unreadable
}

// ParseSignature reads an author, committer or tagger line. What it cannot read
// stays empty: old and foreign tools wrote all sorts of things there.
func ParseSignature(line []byte) Signature {
	var s Signature
	name, rest, ok := bytes.Cut(line, []byte("<"))
	s.Name = bytes.TrimSpace(name)
	if !ok {
		return s
	}
	// The date stands after the last '>', as Git reads it: some emails hold one.
	end := bytes.LastIndexByte(rest, '>')
	if end < 0 {
		s.Email = bytes.TrimSpace(rest)
		return s
	}
	s.Email = bytes.TrimSpace(rest[:end])
	s.When = parseWhen(rest[end+1:])
	return s
}

// maxSeconds is the end of the year 9999, the last that RFC 3339 can write.
const maxSeconds = 253402300799

// parseWhen reads "seconds ±hhmm".
func parseWhen(b []byte) time.Time {
	fields := bytes.Fields(b)
	if len(fields) == 0 {
		return time.Time{}
	}
	secs, err := strconv.ParseInt(string(fields[0]), 10, 64)
	if err != nil || secs > maxSeconds || secs < -maxSeconds {
		return time.Time{}
	}
	t := time.Unix(secs, 0).UTC()
	if len(fields) > 1 {
		if offset, ok := parseZone(string(fields[1])); ok && offset != 0 {
			t = t.In(time.FixedZone("", offset))
		}
	}
	return t
}

// parseZone reads ±hhmm as seconds east of Greenwich.
func parseZone(s string) (int, bool) {
	if len(s) != 5 || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	n, err := strconv.ParseUint(s[1:], 10, 16)
	if err != nil || n%100 >= 60 || n >= 2400 {
		return 0, false
	}
	offset := int(n/100*3600 + n%100*60)
	if s[0] == '-' {
		offset = -offset
	}
	return offset, true
}

// commitTime returns the committer's seconds alone, cheaply; 0 if unreadable.
func commitTime(committer []byte) int64 {
	end := bytes.LastIndexByte(committer, '>')
	digits := bytes.TrimLeft(committer[end+1:], " ")
	if i := bytes.IndexByte(digits, ' '); i >= 0 {
		digits = digits[:i]
	}
	secs, err := strconv.ParseInt(string(digits), 10, 64)
	if err != nil {
		return 0
	}
	return secs
}
