package launch

import (
	"bytes"
	"slices"
)

// words finds a set of words in a stream of bytes (the automaton of Aho and Corasick).
// A node stands for the beginning of a word; the automaton is always at the longest
// one that the bytes seen so far end with, so the time for a byte does not depend on
// how many words there are. It is not changed once it is made.
//
// Words are long and share little, so a node's first child nearly always stands just
// behind it: nodes are rows of slices, with lists of children, which need a twentieth
// of the memory of tables by byte. Node 0, where most text is, has a table.
type words struct {
	label   []byte  // the last byte of the beginning
	child   []int32 // the first child, 0 if there is none
	sibling []int32 // the parent's next child, 0 if there is none
	fail    []int32 // the longest other beginning that this one ends with
	depth   []int32 // the length of the beginning
	match   []int32 // the length of the longest word that this one ends with, or 0
	first   [256]int32
}

// newWords makes an automaton of words that are not empty. They may repeat.
func newWords(list [][]byte) *words {
	w := &words{}
	w.add(0, 0)
	for _, word := range sortedWords(list) {
		n := int32(0)
		for _, b := range word {
			c := w.find(n, b)
			if c == 0 {
				c = w.add(n, b)
			}
			n = c
		}
		w.match[n] = w.depth[n]
	}
	w.link()
	return w
}

// sortedWords brings words with a common beginning together.
func sortedWords(list [][]byte) [][]byte {
	list = slices.Clone(list)
	slices.SortFunc(list, bytes.Compare)
	return slices.CompactFunc(list, bytes.Equal)
}

// add makes a child of node n; the first node is the child of none.
func (w *words) add(n int32, b byte) int32 {
	c := int32(len(w.label))
	w.label = append(w.label, b)
	w.child = append(w.child, 0)
	w.sibling = append(w.sibling, 0)
	w.fail = append(w.fail, 0)
	w.match = append(w.match, 0)
	if c == 0 {
		w.depth = append(w.depth, 0)
		return c
	}
	w.depth = append(w.depth, w.depth[n]+1)
	w.sibling[c] = w.child[n]
	w.child[n] = c
	if n == 0 {
		w.first[b] = c
	}
	return c
}

// find returns the child of n by the byte b, 0 if there is none.
func (w *words) find(n int32, b byte) int32 {
	if n == 0 {
		return w.first[b]
	}
	c := w.child[n]
	for c != 0 && w.label[c] != b {
		c = w.sibling[c]
	}
	return c
}

// link sets fail and completes match, in the order of depth: both lead to nodes that
// are nearer to the first.
func (w *words) link() {
	level := []int32{0}
	for len(level) > 0 {
		var deeper []int32
		for _, n := range level {
			for c := w.child[n]; c != 0; c = w.sibling[c] {
				if n != 0 {
					w.fail[c] = w.next(w.fail[n], w.label[c])
				}
				w.match[c] = max(w.match[c], w.match[w.fail[c]])
				deeper = append(deeper, c)
			}
		}
		level = deeper
	}
}

// next returns the node after the byte b at node n.
func (w *words) next(n int32, b byte) int32 {
	for {
		if c := w.find(n, b); c != 0 {
			return c
		}
		if n == 0 {
			return 0
		}
		n = w.fail[n]
	}
}

// skip returns how many bytes p begins with that begin no word.
func (w *words) skip(p []byte) int {
	for i, b := range p {
		if w.first[b] != 0 {
			return i
		}
	}
	return len(p)
}
