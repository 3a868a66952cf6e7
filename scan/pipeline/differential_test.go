package pipeline

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/gitrepo"
	"github.com/keywright/keywright/scan/match"
	"github.com/keywright/keywright/scan/packfile"
	"github.com/keywright/keywright/scan/rules"
)

// These tests hold the invariant on which all speed rests against real packs:
// what is carried along delta chains equals what judging every object whole gives.
//
// KEYWRIGHT_DIFFERENTIAL=1000 sets the number of generated repositories (a few by
// default), KEYWRIGHT_BENCH_REPO names a real one to compare, too, and
// KEYWRIGHT_DIFFERENTIAL_MB sets the size of the text in TestExpressions.

const (
	generatedByDefault = 40
	textByDefault      = 160 << 10
	realVerdicts       = 1_000_000 // at least, of the stress rules on a real repository
)

// stressRules meet often and look far: frequent words, pairs within five lines,
// blocks, runs, and a parser over the whole object.
func stressRules() []*scan.Rule {
	isWord := func(w []byte) bool { return len(w) == 3 || len(w) == 4 }
	holds := func(c scan.Candidate) scan.Evidence {
		if c.Secret()[0] == 'x' {
			return scan.Rejected
		}
		return scan.Holds("it does")
	}
	return []*scan.Rule{
		{ID: "word", Confidence: scan.High, Expr: `\b(?:return|struct|static|(?i:token))\b`},
		{ID: "lines", Confidence: scan.Medium, Expr: `(?:if|for) \([ -~\t]{0,60}\n(?:[ -~\t]{0,60}\n){0,4}[ -~\t]{0,60}\breturn\b`},
		{ID: "pair", Confidence: scan.High, Expr: `\bstruct [a-z_]{2,30}\b`,
			Partners: []scan.Partner{{Role: "type", Expr: `\bint\b`, Within: 400, Required: true}}},
		{ID: "secret", Confidence: scan.Medium, Expr: `(?i:secret|key)[ =:]{1,4}(?P<secret>[a-z0-9]{3,20})\b`,
			Partners: []scan.Partner{{Role: "id", Expr: `id=([a-z]{2,9})`, Within: 512}}},
		{ID: "block", Confidence: scan.Medium, Block: &scan.Block{Open: []string{"static int ", "static inline "}, Close: []string{"\n}\n", "\n}\n"}}},
		{ID: "run", Confidence: scan.Low, Run: &scan.Run{Alphabet: scan.Alnum, Min: 20, Max: 60}, Check: holds},
		{ID: "base64", Confidence: scan.Low, Run: &scan.Run{Alphabet: scan.Base64, Min: 44, Max: 120}, Check: holds},
		{ID: "numbers", Confidence: scan.Low, Run: &scan.Run{Alphabet: scan.Ints, Min: 40, Max: 400}, Check: holds},
		{ID: "words", Confidence: scan.Low, Run: &scan.Run{Alphabet: scan.Words, Min: 12, Max: 24, Word: isWord}, Check: holds},
		{ID: "whole", Confidence: scan.Low, Object: &scan.Object{Gate: "#include", Parse: lastLine}},
	}
}

// lastLine finds the last line of an object.
func lastLine(data []byte) []scan.ObjectMatch {
	data = bytes.TrimRight(data, "\n")
	if len(data) == 0 {
		return nil
	}
	return []scan.ObjectMatch{{Parts: []scan.Span{{Role: scan.RoleSecret, Start: bytes.LastIndexByte(data, '\n') + 1, End: len(data)}}}}
}

