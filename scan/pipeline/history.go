package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/gitrepo"
	"github.com/keywright/keywright/scan/match"
	"github.com/keywright/keywright/scan/packfile"
)

// history scans every object of the repository's stores, or as much of it as is
// not remembered.
func (r *run) history(ctx context.Context) error {
	before := r.collect.levels()
	now, past := r.recall(ctx)
	if past != nil {
		err := r.resume(ctx, past, now)
		if err == nil {
			r.past = past
		}
		if !errors.Is(err, gitrepo.ErrRescan) {
			return err
		}
	}
	r.collect.lower(before) // what is remembered may be gone
	return r.wholeHistory(ctx, now)
}

// maxObject is the size of the largest object that is read.
func (r *run) maxObject() int64 { return r.MaxMemory / objectShare }

func (r *run) wholeHistory(ctx context.Context, before *gitrepo.Inventory) error {
	h, err := r.repo.OpenHistory(ctx, gitrepo.HistoryOptions{
		Workers: r.workers, Memory: r.MaxMemory / 2, MaxObject: r.maxObject(),
	})
	if err != nil {
		return err
	}
	defer h.Close()
	blobs := &blobVisitor{run: r, total: int64(h.Count(packfile.Types(packfile.Blob))), scratch: make([]match.Scratch, r.workers), found: map[packfile.ID][]sighting{}, pointers: map[packfile.ID]bool{}}
	messages, known, err := r.walk(ctx, h, blobs, before != nil)
	if err != nil {
		r.unattributed(h, blobs)
		return err
	}
	first := len(r.places)
	if err := r.attribute(ctx, blobs, messages); err != nil {
		r.places = r.places[:first]
		r.unattributed(h, blobs)
		return err
	}
	covered := r.covered(h, blobs)
	r.cover(covered)
	if before != nil {
		r.keep(ctx, before, known, covered, first, blobs)
	}
	return nil
}

// walk judges all blobs, and meanwhile all messages, so that no core waits for the
// other at the end of either. What is known of the history is taken down, if it is to
// be remembered.
func (r *run) walk(ctx context.Context, h *gitrepo.History, blobs *blobVisitor, remember bool) (messages []message, known *gitrepo.Known, err error) {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		only := packfile.Types(packfile.Blob)
		if err := gitrepo.WalkHistory[*match.State](ctx, h, only, blobs); err != nil {
			return err
		}
		return gitrepo.Recover[*match.State](ctx, h, only, blobs)
	})
	var graph *gitrepo.Graph
	g.Go(func() (err error) {
		var mu sync.Mutex
		scratch := make([]match.Scratch, r.workers)
		graph, err = h.Graph(ctx, func(worker int, id packfile.ID, t packfile.Type, text []byte) {
			if seen := r.collect.judge(&scratch[worker], text); len(seen) > 0 {
				mu.Lock()
				messages = append(messages, message{id, t, seen})
				mu.Unlock()
			}
		})
		if err == nil && remember {
			known = graph.Known()
		}
		return err
	})
	err = g.Wait()
	if err == nil {
		r.graph = graph
	}
	return messages, known, err
}

// keep takes down what is to be remembered, unless the repository has changed
// while it was read, or has gaps that someone may mend.
func (r *run) keep(ctx context.Context, before *gitrepo.Inventory, known *gitrepo.Known, covered scan.Coverage, first int, blobs *blobVisitor) {
	if len(covered.Gaps) != r.graph.Cut() {
		return
	}
	after, err := r.repo.Inventory(ctx)
	if err != nil || !after.Equal(before) {
		return
	}
	known.Frail = r.graph.Frail()
	k := kept{before, known, covered, slices.Clone(r.places[first:]), map[gitrepo.ID][]sighting{}, map[versionsOf]map[gitrepo.ID]bool{}}
	for id, seen := range blobs.found {
		if len(r.wanted(seen)) > 0 {
			k.blobs[id] = seen
		}
	}
	r.graph.Versions(func(secret int, path string, blob gitrepo.ID) {
		key := versionsOf{secret, path}
		if k.versions[key] == nil {
			k.versions[key] = map[gitrepo.ID]bool{}
		}
		k.versions[key][blob] = true
	})
	r.memory = k
}

