// Package k8s delivers to the data of a Secret of Kubernetes. What it holds is read back,
// and is changed only if it is still the version that was read: the API server refuses the
// write otherwise. All parts of a key change at once; other data, labels and annotations
// stay.
//
// Which cluster, and as who, a kubeconfig says: by a token, a file that holds one, or a
// client certificate. What runs a program to get a credential (exec) is refused; the token
// of a key of the user's can be used instead. The context is written down with the
// consumer, so that another one that becomes current is not delivered to.
//
// A Secret that is immutable is refused, and one that a controller owns: it would put back
// what was there. Who reaches it needs the verbs get and patch.
//
// Written after https://kubernetes.io/docs/reference/using-api/api-concepts/,
// https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/secret-v1/
// and https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/; that a patch with a
// resourceVersion is refused if that is stale is what controller-runtime's
// MergeFromWithOptimisticLock relies on. Run against a fake of them.
package k8s

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/web"
	"github.com/keywright/keywright/secret"
)

// What specs may say.
var (
	// Target is a namespace and a Secret in it.
	Target = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?/[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)
	// Name is that of a value in a Secret's data.
	Name = regexp.MustCompile(`^[A-Za-z0-9._-]+$`) // how long it may be, the server knows
)

// Store is a Secret. It is not to be used concurrently.
type Store struct {
	web     web.Client
	base    string
	path    string
	token   secret.Value // zero if the transport says who asks
	version string       // that was read
}

// object is what is read of a Secret.
type object struct {
	Kind      string
	Immutable bool
	Metadata  struct {
		Name    string
		Version string `json:"resourceVersion"`
		Owners  []struct {
			Kind, Name string
			Controller bool
		} `json:"ownerReferences"`
	}
	Data map[string]web.Secret // base64
}

// Open reads the kubeconfig that the settings name, and returns a Secret in its cluster,
// reached with the part token of a credential, or as the user of the context if there is
// none. H is for tests: its transport is used in place of one that the kubeconfig
// describes, if it is not nil.
func Open(h *http.Client, target string, settings map[string]string, as provider.Credential) (*Store, error) {
	fail := func(err error) (*Store, error) {
		return nil, &provider.Error{Provider: "kubernetes", Doing: "read the kubeconfig " + settings[Config], Kind: provider.Incomplete, Err: err}
	}
	if settings[Config] == "" || settings[Context] == "" {
		return fail(errors.New("which one, and which context of it, was not written down"))
	}
	k, err := load(settings[Config])
	if err != nil {
		return fail(err)
	}
	c, u, err := k.find(settings[Context])
	if err != nil {
		return fail(err)
	}
	if err := c.check(); err != nil {
		return fail(err)
	}
	namespace, name, _ := strings.Cut(target, "/")
	s := &Store{base: c.Server, token: as.Part("token"), path: "/api/v1/namespaces/" + namespace + "/secrets/" + name}
	switch {
	case len(as.Parts) > 0 && s.token.IsZero():
		return fail(errors.New("the key to reach the cluster with has no token"))
	case len(as.Parts) > 0:
		u = user{}
	default:
		if err := u.check(); err != nil {
			return fail(err)
		}
		if s.token, err = k.token(u); err != nil {
			return fail(fmt.Errorf("read the user's token: %w", err))
		}
	}
	t, err := k.tls(c, u)
	if err != nil {
		return fail(err)
	}
	if s.token.IsZero() && len(t.Certificates) == 0 {
		return fail(errors.New("the user of the context has neither a token nor a certificate"))
	}
	if h == nil {
		h = &http.Client{Transport: transport(t)}
	}
	s.web = web.New("kubernetes", h)
	return s, nil
}

// do makes a call, and returns the Secret as it is then.
func (s *Store) do(ctx context.Context, doing, method, media string, body []byte) (o object, err error) {
	h := http.Header{"Accept": {"application/json"}}
	if !s.token.IsZero() {
		h.Set("Authorization", "Bearer "+string(s.token.Reveal()))
	}
	if media != "" {
		h.Set("Content-Type", media)
	}
	a, err := s.web.Do(ctx, web.Call{Doing: doing, Method: method, URL: s.base, Path: s.path, Header: h, Body: body})
	switch {
	case err != nil:
		return o, err
	case a.Status == http.StatusNotFound:
		e := a.Failure(provider.Refused, "", errors.New("it is not there"))
		e.Hint = "make it once by hand: keywright replaces what is there, and makes nothing"
		return o, e
	case a.Status == http.StatusConflict:
		return o, a.Failure(provider.Refused, "", errors.New("somebody else has changed it since it was read"))
	case !a.OK():
		return o, a.Refusal()
	}
	if err := a.JSON(&o); err != nil {
		return o, err
	}
	if o.Kind != "Secret" || !strings.HasSuffix(s.path, "/"+o.Metadata.Name) || o.Metadata.Version == "" {
		return o, a.Failure(provider.Malformed, "", errors.New("it is not a Secret"))
	}
	return o, nil
}

// Read returns values of the Secret.
func (s *Store) Read(ctx context.Context, names []string) (map[string]secret.Value, error) {
	const doing = "read the Secret"
	fail := func(kind provider.Kind, format string, args ...any) error {
		return &provider.Error{Provider: s.web.Provider, Doing: doing, Kind: kind, Err: fmt.Errorf(format, args...)}
	}
	o, err := s.do(ctx, doing, http.MethodGet, "", nil)
	if err != nil {
		return nil, err
	}
	defer o.wipe()
	if o.Immutable {
		return nil, fail(provider.Refused, "it is immutable")
	}
	for _, owner := range o.Metadata.Owners {
		if owner.Controller {
			return nil, fail(provider.Refused, "it belongs to %s %s, which would put back what was there: deliver to where that takes it from", owner.Kind, owner.Name)
		}
	}
	s.version = o.Metadata.Version
	values := map[string]secret.Value{}
	for _, name := range names {
		v, ok := o.Data[name]
		if !ok {
			return nil, fail(provider.Refused, "it has no value %s, and keywright makes none", name)
		}
		decoded, err := base64.StdEncoding.DecodeString(string(v.Reveal()))
		if err != nil {
			return nil, fail(provider.Malformed, "the value %s is not base64", name)
		}
		values[name] = secret.New(decoded)
		clear(decoded)
	}
	return values, nil
}

func (o object) wipe() {
	for _, v := range o.Data {
		v.Wipe()
	}
}

// Write replaces values of the Secret, all at once, if nobody has changed it.
func (s *Store) Write(ctx context.Context, values map[string]secret.Value) error {
	var patch struct {
		Metadata struct {
			Version string `json:"resourceVersion"`
		} `json:"metadata"`
		Data map[string][]byte `json:"data"` // JSON has them in base64
	}
	patch.Metadata.Version, patch.Data = s.version, map[string][]byte{}
	for name, v := range values {
		patch.Data[name] = v.Reveal()
	}
	body, err := json.Marshal(patch)
	if err != nil {
		return fmt.Errorf("write the Secret as JSON: %w", err)
	}
	defer clear(body)
	o, err := s.do(ctx, "replace values of the Secret", http.MethodPatch, "application/merge-patch+json", body)
	o.wipe()
	return err
}
