// Package pipeline conducts a scan: what a source holds is matched, attributed,
// grouped into findings, and what was not read is put on record.
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/keywright/keywright/config"
	"github.com/keywright/keywright/internal/durable"
	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/cache"
	"github.com/keywright/keywright/scan/files"
	"github.com/keywright/keywright/scan/gitrepo"
	"github.com/keywright/keywright/scan/held"
	"github.com/keywright/keywright/scan/match"
)

// Mode says what of a path is scanned.
type Mode int

// The modes. A path outside a repository is scanned as files in the modes that
// include them.
const (
	Everything  Mode = iota // work tree, index, configuration and history
	NoHistory               // work tree, index and configuration
	HistoryOnly             // every object of the stores
	Staged                  // what the next commit would add
	Range                   // what the commits of a range add
	Stdin                   // a stream
)

// Options say what to scan and how. What is zero is as configured, or default.
type Options struct {
	Version string // of the program, for the report
	Path    string
	Stdin   io.Reader
	Mode    Mode
	Range   string    // A..B
	Since   time.Time // of history, only commits from then on

	Builtin   []*scan.Rule
	Table     string    // of the built-in rules, for match.NewWith
	Held      *held.Set // the user's keys to look for, too; nil for none
	Rules     []string  // patterns of rule ids
	Level     scan.Confidence
	Exclude   []string // patterns of paths
	NoIgnore  bool
	CacheDir  string // empty: no cache
	MaxMemory int64  // bytes

	// Progress, if set, is told now and then what is being done. It may be called
	// by several goroutines at once.
	Progress func(Progress)
}

// Progress is how far a scan is. Total is zero if it is not known.
type Progress struct {
	Phase       string // "files", "history", "attribution", "commits"
	Done, Total int64
}

// DefaultMaxMemory is the budget of a scan, in bytes.
const DefaultMaxMemory = 512 << 20

// objectShare is the part of the budget that a single object may take.
const objectShare = 4

// LackError says that a path does not have what was asked for.
type LackError struct {
	Path string
	What string // "staged changes"
	Lack Lack
}

// Lack is why a path does not have what was asked for.
type Lack string

// The reasons.
const (
	NotInRepository Lack = "it is not in a Git repository"
	SingleFile      Lack = "it is a single file"
	BareRepository  Lack = "it is a bare repository"
)

func (e *LackError) Error() string {
	return fmt.Sprintf("scan %s of %s: %s", e.What, e.Path, e.Lack)
}

// run is one scan.
type run struct {
	Options
	repo    *gitrepo.Repo
	store   *gitrepo.Store
	root    string // of the files: the work tree, or the path
	only    string // the part of a work tree that was asked for, slash-separated; empty for all
	config  *config.Config
	ignore  *config.Ignore
	globs   *config.Globs
	rng     gitrepo.Range
	collect *collector
	names   *names
	workers int

	coverage scan.Coverage
	places   []found
	indexed  map[string]bool // objects that an index adds to its HEAD
	salt     []byte          // of fingerprints; nil until looked up
	local    bool            // the salt is this clone's alone
	graph    *gitrepo.Graph

	cache     *cache.Cache // nil if there is none
	forget    bool         // use nothing that is remembered
	past      *past        // what was remembered, if it was used
	knownSalt []byte       // of the fingerprints that are remembered
	memory    kept         // what is to be remembered
}

// found is a sighting and its place. What the place says of lines is not set.
type found struct {
	sighting
	place scan.Place
}

// Run scans. When ctx is done it returns what was found so far, marked as
// interrupted. Errors are about what was asked; what could not be read is a gap
// of the report.
func Run(ctx context.Context, o Options) (*scan.Report, error) {
	r := newRun(o)
	report, err := r.once(ctx)
	if errors.Is(err, errStale) {
		r = newRun(o)
		r.forget = true
		report, err = r.once(ctx)
	}
	return report, err
}

func newRun(o Options) *run { return &run{Options: o, workers: runtime.GOMAXPROCS(0)} }

func (r *run) once(ctx context.Context) (*scan.Report, error) {
	start := time.Now()
	if err := r.prepare(ctx); err != nil {
		return nil, err
	}
	if r.store != nil {
		defer r.store.Close()
	}
	err := r.scan(ctx)
	interrupted := ctx.Err() != nil && (err == nil || errors.Is(err, ctx.Err()))
	if err != nil && !interrupted {
		return nil, err
	}
	report, err := r.report(context.WithoutCancel(ctx))
	if err != nil {
		return nil, err
	}
	if !interrupted {
		r.remember(ctx)
	}
	report.Interrupted = interrupted
	report.Duration = time.Since(start)
	return report, nil
}

