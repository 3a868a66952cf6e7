package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/packfile"
)

// RootKind says why a root is one.
type RootKind string

// The kinds of roots.
const (
	RootRef     RootKind = "ref"     // branches, tags, remotes, stash, notes, pull requests, …
	RootHead    RootKind = "head"    // HEAD of a work tree
	RootPseudo  RootKind = "pseudo"  // ORIG_HEAD, FETCH_HEAD, MERGE_HEAD, …
	RootReflog  RootKind = "reflog"  // an old or new value in a reflog
	RootIndex   RootKind = "index"   // an entry of a work tree's index: a blob, or a tree if sparse
	RootReplace RootKind = "replace" // what stands in for another object
	RootGraft   RootKind = "graft"   // a parent that info/grafts gives
)

// Root is an object from which everything reachable is history.
type Root struct {
	Kind     RootKind
	Name     string // the reference; for RootIndex the path, raw bytes
	Worktree string // the linked worktree's name, empty for the main one and shared roots
	ID       ID
	Type     packfile.Type // zero if only the object itself can tell
}

const notesPrefix = "refs/notes/"

// ofNotes reports whether a root leads to notes.
func (r Root) ofNotes() bool {
	return (r.Kind == RootRef || r.Kind == RootReflog) && strings.HasPrefix(r.Name, notesPrefix)
}

// Worktree is the main work tree or a linked one.
type Worktree struct {
	Name   string // empty for the main one
	GitDir string
}

// Worktrees lists the repository's work trees, the main one (or the bare
// repository itself) first. Those whose directory is gone are included: their
// HEAD and index are still roots.
func (r *Repo) Worktrees() ([]Worktree, error) {
	all := []Worktree{{"", r.CommonDir}}
	dir := filepath.Join(r.CommonDir, "worktrees")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list worktrees: %w", err)
	}
	for _, e := range entries {
		if gitDir := filepath.Join(dir, e.Name()); e.IsDir() {
			all = append(all, Worktree{e.Name(), gitDir})
		}
	}
	return all, nil
}

// IndexFile is where the index of a work tree of the repository lives.
func (r *Repo) IndexFile(w Worktree) string {
	if w.GitDir == r.GitDir {
		return r.indexFile
	}
	return filepath.Join(w.GitDir, "index")
}

// rootCollector gathers roots and what could not be read.
type rootCollector struct {
	roots []Root
	gaps  []scan.Gap
	seen  map[rootKey]bool
}

type rootKey struct {
	kind RootKind
	name string
	id   ID
}

// add keeps one root for each kind, name and id; null ids are no roots.
func (c *rootCollector) add(root Root) {
	key := rootKey{root.Kind, root.Name, root.ID}
	if root.ID.IsZero() || c.seen[key] {
		return
	}
	c.seen[key] = true
	c.roots = append(c.roots, root)
}

func (c *rootCollector) gap(what string, err error) {
	c.gaps = append(c.gaps, scan.Gap{What: what, Why: plainError(err)})
}

// plainError drops the path from a file error: a gap names it already.
func plainError(err error) string {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Op + ": " + pathErr.Err.Error()
	}
	return err.Error()
}

// Roots lists every starting point of history, and a gap for each file that
// should have given some and could not be read. An object may occur under
// several roots. Whether it exists is not asked.
func (r *Repo) Roots(ctx context.Context) ([]Root, []scan.Gap, error) {
	c := &rootCollector{seen: map[rootKey]bool{}}
	worktrees, err := r.Worktrees()
	if err != nil {
		return nil, nil, err
	}
	refs, err := r.refs(r.CommonDir).all()
	if err != nil {
		return nil, nil, err
	}
	c.refs(refs, "")
	c.reflogs(filepath.Join(r.CommonDir, "logs"), "", "")
	for _, w := range worktrees {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		r.worktreeRoots(c, w)
	}
	r.substitutes(c)
	return c.roots, c.gaps, nil
}

func (c *rootCollector) refs(refs []Ref, worktree string) {
	for _, ref := range refs {
		if ref.Err != nil {
			c.gap("reference "+ref.Name, ref.Err)
			continue
		}
		kind := RootRef
		if strings.HasPrefix(ref.Name, replacePrefix) {
			kind = RootReplace
		}
		c.add(Root{Kind: kind, Name: ref.Name, Worktree: worktree, ID: ref.ID})
	}
}

