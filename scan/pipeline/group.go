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
	report := &scan.Report{Version: r.Version, RulesDigest: r.collect.engine.Digest(), Root: r.root, Coverage: r.coverage}
	var numbers []int // of the findings' secrets
	for n, all := range r.bySecret() {
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

// bySecret are the places of each secret. What is found once can be found a million
// times: they are counted first, and stay where they are.
func (r *run) bySecret() [][]*found {
	counts := make([]int, len(r.collect.secrets))
	for i := range r.places {
		counts[r.places[i].secret]++
	}
	all := make([]*found, len(r.places))
	out := make([][]*found, len(counts))
	for n, count := range counts {
		out[n], all = all[:0:count], all[count:]
	}
	for i := range r.places {
		f := &r.places[i]
		out[f.secret] = append(out[f.secret], f)
	}
	return out
}

// finding makes one finding of the places of a secret. It is not visible when
// comments or patterns silence every place. One below the wanted confidence is
// that confidence and no more.
func (r *run) finding(n int, all []*found) (f scan.Finding, visible bool) {
	all, best, confidence := r.heard(r.mergeTips(all))
	if f.Confidence = confidence; best == nil || confidence < r.Level {
		return f, best != nil
	}
	f.Rule, f.Proof, f.Reasons, f.PublicID = best.rule, best.proof, best.reasons, best.publicID
	s := r.collect.secrets[n]
	f.Secret, f.Fingerprint, f.Redacted = s.value, s.fingerprint, s.shown
	f.Parts = partsOf(best, s.shown)
	f.Variants = variants(all, best, s.shown)
	f.Held = r.heldBy(all)
	f.Places = placesOf(all)
	return f, true
}

// partsOf are the parts of a recognition, the secret first.
func partsOf(rec *recognition, shown string) []scan.Part {
	parts := []scan.Part{{Role: scan.RoleSecret, Redacted: shown}}
	for _, p := range rec.parts {
		parts = append(parts, scan.Part{Role: p.Role, Public: p.Public, Redacted: p.Redacted, Value: p.value})
	}
	return parts
}

// variants are the other recognitions of a secret with parts that are not those of the
// best, in a fixed order.
func variants(all []*found, best *recognition, shown string) (list []scan.Variant) {
	var others []*recognition
	known, last := map[string]bool{}, best
	for _, f := range all {
		if f.rec == last {
			continue
		}
		if last = f.rec; len(known) == 0 {
			known[partsKey(best)] = true
		}
		if key := partsKey(last); len(last.parts) > 0 && !known[key] {
			known[key] = true
			others = append(others, last)
		}
	}
	slices.SortFunc(others, func(a, b *recognition) int {
		return cmp.Or(cmp.Compare(a.rule.ID, b.rule.ID), comparePartValues(a, b))
	})
	for _, r := range others {
		list = append(list, scan.Variant{Rule: r.rule, Parts: partsOf(r, shown)})
	}
	return list
}

// partsKey is the same for recognitions by one rule with the same parts.
func partsKey(r *recognition) string {
	key := r.rule.ID
	for _, p := range r.parts {
		key += " " + p.Role + string(p.digest[:])
	}
	return key
}

// heldBy are the keys of the user that places of one secret are of.
func (r *run) heldBy(all []*found) (held []scan.Held) {
	var numbers []int32
	var last *recognition
	for _, f := range all {
		if f.rec != last && f.rec.held != nil {
			numbers = append(numbers, f.rec.held...)
		}
		last = f.rec
	}
	slices.Sort(numbers)
	for _, n := range slices.Compact(numbers) {
		held = append(held, r.collect.engine.Held(n))
	}
	return held
}

// heard are the places that neither comments nor patterns silence, in the memory of
// all, with the recognition that names the finding and the best confidence.
func (r *run) heard(all []*found) (heard []*found, best *recognition, most scan.Confidence) {
	heard = all[:0]
	var last *recognition // of the place before, with its path: what they say holds here too
	var path string
	var silent bool
	var confidence scan.Confidence
	for _, p := range all {
		if p.rec != last || p.place.Path != path {
			last, path = p.rec, p.place.Path
			silent = !r.NoIgnore && (last.allowed || path != "" && r.globs.Match(path))
			confidence = onPath(last, path)
		}
		if silent {
			continue
		}
		if best == nil || confidence > most || confidence == most && prefer(last, best) {
			best = last
		}
		most = max(most, confidence)
		heard = append(heard, p)
	}
	return heard, best, most
}

func placesOf(all []*found) []scan.Place {
	places := make([]scan.Place, len(all))
	for i, f := range all {
		place := &places[i]
		*place = f.place
		place.Line, place.Column, place.EndLine, place.EndColumn = f.span.line, f.span.column, f.span.endLine, f.span.endColumn
		if f.via != "" {
			place.Via = strings.Fields(f.via)
		}
	}
	return places
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
// object store is the index's place, not history's. The result is in the memory of
// all.
func (r *run) mergeTips(all []*found) []*found {
	inFile := placesInFiles(all)
	out := all[:0]
	for _, f := range all {
		switch p := &f.place; {
		case p.Source == scan.SourceIndex && inFile[placeInFile{p.Path, f.span.line, f.span.column}]:
		case p.Source == scan.SourceHistory && p.Path == "" && p.Commit == "" && !p.Unreachable && r.indexed[p.Object]:
		default:
			out = append(out, f)
		}
	}
	if !holdsSource(out, scan.SourceFile) || !holdsSource(out, scan.SourceHistory) {
		return out
	}
	slices.SortFunc(out, compareFound)
	return mergeFiles(out)
}

type placeInFile struct {
	path         string
	line, column int
}

// placesInFiles are the places in files of the work tree, if an index has any.
func placesInFiles(all []*found) map[placeInFile]bool {
	if !holdsSource(all, scan.SourceIndex) {
		return nil
	}
	files := map[placeInFile]bool{}
	for _, f := range all {
		if f.place.Source == scan.SourceFile {
			files[placeInFile{f.place.Path, f.span.line, f.span.column}] = true
		}
	}
	return files
}

func holdsSource(all []*found, source scan.SourceKind) bool {
	for _, f := range all {
		if f.place.Source == source {
			return true
		}
	}
	return false
}

// compareFound orders places before it is known who made their commits.
func compareFound(a, b *found) int {
	return cmp.Or(
		comparePlaces(a.place, b.place),
		cmp.Compare(a.span.line, b.span.line),
		cmp.Compare(a.span.column, b.span.column),
	)
}

// mergeFiles adds to the places in files of the work tree which commit brought
// them: the one in whose file they stand at the same line, if there is one.
func mergeFiles(all []*found) []*found {
	type spot struct {
		path string
		span position
	}
	same, any := map[spot][]int{}, map[string][]int{} // what commits brought, by where it stands
	var files []*found
	for i, f := range all {
		switch {
		case f.place.Source == scan.SourceFile:
			files = append(files, f)
		case f.place.Source == scan.SourceHistory && f.place.AtTip && f.place.Commit != "":
			at := spot{f.place.Path, f.span}
			same[at], any[at.path] = append(same[at], i), append(any[at.path], i)
		}
	}
	drop := make([]bool, len(all))
	// join gives a file the first of the queue that no other has, and returns the rest
	join := func(file *found, queue []int) []int {
		for len(queue) > 0 && drop[queue[0]] {
			queue = queue[1:]
		}
		if len(queue) == 0 || file.place.Commit != "" {
			return queue
		}
		from := &all[queue[0]].place
		file.place.Commit, file.place.Object, file.place.Versions = from.Commit, from.Object, from.Versions
		drop[queue[0]] = true
		return queue[1:]
	}
	for _, f := range files {
		at := spot{f.place.Path, f.span}
		same[at] = join(f, same[at])
	}
	for _, f := range files {
		any[f.place.Path] = join(f, any[f.place.Path])
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
	if c := cmp.Or(boolOrder(b.AtTip, a.AtTip), boolOrder(a.Unreachable, b.Unreachable)); c != 0 {
		return c
	}
	if a.Source != b.Source {
		return cmp.Compare(sourceOrder(a.Source), sourceOrder(b.Source))
	}
	if c := cmp.Or(a.Date.Compare(b.Date), strings.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column)); c != 0 {
		return c
	}
	return cmp.Or(strings.Compare(a.Commit, b.Commit), strings.Compare(a.Object, b.Object))
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