// prepare finds the repository, reads the configuration and compiles the rules.
func (r *run) prepare(ctx context.Context) error {
	if r.Mode != Stdin {
		if err := r.open(ctx); err != nil {
			return err
		}
	}
	if err := r.configure(); err != nil {
		return err
	}
	if r.store != nil {
		r.store.MaxObject = r.maxObject()
	}
	rules, hold, err := r.selectRules()
	if err != nil {
		return err
	}
	engine, err := match.NewWith(rules, r.Table)
	if err == nil && hold {
		engine.Hold(r.Held)
	}
	if err != nil {
		return &config.Error{File: config.FileName, Problem: err.Error(), Advice: "'Rules of your own' in docs/config.md says what an expression needs"}
	}
	var key [32]byte
	if r.repo != nil {
		if r.cache = openCache(r.CacheDir); r.cache != nil {
			key = r.cache.Key("secrets")
		}
	}
	r.collect, r.names = newCollector(engine, key), newNames(engine.Rules())
	return nil
}

// selectRules are the rules that are asked for, and whether the held keys are, too.
func (r *run) selectRules() (rules []*scan.Rule, hold bool, err error) {
	all := r.Builtin
	if r.Held != nil {
		all = append(slices.Clip(all), &scan.Rule{ID: match.HeldRule})
	}
	if rules, err = r.config.SelectRules(all, r.Rules); err != nil {
		return nil, false, err
	}
	n := len(rules)
	rules = slices.DeleteFunc(rules, func(c *scan.Rule) bool { return c.ID == match.HeldRule })
	return rules, len(rules) < n, nil
}

func (r *run) open(ctx context.Context) error {
	abs, err := filepath.Abs(r.Path)
	if err != nil {
		return err
	}
	info, err := os.Stat(abs)
	if err != nil {
		return err
	}
	r.root = abs
	r.repo, err = gitrepo.Open(ctx, abs)
	if errors.Is(err, gitrepo.ErrNotRepository) {
		r.repo = nil
		return r.lacks(NotInRepository)
	}
	if unsupported := (*gitrepo.UnsupportedError)(nil); errors.As(err, &unsupported) && !info.IsDir() {
		return r.lacks(SingleFile) // what its repository is like makes no difference to a file
	}
	if err != nil {
		return err
	}
	if r.store, err = r.repo.Store(); err != nil {
		return err
	}
	if !info.IsDir() {
		return r.single(abs)
	}
	if r.repo.WorkTree != "" {
		r.root = r.repo.WorkTree
	} else if !r.repo.HasIndex() {
		if err := r.lacksFiles(); err != nil {
			return err
		}
	}
	if r.Mode == Range {
		r.rng, err = r.repo.ParseRange(r.store, r.Range)
	}
	return err
}

// single narrows a scan to one file: its repository only says where it stands.
func (r *run) single(file string) error {
	r.root, r.only = filepath.Dir(file), filepath.Base(file)
	return r.lacks(SingleFile)
}

// lacks is an error if the mode needs what a path outside of repositories, or a
// single file, does not have.
func (r *run) lacks(why Lack) error {
	switch {
	case r.Mode == Staged:
		return &LackError{r.Path, "staged changes", why}
	case r.Mode == Range:
		return &LackError{r.Path, "a range", why}
	case r.Mode == HistoryOnly, !r.Since.IsZero():
		return &LackError{r.Path, "the history", why}
	}
	return nil
}

// lacksFiles is an error if the mode needs a work tree or its index.
func (r *run) lacksFiles() error {
	switch r.Mode {
	case Staged:
		return &LackError{r.Path, "staged changes", BareRepository}
	case NoHistory:
		return &LackError{r.Path, "the files", BareRepository}
	}
	return nil
}

// configure reads the configuration and ignore files: of a range from its A
// side, so that a change cannot silence itself.
func (r *run) configure() error {
	var err error
	read := r.readFile
	if r.config, err = parseWith(read, config.FileName, config.Parse); err != nil {
		return err
	}
	if r.ignore, err = parseWith(read, config.IgnoreFileName, config.ParseIgnore); err != nil {
		return err
	}
	c := r.config.Scan
	if r.Level == 0 {
		r.Level = c.Confidence
	}
	if r.Level == 0 {
		r.Level = scan.Medium
	}
	if r.MaxMemory == 0 {
		r.MaxMemory = c.MaxMemory
	}
	if r.MaxMemory == 0 {
		r.MaxMemory = DefaultMaxMemory
	}
	r.globs, err = config.NewGlobs(slices.Concat(c.Exclude, r.Exclude))
	return err
}

