package proof

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
)

var updateTestKeys = flag.Bool("update-test-keys", false, "write testkeys_table.go anew")

// publishedKey is a key that the table must know.
type publishedKey struct {
	key  []byte
	name string
}

// ethereumPath is m/44'/60'/0'/0, under which wallets number their accounts.
var ethereumPath = []uint32{44 | hardened, 60 | hardened, 0 | hardened, 0}

// phrases are published mnemonics, in pieces that are too short to be one.
var phrases = []struct {
	phrase, name, accounts string // accounts: what those of Ethereum are called
	n                      int    // how many of them are known
}{
	{strings.Repeat("test ", 11) + "junk", "Hardhat and Anvil mnemonic", "Hardhat account", 20},
	{"myth like bonus scare over problem " + "client lizard pioneer submit female collect", "Ganache deterministic mnemonic", "Ganache account", 10},
	{"candy maple cake sugar pudding cream " + "honey rich smooth crumble sweet treat", "Truffle develop mnemonic", "Truffle account", 10},
	{"bottom drive obey lake curtain smoke " + "basket hold race lonely fit walk", "Substrate development mnemonic", "Moonbeam development account", 10},
	{strings.Repeat("abandon ", 11) + "about", "", "account of the all-zero mnemonic", 10},
	{strings.TrimSpace(strings.Repeat("all ", 12)), "Trezor test mnemonic", "", 0},
	{"notice oak worry limit wrap speak medal " + "online prefer cluster roof addict wrist " + "behave treat actual wasp year salad " + "speed social layer crew genius", "Terra local mnemonic", "", 0},
	{"quality vacuum heart guard buzz spike " + "sight swarm shove special gym robust " + "assume sudden deposit grid alcohol " + "choice devote leader tilt noodle tide penalty", "Terra local mnemonic", "", 0},
	{"satisfy adjust timber high purchase " + "tuition stool faith fine install that " + "you unaware feed domain license impose " + "boss human eager hat rent enjoy dawn", "Cosmos local mnemonic", "", 0},
	{"clinic excuse minimum until indoor flower " + "fun concert inquiry letter audit patrol", "Cosmos local mnemonic", "", 0},
	{"announce room limb pattern dry unit " + "scale effort smooth jazz weasel alcohol", "ethers documentation mnemonic", "ethers documentation account", 1},
	{"radar blur cabbage chef fix engine " + "embark joy scheme fiction master release", "published example mnemonic", "", 0},
	{"letter advice cage absurd amount doctor " + "acoustic avoid letter advice cage above", "", "", 0},
}

