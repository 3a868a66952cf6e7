package pipeline

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/match"
	"github.com/keywright/keywright/scan/rules"
)

// TestPlanted plants samples of the rules in every place of a repository where
// content can hide, each with a secret of its own, and wants all of them found:
// by the right rule, once, at the right line and column, and nothing else. By
// default every rule is in the work tree and several other places with one of its
// samples; with KEYWRIGHT_PLANTED=all every place holds all samples.
func TestPlanted(t *testing.T) {
	b := newPlantedRepo(t, rules.All(), shares)
	b.plant()
	report := mustRun(t, builtin(b.repo.dir, Everything))
	for _, g := range report.Coverage.Gaps {
		t.Errorf("gap: %s: %s", g.What, g.Why)
	}
	b.check(report)
}

// sample is a text of a rule that is planted, and the secret in it.
type sample struct {
	rule       *scan.Rule
	text       string
	start, end int  // of the secret
	alone      bool // it needs an object for itself
}

// planted is a sample in a place.
type planted struct {
	sample
	place        *hidingPlace
	line, column int    // where the secret begins
	path         string // of the file, if it is one
}

// silent is a text that must not match its rule, and its lines in a file.
type silent struct {
	rule        string
	path        string
	first, last int
	text        string
}

// hidingPlace is where content can hide. Samples are put there as files, which the
// place turns into what it is made of.
type hidingPlace struct {
	name   string
	source scan.SourceKind
	encode func(text string) []byte // nil: as it is
	fits   func(e *match.Engine, s *sample) bool
	// what a finding's place says
	unreachable, atTip, noPath, noCommit bool

	files   []file
	objects map[string]bool // ids, where the place has no path
}

type plantedRepo struct {
	t      *testing.T
	repo   *testRepo
	engine *match.Engine
	all    []*scan.Rule // that are planted
	shares int          // a place gets one rule in so many
	places []*hidingPlace
	by     map[string]*hidingPlace
	want   map[string]*planted // by secret
	silent []silent
}

func isText(_ *match.Engine, s *sample) bool {
	return utf8.ValidString(s.text) && !strings.Contains(s.text, "\x00")
}

// newPlantedRepo lists the places and fills them with samples of some rules.
func newPlantedRepo(t *testing.T, some []*scan.Rule, shares int) *plantedRepo {
	t.Helper()
	b := &plantedRepo{t: t, repo: newTestRepo(t), all: some, shares: shares, by: map[string]*hidingPlace{}, want: map[string]*planted{}}
	var err error
	if b.engine, err = match.NewWith(rules.All(), rules.Table()); err != nil {
		t.Fatal(err)
	}
	history := func(name string) *hidingPlace { return &hidingPlace{name: name, source: scan.SourceHistory} }
	little, big := history("utf16-little"), history("utf16-big")
	little.encode = func(text string) []byte { return wide(binary.LittleEndian, text) }
	big.encode = func(text string) []byte { return wide(binary.BigEndian, text) }
	big.source, big.atTip = scan.SourceFile, true
	little.fits, big.fits = isText, isText
	b.places = []*hidingPlace{
		{name: "worktree", source: scan.SourceFile, atTip: true},
		{name: "untracked", source: scan.SourceFile, atTip: true, noCommit: true},
		{name: "index", source: scan.SourceIndex, atTip: true, noCommit: true},
		history("deleted"), history("merge"), history("nodiff"), history("binary"), little, big,
		{name: "message", source: scan.SourceMessage, fits: isText, noPath: true},
		{name: "tag", source: scan.SourceTag, fits: isText, noPath: true, noCommit: true},
		{name: "note", source: scan.SourceNote, noPath: true},
		history("stash-tracked"), history("stash-index"), history("stash-untracked"), history("reflog"),
		{name: "dangling-blob", source: scan.SourceHistory, unreachable: true, noPath: true, noCommit: true},
		{name: "dangling-commit", source: scan.SourceHistory, unreachable: true},
		{name: "linked-index", source: scan.SourceIndex, atTip: true, noCommit: true},
		history("linked-head"), history("alternate"), history("loose"), history("second-pack"),
		{name: "config", source: scan.SourceConfig, atTip: true, noCommit: true, noPath: true, fits: fitsConfig, encode: commented},
	}
	met := map[string]bool{}
	for n, p := range b.places {
		p.objects = map[string]bool{}
		b.by[p.name] = p
		b.fill(n, p, met)
		b.fillNames(p, met)
	}
	for _, r := range b.all {
		if !met[r.ID] {
			t.Errorf("rule %s is in no place: it has no sample that it finds", r.ID)
		}
	}
	return b
}

