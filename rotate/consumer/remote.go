package consumer

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/web"
	"github.com/keywright/keywright/rotate"
	"github.com/keywright/keywright/rotate/consumer/aws"
	"github.com/keywright/keywright/rotate/consumer/gh"
	"github.com/keywright/keywright/rotate/consumer/gitlab"
	"github.com/keywright/keywright/rotate/consumer/k8s"
	"github.com/keywright/keywright/rotate/consumer/vault"
	"github.com/keywright/keywright/secret"
)

// partToken is the part that is a token, of a key with several. Of a key with one part,
// that is it, whatever its name.
const partToken = "token"

const kindK8s = "k8s"

// service is a kind of places that are reached over the network.
type service struct {
	target   *regexp.Regexp
	like     string // that, in words
	field    *regexp.Regexp
	settings []string // options of its own
	apart    bool     // each value is written by a call of its own
	own      bool     // it can be reached without a key of the user's
}

// services are those kinds, by name.
var services = map[string]service{
	"gh":             {target: gh.Target, like: "OWNER/REPOSITORY, OWNER/REPOSITORY/ENVIRONMENT or ORGANISATION", field: gh.Name, apart: true},
	"gitlab":         {target: gitlab.Target, like: "projects/PATH or groups/PATH", field: gitlab.Name, settings: []string{gitlab.Scope}, apart: true},
	kindK8s:          {target: k8s.Target, like: "NAMESPACE/SECRET", field: k8s.Name, settings: []string{k8s.Config, k8s.Context}, own: true},
	"ssm":            {target: aws.Region, like: "REGION", field: aws.Parameter, apart: true},
	"secretsmanager": {target: aws.Secret, like: "REGION/SECRET", field: aws.Value},
	"vault":          {target: vault.Target, like: "MOUNT/data/PATH, as in a policy", field: vault.Name},
}

// store is a place at a service. One is opened for each look and each delivery, so that it
// may keep what it read. Its errors are of the type *provider.Error, or match
// rotate.ErrUnreadable.
type store interface {
	// Read returns the values under some names. All of them are there, or it is an error.
	// The error matches rotate.ErrUnreadable if the service does not give back some; the
	// others are returned.
	Read(ctx context.Context, names []string) (map[string]secret.Value, error)
	// Write replaces values. If they are not any more what was read, and the service can
	// tell, nothing is written. Others stay as they are. It is called once, after Read.
	Write(ctx context.Context, values map[string]secret.Value) error
}

// store opens the place that a spec describes, in the name of a credential.
func (w World) store(s Spec, as provider.Credential) (store, error) {
	switch s.Kind {
	case "gh":
		return gh.Open(w.HTTP, s.Target, as), nil
	case "gitlab":
		return gitlab.Open(w.HTTP, s.Target, s.Settings, as), nil
	case kindK8s:
		return k8s.Open(w.HTTP, s.Target, s.Settings, as)
	case "secretsmanager":
		return aws.OpenSecret(w.HTTP, s.Target, as), nil
	case "ssm":
		return aws.OpenParameters(w.HTTP, s.Target, as), nil
	case "vault":
		return vault.Open(w.HTTP, s.Target, as), nil
	}
	return nil, fmt.Errorf("there is no kind %q", s.Kind)
}

// atService says what is wrong with a spec of a service; empty if nothing is.
func (s Spec) atService() (why string) {
	kind, ok := services[s.Kind]
	switch {
	case !ok:
		return ""
	case !kind.target.MatchString(s.Target):
		return fmt.Sprintf("its target is not like %s", kind.like)
	case s.Auth == "" && kind.own:
	case s.Auth == "":
		return "it does not say which key it is reached with: auth=ENV/NAME"
	case !keyName.MatchString(s.Auth):
		return fmt.Sprintf("%q is not the name of a key: auth=ENV/NAME", s.Auth)
	}
	for _, f := range s.Fields {
		if !kind.field.MatchString(f.Name) {
			return fmt.Sprintf("%q is not the name of a value", f.Name)
		}
	}
	return ""
}

// Auth is the name of the key that the consumer of a spec is reached with; empty if there
// is none, or if it is no spec.
func Auth(spec string) string {
	s, err := Parse(spec)
	if err != nil {
		return ""
	}
	return s.Auth
}

// Place is what of a spec says where its consumer is: not how it is reached, nor what is run
// after a delivery. What is no spec is its own place.
func Place(spec string) string {
	s, err := Parse(spec)
	if err != nil {
		return spec
	}
	s.Auth, s.Reload, s.Ready = "", "", ""
	return s.String()
}

// Address is what the parameters of a key say of where a service is that is reached with it.
func Address(params map[string]string) string {
	return strings.TrimSuffix(params["url"], "/") + " " + params["namespace"]
}

// Renamed is a spec after the key that its consumer may be reached with was given another
// name. What is no spec is left as it is. The error is a *SpecError, if it grew too long.
func Renamed(spec, from, to string) (string, error) {
	s, err := Parse(spec)
	if err != nil || s.Auth == "" || s.Auth != from {
		return spec, nil
	}
	s.Auth = to
	if _, err := Parse(s.String()); err != nil {
		return "", err
	}
	return s.String(), nil
}

// settle writes down what a spec of a service means at the moment: of a kubeconfig, where
// it is, and its context.
func (s *Spec) settle() (err error) {
	if s.Kind != kindK8s {
		return nil
	}
	path, current := s.Settings[k8s.Config], s.Settings[k8s.Context]
	if path == "" {
		if path, err = k8s.DefaultConfig(); err != nil {
			return err
		}
	}
	if path, err = absolute(path); err != nil {
		return err
	}
	if current == "" {
		if current, err = k8s.CurrentContext(path); err != nil {
			return err
		}
	}
	s.Settings = map[string]string{k8s.Config: path, k8s.Context: current}
	return nil
}

