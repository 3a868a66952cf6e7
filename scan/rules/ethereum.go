package rules

import (
	"bytes"
	"encoding/hex"
	"strings"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/proof"
)

// Keys of Ethereum and the many chains that use its accounts are 32 bytes in
// hexadecimal, without a checksum: what stands before them has to tell.
const (
	// ethereumLabel is a name that such a key is given, or a call that takes one:
	// in .env files, code of ethers, viem, web3, go-ethereum and foundry, and on
	// their command lines.
	ethereumLabel = `(?i:priv(?:ate)?[_. -]?key|(?:deployer|signer|wallet|relayer|operator|owner|keeper|faucet|minter|bundler|executor|validator)[_-]?(?:key|pk)` +
		`|(?:eth|evm|bsc|tron|test)_(?:pk|key)|new wallet|ethers\.wallet|from_key|hextoecdsa|startbroadcast|accounts?\.add|wallet\.add|remember_?key|hdwalletprovider\(?\[?|vm\.addr|vm\.sign)`
	// ethereumName is what may follow it within the name.
	ethereumName = `[0-9A-Za-z_]{0,20}`
	// ethereumAssign stands between label and key: an operator, perhaps with a type
	// or a default's before it, a bracket, a blank.
	ethereumAssign = `(?:` + assigned + `|\\?["'` + "`" + `)\]]{0,3}(?:[ \t]{0,2}:[ \t]{0,2}&?[A-Za-z0-9_<>]{3,16})?[ \t]{0,4}\(?[ \t\r\n]{0,12}(?:[brfu]?["'` + "`" + `]|\\["'])?)`
	ethereumKey    = `(?P<secret>(?:0[xX])?[0-9a-fA-F]{64})`
	ethereumEnd    = `(?:["'` + "`" + `\\ \t\r\n,;<)}\]&#|]|$)`
)

const (
	whyEthereum = "Whoever holds it can move everything at its address on every chain, and act as the owner of its contracts."
	fixEthereum = "Move the funds to a new account at once, transfer the ownership of contracts, and take the key out of roles and multisigs; nothing can revoke it."
	refEthereum = "https://ethereum.org/en/developers/docs/accounts/"
)

func ethereum() []scan.Rule {
	return []scan.Rule{
		{
			ID: "ethereum-private-key", Provider: "ethereum", Title: "private key in hexadecimal (Ethereum and its kin)",
			Why: whyEthereum, Fix: fixEthereum, Reference: refEthereum, Confidence: scan.High,
			Expr:  ethereumLabel + ethereumName + ethereumAssign + ethereumKey + ethereumEnd,
			Check: refusing(ethereumCheck, notPrivate...), MinEntropy: 3,
			Samples: ethereumSamples,
		},
		{
			ID: "ethereum-key-with-address", Provider: "ethereum", Title: "Ethereum private key, with its address",
			Why: whyEthereum, Fix: fixEthereum, Reference: refEthereum, Confidence: scan.High,
			Expr:     ethereumLabel + ethereumName + ethereumAssign + ethereumKey + ethereumEnd,
			Partners: []scan.Partner{{Role: "address", Expr: `\b(0x[0-9a-fA-F]{40})\b`, Within: 512, Required: true}},
			Public:   []string{"address"},
			Check:    proof.EthereumKey, NeedsProof: true,
			Samples: func(g *scan.Gen) scan.Samples {
				key := keyBytes(g)
				address, _ := proof.EthereumAddress(key)
				return scan.Samples{
					Match: []string{
						"ADDRESS=" + address + "\nPRIVATE_KEY=" + hex.EncodeToString(key) + "\n",
						`{"private_key": "0x` + hex.EncodeToString(key) + `", "address": "` + strings.ToLower(address) + `"}`,
					},
					NoMatch: []string{"PRIVATE_KEY=" + hex.EncodeToString(key) + "\nTOKEN=0x" + g.Hex(40) + "\n"},
				}
			},
		},
		{
			ID: "ethereum-dotenv-key", Provider: "ethereum", Title: "Ethereum private key",
			Why: whyEthereum, Fix: fixEthereum, Reference: refEthereum, Confidence: scan.High,
			Expr:  `(?:PK=|pk=|\bPK = |\bpk = )["']?` + ethereumKey + ethereumEnd,
			Check: ethereumCheck, MinEntropy: 3,
			Samples: func(g *scan.Gen) scan.Samples {
				return scan.Samples{
					Match:   []string{"PK=" + keyHex(g) + "\n", "export PK=\"0x" + keyHex(g) + "\"\n", "const pk = '0x" + keyHex(g) + "';\n"},
					NoMatch: []string{"PK=" + g.Hex(40) + "\n", "https://x.test/?pk=1"},
				}
			},
		},
		{
			ID: "ethereum-secret-key", Provider: "ethereum", Title: "Ethereum private key, called a secret key",
			Why: whyEthereum, Fix: fixEthereum, Confidence: scan.High,
			Reference:  "https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/nonces-and-api-wallets",
			Expr:       `(?i:secret[_-]?key)` + assigned + `(?P<secret>0x[0-9a-fA-F]{64})` + ethereumEnd,
			Partners:   []scan.Partner{{Role: "address", Expr: `\b(0x[0-9a-fA-F]{40})\b`, Within: 512, Required: true}},
			Public:     []string{"address"},
			Check:      ethereumCheck,
			MinEntropy: 3,
			Samples: func(g *scan.Gen) scan.Samples {
				key, address := "0x"+keyHex(g), "0x"+g.Hex(40)
				return scan.Samples{
					Match:   []string{"secret_key: \"" + key + "\"\naccount_address: \"" + address + "\"\n", `{"secret_key": "` + key + `", "account_address": "` + address + `"}`},
					NoMatch: []string{"secret_key: \"" + key + "\"\n", "secret_key_hash: \"" + key + "\"\naddress: " + address + "\n"},
				}
			},
		},
		keyListRule("ethereum-accounts", "list of Ethereum private keys (accounts)", "accounts", "accounts"),
		keyListRule("ethereum-private-keys", "list of Ethereum private keys", "privateKeys", "privateKeys", "privatekeys"),
		keyListRule("ethereum-private-keys-snake", "list of Ethereum private keys", "private_keys", "private_keys", "PRIVATE_KEYS"),
	}
}

