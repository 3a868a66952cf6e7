package proof

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"math/bits"

	"github.com/keywright/keywright/scan"
)

// The two orders of the base 58 digits: Bitcoin's, which nearly everyone uses,
// and the XRP Ledger's.
const (
	bitcoin58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	ripple58  = "rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz"
)

// bitcoinDigits and rippleDigits give each byte's digit plus one, zero for a
// byte that is no digit. They are constant tables, so that no start-up code runs.
var bitcoinDigits = [256]byte{
	'1': 1, '2': 2, '3': 3, '4': 4, '5': 5, '6': 6, '7': 7, '8': 8, '9': 9,
	'A': 10, 'B': 11, 'C': 12, 'D': 13, 'E': 14, 'F': 15, 'G': 16, 'H': 17, 'J': 18,
	'K': 19, 'L': 20, 'M': 21, 'N': 22, 'P': 23, 'Q': 24, 'R': 25, 'S': 26, 'T': 27,
	'U': 28, 'V': 29, 'W': 30, 'X': 31, 'Y': 32, 'Z': 33,
	'a': 34, 'b': 35, 'c': 36, 'd': 37, 'e': 38, 'f': 39, 'g': 40, 'h': 41, 'i': 42,
	'j': 43, 'k': 44, 'm': 45, 'n': 46, 'o': 47, 'p': 48, 'q': 49, 'r': 50, 's': 51,
	't': 52, 'u': 53, 'v': 54, 'w': 55, 'x': 56, 'y': 57, 'z': 58,
}

var rippleDigits = [256]byte{
	'r': 1, 'p': 2, 's': 3, 'h': 4, 'n': 5, 'a': 6, 'f': 7, '3': 8, '9': 9,
	'w': 10, 'B': 11, 'U': 12, 'D': 13, 'N': 14, 'E': 15, 'G': 16, 'H': 17, 'J': 18,
	'K': 19, 'L': 20, 'M': 21, '4': 22, 'P': 23, 'Q': 24, 'R': 25, 'S': 26, 'T': 27,
	'7': 28, 'V': 29, 'W': 30, 'X': 31, 'Y': 32, 'Z': 33, '2': 34, 'b': 35, 'c': 36,
	'd': 37, 'e': 38, 'C': 39, 'g': 40, '6': 41, '5': 42, 'j': 43, 'k': 44, 'm': 45,
	'8': 46, 'o': 47, 'F': 48, 'q': 49, 'i': 50, '1': 51, 't': 52, 'u': 53, 'v': 54,
	'A': 55, 'x': 56, 'y': 57, 'z': 58,
}

// maxBase58 is the longest text decode58 accepts, in digits. The longest key
// format in base 58, a BIP-32 extended key, has 111.
const maxBase58 = 128

// decode58 decodes s into buf and returns the decoded bytes, nil if s is empty,
// too long, or holds a byte that is no digit. It does not allocate: it is asked
// about every long alphanumeric run of a repository.
func decode58(buf *[maxBase58]byte, s []byte, digits *[256]byte) []byte {
	const perStep = 10 // 58^10 < 2^64
	if len(s) == 0 || len(s) > maxBase58 {
		return nil
	}
	var limbs [12]uint64 // little-endian; 58^128 < 2^768
	n := 0
	for i := 0; i < len(s); {
		chunk, scale := uint64(0), uint64(1)
		for end := min(i+perStep, len(s)); i < end; i++ {
			d := digits[s[i]]
			if d == 0 {
				return nil
			}
			chunk = chunk*58 + uint64(d-1)
			scale *= 58
		}
		carry := chunk
		for j := range limbs[:n] {
			hi, lo := bits.Mul64(limbs[j], scale)
			sum, over := bits.Add64(lo, carry, 0)
			limbs[j], carry = sum, hi+over
		}
		if carry != 0 {
			limbs[n] = carry
			n++
		}
	}
	zeros := 0 // each leading zero digit is one zero byte
	for zeros < len(s) && digits[s[zeros]] == 1 {
		zeros++
	}
	clear(buf[:zeros])
	out := buf[:zeros]
	for j := n - 1; j >= 0; j-- {
		for shift := 56; shift >= 0; shift -= 8 {
			if b := byte(limbs[j] >> shift); b != 0 || len(out) > zeros {
				out = append(out, b)
			}
		}
	}
	return out
}

