package edit

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/keywright/keywright/secret"
)

// Formats are those that Write knows: .env files, JSON, shells' export, the environment
// file of GitHub Actions, docker's --env-file, and a Kubernetes Secret.
func Formats() []string { return []string{"dotenv", "json", "shell", "github", "docker", "kubernetes"} }

// Write writes variables in a format, sorted by name. What comes out holds the secrets:
// whoever asked for it hands it on and clears it. An error names a variable whose value
// the format cannot hold.
func Write(format string, variables map[string]secret.Value) ([]byte, error) {
	var b bytes.Buffer
	names := slices.Sorted(maps.Keys(variables))
	switch format {
	case "json":
		return writeJSON(names, variables)
	case "kubernetes":
		b.WriteString("apiVersion: v1\nkind: Secret\nmetadata:\n  name: keywright\ntype: Opaque\ndata:\n")
	}
	for _, name := range names {
		line, err := assignment(format, name, variables[name].Reveal())
		if err != nil {
			clear(b.Bytes())
			return nil, err
		}
		b.WriteString(line)
	}
	return b.Bytes(), nil
}

func writeJSON(names []string, variables map[string]secret.Value) ([]byte, error) {
	plain := map[string]string{}
	for _, name := range names {
		v := variables[name].Reveal()
		if !bytes.Equal(bytes.ToValidUTF8(v, nil), v) {
			return nil, fmt.Errorf("%s: JSON cannot hold bytes that are not UTF-8", name)
		}
		plain[name] = string(v)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(plain)
	return b.Bytes(), err
}

// assignment is what sets a variable.
func assignment(format, name string, value []byte) (string, error) {
	if format != "kubernetes" && bytes.IndexByte(value, 0) >= 0 {
		return "", fmt.Errorf("%s: no variable can hold a NUL", name)
	}
	text := string(value)
	switch format {
	case "dotenv":
		return name + "=" + string(dotenvToken(value, '"')) + "\n", nil
	case "shell":
		return "export " + name + "='" + strings.ReplaceAll(text, "'", `'\''`) + "'\n", nil
	case "docker":
		if strings.ContainsAny(text, "\r\n") {
			return "", fmt.Errorf("%s: an env-file of docker's cannot hold more than one line", name)
		}
		return name + "=" + text + "\n", nil
	case "github":
		end := "end_" + rand.Text() // which no value can foresee
		return name + "<<" + end + "\n" + text + "\n" + end + "\n", nil
	case "kubernetes":
		// In quotes, or YAML takes NO for false, and 1234 for a number.
		return fmt.Sprintf("  %q: %q\n", name, base64.StdEncoding.EncodeToString(value)), nil
	}
	return "", fmt.Errorf("unknown format %q", format)
}
