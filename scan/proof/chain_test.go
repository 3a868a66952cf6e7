package proof

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/keywright/keywright/scan"
)

// keyCandidate is a candidate whose parts after the secret are role, value, …
func keyCandidate(secret string, parts ...string) scan.Candidate {
	c := scan.Candidate{Text: []byte(secret), Roles: []string{scan.RoleSecret}, Spans: [][]byte{[]byte(secret)}}
	for i := 0; i+1 < len(parts); i += 2 {
		c.Roles = append(c.Roles, parts[i])
		c.Spans = append(c.Spans, []byte(parts[i+1]))
	}
	return c
}

// chainVector is a published key, in pieces, and what its check must say.
type chainVector struct {
	name   string
	check  func(scan.Candidate) scan.Evidence
	secret string
	id     string // the public identifier
	reason string // a part of the reason
	limit  scan.Confidence
}

// chainVectors come from the specifications named and from the test suites of
// their reference implementations.
var chainVectors = []chainVector{
	{"WIF of scalar 1", BitcoinWIF, "5HpHagT65TZzG1PH3CSu63k8DbpvD" + "8s5ip4nEB3kEsreAnchuDf", "1EHNa6Q4Jz2uvNExL497mE43ikXhwF6kZm", "the number 1", scan.Low},
	{"WIF of scalar 1, compressed", BitcoinWIF, "KwDiBf89QgGbjEhKnhXJuH7LrciVr" + "Zi3qYjgd9M7rFU73sVHnoWn", "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH", "the number 1", scan.Low},
	{"Bitcoin wiki", BitcoinWIF, "5HueCGU8rMjxEXxiPuD5BDku4MkFq" + "eZyd4dZ1jvhTVqvbTLvyTJ", "1GAehh7TsJAHuUAeKZcXf5CnwuGuGgyX2S", "published test key", scan.Low},
	{"eosio development key", BitcoinWIF, "5KQwrPbwdL6PhXujxW37FSSQZ1Jiw" + "sST4cqQzDeyXtP79zkvFD3", "", "published test key", scan.Low},
	{"eosio development key, newer form", EOSKey, "PVT_K1_" + "2bfGi9rYsXQSXXTvJbDAPhHLQUojj" + "aNLomdm3cEJ1XTzMqUt3V", "PUB_K1_6MRyAjQq8ud7hVNYcfnVPJqcVpscN5So8BhtHuGYqET5BoDq63", "published test key", scan.Low},
	{"BIP-38, not EC-multiplied", BIP38Key, "6PRVWUbkzzsbcVac2qwfssoUJAN1X" + "hrg6bNk8J7Nzm5H7kxEbn2Nh2ZoGg", "", "", scan.Low},
	{"BIP-38, EC-multiplied", BIP38Key, "6PfQu77ygVyJLZjfvMLyhLMQbYnu5" + "uguoJJ4kMCLqWwPEdfpwANVS76gTX", "", "", scan.Low},
	{"BIP-32 vector 1, master", ExtendedPrivateKey, "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPP" + "qjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi", "fingerprint 3442193e", "BIP-32 vector 1", scan.Low},
	{"BIP-32 vector 1, child", ExtendedPrivateKey, "xprv9uHRZZhk6KAJC1avXpDAp4MDc3sQKNxDiPvvkX8Br5ngLNv1TxvU" + "xt4cV1rGL5hj6KCesnDYUhd7oWgT11eZG7XnxHrnYeSvkzY7d2bhkJ7", "fingerprint 5c1bd648", "BIP-32 vector 1", scan.Low},
	{"Tezos sandbox bootstrap1", TezosKey, "edsk3gUfUPyBSfrS9CCgmCiQsTCHGk" + "viBDusMxDJstFtojtc1zcpsh", "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx", "Tezos sandbox", scan.Low},
	{"Tezos sandbox activator", TezosKey, "edsk31vznjHSSpGExDMHYASz45VZqX" + "N4DPxvsa4hAyY8dHM28cZzp6", "", "Tezos sandbox", scan.Low},
	{"XRP genesis", XRPSeed, "snoPBrXtMeMyMHUVT" + "gbuqAfg1SUTb", "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh", "XRP Ledger genesis", scan.Low},
	{"Avalanche local network", AvalancheKey, "PrivateKey-" + "ewoqjP7PxY4yr3iLTpLisriqt94" + "hdyDFNgchSxGGztUrTXtNN", "0x8db97C7cEcE249c2b98bDC0226Cc4C2A57BF52FC", "Avalanche local network", scan.Low},
	{"Zcash Sprout", ZcashSproutKey, "SKxt8pwrQipUL5KgZUcBAqyLj9R1Y" + "wMuRRR3ijGMCwCCqchmi8ut", "", "mainnet", 0},
	{"Mina", MinaKey, "EKEeoESE2A41YQnSht9f7mjiKpJSeZ" + "4jnfHXYatYi8xJdYSxWBep", "", "Mina private key", 0},
	{"Hardhat account 0", EthereumKey, "0x" + "ac0974bec39a17e36ba4a6b4d238ff94" + "4bacb478cbed5efcae784d7bf4f2ff80", "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", "Hardhat", scan.Low},
	{"Aptos SDK ed25519", AptosKey, "ed25519-priv-" + "0xc5338cd251c22daa8c9c9cc94f498cc8" + "a5c7e1d2e75287a5dda91096fe64efa5", "0x978c213990c4833df71548df7ce49d54c759d6b6d932de22b24d56060b7af2aa", "", 0},
	{"Aptos SDK secp256k1", AptosKey, "secp256k1-priv-" + "0xd107155adf816a0a94c6db3c9489c13a" + "d8a1eda7ada2e558ba3bfa47c020347e", "", "", 0},
	{"Filecoin", FilecoinKey, "7b2254797065223a22736563703235366b31222c22507269766174654b6579223a22" + "6b35507976337148327349586343595a58594f5775453149326e32554539436861556b6c4e36695a5763453d" + "227d", "f1fib3pv7jua2ockdugtz7viz3cyy6lkhh7rfx3sa", "", 0},
	{"SEP-23 seed", StellarSeed, "SBU2RRGLXH3E5CQHTD3ODLDF2BWDC" + "YUSSBLLZ5GNW7JXHDIYKXZWHOKR", "", "published test key", scan.Low},
	{"Tezos, secp256k1", TezosKey, "spsk2rBDDeUqakQ42nBHDGQTtP3Gl"[:0] + "spsk2rBDDeUqakQ42nBHDGQTtP3GE" + "rb6AahHPwF9bhca3Q5KA5HESE", "tz2Ch1abG7FNiibmV26Uzgdsnfni9XGrk5wD", "", 0},
	{"Tezos, encrypted", TezosKey, "edesk1uiM6BaysskGto8pRtzKQqFqsy1sea1QRjTzaQY" + "uBxYNhuN6eqEU78TGRXZocsVRJYcN7AaU9JDykwUd8KW", "", "passphrase", scan.Medium},
	{"NATS documentation", NKeySeed, "SUACSSL3UAHUDXKFSNVUZRF5UHPMW" + "Z6BFDTJ7M6USDXIEDNPPQYYYCU3VY", "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4", "published test key", scan.Low},
	{"age test vectors", Bech32Secret, "AGE-SECRET-KEY-1" + "XMWWC06LY3EE5RYTXM9MFLAZ2U5" + "6JJJ36S0MYPDRWSVLUL66MV4QX3S7F6", "", "age identity", 0},
	{"Sui", Bech32Secret, "suiprivkey1qzklg5g6zq328ajfgmhhgnmruvkzd" + "pccezueggdk8l7c957cnlkvv87lmz5", "0x6bb57d9fe982786dda345723fca19f772cae2d9b76ee22cd47337e7b1ec2718c", "Sui ed25519", 0},
	{"NIP-19", Bech32Secret, "nsec1vl029mgpspedva04g90vltkh6fvh" + "240zqtv9k0t9af8935ke9laqsnlfe5", "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg", "", scan.Low},
	{"NIP-49", Bech32Secret, "ncryptsec1qgg9947rlpvqu76pj5ecreduf9jxhselq2nae2kghhvd5g7dgjtcxfqtd67p9m0w57lspw8gsq6yphnm8623ns" + "l8xn9j4jdzz84zm3frztj3z7s35vpzmqf6ksu8r89qk5z2zxfmu5gv8th8wclt0h4p", "", "password", scan.Medium},
	{"Sapling", Bech32Secret, "secret-extended-key-main1q0k2ga2cqqqqpq8m8j6yl0say83cagrqp53zqz54w38ezs8ly9ly5ptamqwfpq85u87w0df4k8t2lwyde3n9v0gcr69nu4ryv60t0kfcsvkr8h83skwqex2nf0vr32794fm" + "zk89cpmjptzc22lgu5wfhhp8lgf3f5vn2l3sge0udvxnm95k6dtxj2jwlfyccnum7nz297ecyhmd5ph526pxndww0rqq0qly84l635mec0x4yedf95hzn6kcgq8yxts26k98j9g32kjc8y83fe", "", "Sapling", 0},
	{"Cardano address key", Bech32Secret, "addr_xsk1fzw9r482t0ekua7rcqewg3k8ju5d9run4juuehm2p24jtuzz4dg4wpeulnqhualvtx9lyy7u0h9pdjvmyhxdh" + "zsyy49szs6y8c9zwfp0eqyrqyl290e6dr0q3fvngmsjn4aask9jjr6q34juh25hczw3euust0dw", "", "Cardano", 0},
	{"LND macaroon", LNDMacaroon, "AgEDbG5kAlgDChCzdyrW0Ev3xODiRinHe0gWEgEwGhYKB2FkZHJlc3MSBHJlYWQSBXdyaXRlGhcKCGludm9pY2VzEgRyZWFkEgV3cml0" + "ZRoPCgdvbmNoYWluEgRyZWFkAAAGIH0MChI/oXA7esYfrKTp+XK+6tuswMOF7J5lRDbwL0Dl", "", "macaroon of lnd parses", 0},
}

