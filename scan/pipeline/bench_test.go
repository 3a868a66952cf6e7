package pipeline

import (
	"os"
	"testing"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/rules"
)

// BenchmarkHistory scans the whole history of the repository that
// KEYWRIGHT_BENCH_REPO names.
func BenchmarkHistory(b *testing.B) {
	repo := os.Getenv("KEYWRIGHT_BENCH_REPO")
	if repo == "" {
		b.Skip("KEYWRIGHT_BENCH_REPO is not set")
	}
	for b.Loop() {
		r, err := Run(b.Context(), Options{Path: repo, Mode: HistoryOnly, Builtin: rules.All(), Table: rules.Table(), Level: scan.Medium})
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(r.Coverage.Bytes)
	}
}
