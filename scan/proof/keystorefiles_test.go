package proof

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	"github.com/keywright/keywright/scan"
)

// sampleDocument is a key file, the parser and the check it is for, and what
// they must find.
type sampleDocument struct {
	name, text string
	object     func([]byte) []scan.ObjectMatch
	check      func(scan.Candidate) scan.Evidence
	secret     string // the span that the parser must mark
	id         string
	proof      scan.Proof
	limit      scan.Confidence
}

// aliceAddress is Substrate's first development account, and its public key.
const (
	aliceAddress = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
	alicePublic  = "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d"
)

func keystoreText(g *scan.Gen, ciphertext string) string {
	return fmt.Sprintf(`{"address":"f39fd6e51aad88f6f4ce6ab8827279cfffb92266","Crypto":{"cipher":"aes-128-ctr","ciphertext":"%s","cipherparams":{"iv":"%s"},"kdf":"scrypt","kdfparams":{"dklen":32,"n":262144,"p":1,"r":8,"salt":"%s"},"mac":"%s"},"id":"%s","version":3}`,
		ciphertext, g.Hex(32), g.Hex(64), g.Hex(64), g.UUID())
}

func sampleDocuments(g *scan.Gen) []sampleDocument {
	ciphertext, message := g.Hex(64), g.Hex(64)
	v3 := keystoreText(g, ciphertext)
	pubkey := g.Hex(96)
	v4 := fmt.Sprintf(`{"crypto":{"kdf":{"function":"scrypt","params":{"n":262144}},"checksum":{"function":"sha256","message":"%s"},"cipher":{"function":"aes-128-ctr","params":{"iv":"%s"},"message":"%s"}},"path":"m/12381/3600/0/0/0","pubkey":"%s","version":4}`,
		g.Hex(64), g.Hex(32), message, pubkey)
	seed := g.Bytes(32)
	pair := SealEd25519(seed)
	pair64 := base64.StdEncoding.EncodeToString(pair)
	near := encode58(pair, bitcoin58)
	encrypted := base64.StdEncoding.EncodeToString(g.Bytes(200))
	public, _ := hex.DecodeString(alicePublic)
	open := base64.StdEncoding.EncodeToString(append(append(append([]byte("0S0123456789abcd"), g.Bytes(64)...), 0xa1, 0x23, 3, 0x21, 0), public...))
	polkadot := func(kind, encoded, address string) string {
		return fmt.Sprintf(`{"encoded":"%s","encoding":{"content":["pkcs8","sr25519"],"type":[%s],"version":"3"},"address":"%s","meta":{}}`, encoded, kind, address)
	}
	phrase := somePhrase(g, 16)
	tendermintID := func() string { return strings.ToUpper(hexSum(pair[32:])[:40]) }
	tampered := strings.Replace(SealTendermint(seed), `"address":"`, `"address":"00`, 1)
	return []sampleDocument{
		{"keystore v3", v3, EthereumKeystoreObject, EthereumKeystore, ciphertext, "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", scan.Proved, scan.Medium},
		{"keystore v3, damaged", strings.Replace(v3, ciphertext, "xyz", 1), EthereumKeystoreObject, EthereumKeystore, "xyz", "", scan.Failed, 0},
		{"keystore v4", v4, EIP2335KeystoreObject, EIP2335Keystore, message, "0x" + pubkey, scan.Proved, scan.Medium},
		{"polkadot-js, encrypted", polkadot(`"scrypt","xsalsa20-poly1305"`, encrypted, aliceAddress), PolkadotKeystoreObject, PolkadotKeystore, encrypted, aliceAddress, scan.Proved, scan.Medium},
		{"polkadot-js, open", polkadot(`"none"`, open, aliceAddress), PolkadotKeystoreObject, PolkadotKeystore, open, aliceAddress, scan.Proved, 0},
		{"polkadot-js, another's address", polkadot(`"none"`, encrypted, aliceAddress), PolkadotKeystoreObject, PolkadotKeystore, encrypted, "", scan.Failed, 0},
		{"polkadot-js, address edited", polkadot(`"scrypt"`, encrypted, aliceAddress[:47]+"Z"), PolkadotKeystoreObject, PolkadotKeystore, encrypted, "", scan.Failed, 0},
		{"Tendermint validator", SealTendermint(seed), TendermintKeyObject, TendermintKey, pair64, tendermintID(), scan.Proved, 0},
		{"Tendermint, another's address", tampered, TendermintKeyObject, TendermintKey, pair64, "", scan.Failed, 0},
		{"Tendermint node", `{"priv_key": {"type": "tendermint/PrivKeyEd25519", "value": "` + pair64 + `"}}`, TendermintKeyObject, TendermintKey, pair64, tendermintID(), scan.Proved, 0},
		{"NEAR", `{"account_id":"keywright.testnet","public_key":"` + nearID(pair[32:]) + `","private_key":"ed25519:` + near + `"}`, NEARCredentialsObject, NEARCredentials, "ed25519:" + near, "keywright.testnet", scan.Proved, 0},
		{"NEAR, another's public key", `{"public_key":"ed25519:1","secret_key":"ed25519:` + near + `"}`, NEARCredentialsObject, NEARCredentials, "ed25519:" + near, "", scan.Failed, 0},
		{"Bittensor", `{"publicKey":"0x` + alicePublic + `","secretPhrase":"` + phrase + `","ss58Address":"` + aliceAddress + `"}`, BittensorKeyObject, BittensorKey, phrase, aliceAddress, scan.Proved, 0},
		{"Bittensor, phrase edited", `{"secretPhrase":"` + phrase + ` zoo","ss58Address":"` + aliceAddress + `"}`, BittensorKeyObject, BittensorKey, phrase + " zoo", "", scan.Failed, 0},
	}
}