// shares is how many of the rules a place other than the work tree gets by default:
// one in so many.
const shares = 6

// fill makes the files of a place: batches of samples that stand apart, and one
// file for each that needs its own.
func (b *plantedRepo) fill(n int, p *hidingPlace, met map[string]bool) {
	all := os.Getenv("KEYWRIGHT_PLANTED") == "all"
	batch := batch{place: p, repo: b}
	for i, r := range b.all {
		if r.Path != nil || !all && n > 0 && (i+n)%b.shares != 0 {
			continue
		}
		count := len(samplesOf(r, 1).Match)
		for k := range count {
			if !all && k != (i/b.shares+n)%count {
				continue
			}
			s, ok := b.sample(r, k, uint64(n<<24|i<<8|k))
			if !ok || p.fits != nil && !p.fits(b.engine, &s) || b.want[s.secret()] != nil {
				continue
			}
			met[r.ID] = true
			batch.add(s)
		}
	}
	batch.end()
}

// fillNames adds to a place whose files have names one for each name by which some
// rule knows a file.
func (b *plantedRepo) fillNames(p *hidingPlace, met map[string]bool) {
	if p.noPath {
		return
	}
	for _, r := range b.all {
		for i, name := range namesOf(r) {
			text := namedContent(r, scan.NewGen(uint64(len(b.want))))
			path := p.name + "/" + name
			if i%2 == 1 {
				path = p.name + "/deep/er/" + name
			}
			met[r.ID] = true
			p.files = append(p.files, file{path, []byte(text)})
			b.want[fileKey(path)] = &planted{sample: sample{rule: r, text: text, alone: true}, place: p, path: path}
		}
	}
}

// namesOf are base names that a rule knows a file by.
func namesOf(r *scan.Rule) (all []string) {
	if r.Path == nil {
		return nil
	}
	for _, g := range r.Path.Globs {
		all = append(all, strings.ReplaceAll(g, "*", "some name"))
	}
	return all
}

// namedContent is the content of a file that a rule knows by its name.
func namedContent(r *scan.Rule, g *scan.Gen) string {
	switch r.ID {
	case "bitcoin-core-wallet":
		return "\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x62\x31\x05\x00" + string(g.Bytes(5000))
	case "keepass-database":
		return "\x03\xd9\xa2\x9a\x67\xfb\x4b\xb5" + string(g.Bytes(300))
	}
	return string(g.Bytes(32))
}

// fileKey is what stands for a secret that is a file.
func fileKey(path string) string { return "file " + path }

// silentNames are files whose names or contents are almost right.
func (b *plantedRepo) silentNames() (files []file) {
	g := scan.NewGen(78)
	for _, r := range b.all {
		for _, name := range namesOf(r) {
			content := func() []byte { return []byte(namedContent(r, g)) }
			files = append(files, file{"silent/names/" + name + ".txt", content()}, file{"silent/" + name + "/f", content()},
				file{"silent/case/" + strings.ToUpper(name), content()}, file{"silent/cut/" + name[:len(name)-2], content()},
				file{"silent/empty/" + name, nil}, file{"silent/short/" + name, []byte(name)},
				file{"silent/lfs/" + name, []byte("version https://git-lfs.github.com/spec/v1\noid sha256:" + g.Hex(64) + "\nsize 5\n")})
		}
	}
	return files
}

