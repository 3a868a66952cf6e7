package pipeline

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/proof"
)

// token is a text that a rule is sure to find, all of it the secret.
func token(t testing.TB, seed uint64) string {
	t.Helper()
	for _, r := range builtin("", Stdin).Builtin {
		if r.ID == "github-pat" {
			if s, ok := judge(newEngine(t, []*scan.Rule{r}), r, samplesOf(r, seed).Match[0]); ok {
				return s.secret()
			}
		}
	}
	t.Fatal("no rule is called github-pat, or it does not find its sample")
	return ""
}

func fromStdin(text io.Reader) Options {
	o := builtin("", Stdin)
	o.Stdin = text
	return o
}

// TestHostileTexts: what is made to be slow takes processor time in proportion to
// its size, and not much of it.
func TestHostileTexts(t *testing.T) {
	if raceEnabled || testing.Short() {
		t.Skip("it takes 20 seconds, and times mean nothing with the race detector")
	}
	const small, large = 1 << 20, 10 << 20
	longest := 60 * sorting() // five seconds where it takes 83 ms
	g := scan.NewGen(1)
	base64 := g.String(scan.Base64Std, 64)
	id, secret := "AK"+"IA"+g.String(scan.Base32, 16), g.String(scan.Base64Std, 40)
	texts := map[string]func(n int) []byte{
		"one literal":            repeated("ghp" + "_"),
		"one short literal":      repeated("sk" + "-"),
		"a name":                 repeated("password"),
		"an assignment":          repeated("secret_key = "),
		"one opening":            repeated("-----BEGIN " + "PRIVATE KEY-----\n"),
		"openings in one line":   repeated("-----BEGIN " + "RSA PRIVATE KEY-----"),
		"a gate":                 repeated(`{"crypto": {"ciphertext": `),
		"one letter":             repeated("a"),
		"a run of base 64":       repeated(base64),
		"a run of digits":        repeated("1234567890"),
		"numbers":                repeated("12, 7,"),
		"a phrase":               repeated("abandon "),
		"a word":                 repeated("zoo zoo\n"),
		"partners":               repeated(id + "\n" + secret + "\n"),
		"partners in one line":   repeated(id + " " + secret + " "),
		"ids without a secret":   repeated(id + "\n"),
		"secrets without an id":  repeated(secret + "\n"),
		"addresses":              repeated("https://user:pass@"),
		"parts of a token":       repeated("eyJ" + "hbGciOiJIUzI1NiJ9."),
		"quotes":                 repeated(`"'`),
		"nothing":                repeated("\x00"),
		"lines":                  repeated("\n"),
		"unfinished UTF-16":      func(n int) []byte { return append([]byte{0xFF, 0xFE}, bytes.Repeat([]byte("k\x00e\x00y\x00"), n/6)...) },
		"what stands everywhere": repeated("token: \"" + base64[:32] + "\"\n"),
	}
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			var one time.Duration
			ten := time.Hour
			for range 3 { // other work makes either slower
				one, ten = max(one, took(t, text(small))), min(ten, took(t, text(large)))
				if ten <= longest && ten <= 12*max(one, 100*time.Millisecond) {
					t.Logf("1 MB in %v, 10 MB in %v", one, ten)
					return
				}
				if ten > 2*longest {
					break // no bad luck
				}
			}
			t.Errorf("1 MB takes %v, 10 MB %v, more than %v or than 12 times as long", one, ten, longest)
		})
	}
}

func repeated(text string) func(n int) []byte {
	return func(n int) []byte { return bytes.Repeat([]byte(text), n/len(text)) }
}

// sorting is the processor time that a million numbers take to be sorted, which says how
// fast this machine is now.
func sorting() time.Duration {
	least := time.Hour
	for range 3 { // other work makes it slower
		r := rand.New(rand.NewPCG(1, 1))
		numbers := make([]uint64, 1_000_000)
		for i := range numbers {
			numbers[i] = r.Uint64()
		}
		start := cpuTime()
		slices.Sort(numbers)
		least = min(least, cpuTime()-start)
	}
	return least
}

