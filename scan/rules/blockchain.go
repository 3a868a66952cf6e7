package rules

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/proof"
)

// The alphabets of key formats, as classes.
const (
	base58Class = `[1-9A-HJ-NP-Za-km-z]`
	bech32Class = `[02-9ac-hj-np-z]`
)

// What a key that holds funds gives away, and what helps.
const (
	whyFunds     = "Whoever holds it can move everything at its addresses, and nothing can undo that."
	fixFunds     = "Move the funds to a wallet made from a new key at once; nothing can revoke this one."
	whyPassword  = "Whoever guesses its passphrase, offline and at leisure, can move everything at its addresses."
	fixPassword  = "Move the funds to a wallet made from a new key, and remove the file and its history."
	referenceWIF = "https://en.bitcoin.it/wiki/Wallet_import_format"
)

// chainRuns are keys without a literal: a run of digits whose checksum decides.
func chainRuns() []scan.Rule {
	return []scan.Rule{
		{
			ID: "bitcoin-wif", Provider: "bitcoin", Title: "Bitcoin private key (WIF)",
			Why: whyFunds, Fix: fixFunds, Reference: referenceWIF, Confidence: scan.High,
			Run:   &scan.Run{Alphabet: scan.Alnum, Min: 51, Max: 52, First: "5KLc9TQX678UY"},
			Check: proof.BitcoinWIF,
			Samples: func(g *scan.Gen) scan.Samples {
				wif := func(version byte, tail ...byte) string {
					return check58Text(scan.Base58, []byte{version}, keyBytes(g), tail)
				}
				main := wif(0x80, 1)
				return scan.Samples{
					Match: []string{
						"WIF=" + main + "\n", `{"wif": "` + wif(0x80) + `"}`, "importprivkey " + wif(0xef, 1),
						"ltc: " + wif(0xb0, 1) + "\n", "doge: '" + wif(0x9e, 1) + "'\n", "dash " + wif(0xcc) + "\n",
					},
					NoMatch: []string{"WIF=" + edited(main) + "\n", "x" + main, "K" + g.String(scan.Base58, 51), "5" + g.String(scan.Base58, 50)},
				}
			},
		},
		{
			ID: "bip38-key", Provider: "bitcoin", Title: "encrypted Bitcoin private key (BIP-38)",
			Why: whyPassword, Fix: fixPassword, Confidence: scan.Medium,
			Reference: "https://github.com/bitcoin/bips/blob/master/bip-0038.mediawiki",
			Run:       &scan.Run{Alphabet: scan.Alnum, Min: 58, Max: 58, First: "6"},
			Check:     proof.BIP38Key,
			Samples: func(g *scan.Gen) scan.Samples {
				key := check58Text(scan.Base58, []byte{1, 0x42, 0xe0}, g.Bytes(36))
				return scan.Samples{Match: []string{"paper: " + key + "\n"}, NoMatch: []string{"paper: " + edited(key) + "\n"}}
			},
		},
		{
			ID: "zcash-sprout-key", Provider: "zcash", Title: "Zcash Sprout spending key",
			Why: whyFunds, Fix: fixFunds, Reference: "https://zips.z.cash/protocol/protocol.pdf", Confidence: scan.High,
			Run:   &scan.Run{Alphabet: scan.Alnum, Min: 52, Max: 52, First: "S"},
			Check: proof.ZcashSproutKey,
			Samples: func(g *scan.Gen) scan.Samples {
				key := check58Text(scan.Base58, []byte{0xab, 0x36}, keyBytes(g))
				return scan.Samples{Match: []string{"z_importkey " + key + "\n"}, NoMatch: []string{"z_importkey " + edited(key) + "\n"}}
			},
		},
		{
			ID: "mina-private-key", Provider: "mina", Title: "Mina private key",
			Why: whyFunds, Fix: fixFunds, Reference: "https://docs.minaprotocol.com/node-operators/validator-node/generating-a-keypair", Confidence: scan.High,
			Run:   &scan.Run{Alphabet: scan.Alnum, Min: 52, Max: 52, First: "E"},
			Check: proof.MinaKey,
			Samples: func(g *scan.Gen) scan.Samples {
				key := check58Text(scan.Base58, []byte{0x5a, 1}, keyBytes(g))
				return scan.Samples{Match: []string{"MINA_SENDER_KEY=" + key + "\n"}, NoMatch: []string{"MINA_SENDER_KEY=" + edited(key) + "\n"}}
			},
		},
		{
			ID: "stellar-secret-seed", Provider: "stellar", Title: "Stellar secret seed",
			Why: whyFunds, Fix: fixFunds, Confidence: scan.High,
			Reference: "https://github.com/stellar/stellar-protocol/blob/master/ecosystem/sep-0023.md",
			Run:       &scan.Run{Alphabet: scan.Alnum, Min: 56, Max: 56, First: "S"},
			Check:     proof.StellarSeed,
			Samples: func(g *scan.Gen) scan.Samples {
				key := strkeyText(append([]byte{18 << 3}, keyBytes(g)...))
				public := strkeyText(append([]byte{6 << 3}, keyBytes(g)...))
				return scan.Samples{
					Match:   []string{"STELLAR_SECRET=" + key + "\n", `Keypair.fromSecret("` + key + `")`},
					NoMatch: []string{"STELLAR_SECRET=" + edited(key) + "\n", "account: " + public + "\n"},
				}
			},
		},
		{
			ID: "nats-nkey-seed", Provider: "nats", Title: "NATS nkey seed",
			Why:       "It signs in to NATS as its user, account or operator, and an account's or operator's seed can issue further users.",
			Fix:       "Issue a new nkey with nsc generate nkey, add it to the revocations of its account, and push the account's JWT.",
			Reference: "https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/nkey_auth", Confidence: scan.High,
			Run:   &scan.Run{Alphabet: scan.Alnum, Min: 58, Max: 58, First: "S"},
			Check: proof.NKeySeed,
			Samples: func(g *scan.Gen) scan.Samples {
				const user = 20 << 3
				key := strkeyText(append([]byte{18<<3 | user>>5, user << 3 & 0xff}, keyBytes(g)...))
				return scan.Samples{
					Match:   []string{"NKEY=" + key + "\n", "-----BEGIN USER NKEY SEED-----\n" + key + "\n------END USER NKEY SEED------\n"},
					NoMatch: []string{"NKEY=" + edited(key) + "\n"},
				}
			},
		},
	}
}

