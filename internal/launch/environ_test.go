package launch

import (
	"slices"
	"strings"
	"testing"

	"github.com/keywright/keywright/secret"
)

// values makes secrets of pairs of names and values.
func values(pairs ...string) map[string]secret.Value {
	m := map[string]secret.Value{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = secret.New([]byte(pairs[i+1]))
	}
	return m
}

func TestEnviron(t *testing.T) {
	dropX := func(name string) bool { return strings.HasPrefix(name, "X") }
	for _, c := range []struct {
		what    string
		base    []string
		drop    func(string) bool
		secrets map[string]secret.Value
		fold    bool
		want    []string
	}{
		{what: "nothing", want: []string{}},
		{what: "order is kept, secrets come sorted", base: []string{"B=1", "A=2"}, secrets: values("D", "4", "C", "3"), want: []string{"B=1", "A=2", "C=3", "D=4"}},
		{what: "dropped", base: []string{"X1=1", "A=X", "X=", "AX=1"}, drop: dropX, want: []string{"A=X", "AX=1"}},
		{what: "a secret is never dropped", secrets: values("X", "1"), drop: dropX, want: []string{"X=1"}},
		{what: "the secret wins", base: []string{"A=1", "B=2", "A=3"}, secrets: values("A", "s"), want: []string{"B=2", "A=s"}},
		{what: "the last wins", base: []string{"A=1", "B=2", "A=3"}, want: []string{"B=2", "A=3"}},
		{what: "= in a value, empty values", base: []string{"A==b=", "B="}, secrets: values("C", "=\n", "D", ""), want: []string{"A==b=", "B=", "C==\n", "D="}},
		{what: "no names", base: []string{"", "alone", "=x", "=", "A=1"}, want: []string{"A=1"}},
		{what: "case matters", base: []string{"Path=1", "PATH=2"}, secrets: values("path", "s"), want: []string{"Path=1", "PATH=2", "path=s"}},
		{what: "case does not matter", base: []string{"Path=1", "B=2", "b=3"}, secrets: values("path", "s"), fold: true, want: []string{"b=3", "path=s"}},
		{what: "drives", base: []string{`=C:=C:\x`, "A=1"}, fold: true, want: []string{`=C:=C:\x`, "A=1"}},
	} {
		got, err := environ(entries(c.base...), c.drop, c.secrets, c.fold)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, %v; want %q", c.what, got, err, c.want)
		}
	}
}

func TestEnvironRefuses(t *testing.T) {
	for _, c := range []struct {
		base    []string
		secrets map[string]secret.Value
		fold    bool
		want    string
	}{
		{secrets: values("", "hidden"), want: "empty"},
		{secrets: values("A=B", "hidden"), want: `"A=B"`},
		{secrets: values("A\x00B", "hidden"), want: `"A\x00B"`},
		{secrets: values("NAME", "hidden\x00"), want: "NAME"},
		{base: []string{"NAME=hidden\x00"}, want: "NAME"},
		{base: []string{"NAME\x00=hidden"}, want: "NAME"},
		{secrets: values("Name", "hidden", "NAME", "hidden"), fold: true, want: "two secrets"},
	} {
		env, err := environ(entries(c.base...), nil, c.secrets, c.fold)
		if err == nil || env != nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%q %v: got %q and error %v, want one with %s", c.base, c.secrets, env, err, c.want)
		}
	}
}
