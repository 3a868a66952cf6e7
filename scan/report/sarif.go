package report

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/keywright/keywright/scan"
)

const (
	sarifHome = "https://github.com/keywright/keywright"
	// sarifRoot is the base that code scanning replaces by the checkout.
	sarifRoot = "%SRCROOT%"
	// maxRelated is one below the most locations of a result that GitHub takes;
	// it refuses a whole file with more.
	maxRelated = 999
	// The two names under which a result carries its fingerprint: our own, and the
	// one by which GitHub tells whether two results are the same. Left to itself,
	// GitHub takes a hash of the lines, and a secret that moves is a new alert.
	ownFingerprint    = "keywrightFingerprint/v1"
	githubFingerprint = "primaryLocationLineHash"
)

// writeSARIF writes SARIF 2.1.0 as code scanning wants it: one result for each
// secret, located at the place nearest to hand, the others related to it. The
// format has no bytes among its column units, so columns are right where the line
// is ASCII up to the secret, and near it elsewhere.
func writeSARIF(b *bytes.Buffer, r *scan.Report, o Options) error {
	run := sarifRun{
		Tool:        sarifTool{sarifDriver{Name: "keywright", Version: r.Version, InformationURI: sarifHome, Rules: []sarifRule{}}},
		Invocations: []sarifInvocation{invocationOf(r)},
		Results:     []sarifResult{},
		Properties: properties(sarifProperties{
			"columnUnit": "byte", "state": state(r), "rulesDigest": r.RulesDigest,
			"suppressed": r.Suppressed, "belowLevel": r.BelowLevel,
		}),
	}
	rules := rulesOf(r.Findings)
	for _, rule := range rules {
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, ruleOf(rule))
	}
	for _, f := range r.Findings {
		index, _ := slices.BinarySearchFunc(rules, f.Rule, compareRules)
		run.Results = append(run.Results, resultOf(f, index, o))
	}
	return appendJSON(b, sarifLog{sarifSchema, sarifVersion, []sarifRun{run}}, "  ")
}

// rulesOf returns the rules of the findings, each once, by id.
func rulesOf(findings []scan.Finding) []*scan.Rule {
	var rules []*scan.Rule
	for _, f := range findings {
		rules = append(rules, f.Rule)
	}
	slices.SortFunc(rules, compareRules)
	return slices.CompactFunc(rules, func(a, b *scan.Rule) bool { return a.ID == b.ID })
}

func compareRules(a, b *scan.Rule) int { return cmp.Compare(a.ID, b.ID) }

func ruleOf(r *scan.Rule) sarifRule {
	text, markdown := help(r)
	rule := sarifRule{
		ID:                   r.ID,
		Name:                 r.Title,
		ShortDescription:     sarifText{Text: r.Title},
		FullDescription:      sarifText{Text: cmp.Or(r.Why, r.Title)},
		Help:                 sarifText{text, markdown},
		DefaultConfiguration: sarifLevel{level(r.Confidence)},
		Properties: sarifProperties{
			"precision": precision(r.Confidence), "security-severity": severity(r.Confidence),
			"tags": []string{"security", "secret"},
		},
	}
	if isWebAddress(r.Reference) {
		rule.HelpURI = r.Reference
	}
	return rule
}

// help is what a rule has to say, as text and as Markdown.
func help(r *scan.Rule) (text, markdown string) {
	parts := []string{cmp.Or(r.Why, r.Title)}
	if r.Fix != "" {
		parts = append(parts, r.Fix)
	}
	text, markdown = strings.Join(parts, "\n"), strings.Join(parts, "\n\n")
	if r.Reference != "" {
		text += "\n" + r.Reference
		markdown += "\n\n<" + r.Reference + ">"
	}
	return text, markdown
}

func isWebAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

func level(c scan.Confidence) string {
	switch {
	case c >= scan.High:
		return levelError
	case c == scan.Medium:
		return levelWarning
	}
	return levelNote
}

// severity is a score from 0 to 10 in GitHub's scale, where 9 is critical.
func severity(c scan.Confidence) string {
	switch {
	case c >= scan.High:
		return "9.0"
	case c == scan.Medium:
		return "6.0"
	}
	return "3.0"
}

func precision(c scan.Confidence) string {
	switch c {
	case scan.Certain:
		return "very-high"
	case scan.High:
		return "high"
	case scan.Medium:
		return "medium"
	}
	return "low"
}

