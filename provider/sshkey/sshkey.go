// Package sshkey rotates keys that an OpenSSH server lets in by a user's authorized_keys.
//
// A successor is an ed25519 key that is made here. Its line stands beside the old one's,
// with the same options, until that is removed. The file is changed by a shell on the
// host, with the old key or another that may log in: that is why a key that is bound to
// a command needs one to administer it with.
package sshkey

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"maps"

	"golang.org/x/crypto/ssh"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/secret"
)

// Provider is OpenSSH. The zero value is ready for use.
type Provider struct{}

const (
	name = "sshkey"

	key = "value"

	host  = "host"
	port  = "port"
	login = "user"
	known = "known_hosts"
	file  = "authorized_keys"

	refusedCode = "publickey" // the method that is refused
)

// Info implements provider.Provider.
func (Provider) Info() provider.Info {
	return provider.Info{
		Name:  name,
		Title: "OpenSSH authorized_keys",
		Parts: []provider.Part{{Name: key}},
		Params: []provider.Param{
			{Name: host, Meaning: "the host's name or address", Required: true},
			{Name: port, Meaning: "the port of its SSH server", Default: "22"},
			{Name: login, Meaning: "the user that the key logs in as", Required: true},
			{Name: known, Meaning: "the file with the host's key", Default: "~/.ssh/known_hosts"},
			{Name: file, Meaning: "the file on the host that lists the key, from the user's home", Default: ".ssh/authorized_keys"},
		},
		Admin:   "a key that may log in and run a shell, as the same user or one that may write the file",
		Lingers: provider.Lingers{What: "connections that are open, until they are ended on the host"},
		Sources: []string{
			"https://man.openbsd.org/sshd.8#AUTHORIZED_KEYS_FILE_FORMAT",
			"RFC 4252",
			"RFC 4253",
		},
		Tested: "OpenSSH 9.2",
	}
}

// Verify logs in. Dead is a key that a host, which has proved that it is the known one,
// refuses as it still takes keys. It looks no other way when the key's line allows
// other addresses only, or when the host mistrusts the whole file: the new key has to be
// let in beside.
func (p Provider) Verify(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	doing := "log in as " + c.Params[login]
	s, err := connect(ctx, doing, c)
	if no := (*refusal)(nil); asRefusal(err, &no) {
		if no.tried {
			return provider.Probe{State: provider.Dead, Code: refusedCode}, nil
		}
		return provider.Probe{State: provider.Unknown, Code: no.text}, nil
	}
	if err != nil {
		return provider.Probe{}, err
	}
	defer s.close()
	// Let in is who is served, too. What the answer says does not matter.
	if _, _, err := s.client.SendRequest("keepalive@openssh.com", true, nil); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return provider.Probe{}, failed(doing, provider.Unreached, err)
	}
	return provider.Probe{State: provider.Alive, Who: provider.Identity{ID: fingerprint(s.public), Account: c.Params[login]}}, nil
}

// Make implements provider.Maker.
func (p Provider) Make(_ context.Context, old provider.Credential) (provider.Credential, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return provider.Credential{}, failed("make a key", provider.Refused, err)
	}
	sshPublic, err := ssh.NewPublicKey(public)
	if err != nil {
		return provider.Credential{}, failed("make a key", provider.Refused, err)
	}
	block, err := ssh.MarshalPrivateKey(private, mark(sshPublic))
	if err != nil {
		return provider.Credential{}, failed("make a key", provider.Refused, err)
	}
	text := pem.EncodeToMemory(block)
	defer clear(text)
	return provider.Credential{ID: fingerprint(sshPublic), Parts: map[string]secret.Value{key: secret.New(text)}, Params: maps.Clone(old.Params)}, nil
}

// Apply implements provider.Maker: the new key's line is added, like the old one's.
func (p Provider) Apply(ctx context.Context, admin, old, next provider.Credential) error {
	const doing = "add the new key's line"
	from, err := identity(doing, old)
	if err != nil {
		return err
	}
	signer, err := parse(doing, next)
	if err != nil {
		return err
	}
	return edit(ctx, doing, admin, next, func(lines []byte) ([]byte, error) { return add(lines, from, signer.PublicKey()) })
}

// Revoke implements provider.Revoker: the key's lines are removed. Sessions that are open
// go on.
func (p Provider) Revoke(ctx context.Context, admin, c, _ provider.Credential) error {
	const doing = "remove the key's line"
	id, err := identity(doing, c)
	if err != nil {
		return err
	}
	return edit(ctx, doing, admin, c, func(lines []byte) ([]byte, error) { return remove(lines, id), nil })
}

// Plan implements provider.Planner.
func (p Provider) Plan(ctx context.Context, admin, old provider.Credential) (provider.Plan, error) {
	const doing = "look for the key's line"
	id, err := identity(doing, old)
	if err != nil {
		return provider.Plan{}, err
	}
	var plan provider.Plan
	err = edit(ctx, doing, admin, old, func(lines []byte) ([]byte, error) {
		l, ok := find(lines, id)
		if !ok {
			return nil, fmt.Errorf("%s does not list the key %s", at(old), id)
		}
		if l.options != "" {
			plan.Notes = append(plan.Notes, "the new key gets the options of the old one: "+printable(l.options))
		}
		return lines, nil
	})
	if err != nil {
		return provider.Plan{}, err
	}
	return plan, nil
}

// identity is what a key is known by: of the key itself, or its ID.
func identity(doing string, c provider.Credential) (string, error) {
	if c.Part(key).IsZero() && c.ID != "" {
		return c.ID, nil
	}
	signer, err := parse(doing, c)
	if err != nil {
		return "", err
	}
	return fingerprint(signer.PublicKey()), nil
}

// parse reads a private key. What is wrong with one is not said: it might quote it.
func parse(doing string, c provider.Credential) (ssh.Signer, error) {
	if c.Part(key).IsZero() {
		return nil, incomplete(doing, "the private key is needed")
	}
	signer, err := ssh.ParsePrivateKey(c.Part(key).Reveal())
	if err != nil {
		return nil, incomplete(doing, "the key is no private key in a form of OpenSSH's that needs no passphrase")
	}
	return signer, nil
}

func fingerprint(k ssh.PublicKey) string { return ssh.FingerprintSHA256(k) }