func samplesOf(r *scan.Rule, seed uint64) scan.Samples {
	g := scan.NewGen(seed)
	if r.Samples != nil {
		return r.Samples(g)
	}
	return scan.Samples{Match: []string{g.Expr(r.Expr)}}
}

// sample is a rule's k-th text, made with a seed of its own so that no two share a
// secret; ok if the rule finds it. That it finds all of them is tested where the
// rules are.
func (b *plantedRepo) sample(r *scan.Rule, k int, seed uint64) (s sample, ok bool) {
	all := samplesOf(r, seed).Match
	if k >= len(all) {
		return s, false
	}
	if s, ok = b.judge(r, all[k]); !ok {
		return s, false
	}
	apart, ok := b.judge(r, filler+all[k]+filler)
	s.alone = !ok || apart.secret() != s.secret() || r.Object != nil || r.Block != nil
	return s, true
}

func (b *plantedRepo) judge(r *scan.Rule, text string) (sample, bool) {
	return judge(b.engine, r, text)
}

// judge asks all rules about a text; ok if r alone answers, above low.
func judge(e *match.Engine, r *scan.Rule, text string) (s sample, ok bool) {
	verdicts := e.Whole(&match.Scratch{}, []byte(text)).Verdicts()
	if len(verdicts) != 1 || verdicts[0].Rule.ID != r.ID || verdicts[0].Confidence <= scan.Low {
		return s, false
	}
	if decoded, _ := match.Text([]byte(text)); string(decoded) != text {
		return s, false
	}
	at := verdicts[0].Secret()
	return sample{rule: r, text: text, start: at.Start, end: at.End}, true
}

func (s *sample) secret() string { return s.text[s.start:s.end] }

// filler keeps samples out of each other's sight.
var filler = "\n" + strings.Repeat(strings.Repeat(". ", 30)+"\n", 24)

// batchSize is how many samples share a file.
const batchSize = 50

// batch collects samples into files.
type batch struct {
	repo  *plantedRepo
	place *hidingPlace
	text  strings.Builder
	held  []*planted
}

func (t *batch) add(s sample) {
	p := &planted{sample: s, place: t.place}
	t.repo.want[s.secret()] = p
	if s.alone {
		t.file(s.text, p)
		return
	}
	t.text.WriteString(filler)
	before := t.text.String()
	p.line, p.column = position1(before + s.text[:s.start])
	t.text.WriteString(s.text)
	if t.held = append(t.held, p); len(t.held) == batchSize {
		t.end()
	}
}

// end writes the file of the batch.
func (t *batch) end() {
	if len(t.held) == 0 {
		return
	}
	t.text.WriteString(filler)
	path := t.file(t.text.String(), nil)
	for _, p := range t.held {
		p.path = path
	}
	t.text.Reset()
	t.held = nil
}

func (t *batch) file(text string, alone *planted) string {
	path := fmt.Sprintf("%s/f%d.txt", t.place.name, len(t.place.files))
	data := []byte(text)
	if t.place.encode != nil {
		data = t.place.encode(text)
	}
	t.place.files = append(t.place.files, file{path, data})
	if alone != nil {
		alone.path = path
		alone.line, alone.column = position1(text[:alone.start])
	}
	return path
}

// position1 is the line and column behind a text, from 1.
func position1(before string) (line, column int) {
	return strings.Count(before, "\n") + 1, len(before) - strings.LastIndexByte(before, '\n')
}

// wide makes UTF-16 with a byte order mark.
func wide(order binary.AppendByteOrder, text string) []byte {
	out := order.AppendUint16(nil, 0xFEFF)
	for _, unit := range utf16.Encode([]rune(text)) {
		out = order.AppendUint16(out, unit)
	}
	return out
}

