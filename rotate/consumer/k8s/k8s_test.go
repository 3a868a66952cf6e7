package k8s_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/rotate"
	"github.com/keywright/keywright/rotate/consumer"
	"github.com/keywright/keywright/rotate/consumer/consumertest"
	"github.com/keywright/keywright/secret"
)

const token = "marked-token"

// fake is an API server with one Secret, as documented.
type fake struct {
	readOnly bool // nobody may patch
	certs    bool // who asks shows a certificate, in place of a token

	mu        sync.Mutex
	data      map[string]string
	labels    map[string]string
	version   int
	immutable bool
	owners    []map[string]any
}

func newFake(data map[string]string) *fake {
	return &fake{data: maps.Clone(data), labels: map[string]string{"app": "bot"}, version: 4711}
}

func (f *fake) status(w http.ResponseWriter, code int, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code})
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	known := r.Header.Get("Authorization") == "Bearer "+token
	if f.certs {
		known = r.TLS != nil && len(r.TLS.PeerCertificates) == 1 && r.TLS.PeerCertificates[0].Subject.CommonName == "ada" && r.Header.Get("Authorization") == ""
	}
	switch {
	case !known:
		f.status(w, 401, "Unauthorized")
	case r.URL.Path != "/k8s/api/v1/namespaces/prod/secrets/bot":
		f.status(w, 404, "NotFound")
	case r.Method == http.MethodGet:
		f.show(w)
	case f.readOnly:
		f.status(w, 403, "Forbidden")
	case r.Method == http.MethodPatch:
		f.patch(w, r)
	default:
		f.status(w, 405, "MethodNotAllowed")
	}
}

func (f *fake) show(w http.ResponseWriter) {
	data := map[string][]byte{}
	for k, v := range f.data {
		data[k] = []byte(v)
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{
		"kind": "Secret", "apiVersion": "v1", "type": "Opaque", "data": data, "immutable": f.immutable,
		"metadata": map[string]any{"name": "bot", "namespace": "prod", "resourceVersion": strconv.Itoa(f.version), "labels": f.labels, "ownerReferences": f.owners},
	})
}

func (f *fake) patch(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Metadata map[string]string
		Data     map[string]*string
	}
	switch err := json.NewDecoder(r.Body).Decode(&body); {
	case r.Header.Get("Content-Type") != "application/merge-patch+json":
		f.status(w, 415, "UnsupportedMediaType")
		return
	case err != nil || len(body.Metadata) != 1:
		f.status(w, 400, "BadRequest")
		return
	case body.Metadata["resourceVersion"] != strconv.Itoa(f.version):
		f.status(w, 409, "Conflict")
		return
	case f.immutable:
		f.status(w, 422, "Invalid")
		return
	}
	for k, v := range body.Data {
		decoded, err := base64.StdEncoding.DecodeString(*v)
		if err != nil {
			f.status(w, 400, "BadRequest")
			return
		}
		f.data[k] = string(decoded)
	}
	f.version++
	f.show(w)
}

func secrets(pairs ...string) map[string]secret.Value {
	all := map[string]secret.Value{}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = secret.New([]byte(pairs[i+1]))
	}
	return all
}

