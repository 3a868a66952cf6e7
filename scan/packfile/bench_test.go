package packfile

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keywright/keywright/scan"
)

type counter struct{ objects, bytes, copied, lost atomic.Int64 }

func (c *counter) Visit(worker int, o Object, content []byte, base *struct{}, copies []scan.Copy) struct{} {
	c.objects.Add(1)
	c.bytes.Add(int64(len(content)))
	for _, k := range copies {
		c.copied.Add(int64(k.Len))
	}
	return struct{}{}
}

func (c *counter) Lost(Object, error) { c.lost.Add(1) }

// TestWalkRepository walks the packs of the repository that KEYWRIGHT_BENCH_REPO
// names and prints what unpacking alone costs.
func TestWalkRepository(t *testing.T) {
	repo := os.Getenv("KEYWRIGHT_BENCH_REPO")
	if repo == "" {
		t.Skip("KEYWRIGHT_BENCH_REPO is not set")
	}
	packs, err := filepath.Glob(filepath.Join(repo, "objects/pack/*.pack"))
	if err != nil || len(packs) == 0 {
		t.Fatalf("no packs in %s: %v", repo, err)
	}
	for _, path := range packs {
		start := time.Now()
		p, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("open %v", time.Since(start))
		start = time.Now()
		f, err := NewForest(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("forest of %d objects %v", p.Len(), time.Since(start))
		for _, types := range []TypeSet{Types(Blob), Types(Tree), Types(Commit, Tag)} {
			start = time.Now()
			c := &counter{}
			o := Options{Types: types, Workers: 2, Memory: 256 << 20}
			if err := Walk[struct{}](context.Background(), f, o, c); err != nil {
				t.Fatal(err)
			}
			t.Logf("types %b: %d objects, %d bytes, %d copied, %d lost, %v",
				types, c.objects.Load(), c.bytes.Load(), c.copied.Load(), c.lost.Load(), time.Since(start))
		}
	}
}
