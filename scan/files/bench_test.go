package files

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkWalk reads KEYWRIGHT_BENCH_TREE, or 20,000 tiny files of its own, with
// a visitor that does nothing.
func BenchmarkWalk(b *testing.B) {
	root := os.Getenv("KEYWRIGHT_BENCH_TREE")
	if root == "" {
		root = b.TempDir()
		for i := range 20_000 {
			dir := filepath.Join(root, fmt.Sprint(i%200))
			if err := os.MkdirAll(dir, 0o755); err != nil {
				b.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), []byte("tiny\n"), 0o644); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		_, err := Walk(context.Background(), root, Options{}, func(Document) error { return nil })
		if err != nil {
			b.Fatal(err)
		}
	}
}
