module github.com/keywright/keywright/provider/kucoin/testdata/sdk

go 1.26.0

require github.com/Kucoin/kucoin-universal-sdk/sdk/golang v1.3.0
