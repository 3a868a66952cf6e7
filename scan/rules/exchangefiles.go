package rules

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/proof"
)

// exchangeNames are the exchanges' names as ccxt, freqtrade and their like spell
// them. Short ones have to be words of their own.
const exchangeNames = `(?i)(binance|bybit|kucoin|kraken|bitget|gateio|gate\.io|mexc|huobi|cryptocom|crypto\.com|bitfinex|bitmex|poloniex|bitstamp|deribit|phemex|bingx|whitebit|upbit|bithumb|bitflyer|pybit|` +
	`bitmart|bitvavo|ascendex|coinex|lbank|probit|digifinex|hitbtc|btcmarkets|independentreserve|coinbase|hyperliquid|blofin|bitrue|coincheck|bitbank|bitkub|indodax|wazirx|coindcx|toobit|latoken|` +
	`bigone|cryptohopper|freqtrade|hummingbot|jesse|ccxt|\bokx|\bokex|\bhtx|\bluno|\bgemini|\bgate\b|\bwoo\b|\bxt\b|\bcex\b|\bexmo|\bbitso|\bdydx|\bapex|\bexchange_?(?:id|name)?["']?\s{0,2}[:=])`

// exchangeFiles lists credentials as bots and trading libraries configure them,
// whatever the exchange.
func exchangeFiles() []scan.Rule {
	const reference = "https://docs.ccxt.com/#/README?id=authentication"
	credentials := scan.Rule{
		ID: "exchange-credentials", Provider: "ccxt", Title: "exchange API key and secret",
		Why: whyExchange, Fix: "Delete the key at the exchange, and make a new one bound to your addresses and without withdrawals.", Reference: reference, Confidence: scan.High,
		Expr: `(?i:secret)(?i:[0-9a-z_-]{0,12})` + assigned + `(?P<secret>[0-9A-Za-z+/_-]{20,160}={0,2})` + quote,
		Partners: []scan.Partner{
			{Role: "id", Within: 256, Required: true, Expr: `(?i:api|access|client|public)?[_-]?(?i:key|id)(?i:[0-9a-z_-]{0,8})` + assigned + `([0-9A-Za-z+/_-]{8,128}={0,2})` + quote},
			{Role: "nearby", Within: 512, Required: true, Expr: exchangeNames},
		},
		Public: []string{"id", "nearby"},
		Check:  exchangeSecret, Generic: true, MinEntropy: 3,
		Samples: func(g *scan.Gen) scan.Samples {
			id, secret := g.String(scan.Base62, 24), g.String(scan.Base62, 40)
			return scan.Samples{
				Match: []string{
					"const x = new ccxt.lbank({\n  apiKey: '" + id + "',\n  secret: '" + secret + "',\n})",
					"exchanges:\n  bitrue:\n    api_key: " + id + "\n    api_secret: " + secret + "\n",
					"'toobit': {\n  'apiKey': \"" + id + "\",\n  'secret': \"" + secret + "\",\n  'password': 'x' }",
				},
				NoMatch: []string{
					"ccxt.lbank({ apiKey: process.env.KEY, secret: process.env.SECRET })", "secret: " + secret + "\n", "api_key: " + id + "\nsecret: " + secret + "\n",
					"exchange: binance\napi_key: abc\nsecret: your_secret_key_goes_here\n", "ccxt.bitrue({apiKey: '" + id + "', secret: 'thisIsTheNameOfMyConstant'})",
				},
			}
		},
	}
	// a third part is a rule of its own: one that may be absent would cap the two
	withPhrase := credentials
	withPhrase.ID, withPhrase.Title = "exchange-credentials-passphrase", "exchange API key, secret and passphrase"
	phrase := passphrase(anyPhrase)
	phrase.Required = true
	withPhrase.Partners = append(slices.Clone(credentials.Partners), phrase)
	withPhrase.Samples = func(g *scan.Gen) scan.Samples {
		id, secret := g.String(scan.Base62, 24), g.String(scan.Base62, 40)
		return scan.Samples{
			Match: []string{
				"ccxt.lbank({'apiKey': '" + id + "', 'secret': '" + secret + "', 'password': 'Correct9horse'})",
				"bitrue:\n  api_key: " + id + "\n  api_secret: " + secret + "\n  api_passphrase: Correct9horse\n",
			},
			NoMatch: []string{"password: Correct9horse\n"},
		}
	}
	return []scan.Rule{
		credentials, withPhrase,
		{
			ID: "freqtrade-exchange", Provider: "freqtrade", Title: "exchange credentials in freqtrade's configuration",
			Why: whyExchange, Fix: "Delete the key at the exchange, make a new one, and pass it as FREQTRADE__EXCHANGE__KEY and FREQTRADE__EXCHANGE__SECRET.",
			Reference: "https://www.freqtrade.io/en/stable/configuration/", Confidence: scan.High,
			Object: &scan.Object{Gate: `"exchange"`, Parse: freqtradeExchange}, Public: []string{"id", "exchange", "wallet"},
			Samples: func(g *scan.Gen) scan.Samples {
				file := func(key, secret string) string {
					return "{\n  // my bot\n  \"stake_currency\": \"USDT\",\n  \"exchange\": {\n    \"name\": \"bybit\",\n    \"key\": \"" + key + "\",\n    \"secret\": \"" + secret + "\",\n    \"pair_whitelist\": [\"BTC/USDT\",],\n  },\n}\n"
				}
				return scan.Samples{
					Match:   []string{file(g.String(scan.Base62, 18), g.String(scan.Base62, 36)), `{"exchange":{"name":"okx","key":"` + g.UUID() + `","secret":"` + strings.ToUpper(g.Hex(32)) + `","password":"Correct9horse"}}`},
					NoMatch: []string{file("", ""), file("your_exchange_key", "your_exchange_secret"), `{"exchange": "binance", "key": "` + g.Hex(8) + `"}`},
				}
			},
		},
		{
			ID: "freqtrade-env", Provider: "freqtrade", Title: "exchange credentials in freqtrade's environment",
			Why: whyExchange, Fix: "Delete the key at the exchange, and make a new one bound to your addresses and without withdrawals.",
			Reference: "https://www.freqtrade.io/en/stable/configuration/", Confidence: scan.High,
			Expr:     `(?:FREQTRADE__EXCHANGE__|freqtrade__exchange__)(?i:secret|privatekey|private_key)` + assigned + `(?P<secret>[0-9A-Za-z+/_-]{16,160}={0,2})` + quote,
			Partners: []scan.Partner{{Role: "id", Within: 256, Expr: `(?i:FREQTRADE__EXCHANGE__(?:KEY|WALLETADDRESS))` + assigned + `([0-9A-Za-z+/_-]{8,128}={0,2})` + quote}},
			Public:   []string{"id"}, MinEntropy: 3, Check: notWords,
			Samples: func(g *scan.Gen) scan.Samples {
				return scan.Samples{
					Match:   []string{"FREQTRADE__EXCHANGE__KEY=" + g.String(scan.Base62, 18) + "\nFREQTRADE__EXCHANGE__SECRET=" + g.String(scan.Base62, 36) + "\n"},
					NoMatch: []string{"FREQTRADE__EXCHANGE__SECRET=${SECRET}\n"},
				}
			},
		},
		{
			ID: "freqtrade-api-server", Provider: "freqtrade", Title: "secret of freqtrade's API server",
			Why: "Whoever reaches the API server can stop the bot and force trades with it.", Fix: "Change password, jwt_secret_key and ws_token in the configuration, and let the server listen on localhost alone.",
			Reference: "https://www.freqtrade.io/en/stable/rest-api/", Confidence: scan.High,
			Object: &scan.Object{Gate: `"api_server"`, Parse: freqtradeServer},
			Samples: func(g *scan.Gen) scan.Samples {
				file := func(name, value string) string {
					return `{"api_server": {"enabled": true, "listen_ip_address": "0.0.0.0", "username": "u", "` + name + `": "` + value + `"}}`
				}
				return scan.Samples{
					Match:   []string{file("jwt_secret_key", g.Hex(64)), file("password", "Tr0ub4dor&"+g.Hex(3)), file("ws_token", g.String(scan.Base64URL, 25))},
					NoMatch: []string{file("password", "SuperSecurePassword"), file("jwt_secret_key", "somethingrandom"), file("password", "")},
				}
			},
		},
	}
}

