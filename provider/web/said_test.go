package web

import (
	"reflect"
	"strconv"
	"testing"

	"github.com/keywright/keywright/provider"
)

// TestSaid: fields are found by their path, and what is not a text is none.
func TestSaid(t *testing.T) {
	s := Said(`{"a":{"b":"c","n":7,"yes":true,"none":null,"all":["z","y"],"0":"key"},"list":[{"x":"first"},"second"]}`)
	for path, want := range map[string]string{
		"a.b": "c", "a.n": "7", "a.yes": "true", "a.none": "", "a.all": "", "a": "", "list.0.x": "first", "list.1": "second",
		"list.2": "", "list.-1": "", "a.b.c": "", "b": "", "": "", "list.x": "",
	} {
		if got := s.Text(path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	if got := s.Texts("a.all"); !reflect.DeepEqual(got, []string{"y", "z"}) {
		t.Errorf("%q", got)
	}
	if got := s.Texts("a.b"); !reflect.DeepEqual(got, []string{"c"}) {
		t.Errorf("%q", got)
	}
	for _, broken := range []Said{nil, Said(`{`), Said(`[]`), Said(`"x"`)} {
		if broken.Text("a.b") != "" || broken.Texts("a") != nil {
			t.Errorf("%q holds something", broken)
		}
	}
}

// TestCode: a code is that of its status and words; what varies in it is not shown.
func TestCode(t *testing.T) {
	c := Code{401, "error", []string{"no", `key "*" is over`, "true"}, provider.Dead}
	for text, want := range map[string]string{"no": "no", `key "x" is over`: "key", `key " is over`: "-", "nothing": "-", "No": "-", "": "-"} {
		word, ok := c.of(401, Said(`{"error":`+strconv.Quote(text)+`}`))
		if ok != (want != "-") || ok && word != want {
			t.Errorf("%s: %q, %v", text, word, ok)
		}
		if _, ok := c.of(403, Said(`{"error":`+strconv.Quote(text)+`}`)); ok {
			t.Errorf("%s: another status", text)
		}
	}
	if word, ok := c.of(401, Said(`{"error":true}`)); !ok || word != "error" {
		t.Errorf("%q, %v", word, ok)
	}
}
