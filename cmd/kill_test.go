package cmd

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/keywright/keywright/audit"
	"github.com/keywright/keywright/internal/durable"
	"github.com/keywright/keywright/internal/durable/durabletest"
	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/keystore/keystoretest"
	"github.com/keywright/keywright/secret"
)

// These tell a copy of the test that it is a verb: its arguments as JSON, and at which
// write it is killed, 0 for none, -1 for none and to say how many there were.
const (
	verbVariable   = "KEYWRIGHT_TEST_VERB"
	killAtVariable = "KEYWRIGHT_TEST_KILL_AT"
)

// inVerb is the verb, if this process is one. It does not return then.
func inVerb(t *testing.T) {
	text := os.Getenv(verbVariable)
	if text == "" {
		return
	}
	var args []string
	var at int64
	if err := errors.Join(json.Unmarshal([]byte(text), &args), json.Unmarshal([]byte(os.Getenv(killAtVariable)), &at)); err != nil {
		t.Fatal(err)
	}
	term := systemTerminal()
	killer := durabletest.NewKiller(at)
	if at != 0 {
		term.disk = durable.On(killer)
		term.items = func(dir string, ask asking) (keystore.Items, error) {
			i, err := term.backend(dir, ask)
			if os.Getenv(envKeystore) == "agefile" {
				return i, err // its writes are the disk's
			}
			return killedItems{i, killer}, err
		}
	}
	code := run(t.Context(), term, args)
	if at < 0 {
		fmt.Fprintf(os.Stderr, "%d writes\n", killer.Count())
	}
	os.Exit(code)
}

// writesOf is how many writes a process says that there were.
func writesOf(t *testing.T, printed string) (n int) {
	t.Helper()
	for line := range strings.Lines(printed) {
		if _, err := fmt.Sscanf(line, "%d writes", &n); err == nil {
			return n
		}
	}
	t.Fatalf("it does not say how many writes there were:\n%s", printed)
	return 0
}

// killedItems counts what is changed in a keychain: before and after it is.
type killedItems struct {
	keystore.Items
	killer *durabletest.Killer
}

func (k killedItems) Put(ctx context.Context, name string, v secret.Value) error {
	k.killer.Step()
	defer k.killer.Step()
	return k.Items.Put(ctx, name, v)
}

func (k killedItems) Delete(ctx context.Context, name string) error {
	k.killer.Step()
	defer k.killer.Step()
	return k.Items.Delete(ctx, name)
}

// process is a command that runs a verb in a process of its own.
func process(test string, at int, c change) *exec.Cmd {
	args, _ := json.Marshal(c.args)
	cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$")
	cmd.Env = append(os.Environ(), verbVariable+"="+string(args), fmt.Sprintf("%s=%d", killAtVariable, at))
	cmd.Stdin = strings.NewReader(c.stdin)
	return cmd
}

// wasKilled reports whether a process was, rather than having ended.
func wasKilled(err error) bool {
	var exit *exec.ExitError
	return errors.As(err, &exit) && (exit.ExitCode() == -1 || isWindows && exit.ExitCode() == 1)
}

// made stands for a value that keywright made.
const made = "(made)"

// change is a verb and what it does to holdings. It reports whether it can: if not, the
// verb fails, and changes nothing.
type change struct {
	verb
	apply func(holdings) bool
}

// put is what storing a value does.
func (h holdings) put(name, value string) {
	h[name] = keyState{value, h[name].current, h[name].owner}
}

// fits reports whether what is there is what is wanted, or something made is.
func (h holdings) fits(want holdings) bool {
	return maps.EqualFunc(h, want, keyState.fits)
}

func (s keyState) fits(want keyState) bool {
	return fitsValue(s.current, want.current) && fitsValue(s.previous, want.previous) && s.owner == want.owner
}

func fitsValue(is, want string) bool {
	if want == made {
		b, err := hex.DecodeString(is)
		return err == nil && len(b) == 32
	}
	return is == want
}

func setting(name, value string) change {
	return change{verb{args: []string{"set", name}, stdin: value}, func(h holdings) bool { h.put(name, value); return true }}
}

func undoing(name string) change {
	return change{verb{args: []string{"set", "--undo", name}}, func(h holdings) bool {
		s, ok := h[name]
		if !ok || s.previous == "" {
			return false
		}
		h[name] = keyState{s.previous, s.current, s.owner}
		return true
	}}
}

