package proof

import (
	"bytes"
	"crypto/ecdh"
	"encoding/hex"
	"net/url"
	"strings"

	"github.com/keywright/keywright/scan"
)

const bech32Charset = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"

// bech32Digits gives each byte's digit plus one, zero for a byte that is none.
var bech32Digits = [256]byte{
	'q': 1, 'p': 2, 'z': 3, 'r': 4, 'y': 5, '9': 6, 'x': 7, '8': 8,
	'g': 9, 'f': 10, '2': 11, 't': 12, 'v': 13, 'd': 14, 'w': 15, '0': 16,
	's': 17, '3': 18, 'j': 19, 'n': 20, '5': 21, '4': 22, 'k': 23, 'h': 24,
	'c': 25, 'e': 26, '6': 27, 'm': 28, 'u': 29, 'a': 30, '7': 31, 'l': 32,
}

// maxBech32 is the longest text decodeBech32 accepts, in bytes. BIP-173's limit
// of 90 is waived by Cardano, Zcash and LNURL.
const maxBech32 = 2048

// bech32Step is BIP-173's polymod for one five-bit value.
func bech32Step(sum uint32, v byte) uint32 {
	top := sum >> 25
	sum = sum&0x1ffffff<<5 ^ uint32(v)
	for i, g := range [5]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
		if top>>i&1 == 1 {
			sum ^= g
		}
	}
	return sum
}

// bech32Sum is the polymod of the expanded human-readable part.
func bech32Sum(hrp string) uint32 {
	sum := uint32(1)
	for i := range len(hrp) {
		sum = bech32Step(sum, hrp[i]>>5)
	}
	sum = bech32Step(sum, 0)
	for i := range len(hrp) {
		sum = bech32Step(sum, hrp[i]&31)
	}
	return sum
}

// decodeBech32 splits a text in BIP-173's encoding (bech32, not bech32m) into
// its human-readable part, in lower case, and its payload. shape is false when
// the text cannot be such at all, sum when only the checksum or the padding of
// the last byte is wrong.
func decodeBech32(s []byte) (hrp string, payload []byte, shape, sum bool) {
	if len(s) > maxBech32 {
		return "", nil, false, false
	}
	lower := bytes.ToLower(s)
	if !bytes.Equal(s, lower) && !bytes.Equal(s, bytes.ToUpper(s)) {
		return "", nil, false, false
	}
	sep := bytes.LastIndexByte(lower, '1')
	if sep < 1 || len(lower)-sep-1 < 6 {
		return "", nil, false, false
	}
	hrp = string(lower[:sep])
	check := bech32Sum(hrp)
	data := lower[sep+1:]
	payload = make([]byte, 0, len(data)*5/8)
	var acc, n uint32
	for i, ch := range data {
		d := bech32Digits[ch]
		if d == 0 {
			return "", nil, false, false
		}
		check = bech32Step(check, d-1)
		if i >= len(data)-6 {
			continue
		}
		acc, n = acc<<5|uint32(d-1), n+5
		if n >= 8 {
			n -= 8
			payload = append(payload, byte(acc>>n))
			acc &= 1<<n - 1
		}
	}
	return hrp, payload, true, check == 1 && n < 5 && acc == 0
}

// encodeBech32 writes a public identifier.
func encodeBech32(hrp string, payload []byte) string {
	var b strings.Builder
	b.WriteString(hrp)
	b.WriteByte('1')
	sum := bech32Sum(hrp)
	put := func(v byte) {
		sum = bech32Step(sum, v)
		b.WriteByte(bech32Charset[v])
	}
	var acc, n uint32
	for _, v := range payload {
		acc, n = acc<<8|uint32(v), n+8
		for ; n >= 5; n -= 5 {
			put(byte(acc >> (n - 5) & 31))
		}
		acc &= 1<<n - 1
	}
	if n > 0 {
		put(byte(acc << (5 - n) & 31))
	}
	for range 6 {
		sum = bech32Step(sum, 0)
	}
	sum ^= 1
	for i := range 6 {
		b.WriteByte(bech32Charset[sum>>(5*(5-i))&31])
	}
	return b.String()
}

// bech32Kind is one kind of secret in bech32.
type bech32Kind struct {
	hrp   string
	bytes int
	name  string
}

// bech32Kinds are the kinds that need no more than a checksum and a length.
// Zcash's are those of its protocol specification, section 5.6; Cardano's of
// CIP-5.
var bech32Kinds = [...]bech32Kind{
	{"secret-extended-key-main", 169, "Zcash Sapling extended spending key"},
	{"secret-extended-key-test", 169, "Zcash Sapling extended spending key, testnet"},
	{"secret-extended-key-regtest", 169, "Zcash Sapling extended spending key, regtest"},
	{"secret-spending-key-main", 32, "Sapling spending key"},
	{"secret-spending-key-test", 32, "Sapling spending key, testnet"},
	{"ed25519_sk", 32, "Cardano ed25519 signing key"},
	{"ed25519e_sk", 64, "Cardano extended ed25519 signing key"},
	{"addr_sk", 32, "Cardano payment signing key"},
	{"stake_sk", 32, "Cardano stake signing key"},
	{"root_sk", 64, "Cardano root key"},
	{"acct_sk", 64, "Cardano account key"},
	{"root_xsk", 96, "Cardano root extended signing key"},
	{"acct_xsk", 96, "Cardano account extended signing key"},
	{"addr_xsk", 96, "Cardano payment extended signing key"},
	{"stake_xsk", 96, "Cardano stake extended signing key"},
	{"drep_sk", 32, "Cardano DRep signing key"},
	{"drep_xsk", 96, "Cardano DRep extended signing key"},
	{"cc_hot_sk", 32, "Cardano committee hot signing key"},
	{"cc_cold_sk", 32, "Cardano committee cold signing key"},
	{"vrf_sk", 64, "Cardano VRF signing key"},
	{"kes_sk", 608, "Cardano KES signing key"},
	{"age-secret-key-pq-", 32, "age identity, post-quantum"},
}

