package cmd

import (
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gomodule/redigo/redis"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/approle/approletest"
	"github.com/keywright/keywright/provider/providertest/daemon"
	"github.com/keywright/keywright/provider/providertest/mysqlserver"
	"github.com/keywright/keywright/provider/providertest/redisserver"
	"github.com/keywright/keywright/rotate"
)

// relay is on the way of a process's calls to a server. It counts what goes through, in
// both directions, and kills the process before one of those gets on: a request that the
// server never sees, or an answer that comes too late.
type relay struct {
	addr   string
	at, n  atomic.Int64
	victim atomic.Pointer[os.Process]
	begun  chan struct{} // closed when there is a victim
}

func newRelay(t *testing.T, to string, at int64) *relay {
	t.Helper()
	l, err := net.Listen("tcp", daemon.Host+":0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{addr: l.Addr().String(), begun: make(chan struct{})}
	r.at.Store(at)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				client.Close()
				continue
			}
			all.Go(func() { r.pass(server, client) })
			all.Go(func() { r.pass(client, server) })
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return r
}

// pass passes on what comes, one piece after the other.
func (r *relay) pass(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	for piece := make([]byte, 1<<16); ; {
		n, err := from.Read(piece)
		if err != nil {
			return
		}
		if r.n.Add(1) == r.at.Load() {
			<-r.begun
			_ = r.victim.Load().Kill()
			return
		}
		if _, err := to.Write(piece[:n]); err != nil {
			return
		}
	}
}

// mortal is a key at a server whose rotation is killed.
type mortal struct {
	admin, key provider.Credential
	addr       string                                                     // where the server listens
	at         func(addr string, c provider.Credential) map[string]string // its parameters, with that address instead
	accepts    func(t *testing.T, c provider.Credential) bool             // the server itself
	number     func(t *testing.T) int                                     // of keys in place of this one that the server accepts
	secret     string                                                     // the part that changes
}

// families are how keys are replaced where there is a server: made here, for another user or
// for the same; and issued by the provider, in turn and in a hurry.
var families = []struct {
	name, provider string
	args           []string
	start          func(t *testing.T) func(t *testing.T) mortal // a server, and a key that nobody else has
}{
	{"made here, two users", "redis", nil, func(t *testing.T) func(*testing.T) mortal {
		s := redisserver.Start(t, "acl file")
		return func(t *testing.T) mortal {
			key := s.Two(t)
			return mortal{
				admin: s.Admin(), key: key, addr: daemon.Host + ":" + s.Port, accepts: s.Accepts, secret: "password", at: hostPort,
				number: func(t *testing.T) (n int) {
					users, err := redis.Strings(s.Do(t, "ACL LIST"), nil)
					if err != nil {
						t.Fatal(err)
					}
					for _, u := range users {
						if f := strings.Fields(u); strings.HasPrefix(f[1], key.ID) && f[2] == "on" {
							n += strings.Count(u, " #")
						}
					}
					return n
				},
			}
		}
	}},
	{"made here, two passwords", "mysql", nil, func(t *testing.T) func(*testing.T) mortal {
		s := mysqlserver.StartMySQL(t)
		return func(t *testing.T) mortal {
			key := s.One(t)
			return mortal{
				admin: s.Admin, key: key, addr: daemon.Host + ":" + s.Port, accepts: s.Accepts, secret: "password", at: hostPort,
				number: func(t *testing.T) int {
					n, err := strconv.Atoi(s.Do(t, "SELECT COUNT(User) + COUNT(User_attributes->>'$.additional_password') FROM mysql.user WHERE User = '"+key.ID+"' AND account_locked = 'N'")[0])
					if err != nil {
						t.Fatal(err)
					}
					return n
				},
			}
		}
	}},
	{"issued", "approle", nil, startRole},
	{"issued, emergency", "approle", []string{"--emergency"}, startRole},
}

// hostPort are the parameters of a credential at another address.
func hostPort(addr string, c provider.Credential) map[string]string {
	p := maps.Clone(c.Params)
	p["host"], p["port"], _ = net.SplitHostPort(addr)
	return p
}

func startRole(*testing.T) func(*testing.T) mortal {
	return func(t *testing.T) mortal {
		f := approletest.Serve(t, approletest.Marked)
		return mortal{
			admin: f.Admin(), key: f.Credential(f.IDs[0]), addr: f.Addr(), secret: "secret_id",
			at:      func(addr string, _ provider.Credential) map[string]string { return approletest.Params(addr) },
			accepts: func(_ *testing.T, c provider.Credential) bool { return f.Accepts(c) },
			number: func(*testing.T) int {
				f.Lock()
				defer f.Unlock()
				return len(f.IDs)
			},
		}
	}
}

// TestKillRotationAtServer kills a rotation at each write, and at each call: before the
// server gets it, and before its answer gets back. Then it is resumed, or taken back, if it
// still can be. What the file holds is the key's current version and is accepted, and
// nothing else is; the old key is dead if and only if the journal says so; no key is left
// over, and nothing is open.
func TestKillRotationAtServer(t *testing.T) {
	inVerb(t)
	if testing.Short() {
		t.Skip("it waits for proofs")
	}
	t.Parallel() // it does little else
	var all sync.WaitGroup
	for _, f := range families {
		all.Go(func() {
			t.Run(f.name, func(t *testing.T) { killAtServer(t, f.provider, f.args, f.start(t)) })
		})
	}
	all.Wait()
}