func TestChainVectors(t *testing.T) {
	for _, v := range chainVectors {
		t.Run(v.name, func(t *testing.T) {
			ev := v.check(keyCandidate(v.secret))
			if ev.Reject || ev.Proof == scan.Failed {
				t.Fatalf("evidence %+v", ev)
			}
			if v.id != "" && ev.PublicID != v.id {
				t.Errorf("public id %q, want %q", ev.PublicID, v.id)
			}
			if !strings.Contains(ev.Reason, v.reason) {
				t.Errorf("reason %q, want %q in it", ev.Reason, v.reason)
			}
			if ev.Cap != v.limit {
				t.Errorf("cap %v, want %v (%s)", ev.Cap, v.limit, ev.Reason)
			}
		})
	}
}

// sealedKey is a key made at run time, its check, and whether one changed
// character must make the check fail.
type sealedKey struct {
	name, secret string
	check        func(scan.Candidate) scan.Evidence
	reason       string
	limit        scan.Confidence
}

func sealedKeys(g *scan.Gen) []sealedKey {
	key := func() []byte { return Scalar(g.Bytes(32)) }
	var all []sealedKey
	add := func(name, secret string, check func(scan.Candidate) scan.Evidence, reason string, limit scan.Confidence) {
		all = append(all, sealedKey{name, secret, check, reason, limit})
	}
	for _, n := range wifNetworks {
		add(n.name, SealWIF(n.version, key(), false), BitcoinWIF, n.name+" key, uncompressed", 0)
		add(n.name, SealWIF(n.version, key(), true), BitcoinWIF, n.name+" key, compressed", 0)
	}
	for _, v := range extendedVersions {
		add(v.name, SealExtendedKey(v.name[:4], key(), key()), ExtendedPrivateKey, v.name, 0)
	}
	for _, p := range tezosPrefixes {
		payload, limit := key(), scan.Confidence(0)
		switch p.kind {
		case tezosPair:
			payload = SealEd25519(payload)
		case tezosEncrypted:
			payload, limit = g.Bytes(56), scan.Medium
		}
		add("Tezos "+p.name, SealTezos(p.text, p.digits, payload), TezosKey, p.name, limit)
	}
	add("BIP-38", SealBIP38(g.Bytes(36)), BIP38Key, "passphrase", scan.Medium)
	add("EOS K1", SealEOS("K1", key()), EOSKey, "K1 key", 0)
	add("EOS R1", SealEOS("R1", key()), EOSKey, "R1 key", 0)
	add("EOS without prefix", SealEOS("R1", key())[7:], EOSKey, "R1 key", 0)
	add("Avalanche", SealAvalanche(key()), AvalancheKey, "CB58", 0)
	add("XRP", SealXRP(g.Bytes(16), false), XRPSeed, "secp256k1", 0)
	add("XRP ed25519", SealXRP(g.Bytes(16), true), XRPSeed, "ed25519", 0)
	add("Zcash", SealZcashSprout(key()), ZcashSproutKey, "Sprout", 0)
	add("Mina", SealMina(key()), MinaKey, "Mina", 0)
	add("Stellar", SealStellar(key()), StellarSeed, "Stellar", 0)
	for _, p := range natsPrefixes {
		add("NATS "+p.name, SealNKey(p.name, key()), NKeySeed, p.name, 0)
	}
	for _, k := range bech32Kinds {
		add(k.name, SealBech32(k.hrp, g.Bytes(k.bytes)), Bech32Secret, k.name, 0)
	}
	add("Nostr", SealBech32("nsec", key()), Bech32Secret, "Nostr", 0)
	add("Nostr encrypted", SealBech32("ncryptsec", append([]byte{2}, g.Bytes(90)...)), Bech32Secret, "password", scan.Medium)
	for flag := range 3 {
		add("Sui", SealBech32("suiprivkey", append([]byte{byte(flag)}, key()...)), Bech32Secret, "Sui", 0)
	}
	add("age", strings.ToUpper(SealBech32("age-secret-key-", key())), Bech32Secret, "age identity", 0)
	add("LNURL", SealBech32("lnurl", []byte("https://ln.example.com/withdraw?api_key="+g.Hex(32))), LNURL, "carries a key", 0)
	add("Solana", SealSolana(key()), SolanaKey, "ed25519", 0)
	add("Solana array", SealSolanaArray(key()), SolanaKeyArray, "ed25519", 0)
	add("NEAR", "ed25519:"+SealSolana(key()), NEARKey, "ed25519", 0)
	add("base64 pair", base64.StdEncoding.EncodeToString(SealEd25519(key())), Ed25519PairBase64, "ed25519", 0)
	add("hex pair", hex.EncodeToString(SealEd25519(key())), Ed25519PairHex, "ed25519", 0)
	add("Coinbase", base64.StdEncoding.EncodeToString(SealEd25519(key())), CoinbaseKey, "ed25519", 0)
	add("Robinhood", base64.StdEncoding.EncodeToString(SealEd25519(key())), RobinhoodKey, "ed25519", 0)
	return all
}

