package gitrepo

import (
	"slices"
	"strings"
	"testing"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/packfile"
)

// deltaTree makes a tree from a base: each op of three bytes copies or inserts. It
// returns the copies that a pack would give.
func deltaTree(base, ops []byte) (tree []byte, copies []scan.Copy) {
	for ; len(ops) >= 3; ops = ops[3:] {
		from, n := int(ops[0])%(len(base)+1), int(ops[1])
		if ops[2]&1 == 1 {
			n = min(n, len(ops)-3)
			tree = append(tree, ops[3:3+n]...)
			ops = ops[n:]
			continue
		}
		if n = min(n, len(base)-from); n == 0 {
			continue
		}
		if last := len(copies) - 1; last >= 0 && copies[last].Start+copies[last].Len == len(tree) && copies[last].Base+copies[last].Len == from {
			copies[last].Len += n
		} else {
			copies = append(copies, scan.Copy{Base: from, Start: len(tree), Len: n})
		}
		tree = append(tree, base[from:from+n]...)
	}
	return tree, copies
}

// FuzzTreeDelta reads a tree as a delta of another, and whole: both ways must give
// the same.
func FuzzTreeDelta(f *testing.F) {
	ids := []ID{{1}, {2}, {'1', '0', '0'}, {4}}
	known := strings.Join([]string{
		entryLine("100644", "a", ids[0]), entryLine("40000", "b", ids[1]), entryLine("100644", "c", ids[2]), entryLine("100644", "d", ids[3]),
	}, "")
	f.Add([]byte(known), []byte{0, 255, 0})
	f.Add([]byte(known), []byte{0, 28, 0, 40, 200, 0})
	f.Add([]byte(known), []byte{30, 100, 0, 0, 60, 0})
	f.Add([]byte(known), append([]byte{0, 29, 0, 0, 5, 1}, "100644 x\x00more"...))
	f.Add([]byte(known), append(append([]byte{0, 29, 0, 0, 28, 1}, entryLine("40000", "b", ids[3])...), 57, 200, 0))
	f.Add([]byte(known[:70]), []byte{0, 70, 0, 10, 30, 0})
	f.Fuzz(func(t *testing.T, base, ops []byte) {
		h := &History{}
		h.objects.grow(10)
		for _, id := range ids {
			h.objects.add(id)
		}
		target, copies := deltaTree(base, ops)
		baseID, targetID := objectID(packfile.Tree, base), objectID(packfile.Tree, target)
		from, n := h.objects.add(baseID), h.objects.add(targetID)
		read := func(delta, kept bool) (treeState, []child, bool) {
			x := &treeIndex{h: h, hits: map[int32]bool{0: true, 2: true}, keep: true, scratch: make([]treeScratch, 1), children: make([][]child, 10),
				nameOf: map[string]uint32{}, gitlinks: map[ID]bool{}, bad: map[ID]error{}}
			state := x.Visit(0, packfile.Object{ID: baseID, Number: from, Type: packfile.Tree, Base: true}, base, nil, nil)
			if delta {
				state = x.Visit(0, packfile.Object{ID: targetID, Number: n, Type: packfile.Tree, Base: kept}, target, &state, copies)
			} else {
				state = x.Visit(0, packfile.Object{ID: targetID, Number: n, Type: packfile.Tree, Base: true}, target, nil, nil)
			}
			return state, x.children[n], x.bad[targetID] != nil
		}
		whole, wantChildren, wantBad := read(false, true)
		delta, children, bad := read(true, true)
		if bad != wantBad || delta.end != whole.end || !slices.Equal(delta.offsets, whole.offsets) || !slices.Equal(children, wantChildren) {
			t.Errorf("as a delta: %v %v end %d bad %v; whole: %v %v end %d bad %v",
				delta.offsets, children, delta.end, bad, whole.offsets, wantChildren, whole.end, wantBad)
		}
		if leaf, children, bad := read(true, false); bad != wantBad || leaf.offsets != nil || !slices.Equal(children, wantChildren) {
			t.Errorf("as a delta that is no base: %v bad %v; whole: %v bad %v", children, bad, wantChildren, wantBad)
		}
	})
}
