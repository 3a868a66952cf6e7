package audit

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/keywright/keywright/secret"
)

// key is the signing key of a log, and what is derived from it.
type key struct {
	signer note.Signer
	public string // note's form of a verifier key
	mac    []byte // for records
}

// Of damaged items these errors never say what they are.
var (
	errKey  = errors.New("the log's signing key is damaged")
	errHead = errors.New("the log's head is damaged")
)

// A key's name says which installation's it is, and which log's of those: the prefix,
// and both separated by a hyphen. Older keys have no log in their names.
const namePrefix = "keywright-audit-"

// newKey makes a key under a name that no other log has, for an installation; "" is for
// a new one.
func newKey(installation string) (*key, secret.Value, error) {
	if installation == "" {
		installation = randomID()
	}
	text, _, err := note.GenerateKey(rand.Reader, namePrefix+installation+"-"+randomID())
	if err != nil {
		return nil, secret.Value{}, fmt.Errorf("make a signing key: %w", err)
	}
	v := secret.New([]byte(text))
	k, err := parseKey(v)
	return k, v, err
}

func randomID() string {
	id := make([]byte, 8)
	rand.Read(id)
	return hex.EncodeToString(id)
}

// installation is whose key this is; "" if its name does not tell.
func (k *key) installation() string {
	rest, ok := strings.CutPrefix(k.signer.Name(), namePrefix)
	if !ok {
		return ""
	}
	id, _, _ := strings.Cut(rest, "-")
	return id
}

// parseKey reads a signing key in note's form:
// PRIVATE+KEY+name+hash+base64(algorithm, seed).
func parseKey(v secret.Value) (*key, error) {
	text := string(v.Reveal())
	signer, err := note.NewSigner(text)
	if err != nil {
		return nil, errKey // note's own errors are not ours to vouch for
	}
	fields := strings.SplitN(text, "+", 5)
	data, err := base64.StdEncoding.DecodeString(fields[len(fields)-1])
	if err != nil || len(data) != 1+ed25519.SeedSize {
		return nil, errKey
	}
	private := ed25519.NewKeyFromSeed(data[1:])
	public, err := note.NewEd25519VerifierKey(signer.Name(), private.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, errKey
	}
	h := hmac.New(sha256.New, data[1:])
	h.Write([]byte("keywright audit record"))
	return &key{signer, public, h.Sum(nil)}, nil
}

// key reads the signing key. The error matches ErrNotKept if there is none.
func (l *Log) key(ctx context.Context) (*key, error) {
	v, err := l.keep.Get(ctx, KeyItem)
	if err != nil {
		return nil, fmt.Errorf("read the log's signing key: %w", err)
	}
	return parseKey(v)
}

// head reads the newest head of a log that has a key. That there is none is a Fault.
func (l *Log) head(ctx context.Context) (tlog.Tree, error) {
	v, err := l.keep.Get(ctx, HeadItem)
	if errors.Is(err, ErrNotKept) {
		return tlog.Tree{}, &Fault{Kind: HeadLost}
	}
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("read the log's head: %w", err)
	}
	origin, tree, err := parseTree(string(v.Reveal()))
	if err != nil || origin != headOrigin {
		return tlog.Tree{}, errHead
	}
	return tree, nil
}

func (l *Log) putHead(ctx context.Context, t tlog.Tree) error {
	if err := l.keep.Put(ctx, HeadItem, secret.New([]byte(formatTree(headOrigin, t)))); err != nil {
		return fmt.Errorf("keep the log's head: %w", err)
	}
	return nil
}

const (
	headOrigin = "keywright-audit-head" // the first line of a head in the keychain

	// More entries than this are an error of some other kind. It also keeps tlog's
	// arithmetic from overflowing on a number that somebody made up.
	maxEntries = 1 << 48
)

func emptyTree() tlog.Tree {
	return tlog.Tree{Hash: sha256.Sum256(nil)} // RFC 6962, section 2.1
}

// formatTree is the text of a checkpoint: whose, how many, root.
func formatTree(origin string, t tlog.Tree) string {
	return fmt.Sprintf("%s\n%d\n%s\n", origin, t.N, t.Hash)
}

// parseTree is the inverse of formatTree, and takes nothing else.
func parseTree(text string) (origin string, t tlog.Tree, err error) {
	malformed := errors.New("malformed checkpoint")
	lines := strings.Split(text, "\n")
	if len(lines) != 4 {
		return "", t, malformed
	}
	origin = lines[0]
	if t.N, err = strconv.ParseInt(lines[1], 10, 64); err != nil || t.N < 0 || t.N > maxEntries {
		return "", t, malformed
	}
	if t.Hash, err = tlog.ParseHash(lines[2]); err != nil || formatTree(origin, t) != text {
		return "", t, malformed
	}
	return origin, t, nil
}
