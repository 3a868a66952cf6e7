package gitrepo

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// samePath compares paths, symbolic links resolved.
func samePath(t *testing.T, what, got, want string) {
	t.Helper()
	real := func(p string) string {
		if p == "" {
			return ""
		}
		r, err := filepath.EvalSymlinks(p)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if real(got) != real(want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func TestOpen(t *testing.T) {
	g := newTestRepo(t)
	head := g.commit("dir/deep/file", "1")
	base := filepath.Dir(g.dir)
	linked := filepath.Join(base, "linked")
	g.git("worktree", "add", "-q", "-b", "side", linked)
	bare := filepath.Join(base, "bare.git")
	g.git("clone", "-q", "--bare", g.dir, bare)
	super := newTestRepo(t)
	super.commit("x", "1")
	super.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", g.dir, "sub")
	separate := filepath.Join(base, "separate")
	g.git("clone", "-q", "--separate-git-dir", filepath.Join(base, "elsewhere"), g.dir, separate)
	dotGit := filepath.Join(g.dir, ".git")
	for _, c := range []struct{ name, path, gitDir, commonDir, workTree, ref string }{
		{"top", g.dir, dotGit, dotGit, g.dir, "refs/heads/main"},
		{"below", filepath.Join(g.dir, "dir/deep"), dotGit, dotGit, g.dir, "refs/heads/main"},
		{"a file", filepath.Join(g.dir, "dir/deep/file"), dotGit, dotGit, g.dir, "refs/heads/main"},
		{"inside .git", filepath.Join(dotGit, "refs"), dotGit, dotGit, g.dir, "refs/heads/main"},
		{"linked", filepath.Join(linked, "dir"), filepath.Join(dotGit, "worktrees/linked"), dotGit, linked, "refs/heads/side"},
		{"linked, its git directory", filepath.Join(dotGit, "worktrees/linked"), filepath.Join(dotGit, "worktrees/linked"), dotGit, linked, "refs/heads/side"},
		{"bare", bare, bare, bare, "", "refs/heads/main"},
		{"inside bare", filepath.Join(bare, "objects"), bare, bare, "", "refs/heads/main"},
		{"submodule", filepath.Join(super.dir, "sub/dir"), filepath.Join(super.dir, ".git/modules/sub"), filepath.Join(super.dir, ".git/modules/sub"), filepath.Join(super.dir, "sub"), "refs/heads/main"},
		{"submodule's git directory", filepath.Join(super.dir, ".git/modules/sub"), filepath.Join(super.dir, ".git/modules/sub"), filepath.Join(super.dir, ".git/modules/sub"), filepath.Join(super.dir, "sub"), "refs/heads/main"},
		{"separate", separate, filepath.Join(base, "elsewhere"), filepath.Join(base, "elsewhere"), separate, "refs/heads/main"},
	} {
		r, err := Open(context.Background(), c.path)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		samePath(t, c.name+": git directory", r.GitDir, c.gitDir)
		samePath(t, c.name+": common directory", r.CommonDir, c.commonDir)
		samePath(t, c.name+": work tree", r.WorkTree, c.workTree)
		if r.Head.Ref != c.ref || r.Head.ID != head {
			t.Errorf("%s: HEAD is %+v", c.name, r.Head)
		}
	}
}

func TestOpenRelative(t *testing.T) {
	g := newTestRepo(t)
	g.commit("dir/file", "1")
	t.Chdir(filepath.Join(g.dir, "dir"))
	r := mustOpen(t, ".")
	samePath(t, "work tree", r.WorkTree, g.dir)
	if !filepath.IsAbs(r.GitDir) {
		t.Errorf("%s is not absolute", r.GitDir)
	}
}

func TestOpenNoRepository(t *testing.T) {
	isolate(t)
	dir := t.TempDir()
	t.Setenv("GIT_CEILING_DIRECTORIES", filepath.Dir(dir))
	if _, err := Open(context.Background(), dir); !errors.Is(err, ErrNotRepository) {
		t.Errorf("empty directory: %v", err)
	}
	if _, err := Open(context.Background(), filepath.Join(dir, "nothing")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing path: %v", err)
	}
	writeFile(t, filepath.Join(dir, ".git"), "gitdir: nowhere\n")
	if _, err := Open(context.Background(), dir); !errors.Is(err, ErrNotRepository) {
		t.Errorf("dangling .git file: %v", err)
	}
}

func TestOpenUnborn(t *testing.T) {
	g := newTestRepo(t)
	r := g.open()
	if r.Head.Ref != "refs/heads/main" || !r.Head.ID.IsZero() {
		t.Errorf("HEAD is %+v", r.Head)
	}
}

func TestOpenUnsupported(t *testing.T) {
	for name, config := range map[string]string{
		"sha256":            "[core]\nrepositoryformatversion = 1\n[extensions]\nobjectformat = sha256\n",
		"reftable":          "[core]\nrepositoryformatversion = 1\n[extensions]\nrefstorage = reftable\n",
		"unknown extension": "[core]\nrepositoryformatversion = 1\n[extensions]\nholograms = true\n",
		"version 2":         "[core]\nrepositoryformatversion = 2\n",
	} {
		g := newTestRepo(t)
		writeFile(t, filepath.Join(g.dir, ".git/config"), config)
		var bad *UnsupportedError
		if _, err := Open(context.Background(), g.dir); !errors.As(err, &bad) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, config := range map[string]string{
		"known extensions":             "[core]\nrepositoryformatversion = 1\n[extensions]\nobjectformat = sha1\npartialClone = origin\nnoop\n",
		"extension under version 0":    "[core]\nrepositoryformatversion = 0\n[extensions]\nholograms = true\n",
		"no configuration to speak of": "",
	} {
		g := newTestRepo(t)
		writeFile(t, filepath.Join(g.dir, ".git/config"), config)
		r, err := Open(context.Background(), g.dir)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if r.Partial() != (name == "known extensions") {
			t.Errorf("%s: partial %v", name, r.Partial())
		}
	}
	g := newTestRepo(t, "--object-format=sha256")
	g.git("commit", "-q", "--allow-empty", "-m", "x")
	g.git("checkout", "-q", "--detach")
	var bad *UnsupportedError
	if _, err := Open(context.Background(), g.dir); !errors.As(err, &bad) {
		t.Errorf("a real sha256 repository: %v", err)
	}
}

func TestOpenEnvironment(t *testing.T) {
	g := newTestRepo(t)
	g.commit("a", "1")
	other := newTestRepo(t)
	other.commit("b", "1")
	t.Chdir(g.dir)
	t.Setenv("GIT_DIR", ".git")
	samePath(t, "GIT_DIR", mustOpen(t, ".").GitDir, filepath.Join(g.dir, ".git"))
	samePath(t, "another repository", mustOpen(t, other.dir).GitDir, filepath.Join(other.dir, ".git"))
	t.Setenv("GIT_DIR", filepath.Join(other.dir, ".git"))
	t.Setenv("GIT_WORK_TREE", g.dir)
	r := mustOpen(t, ".")
	samePath(t, "GIT_DIR elsewhere", r.GitDir, filepath.Join(other.dir, ".git"))
	samePath(t, "GIT_WORK_TREE", r.WorkTree, g.dir)
	t.Setenv("GIT_DIR", filepath.Join(g.dir, "nothing"))
	if _, err := Open(context.Background(), "."); !errors.Is(err, ErrGitDir) {
		t.Errorf("GIT_DIR to nowhere: %v", err)
	}
}

func TestOpenDamaged(t *testing.T) {
	for name, file := range map[string]string{"HEAD's branch": "refs/heads/main", "configuration": "config"} {
		g := newTestRepo(t)
		g.commit("a", "1")
		writeFile(t, filepath.Join(g.dir, ".git", file), "\x00garbage\n")
		if _, err := Open(context.Background(), g.dir); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
