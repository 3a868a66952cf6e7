package rules

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"slices"
	"strings"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/proof"
)

const (
	uuidShape = `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`
	uuid4     = `[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`

	// secretNames is what an exchange's secret is called, after the exchange's name;
	// its first letter may belong to the expression of that.
	secretNames = `s?ecret|priv(?:ate)?`

	anyPhrase = `[!#-&(-+--~]{4,64}` // a passphrase that its owner chose
)

// exchange is an exchange whose API credentials have no shape of their own: they
// are told by its name, the lengths and alphabets, and by standing together.
type exchange struct {
	id, name   string
	vendor     string // how names of variables begin, an RE2 expression
	brand      string // the same where the shapes of key and secret tell enough; vendor if empty
	key        string // the shape of the key's id
	secret     string // the shape of the secret
	passphrase string // the shape of the passphrase, if there is one
	entropy    float64
	sample     string // how a variable's name begins in samples
	where      string // where keys are managed
	reference  string
	keyless    bool // samples have no id: with one, another rule tells
}

// exchanges lists the credentials of exchanges, as published in their API
// documents; lengths that those do not state were read off the examples in them.
func exchanges() []scan.Rule {
	const (
		alnum      = `[0-9A-Za-z]`
		token      = `[0-9A-Za-z_-]`
		hex        = `[0-9a-f]`
		upperHex   = `[0-9A-F]`
		base64of64 = `[0-9A-Za-z+/]{86}==`
	)
	list := []exchange{
		{id: "binance", name: "Binance", vendor: `binance`, key: alnum + `{64}`, secret: alnum + `{64}`, entropy: 4,
			where: "API Management", reference: "https://developers.binance.com/docs/binance-spot-api-docs/rest-api/request-security"},
		{id: "bybit", name: "Bybit", vendor: `bybit`, key: alnum + `{18}`, secret: alnum + `{36}`, entropy: 3.8,
			where: "Account, API", reference: "https://bybit-exchange.github.io/docs/v5/guide"},
		{id: "okx", name: "OKX", vendor: `okx[_as-]|okex`, brand: `okx|okex`, key: uuidShape, secret: upperHex + `{32}`, passphrase: anyPhrase, entropy: 3, sample: "OKX",
			where: "Profile, API", reference: "https://www.okx.com/docs-v5/en/"},
		{id: "kucoin", name: "KuCoin", vendor: `kucoin`, key: hex + `{24}`, secret: uuid4, passphrase: anyPhrase, entropy: 3,
			where: "API Management", reference: "https://www.kucoin.com/docs-new/authentication"},
		{id: "bitget", name: "Bitget", vendor: `bitget`, key: `bg_` + hex + `{32}`, secret: hex + `{64}`, entropy: 3.2, keyless: true,
			where: "API Keys", reference: "https://www.bitget.com/api-doc/common/quick-start"},
		{id: "gate", name: "Gate", vendor: `gate(?:[_.-]?io|[_-]?api|[_-]?secret)`, key: hex + `{32}`, secret: hex + `{64}`, entropy: 3.2, sample: "GATEIO",
			where: "API Management", reference: "https://www.gate.com/docs/developers/apiv4/en/"},
		{id: "mexc", name: "MEXC", vendor: `mexc`, key: `mx0[0-9A-Za-z]{15}`, secret: hex + `{32}`, entropy: 3, keyless: true,
			where: "API Management", reference: "https://www.mexc.com/api-docs/spot-v3/introduction"},
		{id: "htx", name: "HTX", vendor: `huobi|htx_|htx-|htxapi`, brand: `huobi|htx`, key: `[0-9a-z]{8,12}-[0-9a-z]{8}-[0-9a-z]{8}-[0-9a-z]{5}`, secret: `[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{5}`, entropy: 3, sample: "HUOBI",
			where: "API Management", reference: "https://www.htx.com/en-us/opend/newApiPages/"},
		{id: "bitfinex", name: "Bitfinex", vendor: `bitfinex|bfx_`, key: alnum + `{43}`, secret: alnum + `{43}`, entropy: 4,
			where: "Account, API keys", reference: "https://docs.bitfinex.com/docs/rest-auth"},
		{id: "bitmex", name: "BitMEX", vendor: `bitmex`, key: token + `{24}`, secret: token + `{48}`, entropy: 4,
			where: "Account, API Keys", reference: "https://www.bitmex.com/app/apiKeysUsage"},
		{id: "gemini", name: "Gemini", vendor: `gemini`, key: `(?:account|master)-` + alnum + `{20}`, secret: alnum + `{27,28}`, entropy: 3.6,
			where: "Settings, API", reference: "https://docs.gemini.com/authentication/api-key"},
		{id: "poloniex", name: "Poloniex", vendor: `poloniex`, key: `[0-9A-Z]{8}-[0-9A-Z]{8}-[0-9A-Z]{8}-[0-9A-Z]{8}`, secret: hex + `{128}`, entropy: 3.5,
			where: "API Keys", reference: "https://api-docs.poloniex.com/spot/api/"},
		{id: "luno", name: "Luno", vendor: `luno_|luno-|lunoapi|lunos`, key: `[0-9a-z]{12,14}`, secret: token + `{43}`, entropy: 4, sample: "LUNO",
			where: "Settings, API keys", reference: "https://www.luno.com/en/developers/api"},
		{id: "cexio", name: "CEX.IO", vendor: `cexio|cex_|cex\.io`, key: alnum + `{24,32}`, secret: alnum + `{24,32}`, entropy: 3.4, sample: "CEXIO",
			where: "Profile, API", reference: "https://trade.cex.io/docs/"},
		{id: "bitstamp", name: "Bitstamp", vendor: `bitstamp`, key: alnum + `{32}`, secret: alnum + `{32}`, entropy: 3.7,
			where: "Settings, API access", reference: "https://www.bitstamp.net/api/"},
		{id: "deribit", name: "Deribit", vendor: `deribit`, key: token + `{8,12}`, secret: token + `{43,44}`, entropy: 4,
			where: "Account, API", reference: "https://docs.deribit.com/"},
		{id: "phemex", name: "Phemex", vendor: `phemex`, key: uuidShape, secret: token + `{60,120}`, entropy: 4,
			where: "API Management", reference: "https://phemex-docs.github.io/"},
		{id: "bingx", name: "BingX", vendor: `bingx`, key: alnum + `{60,100}`, secret: alnum + `{60,100}`, entropy: 4,
			where: "API Management", reference: "https://bingx-api.github.io/docs/"},
		{id: "whitebit", name: "WhiteBIT", vendor: `whitebit`, key: hex + `{32}`, secret: hex + `{32}`, entropy: 3,
			where: "API keys", reference: "https://docs.whitebit.com/api-reference/authentication"},
		{id: "upbit", name: "Upbit", vendor: `upbit`, key: alnum + `{40}`, secret: alnum + `{40}`, entropy: 3.8,
			where: "Open API management", reference: "https://global-docs.upbit.com/reference/auth"},
		{id: "bithumb", name: "Bithumb", vendor: `bithumb`, key: `[0-9A-Za-z]{32,64}`, secret: `[0-9A-Za-z+/]{32,88}={0,2}`, entropy: 3,
			where: "API management", reference: "https://apidocs.bithumb.com/"},
		{id: "bitflyer", name: "bitFlyer", vendor: `bitflyer`, key: alnum + `{20,24}`, secret: `[0-9A-Za-z+/]{43}=`, entropy: 4,
			where: "API", reference: "https://lightning.bitflyer.com/docs"},
		{id: "kraken", name: "Kraken", vendor: `kraken`, key: `[0-9A-Za-z+/]{56}`, secret: base64of64, entropy: 4.5,
			where: "Settings, API", reference: "https://docs.kraken.com/api/docs/guides/spot-rest-auth"},
		{id: "coinbase-exchange", name: "Coinbase Exchange", vendor: `coinbase|gdax|cb_(?:access|api|exchange)`, key: hex + `{32}`, secret: base64of64, passphrase: anyPhrase, entropy: 4.5, sample: "COINBASE",
			where: "Profile, API", reference: "https://docs.cdp.coinbase.com/exchange/rest-api/authentication"},
		{id: "coinbase", name: "Coinbase (legacy API key)", vendor: `coinbase`, key: alnum + `{16}`, secret: alnum + `{32}`, entropy: 3.6,
			where: "Settings, API", reference: "https://docs.cdp.coinbase.com/coinbase-app/authentication-authorization/api-key-authentication"},
		{id: "coinex", name: "CoinEx", vendor: `coinex`, key: upperHex + `{32}`, secret: upperHex + `{48}`, entropy: 3,
			where: "API management", reference: "https://docs.coinex.com/api/v2/authorization"},
		{id: "bitvavo", name: "Bitvavo", vendor: `bitvavo`, key: hex + `{64}`, secret: hex + `{128}`, entropy: 3.5,
			where: "Settings, API", reference: "https://docs.bitvavo.com/docs/authentication"},
		{id: "bitso", name: "Bitso", vendor: `bitso_|bitso-|bitsoapi|bitsos`, key: `[A-Za-z]{10}`, secret: hex + `{32}`, entropy: 3, sample: "BITSO",
			where: "Profile, API", reference: "https://docs.bitso.com/bitso-api/docs/authentication"},
		{id: "bitmart", name: "BitMart", vendor: `bitmart`, key: hex + `{40}`, secret: hex + `{64}`, entropy: 3.2,
			where: "API Settings", reference: "https://developer-pro.bitmart.com/en/spot/"},
		{id: "ascendex", name: "AscendEX", vendor: `ascendex|bitmax_`, key: alnum + `{32}`, secret: alnum + `{64}`, entropy: 4,
			where: "API Management", reference: "https://ascendex.github.io/ascendex-pro-api/"},
		{id: "hitbtc", name: "HitBTC", vendor: `hitbtc`, key: token + `{32}`, secret: token + `{32}`, entropy: 3.7,
			where: "Settings, API", reference: "https://api.hitbtc.com/"},
		{id: "exmo", name: "EXMO", vendor: `exmo_|exmo-|exmoapi|exmos`, key: `K-` + hex + `{40}`, secret: `S-` + hex + `{40}`, entropy: 3, sample: "EXMO",
			where: "Settings, API", reference: "https://documenter.getpostman.com/view/10287440/SzYXWKPi"},
		{id: "dydx", name: "dYdX", vendor: `dydx`, key: uuidShape, secret: token + `{40}`, passphrase: token + `{20}`, entropy: 4,
			where: "API keys", reference: "https://docs.dydx.xyz/"},
		{id: "polymarket", name: "Polymarket", vendor: `polymarket|poly_(?:api|clob|market)|clob_`, key: uuidShape, secret: token + `{43}=`, passphrase: hex + `{64}`, entropy: 4, sample: "POLYMARKET",
			where: "the CLOB API (delete-api-key)", reference: "https://docs.polymarket.com/developers/CLOB/authentication"},
		{id: "3commas", name: "3Commas", vendor: `3commas|three_?commas`, key: hex + `{64}`, secret: hex + `{100,200}`, entropy: 3.5, sample: "THREE_COMMAS",
			where: "API access tokens", reference: "https://developers.3commas.io/quick-start/api-key"},
		{id: "coindcx", name: "CoinDCX", vendor: `coindcx`, key: hex + `{48}`, secret: hex + `{64}`, entropy: 3.2,
			where: "API Dashboard", reference: "https://docs.coindcx.com/"},
		{id: "coinspot", name: "CoinSpot", vendor: `coinspot`, key: hex + `{32}`, secret: `[0-9A-Z]{64,96}`, entropy: 4,
			where: "Settings, API", reference: "https://www.coinspot.com.au/api"},
		{id: "btcmarkets", name: "BTC Markets", vendor: `btc_?markets`, key: uuidShape, secret: base64of64, entropy: 4.5, sample: "BTCMARKETS",
			where: "API Keys", reference: "https://docs.btcmarkets.net/"},
		{id: "backpack", name: "Backpack", vendor: `backpack`, key: `[0-9A-Za-z+/]{43}=`, secret: `[0-9A-Za-z+/]{43}=`, entropy: 4,
			where: "Settings, API Keys", reference: "https://docs.backpack.exchange/"},
	}
	rules := []scan.Rule{bitgetPair(), mexcPair(), cryptoComSecret(), robinhoodKey(), binancePair()}
	rules = slices.Grow(rules, 2*len(list))
	for _, x := range list {
		rules = append(rules, x.rule(), x.client())
	}
	return rules
}

