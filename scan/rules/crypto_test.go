package rules

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/match"
	"github.com/keywright/keywright/scan/proof"
)

func cryptoEngine(t testing.TB) *match.Engine {
	t.Helper()
	e, err := match.New(All())
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// found is the rules and confidences of a text's verdicts, and their parts.
func found(e *match.Engine, text string) (ids []string, parts [][]string) {
	for _, v := range verdicts(e, text) {
		var roles []string
		for _, p := range v.Parts {
			roles = append(roles, p.Role+"="+text[p.Start:p.End])
		}
		ids = append(ids, v.Rule.ID+" "+v.Confidence.String())
		parts = append(parts, roles)
	}
	return ids, parts
}

// TestCryptoFiles scans files as users of exchanges and wallets write them.
func TestCryptoFiles(t *testing.T) {
	g := scan.NewGen(7)
	e := cryptoEngine(t)
	id, secret, eth := g.String(scan.Base62, 18), g.String(scan.Base62, 36), keyHex(g)
	other := keyHex(g)
	phrase := proof.SealMnemonic(g.Bytes(16))
	for name, test := range map[string]struct {
		text string
		want []string // rule and confidence, in the order of the secrets
	}{
		"ccxt in JavaScript": {
			"const exchange = new ccxt.bybit({\n  apiKey: '" + id + "',\n  secret: '" + secret + "',\n  enableRateLimit: true,\n});",
			[]string{"bybit-key-and-secret high"},
		},
		"ccxt in Python": {
			"exchange = ccxt.bybit({\n    'apiKey': '" + id + "',\n    'secret': '" + secret + "',\n})",
			[]string{"exchange-credentials high"},
		},
		"nested YAML": {
			"exchanges:\n  bybit:\n    api_key: " + id + "\n    api_secret: " + secret + "\n",
			[]string{"exchange-credentials high"},
		},
		"bybit in .env": {
			"BYBIT_API_KEY=" + id + "\nBYBIT_API_SECRET=" + secret + "\n",
			[]string{"bybit-api-secret high"},
		},
		"OKX with a passphrase": {
			"OKX_API_KEY=" + g.UUID() + "\nOKX_SECRET_KEY=" + strings.ToUpper(g.Hex(32)) + "\nOKX_PASSPHRASE=Hunter2hunter!\n",
			[]string{"okx-api-secret high"},
		},
		"OKX without its passphrase": {
			"OKX_API_KEY=" + g.UUID() + "\nOKX_SECRET_KEY=" + strings.ToUpper(g.Hex(32)) + "\n",
			[]string{"okx-api-secret medium"},
		},
		"freqtrade": {
			`{"stake_currency":"USDT","exchange":{"name":"bybit","key":"` + id + `","secret":"` + secret + `","ccxt_config":{}},"api_server":{"jwt_secret_key":"` + g.Hex(64) + `"}}`,
			[]string{"freqtrade-exchange high", "freqtrade-api-server high"},
		},
		"freqtrade's example": {
			`{"exchange":{"name":"binance","key":"your_exchange_key","secret":"your_exchange_secret"}}`,
			[]string{"freqtrade-exchange low"},
		},
		"hardhat's configuration": {
			"networks: {\n  mainnet: {\n    url: process.env.URL,\n    accounts: ['0x" + eth + "', \"" + other + "\"],\n  },\n}",
			[]string{"ethereum-accounts high", "ethereum-accounts high"},
		},
		"foundry script": {
			"vm.startBroadcast(0x" + eth + ");",
			[]string{"ethereum-private-key high"},
		},
		"recovery phrase with a label of list words": {
			"seed phrase: " + phrase + "\n",
			[]string{"mnemonic certain"},
		},
		"hardhat's first account": {
			"PRIVATE_KEY=0x" + "ac0974bec39a17e36ba4a6b4d238ff94" + "4bacb478cbed5efcae784d7bf4f2ff80" + "\n",
			[]string{"ethereum-private-key low"},
		},
		"hardhat's phrase": {
			`mnemonic: "` + strings.Repeat("test ", 11) + `junk"`,
			[]string{"mnemonic low"},
		},
		"Solana's zero key": {
			"[" + intsText(append(make([]byte, 32), zeroPublic(t)...), ",") + "]",
			[]string{"solana-keypair low"},
		},
	} {
		ids, parts := found(e, test.text)
		if strings.Join(ids, ", ") != strings.Join(test.want, ", ") {
			t.Errorf("%s: got %q, want %q\n%s\n%q", name, ids, test.want, test.text, parts)
		}
	}
}

// zeroPublic is the ed25519 public key of 32 zero bytes.
func zeroPublic(t *testing.T) []byte {
	t.Helper()
	b, err := hex.DecodeString("3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCryptoParts checks which bytes become which part.
func TestCryptoParts(t *testing.T) {
	g := scan.NewGen(11)
	e := cryptoEngine(t)
	id, secret := "bg_"+g.Hex(32), g.Hex(64)
	_, parts := found(e, "bitget = ccxt.bitget({apiKey: '"+id+"', secret: '"+secret+"', password: 'Tulip7'})")
	want := "secret=" + secret + ",id=" + id + ",passphrase=Tulip7"
	if len(parts) != 1 || strings.Join(parts[0], ",") != want {
		t.Errorf("got %q, want %q", parts, want)
	}
}

// TestOwnPassphrase: what is taken for the third part of an exchange's key is nobody
// else's secret.
func TestOwnPassphrase(t *testing.T) {
	g := scan.NewGen(12)
	e := cryptoEngine(t)
	id, secret := g.UUID(), strings.ToUpper(g.Hex(32))
	for beside, want := range map[string]string{
		"OKX_PASSPHRASE=Tulip7":               "Tulip7",
		"OKX_API_PASSPHRASE='Tulip7'":         "Tulip7",
		"okx_password: \"Tulip7\"":            "Tulip7",
		"passphrase: Tulip7":                  "Tulip7",
		"apiPassphrase = 'Tulip7'":            "Tulip7",
		"{\"passphrase\": \"Tulip7\"}":        "Tulip7",
		"DB_PASSWORD=Tulip7":                  "",
		"password: Tulip7":                    "",
		"GPG_PASSPHRASE=Tulip7":               "",
		"KUCOIN_PASSPHRASE=Tulip7":            "",
		"ssh.passphrase=Tulip7":               "",
		"DB_PASSWORD=x9\nOKX_PASSWORD=Tulip7": "Tulip7",
	} {
		ids, parts := found(e, "OKX_API_KEY="+id+"\nOKX_SECRET_KEY="+secret+"\n"+beside+"\n")
		text := "secret=" + secret + ",id=" + id
		if want != "" {
			text += ",passphrase=" + want
		}
		if len(parts) != 1 || strings.Join(parts[0], ",") != text {
			t.Errorf("%s: %q, %q", beside, ids, parts)
		}
	}
}

// TestCryptoSilence scans what is no key.
func TestCryptoSilence(t *testing.T) {
	g := scan.NewGen(3)
	e := cryptoEngine(t)
	for name, text := range map[string]string{
		"prose":               strings.Repeat("The quick brown fox will jump over the lazy dog and then they all come home to eat before the sun is gone. ", 50),
		"prose of list words": "there must also be some other way you can use this very same idea again when the whole world will never know how much they want",
		"an image":            "<img src=\"data:image/png;base64," + g.String(scan.Base64Std, 4000) + "==\">",
		"minified code":       strings.Repeat("function(e,t){return e[t]||(e[t]={})}(n,\"secret\"),o=r.key,", 40),
		"checksums":           strings.Repeat(g.Hex(64)+"  file.tar.gz\n", 20),
		"transactions":        "txHash: 0x" + g.Hex(64) + "\nblock: 0x" + g.Hex(64) + "\ntopics: [\"0x" + g.Hex(64) + "\"]\n",
		"bytes":               "[" + intsText(g.Bytes(64), ", ") + "]\n[" + intsText(g.Bytes(256), ", ") + "]",
		"signature":           base58Text(scan.Base58, g.Bytes(64)) + " " + base64.StdEncoding.EncodeToString(g.Bytes(64)),
		"addresses":           check58Text(scan.Base58, []byte{0}, g.Bytes(20)) + " " + bech32Text("bc", g.Bytes(20)) + " 0x" + g.Hex(40),
		"a lock file":         "integrity sha512-" + base64.StdEncoding.EncodeToString(g.Bytes(64)) + "\nresolved \"https://x.test/a.tgz#" + g.Hex(40) + "\"",
		"references":          "BINANCE_API_SECRET=${BINANCE_API_SECRET}\nsecret: process.env.BYBIT_SECRET\napiKey: os.environ['OKX_KEY']\n",
		"sorted characters":   "一\n丁\n七\n万\n三\n上\n下\n不\n与\n专\n世\n业\n东\n丝\n两\n",
		"a rune loop":         "for i, rune := range text { count[rune]++ }\nconst rune = 'x'\n",
	} {
		if ids, parts := found(e, text); len(ids) > 0 {
			t.Errorf("%s: %q %q", name, ids, parts)
		}
	}
}

func TestJSONStrings(t *testing.T) {
	data := []byte("{ // bot\n \"a\": {\"b\": \"one\", \"n\": 1, \"c\": [\"x\", {\"d\": \"two\"},],},\n /* no */ \"e\": \"thr\\\"ee\" }")
	want := map[string]string{"a.b": "one", "e": `thr\"ee`}
	got := jsonStrings(data)
	for path, value := range want {
		if s, ok := got[path]; !ok || string(data[s.Start:s.End]) != value {
			t.Errorf("%s: got %v, want %q", path, s, value)
		}
	}
	if s, ok := got["a.c"]; ok {
		t.Errorf("an array's element is given as a field: %v", s)
	}
	if got := jsonStrings([]byte(`{"a.b": {"c": "x"}, "b": "y"`)); len(got) != 2 {
		t.Errorf("truncated object: got %v", got)
	}
}

func FuzzJSONStrings(f *testing.F) {
	f.Add([]byte(`{"exchange":{"name":"x","key":"y","secret":"z"}}`))
	f.Add([]byte("{// c\n\"a\":[1,{\"b\":\"c\"},],}"))
	f.Add([]byte(`}{]["`))
	f.Add([]byte(`{"a":"\"/*`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if got := withoutComments(data); len(got) != len(data) {
			t.Fatalf("length changed from %d to %d", len(data), len(got))
		}
		for path, s := range jsonStrings(data) {
			if s.Start < 0 || s.End > len(data) || s.Start > s.End {
				t.Fatalf("%s: span %v of %d bytes", path, s, len(data))
			}
		}
		freqtradeExchange(data)
		freqtradeServer(data)
	})
}

func FuzzWalletFiles(f *testing.F) {
	g := scan.NewGen(1)
	f.Add([]byte(arweaveSample(g, 0)))
	f.Add([]byte(macaroonPrefix + "\x02\x04abcd\x00\x00\x06\x20" + strings.Repeat("s", 32)))
	f.Add([]byte("accounts: [\"0x" + keyHex(g) + "\", // one\n]"))
	f.Add([]byte("privateKeys=['"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var all []scan.ObjectMatch
		all = append(all, arweaveKeys(data)...)
		all = append(all, macaroons(data, macaroonPrefix, "")...)
		all = append(all, macaroons(data, hex.EncodeToString([]byte(macaroonPrefix)), scan.LowerHex)...)
		all = append(all, keyLists(data, []string{"accounts", "privateKeys"})...)
		for _, m := range all {
			for _, p := range m.Parts {
				if p.Start < 0 || p.End > len(data) || p.Start >= p.End {
					t.Fatalf("span %v of %d bytes", p, len(data))
				}
			}
		}
		if n, ok := macaroonSize(data); ok && !bytes.HasPrefix(data, []byte{2}) || n > len(data) {
			t.Fatalf("macaroon of %d bytes in %d", n, len(data))
		}
	})
}
