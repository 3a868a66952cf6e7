// Package aws knows the access keys of IAM users. A key has no rights of its own, so that a
// new one of the same user may do what the old one may. Requests are signed by Amazon's own
// SDK, which is told to do nothing twice and to read no configuration of the machine.
package aws

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/web"
	"github.com/keywright/keywright/secret"
)

const (
	region = "us-east-1"
	most   = 2 // keys of a user, those out of use among them
)

// Provider implements provider.Verifier, Recognizer, Lister, Planner, Issuer, Disabler and Revoker.
type Provider struct {
	Endpoint string // in place of Amazon's; empty for those

	web web.Client
}

// New returns a Provider that uses the transport of h, which may be nil.
func New(h *http.Client) *Provider { return &Provider{web: web.New("aws", h)} }

// Info is what is known without asking.
func (p *Provider) Info() provider.Info {
	return provider.Info{
		Name: "aws", Title: "AWS access key of an IAM user", Page: "https://console.aws.amazon.com/iam/home#/users",
		Others: "AWS in China or GovCloud",
		Itself: true,
		Parts:  []provider.Part{{Name: "id", Public: true}, {Name: "secret"}},
		Params: []provider.Param{
			{Name: "user", Meaning: "the name of the IAM user; otherwise IAM is asked, for which it takes iam:GetAccessKeyLastUsed, or the key while it is alive"},
			{Name: "region", Meaning: "the region that IAM and STS are asked in", Default: region},
		},
		Admin: "a key that may iam:CreateAccessKey, iam:ListAccessKeys, iam:UpdateAccessKey and iam:DeleteAccessKey for the user, the key itself if it may; " +
			"with iam:GetAccessKeyLastUsed it knows whose a key is and when it was used, with iam:SimulatePrincipalPolicy what it may do is looked at beforehand",
		Propagation: time.Minute, // IAM is eventually consistent; Amazon names no time
		Uses:        true,
		UseSpan:     15 * time.Minute, // said of the credential report, which tells the same
		Lingers:     provider.Lingers{What: "session tokens of the user that were got with it", Longest: 36 * time.Hour},
		Sources: []string{
			"https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_access-keys.html",
			"https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_general.html",
			"https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html",
			"https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html",
			"https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccessKeyLastUsed.html",
			"https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html",
			"https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html",
			"https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html",
			"https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_control-access_disable-perms.html",
		},
		Tested: "a fake of the documentation, which checks signatures with Amazon's own signer",
	}
}

func id(c provider.Credential) string {
	if c.ID != "" {
		return c.ID
	}
	return string(c.Part("id").Reveal())
}

// sender is what the SDK sends with.
type sender struct {
	web   web.Client
	doing string
}

// Do sends a request, once. What says that it was done is looked at here: of most answers
// the SDK reads the status alone.
func (s sender) Do(r *http.Request) (*http.Response, error) {
	resp, err := s.web.Send(r, s.doing)
	if err != nil || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	if !documented(body) {
		return nil, &provider.Error{Provider: "aws", Doing: s.doing, Kind: provider.Malformed, Code: "200", Err: errors.New("it is not what AWS documents")}
	}
	return resp, nil
}

// documented reports whether an answer begins as those of the query protocol do: with an
// element that is called after the action.
func documented(body []byte) bool {
	for d := xml.NewDecoder(bytes.NewReader(body)); ; {
		token, err := d.Token()
		if err != nil {
			return false
		}
		if e, ok := token.(xml.StartElement); ok {
			return strings.HasSuffix(e.Name.Local, "Response")
		}
	}
}

// config is how the SDK works in the name of a credential.
func (p *Provider) config(as provider.Credential, doing string) (aws.Config, error) {
	name, key := id(as), as.Part("secret")
	if name == "" || key.IsZero() {
		return aws.Config{}, p.failed(doing, provider.Incomplete, "", errors.New("it takes the id of a key and its secret"))
	}
	c := aws.Config{
		Region:     region,
		HTTPClient: sender{p.web, doing},
		Retryer:    func() aws.Retryer { return aws.NopRetryer{} },
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: name, SecretAccessKey: string(key.Reveal())}, nil
		}),
	}
	if r := as.Params["region"]; r != "" {
		c.Region = r
	}
	if p.Endpoint != "" {
		c.BaseEndpoint = aws.String(p.Endpoint)
	}
	return c, nil
}

