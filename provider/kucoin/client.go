package kucoin

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/exchange"
	"github.com/keywright/keywright/provider/web"
	"github.com/keywright/keywright/secret"
)

// version is that of the keys. Those before it are no longer accepted, and not made.
const version = "3"

// sign signs a text: a request, or a passphrase.
func sign(key secret.Value, text []byte) string {
	h := hmac.New(sha256.New, key.Reveal())
	h.Write(text)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// request is what is asked, and in whose name.
type request struct {
	doing  string
	host   string
	method string // GET if empty
	path   string
	query  []pair // in the order of their names
	body   any    // of a POST
}

// pair is a parameter of a query. Some are secret.
type pair struct {
	name  string
	value secret.Value
}

func public(name, value string) pair { return pair{name, secret.New([]byte(value))} }

// queries are a query as it is sent, and as it is signed: there nothing is encoded.
func (r request) queries() (sent, signed string) {
	var s, raw []string
	for _, q := range r.query {
		value := string(q.value.Reveal())
		s = append(s, q.name+"="+url.QueryEscape(value))
		raw = append(raw, q.name+"="+value)
	}
	return strings.Join(s, "&"), strings.Join(raw, "&")
}

// good is the code of what was done.
const good = "200000"

// ask makes a signed call. There is no error if the answer is one of KuCoin, whatever it
// says.
func (p *Provider) ask(ctx context.Context, as provider.Credential, r request) (exchange.Reply, error) {
	id, key, phrase := exchange.Name(as), as.Part("secret"), as.Part("passphrase")
	if r.host == "" || id == "" || key.IsZero() || phrase.IsZero() {
		return exchange.Reply{}, failed(r.doing, provider.Incomplete, errors.New("it takes a host, a key, its secret and its passphrase"))
	}
	sent, raw := r.queries()
	call := web.Call{Doing: r.doing, Method: r.method, URL: r.host, Path: r.path, Query: sent}
	if call.Method == "" {
		call.Method = http.MethodGet
	}
	if r.body != nil {
		call = call.With(r.body)
		defer clear(call.Body)
	}
	timestamp := strconv.FormatInt(p.web.Now().UnixMilli(), 10)
	payload := timestamp + call.Method + call.Path
	if raw != "" {
		payload += "?" + raw
	}
	call.Header = http.Header{
		"Content-Type":       {"application/json"},
		"Kc-Api-Key":         {id},
		"Kc-Api-Sign":        {sign(key, append([]byte(payload), call.Body...))},
		"Kc-Api-Timestamp":   {timestamp},
		"Kc-Api-Passphrase":  {sign(key, phrase.Reveal())},
		"Kc-Api-Key-Version": {version},
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
	r := exchange.Reply{Answer: a, Code: web.Number(body.Code), Done: body.Code == good, Data: body.Data}
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
	return &provider.Error{Provider: "kucoin", Doing: doing, Kind: kind, Err: err}
}

// meaning of a code, after what KuCoin's documentation lists as gateway's and system's. A
// wrong secret and a wrong passphrase have codes of their own, which do not say that the
// key is dead.
func meaning(code string) exchange.Meaning {
	switch code {
	case "400003":
		return exchange.Means(provider.Dead, provider.Forbidden, "the key does not exist", exchange.Belongs+", and that it has not expired")
	case "400002":
		return exchange.Means(provider.Skewed, provider.Refused, "the time of the request is not accepted", exchange.SetClock)
	case "400004":
		return exchange.Means(provider.Unknown, provider.Forbidden, "the passphrase is not accepted")
	case "400005":
		return exchange.Means(provider.Unknown, provider.Forbidden, "the signature is not accepted")
	case "400006":
		return exchange.Means(provider.Blocked, provider.Forbidden, "this address is not among those of the key", exchange.AddAddress)
	case "400007", "400010":
		return exchange.Means(provider.Narrow, provider.Forbidden, "the key may not do this")
	case "400008", "400009":
		return exchange.Means(provider.Unknown, provider.Forbidden, "the key is not one of version 3")
	case "400301", "411100", "401", "403":
		return exchange.Means(provider.Unknown, provider.Forbidden, "the account or this address is not admitted")
	case "429000", "429":
		return exchange.Means(provider.Throttled, provider.Busy, "too many requests, or the system is busy")
	case "400001", "400100", "404000", "415000":
		return exchange.Means(provider.Unknown, provider.Refused, "a parameter is not accepted")
	}
	return exchange.Means(provider.Unknown, provider.Unclear, "a code that does not say whether it was done")
}