// encode58 is the inverse of decode58, for public identifiers of any length.
func encode58(b []byte, alphabet string) string {
	zeros := 0
	for zeros < len(b) && b[zeros] == 0 {
		zeros++
	}
	var digits []byte // little-endian
	for _, v := range b[zeros:] {
		carry := int(v)
		for i := range digits {
			carry += int(digits[i]) << 8
			digits[i], carry = byte(carry%58), carry/58
		}
		for ; carry > 0; carry /= 58 {
			digits = append(digits, byte(carry%58))
		}
	}
	out := bytes.Repeat([]byte{alphabet[0]}, zeros)
	for i := len(digits) - 1; i >= 0; i-- {
		out = append(out, alphabet[digits[i]])
	}
	return string(out)
}

// doubleSHA256Tail reports whether b ends with the first four bytes of the
// SHA-256 of the SHA-256 of what precedes them: the check of base58check.
func doubleSHA256Tail(b []byte) bool {
	if len(b) < 5 {
		return false
	}
	body := len(b) - 4
	once := sha256.Sum256(b[:body])
	twice := sha256.Sum256(once[:])
	return [4]byte(twice[:4]) == [4]byte(b[body:])
}

// encodeCheck58 is base58check of the concatenation of the parts.
func encodeCheck58(alphabet string, parts ...[]byte) string {
	b := bytes.Join(parts, nil)
	once := sha256.Sum256(b)
	twice := sha256.Sum256(once[:])
	return encode58(append(b, twice[:4]...), alphabet)
}

// checkFails58 answers for text of the right shape without the right checksum.
var checkFails58 = scan.Evidence{Proof: scan.Failed, Reason: "base58check does not match: edited, truncated or an example"}

// BitcoinWIF checks a private key in wallet import format, as Bitcoin and its
// descendants write it: a version byte, 32 bytes of key, 01 if the public key is
// used compressed, base58check. The secret is the text of 51 or 52 digits; the
// public identifier is the pay-to-public-key-hash address.
// Bitcoin Cash, eosio (uncompressed) and others share Bitcoin's version byte.
func BitcoinWIF(c scan.Candidate) scan.Evidence { return wif(c.Secret()) }

// wifNetwork is a network's version bytes: of a private key and of an address.
type wifNetwork struct {
	version, address byte
	first            string // the first digits that the version byte leads to
	name             string
}

// The version bytes are those of each coin's chain parameters (SLIP-132's
// registry lists the same); the first digits follow from them.
var wifNetworks = [...]wifNetwork{
	{0x80, 0x00, "5KL", "Bitcoin mainnet"},
	{0xef, 0x6f, "9c", "Bitcoin testnet"},
	{0xb0, 0x30, "6T", "Litecoin"},
	{0x9e, 0x1e, "6Q", "Dogecoin"},
	{0xf1, 0x71, "9c", "Dogecoin testnet"},
	{0xcc, 0x4c, "7X", "Dash"},
	{0xb7, 0x37, "7U", "Peercoin"},
	{0xb4, 0x34, "7T", "Namecoin"},
	{0xd2, 0x52, "8Y", "Firo"},
}

func wif(s []byte) scan.Evidence {
	if len(s) != 51 && len(s) != 52 || !wifFirst(s[0]) {
		return scan.Rejected
	}
	var buf [maxBase58]byte
	b := decode58(&buf, s, &bitcoinDigits)
	if b == nil {
		return scan.Rejected
	}
	compressed := len(b) == 1+32+1+4 && b[33] == 1
	if !compressed && len(b) != 1+32+4 {
		return checkFails58
	}
	if !doubleSHA256Tail(b) {
		return checkFails58
	}
	for i := range wifNetworks {
		if n := &wifNetworks[i]; n.version == b[0] {
			return n.evidence(b[1:33], compressed)
		}
	}
	return scan.Fails("base58check holds, but no known network has this version byte")
}

