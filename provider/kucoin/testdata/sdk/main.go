// The program records how KuCoin's own SDK for Go signs the calls that keywright makes:
//
//	go mod tidy && go run . ../signed.json
package main

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/Kucoin/kucoin-universal-sdk/sdk/golang/pkg/api"
	"github.com/Kucoin/kucoin-universal-sdk/sdk/golang/pkg/generate/account/subaccount"
	"github.com/Kucoin/kucoin-universal-sdk/sdk/golang/pkg/types"
)

// signed is a request, as the server gets it.
type signed struct {
	Method, URI, Body                         string
	Timestamp, Key, Sign, Passphrase, Version string
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
			r.Method, r.URL.RequestURI(), string(body),
			h.Get("KC-API-TIMESTAMP"), h.Get("KC-API-KEY"), h.Get("KC-API-SIGN"), h.Get("KC-API-PASSPHRASE"), h.Get("KC-API-KEY-VERSION"),
		})
		io.WriteString(w, `{"code":"200000"}`)
	}))
	defer s.Close()
	option := types.NewClientOptionBuilder().WithKey("recorded-key").WithSecret("recorded-secret").WithPassphrase("recorded-phrase").
		WithSpotEndpoint(s.URL).WithTransportOption(types.NewTransportOption()).Build()
	accounts := api.NewClient(option).RestService().GetAccountService()
	subs, ctx := accounts.GetSubAccountAPI(), context.Background()
	for _, call := range []func() error{
		func() error { _, err := accounts.GetAccountAPI().GetApikeyInfo(ctx); return err },
		func() error {
			_, err := subs.GetSubAccountApiList(subaccount.NewGetSubAccountApiListReqBuilder().SetSubName("a b&c").Build(), ctx)
			return err
		},
		func() error {
			r := subaccount.NewAddSubAccountApiReqBuilder().SetSubName("subone").SetRemark("keywright-1").SetPassphrase("another-phrase").
				SetPermission("General,Spot").SetIpWhitelist("192.0.2.1,192.0.2.2").SetExpire("-1").Build()
			_, err := subs.AddSubAccountApi(r, ctx)
			return err
		},
		func() error {
			r := subaccount.NewDeleteSubAccountApiReqBuilder().SetSubName("subone").SetApiKey("another-key").SetPassphrase("abc!@#11").Build()
			_, err := subs.DeleteSubAccountApi(r, ctx)
			return err
		},
	} {
		if err := call(); err != nil {
			log.Fatal(err)
		}
	}
	out, err := json.MarshalIndent(all, "", "\t")
	if err == nil {
		err = os.WriteFile(os.Args[1], append(out, '\n'), 0o644) // the SDK prints to standard output
	}
	if err != nil {
		log.Fatal(err)
	}
}