// chainBase58 are keys with a literal at their beginning or a label before them.
func chainBase58() []scan.Rule {
	return []scan.Rule{
		{
			ID: "bip32-private-key", Provider: "bitcoin", Title: "extended private key (BIP-32)",
			Why:       "It derives every private key of a wallet or account, so whoever holds it can move all its funds, for good.",
			Fix:       "Move the funds of every account below it to a wallet made from a new seed; nothing can revoke this one.",
			Reference: "https://github.com/bitcoin/bips/blob/master/bip-0032.mediawiki", Confidence: scan.High,
			Expr:  begin + `(?P<secret>(?:xprv|yprv|zprv|Yprv|Zprv|tprv|uprv|vprv|Uprv|Vprv|Ltpv|Mtpv|ttpv|dgpv|drkp)` + base58Class + `{107})\b`,
			Check: proof.ExtendedPrivateKey,
			Samples: func(g *scan.Gen) scan.Samples {
				key := check58Text(scan.Base58, []byte{0x04, 0x88, 0xad, 0xe4, 3}, g.Bytes(40), []byte{0}, keyBytes(g))
				public := check58Text(scan.Base58, []byte{0x04, 0x88, 0xb2, 0x1e, 3}, g.Bytes(40), []byte{2}, keyBytes(g))
				return scan.Samples{
					Match:   []string{"master=" + key + "\n", "wpkh([d34db33f/84h/0h/0h]" + key + "/0/*)"},
					Failed:  []string{"master=" + edited(key) + "\n"},
					NoMatch: []string{"watch=" + public + "\n", "xprv9s21ZrQH143K..."},
				}
			},
		},
		{
			ID: "eos-private-key", Provider: "eos", Title: "Antelope (EOS) private key",
			Why: whyFunds, Fix: "Replace the key of the account's permission with cleos set account permission, owner and active both.",
			Reference: "https://docs.antelope.io/docs/latest/guides/how-to-create-key-pairs", Confidence: scan.High,
			Expr:  begin + `(?P<secret>PVT_(?:K1|R1)_` + base58Class + `{47,51})\b`,
			Check: proof.EOSKey,
			Samples: func(g *scan.Gen) scan.Samples {
				return scan.Samples{
					Failed:  []string{"key: PVT_K1_2" + g.String(scan.Base58, 48) + "\n"},
					Match:   []string{"key: " + eosSample(g) + "\n"},
					NoMatch: []string{"PUB_K1_" + g.String(scan.Base58, 50)},
				}
			},
		},
		{
			ID: "avalanche-private-key", Provider: "avalanche", Title: "Avalanche private key",
			Why: whyFunds, Fix: fixFunds, Reference: "https://build.avax.network/docs/rpcs/other/standards/cryptographic-primitives", Confidence: scan.High,
			Expr:  begin + `(?P<secret>PrivateKey-` + base58Class + `{45,52})\b`,
			Check: proof.AvalancheKey,
			Samples: func(g *scan.Gen) scan.Samples {
				b := keyBytes(g)
				sum := sha256Of(b)
				key := "PrivateKey-" + base58Text(scan.Base58, append(b, sum[28:]...))
				return scan.Samples{Match: []string{`"privateKey": "` + key + `"`}, Failed: []string{"key=" + edited(key) + "\n"}}
			},
		},
		{
			ID: "tezos-secret-key", Provider: "tezos", Title: "Tezos secret key",
			Why: whyFunds, Fix: fixFunds, Reference: "https://octez.tezos.com/docs/user/key-management.html", Confidence: scan.High,
			Expr:  begin + `(?P<secret>edsk` + base58Class + `{50}(?:` + base58Class + `{44})?|(?:spsk|p2sk)` + base58Class + `{50}|(?:edesk|spesk|p2esk)` + base58Class + `{83})\b`,
			Check: proof.TezosKey,
			Samples: func(g *scan.Gen) scan.Samples {
				key := check58Text(scan.Base58, []byte{0x0d, 0x0f, 0x3a, 0x07}, keyBytes(g))
				pair := check58Text(scan.Base58, []byte{0x2b, 0xf6, 0x4e, 0x07}, keyPair(g))
				locked := check58Text(scan.Base58, []byte{0x07, 0x5a, 0x3c, 0xb3, 0x29}, g.Bytes(56))
				return scan.Samples{
					Match:   []string{"unencrypted:" + key + "\n", `"value": "unencrypted:` + pair + `"`, "encrypted:" + locked + "\n"},
					Failed:  []string{"unencrypted:" + edited(key) + "\n"},
					NoMatch: []string{"edpk" + g.String(scan.Base58, 50)},
				}
			},
		},
		{
			ID: "xrp-seed", Provider: "xrp", Title: "XRP Ledger seed",
			Why: whyFunds, Fix: "Send the balance to an account with a new seed, or set a new regular key and disable the master key.",
			Reference: "https://xrpl.org/docs/concepts/accounts/cryptographic-keys", Confidence: scan.High,
			Expr: `(?i:seed|secret|wallet|xrp[l_-]|ripple|faucet|passphrase)[0-9A-Za-z_. -]{0,24}["'` + "`" + `)\]]{0,2}[ \t]{0,4}[=:,(>]?[ \t\r\n]{0,8}["'` + "`" + `]?` +
				begin + `(?P<secret>s(?:Ed){0,1}[1-9A-HJ-NP-Za-km-z]{28})\b`,
			Check: proof.XRPSeed, NeedsProof: true,
			Samples: func(g *scan.Gen) scan.Samples {
				seed := check58Text(ripple58, []byte{0x21}, g.Bytes(16))
				ed := check58Text(ripple58, []byte{0x01, 0xe1, 0x4b}, g.Bytes(16))
				return scan.Samples{
					Match:   []string{"XRPL_SEED=" + seed + "\n", `Wallet.fromSeed("` + ed + `")`, `{"secret": "` + seed + `"}`},
					NoMatch: []string{"XRPL_SEED=" + edited(seed) + "\n", "secret: s" + g.String(scan.Base58, 28)},
				}
			},
		},
	}
}