func parseWith[T any](read func(string) ([]byte, error), name string, parse func(string, []byte) (T, error)) (T, error) {
	data, err := read(name)
	if err != nil {
		var zero T
		return zero, fmt.Errorf("read %s: %w", name, err)
	}
	return parse(name, data)
}

// readFile reads a file of the scanned tree's root; one that does not exist is
// empty.
func (r *run) readFile(name string) ([]byte, error) {
	var data []byte
	var err error
	switch {
	case r.Mode == Stdin:
		data, err = durable.ReadFile(name)
	case r.Mode == Range:
		_, data, err = r.store.ReadFile(r.rng.A, name)
	case r.repo != nil && r.repo.WorkTree == "":
		if r.repo.Head.ID.IsZero() {
			return nil, nil
		}
		_, data, err = r.store.ReadFile(r.repo.Head.ID, name)
	case r.repo != nil:
		data, err = durable.ReadFile(filepath.Join(r.repo.WorkTree, name))
	default:
		dir := r.root
		if info, statErr := os.Stat(dir); statErr == nil && !info.IsDir() {
			dir = filepath.Dir(dir)
		}
		data, err = durable.ReadFile(filepath.Join(dir, name))
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// scan reads what the mode asks for.
func (r *run) scan(ctx context.Context) error {
	switch {
	case r.Mode == Stdin:
		result, err := files.Read(ctx, r.Stdin, "", files.Options{}, r.visitor(scan.SourceStdin, nil))
		r.read(result)
		return err
	case r.Mode == Staged:
		return r.staged(ctx)
	case r.Mode == Range:
		return r.commitRange(ctx)
	case r.repo == nil:
		r.noRepository()
		result, err := files.Walk(ctx, r.root, files.Options{Skip: r.skip}, r.visitor(scan.SourceFile, nil))
		r.read(result)
		return err
	case r.only != "":
		result, err := files.ReadFiles(ctx, r.root, []string{r.only}, files.Options{}, r.visitor(scan.SourceFile, nil))
		r.read(result)
		return err
	}
	return r.repository(ctx)
}

func (r *run) repository(ctx context.Context) error {
	if r.Mode != HistoryOnly {
		if err := r.workTree(ctx); err != nil {
			return err
		}
		if err := r.configFiles(ctx); err != nil {
			return err
		}
	}
	switch {
	case r.Mode == NoHistory:
		return nil
	case !r.Since.IsZero():
		return r.since(ctx)
	}
	return r.history(ctx)
}

func (r *run) progress(phase string, done, total int64) {
	if r.Progress != nil {
		r.Progress(Progress{phase, done, total})
	}
}

func (r *run) skip(path string, dir bool) bool {
	if dir {
		return r.globs.MatchDir(path)
	}
	return r.globs.Match(path)
}

// read adds what a source of files read and did not read to the coverage.
func (r *run) read(result files.Result) {
	r.coverage.Files += result.Files
	r.coverage.Bytes += result.Bytes
	r.coverage.Gaps = append(r.coverage.Gaps, result.Gaps...)
	for _, e := range result.Excluded {
		r.exclude(e.What, e.Count)
	}
}

func (r *run) exclude(what string, n int) {
	r.coverage.Excluded = excludeIn(r.coverage.Excluded, what, n)
}

// excludeIn adds to a count of what was left out.
func excludeIn(all []scan.Excluded, what string, n int) []scan.Excluded {
	if n == 0 {
		return all
	}
	for i := range all {
		if all[i].What == what {
			all[i].Count += n
			return all
		}
	}
	return append(all, scan.Excluded{What: what, Count: n})
}

// cover adds what was read of a history to the coverage.
func (r *run) cover(c scan.Coverage) {
	r.coverage.Blobs += c.Blobs
	r.coverage.Commits += c.Commits
	r.coverage.Bytes += c.Bytes
	r.coverage.Gaps = append(r.coverage.Gaps, c.Gaps...)
	for _, e := range c.Excluded {
		r.exclude(e.What, e.Count)
	}
}