func wifFirst(c byte) bool {
	for i := range wifNetworks {
		n := &wifNetworks[i]
		if n.first[0] == c || n.first[1] == c || len(n.first) > 2 && n.first[2] == c {
			return true
		}
	}
	return false
}

func (n *wifNetwork) evidence(key []byte, compressed bool) scan.Evidence {
	pub, ok := secp256k1Public(key)
	if !ok {
		return outsideCurve
	}
	point, form := pub.SerializeUncompressed(), "uncompressed"
	if compressed {
		point, form = pub.SerializeCompressed(), "compressed"
	}
	ev := scan.Holds("base58check holds: " + n.name + " key, " + form)
	ev.PublicID = encodeCheck58(bitcoin58, []byte{n.address}, hash160(point))
	return withTestKey(ev, key)
}

// BIP38Key checks a passphrase-encrypted private key as BIP-38 writes it: 58
// digits that begin with 6P. It needs its passphrase, so confidence is at most
// medium.
func BIP38Key(c scan.Candidate) scan.Evidence {
	s := c.Secret()
	if len(s) != 58 || s[0] != '6' || s[1] != 'P' {
		return scan.Rejected
	}
	var buf [maxBase58]byte
	b := decode58(&buf, s, &bitcoinDigits)
	if b == nil {
		return scan.Rejected
	}
	if len(b) != 39+4 || !doubleSHA256Tail(b) {
		return checkFails58
	}
	var how string
	switch {
	case b[0] == 1 && b[1] == 0x42 && b[2]&0xc0 == 0xc0:
		how = "key encrypted as a whole"
	case b[0] == 1 && b[1] == 0x43 && b[2]&0xc0 == 0:
		how = "key from an intermediate code"
	default:
		return scan.Fails("base58check holds, but this is no BIP-38 prefix")
	}
	ev := scan.Holds("base58check holds: BIP-38 " + how + ", needs its passphrase")
	ev.Cap = scan.Medium
	return withTestKey(ev, b[2:39])
}

// extendedVersion is a four-byte version of an extended private key.
type extendedVersion struct {
	version [4]byte
	name    string
}

// extendedVersions are those of BIP-32, BIP-49, BIP-84 and SLIP-132.
var extendedVersions = [...]extendedVersion{
	{[4]byte{0x04, 0x88, 0xad, 0xe4}, "xprv, Bitcoin"},
	{[4]byte{0x04, 0x9d, 0x78, 0x78}, "yprv, Bitcoin"},
	{[4]byte{0x04, 0xb2, 0x43, 0x0c}, "zprv, Bitcoin"},
	{[4]byte{0x02, 0x95, 0xb0, 0x05}, "Yprv, Bitcoin multisig"},
	{[4]byte{0x02, 0xaa, 0x7a, 0x99}, "Zprv, Bitcoin multisig"},
	{[4]byte{0x04, 0x35, 0x83, 0x94}, "tprv, Bitcoin testnet"},
	{[4]byte{0x04, 0x4a, 0x4e, 0x28}, "uprv, Bitcoin testnet"},
	{[4]byte{0x04, 0x5f, 0x18, 0xbc}, "vprv, Bitcoin testnet"},
	{[4]byte{0x02, 0x42, 0x85, 0xb5}, "Uprv, Bitcoin testnet multisig"},
	{[4]byte{0x02, 0x57, 0x50, 0x48}, "Vprv, Bitcoin testnet multisig"},
	{[4]byte{0x01, 0x9d, 0x9c, 0xfe}, "Ltpv, Litecoin"},
	{[4]byte{0x01, 0xb2, 0x67, 0x92}, "Mtpv, Litecoin"},
	{[4]byte{0x04, 0x36, 0xef, 0x7d}, "ttpv, Litecoin testnet"},
	{[4]byte{0x02, 0xfa, 0xc3, 0x98}, "dgpv, Dogecoin"},
	{[4]byte{0x02, 0xfe, 0x52, 0xcc}, "drkp, Dash"},
}

