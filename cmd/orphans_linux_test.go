package cmd

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// tokens is a GitLab project and its tokens, as far as it takes to make, to list and to
// delete them (docs.gitlab.com/api/project_access_tokens). It is asked with one that may.
type tokens struct {
	mu    sync.Mutex
	name  map[int]string
	value map[string]int // ids by secret; more than the first two
	last  int
}

func (s *tokens) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	refuse := func(status int, text string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"message": %q}`, text)
	}
	shown := func(id int) map[string]any {
		t := map[string]any{"id": id, "name": s.name[id], "scopes": []string{"api"}, "access_level": 30, "user_id": id, "active": true, "revoked": false, "created_at": time.Now().Add(-72 * time.Hour).UTC()}
		if id == 3 {
			t["last_used_at"] = time.Now().Add(-5 * time.Hour).UTC()
		}
		return t
	}
	const path = "/api/v4/projects/7/access_tokens"
	const administers = 99
	id := map[string]int{"the-admin-token": administers, "the-own-token": 1}[r.Header.Get("Private-Token")]
	if made, ok := s.value[r.Header.Get("Private-Token")]; ok {
		id = made
	}
	admin := id == administers
	_, there := s.name[id]
	switch {
	case !admin && !there:
		refuse(http.StatusUnauthorized, "401 Unauthorized")
	case r.Method == http.MethodGet && r.URL.Path == "/api/v4/personal_access_tokens/self":
		json.NewEncoder(w).Encode(shown(id))
	case !admin:
		refuse(http.StatusForbidden, "403 Forbidden")
	case r.Method == http.MethodGet && r.URL.Path == path:
		var all []map[string]any
		for _, id := range slices.Sorted(maps.Keys(s.name)) {
			all = append(all, shown(id))
		}
		json.NewEncoder(w).Encode(all)
	case r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, path+"/"):
		id, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, path+"/"))
		json.NewEncoder(w).Encode(shown(id))
	case r.Method == http.MethodGet && r.URL.Path == "/api/v4/projects/7/members/all/99":
		fmt.Fprint(w, `{"id": 99, "access_level": 40}`)
	case r.Method == http.MethodPost && r.URL.Path == path:
		var asked struct{ Name string }
		json.NewDecoder(r.Body).Decode(&asked)
		s.last++
		made := 100 + s.last
		s.name[made] = asked.Name
		if s.value == nil {
			s.value = map[string]int{}
		}
		secret := fmt.Sprint("the-new-token-", s.last)
		s.value[secret] = made
		t := shown(made)
		t["token"] = secret
		w.WriteHeader(http.StatusCreated)
		json.NewEncoder(w).Encode(t)
	case r.Method == http.MethodDelete && strings.HasPrefix(r.URL.Path, path+"/"):
		id, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, path+"/"))
		if _, there := s.name[id]; !there {
			refuse(http.StatusNotFound, "404 Not Found")
			return
		}
		delete(s.name, id)
		w.WriteHeader(http.StatusNoContent)
	default:
		refuse(http.StatusNotFound, "404 Not Found")
	}
}

func (s *tokens) left() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.name))
}

// TestOrphans: orphans are listed with what is known of them, and deleted each after a yes:
// never the key in use, though keywright issued that, too, nor that of another name here.
// That is on record.
func TestOrphans(t *testing.T) {
	inVerb(t)
	useAgefile(t)
	s := &tokens{name: map[int]string{1: "keywright-20260101-00000001", 2: "keywright-20260202-00000002", 3: "keywright-20260303-00000003", 4: "mine", 5: "keywright-20260505-00000005", 6: "keywright-3b2k-20260606-00000006"}}
	server := httptest.NewServer(s)
	defer server.Close()
	alone := func(stdin string, code int, args ...string) string { return unattended(t, stdin, code, args...) }
	says := func(out string, words ...string) {
		t.Helper()
		for _, w := range words {
			if !strings.Contains(out, w) {
				t.Errorf("no %q in:\n%s", w, out)
			}
		}
		if strings.Contains(out, "0001") {
			t.Errorf("a time that is none:\n%s", out)
		}
	}
	alone("the-admin-token", 0, "set", "dev/ADMIN")
	for name, id := range map[string]string{"dev/GL": "1", "dev/OTHER": "5"} {
		alone("the-own-token", 0, "set", name, "--provider", "gitlab", "--param", "url="+server.URL, "--param", "project=7", "--admin", "dev/ADMIN", "--public-id", id)
	}
	out := alone("", 1, "rotate", "orphans", "dev/GL")
	says(out, "ORPHAN OF  AGE  LAST USED  LABEL                        ID\n",
		"dev/GL     3 d  not told   keywright-20260202-00000002  2\n",
		"dev/GL     3 d  5 h ago    keywright-20260303-00000003  3\n",
		"→ keywright rotate orphans dev/GL --delete\n")
	says(out, "\n\nIssued by other installations than this one, ", ", which know whether it is in\nuse:\n",
		"BESIDE  AGE  LAST USED  LABEL                             ID\n",
		"dev/GL  3 d  not told   keywright-3b2k-20260606-00000006  6\n")
	if n := strings.Count(out, "dev/GL  "); n != 3 {
		t.Errorf("%d keys:\n%s", n, out)
	}
	says(alone("", 1, "rotate", "orphans"), "→ keywright rotate orphans dev/GL --delete\n", "→ keywright rotate orphans dev/OTHER --delete\n")

	says(alone("", exitFailed, "rotate", "orphans", "dev/GL", "--delete"), "there is no terminal to ask at: 2 \"keywright-20260202-00000002\" at GitLab", "last used: not told", "hint: at a terminal: keywright rotate orphans dev/GL --delete")
	says(alone("", exitFailed, "rotate", "orphans", "dev/GL", "1", "--delete"), `"1" is no orphan of dev/GL`)
	says(alone("", exitFailed, "rotate", "orphans", "dev/GL", "4", "--delete"), `"4" is no orphan of dev/GL`)
	says(alone("", exitFailed, "rotate", "orphans", "dev/GL", "5", "--delete"), `"5" is no orphan of dev/GL`)
	says(alone("", exitFailed, "rotate", "orphans", "dev/GL", "6", "--delete"), `"6" was issued by another installation, 3b2k, in its rotation 20260606-00000006`)
	says(alone("", exitFailed, "rotate", "orphans", "dev/GL", "2", "--delete"), "Its label does not say which installation of keywright issued it: it may be another's.")
	says(alone("", exitUsage, "rotate", "orphans", "--delete"), "hint: for example: keywright rotate orphans prod/AWS --delete")
	says(alone("", exitUsage, "rotate", "orphans", "dev/GL", "2"), "hint: to delete it: keywright rotate orphans dev/GL 2 --delete")
	says(alone("", exitFailed, "rotate", "orphans", "dev/ADMIN"), "its provider lists no keys")
	if got := s.left(); !slices.Equal(got, []int{1, 2, 3, 4, 5, 6}) {
		t.Fatalf("left are %v", got)
	}

	y := newTypist(t)
	cmd := y.start("rotate", "orphans", "dev/GL", "--delete")
	y.until("[y/N] ")
	y.types("n\n")
	y.until("[y/N] ")
	y.types("y\n")
	if code := y.ended(cmd); code != exitFindings {
		t.Errorf("exit %d", code)
	}
	y.until("deleted 3")
	if got := s.left(); !slices.Equal(got, []int{1, 2, 4, 5, 6}) {
		t.Errorf("left are %v", got)
	}
	cmd = y.start("rotate", "orphans", "dev/GL", "2", "--delete")
	y.until("[y/N] ")
	y.types("y\n")
	if code := y.ended(cmd); code != exitOK || !slices.Equal(s.left(), []int{1, 4, 5, 6}) {
		t.Errorf("exit %d, left are %v", code, s.left())
	}
	says(alone("", 0, "rotate", "orphans"), "no orphan is there")
	says(alone("", 0, "audit", "show", "--key", "dev/GL"), "its orphan 3 is ended", "its orphan 2 is ended")
}

// unattended runs a verb without a terminal, and returns all that it prints.
func unattended(t *testing.T, stdin string, code int, args ...string) string {
	t.Helper()
	cmd := process(t.Name(), 0, change{verb: verb{args: args, stdin: stdin}})
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := cmd.CombinedOutput()
	if exit, _ := err.(*exec.ExitError); err != nil && exit == nil || cmd.ProcessState.ExitCode() != code {
		t.Fatalf("%v: %v, want exit %d\n%s", args, err, code, out)
	}
	return string(out)
}

// TestBesideOthers: what is issued says which installation did. Beside a key of another
// installation nothing is issued before somebody said that it is to be left alone, at the
// terminal or by a flag; then it is.
func TestBesideOthers(t *testing.T) {
	inVerb(t)
	useAgefile(t)
	s := &tokens{name: map[int]string{1: "bot", 2: "keywright-3b2k-20260202-00000002"}}
	server := httptest.NewServer(s)
	defer server.Close()
	alone := func(stdin string, code int, args ...string) string { return unattended(t, stdin, code, args...) }
	alone("the-admin-token", 0, "set", "dev/ADMIN")
	alone("the-own-token", 0, "set", "dev/GL", "--provider", "gitlab", "--param", "url="+server.URL, "--param", "project=7", "--admin", "dev/ADMIN")
	out := alone("", exitFailed, "rotate", "dev/GL")
	if !strings.Contains(out, `there is no terminal to ask at: Issued by keywright, and unknown to this installation: 2 "keywright-3b2k-20260202-00000002", made `) ||
		!regexp.MustCompile(`(?m)^keywright: hint: if it is: keywright rotate resume \d{8}-[0-9a-f]{8} --beside-others$`).MatchString(out) || len(s.left()) != 2 {
		t.Fatalf("left are %v\n%s", s.left(), out)
	}
	alone("", 0, "rotate", "resume", "--beside-others")
	if got := s.left(); !slices.Equal(got, []int{2, 101}) {
		t.Fatalf("left are %v", got)
	}
	label := regexp.MustCompile(`^keywright-([0-9a-v]{4})-(\d{8}-[0-9a-f]{8})$`).FindStringSubmatch(s.name[101])
	if label == nil {
		t.Fatalf("it is called %q", s.name[101])
	}
	if out := alone("", 0, "rotate", "show", label[2]); !strings.Contains(out, ", installation "+label[1]+"\n") || !strings.Contains(out, "left alone") {
		t.Errorf("%s", out)
	}

	// Of another installation, these are others' in turn.
	home, _ := os.LookupEnv("KEYWRIGHT_HOME")
	elsewhere := t.TempDir() + "/elsewhere"
	if err := os.Rename(home, elsewhere); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KEYWRIGHT_HOME", elsewhere)
	alone("", 0, "rotate", "dev/GL", "--beside-others")
	if now := s.name[102]; now == "" || strings.Contains(now, "-"+label[1]+"-") {
		t.Errorf("another installation calls it %q", now)
	}
	y := newTypist(t)
	cmd := y.start("rotate", "dev/GL")
	y.until("left alone? [y/N] ")
	y.types("y\n")
	if code := y.ended(cmd); code != exitOK {
		t.Errorf("exit %d", code)
	}
}

// TestOtherAdmin: a rotation whose admin key was removed says what to do about it, and goes
// on with another one; it is not made its own admin.
func TestOtherAdmin(t *testing.T) {
	inVerb(t)
	dir, _ := useAgefile(t)
	s := &tokens{name: map[int]string{1: "bot"}}
	server := httptest.NewServer(s)
	defer server.Close()
	alone := func(stdin string, code int, args ...string) string {
		t.Helper()
		return unattended(t, stdin, code, args...)
	}
	says := func(out, want string) {
		t.Helper()
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	env := dir + "/one.env"
	if err := os.WriteFile(env, []byte("TOKEN=somebody\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	alone("the-admin-token", 0, "set", "dev/ADMIN")
	alone("the-own-token", 0, "set", "dev/GL", "--provider", "gitlab", "--param", "url="+server.URL, "--param", "project=7", "--admin", "dev/ADMIN", "--consumer", "env:"+env+",TOKEN")
	alone("", exitFailed, "rotate", "dev/GL")
	alone("", 0, "rm", "dev/ADMIN", "--yes", "--force", "--reason", "gone")
	if err := os.WriteFile(env, []byte("TOKEN=the-own-token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := alone("", exitFailed, "rotate", "resume")
	says(out, "rotate dev/GL: preflight: the key to make changes with: rotate dev/ADMIN: there is no such key\n")
	says(out, "hint: store dev/ADMIN again, or name another: keywright edit dev/GL --admin ENV/NAME; then keywright rotate resume ")
	says(alone("", exitFailed, "edit", "dev/GL", "--admin", "dev/GL"), "the key that it is changed with has to stay: it is being rotated")
	says(alone("", exitFailed, "edit", "dev/GL", "--admin", "dev/SECOND"), "there is no such key")
	alone("the-admin-token", 0, "set", "dev/SECOND")
	alone("", 0, "edit", "dev/GL", "--admin", "dev/SECOND")
	alone("", 0, "rotate", "resume")
	if got := s.left(); !slices.Equal(got, []int{101}) {
		t.Errorf("left are %v", got)
	}
	id := regexp.MustCompile(`\d{8}-[0-9a-f]{8}`).FindString(out)
	says(alone("", 0, "rotate", "show", id), "changes are made with dev/SECOND")
}
