package providertest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/secret"
)

// Lineage is that of the keys that the tests of exchanges issue.
var Lineage = provider.Lineage{Installation: "q7kf", Rotation: "20260102-0123abcd"}

// Exchange is a service whose keys are issued, listed and deleted with another of its keys,
// and say themselves what they may do. Its methods are tests, each of which starts fakes of
// its own; what is particular to an exchange is told to them.
type Exchange[F Fake[K], K Entry] struct {
	// Start starts a fake of one of the service's worlds, which knows a key named old, and
	// the one to replace it with.
	Start func(t *testing.T) F
	Admin string // the ID of the latter

	// Open is the provider, with these as all worlds that there are.
	Open func(worlds ...string) Driver
	// Another adds a key to a fake that stands in no other's way, the nth.
	Another func(f F, n int) provider.Credential

	// The calls by which a key says what it is, and by which keys are listed, made and
	// deleted: "POST /v3/keys".
	Self, List, Create, Remove string
	// Say answers with a code, and an answer's words and data that hold secrets.
	Say func(status int, code string) Answer
	// Good is the code of what went well.
	Good string
	// Like compares what only the service's own keys have; it may be nil.
	Like func(old, next K) bool
}

// Fake is a pointer to what embeds a Ledger.
type Fake[K Entry] interface{ Book() *Ledger[K] }

// Driver is the provider of an exchange, whose clock can be set.
type Driver interface {
	provider.Verifier
	provider.Lister
	provider.Planner
	provider.Issuer
	provider.Revoker
	Info() provider.Info
	SetNow(now func() time.Time)
}

// Signed are the requests in testdata/signed.json, which a service's own software signed.
func Signed[R any](t *testing.T, n int) (all []R) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "signed.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &all); err != nil || len(all) != n {
		t.Fatal(len(all), err)
	}
	return all
}

// scene is a fake, and what it is asked with.
type scene[F Fake[K], K Entry] struct {
	*Ledger[K]
	fake       F
	p          Driver
	admin, old provider.Credential
}

func (x Exchange[F, K]) scene(t *testing.T) scene[F, K] {
	t.Helper()
	f := x.Start(t)
	l := f.Book()
	return scene[F, K]{l, f, x.Open(l.URL), l.Credential(x.Admin), l.Credential("old")}
}

// unchanged fails if a call was made that may change something.
func (x Exchange[F, K]) unchanged(t *testing.T, l *Ledger[K]) {
	t.Helper()
	l.Lock()
	defer l.Unlock()
	for _, call := range l.calls {
		if !strings.HasPrefix(call, "GET ") && call != x.Self && call != x.List {
			t.Errorf("a change: %s", call)
		}
	}
}

// Conformance runs the suite over the provider and one of its worlds.
func (x Exchange[F, K]) Conformance(t *testing.T, s Subject) {
	f := x.Start(t)
	l := f.Book()
	n := 0
	s.Provider, s.Admin, s.Addr = x.Open(l.URL), l.Credential(x.Admin), l.Addr()
	s.New = func(*testing.T) provider.Credential {
		l.Lock()
		defer l.Unlock()
		n++
		return x.Another(f, n)
	}
	s.Accepts = func(_ *testing.T, c provider.Credential) bool { return l.Accepts(c) }
	s.At = func(addr string, c provider.Credential) (provider.Provider, provider.Credential) {
		c.Params = maps.Clone(c.Params)
		c.Params["host"] = "http://" + addr
		return x.Open(l.URL), c
	}
	Provider(t, s)
}

// Verify looks what keys say of themselves, by their IDs: at the host that a credential has,
// however that is written, and where it has none.
func (x Exchange[F, K]) Verify(t *testing.T, f F, want map[string]provider.Identity) {
	l := f.Book()
	for id, who := range want {
		for _, host := range []string{l.URL, l.URL + "/", ""} {
			c := l.Credential(id)
			c.Params["host"] = host
			if got := Probe(t, x.Open(l.URL), c); got.State != provider.Alive || got.Code != x.Good || !reflect.DeepEqual(got.Who, who) {
				t.Errorf("%s: %+v, want %+v", id, got, who)
			}
		}
	}
	x.unchanged(t, l)
}

