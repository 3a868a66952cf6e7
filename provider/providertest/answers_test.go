package providertest

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

const somePage = `# A page

## The standard

| meets | what it is | verify | look | change | after |
| --- | --- | --- | --- | --- | --- |
| 404 | a refusal | unknown | refused | refused | no clear answer |
| 500 | a failure | no clear answer | not reached | no clear answer | no clear answer |

## some

| call | meets | then | why |
| --- | --- | --- | --- |
| revoke; disable | 404; 500, and it was done | no error | It is looked for. |
| list | 404 | no error |  |

| the engine's table | here | shown by |
| --- | --- | --- |
| revoke | no | nothing |

## another

As the standard says.
`

// TestStandard: what a call should come to is found by what it does.
func TestStandard(t *testing.T) {
	p := parsePage(somePage)
	for phase, want := range map[string]string{
		"verify": "no clear answer", "list": "not reached", "plan": "not reached", "before issue": "not reached", "issue": "no clear answer", "after issue": "no clear answer",
	} {
		if got := p.standard(phase, "500"); got != want {
			t.Errorf("%s: %q, want %q", phase, got, want)
		}
	}
	if got := p.standard("after issue", "404") + p.standard("issue", "404"); got != "no clear answer"+"refused" {
		t.Error(got)
	}
	real := readPage(t)
	for _, a := range append(answers(), answer{name: refused}) {
		for _, phase := range []string{"verify", "list", "before issue", "issue", "after issue"} {
			if real.standard(phase, a.name) == "" {
				t.Errorf("the standard does not say what %s comes to that meets %s", phase, a.name)
			}
		}
	}
}

// TestCompare: what is not listed, what does not happen and what has no reason is found.
func TestCompare(t *testing.T) {
	p := parsePage(somePage)
	all := map[row]bool{
		{"revoke", "404", "no error"}: true, {"revoke", "500, and it was done", "no error"}: true,
		{"disable", "404", "no error"}: true, {"disable", "500, and it was done", "no error"}: true,
	}
	without := func(r row) map[row]bool {
		m := map[row]bool{{"list", "404", "no error"}: true}
		for k := range all {
			m[k] = k != r
		}
		delete(m, r)
		return m
	}
	for _, c := range []struct {
		section string
		seen    map[row]bool
		want    []string // that begins what is wrong
	}{
		{"some", without(row{}), []string{"it gives no reason: list meets 404"}},
		{"some", all, []string{"it says what does not happen: list meets 404"}},
		{"some", without(row{"disable", "404", "no error"}), []string{"it gives no reason: list", "it says what does not happen: disable meets 404"}},
		{"another", nil, nil},
		{"another", all, []string{"it does not say:\n| disable | 404; 500, and it was done | no error |  |\n| revoke |"}},
		{"nobody", nil, []string{"there is no such section"}},
	} {
		got := p.compare(c.section, c.seen)
		slices.Sort(got)
		if !slices.EqualFunc(got, c.want, strings.HasPrefix) {
			t.Errorf("%s, %v: %q, want %q", c.section, c.seen, got, c.want)
		}
	}
}

// TestTwice: a change that is asked for again is seen; a look may be repeated.
func TestTwice(t *testing.T) {
	get, post := asked{http.MethodGet, "/keys"}, asked{http.MethodPost, "/keys {}"}
	for _, c := range []struct {
		requests []asked
		step     step
		want     bool
	}{
		{[]asked{get, post}, step{post, 1, "issue"}, false},
		{[]asked{get, post, post}, step{post, 1, "issue"}, true},
		{[]asked{get, post, get}, step{get, 0, "before issue"}, false},
		{[]asked{get, get}, step{get, 0, "list"}, false},
	} {
		if got := twice(c.requests, c.step); got != c.want {
			t.Errorf("%v: %v", c.requests, got)
		}
	}
}
