package cmd

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/keywright/keywright/internal/durable"
	"github.com/keywright/keywright/internal/durable/durabletest"
	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/secret"
)

// KEYWRIGHT_CRASHES=all tries every moment, where a usual run takes a sample, and a short
// one a small one.
const crashesVariable = "KEYWRIGHT_CRASHES"

func allCrashes() bool { return os.Getenv(crashesVariable) == "all" }

// every is the step of a sample.
func every(step int) int {
	switch {
	case allCrashes():
		return 1
	case testing.Short():
		return 4*step + 1
	}
	return step
}

// keyState is what a user knows of a key.
type keyState struct{ current, previous, owner string }

// holdings is what keyring holds, by name.
type holdings map[string]keyState

func (k *keyring) holdings(ctx context.Context) (holdings, error) {
	h := holdings{}
	err := k.Each(ctx, func(key keystore.Key, versions map[int]keystore.Parts) error {
		s := keyState{owner: key.Owner}
		for _, v := range key.Versions {
			value := string(versions[v.Number][keystore.SinglePart].Reveal())
			switch v.Stage {
			case keystore.Current:
				s.current = value
			case keystore.Previous:
				s.previous = value
			default:
				return fmt.Errorf("%s has a version that is %s", key.Name, v.Stage)
			}
		}
		h[key.Name.String()] = s
		return nil
	})
	return h, err
}

// verb is a command line, and what it reads.
type verb struct {
	args  []string
	stdin string
}

// verbs are one use of everything that changes keys. Files are in the directory dir.
func verbs(dir string) []verb {
	file := func(name string) string { return filepath.Join(dir, name) }
	return []verb{
		{args: []string{"set", "prod/A"}, stdin: "one"},
		{args: []string{"set", "prod/A", "--owner", "Ada"}, stdin: strings.Repeat("two ", 1000)},
		{args: []string{"set", "prod/A"}, stdin: "three"},
		{args: []string{"set", "prod/A", "--undo"}},
		{args: []string{"edit", "prod/A", "--owner", "Bea"}},
		{args: []string{"generate", "prod/B", "--kind", "hex"}},
		{args: []string{"mv", "prod/B", "dev/C"}},
		{args: []string{"import", "dev", file("env")}},
		{args: []string{"get", "prod/A"}},
		{args: []string{"backup", file("keys.backup"), "--passphrase-file", file("phrase")}},
		{args: []string{"rm", "--yes", "dev/C"}},
		{args: []string{"rm", "--yes", "prod/A"}},
		{args: []string{"restore", file("keys.backup"), "--identity", file("identity")}},
	}
}

// step is a verb that was run, and what was there before and after it.
type step struct {
	verb
	begin, end    int // operations of the disk
	before, after holdings
	entries       [2]int64 // of the audit log, before and after
}

// story is what happened to a disk.
type story struct {
	disk  *durabletest.Recorder
	steps []step
}

// where keys are kept, below the root of a disk: two directories deep, and both are made.
func homeIn(root string) string { return filepath.Join(root, "share", "keywright") }

// keptIn makes the verbs keep keys below root.
func keptIn(t *testing.T, root string) { t.Setenv(envHome, homeIn(root)) }

// memoryDir is a temporary directory, in memory where that is easily had: simulated disks
// have thousands of small files.
func memoryDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "keywright-test")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// props makes the files that the verbs read, outside of the disk that loses power.
func props(t *testing.T) (dir string) {
	t.Helper()
	dir = memoryDir(t)
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"identity": identity.String(), "env": "X=1\nY=2\nA=3\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv(envKeystore, "agefile")
	t.Setenv(envIdentity, filepath.Join(dir, "identity"))
	return dir
}

// on is a terminal whose keys are on a disk.
func on(s durable.System, stdin string) *screen {
	scr := newScreen()
	scr.in, scr.disk = strings.NewReader(stdin), durable.On(s)
	return scr
}

// items is a backend that is not on the disk, and keeps at once what it is given.
type items struct {
	disk *durabletest.Recorder // nil if nobody records it
	held map[string]string
}

type itemPut struct{ name, value string }