func eosSample(g *scan.Gen) string {
	b := keyBytes(g)
	return "PVT_K1_" + base58Text(scan.Base58, append(b, ripemdOf(b, []byte("K1"))[:4]...))
}

// chainPairs are 64 bytes, a seed and the public key that belongs to it, in
// the forms that chains write them. The curve is the proof.
func chainPairs() []scan.Rule {
	return []scan.Rule{
		{
			ID: "solana-private-key", Provider: "solana", Title: "Solana private key",
			Why: whyFunds, Fix: fixFunds, Reference: "https://solana.com/docs/core/accounts", Confidence: scan.High,
			Run:   &scan.Run{Alphabet: scan.Alnum, Min: 86, Max: 88},
			Check: proof.SolanaKey,
			Samples: func(g *scan.Gen) scan.Samples {
				key := base58Text(scan.Base58, keyPair(g))
				return scan.Samples{
					Match:   []string{"SOLANA_PRIVATE_KEY=" + key + "\n", "const k = bs58.decode('" + key + "');"},
					NoMatch: []string{"signature: " + base58Text(scan.Base58, g.Bytes(64)) + "\n"},
				}
			},
		},
		{
			ID: "solana-keypair", Provider: "solana", Title: "Solana keypair (64 bytes)",
			Why: whyFunds, Fix: fixFunds, Reference: "https://docs.anza.xyz/cli/wallets/file-system", Confidence: scan.High,
			Run:   &scan.Run{Alphabet: scan.Ints, Min: 127, Max: 1400},
			Check: proof.SolanaKeyArray,
			Samples: func(g *scan.Gen) scan.Samples {
				pair := keyPair(g)
				return scan.Samples{
					Match: []string{
						"[" + intsText(pair, ",") + "]", "[\n  " + intsText(pair, ",\n  ") + "\n]\n",
						"Keypair.fromSecretKey(Uint8Array.from([" + intsText(pair, ", ") + "]))", "let k: [u8; 64] = [" + intsText(pair, ", ") + ",];",
					},
					NoMatch: []string{"[" + intsText(g.Bytes(64), ",") + "]", "[" + intsText(pair[:63], ",") + "]"},
				}
			},
		},
		{
			ID: "ed25519-private-key", Provider: "generic", Title: "ed25519 private key (64 bytes, base64)",
			Why:       "Whoever holds it can sign as its owner: it is a seed together with its public key.",
			Fix:       "Make a new key pair, replace the public key wherever it is trusted, and retire this one.",
			Reference: "https://www.rfc-editor.org/rfc/rfc8032", Confidence: scan.High,
			Run:   &scan.Run{Alphabet: scan.Base64, Min: 86, Max: 86},
			Check: proof.Ed25519PairBase64,
			Samples: func(g *scan.Gen) scan.Samples {
				return scan.Samples{
					Match:   []string{"key: " + base64.StdEncoding.EncodeToString(keyPair(g)) + "\n", `{"sk":"` + base64.StdEncoding.EncodeToString(keyPair(g)) + `"}`},
					NoMatch: []string{"sig: " + base64.StdEncoding.EncodeToString(g.Bytes(64)) + "\n"},
				}
			},
		},
		{
			ID: "ed25519-private-key-hex", Provider: "generic", Title: "ed25519 private key (64 bytes, hexadecimal)",
			Why:       "Whoever holds it can sign as its owner: it is a seed together with its public key.",
			Fix:       "Make a new key pair, replace the public key wherever it is trusted, and retire this one.",
			Reference: "https://www.rfc-editor.org/rfc/rfc8032", Confidence: scan.High,
			Run:   &scan.Run{Alphabet: scan.Alnum, Min: 128, Max: 130},
			Check: proof.Ed25519PairHex,
			Samples: func(g *scan.Gen) scan.Samples {
				key := hex.EncodeToString(keyPair(g))
				return scan.Samples{
					Match:   []string{"secret: " + key + "\n", `"privateKey": "0x` + key + `"`},
					NoMatch: []string{"sha512: " + g.Hex(128) + "\n"},
				}
			},
		},
		{
			ID: "near-private-key", Provider: "near", Title: "NEAR private key",
			Why: whyFunds, Fix: "Delete the access key from the account with near account delete-key, and add a new one.",
			Reference: "https://docs.near.org/protocol/access-keys", Confidence: scan.High,
			Expr:  begin + `(?P<secret>ed25519:` + base58Class + `{86,88})\b`,
			Check: proof.NEARKey,
			Samples: func(g *scan.Gen) scan.Samples {
				pair := keyPair(g)
				key := "ed25519:" + base58Text(scan.Base58, pair)
				return scan.Samples{
					Match:   []string{`{"account_id":"a.near","public_key":"ed25519:` + base58Text(scan.Base58, pair[32:]) + `","private_key":"` + key + `"}`},
					Failed:  []string{"key: ed25519:" + base58Text(scan.Base58, g.Bytes(64)) + "\n"},
					NoMatch: []string{`"public_key": "ed25519:` + base58Text(scan.Base58, pair[32:]) + `"`},
				}
			},
		},
		{
			ID: "near-seed", Provider: "near", Title: "NEAR private key (seed)",
			Why: whyFunds, Fix: "Delete the access key from the account with near account delete-key, and add a new one.",
			Reference: "https://docs.near.org/protocol/access-keys", Confidence: scan.High,
			Expr: `(?i:private|secret)_?(?i:key)["']?[ \t]{0,4}[:=][ \t]{0,4}["']?(?P<secret>ed25519:` + base58Class + `{43,44})\b`,
			Partners: []scan.Partner{{Role: "public", Within: 256, Required: true,
				Expr: `(?i:public_?key)["']?[ \t]{0,4}[:=][ \t]{0,4}["']?(ed25519:` + base58Class + `{43,44})\b`}},
			Public: []string{"public"},
			Check:  proof.NEARKey, NeedsProof: true,
			Samples: func(g *scan.Gen) scan.Samples {
				pair := keyPair(g)
				public := `"public_key": "ed25519:` + base58Text(scan.Base58, pair[32:]) + `"`
				return scan.Samples{
					Match:   []string{`{` + public + `, "secret_key": "ed25519:` + base58Text(scan.Base58, pair[:32]) + `"}`},
					NoMatch: []string{`{` + public + `, "secret_key": "ed25519:` + base58Text(scan.Base58, g.Bytes(32)) + `"}`},
				}
			},
		},
		{
			ID: "tendermint-private-key", Provider: "cosmos", Title: "Tendermint validator or node key",
			Why:       "It signs blocks as the validator: whoever holds it can double-sign, for which the stake is slashed.",
			Fix:       "Stop the validator, rotate its consensus key or start a new validator, and move the stake.",
			Reference: "https://docs.cometbft.com/v0.38/core/validators", Confidence: scan.High,
			Public: []string{"type"},
			Expr:   `(?P<type>tendermint/PrivKeyEd25519)"[ \t\r\n]{0,16},[ \t\r\n]{0,16}"value"[ \t]{0,4}:[ \t]{0,4}"(?P<secret>[0-9A-Za-z+/]{86}==)"`,
			Check:  proof.Ed25519PairBase64,
			Samples: func(g *scan.Gen) scan.Samples {
				file := func(key []byte) string {
					return "\"priv_key\": {\n  \"type\": \"tendermint/PrivKeyEd25519\",\n  \"value\": \"" + base64.StdEncoding.EncodeToString(key) + "\"\n}"
				}
				return scan.Samples{Match: []string{file(keyPair(g))}, Failed: []string{file(g.Bytes(64))}}
			},
		},
	}
}

