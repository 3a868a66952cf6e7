package report

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"time"
	"unicode/utf8"

	"github.com/keywright/keywright/scan"
)

// schemaVersion rises when a field changes its meaning or goes away.
const schemaVersion = 1

// The types below are the published form of a report; docs/json.md describes each
// field. Those with omitempty appear only when they have something to say.

type jsonReport struct {
	jsonSummary
	Findings []jsonFinding `json:"findings"`
}

type jsonSummary struct {
	Schema           int          `json:"schema"`
	Tool             jsonTool     `json:"tool"`
	State            string       `json:"state"`
	Coverage         jsonCoverage `json:"coverage"`
	Suppressed       int          `json:"suppressed"`
	BelowLevel       int          `json:"below_level,omitempty"`
	FingerprintScope string       `json:"fingerprint_scope,omitempty"`
}

type jsonTool struct {
	Version     string `json:"version"`
	RulesDigest string `json:"rules_digest"`
}

type jsonCoverage struct {
	Complete bool           `json:"complete"`
	Files    int            `json:"files"`
	Blobs    int            `json:"blobs"`
	Commits  int            `json:"commits"`
	Bytes    int64          `json:"bytes"`
	Gaps     []jsonGap      `json:"gaps"`
	Excluded []jsonExcluded `json:"excluded"`
}

type jsonGap struct {
	What       string `json:"what"`
	WhatBase64 string `json:"what_base64,omitempty"`
	Why        string `json:"why"`
	Hint       string `json:"hint,omitempty"`
}

type jsonExcluded struct {
	What  string `json:"what"`
	Count int    `json:"count"`
}

type jsonFinding struct {
	Rule         string      `json:"rule"`
	Provider     string      `json:"provider"`
	Title        string      `json:"title"`
	Confidence   string      `json:"confidence"`
	Proof        string      `json:"proof"`
	Reasons      []string    `json:"reasons"`
	Fingerprint  string      `json:"fingerprint"`
	PublicID     string      `json:"public_id"`
	Redacted     string      `json:"redacted"`
	Secret       *string     `json:"secret,omitempty"`
	SecretBase64 string      `json:"secret_base64,omitempty"`
	Parts        []jsonPart  `json:"parts"`
	Held         []jsonHeld  `json:"held,omitempty"`
	Verified     *jsonAnswer `json:"verified,omitempty"`
	Places       []jsonPlace `json:"places"`
}

type jsonPart struct {
	Role     string `json:"role"`
	Public   bool   `json:"public"`
	Redacted string `json:"redacted"`
}

type jsonHeld struct {
	Key     string `json:"key"`
	Part    string `json:"part"`
	Version string `json:"version"`
	Died    string `json:"died,omitempty"`
}

type jsonAnswer struct {
	State   string `json:"state"`
	Code    string `json:"code"`
	Account string `json:"account"`
}

type jsonPlace struct {
	Source      scan.SourceKind `json:"source"`
	Path        string          `json:"path"`
	PathBase64  string          `json:"path_base64,omitempty"`
	Via         []string        `json:"via"`
	Line        int             `json:"line"`
	Column      int             `json:"column"`
	EndLine     int             `json:"end_line"`
	EndColumn   int             `json:"end_column"`
	Object      string          `json:"object"`
	Commit      string          `json:"commit"`
	Author      string          `json:"author"`
	Email       string          `json:"email"`
	Date        string          `json:"date"`
	AtTip       bool            `json:"at_tip"`
	Unreachable bool            `json:"unreachable"`
	Versions    int             `json:"versions"`
}

func writeJSON(b *bytes.Buffer, r *scan.Report, o Options) error {
	out := jsonReport{jsonSummary: summaryOf(r), Findings: []jsonFinding{}}
	for _, f := range r.Findings {
		out.Findings = append(out.Findings, findingOf(f, o))
	}
	return appendJSON(b, out, "  ")
}