func TestSealedKeys(t *testing.T) {
	g := scan.NewGen(7)
	for range 3 {
		for _, k := range sealedKeys(g) {
			ev := k.check(keyCandidate(k.secret))
			if ev.Proof != scan.Proved || ev.Cap != k.limit || !strings.Contains(ev.Reason, k.reason) {
				t.Errorf("%s: %s: %+v", k.name, k.secret, ev)
			}
			if strings.Contains(ev.PublicID, k.secret) || strings.Contains(ev.Reason, k.secret) {
				t.Errorf("%s: the evidence tells the secret", k.name)
			}
			checkMutations(t, g, k)
		}
	}
}

// checkMutations changes one character, which no check may survive.
func checkMutations(t *testing.T, g *scan.Gen, k sealedKey) {
	t.Helper()
	for range 8 {
		b := []byte(k.secret)
		i := g.IntN(len(b))
		for b[i] == k.secret[i] {
			b[i] = scan.Base62[g.IntN(62)]
		}
		if k.name == "LNURL" || strings.EqualFold(string(b), k.secret) {
			continue
		}
		if ev := k.check(keyCandidate(string(b))); ev.Proof == scan.Proved {
			t.Errorf("%s: %s is proved, made from %s: %+v", k.name, b, k.secret, ev)
		}
	}
	cut := strings.TrimRight(k.secret, "=")
	for _, s := range []string{"", k.secret[1:], cut[:len(cut)-1], k.secret + k.secret, strings.Repeat("1", len(k.secret))} {
		if ev := k.check(keyCandidate(s)); ev.Proof == scan.Proved {
			t.Errorf("%s: %q is proved: %+v", k.name, s, ev)
		}
	}
}

