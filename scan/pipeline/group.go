package pipeline

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/fingerprint"
	"github.com/keywright/keywright/scan/gitrepo"
	"github.com/keywright/keywright/scan/packfile"
)

// report groups what was found: one finding for each distinct secret.
func (r *run) report(ctx context.Context) (*scan.Report, error) {
	report := &scan.Report{Version: r.Version, RulesDigest: r.collect.engine.Digest(), Coverage: r.coverage}
	var numbers []int // of the findings' secrets
	bySecret := make([][]found, len(r.collect.secrets))
	for _, f := range r.places {
		bySecret[f.secret] = append(bySecret[f.secret], f)
	}
	for n, all := range bySecret {
		if len(all) == 0 {
			continue
		}
		f, visible := r.finding(n, all)
		switch {
		case !visible:
			report.Suppressed++
		case f.Confidence < r.Level:
			report.BelowLevel++
		default:
			report.Findings = append(report.Findings, f)
			numbers = append(numbers, n)
		}
	}
	if err := r.fingerprints(ctx, report, numbers); err != nil {
		return nil, err
	}
	for i := range report.Findings {
		if err := r.sign(report.Findings[i].Places); err != nil {
			return nil, err
		}
		report.Findings[i].Places = distinct(report.Findings[i].Places)
		nameOf(&report.Findings[i])
	}
	slices.SortFunc(report.Findings, compareFindings)
	slices.SortFunc(report.Coverage.Gaps, func(a, b scan.Gap) int { return cmp.Or(cmp.Compare(a.What, b.What), cmp.Compare(a.Why, b.Why)) })
	slices.SortFunc(report.Coverage.Excluded, func(a, b scan.Excluded) int { return cmp.Compare(a.What, b.What) })
	return report, nil
}

// finding makes one finding of the places of a secret. It is not visible when
// comments or patterns silence every place.
func (r *run) finding(n int, all []found) (f scan.Finding, visible bool) {
	var best *recognition
	places := make([]scan.Place, 0, len(all))
	for _, p := range r.mergeTips(all) {
		if !r.NoIgnore && (p.rec.allowed || p.place.Path != "" && r.globs.Match(p.place.Path)) {
			continue
		}
		confidence := onPath(p.rec, p.place.Path)
		if best == nil || confidence > f.Confidence || confidence == f.Confidence && prefer(p.rec, best) {
			best = p.rec
		}
		f.Confidence = max(f.Confidence, confidence)
		place := p.place
		place.Line, place.Column, place.EndLine, place.EndColumn = p.span.line, p.span.column, p.span.endLine, p.span.endColumn
		if p.via != "" {
			place.Via = []string{p.via}
		}
		places = append(places, place)
	}
	if best == nil {
		return f, false
	}
	f.Rule, f.Proof, f.Reasons, f.PublicID = best.rule, best.proof, best.reasons, best.publicID
	s := r.collect.secrets[n]
	f.Secret, f.Fingerprint, f.Redacted = s.value, s.fingerprint, s.shown
	f.Parts = []scan.Part{{Role: scan.RoleSecret, Redacted: s.shown}}
	for _, p := range best.parts {
		f.Parts = append(f.Parts, p.Part)
	}
	f.Places = places
	return f, true
}

// prefer settles which of two recognitions of one secret names the finding.
func prefer(a, b *recognition) bool {
	return cmp.Or(
		boolOrder(b.rule.Generic, a.rule.Generic),
		cmp.Compare(a.proof, b.proof),
		cmp.Compare(len(a.parts), len(b.parts)),
		cmp.Compare(b.rule.ID, a.rule.ID),
		cmp.Compare(strings.Join(b.reasons, "\n"), strings.Join(a.reasons, "\n")),
		comparePartValues(b, a),
	) > 0
}

func comparePartValues(a, b *recognition) int {
	return slices.CompareFunc(a.parts, b.parts, func(x, y part) int {
		return cmp.Or(cmp.Compare(x.Role, y.Role), cmp.Compare(x.Redacted, y.Redacted))
	})
}