// hexKeys are published keys and entropies in hexadecimal, in pieces.
var hexKeys = []struct{ key, name string }{
	{"b71c71a67e1177ad4e901695e1b4b9ee" + "17ae16c6668d313eac2f96dbcda3f291", "go-ethereum's tests"},
	{"45a915e4d060149eb4365960e6a7a45f" + "334393093061116b197e3240065ff2d8", "go-ethereum's tests"},
	{"8a1f9a8f95be41cd7ccb6168179afb45" + "04aefe388d1e14474d32c45c72ce7b7a", "go-ethereum's tests"},
	{"49a7b37aa6f6645917e7b807e9d1c00d" + "4fa71f18343b0d4122a4d2df64dd6fee", "go-ethereum's tests"},
	{"8f2a55949038a9610f50fb23b5883af3" + "b4ecb3c3bb792cbcefbd1542c692be63", "Besu development account 0"},
	{"4c0883a69102937d6231471b5dbb6204" + "fe5129617082792ae468d01a3f362318", "web3.js documentation"},
	{"348ce564d427a3311b6536bbcff9390d" + "69395b06ed6c486954e971d960fe8709", "web3.js documentation"},
	{"b6b15c8cb491557369f3c7d2c287b053" + "eb229daa9c22138887752191c9520659", "Arbitrum Nitro development account"},
	{"7726827caac94a7f9e1b160f7ea819f1" + "72f7b6f9d2a97f992c38edeab82d4110", "zkSync local rich account 0"},
	{"69a8c4cbb9f64e8a0798f6e1ac65d06c" + "316292905" + "6bcf4cdb7d3738d1855f363", "Stellar's test suites"},
	{"e5be9a5092b81bca64be81d212e7f2f9" + "eba183bb7a90954f7b76361f6edb5c0a", "Substrate development account Alice"},
	{"398f0c28f98885e046333d4a41c19cee" + "4c37368a9832c6502f6cfd182e2aef89", "Substrate development account Bob"},
	{"db484b828e64b2d8f12ce3c0a0e93a0b" + "8cce7af1bb8f39c97732394482538e10", "Hedera's test suites"},
	{"67dea2ed018072d675f5415ecfaed7d2" + "597555e202d85b3d65ea4e58d2d92ffa", "NIP-19 example"},
	{"9d61b19deffd5a60ba844af492ec2cc4" + "4449c5697b326919703bac031cae7f60", "RFC 8032 test 1"},
	{"4ccd089b28ff96da9db6c346ec114e0f" + "5b8a319f35aba624da8cf6ed4fb8a6fb", "RFC 8032 test 2"},
	{"c5aa8df43f9f837bedb7442f31dcb7b1" + "66d38535076f094b85ce3a2e0b4458f7", "RFC 8032 test 3"},
	{"9e885d952ad362caeb4efe34a8e91bd2", "BIP-39 test vector"},
	{"6610b25967cdcca9d59875f5cb50b0ea" + "75433311869e930b", "BIP-39 test vector"},
	{"68a79eaca2324873eacc50cb9c6eca8c" + "c68ea5d936f98787c60c7ebc74e6ce7c", "BIP-39 test vector"},
	{"c0ba5a8e914111210f2bd131f3d5e08d", "BIP-39 test vector"},
	{"6d9be1ee6ebd27a258115aad99b7317b" + "9c8d28b6d76431c3", "BIP-39 test vector"},
	{"9f6a2878b2520799a44ef18bc7df394e" + "7061a224d2c33cd015b157d746869863", "BIP-39 test vector"},
	{"23db8160a31d3e0dca3688ed941adbf3", "BIP-39 test vector"},
	{"8197a4a47f0425faeaa69deebc05ca29" + "c0a5b5cc76ceacc0", "BIP-39 test vector"},
	{"066dca1a2bb7e8a1db2832148ce9933e" + "ea0f3ac9548d793112d9a95c9407efad", "BIP-39 test vector"},
	{"f30f8c1da665478f49b001d94c5fc452", "BIP-39 test vector"},
	{"c10ec20dc3cd9f652c7fac2f1230f7a3" + "c828389a14392f05", "BIP-39 test vector"},
	{"f585c11aec520db57dd353c69554b21a" + "89b20fb0650966fa0a9d6f74fd989d8f", "BIP-39 test vector"},
}

// base58Keys are published keys in base 58, in pieces, with what stands before
// and behind the raw key.
var base58Keys = []struct {
	key         string
	before, end int
	name        string
}{
	{"5HueCGU8rMjxEXxiPuD5BDku4MkFq" + "eZyd4dZ1jvhTVqvbTLvyTJ", 1, 4, "Bitcoin wiki"},
	{"5KQwrPbwdL6PhXujxW37FSSQZ1Jiw" + "sST4cqQzDeyXtP79zkvFD3", 1, 4, "eosio development key"},
	{"ewoqjP7PxY4yr3iLTpLisriqt94" + "hdyDFNgchSxGGztUrTXtNN", 0, 4, "Avalanche local network"},
	{"edsk31vznjHSSpGExDMHYASz45VZqX" + "N4DPxvsa4hAyY8dHM28cZzp6", 4, 4, "Tezos sandbox activator"},
	{"edsk3gUfUPyBSfrS9CCgmCiQsTCHGk" + "viBDusMxDJstFtojtc1zcpsh", 4, 4, "Tezos sandbox account 1"},
	{"edsk39qAm1fiMjgmPkw1EgQYkMzkJe" + "zLNewd7PLNHTkr6w9XA2zdfo", 4, 4, "Tezos sandbox account 2"},
	{"edsk4ArLQgBTLWG5FJmnGnT689VKoq" + "hXwmDPBuGx3z4cvwU9MmrPZZ", 4, 4, "Tezos sandbox account 3"},
	{"edsk2uqQB9AY4FvioK2YMdfmyMrer5" + "R8mGFyuaLLFfSRo8EoyNdht3", 4, 4, "Tezos sandbox account 4"},
	{"edsk4QLrcijEffxV31gGdN2HU7UpyJ" + "jA8drFoNcmnB28n89YjPNRFm", 4, 4, "Tezos sandbox account 5"},
	{"6PRVWUbkzzsbcVac2qwfssoUJAN1X" + "hrg6bNk8J7Nzm5H7kxEbn2Nh2ZoGg", 2, 4, "BIP-38 test vector"},
	{"6PRNFFkZc2NZ6dJqFfhRoFNMR9Lny" + "j7dYGrzdgXXVMXcxoKTePPX1dWByq", 2, 4, "BIP-38 test vector"},
	{"6PYNKZ1EAgYgmQfmNVamxyXVWHzK5" + "s6DGhwP4J5o44cvXdoY7sRzhtpUeo", 2, 4, "BIP-38 test vector"},
	{"6PYLtMnXvfG3oJde97zRyLYFZCYiz" + "PU5T3LwgdYJz1fRhh16bU7u6PPmY7", 2, 4, "BIP-38 test vector"},
	{"6PfQu77ygVyJLZjfvMLyhLMQbYnu5" + "uguoJJ4kMCLqWwPEdfpwANVS76gTX", 2, 4, "BIP-38 test vector"},
	{"6PfLGnQs6VZnrNpmVKfjotbnQuaJK" + "4KZoPFrAjx1JMJUa1Ft8gnf5WxfKd", 2, 4, "BIP-38 test vector"},
	{"6PgNBNNzDkKdhkT6uJntUXwwzQV8R" + "r2tZcbkDcuC9DZRsS6AtHts4Ypo1j", 2, 4, "BIP-38 test vector"},
	{"6PgGWtx25kUg8QWvwuJAgorN6k9Fb" + "E25rv5dMRwu5SKMnfpfVe5mar2ngH", 2, 4, "BIP-38 test vector"},
}

