package match

import (
	"cmp"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/keywright/keywright/scan"
)

// TestSettle compares with what is meant: the best first, and no secret that shares
// a byte with what is claimed.
func TestSettle(t *testing.T) {
	rules := []*scan.Rule{{ID: "a"}, {ID: "b"}, {ID: "c", Generic: true}}
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 2))
		all := make([]scan.Verdict, r.IntN(30))
		size := 40 + r.IntN(2000)
		for i := range all {
			all[i] = scan.Verdict{Rule: rules[r.IntN(3)], Confidence: scan.Confidence(1 + r.IntN(4)), Anchor: r.IntN(size)}
			at := r.IntN(size)
			for range 1 + r.IntN(3) {
				at = max(0, at+r.IntN(200)-100)
				all[i].Parts = append(all[i].Parts, scan.Span{Start: at, End: at + 1 + r.IntN(1+r.IntN(300))})
			}
		}
		at := make([]*scan.Verdict, len(all))
		for i := range all {
			at[i] = &all[i]
		}
		if got, want := settle(at), settledSlowly(all); !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: %d verdicts\n%v\nwant %d\n%v", seed, len(got), got, len(want), want)
		}
	}
}

func settledSlowly(all []scan.Verdict) []scan.Verdict {
	ranked := slices.Clone(all)
	slices.SortStableFunc(ranked, func(a, b scan.Verdict) int { return better(&a, &b) })
	claimed := map[int]bool{}
	var kept []scan.Verdict
	for _, v := range ranked {
		free := true
		for at := v.Secret().Start; at < v.Secret().End; at++ {
			free = free && !claimed[at]
		}
		if !free {
			continue
		}
		for _, p := range v.Parts {
			for at := p.Start; at < p.End; at++ {
				claimed[at] = true
			}
		}
		kept = append(kept, v)
	}
	slices.SortStableFunc(kept, func(a, b scan.Verdict) int { return cmp.Compare(a.Secret().Start, b.Secret().Start) })
	return kept
}
