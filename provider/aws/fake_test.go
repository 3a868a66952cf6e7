package aws_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/providertest"
	"github.com/keywright/keywright/secret"
)

// marked is in every secret, and must be in no error.
const marked = providertest.Marked

// fake is IAM and STS as they are documented. Signatures are checked by making them again
// with the SDK's own signer. What it says in words repeats the secrets.
type fake struct {
	mu     sync.Mutex
	keys   []*fakeKey
	denied map[string]bool // actions that nobody may do
	calls  []string
	made   int
	page   int // keys on a page of a list
	answer func(w http.ResponseWriter, action string, done func()) bool
}

type fakeKey struct {
	id, secret, user string
	inactive         bool
	created, used    time.Time
}

// serve starts a fake with an administrator, and a user app with one key.
func serve(t *testing.T) (*fake, string) {
	f := &fake{denied: map[string]bool{}, page: 100, keys: []*fakeKey{
		{id: "ADMIN", secret: marked + "a", user: "admin"},
		{id: "OLD", secret: marked + "o", user: "app", created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), used: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)},
	}}
	s := httptest.NewServer(providertest.Recorded(t, f))
	t.Cleanup(s.Close)
	return f, s.URL
}

func (f *fake) find(id string) *fakeKey {
	for _, k := range f.keys {
		if k.id == id {
			return k
		}
	}
	return nil
}

func (f *fake) credential(id string) provider.Credential {
	k := f.find(id)
	return provider.Credential{ID: id, Parts: map[string]secret.Value{"id": secret.New([]byte(id)), "secret": secret.New([]byte(k.secret))}, Params: map[string]string{}}
}

func (f *fake) count(action string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.calls {
		if c == action {
			n++
		}
	}
	return n
}

// issued is how many keys were made.
func (f *fake) issued() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.made
}

