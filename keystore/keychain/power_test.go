package keychain

import (
	"maps"
	"path/filepath"
	"testing"

	"github.com/keywright/keywright/internal/durable"
	"github.com/keywright/keywright/internal/durable/durabletest"
)

// Whenever the power goes while values are sealed, the item has the old value or the
// new one, whole; and without any one synchronisation it does not.
func TestPowerLoss(t *testing.T) {
	root := t.TempDir()
	r, err := durabletest.NewRecorder(root)
	if err != nil {
		t.Fatal(err)
	}
	f := newFake()
	f.after = func(op, _ string) error {
		if op != "get" {
			r.Note(maps.Clone(f.items))
		}
		return nil
	}
	k := newKeychain(Options{Disk: durable.On(r), Dir: filepath.Join(root, "keys", "sealed")}, f, unwatched)
	sizes := []int{3000, 4000, 5000, 10, 6000}
	var kept []int
	for _, size := range sizes {
		if err := k.Put(t.Context(), "x", value(size)); err != nil {
			t.Fatal(err)
		}
		kept = append(kept, r.Len())
	}
	failures := func(deaf durabletest.Site) (count int) {
		for n := kept[0]; n <= r.Len(); n++ {
			first := 0 // of the versions, the last that is kept
			for first+1 < len(kept) && kept[first+1] <= n {
				first++
			}
			notes := r.Notes(n)
			lost := newFake()
			lost.items = maps.Clone(notes[len(notes)-1].(map[string]string))
			for way := range uint64(8) {
				dir := t.TempDir()
				if err := r.Lose(n, way, deaf).Write(dir); err != nil {
					t.Fatal(err)
				}
				again := newKeychain(Options{Dir: filepath.Join(dir, "keys", "sealed")}, lost, unwatched)
				got, err := again.Get(t.Context(), "x")
				old, next := sizes[first], sizes[min(first+1, len(sizes)-1)]
				if err != nil || got.Len() != old && got.Len() != next || string(got.Reveal()) != string(value(got.Len()).Reveal()) {
					count++
				}
			}
		}
		return count
	}
	if n := failures(""); n > 0 {
		t.Errorf("%d failures", n)
	}
	for _, site := range r.Sites() { // each sealed file has its own
		if failures(site) == 0 {
			t.Errorf("without %s nothing is missed", site)
		}
	}
}