// bip32Vectors are the test vectors of BIP-32.
var bip32Vectors = []struct {
	seed string
	path []uint32
	name string
}{
	{"000102030405060708090a0b0c0d0e0f", []uint32{hardened, 1, 2 | hardened, 2, 1000000000}, "BIP-32 vector 1"},
	{"fffcf9f6f3f0edeae7e4e1dedbd8d5d2cfccc9c6c3c0bdbab7b4b1aeaba8a5a2" + "9f9c999693908d8a8784817e7b7875726f6c696663605d5a5754514e4b484542",
		[]uint32{0, 2147483647 | hardened, 1, 2147483646 | hardened, 2}, "BIP-32 vector 2"},
	{"4b381541583be4423346c643850da4b320e46a87ae3d2a4e6da11eba819cd4ac" + "ba45d239319ac14f863b8d5ab5a0d0c64d2e8a1e7d1457df2e5a3c51c73235be",
		[]uint32{hardened}, "BIP-32 vector 3"},
	{"3ddd5602285899a946114506157c7997" + "e5444528f3003f6134712147db19b678", []uint32{hardened, 1 | hardened}, "BIP-32 vector 4"},
}

// moneroPhrases are seeds of Monero's documentation and functional tests.
var moneroPhrases = []string{
	"vocal either anvil films dolphin zeal bacon " + "cuisine quote syndrome rejoices envy okay " + "pancakes tulips lair greater petals organs " + "enmity dedicated oust thwart tomorrow tomorrow",
	"velvet lymph giddy number token physics poetry " + "unquoted nibs useful sabotage limits benches " + "lifestyle eden nitrogen anvil fewest avoid batch " + "vials washing fences goat unquoted",
	"peeled mixture ionic radar utopia puddle buying " + "illness nuns gadget river spout cavernous bounced " + "paradise drunk looking cottage jump tequila melting " + "went winter adjust spout",
}

// substrateAccounts are derived from Substrate's development phrase.
var substrateAccounts = []string{"Alice", "Bob", "Charlie", "Dave", "Eve", "Ferdie"}

// base64Keys are the private members of the keys in the JOSE documents.
var base64Keys = []struct{ key, name string }{
	{"870MB6gfuTJ4HtUnUvYMyJpr" + "5eUZNP4Bk43bVdj3eAE", "RFC 7517 example"},
	{"jpsQnnGQmL-YBIffH1136csp" + "YG6-0iY7X1fCE9-E9LI", "RFC 7515 example"},
	{"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ" + "-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow", "RFC 7515 example"},
}

