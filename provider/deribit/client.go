package deribit

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/keywright/keywright/provider"
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

// reply is what all answers have in common.
type reply struct {
	answer web.Answer
	code   int // of the error; of HTTP, if the body has none; 0 for a result
	result json.RawMessage
}

// ask makes a call: of a public method as it is, of a private one with a signature. There is
// no error if the answer is one of Deribit, whatever it says.
func (p *Provider) ask(ctx context.Context, as provider.Credential, r request) (reply, error) {
	id, key := name(as), as.Part("secret")
	if r.host == "" || id == "" || key.IsZero() {
		return reply{}, failed(r.doing, provider.Incomplete, errors.New("it takes a host, an id and its secret"))
	}
	path := "/api/v2/" + r.method
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": r.method, "params": r.params})
	if err != nil {
		return reply{}, failed(r.doing, provider.Incomplete, err)
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if strings.HasPrefix(r.method, "private/") {
		timestamp, nonce := p.now(), rand.Text()
		sig := sign(key, timestamp, nonce, signed(http.MethodPost, path, string(body)))
		header.Set("Authorization", "deri-hmac-sha256 id="+id+",ts="+timestamp+",nonce="+nonce+",sig="+sig)
	}
	a, err := p.web.Do(ctx, web.Call{Doing: r.doing, Method: http.MethodPost, URL: r.host, Path: path, Header: header, Body: body})
	if err != nil {
		return reply{}, err
	}
	return read(a)
}

func (p *Provider) now() string { return strconv.FormatInt(p.web.Now().UnixMilli(), 10) }

// read takes an answer apart.
func read(a web.Answer) (reply, error) {
	var body struct {
		Result json.RawMessage `json:"result"`
		Error  *struct {
			Code int `json:"code"`
		} `json:"error"`
	}
	err := a.JSON(&body)
	switch {
	case err == nil && body.Error != nil && body.Error.Code != 0:
		return reply{answer: a, code: body.Error.Code}, nil
	case err == nil && a.OK() && body.Error == nil && body.Result != nil:
		return reply{answer: a, result: body.Result}, nil
	case a.OK() && err != nil:
		return reply{}, err
	case a.OK():
		return reply{}, a.Failure(provider.Malformed, "", errors.New("it has neither a result nor an error"))
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
	defer clear(got.result) // it may hold secrets: lists of keys do, too
	if got.code != 0 {
		return got.failure()
	}
	var challenge struct {
		Required bool `json:"security_key_authorization_required"`
	}
	if json.Unmarshal(got.result, &challenge) == nil && challenge.Required {
		e := got.answer.Failure(provider.Forbidden, "security_key_authorization_required", errors.New("the account asks for a code of its authenticator for this"))
		e.Hint = byHand
		return e
	}
	if json.Unmarshal(got.result, into) != nil {
		return got.answer.Failure(provider.Malformed, "", errors.New("the result is not what Deribit documents"))
	}
	return nil
}

const byHand = "make another at " + page + ", store it with: keywright set; then delete the old one there"

func failed(doing string, kind provider.Kind, err error) *provider.Error {
	return &provider.Error{Provider: "deribit", Doing: doing, Kind: kind, Err: err}
}

// meaning is what a code says of the credential, and of what was asked with it.
type meaning struct {
	state provider.State
	kind  provider.Kind
	word  string
}

// meaning of a code, after the RPC error codes in Deribit's documentation. That of 13004 has
// no State: a key of another world gets it, too, and that is for the worlds to tell. Both
// that and 13009 mean nothing while the clock is wrong.
func (r reply) meaning() meaning {
	late := r.answer.Ahead.Abs() > valid
	switch r.code {
	case 13004, 13009:
		switch {
		case late:
			return meaning{provider.Skewed, provider.Refused, "the time of the request is not accepted"}
		case r.code == 13004:
			return meaning{"", provider.Forbidden, "the credentials are not valid here"}
		}
		return meaning{provider.Unknown, provider.Forbidden, "the signature is not accepted"}
	case 12005:
		return meaning{provider.Blocked, provider.Forbidden, "this country is not served"}
	case 13021, 13403, 13012:
		return meaning{provider.Narrow, provider.Forbidden, "the scope of the key does not allow this"}
	case 10000, 13031, 401, 403:
		return meaning{provider.Unknown, provider.Forbidden, "the account or the key is not admitted"}
	case 13668, 13904:
		return meaning{provider.Unknown, provider.Forbidden, "the account asks for a code of its authenticator for this"}
	case 10028, 10066, 12998, 11051, 429:
		return meaning{provider.Throttled, provider.Busy, "too many requests, or maintenance"}
	case -32600, -32601, -32602, 11029, 11050, 13010, 13011, 13016, 13018, 13025, 13503:
		return meaning{provider.Unknown, provider.Refused, "the method or a parameter is not accepted"}
	}
	return meaning{provider.Unknown, provider.Unclear, "a code that does not say whether it was done"}
}

// unheard reports whether the world does not know the key.
func (r reply) unheard() bool { return r.code != 0 && r.meaning().state == "" }

// word is the code, and how wrong the clock is where that matters.
func (r reply) word() string {
	text := strconv.Itoa(r.code)
	if r.meaning().state == provider.Skewed {
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
	case m.state == "":
		e.Hint = "see that the key and its host belong together, and that it is enabled"
	case r.code == 13668 || r.code == 13904:
		e.Hint = byHand
	}
	return e
}
