package gitrepo

import (
	"bytes"
	"fmt"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

func TestAddedLines(t *testing.T) {
	for _, c := range []struct {
		name string
		old  []string
		new  string
		want []LineRange
	}{
		{"nothing before", nil, "a\nb", []LineRange{{1, 2}}},
		{"empty before", []string{""}, "a\n", []LineRange{{1, 1}}},
		{"empty now", []string{"a\n"}, "", nil},
		{"same", []string{"a\nb\n"}, "a\nb\n", nil},
		{"one changed", []string{"a\nb\nc\n"}, "a\nx\nc\n", []LineRange{{2, 2}}},
		{"newline at the end", []string{"a\nb"}, "a\nb\n", []LineRange{{2, 2}}},
		{"moved", []string{"a\nb\nc\nd\n"}, "b\nc\nd\na\n", []LineRange{{4, 4}}},
		{"two places", []string{"a\nb\nc\n"}, "x\na\nb\ny\nz\nc\n", []LineRange{{1, 1}, {4, 5}}},
		{"merge takes both sides", []string{"a\nb\nc\n", "a\nc\nd\n"}, "a\nb\nc\nd\n", nil},
		{"merge adds", []string{"a\nb\n", "a\nc\n"}, "a\nb\nc\nd\n", []LineRange{{4, 4}}},
	} {
		var old [][]byte
		for _, o := range c.old {
			old = append(old, []byte(o))
		}
		if got := AddedLines(old, []byte(c.new)); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

// longestCommon is the textbook's quadratic table.
func longestCommon(a, b [][]byte) int {
	row := make([]int, len(b)+1)
	for _, x := range a {
		diagonal := 0
		for j, y := range b {
			above := row[j+1]
			if bytes.Equal(x, y) {
				row[j+1] = diagonal + 1
			} else {
				row[j+1] = max(above, row[j])
			}
			diagonal = above
		}
	}
	return row[len(b)]
}

// keptLines returns the lines of content that are not added, and checks that
// they are a subsequence of old.
func keptLines(t testing.TB, old, content []byte, added []LineRange) int {
	t.Helper()
	a, b := splitLines(old), splitLines(content)
	is := map[int]bool{}
	for _, r := range added {
		for i := r.First; i <= r.Last; i++ {
			is[i] = true
		}
	}
	at, kept := 0, 0
	for i, line := range b {
		if is[i+1] {
			continue
		}
		kept++
		for at < len(a) && !bytes.Equal(a[at], line) {
			at++
		}
		if at == len(a) {
			t.Fatalf("line %d is not added, yet not in the old content: %q against %q", i+1, content, old)
		}
		at++
	}
	return kept
}

func randomText(seed uint64, size, words int) []byte {
	r := testRand(seed)
	var b bytes.Buffer
	for range r.IntN(size + 1) {
		fmt.Fprintf(&b, "%d\n", r.IntN(words))
	}
	if r.IntN(4) == 0 {
		b.WriteString("no newline")
	}
	return b.Bytes()
}

func TestAddedLinesMinimal(t *testing.T) {
	for seed := range uint64(3000) {
		size, words := 1+int(seed%40), 1+int(seed%13)
		old, content := randomText(2*seed, size, words), randomText(2*seed+1, size, words)
		kept := keptLines(t, old, content, AddedLines([][]byte{old}, content))
		if want := longestCommon(splitLines(old), splitLines(content)); kept != want {
			t.Fatalf("%q against %q: %d lines kept, want %d", content, old, kept, want)
		}
	}
}

// With the steps used up lines count as added that are not, never the reverse.
func TestAddedLinesOverLimit(t *testing.T) {
	for seed := range uint64(200) {
		old, content := randomText(2*seed, 60, 9), randomText(2*seed+1, 60, 9)
		b := splitLines(content)
		added := make([]bool, len(b))
		for i := range added {
			added[i] = true
		}
		unmark(added, splitLines(old), b, int(seed))
		keptLines(t, old, content, ranges(added))
	}
}

func TestAddedLinesAgainstGit(t *testing.T) {
	g := newTestRepo(t)
	for seed := range uint64(25) {
		old, content := randomText(2*seed, 80, 25), randomText(2*seed+1, 80, 25)
		if seed%2 == 0 { // an edit rather than another text
			b := splitLines(old)
			content = bytes.Join(append(b[:len(b)/3:len(b)/3], b[len(b)/2:]...), nil)
			content = append(append([]byte("top\n"), content...), "bottom\n"...)
		}
		writeFile(t, filepath.Join(g.dir, "old"), string(old))
		writeFile(t, filepath.Join(g.dir, "new"), string(content))
		out, _ := g.command(g.dir, nil, "diff", "--no-index", "--minimal", "-U0", "old", "new").Output()
		want := 0
		for _, line := range lines(string(out)) {
			if strings.HasPrefix(line, "+") && !strings.HasPrefix(line, "+++") {
				want++
			}
		}
		got := 0
		for _, r := range AddedLines([][]byte{old}, content) {
			got += r.Last - r.First + 1
		}
		if got != want {
			t.Errorf("seed %d: %d lines added, git says %d", seed, got, want)
		}
	}
}

// Texts that share nothing, and texts whose lines are all in another order, must
// not take long.
func TestAddedLinesWorstCase(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second")
	}
	r := testRand(1)
	order := r.Perm(200000)
	var a, b bytes.Buffer
	for i, n := range order {
		a.WriteString(strconv.Itoa(i) + "\n")
		b.WriteString(strconv.Itoa(n) + "\n")
	}
	AddedLines([][]byte{a.Bytes()}, b.Bytes())
	AddedLines([][]byte{bytes.Repeat([]byte("x\ny\n"), 200000)}, bytes.Repeat([]byte("y\nx\nx\n"), 200000))
}

func FuzzAddedLines(f *testing.F) {
	f.Add([]byte("a\nb\nc"), []byte("b\na\nc\n"))
	f.Add([]byte("\n\n\n"), []byte(""))
	f.Fuzz(func(t *testing.T, old, content []byte) {
		keptLines(t, old, content, AddedLines([][]byte{old}, content))
	})
}
