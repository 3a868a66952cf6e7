package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"runtime/debug"
	"slices"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/cache"
	"github.com/keywright/keywright/scan/gitrepo"
	"github.com/keywright/keywright/scan/match"
	"github.com/keywright/keywright/scan/packfile"
)

// memory is what is remembered of a scan of a history: enough to report it again,
// and to go on where only loose objects and references were added. It holds no
// secret.
type memory struct {
	Inventory *gitrepo.Inventory
	Known     *gitrepo.Known
	Coverage  scan.Coverage
	Salt      []byte // of the fingerprints
	LocalSalt bool

	Secrets  []memorySecret
	Recs     []memoryRec
	Blobs    []memoryBlob // those with secrets that were attributed
	Places   []memoryPlace
	Versions []memoryVersions
}

type memorySecret struct {
	Digest      []byte // under the cache's key
	Shown       string
	Fingerprint string // empty if it was not needed
	Best        scan.Confidence
	Wanted      bool // its places were looked for; otherwise it was only counted
	Named       bool // it is a file, by its name
}

type memoryRec struct {
	Rule       string
	Confidence scan.Confidence
	Proof      scan.Proof
	Reasons    []string
	PublicID   string
	Parts      []memoryPart
	Held       []int32
	Allowed    bool
}

type memoryPart struct {
	Part   shownPart
	Digest []byte
}

type memorySighting struct {
	Secret, Rec                      int
	Line, Column, EndLine, EndColumn int
	Via                              string
}

type memoryBlob struct {
	ID   gitrepo.ID
	Seen []memorySighting
}

type memoryPlace struct {
	Seen  memorySighting
	Place scan.Place
}

// memoryVersions are the blobs at a path that hold a secret.
type memoryVersions struct {
	Secret int
	Path   string
	Blobs  gitrepo.IDs
}

// errStale says that something was needed that is not remembered: the scan is done
// again without memory.
var errStale = errors.New("the cache does not hold enough")

// past is a memory that was loaded, with its numbers turned into the collector's.
type past struct {
	*memory
	recs    []*recognition
	secrets []int
}

// memoryName names everything beside the repository's content that decides what
// is found.
func (r *run) memoryName() string {
	return fmt.Sprintf("history\n%q\n%q\n%q\n%q\n%d\n%d\n%q", r.repo.CommonDir, r.Version, program(),
		r.collect.engine.Digest(), r.Level, r.MaxMemory, r.config.RepositoryID)
}

// program names this build of the program: what rules check is code.
func program() string {
	var name string
	if exe, err := os.Executable(); err == nil {
		if info, err := os.Stat(exe); err == nil {
			name = fmt.Sprintln(info.Size(), info.ModTime().UnixNano())
		}
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		name += info.String()
	}
	return name
}

// recall loads what is remembered of the repository, and takes stock of what there
// is now. Both are nil if nothing can be remembered.
func (r *run) recall(ctx context.Context) (*gitrepo.Inventory, *past) {
	if r.cache == nil {
		return nil, nil
	}
	now, err := r.repo.Inventory(ctx)
	if err != nil {
		return nil, nil
	}
	var m memory
	if r.forget || !r.cache.Load(r.memoryName(), &m) || m.Inventory == nil || m.Known == nil {
		return now, nil
	}
	p := &past{memory: &m}
	if !p.restore(r.collect) {
		return now, nil
	}
	r.knownSalt = m.Salt
	return now, p
}

// restore gives the collector the secrets and recognitions of a memory. It reports
// false if the memory does not fit the rules.
func (p *past) restore(c *collector) bool {
	rules := c.engine.Rules()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range p.Secrets {
		if len(s.Digest) != len(c.key) {
			return false
		}
		n := c.number([32]byte(s.Digest))
		k := c.secrets[n]
		k.shown, k.fingerprint, k.best, k.named = s.Shown, s.Fingerprint, max(k.best, s.Best), k.named || s.Named
		p.secrets = append(p.secrets, n)
	}
	for _, m := range p.Recs {
		rule := rules[m.Rule]
		if rule == nil {
			return false
		}
		rec := &recognition{rule: rule, confidence: m.Confidence, proof: m.Proof, reasons: m.Reasons, publicID: m.PublicID, held: m.Held, allowed: m.Allowed}
		for _, q := range m.Parts {
			if len(q.Digest) != len(c.key) || q.Part.Public != slices.Contains(rule.Public, q.Part.Role) {
				return false
			}
			rec.parts = append(rec.parts, part{shownPart: q.Part, digest: [32]byte(q.Digest)})
		}
		p.recs = append(p.recs, rec)
	}
	return p.valid()
}