func took(t *testing.T, text []byte) time.Duration {
	t.Helper()
	// On one core: the collector's idle workers take time that nobody else wants.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	runtime.GC()
	start := cpuTime()
	mustRun(t, fromStdin(bytes.NewReader(text)))
	return cpuTime() - start
}

// TestManySecrets: what a file holds thousands of takes time in proportion, through
// attribution and grouping too.
func TestManySecrets(t *testing.T) {
	if raceEnabled || testing.Short() {
		t.Skip("times mean nothing with the race detector")
	}
	one, ten := time.Hour, time.Hour
	for range 2 { // other work makes either slower
		one, ten = min(one, manySecrets(t, 4_000)), min(ten, manySecrets(t, 40_000))
	}
	if ten > 14*one {
		t.Errorf("4,000 take %v, 40,000 %v", one, ten)
	}
	t.Logf("4,000 in %v, 40,000 in %v", one, ten)
}

// manySecrets returns the processor time for a commit of a file with n tokens.
func manySecrets(t *testing.T, n int) time.Duration {
	t.Helper()
	g := scan.NewGen(7)
	var text bytes.Buffer
	for range n {
		fmt.Fprintln(&text, proof.SealGitHub("ghp"+"_", g.String(scan.Base62, 30)))
	}
	repo := newTestRepo(t)
	repo.write(file{"tokens", text.Bytes()})
	repo.git("add", ".")
	repo.git("commit", "-q", "-m", "all of them")
	start := cpuTime()
	r := mustRun(t, builtin(repo.dir, HistoryOnly))
	if len(r.Findings) != n {
		t.Fatalf("%d of %d secrets were found", len(r.Findings), n)
	}
	return cpuTime() - start
}

// longLine is a line without end, with a token at its end, made as it is read.
type longLine struct {
	left int
	end  *strings.Reader
	peak uint64 // of the heap, in bytes
}

func (l *longLine) Read(b []byte) (int, error) {
	var m runtime.MemStats
	if l.left%(1<<24) < len(b) {
		runtime.ReadMemStats(&m)
		l.peak = max(l.peak, m.HeapInuse)
	}
	if l.left == 0 {
		return l.end.Read(b)
	}
	n := min(len(b), l.left)
	for i := range n {
		b[i] = "abc 123, "[(l.left-i)%9]
	}
	l.left -= n
	return n, nil
}

// TestLongLine: a line of any length is scanned to its end in bounded memory.
// KEYWRIGHT_LONG_LINE_MB sets its length.
func TestLongLine(t *testing.T) {
	size := 48
	if s := os.Getenv("KEYWRIGHT_LONG_LINE_MB"); s != "" {
		var err error
		if size, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	debug.FreeOSMemory() // what other tests have left
	l := &longLine{left: size << 20, end: strings.NewReader(" " + token(t, 3) + "\n")}
	r := mustRun(t, fromStdin(l))
	if len(r.Findings) != 1 || r.Findings[0].Places[0].Line != 1 || r.Findings[0].Places[0].Column < size<<20 {
		t.Errorf("%d findings: %v", len(r.Findings), r.Findings)
	}
	if r.Coverage.Bytes <= int64(size<<20) || len(r.Coverage.Gaps) > 0 {
		t.Errorf("%d bytes were read, gaps %v", r.Coverage.Bytes, r.Coverage.Gaps)
	}
	const bound = 200 << 20
	if l.peak > bound {
		t.Errorf("the heap grew to %d MB", l.peak>>20)
	}
	t.Logf("%d MB: the heap grew to %d MB", size, l.peak>>20)
}

// TestLargeFiles: what comes in chunks is found once, at its place, whatever the
// encoding; a chunk's border changes nothing.
func TestLargeFiles(t *testing.T) {
	const size = 44 << 20 // more than is read in one piece
	for _, encoding := range []string{"utf-8", "utf-16-little", "utf-16-big"} {
		t.Run(encoding, func(t *testing.T) {
			var text bytes.Buffer
			line := strings.Repeat("text of no interest. ", 4) + "\n"
			if encoding != "utf-8" {
				line = strings.Repeat("字", 40) + "\n" // nothing in a chunk's bytes says what it is
			}
			unit := len([]rune(line))
			if encoding != "utf-8" {
				unit *= 2
			}
			want := map[string]int{} // lines
			for n := 1; unit*n < size; n++ {
				if n%5000 == 0 {
					tok := token(t, uint64(n))
					text.WriteString(tok + "\n")
					want[tok] = n
					continue
				}
				text.WriteString(line)
			}
			data := text.Bytes()
			switch encoding {
			case "utf-16-little":
				data = wide(binary.LittleEndian, text.String())
			case "utf-16-big":
				data = wide(binary.BigEndian, text.String())
			}
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "large"), data, 0o644); err != nil {
				t.Fatal(err)
			}
			r := mustRun(t, builtin(dir, Everything))
			for _, f := range r.Findings {
				for tok, n := range want {
					if strings.Contains(tok, string(f.Secret.Reveal())) {
						if p := f.Places[0]; len(f.Places) != 1 || p.Line != n {
							t.Errorf("%d places, the first at line %d: want one at line %d", len(f.Places), p.Line, n)
						}
						delete(want, tok)
					}
				}
			}
			if len(want) > 0 || len(r.Coverage.Gaps) > 0 {
				t.Errorf("%d tokens are not found, gaps %v", len(want), r.Coverage.Gaps)
			}
		})
	}
}

