package match

import (
	_ "embed"
	"math"
	"strconv"
	"strings"
	"sync"
)

// gramList holds the most frequent grams of source code, of three and four bytes
// and folded as the matcher folds them ('_' stands for 0x7f): a width, the bits of
// a frequency rounded down, and the grams of that frequency between bars. They were
// counted in the trees of Git, Go's and Python's standard libraries and several
// packages for Node.js, sixty megabytes of each at most, each with the same weight.
//
//go:embed grams.txt
var gramList string

// gramFrequencies are the grams of the list, with the width in the highest byte of
// the key for those of three bytes, and how often each of them stands at a place.
var gramFrequencies = sync.OnceValue(func() map[uint32]float64 {
	all := map[uint32]float64{}
	for line := range strings.Lines(gramList) {
		f := strings.SplitN(line, " ", 3)
		width, _ := strconv.Atoi(f[0])
		level, _ := strconv.Atoi(f[1])
		grams := strings.ReplaceAll(strings.Trim(f[2], "\n"), "_", "\x7f")
		for grams = grams[1 : len(grams)-1]; grams != ""; grams = grams[width:] {
			all[fold(grams[:width])] = math.Exp2(-float64(level) - 0.5)
		}
	}
	return all
})

// What a gram that is not listed cannot exceed, by its width.
var (
	unlisted3 = math.Exp2(-13)
	unlisted4 = math.Exp2(-14)
)

// gramFrequency is the estimated share of places where a folded gram of three or
// four bytes stands. One of three has a highest byte of zero.
func gramFrequency(gram uint32) float64 {
	if p, ok := gramFrequencies()[gram]; ok {
		return p
	}
	p, most := 1.0, unlisted3
	var last byte
	for g := gram; g != 0; g >>= 8 {
		b := toLower[byte(g)]
		p *= foldedFrequencies[b] * math.Exp2(pairBits(last, b))
		last = b
	}
	if gram>>24 != 0 {
		most = unlisted4
	}
	return min(p, most)
}

// foldedFrequencies are frequencies of bytes with bit 5 set.
var foldedFrequencies = func() (f [256]float64) {
	for i := range f {
		b := byte(i) | 0x20
		if f[i] = frequencies[b]; b < 'a' || b > 'z' {
			f[i] += frequencies[b&^0x20]
		}
	}
	return f
}()
