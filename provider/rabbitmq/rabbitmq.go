// Package rabbitmq rotates the passwords of RabbitMQ's users: of those that the broker
// keeps itself, over the HTTP API of its management plugin.
//
// With two users that take turns, "app_a,app_b", nothing is ever refused that worked
// before: while programs use one, the other gets a new password, and once they have it,
// the first has none any more. With one user its password is replaced in place.
//
// Whether a password is accepted is asked by AMQP, as programs do: the HTTP API lets in
// those users alone that have a tag for it. RabbitMQ 3.10 is the first that lists the
// connections of a user.
package rabbitmq

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/server"
	"github.com/keywright/keywright/provider/web"
	"github.com/keywright/keywright/secret"
)

// Provider is RabbitMQ.
type Provider struct{ web web.Client }

// New returns a Provider that uses the transport of h, which may be nil, for the HTTP API.
func New(h *http.Client) *Provider { return &Provider{web.New(name, h)} }

const (
	name = "rabbitmq"

	user     = provider.UserPart
	password = server.Password

	management = "url"
	host       = "host"
	port       = "port"
	vhost      = "vhost"
	sslMode    = server.SSLMode
	sslRoots   = server.SSLRoots
	users      = provider.UsersParam
)

// Info implements provider.Provider.
func (*Provider) Info() provider.Info {
	return provider.Info{
		Name:  name,
		Title: "RabbitMQ",
		Parts: []provider.Part{{Name: user, Public: true}, {Name: password}},
		Params: []provider.Param{
			{Name: management, Meaning: "the address of the management plugin, as https://mq.example.com:15671, whose certificate the system knows", Required: true, Server: true},
			{Name: host, Meaning: "the broker's name or address for AMQP; that of the management plugin if it is not given"},
			{Name: port, Meaning: "the broker's port for AMQP; 5671, or 5672 without TLS, if it is not given"},
			{Name: vhost, Meaning: "the virtual host to open", Default: "/"},
			{Name: sslMode, Meaning: "verify-full, or disable for a broker on this machine", Default: server.VerifyFull},
			{Name: sslRoots, Meaning: "a file with the certificates that the broker's for AMQP is signed with, instead of the system's"},
			{Name: users, Meaning: "two users that take turns, as app_a,app_b; otherwise the password is replaced in place"},
		},
		Admin: "a user with the tag administrator",
		Sources: []string{
			"https://www.rabbitmq.com/docs/management",
			"https://www.rabbitmq.com/docs/http-api-reference",
			"https://www.rabbitmq.com/docs/passwords",
			"https://www.rabbitmq.com/docs/auth-notification",
			"https://www.rabbitmq.com/amqp-0-9-1-reference",
		},
		Tested: "RabbitMQ 3.10",
	}
}

// alphabet is such that a password can stand in an address, a .env file and a shell
// without quotes. 40 of it are 238 bits: its hash tells nobody what it is.
const (
	alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	length   = 40
)

// Make implements provider.Maker: a new password, for the other of two users.
func (p *Provider) Make(_ context.Context, old provider.Credential) (provider.Credential, error) {
	to, err := successor("make a password", old)
	if err != nil {
		return provider.Credential{}, err
	}
	return provider.Credential{
		ID:     to,
		Parts:  map[string]secret.Value{user: secret.New([]byte(to)), password: secret.Random(length, alphabet)},
		Params: maps.Clone(old.Params),
	}, nil
}

// Apply implements provider.Maker. The broker is given a hash of the password, not the
// password.
func (p *Provider) Apply(ctx context.Context, admin, old, next provider.Credential) error {
	to := provider.User(next)
	doing := "change the password of " + to
	if provider.User(old) == "" || to == "" || next.Part(password).IsZero() {
		return incomplete(doing, "the user and the new password are needed")
	}
	as, err := p.acting(doing, admin, next)
	if err != nil {
		return err
	}
	err = p.setPassword(ctx, as, doing, to, next.Part(password))
	// A user that changes its own password cannot do that twice: the one that it asks with
	// is gone.
	if e := (*provider.Error)(nil); errors.As(err, &e) && e.Kind == provider.Forbidden && provider.User(admin) == to {
		if probe, err := p.Verify(ctx, next); err == nil && probe.State.Lives() {
			return nil
		}
	}
	return err
}

// setPassword keeps a user's tags, which would be taken away otherwise.
func (p *Provider) setPassword(ctx context.Context, as provider.Credential, doing, to string, password secret.Value) error {
	u, err := p.user(ctx, as, doing, to)
	if err != nil {
		return web.Beforehand(err)
	}
	if u == nil {
		return noUser(doing, to)
	}
	return p.put(ctx, as, doing, to, hash(password, salt()), u.Tags)
}

