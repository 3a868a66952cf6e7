package aws_test

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/aws"
	"github.com/keywright/keywright/provider/providertest"
)

var (
	_ provider.Verifier = (*aws.Provider)(nil)
	_ provider.Lister   = (*aws.Provider)(nil)
	_ provider.Planner  = (*aws.Provider)(nil)
	_ provider.Issuer   = (*aws.Provider)(nil)
	_ provider.Disabler = (*aws.Provider)(nil)
	_ provider.Revoker  = (*aws.Provider)(nil)
)

func open(url string) *aws.Provider {
	p := aws.New(nil)
	p.Endpoint = url
	return p
}

func TestConformance(t *testing.T) {
	f, url := serve(t)
	made := 0
	providertest.Provider(t, providertest.Subject{
		Provider: open(url),
		Admin:    f.credential("ADMIN"),
		New: func(t *testing.T) provider.Credential {
			f.mu.Lock()
			defer f.mu.Unlock()
			made++
			id := fmt.Sprint("TEST", made)
			f.keys = append(f.keys, &fakeKey{id: id, secret: marked + id, user: fmt.Sprint("user", made)})
			c := f.credential(id)
			c.Params["user"] = fmt.Sprint("user", made) // a key that is dead does not say it
			return c
		},
		Accepts: func(t *testing.T, c provider.Credential) bool {
			f.mu.Lock()
			defer f.mu.Unlock()
			k := f.find(string(c.Part("id").Reveal()))
			return k != nil && !k.inactive && k.secret == string(c.Part("secret").Reveal())
		},
		DeadCode:  "InvalidClientTokenId",
		WrongCode: "SignatureDoesNotMatch",
		ByID:      true,
		Nameless:  true,
		Addr:      strings.TrimPrefix(url, "http://"),
		At: func(addr string, c provider.Credential) (provider.Provider, provider.Credential) {
			return open("http://" + addr), c
		},
	})
}

