package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/keywright/keywright/scan"
)

// WorkFile is a file of the work tree that Git tracks or would offer to add.
type WorkFile struct {
	Path    string      // slash-separated, relative to the work tree, raw bytes
	Type    fs.FileMode // the type bits: 0, ModeSymlink, ModeNamedPipe, …
	Tracked *IndexEntry // nil if untracked; during a conflict the first stage
}

// WorkFiles is the content of a work tree.
type WorkFiles struct {
	Files      []WorkFile // sorted by path within each directory, directories in between
	Index      *Index     // empty if there is none
	Submodules int        // tracked submodules, not descended into
	Nested     int        // untracked directories that are repositories of their own
	Ignored    int        // ignored files and directories met, each directory counted as one
	Gaps       []scan.Gap // directories that could not be listed
}

// WorkFiles lists what `git ls-files --cached --others --exclude-standard` does,
// as far as it exists: tracked files even if ignored, and untracked ones that are
// not. Symbolic links are listed and not followed.
func (r *Repo) WorkFiles(ctx context.Context) (*WorkFiles, error) {
	if r.WorkTree == "" {
		return nil, errors.New("list work tree: the repository is bare")
	}
	index, err := ReadIndex(r.indexFile, r.GitDir)
	if errors.Is(err, fs.ErrNotExist) {
		index, err = &Index{}, nil
	}
	if err != nil {
		return nil, err
	}
	l := &lister{ctx: ctx, root: r.WorkTree, entries: index.Entries, gitDir: r.GitDir}
	l.out.Index = index
	l.out.Files = make([]WorkFile, 0, len(index.Entries)+64)
	if err := l.dir("", 0, len(index.Entries), r.rootIgnores(), false); err != nil {
		return nil, err
	}
	return &l.out, nil
}

// lister walks a work tree beside its index.
type lister struct {
	ctx     context.Context
	root    string
	gitDir  string
	entries []IndexEntry
	out     WorkFiles
}

