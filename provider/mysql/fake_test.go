package mysql_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/mysql"
	"github.com/keywright/keywright/secret"
)

// peer is the client of an impostor.
type peer struct {
	net.Conn
	number byte // of the next message
}

func (p *peer) send(body string) {
	top := binary.LittleEndian.AppendUint32(nil, uint32(len(body)))
	top[3] = p.number
	p.number++
	_, _ = p.Write(append(top, body...))
}

// hear reads a message; none if the client is gone.
func (p *peer) hear() string {
	top := make([]byte, 4)
	if _, err := io.ReadFull(p, top); err != nil {
		return ""
	}
	p.number = top[3] + 1
	body := make([]byte, int(binary.LittleEndian.Uint32(append(top[:3:3], 0))))
	_, _ = io.ReadFull(p, body)
	return string(body)
}

// greet is how a server begins, which would like to hear of a method.
func (p *peer) greet(method string) {
	p.send("\x0a" + "10.11.0-MariaDB\x00" + "\x01\x00\x00\x00" + "abcdefgh\x00" + "\x01\x82" + "\x2d" + "\x02\x00" + "\x08\x00" + "\x15" +
		strings.Repeat("\x00", 10) + "ijklmnopqrst\x00" + method + "\x00")
}

func refusal(code uint16, text string) string {
	return "\xff" + string(binary.LittleEndian.AppendUint16(nil, code)) + "#28000" + text
}

const ok = "\x00\x00\x00\x02\x00\x00\x00"

// row answers a question with one text.
func (p *peer) row(text string) {
	lengthy := func(s string) string { return string(rune(len(s))) + s }
	p.send("\x01")
	p.send(lengthy("def") + "\x00\x00\x00" + lengthy("x") + "\x00" + "\x0c\x2d\x00\xff\x00\x00\x00\xfd\x00\x00\x00\x00\x00")
	p.send("\xfe\x00\x00\x02\x00")
	p.send(lengthy(text))
	p.send("\xfe\x00\x00\x02\x00")
}

// letIn lets in whoever comes, and answers the first question, what this is.
func (p *peer) letIn(version string) {
	p.greet("mysql_native_password")
	p.hear()
	p.send(ok)
	p.hear()
	p.number = 1
	p.row(version)
}

// impostor is a server that answers as a test wants, a connection after the other. It
// returns what it was sent besides, once it is told to end.
func impostor(t *testing.T, answer func(p *peer, nth int)) (provider.Credential, func() string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	var done sync.WaitGroup
	done.Go(func() {
		for nth := 0; ; nth++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p := &peer{Conn: conn}
			answer(p, nth)
			for body := p.hear(); body != ""; body = p.hear() {
				fmt.Fprintf(&got, "%q\n", body)
			}
			conn.Close()
		}
	})
	t.Cleanup(func() { l.Close() })
	c := provider.Credential{ID: "app", Parts: map[string]secret.Value{"user": secret.New([]byte("app")), "password": secret.New([]byte(rand.Text()))}}
	c.Params = map[string]string{"sslmode": "disable"}
	c.Params["host"], c.Params["port"], _ = net.SplitHostPort(l.Addr().String())
	return c, func() string { l.Close(); done.Wait(); return got.String() }
}

