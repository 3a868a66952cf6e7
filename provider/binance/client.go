package binance

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/keywright/keywright/provider"
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

// reply is what all answers have in common.
type reply struct {
	answer web.Answer
	code   int // of the body; of HTTP, if the body has none; 0 for what was done
	body   json.RawMessage
}

// ask makes a signed call. There is no error if the answer is one of Binance, whatever it
// says.
func (p *Provider) ask(ctx context.Context, as provider.Credential, r request) (reply, error) {
	id, key := name(as), as.Part("secret")
	if r.host == "" || id == "" || key.IsZero() {
		return reply{}, failed(r.doing, provider.Incomplete, errors.New("it takes a host, a key and its secret"))
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
		return reply{}, err
	}
	return read(a)
}

// read takes an answer apart. Of a server's failure Binance says that what was asked for may
// have been done, whatever else it says.
func read(a web.Answer) (reply, error) {
	if a.Status >= 500 {
		return reply{}, a.Refusal()
	}
	var body json.RawMessage
	err := a.JSON(&body)
	var said struct {
		Code int `json:"code"`
	}
	coded := err == nil && json.Unmarshal(body, &said) == nil && said.Code < 0
	switch {
	case coded:
		return reply{answer: a, code: said.Code}, nil
	case a.OK() && err != nil:
		return reply{}, err
	case a.OK():
		return reply{answer: a, body: body}, nil
	case a.Status == http.StatusUnauthorized || a.Status == http.StatusForbidden || a.Status == http.StatusTooManyRequests || a.Status == http.StatusTeapot:
		return reply{answer: a, code: a.Status}, nil
	}
	return reply{}, a.Refusal()
}

// done asks for something that is to be done, and decodes the answer.
func (p *Provider) done(ctx context.Context, as provider.Credential, r request, into any) error {
	got, err := p.ask(ctx, as, r)
	if err != nil {
		return err
	}
	defer clear(got.body) // it may hold a secret
	if got.code != 0 {
		return got.failure()
	}
	if json.Unmarshal(got.body, into) != nil {
		return got.answer.Failure(provider.Malformed, "", errors.New("it is not what Binance documents"))
	}
	return nil
}

func failed(doing string, kind provider.Kind, err error) *provider.Error {
	return &provider.Error{Provider: "binance", Doing: doing, Kind: kind, Err: err}
}

// meaning is what a code says of the credential, and of what was asked with it.
type meaning struct {
	state provider.State
	kind  provider.Kind
	word  string
}

// meaning of a code. That of -2008 has no State: a key of another environment gets it, too,
// and that is for the environments to tell. -2015 is for keys that are not valid, for
// addresses and for rights, all in one, and so says nothing of a key.
func (r reply) meaning() meaning {
	switch r.code {
	case -2008:
		return meaning{"", provider.Forbidden, "the key is not known here"}
	case -1021:
		return meaning{provider.Skewed, provider.Refused, "the time is outside of the window"}
	case -1022:
		return meaning{provider.Unknown, provider.Forbidden, "the signature is not accepted"}
	case -2015:
		return meaning{provider.Unknown, provider.Forbidden, "the key is not valid, or may not be used from this address, or not for this"}
	case -2014:
		return meaning{provider.Unknown, provider.Forbidden, "it is not of the form of a key"}
	case -1002, 401:
		return meaning{provider.Unknown, provider.Forbidden, "the key or the account is not admitted"}
	case -1003, -1004, -1008, -1015, -1034, 403, 418, 429:
		return meaning{provider.Throttled, provider.Busy, "too many requests, or the system is busy"}
	case -1013, -1016, -1020, -1100, -1101, -1102, -1103, -1104, -1105, -1106, -1108, -1130, -9000:
		return meaning{provider.Unknown, provider.Refused, "the call or a parameter is not accepted"}
	}
	return meaning{provider.Unknown, provider.Unclear, "a code that does not say whether it was done"}
}

// unheard reports whether the environment does not know the key.
func (r reply) unheard() bool { return r.code != 0 && r.meaning().state == "" }

// word is the code, and how wrong the clock is where that matters.
func (r reply) word() string {
	text := strconv.Itoa(r.code)
	if r.meaning().state == provider.Skewed && r.answer.Ahead != 0 {
		text += fmt.Sprintf(", the clock here is %s", web.Offset(r.answer.Ahead))
	}
	return text
}

func (r reply) failure() *provider.Error {
	m := r.meaning()
	e := r.answer.Failure(m.kind, r.word(), errors.New(m.word))
	switch {
	case m.state == provider.Skewed:
		e.Hint = "set the clock of this machine"
	case r.code == -2015:
		e.Hint = "see that the key exists, that this machine's address is among its own, and that it has the right"
	case m.state == "":
		e.Hint = "see that the key and its host belong together"
	}
	return e
}
