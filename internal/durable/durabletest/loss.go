package durabletest

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
)

// The ways to lose power that are not left to chance.
const (
	Nothing = 0 // of what was not synchronised is there
	All     = 1 // of it is there: as if the process alone had died
	Chances = 2 // and more: some of it, in some order, as the number decides
)

// sector is what a disk writes whole. It is small, so that small files have several.
const sector = 64

// Lose returns what may be found after a power cut when the first n operations were
// begun. The same way gives the same. What is synchronised at a site that is deaf does
// not last for that.
//
// Of a file's data that was not synchronised, any sectors are there, or are zeros; of a
// directory's entries any are, in any order; and neither waits for the other. Only a
// rename is one change.
func (r *Recorder) Lose(n int, way uint64, deaf Site) Tree {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := disk{rng: rand.New(rand.NewPCG(way, uint64(n))), way: way, files: map[int]*content{}, dirs: map[int]*entries{}}
	d.dirs[0] = &entries{lasting: map[string]int{}}
	for _, o := range r.ops[:n] {
		if o.site != "" && o.site == deaf {
			continue
		}
		d.apply(o)
	}
	t := Tree{}
	d.collect(0, "", t)
	return t
}

// Tree is what is found on a disk: files and directories by their paths.
type Tree map[string]Node

// Node is one of them.
type Node struct {
	Dir  bool
	Mode fs.FileMode
	Data []byte
}

// Digest is the same for trees that nothing could tell apart.
func (t Tree) Digest() [sha256.Size]byte {
	h := sha256.New()
	for _, path := range slices.Sorted(maps.Keys(t)) {
		n := t[path]
		fmt.Fprintf(h, "%q %v %v %d\n", path, n.Dir, n.Mode, len(n.Data))
		h.Write(n.Data)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// Write makes the tree below a directory.
func (t Tree) Write(root string) error {
	for _, path := range slices.Sorted(maps.Keys(t)) { // directories come before what is in them
		n, full := t[path], filepath.Join(root, path)
		var err error
		if n.Dir {
			err = os.Mkdir(full, 0o700)
		} else {
			err = os.WriteFile(full, n.Data, n.Mode)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// disk is what lasts, and what does not yet.
type disk struct {
	rng   *rand.Rand
	way   uint64
	files map[int]*content
	dirs  map[int]*entries
}

type content struct {
	mode    fs.FileMode
	lasting []byte
	pending []op
}

type entries struct {
	lasting map[string]int
	pending []op
}

func (d *disk) apply(o op) {
	switch o.kind {
	case opFile:
		d.files[o.node] = &content{mode: 0o600}
		d.dirs[o.dir].pending = append(d.dirs[o.dir].pending, o)
	case opMkdir:
		d.dirs[o.node] = &entries{lasting: map[string]int{}}
		d.dirs[o.dir].pending = append(d.dirs[o.dir].pending, o)
	case opRename, opRemove:
		d.dirs[o.dir].pending = append(d.dirs[o.dir].pending, o)
	case opWrite, opCut:
		d.files[o.node].pending = append(d.files[o.node].pending, o)
	case opMode:
		d.files[o.node].mode = o.mode
	case opSync:
		f := d.files[o.node]
		for _, p := range f.pending {
			f.lasting = change(f.lasting, p)
		}
		f.pending = nil
	case opDir:
		e := d.dirs[o.node]
		for _, p := range e.pending {
			p.enter(e.lasting)
		}
		e.pending = nil
	}
}

// change is a write or a cut.
func change(b []byte, o op) []byte {
	if o.kind == opCut {
		if o.at <= int64(len(b)) {
			return slices.Clone(b[:o.at])
		}
		return append(slices.Clone(b), make([]byte, o.at-int64(len(b)))...)
	}
	b = slices.Clone(b)
	if missing := int(o.at) + len(o.data) - len(b); missing > 0 {
		b = append(b, make([]byte, missing)...)
	}
	copy(b[o.at:], o.data)
	return b
}

func (o op) enter(names map[string]int) {
	switch o.kind {
	case opFile, opMkdir:
		names[o.name] = o.node
	case opRename:
		if names[o.name] == o.node {
			delete(names, o.name)
		}
		names[o.to] = o.node
	case opRemove:
		delete(names, o.name)
	}
}

// collect puts what is in the directory of a node into a tree.
func (d *disk) collect(node int, path string, t Tree) {
	names := d.names(d.dirs[node])
	for _, name := range slices.Sorted(maps.Keys(names)) {
		n, child := names[name], filepath.Join(path, name)
		if d.dirs[n] != nil {
			t[child] = Node{Dir: true}
			d.collect(n, child, t)
			continue
		}
		t[child] = Node{Mode: d.files[n].mode, Data: d.data(d.files[n])}
	}
}

// names are a directory's entries after the loss.
func (d *disk) names(e *entries) map[string]int {
	names := maps.Clone(e.lasting)
	pending := slices.Clone(e.pending)
	if d.way >= Chances && d.rng.IntN(2) == 0 {
		d.rng.Shuffle(len(pending), func(i, j int) { pending[i], pending[j] = pending[j], pending[i] })
	}
	for _, o := range pending {
		if d.way == All || d.way >= Chances && d.rng.IntN(3) > 0 {
			o.enter(names)
		}
	}
	return names
}

// data is a file's content after the loss.
func (d *disk) data(f *content) []byte {
	b := f.lasting
	if d.way == Nothing {
		return b
	}
	for _, o := range f.pending {
		switch {
		case d.way == All, o.kind == opCut && d.rng.IntN(2) == 0:
			b = change(b, o)
		case o.kind == opWrite:
			b = d.tear(b, o)
		}
	}
	return b
}

// tear applies parts of a write: a beginning, or any sectors; or the file has grown
// and its new part is zeros.
func (d *disk) tear(b []byte, o op) []byte {
	switch d.rng.IntN(4) {
	case 0:
		return change(b, op{kind: opWrite, at: o.at, data: o.data[:d.rng.IntN(len(o.data)+1)]})
	case 1:
		if end := o.at + int64(len(o.data)); end > int64(len(b)) {
			return change(b, op{kind: opCut, at: end})
		}
		return b
	}
	at := o.at
	for part := range slices.Chunk(o.data, sector) {
		if d.rng.IntN(2) == 0 {
			b = change(b, op{kind: opWrite, at: at, data: part})
		}
		at += int64(len(part))
	}
	return b
}