func removing(name string) change {
	return change{verb{args: []string{"rm", "--yes", name}}, func(h holdings) bool {
		_, ok := h[name]
		delete(h, name)
		return ok
	}}
}

func moving(from, to string) change {
	return change{verb{args: []string{"mv", from, to}}, func(h holdings) bool {
		s, ok := h[from]
		if _, taken := h[to]; !ok || taken {
			return false
		}
		delete(h, from)
		h[to] = s
		return true
	}}
}

func editing(name, owner string) change {
	return change{verb{args: []string{"edit", name, "--owner", owner}}, func(h holdings) bool {
		s, ok := h[name]
		if ok {
			h[name] = keyState{s.current, s.previous, owner}
		}
		return ok
	}}
}

func getting(name string) change {
	return change{verb{args: []string{"get", name}}, func(h holdings) bool { _, ok := h[name]; return ok }}
}

func generating(name string) change {
	return change{verb{args: []string{"generate", name, "--kind", "hex"}}, func(h holdings) bool { h.put(name, made); return true }}
}

// importing imports a file of the values given for names, NAME=VALUE.
func importing(env, file string, lines ...string) change {
	return change{verb{args: []string{"import", env, file, "--replace"}}, func(h holdings) bool {
		for _, line := range lines {
			name, value, _ := strings.Cut(line, "=")
			if h[env+"/"+name].current != value { // else it has it already
				h.put(env+"/"+name, value)
			}
		}
		return true
	}}
}

// in is what there is in an environment, read anew. Others may change the rest.
func (k *keyring) in(ctx context.Context, env string) (holdings, error) {
	catalog, err := k.Catalog(ctx)
	if err != nil {
		return nil, err
	}
	h := holdings{}
	for i := range catalog.Keys {
		key := &catalog.Keys[i]
		if key.Env != env {
			continue
		}
		s := keyState{owner: key.Owner}
		for stage, value := range map[keystore.Stage]*string{keystore.Current: &s.current, keystore.Previous: &s.previous} {
			parts, _, err := k.Get(ctx, key.Name, stage)
			if errors.Is(err, keystore.ErrNoVersion) {
				continue
			}
			if err != nil {
				return nil, err
			}
			*value = string(parts[keystore.SinglePart].Reveal())
		}
		h[key.Name.String()] = s
	}
	return h, nil
}

// happened reports what is wrong after a change that was perhaps interrupted.
func (c change) happened(before, got holdings, interrupted bool) error {
	after := maps.Clone(before)
	if !c.apply(after) {
		after = before
	}
	if got.fits(after) || interrupted && got.fits(before) {
		return nil
	}
	return fmt.Errorf("%v: there is %v\nbefore: %v\nafter: %v", c.args, got, before, after)
}

// realBackends are those that processes share. Each makes the verbs use it, if it is
// there.
var realBackends = []struct {
	name string
	use  func(t *testing.T) (dir string, there bool)
}{{"agefile", useAgefile}, {"keychain", useKeychain}}

func useAgefile(t *testing.T) (dir string, there bool) {
	dir = t.TempDir()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "identity"), []byte(identity.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(envKeystore, "agefile")
	t.Setenv(envIdentity, filepath.Join(dir, "identity"))
	t.Setenv(envHome, filepath.Join(dir, "home"))
	return dir, true
}

