package gitrepo

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/keywright/keywright/scan/packfile"
)

// RevisionError says why a revision could not be resolved.
type RevisionError struct {
	Revision string
	Reason   string // "unknown revision", "ambiguous: …"
	Hint     string // what to do about it; may be empty
	Err      error  // what lies below, if anything
}

func (e *RevisionError) Error() string {
	return fmt.Sprintf("revision %q: %s", e.Revision, e.Reason)
}

func (e *RevisionError) Unwrap() error { return e.Err }

// revision resolves one expression.
type revision struct {
	repo  *Repo
	store *Store
	text  string
}

func (v *revision) errorf(format string, args ...any) error {
	return &RevisionError{Revision: v.text, Reason: fmt.Sprintf(format, args...)}
}

func (v *revision) unsupported(what string) error {
	return &RevisionError{Revision: v.text, Reason: what + " is not supported",
		Hint: "give the commit that `git rev-parse --verify` prints for it"}
}

// Resolve finds the commit that an expression of gitrevisions(7) names: references in
// full or in short, ids and their unique prefixes, describe's names, @, @{n},
// @{-n}, @{upstream}, and after these any of ^, ^n, ~n, ^{commit}, ^{}. Searches
// by text and by date, and paths, are errors that say so.
func (r *Repo) Resolve(s *Store, text string) (ID, error) {
	v := &revision{r, s, text}
	base, suffix := splitRevision(text)
	if strings.HasPrefix(base, ":") {
		return ID{}, v.unsupported("a search or a path in the index")
	}
	if strings.Contains(base, ":") {
		return ID{}, v.errorf("a path, not a commit")
	}
	id, err := v.base(base)
	if err != nil {
		return ID{}, err
	}
	id, typ, err := v.suffixes(id, suffix)
	if err != nil {
		return ID{}, err
	}
	if typ != packfile.Commit {
		return ID{}, v.errorf("a %s, not a commit", typ)
	}
	return id, nil
}

// splitRevision cuts before the first ^ or ~, which no reference name has.
func splitRevision(text string) (base, suffix string) {
	if i := strings.IndexAny(text, "^~"); i >= 0 {
		return text[:i], text[i:]
	}
	return text, ""
}

// base resolves what stands before the suffixes.
func (v *revision) base(name string) (ID, error) {
	if name == "" {
		return ID{}, v.errorf("no commit is named")
	}
	if i := strings.Index(name, "@{"); i >= 0 {
		return v.at(name[:i], name[i:])
	}
	if name == "@" {
		name = "HEAD"
	}
	var id ID
	if decodeID([]byte(name), &id) {
		return id, nil
	}
	_, id, err := v.ref(name)
	if err == nil || !errors.Is(err, errNoRef) {
		return id, err
	}
	if i := strings.LastIndex(name, "-g"); i >= 0 && isHex(name[i+2:]) {
		return v.abbreviated(name[i+2:])
	}
	if isHex(name) {
		return v.abbreviated(name)
	}
	return ID{}, v.unknown()
}

func (v *revision) unknown() error {
	err := &RevisionError{Revision: v.text, Reason: "no branch, tag or commit has this name", Err: errNoRef}
	if len(v.store.shallow) > 0 {
		err.Hint = "this is a shallow clone: fetch the revision, or everything with `git fetch --unshallow`"
	}
	return err
}

func isHex(s string) bool {
	for i := range len(s) {
		if unhex(s[i]) > 15 {
			return false
		}
	}
	return len(s) >= 4 && len(s) < 40
}

// refRules are the places where Git looks for a short name, in this order.
var refRules = [...]string{"%s", "refs/%s", "refs/tags/%s", "refs/heads/%s", "refs/remotes/%s", "refs/remotes/%s/HEAD"}

// ref resolves a short or full reference name and returns the full one, before
// symbolic references are followed.
func (v *revision) ref(short string) (string, ID, error) {
	refs := v.repo.refs(v.repo.GitDir)
	for _, rule := range refRules {
		name := strings.Replace(rule, "%s", short, 1)
		_, id, err := refs.follow(name)
		if err == nil && !id.IsZero() {
			return name, id, nil
		}
		if err != nil && !errors.Is(err, errNoRef) && strings.HasPrefix(name, "refs/") {
			return "", ID{}, &RevisionError{Revision: v.text, Reason: err.Error(), Err: err}
		}
	}
	return "", ID{}, errNoRef
}