// ExtendedPrivateKey checks a BIP-32 extended private key (xprv and its kin):
// 111 digits of base58check, a zero byte before a key inside the curve's order,
// and a master key without parent. The public identifier is the key's
// fingerprint, as wallets show it. Extended public keys are no credentials.
func ExtendedPrivateKey(c scan.Candidate) scan.Evidence {
	s := c.Secret()
	if len(s) != 111 {
		return scan.Rejected
	}
	var buf [maxBase58]byte
	b := decode58(&buf, s, &bitcoinDigits)
	if b == nil {
		return scan.Rejected
	}
	if len(b) != 78+4 || !doubleSHA256Tail(b) {
		return checkFails58
	}
	if b[45] == 2 || b[45] == 3 { // a compressed point: the public half
		return scan.Rejected
	}
	const parent = 5 // depth, then the parent's fingerprint and the child number
	if b[45] != 0 || b[4] == 0 && !allZero(b[parent:parent+8]) {
		return scan.Fails("base58check holds, but the fields contradict BIP-32")
	}
	key := b[46:78]
	pub, ok := secp256k1Public(key)
	if !ok {
		return outsideCurve
	}
	name := "network unknown"
	for _, v := range extendedVersions {
		if v.version == [4]byte(b[:4]) {
			name = v.name
		}
	}
	ev := scan.Holds("base58check holds: BIP-32 extended private key (" + name + ")")
	ev.PublicID = "fingerprint " + hex.EncodeToString(hash160(pub.SerializeCompressed())[:4])
	return withTestKey(ev, key)
}

// EOSKey checks a key of Antelope chains in its newer form, PVT_K1_ or PVT_R1_
// before base 58 of the key and four bytes of RIPEMD-160 over key and curve
// name. The prefix may be missing from the secret; the curve is then found by
// trying both. The public identifier is the public key in the same form. The
// older form is a WIF.
func EOSKey(c scan.Candidate) scan.Evidence {
	s := c.Secret()
	curves := []string{"K1", "R1"}
	if rest, ok := bytes.CutPrefix(s, []byte("PVT_K1_")); ok {
		s, curves = rest, curves[:1]
	} else if rest, ok := bytes.CutPrefix(s, []byte("PVT_R1_")); ok {
		s, curves = rest, curves[1:]
	}
	var buf [maxBase58]byte
	b := decode58(&buf, s, &bitcoinDigits)
	if len(b) != 36 {
		return scan.Rejected
	}
	key := b[:32]
	for _, curve := range curves {
		if !bytes.Equal(ripemd160Of(key, []byte(curve))[:4], b[32:]) {
			continue
		}
		point, ok := compressedPublic(key, curve)
		if !ok {
			return outsideCurve
		}
		ev := scan.Holds("RIPEMD-160 check holds: " + curve + " key")
		sum := ripemd160Of(point, []byte(curve))[:4]
		ev.PublicID = "PUB_" + curve + "_" + encode58(append(point, sum...), bitcoin58)
		return withTestKey(ev, key)
	}
	return scan.Fails("RIPEMD-160 check does not match: edited, truncated or an example")
}

// AvalancheKey checks PrivateKey- before CB58 of 32 bytes: base 58 with the last
// four bytes of one SHA-256. The prefix may be missing from the secret. The
// public identifier is the address on the C-Chain.
func AvalancheKey(c scan.Candidate) scan.Evidence {
	s := bytes.TrimPrefix(c.Secret(), []byte("PrivateKey-"))
	var buf [maxBase58]byte
	b := decode58(&buf, s, &bitcoinDigits)
	if len(b) != 36 {
		return scan.Rejected
	}
	sum := sha256.Sum256(b[:32])
	if !bytes.Equal(sum[28:], b[32:]) {
		return scan.Fails("CB58 checksum does not match: edited, truncated or an example")
	}
	address, ok := EthereumAddress(b[:32])
	if !ok {
		return outsideCurve
	}
	ev := scan.Holds("CB58 checksum holds: 32-byte key")
	ev.PublicID = address
	return withTestKey(ev, b[:32])
}

// tezosPrefix is the prefix of one kind of Tezos key.
type tezosPrefix struct {
	prefix  []byte
	text    string // what the prefix looks like in base 58
	digits  int
	name    string
	address []byte // the prefix of the addresses of such keys
	kind    tezosKind
}