// worktreeRoots adds what belongs to one work tree alone.
func (r *Repo) worktreeRoots(c *rootCollector, w Worktree) {
	_, id, err := r.refs(w.GitDir).follow("HEAD")
	if err != nil && !errors.Is(err, errNoRef) {
		c.gap(filepath.Join(w.GitDir, "HEAD"), err)
	}
	c.add(Root{Kind: RootHead, Name: "HEAD", Worktree: w.Name, ID: id})
	c.pseudoRefs(w)
	if w.Name != "" {
		c.refs(looseRefs(filepath.Join(w.GitDir, "refs"), "refs"), w.Name)
		c.reflogs(filepath.Join(w.GitDir, "logs"), "", w.Name)
	}
	index, err := ReadIndex(r.IndexFile(w), w.GitDir)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			c.gap(r.IndexFile(w), err)
		}
		return
	}
	for i := range index.Entries {
		e := &index.Entries[i]
		switch {
		case isGitlink(e.Mode), e.IntentToAdd():
		case isDir(e.Mode):
			c.add(Root{RootIndex, string(e.Name), w.Name, e.ID, packfile.Tree})
		default:
			c.add(Root{RootIndex, string(e.Name), w.Name, e.ID, packfile.Blob})
		}
	}
	for _, u := range index.Resolved {
		c.add(Root{RootIndex, u.Path, w.Name, u.ID, packfile.Blob})
	}
}

// pseudoRefs reads the files in capitals beside HEAD: ORIG_HEAD, FETCH_HEAD,
// MERGE_HEAD, CHERRY_PICK_HEAD, REVERT_HEAD, REBASE_HEAD, BISECT_HEAD, AUTO_MERGE,
// MERGE_AUTOSTASH, … Some hold several lines; each begins with an id.
func (c *rootCollector) pseudoRefs(w Worktree) {
	entries, err := os.ReadDir(w.GitDir)
	if err != nil {
		c.gap(w.GitDir, err)
		return
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || !pseudoName(e.Name()) {
			continue
		}
		data, err := os.ReadFile(filepath.Join(w.GitDir, e.Name()))
		if err != nil {
			c.gap(filepath.Join(w.GitDir, e.Name()), err)
			continue
		}
		for _, id := range leadingIDs(data) {
			c.add(Root{Kind: RootPseudo, Name: e.Name(), Worktree: w.Name, ID: id})
		}
	}
}

func pseudoName(name string) bool {
	if name == "HEAD" || !strings.Contains(name, "HEAD") && name != "AUTO_MERGE" && name != "MERGE_AUTOSTASH" {
		return false
	}
	return strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == ""
}

// leadingIDs returns the id at the start of each line that has one.
func leadingIDs(data []byte) []ID {
	var ids []ID
	for len(data) > 0 {
		var line []byte
		line, data = cutLine(data)
		var id ID
		if len(line) >= 40 && decodeID(line[:40], &id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// reflogs reads every log below dir. Each line begins with an old and a new id.
func (c *rootCollector) reflogs(dir, prefix, worktree string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			c.gap(dir, err)
		}
		return
	}
	for _, e := range entries {
		file := filepath.Join(dir, e.Name())
		if e.IsDir() {
			c.reflogs(file, prefix+e.Name()+"/", worktree)
			continue
		}
		if strings.HasSuffix(e.Name(), ".lock") {
			continue
		}
		data, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted with its branch, meanwhile
		}
		if err != nil {
			c.gap(file, err)
			continue
		}
		c.reflog(file, prefix+e.Name(), worktree, data)
	}
}

func (c *rootCollector) reflog(file, name, worktree string, data []byte) {
	broken := 0
	for len(data) > 0 {
		var line []byte
		line, data = cutLine(data)
		entry, ok := parseReflogLine(line)
		if !ok {
			broken++
			continue
		}
		c.add(Root{Kind: RootReflog, Name: name, Worktree: worktree, ID: entry.old})
		c.add(Root{Kind: RootReflog, Name: name, Worktree: worktree, ID: entry.new})
	}
	if broken > 0 {
		c.gap(file, fmt.Errorf("%d unreadable lines", broken))
	}
}

type reflogEntry struct {
	old, new ID
	message  []byte
}

// parseReflogLine reads "old new name <email> seconds zone\tmessage".
func parseReflogLine(line []byte) (reflogEntry, bool) {
	var e reflogEntry
	if len(line) < 82 || line[40] != ' ' || line[81] != ' ' ||
		!decodeID(line[:40], &e.old) || !decodeID(line[41:81], &e.new) {
		return reflogEntry{}, false
	}
	if i := bytes.IndexByte(line, '\t'); i >= 0 {
		e.message = line[i+1:]
	}
	return e, true
}

