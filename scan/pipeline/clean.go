package pipeline

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"slices"
	"sort"

	"github.com/keywright/keywright/scan/files"
)

// cleanFiles are the files of a work tree in which these rules find nothing, not even
// of low confidence: as long as the system vouches that they are what they were, they
// are not read again. A file is known by a keyed digest of its path and stamp.
type cleanFiles struct {
	run     *run
	before  []cleanDigest // sorted: what is remembered
	workers []cleanWorker
}

type cleanDigest [16]byte

// cleanWorker is what a goroutine that reads files needs for itself.
type cleanWorker struct {
	mac   hash.Hash
	sum   []byte
	input []byte
	clean []cleanDigest
	hit   bool // something was found in the file that is being read
}

// recallClean loads what is remembered of the work tree's files; nil if nothing can be
// remembered.
func (r *run) recallClean() *cleanFiles {
	if r.cache == nil {
		return nil
	}
	c := &cleanFiles{run: r, workers: make([]cleanWorker, r.workers)}
	key := r.cache.Key("clean files")
	for i := range c.workers {
		c.workers[i].mac = hmac.New(sha256.New, key[:])
	}
	var flat []byte
	if r.forget || !r.cache.Load(r.cleanName(), &flat) {
		return c
	}
	c.before = make([]cleanDigest, len(flat)/len(cleanDigest{}))
	for i := range c.before {
		copy(c.before[i][:], flat[i*len(cleanDigest{}):])
	}
	return c
}

func (r *run) cleanName() string {
	return fmt.Sprintf("clean files\n%q\n%q\n%q\n%q", r.repo.WorkTree, r.Version, program(), r.collect.engine.Digest())
}

func (w *cleanWorker) digest(path string, s files.Stamp) (d cleanDigest) {
	w.input = append(w.input[:0], path...)
	for _, n := range []uint64{s.Device, s.Inode, uint64(s.Size), uint64(s.Modified), uint64(s.Changed)} {
		w.input = binary.BigEndian.AppendUint64(w.input, n)
	}
	w.mac.Reset()
	w.mac.Write(w.input)
	w.sum = w.mac.Sum(w.sum[:0])
	copy(d[:], w.sum)
	return d
}

// known implements files.Options.Known.
func (c *cleanFiles) known(path string, s files.Stamp, worker int) bool {
	w := &c.workers[worker]
	d := w.digest(path, s)
	i := sort.Search(len(c.before), func(i int) bool { return bytes.Compare(c.before[i][:], d[:]) >= 0 })
	if i == len(c.before) || c.before[i] != d {
		return false
	}
	w.clean = append(w.clean, d)
	return true
}

// saw notes what was found in a document: files come in chunks, one after the other from
// each worker.
func (c *cleanFiles) saw(d *files.Document, found bool) {
	w := &c.workers[d.Worker]
	w.hit = found || w.hit && !d.First
	if d.Last && !w.hit && d.Stamp != (files.Stamp{}) {
		w.clean = append(w.clean, w.digest(d.Path, d.Stamp))
	}
}

// remember saves which files were clean, if that has changed. Failing to is no failure
// of the scan.
func (c *cleanFiles) remember() {
	var now []cleanDigest
	for i := range c.workers {
		now = append(now, c.workers[i].clean...)
	}
	slices.SortFunc(now, func(a, b cleanDigest) int { return bytes.Compare(a[:], b[:]) })
	if slices.Equal(now, c.before) {
		return
	}
	flat := make([]byte, 0, len(now)*len(cleanDigest{}))
	for i := range now {
		flat = append(flat, now[i][:]...)
	}
	_ = c.run.cache.Save(c.run.cleanName(), flat) // the next scan takes longer, no more
}
