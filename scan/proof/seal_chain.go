package proof

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
)

// Scalar turns 32 random bytes into a private key of secp256k1, for samples.
func Scalar(random []byte) []byte {
	var k secp256k1.ModNScalar
	k.SetByteSlice(random)
	if k.IsZero() {
		k.SetInt(1)
	}
	key := k.Bytes()
	return key[:]
}

// SealWIF makes a wallet import format key of 32 bytes under a network's version
// byte: 0x80 is Bitcoin's.
func SealWIF(version byte, key []byte, compressed bool) string {
	if compressed {
		return encodeCheck58(bitcoin58, []byte{version}, key, []byte{1})
	}
	return encodeCheck58(bitcoin58, []byte{version}, key)
}

// SealBIP38 makes an encrypted key of an address hash of 4 bytes and 32 more.
func SealBIP38(random []byte) string {
	return encodeCheck58(bitcoin58, []byte{0x01, 0x42, 0xe0}, random[:36])
}

// SealExtendedKey makes a BIP-32 master key; prefix is what it begins with
// ("xprv", "zprv", …), chain and key have 32 bytes. It returns "" for a prefix
// that is not known.
func SealExtendedKey(prefix string, chain, key []byte) string {
	for _, v := range extendedVersions {
		if strings.HasPrefix(v.name, prefix) {
			return encodeCheck58(bitcoin58, v.version[:], make([]byte, 9), chain, []byte{0}, key)
		}
	}
	return ""
}

// SealEOS makes a PVT_ key of 32 bytes; curve is K1 or R1.
func SealEOS(curve string, key []byte) string {
	sum := ripemd160Of(key, []byte(curve))[:4]
	return "PVT_" + curve + "_" + encode58(append(bytes.Clone(key), sum...), bitcoin58)
}

// SealAvalanche makes an Avalanche key of 32 bytes.
func SealAvalanche(key []byte) string {
	sum := sha256.Sum256(key)
	return "PrivateKey-" + encode58(append(bytes.Clone(key), sum[28:]...), bitcoin58)
}

// SealTezos makes a Tezos key; text and digits are its prefix and length ("edsk",
// 54). The payload has 32 bytes, 64 (edsk of 98) or 56 (encrypted). It returns ""
// for a kind that is not known.
func SealTezos(text string, digits int, payload []byte) string {
	for _, p := range tezosPrefixes {
		if p.text == text && p.digits == digits {
			return encodeCheck58(bitcoin58, p.prefix, payload)
		}
	}
	return ""
}

// SealXRP makes a seed of the XRP Ledger of 16 bytes.
func SealXRP(seed []byte, ed25519 bool) string {
	if ed25519 {
		return encodeCheck58(ripple58, []byte{0x01, 0xe1, 0x4b}, seed)
	}
	return encodeCheck58(ripple58, []byte{0x21}, seed)
}

// SealZcashSprout makes a Sprout spending key of 32 bytes.
func SealZcashSprout(key []byte) string {
	key = bytes.Clone(key)
	key[0] &= 0x0f
	return encodeCheck58(bitcoin58, []byte{0xab, 0x36}, key)
}

// SealMina makes a Mina key of 32 bytes.
func SealMina(key []byte) string {
	key = bytes.Clone(key)
	key[31] &= 0x3f
	return encodeCheck58(bitcoin58, []byte{0x5a, 0x01}, key)
}

// SealBech32 makes a text in bech32: "nsec", "suiprivkey" (a flag of 0 to 2 and
// 32 bytes), "addr_xsk" and so on. age writes its identities in upper case.
func SealBech32(hrp string, payload []byte) string { return encodeBech32(hrp, payload) }

// SealStellar makes a Stellar seed of 32 bytes.
func SealStellar(seed []byte) string { return encodeStrkey(append([]byte{18 << 3}, seed...)) }

// SealNKey makes a NATS seed of 32 bytes; kind is "user", "account", "operator",
// "server", "cluster" or "curve". It returns "" for another kind.
func SealNKey(kind string, seed []byte) string {
	for _, p := range natsPrefixes {
		if p.name == kind {
			return encodeStrkey(append([]byte{18<<3 | p.prefix>>5, p.prefix << 3}, seed...))
		}
	}
	return ""
}

