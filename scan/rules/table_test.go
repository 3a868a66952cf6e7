package rules

import (
	"flag"
	"os"
	"testing"

	"github.com/keywright/keywright/scan/match"
)

var update = flag.Bool("update", false, "write table.txt anew")

// TestTable fails when the compiled-in table is not what the rules give.
func TestTable(t *testing.T) {
	want, err := match.Table(All())
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("table.txt", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if Table() != want {
		t.Error("table.txt is stale: run go test ./scan/rules -run Table -update")
	}
}

// BenchmarkCompile is what every start of the program pays for its rules.
func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		if _, err := match.NewWith(All(), Table()); err != nil {
			b.Fatal(err)
		}
	}
}
