package kucoin

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/keywright/keywright/provider"
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

// reply is what all answers have in common.
type reply struct {
	answer web.Answer
	code   string // of the body; of HTTP, if the body has none
	data   json.RawMessage
}

// good is the code of what was done.
const good = "200000"

// ask makes a signed call. There is no error if the answer is one of KuCoin, whatever it
// says.
func (p *Provider) ask(ctx context.Context, as provider.Credential, r request) (reply, error) {
	id, key, phrase := name(as), as.Part("secret"), as.Part("passphrase")
	if r.host == "" || id == "" || key.IsZero() || phrase.IsZero() {
		return reply{}, failed(r.doing, provider.Incomplete, errors.New("it takes a host, a key, its secret and its passphrase"))
	}
	sent, raw := r.queries()
	call := web.Call{Doing: r.doing, Method: r.method, URL: r.host, Path: r.path, Query: sent}
	if call.Method == "" {
		call.Method = http.MethodGet
	}
	if r.body != nil {
		body, err := json.Marshal(r.body)
		if err != nil {
			return reply{}, failed(r.doing, provider.Incomplete, err)
		}
		defer clear(body)
		call.Body = body
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
		return reply{}, err
	}
	return read(a)
}

// read takes an answer apart.
func read(a web.Answer) (reply, error) {
	var body struct {
		Code string          `json:"code"`
		Data json.RawMessage `json:"data"`
	}
	err := a.JSON(&body)
	switch {
	case err == nil && body.Code != "" && (a.OK() || body.Code != good):
		return reply{a, web.Number(body.Code), body.Data}, nil
	case a.OK() && err != nil:
		return reply{}, err
	case a.OK():
		return reply{}, a.Failure(provider.Malformed, "", errors.New("it has no code"))
	case a.Status == http.StatusUnauthorized || a.Status == http.StatusForbidden || a.Status == http.StatusTooManyRequests:
		return reply{answer: a, code: strconv.Itoa(a.Status)}, nil
	}
	return reply{}, a.Refusal()
}

// done asks for something that is to be done, and decodes the data of it.
func (p *Provider) done(ctx context.Context, as provider.Credential, r request, into any) error {
	got, err := p.ask(ctx, as, r)
	if err != nil {
		return err
	}
	defer clear(got.data) // it may hold a secret
	if got.code != good {
		return got.failure()
	}
	if json.Unmarshal(got.data, into) != nil {
		return got.answer.Failure(provider.Malformed, "", errors.New("the data is not what KuCoin documents"))
	}
	return nil
}

func failed(doing string, kind provider.Kind, err error) *provider.Error {
	return &provider.Error{Provider: "kucoin", Doing: doing, Kind: kind, Err: err}
}

// meaning is what a code says of the credential, and of what was asked with it.
type meaning struct {
	state provider.State
	kind  provider.Kind
	word  string
}

// meaning of a code, after what KuCoin's documentation lists as gateway's and system's. A
// wrong secret and a wrong passphrase have codes of their own, which do not say that the
// key is dead.
func (r reply) meaning() meaning {
	switch r.code {
	case "400003":
		return meaning{provider.Dead, provider.Forbidden, "the key does not exist"}
	case "400002":
		return meaning{provider.Skewed, provider.Refused, "the time of the request is not accepted"}
	case "400004":
		return meaning{provider.Unknown, provider.Forbidden, "the passphrase is not accepted"}
	case "400005":
		return meaning{provider.Unknown, provider.Forbidden, "the signature is not accepted"}
	case "400006":
		return meaning{provider.Blocked, provider.Forbidden, "this address is not among those of the key"}
	case "400007", "400010":
		return meaning{provider.Narrow, provider.Forbidden, "the key may not do this"}
	case "400008", "400009":
		return meaning{provider.Unknown, provider.Forbidden, "the key is not one of version 3"}
	case "400301", "411100", "401", "403":
		return meaning{provider.Unknown, provider.Forbidden, "the account or this address is not admitted"}
	case "429000", "429":
		return meaning{provider.Throttled, provider.Busy, "too many requests, or the system is busy"}
	case "400001", "400100", "404000", "415000":
		return meaning{provider.Unknown, provider.Refused, "a parameter is not accepted"}
	}
	return meaning{provider.Unknown, provider.Unclear, "a code that does not say whether it was done"}
}

// word is the code, and how wrong the clock is where that matters.
func (r reply) word() string {
	if r.meaning().state == provider.Skewed && r.answer.Ahead != 0 {
		return fmt.Sprintf("%s, the clock here is %s", r.code, web.Offset(r.answer.Ahead))
	}
	return r.code
}

func (r reply) failure() *provider.Error {
	m := r.meaning()
	e := r.answer.Failure(m.kind, r.word(), errors.New(m.word))
	switch m.state {
	case provider.Skewed:
		e.Hint = "set the clock of this machine"
	case provider.Blocked:
		e.Hint = "add the address of this machine to those of the key, or work from one of them"
	case provider.Dead:
		e.Hint = "see that the key and its host belong together, and that it has not expired"
	}
	return e
}