const whyExchange = "With the key's id it trades on the account, and withdraws where the key is allowed to."

func fixExchange(name, where string) string {
	return "Delete the key on " + name + "'s " + where + " page, and make a new one bound to your addresses and without withdrawals."
}

func (x exchange) rule() scan.Rule {
	partners := []scan.Partner{{Role: "id", Within: 256, Expr: `(?i:key|id|access|token)(?i:[0-9a-z_-]{0,12})` + assigned + `(` + x.key + `)` + quote}}
	partners = append(partners, x.phrase()...)
	return scan.Rule{
		ID: x.id + "-api-secret", Provider: strings.TrimSuffix(x.id, "-exchange"), Title: x.name + " API secret",
		Why: whyExchange, Fix: fixExchange(x.name, x.where), Reference: x.reference, Confidence: scan.High,
		Expr: `(?:(?i:` + anySeparator(x.vendor) + `)(?i:[0-9a-z_.-]{0,16}?(?:` + secretNames + `)[0-9a-z_.-]{0,12})` +
			`|(?i:secret_(?:key_)?)(?i:` + x.vendor + `))` +
			assigned + `(?P<secret>` + x.secret + `)` + quote,
		Partners: partners, Public: []string{"id"},
		Check: refusing(notWords, "public"), MinEntropy: x.entropy,
		Samples: x.samples,
	}
}

