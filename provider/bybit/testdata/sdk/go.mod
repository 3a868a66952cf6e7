module github.com/keywright/keywright/provider/bybit/testdata/sdk

go 1.26.0

require github.com/bybit-exchange/bybit.go.api v0.0.0-20250727214011-c9347d6804d6

require (
	github.com/bitly/go-simplejson v0.5.1 // indirect
	github.com/google/uuid v1.5.0 // indirect
	github.com/gorilla/websocket v1.5.1 // indirect
	github.com/json-iterator/go v1.1.12 // indirect
	github.com/modern-go/concurrent v0.0.0-20180306012644-bacd9c7ef1dd // indirect
	github.com/modern-go/reflect2 v1.0.2 // indirect
	golang.org/x/net v0.29.0 // indirect
)
