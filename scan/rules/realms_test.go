package rules

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/match"
)

// TestRealms tries every beginning that is listed: a credential that begins so is
// found by its rule and says the right thing.
func TestRealms(t *testing.T) {
	all := All()
	byID := map[string]*scan.Rule{}
	for _, r := range all {
		byID[r.ID] = r
	}
	for _, want := range realms() {
		r := byID[want.id]
		if r == nil {
			t.Errorf("%s is no rule", want.id)
			continue
		}
		e, err := match.New([]*scan.Rule{r})
		if err != nil {
			t.Fatal(err)
		}
		for _, begin := range want.live {
			checkRealm(t, e, r, want, begin, scan.Live)
		}
		for _, begin := range want.test {
			checkRealm(t, e, r, want, begin, scan.Test)
		}
	}
}

func checkRealm(t *testing.T, e *match.Engine, r *scan.Rule, want realm, begin string, in scan.Realm) {
	t.Helper()
	for seed := range uint64(400) {
		for _, text := range realmSamples(r, seed) {
			at := strings.Index(text, begin)
			if at < 0 || longer(want, begin, text[at:]) {
				continue
			}
			signs := e.Signs([]byte(text))
			if len(signs) == 1 && signs[0].Rule == r && signs[0].Realm == in {
				return
			}
			if len(begin) > 2 { // one or two letters stand everywhere
				t.Errorf("%s: %q says %v", r.ID, text, signs)
				return
			}
		}
	}
	t.Errorf("%s: no sample begins with %s", r.ID, begin)
}

// longer reports whether a text begins with a longer one of the beginnings.
func longer(r realm, begin, text string) bool {
	return slices.ContainsFunc(slices.Concat(r.live, r.test), func(b string) bool {
		return len(b) > len(begin) && strings.HasPrefix(text, b)
	})
}

// realmSamples are texts with a credential of the rule: samples of the rule, one made
// from its expression, and of keys with a checksum all their networks.
func realmSamples(r *scan.Rule, seed uint64) []string {
	g := scan.NewGen(seed)
	switch r.ID {
	case "bitcoin-wif":
		version := []byte{0x80, 0xef, 0xb0, 0x9e, 0xf1, 0xcc, 0xb7, 0xb4, 0xd2}[seed%9]
		return []string{check58Text(scan.Base58, []byte{version}, keyBytes(g), []byte{1}) + "\n", check58Text(scan.Base58, []byte{version}, keyBytes(g)) + "\n"}
	case "zcash-sprout-key":
		return []string{check58Text(scan.Base58, []byte{0xac, 0x08}, keyBytes(g)) + "\n", check58Text(scan.Base58, []byte{0xab, 0x36}, keyBytes(g)) + "\n"}
	case "inngest-signing-key":
		return []string{"KEY=signkey-" + []string{"prod", "test", "branch"}[seed%3] + "-" + g.Hex(64) + "\n"}
	}
	texts := samples(r, seed).Match
	if r.Expr != "" {
		texts = append(texts, "mollie ='"+g.Expr(r.Expr)+"'\n")
	}
	return texts
}

// TestSilentRealms fails for a rule whose form has a word for a realm in it and is not
// listed: either it tells, or it belongs to those here, with a reason.
func TestSilentRealms(t *testing.T) {
	silent := []string{
		"browserbase-api-key", "magic-secret-key", // have no test
		"contentful-delivery-token", "drpc-url", "getblock-url", // the word is of a name or an address
	}
	word := regexp.MustCompile(`(?i)(?:\b|_|:|\?|-)(?:live|test|sandbox|sand|sbx|sbox|sdbx|prod|production|staging|stg|mainnet|testnet|main)[_:$|)-]`)
	for _, r := range All() {
		i := strings.Index(r.Expr, "(?P<secret>")
		if i < 0 || r.Realm != nil || slices.Contains(silent, r.ID) {
			continue
		}
		if found := word.FindString(r.Expr[i:]); found != "" {
			t.Errorf("%s: %q in its expression", r.ID, found)
		}
	}
}