// Recognizes has keys recognized that a rule found, which can be asked for then.
func (x Exchange[F, K]) Recognizes(t *testing.T, rules ...string) {
	s := x.scene(t)
	r := s.p.(provider.Recognizer)
	for _, rule := range rules {
		c, ok := r.Recognize(rule, s.old.Parts)
		if !ok || c.ID != "old" {
			t.Fatalf("%s: %v, %v", rule, c.ID, ok)
		}
		if got := Probe(t, s.p, c); got.State != provider.Alive {
			t.Errorf("%s: %+v", rule, got)
		}
		if c, ok := r.Recognize(rule, map[string]secret.Value{"secret": s.old.Part("secret")}); ok {
			t.Errorf("%s, without an id: %v", rule, c.ID)
		}
	}
	if c, ok := r.Recognize("another", s.old.Parts); ok {
		t.Errorf("of another rule: %v", c.ID)
	}
}

// Codes looks what each code says of a key, with whatever status: which of them mean that it
// is dead. Marked as a code is a word where a number is to be.
func (x Exchange[F, K]) Codes(t *testing.T, want map[provider.State][]string, statuses ...int) {
	for state, codes := range want {
		for _, code := range codes {
			for _, status := range statuses {
				s := x.scene(t)
				s.Fault(x.Self, x.Say(status, code))
				if code == Marked {
					code = "not a number"
				}
				got := Probe(t, s.p, s.old)
				word, _, _ := strings.Cut(got.Code, ", the clock here is ") // which may differ by a second
				if got.State != state || word != code {
					t.Errorf("%d, %s: %+v, want %s", status, code, got, state)
				}
			}
		}
	}
}

// Statuses looks what a status alone says of a key. The body is one with a code that says
// that it is dead, but of a type that no code is of.
func (x Exchange[F, K]) Statuses(t *testing.T, want map[int]provider.State, body string) {
	for status, state := range want {
		for _, answer := range []Answer{Text(status, ""), Text(status, "<html>"+Marked), Text(status, `{"message":"`+Marked+`"}`), Text(status, body), x.Say(status, x.Good)} {
			s := x.scene(t)
			s.Fault(x.Self, answer)
			if got := Probe(t, s.p, s.old); got.State != state || got.Code != fmt.Sprint(status) {
				t.Errorf("%d: %+v, want %s", status, got, state)
			}
		}
	}
}

// Worlds has a key asked for that its world does not know. It is dead if no other one knows
// it, and not while one of them cannot be asked. The code is that for keys that are not known.
func (x Exchange[F, K]) Worlds(t *testing.T, code string) {
	home, other := x.Start(t).Book(), x.Start(t).Book()
	p, c := x.Open(home.URL, other.URL), home.Credential("old")
	known := home.Find("old")
	home.Keys, other.Keys = nil, nil
	check := func(name string, want provider.State, code string) {
		t.Helper()
		if got := Probe(t, p, c); got.State != want || got.Code != code {
			t.Errorf("%s: %+v; want %s, %s", name, got, want, code)
		}
	}
	check("nowhere", provider.Dead, code)
	other.Add(known)
	check("there", provider.Elsewhere, code+"; "+other.Addr()+" knows it")
	right := known.Base().Secret
	known.Base().Secret = "another"
	check("there, with another secret", provider.Unknown, code+"; "+other.Addr()+" could not tell")
	known.Base().Secret = right
	other.Answer = func(w http.ResponseWriter, _ *http.Request, _ func()) bool {
		w.WriteHeader(http.StatusBadGateway)
		return true
	}
	check("there, and it is down", provider.Unknown, code+"; "+other.Addr()+" could not tell")

	// Without a host, nobody has said which world it is of.
	other.Answer, other.Keys = nil, nil
	delete(c.Params, "host")
	check("no host, nowhere", provider.Unknown, code+" wherever it was asked")
	other.Add(known)
	check("no host, there", provider.Alive, x.Good)
}