func resultOf(f scan.Finding, rule int, o Options) sarifResult {
	res := sarifResult{
		RuleID: f.Rule.ID, RuleIndex: rule, Level: level(f.Confidence), Message: sarifText{Text: sarifMessage(f, o)},
		Properties: properties(sarifProperties{
			"confidence": f.Confidence.String(), "proof": f.Proof.String(), "places": len(f.Places),
			"publicId": f.PublicID, "reasons": list(f.Reasons),
		}),
	}
	if f.Answer != nil {
		res.Properties["verified"] = string(f.Answer.Life)
	}
	if f.Fingerprint != "" {
		res.PartialFingerprints = map[string]string{
			ownFingerprint: f.Fingerprint, githubFingerprint: f.Fingerprint,
		}
	}
	for i, p := range nearestFirst(f.Places) {
		at := locationOf(p)
		switch {
		case i == 0:
			res.Locations = []sarifLocation{at}
		case i <= maxRelated:
			at.ID, at.Message = &i, &sarifText{Text: sarifPlace(p)}
			res.RelatedLocations = append(res.RelatedLocations, at)
		}
	}
	return res
}

// sarifMessage is what a reader of an alert sees first.
func sarifMessage(f scan.Finding, o Options) string {
	shown := f.Redacted
	if o.ShowSecrets && !f.Secret.IsZero() {
		shown = string(f.Secret.Reveal())
	}
	text := f.Rule.Title
	if shown != "" {
		text += " " + shown
	}
	for _, h := range f.Held {
		text += ", " + heldText(h)
	}
	if f.Answer != nil {
		text += ", " + answerText(*f.Answer)
	}
	if len(f.Places) > 0 {
		text += ": " + sarifPlace(nearestFirst(f.Places)[0])
	}
	return text + "."
}

// sarifPlace says in words what a region cannot: the commit, and whether the
// file still holds the secret.
func sarifPlace(p scan.Place) string {
	text := sourceName(p.Source)
	if s := status(p); s != "" {
		text += ", " + s
	}
	if p.Commit != "" {
		text += ", brought by " + Escape(short(p.Commit))
	}
	return text
}

func locationOf(p scan.Place) sarifLocation {
	return sarifLocation{
		PhysicalLocation: sarifPhysical{sarifArtifact{uri(p), sarifRoot}, region(p)},
		Properties: properties(sarifProperties{
			"source": string(p.Source), "object": p.Object, "commit": p.Commit, "author": p.Author,
			"date": date(p.Date), "via": strings.Join(p.Via, ","),
			"atTip": p.AtTip, "unreachable": p.Unreachable,
		}),
	}
}

// uri is the path as a relative reference (RFC 3986, section 4.2): every byte but
// the unreserved ones and slashes is percent-encoded, so that no path can be taken
// for a scheme, a query or a parent. Places without a path get one below .git,
// where no tracked file can be.
func uri(p scan.Place) string {
	path := p.Path
	switch {
	case path != "":
	case p.Commit != "" || p.Object != "":
		path = ".git/" + string(p.Source) + "/" + cmp.Or(p.Commit, p.Object)
	default:
		path = string(p.Source)
	}
	var b strings.Builder
	for _, c := range []byte(path) {
		if isUnreserved(c) || c == '/' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

// region has a column of at least 1 and an end after its start, whatever p says.
func region(p scan.Place) sarifRegion {
	line, column := max(p.Line, 1), max(p.Column, 1)
	endLine, endColumn := max(p.EndLine, line), max(p.EndColumn, 1)
	if endLine == line {
		endColumn = max(endColumn, column+1)
	}
	return sarifRegion{line, column, endLine, endColumn}
}

// invocationOf says whether everything was read, and names what was not.
func invocationOf(r *scan.Report) sarifInvocation {
	inv := sarifInvocation{state(r) == "complete", []sarifNotification{}}
	notify := func(level, text string) {
		inv.Notifications = append(inv.Notifications, sarifNotification{level, sarifText{Text: text}})
	}
	if r.Interrupted {
		notify(levelError, "interrupted: this is what was found so far")
	}
	for _, g := range r.Coverage.Gaps {
		text := "not read: " + Escape(g.What) + ": " + Escape(g.Why)
		if g.Hint != "" {
			text += ": " + Escape(g.Hint)
		}
		notify(levelWarning, text)
	}
	if text := excluded(r.Coverage.Excluded); text != "" {
		notify(levelNote, "left out: "+text)
	}
	if r.LocalScope && len(r.Findings) > 0 {
		notify(levelNote, "fingerprints hold in this clone only: set repository_id in .keywright.toml")
	}
	return inv
}

// properties leaves out the strings that are empty.
func properties(m sarifProperties) sarifProperties {
	maps.DeleteFunc(m, func(_ string, v any) bool { return v == "" })
	return m
}
