package gitrepo

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/scan/packfile"
)

const (
	idA = "1111111111111111111111111111111111111111"
	idB = "abcdefABCDEF0000000000000000000000000000"
)

func TestParseCommit(t *testing.T) {
	text := "tree " + idA + "\nparent " + idB + "\nparent " + idA +
		"\nauthor A <a@x> 1 +0100\ncommitter B <b@x> 2 -0230\nencoding ISO-8859-1\ngpgsig -----BEGIN\n author C <c@x> 3 +0000\n -----END\n\nsubject \xe9\n\nauthor of this\n"
	c := Commit{Parents: make([]ID, 5)}
	if err := ParseCommit([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	if c.Tree != mustID(t, idA) || len(c.Parents) != 2 || c.Parents[0] != mustID(t, idB) {
		t.Errorf("tree %s, parents %v", c.Tree, c.Parents)
	}
	for got, want := range map[string]string{
		string(c.Author): "A <a@x> 1 +0100", string(c.Committer): "B <b@x> 2 -0230",
		string(c.Encoding): "ISO-8859-1", string(c.Message): "subject \xe9\n\nauthor of this\n",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	for _, bad := range []string{"", "tree " + idA[1:] + "\n", "parent " + idA + "\n", "tree " + idA + "\nparent x\n"} {
		if err := ParseCommit([]byte(bad), &c); err == nil {
			t.Errorf("no error for %q", bad)
		}
	}
}

func TestParseTag(t *testing.T) {
	tag, err := ParseTag([]byte("object " + idA + "\ntype commit\ntag v1\ntagger A <a@x> 1 +0000\n\nmessage\n"))
	if err != nil {
		t.Fatal(err)
	}
	if tag.Target != mustID(t, idA) || tag.Type != packfile.Commit || string(tag.Name) != "v1" || string(tag.Message) != "message\n" {
		t.Errorf("got %+v", tag)
	}
	for _, bad := range []string{"", "object " + idA, "object " + idA + "\ntype leaf\n", "type commit\n"} {
		if _, err := ParseTag([]byte(bad)); err == nil {
			t.Errorf("no error for %q", bad)
		}
	}
}

func TestParseSignature(t *testing.T) {
	for line, want := range map[string][3]string{
		"Ada Lovelace <ada@example.org> 1700000000 +0530": {"Ada Lovelace", "ada@example.org", "2023-11-15T03:43:20+05:30"},
		"Ada <ada@example.org> 1700000000 -0000":          {"Ada", "ada@example.org", "2023-11-14T22:13:20Z"},
		"<> 0 +0000":                                      {"", "", "1970-01-01T00:00:00Z"},
		"a <b <c>> -1 +0000":                              {"a", "b <c>", "1969-12-31T23:59:59Z"},
		"a <b> 1 +9999":                                   {"a", "b", "1970-01-01T00:00:01Z"},
		"a <b> 9999999999999 +0":                          {"a", "b", "0001-01-01T00:00:00Z"},
		"a <b>":                                           {"a", "b", "0001-01-01T00:00:00Z"},
		"no brackets":                                     {"no brackets", "", "0001-01-01T00:00:00Z"},
		"open <mail":                                      {"open", "mail", "0001-01-01T00:00:00Z"},
	} {
		s := ParseSignature([]byte(line))
		if got := [3]string{string(s.Name), string(s.Email), s.When.Format(time.RFC3339)}; got != want {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
}

func treeLine(mode, name, id string) string {
	var x ID
	decodeID([]byte(id), &x)
	return mode + " " + name + "\x00" + string(x[:])
}

func TestNextEntry(t *testing.T) {
	tree := []byte(treeLine("100644", "a b", idA) + treeLine("40000", "dir", idB))
	e, rest, err := NextEntry(tree)
	if err != nil || e.Mode != ModeRegular || string(e.Name) != "a b" || *e.ID != mustID(t, idA) {
		t.Fatalf("got %+v, %v", e, err)
	}
	e, rest, err = NextEntry(rest)
	if err != nil || e.Mode != ModeDir || string(e.Name) != "dir" || len(rest) != 0 {
		t.Fatalf("got %+v, %v", e, err)
	}
	if n := testing.AllocsPerRun(10, func() { NextEntry(tree) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	for _, bad := range []string{"", " a\x00", "100644", "100644 ", "9 a\x00", treeLine("1", "", idA), treeLine("1", "a", idA)[:22], strings.Repeat("1", 12) + treeLine("1", "a", idA)} {
		if _, _, err := NextEntry([]byte(bad)); err == nil {
			t.Errorf("no error for %q", bad)
		}
	}
}

func FuzzObjects(f *testing.F) {
	f.Add([]byte("tree " + idA + "\nauthor A <a@x> 1 +0100\n\nm"))
	f.Add([]byte("object " + idA + "\ntype tree\ntag x\n\nm"))
	f.Add([]byte(treeLine("100644", "a", idA) + treeLine("40000", "b", idB)))
	f.Fuzz(func(t *testing.T, data []byte) {
		var c Commit
		if ParseCommit(data, &c) == nil {
			ParseSignature(c.Author)
			commitTime(c.Committer)
		}
		if tag, err := ParseTag(data); err == nil {
			ParseSignature(tag.Tagger)
		}
		for rest := data; len(rest) > 0; {
			e, next, err := NextEntry(rest)
			if err != nil {
				break
			}
			if len(next) >= len(rest) || len(e.Name) == 0 || bytes.IndexByte(e.Name, 0) >= 0 {
				t.Fatal("no progress, or a name that is none")
			}
			rest = next
		}
	})
}
