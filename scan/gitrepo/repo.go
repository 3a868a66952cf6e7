// Package gitrepo is the source that reads Git repositories: where history
// begins, what is staged, which files a work tree holds, and who brought what.
//
// It runs no Git process and writes nothing. What Git would refuse, or what is
// not understood (SHA-256, reftable), is a typed error; what is damaged is a
// gap beside what could be read. A Repo is immutable after Open and safe for
// concurrent use; formats are those of Git's own gitrepository-layout(5) and
// gitformat-index(5).
//
// go-git is not used: opening a repository with it decodes more than staging a
// one-line change may cost, its revision parser answers HEAD^3, ref@{n} and
// @{upstream} wrongly or not at all, and its ignore patterns differ from Git's.
package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ErrNotRepository says that no Git repository holds the path.
var ErrNotRepository = errors.New("not a git repository")

// ErrGitDir says that the environment variable GIT_DIR names no repository.
var ErrGitDir = errors.New("GIT_DIR does not name a git repository")

// UnsupportedError names a repository feature that this version cannot read.
type UnsupportedError struct {
	GitDir  string
	Feature string // "object format sha256", "reftable references"
}

func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("repository %s uses %s, which is not supported", e.GitDir, e.Feature)
}

// Head is what HEAD stands for.
type Head struct {
	Ref string // "refs/heads/main"; empty if detached
	ID  ID     // zero if the branch has no commit yet
}

// Repo is an opened repository. Paths are absolute.
type Repo struct {
	GitDir    string // of this work tree
	CommonDir string // where refs and objects live; equal to GitDir but in a linked worktree
	WorkTree  string // empty if bare
	Head      Head

	config    gitConfig // the repository's own
	indexFile string
	objectDir string
	extraDirs []string // GIT_ALTERNATE_OBJECT_DIRECTORIES
}

// Open finds the repository that holds path, a directory or a file, the way git
// does: a .git directory, a .git file, a bare repository. GIT_DIR and its kin,
// which hooks run under, are honoured when path lies in the repository that they
// name.
func Open(ctx context.Context, path string) (*Repo, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	dir, err := startDir(path)
	if err != nil {
		return nil, err
	}
	r, err := fromEnv(dir)
	if r == nil && err == nil {
		r, err = discover(dir)
	}
	if err != nil {
		return nil, err
	}
	if err := r.checkFormat(); err != nil {
		return nil, err
	}
	if err := r.readHead(); err != nil {
		return nil, err
	}
	return r, nil
}

// startDir returns the absolute directory to begin at.
func startDir(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("open repository: %w", err)
	}
	info, err := os.Stat(abs)
	if err != nil {
		return "", fmt.Errorf("open repository: %w", err)
	}
	if !info.IsDir() {
		return filepath.Dir(abs), nil
	}
	return abs, nil
}

// fromEnv opens the repository that GIT_DIR names; nil without it, or where dir
// lies elsewhere.
func fromEnv(dir string) (*Repo, error) {
	gitDir := os.Getenv("GIT_DIR")
	if gitDir == "" {
		return nil, nil
	}
	gitDir, err := filepath.Abs(gitDir)
	if err != nil {
		return nil, fmt.Errorf("open repository of GIT_DIR: %w", err)
	}
	if target, ok := readGitFile(gitDir); ok {
		gitDir = target
	}
	if !isGitDir(gitDir) {
		return nil, fmt.Errorf("%w: %s", ErrGitDir, gitDir)
	}
	cwd, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("open repository of GIT_DIR: %w", err)
	}
	r, err := newRepo(gitDir, cwd)
	if err != nil {
		return nil, err
	}
	if tree := os.Getenv("GIT_WORK_TREE"); tree != "" {
		if r.WorkTree, err = filepath.Abs(tree); err != nil {
			return nil, fmt.Errorf("open repository of GIT_WORK_TREE: %w", err)
		}
	}
	if !within(dir, r.WorkTree) && !within(dir, gitDir) {
		return nil, nil
	}
	r.environment()
	return r, nil
}