// publishedKeys derives or decodes all of them.
func publishedKeys(t testing.TB) []publishedKey {
	var keys []publishedKey
	add := func(key []byte, name string) { keys = append(keys, publishedKey{bytes.Clone(key), name}) }
	for _, p := range phrases {
		words := bytes.Fields([]byte(p.phrase))
		idx := make([]int, len(words))
		if !english().indexes(idx, words) {
			t.Fatalf("%s: not all words are in the list", p.phrase)
		}
		entropy, ok := bip39Entropy(idx)
		if !ok {
			t.Fatalf("%s: checksum", p.phrase)
		}
		if p.name != "" {
			add(entropy, p.name)
		}
		for i := range p.n {
			add(derive(phraseSeed(t, p.phrase), append(slices.Clone(ethereumPath), uint32(i))), fmt.Sprintf("%s %d", p.accounts, i))
		}
	}
	for _, k := range hexKeys {
		add(unhex(t, k.key), k.name)
	}
	for _, k := range base58Keys {
		var buf [maxBase58]byte
		b := decode58(&buf, []byte(k.key), &bitcoinDigits)
		if len(b) < 36 {
			t.Fatalf("%s: does not decode", k.name)
		}
		if k.before > 0 && !doubleSHA256Tail(b) {
			t.Fatalf("%s: checksum", k.name)
		}
		add(b[k.before:len(b)-k.end], k.name)
	}
	for _, v := range bip32Vectors {
		for i := range len(v.path) + 1 {
			add(derive(unhex(t, v.seed), v.path[:i]), v.name)
		}
	}
	for _, k := range base64Keys {
		b, err := base64.RawURLEncoding.DecodeString(k.key)
		if err != nil {
			t.Fatal(err)
		}
		add(b, k.name)
	}
	master := sha512.Sum512([]byte("masterpassphrase"))
	add(master[:16], "XRP Ledger genesis account")
	for _, p := range moneroPhrases {
		add([]byte(p), "Monero's documentation and tests")
	}
	root := substrateSeed(t)
	add(root, "Substrate development seed")
	for _, name := range substrateAccounts {
		add(substrateChild(root, name), "Substrate development account "+name+", ed25519")
	}
	nats, _, ok := strkey([]byte("SUACSSL3UAHUDXKFSNVUZRF5UHPMW" + "Z6BFDTJ7M6USDXIEDNPPQYYYCU3VY"))
	if !ok {
		t.Fatal("NATS documentation")
	}
	add(nats[2:], "NATS documentation")
	return keys
}

func TestKnownTestKeys(t *testing.T) {
	table := map[uint64]string{}
	for _, k := range publishedKeys(t) {
		sum := sha256.Sum256(k.key)
		table[binary.BigEndian.Uint64(sum[:])] = k.name
	}
	if *updateTestKeys {
		writeTestKeys(t, table)
		return
	}
	for _, k := range publishedKeys(t) {
		if name, ok := KnownTestKey(k.key); !ok || name != k.name {
			t.Errorf("%s: known as %q, %v", k.name, name, ok)
		}
	}
	if len(testKeys) != len(table) {
		t.Errorf("%d rows, want %d", len(testKeys), len(table))
	}
	if !slices.IsSortedFunc(testKeys[:], func(a, b testKey) int { return cmp.Compare(a.sum, b.sum) }) {
		t.Error("the table is not sorted")
	}
}

