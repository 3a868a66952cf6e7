package provider

import (
	"testing"

	"github.com/keywright/keywright/secret"
)

func TestNextUser(t *testing.T) {
	for _, c := range []struct{ user, users, want string }{
		{"a", "", "a"}, {"a", "a,b", "b"}, {"b", " a , b ", "a"}, {"a", " ", "a"},
		{"c", "a,b", ""}, {"", "a,b", ""}, {"", "", ""}, {"a", "a", ""}, {"a", "a,a", ""}, {"a", "a,b,c", ""}, {"a", "a,", ""},
	} {
		got, err := NextUser(Credential{Parts: map[string]secret.Value{UserPart: secret.New([]byte(c.user))}, Params: map[string]string{UsersParam: c.users}})
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%q of %q: %q, %v", c.user, c.users, got, err)
		}
	}
	if got := User(Credential{ID: "known"}); got != "known" {
		t.Errorf("without the part: %q", got)
	}
}
