package proof

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/keywright/keywright/scan"
)

// documentCheck judges a parsed document: which field is the secret, and what
// can be said of it. A nil field means that the document is of another kind.
type documentCheck func(jsonDoc) (*jsonField, scan.Evidence)

// object makes an object parser of a check.
func (check documentCheck) object(data []byte) []scan.ObjectMatch {
	doc, ok := parseJSON(data)
	if !ok {
		return nil
	}
	if secret, ev := check(doc); secret != nil && !ev.Reject {
		return []scan.ObjectMatch{secret.matchAt(ev)}
	}
	return nil
}

// candidate makes a check of a candidate whose secret is the whole document.
func (check documentCheck) candidate(c scan.Candidate) scan.Evidence {
	doc, ok := parseJSON(c.Secret())
	if !ok {
		return scan.Rejected
	}
	secret, ev := check(doc)
	if secret == nil {
		return scan.Rejected
	}
	return ev
}

// EthereumKeystoreObject parses a Web3 Secret Storage file, version 3, as
// geth, hardhat, Foundry, ICON and others write it. The secret is the
// ciphertext; confidence is at most medium, for it needs its password.
func EthereumKeystoreObject(data []byte) []scan.ObjectMatch {
	return documentCheck(keystoreV3).object(data)
}

// EthereumKeystore is the same for a candidate whose secret is the whole JSON
// document.
func EthereumKeystore(c scan.Candidate) scan.Evidence {
	return documentCheck(keystoreV3).candidate(c)
}

// HummingbotKeystore checks hexadecimal of such a document, as Hummingbot stores
// the keys of exchanges.
func HummingbotKeystore(c scan.Candidate) scan.Evidence {
	s := c.Secret()
	if len(s) > 2*maxJSON {
		return scan.Rejected
	}
	raw := make([]byte, hex.DecodedLen(len(s)))
	if _, err := hex.Decode(raw, s); err != nil {
		return scan.Rejected
	}
	doc, ok := parseJSON(raw)
	if !ok {
		return scan.Fails("the digits do not decode to a JSON document")
	}
	secret, ev := keystoreV3(doc)
	if secret == nil {
		return scan.Fails("the JSON document inside is no version 3 keystore")
	}
	return ev
}

func keystoreV3(doc jsonDoc) (*jsonField, scan.Evidence) {
	secret := doc.field("crypto.ciphertext")
	kdf := strings.ToLower(doc.text("crypto.kdf"))
	if secret == nil || doc.text("version") != "3" || kdf != "scrypt" && kdf != "pbkdf2" {
		return nil, scan.Rejected
	}
	if !isHexOf(secret.value, 0) || !isHexOf(doc.text("crypto.mac"), 32) || !isHexOf(doc.text("crypto.cipherparams.iv"), 16) {
		return secret, scan.Fails("a version 3 keystore with damaged fields")
	}
	ev := scan.Holds("version 3 keystore, needs its password")
	if weakKDF(doc, kdf) {
		ev.Reason = "version 3 keystore with a weak key derivation: its password can be guessed fast"
	}
	ev.Cap = scan.Medium
	if address := strings.ToLower(strings.TrimPrefix(doc.text("address"), "0x")); isHexOf(address, 20) {
		ev.PublicID = "0x" + erc55(address)
	}
	return secret, ev
}

// weakKDF reports whether guessing passwords costs next to nothing: fewer than
// 4096 scrypt rounds, or fewer than 10000 of PBKDF2.
func weakKDF(doc jsonDoc, kdf string) bool {
	name, least := "n", 4096
	if kdf == "pbkdf2" {
		name, least = "c", 10000
	}
	n, err := strconv.Atoi(doc.text("crypto.kdfparams." + name))
	return err == nil && n < least
}

// isHexOf reports whether s is hexadecimal of size bytes, or, for size zero, of
// any number of bytes but none.
func isHexOf(s string, size int) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) > 0 && (size == 0 || len(b) == size)
}

