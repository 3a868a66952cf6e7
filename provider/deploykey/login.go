package deploykey

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/keywright/keywright/provider"
)

const (
	dialing    = 10 * time.Second // to reach a host
	altogether = 20 * time.Second // for all of a login
	longest    = 4 << 10          // bytes of a greeting that are kept
)

// published are the fingerprints of the keys of github.com, as it publishes them.
func published() []string {
	return []string{
		"SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU", // Ed25519
		"SHA256:p2QAMXNIC1TJYWeIOttrVc98/R1BUFWu3/LiyKgUfQM", // ECDSA
		"SHA256:uNiVztksCsDhcc0u9e8BujQXVUpKZIDTMczCvj3tD2s", // RSA
	}
}

// Verify logs in, and leaves again. Dead is a key that a host, which has proved that it is
// the known one, refuses as it takes keys. GitHub says which repository a key is of; what
// the key may do there it does not say.
func (p *Provider) Verify(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	const doing = "log in with the key"
	signer, err := parse(doing, c)
	if err != nil {
		return provider.Probe{}, err
	}
	to, pinned, err := target(doing, c)
	if err != nil {
		return provider.Probe{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, altogether)
	defer cancel()
	said, refused, err := login(ctx, to, pinned, signer)
	switch {
	case refused:
		return provider.Probe{State: provider.Dead, Code: "publickey"}, nil
	case ctx.Err() != nil:
		return provider.Probe{}, &provider.Error{Provider: name, Doing: doing, Kind: provider.Unreached, Err: ctx.Err()}
	case err != nil:
		return provider.Probe{}, &provider.Error{Provider: name, Doing: doing, Kind: provider.Unreached, Err: err}
	}
	probe := provider.Probe{State: provider.Alive, Code: "let in", Who: provider.Identity{ID: ssh.FingerprintSHA256(signer.PublicKey())}}
	who, _, found := strings.Cut(said, "! You've successfully authenticated")
	if who, hi := strings.CutPrefix(who, "Hi "); found && hi && strings.Trim(who, word+"/") == "" {
		probe.Who.Account = who
	}
	return probe, nil
}

// target is where a key logs in, and the fingerprints of that host's keys.
func target(doing string, c provider.Credential) (to string, pinned []string, err error) {
	if to = c.Params["ssh"]; to == "" {
		to = loginAt
	}
	host, _, err := net.SplitHostPort(to)
	if err != nil || host == "" {
		return "", nil, failed(doing, provider.Incomplete, "the parameter ssh is not HOST:PORT")
	}
	for text := range strings.SplitSeq(c.Params["host_key"], ",") {
		if text = strings.TrimSpace(text); text != "" {
			pinned = append(pinned, text)
		}
	}
	if len(pinned) == 0 && (host == "github.com" || host == "ssh.github.com") {
		pinned = published()
	}
	if len(pinned) == 0 {
		e := failed(doing, provider.Incomplete, "the fingerprint of the host's key is not known")
		e.Hint = "give the key the parameter host_key"
		return "", nil, e
	}
	return to, pinned, nil
}

// login logs in, and returns what the host says to somebody who wants a shell. What goes
// wrong says nothing that the host sent.
func login(ctx context.Context, to string, pinned []string, signer ssh.Signer) (said string, refused bool, err error) {
	conn, err := (&net.Dialer{Timeout: dialing}).DialContext(ctx, "tcp", to)
	if err != nil {
		return "", false, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	proved := false
	config := &ssh.ClientConfig{
		User: "git", Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyAlgorithms: []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256},
		HostKeyCallback: func(_ string, _ net.Addr, k ssh.PublicKey) error {
			if proved = slices.Contains(pinned, ssh.FingerprintSHA256(k)); proved {
				return nil
			}
			return errors.New("the host has another key")
		},
	}
	c, channels, requests, err := ssh.NewClientConn(conn, to, config)
	switch {
	case err != nil && !proved && strings.Contains(err.Error(), "the host has another key"):
		return "", false, fmt.Errorf("the key of %s is none of those that are known: it may be another host", to)
	case err != nil:
		// x/crypto/ssh has no type for it.
		tried := strings.Contains(err.Error(), "unable to authenticate, attempted methods") && strings.Contains(err.Error(), "publickey]")
		return "", proved && tried && ctx.Err() == nil, errors.New("the login broke off")
	}
	client := ssh.NewClient(c, channels, requests)
	defer client.Close()
	s, err := client.NewSession()
	if err != nil {
		return "", false, errors.New("the host let the key in, and then did not answer")
	}
	var greeting limited
	s.Stderr = &greeting
	if err = s.Shell(); err == nil {
		err = s.Wait()
	}
	// It has no shell to give, so that the end of it is a failure.
	if ended := (*ssh.ExitError)(nil); err != nil && !errors.As(err, &ended) {
		return "", false, errors.New("the host let the key in, and then did not answer")
	}
	return greeting.text.String(), false, nil
}

// limited keeps the beginning of what is written.
type limited struct{ text bytes.Buffer }

func (l *limited) Write(b []byte) (int, error) {
	l.text.Write(b[:min(len(b), longest-l.text.Len())])
	return len(b), nil
}