// TestOverBudget: an object that the budget has no room for is a gap that says so.
func TestOverBudget(t *testing.T) {
	g := newTestRepo(t)
	large := []byte(scan.NewGen(1).String(scan.Base64Std+"\n", 3<<20))
	g.write(file{"large", large}, file{"small", []byte(token(t, 1) + "\n")})
	g.git("add", "-A")
	g.git("commit", "-q", "-m", "one")
	g.write(file{"large", append(large, "and more\n"...)})
	g.git("add", "-A")
	g.git("commit", "-q", "-m", "two")
	g.git("repack", "-adfq")
	o := builtin(g.dir, HistoryOnly)
	o.MaxMemory = 8 << 20
	r := mustRun(t, o)
	if len(r.Findings) != 1 {
		t.Errorf("%d findings, want 1", len(r.Findings))
	}
	if len(r.Coverage.Gaps) != 2 {
		t.Fatalf("gaps %v, want 2", r.Coverage.Gaps)
	}
	ids := g.git("rev-parse", "HEAD:large", "HEAD~1:large")
	for _, gap := range r.Coverage.Gaps {
		id, ok := strings.CutPrefix(gap.What, "object ")
		itself := strings.HasPrefix(gap.Why, "it has") // or it is a delta of that
		if !ok || !strings.Contains(ids, id) || !strings.Contains(gap.Why, fmt.Sprint(len(large))[:4]) || itself && !strings.Contains(gap.Hint, "--max-memory") {
			t.Errorf("gap %q: %q (%q)", gap.What, gap.Why, gap.Hint)
		}
	}
	o.MaxMemory = DefaultMaxMemory
	if r := mustRun(t, o); len(r.Coverage.Gaps) > 0 {
		t.Errorf("gaps with room enough: %v", r.Coverage.Gaps)
	}
}