func useKeychain(t *testing.T) (string, bool) {
	dir, there := keystoretest.SecretService(t)
	if !there {
		return "", false
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv(envKeystore, "keychain")
	t.Setenv(envHome, filepath.Join(dir, "home"))
	return dir, true
}

// openReal opens the keys as a verb does.
func openReal(t *testing.T) *keyring {
	t.Helper()
	keys, err := openKeys(&newScreen().terminal, mayAsk)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// content is what must hold in the end, and at any time: metadata and log verify, and
// doctor finds nothing wrong.
func content(t *testing.T, keys *keyring) error {
	if _, err := keys.log.Verify(t.Context()); err != nil {
		return err
	}
	scr := newScreen()
	if code := run(t.Context(), &scr.terminal, []string{"doctor"}); code != exitOK {
		return fmt.Errorf("doctor: exit %d\n%s%s", code, scr.stdout.String(), scr.stderr.String())
	}
	return nil
}

// TestKillAtEveryWrite kills a process at each write of every verb, one after the other:
// at each change of the disk, and before and after each of the keychain.
func TestKillAtEveryWrite(t *testing.T) {
	inVerb(t)
	for _, b := range realBackends {
		t.Run(b.name, func(t *testing.T) {
			if dir, there := b.use(t); there {
				killAtEveryWrite(t, dir)
			}
		})
	}
}

func killAtEveryWrite(t *testing.T, dir string) {
	file := filepath.Join(dir, "env")
	if err := os.WriteFile(file, []byte("X=1\nY=2\nZ=3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	keys := openReal(t)
	values := 0
	value := func() string {
		values++
		return fmt.Sprintf("value %d %s", values, strings.Repeat("x", values%2*3000))
	}
	without := func(name string) change { return removing(name) }
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	identity, saved := filepath.Join(dir, "for-backups"), filepath.Join(dir, "keys.backup")
	if err := os.WriteFile(identity, []byte(id.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	backup := func(file string) change {
		return change{verb{args: []string{"backup", file, "--recipient", id.Recipient().String()}}, func(holdings) bool { return true }}
	}
	kept := holdings{}
	for _, name := range []string{"rest/A", "rest/B"} {
		for _, c := range []change{setting(name, value()), setting(name, value()), backup(saved)} {
			_ = os.Remove(saved)
			c.apply(kept)
			scr := newScreen()
			scr.in = strings.NewReader(c.stdin)
			if code := run(t.Context(), &scr.terminal, c.args); code != exitOK {
				t.Fatalf("%q: exit %d, %s", c.args, code, scr.stderr.String())
			}
		}
	}
	restore := change{verb{args: []string{"restore", saved, "--identity", identity}}, func(h holdings) bool { maps.Copy(h, kept); return true }}
	protect := change{verb{args: []string{"edit", "lab", "--protected"}}, func(holdings) bool { return true }}
	for _, trial := range []struct {
		what  string
		first []change // what must be done for it to mean something; it may fail
		do    func() change
	}{
		{"set", nil, func() change { return setting("prod/A", value()) }},
		{"set anew", []change{without("prod/N")}, func() change { return setting("prod/N", value()) }},
		{"undo", []change{setting("prod/A", "1"), setting("prod/A", "2")}, func() change { return undoing("prod/A") }},
		{"edit", nil, func() change { return editing("prod/A", value()[:7]) }},
		{"generate", nil, func() change { return generating("prod/B") }},
		{"mv", []change{generating("prod/B"), without("dev/C")}, func() change { return moving("prod/B", "dev/C") }},
		{"import", []change{without("dev/X"), without("dev/Y"), without("dev/Z")}, func() change { return importing("dev", file, "X=1", "Y=2", "Z=3") }},
		{"get", nil, func() change { return getting("prod/A") }},
		{"rm", []change{setting("dev/C", "x")}, func() change { return removing("dev/C") }},
		{"restore", []change{without("rest/A"), without("rest/B")}, func() change { return restore }},
		{"backup", nil, func() change { return backup(filepath.Join(dir, fmt.Sprint("backup", rand.Int()))) }},
		{"protect", nil, func() change { return protect }},
	} {
		kills, writes := 0, 0
		step := every(37)
		for at := 1 + rand.IntN(step); ; at += step {
			for _, c := range trial.first {
				scr := newScreen()
				scr.in = strings.NewReader(c.stdin)
				_ = run(t.Context(), &scr.terminal, c.args)
			}
			before, err := keys.holdings(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			c := trial.do()
			out, err := process("TestKillAtEveryWrite", at, c).CombinedOutput()
			killed := wasKilled(err)
			if !killed && err != nil {
				t.Fatalf("%v: %v\n%s", c.args, err, out)
			}
			got, err := keys.holdings(t.Context())
			if err == nil {
				err = c.happened(before, got, killed)
			}
			if err == nil {
				err = content(t, keys)
			}
			if err != nil {
				t.Fatalf("killed at write %d: %v", at, err)
			}
			if !killed {
				writes = at - 1
				break
			}
			kills++
		}
		t.Logf("%s: killed at %d of about %d writes", trial.what, kills, writes)
	}
}

const (
	lanes     = 4
	laneOps   = 1000
	laneKills = 200
)

// TestKillAtRandom lets four processes at a time run verbs on keys of one store, and
// kills some at a random moment.
func TestKillAtRandom(t *testing.T) {
	inVerb(t)
	ops, kills := laneOps/every(40), laneKills/every(40)
	for _, b := range realBackends {
		t.Run(b.name, func(t *testing.T) {
			dir, there := b.use(t)
			if !there {
				return
			}
			r := &race{t: t, dir: dir, test: "TestKillAtRandom"}
			r.ops.Store(int64(ops))
			r.kills.Store(int64(kills))
			var all sync.WaitGroup
			for n := range lanes {
				all.Go(func() { r.lane(fmt.Sprintf("lane%d", n)) })
			}
			all.Wait()
			r.end()
			t.Logf("%d verbs were run, and %d of them killed", r.ran.Load(), r.killed.Load())
		})
	}
}

// race is verbs that are run at once.
type race struct {
	t          *testing.T
	dir, test  string
	ops, kills atomic.Int64 // that are still to be
	ran        atomic.Int64
	killed     atomic.Int64

	mu   sync.Mutex
	held holdings       // in the end, of all lanes
	done map[string]int // what was acknowledged, by verb and key
}

// lane runs verbs on the keys of an environment.
func (r *race) lane(env string) {
	t := r.t
	file := filepath.Join(r.dir, env)
	keys := openReal(t)
	held := holdings{}
	usual := 100 * time.Millisecond
	for i := 0; r.ops.Add(-1) >= 0 || r.kills.Load() > 0; i++ {
		c := r.choose(env, file, i)
		after := maps.Clone(held)
		can := c.apply(after)
		cmd := process(r.test, 0, c)
		var out strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &out
		start := time.Now()
		if err := cmd.Start(); err != nil {
			t.Error(err)
			return
		}
		var timer *time.Timer
		if left := r.ops.Load() + 1; rand.Int64N(max(left, 1)) < r.kills.Load() {
			timer = time.AfterFunc(rand.N(usual), func() { _ = cmd.Process.Kill() })
		}
		err := cmd.Wait()
		r.ran.Add(1)
		killed := wasKilled(err)
		if killed {
			r.killed.Add(1)
			r.kills.Add(-1)
		} else if timer == nil {
			usual = (3*usual + time.Since(start)) / 4
		}
		if timer != nil {
			timer.Stop()
		}
		if !killed && (err == nil) != can || strings.Contains(out.String(), "warning") {
			t.Errorf("%v: %v, and it can be done: %v\n%s", c.args, err, can, out.String())
		}
		got, err := keys.in(t.Context(), env)
		if err == nil {
			err = c.happened(held, got, killed)
		}
		if err != nil {
			t.Errorf("killed: %v: %v", killed, err)
			return
		}
		held = got
		if !killed && can {
			r.acknowledge(c, env)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held == nil {
		r.held = holdings{}
	}
	maps.Copy(r.held, held)
}

// choose is a random change of a random key.
func (r *race) choose(env, file string, i int) change {
	name := func() string { return fmt.Sprintf("%s/K%d", env, rand.IntN(4)) }
	value := fmt.Sprintf("%s %d %s", env, i, strings.Repeat("x", i%2*3000))
	switch rand.IntN(10) {
	case 0:
		return undoing(name())
	case 1:
		return removing(name())
	case 2:
		return moving(name(), name())
	case 3:
		return editing(name(), fmt.Sprint("owner ", i))
	case 4:
		return getting(name())
	case 5:
		return generating(name())
	case 6:
		lines := []string{fmt.Sprint("K1=", i), fmt.Sprint("K2=", i), fmt.Sprint("K3=", i)}
		if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
			r.t.Error(err)
		}
		return importing(env, file, lines...)
	}
	return setting(name(), value)
}

// acknowledge notes that a verb said that it was done.
func (r *race) acknowledge(c change, env string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done == nil {
		r.done = map[string]int{}
	}
	name, key := c.args[0], c.args[1]
	switch {
	case name == "import":
		key = env + "/K2"
	case name == "rm":
		key = c.args[2]
	case key == "--undo":
		name, key = "undo", c.args[2]
	}
	r.done[name+" "+key]++
}

// end checks everything, once all is quiet.
func (r *race) end() {
	t := r.t
	keys := openReal(t)
	got, err := keys.holdings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(got, r.held) {
		t.Errorf("in the end there is %v, not %v", got, r.held)
	}
	if err := content(t, keys); err != nil {
		t.Error(err)
	}
	missing := maps.Clone(r.done)
	for e, err := range keys.log.Entries(t.Context(), audit.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		missing[e.Verb+" "+e.Key]--
	}
	for _, what := range slices.Sorted(maps.Keys(missing)) {
		if missing[what] > 0 {
			t.Errorf("%d of %q are not in the log", missing[what], what)
		}
	}
}
