package rabbitmq_test

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/rabbitmq"
	"github.com/keywright/keywright/secret"
)

// long is a text with its length.
func long(s string) string { return string(binary.BigEndian.AppendUint32(nil, uint32(len(s)))) + s }

func method(number byte, args string) string {
	return "\x01\x00\x00" + long(string([]byte{0, 10, 0, number})+args) + "\xce"
}

func closing(code uint16, text string) string {
	return method(50, string(binary.BigEndian.AppendUint16(nil, code))+string([]byte{byte(len(text))})+text+"\x00\x00\x00\x00")
}

func hello(mechanisms string) string {
	return method(10, "\x00\x09"+long("")+long(mechanisms)+long("en_US"))
}

const limits = "\x07\xff\x00\x02\x00\x00\x00\x3c"

// impostor is a broker with TLS that says one thing after the other, each when it was told
// something. For ECHO it refuses with the password for a reason.
func impostor(t *testing.T, says ...string) provider.Credential {
	t.Helper()
	site := httptest.NewTLSServer(nil) // for its certificate
	t.Cleanup(site.Close)
	l, err := tls.Listen("tcp", host+":0", &tls.Config{Certificates: site.TLS.Certificates})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	password := rand.Text()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			for _, s := range says {
				_, _ = conn.Read(make([]byte, 1<<16))
				_, _ = io.WriteString(conn, strings.ReplaceAll(s, "ECHO", closing(530, password)))
			}
			conn.Close()
		}
	}()
	roots := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: site.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	c := provider.Credential{ID: "app", Parts: map[string]secret.Value{"user": secret.New([]byte("app")), "password": secret.New([]byte(password))}}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	c.Params = map[string]string{"host": host, "port": port, "sslrootcert": roots}
	return c
}

// What brokers answer that are none, or at other times, is never taken for death, nor for
// life.
func TestImpostors(t *testing.T) {
	const refused = "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN."
	for _, c := range []struct {
		name string
		says []string
		want provider.State // "" for an error
		kind provider.Kind
	}{
		{"a refusal", []string{hello("AMQPLAIN PLAIN"), closing(403, refused)}, provider.Dead, ""},
		{"life", []string{hello("PLAIN"), method(30, limits), "", method(41, "\x00")}, provider.Alive, ""},
		{"before it was told a password", []string{closing(403, refused)}, "", provider.Unreached},
		{"of something else", []string{hello("PLAIN"), method(30, limits), "", closing(403, "ACCESS_REFUSED - access to exchange")}, provider.Unknown, ""},
		{"without a word", []string{hello("PLAIN"), ""}, "", provider.Unreached},
		{"it shuts down", []string{hello("PLAIN"), closing(320, "CONNECTION_FORCED")}, provider.Unknown, ""},
		{"no passwords", []string{hello("EXTERNAL")}, "", provider.Refused},
		{"another version", []string{"AMQP\x00\x01\x00\x00"}, "", provider.Malformed},
		{"lengths that are none", []string{method(10, "\x00\x09\xff\xff\xff\xff")}, "", provider.Malformed},
		{"a reason that is none", []string{hello("PLAIN"), method(50, "\x01\x93\xff")}, "", provider.Malformed},
		{"limits that are none", []string{hello("PLAIN"), method(30, "")}, "", provider.Malformed},
		{"a frame without end", []string{"\x01\x00\x00\xff\xff\xff\xff"}, "", provider.Malformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			probe, err := rabbitmq.New(nil).Verify(t.Context(), impostor(t, c.says...))
			t.Log(probe.State, probe.Code, err)
			if probe.State != c.want || kind(err) != c.kind {
				t.Errorf("%q (%s), %q: %v", probe.State, probe.Code, kind(err), err)
			}
		})
	}
}

// A password is told to nobody whose certificate is another's, nor repeated.
func TestWhoIsTold(t *testing.T) {
	c := impostor(t, hello("PLAIN"), "")
	c.Params["sslrootcert"] = ""
	if _, err := rabbitmq.New(nil).Verify(t.Context(), c); kind(err) != provider.Unreached || !strings.Contains(err.Error(), "certificate") {
		t.Error(err)
	}
	for _, says := range [][]string{{hello("PLAIN"), "ECHO"}, {hello("PLAIN"), method(30, limits), "", "ECHO"}} {
		echo := impostor(t, says...)
		probe, err := rabbitmq.New(nil).Verify(t.Context(), echo)
		if text := fmt.Sprintf("%+v %v %#v", probe, err, err); strings.Contains(text, reveal(echo)) {
			t.Error(text)
		}
		if err == nil && !strings.HasPrefix(probe.Code, "530") {
			t.Errorf("it was not refused: %+v", probe)
		}
	}
}

// TestHalfClosed: that nothing was sent is not said of a broker that has closed connections,
// and then is not there any more.
func TestHalfClosed(t *testing.T) {
	for _, last := range []string{http.MethodGet, http.MethodDelete} {
		var s *httptest.Server
		s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == last {
				s.Listener.Close()
			}
			w.Header().Set("Connection", "close")
			fmt.Fprint(w, `[{"name":"a connection"}]`)
		}))
		defer s.Close()
		c := provider.Credential{ID: "app", Params: map[string]string{"url": s.URL}, Parts: map[string]secret.Value{"user": secret.New([]byte("app")), "password": secret.New([]byte(rand.Text()))}}
		want := map[string]provider.Kind{http.MethodGet: provider.Unreached, http.MethodDelete: provider.Unclear}[last]
		if err := rabbitmq.New(nil).Revoke(t.Context(), c, c, c); kind(err) != want {
			t.Errorf("after %s: %v, want %s", last, err, want)
		}
	}
}