// Clock has the clock here wrong, which the code is for: then a key is not dead, and none is
// issued.
func (x Exchange[F, K]) Clock(t *testing.T, code string) {
	for direction, off := range map[string]time.Duration{"slow": -10 * time.Minute, "fast": 10 * time.Minute} {
		s := x.scene(t)
		s.p.SetNow(func() time.Time { return time.Now().Add(off) })
		got := Probe(t, s.p, s.old)
		if got.State != provider.Skewed || !strings.HasPrefix(got.Code, code+", the clock here is ") || !strings.HasSuffix(got.Code, direction) {
			t.Errorf("%v: %+v", off, got)
		}
		_, err := s.p.Issue(t.Context(), s.admin, s.old, Lineage)
		if e := Quiet(t, err, provider.Refused); e.Hint == "" || s.Issued() != 0 {
			t.Errorf("%+v, %d made", e, s.Issued())
		}
	}
}

// Issue has keys replaced, as they are and changed. The new one may do what the old one may,
// from where that may, and bears the lineage.
func (x Exchange[F, K]) Issue(t *testing.T, changes map[string]func(old K)) {
	changes["as it is"] = func(K) {}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			s := x.scene(t)
			change(s.Find("old"))
			before := Probe(t, s.p, s.old)
			next, err := s.p.Issue(t.Context(), s.admin, s.old, Lineage)
			if err != nil {
				t.Fatal(err)
			}
			if next.ID != "new1" || !s.Accepts(next) || !maps.Equal(next.Params, s.old.Params) {
				t.Errorf("%+v", next)
			}
			x.alike(t, s.Find("old"), s.Find("new1"))

			// And so they say themselves.
			after := Probe(t, s.p, next)
			if after.State != provider.Alive {
				t.Errorf("%+v", after)
			}
			if again := Probe(t, s.p, s.old); !reflect.DeepEqual(again, before) {
				t.Errorf("of the old one: %+v, before it was %+v", again, before)
			}
			if b, a := before.Who, after.Who; before.State == provider.Alive {
				if b.Expires.IsZero() != a.Expires.IsZero() {
					t.Errorf("it ends at %v, and the old one at %v", a.Expires, b.Expires)
				}
				b.ID, b.Label, b.Expires = a.ID, a.Label, a.Expires
				if !reflect.DeepEqual(a, b) {
					t.Errorf("%+v\nis not like\n%+v", a, b)
				}
			}
			if l := x.listed(t, s); l == nil || l.ID != next.ID {
				t.Errorf("under its lineage there is %+v", l)
			}

			other, err := s.p.Issue(t.Context(), s.admin, s.old, provider.Lineage{Installation: Lineage.Installation, Rotation: "20260102-89abcdef"})
			if err != nil || !s.Accepts(other) || s.Issued() != 2 {
				t.Errorf("another: %v", err)
			}
			for part, v := range other.Parts {
				if string(v.Reveal()) == string(next.Part(part).Reveal()) {
					t.Errorf("the same %s twice", part)
				}
			}
		})
	}
}

// alike fails unless a key is one that was issued for another.
func (x Exchange[F, K]) alike(t *testing.T, o, n K) {
	t.Helper()
	sorted := func(all []string) []string {
		return slices.DeleteFunc(slices.Sorted(slices.Values(all)), func(s string) bool { return s == "*" }) // any address
	}
	old, next := o.Base(), n.Base()
	if !slices.Equal(sorted(next.Rights), sorted(old.Rights)) || !slices.Equal(sorted(next.IPs), sorted(old.IPs)) ||
		next.Account != old.Account || next.Label != Lineage.Short() || next.Disabled || x.Like != nil && !x.Like(o, n) {
		t.Errorf("%+v\nis not like\n%+v", n, o)
	}
}

// listed is the key that is listed under the lineage; nil if there is none.
func (x Exchange[F, K]) listed(t *testing.T, s scene[F, K]) *provider.Listed {
	t.Helper()
	all, err := s.p.List(t.Context(), s.admin, s.old)
	if err != nil {
		t.Fatal(err)
	}
	if i := slices.IndexFunc(all, func(l provider.Listed) bool { return l.Label == Lineage.Short() }); i >= 0 {
		return &all[i]
	}
	return nil
}