// freqtradeSample is the SHA-256 of the secret in freqtrade's documentation.
const freqtradeSample = "b3478c3aeedd5ae73eb752ae79d7ee68813e5f30f8897e0ded1ab26573a2c19e"

// exchangeSecret is looksRandom, and knows the documentation's example.
func exchangeSecret(c scan.Candidate) scan.Evidence {
	if sum := sha256Of(c.Secret()); hex.EncodeToString(sum[:]) == freqtradeSample {
		return scan.Evidence{Cap: scan.Low, Reason: "a published example: freqtrade's documentation"}
	}
	return looksRandom(c)
}

// freqtradeExchange finds exchange.secret with its key, password, uid and wallet,
// and exchange.privateKey.
func freqtradeExchange(data []byte) []scan.ObjectMatch {
	fields := jsonStrings(data)
	part := func(role string, names ...string) []scan.Span {
		for _, n := range names {
			if s, ok := fields["exchange."+n]; ok && s.End > s.Start {
				s.Role = role
				return []scan.Span{s}
			}
		}
		return nil
	}
	key := part("id", "key", "apiKey", "api_key")
	wallet := part("wallet", "walletAddress", "wallet_address")
	if key == nil && wallet == nil {
		return nil
	}
	var found []scan.ObjectMatch
	add := func(secret []scan.Span, others ...[]scan.Span) {
		if secret == nil {
			return
		}
		m := scan.ObjectMatch{Parts: secret, Evidence: fieldEvidence(data, secret[0])}
		for _, o := range others {
			m.Parts = append(m.Parts, o...)
		}
		found = append(found, m)
	}
	add(part(scan.RoleSecret, "secret", "apiSecret", "api_secret"), key, part("passphrase", "password"), part("uid", "uid"), part("exchange", "name"))
	add(part(scan.RoleSecret, "privateKey", "private_key"), wallet, part("exchange", "name"))
	return found
}