func killAtServer(t *testing.T, of string, args []string, fresh func(t *testing.T) mortal) {
	// Once it is not killed, and what could kill it is counted.
	d := begin(t, of, args, fresh(t), -1, 0)
	if d.killed {
		t.Fatal("it was killed")
	}
	d.stands(t)
	writes, calls := writesOf(t, d.printed), int(d.relay.n.Load())
	var all sync.WaitGroup
	var kills, back atomic.Int64
	tries, room := 0, make(chan struct{}, 8)
	try := func(what string, write, call int) {
		after := [...]string{"resume", "abort"}[tries%2]
		tries++
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			t.Run(what+", "+after, func(t *testing.T) {
				d := begin(t, of, args, fresh(t), write, call)
				if d.killed {
					kills.Add(1)
					if d.goesOn(t, after) {
						back.Add(1)
					}
				}
				d.stands(t)
			})
		})
	}
	for n := range sample(writes, 3) {
		try(fmt.Sprint("write ", n), n, 0)
	}
	for n := range sample(calls, 3) {
		try(fmt.Sprint("call ", n), 0, n)
	}
	all.Wait()
	t.Logf("killed at %d of %d moments (%d writes, %d requests and answers), taken back %d times", kills.Load(), writes+calls, writes, calls, back.Load())
	if kills.Load() < 3 {
		t.Error("the test does not test it")
	}
}

// sample are about so many of the numbers from 1 on, or all of them.
func sample(all, about int) iter.Seq[int] {
	step := max(1, all/about)
	if allCrashes() {
		step = 1
	}
	return func(yield func(int) bool) {
		for n := 1 + rand.IntN(step); n <= all && yield(n); n += step {
		}
	}
}

// deathbed is a rotation that was begun, and perhaps killed.
type deathbed struct {
	machine
	mortal
	file    settings
	relay   *relay
	printed string
	killed  bool
}

// begin begins a rotation that is killed at a write or a call, or at neither.
func begin(t *testing.T, of string, args []string, s mortal, write, call int) *deathbed {
	t.Helper()
	d := &deathbed{machine: newMachine(t, "TestKillRotationAtServer"), mortal: s, relay: newRelay(t, s.addr, int64(call))}
	d.file = settings(d.path("app.env"))
	key := s.key
	key.Params = s.at(d.relay.addr, s.key)
	d.admin.Params = nil
	if err := d.file.write(key); err != nil {
		t.Fatal(err)
	}
	d.set(t, "dev/ADMIN", "", d.admin)
	d.set(t, "dev/KEY", of, key, "--admin", "dev/ADMIN", "--consumer", d.file.consumer(key))
	c := d.verb(write, "", append([]string{"rotate", "dev/KEY"}, args...)...)
	var out strings.Builder
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	d.relay.victim.Store(c.Process)
	close(d.relay.begun)
	err := c.Wait()
	d.relay.at.Store(0) // those who come now live
	d.printed, d.killed = out.String(), wasKilled(err)
	if !d.killed && err != nil {
		t.Fatalf("%v\n%s", err, d.printed)
	}
	return d
}

// goesOn resumes a rotation or takes it back, and reports whether it did that. What cannot
// be taken back is resumed.
func (d *deathbed) goesOn(t *testing.T, after string) (back bool) {
	t.Helper()
	out, err := d.verb(0, "", "rotate", after).CombinedOutput()
	switch {
	case err == nil:
		return after == "abort" && !strings.Contains(string(out), "no rotation is open")
	case after == "abort" && strings.Contains(string(out), rotate.ErrIrrevocable.Error()):
		d.must(t, "", "rotate", "resume")
		return false
	}
	t.Fatalf("rotate %s: %v\n%s\nit was killed after\n%s", after, err, out, d.printed)
	return false
}

var rotationID = regexp.MustCompile(`\b\d{8}-[0-9a-f]{8}\b`)

// stands fails unless everything is as it has to be when all is over.
func (d *deathbed) stands(t *testing.T) {
	t.Helper()
	now, err := d.file.read()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(d.must(t, "", "get", "dev/KEY#"+d.secret)); got != part(now, d.secret) {
		t.Error("the file does not hold the current version")
	}
	now.Params = d.key.Params
	if n := d.number(t); !d.accepts(t, now) || n != 1 {
		t.Errorf("what the file holds is accepted: %v; %d keys are", d.accepts(t, now), n)
	}
	j := &rotate.Journal{Result: rotate.Aborted} // before it was begun, it was taken back
	if id := rotationID.FindString(d.must(t, "", "rotate", "ls")); id != "" {
		j = d.journal(t, "rotation "+id+" is over")
	}
	changed, dead := !same(now, d.key), !d.accepts(t, d.key)
	if done := j.Result == rotate.Done; j.Open() || changed != done || dead != done || done != (j.Grade == rotate.RefusedDead) {
		t.Errorf("it is %q (%s); there is a new key: %v; the old one is dead: %v", j.Result, j.Grade, changed, dead)
	}
	if out := d.must(t, "", "rotate", "orphans"); !strings.Contains(out, "no orphan is there") {
		t.Errorf("orphans: %s", out)
	}
	d.must(t, "", "doctor")
}
