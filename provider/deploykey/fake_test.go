package deploykey_test

import (
	"bufio"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/secret"
)

// fake is GitHub with one repository: its API, and its SSH server, at one address.
type fake struct {
	*providertest.HTTP
	addr     string // of both
	host     ssh.Signer
	keys     []*fakeKey
	elsewise []string // keys of other repositories
	next     int
	admin    bool
	archived bool
	scopes   string // of a classic token; empty for a fine-grained one
	page     int    // keys on a page, if that is less than asked for
	greeting string
	password bool // the SSH server takes no keys
}

type fakeKey struct {
	id          int
	title, line string
	readOnly    bool
	disabled    bool
}

func signer(t *testing.T) (ssh.Signer, secret.Value) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	return s, secret.New(pem.EncodeToMemory(block))
}

func line(s ssh.Signer) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(s.PublicKey())))
}

func serve(t *testing.T) *fake {
	f := &fake{admin: true, scopes: "read:org, repo", page: 100, greeting: "Hi team/app! You've successfully authenticated, but GitHub does not provide shell access.\n"}
	f.host, _ = signer(t)
	f.HTTP = providertest.Serve(t, f.serve)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	f.addr = l.Addr().String()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go f.both(c)
		}
	}()
	return f
}

// begun is a connection of which the beginning was looked at.
type begun struct {
	net.Conn
	r io.Reader
}

func (b begun) Read(p []byte) (int, error) { return b.r.Read(p) }

// both tells SSH from HTTP.
func (f *fake) both(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	first, err := r.Peek(4)
	if err != nil {
		return
	}
	if string(first) == "SSH-" {
		f.ssh(begun{c, r})
		return
	}
	up, err := net.Dial("tcp", f.Addr())
	if err != nil {
		return
	}
	defer up.Close()
	go func() { io.Copy(up, r); up.(*net.TCPConn).CloseWrite() }()
	io.Copy(c, up)
}

func (f *fake) lists(k ssh.PublicKey) bool {
	f.Lock()
	defer f.Unlock()
	text := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k)))
	return slices.ContainsFunc(f.keys, func(k *fakeKey) bool { return k.line == text })
}

func (f *fake) ssh(c net.Conn) {
	config := &ssh.ServerConfig{PublicKeyCallback: func(m ssh.ConnMetadata, k ssh.PublicKey) (*ssh.Permissions, error) {
		if m.User() != "git" || !f.lists(k) {
			return nil, errors.New("no")
		}
		return nil, nil
	}}
	if f.password {
		config = &ssh.ServerConfig{PasswordCallback: func(ssh.ConnMetadata, []byte) (*ssh.Permissions, error) { return nil, errors.New("no") }}
	}
	config.AddHostKey(f.host)
	_, channels, requests, err := ssh.NewServerConn(c, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for channel := range channels {
		ch, asked, err := channel.Accept()
		if err != nil {
			return
		}
		for r := range asked {
			r.Reply(r.Type == "shell", nil)
			if r.Type != "shell" {
				continue
			}
			io.WriteString(ch.Stderr(), f.greeting)
			ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{1}))
			ch.Close()
		}
	}
}

// add gives the repository a key.
func (f *fake) add(t *testing.T, readOnly bool) (provider.Credential, *fakeKey) {
	s, private := signer(t)
	f.Lock()
	defer f.Unlock()
	f.next++
	k := &fakeKey{id: f.next, title: "ci " + providertest.Marked, line: line(s), readOnly: readOnly}
	f.keys = append(f.keys, k)
	return provider.Credential{ID: ssh.FingerprintSHA256(s.PublicKey()), Parts: map[string]secret.Value{"value": private}, Params: f.params(f.addr)}, k
}

func (f *fake) params(addr string) map[string]string {
	return map[string]string{"repo": "team/app", "url": "http://" + addr, "ssh": addr, "host_key": ssh.FingerprintSHA256(f.host.PublicKey())}
}

func token() provider.Credential {
	return provider.Credential{Parts: map[string]secret.Value{"token": secret.New([]byte(providertest.Marked + "-admin"))}}
}

func (k *fakeKey) json() map[string]any {
	text := strings.Join(strings.Fields(k.line)[:2], " ")
	return map[string]any{"id": k.id, "key": text, "url": "", "title": k.title, "verified": true, "created_at": "2026-01-02T03:04:05Z", "read_only": k.readOnly, "enabled": !k.disabled, "last_used": nil}
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	say := func(status int, words string) {
		answer(w, status, map[string]any{"message": words, "documentation_url": providertest.Marked})
	}
	if r.Header.Get("Authorization") != "Bearer "+providertest.Marked+"-admin" {
		say(401, "Bad credentials")
		return
	}
	if f.scopes != "" {
		w.Header().Set("X-OAuth-Scopes", f.scopes)
	}
	rest, found := strings.CutPrefix(r.URL.Path, "/repos/team/app")
	id, _ := strconv.Atoi(strings.TrimPrefix(rest, "/keys/"))
	i := slices.IndexFunc(f.keys, func(k *fakeKey) bool { return k.id == id })
	switch {
	case !found, !f.admin && rest != "":
		say(404, "Not Found")
	case rest == "":
		answer(w, 200, map[string]any{"id": 1, "archived": f.archived, "permissions": map[string]bool{"admin": f.admin, "push": true, "pull": true}})
	case rest == "/keys" && r.Method == http.MethodGet:
		f.list(w, r)
	case rest == "/keys" && r.Method == http.MethodPost:
		f.create(w, r)
	case i < 0:
		say(404, "Not Found")
	case r.Method == http.MethodDelete:
		f.keys = slices.Delete(f.keys, i, i+1)
		w.WriteHeader(204)
	}
}

func (f *fake) list(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.URL.Query().Get("page"))
	size, _ := strconv.Atoi(r.URL.Query().Get("per_page"))
	size = min(size, f.page)
	from := min((n-1)*size, len(f.keys))
	all := []any{}
	for _, k := range f.keys[from:min(from+size, len(f.keys))] {
		all = append(all, k.json())
	}
	if from+size < len(f.keys) {
		w.Header().Set("Link", fmt.Sprintf(`<%s/keys?page=%d>; rel="next"`, f.URL, n+1))
	}
	answer(w, 200, all)
}

func (f *fake) create(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Title, Key string
		ReadOnly   bool `json:"read_only"`
	}
	if json.NewDecoder(r.Body).Decode(&body) != nil || body.Key == "" {
		answer(w, 422, map[string]any{"message": "Validation Failed"})
		return
	}
	if slices.ContainsFunc(f.keys, func(k *fakeKey) bool { return k.line == body.Key }) || slices.Contains(f.elsewise, body.Key) {
		answer(w, 422, map[string]any{"message": "Validation Failed", "errors": []any{map[string]string{"resource": "PublicKey", "code": "custom", "field": "key", "message": "key is already in use"}}})
		return
	}
	f.next++
	k := &fakeKey{id: f.next, title: body.Title, line: body.Key, readOnly: body.ReadOnly}
	f.keys = append(f.keys, k)
	answer(w, 201, k.json())
}
