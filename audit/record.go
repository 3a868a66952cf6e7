package audit

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
)

// record is a line of the file of entries: see the package's comment.
type record struct {
	Seq    int64           `json:"seq"`
	Salt   []byte          `json:"salt,omitempty"`
	Body   json.RawMessage `json:"body,omitempty"`
	Digest []byte          `json:"digest,omitempty"`
	MAC    []byte          `json:"mac"`
}

const (
	leafVersion = 1
	saltSize    = 16

	// The longest line. All texts at their bounds, each byte escaped in six, are less.
	maxLine = 64 << 10
)

func newRecord(k *key, seq int64, body []byte) record {
	salt := make([]byte, saltSize)
	rand.Read(salt)
	r := record{Seq: seq, Salt: salt, Body: body}
	r.MAC = r.sum(k)
	return r
}

// erase returns the record without its body and salt.
func (r record) erase(k *key) record {
	e := record{Seq: r.Seq, Digest: r.digest()}
	e.MAC = e.sum(k)
	return e
}

func (r record) erased() bool { return r.Digest != nil }

func (r record) digest() []byte {
	if r.erased() {
		return r.Digest
	}
	return digest(r.Salt, r.Body)
}

func digest(salt, body []byte) []byte {
	h := sha256.New()
	h.Write(salt)
	h.Write(body)
	return h.Sum(nil)
}

// leaf is what the tree commits to.
func (r record) leaf() []byte { return leaf(r.Seq, r.digest()) }

func leaf(seq int64, digest []byte) []byte {
	return append(binary.BigEndian.AppendUint64([]byte{leafVersion}, uint64(seq)), digest...)
}

func (r record) sum(k *key) []byte {
	kind := byte('e')
	if r.erased() {
		kind = 'x'
	}
	h := hmac.New(sha256.New, k.mac)
	h.Write([]byte{kind})
	h.Write(r.leaf())
	return h.Sum(nil)
}

// authentic reports whether the holder of the key wrote the record.
func (r record) authentic(k *key) bool { return hmac.Equal(r.MAC, r.sum(k)) }

// encode gives the record's line.
func (r record) encode() ([]byte, error) {
	line, err := json.Marshal(r)
	if err == nil && len(line) >= maxLine {
		err = fmt.Errorf("%d bytes are more than a record may have", len(line))
	}
	return append(line, '\n'), err
}

var errRecord = errors.New("not a record")

// parseRecord reads a line, with its newline. It takes what encode gives and nothing
// else. The record does not share memory with the line.
func parseRecord(line []byte) (record, error) {
	var r record
	if len(line) > maxLine || json.Unmarshal(line, &r) != nil {
		return record{}, errRecord
	}
	whole := len(r.Salt) == saltSize && len(r.Body) > 0 && r.Digest == nil
	erased := r.Salt == nil && r.Body == nil && len(r.Digest) == sha256.Size
	if r.Seq < 0 || len(r.MAC) != sha256.Size || !whole && !erased {
		return record{}, errRecord
	}
	if same, err := r.encode(); err != nil || !bytes.Equal(same, line) {
		return record{}, errRecord
	}
	return r, nil
}

// lines iterates over the lines of r with their newlines, which the last may lack.
// Of a line that is too long, only the beginning is given, still too long. Lines are
// valid until the next.
func lines(r io.Reader) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		b := bufio.NewReaderSize(r, maxLine)
		for {
			line, err := b.ReadSlice('\n')
			if errors.Is(err, bufio.ErrBufferFull) {
				line = bytes.Clone(line)
				if err = skipLine(b); err == nil {
					line = append(line, '\n')
				}
			}
			if len(line) > 0 && !yield(line, nil) || errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

func skipLine(b *bufio.Reader) error {
	for {
		if _, err := b.ReadSlice('\n'); !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}
