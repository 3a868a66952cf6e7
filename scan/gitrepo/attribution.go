package gitrepo

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/keywright/keywright/scan/packfile"
)

// Introduction is a place in history: a file of a commit that holds a secret
// while no parent's file at that path does.
type Introduction struct {
	Secret      int // the caller's number
	Blob        ID
	Path        string // raw bytes; empty for a blob that no tree holds
	Commit      ID     // zero if no commit holds the file
	AtTip       bool   // the file at that path of some branch tip holds the secret
	Unreachable bool   // no ref, reflog or stash leads to the commit
	Note        bool   // only refs/notes leads to it
	Versions    int    // distinct blobs at that path that hold the secret
}

// HistoryText is the message of a commit or of an annotated tag.
type HistoryText struct {
	ID          ID
	Type        packfile.Type
	Unreachable bool
}

// Graph is what the trees and commits of a history say.
type Graph struct {
	h       *History
	trees   *treeIndex
	commits *commitIndex
	secrets map[int32][]int // of a blob, by its number; sorted
	names   *Names          // nil if none are looked for
	marks   map[ID]uint8    // commits by how they are reached
	direct  map[ID]bool     // blobs that a root names
	named   []ID            // of direct, what roots other than indexes name
	absent  []ID            // roots that no store has
	missing []ID            // what roots and commits lead to and no store has

	kids    [][]child // of a tree, by its number: those below which hits lie
	hot     bitSet    // by number: trees below which hits lie
	cold    bitSet    // trees below which none do
	seen    []bool    // trees and blobs that some commit holds, by number
	results map[introKey]*Introduction
	version map[versionKey]map[int32]bool
	tips    map[versionKey]bool
	under   map[nameKey][]int // secrets that a blob is by its name
	brought map[int]int32     // of those, what some commit holds, and its blob

	depth, steps int  // of going through one tree
	cut          bool // some tree was too deep or too large
}

type introKey struct {
	secret int
	path   string
	commit ID
	blob   ID
}

type versionKey struct {
	secret int
	path   string
}

type nameKey struct {
	name uint32
	blob int32
}

// Names are files that are secrets by their base name, whatever they hold.
type Names struct {
	// Match reports whether a name is one of those. It is called for about every
	// entry of every tree, by several goroutines at once.
	Match func(name []byte) bool
	// Secrets gives the numbers of the secrets that a blob is under such a name.
	// They are others than those of any other blob. It is called by Introductions.
	Secrets func(blob ID, name string) []int
}

// How a commit is reached.
const (
	byHistory uint8 = 1
	byNotes   uint8 = 2
)

// Commits is the number of commits in the stores.
func (g *Graph) Commits() int { return len(g.commits.commits) }

// Cut is the number of commits whose parents a shallow boundary hides.
func (g *Graph) Cut() (n int) {
	for _, r := range g.commits.commits {
		if r.cut {
			n++
		}
	}
	return n
}

// Submodules is the number of distinct submodule commits that trees refer to, if
// trees have been walked.
func (g *Graph) Submodules() int {
	if g.trees == nil {
		return 0
	}
	return len(g.trees.gitlinks)
}

// Reachable reports whether some ref, reflog or stash leads to a commit or tag.
func (g *Graph) Reachable(id ID) bool { return g.marks[id] != 0 }

// FirstCommit returns the end of a commit's line of first parents, and whether
// it is one: a commit without parents, not one whose parents are cut away.
func (g *Graph) FirstCommit(id ID) (first ID, ok bool) {
	for seen := 0; seen <= len(g.commits.commits); seen++ {
		r := g.commits.find(id)
		if r == nil {
			return ID{}, false
		}
		if len(r.parents) == 0 {
			return id, !r.cut
		}
		id = r.parents[0]
	}
	return ID{}, false
}

// Graph walks commits and annotated tags, once each. Text, if set, is called with
// each message, by goroutines with distinct workers.
func (h *History) Graph(ctx context.Context, text func(worker int, id ID, t packfile.Type, message []byte)) (*Graph, error) {
	g := &Graph{h: h, secrets: map[int32][]int{}, direct: map[ID]bool{}, results: map[introKey]*Introduction{},
		version: map[versionKey]map[int32]bool{}, tips: map[versionKey]bool{}, under: map[nameKey][]int{}, brought: map[int]int32{}}
	var err error
	if g.commits, err = h.indexCommits(ctx, text); err != nil {
		return nil, err
	}
	if err := g.commits.substitute(); err != nil {
		return nil, err
	}
	g.commits.resolve()
	g.marks = make(map[ID]uint8, len(g.commits.commits))
	g.missing, err = g.reach(ctx)
	return g, err
}