func writeTestKeys(t *testing.T, table map[uint64]string) {
	var rows []testKey
	for sum, name := range table {
		rows = append(rows, testKey{sum, name})
	}
	slices.SortFunc(rows, func(a, b testKey) int { return cmp.Compare(a.sum, b.sum) })
	var b strings.Builder
	b.WriteString("package proof\n\n// testKeys is sorted by sum. TestKnownTestKeys derives every row, and writes them\n// anew with -update-test-keys.\nvar testKeys = [...]testKey{\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "\t{%#016x, %q},\n", r.sum, r.name)
	}
	b.WriteString("}\n")
	if err := os.WriteFile("testkeys_table.go", []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestPatternedKeys(t *testing.T) {
	count := make([]byte, 32)
	for i := range count {
		count[i] = byte(i)
	}
	tests := []struct {
		name string
		key  []byte
		want bool
	}{
		{"zero", make([]byte, 32), true},
		{"scalar 255", append(make([]byte, 31), 255), true},
		{"one byte over and over", bytes.Repeat([]byte{0x46}, 32), true},
		{"dead beef", bytes.Repeat([]byte{0xde, 0xad, 0xbe, 0xef}, 8), true},
		{"ethers documentation", unhex(t, "0123456789012345678901234567890123456789012345678901234567890123"), true},
		{"counting", count, true},
		{"the alphabet's hash", sha256Of([]byte("abc")), false},
		{"too short", []byte{0}, false},
	}
	for _, tt := range tests {
		if name, got := KnownTestKey(tt.key); got != tt.want {
			t.Errorf("%s: %v (%s), want %v", tt.name, got, name, tt.want)
		}
	}
}

// TestDerivation checks the tests' own BIP-32 against addresses that Hardhat and
// Ganache print at their start.
func TestDerivation(t *testing.T) {
	if got := hex.EncodeToString(substrateSeed(t)[:4]); got != "fac7959d" {
		t.Errorf("Substrate: %s", got)
	}
	if got := hex.EncodeToString(substrateChild(substrateSeed(t), "Alice")[:4]); got != "abf8e5bd" {
		t.Errorf("Alice: %s", got)
	}
	for _, tt := range []struct {
		phrase, address string
		account         uint32
	}{
		{phrases[0].phrase, "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", 0},
		{phrases[0].phrase, "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", 1},
		{phrases[0].phrase, "0x8626f6940E2eb28930eFb4CeF49B2d1F2C9C1199", 19},
		{phrases[1].phrase, "0x90F8bf6A479f320ead074411a4B0e7944Ea8c9C1", 0},
		{phrases[2].phrase, "0x627306090abaB3A6e1400e9345bC60c78a8BEf57", 0},
		{phrases[3].phrase, "0xf24FF3a9CF04c71Dbc94D0b566f7A27B94566cac", 0},
		{phrases[4].phrase, "0x9858EfFD232B4033E47d90003D41EC34EcaEda94", 0},
	} {
		key := derive(phraseSeed(t, tt.phrase), append(slices.Clone(ethereumPath), tt.account))
		if got, _ := EthereumAddress(key); got != tt.address {
			t.Errorf("account %d: %s, want %s", tt.account, got, tt.address)
		}
	}
}

// substrateSeed is the seed of the development phrase: PBKDF2 over the entropy, not
// over the words.
func substrateSeed(t testing.TB) []byte {
	words := bytes.Fields([]byte(phrases[3].phrase))
	idx := make([]int, len(words))
	english().indexes(idx, words)
	entropy, _ := bip39Entropy(idx)
	seed, err := pbkdf2.Key(sha512.New, string(entropy), []byte("mnemonic"), 2048, 64)
	if err != nil {
		t.Fatal(err)
	}
	return seed[:32]
}

// substrateChild is the hard derivation of ed25519 accounts: //Alice.
func substrateChild(seed []byte, name string) []byte {
	scale := func(s string) []byte { return append([]byte{byte(len(s) << 2)}, s...) }
	code := make([]byte, 32)
	copy(code, scale(name))
	return blake2bOf(32, scale("Ed25519HDKD"), seed, code)
}

const hardened = 1 << 31

// phraseSeed is BIP-39's seed without a passphrase.
func phraseSeed(t testing.TB, phrase string) []byte {
	seed, err := pbkdf2.Key(sha512.New, phrase, []byte("mnemonic"), 2048, 64)
	if err != nil {
		t.Fatal(err)
	}
	return seed
}

// derive is BIP-32's private derivation.
func derive(seed []byte, path []uint32) []byte {
	split := func(key, data []byte) (*secp256k1.ModNScalar, []byte) {
		h := hmac.New(sha512.New, key)
		h.Write(data)
		sum := h.Sum(nil)
		var k secp256k1.ModNScalar
		k.SetByteSlice(sum[:32])
		return &k, sum[32:]
	}
	k, chain := split([]byte("Bitcoin seed"), seed)
	for _, child := range path {
		key := k.Bytes()
		data := append([]byte{0}, key[:]...)
		if child&hardened == 0 {
			data = secp256k1.NewPrivateKey(k).PubKey().SerializeCompressed()
		}
		var step *secp256k1.ModNScalar
		step, chain = split(chain, binary.BigEndian.AppendUint32(data, child))
		k.Add(step)
	}
	key := k.Bytes()
	return key[:]
}

func unhex(t testing.TB, s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
