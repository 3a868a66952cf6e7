package pipeline

import (
	"context"

	"github.com/keywright/keywright/scan/gitrepo"
)

// rootMemory is where the line of first parents from a commit begins. Commits
// never change, so it always holds.
type rootMemory struct{ From, First gitrepo.ID }

// maxUnsaved is how far HEAD may be from the remembered commit before the memory
// is brought up to date.
const maxUnsaved = 100

// walkToFirst is Store.FirstCommit with a memory: of a long history the line takes
// several times as long as a whole work tree. Where replacements, grafts or a
// shallow boundary bend lines, nothing is remembered. Scans of history have their
// own memory, and notice when the line has since been broken: these, which promise
// nothing of history, keep the fingerprints as they were.
func (r *run) walkToFirst(ctx context.Context, id gitrepo.ID) (root gitrepo.ID, ok bool, err error) {
	history := r.Mode == Everything || r.Mode == HistoryOnly
	if r.cache == nil || history || !r.straight() {
		return r.store.FirstCommit(ctx, id)
	}
	name := "first commit\n" + r.repo.CommonDir
	var m rootMemory
	known := r.cache.Load(name, &m)
	for at, n := id, 0; known && n < maxNewLine; n++ {
		if at == m.From {
			if n > maxUnsaved {
				_ = r.cache.Save(name, rootMemory{id, m.First})
			}
			return m.First, true, nil
		}
		c, err := r.store.Commit(at)
		if err != nil || len(c.Parents) == 0 {
			break
		}
		at = c.Parents[0]
	}
	root, ok, err = r.store.FirstCommit(ctx, id)
	if ok && err == nil {
		_ = r.cache.Save(name, rootMemory{id, root}) // the next scan takes longer, no more
	}
	return root, ok, err
}

// straight reports whether a commit's parents are those that it names itself.
func (r *run) straight() bool {
	replaced, err1 := r.repo.Replacements()
	grafts, err2 := r.repo.Grafts()
	shallow, err3 := r.repo.Shallow()
	return err1 == nil && err2 == nil && err3 == nil && len(replaced)+len(grafts)+len(shallow) == 0
}