// valid checks the numbers of a memory.
func (p *past) valid() bool {
	fits := func(s memorySighting) bool {
		return s.Secret >= 0 && s.Secret < len(p.secrets) && s.Rec >= 0 && s.Rec < len(p.recs)
	}
	for _, b := range p.Blobs {
		if slices.ContainsFunc(b.Seen, func(s memorySighting) bool { return !fits(s) }) {
			return false
		}
	}
	return !slices.ContainsFunc(p.Places, func(q memoryPlace) bool { return !fits(q.Seen) }) &&
		!slices.ContainsFunc(p.Versions, func(v memoryVersions) bool { return v.Secret < 0 || v.Secret >= len(p.secrets) })
}

// sighting turns a remembered sighting into the collector's. The caller holds no
// lock.
func (p *past) sighting(c *collector, m memorySighting) sighting {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := p.secrets[m.Secret]
	return sighting{n, c.recognise(n, p.recs[m.Rec]), position{m.Line, m.Column, m.EndLine, m.EndColumn}, m.Via}
}

// fits reports whether the secrets whose places are remembered are those whose
// places are wanted now. What the work tree holds has a say in that.
func (p *past) fits(r *run) bool {
	for i, s := range p.Secrets {
		if s.Wanted != r.isWanted(p.secrets[i]) {
			return false
		}
	}
	return true
}

// resume reports what is remembered, brought up to date. It returns
// gitrepo.ErrRescan if it cannot.
func (r *run) resume(ctx context.Context, p *past, now *gitrepo.Inventory) error {
	switch {
	case !p.fits(r):
		return gitrepo.ErrRescan
	case !p.Inventory.Equal(now):
		return r.goOn(ctx, p, now)
	}
	for _, m := range p.Places {
		r.places = append(r.places, found{p.sighting(r.collect, m.Seen), m.Place})
	}
	r.cover(p.Coverage)
	return nil
}

// goOn brings a memory up to date with loose objects and references that were
// added. It returns gitrepo.ErrRescan if it cannot.
func (r *run) goOn(ctx context.Context, p *past, now *gitrepo.Inventory) error {
	u := &update{run: r, past: p, blobs: map[gitrepo.ID][]sighting{}, versions: map[versionsOf]map[gitrepo.ID]bool{}}
	for _, b := range p.Blobs {
		for _, m := range b.Seen {
			u.blobs[b.ID] = append(u.blobs[b.ID], p.sighting(r.collect, m))
		}
	}
	for _, v := range p.Versions {
		for _, id := range v.Blobs {
			u.version(p.secrets[v.Secret], v.Path, id)
		}
	}
	for _, m := range p.Places {
		u.places = append(u.places, found{p.sighting(r.collect, m.Seen), m.Place})
	}
	advance, err := r.repo.Advance(ctx, r.maxObject(), now, p.Inventory, p.Known, u.object)
	if err != nil {
		return err
	}
	if !p.fits(r) {
		return gitrepo.ErrRescan // places of a secret that was only counted are wanted now
	}
	if err := u.settle(ctx, advance, now); err != nil {
		return err
	}
	covered := p.Coverage
	covered.Blobs += advance.Blobs
	covered.Commits += advance.Commits
	covered.Bytes += advance.Bytes
	covered.Excluded = excludeIn(slices.Clone(covered.Excluded), excludedLFS, u.pointers)
	r.places = append(r.places, u.places...)
	r.cover(covered)
	r.memory = kept{now, p.Known, covered, u.places, u.blobs, u.versions}
	for id, seen := range u.blobs {
		if len(r.wanted(seen)) == 0 {
			delete(u.blobs, id)
		}
	}
	return nil
}

type versionsOf struct {
	secret int
	path   string
}

// update is one call of goOn.
type update struct {
	*run
	past     *past
	scratch  match.Scratch
	blobs    map[gitrepo.ID][]sighting
	places   []found
	versions map[versionsOf]map[gitrepo.ID]bool
	messages []message
	fresh    []gitrepo.ID // new blobs with something in them
	pointers int
}

func (u *update) version(secret int, path string, blob gitrepo.ID) {
	key := versionsOf{secret, path}
	if u.versions[key] == nil {
		u.versions[key] = map[gitrepo.ID]bool{}
	}
	u.versions[key][blob] = true
}

