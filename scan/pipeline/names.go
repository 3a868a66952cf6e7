package pipeline

import (
	"bytes"
	"crypto/sha1"
	"fmt"
	"hash"
	"path"
	"slices"
	"strings"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/files"
	"github.com/keywright/keywright/scan/gitrepo"
	"github.com/keywright/keywright/scan/packfile"
	"github.com/keywright/keywright/secret"
)

// names are the rules that recognise a file by its name alone. What they find is
// known by the rule and the content's blob id: a file that is moved is the same
// finding, one that changes is another. Nothing is read of it but its beginning, for
// the rule's check. A file that is empty, or stands for Git LFS content, is none.
type names struct {
	globs []nameGlob
	last  [256]bool // the bytes that some matching name may end in
}

// nameGlob is one pattern of a rule. Most names are told apart by their ends.
type nameGlob struct {
	rule            *scan.Rule
	pattern, suffix string // suffix has no wildcard
}

func newNames(rules map[string]*scan.Rule) *names {
	n := &names{}
	for _, r := range rules {
		if r.Path == nil {
			continue
		}
		for _, g := range r.Path.Globs {
			n.globs = append(n.globs, nameGlob{r, g, g[strings.LastIndexAny(g, `*?[]\`)+1:]})
		}
	}
	slices.SortStableFunc(n.globs, func(a, b nameGlob) int { return strings.Compare(a.rule.ID, b.rule.ID) })
	for _, g := range n.globs {
		for b := range n.last {
			n.last[b] = n.last[b] || g.suffix == "" || g.suffix[len(g.suffix)-1] == byte(b)
		}
	}
	return n
}

func (g *nameGlob) matches(name []byte) bool {
	n := len(name) - len(g.suffix)
	if n < 0 || string(name[n:]) != g.suffix {
		return false
	}
	if g.suffix == g.pattern {
		return n == 0
	}
	ok, err := path.Match(g.pattern, string(name))
	return ok && err == nil
}

// match reports whether a file with a base name is one of some rule's.
func (n *names) match(name []byte) bool {
	if len(name) == 0 || !n.last[name[len(name)-1]] {
		return false
	}
	for i := range n.globs {
		if n.globs[i].matches(name) {
			return true
		}
	}
	return false
}

// rules are those that recognise a base name.
func (n *names) rules(name string) (all []*scan.Rule) {
	for i := range n.globs {
		if r := n.globs[i].rule; n.globs[i].matches([]byte(name)) && !slices.Contains(all, r) {
			all = append(all, r)
		}
	}
	return all
}

// at reports whether a sighting in a blob is one in a file at a path, too: what a
// name made of the blob holds for the rule's names only.
func (s *sighting) at(n *names, file string, mode uint32) bool {
	if s.rec.rule.Path == nil {
		return true
	}
	return gitrepo.IsRegular(mode) && slices.Contains(n.rules(path.Base(file)), s.rec.rule)
}

// nameHead is how much of a file's beginning a rule's check is shown, in bytes.
const nameHead = 4 << 10

// named are the sightings of a file by its name.
func (r *run) named(file string, id gitrepo.ID, data []byte) (seen []sighting) {
	if len(data) == 0 || isPointer(data) {
		return nil
	}
	for _, rule := range r.names.rules(path.Base(file)) {
		if s, ok := r.collect.file(rule, id, data[:min(len(data), nameHead)]); ok {
			seen = append(seen, s)
		}
	}
	return seen
}

// namedEntry are the sightings of an entry of a tree or index by its name.
func (r *run) namedEntry(file string, mode uint32, id gitrepo.ID, data []byte) []sighting {
	if !gitrepo.IsRegular(mode) {
		return nil
	}
	return r.named(file, id, data)
}

// namedBlob are the sightings of a blob of the stores by its name. One that cannot
// be read is a gap, and is known by its name all the same.
func (r *run) namedBlob(file string, id gitrepo.ID) (seen []sighting) {
	t, data, err := r.store.Object(id)
	switch {
	case err == nil && t == packfile.Blob:
		return r.named(file, id, data)
	case err != nil:
		for _, rule := range r.names.rules(path.Base(file)) {
			seen = append(seen, r.collect.unread(rule, id))
		}
	}
	return seen
}

// byName is the reason of every finding of a file.
const byName = "recognised by the file's name"

// file is the sighting of a file by a rule that knows it by its name; ok is false
// if the rule's check rejects its beginning.
func (c *collector) file(rule *scan.Rule, id gitrepo.ID, head []byte) (s sighting, ok bool) {
	var ev scan.Evidence
	if rule.Check != nil {
		ev = rule.Check(scan.Candidate{Text: head, Roles: []string{scan.RoleSecret}, Spans: [][]byte{head}})
	}
	if ev.Reject || rule.NeedsProof && ev.Proof != scan.Proved {
		return s, false
	}
	rec := &recognition{rule: rule, confidence: rule.Confidence, proof: ev.Proof, reasons: []string{byName}, publicID: ev.PublicID}
	switch ev.Proof {
	case scan.Proved:
		rec.confidence = scan.Certain
	case scan.Failed:
		rec.confidence = scan.Low
	}
	if ev.Cap > 0 {
		rec.confidence = min(rec.confidence, ev.Cap)
	}
	if ev.Reason != "" {
		rec.reasons = append(rec.reasons, ev.Reason)
	}
	return c.named(id, rec), true
}

// unread is the sighting of a file that cannot be read.
func (c *collector) unread(rule *scan.Rule, id gitrepo.ID) sighting {
	return c.named(id, &recognition{rule: rule, confidence: rule.Confidence, reasons: []string{byName}})
}

func (c *collector) named(id gitrepo.ID, rec *recognition) sighting {
	value := secret.New(fmt.Appendf(nil, "file\x00%s\x00%s", rec.rule.ID, id))
	digest := value.Digest(c.key[:])
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.number(digest)
	s := c.secrets[n]
	s.value, s.named = value, true
	return sighting{secret: n, rec: c.recognise(n, rec)}
}

// nameOf completes a finding that is a file: it is shown by its name at the first
// place, and has no value that could be shown.
func nameOf(f *scan.Finding) {
	if f.Rule.Path == nil {
		return
	}
	f.Secret = secret.Value{}
	if f.Redacted = path.Base(f.Places[0].Path); f.Places[0].Path == "" {
		f.Redacted = f.Rule.Path.Globs[0]
	}
	f.Parts = []scan.Part{{Role: scan.RoleSecret, Redacted: f.Redacted}}
}

// namedFiles finds files of the work tree by their names. Files come in chunks, one
// after the other from each worker.
type namedFiles struct {
	*run
	workers []namedFile
}

// namedFile is the file that a worker is reading.
type namedFile struct {
	sum  hash.Hash
	next int64 // offset of what is not hashed yet
	head []byte
}

// see returns the sightings when the last chunk of a file has come.
func (n *namedFiles) see(d *files.Document) []sighting {
	if base := path.Base(d.Path); d.Path == "" || !n.names.match([]byte(base)) {
		return nil
	}
	if d.Whole() {
		return n.named(d.Path, gitrepo.BlobID(d.Data), d.Data)
	}
	f := &n.workers[d.Worker]
	if d.First {
		f.sum, f.next, f.head = sha1.New(), 0, bytes.Clone(d.Data[:nameHead])
		fmt.Fprintf(f.sum, "blob %d\x00", d.Size)
	}
	f.sum.Write(d.Data[f.next-d.Offset:])
	f.next = d.Offset + int64(len(d.Data))
	if !d.Last {
		return nil
	}
	return n.named(d.Path, gitrepo.ID(f.sum.Sum(nil)), f.head)
}