// index walks the trees: again if only names, which are rare, ask for what is below
// them.
func (g *Graph) index(ctx context.Context, hits map[int32]bool) (err error) {
	var match func([]byte) bool
	if g.names != nil {
		match = g.names.Match
	}
	g.trees, err = g.h.indexTrees(ctx, hits, match, len(hits) > 0)
	if err == nil && !g.trees.keep && g.trees.named.Load() {
		g.trees, err = g.h.indexTrees(ctx, hits, match, true)
	}
	if err != nil {
		return err
	}
	for id, err := range g.trees.bad {
		g.h.gap("tree "+id.String(), err.Error(), "git fsck")
	}
	return nil
}

// reach marks commits, from all roots but notes first.
func (g *Graph) reach(ctx context.Context) (missing []ID, err error) {
	roots, gaps, err := g.h.repo.Roots(ctx)
	if err != nil {
		return nil, err
	}
	for _, gap := range gaps {
		g.h.gap(gap.What, gap.Why, gap.Hint)
	}
	var history, notes []ID
	for _, r := range roots {
		switch {
		case r.Kind == RootIndex:
			g.direct[r.ID] = true
			if !g.h.Has(r.ID) && r.ID != emptyTree {
				missing = append(missing, r.ID)
			}
			continue
		case (r.Kind == RootReflog || r.Kind == RootPseudo) && !g.h.Has(r.ID):
			g.absent = append(g.absent, r.ID)
			continue // Git lets them outlive what they name
		}
		if r.ofNotes() {
			notes = append(notes, r.ID)
		} else {
			history = append(history, r.ID)
		}
		named := g.commits.peel(r.ID)
		g.named = append(g.named, named)
		g.direct[named] = true
	}
	missing = append(missing, g.commits.reach(history, byHistory, g.marks)...)
	missing = append(missing, g.commits.reach(notes, byNotes, g.marks)...)
	for _, r := range g.commits.commits {
		if r.replaced && g.marks[r.id] != 0 {
			g.direct[r.ownTree] = true
		}
	}
	return missing, nil
}

// reportMissing turns missing objects that something reachable needs into gaps.
func (g *Graph) reportMissing(ctx context.Context) error {
	missing := slices.Clone(g.missing)
	hint := "git fsck"
	if g.h.repo.Partial() {
		hint = "git fetch --refetch --no-filter"
	}
	for _, r := range g.commits.commits {
		if r.treeNumber < 0 && g.marks[r.id] != 0 && r.tree != emptyTree {
			missing = append(missing, r.tree)
		}
	}
	if g.trees.missing || g.h.gone.any.Load() {
		needed, err := g.neededTrees(ctx)
		if err != nil {
			return err
		}
		absent, err := g.h.absent(ctx, needed)
		if err != nil {
			return err
		}
		missing = slices.AppendSeq(missing, maps.Keys(absent))
	}
	slices.SortFunc(missing, compareIDs)
	missing = slices.Compact(missing)
	const named = 5
	for i, id := range missing {
		if i == named {
			g.h.gap(fmt.Sprintf("%d more objects", len(missing)-named), g.missingWhy(), hint)
			break
		}
		g.h.gap("object "+id.String(), g.missingWhy(), hint)
	}
	return nil
}

func (g *Graph) missingWhy() string {
	if g.h.repo.Partial() {
		return "it is missing: this is a partial clone"
	}
	return "it is missing"
}

// neededTrees is the set of trees that reachable commits hold. Garbage may refer
// to what is gone.
func (g *Graph) neededTrees(ctx context.Context) (map[int32]bool, error) {
	x := g.trees
	if !x.keep {
		var err error
		if x, err = g.h.indexTrees(ctx, nil, nil, true); err != nil {
			return nil, err
		}
	}
	reachable := map[int32]bool{}
	var stack []int32
	push := func(id ID) {
		if n, ok := g.h.objects.find(id); ok && !reachable[n] {
			reachable[n] = true
			stack = append(stack, n)
		}
	}
	for _, r := range g.commits.commits {
		if g.marks[r.id] != 0 {
			push(r.tree)
		}
	}
	for id := range g.direct {
		push(id)
	}
	for len(stack) > 0 {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for _, c := range x.children[n] {
			if c.dir && !reachable[c.object] {
				reachable[c.object] = true
				stack = append(stack, c.object)
			}
		}
	}
	return reachable, nil
}