// EIP2335KeystoreObject parses a keystore of Ethereum's validators (ERC-2335).
// The secret is the ciphertext; confidence is at most medium. The public
// identifier is the BLS public key.
func EIP2335KeystoreObject(data []byte) []scan.ObjectMatch {
	return documentCheck(keystoreV4).object(data)
}

// EIP2335Keystore is the same for a candidate whose secret is the whole document.
func EIP2335Keystore(c scan.Candidate) scan.Evidence {
	return documentCheck(keystoreV4).candidate(c)
}

func keystoreV4(doc jsonDoc) (*jsonField, scan.Evidence) {
	secret := doc.field("crypto.cipher.message")
	if secret == nil || doc.text("version") != "4" || doc.text("crypto.kdf.function") == "" {
		return nil, scan.Rejected
	}
	if !isHexOf(secret.value, 0) || !isHexOf(doc.text("crypto.checksum.message"), 32) {
		return secret, scan.Fails("a version 4 keystore with damaged fields")
	}
	ev := scan.Holds("version 4 validator keystore, needs its password")
	ev.Cap = scan.Medium
	if pub := strings.TrimPrefix(doc.text("pubkey"), "0x"); isHexOf(pub, 48) {
		ev.PublicID = "0x" + pub
	}
	return secret, ev
}

// PolkadotKeystoreObject parses an account that polkadot-js exported. The secret
// is the field "encoded"; confidence is at most medium unless the account was
// exported without a password, when the public key inside must be the address's.
// The public identifier is the address.
func PolkadotKeystoreObject(data []byte) []scan.ObjectMatch {
	return documentCheck(polkadotKeystore).object(data)
}

// PolkadotKeystore is the same for a candidate whose secret is the whole document.
func PolkadotKeystore(c scan.Candidate) scan.Evidence {
	return documentCheck(polkadotKeystore).candidate(c)
}

func polkadotKeystore(doc jsonDoc) (*jsonField, scan.Evidence) {
	secret := doc.field("encoded")
	if secret == nil || doc.text("encoding.content.0") == "" {
		return nil, scan.Rejected
	}
	raw, ok := polkadotBytes(secret.value)
	if !ok {
		return secret, scan.Fails("the encoded account is neither base64 nor hexadecimal")
	}
	cipher := doc.text("encoding.type.0")
	if cipher == "" {
		cipher = doc.text("encoding.type") // version 0 had one string
	}
	address := doc.text("address")
	public, ok := ss58(address)
	if address != "" && !ok && !strings.HasPrefix(address, "0x") {
		return secret, scan.Fails("the address's checksum does not match: edited or an example")
	}
	if doc.text("encoding.content.0") == "batch-pkcs8" || cipher != "none" {
		ev := scan.Holds("polkadot-js account, needs its password")
		ev.Cap, ev.PublicID = scan.Medium, address
		return secret, ev
	}
	if !ok || !bytes.HasSuffix(raw, public) || len(raw) < 16+32+5+32 {
		return secret, scan.Fails("the account without password does not belong to its address")
	}
	ev := scan.Holds("polkadot-js account without a password; its public key is the address's")
	ev.PublicID = address
	return secret, withTestKey(ev, raw[16:48])
}

func polkadotBytes(s string) ([]byte, bool) {
	if rest, ok := strings.CutPrefix(s, "0x"); ok {
		b, err := hex.DecodeString(rest)
		return b, err == nil && len(b) > 0
	}
	b, err := base64.StdEncoding.DecodeString(s)
	return b, err == nil && len(b) > 0
}

// ss58 returns the public key of a Substrate address, false if its BLAKE2b
// checksum does not hold.
func ss58(address string) ([]byte, bool) {
	var buf [maxBase58]byte
	b := decode58(&buf, []byte(address), &bitcoinDigits)
	prefix := 1
	if len(b) > 0 && b[0]&0x40 != 0 {
		prefix = 2
	}
	if n := len(b) - prefix - 2; n != 32 && n != 33 {
		return nil, false
	}
	body := len(b) - 2
	sum := blake2bOf(64, []byte("SS58PRE"), b[:body])
	return bytes.Clone(b[prefix:body]), bytes.Equal(sum[:2], b[body:])
}

