package packfile

import (
	"encoding/binary"
	"errors"
	"math/bits"

	"github.com/keywright/keywright/scan"
)

var errDelta = errors.New("corrupt delta")

// uvarint reads a size at the beginning of a delta.
func uvarint(b []byte) (v uint64, n int) {
	v, n = binary.Uvarint(b)
	return v, max(n, 0)
}

// targetSize returns the size of a delta's result, and checks its base's size.
func targetSize(delta []byte, baseSize int) (uint64, error) {
	base, n := uvarint(delta)
	size, m := uvarint(delta[n:])
	if n == 0 || m == 0 || base != uint64(baseSize) {
		return 0, errDelta
	}
	return size, nil
}

// patch applies a delta to a base, filling target exactly. It appends the copies,
// joined where they continue each other, to copies.
func patch(target, base, delta []byte, copies []scan.Copy) ([]scan.Copy, error) {
	_, n := uvarint(delta)
	_, m := uvarint(delta[n:])
	out := 0
	first := len(copies)
	for d := delta[n+m:]; len(d) > 0; {
		op := d[0]
		d = d[1:]
		if op&0x80 == 0 {
			n := int(op)
			if n == 0 || n > len(d) || n > len(target)-out {
				return copies, errDelta
			}
			out += copy(target[out:], d[:n])
			d = d[n:]
			continue
		}
		from, size, rest, ok := copyOp(op, d)
		if !ok || from > len(base) || size > len(base)-from || size > len(target)-out {
			return copies, errDelta
		}
		d = rest
		if last := len(copies) - 1; last >= first && copies[last].Base+copies[last].Len == from && copies[last].Start+copies[last].Len == out {
			copies[last].Len += size
		} else {
			copies = append(copies, scan.Copy{Base: from, Start: out, Len: size})
		}
		out += copy(target[out:], base[from:from+size])
	}
	if out != len(target) {
		return copies, errDelta
	}
	return copies, nil
}

// copyOp reads the offset and the size of a copy instruction, of which op says
// which bytes are there.
func copyOp(op byte, d []byte) (from, size int, rest []byte, ok bool) {
	n := bits.OnesCount8(op & 0x7F)
	if n > len(d) {
		return 0, 0, nil, false
	}
	i := 0
	if op&0x01 != 0 {
		from, i = int(d[0]), 1
	}
	if op&0x02 != 0 {
		from |= int(d[i]) << 8
		i++
	}
	if op&0x04 != 0 {
		from |= int(d[i]) << 16
		i++
	}
	if op&0x08 != 0 {
		from |= int(d[i]) << 24
		i++
	}
	if op&0x10 != 0 {
		size = int(d[i])
		i++
	}
	if op&0x20 != 0 {
		size |= int(d[i]) << 8
		i++
	}
	if op&0x40 != 0 {
		size |= int(d[i]) << 16
	}
	if size == 0 {
		size = 1 << 16
	}
	return from, size, d[n:], true
}
