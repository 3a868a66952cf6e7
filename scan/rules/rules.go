// Package rules holds the built-in rules, one file per provider family.
package rules

import (
	"slices"
	"strings"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/proof"
)

// families are the files of this package, in the order of their names. A test
// fails when a rule is written and not listed.
var families = []func() []scan.Rule{
	ai,
	atlassian,
	aws,
	azure,
	bearerTokens,
	chainBase58,
	chainBech32,
	chainHex,
	chainPairs,
	chainPhrases,
	chainRuns,
	ci,
	clouds,
	codeHosts,
	commandPasswords,
	coinbaseCDP,
	commerce,
	connectionStrings,
	credentialFiles,
	cryptoCustody,
	cryptoData,
	ethereum,
	exchangeFiles,
	exchanges,
	frameworkSecrets,
	generic,
	github,
	gitlab,
	google,
	grafana,
	hosting,
	identity,
	infrastructure,
	kubernetesSecrets,
	mail,
	messaging,
	nodeURLs,
	observability,
	packages,
	payment,
	platforms,
	privateKeys,
	saas,
	slack,
	social,
	walletFiles,
}

// All returns the built-in rules in the order of their ids. The rules are new
// values at each call.
func All() []*scan.Rule {
	var all []*scan.Rule
	told := map[string]realm{}
	for _, r := range realms() {
		told[r.id] = r
	}
	for _, family := range families {
		list := family()
		for i := range list {
			finish(&list[i])
			if r, ok := told[list[i].ID]; ok {
				list[i].Realm = r.in
			}
			all = append(all, &list[i])
		}
	}
	slices.SortFunc(all, func(a, b *scan.Rule) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// finish adds what holds for every rule: a value that is a placeholder is
// downgraded, whatever its shape, unless a proof says that it is real.
func finish(r *scan.Rule) {
	if r.Expr == "" {
		return
	}
	check := r.Check
	r.Check = func(c scan.Candidate) scan.Evidence {
		var ev scan.Evidence
		if check != nil {
			ev = check(c)
		}
		if ev.Proof != scan.Proved && !ev.Reject && proof.Placeholder(c.Secret()) {
			ev.Cap, ev.Reason = scan.Low, "looks like a placeholder"
		}
		return ev
	}
}
