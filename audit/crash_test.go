package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/keywright/keywright/secret"
)

var errCrash = errors.New("crash")

// plan says at which step a machine stops. Steps are writes, cuts, synchronisations,
// new files, renames and writes to the keychain.
type plan struct {
	step, at int // the machine stops in the step number at; never, if 0
	rng      *rand.Rand
}

// next reports whether the step may be taken: wholly, or, if it is the last one, in
// part.
func (p *plan) next() (whole, part bool) {
	p.step++
	return p.at == 0 || p.step < p.at, p.step == p.at
}

// ram is a disk that loses what was not synchronised, in any part and order.
type ram struct {
	*plan
	files   map[string]*ramFile
	renames [][2]string // that do not last yet
	deaf    string      // a synchronisation that does nothing: of a file, after a "cut" or "data"
}

type ramFile struct {
	data, lasting []byte
	pending       []change // since the last synchronisation
}

// change is a write, or a cut if there are no bytes.
type change struct {
	at   int64
	data []byte
}

func (c change) apply(b []byte) []byte {
	if c.data == nil {
		return b[:min(c.at, int64(len(b)))]
	}
	if missing := int(c.at) + len(c.data) - len(b); missing > 0 {
		b = append(b, make([]byte, missing)...)
	}
	copy(b[c.at:], c.data)
	return b
}

func newRAM(p *plan) *ram { return &ram{plan: p, files: map[string]*ramFile{}} }

func (d *ram) String() string { return "ram" }

func (d *ram) set(name string, data []byte) {
	d.files[name] = &ramFile{data: slices.Clone(data), lasting: slices.Clone(data)}
}

func (d *ram) open(name string) (file, error) {
	f := d.files[name]
	if f == nil {
		return noFile{}, nil
	}
	return ramReader{strings.NewReader(string(f.data))}, nil
}

type ramReader struct{ *strings.Reader }

func (ramReader) Close() error { return nil }

func (d *ram) create(name string) error {
	if d.files[name] != nil {
		return nil
	}
	return d.replace(name, func(io.Writer) error { return nil })
}

// replace is taken as atomic: that is durable's promise, and tested there.
func (d *ram) replace(name string, write func(io.Writer) error) error {
	var b strings.Builder
	if err := write(&b); err != nil {
		return err
	}
	whole, part := d.next()
	if whole || part && d.rng.IntN(2) == 0 {
		d.set(name, []byte(b.String()))
		d.renames = nil
	}
	if !whole {
		return errCrash
	}
	return nil
}

func (d *ram) rename(name, to string) error {
	whole, part := d.next()
	if f := d.files[name]; f != nil && (whole || part) {
		d.files[to] = f
		delete(d.files, name)
		d.renames = append(d.renames, [2]string{name, to})
	}
	if !whole {
		return errCrash
	}
	return nil
}

func (d *ram) edit(name string) (editable, error) {
	f := d.files[name]
	if f == nil {
		return nil, fmt.Errorf("%s is not there", name)
	}
	return &ramEdit{d, f, name}, nil
}

type ramEdit struct {
	disk *ram
	file *ramFile
	name string
}

func (e *ramEdit) Close() error                   { return nil }
func (e *ramEdit) Seek(int64, int) (int64, error) { return int64(len(e.file.data)), nil }

func (e *ramEdit) change(c change) error {
	whole, part := e.disk.next()
	if part && c.data != nil { // a process can die in the middle of a write
		c.data = c.data[:e.disk.rng.IntN(len(c.data)+1)]
	}
	if (whole || part) && (c.data == nil || len(c.data) > 0) {
		e.file.data = c.apply(e.file.data)
		e.file.pending = append(e.file.pending, c)
	}
	if !whole {
		return errCrash
	}
	return nil
}

func (e *ramEdit) Truncate(size int64) error { return e.change(change{at: size}) }

func (e *ramEdit) WriteAt(p []byte, at int64) (int, error) {
	return len(p), e.change(change{at, append([]byte{}, p...)})
}

func (e *ramEdit) Sync() error {
	if n := len(e.file.pending); n > 0 && e.disk.deaf != "" {
		what := "data"
		if e.file.pending[n-1].data == nil {
			what = "cut"
		}
		if e.disk.deaf == e.name+" "+what {
			return nil
		}
	}
	whole, part := e.disk.next()
	if whole || part && e.disk.rng.IntN(2) == 0 {
		e.file.lasting, e.file.pending = slices.Clone(e.file.data), nil
	}
	if !whole {
		return errCrash
	}
	return nil
}