func TestKeyFiles(t *testing.T) {
	for _, d := range sampleDocuments(scan.NewGen(20)) {
		t.Run(d.name, func(t *testing.T) {
			ev := d.check(keyCandidate(d.text))
			if ev.Proof != d.proof || ev.Cap != d.limit || ev.PublicID != d.id {
				t.Errorf("evidence %+v", ev)
			}
			matches := d.object([]byte(" \n" + d.text + "\n"))
			if len(matches) != 1 {
				t.Fatalf("%d matches", len(matches))
			}
			m := matches[0]
			if got := d.text[m.Parts[0].Start-2 : m.Parts[0].End-2]; got != d.secret {
				t.Errorf("secret %q, want %q", got, d.secret)
			}
			if m.Evidence != ev {
				t.Errorf("object says %+v, check %+v", m.Evidence, ev)
			}
		})
	}
}

func TestKeyFilesOfOthers(t *testing.T) {
	parsers := []func([]byte) []scan.ObjectMatch{
		EthereumKeystoreObject, EIP2335KeystoreObject, PolkadotKeystoreObject, TendermintKeyObject,
		NEARCredentialsObject, BittensorKeyObject, JWKObject, ArweaveWalletObject,
	}
	for _, text := range []string{
		"", "{", "[]", "null", `"text"`, `{"crypto":{}}`, `{"version":3}`, `{"kty":"RSA"}`, `{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}`,
		`{"a":1} {"a":2}`, strings.Repeat("[", 100000), `{"private_key":"-----BEGIN"}`, `{"encoded":"AA=="}`,
		`{"priv_key":{"type":"tendermint/PrivKeyBn254","value":"AAAA"}}`,
	} {
		for i, parse := range parsers {
			if m := parse([]byte(text)); len(m) > 0 {
				t.Errorf("parser %d: %.40s: %+v", i, text, m)
			}
		}
	}
}

func TestHummingbotKeystore(t *testing.T) {
	g := scan.NewGen(21)
	text := hex.EncodeToString([]byte(keystoreText(g, g.Hex(64))))
	if ev := HummingbotKeystore(keyCandidate(text)); ev.Proof != scan.Proved || ev.Cap != scan.Medium {
		t.Errorf("%+v", ev)
	}
	if ev := HummingbotKeystore(keyCandidate(text[:200])); ev.Proof != scan.Failed {
		t.Errorf("cut: %+v", ev)
	}
}

func TestWeakKeystore(t *testing.T) {
	g := scan.NewGen(22)
	weak := strings.Replace(keystoreText(g, g.Hex(64)), "262144", "2", 1)
	if ev := EthereumKeystore(keyCandidate(weak)); !strings.Contains(ev.Reason, "weak") || ev.Cap != scan.Medium {
		t.Errorf("%+v", ev)
	}
}

// The armor is the one of the Cosmos SDK's own tests.
func TestCosmosArmor(t *testing.T) {
	armor := "-----BEGIN " + "TENDERMINT PRIVATE KEY-----\nkdf: bcrypt\nsalt: 6BC5D5187F9DF241E1A1243EECFF9C17\ntype: secp256k1\n\n" +
		"GDPpPfrSVZloiwufbal19fmd75QeiqwToZ949SwmnxxM03qL75xXVf3tTD/BrF4l\n" +
		"Fs14HuhwntDBM2xgZvymTBk2edHlEI20Phv6oC0=\n=/zZh\n" + "-----END " + "TENDERMINT PRIVATE KEY-----"
	for _, text := range []string{armor, strings.ReplaceAll(armor, "\n", "\r\n"), strings.ReplaceAll(armor, "\n", `\n`)} {
		if ev := CosmosArmor(keyCandidate(text)); ev.Proof != scan.Proved || ev.Cap != scan.Medium || !strings.Contains(ev.Reason, "CRC-24") {
			t.Errorf("%+v", ev)
		}
	}
	if ev := CosmosArmor(keyCandidate(strings.Replace(armor, "GDPp", "GDPq", 1))); ev.Proof != scan.Failed {
		t.Errorf("edited: %+v", ev)
	}
}