// ethereumCheck is proof.EthereumKey without a number outside the curve: what is
// no key is no finding when only a name says that it is one.
func ethereumCheck(c scan.Candidate) scan.Evidence {
	ev := proof.EthereumKey(c)
	if ev.Proof == scan.Failed {
		return scan.Rejected
	}
	return ev
}

func ethereumSamples(g *scan.Gen) scan.Samples {
	key := func() string { return keyHex(g) }
	return scan.Samples{
		Match: append(inAssignments("DEPLOYER_PRIVATE_KEY", "0x"+key()),
			"new HDWalletProvider(['"+key()+"'], url)", "PRIVATE_KEY="+key()+"\n", "DEPLOYER_PRIVATE_KEY=\"0x"+key()+"\"\n", "export ETH_PRIVATE_KEY=0x"+key()+"\n",
			"HYPERLIQUID_PRIVATE_KEY: 0x"+key()+"\n", "deployer_pk = \""+key()+"\"\n", "WALLET_KEY="+key()+"\n",
			`{"privateKey": "`+key()+`"}`, `{\"privateKey\":\"`+key()+`\"}`, `const privateKey: Hex = "0x`+key()+`";`, `PRIVATE_KEY_2='`+key()+`'`,
			`const k = process.env.PRIVATE_KEY || "0x`+key()+`";`, `os.getenv("PRIVATE_KEY", "0x`+key()+`")`, `os.environ["PRIVATE_KEY"] = "`+key()+`"`,
			`const w = new ethers.Wallet("0x`+key()+`", provider);`, `privateKeyToAccount('0x`+key()+`')`, `Account.from_key("`+key()+`")`,
			`crypto.HexToECDSA("`+key()+`")`, "forge script x --private-key 0x"+key()+" --broadcast\n", "vm.startBroadcast(0x"+key()+");",
			"  from_key: 0x"+key()+"\n", "uint256 deployerPrivateKey = 0x"+key()+";", "Private Key: 0x"+key()+"\n", "<privateKey>"+key()+"</privateKey>",
			`web3.eth.accounts.wallet.add("0x`+key()+`")`, `{"TRON_PRIVATE_KEY":"`+key()+`"}`, "private_key: str = '"+key()+"'\n", `privateKey = flag.String("key", "x"); privKey := "`+key()+`"`,
		),
		NoMatch: []string{
			"PRIVATE_KEY=" + g.Hex(63) + "\n", "PRIVATE_KEY=" + g.Hex(65) + "\n", "PRIVATE_KEY_HASH=" + key() + "\n", "txHash: 0x" + key() + "\n",
			"PRIVATE_KEY=${PRIVATE_KEY}\n", "sha256 = \"" + key() + "\"\n", "PRIVATE_KEY=0x" + strings.Repeat("0", 64) + "\n", "bytes32 root = 0x" + key() + ";",
			"PRIVATE_KEY=0x" + strings.Repeat("0", 63) + "1\n", "privateKeyFingerprint: " + key() + "\n", `"accounts": ["` + g.Hex(40) + `"]`,
		},
	}
}