type itemDeleted struct{ name string }

func (i items) Put(_ context.Context, name string, v secret.Value) error {
	i.note(itemPut{name, string(v.Reveal())})
	return nil
}

func (i items) Get(_ context.Context, name string) (secret.Value, error) {
	v, ok := i.held[name]
	if !ok {
		return secret.Value{}, keystore.ErrNoItem
	}
	return secret.New([]byte(v)), nil
}

func (i items) Delete(_ context.Context, name string) error {
	i.note(itemDeleted{name})
	return nil
}

func (i items) note(what any) {
	if i.disk != nil {
		i.disk.Note(what)
	}
	switch n := what.(type) {
	case itemPut:
		i.held[n.name] = n.value
	case itemDeleted:
		delete(i.held, n.name)
	}
}

// and is the items after what was noted.
func (i items) and(notes []any) items {
	next := items{held: maps.Clone(i.held)}
	for _, n := range notes {
		next.note(n)
	}
	return next
}

// itemsAt are those of a moment.
func itemsAt(r *durabletest.Recorder, n int) items {
	return items{held: map[string]string{}}.and(r.Notes(n))
}

// crashLab is where verbs are run on disks that lose power.
type crashLab struct {
	t       *testing.T
	outside bool // the backend is elsewhere, not on the disk
	props   string
	seen    map[string]bool // what was checked
}

func newCrashLab(t *testing.T, outside bool) *crashLab {
	t.Helper()
	return &crashLab{t, outside, props(t), map[string]bool{}}
}

func (l *crashLab) screen(s durable.System, i items, stdin string) *screen {
	scr := on(s, stdin)
	if l.outside {
		scr.items = func(string, asking) (keystore.Items, error) { return i, nil }
	}
	return scr
}

// tell runs all verbs on a new disk and notes what each did.
func (l *crashLab) tell() story {
	l.t.Helper()
	root := l.newRoot(nil)
	keptIn(l.t, root)
	r, err := durabletest.NewRecorder(root)
	if err != nil {
		l.t.Fatal(err)
	}
	i := items{r, map[string]string{}}
	s := story{disk: r}
	look := func() (holdings, int64) {
		l.t.Helper()
		scr := l.screen(r, i, "")
		keys, err := openKeys(&scr.terminal, mayAsk)
		if err != nil {
			l.t.Fatal(err)
		}
		h, err := keys.holdings(l.t.Context())
		if err != nil {
			l.t.Fatal(err)
		}
		report, err := keys.log.Verify(l.t.Context())
		if err != nil {
			l.t.Fatal(err)
		}
		return h, report.Size
	}
	before, entries := look()
	for _, v := range verbs(l.props) {
		if v.args[0] == "backup" { // it is locked with the identity here: a passphrase takes long
			to, err := os.ReadFile(filepath.Join(l.props, "identity"))
			if err != nil {
				l.t.Fatal(err)
			}
			id, err := age.ParseX25519Identity(string(to))
			if err != nil {
				l.t.Fatal(err)
			}
			v.args = []string{"backup", v.args[1], "--recipient", id.Recipient().String()}
		}
		begin := r.Len()
		scr := l.screen(r, i, v.stdin)
		if code := run(l.t.Context(), &scr.terminal, v.args); code != exitOK && !(v.args[0] == "restore" && code == exitIncomplete) {
			l.t.Fatalf("%v: exit %d\n%s", v.args, code, scr.stderr.String())
		}
		after, more := look()
		s.steps = append(s.steps, step{v, begin, r.Len(), before, after, [2]int64{entries, more}})
		before, entries = after, more
	}
	return s
}

// bounds are what may be there after a crash.
type bounds struct {
	among   []holdings // the first is what there was before
	entries [2]int64   // of the audit log: the least and the most
}

// bounds of a crash in a step, or after it when it is over.
func (s step) bounds(over bool) bounds {
	if over {
		return bounds{[]holdings{s.after}, [2]int64{s.entries[1], s.entries[1]}}
	}
	return bounds{[]holdings{s.before, s.after}, s.entries}
}