// bech32Rule is the rule for a kind of secret in bech32, told by its human-readable part.
func bech32Rule(id, provider, title, why, fix, reference, hrp string, size int) scan.Rule {
	digits := (size*8+4)/5 + 6
	return scan.Rule{
		ID: id, Provider: provider, Title: title, Why: why, Fix: fix, Reference: reference, Confidence: scan.High,
		Expr:  begin + `(?P<secret>` + hrp + `1` + bech32Class + `{` + itoa(digits) + `})\b`,
		Check: proof.Bech32Secret,
		Samples: func(g *scan.Gen) scan.Samples {
			body := g.Bytes(size)
			if id == "nostr-secret-key" || size == 32 {
				body = keyBytes(g)
			}
			switch hrp {
			case "suiprivkey":
				body[0] = 0
			case "ncryptsec":
				body[0] = 2
			}
			key := bech32Text(hrp, body)
			return scan.Samples{
				Match:   []string{"key = \"" + key + "\"\n", "KEY=" + key + "\n"},
				Failed:  []string{"key: " + edited(key) + "\n"},
				NoMatch: []string{"x" + key},
			}
		},
	}
}

func chainBech32() []scan.Rule {
	const nostr = "https://github.com/nostr-protocol/nips/blob/master/19.md"
	rules := []scan.Rule{
		bech32Rule("nostr-secret-key", "nostr", "Nostr secret key",
			"Whoever holds it can post, read private messages and spend zaps as its owner, for good.",
			"Make a new key and announce it from the old one: Nostr cannot revoke a key.", nostr, "nsec", 32),
		bech32Rule("nostr-encrypted-key", "nostr", "encrypted Nostr secret key",
			"Whoever guesses its password, offline and at leisure, can act as its owner.",
			"Make a new key if the password is not a strong one; Nostr cannot revoke a key.",
			"https://github.com/nostr-protocol/nips/blob/master/49.md", "ncryptsec", 91),
		bech32Rule("sui-private-key", "sui", "Sui private key", whyFunds, fixFunds,
			"https://github.com/sui-foundation/sips/blob/main/sips/sip-15.md", "suiprivkey", 33),
		bech32Rule("zcash-sapling-key", "zcash", "Zcash Sapling extended spending key", whyFunds, fixFunds,
			"https://zips.z.cash/zip-0032", "secret-extended-key-main", 169),
		bech32Rule("zcash-sapling-key-testnet", "zcash", "Zcash Sapling extended spending key (testnet)", whyFunds, fixFunds,
			"https://zips.z.cash/zip-0032", "secret-extended-key-test", 169),
		bech32Rule("sapling-spending-key", "zcash", "Sapling spending key", whyFunds, fixFunds,
			"https://zips.z.cash/zip-0032", "secret-spending-key-main", 32),
	}
	return append(rules, ageIdentity(), cardanoKey(), scan.Rule{
		ID: "lnurl-with-key", Provider: "lightning", Title: "LNURL that carries an API key",
		Why: "The address inside it carries a key with which anybody can spend from or read the Lightning wallet.",
		Fix: "Delete the key or withdraw link at the wallet's service and make a new one.", Reference: "https://github.com/lnurl/luds/blob/luds/01.md",
		Confidence: scan.Medium,
		Expr:       begin + `(?P<secret>(?:lnurl1|LNURL1)(?:` + bech32Class + `{40,440}|[02-9AC-HJ-NP-Z]{40,440}))\b`,
		Check:      proof.LNURL, NeedsProof: true,
		Samples: func(g *scan.Gen) scan.Samples {
			link := bech32Text("lnurl", []byte("https://ln.sats.zone/withdraw?apikey="+g.Hex(32)))
			return scan.Samples{
				Match:   []string{"lightning:" + link + "\n", strings.ToUpper(link) + "\n"},
				NoMatch: []string{bech32Text("lnurl", []byte("https://ln.sats.zone/.well-known/lnurlp/"+g.Hex(8))) + "\n", "see " + edited(link) + "\n"},
			}
		},
	})
}

