package rules

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"strings"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/proof"
)

// walletFiles lists what wallets and nodes keep in files.
func walletFiles() []scan.Rule {
	return []scan.Rule{
		{
			ID: "ethereum-keystore", Provider: "ethereum", Title: "Ethereum keystore (version 3)",
			Why: whyPassword, Fix: fixPassword, Confidence: scan.Medium,
			Reference: "https://ethereum.org/en/developers/docs/data-structures-and-encoding/web3-secret-storage/",
			Expr:      `ciphertext\\?"\s{0,4}:\s{0,4}\\?"(?P<secret>[0-9a-fA-F]{64})\\?"`,
			Partners: []scan.Partner{
				{Role: "cipher", Within: 512, Required: true, Expr: `"cipher\\?"\s{0,4}:\s{0,4}\\?"(aes-128-(?:ctr|cbc))`},
				{Role: "mac", Within: 512, Required: true, Expr: `"mac\\?"\s{0,4}:\s{0,4}\\?"([0-9a-fA-F]{64})`},
			},
			Public: []string{"cipher", "mac"},
			Samples: func(g *scan.Gen) scan.Samples {
				file := `{"address":"` + g.Hex(40) + `","crypto":{"cipher":"aes-128-ctr","ciphertext":"` + g.Hex(64) + `","cipherparams":{"iv":"` + g.Hex(32) +
					`"},"kdf":"scrypt","kdfparams":{"dklen":32,"n":262144,"p":1,"r":8,"salt":"` + g.Hex(64) + `"},"mac":"` + g.Hex(64) + `"},"id":"` + g.UUID() + `","version":3}`
				return scan.Samples{
					Match:   []string{file, strings.ReplaceAll(file, `"`, `\"`), strings.ReplaceAll(strings.ReplaceAll(file, ",", ",\n        "), ":", ": ")},
					NoMatch: []string{`{"ciphertext":"` + g.Hex(64) + `"}`},
				}
			},
		},
		{
			ID: "ethereum-validator-keystore", Provider: "ethereum", Title: "Ethereum validator keystore (EIP-2335)",
			Why: "Whoever guesses its password can sign as the validator, which gets it slashed.", Fix: "Exit the validator, and make a new one with new keys.",
			Reference: "https://eips.ethereum.org/EIPS/eip-2335", Confidence: scan.Medium,
			Expr:     `aes-128-ctr\\?"[\s,:{}"\\a-z0-9]{10,200}?message\\?"\s{0,4}:\s{0,4}\\?"(?P<secret>[0-9a-fA-F]{64})\\?"`,
			Partners: []scan.Partner{{Role: "pubkey", Within: 512, Expr: `"pubkey\\?"\s{0,4}:\s{0,4}\\?"((?:0x)?[0-9a-fA-F]{96})`}},
			Public:   []string{"pubkey"},
			Samples: func(g *scan.Gen) scan.Samples {
				file := `{"crypto":{"kdf":{"function":"scrypt","params":{"dklen":32,"n":262144,"p":1,"r":8,"salt":"` + g.Hex(64) + `"},"message":""},"checksum":{"function":"sha256","params":{},"message":"` +
					g.Hex(64) + `"},"cipher":{"function":"aes-128-ctr","params":{"iv":"` + g.Hex(32) + `"},"message":"` + g.Hex(64) + `"}},"pubkey":"` + g.Hex(96) + `","path":"m/12381/3600/0/0/0","version":4}`
				return scan.Samples{Match: []string{file, strings.ReplaceAll(file, ",", ",\n    ")}}
			},
		},
		{
			ID: "polkadot-json-key", Provider: "polkadot", Title: "Polkadot-js account file",
			Why: "It holds the account's key, sealed by a passphrase at best: whoever guesses that can move everything.", Fix: fixPassword,
			Reference: "https://polkadot.js.org/docs/keyring/start/sign-verify/", Confidence: scan.High,
			Expr: `encoded"\s{0,4}:\s{0,4}"(?P<secret>0x[0-9a-f]{170,440}|[0-9A-Za-z+/]{110,400}={0,2})"`,
			Partners: []scan.Partner{
				{Role: "content", Within: 512, Required: true, Expr: `"(pkcs8)"`},
				{Role: "encryption", Within: 512, Expr: `"(none|scrypt|xsalsa20-poly1305)"`},
			},
			Public: []string{"content", "encryption"},
			Check:  polkadotFile,
			Samples: func(g *scan.Gen) scan.Samples {
				file := func(kind string) string {
					return `{"encoded":"` + g.String(scan.Base64Std, 268) + `","encoding":{"content":["pkcs8","sr25519"],"type":[` + kind + `],"version":"3"},"address":"5` + g.String(scan.Base58, 47) + `"}`
				}
				return scan.Samples{Match: []string{file(`"scrypt","xsalsa20-poly1305"`), file(`"none"`)}, NoMatch: []string{`{"encoded":"` + g.String(scan.Base64Std, 268) + `"}`}}
			},
		},
		{
			ID: "arweave-key-file", Provider: "arweave", Title: "Arweave wallet (JWK)",
			Why: whyFunds, Fix: fixFunds, Reference: "https://docs.arweave.org/developers/wallets/arweave-wallet", Confidence: scan.High,
			Object: &scan.Object{Gate: `"kty"`, Parse: arweaveKeys},
			Samples: func(g *scan.Gen) scan.Samples {
				return scan.Samples{Match: []string{arweaveSample(g, 0), "\n" + strings.ReplaceAll(arweaveSample(g, 0), ",", ",\n ")}, NoMatch: []string{arweaveSample(g, 2)}}
			},
		},
		macaroonRule("lnd-macaroon", "LND macaroon (file)", macaroonPrefix, "",
			func(b []byte) string { return string(b) }),
		macaroonRule("lnd-macaroon-hex", "LND macaroon", hex.EncodeToString([]byte(macaroonPrefix)), scan.LowerHex+scan.UpperHex,
			hex.EncodeToString),
		macaroonRule("lnd-macaroon-base64", "LND macaroon", base64.RawURLEncoding.EncodeToString([]byte(macaroonPrefix)), scan.Base64URL+"+/",
			base64.RawURLEncoding.EncodeToString),
		{
			ID: "lightning-rune", Provider: "lightning", Title: "Core Lightning rune",
			Why: "It runs commands on the Lightning node, as far as its restrictions allow: without any it spends all funds.", Fix: "Blacklist the rune with lightning-cli blacklistrune, and make a new one with restrictions.",
			Reference: "https://docs.corelightning.org/reference/createrune", Confidence: scan.High,
			Expr:  `(?:[_"' ]{1}|[\n.-]{1})(?i:rune)(?i:[a-z_]{0,10})` + assigned + `(?P<secret>[0-9A-Za-z_-]{46,300}={0,2})` + quote,
			Check: lightningRune, NeedsProof: true,
			Samples: func(g *scan.Gen) scan.Samples {
				rune := base64.URLEncoding.EncodeToString(append(g.Bytes(32), "3&method=getinfo|method=listpeers"...))
				return scan.Samples{Match: []string{"CLN_RUNE=" + rune + "\n", `{"rune": "` + rune + `"}`}, NoMatch: []string{"rune: " + g.String(scan.Base64URL, 64) + "\n"}}
			},
		},
		{
			ID: "cosmos-armored-key", Provider: "cosmos", Title: "Cosmos key (armoured)",
			Why: whyPassword, Fix: fixPassword, Reference: "https://docs.cosmos.network/main/user/run-node/keyring", Confidence: scan.Medium,
			Block: &scan.Block{Open: []string{"-----BEGIN TENDERMINT PRIVATE KEY-----"}, Close: []string{"-----END TENDERMINT PRIVATE KEY-----"}},
			Check: proof.CosmosArmor,
			Samples: func(g *scan.Gen) scan.Samples {
				armor := proof.SealCosmosArmor(g)
				body := strings.Index(armor, "\n\n") + 2
				edited := armor[:body] + strings.ToLower(armor[body:body+32]) + armor[body+32:]
				return scan.Samples{
					Match:   []string{armor, "{\"key\": \"" + strings.ReplaceAll(armor, "\n", `\n`) + "\"}\n"},
					Failed:  []string{edited},
					NoMatch: []string{"open, end := \"-----BEGIN TENDERMINT PRIVATE KEY-----\", \"-----END TENDERMINT PRIVATE KEY-----\"\n"},
				}
			},
		},
		{
			ID: "hummingbot-connector", Provider: "hummingbot", Title: "Hummingbot credential (encrypted)",
			Why:       "It holds an exchange's API key, sealed with Hummingbot's password: whoever guesses that can trade with it.",
			Fix:       "Delete the API key at the exchange, make a new one, and connect Hummingbot again with a strong password.",
			Reference: "https://hummingbot.org/client/password/", Confidence: scan.Medium,
			Block: &scan.Block{Open: []string{hex.EncodeToString([]byte(`{"crypto": {"cip`))}, Close: []string{hex.EncodeToString([]byte(`"version": 3`))}},
			Samples: func(g *scan.Gen) scan.Samples {
				keystore := `{"crypto": {"cipher": "aes-128-ctr", "cipherparams": {"iv": "` + g.Hex(32) + `"}, "ciphertext": "` + g.Hex(128) +
					`", "kdf": "pbkdf2", "kdfparams": {"c": 1000000, "dklen": 32, "prf": "hmac-sha256", "salt": "` + g.Hex(32) + `"}, "mac": "` + g.Hex(64) + `"}, "version": 3, "alias": ""}`
				return scan.Samples{Match: []string{"connector: binance\nbinance_api_key: " + hex.EncodeToString([]byte(keystore)) + "\n"}}
			},
		},
		{
			ID: "bitcoin-core-wallet", Provider: "bitcoin", Title: "Bitcoin Core wallet file",
			Why: "It holds the wallet's private keys, often without a passphrase.", Fix: fixPassword,
			Reference: "https://github.com/bitcoin/bitcoin/blob/master/doc/managing-wallets.md", Confidence: scan.Medium,
			Path: &scan.Path{Globs: []string{"wallet.dat", "wallet-*.dat"}}, Check: walletFile, Samples: noText,
		},
		{
			ID: "lightning-hsm-secret", Provider: "lightning", Title: "Core Lightning hsm_secret",
			Why: "All keys of the Lightning node derive from it: whoever holds it takes all funds.", Fix: fixFunds,
			Reference: "https://docs.corelightning.org/docs/backup", Confidence: scan.High,
			Path: &scan.Path{Globs: []string{"hsm_secret"}}, Check: hsmSecret, Samples: noText,
		},
	}
}