func TestFailedAndRejected(t *testing.T) {
	g := scan.NewGen(8)
	outside := strings.Repeat("f", 64)
	order, _ := hex.DecodeString("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")
	seed := g.Bytes(32)
	tests := []struct {
		name  string
		check func(scan.Candidate) scan.Evidence
		c     scan.Candidate
		want  string // "failed", "rejected" or "none"
	}{
		{"WIF, wrong checksum", BitcoinWIF, keyCandidate("5" + strings.Repeat("J", 50)), "failed"},
		{"WIF, wrong alphabet", BitcoinWIF, keyCandidate("5" + strings.Repeat("0", 50)), "rejected"},
		{"WIF, key is the order", BitcoinWIF, keyCandidate(SealWIF(0x80, order, true)), "failed"},
		{"WIF, key is zero", BitcoinWIF, keyCandidate(SealWIF(0x80, make([]byte, 32), true)), "failed"},
		{"WIF, unknown network", BitcoinWIF, keyCandidate(SealWIF(0x81, seed, true)), "failed"},
		{"extended public key", ExtendedPrivateKey, keyCandidate(extendedPublic()), "rejected"},
		{"Ethereum, outside", EthereumKey, keyCandidate(outside), "failed"},
		{"Ethereum, zero", EthereumKey, keyCandidate(strings.Repeat("0", 64)), "failed"},
		{"Ethereum, short", EthereumKey, keyCandidate("0x12"), "rejected"},
		{"Ethereum, any number", EthereumKey, keyCandidate(hex.EncodeToString(seed)), "none"},
		{"Ethereum, another's address", EthereumKey, keyCandidate(hex.EncodeToString(seed), "address", "0x"+g.Hex(40)), "none"},
		{"Solana signature", SolanaKey, keyCandidate(encode58(g.Bytes(64), bitcoin58)), "failed"},
		{"array of 63", SolanaKeyArray, keyCandidate(strings.Repeat("1,", 62) + "1"), "rejected"},
		{"array of 65", SolanaKeyArray, keyCandidate(strings.Repeat("1,", 64) + "1"), "rejected"},
		{"array with 256", SolanaKeyArray, keyCandidate("256," + strings.Repeat("1,", 62) + "1"), "rejected"},
		{"array of others", SolanaKeyArray, keyCandidate(strings.Repeat("1,", 63) + "1"), "failed"},
		{"array without commas", SolanaKeyArray, keyCandidate(strings.TrimSpace(strings.Repeat("1 ", 64))), "rejected"},
		{"NEAR public key", NEARKey, keyCandidate("ed25519:" + encode58(seed, bitcoin58)), "rejected"},
		{"Robinhood seed", RobinhoodKey, keyCandidate(base64.StdEncoding.EncodeToString(seed)), "none"},
		{"bech32, address", Bech32Secret, keyCandidate(SealBech32("bc", seed)), "rejected"},
		{"bech32, mixed case", Bech32Secret, keyCandidate("N" + SealBech32("nsec", seed)[1:]), "rejected"},
		{"bech32, length", Bech32Secret, keyCandidate(SealBech32("nsec", seed[1:])), "failed"},
		{"LNURL without key", LNURL, keyCandidate(SealBech32("lnurl", []byte("https://example.com/?tag=login&k1=00"))), "rejected"},
		{"Aptos, unknown curve", AptosKey, keyCandidate("ed448-priv-0x" + hex.EncodeToString(seed)), "rejected"},
		{"Aptos, outside", AptosKey, keyCandidate("secp256k1-priv-0x" + outside), "failed"},
		{"Hedera, cut", HederaKey, keyCandidate(SealHedera(seed, true)[:90]), "failed"},
		{"Starknet, outside", StarknetKey, keyCandidate("0x" + outside), "failed"},
		{"Starknet, any number", StarknetKey, keyCandidate("0x" + g.Hex(60)), "none"},
		{"Filecoin, no JSON", FilecoinKey, keyCandidate(g.Hex(80)), "failed"},
		{"KuCoin", KuCoinSecret, keyCandidate(g.UUID(), "id", "5f"+g.Hex(22)), "none"},
		{"KuCoin, another version", KuCoinSecret, keyCandidate("00000000-0000-1000-8000-000000000000"), "failed"},
		{"KuCoin, date of 1970", KuCoinSecret, keyCandidate(g.UUID(), "id", "00"+g.Hex(22)), "failed"},
		{"OKX", OKXKey, keyCandidate(g.String(scan.UpperHex, 32), "id", g.UUID()), "none"},
		{"OKX, no UUID", OKXKey, keyCandidate(g.String(scan.UpperHex, 32), "id", g.Hex(36)), "failed"},
		{"Kraken", KrakenSecret, keyCandidate(base64.StdEncoding.EncodeToString(g.Bytes(64))), "none"},
		{"Kraken, short", KrakenSecret, keyCandidate(base64.StdEncoding.EncodeToString(g.Bytes(60))), "failed"},
		{"Polymarket", PolymarketSecret, keyCandidate(base64.URLEncoding.EncodeToString(seed)), "none"},
		{"Pinata, another's token", PinataToken, keyCandidate("e30.e30.e30"), "rejected"},
		{"LND, cut", LNDMacaroon, keyCandidate(hex.EncodeToString(SealLNDMacaroon(g.Bytes(48)))[:150]), "failed"},
		{"rune, random", RuneToken, keyCandidate(base64.URLEncoding.EncodeToString(append(g.Bytes(34), 0xff))), "rejected"},
		{"no candidate at all", BitcoinWIF, scan.Candidate{}, "rejected"},
	}
	for _, tt := range tests {
		ev := tt.check(tt.c)
		got := ev.Proof.String()
		if ev.Reject {
			got = "rejected"
		}
		if got != tt.want {
			t.Errorf("%s: %s (%+v), want %s", tt.name, got, ev, tt.want)
		}
	}
}