func writeJSONL(b *bytes.Buffer, r *scan.Report, o Options) error {
	for _, f := range r.Findings {
		if err := appendJSON(b, findingOf(f, o), ""); err != nil {
			return err
		}
	}
	return appendJSON(b, summaryOf(r), "")
}

// appendJSON appends v and a newline.
func appendJSON(b *bytes.Buffer, v any, indent string) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	if err := enc.Encode(v); err != nil {
		return err
	}
	b.Write(escapeJSON(text.Bytes()))
	return nil
}

func summaryOf(r *scan.Report) jsonSummary {
	c := &r.Coverage
	s := jsonSummary{
		Schema: schemaVersion,
		Tool:   jsonTool{Version: r.Version, RulesDigest: r.RulesDigest},
		State:  state(r),
		Coverage: jsonCoverage{
			Complete: c.Complete(), Files: c.Files, Blobs: c.Blobs, Commits: c.Commits, Bytes: c.Bytes,
			Gaps: []jsonGap{}, Excluded: []jsonExcluded{},
		},
		Suppressed: r.Suppressed,
		BelowLevel: r.BelowLevel,
	}
	for _, g := range c.Gaps {
		s.Coverage.Gaps = append(s.Coverage.Gaps, jsonGap{What: g.What, WhatBase64: exact(g.What), Why: g.Why, Hint: g.Hint})
	}
	for _, e := range c.Excluded {
		s.Coverage.Excluded = append(s.Coverage.Excluded, jsonExcluded(e))
	}
	if r.LocalScope {
		s.FingerprintScope = "clone"
	}
	return s
}

// state is the report's state in one word.
func state(r *scan.Report) string {
	switch {
	case r.Interrupted:
		return "interrupted"
	case !r.Coverage.Complete():
		return "incomplete"
	}
	return "complete"
}

func findingOf(f scan.Finding, o Options) jsonFinding {
	out := jsonFinding{
		Rule: f.Rule.ID, Provider: f.Rule.Provider, Title: f.Rule.Title,
		Confidence: f.Confidence.String(), Proof: f.Proof.String(), Reasons: list(f.Reasons),
		Fingerprint: f.Fingerprint, PublicID: f.PublicID, Redacted: f.Redacted,
		Parts: []jsonPart{}, Places: []jsonPlace{},
	}
	if o.ShowSecrets && !f.Secret.IsZero() {
		secret := string(f.Secret.Reveal())
		out.Secret, out.SecretBase64 = &secret, exact(secret)
	}
	for _, p := range f.Parts {
		out.Parts = append(out.Parts, jsonPart{p.Role, p.Public, p.Redacted})
	}
	for _, h := range f.Held {
		out.Held = append(out.Held, jsonHeld{h.Key, h.Part, h.Version, date(h.Died)})
	}
	if a := f.Answer; a != nil {
		out.Verified = &jsonAnswer{string(a.Life), a.Code, a.Account}
	}
	for _, p := range f.Places {
		out.Places = append(out.Places, placeOf(p))
	}
	return out
}

func placeOf(p scan.Place) jsonPlace {
	return jsonPlace{
		Source: p.Source, Path: p.Path, PathBase64: exact(p.Path), Via: list(p.Via),
		Line: p.Line, Column: p.Column, EndLine: p.EndLine, EndColumn: p.EndColumn,
		Object: p.Object, Commit: p.Commit, Author: p.Author, Email: p.Email, Date: date(p.Date),
		AtTip: p.AtTip, Unreachable: p.Unreachable, Versions: p.Versions,
	}
}

// exact returns the bytes of s in base64 when JSON, which is UTF-8, cannot hold
// them: there the field beside it has U+FFFD in place of what is not UTF-8.
func exact(s string) string {
	if utf8.ValidString(s) {
		return ""
	}
	return base64.StdEncoding.EncodeToString([]byte(s))
}

// date is RFC 3339 with the author's own zone, or nothing if there is no date.
func date(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339)
}

// list makes null an empty list.
func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
