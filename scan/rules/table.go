package rules

import _ "embed"

// table is what match.Table derives from the expressions of All. A test fails
// when it is stale; `go test ./scan/rules -run Table -update` writes it anew.
//
//go:embed table.txt
var table string

// Table returns the literals of the built-in rules, for match.NewWith.
func Table() string { return table }