func TestVerify(t *testing.T) {
	f, url := serve(t)
	got, err := open(url).Verify(t.Context(), f.credential("OLD"))
	want := provider.Probe{State: provider.Alive, Code: "200", Who: provider.Identity{Account: "123456789012", ID: "OLD", Label: "arn:aws:iam::123456789012:user/team/app"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	f.find("OLD").inactive = true
	if got, err := open(url).Verify(t.Context(), f.credential("OLD")); err != nil || got.State != provider.Dead {
		t.Errorf("%+v, %v", got, err)
	}
}

// Only one code means that a key is dead.
func TestCodes(t *testing.T) {
	for _, c := range []struct {
		code, message string
		want          provider.State
	}{
		{"InvalidClientTokenId", "", provider.Dead},
		{"SignatureDoesNotMatch", "The request signature we calculated does not match", provider.Unknown},
		{"SignatureDoesNotMatch", "Signature expired: 20260101T000000Z is now earlier than 20260101T001500Z", provider.Skewed},
		{"SignatureDoesNotMatch", "Signature not yet current: 20260101T001500Z is still later than", provider.Skewed},
		{"RequestExpired", "", provider.Skewed},
		{"AccessDenied", "", provider.Narrow},
		{"Throttling", "Rate exceeded", provider.Throttled},
		{"ExpiredToken", "", provider.Unknown},
		{"OptInRequired", "", provider.Unknown},
	} {
		f, url := serve(t)
		f.answer = func(w http.ResponseWriter, _ string, _ func()) bool {
			w.WriteHeader(403)
			fmt.Fprintf(w, `<ErrorResponse><Error><Code>%s</Code><Message>%s %s</Message></Error></ErrorResponse>`, c.code, c.message, marked)
			return true
		}
		got, err := open(url).Verify(t.Context(), f.credential("OLD"))
		if err != nil || got.State != c.want || got.Code != c.code {
			t.Errorf("%s: %+v, %v; want %s", c.code, got, err, c.want)
		}
		if n := f.count("GetCallerIdentity"); n != 1 {
			t.Errorf("%s: asked %d times", c.code, n)
		}
	}
}

func TestPlan(t *testing.T) {
	second := func(f *fake) {
		f.keys = append(f.keys, &fakeKey{id: "OTHER", secret: marked, user: "app", inactive: true, created: time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC)})
	}
	for _, c := range []struct {
		name   string
		change func(f *fake)
		kind   provider.Kind
		says   string // in the error, its hint, or the notes
		full   bool   // the old one's end makes room
	}{
		{"room", func(*fake) {}, "", "", false},
		{"no room", second, provider.NoSlot, "OTHER, made 2024-05-06, out of use, never seen used, could go: aws iam delete-access-key --user-name app --access-key-id OTHER", true},
		{"on two pages", func(f *fake) { second(f); f.page = 1 }, provider.NoSlot, "OTHER", true},
		{"may not list", func(f *fake) { f.denied["ListAccessKeys"] = true }, provider.Forbidden, "", false},
		{"may not create", func(f *fake) { f.denied["CreateAccessKey"] = true }, provider.Forbidden, "it may not iam:CreateAccessKey for user app", false},
		{"may not delete", func(f *fake) { f.denied["DeleteAccessKey"] = true }, provider.Forbidden, "it may not iam:DeleteAccessKey for user app", false},
		{"may not ask", func(f *fake) { f.denied["SimulatePrincipalPolicy"] = true }, "", "could not be asked", false},
		{"may not ask whose a key is", func(f *fake) { f.denied["GetAccessKeyLastUsed"] = true }, provider.Incomplete, "parameter user", false},
		{"root", func(f *fake) { f.find("OLD").user = "root" }, provider.Refused, "root", false},
		{"dead", func(f *fake) { f.find("OLD").inactive = true }, "", "", false},
		{"dead, and nobody knows whose", func(f *fake) { f.find("OLD").inactive = true; f.denied["GetAccessKeyLastUsed"] = true }, provider.Incomplete, "parameter user", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, url := serve(t)
			c.change(f)
			got, err := open(url).Plan(t.Context(), f.credential("ADMIN"), f.credential("OLD"))
			if n := f.count("CreateAccessKey") + f.count("DeleteAccessKey") + f.count("UpdateAccessKey"); n != 0 {
				t.Errorf("%d changes", n)
			}
			text := strings.Join(got.Notes, "; ")
			if got.Full != nil {
				err = got.Full
			}
			if full := got.Full != nil; full != c.full {
				t.Errorf("its end makes room: %v", full)
			}
			if c.kind != "" {
				e := providertest.Quiet(t, err, c.kind)
				text = e.Error() + " " + e.Hint
			} else if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(text, c.says) || c.says == "" && text != "" && c.kind == "" {
				t.Errorf("%q does not say %q", text, c.says)
			}
		})
	}
}

// TestNoRoomElsewhere: the end of a key makes no room for one of another user.
func TestNoRoomElsewhere(t *testing.T) {
	f, url := serve(t)
	f.keys = append(f.keys, &fakeKey{id: "ONE", secret: marked, user: "crowd"}, &fakeKey{id: "TWO", secret: marked, user: "crowd"})
	old := f.credential("OLD")
	old.Params["user"] = "crowd"
	plan, err := open(url).Plan(t.Context(), f.credential("ADMIN"), old)
	providertest.Quiet(t, err, provider.NoSlot)
	if plan.Full != nil {
		t.Error("its end makes room")
	}
}

