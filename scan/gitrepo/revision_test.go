package gitrepo

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

func TestRevisionsAgainstGit(t *testing.T) {
	up := newTestRepo(t)
	up.commit("a", "0")
	g := newTestRepo(t)
	g.git("remote", "add", "origin", up.dir)
	g.git("fetch", "-q")
	for i := range 5 {
		g.commit("a", fmt.Sprint(i))
	}
	g.git("tag", "-a", "-m", "x", "v1", "HEAD~2")
	g.git("tag", "-a", "-m", "x", "v1-tagged", "v1")
	g.git("tag", "light")
	g.git("branch", "feature/x", "HEAD~3")
	g.git("branch", "-u", "origin/main")
	g.git("branch", "tag-and-branch")
	g.git("tag", "tag-and-branch", "HEAD~1")
	g.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
	g.git("update-ref", "refs/pull/1/head", "HEAD~2")
	g.git("checkout", "-q", "feature/x")
	g.commit("b", "1")
	g.git("checkout", "-q", "main")
	g.git("merge", "-q", "--no-edit", "feature/x")
	g.write("a", "stashed")
	g.git("stash", "-q")
	texts := []string{
		"HEAD", "@", "main", "heads/main", "refs/heads/main", "v1", "v1-tagged", "light", "tags/v1", "feature/x", "tag-and-branch",
		"origin", "origin/main", "remotes/origin/main", "pull/1/head", "stash", "stash@{0}", "stash^2", "ORIG_HEAD",
		"HEAD^", "HEAD^^", "HEAD^1", "HEAD^2", "HEAD^0", "HEAD~", "HEAD~3", "HEAD~1^1~1", "HEAD^2~1", "v1^{}", "v1^{commit}~1", "v1~1", "HEAD~0^0",
		"@{0}", "@{1}", "main@{1}", "main@{2}", "HEAD@{3}", "@{-1}", "@{-1}~1", "@{u}", "main@{upstream}", "@{UPSTREAM}~0", "@~1",
		g.git("rev-parse", "HEAD"), g.git("rev-parse", "--short=5", "HEAD~1"), strings.ToUpper(g.git("rev-parse", "--short=8", "HEAD~1")), g.git("rev-parse", "v1"), g.git("rev-parse", "--short", "v1"),
		"v1-3-g" + g.git("rev-parse", "--short", "HEAD"), g.git("rev-parse", "--short", "HEAD") + "~2",
	}
	wrong := []string{
		"nothing", "", "^", "HEAD^3", "HEAD~99", "main@{99}", "v1^{tree}x", "HEAD:a", ":/x", ":a", "HEAD^{/x}", "main@{yesterday}", "@{-9}",
		g.git("rev-parse", "HEAD^{tree}"), g.git("rev-parse", "HEAD:a"), "0123456789012345678901234567890123456789", "0123", "../main", "HEAD^{", "@{", "main@{u}x", "feature/x@{u}", "HEAD~x", "HEAD~99999999999999999999",
		"refs/heads/../heads/main", "/main", "HEAD..HEAD",
	}
	check := func(t *testing.T) {
		r := g.open()
		s := mustStore(t, r)
		for _, text := range texts {
			want := g.git("rev-parse", "--verify", "-q", text+"^{commit}")
			if got, err := r.Resolve(s, text); err != nil || got.String() != want {
				t.Errorf("%q: got %s, %v, want %s", text, got, err, want)
			}
		}
		for _, text := range wrong {
			var bad *RevisionError
			if got, err := r.Resolve(s, text); !errors.As(err, &bad) {
				t.Errorf("%q: got %s, %v", text, got, err)
			}
		}
	}
	t.Run("loose", check)
	g.git("pack-refs", "--all")
	g.git("repack", "-adq")
	t.Run("packed", check)
	if t.Failed() {
		return
	}
	// git's own exceptions to "unknown".
	g.git("checkout", "-q", "--detach")
	r := g.open()
	if r.Head.Ref != "" || r.Head.ID != g.id("HEAD") {
		t.Errorf("detached: %+v", r.Head)
	}
	if _, err := r.Resolve(mustStore(t, r), "@{u}"); err == nil {
		t.Error("a detached HEAD follows nothing")
	}
}

func TestPackedRefs(t *testing.T) {
	g := newTestRepo(t)
	g.commit("a", "1")
	g.git("tag", "-a", "-m", "x", "annotated")
	var stdin strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&stdin, "create refs/heads/b%d HEAD\n", i*7)
		if i%50 == 0 {
			fmt.Fprintf(&stdin, "create refs/tags/%s%d annotated\n", strings.Repeat("long/", i%9), i)
		}
	}
	cmd := g.command(g.dir, nil, "update-ref", "--stdin")
	cmd.Stdin = strings.NewReader(stdin.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	g.git("pack-refs", "--all")
	r := g.open()
	want := lines(g.git("for-each-ref", "--format=%(objectname) %(refname)"))
	all, err := r.refs(r.GitDir).all()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, ref := range all {
		got = append(got, ref.ID.String()+" "+ref.Name)
		if _, id, err := r.refs(r.GitDir).follow(ref.Name); len(got)%100 == 0 && (err != nil || id != ref.ID) {
			t.Errorf("%s: %s, %v", ref.Name, id, err)
		}
	}
	sameSet(t, "references", got, want)
	packed, err := readPackedRefs(filepath.Join(g.dir, ".git/packed-refs"))
	if err != nil || !packed.sorted {
		t.Fatal(err, packed.sorted)
	}
	for _, ref := range all {
		if id, ok := packed.find(ref.Name); !ok || id != ref.ID {
			t.Errorf("%s is not found", ref.Name)
		}
		if _, ok := packed.find(ref.Name + "x"); ok {
			t.Errorf("%sx is found", ref.Name)
		}
	}
	n := 0
	packed.withPrefix("refs/tags/long/", func(string, ID) { n++ })
	if want := len(lines(g.git("for-each-ref", "refs/tags/long"))); n != want {
		t.Errorf("%d references with the prefix, want %d", n, want)
	}
}

func FuzzRefs(f *testing.F) {
	f.Add([]byte("# pack-refs with: peeled fully-peeled sorted \n" + idA + " refs/heads/a\n^" + idB + "\n" + idB + " refs/heads/b\n"))
	f.Add([]byte("ref: refs/heads/main\n"))
	f.Add([]byte(idA + " " + idB + " A <a@x> 1 +0000\tcheckout: moving from a to b\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p := parsePackedRefs(data)
		p.find("refs/heads/b")
		p.withPrefix("refs/", func(string, ID) {})
		_, _, _ = parseRef("x", data)
		_, _ = parseReflogLine(data)
		_, _ = parseGrafts(data)
		leadingIDs(data)
	})
}
