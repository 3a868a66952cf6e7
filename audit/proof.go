package audit

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// proof is the file that Prove makes: JSON on one line. Entry is the body as a
// string, so that whoever checks has the very bytes that were hashed.
type proof struct {
	Format     string      `json:"format"`
	Index      int64       `json:"index"`
	Entry      string      `json:"entry"`
	Salt       []byte      `json:"salt"`
	Path       []tlog.Hash `json:"path"`       // tlog.RecordProof
	Checkpoint string      `json:"checkpoint"` // a signed note
	Key        string      `json:"key"`        // note's verifier key, to be compared with a known one
}

const (
	proofFormat = "keywright-audit-proof-1"
	maxProof    = 1 << 20
)

// ErrProof says that a proof does not prove what it claims, or is none.
var ErrProof = errors.New("the proof does not hold")

// ErrNoProof says that something is no proof at all.
var ErrNoProof = errors.New("it is not a proof")

// ErrCheckpoint says that something is no checkpoint that anybody signed.
var ErrCheckpoint = errors.New("it is not a checkpoint, or not as it was signed")

// ErrOtherKey says that a checkpoint or a proof was signed with another key than the
// one expected: it is of another log.
var ErrOtherKey = errors.New("it is signed with another key")

// Proved is what a proof shows: that this entry is the one at its place in a log that
// had, with this root hash, so many entries.
type Proved struct {
	Entry Entry
	Size  int64
	Root  tlog.Hash
}

// existing reads the key. The error matches ErrNoLog if there is no log, and is a Fault if
// there is one that has lost it.
func (l *Log) existing(ctx context.Context) (*key, error) {
	k, err := l.key(ctx)
	if errors.Is(err, ErrNotKept) {
		return nil, cmp.Or(l.refuseOrphans(), ErrNoLog)
	}
	return k, err
}

// signed reads the key and the head. The errors are those of existing.
func (l *Log) signed(ctx context.Context) (*key, tlog.Tree, error) {
	k, err := l.existing(ctx)
	if err != nil {
		return nil, tlog.Tree{}, err
	}
	head, err := l.head(ctx)
	return k, head, err
}

// PublicKey returns the log's key in note's form of a verifier key. The error matches
// [ErrNoLog] as long as nothing was appended.
func (l *Log) PublicKey(ctx context.Context) (string, error) {
	k, err := l.existing(ctx)
	if err != nil {
		return "", err
	}
	return k.public, nil
}

// Checkpoint returns the newest head as a signed note, to be kept elsewhere. It does
// not read the log: the head is what Verify compares the log with. The error matches
// [ErrNoLog] as long as nothing was appended.
func (l *Log) Checkpoint(ctx context.Context) ([]byte, error) {
	k, head, err := l.signed(ctx)
	if err != nil {
		return nil, err
	}
	return k.checkpoint(head)
}

func (k *key) checkpoint(t tlog.Tree) ([]byte, error) {
	signed, err := note.Sign(&note.Note{Text: formatTree(k.signer.Name(), t)}, k.signer)
	if err != nil {
		return nil, fmt.Errorf("sign checkpoint: %w", err)
	}
	return signed, nil
}

// openCheckpoint returns the tree that a checkpoint signed with a key names.
func openCheckpoint(checkpoint []byte, public string) (tlog.Tree, error) {
	v, err := note.NewVerifier(public)
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("read verifier key: %w", err)
	}
	n, err := note.Open(checkpoint, note.VerifierList(v))
	var unverified *note.UnverifiedNoteError
	if errors.As(err, &unverified) {
		return tlog.Tree{}, ErrOtherKey
	}
	if err != nil { // malformed, or an invalid signature
		return tlog.Tree{}, ErrCheckpoint
	}
	for _, s := range n.Sigs { // note lets the last bits of an encoding vary
		if _, err := base64.StdEncoding.Strict().DecodeString(s.Base64); err != nil {
			return tlog.Tree{}, ErrCheckpoint
		}
	}
	origin, tree, err := parseTree(n.Text)
	switch {
	case err != nil:
		return tlog.Tree{}, ErrCheckpoint
	case origin != v.Name():
		return tlog.Tree{}, ErrOtherKey
	}
	return tree, nil
}

// VerifyAgainst verifies the log, and that it extends the one that a checkpoint of
// Checkpoint names. The error is a [*Fault] if not, and matches [ErrOtherKey] if the
// checkpoint is one of another log, [ErrCheckpoint] if it is none, and [ErrNoLog].
func (l *Log) VerifyAgainst(ctx context.Context, checkpoint []byte) (Report, error) {
	public, err := l.PublicKey(ctx)
	if err != nil {
		return Report{}, err
	}
	old, err := openCheckpoint(checkpoint, public)
	if err != nil {
		return Report{}, fmt.Errorf("compare with checkpoint: %w", err)
	}
	r, err := l.Verify(ctx)
	if err != nil {
		return Report{}, err
	}
	if err := l.extends(r, old); err != nil {
		return Report{}, fmt.Errorf("compare audit log %s with checkpoint: %w", l.disk, err)
	}
	return r, nil
}

