// The program records how Binance's own SDK for Go signs the calls that keywright makes:
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

	client "github.com/binance/binance-connector-go/clients/subaccount"
	"github.com/binance/binance-connector-go/common/v2/common"
)

// signed is a request, as the server gets it.
type signed struct{ Method, Path, Query, Body, Key string }

func main() {
	var all []signed
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			log.Fatal(err)
		}
		all = append(all, signed{r.Method, r.URL.Path, r.URL.RawQuery, string(body), r.Header.Get("X-MBX-APIKEY")})
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{}`)
	}))
	defer s.Close()
	c := client.NewBinanceSubAccountClient(client.WithRestAPI(common.NewConfigurationRestAPI(
		common.WithBasePath(s.URL), common.WithApiKey("recorded-key"), common.WithApiSecret("recorded-secret"),
	))).RestApi.ApiManagementAPI
	ctx := context.Background()
	const email = "a+b@example.com"
	for _, call := range []func() error{
		func() error {
			_, err := c.QuerySubAccountApiKey(ctx).Email(email).Page(1).Size(100).Execute()
			return err
		},
		func() error {
			_, err := c.CreateSubAccountApiKey(ctx).Email(email).ApiName("keywright-1").Status(2).CanTrade(true).IpAddress("192.0.2.1,192.0.2.2").Execute()
			return err
		},
		func() error {
			_, err := c.DeleteSubAccountApiKey(ctx).Email(email).SubAccountApiKey("another-key").Execute()
			return err
		},
	} {
		if err := call(); err != nil {
			log.Fatal(err)
		}
	}
	out, err := json.MarshalIndent(all, "", "\t")
	if err == nil {
		err = os.WriteFile(os.Args[1], append(out, '\n'), 0o644)
	}
	if err != nil {
		log.Fatal(err)
	}
}
