// Package redis rotates the passwords of Redis' ACL users.
//
// A user may have several passwords at once, so that one user is enough: the new one is
// added, and the old one taken away when nothing uses it any more. The server does not
// say which password a connection was opened with: in the end all connections of the
// user are closed, and those that know the new password come back. With two users that
// take turns, "app_a,app_b", only what the old one opened is closed: the other gets the
// rights of the first and a new password, and then the first is turned off.
//
// Users are known to each server for itself: a replica, or another node of a cluster,
// has its own.
package redis

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"slices"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/server"
	"github.com/keywright/keywright/secret"
)

// Provider is Redis. The zero value is ready for use.
type Provider struct{}

const (
	name = "redis"

	user     = provider.UserPart
	password = server.Password

	host   = server.Host
	port   = server.Port
	secure = "tls"
	roots  = "cacert"
	cert   = "cert"
	key    = "key"
	users  = provider.UsersParam
)

// Info implements provider.Provider.
func (Provider) Info() provider.Info {
	return provider.Info{
		Name:  name,
		Title: "Redis",
		Parts: []provider.Part{{Name: user, Public: true}, {Name: password}},
		Params: []provider.Param{
			{Name: host, Meaning: "the server's name or address", Required: true, Server: true},
			{Name: port, Meaning: "the server's port", Default: "6379", Server: true},
			{Name: secure, Meaning: "yes, or no for a server on this machine, where no is the default"},
			{Name: roots, Meaning: "a file with the certificates that the server's is signed with, instead of the system's"},
			{Name: cert, Meaning: "a file with the certificate that the server asks clients for"},
			{Name: key, Meaning: "a file with that certificate's private key"},
			{Name: users, Meaning: "two users that take turns, as app_a,app_b; otherwise one has both passwords for a while"},
		},
		Admin: "a user that may change others and save them: +acl +client +config +info",
		Sources: []string{
			"https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/",
			"https://redis.io/docs/latest/commands/acl-setuser/",
			"https://redis.io/docs/latest/commands/acl-dryrun/",
			"https://redis.io/docs/latest/commands/client-kill/",
			"https://redis.io/docs/latest/develop/reference/protocol-spec/",
		},
		Tested: "Redis 7.0",
	}
}

// RecognizeHost takes the addresses of servers. A server that is not on this machine is
// asked over TLS, also where the address is not rediss:, and proves who it is.
func (Provider) RecognizeHost(rule string, parts map[string]secret.Value) (provider.Credential, bool) {
	c, scheme, ok := server.FoundAt(rule, parts, "redis", "rediss", "valkey")
	if !ok {
		return c, false
	}
	if scheme == "rediss" {
		c.Params[secure] = "yes"
	}
	if provider.User(c) == "" {
		c.Parts[user] = secret.New([]byte(everybody))
	}
	return c, true
}

// everybody is the user that is meant where none is named.
const everybody = "default"

// Verify logs in. Dead is WRONGPASS, which is for a wrong password, a user that is not
// there and one that is off alike. A user without a password takes any: that one is
// never dead; of a password that was found it is not known, then, whether it is one.
func (p Provider) Verify(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	var probe provider.Probe
	err := within(ctx, "log in as "+provider.User(c), c, func(s *session) error {
		probe = provider.Probe{State: provider.Alive, Who: provider.Identity{ID: provider.User(c)}}
		if c.Found && s.do("AUTH", provider.User(c), rand.Text()) == nil {
			probe = provider.Probe{State: provider.Unknown, Code: "any password is taken"}
			return nil
		}
		who, err := s.text("ACL", "WHOAMI")
		switch {
		case err == nil && who != provider.User(c):
			return errNonsense
		case refused(err, "NOPERM"): // it was let in before
			probe.State, probe.Code, err = provider.Narrow, "NOPERM", nil
		}
		return err
	})
	if no := (*refusal)(nil); errors.As(err, &no) {
		return no.probe(), nil
	}
	if err != nil {
		return provider.Probe{}, err
	}
	return probe, nil
}

// alphabet is such that a password can stand in an address, a .env file and a shell
// without quotes. 40 of it are 238 bits: its hash tells nobody what it is.
const (
	alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	length   = 40
)

// Make implements provider.Maker: a new password, for the other of two users.
func (p Provider) Make(_ context.Context, old provider.Credential) (provider.Credential, error) {
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

// Apply implements provider.Maker. The server is given a hash of the password, not the
// password. The same user has both then; another one is made like the first, whatever it
// was before, with this password alone.
func (p Provider) Apply(ctx context.Context, admin, old, next provider.Credential) error {
	from, to := provider.User(old), provider.User(next)
	doing := "give " + to + " a new password"
	if from == "" || to == "" || next.Part(password).IsZero() {
		return incomplete(doing, "the user and the new password are needed")
	}
	as, err := provider.Acting(p, doing, admin, next)
	if err != nil {
		return err
	}
	return within(ctx, doing, as, func(s *session) error {
		if err := s.usable(from); err != nil {
			return err
		}
		rules := []string{"#" + hash(next)}
		if from != to {
			like, err := s.rules(from)
			if err != nil {
				return err
			}
			rules = slices.Concat([]string{"reset"}, like, []string{"on"}, rules)
		}
		if err := s.do(slices.Concat([]string{"ACL", "SETUSER", to}, rules)...); err != nil {
			return err
		}
		return s.save()
	}, old, next)
}

// Revoke implements provider.Revoker. Of two users that take turns, the old one is turned
// off and has no password any more; otherwise its password alone is taken from the user.
// All connections of the user are closed.
func (p Provider) Revoke(ctx context.Context, admin, c, other provider.Credential) error {
	who := provider.User(c)
	doing := "take the password from " + who
	turns, err := provider.Users(c)
	switch {
	case err != nil:
		return incomplete(doing, err.Error())
	case who == "":
		return incomplete("take a password away", "the user is needed")
	}
	whole := slices.Contains(turns, who) && who != provider.User(other)
	if !whole && c.Part(password).IsZero() {
		return incomplete(doing, "the password is needed: the user may have others")
	}
	as, err := provider.Acting(p, doing, admin, c)
	if err != nil {
		return err
	}
	return within(ctx, doing, as, func(s *session) error {
		u, err := s.user(who)
		if err != nil || !u.there {
			return err
		}
		had := slices.Contains(u.passwords, hash(c))
		switch {
		case whole && (had || c.Part(password).IsZero()):
			err = s.do("ACL", "SETUSER", who, "off", "resetpass")
		case had:
			err = s.do("ACL", "SETUSER", who, "!"+hash(c))
		} // otherwise it is gone, as is one of two that has got another since
		if err != nil {
			return err
		}
		// A server that dies now must not come back with the old one: saved before.
		if err := s.save(); err != nil {
			return err
		}
		return s.do("CLIENT", "KILL", "USER", who)
	}, c)
}

// hash is how Redis stores a password.
func hash(c provider.Credential) string {
	sum := sha256.Sum256(c.Part(password).Reveal())
	return hex.EncodeToString(sum[:])
}

// successor is the user that comes after a credential's, which may be itself.
func successor(doing string, c provider.Credential) (string, error) {
	next, err := provider.NextUser(c)
	if err != nil {
		return "", incomplete(doing, err.Error())
	}
	return next, nil
}
