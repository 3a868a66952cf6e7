package proof

import (
	"crypto/ecdh"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"golang.org/x/crypto/blake2b"
	"golang.org/x/crypto/ripemd160" //lint:ignore SA1019 the address formats are defined by it

	"github.com/keywright/keywright/scan"
)

// outsideCurve answers for a well-formed text whose key is zero or not below the
// order of its curve.
var outsideCurve = scan.Evidence{Proof: scan.Failed, Reason: "the number is outside the curve's order: no key"}

// secp256k1Scalar returns the scalar of 32 big-endian bytes, false if it is zero
// or not below the order.
func secp256k1Scalar(key []byte) (*secp256k1.ModNScalar, bool) {
	var k secp256k1.ModNScalar
	if len(key) != 32 || k.SetByteSlice(key) || k.IsZero() {
		return nil, false
	}
	return &k, true
}

// secp256k1Public returns the public key of 32 big-endian bytes, false if they
// are no private key.
func secp256k1Public(key []byte) (*secp256k1.PublicKey, bool) {
	k, ok := secp256k1Scalar(key)
	if !ok {
		return nil, false
	}
	return secp256k1.NewPrivateKey(k).PubKey(), true
}

// compressedPublic returns the 33-byte public key on secp256k1 ("K1") or P-256
// ("R1").
func compressedPublic(key []byte, curve string) ([]byte, bool) {
	if curve == "K1" {
		pub, ok := secp256k1Public(key)
		if !ok {
			return nil, false
		}
		return pub.SerializeCompressed(), true
	}
	priv, err := ecdh.P256().NewPrivateKey(key)
	if err != nil {
		return nil, false
	}
	pub := priv.PublicKey().Bytes() // 04, x, y
	return append([]byte{2 + pub[64]&1}, pub[1:33]...), true
}

// ripemd160Of is RIPEMD-160 of the concatenation of the parts.
func ripemd160Of(parts ...[]byte) []byte {
	h := ripemd160.New()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// hash160 is Bitcoin's RIPEMD-160 of SHA-256.
func hash160(b []byte) []byte {
	sum := sha256.Sum256(b)
	return ripemd160Of(sum[:])
}

// blake2bOf is BLAKE2b with a digest of size bytes, at most 64.
func blake2bOf(size int, parts ...[]byte) []byte {
	h, err := blake2b.New(size, nil)
	if err != nil {
		return make([]byte, size)
	}
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

func blake2b160(b []byte) []byte { return blake2bOf(20, b) }

// sha512Half is the first half of SHA-512, the XRP Ledger's hash.
func sha512Half(parts ...[]byte) [32]byte {
	h := sha512.New()
	for _, p := range parts {
		h.Write(p)
	}
	return [32]byte(h.Sum(nil)[:32])
}

// xrpScalar is the first of the hashes of prefix and a counter that is a scalar.
func xrpScalar(prefix []byte) *secp256k1.ModNScalar {
	for i := uint32(0); ; i++ {
		h := sha512Half(prefix, binary.BigEndian.AppendUint32(nil, i))
		if k, ok := secp256k1Scalar(h[:]); ok {
			return k
		}
	}
}

// xrpSecpPublic derives the public key of a seed's first account, as the XRP
// Ledger's documentation of cryptographic keys describes.
func xrpSecpPublic(seed []byte) []byte {
	root := xrpScalar(seed)
	generator := secp256k1.NewPrivateKey(root).PubKey().SerializeCompressed()
	account := xrpScalar(append(generator, 0, 0, 0, 0))
	return secp256k1.NewPrivateKey(account.Add(root)).PubKey().SerializeCompressed()
}

// allZero reports whether every byte is zero.
func allZero(b []byte) bool {
	for _, v := range b {
		if v != 0 {
			return false
		}
	}
	return true
}