// object judges a new object.
func (u *update) object(id gitrepo.ID, t packfile.Type, content []byte) {
	seen := u.collect.judge(&u.scratch, content)
	switch {
	case t != packfile.Blob:
		if len(seen) > 0 {
			u.messages = append(u.messages, message{id, t, seen})
		}
		return
	case isPointer(content):
		u.pointers++
	}
	if len(seen) > 0 {
		u.blobs[id] = seen
		u.fresh = append(u.fresh, id)
	}
}

// settle makes the places right: what new commits brought, what is reachable now,
// and what is at the tips now.
func (u *update) settle(ctx context.Context, a *gitrepo.Advance, now *gitrepo.Inventory) error {
	attributed := map[gitrepo.ID]bool{}
	for _, c := range a.Changes {
		u.change(c, attributed)
	}
	brought := map[int]bool{} // files, by their names
	for _, f := range u.places {
		if f.rec.rule.Path != nil && f.place.Commit != "" {
			brought[f.secret] = true
		}
	}
	kept := u.places[:0]
	for _, f := range u.places {
		p := &f.place
		if p.Source == scan.SourceHistory && p.Commit == "" && u.isWanted(f.secret) {
			id, err := packfile.ParseID(p.Object)
			if err != nil {
				return gitrepo.ErrRescan
			}
			if brought[f.secret] || f.rec.rule.Path == nil && attributed[id] {
				continue // a commit holds it now
			}
			if now.Index.Has(id) != u.past.Inventory.Index.Has(id) && !u.past.Known.Names(id) {
				p.Unreachable = !now.Index.Has(id)
			}
		}
		kept = append(kept, f)
	}
	u.places = kept
	u.orphans(attributed, now)
	for _, m := range u.messages {
		u.places = append(u.places, u.messagePlaces(m, !a.Reached[m.id])...)
	}
	return u.tips(ctx, now)
}

// change adds the places that a new commit's file brought.
func (u *update) change(c gitrepo.CommitChange, attributed map[gitrepo.ID]bool) {
	attributed[c.New] = true
	if gitrepo.IsRegular(c.Mode) && u.names.match([]byte(path.Base(c.Path))) {
		u.nameIt(c)
	}
	for _, s := range u.blobs[c.New] {
		if !u.isWanted(s.secret) || !s.at(u.names, c.Path, c.Mode) {
			continue
		}
		u.version(s.secret, c.Path, c.New)
		inParent := slices.ContainsFunc(c.Old, func(id gitrepo.ID) bool {
			return slices.ContainsFunc(u.blobs[id], func(o sighting) bool { return o.secret == s.secret })
		})
		if !inParent {
			u.places = append(u.places, found{s, scan.Place{Source: scan.SourceHistory, Path: c.Path, Object: c.New.String(),
				Commit: c.Commit.String(), Unreachable: !c.Reached}})
		}
	}
}

// nameIt adds to what a blob holds what it is by its name.
func (u *update) nameIt(c gitrepo.CommitChange) {
	for _, s := range u.namedBlob(c.Path, c.New) {
		if !slices.ContainsFunc(u.blobs[c.New], func(o sighting) bool { return o.secret == s.secret }) {
			u.blobs[c.New] = append(u.blobs[c.New], s)
		}
	}
}

// orphans adds the new blobs that no commit holds, and counts what is only counted.
func (u *update) orphans(attributed map[gitrepo.ID]bool, now *gitrepo.Inventory) {
	counted := counts{}
	for _, f := range u.places {
		if !u.isWanted(f.secret) {
			counted.first(f.sighting)
		}
	}
	for _, id := range u.fresh {
		for _, s := range u.blobs[id] {
			place := scan.Place{Source: scan.SourceHistory, Object: id.String()}
			switch {
			case !u.isWanted(s.secret):
				if !counted.first(s) {
					continue
				}
			case attributed[id]:
				continue
			default:
				place.Unreachable = !now.Index.Has(id)
			}
			u.places = append(u.places, found{s, place})
		}
	}
}

// maxTipFiles bounds how many paths are looked for in how many tips.
const maxTipFiles = 200_000