// Introductions walks the trees, and lists where secrets came in, in the order of
// secrets, paths and commits. It is given the numbers of the secrets in the blobs
// that have some; names may be nil. Objects that are referred to and missing become
// gaps. It is called once.
func (g *Graph) Introductions(ctx context.Context, secrets map[ID][]int, names *Names) ([]Introduction, error) {
	hits := map[int32]bool{}
	for id, s := range secrets {
		if n, ok := g.h.objects.find(id); ok {
			g.secrets[n], hits[n] = s, true
		}
	}
	g.names = names
	if err := g.index(ctx, hits); err != nil {
		return nil, err
	}
	if err := g.reportMissing(ctx); err != nil {
		return nil, err
	}
	if len(g.secrets) == 0 && !g.trees.named.Load() {
		return nil, nil
	}
	n := len(g.h.objects.ids)
	g.kids, g.seen, g.hot, g.cold = make([][]child, n), make([]bool, n), newBitSet(n), newBitSet(n)
	if err := g.lead(ctx); err != nil {
		return nil, err
	}
	if err := g.tipFiles(); err != nil {
		return nil, err
	}
	for i, r := range g.commits.sorted() {
		if i&0xFF == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		g.commit(r)
	}
	g.danglingTrees()
	g.danglingBlobs()
	g.cutShort()
	out := make([]Introduction, 0, len(g.results))
	for _, in := range g.results {
		in.Versions = max(1, len(g.version[versionKey{in.Secret, in.Path}]))
		out = append(out, *in)
	}
	slices.SortFunc(out, func(a, b Introduction) int {
		return cmp.Or(cmp.Compare(a.Secret, b.Secret), cmp.Compare(a.Path, b.Path), compareIDs(a.Commit, b.Commit), compareIDs(a.Blob, b.Blob))
	})
	return out, nil
}

// Versions calls f for each blob at each path that holds a secret. Call it after
// Introductions.
func (g *Graph) Versions(f func(secret int, path string, blob ID)) {
	for key, blobs := range g.version {
		for n := range blobs {
			f(key.secret, key.path, g.h.objects.ids[n])
		}
	}
}

// held are the secrets of a file: its blob's, and what its name makes of it.
func (g *Graph) held(c child) []int {
	if byName := g.byName(c); len(byName) > 0 {
		return slices.Concat(g.secrets[c.object], byName)
	}
	return g.secrets[c.object]
}

// byName are the secrets that a file is by its name.
func (g *Graph) byName(c child) []int {
	if !c.named {
		return nil
	}
	key := nameKey{c.name, c.object}
	secrets, ok := g.under[key]
	if !ok {
		secrets = g.names.Secrets(g.h.objects.ids[c.object], g.trees.names[c.name])
		g.under[key] = secrets
	}
	return secrets
}

func compareIDs(a, b ID) int { return slices.Compare(a[:], b[:]) }