// failure is an error as the query protocol has it.
type failure struct {
	status int
	code   string
	words  string
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	form, _ := url.ParseQuery(string(body))
	action := form.Get("Action")
	f.calls = append(f.calls, action)
	var result string
	var bad *failure
	did := false
	done := func() { result, bad = f.do(r, body, form); did = true }
	if f.answer != nil && f.answer(w, action, done) {
		return
	}
	if !did {
		done()
	}
	w.Header().Set("Content-Type", "text/xml")
	if bad != nil {
		w.WriteHeader(bad.status)
		fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s %s %s</Message></Error><RequestId>1</RequestId></ErrorResponse>`, bad.code, bad.words, marked, escape(r.Header.Get("Authorization")))
		return
	}
	fmt.Fprintf(w, `<%sResponse><%sResult>%s</%sResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></%sResponse>`, action, action, result, action, action)
}

func escape(text string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(text))
	return b.String()
}

// signed checks a signature, and returns the key that it is of.
func (f *fake) signed(r *http.Request, body []byte, service string) (*fakeKey, *failure) {
	scope, _, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential="), ",")
	parts := strings.Split(scope, "/") // id, date, region, service, aws4_request
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if len(parts) != 5 || err != nil {
		return nil, &failure{403, "MissingAuthenticationToken", ""}
	}
	k := f.find(parts[0])
	if k == nil || k.inactive {
		return nil, &failure{403, "InvalidClientTokenId", "The security token included in the request is invalid."}
	}
	if off := time.Since(at); off > 5*time.Minute {
		return nil, &failure{403, "SignatureDoesNotMatch", "Signature expired: " + r.Header.Get("X-Amz-Date") + " is now earlier than"}
	} else if off < -5*time.Minute {
		return nil, &failure{403, "SignatureDoesNotMatch", "Signature not yet current: "}
	}
	_, names, _ := strings.Cut(r.Header.Get("Authorization"), "SignedHeaders=")
	names, _, _ = strings.Cut(names, ",")
	again, err := http.NewRequest(r.Method, "http://"+r.Host+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return nil, &failure{400, "IncompleteSignature", ""}
	}
	for name := range strings.SplitSeq(names, ";") {
		if values := r.Header.Values(name); name != "host" && name != "content-length" {
			again.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	sum := fmt.Sprintf("%x", sha256.Sum256(body))
	err = v4.NewSigner().SignHTTP(context.Background(), sdk.Credentials{AccessKeyID: k.id, SecretAccessKey: k.secret}, again, sum, service, parts[2], at)
	if err != nil || again.Header.Get("Authorization") != r.Header.Get("Authorization") {
		return nil, &failure{403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided."}
	}
	if now := time.Now().UTC(); now.Sub(k.used) > 15*time.Minute { // the first of a span
		k.used = now
	}
	return k, nil
}

func (f *fake) do(r *http.Request, body []byte, form url.Values) (string, *failure) {
	action, user, id := form.Get("Action"), form.Get("UserName"), form.Get("AccessKeyId")
	service := "iam"
	if action == "GetCallerIdentity" {
		service = "sts"
	}
	if form.Get("Version") != map[string]string{"iam": "2010-05-08", "sts": "2011-06-15"}[service] {
		return "", &failure{400, "InvalidAction", ""}
	}
	as, bad := f.signed(r, body, service)
	if bad != nil {
		return "", bad
	}
	if f.denied[action] {
		return "", &failure{403, "AccessDenied", "User: arn:aws:iam::123456789012:user/" + as.user + " is not authorized to perform: iam:" + action}
	}
	if user == "" {
		user = as.user
	}
	of := func(user string) (all []*fakeKey) {
		for _, k := range f.keys {
			if k.user == user {
				all = append(all, k)
			}
		}
		return all
	}
	k := f.find(id)
	if k != nil && k.user != user && action != "GetAccessKeyLastUsed" {
		k = nil
	}
	missing := &failure{404, "NoSuchEntity", "The Access Key with id " + id + " cannot be found."}
	switch action {
	case "GetCallerIdentity":
		arn := "arn:aws:iam::123456789012:user/team/" + as.user
		if as.user == "root" {
			arn = "arn:aws:iam::123456789012:root"
		}
		return "<Arn>" + arn + "</Arn><UserId>AIDA</UserId><Account>123456789012</Account>", nil
	case "ListAccessKeys":
		var b strings.Builder
		from := 0
		fmt.Sscan(form.Get("Marker"), &from)
		all := of(user)
		for _, k := range all[from:min(from+f.page, len(all))] {
			status := map[bool]string{true: "Inactive", false: "Active"}[k.inactive]
			fmt.Fprintf(&b, "<member><UserName>%s</UserName><AccessKeyId>%s</AccessKeyId><Status>%s</Status><CreateDate>%s</CreateDate></member>", k.user, k.id, status, k.created.Format(time.RFC3339))
		}
		list := "<AccessKeyMetadata>" + b.String() + "</AccessKeyMetadata>"
		if from+f.page < len(all) {
			return list + fmt.Sprintf("<IsTruncated>true</IsTruncated><Marker>%d</Marker>", from+f.page), nil
		}
		return list + "<IsTruncated>false</IsTruncated>", nil
	case "GetAccessKeyLastUsed":
		if k == nil {
			return "", &failure{403, "AccessDenied", ""}
		}
		last := "<ServiceName>N/A</ServiceName><Region>N/A</Region>"
		if !k.used.IsZero() {
			last = "<LastUsedDate>" + k.used.Format(time.RFC3339) + "</LastUsedDate><ServiceName>s3</ServiceName><Region>eu-west-1</Region>"
		}
		return "<UserName>" + k.user + "</UserName><AccessKeyLastUsed>" + last + "</AccessKeyLastUsed>", nil
	case "CreateAccessKey":
		if len(of(user)) >= 2 {
			return "", &failure{409, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2"}
		}
		f.made++
		k := &fakeKey{id: fmt.Sprint("NEW", f.made), secret: fmt.Sprint(marked, "n", f.made), user: user, created: time.Now().UTC()}
		f.keys = append(f.keys, k)
		return fmt.Sprintf("<AccessKey><UserName>%s</UserName><AccessKeyId>%s</AccessKeyId><Status>Active</Status><SecretAccessKey>%s</SecretAccessKey><CreateDate>%s</CreateDate></AccessKey>", user, k.id, k.secret, k.created.Format(time.RFC3339)), nil
	case "UpdateAccessKey":
		if k == nil {
			return "", missing
		}
		k.inactive = form.Get("Status") == "Inactive"
		return "", nil
	case "DeleteAccessKey":
		if k == nil {
			return "", missing
		}
		f.keys = slices.DeleteFunc(f.keys, func(other *fakeKey) bool { return other == k })
		return "", nil
	case "SimulatePrincipalPolicy":
		var b strings.Builder
		for n := 1; form.Has(fmt.Sprintf("ActionNames.member.%d", n)); n++ {
			name := form.Get(fmt.Sprintf("ActionNames.member.%d", n))
			decision := "allowed"
			if f.denied[strings.TrimPrefix(name, "iam:")] {
				decision = "implicitDeny"
			}
			fmt.Fprintf(&b, "<member><EvalActionName>%s</EvalActionName><EvalDecision>%s</EvalDecision></member>", name, decision)
		}
		return "<EvaluationResults>" + b.String() + "</EvaluationResults><IsTruncated>false</IsTruncated>", nil
	}
	return "", &failure{400, "InvalidAction", ""}
}