// TendermintKeyObject parses priv_validator_key.json and node_key.json of
// CometBFT and the chains built with it. The secret is the private key's value;
// its halves must belong together, and the public key and the address beside it,
// if there are any, must be its own. The public identifier is the address.
func TendermintKeyObject(data []byte) []scan.ObjectMatch {
	return documentCheck(tendermintKey).object(data)
}

// TendermintKey is the same for a candidate whose secret is the whole document.
func TendermintKey(c scan.Candidate) scan.Evidence {
	return documentCheck(tendermintKey).candidate(c)
}

func tendermintKey(doc jsonDoc) (*jsonField, scan.Evidence) {
	secret := doc.field("priv_key.value")
	if secret == nil {
		return nil, scan.Rejected
	}
	raw, err := base64.StdEncoding.DecodeString(secret.value)
	if err != nil {
		return secret, scan.Fails("the private key is no base64")
	}
	var public, address []byte
	var ev scan.Evidence
	switch kind := doc.text("priv_key.type"); kind {
	case "tendermint/PrivKeyEd25519":
		if len(raw) != 64 || !ed25519Pair(raw) {
			return secret, pairFails
		}
		public = raw[32:]
		sum := sha256.Sum256(public)
		address = sum[:20]
		ev = scan.Holds("the halves of the key belong together: CometBFT ed25519 key")
	case "tendermint/PrivKeySecp256k1":
		point, ok := compressedPublic(raw, "K1")
		if !ok {
			return secret, outsideCurve
		}
		public, address = point, hash160(point)
	default:
		return nil, scan.Rejected
	}
	if s := doc.text("pub_key.value"); s != "" {
		if s != base64.StdEncoding.EncodeToString(public) {
			return secret, scan.Fails("the public key beside it is another one's")
		}
		ev = scan.Holds("the public key beside it belongs to it: CometBFT key")
	}
	ev.PublicID = strings.ToUpper(hex.EncodeToString(address))
	if s := doc.text("address"); s != "" && !strings.EqualFold(s, ev.PublicID) {
		return secret, scan.Fails("the address beside it is another one's")
	}
	return secret, withTestKey(ev, raw[:32])
}

// NEARCredentialsObject parses a file of ~/.near-credentials: account_id,
// public_key, and private_key or secret_key, the secret. The public identifier is
// the account.
func NEARCredentialsObject(data []byte) []scan.ObjectMatch {
	return documentCheck(nearCredentials).object(data)
}

// NEARCredentials is the same for a candidate whose secret is the whole document.
func NEARCredentials(c scan.Candidate) scan.Evidence {
	return documentCheck(nearCredentials).candidate(c)
}

func nearCredentials(doc jsonDoc) (*jsonField, scan.Evidence) {
	secret := doc.field("private_key")
	if secret == nil {
		secret = doc.field("secret_key")
	}
	if secret == nil || !strings.HasPrefix(secret.value, "ed25519:") {
		return nil, scan.Rejected
	}
	var buf [maxBase58]byte
	raw := decode58(&buf, []byte(secret.value)[len("ed25519:"):], &bitcoinDigits)
	if len(raw) != 64 {
		return secret, scan.Fails("the private key has not 64 bytes")
	}
	if !ed25519Pair(raw) {
		return secret, pairFails
	}
	public := nearID(raw[32:])
	if s := doc.text("public_key"); s != "" && s != public {
		return secret, scan.Fails("the public key beside it is another one's")
	}
	ev := scan.Holds("the halves of the key belong together: NEAR ed25519 key")
	if ev.PublicID = doc.text("account_id"); ev.PublicID == "" {
		ev.PublicID = public
	}
	return secret, withTestKey(ev, raw[:32])
}