// phrase is the partner that a passphrase is, if there is one.
func (x exchange) phrase() []scan.Partner {
	switch x.passphrase {
	case "":
		return nil
	case anyPhrase:
		return []scan.Partner{x.ownPassphrase()}
	}
	return []scan.Partner{passphrase(x.passphrase)}
}

// client finds key and secret side by side behind the exchange's name: the arguments of
// a client's constructor, a tuple, the values of a row.
func (x exchange) client() scan.Rule {
	brand := x.brand
	if brand == "" {
		brand = anySeparator(x.vendor)
	}
	return scan.Rule{
		ID: x.id + "-key-and-secret", Provider: strings.TrimSuffix(x.id, "-exchange"), Title: x.name + " API key and secret",
		Why: whyExchange, Fix: fixExchange(x.name, x.where), Reference: x.reference, Confidence: scan.High,
		Expr:     `(?i:` + brand + `)[\t\n\r -~]{0,120}?["'](?P<id>` + x.key + `)["'],\s{0,12}(?:[A-Za-z_]{1,16}\s{0,2}[=:]\s{0,2})?["'](?P<secret>` + x.secret + `)["']`,
		Partners: x.phrase(), Public: []string{"id"}, Check: notWords, MinEntropy: x.entropy,
		Samples: func(g *scan.Gen) scan.Samples {
			name := x.sample
			if name == "" {
				name = strings.ToUpper(x.id)
			}
			id, secret, lower := g.Expr(x.key), g.Expr(x.secret), strings.ToLower(name)
			return scan.Samples{
				Match: []string{
					"client := " + lower + "_api.Connect(\"" + id + "\", \"" + secret + "\")\n", name + "_API = ('" + id + "', '" + secret + "')\n",
					"INSERT INTO accounts (exchange, k, s) VALUES ('" + lower + "_api', '" + id + "',\n  '" + secret + "');\n",
				},
				NoMatch: []string{name + "_API = ('" + id + "', os.environ['X'])\n", "pair('" + id + "', '" + secret + "')\n"},
			}
		},
	}
}

