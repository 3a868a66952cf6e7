package deribit

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/exchange"
	"github.com/keywright/keywright/provider/web"
	"github.com/keywright/keywright/secret"
)

// valid is for how long a signature is good.
const valid = 60 * time.Second

// sign signs data. The timestamp is in milliseconds.
func sign(key secret.Value, timestamp, nonce, data string) string {
	h := hmac.New(sha256.New, key.Reveal())
	h.Write([]byte(timestamp + "\n" + nonce + "\n" + data))
	return hex.EncodeToString(h.Sum(nil))
}

// signed is what is signed of a request over HTTP.
func signed(method, path, body string) string { return method + "\n" + path + "\n" + body + "\n" }

// request is what is asked, in whose name, and of which world.
type request struct {
	doing  string
	host   string
	method string // "private/list_api_keys"
	params map[string]any
}

// ask makes a call: of a public method as it is, of a private one with a signature. There is
// no error if the answer is one of Deribit, whatever it says.
func (p *Provider) ask(ctx context.Context, as provider.Credential, r request) (exchange.Reply, error) {
	id, key := exchange.Name(as), as.Part("secret")
	if r.host == "" || id == "" || key.IsZero() {
		return exchange.Reply{}, failed(r.doing, provider.Incomplete, errors.New("it takes a host, an id and its secret"))
	}
	call := web.Call{Doing: r.doing, Method: http.MethodPost, URL: r.host, Path: "/api/v2/" + r.method}.
		With(map[string]any{"jsonrpc": "2.0", "id": 1, "method": r.method, "params": r.params})
	if strings.HasPrefix(r.method, "private/") {
		timestamp, nonce := p.now(), rand.Text()
		sig := sign(key, timestamp, nonce, signed(call.Method, call.Path, string(call.Body)))
		call.Header.Set("Authorization", "deri-hmac-sha256 id="+id+",ts="+timestamp+",nonce="+nonce+",sig="+sig)
	}
	a, err := p.web.Do(ctx, call)
	if err != nil {
		return exchange.Reply{}, err
	}
	return read(a)
}

func (p *Provider) now() string { return strconv.FormatInt(p.web.Now().UnixMilli(), 10) }

// read takes an answer apart.
func read(a web.Answer) (exchange.Reply, error) {
	var body struct {
		Result json.RawMessage `json:"result"`
		Error  *struct {
			Code int `json:"code"`
		} `json:"error"`
	}
	err := a.JSON(&body)
	var r exchange.Reply
	switch {
	case err == nil && body.Error != nil && body.Error.Code != 0:
		r = exchange.Reply{Answer: a, Code: strconv.Itoa(body.Error.Code)}
	case err == nil && a.OK() && body.Error == nil && body.Result != nil:
		r = exchange.Reply{Answer: a, Code: "0", Done: true, Data: body.Result}
	default:
		r, err = exchange.Uncoded(a, err)
	}
	r.Meaning = meaning(r.Code, a.Ahead)
	return r, err
}

// done asks for something that is to be done, and decodes the result of it.
func (p *Provider) done(ctx context.Context, as provider.Credential, r request, into any) error {
	got, err := p.ask(ctx, as, r)
	if err != nil {
		return err
	}
	defer clear(got.Data) // it may hold secrets: lists of keys do, too
	var challenge struct {
		Required bool `json:"security_key_authorization_required"`
	}
	if got.Done && json.Unmarshal(got.Data, &challenge) == nil && challenge.Required {
		e := got.Answer.Failure(provider.Forbidden, "security_key_authorization_required", errors.New("the account asks for a code of its authenticator for this"))
		e.Hint = byHand
		return e
	}
	return got.Decode(into)
}

const byHand = "make another at " + page + ", store it with: keywright set; then delete the old one there"

func failed(doing string, kind provider.Kind, err error) *provider.Error {
	return &provider.Error{Provider: "deribit", Doing: doing, Kind: kind, Err: err}
}

// meaning of a code, after the RPC error codes in Deribit's documentation. That of 13004 has
// no State: a key of another world gets it, too, and that is for the worlds to tell. Both
// that and 13009 mean nothing while the clock is wrong.
func meaning(code string, ahead time.Duration) exchange.Meaning {
	late := ahead.Abs() > valid
	switch code {
	case "13004", "13009":
		switch {
		case late:
			return exchange.Means(provider.Skewed, provider.Refused, "the time of the request is not accepted", exchange.SetClock)
		case code == "13004":
			return exchange.Means("", provider.Forbidden, "the credentials are not valid here", exchange.Belongs+", and that it is enabled")
		}
		return exchange.Means(provider.Unknown, provider.Forbidden, "the signature is not accepted")
	case "12005":
		return exchange.Means(provider.Blocked, provider.Forbidden, "this country is not served")
	case "13021", "13403", "13012":
		return exchange.Means(provider.Narrow, provider.Forbidden, "the scope of the key does not allow this")
	case "10000", "13031", "401", "403":
		return exchange.Means(provider.Unknown, provider.Forbidden, "the account or the key is not admitted")
	case "13668", "13904":
		return exchange.Means(provider.Unknown, provider.Forbidden, "the account asks for a code of its authenticator for this", byHand)
	case "10028", "10066", "12998", "11051", "429":
		return exchange.Means(provider.Throttled, provider.Busy, "too many requests, or maintenance")
	case "-32600", "-32601", "-32602", "11029", "11050", "13010", "13011", "13016", "13018", "13025", "13503":
		return exchange.Means(provider.Unknown, provider.Refused, "the method or a parameter is not accepted")
	}
	return exchange.Means(provider.Unknown, provider.Unclear, "a code that does not say whether it was done")
}
