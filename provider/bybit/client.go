package bybit

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

// sign signs a request: the payload is the query or the body.
func sign(key secret.Value, timestamp, id, window, payload string) string {
	h := hmac.New(sha256.New, key.Reveal())
	h.Write([]byte(timestamp + id + window + payload))
	return hex.EncodeToString(h.Sum(nil))
}

// request is what is asked, in whose name, and of which environment.
type request struct {
	doing string
	host  string
	path  string
	query url.Values
	body  any // of a POST; nil for a GET
}

// reply is what all answers have in common.
type reply struct {
	answer web.Answer
	code   int // of the body; of HTTP, if the body has none
	result json.RawMessage
}

// ask makes a signed call. There is no error if the answer is one of Bybit, whatever it
// says.
func (p *Provider) ask(ctx context.Context, as provider.Credential, r request) (reply, error) {
	id, key := name(as), as.Part("secret")
	if r.host == "" || id == "" || key.IsZero() {
		return reply{}, failed(r.doing, provider.Incomplete, errors.New("it takes a host, a key and its secret"))
	}
	call := web.Call{Doing: r.doing, Method: http.MethodGet, URL: r.host, Path: r.path, Query: r.query.Encode()}
	payload := call.Query
	if r.body != nil {
		body, err := json.Marshal(r.body)
		if err != nil {
			return reply{}, failed(r.doing, provider.Incomplete, err)
		}
		call.Method, call.Body, payload = http.MethodPost, body, string(body)
	}
	timestamp := strconv.FormatInt(p.web.Now().UnixMilli(), 10)
	call.Header = http.Header{
		"X-Bapi-Api-Key":     {id},
		"X-Bapi-Timestamp":   {timestamp},
		"X-Bapi-Recv-Window": {window},
		"X-Bapi-Sign":        {sign(key, timestamp, id, window, payload)},
		"X-Bapi-Sign-Type":   {"2"}, // not documented; all SDKs of Bybit send it
	}
	if r.body != nil {
		call.Header.Set("Content-Type", "application/json")
	}
	a, err := p.web.Do(ctx, call)
	if err != nil {
		return reply{}, err
	}
	var body struct {
		RetCode *int            `json:"retCode"`
		Result  json.RawMessage `json:"result"`
	}
	err = a.JSON(&body)
	switch {
	case err == nil && body.RetCode != nil && (a.OK() || *body.RetCode != 0):
		return reply{a, *body.RetCode, body.Result}, nil
	case a.OK() && err != nil:
		return reply{}, err
	case a.OK():
		return reply{}, a.Failure(provider.Malformed, "", errors.New("it has no retCode"))
	case a.Status == http.StatusUnauthorized || a.Status == http.StatusForbidden || a.Status == http.StatusTooManyRequests:
		return reply{answer: a, code: a.Status}, nil
	}
	return reply{}, a.Refusal()
}

// done asks for something that is to be done, and decodes the result of it.
func (p *Provider) done(ctx context.Context, as provider.Credential, r request, into any) error {
	got, err := p.ask(ctx, as, r)
	if err != nil {
		return err
	}
	defer clear(got.result) // it may hold a secret
	if got.code != 0 {
		return got.failure()
	}
	if into != nil && json.Unmarshal(got.result, into) != nil {
		return got.answer.Failure(provider.Malformed, "", errors.New("the result is not what Bybit documents"))
	}
	return nil
}

func failed(doing string, kind provider.Kind, err error) *provider.Error {
	return &provider.Error{Provider: "bybit", Doing: doing, Kind: kind, Err: err}
}

// meaning is what a code says of the credential, and of what was asked with it.
type meaning struct {
	state provider.State
	kind  provider.Kind
	word  string
}

// meanings are the codes that matter here, after docs/v5/error. 10003 is what a deleted
// key gets, and what one gets that is of another environment; a bare 401 is documented for
// the same. The first has no State: that is for the environments to tell.
var meanings = map[int]meaning{
	401:    {"", provider.Forbidden, "the key is not valid here"},
	403:    {provider.Throttled, provider.Busy, "too many requests from this address, or a country that is not served"},
	429:    {provider.Throttled, provider.Busy, "the system is busy"},
	-1:     {provider.Skewed, provider.Refused, "the request has expired"},
	-2015:  {provider.Dead, provider.Forbidden, "the key has expired"},
	33004:  {provider.Dead, provider.Forbidden, "the key has expired"},
	10000:  {provider.Unknown, provider.Unclear, "the server took too long"},
	10001:  {provider.Unknown, provider.Refused, "a parameter is not accepted"},
	10002:  {provider.Skewed, provider.Refused, "the time is outside of the window"},
	10003:  {"", provider.Forbidden, "the key is not valid here"},
	10004:  {provider.Unknown, provider.Forbidden, "the signature is not accepted"},
	10005:  {provider.Narrow, provider.Forbidden, "the key may not do this"},
	10006:  {provider.Throttled, provider.Busy, "too many requests"},
	10007:  {provider.Unknown, provider.Forbidden, "the user is not authenticated"},
	10008:  {provider.Unknown, provider.Forbidden, "the account is banned"},
	10009:  {provider.Blocked, provider.Forbidden, "this region is not served"},
	10010:  {provider.Blocked, provider.Forbidden, "this address is not among those of the key"},
	10014:  {provider.Unknown, provider.Unclear, "it was asked before"},
	10016:  {provider.Unknown, provider.Unclear, "the server failed"},
	10017:  {provider.Unknown, provider.Refused, "there is no such call in this environment"},
	10018:  {provider.Throttled, provider.Busy, "too many requests from this address"},
	10024:  {provider.Unknown, provider.Forbidden, "compliance rules"},
	10027:  {provider.Unknown, provider.Forbidden, "the account may not trade"},
	10028:  {provider.Narrow, provider.Forbidden, "for unified accounts only"},
	100028: {provider.Narrow, provider.Forbidden, "not for unified accounts"},
	500010: {provider.Unknown, provider.Refused, "the sub-account is not one of this account"},
	81007:  {provider.Unknown, provider.Refused, "Bybit Europe issues no keys by API"},
}

// meaning of a code that is not documented is that nothing is known.
func (r reply) meaning() meaning {
	if m, ok := meanings[r.code]; ok {
		return m
	}
	return meaning{provider.Unknown, provider.Unclear, "a code without a meaning here"}
}

// invalid reports whether the environment does not know the key.
func (r reply) invalid() bool { return r.code != 0 && r.meaning().state == "" }

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
	case m.state == provider.Blocked:
		e.Hint = "add the address of this machine to those of the key, or work from one of them"
	case m.state == "":
		e.Hint = "see that the key and its host belong together, and that it has not expired"
	}
	return e
}