// walletFile checks that a file begins as the databases of wallets do: Berkeley
// DB's btree, of either byte order, or SQLite.
func walletFile(c scan.Candidate) scan.Evidence {
	head := c.Secret()
	if bytes.HasPrefix(head, []byte("SQLite format 3\x00")) {
		return scan.Evidence{Reason: "an SQLite database"}
	}
	if len(head) >= 16 && (string(head[12:16]) == "\x62\x31\x05\x00" || string(head[12:16]) == "\x00\x05\x31\x62") {
		return scan.Evidence{Reason: "a Berkeley DB file"}
	}
	return scan.Fails("not a database of a wallet")
}

// The sizes of hsm_secret in bytes: a seed alone; at most a checksum, salt and
// mnemonic before and behind it.
const minHSMSecret, maxHSMSecret = 32, 1 << 10

// hsmSecret checks the size of a file of that name.
func hsmSecret(c scan.Candidate) scan.Evidence {
	if n := len(c.Secret()); n < minHSMSecret || n > maxHSMSecret {
		return scan.Fails("not of the size of one")
	}
	return scan.Evidence{}
}

// noText is for rules that ask for the file's name alone.
func noText(*scan.Gen) scan.Samples { return scan.Samples{} }

// polkadotFile caps a file whose key is sealed by a passphrase.
func polkadotFile(c scan.Candidate) scan.Evidence {
	if string(c.Part("encryption")) == "none" {
		return scan.Evidence{Reason: "not encrypted"}
	}
	return scan.Evidence{Reason: "needs its passphrase", Cap: scan.Medium}
}

