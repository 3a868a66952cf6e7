package gitrepo

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"sync"
)

var errNoRef = errors.New("no such reference")

// refStore reads references as one work tree sees them.
type refStore struct {
	gitDir, commonDir string
	packed            func() (*packedRefs, error)
}

func (r *Repo) refs(gitDir string) *refStore {
	file := filepath.Join(r.CommonDir, "packed-refs")
	return &refStore{gitDir, r.CommonDir, sync.OnceValues(func() (*packedRefs, error) { return readPackedRefs(file) })}
}

// maxSymrefs bounds chains of symbolic references, as Git does.
const maxSymrefs = 5

// follow resolves a full name through symbolic references, and returns the last
// name of the chain. errNoRef is for a name without a value: an unborn branch.
func (s *refStore) follow(name string) (string, ID, error) {
	for range maxSymrefs {
		target, id, err := s.read(name)
		if err != nil || target == "" {
			return name, id, err
		}
		name = target
	}
	return name, ID{}, fmt.Errorf("reference %q: too many symbolic references", name)
}

// read returns the value of one reference: another's name, or an id.
func (s *refStore) read(name string) (target string, id ID, err error) {
	if !safeRefName(name) {
		return "", ID{}, fmt.Errorf("reference %q: %w", name, errNoRef)
	}
	data, err := os.ReadFile(filepath.Join(s.dirOf(name), filepath.FromSlash(name)))
	if err == nil {
		return parseRef(name, data)
	}
	// A directory of that name, or a file where a directory would have to be,
	// is no loose reference.
	packed, err := s.packed()
	if err != nil {
		return "", ID{}, err
	}
	id, ok := packed.find(name)
	if !ok {
		return "", ID{}, fmt.Errorf("reference %q: %w", name, errNoRef)
	}
	return "", id, nil
}

// safeRefName refuses names that would leave the directory, or name no file.
func safeRefName(name string) bool {
	return name != "" && path.Clean(name) == name && name[0] != '/' && !strings.HasPrefix(name, "..") &&
		!strings.ContainsAny(name, "\x00\\:*?[~^")
}

// dirOf says where a reference's file lives: some belong to one work tree only.
func (s *refStore) dirOf(name string) string {
	for _, own := range [...]string{"refs/bisect/", "refs/worktree/", "refs/rewritten/"} {
		if strings.HasPrefix(name, own) {
			return s.gitDir
		}
	}
	if strings.HasPrefix(name, "refs/") {
		return s.commonDir
	}
	return s.gitDir
}

// parseRef reads the content of a loose reference.
func parseRef(name string, data []byte) (target string, id ID, err error) {
	if rest, ok := bytes.CutPrefix(data, []byte("ref:")); ok {
		return string(bytes.TrimSpace(rest)), ID{}, nil
	}
	if len(data) < 40 || !decodeID(data[:40], &id) || len(data) > 40 && !bytes.ContainsRune([]byte(" \t\r\n"), rune(data[40])) {
		return "", ID{}, fmt.Errorf("reference %q: content is no object id", name)
	}
	return "", id, nil
}

// packedRefs is the content of a packed-refs file.
type packedRefs struct {
	body   []byte // without header lines
	sorted bool
}

func readPackedRefs(file string) (*packedRefs, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return &packedRefs{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read packed references: %w", err)
	}
	return parsePackedRefs(data), nil
}

func parsePackedRefs(data []byte) *packedRefs {
	p := &packedRefs{body: data}
	for len(p.body) > 0 && p.body[0] == '#' {
		var line []byte
		line, p.body = cutLine(p.body)
		if bytes.HasPrefix(line, []byte("# pack-refs with:")) && bytes.Contains(line, []byte(" sorted")) {
			p.sorted = true
		}
	}
	return p
}

// packedLine reads "id name"; ok is false for peeled values and broken lines.
func packedLine(line []byte, id *ID) (name []byte, ok bool) {
	if len(line) < 42 || line[40] != ' ' || !decodeID(line[:40], id) {
		return nil, false
	}
	return bytes.TrimSuffix(line[41:], []byte("\r")), true
}