func (p *Provider) iam(as provider.Credential, doing string) (*iam.Client, error) {
	c, err := p.config(as, doing)
	return iam.NewFromConfig(c), err
}

func (p *Provider) failed(doing string, kind provider.Kind, code string, err error) *provider.Error {
	return &provider.Error{Provider: "aws", Doing: doing, Kind: kind, Code: code, Err: err}
}

// code is what a service answered that something did not go well; empty if it did not say.
func code(err error) (code, message string) {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode(), api.ErrorMessage()
	}
	return "", ""
}

// failure is an error of the SDK in our words: its own can quote the answer.
func (p *Provider) failure(doing string, err error) error {
	var sent *provider.Error
	var http *smithyhttp.ResponseError
	if errors.As(err, &sent) {
		return sent
	}
	status := 0
	if errors.As(err, &http) {
		status = http.HTTPStatusCode()
	}
	code, message := code(err)
	state, known := state(code, message)
	switch {
	case state == provider.Throttled, status == 429:
		return p.failed(doing, provider.Busy, code, nil)
	case code == "LimitExceeded":
		return p.failed(doing, provider.NoSlot, code, fmt.Errorf("a user has %d keys at most", most))
	case state == provider.Skewed:
		e := p.failed(doing, provider.Refused, code, errors.New("the signature is of another time"))
		e.Hint = "set the clock of this machine"
		return e
	case state == provider.Dead:
		return p.failed(doing, provider.Forbidden, code, errors.New("the key to make changes with is not accepted"))
	case known, status == 401, status == 403:
		return p.failed(doing, provider.Forbidden, code, nil)
	case refusals[code]:
		return p.failed(doing, provider.Refused, code, nil)
	case status >= 300 && status < 400:
		return p.failed(doing, provider.Refused, fmt.Sprint(status), errors.New("it points to another address, and a credential is not taken there"))
	case status == 200:
		return p.failed(doing, provider.Malformed, "", errors.New("it is not what IAM documents"))
	case status == 0: // the SDK gave up, and does not say when
		for _, why := range []error{context.Canceled, context.DeadlineExceeded} {
			if errors.Is(err, why) {
				return p.failed(doing, provider.Unclear, "", why)
			}
		}
		return p.failed(doing, provider.Unclear, "", nil)
	}
	return p.failed(doing, provider.Unclear, fmt.Sprint(status), nil)
}

// refusals are the codes after which nothing has changed.
var refusals = map[string]bool{
	"NoSuchEntity": true, "InvalidInput": true, "ValidationError": true, "EntityTemporarilyUnmodifiable": true,
	"MalformedInput": true, "InvalidAction": true, "InvalidParameterValue": true, "MissingParameter": true,
}

// state is what a code says of the credential.
func state(code, message string) (s provider.State, known bool) {
	switch code {
	case "InvalidClientTokenId": // deleted, or out of use
		return provider.Dead, true
	case "SignatureDoesNotMatch":
		if strings.Contains(message, "Signature expired") || strings.Contains(message, "Signature not yet current") {
			return provider.Skewed, true
		}
		return provider.Unknown, true
	case "RequestExpired", "RequestTimeTooSkewed":
		return provider.Skewed, true
	case "AccessDenied", "AccessDeniedException", "UnauthorizedOperation":
		return provider.Narrow, true
	case "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException":
		return provider.Throttled, true
	case "MissingAuthenticationToken", "IncompleteSignature", "InvalidAccessKeyId", "UnrecognizedClientException", "OptInRequired", "ExpiredToken", "NotAuthorized":
		return provider.Unknown, true
	}
	return provider.Unknown, false
}

// Recognize takes the keys of users.
func (p *Provider) Recognize(rule string, parts map[string]secret.Value) (provider.Credential, bool) {
	if rule != "aws-access-key" || parts["id"].IsZero() {
		return provider.Credential{}, false
	}
	return provider.Credential{ID: string(parts["id"].Reveal()), Parts: map[string]secret.Value{"id": parts["id"], "secret": parts["secret"]}}, true
}