// lightningRune checks that base64url decodes to an authentication code and a
// rune's restrictions, which are printable text that begins with an id.
func lightningRune(c scan.Candidate) scan.Evidence {
	b, err := base64.RawURLEncoding.DecodeString(string(bytes.TrimRight(c.Secret(), "=")))
	if err != nil || len(b) < 34 {
		return scan.Rejected
	}
	text := b[32:]
	if text[0] != '=' && (text[0] < '0' || text[0] > '9') {
		return scan.Rejected
	}
	for _, ch := range text {
		if ch < ' ' || ch > '~' {
			return scan.Rejected
		}
	}
	if len(text) < 4 { // an id alone: chance could make it
		return scan.Evidence{}
	}
	return scan.Holds("decodes to a rune with its restrictions")
}

// maxKeyFile bounds the files that are parsed for a JSON web key.
const maxKeyFile = 64 << 10

// arweaveKeys finds Arweave's key file: an RSA key of 4096 bits as a JSON web key
// without a name or a use. The primes have to multiply to the modulus.
func arweaveKeys(data []byte) []scan.ObjectMatch {
	if len(data) > maxKeyFile || !bytes.Contains(data, []byte(`"qi"`)) {
		return nil
	}
	start := bytes.IndexByte(data, '{')
	if start < 0 {
		return nil
	}
	var key struct{ Kty, N, E, D, P, Q, Kid, Use string }
	if json.NewDecoder(bytes.NewReader(data[start:])).Decode(&key) != nil || key.Kty != "RSA" || key.Kid != "" || key.Use != "" || len(key.N) != 683 {
		return nil
	}
	at := bytes.Index(data, []byte(`"`+key.D+`"`))
	if key.D == "" || at < 0 {
		return nil
	}
	ev := scan.Fails("the primes do not multiply to the modulus: edited or an example")
	p, okP := bigText(key.P)
	q, okQ := bigText(key.Q)
	n, okN := bigText(key.N)
	if okP && okQ && okN && new(big.Int).Mul(p, q).Cmp(n) == 0 {
		ev = scan.Holds("the primes multiply to the modulus: RSA private key")
		sum := sha256Of(n.Bytes())
		ev.PublicID = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	span := scan.Span{Role: scan.RoleSecret, Start: at + 1, End: at + 1 + len(key.D)}
	return []scan.ObjectMatch{{Parts: []scan.Span{span}, Evidence: ev}}
}

func bigText(s string) (*big.Int, bool) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	return new(big.Int).SetBytes(b), err == nil && len(b) > 0
}

