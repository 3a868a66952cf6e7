package proof

import (
	"bytes"
	"crypto/sha3"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"strings"

	legacy "golang.org/x/crypto/sha3"

	"github.com/keywright/keywright/scan"
)

// keccak256 is Ethereum's hash: SHA-3 as it was before it became a standard.
func keccak256(parts ...[]byte) []byte {
	h := legacy.NewLegacyKeccak256()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// EthereumAddress returns the address of a private key of 32 big-endian bytes,
// with the mixed case of ERC-55; ok is false if the bytes are no key.
func EthereumAddress(key []byte) (address string, ok bool) {
	pub, ok := secp256k1Public(key)
	if !ok {
		return "", false
	}
	sum := keccak256(pub.SerializeUncompressed()[1:])
	return "0x" + erc55(hex.EncodeToString(sum[12:])), true
}

// erc55 writes 40 lower-case hexadecimal digits with ERC-55's checksum in their
// case.
func erc55(lower string) string {
	sum := keccak256([]byte(lower))
	b := []byte(lower)
	for i, ch := range b {
		if ch >= 'a' && sum[i/2]>>(4*(1-i&1))&15 >= 8 {
			b[i] = ch - 'a' + 'A'
		}
	}
	return string(b)
}

// EthereumKey checks 64 hexadecimal digits, perhaps after 0x, that stand where a
// private key of Ethereum or a chain like it is expected. That the number lies
// inside the curve's order proves nothing; a part named "address" that belongs to the
// key does. The public identifier is the address. Published development keys are
// told by name.
func EthereumKey(c scan.Candidate) scan.Evidence {
	key, ok := decodeHexKey(c.Secret(), 32)
	if !ok {
		return scan.Rejected
	}
	address, ok := EthereumAddress(key)
	if !ok {
		return outsideCurve
	}
	ev := scan.Evidence{PublicID: address}
	if near := c.Part("address"); near != nil && strings.EqualFold(string(near), address) {
		ev = scan.Holds("the address beside it is derived from it")
		ev.PublicID = address
	}
	return withTestKey(ev, key)
}

// AptosKey checks a private key in the form of AIP-80: ed25519-priv-,
// secp256k1-priv- or secp256r1-priv-, then 0x and 64 hexadecimal digits. There
// is no checksum; the number must fit its curve. The public identifier is the
// account's address where the scheme has one.
func AptosKey(c scan.Candidate) scan.Evidence {
	name, digits, found := bytes.Cut(c.Secret(), []byte("-priv-"))
	key, ok := decodeHexKey(digits, 32)
	if !found || !ok {
		return scan.Rejected
	}
	var ev scan.Evidence
	switch string(name) {
	case "ed25519":
		ev.PublicID = aptosAddress(ed25519Public(key), []byte{0})
	case "secp256k1":
		pub, ok := secp256k1Public(key)
		if !ok {
			return outsideCurve
		}
		// A single-key account: the variant, the key with its length, the scheme.
		ev.PublicID = aptosAddress([]byte{1, 65}, pub.SerializeUncompressed(), []byte{2})
	case "secp256r1":
		if _, ok := compressedPublic(key, "R1"); !ok {
			return outsideCurve
		}
	default:
		return scan.Rejected
	}
	return withTestKey(ev, key)
}

func aptosAddress(parts ...[]byte) string {
	sum := sha3.Sum256(bytes.Join(parts, nil))
	return "0x" + hex.EncodeToString(sum[:])
}

// The fixed beginnings of the DER that Hedera's tools print as hexadecimal
// digits: PKCS #8 of an ed25519 key, and a shortened form for secp256k1.
const (
	hederaEd25519 = "302e020100300506032b657004220420"
	hederaECDSA   = "3030020100300706052b8104000a04220420"
)

// HederaKey checks a private key of Hedera in hexadecimal DER. The public
// identifier is the public key in hexadecimal.
func HederaKey(c scan.Candidate) scan.Evidence {
	s := strings.ToLower(string(bytes.TrimPrefix(c.Secret(), []byte("0x"))))
	if rest, ok := strings.CutPrefix(s, hederaEd25519); ok {
		key, ok := decodeHexKey([]byte(rest), 32)
		if !ok {
			return scan.Fails("the DER is cut short or too long")
		}
		ev := scan.Holds("DER parses: ed25519 private key")
		ev.PublicID = hex.EncodeToString(ed25519Public(key))
		return withTestKey(ev, key)
	}
	rest, ok := strings.CutPrefix(s, hederaECDSA)
	if !ok {
		return scan.Rejected
	}
	key, ok := decodeHexKey([]byte(rest), 32)
	if !ok {
		return scan.Fails("the DER is cut short or too long")
	}
	pub, ok := compressedPublic(key, "K1")
	if !ok {
		return outsideCurve
	}
	ev := scan.Holds("DER parses: secp256k1 private key")
	ev.PublicID = hex.EncodeToString(pub)
	return withTestKey(ev, key)
}

// FilecoinKey checks a key as Lotus exports it: hexadecimal of a JSON object
// with Type and PrivateKey. The public identifier is the f1 address of a
// secp256k1 key.
func FilecoinKey(c scan.Candidate) scan.Evidence {
	raw := make([]byte, hex.DecodedLen(len(c.Secret())))
	if _, err := hex.Decode(raw, c.Secret()); err != nil {
		return scan.Rejected
	}
	var doc struct{ Type, PrivateKey string }
	if json.Unmarshal(raw, &doc) != nil {
		return scan.Fails("the digits do not decode to a JSON object")
	}
	key, err := base64.StdEncoding.DecodeString(doc.PrivateKey)
	if err != nil || len(key) != 32 {
		return scan.Fails("the JSON object inside holds no 32-byte key")
	}
	switch doc.Type {
	case "secp256k1":
		pub, ok := secp256k1Public(key)
		if !ok {
			return outsideCurve
		}
		ev := scan.Holds("decodes to a Filecoin secp256k1 key")
		ev.PublicID = filecoinAddress(pub.SerializeUncompressed())
		return withTestKey(ev, key)
	case "bls":
		return withTestKey(scan.Holds("decodes to a Filecoin BLS key"), key)
	}
	return scan.Fails("the JSON object inside has an unknown key type")
}

// filecoinAddress is the main network's address of protocol 1: BLAKE2b-160 of
// the public key with a four-byte BLAKE2b checksum.
func filecoinAddress(pub []byte) string {
	payload := blake2b160(pub)
	sum := blake2bOf(4, []byte{1}, payload)
	text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(append(payload, sum...))
	return "f1" + strings.ToLower(text)
}

// StarknetKey checks a private key of Starknet: 0x and at most 64 hexadecimal
// digits, below the order of its curve. A number outside fails; inside, the
// shape alone speaks.
func StarknetKey(c scan.Candidate) scan.Evidence {
	s, ok := bytes.CutPrefix(c.Secret(), []byte("0x"))
	if !ok || len(s) == 0 || len(s) > 64 {
		return scan.Rejected
	}
	k, ok := new(big.Int).SetString(string(s), 16)
	if !ok {
		return scan.Rejected
	}
	order, _ := new(big.Int).SetString("0800000000000010ffffffffffffffffb781126dcae7b2321e66a241adc64d2f", 16)
	if k.Sign() <= 0 || k.Cmp(order) >= 0 {
		return outsideCurve
	}
	return withTestKey(scan.Evidence{}, k.FillBytes(make([]byte, 32)))
}