// extendedPublic is the public half of BIP-32's first vector.
func extendedPublic() string {
	return "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhe" + "PY2gZ29ESFjqJoCu1Rupje8YtGqsefD265TMg7usUDFdp6W1EGMcet8"
}

func TestOtherKeys(t *testing.T) {
	g := scan.NewGen(9)
	key := Scalar(g.Bytes(32))
	address, _ := EthereumAddress(key)
	tests := []struct {
		name  string
		check func(scan.Candidate) scan.Evidence
		c     scan.Candidate
	}{
		{"Ethereum with its address", EthereumKey, keyCandidate(hex.EncodeToString(key), "address", strings.ToLower(address))},
		{"Hedera ed25519", HederaKey, keyCandidate(SealHedera(key, true))},
		{"Hedera ECDSA", HederaKey, keyCandidate(SealHedera(key, false))},
		{"Filecoin", FilecoinKey, keyCandidate(SealFilecoin(key))},
		{"LND, hex", LNDMacaroon, keyCandidate(hex.EncodeToString(SealLNDMacaroon(g.Bytes(48))))},
		{"LND, base64url", LNDMacaroon, keyCandidate(base64.RawURLEncoding.EncodeToString(SealLNDMacaroon(g.Bytes(48))))},
		{"LND, raw", LNDMacaroon, keyCandidate(string(SealLNDMacaroon(g.Bytes(48))))},
		{"rune", RuneToken, keyCandidate(base64.URLEncoding.EncodeToString(append(g.Bytes(32), "=7&method^list"...)))},
		{"NEAR seed with its public key", NEARKey, keyCandidate("ed25519:"+encode58(key, bitcoin58), "public", nearID(ed25519Public(key)))},
		{"Pinata", PinataToken, keyCandidate("e30." + base64.RawURLEncoding.EncodeToString([]byte(`{"userInformation":{},"scopedKeyKey":"0011"}`)) + ".c2ln")},
	}
	for _, tt := range tests {
		if ev := tt.check(tt.c); ev.Proof != scan.Proved || ev.Cap != 0 {
			t.Errorf("%s: %+v", tt.name, ev)
		}
	}
	hedera := HederaKey(keyCandidate("302e020100300506032b657004220420" + "db484b828e64b2d8f12ce3c0a0e93a0b" + "8cce7af1bb8f39c97732394482538e10"))
	if hedera.PublicID != "e0c8ec2758a5879ffac226a13c0c516b799e72e35141a0dd828f94d37988a4b7" || hedera.Cap != scan.Low {
		t.Errorf("Hedera's test key: %+v", hedera)
	}
	tron := TronKey(keyCandidate(strings.Repeat("0", 63) + "1"))
	if tron.PublicID != "TMVQGm1qAQYVdetCeGRRkTWYYrLXuHK2HC" {
		t.Errorf("Tron address of scalar 1: %s", tron.PublicID)
	}
}