// commented makes a part of a Git configuration of a text.
func commented(text string) []byte {
	return []byte("#" + strings.ReplaceAll(text, "\n", "\n#") + "\n")
}

// fitsConfig holds for samples that are found in comments, too.
func fitsConfig(e *match.Engine, s *sample) bool {
	if !isText(e, s) || s.alone {
		return false
	}
	in, ok := judge(e, s.rule, string(commented(filler+s.text+filler)))
	return ok && in.secret() == s.secret()
}

// plant builds the repository. What git itself must do comes last, since it works
// on the work tree.
func (b *plantedRepo) plant() {
	b.t.Helper()
	b.committed()
	b.repo.git("reset", "-q", "--hard", "main")
	b.stashed()
	b.dropped()
	b.loose()
	b.dangling()
	b.secondPack()
	b.alternate()
	b.linked()
	b.indexed()
	b.configured()
	b.repo.write(b.by["untracked"].files...)
}

// committed makes what fast-import can make, in one pack.
func (b *plantedRepo) committed() {
	const main = "refs/heads/main"
	var s stream
	first := []file{{".gitattributes", []byte("nodiff/* -diff\nbinary/* binary\nutf16-*/* -text\n")}}
	for _, f := range b.by["stash-tracked"].files {
		first = append(first, file{f.path, []byte("nothing yet\n")})
	}
	root := s.commit(change{branch: main, files: first})
	s.commit(change{branch: main, files: slices.Concat(b.by["worktree"].files, b.by["utf16-big"].files, b.silentFiles(), b.silentNames())})
	for _, name := range []string{"deleted", "nodiff", "binary", "utf16-little"} {
		s.commit(change{branch: main, files: b.by[name].files})
		s.commit(change{branch: main, deletes: []string{name}})
	}
	side := s.commit(change{branch: "refs/heads/side", from: root, files: []file{{"side", []byte("a side\n")}}})
	s.commit(change{branch: main, merge: side, files: b.by["merge"].files})
	s.commit(change{branch: main, deletes: []string{"merge"}})
	for _, f := range b.by["message"].files {
		s.commit(change{branch: main, message: f.data})
	}
	var noted []file
	for _, f := range b.by["note"].files {
		noted = append(noted, file{s.commit(change{branch: main}), f.data})
	}
	s.commit(change{branch: "refs/notes/commits", notes: noted})
	for i, f := range b.by["tag"].files {
		s.tag(fmt.Sprintf("t%d", i), root, f.data)
	}
	b.repo.gitInput(s.Bytes(), "fast-import", "--quiet")
}

// silentFiles are the texts that must not match, and remembers where they stand.
func (b *plantedRepo) silentFiles() []file {
	var files []file
	var text strings.Builder
	flush := func() {
		if text.Len() > 0 {
			files = append(files, file{fmt.Sprintf("silent/f%d.txt", len(files)), []byte(text.String())})
			text.Reset()
		}
	}
	put := func(r *scan.Rule, sample string) {
		first, _ := position1(text.String())
		text.WriteString(sample)
		last, _ := position1(text.String())
		b.silent = append(b.silent, silent{r.ID, fmt.Sprintf("silent/f%d.txt", len(files)), first, last, sample})
	}
	for _, r := range b.all {
		for _, sample := range samplesOf(r, 77).NoMatch {
			if r.Block != nil || r.Object != nil || b.finds(r, filler+sample+filler) || !utf8.ValidString(sample) {
				flush()
				put(r, sample)
				flush()
				continue
			}
			text.WriteString(filler)
			put(r, sample)
			text.WriteString(filler)
			if text.Len() > 100<<10 {
				flush()
			}
		}
	}
	flush()
	return files
}

func (b *plantedRepo) finds(r *scan.Rule, text string) bool {
	for _, v := range b.engine.Whole(&match.Scratch{}, []byte(text)).Verdicts() {
		if v.Rule.ID == r.ID && v.Confidence > scan.Low {
			return true
		}
	}
	return false
}