// What others than these servers answer is never taken for death, nor for life; and the password
// is not given to them.
func TestImpostors(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	public := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	no := func(code uint16, text string) func(*peer, int) {
		return func(p *peer, _ int) {
			p.greet("mysql_native_password")
			p.hear()
			p.send(refusal(code, text))
		}
	}
	another := func(method, data string) func(*peer, int) {
		return func(p *peer, _ int) {
			p.greet("mysql_native_password")
			p.hear()
			p.send("\xfe" + method + "\x00" + data)
		}
	}
	for _, c := range []struct {
		name   string
		answer func(*peer, int)
		want   provider.State // "" for an error
		kind   provider.Kind
	}{
		{"no reason", no(0, ""), "", provider.Malformed},
		{"a pool's refusal, which has its own users", no(1045, "ProxySQL Error: Access denied for user"), provider.Unknown, ""},
		{"a refusal of another kind", no(1698, "Access denied for user"), provider.Unknown, ""},
		{"an address", no(1130, "Host is not allowed to connect"), provider.Blocked, ""},
		{"an address that made errors", no(1129, "Host is blocked because of many connection errors"), provider.Blocked, ""},
		{"it shuts down", no(1053, "Server shutdown in progress"), provider.Unknown, ""},
		{"crowded", no(1040, "Too many connections"), provider.Throttled, ""},
		{"crowded, at once", func(p *peer, _ int) { p.send(refusal(1040, "Too many connections")) }, provider.Throttled, ""},
		{"dead, at once", func(p *peer, _ int) { p.send(refusal(1045, "Access denied")) }, "", provider.Unreached},
		{"in the clear", another("mysql_clear_password", ""), "", provider.Refused},
		{"a method that nobody knows", another("dialog", "\x04Password: "), "", provider.Refused},
		{"the oldest method", another("mysql_old_password", "abcdefgh\x00"), "", provider.Refused},
		{"under a key of its own", func(p *peer, _ int) {
			p.greet("sha256_password")
			p.hear()
			p.send("\x01" + public)
		}, "", provider.Refused},
		{"under a key of its own, asked for", func(p *peer, _ int) {
			p.greet("caching_sha2_password")
			p.hear()
			p.send("\x01\x04")
			p.hear()
			p.send("\x01" + public)
		}, "", provider.Refused},
		{"another kind", func(p *peer, _ int) { p.letIn("5.7.25-TiDB-v7.1.0") }, "", provider.Refused},
		{"a challenge that ends with zero", func(p *peer, nth int) {
			p.greet("mysql_native_password")
			p.hear()
			if nth == 0 {
				p.send("\xfeclient_ed25519\x00" + strings.Repeat("x", 31) + "\x00")
				return
			}
			p.send("\xfeclient_ed25519\x00" + strings.Repeat("x", 32))
			p.hear()
			p.send(refusal(1045, "Access denied for user 'app'@'localhost' (using password: YES)"))
		}, provider.Dead, ""},
		{"challenges that are none", another("client_ed25519", "x"), "", provider.Malformed},
		{"a message without end", func(p *peer, _ int) { p.send(strings.Repeat("\x0a", 1<<20)) }, "", provider.Unreached},
	} {
		t.Run(c.name, func(t *testing.T) {
			cred, sent := impostor(t, c.answer)
			for _, p := range []provider.Verifier{mysql.MariaDB{}, mysql.MySQL{}} {
				probe, err := p.Verify(t.Context(), cred)
				t.Log(probe.State, probe.Code, err)
				if probe.State != c.want || kind(err) != c.kind {
					t.Errorf("%T: %q (%s), %q: %v", p, probe.State, probe.Code, kind(err), err)
				}
			}
			if got := sent(); strings.Contains(got, reveal(cred)) || len(got) >= key.Size() {
				t.Errorf("the password was sent: %s", got)
			}
		})
	}
}

// TestKinds: who is at another kind of server than the key says is told so, and where two
// passwords cannot be kept.
func TestKinds(t *testing.T) {
	for _, c := range []struct {
		version      string
		maria, mysql string // in the error, or in what to do; "" if it is let in
	}{
		{"10.11.14-MariaDB-0+deb12u2", "", "provider be mariadb"},
		{"5.5.5-10.3.39-MariaDB", "", "provider be mariadb"},
		{"8.0.13", "provider be mysql", "from 8.0.14 on"},
		{"8.0.14", "provider be mysql", ""},
		{"8.4.0-commercial", "provider be mysql", ""},
		{"9.7.4-2", "provider be mysql", ""},
		{"10.0.0", "provider be mysql", ""},
		{"5.7.44-log", "provider be mysql", "from 8.0.14 on"},
		{"8.0.11-TiDB-v8.5.0", "provider be mysql", "from 8.0.14 on"},
		{"some other", "provider be mysql", "from 8.0.14 on"},
	} {
		for want, p := range map[*string]provider.Verifier{&c.maria: mysql.MariaDB{}, &c.mysql: mysql.MySQL{}} {
			cred, _ := impostor(t, func(p *peer, _ int) {
				p.letIn(c.version)
				p.hear()
				p.number = 1
				p.send(ok)
				p.hear()
				p.number = 1
				p.row("GRANT USAGE ON *.* TO `app`@`%`")
			})
			_, err := p.Verify(t.Context(), cred)
			e := new(provider.Error)
			if errors.As(err, &e) != (*want != "") || !strings.Contains(e.Hint+" "+fmt.Sprint(e.Err), *want) {
				t.Errorf("%T at %s: %v (%s)", p, c.version, err, e.Hint)
			}
		}
	}
}

// A server that says what it was told does not bring the password into an error, nor
// anything that a terminal would obey.
func TestWhatServersSay(t *testing.T) {
	var cred provider.Credential
	cred, _ = impostor(t, func(p *peer, _ int) {
		p.greet("mysql_native_password")
		p.hear()
		p.send(refusal(1040, "bad "+reveal(cred)+"\x1b[2J\n"+strings.Repeat("long ", 1000)))
	})
	next := cred
	next.Parts = map[string]secret.Value{"user": cred.Part("user"), "password": secret.New([]byte(rand.Text()))}
	err := mysql.MariaDB{}.Apply(t.Context(), cred, cred, next)
	if kind(err) != provider.Busy {
		t.Fatal(err)
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		text := fmt.Sprintf("%v %+v %#v", e, e, e)
		if strings.Contains(text, reveal(cred)) || strings.ContainsAny(text, "\x1b\n") || len(text) > 2000 {
			t.Errorf("%T: %.3000q", e, text)
		}
	}
}