func TestBase58Key(t *testing.T) {
	g := scan.NewGen(10)
	key := Scalar(g.Bytes(32))
	for _, secret := range []string{
		SealWIF(0x80, key, false), SealWIF(0x80, key, true), SealWIF(0xef, key, true), SealWIF(0xb0, key, true),
		SealBIP38(g.Bytes(36)), SealExtendedKey("xprv", key, key), SealExtendedKey("dgpv", key, key),
		SealTezos("edsk", 54, key), SealTezos("edsk", 98, SealEd25519(key)), SealTezos("p2esk", 88, g.Bytes(56)),
		SealZcashSprout(key), SealMina(key), SealSolana(key),
	} {
		if ev := Base58Key(keyCandidate(secret)); ev.Proof != scan.Proved {
			t.Errorf("%s: %+v", secret, ev)
		}
	}
	for range 20000 {
		s := g.String(scan.Base58, 50+g.IntN(63))
		if ev := Base58Key(keyCandidate(s)); !ev.Reject {
			t.Fatalf("%s: %+v", s, ev)
		}
	}
}

// TestDecode58Allocations: runs are asked about by the million.
func TestDecode58Allocations(t *testing.T) {
	c := keyCandidate("5" + strings.Repeat("J", 50))
	if n := testing.AllocsPerRun(100, func() { Base58Key(c) }); n != 0 {
		t.Errorf("%v allocations for a candidate that fails", n)
	}
}

