package binance

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/exchange"
	"github.com/keywright/keywright/provider/web"
	"github.com/keywright/keywright/secret"
)

// window is for how long a signature is good, in milliseconds.
const window = "5000"

// sign signs a query.
func sign(key secret.Value, query string) string {
	h := hmac.New(sha256.New, key.Reveal())
	h.Write([]byte(query))
	return hex.EncodeToString(h.Sum(nil))
}

// request is what is asked, in whose name, and of which environment.
type request struct {
	doing  string
	host   string
	method string // GET if empty
	path   string
	query  url.Values
}

// ask makes a signed call. There is no error if the answer is one of Binance, whatever it
// says.
func (p *Provider) ask(ctx context.Context, as provider.Credential, r request) (exchange.Reply, error) {
	id, key := exchange.Name(as), as.Part("secret")
	if r.host == "" || id == "" || key.IsZero() {
		return exchange.Reply{}, failed(r.doing, provider.Incomplete, errors.New("it takes a host, a key and its secret"))
	}
	query := url.Values{"timestamp": {strconv.FormatInt(p.web.Now().UnixMilli(), 10)}, "recvWindow": {window}}
	for name, values := range r.query {
		query[name] = values
	}
	text := query.Encode()
	call := web.Call{
		Doing: r.doing, Method: r.method, URL: r.host, Path: r.path, Query: text + "&signature=" + sign(key, text),
		Header: http.Header{"X-Mbx-Apikey": {id}},
	}
	if call.Method == "" {
		call.Method = http.MethodGet
	}
	a, err := p.web.Do(ctx, call)
	if err != nil {
		return exchange.Reply{}, err
	}
	return read(a)
}

// read takes an answer apart: one with a code is of what was not done. Of a server's failure
// Binance says that what was asked for may have been done, whatever else it says.
func read(a web.Answer) (exchange.Reply, error) {
	if a.Status >= 500 {
		return exchange.Reply{}, a.Refusal()
	}
	var body json.RawMessage
	err := a.JSON(&body)
	var said struct {
		Code int `json:"code"`
	}
	coded := err == nil && json.Unmarshal(body, &said) == nil && said.Code < 0
	r := exchange.Reply{Answer: a, Code: strconv.Itoa(said.Code)}
	switch {
	case coded:
	case err == nil && a.OK():
		r.Code, r.Done, r.Data = "0", true, body
	case a.Status == http.StatusTeapot:
		r.Code, err = strconv.Itoa(a.Status), nil
	default:
		r, err = exchange.Uncoded(a, err)
	}
	r.Meaning = meaning(r.Code)
	return r, err
}

// done asks for something that is to be done, and decodes the answer.
func (p *Provider) done(ctx context.Context, as provider.Credential, r request, into any) error {
	got, err := p.ask(ctx, as, r)
	if err != nil {
		return err
	}
	return got.Decode(into)
}

func failed(doing string, kind provider.Kind, err error) *provider.Error {
	return &provider.Error{Provider: "binance", Doing: doing, Kind: kind, Err: err}
}

// meaning of a code. That of -2008 has no State: a key of another environment gets it, too,
// and that is for the environments to tell. -2015 is for keys that are not valid, for
// addresses and for rights, all in one, and so says nothing of a key.
func meaning(code string) exchange.Meaning {
	switch code {
	case "-2008":
		return exchange.Means("", provider.Forbidden, "the key is not known here", exchange.Belongs)
	case "-1021":
		return exchange.Means(provider.Skewed, provider.Refused, "the time is outside of the window", exchange.SetClock)
	case "-1022":
		return exchange.Means(provider.Unknown, provider.Forbidden, "the signature is not accepted")
	case "-2015":
		return exchange.Means(provider.Unknown, provider.Forbidden, "the key is not valid, or may not be used from this address, or not for this",
			"see that the key exists, that this machine's address is among its own, and that it has the right")
	case "-2014":
		return exchange.Means(provider.Unknown, provider.Forbidden, "it is not of the form of a key")
	case "-1002", "401":
		return exchange.Means(provider.Unknown, provider.Forbidden, "the key or the account is not admitted")
	case "-1003", "-1004", "-1008", "-1015", "-1034", "403", "418", "429":
		return exchange.Means(provider.Throttled, provider.Busy, "too many requests, or the system is busy")
	case "-1013", "-1016", "-1020", "-1100", "-1101", "-1102", "-1103", "-1104", "-1105", "-1106", "-1108", "-1130", "-9000":
		return exchange.Means(provider.Unknown, provider.Refused, "the call or a parameter is not accepted")
	}
	return exchange.Means(provider.Unknown, provider.Unclear, "a code that does not say whether it was done")
}
