package packfile

import (
	"bytes"
	"cmp"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"sort"
)

// index is a pack index: the ids of a pack's objects in order, and where each
// stands in the pack. See gitformat-pack(5), versions 1 and 2.
type index struct {
	ids      []ID
	offsets  []int64
	byOffset []int32 // indexes into ids, in the order of offsets
	trailer  ID      // the pack's checksum
}

func readIndex(path string) (*index, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	x, err := parseIndex(data)
	if err != nil {
		return nil, fmt.Errorf("read pack index %s: %w", path, err)
	}
	return x, nil
}

var indexMagic = []byte{0xFF, 't', 'O', 'c'}

// parseIndex reads an index file whole. It accepts nothing that is out of order,
// out of bounds, or does not match the file's checksum.
func parseIndex(data []byte) (*index, error) {
	const trailers = 2 * Size
	version2 := bytes.HasPrefix(data, indexMagic)
	head := 0
	if version2 {
		head = 8
	}
	if len(data) < head+fanoutSize+trailers {
		return nil, errors.New("truncated")
	}
	if version2 && binary.BigEndian.Uint32(data[4:]) != 2 {
		return nil, fmt.Errorf("version %d is not supported", binary.BigEndian.Uint32(data[4:]))
	}
	if sum := sha1.Sum(data[:len(data)-Size]); !bytes.Equal(sum[:], data[len(data)-Size:]) {
		return nil, errors.New("checksum does not match")
	}
	n := int64(binary.BigEndian.Uint32(data[head+fanoutSize-4:]))
	body := data[head+fanoutSize : len(data)-trailers]
	x := &index{trailer: ID(data[len(data)-trailers : len(data)-Size])}
	var err error
	if version2 {
		err = x.readV2(body, n)
	} else {
		err = x.readV1(body, n)
	}
	if err != nil {
		return nil, err
	}
	return x, x.order()
}

const fanoutSize = 256 * 4

func (x *index) readV1(body []byte, n int64) error {
	const entry = 4 + Size
	if int64(len(body)) != n*entry {
		return fmt.Errorf("%d bytes for %d objects", len(body), n)
	}
	x.ids, x.offsets = make([]ID, n), make([]int64, n)
	for i := range x.ids {
		e := body[i*entry:]
		x.offsets[i] = int64(binary.BigEndian.Uint32(e))
		x.ids[i] = ID(e[4:entry])
	}
	return nil
}

func (x *index) readV2(body []byte, n int64) error {
	if int64(len(body)) < n*(Size+4+4) {
		return fmt.Errorf("%d bytes for %d objects", len(body), n)
	}
	ids, offsets := body[:n*Size], body[n*(Size+4):n*(Size+4+4)]
	large := body[n*(Size+4+4):]
	x.ids, x.offsets = make([]ID, n), make([]int64, n)
	for i := range x.ids {
		x.ids[i] = ID(ids[i*Size:])
		o := int64(binary.BigEndian.Uint32(offsets[i*4:]))
		if o&(1<<31) != 0 { // the rest is an index into the table of 64-bit offsets
			k := (o &^ (1 << 31)) * 8
			if k+8 > int64(len(large)) {
				return errors.New("64-bit offset out of bounds")
			}
			o = int64(binary.BigEndian.Uint64(large[k:]))
		}
		x.offsets[i] = o
	}
	return nil
}

// order checks that ids and offsets are distinct, and sorts by offset.
func (x *index) order() error {
	for i := 1; i < len(x.ids); i++ {
		if bytes.Compare(x.ids[i-1][:], x.ids[i][:]) >= 0 {
			return errors.New("object ids are not in order")
		}
	}
	x.byOffset = make([]int32, len(x.ids))
	for i := range x.byOffset {
		x.byOffset[i] = int32(i)
	}
	slices.SortFunc(x.byOffset, func(a, b int32) int { return cmp.Compare(x.offsets[a], x.offsets[b]) })
	for i, k := range x.byOffset {
		if o := x.offsets[k]; o < headerSize || i > 0 && o <= x.offsets[x.byOffset[i-1]] {
			return fmt.Errorf("impossible offset %d", o)
		}
	}
	return nil
}

// find returns the index of an id.
func (x *index) find(id ID) (int, bool) {
	i := sort.Search(len(x.ids), func(i int) bool { return bytes.Compare(x.ids[i][:], id[:]) >= 0 })
	return i, i < len(x.ids) && x.ids[i] == id
}

// at returns the place, in the order of offsets, of the object at an offset.
func (x *index) at(offset int64) (place int, ok bool) {
	i := sort.Search(len(x.byOffset), func(i int) bool { return x.offsets[x.byOffset[i]] >= offset })
	return i, i < len(x.byOffset) && x.offsets[x.byOffset[i]] == offset
}

// findPrefix returns the ids that begin with the hexadecimal digits.
func (x *index) findPrefix(prefix string) []ID {
	low := prefix + "0000000000000000000000000000000000000000"[:max(0, 2*Size-len(prefix))]
	first, err := hex.DecodeString(low)
	if err != nil || len(first) != Size {
		return nil
	}
	i := sort.Search(len(x.ids), func(i int) bool { return bytes.Compare(x.ids[i][:], first) >= 0 })
	var out []ID
	for ; i < len(x.ids) && x.ids[i].String()[:len(prefix)] == prefix; i++ {
		out = append(out, x.ids[i])
	}
	return out
}