func ageIdentity() scan.Rule {
	const upper = `[02-9AC-HJ-NP-Z]`
	return scan.Rule{
		ID: "age-secret-key", Provider: "age", Title: "age secret key",
		Why: "It decrypts every file that was ever encrypted to its recipient, SOPS files and backups included.",
		Fix: "Make a new identity with age-keygen, encrypt the files again, and replace the secrets that they held.", Reference: "https://age-encryption.org/v1",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>AGE-SECRET-KEY-(?:1|PQ-1)` + upper + `{58})\b`,
		Check:      proof.Bech32Secret,
		Samples: func(g *scan.Gen) scan.Samples {
			key := strings.ToUpper(bech32Text("age-secret-key-", keyBytes(g)))
			quantum := strings.ToUpper(bech32Text("age-secret-key-pq-", keyBytes(g)))
			return scan.Samples{
				Match:   []string{"# public key: age1\n" + key + "\n", "SOPS_AGE_KEY=" + quantum + "\n"},
				Failed:  []string{edited(key) + "\n"},
				NoMatch: []string{bech32Text("age", keyBytes(g)) + "\n", "AGE-SECRET-KEY-1..."},
			}
		},
	}
}

func cardanoKey() scan.Rule {
	return scan.Rule{
		ID: "cardano-signing-key", Provider: "cardano", Title: "Cardano signing key",
		Why: whyFunds, Fix: fixFunds, Reference: "https://cips.cardano.org/cip/CIP-5", Confidence: scan.High,
		Expr: begin + `(?P<secret>(?:ed25519_sk1|addr_sk1|stake_sk1|drep_sk1|cc_hot_sk1|cc_cold_sk1)` + bech32Class + `{58}|` +
			`(?:ed25519e_sk1|root_sk1|acct_sk1|vrf_sk1)` + bech32Class + `{109}|` +
			`(?:root_xsk1|acct_xsk1|addr_xsk1|stake_xsk1|drep_xsk1)` + bech32Class + `{160})\b`,
		Check: proof.Bech32Secret,
		Samples: func(g *scan.Gen) scan.Samples {
			key := bech32Text("addr_sk", keyBytes(g))
			return scan.Samples{
				Match: []string{"payment: " + key + "\n", `"` + bech32Text("root_xsk", g.Bytes(96)) + `"`, bech32Text("ed25519e_sk", g.Bytes(64)) + "\n",
					"stake: " + bech32Text("stake_sk", keyBytes(g)) + "\n"},
				Failed:  []string{"payment: " + edited(key) + "\n"},
				NoMatch: []string{"addr_vk1" + g.String("qpzry9x8gf2tvdw0", 58), bech32Text("addr", g.Bytes(57))},
			}
		},
	}
}

// chainHex are keys in hexadecimal with a beginning or a label of their own.
func chainHex() []scan.Rule {
	return []scan.Rule{
		{
			ID: "aptos-private-key", Provider: "aptos", Title: "Aptos private key (AIP-80)",
			Why: whyFunds, Fix: "Rotate the account's authentication key with aptos account rotate-key, or move the funds.",
			Reference: "https://github.com/aptos-foundation/AIPs/blob/main/aips/aip-80.md", Confidence: scan.High,
			Expr:  begin + `(?P<secret>(?:ed25519|secp256k1|secp256r1)-priv-0x[0-9a-fA-F]{64})\b`,
			Check: proof.AptosKey,
			Samples: func(g *scan.Gen) scan.Samples {
				return scan.Samples{
					Match:   []string{"private_key: ed25519-priv-0x" + g.Hex(64) + "\n", `new Secp256k1PrivateKey("secp256k1-priv-0x` + keyHex(g) + `")`},
					NoMatch: []string{"ed25519-priv-0x" + g.Hex(63), "ed25519-pub-0x" + g.Hex(64)},
				}
			},
		},
		{
			ID: "hedera-private-key", Provider: "hedera", Title: "private key in hexadecimal DER (as Hedera writes it)",
			Why: whyFunds, Fix: "Set a new key on the account with AccountUpdateTransaction, signed by the old and the new key.",
			Reference: "https://docs.hedera.com/hedera/core-concepts/keys-and-signatures", Confidence: scan.High,
			Expr:  begin + `(?P<secret>(?:0x)?(?i:302e020100300506032b657004220420|3030020100300706052b8104000a04220420)[0-9a-fA-F]{64})\b`,
			Check: proof.HederaKey,
			Samples: func(g *scan.Gen) scan.Samples {
				return scan.Samples{
					Match:   []string{"OPERATOR_KEY=302e020100300506032b657004220420" + g.Hex(64) + "\n", `"3030020100300706052b8104000a04220420` + keyHex(g) + `"`},
					NoMatch: []string{"302a300506032b6570032100" + g.Hex(64)},
				}
			},
		},
		{
			ID: "filecoin-private-key", Provider: "filecoin", Title: "Filecoin private key (Lotus export)",
			Why: whyFunds, Fix: fixFunds, Reference: "https://lotus.filecoin.io/lotus/manage/manage-fil/", Confidence: scan.High,
			Expr:  begin + `(?P<secret>7b2254797065223a22[0-9a-f]{60,240})\b`,
			Check: proof.FilecoinKey,
			Samples: func(g *scan.Gen) scan.Samples {
				export := func(kind string) string {
					return hex.EncodeToString([]byte(`{"Type":"` + kind + `","PrivateKey":"` + base64.StdEncoding.EncodeToString(keyBytes(g)) + `"}`))
				}
				return scan.Samples{
					Match:  []string{export("secp256k1") + "\n", "lotus wallet import " + export("bls") + "\n"},
					Failed: []string{export("dsa") + "\n"},
				}
			},
		},
		{
			ID: "starknet-private-key", Provider: "starknet", Title: "Starknet private key",
			Why: whyFunds, Fix: fixFunds, Reference: "https://docs.starknet.io/architecture/cryptography", Confidence: scan.High,
			Public: []string{"network"}, // a further part, so that it goes before Ethereum's rule
			Expr: `(?P<network>(?i:stark(?:net|ex)?|argent|braavos|katana|paradex))[_.-]?(?i:[a-z_.-]{0,20}?)(?i:private|priv|secret)[_.-]?(?i:key)(?i:[0-9a-z_]{0,8})` +
				assigned + `(?P<secret>0x[0-9a-fA-F]{55,64})` + quote,
			Check:      refusing(proof.StarknetKey, notPrivate...),
			MinEntropy: 3,
			Samples: func(g *scan.Gen) scan.Samples {
				return scan.Samples{
					Match:   []string{"STARKNET_PRIVATE_KEY=0x0" + keyHex(g)[1:] + "\n", `starkPrivateKey: "0x` + keyHex(g)[1:] + `",`},
					NoMatch: []string{"STARKNET_PUBLIC_KEY=0x0" + keyHex(g)[1:], "STARKNET_PRIVATE_KEY=0x123"},
				}
			},
		},
		{
			ID: "monero-private-key", Provider: "monero", Title: "Monero spend or view key",
			Why: "The spend key moves the funds for good; the view key shows every payment received.", Fix: fixFunds,
			Reference: "https://www.getmonero.org/resources/moneropedia/account.html", Confidence: scan.High,
			Public: []string{"label"},
			Expr: `(?P<label>(?i:monero|xmr[_-]|(?:private|secret)[_. -]?(?:spend|view)|(?:spend|view)[_.-]?(?:secret|private|sec)))(?i:[a-z_. -]{0,20})(?i:[_. -]?(?:key` + notLiteral + `))` +
				`["')]{0,2}[ \t]{0,4}(?:=>|:=|=|:|,)[ \t]{0,4}["']?(?P<secret>[0-9a-f]{63}[01]|[0-9a-f]{64})` + quote,
			Check:      refusing(proof.MoneroKey, notPrivate...),
			MinEntropy: 3,
			Samples: func(g *scan.Gen) scan.Samples {
				return scan.Samples{
					Match:   []string{"MONERO_SPEND_KEY=" + keyHex(g) + "\n", `"secret_view_key": "` + keyHex(g) + `"`, "private spend key: " + keyHex(g) + "\n"},
					NoMatch: []string{"monero_public_key=" + keyHex(g) + "\n", "public view key: " + keyHex(g) + "\n"},
				}
			},
		},
		{
			ID: "substrate-secret-seed", Provider: "polkadot", Title: "Substrate secret seed",
			Why: whyFunds, Fix: fixFunds, Reference: "https://docs.polkadot.com/polkadot-protocol/parachain-basics/accounts/", Confidence: scan.High,
			Expr: `(?i:secret[_. -]?seed|mini[_. -]?secret|hot[_-]?key[_-]?seed|cold[_-]?key[_-]?seed|suri)(?i:[0-9a-z_]{0,12})` +
				assigned + `(?P<secret>0x[0-9a-fA-F]{64})` + quote,
			Check:      seedHex,
			MinEntropy: 3,
			Samples: func(g *scan.Gen) scan.Samples {
				return scan.Samples{
					Match:   []string{`"secretSeed": "0x` + g.Hex(64) + `",`, "Secret seed: 0x" + g.Hex(64) + "\n"},
					NoMatch: []string{"Public key (hex): 0x" + g.Hex(64) + "\n"},
				}
			},
		},
		{
			ID: "flow-private-key", Provider: "flow", Title: "Flow account key",
			Why: whyFunds, Fix: "Add a new key to the account with flow keys and remove this one.",
			Reference: "https://developers.flow.com/tools/flow-cli/flow.json/configuration", Confidence: scan.High,
			Expr: `(?i:private[_-]?key)["']?[ \t]{0,4}[:=][ \t]{0,4}["']?(?P<secret>[0-9a-fA-F]{64})` + quote,
			Partners: []scan.Partner{{Role: "algorithm", Within: 256, Required: true,
				Expr: `\b(ECDSA_(?:P256|secp256k1)|ECDSA_SECP256[kK]1)\b`}},
			Public:     []string{"algorithm"},
			Check:      seedHex,
			MinEntropy: 3,
			Samples: func(g *scan.Gen) scan.Samples {
				return scan.Samples{
					Match: []string{"\"key\": {\n \"type\": \"hex\",\n \"signatureAlgorithm\": \"ECDSA_P256\",\n \"hashAlgorithm\": \"SHA3_256\",\n \"privateKey\": \"" + keyHex(g) + "\"\n}"},
				}
			},
		},
	}
}