// ownPassphrase is a passphrase of any shape, by a name that is nobody else's: what is
// taken for the exchange's may be shown to it.
func (x exchange) ownPassphrase() scan.Partner {
	p := passphrase(x.passphrase)
	p.Expr = `(?:[^0-9A-Za-z_.-](?i:(?:api[_.-]?)?pass_?phrase)|(?i:` + x.vendor + `)(?i:[0-9a-z_.-]{0,16}?pass(?:_?phrase|word)?))(?i:[a-z_]{0,8})` + assigned + `(` + x.passphrase + `)` + quote
	return p
}

// passphrase is the third part of an exchange's credential: chosen by its owner.
func passphrase(shape string) scan.Partner {
	return scan.Partner{Role: "passphrase", Within: 400, Expr: `(?i:pass(?:phrase|word|_phrase)?)(?i:[a-z_]{0,8})` + assigned + `(` + shape + `)` + quote}
}

func (x exchange) samples(g *scan.Gen) scan.Samples {
	name := x.sample
	if name == "" {
		name = strings.ToUpper(x.id)
	}
	lower, camel := strings.ToLower(name), camelCase(name)
	make := func(env bool) string {
		id, secret := g.Expr(x.key), g.Expr(x.secret)
		phrase := "Correct9horse"
		if x.passphrase != "" && strings.HasPrefix(x.passphrase, "[0-9") {
			phrase = g.Expr(x.passphrase)
		}
		var b strings.Builder
		if env {
			if !x.keyless {
				b.WriteString(name + "_API_KEY=" + id + "\n")
			}
			b.WriteString("export " + name + "_API_SECRET=\"" + secret + "\"\n")
			if x.passphrase != "" {
				b.WriteString(name + "_PASSPHRASE=" + phrase + "\n")
			}
			return b.String()
		}
		b.WriteString("{\n")
		if !x.keyless {
			b.WriteString("  \"" + lower + "_api_key\": \"" + id + "\",\n")
		}
		if x.passphrase != "" {
			b.WriteString("  \"" + lower + "_passphrase\": \"" + phrase + "\",\n")
		}
		return b.String() + "  \"" + lower + "_secret_key\": \"" + secret + "\"\n}\n"
	}
	secret := g.Expr(x.secret)
	return scan.Samples{
		Match: []string{make(true), make(false), "const " + camel + "Secret = '" + secret + "';\n", "os.environ[\"" + name + "_SECRET\"] = \"" + secret + "\"\n",
			strings.ReplaceAll(lower, "_", "-") + "-api-secret: " + secret + "\n"},
		NoMatch: []string{
			name + "_API_SECRET=${" + name + "_API_SECRET}\n", name + "_API_SECRET=your_api_secret\n", name + "_API_SECRET=" + secret + secret + secret + "\n",
			"checksum: " + secret + "\n", name + "_PUBLIC_KEY=" + secret + "\n", "const " + camel + "Secret = process.env." + name + "_API_SECRET;\n",
		},
	}
}