// TestDamagedRepository: whatever bit of whatever file of a repository is wrong, or
// where a file ends, a scan does not panic, and says that something is missing
// unless it found everything.
func TestDamagedRepository(t *testing.T) {
	tries := 150
	if testing.Short() {
		tries = 30
	}
	if s := os.Getenv("KEYWRIGHT_DAMAGE"); s != "" {
		var err error
		if tries, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	g := newTestRepo(t)
	var secrets []string
	for n := range 12 { // a chain of deltas, each with a token that the next has not
		tok := token(t, uint64(n))
		secrets = append(secrets, tok)
		g.write(file{"config.env", []byte(strings.Repeat("a line of text\n", 40+n) + tok + "\n")})
		g.git("add", "-A")
		g.git("commit", "-q", "-m", fmt.Sprint("change ", n))
		if n == 6 {
			g.git("gc", "-q")
		}
	}
	g.git("rm", "-q", "config.env")
	g.git("commit", "-q", "-m", "no more")
	g.git("pack-refs", "--all")
	var files []string
	for _, pattern := range []string{"objects/pack/*", "objects/??/*", "index", "HEAD", "packed-refs", "config", "logs/HEAD"} {
		names, err := filepath.Glob(filepath.Join(g.dir, ".git", filepath.FromSlash(pattern)))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, names...)
	}
	r := rand.New(rand.NewPCG(4, 4))
	clean, failed := 0, 0
	for n := range tries {
		name := files[r.IntN(len(files))]
		if n%2 == 0 {
			name = files[r.IntN(4)] // the packs
		}
		what := damage(t, r, name, func() {
			report, err := Run(t.Context(), builtin(g.dir, Everything))
			switch {
			case err != nil:
				failed++ // never "clean", which is what counts
			case missing(report, secrets) > 0 && report.Coverage.Complete():
				t.Errorf("%d tokens are not found, and no gap is reported", missing(report, secrets))
			case report.Coverage.Complete():
				clean++
			}
		})
		if t.Failed() {
			t.Fatalf("after %s of %s", what, strings.TrimPrefix(name, g.dir))
		}
	}
	if clean == tries || failed > tries/2 {
		t.Errorf("of %d damaged repositories %d were complete, %d refused: the test does not test it", tries, clean, failed)
	}
	t.Logf("of %d damaged repositories %d were complete, %d refused", tries, clean, failed)
}

// TestDamagedIndex: without a list of tracked files, files and history are scanned
// all the same, and what is missing is named.
func TestDamagedIndex(t *testing.T) {
	g := newTestRepo(t)
	old, now := token(t, 1), token(t, 2)
	for _, tok := range []string{old, now} {
		g.write(file{"f", []byte(tok + "\n")})
		g.git("add", "-A")
		g.git("commit", "-q", "-m", "a change")
	}
	g.write(file{".git/index", []byte("DIRC and no more")})
	r := mustRun(t, builtin(g.dir, Everything))
	if n := missing(r, []string{old, now}); n > 0 {
		t.Errorf("%d tokens are not found", n)
	}
	if len(r.Coverage.Gaps) == 0 || !strings.Contains(r.Coverage.Gaps[0].What, "index") {
		t.Errorf("gaps %v", r.Coverage.Gaps)
	}
}

// TestDamagedHead: what Git does not take for a repository any more is not clean.
func TestDamagedHead(t *testing.T) {
	g := newTestRepo(t)
	g.git("commit", "-q", "--allow-empty", "-m", "a commit")
	bare := filepath.Join(t.TempDir(), "bare")
	g.git("clone", "-q", "--bare", g.dir, bare)
	for _, dir := range []string{g.dir, bare} {
		for _, head := range []string{".git/HEAD", "HEAD"} {
			name := filepath.Join(dir, filepath.FromSlash(head))
			if exists(name) {
				if err := os.Truncate(name, 3); err != nil {
					t.Fatal(err)
				}
			}
		}
		if r := mustRun(t, builtin(dir, Everything)); r.Coverage.Complete() {
			t.Errorf("%s: no gap", dir)
		}
	}
}

// missing counts the tokens that no finding is of.
func missing(r *scan.Report, tokens []string) (n int) {
	for _, tok := range tokens {
		if !slices.ContainsFunc(r.Findings, func(f scan.Finding) bool { return strings.Contains(tok, string(f.Secret.Reveal())) }) {
			n++
		}
	}
	return n
}

// damage changes a file, calls f, and mends the file.
func damage(t *testing.T, r *rand.Rand, name string, f func()) (what string) {
	t.Helper()
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "nothing"
	} else if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, 0o644); err != nil {
		t.Fatal(err)
	}
	bad := slices.Clone(data)
	switch at := r.IntN(len(data)); r.IntN(4) {
	case 0:
		bad, what = bad[:at], fmt.Sprintf("the end at %d", at)
	case 1:
		end := min(len(bad), at+1+r.IntN(64))
		clear(bad[at:end])
		what = fmt.Sprintf("zeros in [%d, %d)", at, end)
	default:
		bit := r.IntN(8)
		bad[at] ^= 1 << bit
		what = fmt.Sprintf("bit %d at %d", bit, at)
	}
	write := func(data []byte) {
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(bad)
	defer write(data)
	f()
	return what
}