// lead finds out below which commits' trees hits lie, on all cores: it takes the
// longest of what is to be known before places can be told.
func (g *Graph) lead(ctx context.Context) error {
	all, workers := g.commits.sorted(), g.h.options.Workers
	group, ctx := errgroup.WithContext(ctx)
	for worker := range workers {
		group.Go(func() error {
			for i, r := range all[len(all)*worker/workers : len(all)*(worker+1)/workers] {
				if i&0xFF == 0 && ctx.Err() != nil {
					return ctx.Err()
				}
				if r.treeNumber >= 0 {
					g.leads(r.treeNumber)
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// leads reports whether hits lie below a tree, and finds that out of all trees below
// it. It is safe for concurrent use: at worst two goroutines find out the same.
func (g *Graph) leads(tree int32) bool {
	if g.hot.has(tree) || g.cold.has(tree) {
		return g.hot.has(tree)
	}
	type frame struct {
		tree int32
		next int
		hot  bool
	}
	var room [16]frame
	stack := append(room[:0], frame{tree: tree})
descend:
	for len(stack) > 0 {
		f := &stack[len(stack)-1]
		for all := g.trees.children[f.tree]; f.next < len(all); f.next++ {
			switch c := &all[f.next]; {
			case !c.dir || g.hot.has(c.object):
				f.hot = true
			case !g.cold.has(c.object):
				stack = append(stack, frame{tree: c.object})
				continue descend
			}
		}
		if f.hot {
			g.hot.add(f.tree)
		} else {
			g.cold.add(f.tree)
		}
		stack = stack[:len(stack)-1]
	}
	return g.hot.has(tree)
}

// below returns the entries of a tree that are hits or lead to some.
func (g *Graph) below(tree int32) []child {
	if g.kids[tree] == nil && g.leads(tree) {
		for _, c := range g.trees.children[tree] {
			if !c.dir || g.leads(c.object) {
				g.kids[tree] = append(g.kids[tree], c)
			}
		}
	}
	return g.kids[tree]
}

// tipFiles notes which paths of which tips hold which secrets.
func (g *Graph) tipFiles() error {
	tips, err := g.h.repo.Tips()
	if err != nil {
		return err
	}
	if id := g.h.repo.Head.ID; !id.IsZero() {
		tips = append(tips, Root{ID: id})
	}
	seen := map[ID]bool{}
	for _, tip := range tips {
		g.steps = 0
		r := g.commits.find(g.commits.peel(tip.ID))
		if r == nil || seen[r.tree] {
			continue
		}
		seen[r.tree] = true
		if r.treeNumber >= 0 {
			g.files("", g.below(r.treeNumber), func(path string, c child) {
				for _, s := range g.held(c) {
					g.tips[versionKey{s, path}] = true
				}
			})
		}
	}
	return nil
}

// Bounds of going through one tree. A few trees that hold each other many times
// over make up more paths than any disk could hold.
const (
	maxSteps  = 1 << 18
	maxPlaces = 1 << 20 // of all secrets
)

// enter begins a directory, unless there are too many; leave must follow then.
func (g *Graph) enter(entries int) bool {
	if g.depth >= maxTreeDepth || g.steps+entries > maxSteps || len(g.results) > maxPlaces {
		g.cut = true
		return false
	}
	g.depth, g.steps = g.depth+1, g.steps+entries
	return true
}

func (g *Graph) leave() { g.depth-- }

// cutShort says so if some tree was not gone through whole, and sees to it that
// no secret is without a place.
func (g *Graph) cutShort() {
	if !g.cut {
		return
	}
	g.h.gap("paths in history", "directories are nested too deeply, or hold each other too often", "")
	placed := map[ID]bool{}
	for key := range g.results {
		placed[key.blob] = true
	}
	for blob, secrets := range g.secrets {
		if !placed[g.h.objects.ids[blob]] {
			g.orphan("", blob, secrets, false)
		}
	}
	for s, blob := range g.brought {
		if !placed[g.h.objects.ids[blob]] {
			g.orphan("", blob, []int{s}, false)
		}
	}
}

// files calls f for every file with a hit below some entries.
func (g *Graph) files(prefix string, kids []child, f func(path string, c child)) {
	if !g.enter(len(kids)) {
		return
	}
	defer g.leave()
	for _, c := range kids {
		path := prefix + g.trees.names[c.name]
		if c.dir {
			g.files(path+"/", g.below(c.object), f)
		} else {
			f(path, c)
		}
	}
}

// commit finds what one commit brought: it looks into the entries that differ
// from every parent's.
func (g *Graph) commit(r *commitRecord) {
	if r.treeNumber < 0 || !g.leads(r.treeNumber) {
		return
	}
	g.visit(r.treeNumber)
	parents := make([][]child, 0, len(r.up))
	for _, p := range r.up {
		switch p.treeNumber {
		case r.treeNumber:
			return
		case -1:
		default:
			parents = append(parents, g.below(p.treeNumber))
		}
	}
	g.steps = 0
	g.compare(r, "", g.below(r.treeNumber), parents)
}

func (g *Graph) compare(r *commitRecord, prefix string, kids []child, parents [][]child) {
	if !g.enter(len(kids)) {
		return
	}
	defer g.leave()
	for _, c := range kids {
		same := false
		var theirs []child // the parents' entries of that name
		for _, p := range parents {
			if i := slices.IndexFunc(p, func(q child) bool { return q.name == c.name }); i >= 0 {
				same = same || p[i].object == c.object && p[i].named == c.named
				theirs = append(theirs, p[i])
			}
		}
		if same {
			continue
		}
		path := prefix + g.trees.names[c.name]
		if !c.dir {
			g.file(r, path, c, theirs)
			continue
		}
		var below [][]child
		for _, t := range theirs {
			if t.dir {
				below = append(below, g.below(t.object))
			}
		}
		g.compare(r, path+"/", g.below(c.object), below)
	}
}

// file records the secrets that a commit brought to a path.
func (g *Graph) file(r *commitRecord, path string, c child, parents []child) {
	blob := c.object
	for _, s := range g.held(c) {
		key := versionKey{s, path}
		if g.version[key] == nil {
			g.version[key] = map[int32]bool{}
		}
		g.version[key][blob] = true
		if slices.ContainsFunc(parents, func(p child) bool { return !p.dir && slices.Contains(g.held(p), s) }) {
			continue
		}
		mark := g.marks[r.id]
		g.add(Introduction{Secret: s, Blob: g.h.objects.ids[blob], Path: path, Commit: r.id,
			AtTip: g.tips[key], Unreachable: mark == 0, Note: mark == byNotes})
	}
}

func (g *Graph) add(in Introduction) {
	g.results[introKey{in.Secret, in.Path, in.Commit, in.Blob}] = &in
}

// visit marks everything below a tree as held by some commit.
func (g *Graph) visit(tree int32) {
	if g.seen[tree] {
		return
	}
	g.seen[tree] = true
	for _, c := range g.below(tree) {
		if c.dir {
			g.visit(c.object)
			continue
		}
		g.seen[c.object] = true
		for _, s := range g.byName(c) {
			g.brought[s] = c.object
		}
	}
}

// danglingTrees records hits in trees that no commit holds: first those that a
// reference names, then what nothing leads to.
func (g *Graph) danglingTrees() {
	var direct []int32
	for _, tree := range g.unseenTrees() {
		if g.direct[g.h.objects.ids[tree]] {
			direct = append(direct, tree)
		}
	}
	g.topmost(direct, false)
	g.topmost(g.unseenTrees(), true)
}

// unseenTrees lists the trees with hits below them that were not visited.
func (g *Graph) unseenTrees() (trees []int32) {
	for n := range g.trees.children {
		if tree := int32(n); g.leads(tree) && !g.seen[tree] {
			trees = append(trees, tree)
		}
	}
	return trees
}

// topmost records the hits in those of the trees that lie below no other of them,
// except for what was visited before, and then visits them.
func (g *Graph) topmost(trees []int32, unreachable bool) {
	inner := map[int32]bool{}
	var stack []int32
	for _, tree := range trees {
		for stack = append(stack, tree); len(stack) > 0; {
			t := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			for _, c := range g.below(t) {
				if c.dir && !inner[c.object] {
					inner[c.object] = true
					stack = append(stack, c.object)
				}
			}
		}
	}
	for _, tree := range trees {
		if inner[tree] {
			continue
		}
		g.steps = 0
		g.files("", g.below(tree), func(path string, c child) {
			if !g.seen[c.object] {
				g.orphan(path, c.object, g.secrets[c.object], unreachable)
			}
			for _, s := range g.byName(c) {
				if _, ok := g.brought[s]; !ok {
					g.orphan(path, c.object, []int{s}, unreachable)
				}
			}
		})
	}
	for _, tree := range trees {
		g.visit(tree)
	}
}

// danglingBlobs records hits in blobs that no tree holds.
func (g *Graph) danglingBlobs() {
	for blob, secrets := range g.secrets {
		if !g.seen[blob] {
			g.orphan("", blob, secrets, true)
		}
	}
}

// orphan records secrets of a blob that no commit holds.
func (g *Graph) orphan(path string, blob int32, secrets []int, unreachable bool) {
	unreachable = unreachable && !g.direct[g.h.objects.ids[blob]]
	for _, s := range secrets {
		g.add(Introduction{Secret: s, Blob: g.h.objects.ids[blob], Path: path, Unreachable: unreachable})
	}
}
