package durable

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// A sealed blob is
//
//	"kwsealed" || version (4 bytes, big-endian) || tag (32 bytes) || payload
//
// where tag is the HMAC-SHA-256, under the caller's key, of everything else in
// that order. The payload is readable: a seal proves who wrote it, no more.
const (
	sealMagic  = "kwsealed"
	sealHeader = len(sealMagic) + 4
	sealTag    = sha256.Size

	// SealOverhead is how many bytes a seal adds.
	SealOverhead = sealHeader + sealTag
)

// The errors of Open.
var (
	// ErrVersion is a blob of another version, sealed or not: its format is not known.
	ErrVersion = errors.New("written by another version of keywright")
	// ErrSeal is a blob that was damaged, or not sealed under this key.
	ErrSeal = errors.New("damaged, or not written by this keywright")
)

// Seal returns payload with a header that Open checks. The key must be secret, and
// used for one purpose only; version is that of the payload's format.
func Seal(key []byte, version uint32, payload []byte) []byte {
	out := make([]byte, 0, SealOverhead+len(payload))
	out = append(out, sealMagic...)
	out = binary.BigEndian.AppendUint32(out, version)
	out = append(out, tag(key, out, payload)...)
	return append(out, payload...)
}

// Open returns the payload of what Seal made with the same key and version. The
// payload is a part of data, not a copy. The error is, or wraps, ErrVersion or
// ErrSeal; a caller that can do without the blob takes both as "not there".
func Open(key []byte, version uint32, data []byte) ([]byte, error) {
	if len(data) < SealOverhead || !bytes.HasPrefix(data, []byte(sealMagic)) {
		return nil, ErrSeal
	}
	header, sum, payload := data[:sealHeader], data[sealHeader:SealOverhead], data[SealOverhead:]
	if got := binary.BigEndian.Uint32(header[len(sealMagic):]); got != version {
		return nil, fmt.Errorf("%w: version %d instead of %d", ErrVersion, got, version)
	}
	if !hmac.Equal(sum, tag(key, header, payload)) {
		return nil, ErrSeal
	}
	return payload, nil
}

func tag(key, header, payload []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(header)
	h.Write(payload)
	return h.Sum(nil)
}
