package sshkey

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"

	"github.com/keywright/keywright/provider"
)

const (
	dialing    = 15 * time.Second // to reach a host
	altogether = time.Minute      // for all that a method does
	maxFile    = 4 << 20          // bytes of authorized_keys
)

// session is a connection of somebody who is logged in.
type session struct {
	client *ssh.Client
	public ssh.PublicKey
	close  func()
}

// refusal says that the host, which is the one it should be, did not let the key in.
type refusal struct {
	tried bool // the key was, and it is not that the host takes no keys
	text  string
}

func (r *refusal) Error() string { return r.text }

func asRefusal(err error, r **refusal) bool { return errors.As(err, r) }

// connect logs in. The caller closes the session, which ends with its context.
func connect(ctx context.Context, doing string, c provider.Credential) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, altogether)
	fail := func(kind provider.Kind, err error) (*session, error) {
		if ctx.Err() != nil && kind != provider.Incomplete {
			err = ctx.Err()
		}
		cancel()
		return nil, failed(doing, kind, err)
	}
	signer, err := parse(doing, c)
	if err != nil {
		cancel()
		return nil, err
	}
	to, err := address(c)
	if err != nil {
		return fail(provider.Incomplete, err)
	}
	hosts, err := knownHosts(c)
	if err != nil {
		return fail(provider.Incomplete, err)
	}
	algorithms := hosts.HostKeyAlgorithms(to)
	if len(algorithms) == 0 {
		return fail(provider.Incomplete, fmt.Errorf("the key of %s is not in the known hosts", to))
	}
	conn, err := (&net.Dialer{Timeout: dialing}).DialContext(ctx, "tcp", to)
	if err != nil {
		return fail(provider.Unreached, err)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	proved, check := false, hosts.HostKeyCallback()
	config := &ssh.ClientConfig{
		User: c.Params[login], Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, HostKeyAlgorithms: algorithms,
		HostKeyCallback: func(name string, remote net.Addr, k ssh.PublicKey) error {
			err := check(name, remote, k)
			proved = err == nil
			return err
		},
	}
	client, channels, requests, err := ssh.NewClientConn(conn, to, config)
	if err != nil {
		conn.Close()
		stop()
		if text := err.Error(); proved && ctx.Err() == nil && strings.Contains(text, "unable to authenticate, attempted methods") {
			// x/crypto/ssh has no type for it.
			no := &refusal{tried: strings.Contains(text, "publickey]"), text: "the host does not let the key in"}
			if !no.tried {
				no.text = "the host takes no keys"
			}
			cancel()
			return nil, failed(doing, provider.Forbidden, no)
		}
		return fail(provider.Unreached, err)
	}
	s := &session{client: ssh.NewClient(client, channels, requests), public: signer.PublicKey()}
	s.close = func() { s.client.Close(); stop(); cancel() }
	return s, nil
}

func address(c provider.Credential) (string, error) {
	text := c.Params[port]
	if text == "" {
		text = "22"
	}
	switch n, err := strconv.ParseUint(text, 10, 16); {
	case c.Params[host] == "":
		return "", errors.New("the host is needed")
	case c.Params[login] == "":
		return "", errors.New("the user is needed")
	case err != nil || n == 0:
		return "", fmt.Errorf("the port %q is not 1 to 65535", text)
	}
	return net.JoinHostPort(c.Params[host], text), nil
}

func knownHosts(c provider.Credential) (*knownhosts.HostKeyDB, error) {
	name := c.Params[known]
	if name == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, err
		}
		name = filepath.Join(home, ".ssh", "known_hosts")
	}
	db, err := knownhosts.NewDB(name)
	if err != nil {
		return nil, fmt.Errorf("read the known hosts: %w", err)
	}
	return db, nil
}

// at is the file on the host.
func at(c provider.Credential) string {
	if c.Params[file] == "" {
		return ".ssh/authorized_keys"
	}
	return c.Params[file]
}

// acting is the admin's credential, for the host of another.
func acting(admin, c provider.Credential) provider.Credential {
	params := map[string]string{host: c.Params[host], port: c.Params[port], known: c.Params[known], login: c.Params[login]}
	if user := admin.Params[login]; user != "" {
		params[login] = user
	}
	admin.Params = params
	return admin
}