// The keys are those of RFC 7515, RFC 7517 and RFC 8037.
func TestJWK(t *testing.T) {
	ec := func(d, x, y string) string {
		return `{"kty":"EC","crv":"P-256","x":"` + x + `","y":"` + y + `","d":"` + d + `","kid":"1"}`
	}
	rfc7517 := ec("870MB6gfuTJ4HtUnUvYMyJpr"+"5eUZNP4Bk43bVdj3eAE", "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM")
	rfc7515 := ec("jpsQnnGQmL-YBIffH1136csp"+"YG6-0iY7X1fCE9-E9LI", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0")
	rfc8037 := `{"kty":"OKP","crv":"Ed25519","d":"` + "nWGxne_9WmC6hEr0kuwsxERJ" + "xWl7MmkZcDusAxyuf2A" + `","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	for name, text := range map[string]string{"RFC 7517": rfc7517, "RFC 7515": rfc7515, "RFC 8037": rfc8037} {
		if ev := JWK(keyCandidate(text)); ev.Proof != scan.Proved || ev.Cap != scan.Low {
			t.Errorf("%s: %+v", name, ev)
		}
	}
	if ev := JWK(keyCandidate(strings.Replace(rfc7517, "MKBC", "MKBD", 1))); ev.Proof != scan.Failed {
		t.Errorf("edited: %+v", ev)
	}
	set := `{"keys":[` + rfc7517 + `,{"kty":"EC","crv":"P-256","x":"AA"},` + rfc8037 + `]}`
	if m := JWKObject([]byte(set)); len(m) != 2 || m[0].Evidence.PublicID != "1" {
		t.Errorf("set: %+v", m)
	}
	oct := `{"kty":"oct","k":"` + base64.RawURLEncoding.EncodeToString(scan.NewGen(23).Bytes(32)) + `"}`
	if ev := JWK(keyCandidate(oct)); ev.Proof != scan.Unproved || ev.Reject {
		t.Errorf("symmetric: %+v", ev)
	}
}

func rsaJWK(key *rsa.PrivateKey, primes bool) string {
	b64 := base64.RawURLEncoding.EncodeToString
	text := fmt.Sprintf(`{"kty":"RSA","n":"%s","e":"AQAB","d":"%s"`, b64(key.N.Bytes()), b64(key.D.Bytes()))
	if primes {
		text += fmt.Sprintf(`,"p":"%s","q":"%s"`, b64(key.Primes[0].Bytes()), b64(key.Primes[1].Bytes()))
	}
	return text + "}"
}

func TestRSAKeys(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	mixed := *key
	mixed.Primes, mixed.D = other.Primes, other.D
	for _, primes := range []bool{true, false} {
		if ev := JWK(keyCandidate(rsaJWK(key, primes))); ev.Proof != scan.Proved {
			t.Errorf("primes %v: %+v", primes, ev)
		}
		if ev := JWK(keyCandidate(rsaJWK(&mixed, primes))); ev.Proof != scan.Failed {
			t.Errorf("another's, primes %v: %+v", primes, ev)
		}
	}
	if ev := ArweaveWallet(keyCandidate(rsaJWK(key, true))); !ev.Reject {
		t.Errorf("2048 bits as an Arweave wallet: %+v", ev)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if ev := PKCS8Base64(keyCandidate(base64.StdEncoding.EncodeToString(der))); ev.Proof != scan.Proved || !strings.HasPrefix(ev.PublicID, "SHA256:") {
		t.Errorf("DER: %+v", ev)
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if ev := FireblocksPEM(keyCandidate(string(block))); !ev.Reject {
		t.Errorf("2048 bits as a Fireblocks key: %+v", ev)
	}
}

func TestCoinbasePEM(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
	for _, s := range []string{text, strings.ReplaceAll(text, "\n", `\n`)} {
		if ev := CoinbasePEM(keyCandidate(s)); ev.Proof != scan.Proved || ev.PublicID == "" {
			t.Errorf("%+v", ev)
		}
	}
	if ev := CoinbasePEM(keyCandidate(strings.Replace(text, "M", "N", 1))); ev.Proof == scan.Proved {
		t.Errorf("edited: %+v", ev)
	}
	d, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	ecdh, err := key.ECDH()
	if err != nil {
		t.Fatal(err)
	}
	if ev := VAPIDKey(keyCandidate(b64(d), "public", b64(ecdh.PublicKey().Bytes()))); ev.Proof != scan.Proved {
		t.Errorf("VAPID: %+v", ev)
	}
	if ev := VAPIDKey(keyCandidate(b64(d), "public", b64(make([]byte, 65)))); ev.Proof != scan.Unproved || ev.PublicID == "" {
		t.Errorf("VAPID with another's public key: %+v", ev)
	}
}

func FuzzKeyFiles(f *testing.F) {
	for _, d := range sampleDocuments(scan.NewGen(24)) {
		f.Add([]byte(d.text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, parse := range []func([]byte) []scan.ObjectMatch{
			EthereumKeystoreObject, EIP2335KeystoreObject, PolkadotKeystoreObject, TendermintKeyObject,
			NEARCredentialsObject, BittensorKeyObject, JWKObject, ArweaveWalletObject,
		} {
			for _, m := range parse(data) {
				for _, s := range m.Parts {
					if s.Start < 0 || s.End < s.Start || s.End > len(data) {
						t.Errorf("span %+v of %d bytes", s, len(data))
					}
				}
			}
		}
	})
}