// seedHex checks 32 bytes in hexadecimal against the published ones.
func seedHex(c scan.Candidate) scan.Evidence {
	b, err := hex.DecodeString(string(bytes.TrimPrefix(c.Secret(), []byte("0x"))))
	if err != nil {
		return scan.Rejected
	}
	if name, ok := proof.KnownTestKey(b); ok {
		return scan.Evidence{Reason: "published test key: " + name, Cap: scan.Low}
	}
	return scan.Evidence{}
}

// chainPhrases are lists of words.
func chainPhrases() []scan.Rule {
	return []scan.Rule{
		{
			ID: "mnemonic", Provider: "bitcoin", Title: "wallet recovery phrase",
			Why:       "It restores the whole wallet, with every account and chain, so whoever reads it can move everything, for good.",
			Fix:       "Move the funds of every account below it to a wallet made from a new phrase at once; nothing can revoke this one.",
			Reference: "https://github.com/bitcoin/bips/blob/master/bip-0039.mediawiki", Confidence: scan.High,
			Run:   &scan.Run{Alphabet: scan.Words, Min: 12, Max: maxPhraseWords, Word: proof.IsPhraseWord},
			Check: phraseRun,
			Samples: func(g *scan.Gen) scan.Samples {
				short, long := proof.SealMnemonic(g.Bytes(16)), proof.SealMnemonic(g.Bytes(32))
				words := strings.Fields(long)
				return scan.Samples{
					Match: []string{
						"MNEMONIC=\"" + short + "\"\n", "mnemonic: " + long + "\n", `const words = ["` + strings.Join(words, `", "`) + `"];`,
						strings.Join(words, "\n") + "\n", strings.ToUpper(short) + "\n", "phrase: '" + strings.ReplaceAll(short, " ", "-") + "'\n",
					},
					NoMatch: []string{
						strings.Join(strings.Fields(short)[:11], " ") + "\n",
						"the above article about an abstract idea can only make a good story when people really want to use their own voice",
					},
				}
			},
		},
		{
			ID: "monero-mnemonic", Provider: "monero", Title: "Monero recovery phrase",
			Why: "It restores the whole wallet, so whoever reads it can move everything, for good.", Fix: fixFunds,
			Reference: "https://docs.getmonero.org/mnemonics/", Confidence: scan.High,
			Expr: `(?i:monero|xmr[_ -]|mnemonic|seed|electrum_?words)(?i:[a-z_ \t-]{0,24})["']{0,1}[:=>,]{1,2}[ \t\r\n]{0,4}["']{0,1}` +
				`(?P<secret>[a-z]{4,12}[ ][a-z]{4,12}[ ][a-z]{4,12}[ ](?:[a-z]{4,12}[ ]){21}[a-z]{4,12})\b`,
			Check: proof.MoneroMnemonic, NeedsProof: true,
			Samples: func(g *scan.Gen) scan.Samples {
				phrase := moneroPhrase(g)
				return scan.Samples{
					Match:   []string{"MONERO_SEED=\"" + phrase + "\"\n", `{"mnemonic": "` + phrase + `"}`},
					NoMatch: []string{"seed: " + phrase[:strings.LastIndexByte(phrase, ' ')] + " zzzzzz\n"},
				}
			},
		},
		{
			ID: "slip39-share", Provider: "generic", Title: "SLIP-39 recovery share",
			Why:       "Enough shares restore the whole wallet; each one that leaks brings a thief nearer.",
			Fix:       "Make a new wallet with new shares and move the funds to it.",
			Reference: "https://github.com/satoshilabs/slips/blob/master/slip-0039.md", Confidence: scan.Medium,
			Expr: `(?i:slip-?_?39|shamir)(?i:[0-9a-z_ -]{0,20})["']?[ \t]{0,4}(?:=>|:=|=|:|,)[ \t\r\n]{0,4}\[?["']?` +
				`(?P<secret>(?:[a-z]{4,8}[ ]){19}[a-z]{4,8}|(?:[a-z]{4,8}[ ]){32}[a-z]{4,8})` + quote,
			Samples: func(g *scan.Gen) scan.Samples {
				share := slipWords(g, 20)
				return scan.Samples{
					Match:   []string{"SLIP39_SHARE=\"" + share + "\"\n", "shamir share 1: " + slipWords(g, 33) + "\n"},
					NoMatch: []string{"slip39: " + slipWords(g, 12) + "\n"},
				}
			},
		},
	}
}

