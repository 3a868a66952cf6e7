package rules

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"math/big"
	"strconv"
	"strings"

	"golang.org/x/crypto/ripemd160" //lint:ignore SA1019 the address formats are defined by it

	"github.com/keywright/keywright/scan"
)

// What samples of blockchain keys are made with. The formats are those of package
// proof, which decodes them.

// ripple58 is the XRP Ledger's order of the base 58 digits.
const ripple58 = "rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz"

// base58Text writes b in base 58 with the alphabet.
func base58Text(alphabet string, b []byte) string {
	var digits []byte
	n, radix, digit := new(big.Int).SetBytes(b), big.NewInt(58), new(big.Int)
	for n.Sign() > 0 {
		n.DivMod(n, radix, digit)
		digits = append(digits, alphabet[digit.Int64()])
	}
	for i := 0; i < len(b) && b[i] == 0; i++ {
		digits = append(digits, alphabet[0])
	}
	for i, j := 0, len(digits)-1; i < j; i, j = i+1, j-1 {
		digits[i], digits[j] = digits[j], digits[i]
	}
	return string(digits)
}

// check58Text is base58check of the concatenation of the parts.
func check58Text(alphabet string, parts ...[]byte) string {
	b := bytes.Join(parts, nil)
	once := sha256.Sum256(b)
	twice := sha256.Sum256(once[:])
	return base58Text(alphabet, append(b, twice[:4]...))
}

// bech32Text is bech32 (BIP-173) of the payload, in lower case.
func bech32Text(hrp string, payload []byte) string {
	const charset = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
	var values []byte
	acc, n := uint32(0), 0
	for _, b := range payload {
		acc, n = acc<<8|uint32(b), n+8
		for n >= 5 {
			n -= 5
			values = append(values, byte(acc>>n&31))
		}
	}
	if n > 0 {
		values = append(values, byte(acc<<(5-n)&31))
	}
	var checked []byte
	for i := range len(hrp) {
		checked = append(checked, hrp[i]>>5)
	}
	checked = append(checked, 0)
	for i := range len(hrp) {
		checked = append(checked, hrp[i]&31)
	}
	sum := bech32Polymod(append(append(checked, values...), 0, 0, 0, 0, 0, 0)) ^ 1
	for i := range 6 {
		values = append(values, byte(sum>>(5*(5-i))&31))
	}
	text := []byte(hrp + "1")
	for _, v := range values {
		text = append(text, charset[v])
	}
	return string(text)
}

func bech32Polymod(values []byte) uint32 {
	sum := uint32(1)
	for _, v := range values {
		top := sum >> 25
		sum = sum&0x1ffffff<<5 ^ uint32(v)
		for i, g := range [...]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 != 0 {
				sum ^= g
			}
		}
	}
	return sum
}

// strkeyText is base 32 of body and its CRC-16/XMODEM, as Stellar and NATS write
// keys.
func strkeyText(body []byte) string {
	var crc uint16
	for _, b := range body {
		crc ^= uint16(b) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(binary.LittleEndian.AppendUint16(bytes.Clone(body), crc))
}

// keyBytes are 32 bytes that are a key on every curve that chains use.
func keyBytes(g *scan.Gen) []byte {
	b := g.Bytes(32)
	b[0], b[31] = b[0]&0x07|1, b[31]&0x0f
	return b
}

func keyHex(g *scan.Gen) string { return hex.EncodeToString(keyBytes(g)) }

// keyPair is an ed25519 seed and its public key.
func keyPair(g *scan.Gen) []byte { return ed25519.NewKeyFromSeed(g.Bytes(32)) }

// intsText writes bytes as decimal numbers between commas.
func intsText(b []byte, sep string) string {
	var out []string
	for _, v := range b {
		out = append(out, strconv.Itoa(int(v)))
	}
	return strings.Join(out, sep)
}

// edited changes the last character but one, so that checksums fail.
func edited(s string) string {
	b := []byte(s)
	i := len(b) - 2
	switch b[i] {
	case '2':
		b[i] = '3'
	default:
		b[i] = '2'
	}
	return string(b)
}

func sha256Of(b []byte) [sha256.Size]byte { return sha256.Sum256(b) }

func crc32Of(b []byte) uint32 { return crc32.ChecksumIEEE(b) }

// ripemdOf is RIPEMD-160 of the concatenation of the parts.
func ripemdOf(parts ...[]byte) []byte {
	h := ripemd160.New()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

func itoa(n int) string { return strconv.Itoa(n) }