func TestList(t *testing.T) {
	f, url := serve(t)
	old := f.credential("OLD")
	old.Params["user"] = "app"
	got, err := open(url).List(t.Context(), f.credential("ADMIN"), old)
	want := provider.Listed{Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	want.ID, want.LastUsed = "OLD", time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	if err != nil || !reflect.DeepEqual(got, []provider.Listed{want}) {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestUses: when a key was used last is told before it is asked itself, and with another key
// of the same user without asking it. That it was asked counts.
func TestUses(t *testing.T) {
	f, url := serve(t)
	p, admin, old := open(url), f.credential("ADMIN"), f.credential("OLD")
	before := f.find("OLD").used
	plan, err := p.Plan(t.Context(), admin, old)
	if err != nil || !plan.LastUsed.Equal(before) {
		t.Errorf("planned: %v, %v; want %v", plan.LastUsed, err, before)
	}
	next, err := p.Issue(t.Context(), admin, old, providertest.Lineage)
	if err != nil {
		t.Fatal(err)
	}
	used := func(id string) time.Time {
		t.Helper()
		all, err := p.List(t.Context(), admin, next)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range all {
			if l.ID == id {
				return l.LastUsed
			}
		}
		t.Fatalf("%s is not listed", id)
		return time.Time{}
	}
	f.find("OLD").used, f.find(next.ID).used = before, time.Time{}
	if got := used("OLD"); !got.Equal(before) {
		t.Errorf("to list it is to use it: %v", got)
	}
	start := time.Now().Add(-time.Second)
	providertest.Probe(t, p, old)
	if got := used("OLD"); got.Before(start) {
		t.Errorf("it was used %v, %v is told", start, got)
	}
	first := time.Now().Add(-14 * time.Minute).UTC().Truncate(time.Second)
	f.find("OLD").used = first
	providertest.Probe(t, p, old)
	if got := used("OLD"); !got.Equal(first) || p.Info().UseSpan < time.Since(got) {
		t.Errorf("of several uses within %s the first, %v, is told; it is %v", p.Info().UseSpan, first, got)
	}
	f.denied["GetAccessKeyLastUsed"] = true
	if got := used("OLD"); !got.IsZero() {
		t.Errorf("nobody may ask, and it is %v", got)
	}
}

// TestIssueDisabled: a key that was put out of use first has a successor all the same, also
// if only IAM knows whose it is.
func TestIssueDisabled(t *testing.T) {
	f, url := serve(t)
	p, admin, old := open(url), f.credential("ADMIN"), f.credential("OLD")
	if err := p.Disable(t.Context(), admin, old); err != nil {
		t.Fatal(err)
	}
	if all, err := p.List(t.Context(), admin, old); err != nil || len(all) != 1 || !all[0].Disabled {
		t.Errorf("%+v, %v", all, err)
	}
	if next, err := p.Issue(t.Context(), admin, old, providertest.Lineage); err != nil || f.find(next.ID).user != "app" {
		t.Errorf("%+v, %v", next, err)
	}
}

// TestWhose: a key that is put out of use first is planned only if it will be known then whose
// it is. One that changes itself is never put out of use first.
func TestWhose(t *testing.T) {
	f, url := serve(t)
	f.denied["GetAccessKeyLastUsed"] = true
	p, admin, old := open(url), f.credential("ADMIN"), f.credential("OLD")
	if _, err := p.Plan(t.Context(), old, old); err != nil {
		t.Error(err)
	}
	_, err := p.Plan(t.Context(), admin, old)
	if e := providertest.Quiet(t, err, provider.Incomplete); !strings.Contains(e.Error(), "GetAccessKeyLastUsed") || !strings.Contains(e.Hint, "--param user=app") {
		t.Errorf("%v; %s", e, e.Hint)
	}
	old.Params["user"] = "app"
	if _, err := p.Plan(t.Context(), admin, old); err != nil {
		t.Error(err)
	}
	if err := p.Disable(t.Context(), admin, old); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Issue(t.Context(), admin, old, providertest.Lineage); err != nil {
		t.Error(err)
	}
	if err := p.Enable(t.Context(), admin, old); err != nil {
		t.Error(err)
	}
}

// A key that changes itself: the new one deletes the old one.
func TestItself(t *testing.T) {
	f, url := serve(t)
	p, old := open(url), f.credential("OLD")
	next, err := p.Issue(t.Context(), old, old, providertest.Lineage)
	if err != nil {
		t.Fatal(err)
	}
	providertest.Quiet(t, p.Revoke(t.Context(), next, next, next), provider.Refused)
	for range 2 {
		if err := p.Revoke(t.Context(), next, old, next); err != nil {
			t.Fatal(err)
		}
	}
	if f.find("OLD") != nil || f.find("NEW1") == nil {
		t.Error("the wrong one is gone")
	}
}

// TestEndsItself: a key of which nothing else is known is deleted with itself, if its user may
// do that; the root's is not.
func TestEndsItself(t *testing.T) {
	f, url := serve(t)
	p, c := open(url), f.credential("OLD")
	f.denied["DeleteAccessKey"], f.denied["GetAccessKeyLastUsed"] = true, true
	providertest.Quiet(t, p.Revoke(t.Context(), c, c, provider.Credential{}), provider.Forbidden)
	f.denied["DeleteAccessKey"] = false
	f.find("OLD").user = "root"
	providertest.Quiet(t, p.Revoke(t.Context(), c, c, provider.Credential{}), provider.Refused)
	f.find("OLD").user = "app"
	if err := p.Revoke(t.Context(), c, c, provider.Credential{}); err != nil || f.find("OLD") != nil || f.find("ADMIN") == nil {
		t.Error(err)
	}
}

// A key that lives is not said to be gone, when it is of another user than is said.
func TestRevokeOfAnotherUser(t *testing.T) {
	f, url := serve(t)
	old := f.credential("OLD")
	old.Params["user"] = "somebody"
	providertest.Quiet(t, open(url).Revoke(t.Context(), f.credential("ADMIN"), old, provider.Credential{}), provider.Refused)
}

// What is known after a create that did not go well.
func TestIssueFaults(t *testing.T) {
	failed := func(status int, code string) func(http.ResponseWriter, func()) {
		return func(w http.ResponseWriter, _ func()) {
			w.WriteHeader(status)
			fmt.Fprintf(w, `<ErrorResponse><Error><Code>%s</Code><Message>%s</Message></Error></ErrorResponse>`, code, marked)
		}
	}
	text := func(status int, body string) func(http.ResponseWriter, func()) {
		return func(w http.ResponseWriter, _ func()) { w.WriteHeader(status); fmt.Fprint(w, body) }
	}
	after := func(answer func(http.ResponseWriter, func())) func(http.ResponseWriter, func()) {
		return func(w http.ResponseWriter, done func()) { done(); answer(w, nil) }
	}
	hangUp := func(http.ResponseWriter, func()) { panic(http.ErrAbortHandler) }
	for _, c := range []struct {
		name   string
		answer func(http.ResponseWriter, func())
		kind   provider.Kind
	}{
		{"may not", failed(403, "AccessDenied"), provider.Forbidden},
		{"not valid", failed(403, "InvalidClientTokenId"), provider.Forbidden},
		{"two keys", failed(409, "LimitExceeded"), provider.NoSlot},
		{"no such user", failed(404, "NoSuchEntity"), provider.Refused},
		{"too many", failed(400, "Throttling"), provider.Busy},
		{"429", text(429, ""), provider.Busy},
		{"ServiceFailure", after(failed(500, "ServiceFailure")), provider.Unclear},
		{"500", after(text(500, marked)), provider.Unclear},
		{"503, a page", after(text(503, "<html>"+marked)), provider.Unclear},
		{"a code that is not documented", after(failed(400, "Strange")), provider.Unclear},
		{"no answer", after(hangUp), provider.Unclear},
		{"a page", after(text(200, "<html>"+marked)), provider.Malformed},
		{"half", after(text(200, "<CreateAccessKeyResponse><CreateAccessKeyResult><AccessKey><SecretAccessKey>"+marked)), provider.Malformed},
		{"nothing", after(text(200, "")), provider.Malformed},
		{"no key", after(text(200, "<CreateAccessKeyResponse><CreateAccessKeyResult></CreateAccessKeyResult></CreateAccessKeyResponse>")), provider.Malformed},
		{"moved", text(307, ""), provider.Refused},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, url := serve(t)
			f.answer = func(w http.ResponseWriter, action string, done func()) bool {
				if action != "CreateAccessKey" {
					return false
				}
				c.answer(w, done)
				return true
			}
			_, err := open(url).Issue(t.Context(), f.credential("ADMIN"), f.credential("OLD"), providertest.Lineage)
			providertest.Quiet(t, err, c.kind)
			if n := f.count("CreateAccessKey"); n != 1 {
				t.Errorf("asked for %d times", n)
			}
			if f.issued() == 1 && c.kind != provider.Unclear && c.kind != provider.Malformed {
				t.Error("a key was made, and the error denies it")
			}
		})
	}
}

// Whose a new key is to be is asked of the old one, unless it is said.
func TestAnew(t *testing.T) {
	f, url := serve(t)
	for user, want := range map[string]bool{"": false, "app": true} {
		old := f.credential("OLD")
		old.Params["user"] = user
		plan, err := open(url).Plan(t.Context(), f.credential("ADMIN"), old)
		if err != nil || plan.Anew != want {
			t.Errorf("user %q: %v, %v", user, plan.Anew, err)
		}
	}
}
