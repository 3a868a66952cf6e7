// Package files reads directories, lists of files and streams for a scan. It
// knows nothing of Git and nothing of secrets: it hands out bytes, says where
// they stand, and lists what it could not read.
//
// Symbolic links are not followed, and devices, sockets and pipes are not
// opened. Memory is bounded whatever the size of a file or of a line: what is
// larger than Options.Whole comes in overlapping chunks.
package files

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/keywright/keywright/scan"
)

// Overlap is how many bytes a chunk repeats on either side of the anchors that
// are its own. It is twice what the farthest reaching rule can see, because in
// UTF-16 a character that counts as one byte takes two.
const Overlap = 2 * (scan.MaxBlock + 4*scan.MaxReach)

// What is never read, as it is called in Result.Excluded.
const (
	ExcludedLink    = "symbolic link"
	ExcludedSpecial = "device, socket or pipe"
	ExcludedGitDir  = "Git directory"
	ExcludedDir     = "directory where a file was expected"
	ExcludedSystem  = "kernel file system"
	ExcludedPath    = "excluded path"
)

// A Document is the content of a file, or a chunk of it.
type Document struct {
	Path string // slash-separated, relative to the root; raw bytes
	Data []byte // valid until visit returns, and not to be written to

	// Offset is where in the file Data begins; First and Last say whether it
	// begins and ends with the file.
	Offset      int64
	First, Last bool

	// Size is how much the file holds, in bytes; 0 if it is not known.
	Size int64

	// Line and Column are the position of Data[0], from 1; columns are bytes.
	Line, Column int

	// The anchors that are this chunk's own are the offsets in [KeepFrom, KeepTo)
	// of Data. Every offset of a file is some chunk's own, exactly once.
	KeepFrom, KeepTo int

	// Head is the beginning of the file, at most HeadSize bytes: how a file is to
	// be viewed is decided from it, in every chunk alike.
	Head []byte

	// Stamp is the file's before it was read; zero if the system has none, if the file
	// was changed so shortly before that it may keep its stamp when it is changed again,
	// or if it could not be read to its end.
	Stamp Stamp

	// Worker numbers the goroutine that calls visit, from 0 to Options.Workers-1.
	Worker int
}

// Stamp is what the system says of a file beside its content: which one it is, and
// when it was changed. Whatever writes to a file, or takes its place, gives it
// another. It is zero where the system does not keep the time of the last change of
// any kind, which programs cannot set.
type Stamp struct {
	Device, Inode     uint64
	Size              int64
	Modified, Changed int64 // nanoseconds since 1970
}

// settling is longer than any usual file system rounds its times.
const settling = 2 * time.Second

// settled reports whether a file that has this stamp now will have another when it is
// written to from now on. One that was changed a moment ago may not, as clocks are
// coarse: what is asked must be asked before the file is read, not after.
func (s Stamp) settled(now time.Time) bool {
	return s != Stamp{} && s.Changed < now.Add(-settling).UnixNano()
}

// HeadSize bounds Document.Head.
const HeadSize = 8 << 10

// Whole reports whether the document is a whole file.
func (d *Document) Whole() bool { return d.First && d.Last }

// Options tune how files are read. The zero value is good.
type Options struct {
	// Workers is the number of goroutines; GOMAXPROCS if zero.
	Workers int
	// Whole is the size in bytes up to which a file is read in one piece; 32 MiB
	// if zero.
	Whole int
	// Chunk is how many new bytes a chunk of a larger file holds, about; 4 MiB if
	// zero.
	Chunk int
	// Skip says which paths, slash-separated and relative to the root, are left
	// out. What lies below a directory left out is not looked at. It is called
	// from several goroutines at once. Nil leaves nothing out.
	Skip func(path string, dir bool) bool
	// Known says which files need not be read, by their stamps. They count as read.
	// It is called by several goroutines at once, each with its number. Nil knows none.
	Known func(path string, s Stamp, worker int) bool
	// Regular says that the paths of a list were found to be regular files a
	// moment ago, so that ReadFiles need not look before it opens them. What they
	// became since is not read all the same.
	Regular bool
}

func (o Options) withDefaults() Options {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Whole <= 0 {
		o.Whole = 32 << 20
	}
	if o.Chunk <= 0 {
		o.Chunk = 4 << 20
	}
	// Chunks begin at even offsets, so that UTF-16 is not cut in two.
	o.Chunk = max(o.Chunk+o.Chunk%2, Overlap)
	o.Whole += o.Whole % 2
	return o
}

// Result is what was read and what was not. Gaps and Excluded are sorted, so
// that the same tree gives the same result.
type Result struct {
	Files    int
	Bytes    int64
	Gaps     []scan.Gap
	Excluded []scan.Excluded
}

// Visit receives the documents. It is called from several goroutines at once,
// and in no particular order; the chunks of one file come in order, from one
// goroutine. An error ends the reading.
type Visit func(Document) error

// Walk reads the files below the directory root, or root itself if it is a
// file; then the path of its document is its base name. Root may be a symbolic
// link. Git directories are left out. A file or directory below root that cannot
// be read is a gap, one that vanishes is not.
//
// It returns an error if root cannot be read (an *fs.PathError), if visit
// returned one, or if ctx is done.
func Walk(ctx context.Context, root string, o Options, visit Visit) (Result, error) {
	return walk(ctx, root, o.withDefaults(), visit)
}

// ReadFiles reads the files with the given paths, slash-separated and relative
// to the directory root. Paths where no file is are left out silently, as are
// those that are only reached through a symbolic link: Git lists files that the
// work tree no longer has.
//
// It returns an error if visit returned one, or if ctx is done.
func ReadFiles(ctx context.Context, root string, paths []string, o Options, visit Visit) (Result, error) {
	return readList(ctx, root, paths, o.withDefaults(), visit)
}

// tally counts what is left out and what failed. The zero value is empty.
type tally struct {
	files    int
	bytes    int64
	gaps     []scan.Gap
	excluded map[string]int
}

func (t *tally) exclude(what string) {
	if t.excluded == nil {
		t.excluded = map[string]int{}
	}
	t.excluded[what]++
}

func (t *tally) gap(path string, err error) {
	t.gaps = append(t.gaps, scan.Gap{What: path, Why: reason(err), Hint: remedy(err)})
}

// merge makes one result of the workers' tallies.
func merge(tallies []tally) Result {
	var r Result
	excluded := map[string]int{}
	for i := range tallies {
		t := &tallies[i]
		r.Files += t.files
		r.Bytes += t.bytes
		r.Gaps = append(r.Gaps, t.gaps...)
		for what, n := range t.excluded {
			excluded[what] += n
		}
	}
	for what, n := range excluded {
		r.Excluded = append(r.Excluded, scan.Excluded{What: what, Count: n})
	}
	slices.SortFunc(r.Gaps, func(a, b scan.Gap) int { return strings.Compare(a.What, b.What) })
	slices.SortFunc(r.Excluded, func(a, b scan.Excluded) int { return strings.Compare(a.What, b.What) })
	return r
}