// notWords rejects values that read as names. Hexadecimal ones do not.
func notWords(c scan.Candidate) scan.Evidence {
	if proof.LooksLikeIdentifier(c.Secret()) {
		return scan.Rejected
	}
	return scan.Evidence{}
}

// pairRule is for credentials whose id has a shape of its own: it is looked for,
// and the secret near it.
func pairRule(id, name, key, secret, where, reference string, more ...scan.Partner) scan.Rule {
	return scan.Rule{
		ID: id + "-api-key", Provider: id, Title: name + " API key", Why: whyExchange, Fix: fixExchange(name, where), Reference: reference, Confidence: scan.High,
		Expr: `\b(?P<id>` + key + `)\b`,
		Partners: append([]scan.Partner{{Role: scan.RoleSecret, Within: 400, Required: true,
			Expr: `(?i:` + secretNames + `)(?i:[0-9a-z_-]{0,12})` + assigned + `(` + secret + `)` + quote}}, more...),
		Public: []string{"id"},
		Samples: func(g *scan.Gen) scan.Samples {
			k, s := g.Expr(key), g.Expr(secret)
			phrase := ""
			if len(more) > 0 {
				phrase = ", password: 'Correct9horse'"
			}
			return scan.Samples{
				Match: []string{
					"new ccxt.pro({ apiKey: '" + k + "', secret: '" + s + "'" + phrase + " })",
					"api_key: " + k + "\napi_secret: " + s + "\n" + strings.NewReplacer(", ", "", "'", "").Replace(phrase) + "\n",
				},
				NoMatch: []string{"api_key: " + k + "\n", "api_key: " + k + "\nsha256: " + s + "\n"},
			}
		},
	}
}