type tezosKind byte

const (
	tezosSeed tezosKind = iota
	tezosPair
	tezosSecp
	tezosP256
	tezosEncrypted
)

// tezosPrefixes are those of Octez's src/lib_crypto/base58.ml.
var tezosPrefixes = [...]tezosPrefix{
	{[]byte{0x0d, 0x0f, 0x3a, 0x07}, "edsk", 54, "ed25519 seed", []byte{0x06, 0xa1, 0x9f}, tezosSeed},
	{[]byte{0x2b, 0xf6, 0x4e, 0x07}, "edsk", 98, "ed25519 key pair", []byte{0x06, 0xa1, 0x9f}, tezosPair},
	{[]byte{0x11, 0xa2, 0xe0, 0xc9}, "spsk", 54, "secp256k1 key", []byte{0x06, 0xa1, 0xa1}, tezosSecp},
	{[]byte{0x10, 0x51, 0xee, 0xbd}, "p2sk", 54, "P-256 key", []byte{0x06, 0xa1, 0xa4}, tezosP256},
	{[]byte{0x07, 0x5a, 0x3c, 0xb3, 0x29}, "edesk", 88, "encrypted ed25519 key", nil, tezosEncrypted},
	{[]byte{0x09, 0xed, 0xf1, 0xae, 0x96}, "spesk", 88, "encrypted secp256k1 key", nil, tezosEncrypted},
	{[]byte{0x09, 0x30, 0x39, 0x73, 0xab}, "p2esk", 88, "encrypted P-256 key", nil, tezosEncrypted},
}

// TezosKey checks a Tezos secret key (edsk, spsk, p2sk) or encrypted key (edesk,
// spesk, p2esk; medium at most). The public identifier is the tz address. The 98-digit edsk
// holds both halves of an ed25519 pair, and they must belong together.
func TezosKey(c scan.Candidate) scan.Evidence {
	s := c.Secret()
	for i := range tezosPrefixes {
		if p := &tezosPrefixes[i]; len(s) == p.digits && string(s[:len(p.text)]) == p.text {
			return p.check(s)
		}
	}
	return scan.Rejected
}

func (p *tezosPrefix) check(s []byte) scan.Evidence {
	var buf [maxBase58]byte
	b := decode58(&buf, s, &bitcoinDigits)
	if b == nil {
		return scan.Rejected
	}
	if !doubleSHA256Tail(b) || !bytes.HasPrefix(b, p.prefix) {
		return checkFails58
	}
	key := b[len(p.prefix) : len(b)-4]
	ev := scan.Holds("base58check holds: Tezos " + p.name)
	var point []byte
	ok := len(key) == 32
	switch p.kind {
	case tezosSeed:
		if ok {
			point = ed25519Public(key)
		}
	case tezosPair:
		if ok = ed25519Pair(key); ok {
			point, key = key[32:], key[:32]
		}
	case tezosSecp:
		point, ok = compressedPublic(key, "K1")
	case tezosP256:
		point, ok = compressedPublic(key, "R1")
	case tezosEncrypted: // 8 bytes of salt, 16 of tag, 32 of ciphertext
		if len(key) != 56 {
			return checkFails58
		}
		ev.Reason += ", needs its passphrase"
		ev.Cap = scan.Medium
		return ev
	}
	if !ok {
		return scan.Fails("base58check holds, but the payload is no key")
	}
	ev.PublicID = encodeCheck58(bitcoin58, p.address, blake2b160(point))
	return withTestKey(ev, key)
}