// IssueRefused has keys replaced that cannot be.
func (x Exchange[F, K]) IssueRefused(t *testing.T, changes map[string]func(f F, old K)) {
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			s := x.scene(t)
			change(s.fake, s.Find("old"))
			_, err := s.p.Issue(t.Context(), s.admin, s.old, Lineage)
			Quiet(t, err, provider.Refused)
			_, err = s.p.Plan(t.Context(), s.admin, s.old)
			Quiet(t, err, provider.Refused)
			x.unchanged(t, s.Ledger)
		})
	}
}

// IssueWithout has a key replaced that has a right, without, which no key that is issued can
// have: the new one has what is left.
func (x Exchange[F, K]) IssueWithout(t *testing.T, without string, left ...string) {
	s := x.scene(t)
	k := s.Find("old").Base()
	k.Rights = append(slices.Clone(left), without)
	plan, err := s.p.Plan(t.Context(), s.admin, s.old)
	says := slices.DeleteFunc(plan.Notes, func(note string) bool { return !strings.Contains(note, "the new key is without") })
	group, _, _ := strings.Cut(strings.TrimSpace(without), ":")
	if err != nil || len(says) != 1 || !strings.Contains(says[0], "without "+group) {
		t.Errorf("%q, %v", plan.Notes, err)
	}
	if _, err := s.p.Issue(t.Context(), s.admin, s.old, Lineage); err != nil || !slices.Equal(s.Find("new1").Base().Rights, left) {
		t.Errorf("%+v, %v", s.Find("new1"), err)
	}
	k.Rights = []string{without}
	_, err = s.p.Issue(t.Context(), s.admin, s.old, Lineage)
	Quiet(t, err, provider.Refused)
	_, err = s.p.Plan(t.Context(), s.admin, s.old)
	Quiet(t, err, provider.Refused)
	_, err = s.p.Issue(t.Context(), s.admin, s.admin, Lineage)
	Quiet(t, err, provider.Refused)
	if s.Issued() != 1 {
		t.Errorf("%d were made", s.Issued())
	}
}

// IssueForRefused has a key replaced that a change makes the service refuse. It says nothing
// of itself any more: where the sub-account is given, the list of its keys does.
func (x Exchange[F, K]) IssueForRefused(t *testing.T, subaccount string, change func(old K)) {
	s := x.scene(t)
	change(s.Find("old"))
	_, err := s.p.Issue(t.Context(), s.admin, s.old, Lineage)
	Quiet(t, err, provider.Forbidden)
	s.old.Params["subaccount"] = subaccount
	s.Fault(x.List, Text(500, Marked))
	_, err = s.p.Issue(t.Context(), s.admin, s.old, Lineage)
	Quiet(t, err, provider.Unreached)
	s.Answer = nil
	if _, err := s.p.Issue(t.Context(), s.admin, s.old, Lineage); err != nil {
		t.Fatal(err)
	}
	x.alike(t, s.Find("old"), s.Find("new1"))
	s.Drop("old")
	_, err = s.p.Issue(t.Context(), s.admin, s.old, Lineage)
	Quiet(t, err, provider.Refused)
	if s.Issued() != 1 {
		t.Errorf("%d were made", s.Issued())
	}
}

// Outcomes are answers by the kind of error that they are, each with a name.
type Outcomes map[provider.Kind]map[string]Answer

// every are outcomes, together with those that are the same for all.
func (x Exchange[F, K]) every(o Outcomes) Outcomes {
	all := Outcomes{
		provider.Forbidden: {"401 without a word": Text(401, "")},
		provider.Busy:      {"429 without a word": Text(429, "<html>"+Marked)},
		provider.Refused:   {"moved": Text(307, "")},
		provider.Unclear:   {"500": Text(500, Marked), "502, a page": Text(502, "<html>"+Marked), "no answer": HangUp, "500, and the code of what was done": x.Say(500, x.Good)},
		provider.Malformed: {"a page": Text(200, "<html>"+Marked), "nothing": Text(200, "")},
	}
	for kind, answers := range o {
		if all[kind] == nil {
			all[kind] = map[string]Answer{}
		}
		maps.Copy(all[kind], answers)
	}
	return all
}

