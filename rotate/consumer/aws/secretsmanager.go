package aws

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/web"
	"github.com/keywright/keywright/secret"
)

// Whole is the name of the value that is all of a secret, as text.
const Whole = "*"

const (
	current = "AWSCURRENT"
	label   = "keywright" // of the version that was written last
)

// Manager is a secret of AWS Secrets Manager: JSON with values by name, or one text. It is
// read back. A new version is stored beside the current one, and becomes current only if
// that still is what was read. Other values of JSON stay as they are. The version that was
// written last keeps the staging label "keywright".
//
// The key needs the rights secretsmanager:GetSecretValue, PutSecretValue and
// UpdateSecretVersionStage, and those of the KMS key. It is not to be used concurrently.
type Manager struct {
	caller
	secret  string                     // its name or ARN
	version string                     // that was read
	others  map[string]json.RawMessage // all values that were read; nil of one text
}

// OpenSecret returns the secret at a target, reached with a credential, over the transport
// of h, which may be nil.
func OpenSecret(h *http.Client, target string, as provider.Credential) *Manager {
	region, name, _ := strings.Cut(target, "/")
	return &Manager{caller: newCaller(h, "secretsmanager", "secretsmanager", region, as), secret: name}
}

// Read returns values of the current version.
func (m *Manager) Read(ctx context.Context, names []string) (map[string]secret.Value, error) {
	const doing = "read the secret"
	var answer struct {
		VersionID string      `json:"VersionId"`
		Text      *web.Secret `json:"SecretString"`
	}
	if err := m.do(ctx, doing, "GetSecretValue", map[string]any{"SecretId": m.secret, "VersionStage": current}, &answer); err != nil {
		return nil, err
	}
	switch {
	case answer.VersionID == "":
		return nil, m.failed(doing, provider.Malformed, "it does not name a version")
	case answer.Text == nil:
		return nil, m.failed(doing, provider.Refused, "it is no text")
	}
	m.wipe()
	m.version = answer.VersionID
	if len(names) == 1 && names[0] == Whole {
		return map[string]secret.Value{Whole: answer.Text.Value}, nil
	}
	defer answer.Text.Wipe()
	if err := json.Unmarshal(answer.Text.Reveal(), &m.others); err != nil || m.others == nil {
		return nil, m.failed(doing, provider.Refused, "it is no object of JSON: PART=%s is all of it", Whole)
	}
	values := map[string]secret.Value{}
	for _, name := range names {
		raw, ok := m.others[name]
		if !ok {
			return nil, m.failed(doing, provider.Refused, "it has no value %q, and keywright makes none", name)
		}
		var v *web.Secret
		if err := json.Unmarshal(raw, &v); err != nil || v == nil {
			return nil, m.failed(doing, provider.Refused, "its value %q is no text", name)
		}
		values[name] = v.Value
	}
	return values, nil
}

// wipe forgets what was read.
func (m *Manager) wipe() {
	for _, raw := range m.others {
		clear(raw)
	}
	m.others = nil
}

// next is the text of the version that is to be written.
func (m *Manager) next(values map[string]secret.Value) ([]byte, error) {
	if m.others == nil {
		return []byte(string(values[Whole].Reveal())), nil
	}
	for name, v := range values {
		raw, err := json.Marshal(string(v.Reveal()))
		if err != nil {
			return nil, err
		}
		clear(m.others[name])
		m.others[name] = raw
	}
	return json.Marshal(m.others)
}

// Write stores a version, and makes it current if the one that was read still is.
func (m *Manager) Write(ctx context.Context, values map[string]secret.Value) error {
	const doing = "store a version of the secret"
	defer m.wipe()
	for _, v := range values {
		if !utf8.Valid(v.Reveal()) {
			return m.failed(doing, provider.Incomplete, "a value is no text")
		}
	}
	text, err := m.next(values)
	defer clear(text)
	if err != nil {
		return m.failed(doing, provider.Incomplete, "a value is no text")
	}
	var id [16]byte
	rand.Read(id[:])
	version := hex.EncodeToString(id[:])
	in := map[string]any{"SecretId": m.secret, "ClientRequestToken": version, "SecretString": string(text), "VersionStages": []string{label}}
	var stored struct {
		VersionID string `json:"VersionId"`
	}
	var e *provider.Error
	err = m.do(ctx, doing, "PutSecretValue", in, &stored)
	switch {
	case errors.As(err, &e) && e.Kind == provider.Unclear: // the next call tells whether it is there
	case err != nil:
		return err
	case stored.VersionID != version:
		return m.failed(doing, provider.Malformed, "it does not name the version")
	}
	return m.makeCurrent(ctx, version)
}

func (m *Manager) makeCurrent(ctx context.Context, version string) error {
	const doing = "make the version of the secret current"
	in := map[string]any{"SecretId": m.secret, "VersionStage": current, "MoveToVersionId": version, "RemoveFromVersionId": m.version}
	var moved struct{ ARN string }
	err := m.do(ctx, doing, "UpdateSecretVersionStage", in, &moved)
	var e *provider.Error
	switch {
	case errors.As(err, &e) && e.Code == "InvalidParameterException":
		e.Err = errors.New("somebody else has changed it since it was read")
		return e
	case err == nil && moved.ARN == "":
		return m.failed(doing, provider.Malformed, "it does not name the secret")
	}
	return err
}