func newEngine(t testing.TB, all []*scan.Rule) *match.Engine {
	t.Helper()
	e, err := match.New(all)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestDifferential compares walks with whole objects on generated repositories.
func TestDifferential(t *testing.T) {
	count := generatedByDefault
	if testing.Short() {
		count /= 4
	}
	if s := os.Getenv("KEYWRIGHT_DIFFERENTIAL"); s != "" {
		var err error
		if count, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	isolate(t)
	real, stress := newEngine(t, rules.All()), newEngine(t, stressRules())
	made := newMaker()
	dir := t.TempDir()
	var sum tally
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for seed := range uint64(count) {
		g.Go(func() error {
			repo := filepath.Join(dir, fmt.Sprintf("r%d.git", seed))
			defer os.RemoveAll(repo)
			if err := made.repository(repo, seed); err != nil {
				return fmt.Errorf("seed %d: %w", seed, err)
			}
			for _, e := range []*match.Engine{real, stress} {
				one, err := compare(t, e, repo, 1)
				if err != nil {
					return fmt.Errorf("seed %d: %w", seed, err)
				}
				mu.Lock()
				sum.add(one)
				mu.Unlock()
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d repositories: %s", count, sum)
	if sum.deltas*3 < sum.objects {
		t.Errorf("only %d of %d objects were deltas: the test does not test them", sum.deltas, sum.objects)
	}
	if sum.verdicts < 100*count {
		t.Errorf("only %d verdicts in %d repositories", sum.verdicts, count)
	}
}

// TestDifferentialReal does the same on a real repository.
func TestDifferentialReal(t *testing.T) {
	repo := os.Getenv("KEYWRIGHT_BENCH_REPO")
	if repo == "" {
		t.Skip("KEYWRIGHT_BENCH_REPO is not set")
	}
	for _, set := range []struct {
		name  string
		rules []*scan.Rule
		least int
	}{{"built-in", rules.All(), 0}, {"stress", stressRules(), realVerdicts}} {
		t.Run(set.name, func(t *testing.T) {
			sum, err := compare(t, newEngine(t, set.rules), repo, runtime.GOMAXPROCS(0))
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s: %s", repo, sum)
			if sum.verdicts < set.least {
				t.Errorf("%d verdicts, want at least %d", sum.verdicts, set.least)
			}
		})
	}
}

// tally is what was compared.
type tally struct{ objects, deltas, verdicts int }

func (s *tally) add(t tally) {
	s.objects += t.objects
	s.deltas += t.deltas
	s.verdicts += t.verdicts
}

func (s tally) String() string {
	return fmt.Sprintf("%d verdicts in %d objects, %d of them met as deltas: all the same", s.verdicts, s.objects, s.deltas)
}

// allTypes are the objects that are compared.
var allTypes = packfile.Types(packfile.Commit, packfile.Tree, packfile.Blob, packfile.Tag)

// compare walks a repository, judges its objects again as git prints them, and
// fails at the first difference.
func compare(t testing.TB, e *match.Engine, repo string, workers int) (sum tally, err error) {
	r, err := gitrepo.Open(t.Context(), repo)
	if err != nil {
		return sum, err
	}
	h, err := r.OpenHistory(t.Context(), gitrepo.HistoryOptions{Workers: workers, Memory: 64 << 20, MaxObject: 256 << 20})
	if err != nil {
		return sum, err
	}
	defer h.Close()
	w := &walked{engine: e, scratch: make([]match.Scratch, workers), sums: map[packfile.ID][]verdictSum{}}
	walk := func() error { return gitrepo.WalkHistory[*match.State](t.Context(), h, allTypes, w) }
	if err := walk(); err != nil {
		return sum, err
	}
	if gaps := h.Gaps(); len(gaps) > 0 {
		return sum, fmt.Errorf("%s: %s", gaps[0].What, gaps[0].Why)
	}
	sum.deltas = w.deltas
	var s match.Scratch
	err = eachObject(repo, func(id packfile.ID, data []byte) error {
		want := e.Whole(&s, data).All()
		sum.objects++
		sum.verdicts += len(want)
		sums := w.sums[id]
		if len(sums) == 0 {
			return fmt.Errorf("object %s was not walked", id)
		}
		for _, got := range sums {
			if got != sumOf(want) {
				w.show = id
				if err := walk(); err != nil {
					return err
				}
				return fmt.Errorf("object %s in %s: want\n%sgot\n%s", id, repo, listed(want), w.shown.String())
			}
		}
		delete(w.sums, id)
		return nil
	})
	if err == nil && len(w.sums) > 0 {
		err = fmt.Errorf("%d objects were walked that git does not list", len(w.sums))
	}
	return sum, err
}

// walked remembers what a walk says of each object, once for each copy.
type walked struct {
	engine  *match.Engine
	scratch []match.Scratch

	mu     sync.Mutex
	deltas int
	sums   map[packfile.ID][]verdictSum
	show   packfile.ID // to be listed in shown
	shown  strings.Builder
}

func (w *walked) Lost(packfile.Object, error) {}

func (w *walked) Visit(worker int, o packfile.Object, content []byte, base **match.State, copies []scan.Copy) *match.State {
	s := &w.scratch[worker]
	var state *match.State
	if base != nil {
		state = w.engine.Delta(s, *base, content, copies)
	} else {
		state = w.engine.Whole(s, content)
	}
	sum := sumOf(state.All())
	w.mu.Lock()
	defer w.mu.Unlock()
	if base != nil {
		w.deltas++
	}
	if o.ID == w.show {
		fmt.Fprintf(&w.shown, "delta %v\n%s", base != nil, listed(state.All()))
	}
	w.sums[o.ID] = append(w.sums[o.ID], sum)
	if !o.Base {
		return nil
	}
	return state.Keep()
}

// verdictSum stands for a list of verdicts.
type verdictSum struct {
	count int
	sum   [16]byte
}

func sumOf(all []scan.Verdict) verdictSum {
	h := sha256.New()
	w := bufio.NewWriter(h)
	for i := range all {
		writeVerdict(w, &all[i])
	}
	w.Flush()
	return verdictSum{len(all), [16]byte(h.Sum(nil))}
}

// writeVerdict writes everything that a verdict says.
func writeVerdict(w io.Writer, v *scan.Verdict) {
	fmt.Fprintln(w, v.Rule.ID, v.Parts, v.Confidence, v.Proof, v.Reasons, v.PublicID, v.Allowed, v.Anchor, v.DepStart, v.DepEnd)
}

func listed(all []scan.Verdict) string {
	var b strings.Builder
	for i := range all {
		writeVerdict(&b, &all[i])
	}
	return b.String()
}

// eachObject calls f with every object of a repository, as git prints it.
func eachObject(repo string, f func(packfile.ID, []byte) error) error {
	cmd := exec.Command("git", "cat-file", "--batch", "--batch-all-objects", "--unordered", "--buffer")
	cmd.Dir = repo
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	err = readBatch(bufio.NewReaderSize(out, 1<<20), f)
	if err != nil {
		cmd.Process.Kill()
		cmd.Wait()
		return err
	}
	return cmd.Wait()
}

func readBatch(r *bufio.Reader, f func(packfile.ID, []byte) error) error {
	var buf []byte
	for {
		head, err := r.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		fields := strings.Fields(head)
		if len(fields) != 3 {
			return fmt.Errorf("git cat-file says %q", head)
		}
		id, err := packfile.ParseID(fields[0])
		if err != nil {
			return err
		}
		size, err := strconv.Atoi(fields[2])
		if err != nil {
			return err
		}
		buf = slices.Grow(buf[:0], size+1)[:size+1]
		if _, err := io.ReadFull(r, buf); err != nil {
			return err
		}
		if err := f(id, buf[:size]); err != nil {
			return err
		}
	}
}

// maker makes small repositories whose files are edited again and again, so that
// packs hold deltas whose seams cut through what rules look for.
type maker struct {
	pieces []string
	rules  [][]string // samples of each rule
}

func newMaker() *maker {
	m := &maker{pieces: []string{
		"return", " static int f()\n{\n", "\n}\n", "static inline g(", "struct list ", "int ", " id=abc ", "key = abc123", "TOKEN", "tok",
		"if (a)\n", "for (;;)\n", "#include", "\n", "\n", "\n", "    ", ";\n", " // keywright:allow", " gitleaks:allow\n", "xyz", "0123456789abcdefghij",
		"1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, ", "250,251,252,253,254,255,",
		"one two six ten red cat dog sun big old car the end ", "é", "。", "\xff", "\x00", "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8S9t0/+aB==",
		strings.Repeat("filler ", 100), strings.Repeat("x", 300),
	}}
	for _, r := range rules.All() {
		if r.Path != nil {
			continue
		}
		s := samplesOf(r, 5)
		m.rules = append(m.rules, s.Match)
		for _, text := range slices.Concat(s.Match, s.Failed, s.NoMatch) {
			if len(text) < 2000 {
				m.pieces = append(m.pieces, text)
			}
		}
	}
	return m
}

// piece is a text that a rule looks for, or a part of one.
func (m *maker) piece(r *rand.Rand) string {
	p := m.pieces[r.IntN(len(m.pieces))]
	if r.IntN(2) == 0 {
		p = m.pieces[r.IntN(min(len(m.pieces), 32))]
	}
	if len(p) > 2 && r.IntN(4) == 0 {
		cut := r.IntN(len(p))
		p = p[:cut]
	}
	return p
}

// edit changes a file in a few places, or takes a part of another.
func (m *maker) edit(r *rand.Rand, data, other []byte) []byte {
	for range 1 + r.IntN(4) {
		at := r.IntN(len(data) + 1)
		end := min(len(data), at+r.IntN(200))
		switch r.IntN(6) {
		case 0:
			data = slices.Delete(slices.Clone(data), at, end)
		case 1:
			moved := slices.Clone(data[at:end])
			rest := slices.Delete(slices.Clone(data), at, end)
			data = slices.Insert(rest, r.IntN(len(rest)+1), moved...)
		case 2:
			if len(other) > 0 {
				from := r.IntN(len(other))
				data = slices.Insert(slices.Clone(data), at, other[from:min(len(other), from+r.IntN(600))]...)
			}
		case 3:
			data = append([]byte(m.piece(r)), data...)
		default:
			data = slices.Insert(slices.Clone(data), at, []byte(m.piece(r))...)
		}
	}
	return data
}

// repository makes a bare repository: a pack as fast-import writes it, or as repack
// does with either kind of delta.
func (m *maker) repository(dir string, seed uint64) error {
	r := rand.New(rand.NewPCG(seed, 7))
	for _, d := range []string{"objects/info", "objects/pack", "refs/heads"} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.FromSlash(d)), 0o755); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "HEAD"), []byte("ref: refs/heads/main\n"), 0o644); err != nil {
		return err
	}
	var s stream
	contents := make([][]byte, 1+r.IntN(6))
	for range 4 + r.IntN(16) {
		c := change{branch: "refs/heads/main", message: []byte(m.piece(r))}
		for k := range contents {
			if r.IntN(3) == 0 {
				continue
			}
			for len(contents[k]) < 500+r.IntN(3000) {
				contents[k] = append(contents[k], m.piece(r)...)
			}
			contents[k] = m.edit(r, contents[k], contents[r.IntN(len(contents))])
			c.files = append(c.files, file{fmt.Sprintf("f%d", k), contents[k]})
		}
		s.commit(c)
	}
	if err := bareGit(dir, s.Bytes(), "-c", "fastimport.unpackLimit=1", "fast-import", "--quiet"); err != nil {
		return err
	}
	switch seed % 3 {
	case 1:
		return bareGit(dir, nil, "repack", "-adfq", "--depth=50", "--window=20")
	case 2:
		return bareGit(dir, nil, "-c", "repack.usedeltabaseoffset=false", "repack", "-adfq", "--depth=50", "--window=20")
	}
	return nil
}

func bareGit(dir string, input []byte, args ...string) error {
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Stdin = dir, bytes.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("git %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// groupName begins a named group of an expression.
var groupName = regexp.MustCompile(`\(\?P?<[A-Za-z0-9_]+>`)

// TestExpressions compares what is found at literals, looking at a few bytes
// around each, with each rule's plain expression run over the whole text.
//
// Leftmost matches that do not overlap depend on where one begins to look, so the
// two may differ where matches of one rule overlap, and nowhere else: a match that
// only one of them has must share a byte with one that the other has.
func TestExpressions(t *testing.T) {
	size := textByDefault
	if s := os.Getenv("KEYWRIGHT_DIFFERENTIAL_MB"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		size = n << 20
	}
	var plain []*scan.Rule
	for i, r := range rules.All() {
		if r.Expr != "" && (!testing.Short() || i%4 == 0) {
			expr := groupName.ReplaceAllString(r.Expr, "(")
			plain = append(plain, &scan.Rule{ID: r.ID, Confidence: scan.High, Expr: expr})
		}
	}
	text := mixedText(t, size)
	found := map[string][][2]int{}
	for _, v := range newEngine(t, plain).Whole(&match.Scratch{}, text).All() {
		at := v.Secret()
		found[v.Rule.ID] = append(found[v.Rule.ID], [2]int{at.Start, at.End})
	}
	var mu sync.Mutex
	total, hidden := 0, 0
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, r := range plain {
		g.Go(func() error {
			want := spansOf(regexp.MustCompile(r.Expr).FindAllIndex(text, -1))
			got := slices.Clone(found[r.ID])
			slices.SortFunc(got, compareSpans)
			n := 0
			for _, pair := range []struct {
				what string
				a, b [][2]int
			}{{"the plain expression finds", want, got}, {"is found at a literal", got, want}} {
				for _, s := range pair.a {
					switch {
					case slices.Contains(pair.b[lowest(pair.b, s):], s):
					case overlaps(pair.b, s):
						n++
					default:
						t.Errorf("%s: only %s %v: %q", r.ID, pair.what, s, text[max(0, s[0]-20):min(len(text), s[1]+20)])
					}
				}
			}
			mu.Lock()
			defer mu.Unlock()
			total += len(want)
			hidden += n
			return nil
		})
	}
	_ = g.Wait()
	t.Logf("%d expressions on %d bytes: %d matches, %d of them overlap others of their rule", len(plain), len(text), total, hidden)
	if total < len(plain) || hidden > total/10 {
		t.Errorf("%d matches, %d differ: the text does not test the expressions", total, hidden)
	}
}

func spansOf(all [][]int) [][2]int {
	out := make([][2]int, len(all))
	for i, s := range all {
		out[i] = [2]int{s[0], s[1]}
	}
	return out
}

func compareSpans(a, b [2]int) int { return slices.Compare(a[:], b[:]) }

// lowest is the index of the first span that can share a byte with s: none is wider
// than scan.MaxReach.
func lowest(all [][2]int, s [2]int) int {
	i, _ := slices.BinarySearchFunc(all, [2]int{s[0] - scan.MaxReach, 0}, compareSpans)
	return i
}

func overlaps(all [][2]int, s [2]int) bool {
	for _, o := range all[lowest(all, s):] {
		if o[0] >= s[1] {
			return false
		}
		if o[1] > s[0] {
			return true
		}
	}
	return false
}

// mixedText is source code, the rules' samples, and those cut, changed and joined.
func mixedText(t *testing.T, size int) []byte {
	t.Helper()
	sources, err := filepath.Glob("../*/*.go")
	if err != nil || len(sources) == 0 {
		t.Fatal("no sources", err)
	}
	r := rand.New(rand.NewPCG(uint64(size), 9))
	m := newMaker()
	var out []byte
	for n := 0; len(out) < size; n++ {
		switch r.IntN(12) {
		case 0:
			data, err := os.ReadFile(sources[r.IntN(len(sources))])
			if err != nil {
				t.Fatal(err)
			}
			from := r.IntN(len(data) + 1)
			out = append(out, data[from:min(len(data), from+2000)]...)
		case 1:
			changed := []byte(m.piece(r))
			if len(changed) > 0 {
				changed[r.IntN(len(changed))] = byte(r.IntN(256))
			}
			out = append(out, changed...)
		case 2:
			twice := m.pieces[r.IntN(len(m.pieces))]
			out = append(append(out, twice...), twice...)
		case 3:
			out = append(out, m.piece(r)...)
		default:
			of := m.rules[n%len(m.rules)]
			out = append(append(out, of[r.IntN(len(of))]...), '\n')
		}
	}
	return out
}