// remote is a place at a service.
type remote struct {
	world World
	spec  Spec
}

func (r *remote) fail(doing, field string, err error) error {
	return &Error{doing, r.spec.Kind + ":" + r.spec.Target, field, err}
}

// open asks for the key that the service is reached with.
func (r *remote) open(ctx context.Context) (store, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if r.spec.Auth == "" {
		return r.world.store(r.spec, provider.Credential{})
	}
	if r.world.Auth == nil {
		return nil, errors.New("there is no key to reach it with")
	}
	as, err := r.world.Auth(ctx, r.spec.Auth)
	if err != nil {
		return nil, fmt.Errorf("the key to reach it with, %s: %w", r.spec.Auth, err)
	}
	if len(as.Parts) == 1 {
		for _, only := range as.Parts {
			as.Parts = map[string]secret.Value{partToken: only}
		}
	}
	return r.world.store(r.spec, as)
}

func (r *remote) names() (names []string) {
	for _, f := range r.spec.Fields {
		names = append(names, f.Name)
	}
	return names
}

// Holds implements rotate.Consumer: the parts that the spec names. If the service does not
// give back one of them, it is as if it gave back none.
func (r *remote) Holds(ctx context.Context) (map[string]secret.Value, error) {
	s, err := r.open(ctx)
	if err != nil {
		return nil, r.fail("read", "", err)
	}
	values, err := s.Read(ctx, r.names())
	if err != nil {
		return nil, r.fail("read", "", err)
	}
	held := map[string]secret.Value{}
	for _, f := range r.spec.Fields {
		held[f.Part] = values[f.Name]
	}
	return held, nil
}

// Deliver implements rotate.Consumer. Of a key's parts it looks at those that the spec
// names. Whether a write happened that was not answered, or refused because somebody
// else's came first, is found out by reading again.
func (r *remote) Deliver(ctx context.Context, from, to map[string]secret.Value) error {
	s, changes, unreadable, err := r.prepare(ctx, from, to)
	if err != nil {
		return &rotate.Untouched{Err: err}
	}
	if len(changes) == 0 {
		return nil
	}
	err = s.Write(ctx, changes)
	switch {
	case err == nil || !unreadable && r.arrived(ctx, s, from, to):
		return nil
	case refused(err) && (len(changes) == 1 || !services[r.spec.Kind].apart):
		return &rotate.Untouched{Err: r.fail("deliver to", "", err)}
	}
	return r.fail("deliver to", "", err)
}

// refused reports whether a write certainly did not happen.
func refused(err error) bool {
	var e *provider.Error
	return errors.As(err, &e) && e.Kind != provider.Unclear && e.Kind != provider.Malformed
}

// prepare reads what is there, and says what is to be written.
func (r *remote) prepare(ctx context.Context, from, to map[string]secret.Value) (s store, changes map[string]secret.Value, unreadable bool, err error) {
	const doing = "deliver to"
	fail := func(field string, err error) (store, map[string]secret.Value, bool, error) {
		return nil, nil, false, r.fail(doing, field, err)
	}
	for _, field := range r.spec.Fields {
		for _, parts := range []map[string]secret.Value{from, to} {
			if parts[field.Part].IsZero() {
				return fail(field.Name, fmt.Errorf("%w: %s", ErrNoPart, field.Part))
			}
		}
	}
	if s, err = r.open(ctx); err != nil {
		return fail("", err)
	}
	values, err := s.Read(ctx, r.names())
	unreadable = errors.Is(err, rotate.ErrUnreadable)
	if err != nil && !unreadable {
		return fail("", web.Beforehand(err))
	}
	defer wipe(values)
	changes, err = r.changes(values, from, to)
	return s, changes, unreadable, err
}

func wipe(values map[string]secret.Value) {
	for _, v := range values {
		v.Wipe()
	}
}

// arrived reports whether the new values are there.
func (r *remote) arrived(ctx context.Context, s store, from, to map[string]secret.Value) bool {
	values, err := s.Read(ctx, r.names())
	if err != nil {
		return false
	}
	defer wipe(values)
	left, err := r.changes(values, from, to)
	return err == nil && len(left) == 0
}

// changes are what is to be written, by name, if what is there is the old or the new; what
// cannot be read may be either. Where each value is written by a call of its own, a
// delivery that was cut short leaves some old and some new.
func (r *remote) changes(values, from, to map[string]secret.Value) (map[string]secret.Value, error) {
	const doing = "deliver to"
	key, changes, after := []byte(rand.Text()), map[string]secret.Value{}, false
	for _, f := range r.spec.Fields {
		held, readable := values[f.Name]
		is := held.Digest(key)
		isOld, isNew := is == from[f.Part].Digest(key), is == to[f.Part].Digest(key)
		switch {
		case readable && !isOld && !isNew:
			return nil, r.fail(doing, f.Name, rotate.ErrDrift)
		case !isNew:
			changes[f.Name] = to[f.Part]
		case !isOld:
			after = true
		}
	}
	if after && len(changes) > 0 && !services[r.spec.Kind].apart {
		return nil, r.fail(doing, "", fmt.Errorf("%w: some of its values are old, and some are new", rotate.ErrDrift))
	}
	return changes, nil
}
