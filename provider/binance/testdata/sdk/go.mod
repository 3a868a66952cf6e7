module github.com/keywright/keywright/provider/binance/testdata/sdk

go 1.26.0

require (
	github.com/binance/binance-connector-go/clients/subaccount v1.11.0
	github.com/binance/binance-connector-go/common/v2 v2.7.0
)