func (b *plantedRepo) stashed() {
	b.repo.write(b.by["stash-index"].files...)
	b.repo.git("add", "stash-index")
	b.repo.write(b.by["stash-tracked"].files...)
	b.repo.write(b.by["stash-untracked"].files...)
	b.repo.git("stash", "push", "-q", "-u")
}

// dropped makes a commit that only a reflog remembers.
func (b *plantedRepo) dropped() {
	b.repo.write(b.by["reflog"].files...)
	b.repo.git("add", "reflog")
	b.repo.git("commit", "-q", "-m", "to be dropped")
	b.repo.git("reset", "-q", "--hard", "HEAD~1")
}

func (b *plantedRepo) loose() {
	b.repo.write(b.by["loose"].files...)
	b.repo.git("add", "loose")
	b.repo.git("commit", "-q", "-m", "loose objects")
	b.repo.git("rm", "-q", "-r", "loose")
	b.repo.git("commit", "-q", "-m", "and gone")
}

func (b *plantedRepo) dangling() {
	p := b.by["dangling-blob"]
	for _, f := range p.files {
		p.objects[b.repo.gitInput(f.data, "hash-object", "-w", "--stdin")] = true
	}
	b.repo.write(b.by["dangling-commit"].files...)
	b.repo.git("add", "dangling-commit")
	b.repo.git("commit-tree", "-p", "HEAD", "-m", "dangling", b.repo.git("write-tree"))
	b.repo.git("reset", "-q", "--hard")
}

func (b *plantedRepo) secondPack() {
	var s stream
	const branch = "refs/heads/second"
	s.commit(change{branch: branch, files: b.by["second-pack"].files})
	s.commit(change{branch: branch, deletes: []string{"second-pack"}})
	b.repo.gitInput(s.Bytes(), "fast-import", "--quiet")
}

func (b *plantedRepo) alternate() {
	other := b.repo.in(filepath.Join(filepath.Dir(b.repo.dir), "other"))
	b.repo.git("init", "-q", "-b", "main", other.dir)
	var s stream
	s.commit(change{branch: "refs/heads/main", files: b.by["alternate"].files})
	s.commit(change{branch: "refs/heads/main", deletes: []string{"alternate"}})
	other.gitInput(s.Bytes(), "fast-import", "--quiet")
	objects := filepath.Join(other.dir, ".git", "objects")
	b.repo.write(file{".git/objects/info/alternates", []byte(filepath.ToSlash(objects) + "\n")})
	b.repo.git("update-ref", "refs/heads/other", other.git("rev-parse", "main"))
}

func (b *plantedRepo) linked() {
	linked := b.repo.in(filepath.Join(filepath.Dir(b.repo.dir), "linked"))
	b.repo.git("worktree", "add", "-q", "--detach", linked.dir)
	linked.write(b.by["linked-head"].files...)
	linked.git("add", "linked-head")
	linked.git("commit", "-q", "-m", "on the linked work tree's HEAD")
	linked.git("rm", "-q", "-r", "linked-head")
	linked.git("commit", "-q", "-m", "and gone")
	linked.write(b.by["linked-index"].files...)
	linked.git("add", "linked-index")
}

func (b *plantedRepo) indexed() {
	b.repo.write(b.by["index"].files...)
	b.repo.git("add", "index")
	if err := os.RemoveAll(filepath.Join(b.repo.dir, "index")); err != nil {
		b.t.Fatal(err)
	}
}

func (b *plantedRepo) configured() {
	name := filepath.Join(b.repo.dir, ".git", "config")
	old, err := os.ReadFile(name)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, f := range b.by["config"].files {
		old = append(append(old, f.data...), "[keywright]\n"...)
	}
	b.repo.write(file{".git/config", old})
}