// keyListRule finds the private keys of a list, as hardhat, truffle and ganache
// configure accounts. The names are what stands before the list's bracket.
func keyListRule(id, title, gate string, names ...string) scan.Rule {
	return scan.Rule{
		ID: id, Provider: "ethereum", Title: title, Why: whyEthereum, Fix: fixEthereum, Confidence: scan.High,
		Reference: "https://hardhat.org/hardhat-runner/docs/config",
		Object:    &scan.Object{Gate: gate, Parse: func(data []byte) []scan.ObjectMatch { return keyLists(data, names) }},
		Samples: func(g *scan.Gen) scan.Samples {
			return scan.Samples{
				Match:   []string{"networks: { sepolia: {\n  url: x,\n  " + names[0] + ": [\n    \"0x" + keyHex(g) + "\", // deployer\n  ] } }\n", names[0] + " = ['" + keyHex(g) + "']"},
				NoMatch: []string{names[0] + ": [process.env.PRIVATE_KEY],\n", `"` + names[0] + `": ["0x` + g.Hex(40) + `"]`, names[0] + ": []"},
			}
		},
	}
}

// maxKeyList bounds the keys that are read of one list.
const maxKeyList = 64

// keyLists returns the keys of all lists that follow one of the names.
func keyLists(data []byte, names []string) []scan.ObjectMatch {
	var found []scan.ObjectMatch
	for _, name := range names {
		for at := 0; ; {
			i := bytes.Index(data[at:], []byte(name))
			if i < 0 {
				break
			}
			at += i + len(name)
			if start, ok := listStart(data, at); ok {
				found = append(found, listedKeys(data, start)...)
			}
		}
	}
	return found
}

// listStart is the first byte in the bracket that opens shortly after i.
func listStart(data []byte, i int) (start int, ok bool) {
	end := min(len(data), i+24)
	operator := false
	for ; i < end; i++ {
		switch c := data[i]; {
		case c == '[':
			return i + 1, operator
		case c == ':' || c == '=' || c == '(':
			operator = true
		case bytes.IndexByte([]byte(" \t\r\n\"'"), c) < 0:
			return 0, false
		}
	}
	return 0, false
}

// listedKeys reads keys between quotes, commas and comments from i on.
func listedKeys(data []byte, i int) []scan.ObjectMatch {
	var found []scan.ObjectMatch
	for range maxKeyList {
		start, end, ok := listedKey(data, skipListSpace(data, i))
		if !ok {
			break
		}
		i = end
		span := scan.Span{Role: scan.RoleSecret, Start: start, End: end}
		c := scan.Candidate{Text: data[start:end], Roles: []string{scan.RoleSecret}, Spans: [][]byte{data[start:end]}}
		ev := ethereumCheck(c)
		if ev.Reject {
			continue
		}
		if proof.Placeholder(data[start:end]) {
			ev.Cap, ev.Reason = scan.Low, "looks like a placeholder"
		}
		found = append(found, scan.ObjectMatch{Parts: []scan.Span{span}, Evidence: ev})
	}
	return found
}

// skipListSpace skips what stands between the keys of a list.
func skipListSpace(data []byte, i int) int {
	for i < len(data) {
		switch {
		case bytes.IndexByte([]byte(" \t\r\n,\"'`"), data[i]) >= 0:
			i++
		case bytes.HasPrefix(data[i:], []byte("//")) || data[i] == '#':
			n := bytes.IndexByte(data[i:], '\n')
			if n < 0 {
				return len(data)
			}
			i += n
		default:
			return i
		}
	}
	return i
}

// listedKey reads a key of 64 hexadecimal digits, perhaps after 0x, at i.
func listedKey(data []byte, i int) (start, end int, ok bool) {
	start = i
	if bytes.HasPrefix(data[i:], []byte("0x")) {
		i += 2
	}
	end = i
	for end < len(data) && end-i <= 64 && strings.IndexByte("0123456789abcdefABCDEF", data[end]) >= 0 {
		end++
	}
	return start, end, end-i == 64
}
