package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/keywright/keywright/scan"
)

const (
	defaultFix    = "Revoke it where it was issued, then put the new one where it is not committed."
	defaultWithin = scan.MaxReach / 2
)

type ruleTable struct {
	ID         string         `toml:"id"`
	Title      string         `toml:"title"`
	Provider   string         `toml:"provider"`
	Expr       expr           `toml:"expr"`
	Confidence confidence     `toml:"confidence"`
	Why        string         `toml:"why"`
	Fix        string         `toml:"fix"`
	Reference  string         `toml:"reference"`
	MinEntropy float64        `toml:"min_entropy"`
	Generic    bool           `toml:"generic"`
	Public     []string       `toml:"public"`
	Partner    []partnerTable `toml:"partner"`
}

type partnerTable struct {
	Role     string `toml:"role"`
	Expr     expr   `toml:"expr"`
	Within   int    `toml:"within"`
	Required bool   `toml:"required"`
}

type expr struct{ text string }

func (e *expr) UnmarshalText(text []byte) error {
	re, err := regexp.Compile(string(text))
	switch {
	case err != nil:
		return err
	case re.MatchString(""):
		return fmt.Errorf("the expression %q matches the empty text", text)
	}
	e.text = string(text)
	return nil
}

// kebab is the form of a rule's id and provider.
func kebab(s string) bool {
	for word := range strings.SplitSeq(s, "-") {
		if word == "" || strings.Trim(word, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			return false
		}
	}
	return true
}

// rule makes a rule of the table, the n-th in its file.
func (t ruleTable) rule(n int) (*scan.Rule, *Error) {
	r := &scan.Rule{
		ID: t.ID, Provider: t.Provider, Title: t.Title, Why: t.Why, Fix: t.Fix, Reference: t.Reference,
		Expr: t.Expr.text, Confidence: t.Confidence.level, MinEntropy: t.MinEntropy,
		Generic: t.Generic, Public: t.Public,
	}
	for _, p := range t.Partner {
		if p.Within == 0 {
			p.Within = defaultWithin
		}
		r.Partners = append(r.Partners, scan.Partner{Role: p.Role, Expr: p.Expr.text, Within: p.Within, Required: p.Required})
	}
	setDefaults(r)
	if problem := check(r); problem != "" {
		name := fmt.Sprintf("rule %d", n)
		if r.ID != "" {
			name = fmt.Sprintf("rule %q", r.ID)
		}
		return nil, &Error{Problem: name + " " + problem}
	}
	return r, nil
}

func setDefaults(r *scan.Rule) {
	if r.Provider == "" {
		r.Provider = "generic"
	}
	if r.Title == "" {
		r.Title = r.ID
	}
	if r.Fix == "" {
		r.Fix = defaultFix
	}
	if r.Confidence == 0 {
		r.Confidence = scan.Medium
	}
}

// check returns what is wrong with a rule, as the rest of a sentence about it.
func check(r *scan.Rule) string {
	switch {
	case r.ID == "":
		return "has no id"
	case !kebab(r.ID):
		return "must have an id of lower-case words with hyphens"
	case !kebab(r.Provider):
		return "must have a provider of lower-case words with hyphens"
	case r.Expr == "":
		return "has no expr"
	case r.Confidence == scan.Certain:
		return "cannot be certain: that takes a proof, and only built-in rules have one"
	case r.MinEntropy < 0 || r.MinEntropy > 8:
		return "must have a min_entropy of 0 to 8 bits a byte"
	}
	return checkParts(r)
}

func checkParts(r *scan.Rule) string {
	var roles []string
	for _, role := range regexp.MustCompile(r.Expr).SubexpNames() {
		if role != "" {
			roles = append(roles, role)
		}
	}
	for _, p := range r.Partners {
		switch {
		case p.Role == "" || p.Role == scan.RoleSecret || slices.Contains(roles, p.Role):
			return fmt.Sprintf("must have partners of different roles, none of them %q", scan.RoleSecret)
		case p.Expr == "":
			return fmt.Sprintf("has no expr for its partner %q", p.Role)
		case p.Within < 1 || p.Within > scan.MaxReach:
			return fmt.Sprintf("must have its partner %q within 1 to %d bytes", p.Role, scan.MaxReach)
		}
		roles = append(roles, p.Role)
	}
	for _, role := range r.Public {
		if role == scan.RoleSecret || !slices.Contains(roles, role) {
			return fmt.Sprintf("cannot make %q public: its public parts are named groups and partners", role)
		}
	}
	return ""
}

// SelectRules returns the rules to scan with, in their order: the built-in ones
// and the repository's own, as far as the patterns select them. With no patterns
// those of the file hold, and without those all rules.
//
// A pattern is an id, or a glob of ids: "stripe-*". With a hyphen before it, it
// leaves rules out. Patterns apply one after the other; if the first leaves out,
// they begin with all rules, otherwise with none. A pattern that matches no rule
// is an error, as is a selection that leaves none: a scan without rules is clean,
// and says nothing. Errors are of type *Error.
func (c *Config) SelectRules(builtin []*scan.Rule, patterns []string) ([]*scan.Rule, error) {
	file := ""
	if len(patterns) == 0 {
		file, patterns = c.name, c.Scan.Rules
	}
	all := slices.Concat(builtin, c.Rules)
	seen := map[string]bool{}
	for _, r := range all {
		if seen[r.ID] {
			return nil, &Error{File: c.name, Problem: fmt.Sprintf("rule %q is there already", r.ID), Advice: "give it another id"}
		}
		seen[r.ID] = true
	}
	selected, err := selectRules(all, patterns)
	if err != nil {
		err.File = file
		return nil, err
	}
	return selected, nil
}

func selectRules(all []*scan.Rule, patterns []string) ([]*scan.Rule, *Error) {
	in := map[*scan.Rule]bool{}
	if len(patterns) == 0 || strings.HasPrefix(patterns[0], "-") {
		for _, r := range all {
			in[r] = true
		}
	}
	for _, p := range patterns {
		if err := checkSelector(p); err != nil {
			return nil, &Error{Problem: err.Error()}
		}
		glob, out := strings.CutPrefix(p, "-")
		matched := false
		for _, r := range all {
			if doublestar.MatchUnvalidated(glob, r.ID) {
				in[r], matched = !out, true
			}
		}
		if !matched {
			return nil, &Error{Problem: fmt.Sprintf("no rule is called %q", glob), Advice: similar(all, glob)}
		}
	}
	var selected []*scan.Rule
	for _, r := range all {
		if in[r] {
			selected = append(selected, r)
		}
	}
	if len(selected) == 0 {
		return nil, &Error{Problem: "the selection leaves no rule to scan with", Advice: "select at least one rule"}
	}
	return selected, nil
}

func checkSelector(p string) error {
	glob := strings.TrimPrefix(p, "-")
	if glob == "" || !doublestar.ValidatePattern(glob) {
		return fmt.Errorf("%q is neither a rule's id nor a glob", p)
	}
	return nil
}

// similar suggests rules whose ids begin with the same word.
func similar(all []*scan.Rule, id string) string {
	word, _, _ := strings.Cut(id, "-")
	var ids []string
	for _, r := range all {
		if first, _, _ := strings.Cut(r.ID, "-"); first == word {
			ids = append(ids, r.ID)
		}
	}
	if len(ids) == 0 {
		return ""
	}
	const most = 8
	text := "there is " + strings.Join(ids[:min(len(ids), most)], ", ")
	if len(ids) > most {
		text += fmt.Sprintf(" and %d more", len(ids)-most)
	}
	return text
}
