package k8s

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"

	"github.com/keywright/keywright/secret"
)

const maxConfig = 4 << 20 // bytes of a file

// The settings of a spec.
const (
	Config  = "config"  // the path of a kubeconfig
	Context = "context" // the name of one of its contexts
)

// kubeconfig is what is read of such a file.
type kubeconfig struct {
	Current  string `yaml:"current-context"`
	Contexts []struct {
		Name    string
		Context struct{ Cluster, User string }
	}
	Clusters []struct {
		Name    string
		Cluster cluster
	}
	Users []struct {
		Name string
		User user
	}

	dir string // that paths in it are relative to
}

type cluster struct {
	Server     string
	CA         string `yaml:"certificate-authority"`
	CAData     string `yaml:"certificate-authority-data"`
	ServerName string `yaml:"tls-server-name"`
	Insecure   bool   `yaml:"insecure-skip-tls-verify"`
	Proxy      string `yaml:"proxy-url"`
}

type user struct {
	Token     hidden
	TokenFile string `yaml:"tokenFile"`
	Cert      string `yaml:"client-certificate"`
	CertData  string `yaml:"client-certificate-data"`
	Key       string `yaml:"client-key"`
	KeyData   hidden `yaml:"client-key-data"`

	// What keywright does not do.
	Exec         yaml.Node
	AuthProvider yaml.Node `yaml:"auth-provider"`
	Username     string
	As           string
	AsGroups     []string `yaml:"as-groups"`
}

// hidden is a text of YAML that is a secret.
type hidden struct{ secret.Value }

// UnmarshalYAML takes a scalar.
func (h *hidden) UnmarshalYAML(n *yaml.Node) error {
	h.Value = secret.New([]byte(n.Value))
	return nil
}

// DefaultConfig is where the kubeconfig is if nothing else is said: in the variable
// KUBECONFIG, or below the home directory.
func DefaultConfig() (string, error) {
	if path := os.Getenv("KUBECONFIG"); path != "" {
		if len(filepath.SplitList(path)) > 1 {
			return "", errors.New("KUBECONFIG names several files: the option config= says which is meant")
		}
		return path, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, ".kube", "config"), nil
}

// CurrentContext is the context that a kubeconfig means at the moment.
func CurrentContext(path string) (string, error) {
	k, err := load(path)
	if err != nil {
		return "", err
	}
	if k.Current == "" {
		return "", fmt.Errorf("%s has no current context: the option context= says which is meant", path)
	}
	return k.Current, nil
}

// read is a file that is not larger than a kubeconfig is.
func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err == nil && len(data) > maxConfig {
		err = fmt.Errorf("%s is longer than %d bytes", path, maxConfig)
	}
	return data, err
}

// load reads a kubeconfig. Errors do not quote it.
func load(path string) (*kubeconfig, error) {
	data, err := read(path)
	if err != nil {
		return nil, err
	}
	defer clear(data)
	k := &kubeconfig{dir: filepath.Dir(path)}
	if err := yaml.Unmarshal(data, k); err != nil {
		return nil, fmt.Errorf("%s is not a kubeconfig", path)
	}
	return k, nil
}

// find is what a context names.
func (k *kubeconfig) find(context string) (c cluster, u user, err error) {
	for _, x := range k.Contexts {
		if x.Name != context {
			continue
		}
		found := 0
		for _, y := range k.Clusters {
			if y.Name == x.Context.Cluster {
				c = y.Cluster
				found++
			}
		}
		for _, y := range k.Users {
			if y.Name == x.Context.User {
				u = y.User
				found++
			}
		}
		if found != 2 {
			return c, u, fmt.Errorf("the context %q names a cluster or a user that is not there, or twice", context)
		}
		return c, u, nil
	}
	return c, u, fmt.Errorf("there is no context %q", context)
}

// check says what keywright does not do for a cluster.
func (c cluster) check() error {
	switch {
	case c.Server == "":
		return errors.New("the cluster has no server")
	case c.Insecure:
		return errors.New("the cluster's certificate is not to be verified (insecure-skip-tls-verify): a credential is not sent there")
	case c.Proxy != "":
		return errors.New("the cluster has a proxy of its own (proxy-url), which is not supported")
	}
	return nil
}

// check says what keywright does not do for a user.
func (u user) check() error {
	const instead = "; the option auth=ENV/NAME says which key holds a token instead"
	switch {
	case !u.Exec.IsZero():
		return errors.New("the user's credential comes from a program (exec), which is not run" + instead)
	case !u.AuthProvider.IsZero():
		return errors.New("the user's credential comes from an auth-provider, which is not supported" + instead)
	case u.As != "" || len(u.AsGroups) > 0:
		return errors.New("the user acts as another (as), which is not supported" + instead)
	case u.Username != "":
		return errors.New("the user has a name and a password, which Kubernetes does not take any more" + instead)
	}
	return nil
}

// either is what is encoded in the file itself, or else in another one; nil for neither.
func (k *kubeconfig) either(encoded []byte, path string) ([]byte, error) {
	if len(encoded) > 0 {
		decoded, err := base64.StdEncoding.DecodeString(string(encoded))
		if err != nil {
			return nil, errors.New("it is not base64")
		}
		return decoded, nil
	}
	if path == "" {
		return nil, nil
	}
	return read(k.path(path))
}

func (k *kubeconfig) path(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(k.dir, path)
}

// token is the user's; zero for none. A file goes before what is written down beside it.
func (k *kubeconfig) token(u user) (secret.Value, error) {
	if u.TokenFile == "" {
		return u.Token.Value, nil
	}
	data, err := read(k.path(u.TokenFile))
	defer clear(data)
	return secret.New(bytes.TrimSpace(data)), err
}

// tls is how a cluster is known, and how the user is known to it, if by a certificate.
func (k *kubeconfig) tls(c cluster, u user) (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName}
	ca, err := k.either([]byte(c.CAData), c.CA)
	if err != nil {
		return nil, fmt.Errorf("read the cluster's certificate authority: %w", err)
	}
	if len(ca) > 0 {
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(ca) {
			return nil, errors.New("the cluster's certificate authority is no certificate")
		}
	}
	cert, err := k.either([]byte(u.CertData), u.Cert)
	if err != nil {
		return nil, fmt.Errorf("read the user's certificate: %w", err)
	}
	key, err := k.either(u.KeyData.Reveal(), u.Key)
	if err != nil {
		return nil, fmt.Errorf("read the key of the user's certificate: %w", err)
	}
	defer clear(key)
	if len(cert) == 0 && len(key) == 0 {
		return t, nil
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, errors.New("the user's certificate and its key do not belong together")
	}
	t.Certificates = []tls.Certificate{pair}
	return t, nil
}

// transport is one for a cluster, with no connection that outlives its call.
func transport(t *tls.Config) *http.Transport {
	return &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: t, ForceAttemptHTTP2: true, DisableKeepAlives: true}
}