func bitgetPair() scan.Rule {
	return pairRule("bitget", "Bitget", `bg_[0-9a-f]{32}`, `[0-9a-f]{64}`, "API Keys", "https://www.bitget.com/api-doc/common/quick-start",
		passphrase(anyPhrase))
}

func mexcPair() scan.Rule {
	return pairRule("mexc", "MEXC", `mx0[0-9A-Za-z]{15}`, `[0-9a-f]{32}`, "API Management", "https://www.mexc.com/api-docs/spot-v3/introduction")
}

func cryptoComSecret() scan.Rule {
	const shape = `cxakp_[1-9A-HJ-NP-Za-km-z]{22}`
	return scan.Rule{
		ID: "crypto-com-api-secret", Provider: "crypto-com", Title: "Crypto.com Exchange API secret",
		Why: whyExchange, Fix: fixExchange("Crypto.com Exchange", "API Management"), Confidence: scan.High,
		Reference: "https://exchange-docs.crypto.com/exchange/v1/rest-ws/index.html",
		Expr:      begin + `(?P<secret>` + shape + `)\b`,
		Samples:   shaped("CRYPTO_COM_SECRET", shape),
	}
}

func robinhoodKey() scan.Rule {
	return scan.Rule{
		ID: "robinhood-api-key", Provider: "robinhood", Title: "Robinhood crypto API key",
		Why: "It trades crypto on the account.", Fix: "Delete the key under Account, Crypto, API trading, and register the public key of a new pair.", Confidence: scan.High,
		Reference: "https://docs.robinhood.com/crypto/trading/",
		Expr:      `\b(?P<id>rh-api-` + uuidShape + `)\b`,
		Partners: []scan.Partner{{Role: scan.RoleSecret, Within: 400, Required: true,
			Expr: `(?i:priv(?:ate)?|secret|seed)(?i:[0-9a-z_-]{0,16})` + assigned + `([0-9A-Za-z+/]{43}=|[0-9A-Za-z+/]{86}==)` + quote}},
		Public: []string{"id"},
		Check:  proof.RobinhoodKey,
		Samples: func(g *scan.Gen) scan.Samples {
			id := "rh-api-" + g.UUID()
			return scan.Samples{
				Match: []string{
					"API_KEY = \"" + id + "\"\nBASE64_PRIVATE_KEY = \"" + base64.StdEncoding.EncodeToString(g.Bytes(32)) + "\"\n",
					"RH_KEY=" + id + "\nRH_PRIVATE=" + base64.StdEncoding.EncodeToString(keyPair(g)) + "\n",
				},
				NoMatch: []string{"API_KEY = \"" + id + "\"\n"},
			}
		},
	}
}