// arweaveSample is a key file whose modulus is the product of two odd numbers
// plus off: only a real key would have primes, and the check does not ask.
func arweaveSample(g *scan.Gen, off int64) string {
	odd := func() *big.Int {
		b := g.Bytes(256)
		b[0], b[255] = b[0]|0xf0, b[255]|1
		return new(big.Int).SetBytes(b)
	}
	text := func(n *big.Int) string { return base64.RawURLEncoding.EncodeToString(n.Bytes()) }
	p, q := odd(), odd()
	n := new(big.Int).Mul(p, q)
	n.Add(n, big.NewInt(off))
	return `{"kty":"RSA","e":"AQAB","n":"` + text(n) + `","d":"` + g.String(scan.Base64URL, 683) + `","p":"` + text(p) + `","q":"` + text(q) +
		`","dp":"` + g.String(scan.Base64URL, 342) + `","dq":"` + g.String(scan.Base64URL, 342) + `","qi":"` + g.String(scan.Base64URL, 342) + `"}`
}

// macaroonPrefix begins LND's macaroons: version 2, the location "lnd".
const macaroonPrefix = "\x02\x01\x03lnd"

// macaroonRule finds LND's macaroons in one encoding: what the prefix comes to in
// it, and its alphabet (empty for raw bytes).
func macaroonRule(id, title, prefix, alphabet string, encode func([]byte) string) scan.Rule {
	return scan.Rule{
		ID: id, Provider: "lightning", Title: title,
		Why:       "It opens the node's API with the permissions that it names: an admin macaroon spends all funds.",
		Fix:       "Delete the root key with lncli deletemacaroonid, and bake new macaroons with as few permissions as will do.",
		Reference: "https://docs.lightning.engineering/lightning-network-tools/lnd/macaroons", Confidence: scan.High,
		Object: &scan.Object{Gate: prefix, Parse: func(data []byte) []scan.ObjectMatch { return macaroons(data, prefix, alphabet) }},
		Samples: func(g *scan.Gen) scan.Samples {
			m := []byte(macaroonPrefix + "\x02\x24\x03\x0a\x10" + string(g.Bytes(16)) + "\x12\x01\x30\x1a\x0c" + "invoices:rd" + "x\x00\x00\x06\x20")
			m[7] = byte(len(m) - 4 - 8)
			m = append(m, g.Bytes(32)...)
			text := encode(m)
			return scan.Samples{Match: []string{"\x00" + text + "\n", "a macaroon=" + text}, NoMatch: []string{"macaroon=" + text[:len(text)/2] + "\n"}}
		},
	}
}

