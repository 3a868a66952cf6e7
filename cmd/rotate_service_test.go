package cmd

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/crypto/nacl/box"
)

// TestRotateAtService replaces a key that a service has: the service is asked with the key
// that the spec names, which is on record, and gets the new secret. What it refuses can be
// taken back.
func TestRotateAtService(t *testing.T) {
	inVerb(t)
	useAgefile(t)
	public, private, err := box.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	const token, old = "the-token-of-the-service", "0123456789abcdef0123456789abcdef"
	got, strangers, readOnly := old, 0, true
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer "+token:
			strangers++
			w.WriteHeader(http.StatusUnauthorized)
		case r.Method == http.MethodPut && readOnly:
			w.WriteHeader(http.StatusForbidden)
		case r.Method == http.MethodPut:
			var body struct {
				Value string `json:"encrypted_value"`
			}
			json.NewDecoder(r.Body).Decode(&body)
			sealed, _ := base64.StdEncoding.DecodeString(body.Value)
			value, _ := box.OpenAnonymous(nil, sealed, public, private)
			got = string(value)
			w.WriteHeader(http.StatusNoContent)
		case strings.HasSuffix(r.URL.Path, "/public-key"):
			fmt.Fprintf(w, `{"key_id": "1", "key": %q}`, base64.StdEncoding.EncodeToString(public[:]))
		default:
			fmt.Fprint(w, `{"name": "SESSION"}`)
		}
	}))
	defer server.Close()
	must := func(stdin string, args ...string) string {
		t.Helper()
		out, err := process("TestRotateAtService", 0, change{verb: verb{args: args, stdin: stdin}}).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	must(token, "set", "dev/GITHUB", "--param", "url="+server.URL)
	must(old, "set", "dev/SESSION", "--provider", "local", "--consumer", "gh:ada/bot,SESSION,auth=dev/GITHUB")
	// A token that may not write: the rotation stops, and is taken back without one that may.
	if out, err := process("TestRotateAtService", 0, change{verb: verb{args: []string{"rotate", "dev/SESSION"}}}).CombinedOutput(); err == nil || !strings.Contains(string(out), "not permitted (403)") {
		t.Fatalf("%v\n%s", err, out)
	}
	must("", "rotate", "abort")
	if now := strings.TrimSpace(must("", "get", "dev/SESSION")); now != old || got != old {
		t.Error("it was not taken back")
	}
	readOnly = false
	must("", "rotate", "dev/SESSION")
	if now := strings.TrimSpace(must("", "get", "dev/SESSION")); got != now || got == old || strangers > 0 {
		t.Errorf("the service has another value than the key, or was asked by %d strangers", strangers)
	}
	if out := must("", "rotate", "ls"); !strings.Contains(out, "done") {
		t.Errorf("%s", out)
	}
	if out := must("", "audit", "show", "--key", "dev/GITHUB"); !strings.Contains(out, "rotate") {
		t.Errorf("it is not on record: %s", out)
	}
}
