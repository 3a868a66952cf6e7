package scan

import (
	"time"

	"github.com/keywright/keywright/secret"
)

// A Finding is one distinct secret, with every place where it came in.
type Finding struct {
	Rule        *Rule
	Confidence  Confidence
	Proof       Proof
	Reasons     []string
	Fingerprint string // "k1:" and hexadecimal digits
	PublicID    string
	Redacted    string
	Secret      secret.Value
	Parts       []Part
	Variants    []Variant // what it was recognised as in other places, with other parts beside it
	Held        []Held    // what of the user's own keys it is, or holds
	Answer      *Answer   // of its provider; nil if it was not asked
	Places      []Place   // sorted; never empty
}

// Variant is what a secret was recognised as, and the parts beside it.
type Variant struct {
	Rule  *Rule
	Parts []Part
}

// Answer is what a provider said when it was asked whether a secret is alive.
type Answer struct {
	Life    Life
	Code    string // the provider's own word, or why there is none; never a secret
	Account string // whose it is; empty if it did not say
}

// Life is whether a secret opens something today.
type Life string

// The lives of secrets. Only what its provider refuses as not valid is dead.
const (
	Alive   Life = "alive"
	Dead    Life = "dead"
	Unknown Life = "unknown"
)

// Held says which of the keys that the user holds a value is.
type Held struct {
	Key     string    // as keys are written: "prod/BINANCE"
	Part    string    // of the key
	Version string    // "current", "pending", "previous" or "retired"
	Died    time.Time // when it was retired; zero if it was not
}

// Part is one part of a finding. Public parts are printed as they are.
type Part struct {
	Role     string
	Public   bool
	Redacted string       // the whole value if Public
	Value    secret.Value // of another part beside the secret; zero if it is not known any more
}

// SourceKind is where a place was read.
type SourceKind string

// The kinds of places.
const (
	SourceFile    SourceKind = "file"    // the work tree, or any directory
	SourceIndex   SourceKind = "index"   // a Git index entry that is not the work tree's file
	SourceHistory SourceKind = "history" // a blob in Git's object store
	SourceMessage SourceKind = "message" // a commit message
	SourceTag     SourceKind = "tag"     // an annotated tag's message
	SourceNote    SourceKind = "note"    // a git note
	SourceConfig  SourceKind = "config"  // .git/config and its kin
	SourceStdin   SourceKind = "stdin"
)

// Place is where a secret came in. Lines and columns count from 1; columns are
// bytes; the end is the position after the last byte.
type Place struct {
	Source      SourceKind
	Path        string   // slash-separated, relative to the scanned root; raw bytes
	Via         []string // encodings and containers on the way: "utf-16"
	Line        int
	Column      int
	EndLine     int
	EndColumn   int
	Object      string // the Git object id, in full
	Commit      string // the commit that brought it
	Author      string
	Email       string
	Date        time.Time // author date, with its zone
	AtTip       bool      // still there at the tip of a branch, in the index or the work tree
	Unreachable bool      // in no history of any ref, reflog or stash
	Versions    int       // further versions of the file that hold it, this one included
}

// Gap is something that the scan promised to read and could not.
type Gap struct {
	What string // "object 4f2a…", "pack-12….pack", a path
	Why  string
	Hint string // what to do about it; may be empty
}

// Excluded counts what this version never reads.
type Excluded struct {
	What  string // "git-lfs content", "submodule history"
	Count int
}

// Coverage is what a scan read, and what it did not.
type Coverage struct {
	Files    int // files of directories, index entries, standard input
	Blobs    int // distinct blobs of the object store
	Commits  int
	Bytes    int64 // content bytes of all those
	Gaps     []Gap
	Excluded []Excluded
}

// Complete reports whether nothing that was promised is missing.
func (c *Coverage) Complete() bool { return len(c.Gaps) == 0 }

// Report is the result of a scan.
type Report struct {
	Version     string // keywright's own
	RulesDigest string
	Root        string // absolute: what the places' paths are relative to; empty for a stream
	Interrupted bool
	Coverage    Coverage
	Suppressed  int  // findings silenced by comments and ignore files
	BelowLevel  int  // findings below the wanted confidence
	LocalScope  bool // fingerprints are this clone's only
	Findings    []Finding
	Duration    time.Duration // shown to people only: reports are the same from run to run
}
