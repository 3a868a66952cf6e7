package postgres_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/postgres"
	"github.com/keywright/keywright/secret"
)

// impostor is a server that answers a login as a test wants. It returns what it was sent
// besides, once its only client is gone.
func impostor(t *testing.T, answer func(b *pgproto3.Backend)) (provider.Credential, func() string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	var done sync.WaitGroup
	done.Go(func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		b := pgproto3.NewBackend(conn, conn)
		if _, err := b.ReceiveStartupMessage(); err != nil {
			return
		}
		answer(b)
		_ = b.Flush()
		for {
			m, err := b.Receive()
			if err != nil {
				return
			}
			fmt.Fprintf(&got, "%+v\n", m)
		}
	})
	t.Cleanup(func() { l.Close() })
	c := provider.Credential{ID: "app", Parts: map[string]secret.Value{"user": secret.New([]byte("app")), "password": secret.New([]byte(rand.Text()))}}
	c.Params = map[string]string{"sslmode": "disable"}
	c.Params["host"], c.Params["port"], _ = net.SplitHostPort(l.Addr().String())
	return c, func() string { l.Close(); done.Wait(); return got.String() }
}

// What others than PostgreSQL answer is never taken for death, nor for life; and the
// password is not given to them.
func TestImpostors(t *testing.T) {
	no := func(code, routine, text string) func(*pgproto3.Backend) {
		return func(b *pgproto3.Backend) {
			b.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: code, Routine: routine, Message: text})
		}
	}
	in := func(b *pgproto3.Backend) {
		b.Send(&pgproto3.AuthenticationOk{})
		b.Send(&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{1, 2, 3, 4}})
		b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	}
	for _, c := range []struct {
		name   string
		answer func(b *pgproto3.Backend)
		want   provider.State // "" for an error
		kind   provider.Kind
	}{
		{"no reason", no("", "", ""), "", provider.Malformed},
		{"a pool's refusal, which may be a mistake of the pool", no("28000", "", "role is not permitted to log in"), provider.Unknown, ""},
		{"another routine", no("28000", "auth_failed", "LDAP authentication failed"), provider.Unknown, ""},
		{"an address", no("28000", "ClientAuthentication", "no pg_hba.conf entry"), provider.Blocked, ""},
		{"it starts up", no("57P03", "", "the database system is starting up"), provider.Unknown, ""},
		{"it shuts down", no("57P01", "", "terminating"), provider.Unknown, ""},
		{"crowded", no("53300", "", "sorry, too many clients already"), provider.Throttled, ""},
		{"a database that the pool does not know", no("3D000", "", "no such database"), provider.Unknown, ""},
		{"the protocol", no("08P01", "", "unsupported frontend protocol"), provider.Unknown, ""},
		{"no question", in, "", provider.Refused},
		{"in the clear", func(b *pgproto3.Backend) { b.Send(&pgproto3.AuthenticationCleartextPassword{}) }, "", provider.Refused},
		{"ready before it asked", func(b *pgproto3.Backend) { b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'}) }, "", provider.Malformed},
		{"a mechanism that nobody knows", func(b *pgproto3.Backend) { b.Send(&pgproto3.AuthenticationSASL{AuthMechanisms: []string{"PLAIN"}}) }, "", provider.Malformed},
		{"it does not know the password", func(b *pgproto3.Backend) {
			b.Send(&pgproto3.AuthenticationSASL{AuthMechanisms: []string{"SCRAM-SHA-256"}})
			_ = b.Flush()
			_ = b.SetAuthType(pgproto3.AuthTypeSASL)
			m, err := b.Receive()
			first, ok := m.(*pgproto3.SASLInitialResponse)
			if err != nil || !ok {
				t.Errorf("%T, %v", m, err)
				return
			}
			_, nonce, _ := strings.Cut(string(first.Data), "r=")
			b.Send(&pgproto3.AuthenticationSASLContinue{Data: []byte("r=" + nonce + "more,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")})
			_ = b.Flush()
			_ = b.SetAuthType(pgproto3.AuthTypeSASLContinue)
			if _, err := b.Receive(); err != nil {
				t.Error(err)
				return
			}
			b.Send(&pgproto3.AuthenticationSASLFinal{Data: []byte("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")})
			in(b)
		}, "", provider.Malformed},
		{"a message without end", func(b *pgproto3.Backend) {
			b.Send(&pgproto3.ParameterStatus{Name: "x", Value: strings.Repeat("x", 2<<20)})
		}, "", provider.Malformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			cred, sent := impostor(t, c.answer)
			probe, err := postgres.Provider{}.Verify(t.Context(), cred)
			t.Log(probe.State, probe.Code, err)
			if probe.State != c.want || kind(err) != c.kind {
				t.Errorf("%q (%s), %q: %v", probe.State, probe.Code, kind(err), err)
			}
			if strings.Contains(sent(), reveal(cred)) {
				t.Error("the password was sent")
			}
		})
	}
}

// A server that says what it was told does not bring the password into an error, nor
// anything that a terminal would obey.
func TestWhatServersSay(t *testing.T) {
	var cred provider.Credential
	cred, _ = impostor(t, func(b *pgproto3.Backend) {
		b.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "57P03", Message: "bad " + reveal(cred) + "\x1b[2J\n" + strings.Repeat("long ", 1000), Detail: reveal(cred)})
	})
	next := cred
	next.Parts = map[string]secret.Value{"user": cred.Part("user"), "password": secret.New([]byte(rand.Text()))}
	err := postgres.Provider{}.Apply(t.Context(), cred, cred, next)
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
