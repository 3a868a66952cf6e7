package okx

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/exchange"
	"github.com/keywright/keywright/provider/web"
	"github.com/keywright/keywright/secret"
)

// layout is how the time of a request is written, in UTC.
const layout = "2006-01-02T15:04:05.000Z"

// sign signs a request. The path has the query in it.
func sign(key secret.Value, timestamp, method, path string, body []byte) string {
	h := hmac.New(sha256.New, key.Reveal())
	h.Write([]byte(timestamp + method + path))
	h.Write(body)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// request is what is asked, in whose name, and of which world.
type request struct {
	doing string
	host  string
	demo  bool
	path  string
	query url.Values
	body  any // of a POST; nil for a GET
}

// ask makes a signed call. There is no error if the answer is one of OKX, whatever it says.
func (p *Provider) ask(ctx context.Context, as provider.Credential, r request) (exchange.Reply, error) {
	id, key, phrase := exchange.Name(as), as.Part("secret"), as.Part("passphrase")
	if r.host == "" || id == "" || key.IsZero() || phrase.IsZero() {
		return exchange.Reply{}, failed(r.doing, provider.Incomplete, errors.New("it takes a host, a key, its secret and its passphrase"))
	}
	call := web.Call{Doing: r.doing, Method: http.MethodGet, URL: r.host, Path: r.path, Query: r.query.Encode()}
	if r.body != nil {
		call = call.With(r.body)
		call.Method = http.MethodPost
		defer clear(call.Body)
	}
	signed := call.Path
	if call.Query != "" {
		signed += "?" + call.Query
	}
	timestamp := p.web.Now().UTC().Format(layout)
	call.Header = http.Header{
		"Content-Type":         {"application/json"},
		"Ok-Access-Key":        {id},
		"Ok-Access-Sign":       {sign(key, timestamp, call.Method, signed, call.Body)},
		"Ok-Access-Timestamp":  {timestamp},
		"Ok-Access-Passphrase": {string(phrase.Reveal())},
	}
	if r.demo {
		call.Header.Set("X-Simulated-Trading", "1")
	}
	a, err := p.web.Do(ctx, call)
	if err != nil {
		return exchange.Reply{}, err
	}
	return read(a)
}

// read takes an answer apart.
func read(a web.Answer) (exchange.Reply, error) {
	var body struct {
		Code string          `json:"code"`
		Data json.RawMessage `json:"data"`
	}
	err := a.JSON(&body)
	r := exchange.Reply{Answer: a, Code: web.Number(body.Code), Done: body.Code == "0", Data: body.Data}
	if err != nil || body.Code == "" || r.Done && !a.OK() {
		r, err = exchange.Uncoded(a, err)
	}
	r.Meaning = meaning(r.Code)
	return r, err
}

// done asks for something that is to be done, and decodes the data of it.
func (p *Provider) done(ctx context.Context, as provider.Credential, r request, into any) error {
	got, err := p.ask(ctx, as, r)
	if err != nil {
		return err
	}
	return got.Decode(into)
}

func failed(doing string, kind provider.Kind, err error) *provider.Error {
	return &provider.Error{Provider: "okx", Doing: doing, Kind: kind, Err: err}
}

// meaning of a code, after what OKX's documentation lists under "Error Code". Those without a State say
// that the key is not known, which a key of another of OKX's worlds gets, too: that is for
// the worlds to tell. A wrong secret and a wrong passphrase have codes of their own, which
// do not say that the key is dead.
func meaning(code string) exchange.Meaning {
	switch code {
	case "50111", "50119":
		return exchange.Means("", provider.Forbidden, "the key is not known here", exchange.Belongs+", and that it has not expired")
	case "50101":
		return exchange.Means(provider.Elsewhere, provider.Forbidden, "the key is of demo trading, and the call was not, or the reverse", "give a key of demo trading the parameter demo: yes")
	case "50102", "50112":
		return exchange.Means(provider.Skewed, provider.Refused, "the time of the request is not accepted", exchange.SetClock)
	case "50105":
		return exchange.Means(provider.Unknown, provider.Forbidden, "the passphrase is not accepted")
	case "50113":
		return exchange.Means(provider.Unknown, provider.Forbidden, "the signature is not accepted")
	case "50110", "50121":
		return exchange.Means(provider.Blocked, provider.Forbidden, "this address may not use the key", exchange.AddAddress)
	case "50035":
		return exchange.Means(provider.Narrow, provider.Forbidden, "it takes a key that is bound to addresses")
	case "50030", "50114", "50120", "59500":
		return exchange.Means(provider.Narrow, provider.Forbidden, "the key may not do this")
	case "50011", "50013", "50040", "50061", "429":
		return exchange.Means(provider.Throttled, provider.Busy, "too many requests, or the system is busy")
	case "50007", "50008", "50012", "50100", "59508", "59519":
		return exchange.Means(provider.Unknown, provider.Forbidden, "the account is frozen or unknown")
	case "50041", "50051", "50059", "50060", "59550", "401", "403":
		return exchange.Means(provider.Unknown, provider.Forbidden, "the account or this address is not admitted")
	case "59501":
		return exchange.Means(provider.Unknown, provider.NoSlot, "a sub-account has 50 keys at most")
	case "50000", "50002", "50005", "50006", "50014", "50015", "50016", "50025", "50053", "50115", "59512":
		return exchange.Means(provider.Unknown, provider.Refused, "a parameter is not accepted")
	case "50038", "59502", "59503", "59504", "59505", "59506", "59510":
		return exchange.Means(provider.Unknown, provider.Refused, refusals[code])
	}
	return exchange.Means(provider.Unknown, provider.Unclear, "a code that does not say whether it was done")
}

// refusals are the codes of what is understood and not done, where the word helps.
var refusals = map[string]string{
	"50038": "it is not possible in demo trading",
	"59502": "there is a key of this label",
	"59503": "a key is bound to 20 addresses at most",
	"59504": "keys of sub-accounts do not withdraw",
	"59505": "the passphrase is not of the form that is asked for",
	"59506": "there is no such key",
	"59510": "there is no such sub-account",
}