// excludedLFS is what pointers to large files are counted as.
const excludedLFS = "git-lfs content"

// covered is what of the stores was read.
func (r *run) covered(h *gitrepo.History, blobs *blobVisitor) (c scan.Coverage) {
	n, bytes := h.Seen(packfile.Blob)
	commits, commitBytes := h.Seen(packfile.Commit)
	_, tagBytes := h.Seen(packfile.Tag)
	c.Blobs, c.Commits, c.Bytes = n, commits, bytes+commitBytes+tagBytes
	c.Gaps = h.Gaps()
	c.Excluded = excludeIn(nil, excludedLFS, len(blobs.pointers))
	if r.graph != nil {
		c.Excluded = excludeIn(c.Excluded, "submodule commit", r.graph.Submodules())
	}
	return c
}

// blobVisitor judges blobs along their delta chains.
type blobVisitor struct {
	run     *run
	scratch []match.Scratch
	total   int64
	done    atomic.Int64

	mu       sync.Mutex
	found    map[packfile.ID][]sighting
	pointers map[packfile.ID]bool
}

// Lost does nothing: History keeps count of what is lost.
func (v *blobVisitor) Lost(packfile.Object, error) {}

// Visit judges one blob.
func (v *blobVisitor) Visit(worker int, o packfile.Object, content []byte, base **match.State, copies []scan.Copy) *match.State {
	e, s := v.run.collect.engine, &v.scratch[worker]
	var state *match.State
	if base != nil {
		state = e.Delta(s, *base, content, copies)
	} else {
		state = e.Whole(s, content)
	}
	if n := v.done.Add(1); n&0x3FF == 0 {
		v.run.progress("history", n, v.total)
	}
	if isPointer(content) {
		v.mu.Lock()
		v.pointers[o.ID] = true
		v.mu.Unlock()
	}
	if verdicts := state.Verdicts(); len(verdicts) > 0 {
		seen := v.run.collect.sightings(content, verdicts)
		v.mu.Lock()
		v.found[o.ID] = seen
		v.mu.Unlock()
	}
	if !o.Base {
		return nil
	}
	return state.Keep()
}

// unattributed keeps what an interrupted scan found: the objects, without commits.
func (r *run) unattributed(h *gitrepo.History, blobs *blobVisitor) {
	for id, seen := range blobs.found {
		for _, s := range seen {
			r.places = append(r.places, found{s, scan.Place{Source: scan.SourceHistory, Object: id.String(), Versions: 1}})
		}
	}
	r.cover(r.covered(h, blobs))
}

// message is what was seen in the message of a commit or tag.
type message struct {
	id   packfile.ID
	kind packfile.Type
	seen []sighting
}

// attribute finds out which commits brought what the blobs hold.
func (r *run) attribute(ctx context.Context, blobs *blobVisitor, messages []message) error {
	r.progress("attribution", 0, 0)
	secrets := map[packfile.ID][]int{}
	for id, seen := range blobs.found {
		if s := r.wanted(seen); len(s) > 0 {
			secrets[id] = s
		}
	}
	introductions, err := r.graph.Introductions(ctx, secrets, r.namesOf(blobs, secrets))
	if err != nil {
		return err
	}
	seen := sightingsBySecret(blobs.found)
	for i := range introductions {
		r.introduce(&introductions[i], seen)
	}
	for _, m := range messages {
		r.message(m, !r.graph.Reachable(m.id))
	}
	r.unwanted(blobs.found, secrets)
	return nil
}

// namesOf is how attribution finds files by their names. They are added to what the
// blobs hold, and to the secrets that are attributed; nil if no rule asks for any.
func (r *run) namesOf(blobs *blobVisitor, secrets map[packfile.ID][]int) *gitrepo.Names {
	if len(r.names.globs) == 0 {
		return nil
	}
	return &gitrepo.Names{Match: r.names.match, Secrets: func(id packfile.ID, name string) (numbers []int) {
		for _, s := range r.namedBlob(name, id) {
			numbers = append(numbers, s.secret)
			if !slices.Contains(secrets[id], s.secret) { // another name of the rule's
				secrets[id] = append(secrets[id], s.secret)
				blobs.found[id] = append(blobs.found[id], s)
			}
		}
		return numbers
	}}
}

