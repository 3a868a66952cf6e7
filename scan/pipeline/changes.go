package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/gitrepo"
	"github.com/keywright/keywright/scan/match"
	"github.com/keywright/keywright/scan/packfile"
)

// staged scans what the next commit would add.
func (r *run) staged(ctx context.Context) error {
	staged, err := r.repo.Staged(ctx, r.store)
	if err != nil {
		return err
	}
	r.exclude("submodule commit", staged.Gitlinks)
	c := changeScan{run: r}
	for _, change := range staged.Changes {
		if err := ctx.Err(); err != nil {
			return err
		}
		c.change(change, scan.Place{Source: scan.SourceIndex, AtTip: true})
	}
	return nil
}

// commitRange scans what the commits of a range add.
func (r *run) commitRange(ctx context.Context) error {
	ids, gaps, err := r.rng.Commits(ctx, r.store)
	if err != nil {
		return err
	}
	r.coverage.Gaps = append(r.coverage.Gaps, gaps...)
	return r.commits(ctx, ids, []gitrepo.ID{r.rng.B})
}

// since scans what the commits from a time on add.
func (r *run) since(ctx context.Context) error {
	roots, gaps, err := r.repo.Roots(ctx)
	if err != nil {
		return err
	}
	ids, more, err := r.repo.Since(ctx, r.store, roots, r.Since)
	if err != nil {
		return err
	}
	r.coverage.Gaps = append(append(r.coverage.Gaps, gaps...), more...)
	tips, err := r.repo.Tips()
	if err != nil {
		return err
	}
	var at []gitrepo.ID
	for _, t := range tips {
		at = append(at, t.ID)
	}
	return r.commits(ctx, ids, at)
}

func (r *run) commits(ctx context.Context, ids, tips []gitrepo.ID) error {
	c := changeScan{run: r, tips: tips}
	for i, id := range ids {
		if err := ctx.Err(); err != nil {
			return err
		}
		r.progress("commits", int64(i), int64(len(ids)))
		if err := c.commit(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// changeScan judges changed files: the whole new content, of which what touches
// an added line is reported.
type changeScan struct {
	*run
	tips    []gitrepo.ID
	scratch match.Scratch
}

func (c *changeScan) commit(ctx context.Context, id gitrepo.ID) error {
	commit, err := c.store.Commit(id)
	if err != nil {
		c.gap("commit "+id.String(), err)
		return nil
	}
	c.coverage.Commits++
	c.coverage.Bytes += int64(len(commit.Message))
	if seen := c.collect.judge(&c.scratch, commit.Message); len(seen) > 0 {
		c.message(message{id, packfile.Commit, seen}, false)
	}
	changes, gitlinks, err := c.store.CommitChanges(ctx, commit)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		c.gap("changes of commit "+id.String(), err)
		return nil
	}
	c.exclude("submodule commit", gitlinks)
	for _, change := range changes {
		c.change(change, scan.Place{Source: scan.SourceHistory, Commit: id.String(), Versions: 1})
	}
	return nil
}

// gap notes that an object could not be read.
func (r *run) gap(what string, err error) {
	g := scan.Gap{What: what, Why: err.Error()}
	var missing *gitrepo.MissingError
	var large *packfile.TooLarge
	switch {
	case errors.As(err, &large):
		g.Why, g.Hint = fmt.Sprintf("it has %d bytes, more than the memory limit allows", large.Size), "raise --max-memory"
	case errors.As(err, &missing) && r.repo.Partial():
		g.Why, g.Hint = "it is missing: this is a partial clone", "git fetch --refetch --no-filter"
	case errors.As(err, &missing):
		g.Hint = "git fsck"
	}
	r.coverage.Gaps = append(r.coverage.Gaps, g)
}

func (c *changeScan) change(change gitrepo.Change, place scan.Place) {
	if c.globs.Match(change.Path) {
		c.exclude("excluded path", 1)
		return
	}
	_, data, err := c.store.Object(change.New)
	if err != nil {
		c.gap(fmt.Sprintf("object %s (%s)", change.New, change.Path), err)
		return
	}
	c.coverage.Blobs++
	c.coverage.Bytes += int64(len(data))
	if isPointer(data) {
		c.exclude(excludedLFS, 1)
	}
	place.Path, place.Object = change.Path, change.New.String()
	for _, s := range c.namedEntry(change.Path, change.Mode, change.New, data) {
		p := place
		p.AtTip = p.AtTip || c.blobAtTip(change.New, p.Path)
		c.places = append(c.places, found{s, p})
	}
	verdicts := c.collect.engine.Whole(&c.scratch, data).Verdicts()
	if len(verdicts) == 0 {
		return
	}
	text, _ := match.Text(data)
	added := c.added(change, text)
	own := verdicts[:0]
	for _, v := range verdicts {
		if touches(text, v, added) {
			own = append(own, v)
		}
	}
	for _, s := range c.collect.sightings(data, own) {
		p := place
		p.AtTip = p.AtTip || c.atTip(s.secret, p.Path)
		c.places = append(c.places, found{s, p})
	}
}

// added are the lines of the new content that no parent's file has.
func (c *changeScan) added(change gitrepo.Change, text []byte) []gitrepo.LineRange {
	var old [][]byte
	for _, id := range change.Old {
		_, data, err := c.store.Object(id)
		if err != nil {
			continue // then every line counts as added against it
		}
		t, _ := match.Text(data)
		old = append(old, t)
	}
	return gitrepo.AddedLines(old, text)
}

// touches reports whether any byte of any part of a verdict is on an added line.
func touches(text []byte, v scan.Verdict, added []gitrepo.LineRange) bool {
	for _, p := range v.Parts {
		at := cursor{text: text, line: 1, column: 1}
		first, _ := at.to(p.Start)
		last, _ := at.to(p.End - 1)
		for _, r := range added {
			if first <= r.Last && last >= r.First {
				return true
			}
		}
	}
	return false
}

// blobAtTip reports whether the file at a path of some tip is a blob.
func (c *changeScan) blobAtTip(id gitrepo.ID, path string) bool {
	return slices.ContainsFunc(c.tips, func(tip gitrepo.ID) bool {
		at, _, err := c.store.ReadFile(tip, path)
		return err == nil && at == id
	})
}

// atTip reports whether the file at a path of some tip holds a secret.
func (c *changeScan) atTip(secret int, path string) bool {
	for _, tip := range c.tips {
		_, data, err := c.store.ReadFile(tip, path)
		if err != nil {
			continue
		}
		for _, s := range c.collect.judge(&c.scratch, data) {
			if s.secret == secret {
				return true
			}
		}
	}
	return false
}