// check compares the findings with what was planted.
func (b *plantedRepo) check(report *scan.Report) {
	b.t.Helper()
	found := map[string]bool{}
	perPlace := map[string]int{}
	for i := range report.Findings {
		f := &report.Findings[i]
		secret := string(f.Secret.Reveal())
		if f.Rule.Path != nil {
			secret = fileKey(f.Places[0].Path)
		}
		if found[secret] {
			b.t.Errorf("%s: found twice", f.Rule.ID)
		}
		found[secret] = true
		b.quiet(f)
		p := b.want[secret]
		if p == nil {
			if f.Rule.Path != nil || !strings.HasPrefix(f.Places[0].Path, "silent/") {
				b.t.Errorf("%s: was not planted: %s in %s", f.Rule.ID, f.Redacted, where(f))
			}
			continue
		}
		perPlace[p.place.name]++
		b.same(p, f)
	}
	for secret, p := range b.want {
		if !found[secret] {
			b.t.Errorf("%s in %s is not found: %s:%d:%d alone %v\n%q", p.rule.ID, p.place.name, p.path, p.line, p.column, p.alone, clip(p.text))
		}
	}
	for _, p := range b.places {
		if perPlace[p.name] < len(b.all)/(2*b.shares) {
			b.t.Errorf("place %s: only %d samples were found there: the test does not test it", p.name, perPlace[p.name])
		}
	}
	b.t.Logf("%d rules, %d samples in %d places, %d that must be silent", len(b.all), len(b.want), len(b.places), len(b.silent))
}

func clip(s string) string { return s[:min(len(s), 300)] }

// quiet fails if a rule found what it must not.
func (b *plantedRepo) quiet(f *scan.Finding) {
	for _, p := range f.Places {
		for _, s := range b.silent {
			if s.rule == f.Rule.ID && s.path == p.Path && p.Line >= s.first && p.Line <= s.last {
				b.t.Errorf("%s finds what it must not, at %s:%d:\n%q", s.rule, p.Path, p.Line, clip(s.text))
			}
		}
	}
}

// same fails if a finding differs from what was planted.
func (b *plantedRepo) same(p *planted, f *scan.Finding) {
	var wrong []string
	fail := func(what string, got, want any) {
		if got != want {
			wrong = append(wrong, fmt.Sprintf("%s is %v, want %v", what, got, want))
		}
	}
	fail("rule", f.Rule.ID, p.rule.ID)
	fail("places", len(f.Places), 1)
	if p.rule.Path != nil {
		fail("redacted", f.Redacted, p.path[strings.LastIndexByte(p.path, '/')+1:])
		fail("has a value", !f.Secret.IsZero(), false)
	}
	at, h := &f.Places[0], p.place
	fail("source", at.Source, h.source)
	fail("unreachable", at.Unreachable, h.unreachable)
	fail("at tip", at.AtTip, h.atTip)
	fail("has a commit", at.Commit != "", !h.noCommit)
	switch {
	case h.name == "dangling-blob":
		fail("path", at.Path, "")
		fail("object", h.objects[at.Object], true)
	case !h.noPath:
		fail("path", at.Path, p.path)
	}
	if h.name != "config" {
		fail("line", at.Line, p.line)
		fail("column", at.Column, p.column)
	}
	if wrong != nil {
		b.t.Errorf("%s in %s, alone %v: %s\nat %s\n%q", p.rule.ID, h.name, p.alone, strings.Join(wrong, ", "), where(f), clip(p.text))
	}
}

func where(f *scan.Finding) string {
	var b bytes.Buffer
	for _, p := range f.Places {
		fmt.Fprintf(&b, "%s %s:%d:%d commit %s object %s tip %v unreachable %v; ", p.Source, cmp.Or(p.Path, "-"), p.Line, p.Column,
			short(p.Commit), short(p.Object), p.AtTip, p.Unreachable)
	}
	return b.String()
}

func short(id string) string { return id[:min(len(id), 8)] }