// Verify asks STS who a key is of, for which no right is needed. A key that is out of use
// and one that was deleted are refused alike.
func (p *Provider) Verify(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	const doing = "ask whose the key is"
	config, err := p.config(c, doing)
	if err != nil {
		return provider.Probe{}, err
	}
	who, err := sts.NewFromConfig(config).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		word, message := code(err)
		if s, known := state(word, message); known {
			return provider.Probe{State: s, Code: word}, nil
		}
		if answered := (*smithyhttp.ResponseError)(nil); errors.As(err, &answered) { // in words that are not AWS's
			switch status := answered.HTTPStatusCode(); {
			case status == http.StatusTooManyRequests:
				return provider.Probe{State: provider.Throttled, Code: strconv.Itoa(status)}, nil
			case status >= 400 && status < 500 && status != http.StatusRequestTimeout:
				return provider.Probe{State: provider.Unknown, Code: strconv.Itoa(status)}, nil
			}
		}
		return provider.Probe{}, p.failure(doing, err)
	}
	if aws.ToString(who.Account) == "" || aws.ToString(who.Arn) == "" {
		return provider.Probe{}, p.failed(doing, provider.Malformed, "", errors.New("it does not say whose it is"))
	}
	return provider.Probe{State: provider.Alive, Code: "200", Who: provider.Identity{Account: *who.Account, ID: id(c), Label: *who.Arn}}, nil
}

// user is the name of the user that keys are of. One that is in use says it itself; of the
// first, IAM may.
func (p *Provider) user(ctx context.Context, admin provider.Credential, keys ...provider.Credential) (string, error) {
	const doing = "find the user of the key"
	var last error
	for _, c := range keys {
		if u := c.Params["user"]; u != "" {
			return u, nil
		}
		if c.Part("secret").IsZero() {
			continue
		}
		probe, err := p.Verify(ctx, c)
		switch {
		case err != nil:
			return "", web.Beforehand(err)
		case probe.State != provider.Alive:
			last = fmt.Errorf("the key is %s (%s)", probe.State, probe.Code)
			continue
		}
		_, name, is := strings.Cut(probe.Who.Label, ":user/")
		if !is {
			return "", p.failed(doing, provider.Refused, "", errors.New("it is not the key of an IAM user, but of the root of the account, or of a session"))
		}
		return name[strings.LastIndex(name, "/")+1:], nil
	}
	if used, err := p.used(ctx, admin, id(keys[0])); err == nil && aws.ToString(used.UserName) != "" {
		return *used.UserName, nil
	}
	e := p.failed(doing, provider.Incomplete, "", last)
	e.Hint = "give the key the parameter user: the name of the IAM user"
	return "", e
}

// used is what IAM knows of a key by its id: when it was used last, and whose it is.
func (p *Provider) used(ctx context.Context, admin provider.Credential, id string) (*iam.GetAccessKeyLastUsedOutput, error) {
	const doing = "ask when the key was used"
	client, err := p.iam(admin, doing)
	if err != nil {
		return nil, err
	}
	got, err := client.GetAccessKeyLastUsed(ctx, &iam.GetAccessKeyLastUsedInput{AccessKeyId: &id})
	if err != nil {
		return nil, p.failure(doing, err)
	}
	if got.AccessKeyLastUsed == nil {
		got.AccessKeyLastUsed = &types.AccessKeyLastUsed{}
	}
	return got, nil
}

// keys are all keys of a user.
func (p *Provider) keys(ctx context.Context, admin provider.Credential, user string) ([]types.AccessKeyMetadata, error) {
	doing := "list the keys of user " + user
	client, err := p.iam(admin, doing)
	if err != nil {
		return nil, err
	}
	var all []types.AccessKeyMetadata
	for pages := iam.NewListAccessKeysPaginator(client, &iam.ListAccessKeysInput{UserName: &user}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, web.Beforehand(p.failure(doing, err))
		}
		all = append(all, page.AccessKeyMetadata...)
	}
	for _, k := range all {
		if aws.ToString(k.AccessKeyId) == "" {
			return nil, p.failed(doing, provider.Unreached, "", errors.New("a key without an id"))
		}
	}
	return all, nil
}

// List lists the keys of the user that a key is of. Keys have no name at AWS, so that no
// lineage can be shown. When one was used last needs a right of its own, and is not said
// without it.
func (p *Provider) List(ctx context.Context, admin, c provider.Credential) ([]provider.Listed, error) {
	user, err := p.user(ctx, admin, c)
	if err != nil {
		return nil, err
	}
	keys, err := p.keys(ctx, admin, user)
	if err != nil {
		return nil, err
	}
	var all []provider.Listed
	for _, k := range keys {
		l := provider.Listed{Disabled: k.Status != types.StatusTypeActive, Created: aws.ToTime(k.CreateDate)}
		l.ID = *k.AccessKeyId
		if used, err := p.used(ctx, admin, l.ID); err == nil {
			l.LastUsed = aws.ToTime(used.AccessKeyLastUsed.LastUsedDate)
		}
		all = append(all, l)
	}
	return all, nil
}

