package gitrepo

import (
	"context"

	"github.com/keywright/keywright/scan/packfile"
)

// At returns the repository as seen from one of its work trees: with that one's
// HEAD and index, and without knowing where its files are.
func (r *Repo) At(w Worktree) (*Repo, error) {
	if w.GitDir == r.GitDir {
		return r, nil
	}
	linked := *r
	linked.GitDir, linked.WorkTree, linked.indexFile = w.GitDir, "", r.IndexFile(w)
	linked.Head = Head{}
	return &linked, linked.readHead()
}

// BlobID is the id that a blob with this content has.
func BlobID(data []byte) ID { return objectID(packfile.Blob, data) }

// FirstCommit is Graph.FirstCommit for a repository whose commits are not all
// known: it reads them one by one. Grafts and replacements may lead in circles;
// then there is none.
func (s *Store) FirstCommit(ctx context.Context, id ID) (first ID, ok bool, err error) {
	for seen := map[ID]bool{}; !seen[id]; {
		seen[id] = true
		if err := ctx.Err(); err != nil {
			return ID{}, false, err
		}
		c, err := s.Commit(id)
		if err != nil {
			return ID{}, false, nil // a gap, if it matters
		}
		if len(c.Parents) == 0 {
			cut, err := s.CutParents(id)
			return id, !cut, err
		}
		id = c.Parents[0]
	}
	return ID{}, false, nil
}
