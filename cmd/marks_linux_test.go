package cmd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/pquerna/otp/totp"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/keywright/keywright/internal/durable"
	"github.com/keywright/keywright/internal/durable/durabletest"
	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/keystore/keystoretest"
	"github.com/keywright/keywright/provider/approle/approletest"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/secret"
)

// hunt is a machine with marked values in its keys, which verbs are run on in one way or
// another, and which is searched after each. Its directories are
//
//	home   keywright's own, with XDG's cache and configuration and HOME
//	tmp    for temporary files
//	props  what verbs read and write on behalf of the user: files that hold values from
//	       the beginning may hold them, and so may those that a verb was asked to write
//	work   where verbs are run
type hunt struct {
	t      *testing.T
	root   string
	marks  marks
	values map[string]string
	public map[string]string // what verbs are given that is no secret
	memory *keystoretest.Memory
	start  *keystoretest.Memory // what it is set back to
	real   bool                 // the keys are where the environment says
	report func(format string, args ...any)
	spared string // a file that a test put values into, also when it was set aside
	fresh  string // a copy of root as it is set back to
}

// keeps are files of the props that hold values by intention.
var keeps = []string{"env", "broken.json", "broken.yaml", "conf.yaml", "secret.env", "consumer.env", "role.env", "planted", "lines", "exported"}