// ambiguous reports whether an error says that it may have happened.
func ambiguous(kind provider.Kind) bool {
	return kind == provider.Unclear || kind == provider.Malformed
}

// IssueFaults has a key issued by a service that answers so, and did nothing, or, where the
// answer leaves that open, did it all the same. Then it is found by its lineage, and can be
// deleted.
func (x Exchange[F, K]) IssueFaults(t *testing.T, outcomes Outcomes) {
	for kind, answers := range x.every(outcomes) {
		for name, answer := range answers {
			t.Run(name, func(t *testing.T) {
				s := x.scene(t)
				s.Fault(x.Create, answer)
				_, err := s.p.Issue(t.Context(), s.admin, s.old, Lineage)
				Quiet(t, err, kind)
				if n := s.Count(x.Create); n != 1 {
					t.Errorf("asked for %d times", n)
				}
				if l := x.listed(t, s); l != nil || s.Issued() != 0 {
					t.Errorf("%d made, and listed: %+v", s.Issued(), l)
				}
			})
			if !ambiguous(kind) {
				continue
			}
			t.Run(name+", and it was made", func(t *testing.T) {
				s := x.scene(t)
				s.Fault(x.Create, After(answer))
				_, err := s.p.Issue(t.Context(), s.admin, s.old, Lineage)
				Quiet(t, err, kind)
				if n := s.Count(x.Create); n != 1 || s.Issued() != 1 {
					t.Errorf("asked for %d times, %d made", n, s.Issued())
				}
				l := x.listed(t, s)
				if l == nil || l.ID != "new1" {
					t.Fatalf("it is not found: %+v", l)
				}
				x.revokeOrphan(t, s, l.ID)
			})
		}
	}
}

// revokeOrphan deletes a key of which nothing but the ID is known, twice.
func (x Exchange[F, K]) revokeOrphan(t *testing.T, s scene[F, K], id string) {
	t.Helper()
	orphan := provider.Credential{ID: id, Params: s.old.Params}
	for range 2 {
		if err := s.p.Revoke(t.Context(), s.admin, orphan, s.old); err != nil || s.There(id) || !s.There("old") || !s.There(x.Admin) {
			t.Errorf("%v; there are %+v", err, s.Keys)
		}
	}
}

// ReadsFirst has a key replaced while a call cannot be made that is to be made before, or is
// answered with such a body: nothing has happened then, and nothing is asked for.
func (x Exchange[F, K]) ReadsFirst(t *testing.T, call string, bodies ...string) {
	answers := map[string]Answer{"500": Text(500, Marked), "no answer": HangUp, "a page": Text(200, "<html>"+Marked)}
	for _, body := range bodies {
		answers[body] = Text(200, body)
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			s := x.scene(t)
			s.Fault(call, answer)
			_, err := s.p.Issue(t.Context(), s.admin, s.old, Lineage)
			Quiet(t, err, provider.Unreached)
			_, err = s.p.Plan(t.Context(), s.admin, s.old)
			Quiet(t, err, provider.Unreached)
			x.unchanged(t, s.Ledger)
		})
	}
}

// Lists looks at the list of n keys beside the old one, of which some are to be so. The
// bodies are answers that are no list, or not all of it.
func (x Exchange[F, K]) Lists(t *testing.T, f F, n int, want map[int]provider.Listed, bodies ...string) {
	l := f.Book()
	p, admin, old := x.Open(l.URL), l.Credential(x.Admin), l.Credential("old")
	all, err := p.List(t.Context(), admin, old)
	if err != nil || len(all) != n {
		t.Fatalf("%d, %v", len(all), err)
	}
	if text := fmt.Sprintf("%+v", all); strings.Contains(text, Marked) {
		t.Error("it shows a secret")
	}
	for i, listed := range want {
		if !reflect.DeepEqual(all[i], listed) {
			t.Errorf("%d: %+v, want %+v", i, all[i], listed)
		}
	}
	for _, body := range append(bodies, "<html>"+Marked) {
		l.Fault(x.List, Text(200, body))
		_, err = p.List(t.Context(), admin, old)
		Quiet(t, err, provider.Malformed)
	}
	l.Answer = nil
	x.unchanged(t, l)
}