// Plan looks whether there is room for another key, and who may make one. It also makes sure
// that it will be known whose the old one is, as that cannot say it once it is out of use.
func (p *Provider) Plan(ctx context.Context, admin, old provider.Credential) (provider.Plan, error) {
	var last time.Time
	used, unknown := p.used(ctx, admin, id(old)) // before it is asked whose it is, which is a use
	if unknown == nil {
		last = aws.ToTime(used.AccessKeyLastUsed.LastUsedDate)
	}
	user, err := p.user(ctx, admin, old)
	if err != nil {
		return provider.Plan{}, err
	}
	if old.Params["user"] == "" && id(admin) != id(old) && (unknown != nil || aws.ToString(used.UserName) == "") {
		var e *provider.Error
		if errors.As(unknown, &e) && e.Kind != provider.Forbidden {
			return provider.Plan{}, web.Beforehand(unknown)
		}
		e = p.failed("find the user of the key", provider.Incomplete, "", errors.New("in an emergency it is put out of use first, and who makes the changes may not ask whose it is (iam:GetAccessKeyLastUsed)"))
		e.Hint = "give the key the parameter user: keywright edit --param user=" + user
		return provider.Plan{}, e
	}
	keys, err := p.List(ctx, admin, old)
	if err != nil {
		return provider.Plan{}, err
	}
	var full *provider.Error
	if len(keys) >= most {
		full = p.failed("look for room for another key of user "+user, provider.NoSlot, "", fmt.Errorf("it has %d, and more are not taken", len(keys)))
		for _, k := range keys {
			if k.ID != id(old) {
				full.Hint = "the other one, " + describe(k) + ", could go: aws iam delete-access-key --user-name " + user + " --access-key-id " + k.ID
			}
		}
		if len(keys) > most || !slices.ContainsFunc(keys, func(k provider.Listed) bool { return k.ID == id(old) }) {
			return provider.Plan{}, full // its end would make no room
		}
	}
	plan, err := p.rights(ctx, admin, user)
	plan.Full, plan.LastUsed = full, last
	plan.Anew = old.Params["user"] != "" // else whose the new one is to be is asked of the old one
	return plan, err
}

func describe(k provider.Listed) string {
	text := k.ID + ", made " + k.Created.UTC().Format(time.DateOnly)
	if k.Disabled {
		text += ", out of use"
	}
	if k.LastUsed.IsZero() {
		return text + ", never seen used"
	}
	return text + ", last used " + k.LastUsed.UTC().Format(time.DateOnly)
}

// rights asks IAM whether the key to make changes with may make them: not everybody may ask.
func (p *Provider) rights(ctx context.Context, admin provider.Credential, user string) (provider.Plan, error) {
	const doing = "look whether the key to make changes with may make them"
	probe, err := p.Verify(ctx, admin)
	if err != nil {
		return provider.Plan{}, web.Beforehand(err)
	}
	client, err := p.iam(admin, doing)
	if err != nil {
		return provider.Plan{}, err
	}
	switch {
	case probe.State == provider.Throttled:
		return provider.Plan{}, p.failed(doing, provider.Busy, probe.Code, nil)
	case probe.State != provider.Alive:
		return provider.Plan{Notes: []string{"what the key to make changes with may do could not be asked: it is " + string(probe.State) + " (" + probe.Code + ")"}}, nil
	}
	arn := strings.SplitN(probe.Who.Label, ":", 6)
	if len(arn) != 6 || !strings.HasPrefix(arn[5], "user/") {
		return provider.Plan{Notes: []string{"the key to make changes with is not that of a user: what it may do is not known"}}, nil
	}
	got, err := client.SimulatePrincipalPolicy(ctx, &iam.SimulatePrincipalPolicyInput{
		PolicySourceArn: &probe.Who.Label,
		ActionNames:     []string{"iam:CreateAccessKey", "iam:DeleteAccessKey", "iam:UpdateAccessKey"},
		ResourceArns:    []string{"arn:" + arn[1] + ":iam::" + arn[4] + ":user/" + user},
	})
	if err != nil {
		var e *provider.Error
		if errors.As(p.failure(doing, err), &e) && e.Kind != provider.Forbidden && e.Kind != provider.Refused {
			return provider.Plan{}, web.Beforehand(e)
		}
		return provider.Plan{Notes: []string{"whether the key to make changes with may make and delete keys could not be asked: it may not iam:SimulatePrincipalPolicy"}}, nil
	}
	var missing []string
	for _, r := range got.EvaluationResults {
		if r.EvalDecision != types.PolicyEvaluationDecisionTypeAllowed {
			missing = append(missing, aws.ToString(r.EvalActionName))
		}
	}
	if len(missing) > 0 {
		return provider.Plan{}, p.failed(doing, provider.Forbidden, "", fmt.Errorf("it may not %s for user %s", strings.Join(missing, ", "), user))
	}
	return provider.Plan{}, nil
}