// abbreviated resolves a prefix of an id; where several objects share it, the
// only commit among them.
func (v *revision) abbreviated(prefix string) (ID, error) {
	ids, err := v.store.FindPrefix(prefix)
	if err != nil {
		return ID{}, err
	}
	if len(ids) == 1 {
		return ids[0], nil
	}
	var commits []ID
	for _, id := range ids {
		if _, typ, err := v.peel(id); err == nil && typ == packfile.Commit {
			commits = append(commits, id)
		}
	}
	switch {
	case len(commits) == 1:
		return commits[0], nil
	case len(ids) == 0:
		return ID{}, v.unknown()
	}
	return ID{}, v.errorf("ambiguous: %d objects begin with %s", len(ids), prefix)
}

// at resolves ref@{…}; ref is empty for the current branch.
func (v *revision) at(ref, spec string) (ID, error) {
	end := strings.IndexByte(spec, '}')
	if end != len(spec)-1 {
		return ID{}, v.unsupported("this combination")
	}
	inner := spec[2:end]
	switch strings.ToLower(inner) {
	case "u", "upstream":
		return v.upstream(ref)
	case "push":
		return ID{}, v.unsupported("@{push}")
	}
	n, err := strconv.Atoi(inner)
	switch {
	case err != nil:
		return ID{}, v.unsupported("a date in @{…}")
	case n < 0 && ref == "":
		return v.previousBranch(-n)
	case n < 0:
		return ID{}, v.errorf("@{-n} takes no branch")
	}
	return v.reflog(ref, n)
}

// reflog resolves the n-th last value of a reference.
func (v *revision) reflog(ref string, n int) (ID, error) {
	name := "HEAD"
	switch {
	case ref == "" && v.repo.Head.Ref != "":
		name = v.repo.Head.Ref
	case ref != "" && ref != "@":
		full, _, err := v.ref(ref)
		if err != nil {
			return ID{}, v.unknown()
		}
		name = full
	}
	entries, err := v.repo.readReflog(name)
	if err != nil {
		return ID{}, &RevisionError{Revision: v.text, Reason: "no reflog of " + name, Err: err}
	}
	switch {
	case n < len(entries):
		return entries[len(entries)-1-n].new, nil
	case n == len(entries) && n > 0 && !entries[0].old.IsZero():
		return entries[0].old, nil
	}
	return ID{}, v.errorf("the reflog of %s has only %d entries", name, len(entries))
}