// check is what must hold after a crash, wherever that was. It returns what there is,
// and how many entries of the audit log count.
func (l *crashLab) check(root string, i items, want bounds) (holdings, int64, error) {
	keptIn(l.t, root)
	ctx := l.t.Context()
	scr := l.screen(durabletest.Unsynced{}, i, "")
	keys, err := openKeys(&scr.terminal, mayAsk)
	if err != nil {
		return nil, 0, err
	}
	got, err := keys.holdings(ctx)
	if err != nil {
		return nil, 0, err
	}
	if err := want.allow(got); err != nil {
		return nil, 0, err
	}
	report, err := keys.log.Verify(ctx)
	if err != nil {
		return nil, 0, err
	}
	recorded := report.Size + report.Unacknowledged
	if recorded < want.entries[0] || recorded > want.entries[1] {
		return nil, 0, fmt.Errorf("the log has %d entries, not %d", recorded, want.entries)
	}
	if recorded == want.entries[0] && !maps.Equal(got, want.among[0]) {
		return nil, 0, errors.New("what was done is not in the log")
	}
	return got, recorded, nil
}

func (b bounds) allow(got holdings) error {
	if slices.ContainsFunc(b.among, func(h holdings) bool { return maps.Equal(got, h) }) {
		return nil
	}
	return fmt.Errorf("there is %v, and not one of %v", got, b.among)
}

// recover is the life after a crash: doctor is content, and keys can be stored.
func (l *crashLab) recover(i items, got holdings) error {
	ctx := l.t.Context()
	for _, v := range []verb{{args: []string{"doctor"}}, {args: []string{"set", "next/KEY"}, stdin: "next"}} {
		scr := l.screen(durabletest.Unsynced{}, i, v.stdin)
		if code := run(ctx, &scr.terminal, v.args); code != exitOK || strings.Contains(scr.stderr.String(), "warning") {
			return fmt.Errorf("afterwards, %v: exit %d\n%s%s", v.args, code, scr.stdout.String(), scr.stderr.String())
		}
	}
	scr := l.screen(durabletest.Unsynced{}, i, "")
	keys, err := openKeys(&scr.terminal, mayAsk)
	if err != nil {
		return err
	}
	dir, _ := keysDir()
	if left, err := filepath.Glob(filepath.Join(dir, ".*.tmp")); len(left) > 0 || err != nil {
		return fmt.Errorf("left over: %v, %v", left, err)
	}
	now, err := keys.holdings(ctx)
	if err != nil {
		return err
	}
	want := maps.Clone(got)
	want["next/KEY"] = keyState{current: "next"}
	if !maps.Equal(now, want) {
		return fmt.Errorf("afterwards there is %v, not %v", now, want)
	}
	report, err := keys.log.Verify(ctx)
	if err == nil && report.Unacknowledged+report.Unfinished > 0 {
		err = fmt.Errorf("the log is not mended: %+v", report)
	}
	return err
}

// loss is a moment, and a way to lose power at it.
type loss struct {
	step int
	n    int
	way  uint64
}

// losses are those of a story at some moments; at all of them if there are none.
func (s story) losses(ways uint64, moments ...int) (all []loss) {
	for i, step := range s.steps {
		for n := step.begin; n <= step.end; n++ {
			if len(moments) > 0 && !slices.Contains(moments, n) {
				continue
			}
			for way := range ways {
				all = append(all, loss{i, n, way})
			}
		}
	}
	return all
}

// try makes a loss and checks what is left. It reports whether that was seen before.
func (l *crashLab) try(s story, at loss, deaf durabletest.Site) (again bool, err error) {
	step, items := s.steps[at.step], itemsAt(s.disk, at.n)
	tree := s.disk.Lose(at.n, at.way, deaf)
	found := fmt.Sprintf("%x %v %v %v", tree.Digest(), items.held, at.step, at.n == step.end)
	if l.seen[found] {
		return true, nil
	}
	l.seen[found] = true
	root := l.newRoot(tree)
	defer os.RemoveAll(root)
	got, _, err := l.check(root, items, step.bounds(at.n == step.end))
	if err == nil {
		err = l.recover(items, got)
	}
	if err != nil {
		return false, fmt.Errorf("%v, power lost at %d of %d in way %d: %w", step.args, at.n-step.begin, step.end-step.begin, at.way, err)
	}
	return false, nil
}

