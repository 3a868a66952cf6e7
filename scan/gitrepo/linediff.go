package gitrepo

import "bytes"

// LineRange is a range of lines, counted from 1, both ends included.
type LineRange struct{ First, Last int }

// AddedLines returns the lines of content that are added against every one of
// the old contents, in order and not touching each other. Without old contents
// that is all of them. Lines end after each "\n"; what follows the last one is a
// line too.
//
// What is left without the added lines is a common subsequence of content and
// each old one, the longest unless the cost limit is reached.
func AddedLines(old [][]byte, content []byte) []LineRange {
	lines := splitLines(content)
	added := make([]bool, len(lines))
	for i := range added {
		added[i] = true
	}
	for _, o := range old {
		unmark(added, splitLines(o), lines, maxDiffSteps)
	}
	return ranges(added)
}

// maxDiffSteps bounds the work on one pair of contents, to some tenths of a
// second. What is not matched by then counts as added: more is reported, never less.
const maxDiffSteps = 1 << 26

func splitLines(b []byte) [][]byte {
	lines := make([][]byte, 0, bytes.Count(b, []byte("\n"))+1)
	for len(b) > 0 {
		n := bytes.IndexByte(b, '\n') + 1
		if n == 0 {
			n = len(b)
		}
		lines = append(lines, b[:n])
		b = b[n:]
	}
	return lines
}

func ranges(added []bool) []LineRange {
	var all []LineRange
	for i, is := range added {
		switch {
		case !is:
		case i > 0 && added[i-1]:
			all[len(all)-1].Last = i + 1
		default:
			all = append(all, LineRange{i + 1, i + 1})
		}
	}
	return all
}

// unmark clears added for the lines of b that a longest common subsequence with
// a keeps.
func unmark(added []bool, a, b [][]byte, steps int) {
	start := 0
	for start < len(a) && start < len(b) && bytes.Equal(a[start], b[start]) {
		added[start] = false
		start++
	}
	endA, endB := len(a), len(b)
	for endA > start && endB > start && bytes.Equal(a[endA-1], b[endB-1]) {
		endA--
		endB--
		added[endB] = false
	}
	if start == endA || start == endB {
		return
	}
	d := lineDiff{steps: steps}
	d.intern(a[start:endA], b[start:endB])
	d.forward = make([]int32, len(d.a)+len(d.b)+3)
	d.backward = make([]int32, len(d.a)+len(d.b)+3)
	d.keep = func(i int) { added[start+d.at[i]] = false }
	d.compare(0, len(d.a), 0, len(d.b))
}

// lineDiff is Myers' algorithm in linear space ("An O(ND) difference algorithm
// and its variations", 1986) over lines that are numbers.
type lineDiff struct {
	a, b              []int32
	at                []int // the line's position of each element of b
	forward, backward []int32
	steps             int
	keep              func(i int)
}

// intern numbers the lines. A line that the other side does not have can be in
// no common subsequence and is left out.
func (d *lineDiff) intern(a, b [][]byte) {
	number := make(map[string]int32, len(a))
	ids := make([]int32, len(a))
	for i, line := range a {
		n, ok := number[string(line)]
		if !ok {
			n = int32(len(number))
			number[string(line)] = n
		}
		ids[i] = n
	}
	inB := make([]bool, len(number))
	for i, line := range b {
		if n, ok := number[string(line)]; ok {
			inB[n] = true
			d.b = append(d.b, n)
			d.at = append(d.at, i)
		}
	}
	for _, n := range ids {
		if inB[n] {
			d.a = append(d.a, n)
		}
	}
}

// compare keeps the common lines of a[a0:a1] and b[b0:b1].
func (d *lineDiff) compare(a0, a1, b0, b1 int) {
	for {
		for a0 < a1 && b0 < b1 && d.a[a0] == d.b[b0] {
			d.keep(b0)
			a0++
			b0++
		}
		for a0 < a1 && b0 < b1 && d.a[a1-1] == d.b[b1-1] {
			a1--
			b1--
			d.keep(b1)
		}
		if a0 == a1 || b0 == b1 {
			return
		}
		x, y, ok := d.middle(d.a[a0:a1], d.b[b0:b1])
		if !ok {
			return
		}
		d.compare(a0, a0+x, b0, b0+y)
		a0, b0 = a0+x, b0+y
	}
}

// Marks of diagonals that no path of so many edits reaches within the box.
const (
	noForward  = -1 << 30
	noBackward = 1 << 30
)

// middle returns a point in the middle of a shortest edit path: the paths that
// reach furthest from both ends are grown in turn until they meet. Diagonal k
// holds the points with x-y = k, from -m to n. It fails when the steps are used up.
func (d *lineDiff) middle(a, b []int32) (x, y int, ok bool) {
	n, m := len(a), len(b)
	delta, base := n-m, m+1
	fwd, bwd := d.forward, d.backward
	for dist := 0; d.steps >= 0; dist++ {
		for k := max(-dist, -m+(dist+m)&1); k <= min(dist, n); k += 2 {
			x := furthest(fwd[base+k-1:base+k+2], k, dist, n, m)
			from := x
			for x >= 0 && x < n && x-k < m && a[x] == b[x-k] {
				x++
			}
			fwd[base+k] = int32(x)
			d.steps -= 1 + x - from
			if delta&1 != 0 && abs(k-delta) < dist && x >= int(bwd[base+k]) {
				return x, x - k, true
			}
		}
		lowest := max(delta-dist, -m+(dist+m+delta)&1)
		for k := lowest; k <= min(delta+dist, n); k += 2 {
			x := nearest(bwd[base+k-1:base+k+2], k, delta, dist, n)
			from := x
			for x > 0 && x <= n && x-k > 0 && a[x-1] == b[x-k-1] {
				x--
			}
			bwd[base+k] = int32(x)
			d.steps -= 1 + from - x
			if delta&1 == 0 && abs(k) <= dist && x <= int(fwd[base+k]) {
				return x, x - k, true
			}
		}
	}
	return 0, 0, false
}

// furthest is where a forward path of dist edits enters diagonal k; v holds what
// dist-1 edits reach on the diagonals k-1 and k+1.
func furthest(v []int32, k, dist, n, m int) int {
	if dist == 0 {
		return 0
	}
	best := noForward
	if x := int(v[0]) + 1; k > -dist && k > -m && x > 0 && x <= n {
		best = x
	}
	if x := int(v[2]); k < dist && k < n && x >= 0 && x-k <= m && x > best {
		best = x
	}
	return best
}

// nearest is where a backward path of dist edits enters diagonal k.
func nearest(v []int32, k, delta, dist, n int) int {
	if dist == 0 {
		return n
	}
	best := noBackward
	if x := int(v[2]) - 1; k < delta+dist && k < n && x >= 0 && x < n {
		best = x
	}
	if x := int(v[0]); k > delta-dist && x <= n && x-k >= 0 && x < best {
		best = x
	}
	return best
}

func abs(x int) int { return max(x, -x) }
