package proof

import (
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"math/bits"
)

// The digit orders of base 62 and base 36. Vendors differ in which case of
// letters comes first.
const (
	base62UpperFirst = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	base62LowerFirst = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	base36Lower      = "0123456789abcdefghijklmnopqrstuvwxyz"
)

// crc32IEEE is the CRC-32 of zlib, PNG and Ethernet.
func crc32IEEE(b []byte) uint32 { return crc32.ChecksumIEEE(b) }

// crc32Base62 is the CRC-32 of b as six base-62 digits, most significant first.
func crc32Base62(b []byte) string { return digits(crc32IEEE(b), base62UpperFirst, 6) }

// crc32Hex is the CRC-32 of b as eight lower-case hexadecimal digits.
func crc32Hex(b []byte) string {
	return hex.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32IEEE(b)))
}

// digits writes v in the alphabet's base, most significant digit first, padded
// on the left with the alphabet's first character to at least width digits.
func digits(v uint32, alphabet string, width int) string {
	var buf [32]byte
	i := len(buf)
	base := uint32(len(alphabet))
	for v > 0 || len(buf)-i < width {
		i--
		buf[i] = alphabet[v%base]
		v /= base
	}
	return string(buf[i:])
}

// marvin32 is the Marvin checksum of data under an eight-byte seed, as published
// with .NET and used by Microsoft's identifiable secrets: the two halves of the
// 64-bit state, folded by exclusive or.
func marvin32(data []byte, seed string) uint32 {
	if len(seed) != 8 {
		return 0
	}
	hi, lo := marvin(data, binary.BigEndian.Uint64([]byte(seed)))
	return hi ^ lo
}

// marvin returns the state after data and the final padding block.
func marvin(data []byte, seed uint64) (hi, lo uint32) {
	lo, hi = uint32(seed), uint32(seed>>32)
	block := func(w uint32) {
		lo += w
		hi ^= lo
		lo = bits.RotateLeft32(lo, 20) + hi
		hi = bits.RotateLeft32(hi, 9) ^ lo
		lo = bits.RotateLeft32(lo, 27) + hi
		hi = bits.RotateLeft32(hi, 19)
	}
	for len(data) >= 4 {
		block(binary.LittleEndian.Uint32(data))
		data = data[4:]
	}
	var tail [4]byte
	copy(tail[:], data)
	tail[len(data)] = 0x80
	block(binary.LittleEndian.Uint32(tail[:]))
	block(0)
	return hi, lo
}

// crc24 is the checksum of OpenPGP's ASCII armor (RFC 9580, section 6.1).
func crc24(b []byte) uint32 {
	crc := uint32(0xB704CE)
	for _, c := range b {
		crc ^= uint32(c) << 16
		for range 8 {
			crc <<= 1
			if crc&0x1000000 != 0 {
				crc ^= 0x1864CFB
			}
		}
	}
	return crc & 0xFFFFFF
}