func newHunt(t *testing.T) *hunt {
	t.Helper()
	h := &hunt{t: t, root: memoryDir(t), marks: marks{}, values: map[string]string{}, public: map[string]string{}, memory: keystoretest.NewMemory(), report: t.Errorf}
	for _, dir := range []string{"home", "tmp", "props", "work"} {
		if err := os.MkdirAll(h.path(dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, dir := range map[string]string{envHome: "home/keys", "HOME": "home", "XDG_CACHE_HOME": "home/cache", "XDG_CONFIG_HOME": "home/config", "XDG_DATA_HOME": "home/data", "TMPDIR": "tmp"} {
		t.Setenv(name, h.path(dir))
	}
	for _, name := range []string{"DISPLAY", "WAYLAND_DISPLAY", envKeystore, envIdentity, envPassphrase} {
		t.Setenv(name, "")
	}
	t.Chdir(h.path("work"))
	return h
}

func (h *hunt) path(name string) string { return filepath.Join(h.root, name) }

func (h *hunt) prop(name string) string { return h.path("props/" + name) }

// mark is a value of a name, which is looked for from now on.
func (h *hunt) mark(name string) string {
	if h.values[name] == "" {
		h.values[name] = newMark()
		if name == "local" || name == "via" { // a successor is made of it: letters and digits
			h.values[name] = string(secret.Random(40, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789").Reveal())
		}
		h.marks.add(name, h.values[name])
	}
	return h.values[name]
}

// write writes a prop.
func (h *hunt) write(name, text string) {
	h.t.Helper()
	if err := os.WriteFile(h.prop(name), []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

func inJSON(s string) string { b, _ := json.Marshal(s); return string(b) }

// screen is a terminal whose keys are this machine's.
func (h *hunt) screen(stdin string) *screen {
	scr := on(durabletest.Unsynced{}, stdin)
	if !h.real {
		scr.items = func(string, asking) (keystore.Items, error) { return h.memory, nil }
	}
	return scr
}

// must runs a verb that must succeed, and returns what it prints.
func (h *hunt) must(stdin string, args ...string) string {
	h.t.Helper()
	scr := h.screen(stdin)
	if code := run(h.t.Context(), &scr.terminal, args); code != exitOK {
		h.t.Fatalf("%v: exit %d\n%s", args, code, scr.stderr.String())
	}
	return scr.stdout.String()
}

// furnish stores keys and makes the props.
func (h *hunt) furnish() {
	h.t.Helper()
	h.must(h.mark("older"), "set", "dev/A")
	h.must(h.mark("old"), "set", "dev/A")
	h.must(h.mark("current"), "set", "dev/A", "--owner", "Ada", "--expires", "1d")
	h.must("id="+h.mark("id")+"\nsecret="+h.mark("secret")+"\n", "set", "prod/PAIR", "--parts", "id,secret")
	h.must(h.mark("local"), "set", "dev/LOCAL", "--provider", "local")
	h.must(h.mark("for programs"), "set", "bot/K")
	h.must("", "edit", "bot/K", "--use", "run")
	h.must(h.mark("guarded"), "set", "safe/K")
	h.must("", "edit", "safe", "--protected")

	id, err := age.GenerateX25519Identity()
	if err != nil {
		h.t.Fatal(err)
	}
	other, err := age.GenerateX25519Identity()
	if err != nil {
		h.t.Fatal(err)
	}
	h.public["recipient"] = id.Recipient().String()
	h.write("identity", id.String())
	h.write("other-identity", other.String())
	h.write("garbage", "not an identity "+h.mark("garbage"))
	h.write("phrase", "a phrase of four words")
	h.write("env", "NEW='"+h.mark("new")+"'\nBAD=${"+h.mark("bad")+"}\nA='"+h.mark("another")+"'\n")
	h.write("broken.json", `{"a": `+h.mark("json")+`}`)
	h.write("broken.yaml", "a: *"+h.mark("yaml")+"\n")
	h.write("conf.yaml", "# why\nkey: "+inJSON(h.mark("conf"))+"\n")
	h.write("secret.env", "X=keywright://dev/A\nY='"+h.mark("plain")+"'\n")
	h.write("lines", "id="+h.mark("line")+"\n"+h.mark("stray")+"\n")
	h.write("consumer.env", "LOCAL='"+h.mark("local")+"'\n")
	h.write("planted", "a "+h.mark("current")+"\nb "+h.mark("secret")+"\nc "+h.mark("older")+"\n")
	h.must("", "edit", "dev/LOCAL", "--consumer", "env:"+h.prop("consumer.env")+",LOCAL")
	h.must(h.mark("via"), "set", "dev/VIA", "--provider", "local")
	h.must("", "edit", "dev/VIA", "--consumer", "command:sh -c '{ cat /proc/self/cmdline /proc/$PPID/cmdline; env; } >"+h.prop("seen")+" && cat >/dev/null'")
	h.must("", "backup", h.prop("keys.backup"), "--recipient", h.public["recipient"])
	h.public["log key"] = strings.TrimSpace(h.must("", "audit", "key"))
	h.write("proof", h.must("", "audit", "prove", "0"))
	h.write("checkpoint", h.must("", "audit", "checkpoint"))

	// An authenticator, without a terminal.
	scr := h.screen("")
	keys, err := openKeys(&scr.terminal, mayAsk)
	if err != nil {
		h.t.Fatal(err)
	}
	v := keystore.NewTOTP()
	_, typed, err := keystore.TOTPAddress(v, "ada")
	if err != nil {
		h.t.Fatal(err)
	}
	code, err := totp.GenerateCode(string(typed.Reveal()), time.Now())
	if err != nil {
		h.t.Fatal(err)
	}
	recovery, err := keys.Enrol(h.t.Context(), actor(), v, secret.New([]byte(code)))
	if err != nil {
		h.t.Fatal(err)
	}
	h.marks.add("the authenticator's secret", string(v.Reveal()))
	h.marks.add("the authenticator's secret, typed", string(typed.Reveal()))
	for i, r := range recovery {
		h.marks.add(fmt.Sprint("recovery code ", i), string(r.Reveal()))
	}
	h.learn()
	h.keep()
}

// learn looks for what keywright made meanwhile, too.
func (h *hunt) learn() {
	h.t.Helper()
	scr := h.screen("")
	keys, err := openKeys(&scr.terminal, mayAsk)
	if err != nil {
		h.t.Fatal(err)
	}
	known := slices.Collect(maps.Values(h.values))
	err = keys.Each(h.t.Context(), func(k keystore.Key, versions map[int]keystore.Parts) error {
		for n, parts := range versions {
			for part, v := range parts {
				if value := string(v.Reveal()); !slices.Contains(known, value) && len(value) >= 8 {
					name := fmt.Sprintf("%s, version %d, %s", k.Name, n, part)
					h.values[name] = value
					h.marks.add(name, value)
				}
			}
		}
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// keep makes what there is what it is set back to.
func (h *hunt) keep() {
	h.t.Helper()
	h.fresh, h.start = memoryDir(h.t), copyMemory(h.t, h.memory)
	if err := os.CopyFS(h.fresh, os.DirFS(h.root)); err != nil {
		h.t.Fatal(err)
	}
}

// reset sets everything back.
func (h *hunt) reset() {
	h.t.Helper()
	for _, dir := range []string{"home", "tmp", "props"} {
		if err := os.RemoveAll(h.path(dir)); err != nil {
			h.t.Fatal(err)
		}
		if err := os.CopyFS(h.path(dir), os.DirFS(filepath.Join(h.fresh, dir))); err != nil {
			h.t.Fatal(err)
		}
		if err := os.Chmod(h.path(dir), 0o700); err != nil {
			h.t.Fatal(err)
		}
	}
	if err := os.Chmod(h.path("home/keys"), 0o700); err != nil {
		h.t.Fatal(err)
	}
	h.memory = copyMemory(h.t, h.start)
}

func copyMemory(t *testing.T, m *keystoretest.Memory) *keystoretest.Memory {
	next := keystoretest.NewMemory()
	for _, name := range m.Names() {
		v, err := m.Get(t.Context(), name)
		if err == nil {
			err = next.Put(t.Context(), name, v)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return next
}

// errand is a use of a verb.
type errand struct {
	args  []string
	stdin string
	ends  int  // its exit code where nothing fails
	shows bool // values on standard output, as it is asked to
	same  bool // what can fail is the same as in another errand
}

// errands are uses of every command, by its path. Each that touches keys is there in
// success, and where it is refused or cannot read what it is given.
func (h *hunt) errands() map[string][]errand {
	ok := func(args ...string) errand { return errand{args: args} }
	ends := func(code int, args ...string) errand { return errand{args: args, ends: code} }
	shows := func(args ...string) errand { return errand{args: args, shows: true} }
	given := func(stdin string, ends int, args ...string) errand {
		return errand{args: args, stdin: stdin, ends: ends}
	}
	recipient, logKey := h.public["recipient"], h.public["log key"]
	all := map[string][]errand{
		"scan": {
			ends(exitFindings, "scan", h.path("props/planted")), {args: []string{"scan", h.path("props/planted"), "--format", "json"}, ends: exitFindings, same: true},
			{args: []string{"scan", h.path("props/planted"), "--format", "jsonl"}, ends: exitFindings, same: true}, {args: []string{"scan", h.path("props/planted"), "--format", "sarif"}, ends: exitFindings, same: true},
			{args: []string{"scan", h.path("props/planted"), "--format", "sarif", "-o", h.prop("report")}, ends: exitFindings, same: true},
			{args: []string{"scan", "-"}, stdin: h.values["current"] + "\n", ends: exitFindings, same: true},
		},
		"set": {
			given(h.mark("set"), 0, "set", "dev/A"), given(h.mark("set anew"), 0, "set", "dev/FRESH", "--expires", "90d"),
			given("id="+h.mark("set id")+"\nsecret="+h.mark("set secret"), 0, "set", "prod/PAIR"),
			given(h.mark("no part"), exitUsage, "set", "prod/PAIR"), given("secret="+h.mark("only one"), exitUsage, "set", "prod/PAIR"),
			ok("set", "--undo", "dev/A"), ends(exitUsage, "set", "dev/A"),
		},
		"generate": {ok("generate", "dev/HEX", "--kind", "hex"), ok("generate", "dev/PAIR", "--kind", "ed25519"), ok("generate", "dev/A"), ends(exitUsage, "generate", "dev/A", "--kind", "none")},
		"get": {
			shows("get", "dev/A"), shows("get", "dev/A", "--previous"), shows("get", "prod/PAIR#secret"), ends(exitUsage, "get", "prod/PAIR"),
			ends(exitUsage, "get", "prod/PAIR#none"), ends(exitFailed, "get", "dev/NONE"), ends(exitFailed, "get", "safe/K", "--reason", "why"), ends(exitFailed, "get", "bot/K"), ends(exitFailed, "get", "--copy", "dev/A"),
		},
		"import": {
			ends(exitIncomplete, "import", "dev", h.prop("env")), ends(exitIncomplete, "import", "dev", h.prop("env"), "--replace", "--rewrite"),
			ends(exitUsage, "import", "dev", h.prop("broken.json")), ends(exitUsage, "import", "dev", h.prop("broken.yaml"), "--rewrite"),
			given("PIPED='"+h.mark("piped")+"'\nBAD=${"+h.mark("piped badly")+"}\n", exitIncomplete, "import", "dev", "-"), given(h.mark("not JSON"), exitUsage, "import", "dev", "-", "--format", "json"),
			ok("import", "dev", h.prop("conf.yaml"), "--rewrite"), ok("import", "test", "--from", "dev"), ends(exitFailed, "import", "test", "--from", "safe"),
		},
		"export": {
			{args: []string{"export", "dev", "--yes-plaintext"}, shows: true}, {args: []string{"export", "prod", "--yes-plaintext", "--format", "kubernetes"}, shows: true},
			ok("export", "dev", "--yes-plaintext", "--format", "json", "-o", h.prop("exported")), ends(exitUsage, "export", "dev"), ends(exitFailed, "export", "safe", "--yes-plaintext"),
			ends(exitFailed, "export", "bot", "--yes-plaintext"), ends(exitFailed, "export", "bot", "--yes-plaintext", "-o", h.prop("exported")),
		},
		"ls": {ok("ls"), ok("ls", "--format", "json"), ok("ls", "dev")},
		"rm": {ok("rm", "--yes", "dev/A"), ends(exitUsage, "rm", "dev/A"), ends(exitFailed, "rm", "--yes", "safe/K")},
		"mv": {ok("mv", "dev/A", "test/B"), ends(exitFailed, "mv", "dev/A", "prod/PAIR"), ends(exitFailed, "mv", "safe/K", "dev/K")},
		"edit": {ok("edit", "dev/A", "--description", "text", "--variable", "value=V"), ok("edit", "test", "--protected"), ends(exitFailed, "edit", "safe", "--protected=false"),
			ok("edit", "bot/K", "--use", "run", "--owner", "Ada"), ends(exitFailed, "edit", "safe/K", "--use", "reveal")},
		"run": {
			ok("run", "--env", "dev", "--mask", "--", "sh", "-c", `printf '%s\n' "$A"; printf %s "$LOCAL" | base64 -w0; env >&2`),
			ok("run", "--env", "prod", "--files", "--mask", "--", "sh", "-c", `cat "$PAIR_ID_FILE" "$PAIR_SECRET_FILE"`),
			ends(3, "run", "--env", "dev", "--trust", "--env-file", h.prop("secret.env"), "--mask", "--", "sh", "-c", `echo "$X" >&2; exit 3`),
			ends(125, "run", "--env", "dev", "--env-file", h.prop("secret.env"), "--", "true"), ends(125, "run", "--env", "dev", "--env-file", h.prop("env"), "--", "true"),
			ends(125, "run", "--env", "safe", "--mask", "--", "true"), ends(127, "run", "--env", "dev", "--mask", "--", "/nonexistent"),
		},
		"status":           {ok("status"), ok("status", "--format", "json", "--within", "365d"), ends(exitFindings, "status", "--fail")},
		"totp":             {ok("totp")},
		"totp enrol":       {ends(exitFailed, "totp", "enrol")},
		"totp disable":     {ends(exitFailed, "totp", "disable")},
		"unlock":           {ends(exitFailed, "unlock", "safe", "--for", "1h", "--reason", "why"), ends(exitFailed, "unlock", "safe", "--end")},
		"rotate":           {ok("rotate", "dev/LOCAL", "--plan"), ok("rotate", "dev/LOCAL"), ok("rotate", "dev/VIA"), ends(exitFailed, "rotate", "dev/A"), ends(exitFailed, "rotate", "--due")},
		"rotate resume":    {ok("rotate", "resume")},
		"rotate abort":     {ok("rotate", "abort")},
		"rotate ls":        {ok("rotate", "ls")},
		"rotate orphans":   {ok("rotate", "orphans")},
		"revoke":           {ends(exitUsage, "revoke"), ends(exitFailed, "revoke", "--finding", "k1:0", h.prop("planted"))},
		"rotate show":      {ends(exitFailed, "rotate", "show", "none")},
		"providers":        {ok("providers")},
		"audit":            {ok("audit")},
		"audit show":       {ok("audit", "show"), ok("audit", "show", "--format", "json"), ok("audit", "show", "--format", "csv"), ok("audit", "show", "--format", "cef")},
		"audit verify":     {ok("audit", "verify"), ok("audit", "verify", "--against", h.prop("checkpoint"))},
		"audit prove":      {ok("audit", "prove", "0"), ends(exitFailed, "audit", "prove", "999")},
		"audit check":      {ok("audit", "check", h.prop("proof"), "--key", logKey), ends(exitUsage, "audit", "check", h.prop("env"), "--key", logKey), ends(exitFindings, "audit", "check", h.prop("proof"), "--key", "x")},
		"audit checkpoint": {ok("audit", "checkpoint")},
		"audit key":        {ok("audit", "key")},
		"audit erase":      {ok("audit", "erase", "--before", "0h", "--yes"), ends(exitUsage, "audit", "erase", "--before", "0h")},
		"backup":           {ok("backup", h.prop("again.backup"), "--recipient", recipient), ends(exitUsage, "backup", h.prop("again.backup"))},
		"restore": {
			ends(exitIncomplete, "restore", h.prop("keys.backup"), "--identity", h.prop("identity")), ends(exitFailed, "restore", h.prop("keys.backup"), "--identity", h.prop("other-identity")),
			ends(exitUsage, "restore", h.prop("keys.backup"), "--identity", h.prop("garbage")), ends(exitFailed, "restore", h.prop("planted"), "--identity", h.prop("identity")),
		},
		"doctor":  {ok("doctor"), ok("doctor", "--begin-anew"), ok("doctor", "--begin-anew", "--yes")},
		"version": {ok("version")},
		"help":    {ok("help", "set")},
	}
	all["completion"] = []errand{ok("completion")}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		all["completion "+shell] = []errand{ok("completion", shell)}
	}
	return all
}

// paths are those of all commands below one.
func paths(c *cobra.Command) (all []string) {
	for _, sub := range c.Commands() {
		all = append(all, strings.TrimPrefix(sub.CommandPath(), "keywright "))
		all = append(all, paths(sub)...)
	}
	return all
}

// do runs an errand, and searches what it printed and what is on the disk.
func (h *hunt) do(what string, e errand, scr *screen) (code int) {
	h.t.Helper()
	code = run(h.t.Context(), &scr.terminal, e.args)
	h.look(what, e, scr)
	return code
}

// look searches what an errand printed, and what is on the disk.
func (h *hunt) look(what string, e errand, scr *screen) {
	h.t.Helper()
	if !e.shows {
		h.search(what, e, "standard output", scr.stdout.Bytes())
	}
	h.search(what, e, "standard error", scr.stderr.Bytes())
	h.searchDisk(what, e)
}

func (h *hunt) search(what string, e errand, where string, text []byte) {
	if found := h.marks.in(text); found != "" {
		h.report("%s, %v: on %s there is %s\n%s", what, e.args, where, found, text)
	}
}

func (h *hunt) searchDisk(what string, e errand) {
	h.t.Helper()
	for _, dir := range []string{"home", "tmp", "work", "props"} {
		found, err := h.marks.below(h.path(dir))
		if err != nil {
			h.t.Fatal(err)
		}
		for _, f := range found {
			path, _, _ := strings.Cut(f, ": ")
			if filepath.Dir(path) == h.path("props") && slices.Contains(append(keeps, "garbage"), filepath.Base(path)) || h.spared != "" && (path == h.spared || strings.HasPrefix(filepath.Base(path), "old-"+filepath.Base(h.spared)+"-")) {
				continue
			}
			h.report("%s, %v: in %s", what, e.args, f)
		}
	}
}

// nobody makes the test run without a terminal that verbs could ask at. It reports
// whether it does.
func nobody(t *testing.T) bool {
	t.Helper()
	const variable = "KEYWRIGHT_TEST_NOBODY"
	if os.Getenv(variable) != "" {
		return true
	}
	c := keystoretest.Rerun(t, []string{variable + "=1"})
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := c.CombinedOutput()
	t.Logf("%s", out)
	if err != nil || !bytes.Contains(out, []byte("--- PASS")) {
		t.Errorf("without a terminal: %v", err)
	}
	return false
}

// TestMarks: whatever a verb does, and whatever fails, no value is seen but where it was
// asked for.
func TestMarks(t *testing.T) {
	if !nobody(t) {
		return
	}
	h := newHunt(t)
	h.furnish()
	errands := h.errands()
	runs := 0
	for _, path := range paths(newRoot(&newScreen().terminal)) {
		if len(errands[path]) == 0 {
			t.Errorf("%s has no errand: what does it do with a secret?", path)
		}
		for _, e := range errands[path] {
			h.reset()
			scr := h.screen(e.stdin)
			disk := &failingDisk{}
			scr.disk = durable.On(disk)
			h.memory.SetHook(func(context.Context, keystoretest.Moment) error { return nil })
			if code := h.do("in success", e, scr); code != e.ends {
				t.Errorf("%v: exit %d, want %d\n%s", e.args, code, e.ends, scr.stderr.String())
			}
			moments, changes := h.memory.Moments(), int(disk.n.Load())
			runs++
			if !e.same && (moments > 0 || changes > 0) {
				runs += h.failures(e, moments, changes)
			}
		}
	}
	t.Logf("%d runs of verbs", runs)

	// A verb that shows what it reads, on its errors, on the disk and in its output, is
	// found out.
	var found []string
	h.report = func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	for what, leak := range map[string]func(scr *screen, v []byte){
		"standard output": func(scr *screen, v []byte) { fmt.Fprintf(scr.out, "%x", v) },
		"standard error":  func(scr *screen, v []byte) { fmt.Fprintf(scr.err, "%q", v) },
		"in ": func(_ *screen, v []byte) {
			if h.marks.in(v) != "" {
				_ = os.WriteFile(h.path("home/keys/debug"), v, 0o600)
			}
		},
	} {
		h.reset()
		scr := h.screen("")
		scr.items = func(string, asking) (keystore.Items, error) {
			return damagedItems{h.memory, func(v []byte) []byte { leak(scr, v); return v }}, nil
		}
		found = nil
		h.do("with a leak", errand{args: []string{"doctor"}}, scr)
		if !slices.ContainsFunc(found, func(f string) bool { return strings.Contains(f, what) }) {
			t.Errorf("a leak on %s was not found: %q", what, found)
		}
	}
}

// TestMarksInBackends is TestMarks with the keys where users have them: in success, and
// where they cannot be opened.
func TestMarksInBackends(t *testing.T) {
	if !nobody(t) {
		return
	}
	t.Run("agefile", func(t *testing.T) {
		keeps := filepath.Join(t.TempDir(), "identity")
		h := newHunt(t)
		h.real = true
		id, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		h.marks.add("the identity", id.String()[len("AGE-SECRET-KEY-1"):])
		if err := os.WriteFile(keeps, []byte(id.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv(envKeystore, "agefile")
		t.Setenv(envIdentity, keeps)
		h.furnish()
		h.each(func(path string, e errand) {
			for what, prepare := range map[string]func(){
				"in success":           func() {},
				"another identity":     func() { t.Setenv(envIdentity, h.prop("other-identity")) },
				"no identity":          func() { t.Setenv(envIdentity, h.prop("garbage")) },
				"keys.age is anything": func() { h.copy("planted", "home/keys/keys.age") },
			} {
				h.reset()
				t.Setenv(envIdentity, keeps)
				prepare()
				h.spared = ""
				if strings.HasPrefix(what, "keys.age") {
					h.spared = h.path("home/keys/keys.age")
				}
				scr := h.screen(e.stdin)
				if code := h.do(what, e, scr); code != e.ends && what == "in success" {
					t.Errorf("%v: exit %d, want %d\n%s", e.args, code, e.ends, scr.stderr.String())
				}
			}
		})
	})
	t.Run("passphrase", func(t *testing.T) {
		dir := t.TempDir()
		right, wrong := filepath.Join(dir, "right"), filepath.Join(dir, "wrong")
		h := newHunt(t)
		h.real = true
		if err := errors.Join(os.WriteFile(right, []byte(h.mark("phrase")), 0o600), os.WriteFile(wrong, []byte(h.mark("wrong phrase")), 0o600)); err != nil {
			t.Fatal(err)
		}
		t.Setenv(envKeystore, "agefile")
		t.Setenv(envPassphrase, right)
		h.must(h.mark("value"), "set", "dev/A")
		for _, phrase := range []string{wrong, h.path("none"), ""} {
			t.Setenv(envPassphrase, phrase)
			if code := h.do("with a wrong passphrase", errand{args: []string{"get", "dev/A"}}, h.screen("")); code != exitFailed {
				t.Errorf("with a wrong passphrase: exit %d", code)
			}
		}
		if code := h.do("a backup", errand{args: []string{"restore", h.path("home/keys/identity.age"), "--passphrase-file", wrong}}, h.screen("")); code != exitFailed {
			t.Errorf("a backup with a wrong passphrase: exit %d", code)
		}
	})
	t.Run("keychain", func(t *testing.T) {
		dir, there := useKeychain(t)
		if !there {
			return
		}
		h := newHunt(t)
		h.real = true
		h.furnish()
		runs, asExpected := 0, 0
		h.each(func(path string, e errand) { // one after the other: a keychain is not set back
			runs++
			if h.do("in a keychain", e, h.screen(e.stdin)) == e.ends {
				asExpected++
			}
			h.learn()
		})
		if found, err := h.marks.below(filepath.Dir(dir)); len(found) > 0 || err != nil {
			t.Errorf("where the keyring is: %v, %v", found, err)
		}
		t.Logf("%d of %d verbs ended as they do", asExpected, runs)
		if asExpected < runs/2 {
			t.Error("that is too little")
		}
	})
}

// each calls do with all errands, in the order of the commands.
func (h *hunt) each(do func(path string, e errand)) {
	errands := h.errands()
	for _, path := range paths(newRoot(&newScreen().terminal)) {
		for _, e := range errands[path] {
			do(path, e)
		}
	}
}

// copy copies a prop.
func (h *hunt) copy(prop, to string) {
	b, err := os.ReadFile(h.prop(prop))
	if err == nil {
		err = os.WriteFile(h.path(to), b, 0o600)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// failures runs an errand once for each way to fail.
func (h *hunt) failures(e errand, moments, changes int) (runs int) {
	try := func(what string, prepare func(*screen)) {
		h.reset()
		scr := h.screen(e.stdin)
		prepare(scr)
		h.do(what, e, scr)
		runs++
	}
	kinds := []keystore.Trouble{keystore.Failed, keystore.Absent, keystore.Locked, keystore.Dismissed, keystore.Silent, keystore.Full, keystore.Damaged}
	trouble := func(n int) error {
		k := kinds[n%len(kinds)]
		return &keystore.BackendError{Backend: "the memory", Doing: "be asked", Trouble: k, Err: errors.New("as it says itself")}
	}
	for k := range kinds {
		try("the backend: "+kinds[k].String(), func(*screen) {
			h.memory.SetHook(func(context.Context, keystoretest.Moment) error { return trouble(k) })
		})
	}
	for n := 1; n <= moments; n += stride(moments, 6) {
		try(fmt.Sprintf("the backend: %s at moment %d", trouble(n), n), func(*screen) { h.memory.FailAt(n, trouble(n)) })
		try(fmt.Sprintf("the backend dies at moment %d", n), func(*screen) {
			h.memory.SetHook(func(_ context.Context, m keystoretest.Moment) error {
				if m.N >= n {
					return trouble(0)
				}
				return nil
			})
		})
	}
	for what, damage := range damages {
		try("the backend gives "+what, func(scr *screen) {
			scr.items = func(string, asking) (keystore.Items, error) { return damagedItems{h.memory, damage}, nil }
		})
	}
	for _, err := range []error{syscall.EROFS, syscall.ENOSPC, syscall.EIO} {
		try("the disk: "+err.Error(), func(scr *screen) { scr.disk = durable.On(&failingDisk{at: 1, err: err}) })
	}
	for n := 2; n <= changes; n += stride(changes, 6) {
		try(fmt.Sprintf("the disk is full at change %d", n), func(scr *screen) { scr.disk = durable.On(&failingDisk{at: int64(n), err: syscall.ENOSPC}) })
	}
	try("a closed pipe", func(scr *screen) { scr.out, scr.err = closedWriter{}, closedWriter{} })
	for what, tamper := range h.tampers() {
		try(what, func(*screen) {
			if err := tamper(); err != nil {
				h.t.Fatal(err)
			}
		})
	}
	return runs
}

// stride is that of a sample of about so many.
func stride(all, sample int) int {
	if allCrashes() {
		return 1
	}
	return 1 + all/sample
}

// tampers change files that keywright wrote.
func (h *hunt) tampers() map[string]func() error {
	all := map[string]func() error{}
	for _, name := range []string{"metadata", "audit/entries", "audit/hashes"} {
		file := h.path("home/keys/" + name)
		for what, change := range map[string]func([]byte) []byte{
			"cut": func(b []byte) []byte { return b[:len(b)/2] }, "altered": func(b []byte) []byte { b[len(b)/3] ^= 1; return b },
			"gone": func([]byte) []byte { return nil },
		} {
			all[name+" is "+what] = func() error {
				b, err := os.ReadFile(file)
				if err != nil {
					return err
				}
				if b = change(b); b == nil {
					return os.Remove(file)
				}
				return os.WriteFile(file, b, 0o600)
			}
		}
	}
	return all
}

// damages are what becomes of what a backend holds.
var damages = map[string]func([]byte) []byte{
	"half":        func(b []byte) []byte { return b[:len(b)/2] },
	"more":        func(b []byte) []byte { return append(bytes.Clone(b), b...) },
	"other bytes": func(b []byte) []byte { c := bytes.Clone(b); c[0] ^= 0x80; return c },
	"nothing":     func([]byte) []byte { return nil },
}

// damagedItems gives other values than were put there.
type damagedItems struct {
	keystore.Items
	damage func([]byte) []byte
}

func (d damagedItems) Get(ctx context.Context, name string) (secret.Value, error) {
	v, err := d.Items.Get(ctx, name)
	if err != nil || v.IsZero() {
		return v, err
	}
	return secret.New(d.damage(v.Reveal())), nil
}

// failingDisk fails at a change, and at all after it; what is written then is written by
// half. Where at is 0 it counts only.
type failingDisk struct {
	durabletest.Unsynced
	n   atomic.Int64
	at  int64
	err error
}

func (d *failingDisk) fails() bool {
	n := d.n.Add(1)
	return d.at > 0 && n >= d.at
}

func (d *failingDisk) handle(h durable.Handle, err error) (durable.Handle, error) {
	if err != nil {
		return nil, err
	}
	return &failingHandle{h, d}, nil
}

func (d *failingDisk) CreateTemp(dir, pattern string) (durable.Handle, error) {
	if d.fails() {
		return nil, &fs.PathError{Op: "open", Path: filepath.Join(dir, pattern), Err: d.err}
	}
	return d.handle(d.Unsynced.CreateTemp(dir, pattern))
}

func (d *failingDisk) Edit(path string) (durable.Handle, error) {
	if d.fails() {
		return nil, &fs.PathError{Op: "open", Path: path, Err: d.err}
	}
	return d.handle(d.Unsynced.Edit(path))
}

func (d *failingDisk) Mkdir(path string, perm fs.FileMode) error {
	if d.fails() {
		return &fs.PathError{Op: "mkdir", Path: path, Err: d.err}
	}
	return d.Unsynced.Mkdir(path, perm)
}

func (d *failingDisk) Rename(from, to string) error {
	if d.fails() {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: d.err}
	}
	return d.Unsynced.Rename(from, to)
}

func (d *failingDisk) Remove(path string) error {
	if d.fails() {
		return &fs.PathError{Op: "remove", Path: path, Err: d.err}
	}
	return d.Unsynced.Remove(path)
}

type failingHandle struct {
	durable.Handle
	disk *failingDisk
}

func (h *failingHandle) Write(b []byte) (int, error) {
	if h.disk.fails() {
		n, _ := h.Handle.Write(b[:len(b)/2])
		return n, &fs.PathError{Op: "write", Path: h.Name(), Err: h.disk.err}
	}
	return h.Handle.Write(b)
}

func (h *failingHandle) WriteAt(b []byte, at int64) (int, error) {
	if h.disk.fails() {
		n, _ := h.Handle.WriteAt(b[:len(b)/2], at)
		return n, &fs.PathError{Op: "write", Path: h.Name(), Err: h.disk.err}
	}
	return h.Handle.WriteAt(b, at)
}

func (h *failingHandle) Sync() error {
	if h.disk.fails() {
		return &fs.PathError{Op: "sync", Path: h.Name(), Err: h.disk.err}
	}
	return h.Handle.Sync()
}

// role is a service over HTTP that issues keys, and dev/ROLE, one of them. All that is
// secret is marked beforehand: it answers while something is searched.
func (h *hunt) role() *approletest.Fake {
	h.t.Helper()
	texts := map[string]string{}
	for _, what := range []string{"admin", "old"} {
		texts[what] = h.mark("of the service, " + what)
	}
	for n := range 60 {
		for _, what := range []string{"new", "token"} {
			what = fmt.Sprint(what, n)
			texts[what] = h.mark("of the service, " + what)
		}
	}
	f := approletest.Serve(h.t, func(what string) string {
		if texts[what] == "" {
			h.t.Errorf("%s is not marked", what)
		}
		return texts[what]
	})
	args := []string{"set", "dev/ROLE", "--provider", "approle", "--admin", "dev/TOKEN"}
	for name, value := range approletest.Params(f.Addr()) {
		args = append(args, "--param", name+"="+value)
	}
	h.must(texts["admin"], "set", "dev/TOKEN")
	h.must("role_id="+approletest.RoleID+"\nsecret_id="+texts["old"]+"\n", args...)
	return f
}

// TestMarksOverHTTP rotates a key of a service over HTTP: in success, and with each call
// answered in each of the ways that fail, then taken back. The service says all the secrets
// there are in what it answers.
func TestMarksOverHTTP(t *testing.T) {
	if !nobody(t) {
		return
	}
	h := newHunt(t)
	f := h.role()
	h.write("role.env", "ID='"+f.IDs[0].Secret+"'\n")
	h.must("", "edit", "dev/ROLE", "--consumer", "env:"+h.prop("role.env")+",secret_id=ID",
		"--consumer", "command:sh -c '{ cat /proc/self/cmdline /proc/$PPID/cmdline; env; } >"+h.prop("seen")+" && cat >/dev/null',part=secret_id")
	h.keep()
	var all strings.Builder
	for _, name := range slices.Sorted(maps.Keys(h.values)) {
		all.WriteString(h.values[name] + " ")
	}
	quoted := inJSON(all.String())
	failures := []struct {
		name   string
		answer providertest.Answer
	}{
		{"refused", providertest.Text(403, `{"errors": [`+quoted+`]}`)},
		{"500", providertest.Text(500, `{"errors": [`+quoted+`]}`)},
		{"not JSON", providertest.Text(200, "<html>"+all.String())},
		{"half of it", providertest.Text(200, `{"data": {"secret_id": `+quoted)},
		{"another form", providertest.Text(200, `{"data": `+quoted+`, "auth": `+quoted+`, "keys": `+quoted+`}`)},
		{"hang-up", providertest.HangUp},
		{"done, and a hang-up", providertest.After(providertest.HangUp)},
	}
	rotate := errand{args: []string{"rotate", "dev/ROLE"}}
	if code := h.do("in success", rotate, h.screen("")); code != exitOK {
		t.Errorf("exit %d", code)
	}
	if b, err := os.ReadFile(h.prop("seen")); len(b) == 0 {
		t.Errorf("no program was given it: %v", err)
	}
	runs := 0
	for _, call := range []string{
		"POST /v1/sys/capabilities-self", "POST /v1/" + approletest.Role + "/secret-id/lookup", "POST /v1/" + approletest.Role + "/secret-id-accessor/lookup",
		"GET /v1/" + approletest.Role + "/secret-id", "POST /v1/" + approletest.Role + "/secret-id", "POST " + approletest.Mount + "/login",
		"POST /v1/auth/token/revoke-self", "POST /v1/" + approletest.Role + "/secret-id-accessor/destroy",
	} {
		for _, failure := range failures {
			what := call + ": " + failure.name
			h.reset()
			f.Lock()
			f.Reset()
			f.Unlock()
			ctx, cancel := context.WithCancel(t.Context())
			var met atomic.Bool
			f.Fault(call, func(w http.ResponseWriter, done func()) {
				if !met.Swap(true) {
					time.AfterFunc(100*time.Millisecond, cancel) // it would wait, and ask again
				}
				failure.answer(w, done)
			})
			scr := h.screen("")
			code := run(ctx, &scr.terminal, rotate.args)
			cancel()
			h.look(what, rotate, scr)
			if !met.Load() || code == exitOK {
				t.Errorf("%s: met %v, exit %d", what, met.Load(), code)
			}
			f.Lock()
			f.Answer = nil
			f.Unlock()
			for _, after := range [][]string{{"rotate", "ls"}, {"rotate", "abort"}, {"audit", "show"}} {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				scr := h.screen("")
				run(ctx, &scr.terminal, after)
				cancel()
				h.look(what, errand{args: after}, scr)
			}
			runs++
		}
	}
	t.Logf("%d failures", runs)
}

// roleVariable makes a copy of the test something else than a verb.
const roleVariable = "KEYWRIGHT_TEST_ROLE"

// play is what a copy of the test is, if its environment says so. It does not return then.
func play(t *testing.T) {
	switch os.Getenv(roleVariable) {
	case "unhardened": // holds a value as keywright does, and is no keywright
		v, err := readLine(os.Getenv(envPassphrase))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("ready")
		_, _ = os.Stdin.Read(make([]byte, 1))
		v.Wipe()
		os.Exit(0)
	case "panics": // with the values that it has read in its hands
		var args []string
		if err := json.Unmarshal([]byte(os.Getenv(verbVariable)), &args); err != nil {
			t.Fatal(err)
		}
		term := systemTerminal()
		term.items = func(dir string, ask asking) (keystore.Items, error) {
			i, err := term.backend(dir, ask)
			return damagedItems{i, func(v []byte) []byte {
				if len(v) > 1<<20 {
					panic(secret.New(v))
				}
				return v
			}}, err
		}
		os.Exit(run(t.Context(), term, args))
	}
	inVerb(t)
}

// TestMarksInProcesses looks at keywright from outside while it has a value in its hands,
// and kills it then in ways that leave a core.
func TestMarksInProcesses(t *testing.T) {
	play(t)
	dir := t.TempDir()
	h := newHunt(t)
	h.real = true
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	large := strings.Repeat(h.mark("large"), 50_000) // more than a pipe takes
	plain := filepath.Join(dir, "plain")
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "identity"), []byte(id.String()), 0o600), os.WriteFile(plain, []byte(h.mark("plain")+"\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	t.Setenv(envKeystore, "agefile")
	t.Setenv(envIdentity, filepath.Join(dir, "identity"))
	h.must(large, "set", "big/A")
	h.must(h.mark("small"), "set", "dev/A")
	cores := h.cores(t, plain)

	// A rotation has the new secret, and the provider is asked with it.
	role := h.role()
	hold := func() {
		role.Lock()
		defer role.Unlock()
		role.Answer = func(_ http.ResponseWriter, r *http.Request, _ func()) bool {
			if !strings.HasSuffix(r.URL.Path, "/login") || len(role.IDs) < 2 {
				return false
			}
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
			return true
		}
	}
	takeBack := func() {
		role.Lock()
		role.Answer = nil
		role.Unlock()
		h.must("", "rotate", "abort")
	}

	waits := `ulimit -c 0; echo ready; exec cat >/dev/null`
	for name, c := range map[string]struct {
		role, stdin, until string // what is waited for on standard output
		args               []string
		before, after      func()
	}{
		"set":    {stdin: h.mark("typed"), args: []string{"set", "dev/B"}},
		"get":    {args: []string{"get", "big/A"}, until: large[:markBlock]},
		"run":    {args: []string{"run", "--env", "dev", "--mask", "--", "sh", "-c", waits}, until: "ready"},
		"files":  {args: []string{"run", "--env", "dev", "--files", "--", "sh", "-c", waits}, until: "ready"},
		"panic":  {role: "panics", args: []string{"get", "big/A"}},
		"rotate": {args: []string{"rotate", "dev/ROLE"}, until: "issue: stored", before: hold, after: takeBack},
	} {
		for _, signal := range []syscall.Signal{syscall.SIGABRT, syscall.SIGQUIT} {
			t.Run(fmt.Sprint(name, " ", signal), func(t *testing.T) {
				if c.before != nil {
					c.before()
				}
				p := h.begin(t, c.role, c.args)
				if _, err := p.in.Write([]byte(c.stdin)); err != nil {
					t.Fatal(err)
				}
				if c.role == "" {
					p.waitFor(t, c.until)
					h.inspect(t, p.cmd.Process.Pid)
					if err := p.cmd.Process.Signal(signal); err != nil {
						t.Fatal(err)
					}
				}
				state := p.end()
				p.out.Close()
				// run passes SIGQUIT on, and ends as the program does.
				if c.role == "" && !strings.HasPrefix(state, "signal: ") && state != "exit status 131" {
					t.Errorf("it was not killed: %s", state)
				}
				t.Logf("%s: %v, %d bytes on standard error", c.args[0], state, p.err.Len())
				if found := h.marks.in(p.err.Bytes()); found != "" {
					t.Errorf("on standard error there is %s\n%s", found, p.err.Bytes())
				}
				if c.role != "" && !strings.Contains(p.err.String(), "goroutine ") {
					t.Errorf("there is no trace of a panic: %s", p.err.Bytes())
				}
				if left := cores(); len(left) > 0 {
					t.Errorf("it left %v", left)
				}
				h.searchDisk(name, errand{args: c.args})
				if c.after != nil {
					c.after()
				}
			})
		}
	}
}

// watched is a process, with ends of its streams.
type watched struct {
	cmd     *exec.Cmd
	in, out *os.File
	err     bytes.Buffer
}

// begin starts a copy of the test, with leave to dump a core as large as can be.
func (h *hunt) begin(t *testing.T, role string, args []string) *watched {
	t.Helper()
	p := &watched{cmd: process("TestMarksInProcesses", 0, change{verb: verb{args: args}})}
	p.cmd.Dir = h.path("work")
	p.cmd.Env = append(p.cmd.Env, roleVariable+"="+role, "GOTRACEBACK=crash")
	p.cmd.Stderr = &p.err
	in, mine, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.in, p.out, p.cmd.Stdin, p.cmd.Stdout = mine, out, in, theirs
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_CORE, &was); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{Cur: was.Max, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_CORE, &was)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	theirs.Close()
	return p
}

// waitFor reads standard output until a text was there; if it is empty, it waits until the
// process has read what was written to its standard input.
func (p *watched) waitFor(t *testing.T, text string) {
	t.Helper()
	for text == "" {
		left, err := unix.IoctlGetInt(int(p.in.Fd()), unix.TIOCINQ)
		if err != nil {
			t.Fatal(err)
		}
		if left == 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	var got []byte
	for piece := make([]byte, 4096); text != "" && !bytes.Contains(got, []byte(text)); {
		n, err := p.out.Read(piece)
		got = append(got, piece[:n]...)
		if err != nil {
			t.Fatalf("standard output ended with %q: %v\n%s", got, err, p.err.Bytes())
		}
	}
}

// end lets the process end, and says how it did.
func (p *watched) end() string {
	timer := time.AfterFunc(time.Minute, func() { p.in.Close() }) // to which it ends if it was not killed
	_ = p.cmd.Wait()                                              // how it ended is what is asked
	if timer.Stop() {
		p.in.Close()
	}
	return p.cmd.ProcessState.String()
}

// inspect looks at what everybody, or the same user, can see of a process.
func (h *hunt) inspect(t *testing.T, pid int) {
	t.Helper()
	for _, name := range []string{"cmdline", "environ", "comm", "status", "maps"} {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
		if err != nil && !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s: %v", name, err)
		}
		if found := h.marks.in(b); found != "" {
			t.Errorf("in %s of the process there is %s", name, found)
		}
	}
}

// cores returns what lists and removes cores of processes in the directory of the work. It
// skips the test, in plain words, where no process leaves one that can be found.
func (h *hunt) cores(t *testing.T, plain string) func() []string {
	t.Helper()
	list := func() (found []string) {
		found, _ = filepath.Glob(h.path("work/core*"))
		for _, f := range found {
			os.Remove(f)
		}
		return found
	}
	t.Setenv(envPassphrase, plain)
	p := h.begin(t, "unhardened", nil)
	p.waitFor(t, "ready")
	if err := p.cmd.Process.Signal(syscall.SIGABRT); err != nil {
		t.Fatal(err)
	}
	state := p.end()
	found, _ := filepath.Glob(h.path("work/core*"))
	holds := false
	for _, f := range found {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		holds = holds || bytes.Contains(b, []byte(h.values["plain"]))
	}
	list()
	pattern, _ := os.ReadFile("/proc/sys/kernel/core_pattern")
	t.Logf("a program that is not keywright: %s; its core holds the value: %v", state, holds)
	if !holds {
		t.Logf("SKIPPED: whether keywright leaves a core is not looked at: cores go to %q here, or are forbidden, and what is no keywright leaves none in its directory either", bytes.TrimSpace(pattern))
	}
	return list
}