// newRoot is a directory with a tree in it.
func (l *crashLab) newRoot(tree durabletest.Tree) string {
	root, err := os.MkdirTemp(l.props, "lost")
	if err == nil {
		err = tree.Write(root)
	}
	if err != nil {
		l.t.Fatal(err)
	}
	return root
}

// again stores a key after a crash, and loses power in the middle of that. If the
// process alone was killed in the first crash, what it did may be lost with the second.
func (l *crashLab) again(s story, at loss, killed bool, deaf durabletest.Site) (sites []durabletest.Site, err error) {
	step, first := s.steps[at.step], itemsAt(s.disk, at.n)
	want := step.bounds(at.n == step.end)
	var r *durabletest.Recorder
	var root string
	if killed {
		root = l.newRoot(nil)
		r, err = s.disk.Fork(at.n, root)
	} else {
		root = l.newRoot(s.disk.Lose(at.n, at.way, ""))
		r, err = durabletest.NewRecorder(root)
	}
	defer os.RemoveAll(root)
	if err != nil {
		l.t.Fatal(err)
	}
	got, entries, err := l.check(root, first, want)
	if err != nil {
		return nil, err
	}
	begin := r.Len()
	i := items{r, maps.Clone(first.held)}
	scr := l.screen(r, i, "next")
	if code := run(l.t.Context(), &scr.terminal, []string{"set", "next/KEY"}); code != exitOK {
		return nil, fmt.Errorf("set: exit %d\n%s", code, scr.stderr.String())
	}
	next := maps.Clone(got)
	next["next/KEY"] = keyState{current: "next"}
	want.among = append(want.among, next)
	want.entries[1] = entries + 1
	if !killed {
		want = bounds{[]holdings{got, next}, [2]int64{entries, entries + 1}}
	}
	base := first
	if killed {
		base = items{held: map[string]string{}} // the notes tell all
	}
	for n, way := range moments(begin, r.Len(), at, killed) {
		want := want
		if n == r.Len() {
			want = bounds{[]holdings{next}, [2]int64{entries + 1, entries + 1}}
		}
		lost := l.newRoot(r.Lose(n, way, deaf))
		_, _, err := l.check(lost, base.and(r.Notes(n)), want)
		os.RemoveAll(lost)
		if err != nil {
			return nil, fmt.Errorf("%v, stopped at %d of %d (killed: %v, way %d), then at %d of %d in way %d: %w", step.args, at.n-step.begin, step.end-step.begin, killed, at.way, n-begin, r.Len()-begin, way, err)
		}
	}
	return r.Sites(), nil
}

// moments are those to lose power at after a first crash, and in what way: after a kill
// the first and the last, with nothing there that does not last; otherwise some.
func moments(begin, end int, after loss, killed bool) iter.Seq2[int, uint64] {
	return func(yield func(int, uint64) bool) {
		if killed {
			for n := begin; n < min(begin+30, end); n += 2 {
				if !yield(n, durabletest.Nothing) {
					return
				}
			}
			yield(end, durabletest.Nothing)
			return
		}
		rng := rand.New(rand.NewPCG(uint64(after.n), after.way))
		for range 3 {
			if !yield(begin+rng.IntN(end-begin+1), rng.Uint64N(6)) {
				return
			}
		}
	}
}

// backends are where secrets may be, besides the metadata.
var backends = []struct {
	name    string
	outside bool
}{{"elsewhere", true}, {"in the file", false}}

// TestPowerLoss loses power at every moment of every verb, and looks at what may then
// be on the disk: keys are as they were or as they were to be, metadata and log verify,
// doctor is content, and keys can be stored.
func TestPowerLoss(t *testing.T) {
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			l := newCrashLab(t, b.outside)
			s := l.tell()
			all := s.losses(12)
			count, same := 0, 0
			for i, at := range all {
				if i%every(127) != 0 {
					continue
				}
				again, err := l.try(s, at, "")
				if err != nil {
					t.Error(err)
				}
				count++
				if again {
					same++
				}
			}
			t.Logf("%d of %d losses of power, at %d moments of %d verbs; %d left what another had left", count, len(all), s.disk.Len(), len(s.steps), same)
		})
	}
}

