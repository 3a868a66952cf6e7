// The program records how Bybit's own SDK for Go signs the calls that keywright makes:
//
//	go run . > ../signed.json
package main

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"

	bybit "github.com/bybit-exchange/bybit.go.api"
)

// signed is a request, as the server gets it.
type signed struct {
	Method, Path, Query, Body    string
	Timestamp, Key, Window, Sign string
}

func main() {
	var all []signed
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			log.Fatal(err)
		}
		h := r.Header
		all = append(all, signed{
			r.Method, r.URL.Path, r.URL.RawQuery, string(body),
			h.Get("X-BAPI-TIMESTAMP"), h.Get("X-BAPI-API-KEY"), h.Get("X-BAPI-RECV-WINDOW"), h.Get("X-BAPI-SIGN"),
		})
		io.WriteString(w, `{"retCode":0,"retMsg":"","result":{}}`)
	}))
	defer s.Close()
	c := bybit.NewBybitHttpClient("recorded-key", "recorded-secret", bybit.WithBaseURL(s.URL))
	with := func(params map[string]any) *bybit.BybitClientRequest { return c.NewUtaBybitServiceWithParams(params) }
	ctx := context.Background()
	for _, call := range []func() (*bybit.ServerResponse, error){
		func() (*bybit.ServerResponse, error) { return c.NewUtaBybitServiceNoParams().GetAPIKeyInfo(ctx) },
		func() (*bybit.ServerResponse, error) {
			return with(map[string]any{"subMemberId": "100400345", "limit": 20, "cursor": "a%b=&c"}).GetSubUidApiKeysInfo(ctx)
		},
		func() (*bybit.ServerResponse, error) {
			return with(map[string]any{
				"subuid": 53888000, "note": "keywright-1", "readOnly": 0, "ips": "192.0.2.1,192.0.2.2",
				"permissions": map[string][]string{"Wallet": {"AccountTransfer"}},
			}).CreateSubApiKey(ctx)
		},
		func() (*bybit.ServerResponse, error) {
			return with(map[string]any{"apikey": "another-key"}).DeleteSubAPIKey(ctx)
		},
	} {
		if _, err := call(); err != nil {
			log.Fatal(err)
		}
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "\t")
	if err := out.Encode(all); err != nil {
		log.Fatal(err)
	}
}
