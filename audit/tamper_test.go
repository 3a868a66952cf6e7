package audit

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// lab is a log and copies of its files, to be tampered with.
type lab struct {
	log     *Log
	dir     string
	keep    *memory
	entries []string // lines
	hashes  []byte
}

func newLab(t *testing.T, n int) *lab {
	l, dir, keep := build(t, n)
	lines := strings.SplitAfter(string(read(t, filepath.Join(dir, entriesFile))), "\n")
	return &lab{l, dir, keep, lines[:len(lines)-1], read(t, filepath.Join(dir, hashesFile))}
}

// put writes both files.
func (b *lab) put(t *testing.T, entries []string, hashes []byte) {
	write(t, filepath.Join(b.dir, entriesFile), []byte(strings.Join(entries, "")))
	write(t, filepath.Join(b.dir, hashesFile), hashes)
}

// reset undoes all tampering.
func (b *lab) reset(t *testing.T) { b.put(t, b.entries, b.hashes) }

// rehash gives the stored hashes that belong to lines, as somebody would who wants
// the files to agree.
// There are none of what is no record.
func rehash(t *testing.T, lines []string) []byte {
	var f frontier
	var all []byte
	for i, line := range lines {
		r, err := parseRecord([]byte(line))
		if err != nil {
			return nil
		}
		added, err := f.add(int64(i), r.leaf())
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range added {
			all = append(all, h[:]...)
		}
	}
	return all
}