// Issue makes another key of the same user. There is no room for a lineage.
func (p *Provider) Issue(ctx context.Context, admin, old provider.Credential, _ provider.Lineage) (provider.Credential, error) {
	user, err := p.user(ctx, admin, old)
	if err != nil {
		return provider.Credential{}, err
	}
	doing := "make a key of user " + user
	client, err := p.iam(admin, doing)
	if err != nil {
		return provider.Credential{}, err
	}
	got, err := client.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: &user})
	if err != nil {
		return provider.Credential{}, p.failure(doing, err)
	}
	k := got.AccessKey
	if k == nil || aws.ToString(k.AccessKeyId) == "" || aws.ToString(k.SecretAccessKey) == "" || *k.AccessKeyId == id(old) {
		return provider.Credential{}, p.failed(doing, provider.Malformed, "", errors.New("there is no new key in the answer"))
	}
	return provider.Credential{
		ID:     *k.AccessKeyId,
		Parts:  map[string]secret.Value{"id": secret.New([]byte(*k.AccessKeyId)), "secret": secret.New([]byte(*k.SecretAccessKey))},
		Params: old.Params,
	}, nil
}

// Disable takes a key out of use.
func (p *Provider) Disable(ctx context.Context, admin, c provider.Credential) error {
	return p.update(ctx, admin, c, types.StatusTypeInactive)
}

// Enable takes it back.
func (p *Provider) Enable(ctx context.Context, admin, c provider.Credential) error {
	return p.update(ctx, admin, c, types.StatusTypeActive)
}

func (p *Provider) update(ctx context.Context, admin, c provider.Credential, status types.StatusType) error {
	doing := "make the key " + strings.ToLower(string(status))
	// A key that is out of use cannot say whose it is; the one that makes changes may be
	// of the same user.
	user, client, err := p.change(ctx, admin, c, provider.Credential{}, doing)
	if err != nil {
		return err
	}
	name := id(c)
	if _, err = client.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{UserName: user, AccessKeyId: &name, Status: status}); err != nil {
		return p.failure(doing, err)
	}
	return nil
}

// Revoke deletes a key. Sessions that were opened with it live on: AWS ends none of them.
func (p *Provider) Revoke(ctx context.Context, admin, c, other provider.Credential) error {
	const doing = "delete the key"
	if id(c) != "" && id(c) == id(other) {
		return p.failed(doing, provider.Refused, "", errors.New("it is the one that goes on being used"))
	}
	user, client, err := p.change(ctx, admin, c, other, doing)
	if err != nil {
		return err
	}
	name := id(c)
	_, err = client.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: user, AccessKeyId: &name})
	if word, _ := code(err); word == "NoSuchEntity" {
		if probe, err := p.Verify(ctx, c); err == nil && probe.State.Lives() {
			return p.failed(doing, provider.Refused, word, errors.New("it is not a key of user "+*user+", or its end is not known everywhere yet"))
		}
		return nil
	}
	if err != nil {
		return p.failure(doing, err)
	}
	return nil
}

// change prepares for changing a key. Whose a key is, IAM knows by its id, also when it is
// out of use.
func (p *Provider) change(ctx context.Context, admin, c, other provider.Credential, doing string) (*string, *iam.Client, error) {
	name := id(c)
	if name == "" {
		return nil, nil, p.failed(doing, provider.Incomplete, "", errors.New("which one is not known"))
	}
	client, err := p.iam(admin, doing)
	if err != nil {
		return nil, nil, err
	}
	if user := c.Params["user"]; user != "" {
		return &user, client, nil
	}
	if used, err := p.used(ctx, admin, name); err == nil && aws.ToString(used.UserName) != "" {
		return used.UserName, client, nil
	}
	user, err := p.user(ctx, admin, c, other)
	return &user, client, err
}