// TestPowerLossAgain loses power while keywright mends what a crash has left.
func TestPowerLossAgain(t *testing.T) {
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			l := newCrashLab(t, b.outside)
			s := l.tell()
			all := s.losses(5)
			count := 0
			renamed := map[int]bool{} // and not synchronised
			for _, site := range s.disk.Sites() {
				if strings.HasSuffix(string(site), " "+filepath.Base(homeIn(""))) {
					for _, n := range s.disk.At(site) {
						renamed[n-1] = true
					}
				}
			}
			for i, at := range all {
				killed := at.way == durabletest.All
				first := at.step == 0 && killed && (b.outside || renamed[at.n])
				if !first && i%every(331) != 0 {
					continue
				}
				if _, err := l.again(s, at, killed, ""); err != nil {
					t.Error(err)
				}
				count++
			}
			t.Logf("%d of %d crashes, each with more", count, len(all))
		})
	}
}

// spare are the calls that make nothing last: what they synchronise is empty.
var spare = []string{"entries", "hashes"}

// TestEverySyncIsNeeded takes out each call that makes something last, in turn: then
// something is lost, or not understood.
func TestEverySyncIsNeeded(t *testing.T) {
	needed, missed := map[durabletest.Site]bool{}, map[durabletest.Site]bool{}
	for _, b := range backends {
		l := newCrashLab(t, b.outside)
		s := l.tell()
		for _, site := range s.disk.Sites() {
			if needed[site] || missed[site] && !allCrashes() {
				continue // the other backend has shown it
			}
			err := l.firstFailure(s, site)
			t.Logf("%s, without %s: %.160v", b.name, site, err)
			if err != nil {
				needed[site] = true
			} else {
				missed[site] = true
			}
		}
		if b.outside {
			l.neededAgain(s, needed, missed)
		}
	}
	for site := range missed {
		where, what, _ := strings.Cut(string(site), " ")
		if !needed[site] && !(strings.Contains(where, "(*File).Sync") && slices.Contains(spare, what)) {
			t.Errorf("without %s nothing is missed", site)
		}
	}
	if len(needed) < 9 {
		t.Errorf("only %d are needed: %v", len(needed), slices.Sorted(maps.Keys(needed)))
	}
}

// neededAgain takes out what is made to last only because somebody was killed.
func (l *crashLab) neededAgain(s story, needed, missed map[durabletest.Site]bool) {
	killed := s.losses(durabletest.All+1, slices.Collect(between(s.steps[0].begin, s.steps[0].end))...)
	killed = slices.DeleteFunc(killed, func(at loss) bool { return at.way != durabletest.All })
	where := map[durabletest.Site][]loss{}
	for _, at := range killed {
		sites, err := l.again(s, at, true, "")
		if err != nil {
			l.t.Fatal(err)
		}
		for _, site := range sites {
			if !needed[site] && !missed[site] {
				where[site] = append(where[site], at)
			}
		}
	}
	for site, losses := range where {
		missed[site] = true
		for _, at := range losses {
			if _, err := l.again(s, at, true, site); err != nil {
				l.t.Logf("without %s: %.160v", site, err)
				needed[site] = true
				break
			}
		}
	}
}

func between(from, to int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for n := from; n <= to && yield(n); n++ {
		}
	}
}

// firstFailure takes a site out, and tells what comes of it. It looks where that is
// likely, soon after and when a verb is done, or everywhere where there is little to try.
func (l *crashLab) firstFailure(s story, deaf durabletest.Site) error {
	var near []int
	for _, n := range s.disk.At(deaf) {
		near = append(near, n, n+1, n+2, n+3, n+4)
	}
	for _, step := range s.steps {
		near = append(near, step.end)
	}
	if l.outside {
		near = nil
	}
	for _, at := range s.losses(8, near...) {
		if _, err := l.try(s, at, deaf); err != nil {
			return err
		}
	}
	return nil
}
