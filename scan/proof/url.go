package proof

import (
	"bytes"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"github.com/keywright/keywright/scan"
)

// PlainPassword judges a password that stands by itself in a known place, as in
// .netrc or a connection string. Templates and encrypted values are rejected,
// words of examples and defaults are low.
func PlainPassword(c scan.Candidate) scan.Evidence {
	return passwordEvidence(c.Secret(), string(c.Part("user")), "")
}

// URLPassword judges the password of a URL with user information; the text is
// the URL, the parts "user" and "host" are used if they are there. The host
// becomes the public id. Passwords for this machine, for example.com and kin, and
// those that are the user's name are low.
func URLPassword(c scan.Candidate) scan.Evidence {
	user, host := c.Part("user"), c.Part("host")
	if user == nil || host == nil {
		u, h := splitURL(c.Text, c.Secret())
		if user == nil {
			user = u
		}
		if host == nil {
			host = h
		}
	}
	return passwordEvidence(c.Secret(), string(user), string(host))
}

// splitURL finds the user before the password and the host after it.
func splitURL(text, password []byte) (user, host []byte) {
	_, rest, ok := bytes.Cut(text, []byte("://"))
	if !ok {
		return nil, nil
	}
	user, _, ok = bytes.Cut(rest, []byte(":"))
	if !ok {
		return nil, nil
	}
	_, rest, ok = bytes.Cut(rest, append(append([]byte(":"), password...), '@'))
	if !ok {
		return user, nil
	}
	if i := bytes.IndexAny(rest, "/?# \t\r\n\"'`<>"); i >= 0 {
		rest = rest[:i]
	}
	return user, rest
}

var dsnHost = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)(?:^|[;\s?&"'(])(?:host|hostname|server|data source|addr|address)\s*=\s*(?:tcp:)?([^;\s&"')]+)`)
})

// DSNPassword judges the password of a connection string of name=value pairs
// ("Server=…;Password=…", "host=… password=…", "jdbc:…?user=…&password=…"), whose
// text is the match.
func DSNPassword(c scan.Candidate) scan.Evidence {
	host := c.Part("host")
	if host == nil {
		if m := dsnHost().FindSubmatch(c.Text); m != nil {
			host = m[1]
		}
	}
	return passwordEvidence(c.Secret(), string(c.Part("user")), string(host))
}

// passwordEvidence judges a password by itself, its user and its host, of which
// both may be empty.
func passwordEvidence(password []byte, user, host string) scan.Evidence {
	plain := password
	if p, err := url.PathUnescape(string(password)); err == nil {
		plain = []byte(p)
	}
	lower := bytes.ToLower(bytes.TrimSpace(plain))
	if len(lower) == 0 || template(lower) || Encrypted(plain) != "" || masked(lower) {
		return scan.Rejected
	}
	host = hostName(host)
	e := scan.Evidence{PublicID: printable(host, 100)}
	switch {
	case Placeholder(plain):
		e.Reason, e.Cap = "a placeholder or a default password", scan.Low
	case user != "" && strings.EqualFold(user, string(plain)):
		e.Reason, e.Cap = "the password is the user's name", scan.Low
	case exampleHost(host):
		e.Reason, e.Cap = "the host is an example", scan.Low
	case localHost(host):
		e.Reason, e.Cap = "the host is this machine", scan.Low
	case host != "" && !strings.ContainsAny(host, ".:"):
		e.Reason, e.Cap = "the host is a name of a local network", scan.Medium
	}
	return e
}

// masked reports whether a password is written with one sign: "****", "....".
func masked(b []byte) bool {
	return len(bytes.Trim(b, string(b[:1]))) == 0 && strings.IndexByte("*.x-_#?•", b[0]) >= 0
}

// hostName is host without a port, brackets, and in lower case.
func hostName(host string) string {
	host = strings.ToLower(strings.TrimSpace(host))
	host, _, _ = strings.Cut(host, ",")
	if rest, ok := strings.CutPrefix(host, "["); ok {
		host, _, _ = strings.Cut(rest, "]")
		return host
	}
	if strings.Count(host, ":") == 1 {
		host, _, _ = strings.Cut(host, ":")
	}
	return host
}

func localHost(host string) bool {
	switch host {
	case "localhost", "host.docker.internal", "docker.for.mac.localhost", "(local)", "(localdb)", ".":
		return true
	}
	if strings.HasSuffix(host, ".localhost") || strings.HasPrefix(host, "(localdb)") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && (a.IsLoopback() || a.IsUnspecified())
}

// exampleHosts are the names that RFC 2606 and RFC 6761 keep for documents, and
// those that everyone makes up.
var exampleHosts = [...]string{
	"example.com", "example.org", "example.net", "example", "test", "invalid",
	"yourdomain.com", "your-domain.com", "mydomain.com", "domain.com", "domain.tld",
	"foo.com", "bar.com", "foo.bar", "hostname", "host", "my-host", "myhost", "your-host", "yourhost",
	"server", "myserver",
}

func exampleHost(host string) bool {
	for _, name := range exampleHosts {
		if host == name || strings.HasSuffix(host, "."+name) {
			return true
		}
	}
	return host != "" && template([]byte(host))
}