// maxPhraseWords bounds a run of words: some dozens of phrases, one a line. A
// longer run is a word list.
const maxPhraseWords = 640

// phraseRun is proof.MnemonicRun with more doubt where words are single
// characters: Chinese character lists are full of twelve in a row that pass, and
// such lists are mostly in the order of their code points.
func phraseRun(c scan.Candidate) scan.Evidence {
	start, end, ev := proof.MnemonicWindow(c.Secret())
	if ev.Proof != scan.Proved || !strings.Contains(ev.Reason, "Chinese") {
		return ev
	}
	var last rune
	words, rising := 0, 0
	for _, r := range string(c.Secret()[start:end]) {
		if r < 0x2e80 { // what stands between the characters
			continue
		}
		if words++; words > 1 && r >= last {
			rising++
		}
		last = r
	}
	if rising*4 >= words*3 || rising*4 <= words {
		return scan.Rejected
	}
	if words < 24 && ev.Cap == 0 {
		ev.Cap = scan.Medium
	}
	return ev
}

// moneroPhrase makes 24 words and the one of them that is their checksum.
func moneroPhrase(g *scan.Gen) string {
	var words []string
	var heads []byte
	for range 24 {
		w := g.String(scan.LowerAZ, 5+g.IntN(4))
		words = append(words, w)
		heads = append(heads, w[:3]...)
	}
	return strings.Join(append(words, words[crc32Of(heads)%24]), " ")
}

// slipWords makes n words of the length that SLIP-39's have.
func slipWords(g *scan.Gen, n int) string {
	var words []string
	for range n {
		words = append(words, g.String(scan.LowerAZ, 4+g.IntN(5)))
	}
	return strings.Join(words, " ")
}

// notPrivate are words in a name that say that its value is no private key.
var notPrivate = []string{"public", "pub_", "pubkey", "hash", "digest", "checksum", "fingerprint", "thumbprint", "txid", "_root", "bytes32", "salt", "topic", "commitment", "nullifier"}

// refusing is check, which rejects a match whose text before the secret holds one
// of the words, in any case.
func refusing(check func(scan.Candidate) scan.Evidence, words ...string) func(scan.Candidate) scan.Evidence {
	return func(c scan.Candidate) scan.Evidence {
		before := bytes.ToLower(c.Text)
		if i := bytes.Index(c.Text, c.Secret()); i >= 0 {
			before = before[:i]
		}
		for _, w := range words {
			if bytes.Contains(before, []byte(w)) {
				return scan.Rejected
			}
		}
		if check == nil {
			return scan.Evidence{}
		}
		return check(c)
	}
}
