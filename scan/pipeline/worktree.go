package pipeline

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/files"
	"github.com/keywright/keywright/scan/gitrepo"
	"github.com/keywright/keywright/scan/match"
)

// visitor judges documents. A chunk of a large file gives what is its own. Clean may
// be nil.
func (r *run) visitor(source scan.SourceKind, clean *cleanFiles) files.Visit {
	scratch := make([]match.Scratch, r.workers)
	named := &namedFiles{r, make([]namedFile, r.workers)}
	var mu sync.Mutex
	var count int64
	return func(d files.Document) error {
		data := viewed(&d)
		verdicts := r.collect.engine.Whole(&scratch[d.Worker], data).Verdicts()
		seen := r.collect.sightings(data, ownVerdicts(&d, data, verdicts))
		for i := range seen {
			seen[i].span = seen[i].span.behind(d.Line, d.Column)
		}
		seen = append(seen, named.see(&d)...)
		if clean != nil {
			clean.saw(&d, len(seen) > 0)
		}
		if len(seen) == 0 && r.Progress == nil {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		if d.Last { // of a large file's chunks
			count++
		}
		r.progress("files", count, 0)
		r.places = slices.Grow(r.places, len(seen))
		for _, s := range seen {
			r.places = append(r.places, found{s, scan.Place{Source: source, Path: d.Path, AtTip: source != scan.SourceStdin}})
		}
		return nil
	}
}

// The byte order marks of UTF-16.
var littleEndian, bigEndian = []byte{0xFF, 0xFE}, []byte{0xFE, 0xFF}

// viewed is the document's content such that it is read as its file's beginning
// says: a chunk of UTF-16 does not show what it is, so it gets a byte order mark.
func viewed(d *files.Document) []byte {
	if d.First {
		return d.Data
	}
	if _, encoding := match.Text(d.Head); encoding == "" {
		return d.Data
	}
	mark := littleEndian
	if bytes.HasPrefix(d.Head, bigEndian) || !bytes.HasPrefix(d.Head, littleEndian) && d.Head[0] == 0 {
		mark = bigEndian
	}
	return slices.Concat(mark, d.Data)
}

// ownVerdicts are those whose anchors belong to the chunk. A secret that a parser
// found has none: it belongs where it begins.
func ownVerdicts(d *files.Document, data []byte, verdicts []scan.Verdict) []scan.Verdict {
	if d.Whole() || len(verdicts) == 0 {
		return verdicts
	}
	from, to := inText(d, data, d.KeepFrom), inText(d, data, d.KeepTo)
	var own []scan.Verdict
	for _, v := range verdicts {
		at := v.Anchor
		if at < 0 {
			at = v.Secret().Start
		}
		if at >= from && at < to {
			own = append(own, v)
		}
	}
	return own
}

// inText is the offset in the text of what viewed returned for an offset of the
// document.
func inText(d *files.Document, data []byte, offset int) int {
	if _, encoding := match.Text(data); encoding == "" || offset == 0 {
		return offset
	}
	text, _ := match.Text(data[:len(data)-len(d.Data)+offset])
	return len(text)
}

// behind moves a position in a text that begins at a line and column.
func (p position) behind(line, column int) position {
	if p.line == 1 {
		p.column += column - 1
	}
	if p.endLine == 1 {
		p.endColumn += column - 1
	}
	p.line += line - 1
	p.endLine += line - 1
	return p
}

// noRepository notes that a directory looks like a repository to people, and not
// to Git: its history is not read.
func (r *run) noRepository() {
	if r.Mode != Everything {
		return
	}
	for _, names := range [][]string{{".git"}, {"objects", "refs"}} {
		if !slices.ContainsFunc(names, func(name string) bool { return !exists(filepath.Join(r.root, name)) }) {
			r.coverage.Gaps = append(r.coverage.Gaps, scan.Gap{What: "history", Why: "Git does not take this directory for a repository: something in it is damaged",
				Hint: "git -C DIRECTORY status"})
			return
		}
	}
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

// workTree scans the files of the work tree, and what the indexes of it and of
// linked work trees hold beside them.
func (r *run) workTree(ctx context.Context) error {
	var list *gitrepo.WorkFiles
	if r.repo.WorkTree != "" {
		var err error
		list, err = r.repo.WorkFiles(ctx)
		switch {
		case err == nil:
			err = r.workFiles(ctx, list)
		case ctx.Err() == nil: // indexes says what is wrong; the files are there all the same
			var result files.Result
			result, err = files.Walk(ctx, r.repo.WorkTree, files.Options{Skip: r.skip}, r.visitor(scan.SourceFile, nil))
			r.read(result)
		}
		if err != nil {
			return err
		}
	}
	return r.indexes(ctx, list)
}

func (r *run) workFiles(ctx context.Context, list *gitrepo.WorkFiles) error {
	paths := make([]string, 0, len(list.Files))
	for i := range list.Files {
		f := &list.Files[i]
		switch {
		case r.globs.Match(f.Path):
			r.exclude(files.ExcludedPath, 1)
		case f.Type&fs.ModeSymlink != 0:
			r.exclude(files.ExcludedLink, 1)
		case !f.Type.IsRegular():
			r.exclude(files.ExcludedSpecial, 1)
		default:
			paths = append(paths, f.Path)
		}
	}
	r.exclude("submodule", list.Submodules)
	r.exclude("nested repository", list.Nested)
	r.exclude("ignored file or directory", list.Ignored)
	r.coverage.Gaps = append(r.coverage.Gaps, list.Gaps...)
	options := files.Options{Regular: true}
	clean := r.recallClean()
	if clean != nil && len(clean.before) > 0 {
		options.Known = clean.known
	}
	result, err := files.ReadFiles(ctx, r.repo.WorkTree, paths, options, r.visitor(scan.SourceFile, clean))
	r.read(result)
	if err == nil && clean != nil {
		clean.remember()
	}
	return err
}

// unchanged are those of the changed paths of the index whose work-tree file has
// the entry's content: by size and time where those tell, by reading it where they
// do not. List may be nil.
func (r *run) unchanged(list *gitrepo.WorkFiles, changes []gitrepo.Change) map[string]gitrepo.ID {
	same := map[string]gitrepo.ID{}
	if list == nil || len(changes) == 0 {
		return same
	}
	changed := make(map[string]bool, len(changes))
	for _, c := range changes {
		changed[c.Path] = true
	}
	for i := range list.Files {
		if f := &list.Files[i]; f.Tracked != nil && changed[f.Path] && r.equalsEntry(list.Index, f) {
			same[f.Path] = f.Tracked.ID
		}
	}
	return same
}

// equalsEntry reports whether a tracked file has the content of its entry.
func (r *run) equalsEntry(index *gitrepo.Index, f *gitrepo.WorkFile) bool {
	name := filepath.Join(r.repo.WorkTree, filepath.FromSlash(f.Path))
	info, err := os.Lstat(name)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	if f.Tracked.Unchanged(index, info) {
		return true
	}
	data, err := os.ReadFile(name)
	return err == nil && gitrepo.BlobID(data) == f.Tracked.ID
}

// indexes scans what the indexes, of this work tree and of linked ones, hold and
// neither HEAD nor the file of the work tree does.
func (r *run) indexes(ctx context.Context, list *gitrepo.WorkFiles) error {
	trees, err := r.repo.Worktrees()
	if err != nil {
		return err
	}
	r.indexed = map[string]bool{}
	for _, w := range trees {
		linked, err := r.repo.At(w)
		if err == nil {
			own := list
			if w.GitDir != r.repo.GitDir {
				own = nil
			}
			err = r.index(ctx, linked, own)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			r.gap("index of "+filepath.ToSlash(w.GitDir), err)
		}
	}
	return nil
}

// index scans the index of a work tree. List are the files of that work tree if
// they were read, otherwise nil.
func (r *run) index(ctx context.Context, repo *gitrepo.Repo, list *gitrepo.WorkFiles) error {
	staged, err := repo.Staged(ctx, r.store)
	if err != nil {
		return err
	}
	if list != nil && r.Mode == NoHistory {
		r.exclude("index entry that is not checked out", notCheckedOut(list, staged.Changes))
	}
	same := r.unchanged(list, staged.Changes)
	var scratch match.Scratch
	for _, c := range staged.Changes {
		r.indexed[c.New.String()] = true
		if id, ok := same[c.Path]; ok && id == c.New || r.globs.Match(c.Path) {
			continue
		}
		_, data, err := r.store.Object(c.New)
		if err != nil {
			r.gap("index entry "+c.Path, err)
			continue
		}
		r.coverage.Files++
		r.coverage.Bytes += int64(len(data))
		for _, s := range append(r.collect.judge(&scratch, data), r.namedEntry(c.Path, c.Mode, c.New, data)...) {
			r.places = append(r.places, found{s, scan.Place{Source: scan.SourceIndex, Path: c.Path, Object: c.New.String(), AtTip: true}})
		}
	}
	return nil
}

// notCheckedOut counts the entries of the index that are as in HEAD and have no file:
// they were removed, or a sparse checkout leaves them out. The history has them.
func notCheckedOut(list *gitrepo.WorkFiles, changes []gitrepo.Change) (n int) {
	met := map[string]bool{}
	for i := range list.Files {
		if list.Files[i].Tracked != nil {
			met[list.Files[i].Path] = true
		}
	}
	for _, c := range changes {
		met[c.Path] = true
	}
	for i := range list.Index.Entries {
		if e := &list.Index.Entries[i]; !e.Gitlink() && !met[string(e.Name)] {
			n++
		}
	}
	return n
}

// configFiles scans the repository's configuration, where remotes' addresses and
// headers hold credentials.
func (r *run) configFiles(ctx context.Context) error {
	list, gaps, err := r.repo.ConfigFiles(ctx)
	if err != nil {
		return err
	}
	r.coverage.Gaps = append(r.coverage.Gaps, gaps...)
	var scratch match.Scratch
	for _, f := range list {
		r.coverage.Files++
		r.coverage.Bytes += int64(len(f.Data))
		path := filepath.ToSlash(filepath.Join(filepath.Base(r.repo.CommonDir), f.Name))
		for _, s := range r.collect.judge(&scratch, f.Data) {
			r.places = append(r.places, found{s, scan.Place{Source: scan.SourceConfig, Path: path, AtTip: true}})
		}
	}
	return nil
}

// lfsPointer begins the file that stands for Git LFS content.
var lfsPointer = []byte("version https://git-lfs.github.com/spec/")

// isPointer reports whether data is a Git LFS pointer.
func isPointer(data []byte) bool { return len(data) < 1024 && bytes.HasPrefix(data, lfsPointer) }