// powerLoss keeps of each change that does not last any part: whole sectors, in any
// order. Sectors are small, so that a record has several.
func (d *ram) powerLoss() {
	const sector = 64
	for _, f := range d.files {
		b := slices.Clone(f.lasting)
		for _, c := range f.pending {
			if c.data == nil && d.rng.IntN(2) == 0 {
				b = c.apply(b)
			}
			for part := range slices.Chunk(c.data, sector) {
				if d.rng.IntN(2) == 0 {
					b = change{c.at, part}.apply(b)
				}
				c.at += int64(len(part))
			}
		}
		f.data, f.lasting, f.pending = b, slices.Clone(b), nil
	}
	for _, r := range slices.Backward(d.renames) {
		if d.files[r[0]] == nil && d.rng.IntN(2) == 0 {
			d.files[r[0]] = d.files[r[1]]
			delete(d.files, r[1])
		}
	}
	d.renames = nil
}

// crashing is a keychain whose writes are steps.
type crashing struct {
	memory
	*plan
}

func (k *crashing) Put(ctx context.Context, name string, v secret.Value) error {
	whole, part := k.next()
	if whole || part && k.rng.IntN(2) == 0 {
		_ = k.memory.Put(ctx, name, v)
	}
	if !whole {
		return errCrash
	}
	return nil
}

// machine is a log on such a disk, and what its user knows of it.
type machine struct {
	log          *Log
	disk         *ram
	tried        int
	acknowledged []string
}

func newMachine(seed uint64) *machine {
	p := &plan{rng: rand.New(rand.NewPCG(seed, 1))}
	d := newRAM(p)
	return &machine{log: openRAM(d, &crashing{plan: p}), disk: d}
}

func openRAM(d disk, keep Keeper) *Log {
	var lock sync.Mutex
	return &Log{d, keep, func(context.Context) (func() error, error) {
		lock.Lock()
		return func() error { lock.Unlock(); return nil }, nil
	}}
}

func (m *machine) append(t *testing.T, count int) error {
	entries := entriesFrom(m.tried, count)
	m.tried += count
	_, err := m.log.Append(t.Context(), entries...)
	if err == nil {
		for _, e := range entries {
			m.acknowledged = append(m.acknowledged, e.Reason)
		}
	}
	return err
}

// crash runs appends until the step at, and then loses power or not. It reports
// whether the step was reached.
func (m *machine) crash(t *testing.T, at int, power bool) (bool, error) {
	m.disk.step, m.disk.at = 0, at
	defer func() { m.disk.at = 0 }()
	for _, count := range []int{1, 3, 2} {
		err := m.append(t, count)
		if err == nil {
			continue
		}
		if !errors.Is(err, errCrash) {
			return true, err
		}
		if power {
			m.disk.powerLoss()
		}
		return true, nil
	}
	return false, nil
}

// check is what must hold after any crash: the log verifies, and every acknowledged
// entry is in it, in order, among others that were tried.
func (m *machine) check(t *testing.T) error {
	if _, err := m.log.Verify(t.Context()); err != nil {
		return err
	}
	rest, last := m.acknowledged, -1
	for e, err := range m.log.Entries(t.Context(), Filter{}) {
		var f *Fault
		if errors.As(err, &f) && len(rest) == 0 {
			break // what an interrupted append left
		}
		if err != nil {
			return err
		}
		var n int
		if _, err := fmt.Sscanf(e.Reason, "reason %d", &n); err != nil || n <= last || n >= m.tried {
			return fmt.Errorf("entry %q after %d", e.Reason, last)
		}
		last = n
		if len(rest) > 0 && rest[0] == e.Reason {
			rest = rest[1:]
		}
	}
	if len(rest) > 0 {
		return fmt.Errorf("lost %q", rest)
	}
	return nil
}

// campaign crashes machines in every step, and twice more, and returns what the first
// that did not survive says.
func campaign(t *testing.T, deaf string, from, to uint64) error {
	for seed := from; seed < to; seed++ {
		for _, power := range []bool{false, true} {
			for at, more := 1, true; more; at++ {
				m := newMachine(seed<<16 + uint64(at))
				m.disk.deaf = deaf
				var err error
				if more, err = m.crash(t, at, power); err == nil {
					err = m.check(t)
				}
				for again := 0; again < 2 && err == nil; again++ {
					if _, err = m.crash(t, 1+m.disk.rng.IntN(8), power); err == nil {
						err = m.check(t)
					}
				}
				if err == nil {
					err = errors.Join(m.append(t, 1), m.check(t))
				}
				if err != nil {
					return fmt.Errorf("seed %d, power loss %v, step %d: %w", seed, power, at, err)
				}
			}
		}
	}
	return nil
}