// script gives the file out, and puts what it is then given in its place, at once, and
// only if nobody else has changed it. What arrives in part is never put there.
const script = `set -e; umask 077; f=$1; t=$f.keywright.$$
trap "rm -f \"\$t\" \"\$t.new\"" EXIT; trap "exit 1" HUP INT TERM
if [ -h "$f" ]; then echo "it is a symbolic link: name the file itself" >&2; exit 3; fi
cp -p "$f" "$t"; cp -p "$f" "$t.new"
echo "keywright $(wc -c <"$t")"; cat "$t"
IFS= read -r n
cat >"$t.new"; [ "$(wc -c <"$t.new")" -eq "$n" ]
if ! cmp -s "$f" "$t"; then echo "it has just been changed by somebody else" >&2; exit 3; fi
sync "$t.new" 2>/dev/null || :
mv -f "$t.new" "$f"; echo done`

// edit changes the file that lists a credential.
func edit(ctx context.Context, doing string, admin, c provider.Credential, change func([]byte) ([]byte, error)) error {
	a := acting(admin, c)
	if a.Params[login] != c.Params[login] && !path.IsAbs(at(c)) {
		return incomplete(doing, "the path of "+file+" must be absolute for an admin who is another user")
	}
	s, err := connect(ctx, doing, a)
	if err != nil {
		return err
	}
	defer s.close()
	refused, err := s.edit(at(c), change)
	kind := provider.Unclear
	if refused {
		kind = provider.Refused
	}
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return failed(doing, kind, err)
}

func (s *session) edit(name string, change func([]byte) ([]byte, error)) (refused bool, err error) {
	sess, err := s.client.NewSession()
	if err != nil {
		return false, err
	}
	defer sess.Close()
	in, _ := sess.StdinPipe()
	pipe, _ := sess.StdoutPipe()
	said := &bytes.Buffer{}
	sess.Stderr = &limited{said}
	if err := sess.Start("exec sh -c " + quote(script) + " sh " + quote(name)); err != nil {
		return false, err
	}
	out := bufio.NewReader(io.LimitReader(pipe, maxFile+1<<10))
	no := func(why string) (bool, error) {
		in.Close()
		if exit := (*ssh.ExitError)(nil); errors.As(sess.Wait(), &exit) && said.Len() > 0 {
			return true, errors.New(name + ": " + printable(said.String()))
		}
		return false, errors.New(why)
	}
	first, err := out.ReadSlice('\n')
	if err != nil {
		return no("the host did not give the file out: it may not run a shell with this key")
	}
	number, ours := strings.CutPrefix(strings.TrimSpace(string(first)), "keywright ")
	size, err := strconv.Atoi(strings.TrimSpace(number))
	if !ours || err != nil || size < 0 || size > maxFile {
		return false, errors.New("the host's answer is not the one of a shell")
	}
	lines := make([]byte, size)
	if _, err := io.ReadFull(out, lines); err != nil {
		return no("the file did not arrive whole")
	}
	changed, err := change(lines)
	if err != nil {
		return true, err
	}
	if bytes.Equal(changed, lines) {
		return false, nil
	}
	if _, err := fmt.Fprintf(in, "%d\n%s", len(changed), changed); err != nil {
		return false, err
	}
	in.Close()
	if end, err := io.ReadAll(out); err != nil || strings.TrimSpace(string(end)) != "done" {
		return no("the host did not say that it is done")
	}
	return false, nil
}

// limited keeps the beginning of what is written to it.
type limited struct{ *bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	l.Buffer.Write(p[:min(len(p), max(0, 1000-l.Len()))])
	return len(p), nil
}

func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

func failed(doing string, kind provider.Kind, err error) error {
	if err == nil {
		return nil
	}
	return &provider.Error{Provider: name, Doing: doing, Kind: kind, Err: err}
}

func incomplete(doing, what string) error {
	return failed(doing, provider.Incomplete, errors.New(what))
}
