package bybit

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

// ask makes a signed call. There is no error if the answer is one of Bybit, whatever it
// says.
func (p *Provider) ask(ctx context.Context, as provider.Credential, r request) (exchange.Reply, error) {
	id, key := exchange.Name(as), as.Part("secret")
	if r.host == "" || id == "" || key.IsZero() {
		return exchange.Reply{}, failed(r.doing, provider.Incomplete, errors.New("it takes a host, a key and its secret"))
	}
	call := web.Call{Doing: r.doing, Method: http.MethodGet, URL: r.host, Path: r.path, Query: r.query.Encode(), Header: http.Header{}}
	payload := call.Query
	if r.body != nil {
		call = call.With(r.body)
		call.Method, payload = http.MethodPost, string(call.Body)
	}
	timestamp := strconv.FormatInt(p.web.Now().UnixMilli(), 10)
	call.Header.Set("X-Bapi-Api-Key", id)
	call.Header.Set("X-Bapi-Timestamp", timestamp)
	call.Header.Set("X-Bapi-Recv-Window", window)
	call.Header.Set("X-Bapi-Sign", sign(key, timestamp, id, window, payload))
	call.Header.Set("X-Bapi-Sign-Type", "2") // not documented; all SDKs of Bybit send it
	a, err := p.web.Do(ctx, call)
	if err != nil {
		return exchange.Reply{}, err
	}
	return read(a)
}

// read takes an answer apart.
func read(a web.Answer) (exchange.Reply, error) {
	var body struct {
		RetCode *int            `json:"retCode"`
		Result  json.RawMessage `json:"result"`
	}
	err := a.JSON(&body)
	var r exchange.Reply
	if err != nil || body.RetCode == nil || *body.RetCode == 0 && !a.OK() {
		r, err = exchange.Uncoded(a, err)
	} else {
		r = exchange.Reply{Answer: a, Code: strconv.Itoa(*body.RetCode), Done: *body.RetCode == 0, Data: body.Result}
	}
	r.Meaning = meaning(r.Code)
	return r, err
}

// done asks for something that is to be done, and decodes the result of it.
func (p *Provider) done(ctx context.Context, as provider.Credential, r request, into any) error {
	got, err := p.ask(ctx, as, r)
	if err != nil {
		return err
	}
	return got.Decode(into)
}

func failed(doing string, kind provider.Kind, err error) *provider.Error {
	return &provider.Error{Provider: "bybit", Doing: doing, Kind: kind, Err: err}
}

// meanings are the codes that matter here, after docs/v5/error. 10003 is what a deleted
// key gets, and what one gets that is of another environment; a bare 401 is documented for
// the same. The first has no State: that is for the environments to tell.
var meanings = map[string]exchange.Meaning{
	"401":    exchange.Means("", provider.Forbidden, "the key is not valid here", exchange.Belongs+", and that it has not expired"),
	"403":    exchange.Means(provider.Throttled, provider.Busy, "too many requests from this address, or a country that is not served"),
	"429":    exchange.Means(provider.Throttled, provider.Busy, "the system is busy"),
	"-1":     exchange.Means(provider.Skewed, provider.Refused, "the request has expired", exchange.SetClock),
	"-2015":  exchange.Means(provider.Dead, provider.Forbidden, "the key has expired"),
	"33004":  exchange.Means(provider.Dead, provider.Forbidden, "the key has expired"),
	"10000":  exchange.Means(provider.Unknown, provider.Unclear, "the server took too long"),
	"10001":  exchange.Means(provider.Unknown, provider.Refused, "a parameter is not accepted"),
	"10002":  exchange.Means(provider.Skewed, provider.Refused, "the time is outside of the window", exchange.SetClock),
	"10003":  exchange.Means("", provider.Forbidden, "the key is not valid here", exchange.Belongs+", and that it has not expired"),
	"10004":  exchange.Means(provider.Unknown, provider.Forbidden, "the signature is not accepted"),
	"10005":  exchange.Means(provider.Narrow, provider.Forbidden, "the key may not do this"),
	"10006":  exchange.Means(provider.Throttled, provider.Busy, "too many requests"),
	"10007":  exchange.Means(provider.Unknown, provider.Forbidden, "the user is not authenticated"),
	"10008":  exchange.Means(provider.Unknown, provider.Forbidden, "the account is banned"),
	"10009":  exchange.Means(provider.Blocked, provider.Forbidden, "this region is not served"),
	"10010":  exchange.Means(provider.Blocked, provider.Forbidden, "this address is not among those of the key", exchange.AddAddress),
	"10014":  exchange.Means(provider.Unknown, provider.Unclear, "it was asked before"),
	"10016":  exchange.Means(provider.Unknown, provider.Unclear, "the server failed"),
	"10017":  exchange.Means(provider.Unknown, provider.Refused, "there is no such call in this environment"),
	"10018":  exchange.Means(provider.Throttled, provider.Busy, "too many requests from this address"),
	"10024":  exchange.Means(provider.Unknown, provider.Forbidden, "compliance rules"),
	"10027":  exchange.Means(provider.Unknown, provider.Forbidden, "the account may not trade"),
	"10028":  exchange.Means(provider.Narrow, provider.Forbidden, "for unified accounts only"),
	"100028": exchange.Means(provider.Narrow, provider.Forbidden, "not for unified accounts"),
	"500010": exchange.Means(provider.Unknown, provider.Refused, "the sub-account is not one of this account"),
	"81007":  exchange.Means(provider.Unknown, provider.Refused, "Bybit Europe issues no keys by API"),
}

// meaning of a code that is not documented is that nothing is known.
func meaning(code string) exchange.Meaning {
	if m, ok := meanings[code]; ok {
		return m
	}
	return exchange.Means(provider.Unknown, provider.Unclear, "a code without a meaning here")
}