func TestBase58RoundTrip(t *testing.T) {
	g := scan.NewGen(11)
	for n := range 90 {
		b := g.Bytes(n + 1)
		clear(b[:g.IntN(n+1)])
		var buf [maxBase58]byte
		for _, a := range []struct {
			alphabet string
			digits   *[256]byte
		}{{bitcoin58, &bitcoinDigits}, {ripple58, &rippleDigits}} {
			if got := decode58(&buf, []byte(encode58(b, a.alphabet)), a.digits); string(got) != string(b) {
				t.Fatalf("%x: got %x", b, got)
			}
		}
	}
}

func TestCRC16(t *testing.T) {
	if got := crc16([]byte("123456789")); got != 0x31c3 {
		t.Errorf("check value %04x, want 31c3", got)
	}
}

func TestERC55(t *testing.T) {
	for _, want := range []string{"5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "fB6916095ca1df60bB79Ce92cE3Ea74c37c5d359", "D1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb"} {
		if got := erc55(strings.ToLower(want)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// chainChecks are all checks of a single text.
var chainChecks = []func(scan.Candidate) scan.Evidence{
	BitcoinWIF, BIP38Key, ExtendedPrivateKey, EOSKey, AvalancheKey, TezosKey, XRPSeed, ZcashSproutKey, MinaKey,
	Base58Key, Bech32Secret, LNURL, StellarSeed, NKeySeed, Ed25519PairBase64, Ed25519PairHex, SolanaKey,
	SolanaKeyArray, NEARKey, CoinbaseKey, RobinhoodKey, EthereumKey, TronKey, AptosKey, HederaKey, FilecoinKey, StarknetKey,
	MoneroKey, MoneroMnemonic, MnemonicRun, LNDMacaroon, RuneToken, KuCoinSecret, OKXKey, KrakenSecret,
	PolymarketSecret, PinataToken, CoinbasePEM, FireblocksPEM, PKCS8Base64, VAPIDKey, CosmosArmor,
	EthereumKeystore, HummingbotKeystore, EIP2335Keystore, PolkadotKeystore, TendermintKey, NEARCredentials,
	BittensorKey, JWK, ArweaveWallet,
}

func FuzzChainChecks(f *testing.F) {
	for _, v := range chainVectors {
		f.Add([]byte(v.secret), []byte(v.id))
	}
	for _, k := range sealedKeys(scan.NewGen(12)) {
		f.Add([]byte(k.secret), []byte{})
	}
	for _, doc := range sampleDocuments(scan.NewGen(13)) {
		f.Add([]byte(doc.text), []byte{})
	}
	f.Fuzz(func(t *testing.T, secret, other []byte) {
		c := scan.Candidate{
			Text:  secret,
			Roles: []string{scan.RoleSecret, "address", "public", "id", "view"},
			Spans: [][]byte{secret, other, other, other, other},
		}
		for i, check := range chainChecks {
			if ev := check(c); ev.Reject && ev.Proof == scan.Proved {
				t.Errorf("check %d both rejects and proves", i)
			}
		}
		if len(secret) == 64 {
			KnownTestKey(secret[:32])
		}
	})
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return fmt.Sprintf("%x", sum)
}
