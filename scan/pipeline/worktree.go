package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/files"
	"github.com/keywright/keywright/scan/gitrepo"
	"github.com/keywright/keywright/scan/match"
)

// visitor judges documents. A chunk of a large file gives what is its own.
func (r *run) visitor(source scan.SourceKind, done func(path string, data []byte)) files.Visit {
	scratch := make([]match.Scratch, r.workers)
	var mu sync.Mutex
	var count int64
	return func(d files.Document) error {
		state := r.collect.engine.Whole(&scratch[d.Worker], d.Data)
		seen := r.collect.sightings(d.Data, ownVerdicts(&d, state.Verdicts()))
		if done != nil && d.Whole() {
			done(d.Path, d.Data)
		}
		if len(seen) == 0 && r.Progress == nil {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		count++
		r.progress("files", count, 0)
		for _, s := range seen {
			s.span = s.span.behind(d.Line, d.Column)
			r.places = append(r.places, found{s, scan.Place{Source: source, Path: d.Path, AtTip: source != scan.SourceStdin}})
		}
		return nil
	}
}

// ownVerdicts are those whose anchors belong to the chunk. A secret that a parser
// found has none: it belongs where it begins.
func ownVerdicts(d *files.Document, verdicts []scan.Verdict) []scan.Verdict {
	if d.Whole() {
		return verdicts
	}
	var own []scan.Verdict
	for _, v := range verdicts {
		at := v.Anchor
		if at < 0 {
			at = v.Secret().Start
		}
		if at >= d.KeepFrom && at < d.KeepTo {
			own = append(own, v)
		}
	}
	return own
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

// workTree scans the files of the work tree, and what the indexes of it and of
// linked work trees hold beside them.
func (r *run) workTree(ctx context.Context) error {
	var same map[string]gitrepo.ID // index entries that the work tree's file equals
	if r.repo.WorkTree != "" {
		list, err := r.repo.WorkFiles(ctx)
		if err != nil {
			return fmt.Errorf("list work tree %s: %w", r.repo.WorkTree, err)
		}
		if same, err = r.workFiles(ctx, list); err != nil {
			return err
		}
	}
	return r.indexes(ctx, same)
}

func (r *run) workFiles(ctx context.Context, list *gitrepo.WorkFiles) (map[string]gitrepo.ID, error) {
	same := map[string]gitrepo.ID{}
	var paths []string
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
		if f.Tracked != nil {
			same[f.Path] = f.Tracked.ID
		}
	}
	r.exclude("submodule", list.Submodules)
	r.exclude("nested repository", list.Nested)
	r.exclude("ignored file or directory", list.Ignored)
	r.coverage.Gaps = append(r.coverage.Gaps, list.Gaps...)
	result, err := files.ReadFiles(ctx, r.repo.WorkTree, paths, files.Options{}, r.visitor(scan.SourceFile, nil))
	r.read(result)
	if err != nil {
		return nil, err
	}
	return r.equalToIndex(list, same), nil
}

// equalToIndex keeps the entries of same whose work-tree file has the entry's
// content: by size and time where those tell, by reading it where they do not.
func (r *run) equalToIndex(list *gitrepo.WorkFiles, same map[string]gitrepo.ID) map[string]gitrepo.ID {
	for i := range list.Files {
		f := &list.Files[i]
		if f.Tracked == nil {
			continue
		}
		name := filepath.Join(r.repo.WorkTree, filepath.FromSlash(f.Path))
		info, err := os.Lstat(name)
		if err != nil || !info.Mode().IsRegular() {
			delete(same, f.Path)
			continue
		}
		if f.Tracked.Unchanged(list.Index, info) {
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil || gitrepo.BlobID(data) != f.Tracked.ID {
			delete(same, f.Path)
		}
	}
	return same
}

// indexes scans what the indexes, of this work tree and of linked ones, hold and
// neither HEAD nor the file of the work tree does.
func (r *run) indexes(ctx context.Context, same map[string]gitrepo.ID) error {
	trees, err := r.repo.Worktrees()
	if err != nil {
		return err
	}
	r.indexed = map[string]bool{}
	for _, w := range trees {
		linked, err := r.repo.At(w)
		if err == nil {
			own := w.GitDir == r.repo.GitDir
			err = r.index(ctx, linked, own, same)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			r.coverage.Gaps = append(r.coverage.Gaps, scan.Gap{What: "index of " + filepath.ToSlash(w.GitDir), Why: err.Error()})
		}
	}
	return nil
}

func (r *run) index(ctx context.Context, repo *gitrepo.Repo, own bool, same map[string]gitrepo.ID) error {
	staged, err := repo.Staged(ctx, r.store)
	if err != nil {
		return err
	}
	var scratch match.Scratch
	for _, c := range staged.Changes {
		r.indexed[c.New.String()] = true
		if id, ok := same[c.Path]; own && ok && id == c.New || r.globs.Match(c.Path) {
			continue
		}
		_, data, err := r.store.Object(c.New)
		if err != nil {
			r.coverage.Gaps = append(r.coverage.Gaps, scan.Gap{What: "index entry " + c.Path, Why: err.Error()})
			continue
		}
		r.coverage.Files++
		r.coverage.Bytes += int64(len(data))
		for _, s := range r.collect.judge(&scratch, data) {
			r.places = append(r.places, found{s, scan.Place{Source: scan.SourceIndex, Path: c.Path, Object: c.New.String(), AtTip: true}})
		}
	}
	return nil
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
