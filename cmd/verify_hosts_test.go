package cmd

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/providertest/pgserver"
	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/secret"
)

// verified scans a file, and returns what each finding's provider answered, in the order
// of their lines; empty for those that nobody was asked about.
func verified(t *testing.T, lines []string, flags ...string) (answers []string) {
	t.Helper()
	useAgefile(t)
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newScreen()
	args := append([]string{"scan", path, "--confidence", "low", "--format", "json"}, flags...)
	if code := run(t.Context(), &s.terminal, args); code != exitFindings {
		t.Fatalf("exit %d\n%s", code, s.stderr.String())
	}
	var report struct {
		Findings []struct {
			Places   []struct{ Line int }
			Verified *struct{ State, Code string }
		}
	}
	if err := json.Unmarshal(s.stdout.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	answers = make([]string, len(lines))
	for _, f := range report.Findings {
		if f.Verified != nil {
			answers[f.Places[0].Line-1] = strings.TrimSuffix(f.Verified.State+" "+f.Verified.Code, " ")
		}
	}
	return answers
}

// silentPort is one that nobody listens at.
func silentPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func wantAnswers(t *testing.T, got []string, want ...string) {
	t.Helper()
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("line %d: %q, want %q", i+1, got[i], want[i])
		}
	}
}

// TestVerifyHostsPostgres: a server that an address names is asked if that is wanted, and
// only then; what it refuses for the password is dead.
func TestVerifyHostsPostgres(t *testing.T) {
	s := pgserver.Start(t, "host all outsider 127.0.0.1/32 reject")
	password, outsider, silent := rand.Text(), rand.Text(), silentPort(t)
	s.Exec(t, "CREATE ROLE app LOGIN PASSWORD '"+password+"'")
	s.Exec(t, "CREATE ROLE outsider LOGIN PASSWORD '"+outsider+"'")
	at := func(scheme, user, password, port, rest string) string {
		return "URL=" + scheme + "://" + user + ":" + password + "@127.0.0.1:" + port + rest
	}
	lines := []string{
		at("postgres", "app", password, s.Port, "/postgres?sslmode=require"),
		at("postgresql+asyncpg", "nobody", rand.Text(), s.Port, "/postgres"),
		at("postgres", "outsider", outsider, s.Port, "/postgres"), // not by the password: nobody looked at it
		at("postgres", "app", rand.Text(), silent, "/postgres"),
		at("postgres", "app", rand.Text(), silent, "/other"),
		at("mongodb", "app", rand.Text(), s.Port, "/postgres"),
	}
	wantAnswers(t, verified(t, lines, "--verify"), "", "", "", "", "", "")
	got := verified(t, lines, "--verify", "--verify-hosts")
	if !strings.HasPrefix(got[2], "unknown blocked by address: 28000") {
		t.Errorf("%q", got[2])
	}
	got[2] = ""
	wantAnswers(t, got, "alive", "dead 28P01", "", "unknown not reached", "unknown not asked: not reached", "")

	s.Exec(t, "ALTER ROLE app PASSWORD '"+rand.Text()+"'")
	wantAnswers(t, verified(t, lines[:1], "--verify", "--verify-hosts"), "dead 28P01")

	// One password, of several servers: dead is what none of them takes.
	s.Exec(t, "CREATE ROLE reused LOGIN PASSWORD '"+password+"'")
	lines = []string{at("postgres", "app", password, s.Port, "/postgres"), at("postgres", "reused", password, s.Port, "/postgres")}
	wantAnswers(t, verified(t, lines, "--verify", "--verify-hosts"), "alive")
	s.Exec(t, "DROP ROLE reused")
	wantAnswers(t, verified(t, lines, "--verify", "--verify-hosts"), "dead 28P01")
	lines = append(lines, at("postgres", "app", password, silent, ""))
	wantAnswers(t, verified(t, lines, "--verify", "--verify-hosts"), "unknown not reached")
}

// TestVerifyHostsRedis is the same for a server with one password for everybody.
func TestVerifyHostsRedis(t *testing.T) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("KEYWRIGHT_REQUIRE_SERVICES") == "1" {
			t.Fatal("Redis is not installed, and KEYWRIGHT_REQUIRE_SERVICES=1")
		}
		t.Skip("Redis is not installed (the package redis-server has it)")
	}
	port, password, next := silentPort(t), rand.Text(), rand.Text()
	server := exec.Command(program, "--bind", "127.0.0.1", "--port", port, "--save", "", "--dir", t.TempDir(), "--requirepass", password)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Process.Kill(); server.Wait() })
	say := func(commands ...string) string {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		for end := time.Now().Add(20 * time.Second); err != nil && time.Now().Before(end); conn, err = net.Dial("tcp", "127.0.0.1:"+port) {
			time.Sleep(20 * time.Millisecond)
		}
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, strings.Join(commands, "\r\n")+"\r\nQUIT\r\n")
		var answer [512]byte
		n, _ := conn.Read(answer[:])
		return string(answer[:n])
	}
	if got := say("AUTH " + password); !strings.HasPrefix(got, "+OK") {
		t.Fatal(got)
	}
	lines := []string{"REDIS_URL=redis://:" + password + "@127.0.0.1:" + port + "/0", "OTHER=redis://someone:" + rand.Text() + "@localhost:" + port}
	wantAnswers(t, verified(t, lines, "--verify"), "", "")
	wantAnswers(t, verified(t, lines, "--verify=redis", "--verify-hosts"), "alive", "dead WRONGPASS")
	say("AUTH "+password, "CONFIG SET requirepass "+next)
	wantAnswers(t, verified(t, lines[:1], "--verify", "--verify-hosts"), "dead WRONGPASS")
	say("AUTH "+next, "CONFIG SET requirepass \"\"")
	wantAnswers(t, verified(t, lines[:1], "--verify", "--verify-hosts"), "unknown unknown: any password is taken")
}

