package proof

import (
	"bytes"
	"encoding/hex"
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

var _ = bytes.Equal
var _ = hex.EncodeToString
