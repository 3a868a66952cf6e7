package gitrepo

import (
	"context"
	"strings"

	"github.com/keywright/keywright/scan/packfile"
)

// OnRemote tells which of some commits a remote-tracking branch, one of refs/remotes/,
// leads to: they were on a branch of a remote when it was last fetched from or pushed to.
// Of the others nothing is known: it may have changed since. Commits are read one by one,
// as they are, without grafts and replacements, which no remote has; what is not here
// (shallow and partial clones) leads nowhere. The walk ends when all are found. Commits
// are written as places have them; a text that is no id is on no remote.
func (r *Repo) OnRemote(ctx context.Context, commits []string) (map[string]bool, error) {
	refs, err := r.refs(r.CommonDir).all()
	if err != nil {
		return nil, err
	}
	s, err := r.Store()
	if err != nil {
		return nil, err
	}
	defer s.Close()
	wanted, found := map[ID]bool{}, map[string]bool{}
	for _, text := range commits {
		if id, err := packfile.ParseID(text); err == nil {
			wanted[id] = true
		}
	}
	seen := map[ID]bool{}
	var queue []ID
	add := func(id ID) {
		if !seen[id] {
			seen[id] = true
			queue = append(queue, id)
		}
	}
	for _, ref := range refs {
		if strings.HasPrefix(ref.Name, "refs/remotes/") && ref.Err == nil {
			add(ref.ID)
		}
	}
	for len(queue) > 0 && len(found) < len(wanted) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		id := queue[0]
		queue = queue[1:]
		if wanted[id] {
			found[id.String()] = true
		}
		typ, data, err := s.Object(id)
		var c Commit
		if err != nil || typ != packfile.Commit || ParseCommit(data, &c) != nil {
			continue
		}
		for _, p := range c.Parents {
			add(p)
		}
	}
	return found, nil
}