// extends shows that a verified log has an older one as its beginning.
func (l *Log) extends(r Report, old tlog.Tree) error {
	if old.N > r.Size {
		return &Fault{RolledBack, r.Size}
	}
	if old.N == 0 {
		if old.Hash != emptyTree().Hash {
			return &Fault{Kind: Forked}
		}
		return nil
	}
	hashes, err := l.hashes(tlog.StoredHashCount(r.Size))
	if err != nil {
		return err
	}
	defer hashes.Close()
	p, err := tlog.ProveTree(r.Size, old.N, hashes)
	if err != nil {
		return err
	}
	if tlog.CheckTree(p, r.Size, r.Root, old.N, old.Hash) != nil {
		return &Fault{Forked, old.N}
	}
	return nil
}

// Prove returns a proof of entry n, for CheckProof or any other program that knows
// the format. It shows the entry, and of others nothing but hashes. The error matches
// [ErrNoEntry], [ErrErased] or [ErrNoLog], or is a [*Fault] if the entry is not what
// the head names.
func (l *Log) Prove(ctx context.Context, n int64) ([]byte, error) {
	data, err := l.prove(ctx, n)
	if err != nil {
		return nil, fmt.Errorf("prove entry %d of audit log %s: %w", n, l.disk, err)
	}
	return data, nil
}

func (l *Log) prove(ctx context.Context, n int64) ([]byte, error) {
	k, head, err := l.signed(ctx)
	if err != nil {
		return nil, err
	}
	if n < 0 || n >= head.N {
		return nil, ErrNoEntry
	}
	r, err := l.record(ctx, n)
	if err != nil {
		return nil, err
	}
	if r.erased() {
		return nil, ErrErased
	}
	hashes, err := l.hashes(tlog.StoredHashCount(head.N))
	if err != nil {
		return nil, err
	}
	defer hashes.Close()
	path, err := tlog.ProveRecord(head.N, n, hashes)
	if err != nil {
		return nil, err
	}
	if tlog.CheckRecord(path, head.N, head.Hash, n, tlog.RecordHash(r.leaf())) != nil {
		return nil, l.explain(ctx, &Fault{Altered, n})
	}
	checkpoint, err := k.checkpoint(head)
	if err != nil {
		return nil, err
	}
	return proof{proofFormat, n, string(r.Body), r.Salt, path, string(checkpoint), k.public}.encode()
}

// record reads the record that stands at place n.
func (l *Log) record(ctx context.Context, n int64) (record, error) {
	entries, err := l.disk.open(entriesFile)
	if err != nil {
		return record{}, err
	}
	defer entries.Close()
	at := int64(0)
	for line, err := range lines(io.NewSectionReader(entries, 0, entries.Size())) {
		if err != nil {
			return record{}, err
		}
		if at == n {
			r, err := parseRecord(line)
			if err != nil || r.Seq != n {
				return record{}, l.explain(ctx, &Fault{Altered, n})
			}
			return r, nil
		}
		at++
	}
	return record{}, l.explain(ctx, &Fault{CutOff, at})
}

func (p proof) encode() ([]byte, error) {
	data, err := json.Marshal(p)
	return append(data, '\n'), err
}

// parseProof takes what encode gives, with or without the last newline.
func parseProof(data []byte) (proof, error) {
	var p proof
	if len(data) > maxProof {
		return proof{}, errors.New("it is too long")
	}
	if json.Unmarshal(data, &p) != nil || p.Format != proofFormat {
		return proof{}, ErrNoProof
	}
	if len(p.Salt) != saltSize { // so that it is clear where the entry begins
		return proof{}, errors.New("its salt is not one")
	}
	same, err := p.encode()
	if err != nil || !bytes.Equal(bytes.TrimSuffix(same, []byte("\n")), bytes.TrimSuffix(data, []byte("\n"))) {
		return proof{}, errors.New("it is not as keywright writes them")
	}
	return p, nil
}

// CheckProof checks a proof with nothing else at hand than the log's public key, as
// PublicKey gives it. The key must come from elsewhere: the one in the proof is there
// to be compared. The error matches [ErrProof], and [ErrOtherKey] if only the key is
// not the expected one, [ErrNoProof] if it is none.
func CheckProof(data []byte, verifierKey string) (Proved, error) {
	p, err := parseProof(data)
	if err != nil {
		return Proved{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	if p.Key != verifierKey {
		return Proved{}, fmt.Errorf("%w: %w", ErrProof, ErrOtherKey)
	}
	tree, err := openCheckpoint([]byte(p.Checkpoint), verifierKey)
	if err != nil {
		return Proved{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	hash := tlog.RecordHash(leaf(p.Index, digest(p.Salt, []byte(p.Entry))))
	if err := tlog.CheckRecord(p.Path, tree.N, tree.Hash, p.Index, hash); err != nil {
		return Proved{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	e, err := decodeEntry([]byte(p.Entry))
	if err == nil && e.Seq != p.Index {
		err = errors.New("the entry bears another number")
	}
	if err != nil {
		return Proved{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	return Proved{e, tree.N, tree.Hash}, nil
}