// TestVerifyHostsRefused: it is asked for with --verify, and providers that are asked at
// what is found are named with it alone.
func TestVerifyHostsRefused(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--verify-hosts"}, "--verify-hosts goes with --verify"},
		{[]string{"--verify=postgres"}, "add --verify-hosts"},
	} {
		s := newScreen()
		if code := run(t.Context(), &s.terminal, append([]string{"scan", t.TempDir(), "--no-history"}, c.args...)); code != exitUsage || !strings.Contains(s.stderr.String(), c.want) {
			t.Errorf("%v: exit %d, %s", c.args, code, s.stderr.String())
		}
	}
}

// several takes a secret for a credential at each host that it stands beside.
type several struct {
	oracle
	at map[string]provider.Probe
}

func (s *several) RecognizeHost(rule string, parts map[string]secret.Value) (provider.Credential, bool) {
	host := string(parts["host"].Reveal())
	return provider.Credential{Parts: parts, Params: map[string]string{provider.HostParam: host}, Found: true}, host != ""
}

func (s *several) Verify(_ context.Context, c provider.Credential) (provider.Probe, error) {
	host := c.Params[provider.HostParam]
	s.asked = append(s.asked, host)
	probe, ok := s.at[host]
	if !ok {
		return probe, &provider.Error{Provider: "several", Doing: "ask", Kind: provider.Unreached}
	}
	return probe, nil
}

// TestVerifyVariants: a secret is tried once at each host, at few, until one takes it; a
// host that asks for patience, or is not there, is not asked again, and others are.
func TestVerifyVariants(t *testing.T) {
	of := func(hosts ...string) (f scan.Finding) {
		f = findingOf("an-address", rand.Text())
		for i, h := range hosts {
			parts := []scan.Part{{Role: scan.RoleSecret}, {Role: "host", Public: true, Redacted: h}}
			if i == 0 {
				f.Parts = parts
				continue
			}
			f.Variants = append(f.Variants, scan.Variant{Rule: f.Rule, Parts: parts})
		}
		return f
	}
	s := &several{oracle: oracle{name: "several", others: "others"}, at: map[string]provider.Probe{
		"lives": {State: provider.Alive, Code: "yes"}, "dead": {State: provider.Dead, Code: "no"}, "dead2": {State: provider.Dead, Code: "no"},
		"dead3": {State: provider.Dead, Code: "no"}, "dead4": {State: provider.Dead, Code: "no"}, "dead5": {State: provider.Dead, Code: "no"},
		"busy": {State: provider.Throttled}, "blocked": {State: provider.Blocked, Code: "b"},
	}}
	r := &scan.Report{}
	var want, asked []string
	for _, c := range []struct {
		hosts       []string
		want, asked string
	}{
		{[]string{"dead", "lives", "dead2"}, "alive yes", "dead lives"},
		{[]string{"dead", "dead", "dead2"}, "dead no", "dead dead2"},
		{[]string{"dead", "blocked"}, "unknown blocked by address: b", "dead blocked"},
		{[]string{"gone", "dead"}, "unknown not reached", "gone dead"},
		{[]string{"gone"}, "unknown not asked: not reached", ""},
		{[]string{"busy"}, "unknown throttled", "busy"},
		{[]string{"busy", "dead"}, "unknown not asked: throttled", "dead"},
		{[]string{"dead", "dead2", "dead3", "dead4", "dead5", "lives"}, "unknown not asked: of more than 4 places", "dead dead2 dead3 dead4"},
	} {
		r.Findings = append(r.Findings, of(c.hosts...))
		want = append(want, c.want)
		asked = append(asked, strings.Fields(c.asked)...)
	}
	screen := newScreen()
	if err := verifyFindings(t.Context(), &screen.terminal, []provider.Provider{s}, r, true, 0); err != nil {
		t.Fatal(err)
	}
	for i, w := range want {
		if a := r.Findings[i].Answer; a == nil || string(a.Life)+" "+a.Code != w {
			t.Errorf("%d: %+v, want %s", i, a, w)
		}
	}
	if !slices.Equal(s.asked, asked) {
		t.Errorf("asked %q, want %q", s.asked, asked)
	}
	s.asked = nil
	if err := verifyFindings(t.Context(), &screen.terminal, []provider.Provider{s}, r, false, 0); err != nil || s.asked != nil {
		t.Errorf("asked %q, %v", s.asked, err)
	}
}