func TestCrashes(t *testing.T) {
	if err := errors.Join(campaign(t, "", 0, 12), campaign(t, "", 84, 90)); err != nil {
		t.Error(err)
	}
}

// Without any one synchronisation, something is lost or not understood.
func TestEverySyncIsNeeded(t *testing.T) {
	for deaf, from := range map[string]uint64{
		entriesFile + " data": 0,
		hashesFile + " data":  0,
		entriesFile + " cut":  84, // rare: two torn records must make up a third
	} {
		if err := campaign(t, deaf, from, from+6); err == nil {
			t.Errorf("without %s nothing is missed", deaf)
		} else {
			t.Logf("without %s: %v", deaf, err)
		}
	}
}

// A restart that is interrupted leaves a log that does not verify, or the new one;
// and it can be done again.
func TestCrashInRestart(t *testing.T) {
	for seed := range uint64(20) {
		for at, more := 1, true; more; at++ {
			m := newMachine(seed<<16 + uint64(at))
			if err := m.append(t, 3); err != nil {
				t.Fatal(err)
			}
			m.disk.step, m.disk.at = 0, at
			err := m.log.Restart(t.Context(), Entry{Reason: "again"})
			m.disk.at, more = 0, err != nil
			m.disk.powerLoss()
			var f *Fault
			if r, err := m.log.Verify(t.Context()); err != nil && !errors.As(err, &f) || err == nil && r.Size != 1 && r.Size != 3 {
				t.Fatalf("step %d: %+v, %v", at, r, err)
			}
			if err := m.log.Restart(t.Context(), Entry{Reason: "again"}); err != nil {
				t.Fatal(err)
			}
			r, err := m.log.Verify(t.Context())
			if err != nil || r.Size != 1 {
				t.Fatalf("step %d: %+v, %v", at, r, err)
			}
			for e, err := range m.log.Entries(t.Context(), Filter{}) {
				if err != nil || e.Follows == "" {
					t.Errorf("step %d: %+v, %v", at, e, err)
				}
			}
		}
	}
}

// A failed append, of a full disk for instance, is no crash: the same process goes on.
func TestFailedAppend(t *testing.T) {
	for at := 1; at < 30; at++ {
		m := newMachine(uint64(at))
		if _, err := m.crash(t, at, false); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := errors.Join(m.append(t, 2), m.check(t)); err != nil {
				t.Fatalf("step %d: %v", at, err)
			}
		}
	}
}

func TestCrashInErase(t *testing.T) {
	for at := 1; at < 4; at++ {
		m := newMachine(uint64(at))
		if err := m.append(t, 4); err != nil {
			t.Fatal(err)
		}
		m.disk.step, m.disk.at = 0, at
		_, err := m.log.Erase(t.Context(), entry(2).Time)
		if (err == nil) != (at > 1) {
			t.Errorf("step %d: %v", at, err)
		}
		m.disk.at = 0
		m.disk.powerLoss()
		if r, err := m.log.Verify(t.Context()); err != nil || r.Size != 4 {
			t.Errorf("step %d: %+v, %v", at, r, err)
		}
	}
}

// Hashes that are made again are there whole, or those before them are.
func TestCrashInRehash(t *testing.T) {
	for at := 1; at < 4; at++ {
		m := newMachine(uint64(at))
		if err := m.append(t, 4); err != nil {
			t.Fatal(err)
		}
		m.disk.set(hashesFile, nil)
		m.disk.step, m.disk.at = 0, at
		err := m.log.Rehash(t.Context())
		if (err == nil) != (at > 1) {
			t.Errorf("step %d: %v", at, err)
		}
		m.disk.at = 0
		m.disk.powerLoss()
		_, err = m.log.Verify(t.Context())
		if at > 1 && err != nil || at == 1 && err != nil && !isFault(err, BadHashes, 0) {
			t.Errorf("step %d: %v", at, err)
		}
		if err := m.log.Rehash(t.Context()); err != nil {
			t.Errorf("step %d: again: %v", at, err)
		}
		if r, err := m.log.Verify(t.Context()); err != nil || r.Size != 4 {
			t.Errorf("step %d: %+v, %v", at, r, err)
		}
	}
}