// Plan looks, after a change, what a plan notes: parts of each note, in their order. Nothing
// is changed by looking.
func (x Exchange[F, K]) Plan(t *testing.T, name string, change func(f F, admin, old K), notes ...string) {
	t.Run(name, func(t *testing.T) {
		s := x.scene(t)
		change(s.fake, s.Find(x.Admin), s.Find("old"))
		got, err := s.p.Plan(t.Context(), s.admin, s.old)
		x.unchanged(t, s.Ledger)
		if err != nil || got.InPlace || got.Outage != "" || len(got.Notes) != len(notes) {
			t.Fatalf("%+v, %v", got, err)
		}
		for i, part := range notes {
			if !strings.Contains(got.Notes[i], part) {
				t.Errorf("%q does not say %q", got.Notes[i], part)
			}
		}
	})
}

// NoPlan looks, after changes, that there is no plan, and for what kind of reason. Nothing is
// changed by looking.
func (x Exchange[F, K]) NoPlan(t *testing.T, changes map[provider.Kind]map[string]func(f F, admin, old K)) {
	none := func(name string, kind provider.Kind, change func(f F, admin, old K)) {
		t.Run(name, func(t *testing.T) {
			s := x.scene(t)
			change(s.fake, s.Find(x.Admin), s.Find("old"))
			_, err := s.p.Plan(t.Context(), s.admin, s.old)
			Quiet(t, err, kind)
			x.unchanged(t, s.Ledger)
		})
	}
	for kind, all := range changes {
		for name, change := range all {
			none(name, kind, change)
		}
	}
	none("a key that is not known", provider.Forbidden, func(f F, _, _ K) { f.Book().Drop(x.Admin) })
	none("throttled", provider.Busy, func(f F, _, _ K) { f.Book().Fault(x.Self, Text(429, "")) })
	none("down", provider.Unreached, func(f F, _, _ K) { f.Book().Fault(x.Self, Text(500, Marked)) })
	_, err := x.Open().Plan(t.Context(), provider.Credential{}, provider.Credential{})
	Quiet(t, err, provider.Incomplete)
	s := x.scene(t)
	s.admin.ID, s.admin.Parts = "", maps.Clone(s.admin.Parts)
	delete(s.admin.Parts, "id")
	_, err = s.p.Plan(t.Context(), s.admin, s.old)
	Quiet(t, err, provider.Incomplete)
}

// Revoke has keys deleted, and looks that it is the right one. Itself is the kind of the
// error if one that may not do so is to delete itself.
func (x Exchange[F, K]) Revoke(t *testing.T, itself provider.Kind) {
	s := x.scene(t)
	next, err := s.p.Issue(t.Context(), s.admin, s.old, Lineage)
	if err != nil {
		t.Fatal(err)
	}
	Quiet(t, s.p.Revoke(t.Context(), s.admin, next, next), provider.Refused)
	Quiet(t, s.p.Revoke(t.Context(), s.admin, provider.Credential{Params: s.old.Params}, next), provider.Incomplete)
	Quiet(t, s.p.Revoke(t.Context(), s.old, s.old, next), itself)
	for _, id := range []string{"old", "new1", x.Admin} {
		if !s.There(id) {
			t.Fatalf("%s is gone", id)
		}
	}
	x.revokeOrphan(t, s, "new1")
	if next, err = s.p.Issue(t.Context(), s.admin, s.old, Lineage); err != nil {
		t.Fatal(err)
	}
	for _, other := range []provider.Credential{next, next, {}} { // of a key that is gone little is documented but what the list shows
		if err := s.p.Revoke(t.Context(), s.admin, s.old, other); err != nil {
			t.Error(err)
		}
		if s.There("old") || !s.There("new2") || !s.There(x.Admin) {
			t.Error("the wrong one is gone")
		}
	}
	if got := Probe(t, s.p, s.old); got.State != provider.Dead {
		t.Errorf("%+v", got)
	}
	if err := s.p.Revoke(t.Context(), s.old, s.old, provider.Credential{}); err != nil { // it is gone
		t.Error(err)
	}
}