// wanted are the distinct secrets among sightings that may be reported.
func (r *run) wanted(seen []sighting) []int {
	var out []int
	for _, s := range seen {
		if r.isWanted(s.secret) {
			out = append(out, s.secret)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// isWanted reports whether a secret may be reported; otherwise it is only counted.
// Files that are known by their names are few: all of them are attributed.
func (r *run) isWanted(secret int) bool {
	s := r.collect.secrets[secret]
	return s.best >= r.Level || s.named
}

// counts are what was recognised of secrets that are only counted.
type counts map[counted]bool

type counted struct {
	secret int
	rec    *recognition
}

// first reports whether nothing like a sighting was met before.
func (c counts) first(s sighting) bool {
	key := counted{s.secret, s.rec}
	met := c[key]
	c[key] = true
	return !met
}

// unwanted keeps one place of each secret that is only counted.
func (r *run) unwanted(all map[packfile.ID][]sighting, attributed map[packfile.ID][]int) {
	counted := counts{}
	for id, seen := range all {
		placed := make(map[int]bool, len(attributed[id]))
		for _, secret := range attributed[id] {
			placed[secret] = true
		}
		for _, s := range seen {
			if !placed[s.secret] && counted.first(s) {
				r.places = append(r.places, found{s, scan.Place{Source: scan.SourceHistory, Object: id.String()}})
			}
		}
	}
}

// secretIn is a secret in a blob.
type secretIn struct {
	blob   packfile.ID
	secret int
}

func sightingsBySecret(all map[packfile.ID][]sighting) map[secretIn][]sighting {
	out := map[secretIn][]sighting{}
	for id, seen := range all {
		for _, s := range seen {
			at := secretIn{id, s.secret}
			out[at] = append(out[at], s)
		}
	}
	return out
}

// introduce adds the places of a secret in the blob that a commit brought.
func (r *run) introduce(in *gitrepo.Introduction, all map[secretIn][]sighting) {
	place := scan.Place{Source: scan.SourceHistory, Path: in.Path, Object: in.Blob.String(),
		AtTip: in.AtTip, Unreachable: in.Unreachable, Versions: in.Versions}
	if in.Note {
		place.Source = scan.SourceNote
	}
	if !in.Commit.IsZero() {
		place.Commit = in.Commit.String()
	}
	for _, s := range all[secretIn{in.Blob, in.Secret}] {
		r.places = append(r.places, found{s, place})
	}
}

func (r *run) message(m message, unreachable bool) {
	r.places = append(r.places, r.messagePlaces(m, unreachable)...)
}

func (r *run) messagePlaces(m message, unreachable bool) (places []found) {
	place := scan.Place{Source: scan.SourceMessage, Object: m.id.String(), Commit: m.id.String(), Unreachable: unreachable}
	if m.kind == packfile.Tag {
		place.Source, place.Commit = scan.SourceTag, ""
	}
	for _, s := range m.seen {
		places = append(places, found{s, place})
	}
	return places
}

// sign fills in who made the commits of some places, and when.
func (r *run) sign(places []scan.Place) error {
	for i := range places {
		p := &places[i]
		var line []byte
		switch {
		case p.Commit != "":
			id, err := packfile.ParseID(p.Commit)
			if err != nil {
				return err
			}
			c, err := r.store.Commit(id)
			if err != nil {
				continue // it is a gap already
			}
			line = c.Author
		case p.Source == scan.SourceTag:
			id, err := packfile.ParseID(p.Object)
			if err != nil {
				return err
			}
			_, data, err := r.store.Object(id)
			if err != nil {
				continue
			}
			tag, err := gitrepo.ParseTag(data)
			if err != nil {
				return fmt.Errorf("tag %s: %w", p.Object, err)
			}
			line = tag.Tagger
		default:
			continue
		}
		sig := gitrepo.ParseSignature(line)
		p.Author, p.Email, p.Date = strings.Clone(string(sig.Name)), string(sig.Email), sig.When
	}
	return nil
}