// Revoke implements provider.Revoker. A user that is not the other's has no password any
// more, so that it is refused; it stays, with its rights. One that has another password
// than the credential's is left as it is. All connections of the user are closed, in place,
// too: when one began, the broker says late or not at all.
func (p *Provider) Revoke(ctx context.Context, admin, c, other provider.Credential) error {
	who := provider.User(c)
	doing := "end " + who
	if who == "" {
		return incomplete("end a user", "the user is needed")
	}
	as, err := p.acting(doing, admin, c)
	if err != nil {
		return err
	}
	if who == provider.User(other) {
		return p.end(ctx, as, "close the connections of "+who, who, true)
	}
	u, err := p.user(ctx, as, doing, who)
	if err != nil {
		return web.Beforehand(err)
	}
	if u != nil && u.Hash != "" && u.has(c.Part(password)) {
		if err := p.put(ctx, as, doing, who, "", u.Tags); err != nil {
			return err
		}
	}
	return web.Afterwards("it has no password any more", p.end(ctx, as, doing, who, false))
}

// saltSize is how many bytes come before a hash.
const saltSize = 4

func salt() []byte {
	s := make([]byte, saltSize)
	rand.Read(s)
	return s
}

// hash is how the broker keeps a password, with SHA-256.
func hash(password secret.Value, salt []byte) string {
	sum := sha256.Sum256(slices.Concat(salt, password.Reveal()))
	return base64.StdEncoding.EncodeToString(slices.Concat(salt, sum[:]))
}

// has reports whether a password is a user's, as far as can be told.
func (u *entry) has(password secret.Value) bool {
	b, err := base64.StdEncoding.DecodeString(u.Hash)
	if password.IsZero() || u.Algorithm != algorithm || err != nil || len(b) <= saltSize {
		return true
	}
	mine, _ := base64.StdEncoding.DecodeString(hash(password, b[:saltSize]))
	return bytes.Equal(mine, b)
}

// Plan implements provider.Planner.
func (p *Provider) Plan(ctx context.Context, admin, old provider.Credential) (provider.Plan, error) {
	from := provider.User(old)
	doing := "look whether the password of " + from + " can be changed"
	to, err := successor(doing, old)
	if err != nil {
		return provider.Plan{}, err
	}
	if old.Part(password).IsZero() {
		return provider.Plan{}, incomplete(doing, "the password is needed")
	}
	as, err := p.acting(doing, admin, old)
	if err != nil {
		return provider.Plan{}, err
	}
	if err := p.administrator(ctx, as, doing); err != nil {
		return provider.Plan{}, web.Beforehand(err)
	}
	u, err := p.user(ctx, as, doing, from)
	if err == nil && u == nil {
		err = noUser(doing, from)
	}
	if err != nil {
		return provider.Plan{}, web.Beforehand(err)
	}
	if from == to {
		return provider.Plan{InPlace: true,
			Outage: "from the change on, " + from + " can log in with the new password alone; connections that are open go on until the end",
			Notes:  []string{"all connections of " + from + " are closed then, as the broker does not say in time when they began"}}, nil
	}
	if err := p.alike(ctx, as, doing, u, to); err != nil {
		return provider.Plan{}, web.Beforehand(err)
	}
	return provider.Plan{}, web.Beforehand(p.busy(ctx, as, doing, to))
}

// alike refuses a successor that is not there, or can do other things than the one before.
func (p *Provider) alike(ctx context.Context, as provider.Credential, doing string, from *entry, to string) error {
	next, err := p.user(ctx, as, doing, to)
	if err != nil {
		return err
	}
	if next == nil {
		return noUser(doing, to)
	}
	a, err := p.rights(ctx, as, doing, from)
	if err != nil {
		return err
	}
	b, err := p.rights(ctx, as, doing, next)
	if err != nil {
		return err
	}
	var all []string
	for _, side := range []struct {
		who       string
		has, lack []string
	}{{from.Name, a, b}, {to, b, a}} {
		for _, r := range side.has {
			if !slices.Contains(side.lack, r) {
				all = append(all, side.who+" alone has "+r)
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	return &provider.Error{Provider: name, Doing: doing, Kind: provider.Refused, Err: fmt.Errorf("%s is not like %s: %s", to, from.Name, strings.Join(all, "; ")),
		Hint: "give both the same tags, permissions and limits"}
}

// acting is the admin's credential, for the broker of another.
func (p *Provider) acting(doing string, admin, c provider.Credential) (provider.Credential, error) {
	admin, err := provider.Acting(p, doing, admin, c)
	switch {
	case err != nil:
		return admin, err
	case admin.Params[management] == "":
		return admin, incomplete(doing, "the url is needed")
	case provider.User(admin) == "" || admin.Part(password).IsZero():
		return admin, incomplete(doing, "the user and the password of who makes the change are needed")
	case strings.Contains(provider.User(admin), ":"):
		return admin, incomplete(doing, "a user with a colon in its name cannot log in over HTTP")
	}
	return admin, nil
}

func noUser(doing, who string) error {
	return &provider.Error{Provider: name, Doing: doing, Kind: provider.Refused, Err: fmt.Errorf("there is no user %s", who)}
}

func incomplete(doing, what string) error {
	return &provider.Error{Provider: name, Doing: doing, Kind: provider.Incomplete, Err: errors.New(what)}
}

// successor is the user that comes after a credential's, which may be itself.
func successor(doing string, c provider.Credential) (string, error) {
	next, err := provider.NextUser(c)
	if err != nil {
		return "", incomplete(doing, err.Error())
	}
	return next, nil
}
