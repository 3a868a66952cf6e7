package providertest

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
)

// Fault is a server that misbehaves.
type Fault struct {
	Name   string
	Serve  func(c net.Conn) // one connection, closed by the caller; nil if nobody listens
	Silent bool             // it never answers, so that a call ends with its context alone
	Kind   provider.Kind    // of the errors; empty for any that says that no answer came
}

// network are the faults of every network.
func network() []Fault {
	return []Fault{
		{Name: "nobody listens", Kind: provider.Unreached},
		{Name: "closed at once", Serve: func(net.Conn) {}},
		{Name: "reset at once", Serve: reset},
		{Name: "reset when asked", Serve: func(c net.Conn) { hear(c); reset(c) }},
		{Name: "silent", Silent: true, Serve: func(c net.Conn) { io.Copy(io.Discard, c) }},
		{Name: "another protocol", Serve: func(c net.Conn) { io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n"); hear(c) }},
		{Name: "bytes at random", Serve: func(c net.Conn) { hear(c); c.Write(slices.Repeat([]byte{0xff, 0, 0x80, '{'}, 1<<10)) }},
		{Name: "zeros for ever", Serve: func(c net.Conn) {
			for {
				if _, err := c.Write(make([]byte, 1<<10)); err != nil {
					return
				}
			}
		}},
	}
}

// hear reads what a client says first. Some wait for the server to do that.
func hear(c net.Conn) {
	_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	_, _ = c.Read(make([]byte, 1<<16))
	_ = c.SetReadDeadline(time.Time{})
}

// reset ends a connection as a firewall or a killed server does.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

// listen serves on a port of loopback until the test ends, or until it is told to leave.
// With no handler the port is one where nobody listens.
func listen(t *testing.T, serve func(net.Conn)) (addr string, leave func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	leave = func() { l.Close() }
	if serve == nil {
		leave()
		return l.Addr().String(), leave
	}
	var mu sync.Mutex
	var open []net.Conn
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			all.Go(func() {
				defer c.Close()
				serve(c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return l.Addr().String(), leave
}

// faults lets every method meet every fault.
func (s Subject) faults(t *testing.T) {
	for _, f := range append(network(), s.Faults...) {
		t.Run(f.Name, func(t *testing.T) {
			c := s.New(t)
			addr, _ := listen(t, f.Serve)
			p, bad := s.At(addr, c)
			_, admin := s.At(addr, s.Admin)
			for _, call := range s.calls(t, c) {
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				if f.Silent {
					cancel()
					ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
				}
				began := time.Now()
				probe, err := call.do(ctx, p, bad, admin)
				took := time.Since(began)
				cancel()
				s.unanswered(t, call.name, f.Kind, probe, err)
				s.checkError(t, call.name, err, c)
				if took > limit {
					t.Errorf("%s took %v", call.name, took)
				}
				if f.Silent && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s ended for another reason than its deadline: %v", call.name, err)
				}
			}
			s.accepted(t, c)
		})
	}
}

// unanswered fails if what a method returns claims that the provider answered.
func (s Subject) unanswered(t *testing.T, doing string, want provider.Kind, probe provider.Probe, err error) {
	t.Helper()
	e := new(provider.Error)
	switch {
	case err == nil && doing != "verify":
		t.Errorf("%s: no error", doing)
	case err == nil && (probe.State.Lives() || probe.State == provider.Dead || probe.State == ""):
		t.Errorf("%s: %q (%s)", doing, probe.State, probe.Code)
	case errors.As(err, &e) && want != "" && e.Kind != want:
		t.Errorf("%s: %q, want %q: %v", doing, e.Kind, want, err)
	case errors.As(err, &e) && slices.Contains([]provider.Kind{provider.Refused, provider.Forbidden, provider.NoSlot, provider.Incomplete}, e.Kind):
		t.Errorf("%s: %q is an answer that nobody gave: %v", doing, e.Kind, err)
	}
}

// proxy stands before the server, and lets so many bytes of its answers through before
// it resets all connections; all if negative. It counts them. After so many pieces of them
// it resets the connection, and nobody listens there any more; never if that is zero.
type proxy struct {
	addr   string
	left   atomic.Int64
	sent   atomic.Int64
	pieces atomic.Int64
}

func newProxy(t *testing.T, server string, allow, last int64) *proxy {
	t.Helper()
	p := &proxy{}
	p.left.Store(allow)
	var leave func()
	ready := make(chan struct{})
	p.addr, leave = listen(t, func(client net.Conn) {
		<-ready
		up, err := net.Dial("tcp", server)
		if err != nil {
			t.Error(err)
			return
		}
		defer up.Close()
		go func() {
			io.Copy(up, client)
			up.(*net.TCPConn).CloseWrite() // servers that are not told of the end of a session see it
		}()
		b := make([]byte, 1<<14)
		for {
			n, err := up.Read(b)
			p.sent.Add(int64(n))
			if left := p.left.Load(); left >= 0 {
				p.left.Add(-min(left, int64(n)))
				if left < int64(n) {
					client.Write(b[:left])
					reset(client)
					return
				}
			}
			over := n > 0 && p.pieces.Add(1) == last
			if over {
				leave()
			}
			client.Write(b[:n])
			if over {
				reset(client)
			}
			if over || err != nil {
				return
			}
		}
	})
	close(ready)
	return p
}

// cuts is in how many places each method's conversation is cut off.
func cuts() int {
	if testing.Short() {
		return 2
	}
	return 6
}

// cutOff cuts every method's conversation off in several places. What was asked for may
// have happened or not; the error must not say that it did not when it did, and asking
// once more must do.
func (s Subject) cutOff(t *testing.T) {
	for n, named := range s.calls(t, s.New(t)) {
		t.Run(named.name, func(t *testing.T) {
			whole, _ := s.answer(t, n)
			for at := range cuts() {
				c := s.New(t)
				call := s.calls(t, c)[n]
				proxy := newProxy(t, s.Addr, whole*int64(at)/int64(cuts()), 0)
				p, through := s.At(proxy.addr, c)
				_, admin := s.At(proxy.addr, s.Admin)
				probe, err := call.do(t.Context(), p, through, admin)
				if call.name == "verify" {
					s.unanswered(t, call.name, "", probe, err)
				}
				s.checkError(t, call.name, err, c)
				e := new(provider.Error)
				if alive := s.Accepts(t, c); errors.As(err, &e) && e.Kind == provider.Unreached && !alive {
					t.Errorf("cut after %d of %d bytes: it happened, and the error is: %v", proxy.sent.Load(), whole, err)
				}
				_, err = call.do(t.Context(), s.Provider, c, s.Admin)
				lost := call.name == "issue" && errors.As(err, &e) && e.Kind == provider.NoSlot // it takes the room
				if err != nil && !lost && !(call.name == "revoke" && s.refusedAgain(err)) {
					t.Errorf("once more, after a cut in %d of %d bytes: %v", proxy.sent.Load(), whole, err)
				}
				s.after(t, call.name, c)
			}
		})
	}
}

// left has nobody listen any more after each piece of the server's answers to each method.
// What has happened by then, no error may say that it did not.
func (s Subject) left(t *testing.T) {
	for n, named := range s.calls(t, s.New(t)) {
		if reads(named.name) {
			continue
		}
		t.Run(named.name, func(t *testing.T) {
			_, pieces := s.answer(t, n)
			for last := int64(1); last < pieces; last++ {
				if testing.Short() && last != pieces/2 {
					continue
				}
				c := s.fresh(t, named.name)
				call := s.calls(t, c)[n]
				proxy := newProxy(t, s.Addr, -1, last)
				p, through := s.At(proxy.addr, c)
				_, admin := s.At(proxy.addr, s.Admin)
				_, err := call.do(t.Context(), p, through, admin)
				s.checkError(t, call.name, err, c)
				happened := s.Accepts(t, c) == (call.name == "enable")
				if call.name == "apply" {
					happened = s.Accepts(t, call.next)
				}
				e := new(provider.Error)
				if errors.As(err, &e) && happened && (e.Kind == provider.Unreached || e.Kind == provider.Incomplete) {
					t.Errorf("after %d of %d pieces: it happened, and the error is: %v", last, pieces, err)
				}
			}
		})
	}
}

// answer is how many bytes the server answers to a method, and in how many pieces.
func (s Subject) answer(t *testing.T, n int) (bytes, pieces int64) {
	t.Helper()
	c := s.New(t)
	call := s.calls(t, c)[n]
	proxy := newProxy(t, s.Addr, -1, 0)
	p, through := s.At(proxy.addr, c)
	_, admin := s.At(proxy.addr, s.Admin)
	_, err := call.do(t.Context(), p, through, admin)
	s.check(t, call.name+", through a proxy", err, c)
	if proxy.sent.Load() == 0 {
		t.Fatalf("%s: nothing went through the proxy", call.name)
	}
	return proxy.sent.Load(), proxy.pieces.Load()
}

// after checks what a method that was asked until it did leaves.
func (s Subject) after(t *testing.T, name string, c provider.Credential) {
	t.Helper()
	dies := name == "revoke" || name == "disable" || name == "apply" && s.InPlace || name == "issue" && s.InPlace
	if dies {
		s.refused(t, c)
	} else {
		s.accepted(t, c)
	}
}