func TestTampering(t *testing.T) {
	b := newLab(t, 20)
	other := newLab(t, 20) // of another key
	edit := func(i int, old, new string) func([]string) []string {
		return func(l []string) []string {
			if !strings.Contains(l[i], old) {
				t.Fatalf("no %q in %s", old, l[i])
			}
			l[i] = strings.Replace(l[i], old, new, 1)
			return l
		}
	}
	for name, c := range map[string]struct {
		change func(lines []string) []string
		kind   Kind
		seq    int64
	}{
		"edit a body":              {edit(7, "reason 7", "reason 8"), Altered, 7},
		"edit the first":           {edit(0, `"granted"`, `"refused"`), Altered, 0},
		"edit the last":            {edit(19, "reason 19", "reason 18"), Altered, 19},
		"edit a number":            {edit(5, `{"seq":5`, `{"seq":6`), Altered, 5},
		"edit the spelling":        {edit(5, `{"seq":5`, `{ "seq":5`), Altered, 5},
		"edit two":                 {func(l []string) []string { return edit(9, "ada", "eve")(edit(4, "ada", "eve")(l)) }, Altered, 4},
		"blank a line":             {func(l []string) []string { l[3] = "\n"; return l }, Altered, 3},
		"join two lines":           {func(l []string) []string { l[3] = strings.TrimSpace(l[3]); return l }, Altered, 3},
		"replace by a copy":        {func(l []string) []string { l[8] = l[2]; return l }, Altered, 8},
		"replace by another log's": {func(l []string) []string { l[8] = other.entries[8]; return l }, Altered, 8},
		"drop one":                 {func(l []string) []string { return slices.Delete(l, 6, 7) }, Dropped, 6},
		"drop the first":           {func(l []string) []string { return slices.Delete(l, 0, 1) }, Dropped, 0},
		"drop several":             {func(l []string) []string { return slices.Delete(l, 6, 15) }, Dropped, 6},
		"drop two apart":           {func(l []string) []string { return slices.Delete(slices.Delete(l, 12, 13), 3, 4) }, Dropped, 3},
		"drop the last":            {func(l []string) []string { return l[:19] }, CutOff, 19},
		"swap neighbours":          {func(l []string) []string { l[4], l[5] = l[5], l[4]; return l }, Reordered, 4},
		"swap apart":               {func(l []string) []string { l[2], l[17] = l[17], l[2]; return l }, Reordered, 2},
		"move to the end":          {func(l []string) []string { return append(slices.Delete(l, 3, 4), b.entries[3]) }, Reordered, 3},
		"reverse":                  {func(l []string) []string { slices.Reverse(l); return l }, Reordered, 0},
		"insert a copy":            {func(l []string) []string { return slices.Insert(l, 10, l[3]) }, Inserted, 10},
		"insert a later one":       {func(l []string) []string { return slices.Insert(l, 10, l[15]) }, Inserted, 10},
		"insert another log's":     {func(l []string) []string { return slices.Insert(l, 10, other.entries[10]) }, Inserted, 10},
		"insert a blank line":      {func(l []string) []string { return slices.Insert(l, 10, "\n") }, Inserted, 10},
		"insert at the front":      {func(l []string) []string { return slices.Insert(l, 0, other.entries[0]) }, Inserted, 0},
		"insert at the end": {func(l []string) []string {
			return append(l, strings.Replace(other.entries[19], `"seq":19`, `"seq":20`, 2))
		}, Inserted, 20},
		"a copy at the end":      {func(l []string) []string { return append(l, l[19]) }, Inserted, 20},
		"a long line":            {func(l []string) []string { return slices.Insert(l, 10, strings.Repeat("x", 300_000)+"\n") }, Inserted, 10},
		"truncate":               {func(l []string) []string { return l[:11] }, CutOff, 11},
		"truncate within a line": {func(l []string) []string { l[11] = l[11][:30]; return l[:12] }, CutOff, 11},
		"truncate all":           {func(l []string) []string { return nil }, CutOff, 0},
		"roll back":              {func(l []string) []string { return l[:12] }, CutOff, 12},
		"roll back by one":       {func(l []string) []string { return l[:19] }, CutOff, 19},
		"another log":            {func(l []string) []string { return other.entries }, Altered, 0},
	} {
		t.Run(name, func(t *testing.T) {
			lines := c.change(slices.Clone(b.entries))
			b.put(t, lines, b.hashes)
			if _, err := b.log.Verify(t.Context()); !isFault(err, c.kind, c.seq) {
				t.Errorf("entries alone: %v", err)
			}
			// The first sign is the same when the hashes agree, or are gone.
			if !strings.Contains(name, "another log") {
				b.put(t, lines, nil)
				kind := c.kind
				if name == "truncate all" {
					kind = RolledBack // nothing is left that would tell
				}
				if _, err := b.log.Verify(t.Context()); !isFault(err, kind, c.seq) {
					t.Errorf("without hashes: %v", err)
				}
				if len(lines) < 20 && slices.Equal(lines, b.entries[:len(lines)]) {
					kind = RolledBack // both files are as they once were
				}
				b.put(t, lines, rehash(t, lines))
				if _, err := b.log.Verify(t.Context()); !isFault(err, kind, c.seq) {
					t.Errorf("with hashes that agree: %v", err)
				}
			}
		})
	}
	b.reset(t)
	if _, err := b.log.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestTamperingWithHashes(t *testing.T) {
	b := newLab(t, 20)
	hash := func(i int) []byte { return b.hashes[32*i : 32*i+32] }
	for name, c := range map[string]struct {
		hashes []byte
		seq    int64
	}{
		"edit the first": {append([]byte{b.hashes[0] ^ 1}, b.hashes[1:]...), 0},
		"edit a node":    {slices.Concat(b.hashes[:64], hash(5), b.hashes[96:]), 1},
		"drop":           {slices.Concat(b.hashes[:7*32], b.hashes[8*32:]), 4},
		"swap":           {slices.Concat(b.hashes[:7*32], hash(8), hash(7), b.hashes[9*32:]), 4},
		"insert":         {slices.Concat(b.hashes[:7*32], hash(0), b.hashes[7*32:]), 4},
		"truncate":       {b.hashes[:len(b.hashes)-1], 19},
		"append":         {append(slices.Clone(b.hashes), 0), 20},
		"none":           {nil, 0},
	} {
		b.put(t, b.entries, c.hashes)
		if _, err := b.log.Verify(t.Context()); !isFault(err, BadHashes, c.seq) {
			t.Errorf("%s: %v", name, err)
		}
		// They are made again of the entries, and of nothing else.
		if err := b.log.Rehash(t.Context()); err != nil {
			t.Errorf("%s: rehash: %v", name, err)
		}
		if !bytes.Equal(read(t, filepath.Join(b.dir, hashesFile)), b.hashes) {
			t.Errorf("%s: the hashes are not what they were", name)
		}
		if r, err := b.log.Verify(t.Context()); err != nil || r.Size != 20 {
			t.Errorf("%s: after that %+v, %v", name, r, err)
		}
	}
	// An append that would rest on a bad hash is refused.
	b.put(t, b.entries, b.hashes[:len(b.hashes)-1])
	if _, err := b.log.Append(t.Context(), entry(20)); !isFault(err, BadHashes, 19) {
		t.Errorf("append: %v", err)
	}
}

// Hashes are made again only for entries that the head names.
func TestRehashOfOther(t *testing.T) {
	b := newLab(t, 20)
	if err := b.log.Rehash(t.Context()); err != nil || !bytes.Equal(read(t, filepath.Join(b.dir, hashesFile)), b.hashes) {
		t.Errorf("of a log that is in order: %v", err)
	}
	cut, dropped := b.entries[:19], slices.Concat(b.entries[:7], b.entries[8:])
	for name, entries := range map[string][]string{"cut": cut, "dropped": dropped} {
		b.put(t, entries, nil)
		var f *Fault
		if err := b.log.Rehash(t.Context()); !errors.As(err, &f) || f.Kind == BadHashes {
			t.Errorf("%s: %v", name, err)
		}
		if len(read(t, filepath.Join(b.dir, hashesFile))) > 0 {
			t.Errorf("%s: hashes were made", name)
		}
	}
	// What an interrupted append left behind the head stays, and is taken in.
	b.reset(t)
	head := b.keep.items[HeadItem]
	if _, err := b.log.Append(t.Context(), entry(20)); err != nil {
		t.Fatal(err)
	}
	b.keep.items[HeadItem] = head
	write(t, filepath.Join(b.dir, hashesFile), nil)
	if err := b.log.Rehash(t.Context()); err != nil {
		t.Error(err)
	}
	if n, err := b.log.Append(t.Context(), entry(21)); n != 21 || err != nil {
		t.Error(n, err)
	}
	if r, err := b.log.Verify(t.Context()); err != nil || r.Size != 22 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestRollBack(t *testing.T) {
	b := newLab(t, 20)
	b.put(t, b.entries[:12], rehash(t, b.entries[:12]))
	if _, err := b.log.Verify(t.Context()); !isFault(err, RolledBack, 12) {
		t.Errorf("verify: %v", err)
	}
	if _, err := b.log.Append(t.Context(), entry(20)); !isFault(err, RolledBack, 12) {
		t.Errorf("append: %v", err)
	}
	if err := errors.Join(os.Remove(filepath.Join(b.dir, entriesFile)), os.Remove(filepath.Join(b.dir, hashesFile))); err != nil {
		t.Fatal(err)
	}
	if _, err := b.log.Verify(t.Context()); !isFault(err, RolledBack, 0) {
		t.Errorf("without files: %v", err)
	}
	if _, err := b.log.Append(t.Context(), entry(20)); !isFault(err, RolledBack, 0) {
		t.Errorf("append without files: %v", err)
	}
	b.reset(t)
	if _, err := b.log.Append(t.Context(), entry(20)); err != nil {
		t.Error(err)
	}
}

// Two histories of one log, and the head of the other.
func TestFork(t *testing.T) {
	b := newLab(t, 10)
	before := b.keep.clone()
	checkpoint, err := b.log.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.log.Append(t.Context(), entry(10)); err != nil {
		t.Fatal(err)
	}
	first, err := b.log.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	after := b.keep.clone()
	b.reset(t)
	b.keep.items = before.items
	if _, err := b.log.Append(t.Context(), entry(99)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		checkpoint []byte
		kind       Kind
	}{"an older one": {checkpoint, 0}, "one of the other history": {first, Forked}} {
		_, err := b.log.VerifyAgainst(t.Context(), c.checkpoint)
		if c.kind == 0 && err != nil || c.kind != 0 && !isFault(err, c.kind, 11) {
			t.Errorf("%s: %v", name, err)
		}
	}
	b.keep.items = after.items
	if _, err := b.log.Verify(t.Context()); !isFault(err, Forked, 11) {
		t.Errorf("the head of the other history: %v", err)
	}
}

func TestVerifyAgainst(t *testing.T) {
	b := newLab(t, 10)
	var checkpoints [][]byte
	for i := range 12 {
		c, err := b.log.Checkpoint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		checkpoints = append(checkpoints, c)
		if _, err := b.log.Append(t.Context(), entry(10+i)); err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range checkpoints {
		if r, err := b.log.VerifyAgainst(t.Context(), c); err != nil || r.Size != 22 {
			t.Errorf("checkpoint %d: %+v, %v", i, r, err)
		}
	}
	// With the keychain rolled back as well, only the checkpoint tells.
	again := newLab(t, 10)
	old := again.keep.clone()
	if _, err := again.log.Append(t.Context(), entry(10)); err != nil {
		t.Fatal(err)
	}
	checkpoint, err := again.log.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	again.reset(t)
	again.keep.items = old.items
	if _, err := again.log.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := again.log.VerifyAgainst(t.Context(), checkpoint); !isFault(err, RolledBack, 10) {
		t.Errorf("rolled back with its keychain: %v", err)
	}
	altered := bytes.Replace(checkpoint, []byte("\n11\n"), []byte("\n12\n"), 1)
	for _, none := range [][]byte{nil, []byte("garbage"), []byte("three\n1\nlines\n"), checkpoint[:40], checkpoint[1:], altered} {
		if _, err := again.log.VerifyAgainst(t.Context(), none); !errors.Is(err, ErrCheckpoint) {
			t.Errorf("%q: %v", none, err)
		}
	}
	if _, err := again.log.VerifyAgainst(t.Context(), checkpoints[0]); !errors.Is(err, ErrOtherKey) {
		t.Errorf("another log's checkpoint: %v", err)
	}
	for i := range checkpoint {
		if _, err := again.log.VerifyAgainst(t.Context(), checkpoint[:i]); err == nil {
			t.Errorf("cut at %d: no error", i)
		}
	}
}

// Whatever byte of a file is changed, and wherever a file ends, Verify says so, and
// names no entry behind that place; nothing panics.
func TestEveryByte(t *testing.T) {
	m := newMachine(1)
	if err := m.append(t, 2); err != nil {
		t.Fatal(err)
	}
	public, err := m.log.PublicKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lines := m.disk.files[entriesFile].data
	try := func(what, name string, data []byte, most int64) {
		t.Helper()
		m.disk.set(name, data)
		var f *Fault
		if _, err := m.log.Verify(t.Context()); !errors.As(err, &f) || f.Seq > most {
			t.Errorf("%s of %s: %v", what, name, err)
		}
		for range m.log.Entries(t.Context(), Filter{}) {
		}
		if p, err := m.log.Prove(t.Context(), 1); err == nil {
			if _, err := CheckProof(p, public); err != nil {
				t.Errorf("%s of %s: a wrong proof", what, name)
			}
		}
	}
	for _, name := range []string{entriesFile, hashesFile} {
		data := m.disk.files[name].data
		for i := range data {
			most := badHash(int64(i / 32)).Seq
			if name == entriesFile {
				most = int64(bytes.Count(lines[:i], []byte("\n")))
			}
			try("cut", name, data[:i], most)
			changed := bytes.Clone(data)
			changed[i] ^= 1 << (i % 8)
			try("change", name, changed, most)
		}
		m.disk.set(name, data)
	}
}

// A log cut anywhere is not appended to: something acknowledged is missing. Made whole
// again, it is.
func TestAppendToCut(t *testing.T) {
	m := newMachine(1)
	if err := m.append(t, 2); err != nil {
		t.Fatal(err)
	}
	for name, kind := range map[string]Kind{entriesFile: CutOff, hashesFile: BadHashes} {
		whole := m.disk.files[name].data
		for i := range whole {
			m.disk.set(name, whole[:i])
			before := [2][]byte{m.disk.files[entriesFile].data, m.disk.files[hashesFile].data}
			var f *Fault
			if err := m.append(t, 1); !errors.As(err, &f) || f.Kind != kind {
				t.Fatalf("%s, cut at %d: %v", name, i, err)
			}
			if !bytes.Equal(before[0], m.disk.files[entriesFile].data) || !bytes.Equal(before[1], m.disk.files[hashesFile].data) {
				t.Fatalf("%s, cut at %d: the files were touched", name, i)
			}
		}
		m.disk.set(name, whole)
	}
	if err := errors.Join(m.append(t, 1), m.check(t)); err != nil {
		t.Errorf("made whole again: %v", err)
	}
}

// Bytes behind the last entry that are no record are what a crash may leave.
func TestUnfinished(t *testing.T) {
	for _, rest := range []string{"x", "\n", "{\"seq\":5,\"sa", strings.Repeat("\x00", 5000), strings.Repeat("y", 200_000), strings.Repeat("garbage\n", 2000)} {
		b := newLab(t, 5)
		b.put(t, append(b.entries, rest), b.hashes)
		if r, err := b.log.Verify(t.Context()); err != nil || r.Size != 5 || r.Unfinished != int64(len(rest)) {
			t.Errorf("%.10q: %+v, %v", rest, r, err)
		}
		if got := reasons(t, b.log); len(got) != 5 {
			t.Errorf("%.10q: %d entries", rest, len(got))
		}
		if first, err := b.log.Append(t.Context(), entry(5)); err != nil || first != 5 {
			t.Errorf("%.10q: %d, %v", rest, first, err)
		}
		if r, err := b.log.Verify(t.Context()); err != nil || r.Size != 6 || r.Unfinished != 0 {
			t.Errorf("%.10q: %+v, %v", rest, r, err)
		}
	}
}

// What is no file at all gives an error.
func TestNotAFile(t *testing.T) {
	b := newLab(t, 3)
	for _, name := range []string{entriesFile, hashesFile} {
		path := filepath.Join(b.dir, name)
		if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o700)); err != nil {
			t.Fatal(err)
		}
		if _, err := b.log.Verify(t.Context()); err == nil {
			t.Errorf("Verify takes a directory as %s", name)
		}
		if _, err := b.log.Append(t.Context(), entry(3)); err == nil {
			t.Errorf("Append takes a directory as %s", name)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		b.reset(t)
	}
}
