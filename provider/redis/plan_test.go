package redis

import (
	"bytes"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
)

// FuzzSplit: rules are never lost, added or changed, whatever a server says.
func FuzzSplit(f *testing.F) {
	for _, line := range []string{"on #ab ~* &* +@all", "-@all (+get ~a*) (+set %W~b*)", "(", "( a", ") (x) (", ""} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if rules := split(line); !slices.Equal(strings.Fields(strings.Join(rules, " ")), strings.Fields(line)) {
			t.Errorf("%q", rules)
		}
	})
}

func TestSplit(t *testing.T) {
	got := split("-@all +ping (+get ~one:*) (+set -@dangerous %W~two:*) ")
	if want := []string{"-@all", "+ping", "(+get ~one:*)", "(+set -@dangerous %W~two:*)"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// stream is a connection on which something arrives.
type stream struct {
	net.Conn
	io.Reader
}

func (s stream) Read(p []byte) (int, error)  { return s.Reader.Read(p) }
func (s stream) Write(p []byte) (int, error) { return len(p), nil }
func (s stream) Close() error                { return nil }

func (s stream) SetReadDeadline(time.Time) error { return nil }

// FuzzAnswer: no answer makes the client take more memory than it may, or panic.
func FuzzAnswer(f *testing.F) {
	for _, answer := range []string{"+OK\r\n", "$3\r\nabc\r\n", "*2\r\n:1\r\n$-1\r\n", "-ERR no\r\n", "*2000000000\r\n", "$2000000000\r\n", "*99999999999999999999\r\n",
		strings.Repeat("*99999\r\n", 500), "*-1\r\n", "$\r\n", "\r\n", "*+2000000000\r\n", "*0002000000000\r\n", "$" + strings.Repeat("0", 40) + "2000000000\r\n"} {
		f.Add([]byte(answer))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		s := &session{hide: func(s string) string { return s }}
		s.conn = redis.NewConn(&bounded{Conn: stream{Reader: bytes.NewReader(answer)}, left: 1 << 20}, 0, 0)
		got, err := s.ask("PING")
		if b, ok := got.([]byte); ok && len(b) > len(answer) || err != nil && got != nil {
			t.Errorf("%T, %v", got, err)
		}
	})
}
