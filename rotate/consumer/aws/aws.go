// Package aws delivers to parameters of the SSM Parameter Store and to secrets of AWS
// Secrets Manager. Requests are signed by Amazon's own SDK; the few calls that are needed
// are made without its clients of the two services.
//
// The key that they are reached with has the parts id and secret, as those of package
// provider/aws. Its parameter url may name another endpoint than Amazon's, as of a VPC.
//
// Written after https://docs.aws.amazon.com/systems-manager/latest/APIReference/,
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/ and
// https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html. The requests have what
// those of the SDK's clients were seen to have (ssm v1.83.0, secretsmanager v1.51.0). Run
// against a fake, which checks signatures with Amazon's own signer.
package aws

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/web"
	"github.com/keywright/keywright/secret"
)

// skew is how far a clock may be off, for signatures.
const skew = 5 * time.Minute

const region = `[a-z]{2,}(-[a-z]+)+-[0-9]+`

// What specs may say.
var (
	// Region is where parameters are: "eu-central-1".
	Region = regexp.MustCompile(`^` + region + `$`)
	// Parameter is the name of one.
	Parameter = regexp.MustCompile(`^[A-Za-z0-9_./-]+$`)
	// Secret is a region, and the name or the ARN of a secret in it.
	Secret = regexp.MustCompile(`^` + region + `/[A-Za-z0-9/_+=.@:-]+$`)
	// Value is that of a value in a secret that is JSON, or Whole.
	Value = regexp.MustCompile(`^.+$`)
)

// caller calls a service in a region.
type caller struct {
	web     web.Client
	base    string
	service string // as signatures have it
	prefix  string // of actions
	region  string
	id      string
	key     secret.Value
}

func newCaller(h *http.Client, service, prefix, region string, as provider.Credential) caller {
	c := caller{
		web: web.New(service, h), base: as.Params["url"], service: service, prefix: prefix, region: region,
		id: string(as.Part("id").Reveal()), key: as.Part("secret"),
	}
	if c.id == "" {
		c.id = as.ID
	}
	if c.base == "" {
		c.base = "https://" + service + "." + region + ".amazonaws.com"
		if strings.HasPrefix(region, "cn-") {
			c.base += ".cn"
		}
	}
	return c
}

func (c caller) failed(doing string, kind provider.Kind, format string, args ...any) error {
	return &provider.Error{Provider: c.service, Doing: doing, Kind: kind, Err: fmt.Errorf(format, args...)}
}

// do calls an action, and reads the answer into v.
func (c caller) do(ctx context.Context, doing, action string, in, v any) error {
	if c.id == "" || c.key.IsZero() {
		return c.failed(doing, provider.Incomplete, "the key to reach it with has no parts id and secret")
	}
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("%s: write it as JSON: %w", doing, err)
	}
	defer clear(body)
	h, err := c.signed(ctx, action, body)
	if err != nil {
		return c.failed(doing, provider.Incomplete, "it can't be signed: the address of the service is none")
	}
	a, err := c.web.Do(ctx, web.Call{Doing: doing, Method: http.MethodPost, URL: c.base, Path: "/", Header: h, Body: body})
	switch {
	case err != nil:
		return err
	case !a.OK():
		return c.refusal(&a)
	}
	return a.JSON(v)
}

// signed are the headers of a request.
func (c caller) signed(ctx context.Context, action string, body []byte) (http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(c.base, "/")+"/", bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the address is none")
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", c.prefix+"."+action)
	sum := sha256.Sum256(body)
	as := sdk.Credentials{AccessKeyID: c.id, SecretAccessKey: string(c.key.Reveal())}
	if err := v4.NewSigner().SignHTTP(ctx, as, req, hex.EncodeToString(sum[:]), c.service, c.region, c.web.Now()); err != nil {
		return nil, err
	}
	return req.Header, nil
}

// refusal is what an answer that is none says. Codes are Amazon's; they are shown only if
// they are known here.
func (c caller) refusal(a *web.Answer) error {
	var said struct {
		Type string `json:"__type"`
	}
	plain := a.Refusal()
	if a.JSON(&said) != nil {
		return plain
	}
	code := said.Type[strings.LastIndex(said.Type, "#")+1:]
	switch code {
	case "ParameterNotFound", "ResourceNotFoundException":
		return c.absent(a.Failure(provider.Refused, code, nil))
	case "ThrottlingException", "TooManyUpdates", "RequestLimitExceeded":
		return a.Failure(provider.Busy, code, nil)
	case "AccessDeniedException", "UnrecognizedClientException", "InvalidClientTokenId", "IncompleteSignature", "MissingAuthenticationToken", "ExpiredTokenException", "OptInRequired", "NotAuthorized":
		return a.Failure(provider.Forbidden, code, nil)
	case "InvalidSignatureException":
		e := a.Failure(provider.Forbidden, code, nil)
		if a.Ahead > skew || a.Ahead < -skew {
			e.Hint = "set the clock of this machine"
		}
		return e
	case "InvalidParameterException", "InvalidRequestException", "ValidationException", "LimitExceededException", "ResourceExistsException", "PreconditionNotMetException",
		"EncryptionFailure", "DecryptionFailure", "InvalidKeyId", "ParameterPatternMismatchException", "ParameterMaxVersionLimitExceeded", "UnsupportedParameterType":
		return a.Failure(provider.Refused, code, nil)
	}
	return plain
}

// absent says of an error that something is not there.
func (c caller) absent(e *provider.Error) error {
	e.Err = errors.New("it is not there")
	e.Hint = "make it once by hand: keywright replaces what is there, and makes nothing"
	return e
}
