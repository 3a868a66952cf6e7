package cmd

import (
	"fmt"
	"path"
	"strings"

	"github.com/keywright/keywright/scan"
)

// selectRules narrows rules by a list of ids and globs. Those with a leading '-'
// are left out: of what the others chose, or of all rules if there are no others.
func selectRules(all []*scan.Rule, list []string) ([]*scan.Rule, error) {
	with, without := map[*scan.Rule]bool{}, map[*scan.Rule]bool{}
	for _, item := range list {
		chosen := with
		pattern, minus := strings.CutPrefix(strings.TrimSpace(item), "-")
		if minus {
			chosen = without
		}
		matching, err := matchingRules(all, pattern)
		if err != nil {
			return nil, err
		}
		for _, r := range matching {
			chosen[r] = true
		}
	}
	left := filter(all, func(r *scan.Rule) bool { return (len(with) == 0 || with[r]) && !without[r] })
	if len(left) == 0 {
		return nil, usagef("a scan without rules would call everything clean", "--rules %s leaves no rule", quote(strings.Join(list, ",")))
	}
	return left, nil
}

func matchingRules(all []*scan.Rule, pattern string) ([]*scan.Rule, error) {
	if _, err := path.Match(pattern, ""); err != nil {
		return nil, usagef("globs are made of *, ? and [a-z]", "--rules: %s is not a glob", quote(pattern))
	}
	matching := filter(all, func(r *scan.Rule) bool {
		ok, _ := path.Match(pattern, r.ID)
		return ok
	})
	if len(matching) == 0 {
		return nil, usagef(similarRules(all, pattern), "--rules: no rule is called %s", quote(pattern))
	}
	return matching, nil
}

func similarRules(all []*scan.Rule, pattern string) string {
	word, _, _ := strings.Cut(strings.Trim(pattern, "*?"), "-")
	var similar []string
	for _, r := range all {
		if word != "" && strings.Contains(r.ID, word) && len(similar) < 8 {
			similar = append(similar, r.ID)
		}
	}
	if len(similar) == 0 {
		return "rules are given by id or glob, as they stand in reports: --rules 'github-*'"
	}
	return fmt.Sprintf("similar ones: %s", strings.Join(similar, ", "))
}

func filter(rules []*scan.Rule, keep func(*scan.Rule) bool) []*scan.Rule {
	var kept []*scan.Rule
	for _, r := range rules {
		if keep(r) {
			kept = append(kept, r)
		}
	}
	return kept
}