// binancePair finds the key and the secret as the two arguments of a client's
// constructor.
func binancePair() scan.Rule {
	const pair = `["'](?P<id>[0-9A-Za-z]{64})["'],\s{0,12}(?:[a-z_]{1,16}\s{0,2}=\s{0,2})?["'](?P<secret>[0-9A-Za-z]{64})["']`
	return scan.Rule{
		ID: "binance-client", Provider: "binance", Title: "Binance API key and secret",
		Why: whyExchange, Fix: fixExchange("Binance", "API Management"), Reference: "https://developers.binance.com/docs/binance-spot-api-docs/rest-api/request-security",
		Confidence: scan.High,
		Expr:       `(?:Client|Spot|UMFutures|CMFutures|Binance|Connector|Websocket|binance)[A-Za-z.]{0,16}\(\s{0,12}(?:[a-z_]{1,16}\s{0,2}=\s{0,2})?` + pair,
		Public:     []string{"id"}, MinEntropy: 4.2,
		Samples: func(g *scan.Gen) scan.Samples {
			a, b := g.String(scan.Base62, 64), g.String(scan.Base62, 64)
			return scan.Samples{
				Match:   []string{`client = Client("` + a + `", "` + b + `")`, "client = binance.NewClient(\"" + a + "\",\n    \"" + b + "\")", `Spot(api_key='` + a + `', api_secret='` + b + `')`},
				NoMatch: []string{`Client("` + g.Hex(64) + `", "` + g.Hex(64) + `")`},
			}
		},
	}
}

// coinbaseCDP lists the keys of Coinbase's developer platform.
func coinbaseCDP() []scan.Rule {
	const (
		why   = "It acts on the Coinbase account: reads balances, trades, and transfers where the key is allowed to."
		fix   = "Delete the key in the Coinbase Developer Platform portal under API Keys, and make a new one bound to your addresses."
		docs  = "https://docs.cdp.coinbase.com/get-started/authentication/cdp-api-keys"
		keyID = `organizations/` + uuidShape + `/apiKeys/` + uuidShape
	)
	return []scan.Rule{
		{
			ID: "coinbase-cdp-key", Provider: "coinbase", Title: "Coinbase API key (CDP, ECDSA)", Why: why, Fix: fix, Reference: docs, Confidence: scan.High,
			Expr: `\b(?P<id>` + keyID + `)\b`,
			Partners: []scan.Partner{{Role: scan.RoleSecret, Within: 512, Required: true,
				Expr: `(-----BEGIN EC PRIVATE KEY-----[0-9A-Za-z+/=\\\s]{100,300}-----END EC PRIVATE KEY-----)`}},
			Public: []string{"id"},
			Check:  ecPEM,
			Samples: func(g *scan.Gen) scan.Samples {
				id := "organizations/" + g.UUID() + "/apiKeys/" + g.UUID()
				key := ecSample(g)
				return scan.Samples{
					Match: []string{
						`{"name": "` + id + `", "privateKey": "` + strings.ReplaceAll(key, "\n", `\n`) + `"}`,
						"API_KEY=\"" + id + "\"\nAPI_SECRET=\"" + key + "\"\n",
					},
					NoMatch: []string{`{"name": "` + id + `"}`},
				}
			},
		},
		{
			ID: "coinbase-cdp-secret", Provider: "coinbase", Title: "Coinbase API key secret (CDP, Ed25519)", Why: why, Fix: fix, Reference: docs, Confidence: scan.High,
			Expr: `(?i:(?:cdp_?api|cdp_?key|coinbase)[0-9a-z_.-]{0,16}?(?:secret|private)[0-9a-z_-]{0,12}|"privateKey)` + assigned + `(?P<secret>[0-9A-Za-z+/]{86}==)` + quote,
			Partners: []scan.Partner{{Role: "id", Within: 256,
				Expr: `(?i:"id|"name|key_?id|api_?key(?:_name)?)(?i:[0-9a-z_-]{0,8})` + assigned + `(` + keyID + `|` + uuidShape + `)` + quote}},
			Public: []string{"id"},
			Check:  proof.CoinbaseKey, NeedsProof: true,
			Samples: func(g *scan.Gen) scan.Samples {
				secret := func() string { return base64.StdEncoding.EncodeToString(keyPair(g)) }
				return scan.Samples{
					Match: []string{
						`{"id": "` + g.UUID() + `", "privateKey": "` + secret() + `"}`,
						"CDP_API_KEY_ID=" + g.UUID() + "\nCDP_API_KEY_SECRET=" + secret() + "\n", "COINBASE_API_SECRET=" + secret() + "\n",
					},
					NoMatch: []string{"CDP_API_KEY_SECRET=" + base64.StdEncoding.EncodeToString(g.Bytes(64)) + "\n"},
				}
			},
		},
		{
			ID: "coinbase-cdp-wallet-secret", Provider: "coinbase", Title: "Coinbase CDP wallet secret",
			Why: "It signs for every wallet of the project: with the API key it moves all funds.", Fix: "Rotate the wallet secret in the Coinbase Developer Platform portal under Server Wallets.",
			Reference: "https://docs.cdp.coinbase.com/server-wallets/v2/introduction/security", Confidence: scan.High,
			Expr:  `(?i:wallet_?secret)(?i:[0-9a-z_]{0,8})` + assigned + `(?P<secret>MIGHAgEA[0-9A-Za-z+/]{160,180}={0,2})` + quote,
			Check: p256DER, NeedsProof: true,
			Samples: func(g *scan.Gen) scan.Samples {
				return scan.Samples{Match: []string{"CDP_WALLET_SECRET=" + p256Sample(g) + "\n", `walletSecret: "` + p256Sample(g) + `"`}, NoMatch: []string{"CDP_WALLET_SECRET=MIGHAgEA" + g.String(scan.Base64Std, 176) + "\n"}}
			},
		},
	}
}