// RevokeFaults has a key deleted by a service that answers so, and did nothing; or, where the
// answer leaves that open, did it all the same. Then it is done, as the list shows; and it is
// not known to be done where there is no list either.
func (x Exchange[F, K]) RevokeFaults(t *testing.T, outcomes Outcomes) {
	revoke := func(t *testing.T, answer Answer) (scene[F, K], error) {
		s := x.scene(t)
		next, err := s.p.Issue(t.Context(), s.admin, s.old, Lineage)
		if err != nil {
			t.Fatal(err)
		}
		s.Fault(x.Remove, answer)
		err = s.p.Revoke(t.Context(), s.admin, s.old, next)
		if n := s.Count(x.Remove); n != 1 || !s.There("new1") {
			t.Errorf("asked for %d times", n)
		}
		return s, err
	}
	for kind, answers := range x.every(outcomes) {
		for name, answer := range answers {
			t.Run(name, func(t *testing.T) {
				s, err := revoke(t, answer)
				Quiet(t, err, kind)
				if !s.There("old") {
					t.Error("it is gone")
				}
			})
			if !ambiguous(kind) {
				continue
			}
			t.Run(name+", and it was done", func(t *testing.T) {
				if s, err := revoke(t, After(answer)); err != nil || s.There("old") {
					t.Error(err)
				}
			})
		}
	}
	t.Run("nothing is clear", func(t *testing.T) {
		s := x.scene(t)
		if _, err := s.p.Issue(t.Context(), s.admin, s.old, Lineage); err != nil {
			t.Fatal(err)
		}
		s.Answer = func(w http.ResponseWriter, r *http.Request, done func()) bool {
			call := r.Method + " " + r.URL.Path
			if call == x.List || call == x.Remove {
				Text(500, Marked)(w, done)
			}
			return call == x.List || call == x.Remove
		}
		err := s.p.Revoke(t.Context(), s.admin, provider.Credential{ID: "new1", Params: s.old.Params}, s.old)
		kind := provider.Unclear
		if s.Count(x.Remove) == 0 {
			kind = provider.Unreached
		}
		Quiet(t, err, kind)
	})
}

// Recognize looks whether what a scan's rule finds can be asked about: with all three parts,
// and of no other rule. That a passphrase is wrong does not make a key dead, nor that it is
// not known where it was asked; these are the codes of the two.
func (x Exchange[F, K]) Recognize(t *testing.T, rule, wrongPhrase, unknown string) {
	s := x.scene(t)
	r := s.p.(provider.Recognizer)
	for _, missing := range []string{"id", "passphrase"} {
		parts := maps.Clone(s.old.Parts)
		delete(parts, missing)
		if _, ok := r.Recognize(rule, parts); ok {
			t.Errorf("without its %s", missing)
		}
	}
	if _, ok := r.Recognize("bitget-api-secret", s.old.Parts); ok {
		t.Error("another's key")
	}
	try := func(want provider.State, code string) {
		t.Helper()
		c, ok := r.Recognize(rule, s.old.Parts)
		if !ok || c.Params["host"] != "" || c.Found {
			t.Fatalf("%+v", c)
		}
		if got := Probe(t, s.p, c); got.State != want || code != "" && got.Code != code {
			t.Errorf("%+v, want %s %s", got, want, code)
		}
	}
	try(provider.Alive, "")
	right := s.old.Parts["passphrase"]
	s.old.Parts["passphrase"] = secret.New([]byte("another"))
	try(provider.Unknown, wrongPhrase)
	s.old.Parts["passphrase"] = right
	s.Drop("old")
	try(provider.Unknown, unknown)
}