// Bech32Secret checks a secret in bech32 by its human-readable part: Nostr
// (nsec1, ncryptsec1), Sui (suiprivkey1), age, Zcash, Cardano. A wrong checksum
// or length fails; a text with another human-readable part is rejected.
func Bech32Secret(c scan.Candidate) scan.Evidence {
	hrp, payload, shape, sum := decodeBech32(c.Secret())
	if !shape {
		return scan.Rejected
	}
	judge := bech32Judge(hrp)
	if judge == nil {
		return scan.Rejected
	}
	if !sum {
		return scan.Evidence{Proof: scan.Failed, Reason: "bech32 checksum does not match: edited, truncated or an example"}
	}
	return judge(payload)
}

// bech32Judge returns the judge of payloads with this human-readable part, nil
// if it belongs to no secret.
func bech32Judge(hrp string) func([]byte) scan.Evidence {
	switch hrp {
	case "nsec":
		return judgeNostr
	case "ncryptsec":
		return judgeNostrEncrypted
	case "suiprivkey":
		return judgeSui
	case "age-secret-key-":
		return judgeAge
	}
	for _, k := range bech32Kinds {
		if k.hrp == hrp {
			return k.judge
		}
	}
	return nil
}

var bech32Length = scan.Evidence{Proof: scan.Failed, Reason: "bech32 checksum holds, but the payload has another length"}

func (k bech32Kind) judge(b []byte) scan.Evidence {
	if len(b) != k.bytes {
		return bech32Length
	}
	return withTestKey(scan.Holds("bech32 checksum holds: "+k.name), b)
}

// judgeNostr judges NIP-19's nsec. The public identifier is the npub.
func judgeNostr(b []byte) scan.Evidence {
	if len(b) != 32 {
		return bech32Length
	}
	pub, ok := secp256k1Public(b)
	if !ok {
		return outsideCurve
	}
	ev := scan.Holds("bech32 checksum holds: Nostr secret key")
	ev.PublicID = encodeBech32("npub", pub.SerializeCompressed()[1:])
	return withTestKey(ev, b)
}

// judgeNostrEncrypted judges NIP-49's ncryptsec: version 2, log n, salt, nonce,
// key security byte, 48 bytes of ciphertext.
func judgeNostrEncrypted(b []byte) scan.Evidence {
	if len(b) != 91 || b[0] != 2 {
		return bech32Length
	}
	ev := scan.Holds("bech32 checksum holds: Nostr secret key, needs its password")
	ev.Cap = scan.Medium
	return ev
}

// judgeSui judges SIP-15's suiprivkey: a scheme flag and 32 bytes. The public
// identifier is the address.
func judgeSui(b []byte) scan.Evidence {
	if len(b) != 33 || b[0] > 2 {
		return bech32Length
	}
	var pub []byte
	ok := true
	name := [3]string{"ed25519", "secp256k1", "secp256r1"}[b[0]]
	switch b[0] {
	case 0:
		pub = ed25519Public(b[1:])
	case 1:
		pub, ok = compressedPublic(b[1:], "K1")
	case 2:
		pub, ok = compressedPublic(b[1:], "R1")
	}
	if !ok {
		return outsideCurve
	}
	ev := scan.Holds("bech32 checksum holds: Sui " + name + " private key")
	ev.PublicID = "0x" + hex.EncodeToString(blake2bOf(32, b[:1], pub))
	return withTestKey(ev, b[1:])
}

// judgeAge judges an age X25519 identity. The public identifier is the recipient.
func judgeAge(b []byte) scan.Evidence {
	key, err := ecdh.X25519().NewPrivateKey(b)
	if err != nil {
		return bech32Length
	}
	ev := scan.Holds("bech32 checksum holds: age identity")
	ev.PublicID = encodeBech32("age", key.PublicKey().Bytes())
	return withTestKey(ev, b)
}

// LNURL checks a Lightning URL (LUD-01). It is a credential only when the URL
// inside carries a key of the service's API; other URLs are rejected. The public
// identifier is the host.
func LNURL(c scan.Candidate) scan.Evidence {
	hrp, payload, shape, sum := decodeBech32(c.Secret())
	if !shape || hrp != "lnurl" {
		return scan.Rejected
	}
	if !sum {
		return scan.Evidence{Proof: scan.Failed, Reason: "bech32 checksum does not match: edited, truncated or an example"}
	}
	u, err := url.Parse(string(payload))
	if err != nil || u.Host == "" {
		return scan.Rejected
	}
	if _, ok := u.User.Password(); ok {
		ev := scan.Holds("bech32 checksum holds: the URL inside carries a password")
		ev.PublicID = u.Host
		return ev
	}
	for name := range u.Query() {
		switch strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(name)) {
		case "apikey", "key", "token", "secret", "auth", "accesstoken", "adminkey", "wallet":
			ev := scan.Holds("bech32 checksum holds: the URL inside carries a key")
			ev.PublicID = u.Host
			return ev
		}
	}
	return scan.Rejected
}