// environment applies the variables that move the index and the objects.
func (r *Repo) environment() {
	if f := os.Getenv("GIT_INDEX_FILE"); f != "" {
		r.indexFile = absolute(f, r.WorkTree)
	}
	if d := os.Getenv("GIT_OBJECT_DIRECTORY"); d != "" {
		r.objectDir = absolute(d, r.WorkTree)
	}
	for _, d := range filepath.SplitList(os.Getenv("GIT_ALTERNATE_OBJECT_DIRECTORIES")) {
		if d != "" {
			r.extraDirs = append(r.extraDirs, absolute(d, r.WorkTree))
		}
	}
}

func absolute(path, base string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(base, path)
}

// within reports whether path is dir or lies below it.
func within(path, dir string) bool {
	if dir == "" {
		return false
	}
	if realPath, err := filepath.EvalSymlinks(path); err == nil {
		path = realPath
	}
	if realDir, err := filepath.EvalSymlinks(dir); err == nil {
		dir = realDir
	}
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// discover climbs from dir until a repository is found.
func discover(dir string) (*Repo, error) {
	ceilings := filepath.SplitList(os.Getenv("GIT_CEILING_DIRECTORIES"))
	for at := dir; ; {
		r, err := repoAt(at)
		if r != nil || err != nil {
			return withHookEnv(r), err
		}
		parent := filepath.Dir(at)
		if parent == at {
			return nil, fmt.Errorf("%w: %s", ErrNotRepository, dir)
		}
		for _, c := range ceilings {
			if c != "" && parent == filepath.Clean(c) {
				return nil, fmt.Errorf("%w: %s", ErrNotRepository, dir)
			}
		}
		at = parent
	}
}

// withHookEnv honours GIT_INDEX_FILE where git sets it without GIT_DIR, as it
// does for hooks in a main work tree.
func withHookEnv(r *Repo) *Repo {
	if r == nil || os.Getenv("GIT_DIR") != "" || os.Getenv("GIT_INDEX_FILE") == "" {
		return r
	}
	if cwd, err := os.Getwd(); err == nil && within(cwd, r.WorkTree) {
		r.environment()
	}
	return r
}

// repoAt opens the repository at dir itself; nil if there is none.
func repoAt(dir string) (*Repo, error) {
	dotGit := filepath.Join(dir, ".git")
	if target, ok := readGitFile(dotGit); ok {
		if !isGitDir(target) {
			return nil, fmt.Errorf("%w: %s points to %s", ErrNotRepository, dotGit, target)
		}
		return newRepo(target, dir)
	}
	if isGitDir(dotGit) {
		return newRepo(dotGit, dir)
	}
	if !isGitDir(dir) {
		return nil, nil
	}
	// Inside the .git directory of a work tree, or in a bare repository.
	work := ""
	if filepath.Base(dir) == ".git" {
		work = filepath.Dir(dir)
	} else if target, ok := linkedWorkTree(dir); ok {
		work = target
	}
	return newRepo(dir, work)
}

// newRepo reads the layout and configuration of gitDir. workTree is where the
// work tree is unless the configuration says otherwise.
func newRepo(gitDir, workTree string) (*Repo, error) {
	r := &Repo{GitDir: gitDir, CommonDir: commonDir(gitDir), WorkTree: workTree, config: gitConfig{}}
	if err := r.config.readConfig(filepath.Join(r.CommonDir, "config")); err != nil {
		return nil, err
	}
	layout := r.config
	if r.config.boolean("extensions.worktreeconfig", false) {
		own := gitConfig{}
		if err := own.readConfig(filepath.Join(gitDir, "config.worktree")); err != nil {
			return nil, err
		}
		for key, values := range own {
			r.config[key] = append(r.config[key], values...)
		}
		if gitDir != r.CommonDir {
			layout = own
		}
	} else if gitDir != r.CommonDir {
		layout = gitConfig{} // core.bare and core.worktree are the main work tree's
	}
	if tree, ok := layout.last("core.worktree"); ok {
		r.WorkTree = absolute(filepath.FromSlash(tree), gitDir)
	} else if layout.boolean("core.bare", false) {
		r.WorkTree = ""
	}
	r.indexFile = filepath.Join(gitDir, "index")
	r.objectDir = filepath.Join(r.CommonDir, "objects")
	return r, nil
}

// commonDir follows the commondir file of a linked worktree.
func commonDir(gitDir string) string {
	data, err := os.ReadFile(filepath.Join(gitDir, "commondir"))
	if err != nil {
		return gitDir
	}
	return absolute(filepath.FromSlash(trimLine(data)), gitDir)
}

// linkedWorkTree returns the work tree that a worktree's git directory is for.
func linkedWorkTree(gitDir string) (string, bool) {
	data, err := os.ReadFile(filepath.Join(gitDir, "gitdir"))
	if err != nil {
		return "", false
	}
	return filepath.Dir(absolute(filepath.FromSlash(trimLine(data)), gitDir)), true
}

// readGitFile returns the directory that a "gitdir: …" file points to.
func readGitFile(path string) (string, bool) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > 1<<16 {
		return "", false
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", false
	}
	target, ok := strings.CutPrefix(trimLine(data), "gitdir: ")
	if !ok {
		return "", false
	}
	return absolute(filepath.FromSlash(target), filepath.Dir(path)), true
}

