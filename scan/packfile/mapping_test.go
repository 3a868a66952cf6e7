package packfile

import (
	"math/rand/v2"
	"os"
	"testing"
)

// TestCutWhileOpen: a file that becomes shorter while it is read is an error of the
// objects that it no longer holds, and of no others.
func TestCutWhileOpen(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var objects []packed
	for range 40 {
		noise := make([]byte, 4000) // nothing makes it shorter: over a page each
		for i := range noise {
			noise[i] = byte(r.Uint32())
		}
		objects = append(objects, whole(Blob, string(noise)))
	}
	path := makePack(objects...).write(t)
	p := mustOpenPack(t, path)
	f, err := NewForest(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	const page = 64 << 10 // the largest that a system has
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, page); err != nil {
		t.Fatal(err)
	}
	c := &counter{}
	if err := Walk[struct{}](t.Context(), f, Options{Types: everything, Workers: 2}, c); err != nil {
		t.Fatal(err)
	}
	if c.objects.Load() < page/4100-1 || c.lost.Load() < 40-page/4000-1 || c.objects.Load()+c.lost.Load() != 40 {
		t.Errorf("%d objects are read, %d lost", c.objects.Load(), c.lost.Load())
	}
	if _, err := NewForest(t.Context(), p); err != nil {
		t.Error(err)
	}
	for i := range p.Len() {
		if _, data, err := p.Read(i); err == nil && idOf(Blob, data) != p.ID(i) {
			t.Error("an object is another one")
		}
	}
}