// freqtradeServer finds the secrets of api_server.
func freqtradeServer(data []byte) []scan.ObjectMatch {
	fields := jsonStrings(data)
	var found []scan.ObjectMatch
	for _, name := range [...]string{"password", "jwt_secret_key", "ws_token"} {
		if s, ok := fields["api_server."+name]; ok && s.End > s.Start {
			s.Role = scan.RoleSecret
			found = append(found, scan.ObjectMatch{Parts: []scan.Span{s}, Evidence: fieldEvidence(data, s)})
		}
	}
	return found
}

// freqtradeDefaults are the values of freqtrade's own examples.
var freqtradeDefaults = [...]string{"SuperSecurePassword", "SuperSecret1!", "somethingrandom", "somethingRandomSomethingRandom123", "secret_ws_t0ken.", "sercet_Ws_t0ken", "randomWebsocketTokenABCDEFGHIJ"}

// fieldEvidence caps a field's value that stands in for a secret.
func fieldEvidence(data []byte, s scan.Span) scan.Evidence {
	value := data[s.Start:s.End]
	known := proof.Placeholder(value)
	for _, d := range freqtradeDefaults {
		known = known || string(value) == d
	}
	if known {
		return scan.Evidence{Cap: scan.Low, Reason: "looks like a placeholder"}
	}
	return scan.Evidence{}
}

// maxConfig bounds the JSON files that are parsed for fields, in bytes.
const maxConfig = 1 << 20

// jsonStrings gives the strings of a JSON object by their path, with dots between
// names: offsets of what stands between the quotes. Comments and trailing commas
// are allowed, elements of arrays left out. What follows an error is missing.
func jsonStrings(data []byte) map[string]scan.Span {
	w := jsonWalk{fields: map[string]scan.Span{}}
	if len(data) <= maxConfig {
		w.text = withoutComments(data)
		w.walk()
	}
	return w.fields
}

type jsonWalk struct {
	text   []byte
	fields map[string]scan.Span
	open   []jsonLevel // objects and arrays round the next token
}

// jsonLevel is an object or array that is being read.
type jsonLevel struct {
	array bool
	name  string // of the field whose value comes next; "" before a name
	path  string // of the object itself
}

func (w *jsonWalk) walk() {
	dec := json.NewDecoder(bytes.NewReader(w.text))
	for before := 0; ; {
		tok, err := dec.Token()
		if err != nil {
			return
		}
		after := int(dec.InputOffset())
		w.token(tok, before, after)
		before = after
	}
}

// token takes the token that ends at after and begins not before before.
func (w *jsonWalk) token(tok json.Token, before, after int) {
	var top *jsonLevel
	if n := len(w.open); n > 0 {
		top = &w.open[n-1]
	}
	switch t := tok.(type) {
	case json.Delim:
		if t == '}' || t == ']' {
			w.open = w.open[:len(w.open)-1]
			w.valueDone()
			return
		}
		next := jsonLevel{array: t == '['}
		if top != nil {
			next.path = top.path + top.name + "."
		}
		w.open = append(w.open, next)
		return
	case string:
		if top != nil && !top.array && top.name == "" {
			top.name = t
			return
		}
		if quote := bytes.IndexByte(w.text[before:after], '"'); quote >= 0 && top != nil && !top.array {
			path := strings.TrimPrefix(top.path+top.name, ".")
			w.fields[path] = scan.Span{Start: before + quote + 1, End: after - 1}
		}
	}
	w.valueDone()
}

// valueDone ends the field whose value was read.
func (w *jsonWalk) valueDone() {
	if n := len(w.open); n > 0 {
		w.open[n-1].name = ""
	}
}

// withoutComments returns data with comments and trailing commas blanked, byte for
// byte; data itself if there are none.
func withoutComments(data []byte) []byte {
	out := data
	blank := func(i, j int) {
		if &out[0] == &data[0] {
			out = bytes.Clone(data)
		}
		for ; i < j; i++ {
			if out[i] != '\n' {
				out[i] = ' '
			}
		}
	}
	comma := -1
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case c == '"':
			for i++; i < len(data) && data[i] != '"'; i++ {
				if data[i] == '\\' {
					i++
				}
			}
			comma = -1
		case c == '/' && i+1 < len(data) && (data[i+1] == '/' || data[i+1] == '*'):
			end := commentEnd(data, i)
			blank(i, end)
			i = end - 1
		case c == ',':
			comma = i
		case c == '}' || c == ']':
			if comma >= 0 {
				blank(comma, comma+1)
			}
			comma = -1
		case c != ' ' && c != '\t' && c != '\r' && c != '\n':
			comma = -1
		}
	}
	return out
}

// commentEnd is the end of the comment that begins at i.
func commentEnd(data []byte, i int) int {
	closing, from := "\n", i+2
	if data[i+1] == '*' {
		closing = "*/"
	}
	n := bytes.Index(data[from:], []byte(closing))
	if n < 0 {
		return len(data)
	}
	return from + n + len(closing)
}