// find looks one name up: by bisection where the file says that it is sorted.
func (p *packedRefs) find(name string) (ID, bool) {
	var id ID
	rest := p.body
	if p.sorted {
		rest = rest[p.lowerBound(name):]
	}
	for len(rest) > 0 {
		var line []byte
		line, rest = cutLine(rest)
		got, ok := packedLine(line, &id)
		if ok && string(got) == name {
			return id, true
		}
		if ok && p.sorted && string(got) > name {
			break
		}
	}
	return ID{}, false
}

// withPrefix calls fn for every packed reference whose name begins with prefix.
func (p *packedRefs) withPrefix(prefix string, fn func(name string, id ID)) {
	var id ID
	rest := p.body
	if p.sorted {
		rest = rest[p.lowerBound(prefix):]
	}
	for len(rest) > 0 {
		var line []byte
		line, rest = cutLine(rest)
		name, ok := packedLine(line, &id)
		switch {
		case !ok:
		case bytes.HasPrefix(name, []byte(prefix)):
			fn(string(name), id)
		case p.sorted && string(name) > prefix:
			return
		}
	}
}

// lowerBound returns the offset of a line at or before the first whose name is
// not less than name.
func (p *packedRefs) lowerBound(name string) int {
	var id ID
	lineAt := func(i int) int { return 1 + bytes.LastIndexByte(p.body[:i], '\n') }
	lo, hi := 0, len(p.body)
	for hi-lo > 512 {
		mid := lineAt(lo + (hi-lo)/2)
		line, _ := cutLine(p.body[mid:])
		got, ok := packedLine(line, &id)
		for !ok && mid > lo { // a peeled value stands below its own reference
			mid = lineAt(mid - 1)
			line, _ = cutLine(p.body[mid:])
			got, ok = packedLine(line, &id)
		}
		if mid <= lo {
			break
		}
		if string(got) < name {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}

// Ref is a named starting point.
type Ref struct {
	Name string // in full: "refs/heads/main"
	ID   ID     // zero if Err is set
	Err  error
}

// all lists every reference that has a value of its own, loose before packed,
// sorted by name. Symbolic ones are left out: what they name is listed itself.
func (s *refStore) all() ([]Ref, error) {
	// Loose first: whoever packs references writes the pack before deleting them.
	refs := looseRefs(filepath.Join(s.commonDir, "refs"), "refs")
	if s.gitDir != s.commonDir {
		refs = append(refs, looseRefs(filepath.Join(s.gitDir, "refs"), "refs")...)
	}
	packed, err := s.packed()
	if err != nil {
		return nil, err
	}
	loose := make(map[string]bool, len(refs))
	for _, r := range refs {
		loose[r.Name] = true
	}
	for rest := packed.body; len(rest) > 0; {
		var line []byte
		line, rest = cutLine(rest)
		var id ID
		switch name, ok := packedLine(line, &id); {
		case ok && !loose[string(name)]:
			refs = append(refs, Ref{Name: string(name), ID: id})
		case !ok && len(line) > 0 && line[0] != '^' && line[0] != '#':
			refs = append(refs, Ref{Name: "packed-refs", Err: errors.New("malformed line")})
		}
	}
	kept := refs[:0]
	for _, r := range refs {
		if r.Err != nil || !r.ID.IsZero() {
			kept = append(kept, r)
		}
	}
	sort.SliceStable(kept, func(i, j int) bool { return kept[i].Name < kept[j].Name })
	return kept, nil
}

// looseRefs reads every file below dir. Symbolic references get a zero id: they
// hide a packed one of their name.
func looseRefs(dir, prefix string) []Ref {
	entries, err := os.ReadDir(dir)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return []Ref{{Name: prefix, Err: err}}
	}
	var refs []Ref
	for _, e := range entries {
		name := prefix + "/" + e.Name()
		file := filepath.Join(dir, e.Name())
		switch {
		case e.IsDir():
			refs = append(refs, looseRefs(file, name)...)
		case strings.HasSuffix(name, ".lock"):
		default:
			data, err := os.ReadFile(file)
			if errors.Is(err, fs.ErrNotExist) {
				continue // packed or deleted meanwhile, or a dangling link
			}
			ref := Ref{Name: name, Err: err}
			if err == nil {
				_, ref.ID, ref.Err = parseRef(name, data)
			}
			refs = append(refs, ref)
		}
	}
	return refs
}