func (r *Repo) readReflog(name string) ([]reflogEntry, error) {
	dir := r.refs(r.GitDir).dirOf(name)
	data, err := os.ReadFile(filepath.Join(dir, "logs", filepath.FromSlash(name)))
	if err != nil {
		return nil, err
	}
	var entries []reflogEntry
	for len(data) > 0 {
		var line []byte
		line, data = cutLine(data)
		if e, ok := parseReflogLine(line); ok {
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// previousBranch resolves @{-n}: the branch checked out before the n-th last switch.
func (v *revision) previousBranch(n int) (ID, error) {
	entries, err := v.repo.readReflog("HEAD")
	if err != nil {
		return ID{}, &RevisionError{Revision: v.text, Reason: "no reflog of HEAD", Err: err}
	}
	for i := len(entries) - 1; i >= 0; i-- {
		move, ok := strings.CutPrefix(string(entries[i].message), "checkout: moving from ")
		if !ok {
			continue
		}
		if n--; n > 0 {
			continue
		}
		from, _, _ := strings.Cut(move, " to ")
		return v.base(from)
	}
	return ID{}, v.errorf("HEAD was not switched that often")
}

// upstream resolves the branch that a branch is configured to follow.
func (v *revision) upstream(ref string) (ID, error) {
	branch := strings.TrimPrefix(ref, "refs/heads/")
	if ref == "" || ref == "@" || ref == "HEAD" {
		if v.repo.Head.Ref == "" {
			return ID{}, v.errorf("HEAD is detached and follows nothing")
		}
		branch = strings.TrimPrefix(v.repo.Head.Ref, "refs/heads/")
	}
	remote, ok1 := v.repo.config.last("branch." + branch + ".remote")
	merge, ok2 := v.repo.config.last("branch." + branch + ".merge")
	if !ok1 || !ok2 {
		return ID{}, v.errorf("branch %s follows nothing", branch)
	}
	name := merge
	if remote != "." {
		name, ok1 = trackingRef(v.repo.config["remote."+remote+".fetch"], merge)
		if !ok1 {
			return ID{}, v.errorf("%s of %s is not fetched", merge, remote)
		}
	}
	_, id, err := v.repo.refs(v.repo.GitDir).follow(name)
	if err != nil {
		return ID{}, &RevisionError{Revision: v.text, Reason: err.Error(), Hint: "fetch it with `git fetch " + remote + "`", Err: err}
	}
	return id, nil
}

// trackingRef maps a remote's reference through refspecs, "+from/*:to/*".
func trackingRef(refspecs []string, name string) (string, bool) {
	for _, spec := range refspecs {
		from, to, ok := strings.Cut(strings.TrimPrefix(spec, "+"), ":")
		if !ok {
			continue
		}
		if from == name {
			return to, true
		}
		before, after, ok := strings.Cut(from, "*")
		if !ok || len(name) < len(before)+len(after) || !strings.HasPrefix(name, before) || !strings.HasSuffix(name, after) {
			continue
		}
		return strings.Replace(to, "*", name[len(before):len(name)-len(after)], 1), true
	}
	return "", false
}

// suffixes applies ^, ^n, ~n and ^{…}, peeling tags where a commit is needed.
func (v *revision) suffixes(id ID, s string) (ID, packfile.Type, error) {
	id, typ, err := v.peel(id)
	for err == nil && s != "" {
		if typ != packfile.Commit {
			return ID{}, 0, v.errorf("a %s has no parents", typ)
		}
		op := s[0]
		s = s[1:]
		if op == '^' && strings.HasPrefix(s, "{") {
			end := strings.IndexByte(s, '}')
			if end < 0 || s[1:end] != "" && s[1:end] != "commit" && s[1:end] != "object" {
				return ID{}, 0, v.unsupported("^{…} other than ^{commit}")
			}
			s = s[end+1:]
			continue
		}
		digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
		n := 1
		if digits > 0 {
			if n, err = strconv.Atoi(s[:digits]); err != nil {
				return ID{}, 0, v.errorf("%s is too large a number", s[:digits])
			}
			s = s[digits:]
		}
		if s != "" && s[0] != '^' && s[0] != '~' {
			return ID{}, 0, v.unsupported(s)
		}
		if op == '^' {
			id, err = v.parent(id, n)
			continue
		}
		for ; n > 0 && err == nil; n-- {
			id, err = v.parent(id, 1)
		}
	}
	return id, typ, err
}

// parent returns the n-th parent, or the commit itself for 0.
func (v *revision) parent(id ID, n int) (ID, error) {
	if n == 0 {
		return id, nil
	}
	c, err := v.store.Commit(id)
	if err != nil {
		return ID{}, &RevisionError{Revision: v.text, Reason: err.Error(), Err: err}
	}
	if n <= len(c.Parents) {
		return c.Parents[n-1], nil
	}
	cut, err := v.store.CutParents(id)
	if err == nil && cut {
		return ID{}, &ShallowError{Revision: v.text, Boundary: id}
	}
	return ID{}, v.errorf("commit %s has %d parents", id, len(c.Parents))
}

// peel follows tags to what they tag, and checks that it exists.
func (v *revision) peel(id ID) (ID, packfile.Type, error) {
	for range 32 {
		typ, data, err := v.store.Object(v.store.replacement(id))
		if err != nil {
			return ID{}, 0, v.missing(id, err)
		}
		if typ != packfile.Tag {
			return id, typ, nil
		}
		tag, err := ParseTag(data)
		if err != nil {
			return ID{}, 0, v.errorf("object %s: %v", id, err)
		}
		id = tag.Target
	}
	return ID{}, 0, v.errorf("tags nest too deeply")
}

// missing explains an object that is not there: in a shallow clone it was most
// likely not fetched.
func (v *revision) missing(id ID, err error) error {
	var missing *MissingError
	if errors.As(err, &missing) && len(v.store.shallow) > 0 {
		return &ShallowError{Revision: v.text, Missing: id}
	}
	return &RevisionError{Revision: v.text, Reason: err.Error(), Err: err}
}