// SealEd25519 makes the 64 bytes of an ed25519 private key of a 32-byte seed.
func SealEd25519(seed []byte) []byte { return ed25519.NewKeyFromSeed(seed) }

// SealSolana makes a Solana key in base 58 of a 32-byte seed. Nearly all have 86
// to 88 digits.
func SealSolana(seed []byte) string { return encode58(SealEd25519(seed), bitcoin58) }

// SealSolanaArray makes a Solana key file of a 32-byte seed.
func SealSolanaArray(seed []byte) string {
	return strings.Join(strings.Fields(fmt.Sprint([]byte(SealEd25519(seed)))), ",")
}

// SealTendermint makes a priv_validator_key.json of a 32-byte seed.
func SealTendermint(seed []byte) string {
	pair := SealEd25519(seed)
	sum := sha256.Sum256(pair[32:])
	return fmt.Sprintf(`{"address":"%X","pub_key":{"type":"tendermint/PubKeyEd25519","value":"%s"},"priv_key":{"type":"tendermint/PrivKeyEd25519","value":"%s"}}`,
		sum[:20], base64.StdEncoding.EncodeToString(pair[32:]), base64.StdEncoding.EncodeToString(pair))
}

// SealMnemonic makes a BIP-39 phrase in English of 16, 20, 24, 28 or 32 bytes of
// entropy.
func SealMnemonic(entropy []byte) string {
	return strings.Join(bip39Words(english(), entropy), " ")
}

// bip39Words is the inverse of bip39Entropy.
func bip39Words(l *wordList, entropy []byte) []string {
	sum := sha256.Sum256(entropy)
	bits := len(entropy)*8 + len(entropy)/4
	var words []string
	acc, n := 0, 0
	for _, b := range append(bytes.Clone(entropy), sum[0]) {
		acc, n = acc<<8|int(b), n+8
		for n >= 11 && len(words) < bits/11 {
			n -= 11
			words = append(words, l.words[acc>>n&0x7ff])
			acc &= 1<<n - 1
		}
	}
	return words
}

// SealAlgorand makes Algorand's 25 words of a 32-byte key.
func SealAlgorand(key []byte) string {
	words := make([]string, 0, 25)
	acc, n := 0, 0
	for _, b := range key {
		acc, n = acc|int(b)<<n, n+8
		for n >= 11 {
			words = append(words, english().words[acc&0x7ff])
			acc, n = acc>>11, n-11
		}
	}
	words = append(words, english().words[acc&0x7ff])
	sum := sha512.Sum512_256(key)
	return strings.Join(append(words, english().words[(int(sum[0])|int(sum[1])<<8)&0x7ff]), " ")
}

// SealFilecoin makes an exported Lotus key of 32 bytes.
func SealFilecoin(key []byte) string {
	return hex.EncodeToString(fmt.Appendf(nil, `{"Type":"secp256k1","PrivateKey":"%s"}`, base64.StdEncoding.EncodeToString(key)))
}

// SealHedera makes a key in hexadecimal DER of 32 bytes.
func SealHedera(key []byte, ed25519 bool) string {
	if ed25519 {
		return hederaEd25519 + hex.EncodeToString(key)
	}
	return hederaECDSA + hex.EncodeToString(key)
}

// SealLNDMacaroon makes a macaroon of lnd of 48 random bytes: a nonce and a
// signature.
func SealLNDMacaroon(random []byte) []byte {
	field := func(b []byte, kind byte, data []byte) []byte {
		return append(binary.AppendUvarint(append(b, kind), uint64(len(data))), data...)
	}
	id := append([]byte{3, 10, 16}, random[:16]...)
	id = append(id, "\x12\x010\x1a\x0f\x0a\x07address\x12\x04read"...)
	m := field([]byte{2}, lndMacaroonLocation, []byte("lnd"))
	m = append(field(m, lndMacaroonIdentifier, id), lndMacaroonEnd, lndMacaroonEnd)
	return field(m, lndMacaroonSignature, random[16:48])
}