func boolOrder(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// mergeTips makes one place of a work-tree file, the index entry that equals it,
// and the commit that brought it to a branch tip. What the index alone keeps in the
// object store is the index's place, not history's.
func (r *run) mergeTips(all []found) []found {
	type key struct {
		path         string
		line, column int
	}
	files := map[key]bool{}
	for _, f := range all {
		if f.place.Source == scan.SourceFile {
			files[key{f.place.Path, f.span.line, f.span.column}] = true
		}
	}
	out := make([]found, 0, len(all))
	for _, f := range all {
		switch p := &f.place; {
		case p.Source == scan.SourceIndex && files[key{p.Path, f.span.line, f.span.column}]:
		case p.Source == scan.SourceHistory && p.Path == "" && p.Commit == "" && !p.Unreachable && r.indexed[p.Object]:
		default:
			out = append(out, f)
		}
	}
	if len(files) == 0 {
		return out
	}
	slices.SortFunc(out, compareFound)
	return mergeFiles(out)
}

// compareFound orders places before it is known who made their commits.
func compareFound(a, b found) int {
	return cmp.Or(
		comparePlaces(a.place, b.place),
		cmp.Compare(a.span.line, b.span.line),
		cmp.Compare(a.span.column, b.span.column),
	)
}

// mergeFiles adds to the places in files of the work tree which commit brought
// them: the one in whose file they stand at the same line, if there is one.
func mergeFiles(all []found) []found {
	files, brought := map[string][]int{}, map[string][]int{}
	for i, f := range all {
		switch {
		case f.place.Source == scan.SourceFile:
			files[f.place.Path] = append(files[f.place.Path], i)
		case f.place.Source == scan.SourceHistory && f.place.AtTip && f.place.Commit != "":
			brought[f.place.Path] = append(brought[f.place.Path], i)
		}
	}
	drop := make([]bool, len(all))
	join := func(path string, fits func(file, commit position) bool) {
		for _, i := range files[path] {
			file := &all[i]
			for _, k := range brought[path] {
				if from := &all[k]; file.place.Commit == "" && !drop[k] && fits(file.span, from.span) {
					file.place.Commit, file.place.Object, file.place.Versions = from.place.Commit, from.place.Object, from.place.Versions
					drop[k] = true
				}
			}
		}
	}
	for path := range files {
		join(path, func(file, commit position) bool { return file == commit })
		join(path, func(position, position) bool { return true })
	}
	kept := all[:0]
	for i, f := range all {
		if !drop[i] {
			kept = append(kept, f)
		}
	}
	return kept
}

func comparePlaces(a, b scan.Place) int {
	return cmp.Or(
		boolOrder(b.AtTip, a.AtTip),
		boolOrder(a.Unreachable, b.Unreachable),
		cmp.Compare(sourceOrder(a.Source), sourceOrder(b.Source)),
		a.Date.Compare(b.Date),
		cmp.Compare(a.Path, b.Path),
		cmp.Compare(a.Line, b.Line),
		cmp.Compare(a.Column, b.Column),
		cmp.Compare(a.Commit, b.Commit),
		cmp.Compare(a.Object, b.Object),
	)
}

// distinct sorts places and drops repetitions: of an object that two packs hold.
func distinct(places []scan.Place) []scan.Place {
	slices.SortFunc(places, comparePlaces)
	return slices.CompactFunc(places, func(a, b scan.Place) bool { return comparePlaces(a, b) == 0 })
}

func sourceOrder(s scan.SourceKind) int {
	return slices.Index([]scan.SourceKind{scan.SourceStdin, scan.SourceFile, scan.SourceIndex, scan.SourceConfig,
		scan.SourceHistory, scan.SourceNote, scan.SourceMessage, scan.SourceTag}, s)
}

func compareFindings(a, b scan.Finding) int {
	return cmp.Or(
		cmp.Compare(b.Confidence, a.Confidence),
		comparePlaces(a.Places[0], b.Places[0]),
		cmp.Compare(a.Rule.ID, b.Rule.ID),
		cmp.Compare(a.Fingerprint, b.Fingerprint),
	)
}

// fingerprints names the findings, whose secrets' numbers are given, and takes out
// those that are ignored.
func (r *run) fingerprints(ctx context.Context, report *scan.Report, numbers []int) error {
	if len(report.Findings) == 0 {
		return nil
	}
	if err := r.findSalt(ctx); err != nil {
		return err
	}
	report.LocalScope = r.local
	maker := fingerprint.New(r.salt)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(r.workers)
	for i, n := range numbers {
		f, s := &report.Findings[i], r.collect.secrets[n]
		if s.fingerprint != "" {
			continue
		}
		if s.value.IsZero() {
			return errStale
		}
		g.Go(func() error {
			s.fingerprint = maker.Of(s.value)
			f.Fingerprint = s.fingerprint
			return ctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if r.NoIgnore {
		return nil
	}
	kept := report.Findings[:0]
	for _, f := range report.Findings {
		if _, ignored := r.ignore.Reason(f.Fingerprint); ignored {
			report.Suppressed++
		} else {
			kept = append(kept, f)
		}
	}
	report.Findings = kept
	return nil
}

// findSalt looks up the salt of the fingerprints, once. If those that are
// remembered were made with another, they are forgotten, also those of secrets
// that are not reported today.
func (r *run) findSalt(ctx context.Context) error {
	if r.salt != nil {
		return nil
	}
	salt, local, err := r.fingerprintSalt(ctx)
	if err != nil {
		return err
	}
	r.salt, r.local = salt, local
	if !bytes.Equal(r.knownSalt, salt) {
		for _, s := range r.collect.secrets {
			s.fingerprint = ""
		}
	}
	return nil
}

// fingerprintSalt is the repository's id, or the first commit of HEAD's
// first-parent line. Where there is none, or a shallow boundary hides it, the
// fingerprints hold for this clone alone.
func (r *run) fingerprintSalt(ctx context.Context) (salt []byte, local bool, err error) {
	if id := r.config.RepositoryID; id != "" {
		return []byte("id:" + id), false, nil
	}
	if r.repo == nil {
		return []byte("path:" + r.root), true, nil
	}
	here := []byte("clone:" + r.repo.CommonDir)
	id := r.repo.Head.ID
	if id.IsZero() {
		return here, true, nil
	}
	root, ok, err := r.firstCommit(ctx, id)
	if err != nil || !ok {
		return here, true, err
	}
	return []byte(rootSalt + root.String()), false, nil
}

// rootSalt begins the salt of a repository that is known by its first commit.
const rootSalt = "root:"

func (r *run) firstCommit(ctx context.Context, id gitrepo.ID) (root gitrepo.ID, ok bool, err error) {
	if root, ok := r.rememberedRoot(id); ok {
		return root, true, nil
	}
	if r.graph != nil {
		if root, ok := r.graph.FirstCommit(id); ok {
			return root, true, nil
		}
	}
	return r.walkToFirst(ctx, id)
}

// maxNewLine bounds the line of first parents from HEAD to what is remembered.
const maxNewLine = 1000

// rememberedRoot is the remembered first commit, if the line of first parents from
// id leads to the remembered HEAD.
func (r *run) rememberedRoot(id gitrepo.ID) (root gitrepo.ID, ok bool) {
	if r.past == nil || r.past.LocalSalt {
		return root, false
	}
	text, ok := strings.CutPrefix(string(r.past.Salt), rootSalt)
	if !ok {
		return root, false
	}
	root, err := packfile.ParseID(text)
	for range maxNewLine {
		if err != nil || id == r.past.Inventory.Head {
			return root, err == nil
		}
		c, err := r.store.Commit(id)
		if err != nil || len(c.Parents) == 0 {
			return root, false
		}
		id = c.Parents[0]
	}
	return root, false
}