// XRPSeed checks a seed of the XRP Ledger: 16 bytes in base58check with the
// ledger's own alphabet, s and 29 digits for secp256k1, sEd and 31 for ed25519.
// The public identifier is the classic address of the seed's first account.
func XRPSeed(c scan.Candidate) scan.Evidence {
	s := c.Secret()
	if len(s) != 29 && len(s) != 31 || s[0] != 's' {
		return scan.Rejected
	}
	var buf [maxBase58]byte
	b := decode58(&buf, s, &rippleDigits)
	if b == nil {
		return scan.Rejected
	}
	if !doubleSHA256Tail(b) {
		return checkFails58
	}
	var point, seed []byte
	name := "secp256k1"
	switch {
	case len(b) == 1+16+4 && b[0] == 0x21:
		seed = b[1:17]
		point = xrpSecpPublic(seed)
	case len(b) == 3+16+4 && b[0] == 0x01 && b[1] == 0xe1 && b[2] == 0x4b:
		name, seed = "ed25519", b[3:19]
		half := sha512Half(seed)
		point = append([]byte{0xed}, ed25519Public(half[:])...)
	default:
		return checkFails58
	}
	ev := scan.Holds("base58check holds: XRP Ledger " + name + " seed")
	ev.PublicID = encodeCheck58(ripple58, []byte{0}, hash160(point))
	return withTestKey(ev, seed)
}

// ZcashSproutKey checks a spending key of Zcash's first shielded pool: SK on the
// main network, ST on the test network, 252 bits in base58check.
func ZcashSproutKey(c scan.Candidate) scan.Evidence {
	s := c.Secret()
	if len(s) != 52 || s[0] != 'S' || s[1] != 'K' && s[1] != 'T' {
		return scan.Rejected
	}
	var buf [maxBase58]byte
	b := decode58(&buf, s, &bitcoinDigits)
	if b == nil {
		return scan.Rejected
	}
	if len(b) != 2+32+4 || !doubleSHA256Tail(b) {
		return checkFails58
	}
	network := ""
	switch {
	case b[0] == 0xab && b[1] == 0x36:
		network = "mainnet"
	case b[0] == 0xac && b[1] == 0x08:
		network = "testnet"
	}
	if network == "" || b[2]&0xf0 != 0 {
		return scan.Fails("base58check holds, but this is no Sprout key")
	}
	return withTestKey(scan.Holds("base58check holds: Zcash Sprout spending key, "+network), b[2:34])
}

// MinaKey checks a Mina private key: EK and 52 digits in all, base58check of a
// tag and a little-endian scalar of the Pallas curve.
func MinaKey(c scan.Candidate) scan.Evidence {
	s := c.Secret()
	if len(s) != 52 || s[0] != 'E' || s[1] != 'K' {
		return scan.Rejected
	}
	var buf [maxBase58]byte
	b := decode58(&buf, s, &bitcoinDigits)
	if b == nil {
		return scan.Rejected
	}
	if len(b) != 2+32+4 || !doubleSHA256Tail(b) {
		return checkFails58
	}
	// The order lies between 2^254 and 2^254 + 2^126.
	if b[0] != 0x5a || b[1] != 1 || b[33] > 0x40 || allZero(b[2:34]) {
		return scan.Fails("base58check holds, but this is no Mina scalar")
	}
	return withTestKey(scan.Holds("base58check holds: Mina private key"), b[2:34])
}

// Base58Key asks every family of keys in base 58 that needs no label, by length
// and first digits, and returns the evidence of the one that holds; its reason
// names the family. Anything else is rejected. It covers WIF, Zcash Sprout, Mina
// (51 and 52 digits), Tezos (54, 88, 98), BIP-38 (58), ed25519 pairs (86 to 88)
// and extended private keys (111), so that one rule over runs can cover many.
func Base58Key(c scan.Candidate) scan.Evidence {
	s := c.Secret()
	var ev scan.Evidence
	switch n := len(s); {
	case n == 52 && s[0] == 'S':
		ev = ZcashSproutKey(c)
	case n == 52 && s[0] == 'E':
		ev = MinaKey(c)
	case n == 51 || n == 52:
		ev = wif(s)
	case n == 54 || n == 98:
		ev = TezosKey(c)
	case n == 58:
		ev = BIP38Key(c)
	case n == 111:
		ev = ExtendedPrivateKey(c)
	case n >= 86 && n <= 88:
		if ev = TezosKey(c); ev.Proof != scan.Proved {
			ev = SolanaKey(c)
		}
	}
	if ev.Proof != scan.Proved {
		return scan.Rejected
	}
	return ev
}
