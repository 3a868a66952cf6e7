package scan

// A Rule recognises one kind of secret. Exactly one of Expr, Block, Run, Object
// and Path says how. Rules are values: they are listed in scan/rules, compiled by
// scan/match, and never changed after that.
type Rule struct {
	ID        string // kebab-case, unique, stable: it is published in reports
	Provider  string // the issuer's name: "github", "bybit"; "generic" if none
	Title     string // a noun phrase: "GitHub personal access token"
	Why       string // one sentence: what whoever finds it can do
	Fix       string // one sentence: what to do about it, imperative
	Reference string // the document that describes the format

	// Confidence of a match without proof. Certain is reached by proof only.
	Confidence Confidence

	// Expr is an RE2 expression of bounded width (at most MaxReach bytes).
	// The group named "secret" is the secret (the whole match if there is none);
	// other named groups are further parts. Every match must contain one of a set
	// of literals of at least three bytes, derived from the syntax tree.
	Expr string

	Block  *Block
	Run    *Run
	Object *Object
	Path   *Path

	// Partners are further parts looked for near a match: a key id by its secret.
	Partners []Partner
	// Public names the roles that may be printed in full.
	Public []string

	// Check is the offline proof. It must be pure, depend on its argument only, and
	// keep none of it.
	Check func(Candidate) Evidence
	// NeedsProof drops every match that Check does not prove.
	NeedsProof bool
	// Generic rules yield to any other rule on overlapping bytes.
	Generic bool
	// MinEntropy, in bits per byte of the secret's own distribution, drops
	// matches below it. Zero asks nothing.
	MinEntropy float64

	// Realm says in which world the credential works, from its parts alone. It must be
	// pure. Nil means that the format does not tell.
	Realm func(Candidate) Realm

	// Samples makes texts that must and must not match. Nil means that one text
	// made from Expr must match.
	Samples func(*Gen) Samples
}

// MaxReach bounds, in bytes, the width of an expression, and how far from a
// match a partner may stand.
const MaxReach = 512

// MaxBlock bounds, in bytes, the text between a block's opening and its end.
const MaxBlock = 64 << 10

// Block is text between two literals, at most MaxBlock bytes. Blocks of one rule
// do not nest: an opening inside another block ends the first, unmatched.
// The secret is the whole block.
type Block struct {
	Open  []string // any of these; their common beginning has at least eight bytes
	Close []string // the one with the same index as the opening
}

// Run is a maximal run of bytes of an alphabet whose length lies in [Min, Max].
// Check decides; without a proof a run is no match.
type Run struct {
	Alphabet Alphabet
	Min, Max int                 // bytes; for Words, words
	First    string              // if set, the first byte must be one of these
	Word     func(w []byte) bool // for Words: whether w stands in a word list
}

// Alphabet names the byte classes that runs are made of.
type Alphabet uint8

// The alphabets of runs.
const (
	Alnum  Alphabet = iota // 0-9A-Za-z, bounded on both sides by another byte
	Base64                 // 0-9A-Za-z+/ and trailing =; Min at least 44
	Ints                   // decimal numbers below 256 with commas and white space: byte arrays
	Words                  // words of a list with short separators: mnemonics
)

// Object is a parser over a whole object, asked only when all of the gates occur.
type Object struct {
	Gate  string // a literal of at least five bytes that every such object holds
	Parse func(data []byte) []ObjectMatch
}

// ObjectMatch is one secret that a parser found, by offsets into the object.
type ObjectMatch struct {
	Parts []Span
	// Evidence adds to what Check says; Check is asked too when the rule has one.
	Evidence Evidence
}

// Path recognises a regular file that is not empty by its name alone: the file is
// the secret. Check is shown its beginning, at most 4 KiB, as the secret part.
type Path struct {
	Globs []string // matched against the base name, path.Match syntax
}

// A Partner is a part of a composite credential that stands near the match.
// The nearest match within Within bytes wins; on a tie the later one.
type Partner struct {
	Role     string
	Expr     string // as Rule.Expr, without a literal; group 1 is the value if there is one
	Within   int    // bytes on either side, at most MaxReach
	Required bool   // no verdict without it; otherwise no partner means Medium at most
}

// Span is a part of a match: a role and the bytes [Start, End) of the object.
type Span struct {
	Role       string
	Start, End int
}

// Samples are texts for tests.
type Samples struct {
	Match   []string // each must give exactly one verdict, by this rule, above Low
	Failed  []string // each must give a verdict by this rule whose proof failed, at Low
	NoMatch []string // none may give a verdict by this rule
}