func trimLine(data []byte) string { return strings.TrimRight(string(data), "\r\n") }

// isGitDir asks what git asks: a HEAD that looks like one, objects and refs.
func isGitDir(dir string) bool {
	if !headLooksValid(filepath.Join(dir, "HEAD")) {
		return false
	}
	common := commonDir(dir)
	objects := os.Getenv("GIT_OBJECT_DIRECTORY")
	if objects == "" {
		objects = filepath.Join(common, "objects")
	}
	return isDirectory(objects) && isDirectory(filepath.Join(common, "refs"))
}

func isDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func headLooksValid(path string) bool {
	if target, err := os.Readlink(path); err == nil {
		return strings.HasPrefix(filepath.ToSlash(target), "refs/")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	if target, ok := strings.CutPrefix(string(data), "ref:"); ok {
		return strings.HasPrefix(strings.TrimSpace(target), "refs/")
	}
	n := 0 // 40 digits, or 64 of a SHA-256 repository: checkFormat says which
	for n < len(data) && unhex(data[n]) < 16 {
		n++
	}
	return n >= 40
}

// checkFormat refuses what would otherwise be read wrongly.
func (r *Repo) checkFormat() error {
	version, _ := r.config.last("core.repositoryformatversion")
	v, err := strconv.Atoi(version)
	if err != nil {
		v = 0
	}
	if v > 1 {
		return &UnsupportedError{r.GitDir, fmt.Sprintf("repository format version %d", v)}
	}
	if f, ok := r.config.last("extensions.objectformat"); ok && !strings.EqualFold(f, "sha1") {
		return &UnsupportedError{r.GitDir, "object format " + f}
	}
	if f, ok := r.config.last("extensions.refstorage"); ok && !strings.EqualFold(f, "files") {
		return &UnsupportedError{r.GitDir, f + " references"}
	}
	if v == 0 {
		return nil // git ignores the other extensions of version 0
	}
	for key := range r.config {
		name, ok := strings.CutPrefix(key, "extensions.")
		if !ok {
			continue
		}
		switch name {
		case "noop", "partialclone", "preciousobjects", "worktreeconfig", "objectformat",
			"refstorage", "relativeworktrees", "compatobjectformat", "submodulepathconfig":
		default:
			return &UnsupportedError{r.GitDir, "extension " + name}
		}
	}
	return nil
}

// readHead resolves HEAD. A branch without a commit is no error.
func (r *Repo) readHead() error {
	ref, id, err := r.refs(r.GitDir).follow("HEAD")
	if err != nil && !errors.Is(err, errNoRef) {
		return fmt.Errorf("read HEAD of %s: %w", r.GitDir, err)
	}
	r.Head = Head{ID: id}
	if ref != "HEAD" {
		r.Head.Ref = ref
	}
	return nil
}

// HasIndex reports whether there is an index: a bare repository has none.
func (r *Repo) HasIndex() bool {
	_, err := os.Lstat(r.indexFile)
	return err == nil
}

// Partial reports whether the repository is a partial clone, where objects may
// be missing because their remote still has them.
func (r *Repo) Partial() bool {
	if _, ok := r.config.last("extensions.partialclone"); ok {
		return true
	}
	for key := range r.config {
		if strings.HasPrefix(key, "remote.") && strings.HasSuffix(key, ".promisor") && r.config.boolean(key, false) {
			return true
		}
	}
	return false
}