// tips asks for each path with a secret whether some tip still holds it there, and
// counts the versions.
func (u *update) tips(ctx context.Context, now *gitrepo.Inventory) error {
	trees, err := u.store.TipTrees(append(slices.Clone(now.Tips), now.Head))
	if err != nil {
		return gitrepo.ErrRescan
	}
	blobs := map[string][]gitrepo.ID{} // of a path, at the tips
	for i := range u.places {
		f := &u.places[i]
		p := &f.place
		if p.Source != scan.SourceHistory && p.Source != scan.SourceNote || !u.isWanted(f.secret) {
			continue
		}
		p.Versions = max(1, len(u.versions[versionsOf{f.secret, p.Path}]))
		if p.Commit == "" {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		at, ok := blobs[p.Path]
		if !ok {
			if (len(blobs)+1)*len(trees) > maxTipFiles {
				return gitrepo.ErrRescan
			}
			if at, err = u.atTips(trees, p.Path); err != nil {
				return gitrepo.ErrRescan
			}
			blobs[p.Path] = at
		}
		p.AtTip = slices.ContainsFunc(at, func(id gitrepo.ID) bool {
			return slices.ContainsFunc(u.blobs[id], func(s sighting) bool { return s.secret == f.secret })
		})
	}
	return nil
}

// atTips are the distinct files at a path of some trees.
func (u *update) atTips(trees []gitrepo.ID, path string) (at []gitrepo.ID, err error) {
	for _, tree := range trees {
		id, ok, err := u.store.FileIn(tree, path)
		if err != nil {
			return nil, err
		}
		if ok && !slices.Contains(at, id) {
			at = append(at, id)
		}
	}
	return at, nil
}

// kept is what a scan of the history leaves for its memory.
type kept struct {
	inventory *gitrepo.Inventory // nil if nothing is to be remembered
	known     *gitrepo.Known
	coverage  scan.Coverage
	places    []found
	blobs     map[gitrepo.ID][]sighting
	versions  map[versionsOf]map[gitrepo.ID]bool
}

// remember saves what was found in the history. Failing to is no failure of the
// scan.
func (r *run) remember(ctx context.Context) {
	k := r.memory
	if r.cache == nil || k.inventory == nil || k.known == nil || r.findSalt(ctx) != nil {
		return
	}
	m := &memory{Inventory: k.inventory, Known: k.known, Coverage: k.coverage, Salt: r.salt, LocalSalt: r.local}
	recs := map[*recognition]int{}
	secrets := map[int]int{}
	keep := func(s sighting) memorySighting {
		if _, ok := secrets[s.secret]; !ok {
			secrets[s.secret] = len(m.Secrets)
			c := r.collect.secrets[s.secret]
			m.Secrets = append(m.Secrets, memorySecret{Digest: c.digest[:], Shown: c.shown, Fingerprint: c.fingerprint, Wanted: r.isWanted(s.secret), Named: c.named})
		}
		best := &m.Secrets[secrets[s.secret]].Best
		*best = max(*best, s.rec.confidence)
		if _, ok := recs[s.rec]; !ok {
			recs[s.rec] = len(m.Recs)
			m.Recs = append(m.Recs, memoryRecOf(s.rec))
		}
		return memorySighting{secrets[s.secret], recs[s.rec], s.span.line, s.span.column, s.span.endLine, s.span.endColumn, s.via}
	}
	for _, f := range k.places {
		m.Places = append(m.Places, memoryPlace{keep(f.sighting), f.place})
	}
	for id, seen := range k.blobs {
		b := memoryBlob{ID: id}
		for _, s := range seen {
			b.Seen = append(b.Seen, keep(s))
		}
		m.Blobs = append(m.Blobs, b)
	}
	for key, blobs := range k.versions {
		if n, ok := secrets[key.secret]; ok {
			v := memoryVersions{Secret: n, Path: key.path}
			for id := range blobs {
				v.Blobs = append(v.Blobs, id)
			}
			m.Versions = append(m.Versions, v)
		}
	}
	_ = r.cache.Save(r.memoryName(), m) // the next scan takes longer, no more
}

func memoryRecOf(rec *recognition) memoryRec {
	m := memoryRec{Rule: rec.rule.ID, Confidence: rec.confidence, Proof: rec.proof, Reasons: rec.reasons, PublicID: rec.publicID, Held: rec.held, Allowed: rec.allowed}
	for _, p := range rec.parts {
		m.Parts = append(m.Parts, memoryPart{p.shownPart, p.digest[:]})
	}
	return m
}

// openCache opens the cache if there is to be one. Without it a scan takes longer,
// no more.
func openCache(dir string) *cache.Cache {
	if dir == "" {
		return nil
	}
	c, err := cache.Open(dir)
	if err != nil {
		return nil
	}
	return c
}