// BittensorKeyObject parses an unencrypted key file of Bittensor: secretPhrase,
// secretSeed, publicKey, ss58Address. The secret is the phrase, or the seed. The
// public identifier is the address.
func BittensorKeyObject(data []byte) []scan.ObjectMatch {
	return documentCheck(bittensorKey).object(data)
}

// BittensorKey is the same for a candidate whose secret is the whole document.
func BittensorKey(c scan.Candidate) scan.Evidence {
	return documentCheck(bittensorKey).candidate(c)
}

func bittensorKey(doc jsonDoc) (*jsonField, scan.Evidence) {
	address := doc.text("ss58Address")
	phrase, seed := doc.field("secretPhrase"), doc.field("secretSeed")
	secret := phrase
	if secret == nil || secret.value == "" {
		secret = seed
	}
	if secret == nil || address == "" {
		return nil, scan.Rejected
	}
	public, ok := ss58(address)
	if !ok {
		return secret, scan.Fails("the address's checksum does not match: edited or an example")
	}
	if s := strings.TrimPrefix(doc.text("publicKey"), "0x"); s != "" && !strings.EqualFold(s, hex.EncodeToString(public)) {
		return secret, scan.Fails("the public key beside it is another one's")
	}
	ev := scan.Holds("Bittensor key file; its address's checksum holds")
	if secret == phrase {
		words := bytes.Fields([]byte(phrase.value))
		if ev = Mnemonic(words); ev.Proof != scan.Proved {
			return secret, scan.Fails("the phrase's checksum does not match: edited or an example")
		}
	}
	ev.PublicID = address
	return secret, ev
}

// CosmosArmor checks a private key that a Cosmos chain's tool exported: armor
// with the headers kdf, salt and type, and a CRC-24. It needs its passphrase, so
// confidence is at most medium. The secret is the whole block.
func CosmosArmor(c scan.Candidate) scan.Evidence {
	const begin, end = "-----BEGIN TENDERMINT PRIVATE KEY-----", "-----END TENDERMINT PRIVATE KEY-----"
	s := strings.ReplaceAll(string(bytes.TrimSpace(c.Secret())), "\r", "")
	s, ok := strings.CutPrefix(s, begin)
	s, ok2 := strings.CutSuffix(s, end)
	if !ok || !ok2 {
		return scan.Rejected
	}
	s = strings.ReplaceAll(s, `\n`, "\n") // as in a JSON string
	headers, body, ok := strings.Cut(s, "\n\n")
	if !ok || !strings.Contains(headers, "kdf:") || !strings.Contains(headers, "salt:") {
		return scan.Rejected // the two lines alone, as in a parser's source
	}
	body = strings.Join(strings.Fields(body), "")
	data, sum, _ := cutArmorSum(body)
	raw, err := base64.StdEncoding.DecodeString(data)
	if err != nil || len(raw) == 0 {
		return scan.Fails("the armor's body is no base64")
	}
	ev := scan.Holds("armor parses, needs its passphrase")
	if sum != nil {
		if got := crc24(raw); [3]byte(sum) != [3]byte{byte(got >> 16), byte(got >> 8), byte(got)} {
			return scan.Fails("CRC-24 does not match: edited, truncated or an example")
		}
		ev.Reason = "CRC-24 holds, needs its passphrase"
	}
	ev.Cap = scan.Medium
	return ev
}

// cutArmorSum splits armor's base64 from its checksum: = and four digits at the
// end.
func cutArmorSum(body string) (data string, sum []byte, ok bool) {
	if len(body) < 5 || body[len(body)-5] != '=' {
		return body, nil, false
	}
	sum, err := base64.StdEncoding.DecodeString(body[len(body)-4:])
	if err != nil || len(sum) != 3 {
		return body, nil, false
	}
	return body[:len(body)-5], sum, true
}