// ecPEM parses an EC private key in PEM, with line breaks as they are or escaped.
func ecPEM(c scan.Candidate) scan.Evidence {
	block, _ := pem.Decode(bytes.ReplaceAll(c.Secret(), []byte(`\n`), []byte("\n")))
	if block == nil {
		return scan.Evidence{}
	}
	if _, err := x509.ParseECPrivateKey(block.Bytes); err != nil {
		return scan.Fails("the EC private key does not parse: edited, truncated or an example")
	}
	return scan.Holds("the EC private key parses")
}

// p256DER parses a P-256 key in PKCS #8, in base64 without PEM's armour.
func p256DER(c scan.Candidate) scan.Evidence {
	der, err := base64.StdEncoding.DecodeString(string(c.Secret()))
	if err != nil {
		return scan.Rejected
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return scan.Fails("the PKCS #8 key does not parse: edited, truncated or an example")
	}
	if _, ok := key.(*ecdsa.PrivateKey); !ok {
		return scan.Rejected
	}
	return scan.Holds("the PKCS #8 key parses: P-256 private key")
}

// p256DERSample is PKCS #8 of a P-256 key made from the generator's bytes.
func p256DERSample(g *scan.Gen) []byte {
	key, err := ecdh.P256().NewPrivateKey(keyBytes(g))
	if err != nil {
		panic(err) // keyBytes lies inside the order
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return der
}

func p256Sample(g *scan.Gen) string { return base64.StdEncoding.EncodeToString(p256DERSample(g)) }

// ecSample is the same key as an EC PRIVATE KEY in PEM.
func ecSample(g *scan.Gen) string {
	key, err := x509.ParsePKCS8PrivateKey(p256DERSample(g))
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalECPrivateKey(key.(*ecdsa.PrivateKey))
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE " + "KEY", Bytes: der}))
}