// configure writes a kubeconfig with one context, and returns its path.
func configure(t *testing.T, server, cluster, user string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: elsewhere
contexts:
- name: elsewhere
  context: {cluster: none, user: none}
- name: here
  context: {cluster: c, user: u, namespace: other}
clusters:
- name: c
  cluster: {server: %q, %s}
users:
- name: u
  user: {%s}
`, server+"/k8s", cluster, user)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func opens(t *testing.T, w consumer.World, path, rest string) rotate.Consumer {
	t.Helper()
	c, err := w.Open("k8s:prod/bot," + rest + ",context=here,config=" + strings.ReplaceAll(path, ",", ",,"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestConformance(t *testing.T) {
	consumertest.Run(t, []string{"id", "secret"}, func(t *testing.T, held map[string]string) consumertest.Place {
		f := newFake(map[string]string{"bot-id": held["id"], "bot.secret": held["secret"], "other": "stays"})
		server := httptest.NewServer(providertest.Recorded(t, f))
		t.Cleanup(server.Close)
		names := map[string]string{"id": "bot-id", "secret": "bot.secret"}
		wire := &consumertest.Wire{}
		return consumertest.Place{
			Consumer: opens(t, consumer.World{HTTP: &http.Client{Transport: wire}}, configure(t, server.URL, "", "token: "+token), "id=bot-id,secret=bot.secret"),
			Got: func(t *testing.T) map[string]string {
				f.mu.Lock()
				defer f.mu.Unlock()
				if f.data["other"] != "stays" || f.labels["app"] != "bot" {
					t.Error("something else changed")
				}
				return map[string]string{"id": f.data["bot-id"], "secret": f.data["bot.secret"]}
			},
			Put: func(_ *testing.T, part, value string) {
				f.mu.Lock()
				defer f.mu.Unlock()
				f.data[names[part]] = value
				f.version++
			},
			Stamp: func(*testing.T) string {
				f.mu.Lock()
				defer f.mu.Unlock()
				return strconv.Itoa(f.version)
			},
			Wire: wire, Guarded: true,
		}
	})
}

// client makes a certificate for a client, signed by itself, as PEM.
func client(t *testing.T) (cert, key []byte, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ada"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), pool
}

// Over TLS, each way of saying who asks, and how the cluster is known.
func TestKubeconfig(t *testing.T) {
	f := newFake(map[string]string{"A": "old"})
	cert, key, pool := client(t)
	server := httptest.NewUnstartedServer(providertest.Recorded(t, f))
	server.TLS = &tls.Config{ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: pool}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes
	server.StartTLS()
	defer server.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	b64 := base64.StdEncoding.EncodeToString
	caData := "certificate-authority-data: " + b64(ca)
	for _, c := range []struct {
		name, cluster, user, auth string
		certs                     bool
		want                      string // that the error has; empty for none
	}{
		{"token", caData, "token: " + token, "", false, ""},
		{"token of a file", caData, "tokenFile: token", "", false, ""},
		{"file before token", caData, "tokenFile: token, token: marked-other", "", false, ""},
		{"certificate", caData, "client-certificate-data: " + b64(cert) + ", client-key-data: " + b64(key), "", true, ""},
		{"certificate of files", "certificate-authority: ca", "client-certificate: cert, client-key: key", "", true, ""},
		{"a key of ours", caData, "exec: {command: aws}", ",auth=prod/K8S", false, ""},
		{"a key of ours, not both", caData, "client-certificate: none, client-key: none", ",auth=prod/K8S", false, ""},
		{"another name", caData + ", tls-server-name: example.com", "token: " + token, "", false, ""},
		{"wrong name", caData + ", tls-server-name: other.test", "token: " + token, "", false, "certificate"},
		{"unknown authority", "certificate-authority-data: " + b64(cert), "token: " + token, "", false, "certificate"},
		{"wrong token", caData, "token: marked-other", "", false, "not permitted (401)"},
		{"exec", caData, "exec: {command: aws, args: [marked-argument]}", "", false, "comes from a program (exec)"},
		{"auth-provider", caData, "auth-provider: {name: gcp}", "", false, "auth-provider"},
		{"password", caData, "username: ada, password: marked-password", "", false, "a name and a password"},
		{"as another", caData, "token: " + token + ", as: root", "", false, "acts as another"},
		{"nothing", caData, "", "", false, "neither a token nor a certificate"},
		{"unverified", "insecure-skip-tls-verify: true", "token: " + token, "", false, "insecure-skip-tls-verify"},
		{"proxy", caData + ", proxy-url: http://p", "token: " + token, "", false, "proxy-url"},
		{"no base64", caData, "client-certificate-data: " + b64(cert) + ", client-key-data: '#marked'", "", false, "not base64"},
		{"no pair", caData, "client-certificate-data: " + b64(cert) + ", client-key-data: " + b64(ca), "", false, "do not belong together"},
		{"no authority", "certificate-authority-data: " + b64(key), "token: " + token, "", false, "no certificate"},
		{"no file", caData, "tokenFile: none", "", false, "read the user's token"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f.certs = c.certs
			path := configure(t, server.URL, c.cluster, c.user)
			for name, data := range map[string][]byte{"token": []byte(token + "\n"), "ca": ca, "cert": cert, "key": key} {
				if err := os.WriteFile(filepath.Join(filepath.Dir(path), name), data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			w := consumer.World{Auth: func(context.Context, string) (provider.Credential, error) {
				return provider.Credential{Parts: secrets("value", token)}, nil
			}}
			held, err := opens(t, w, path, "p=A"+c.auth).Holds(t.Context())
			if c.want == "" && (err != nil || string(held["p"].Reveal()) != "old") {
				t.Errorf("%v, %v", held, err)
			}
			var e *provider.Error
			if c.want != "" && (!errors.As(err, &e) || !strings.Contains(err.Error(), c.want) || strings.Contains(fmt.Sprintf("%+v", err), "marked")) {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
}

// A kubeconfig that is not what the spec says is an error, and is not quoted.
func TestKubeconfigTroubles(t *testing.T) {
	good := configure(t, "https://127.0.0.1:1", "", "token: "+token)
	bad := filepath.Join(t.TempDir(), "bad")
	if err := os.WriteFile(bad, []byte("users: {token: marked-token"), 0o600); err != nil {
		t.Fatal(err)
	}
	for spec, want := range map[string]string{
		"k8s:prod/bot,p=A,context=other,config=" + good:     `there is no context "other"`,
		"k8s:prod/bot,p=A,context=elsewhere,config=" + good: "not there",
		"k8s:prod/bot,p=A,context=here,config=" + bad:       "is not a kubeconfig",
		"k8s:prod/bot,p=A,context=here,config=" + bad + "2": "bad2: ",
		"k8s:prod/bot,p=A": "not written down",
	} {
		c, err := consumer.World{}.Open(spec)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Holds(t.Context())
		var e *provider.Error
		if !errors.As(err, &e) || e.Kind != provider.Incomplete || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "marked") {
			t.Errorf("%s: %v", spec, err)
		}
	}
}

// What would be put back, or cannot be changed, is refused before anything is.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name, field string
		set         func(*fake)
		kind        provider.Kind
		reads       bool // it can be read
	}{
		{"immutable", "A", func(f *fake) { f.immutable = true }, provider.Refused, false},
		{"owned", "A", func(f *fake) {
			f.owners = []map[string]any{{"kind": "ExternalSecret", "name": "x", "controller": true}}
		}, provider.Refused, false},
		{"absent", "B", func(*fake) {}, provider.Refused, false},
		{"read only", "A", func(f *fake) { f.readOnly = true }, provider.Forbidden, true},
	} {
		f := newFake(map[string]string{"A": "old"})
		c.set(f)
		server := httptest.NewServer(providertest.Recorded(t, f))
		p := opens(t, consumer.World{}, configure(t, server.URL, "", "token: "+token), "p="+c.field)
		_, held := p.Holds(t.Context())
		err := p.Deliver(t.Context(), secrets("p", "old"), secrets("p", "new"))
		server.Close()
		var e *provider.Error
		if !errors.As(err, &e) || e.Kind != c.kind || (held == nil) != c.reads || f.version != 4711 {
			t.Errorf("%s: %v, %v", c.name, held, err)
		}
	}
	f := newFake(map[string]string{"A": "old"})
	f.owners = []map[string]any{{"kind": "ConfigMap", "name": "x"}}
	server := httptest.NewServer(providertest.Recorded(t, f))
	defer server.Close()
	if err := opens(t, consumer.World{}, configure(t, server.URL, "", "token: "+token), "p=A").Deliver(t.Context(), secrets("p", "old"), secrets("p", "new")); err != nil {
		t.Errorf("one that is cleared away with another: %v", err)
	}
}