// dir lists one directory: prefix is "" or ends in a slash, entries[lo:hi] are
// those below it. hidden says that it is ignored: only tracked files count then.
func (l *lister) dir(prefix string, lo, hi int, g ignores, hidden bool) error {
	if err := l.ctx.Err(); err != nil {
		return err
	}
	names, err := os.ReadDir(filepath.Join(l.root, filepath.FromSlash(prefix)))
	if err != nil {
		if prefix == "" {
			return err
		}
		l.out.Gaps = append(l.out.Gaps, scan.Gap{What: prefix, Why: plainError(err)})
		return nil
	}
	if !hidden {
		g = l.ownIgnores(prefix, names, g)
	}
	for _, e := range names {
		name := e.Name()
		if isDotGit(name) {
			continue
		}
		path := prefix + name
		if e.IsDir() {
			err = l.subdir(path, lo, hi, g, hidden)
		} else {
			l.file(path, e.Type(), lo, hi, g, hidden)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// isDotGit holds for the name that Git never tracks, in any case.
func isDotGit(name string) bool { return len(name) == 4 && strings.EqualFold(name, ".git") }

// ownIgnores adds the directory's .gitignore. A symbolic link is not followed,
// as Git does not.
func (l *lister) ownIgnores(prefix string, names []fs.DirEntry, g ignores) ignores {
	i := sort.Search(len(names), func(i int) bool { return names[i].Name() >= ".gitignore" })
	if i == len(names) || names[i].Name() != ".gitignore" || !names[i].Type().IsRegular() {
		return g
	}
	file := filepath.Join(l.root, filepath.FromSlash(prefix), ".gitignore")
	data, err := os.ReadFile(file)
	if err != nil {
		return g
	}
	return g.with(parseIgnore(data, prefix))
}

func (l *lister) file(path string, typ fs.FileMode, lo, hi int, g ignores, hidden bool) {
	if i := l.search(path, lo, hi); i < hi && string(l.entries[i].Name) == path && !isGitlink(l.entries[i].Mode) {
		l.out.Files = append(l.out.Files, WorkFile{path, typ, &l.entries[i]})
		return
	}
	if hidden || g.ignored(path, false) {
		l.out.Ignored++
		return
	}
	l.out.Files = append(l.out.Files, WorkFile{path, typ, nil})
}

func (l *lister) subdir(path string, lo, hi int, g ignores, hidden bool) error {
	if i := l.search(path, lo, hi); i < hi && string(l.entries[i].Name) == path && isGitlink(l.entries[i].Mode) {
		l.out.Submodules++
		return nil
	}
	below := path + "/"
	from := l.search(below, lo, hi)
	to := from + sort.Search(hi-from, func(i int) bool { return !bytes.HasPrefix(l.entries[from+i].Name, []byte(below)) })
	ignored := hidden || g.ignored(path, true)
	if from == to {
		if ignored {
			l.out.Ignored++
			return nil
		}
		if l.isRepository(path) {
			l.out.Nested++
			return nil
		}
	}
	return l.dir(below, from, to, g, ignored)
}

// search returns the first entry of lo to hi whose name is not less than path.
func (l *lister) search(path string, lo, hi int) int {
	return lo + sort.Search(hi-lo, func(i int) bool { return string(l.entries[lo+i].Name) >= path })
}

// isRepository reports whether a directory is the work tree of another
// repository, or the very repository that is being listed.
func (l *lister) isRepository(path string) bool {
	dir := filepath.Join(l.root, filepath.FromSlash(path))
	if dir == l.gitDir {
		return true
	}
	dotGit := filepath.Join(dir, ".git")
	if _, err := os.Lstat(dotGit); err != nil {
		return false
	}
	if target, ok := readGitFile(dotGit); ok {
		return isGitDir(target)
	}
	return isGitDir(dotGit)
}

// Unchanged reports whether a work-tree file is the one that the entry was made
// from, judged as Git does by size and time. False means "not known". A file as
// young as the index may have changed since, within the clock's resolution.
func (e *IndexEntry) Unchanged(x *Index, info fs.FileInfo) bool {
	if e.Size != uint32(info.Size()) || e.mtime != mtimeOf(info) || e.mtime == (mtime{}) {
		return false
	}
	at := e.mtime
	return at.sec < x.mtime.sec || at.sec == x.mtime.sec && at.nsec < x.mtime.nsec
}

// ConfigFile is a configuration file of the repository, to be scanned.
type ConfigFile struct {
	Name string // slash-separated, relative to CommonDir
	Data []byte
}

// ConfigFiles reads every configuration file that belongs to the repository: its
// own, those of its work trees, and those of its submodules' git directories.
func (r *Repo) ConfigFiles(ctx context.Context) ([]ConfigFile, []scan.Gap, error) {
	c := configCollector{root: r.CommonDir}
	c.read("config")
	c.read("config.worktree")
	worktrees, err := r.Worktrees()
	if err != nil {
		return nil, nil, err
	}
	for _, w := range worktrees[1:] {
		c.read("worktrees/" + w.Name + "/config.worktree")
	}
	if err := c.modules(ctx, "modules"); err != nil {
		return nil, nil, err
	}
	return c.files, c.gaps, nil
}

type configCollector struct {
	root  string
	files []ConfigFile
	gaps  []scan.Gap
}

func (c *configCollector) read(name string) {
	data, err := os.ReadFile(filepath.Join(c.root, filepath.FromSlash(name)))
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		c.gaps = append(c.gaps, scan.Gap{What: name, Why: plainError(err)})
	default:
		c.files = append(c.files, ConfigFile{name, data})
	}
}

// modules looks for git directories below a directory. A submodule's name may
// hold slashes, and submodules have submodules.
func (c *configCollector) modules(ctx context.Context, dir string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entries, err := os.ReadDir(filepath.Join(c.root, filepath.FromSlash(dir)))
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			c.gaps = append(c.gaps, scan.Gap{What: dir, Why: plainError(err)})
		}
		return nil
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		name := dir + "/" + e.Name()
		next := name
		if isGitDir(filepath.Join(c.root, filepath.FromSlash(name))) {
			c.read(name + "/config")
			c.read(name + "/config.worktree")
			next = name + "/modules"
		}
		if err := c.modules(ctx, next); err != nil {
			return err
		}
	}
	return nil
}