// substitutes adds the parents that grafts give.
func (r *Repo) substitutes(c *rootCollector) {
	grafts, err := r.Grafts()
	if err != nil {
		c.gap(filepath.Join(r.CommonDir, "info", "grafts"), err)
	}
	children := make([]ID, 0, len(grafts))
	for child := range grafts {
		children = append(children, child)
	}
	sort.Slice(children, func(i, j int) bool { return bytes.Compare(children[i][:], children[j][:]) < 0 })
	for _, child := range children {
		for _, parent := range grafts[child] {
			c.add(Root{Kind: RootGraft, Name: child.String(), ID: parent, Type: packfile.Commit})
		}
	}
}

const replacePrefix = "refs/replace/"

// Tips lists what at_tip means: branches, remote branches, and detached HEADs.
// References that cannot be read are left out: Roots has their gap.
func (r *Repo) Tips() ([]Root, error) {
	refs, err := r.refs(r.CommonDir).all()
	if err != nil {
		return nil, err
	}
	var tips []Root
	for _, ref := range refs {
		branch := strings.HasPrefix(ref.Name, "refs/heads/") || strings.HasPrefix(ref.Name, "refs/remotes/")
		if branch && ref.Err == nil {
			tips = append(tips, Root{Kind: RootRef, Name: ref.Name, ID: ref.ID})
		}
	}
	worktrees, err := r.Worktrees()
	if err != nil {
		return nil, err
	}
	for _, w := range worktrees {
		if name, id, err := r.refs(w.GitDir).follow("HEAD"); err == nil && name == "HEAD" {
			tips = append(tips, Root{Kind: RootHead, Name: "HEAD", Worktree: w.Name, ID: id})
		}
	}
	return tips, nil
}

// Shallow lists the commits whose parents were cut away by a shallow clone, as
// far as they have any. Their number is that of the boundary, not of history.
func (r *Repo) Shallow() (map[ID]bool, error) {
	file := os.Getenv("GIT_SHALLOW_FILE")
	if file == "" {
		file = filepath.Join(r.CommonDir, "shallow")
	}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read shallow boundary: %w", err)
	}
	shallow := map[ID]bool{}
	for _, id := range leadingIDs(data) {
		shallow[id] = true
	}
	return shallow, nil
}

// Grafts returns the parents that info/grafts gives to commits.
func (r *Repo) Grafts() (map[ID][]ID, error) {
	data, err := os.ReadFile(filepath.Join(r.CommonDir, "info", "grafts"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read grafts: %w", err)
	}
	return parseGrafts(data)
}

// parseGrafts reads lines of "commit parent…". What is readable is returned
// beside an error.
func parseGrafts(data []byte) (map[ID][]ID, error) {
	grafts := map[ID][]ID{}
	var bad error
	for n := 1; len(data) > 0; n++ {
		var line []byte
		line, data = cutLine(data)
		fields := bytes.Fields(line)
		if len(fields) == 0 || fields[0][0] == '#' {
			continue
		}
		ids := make([]ID, len(fields))
		for i, f := range fields {
			if !decodeID(f, &ids[i]) {
				bad = fmt.Errorf("grafts line %d: not an object id", n)
				ids = nil
				break
			}
		}
		if ids != nil {
			grafts[ids[0]] = ids[1:]
		}
	}
	return grafts, bad
}

// Replacements returns what stands in for which object: refs/replace/.
// It is empty where the configuration or environment turns replacing off.
func (r *Repo) Replacements() (map[ID]ID, error) {
	if _, off := os.LookupEnv("GIT_NO_REPLACE_OBJECTS"); off || !r.config.boolean("core.usereplacerefs", true) {
		return nil, nil
	}
	refs := looseRefs(filepath.Join(r.CommonDir, "refs", "replace"), "refs/replace")
	packed, err := readPackedRefs(filepath.Join(r.CommonDir, "packed-refs"))
	if err != nil {
		return nil, err
	}
	replaced := map[ID]ID{}
	put := func(name string, to ID) {
		if from, err := packfile.ParseID(strings.TrimPrefix(name, replacePrefix)); err == nil && !to.IsZero() {
			replaced[from] = to
		}
	}
	packed.withPrefix(replacePrefix, put)
	for _, ref := range refs {
		put(ref.Name, ref.ID)
	}
	return replaced, nil
}