// macaroons finds the texts that begin with prefix and decode to a macaroon.
func macaroons(data []byte, prefix, alphabet string) []scan.ObjectMatch {
	var found []scan.ObjectMatch
	for at := 0; ; {
		i := bytes.Index(data[at:], []byte(prefix))
		if i < 0 {
			return found
		}
		start := at + i
		end := start + len(prefix)
		var ok bool
		if alphabet == "" {
			var size int
			size, ok = macaroonSize(data[start:])
			end = start + size
		} else {
			for end < len(data) && strings.IndexByte(alphabet, data[end]) >= 0 {
				end++
			}
			_, ok = macaroonSize(decodeText(data[start:end]))
		}
		if ok {
			ev := scan.Holds("parses as a macaroon of LND")
			found = append(found, scan.ObjectMatch{Parts: []scan.Span{{Role: scan.RoleSecret, Start: start, End: end}}, Evidence: ev})
		}
		at = max(end, start+len(prefix))
	}
}

// decodeText decodes hexadecimal, or base64 of either alphabet without padding.
func decodeText(s []byte) []byte {
	if b, err := hex.DecodeString(string(s)); err == nil {
		return b
	}
	b, _ := base64.RawURLEncoding.DecodeString(strings.NewReplacer("+", "-", "/", "_").Replace(string(s)))
	return b
}

// macaroonSize is the length of the macaroon (version 2 of libmacaroons' binary
// format) that b begins with; ok is false if there is none.
func macaroonSize(b []byte) (size int, ok bool) {
	if len(b) < len(macaroonPrefix) || b[0] != 2 {
		return 0, false
	}
	const end = 0
	i, inCaveat, first := 1, false, true
	for i < len(b) {
		kind := b[i]
		i++
		if kind == end {
			if !first && !inCaveat {
				return macaroonEnd(b, i)
			}
			first, inCaveat = false, false
			continue
		}
		n, width := binary.Uvarint(b[i:])
		if width <= 0 || kind > 4 || n > uint64(len(b)-i-width) {
			return 0, false
		}
		i += width + int(n)
		inCaveat = !first
	}
	return 0, false
}

// macaroonEnd reads the signature, 32 bytes, at i.
func macaroonEnd(b []byte, i int) (size int, ok bool) {
	if len(b) < i+34 || b[i] != 6 || b[i+1] != 32 {
		return 0, false
	}
	return i + 34, true
}
