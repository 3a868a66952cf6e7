// Package report writes the result of a scan: as text for people, as JSON, as one
// JSON object a line, and as SARIF. It prints nothing by itself and decides no
// exit code. Secrets are redacted in every format unless Options say otherwise.
package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/keywright/keywright/scan"
)

// The names of the formats.
const (
	Text  = "text"  // for people
	JSON  = "json"  // one object, see docs/json.md
	JSONL = "jsonl" // one finding a line, then the rest of the report on the last line
	SARIF = "sarif" // SARIF 2.1.0, for code scanning
)

// Formats returns the names that Write accepts.
func Formats() []string { return []string{Text, JSON, JSONL, SARIF} }

// Options say how a report is written. The zero value writes every finding,
// redacted, without colour, 80 columns wide.
type Options struct {
	// Level leaves out findings below it and adds them to the report's
	// BelowLevel. Zero leaves out nothing.
	Level scan.Confidence
	// ShowSecrets writes the secrets themselves.
	ShowSecrets bool
	// Colour styles text with the sixteen colours of the user's own terminal theme.
	Colour bool
	// Width of text in columns: 80 if zero, 40 at least.
	Width int
	// Verbose text lists every place, every gap and every reason.
	Verbose bool
}

// Write writes r in the format. The same report gives the same bytes, but for the
// duration that text shows. Neither r nor what it holds is changed. An error is
// an unknown format or w's own.
func Write(w io.Writer, format string, r *scan.Report, o Options) error {
	write := writer(format)
	if write == nil {
		return fmt.Errorf("unknown report format %q: want %s", format, strings.Join(Formats(), ", "))
	}
	r = arrange(r, o.Level)
	var b bytes.Buffer // so that w sees whole reports, not thousands of small writes
	if err := write(&b, r, o); err != nil {
		return fmt.Errorf("write the %s report: %w", format, err)
	}
	if _, err := b.WriteTo(w); err != nil {
		return fmt.Errorf("write the %s report: %w", format, err)
	}
	return nil
}

func writer(format string) func(*bytes.Buffer, *scan.Report, Options) error {
	switch format {
	case Text:
		return writeText
	case JSON:
		return writeJSON
	case JSONL:
		return writeJSONL
	case SARIF:
		return writeSARIF
	}
	return nil
}

// arrange returns a copy of r with the findings at or above level, the most
// certain first and, among equals, those that still stand at a tip.
func arrange(r *scan.Report, level scan.Confidence) *scan.Report {
	out := *r
	out.Findings = make([]scan.Finding, 0, len(r.Findings))
	for _, f := range r.Findings {
		if f.Confidence < level {
			out.BelowLevel++
			continue
		}
		out.Findings = append(out.Findings, f)
	}
	slices.SortStableFunc(out.Findings, compareFindings)
	return &out
}

func compareFindings(a, b scan.Finding) int {
	p, q := bestPlace(a.Places), bestPlace(b.Places)
	return cmp.Or(
		cmp.Compare(b.Confidence, a.Confidence),
		cmp.Compare(rank(p), rank(q)),
		cmp.Compare(a.Rule.ID, b.Rule.ID),
		cmp.Compare(p.Path, q.Path),
		cmp.Compare(p.Line, q.Line),
		cmp.Compare(p.Column, q.Column),
		cmp.Compare(a.Fingerprint, b.Fingerprint),
	)
}

// rank orders places by how near they are to hand.
func rank(p scan.Place) int {
	switch {
	case p.Unreachable:
		return 3
	case p.Source == scan.SourceFile, p.Source == scan.SourceIndex,
		p.Source == scan.SourceConfig, p.Source == scan.SourceStdin:
		return 0
	case p.AtTip:
		return 1
	}
	return 2
}

// nearestFirst returns the places by rank, otherwise in their own order.
func nearestFirst(places []scan.Place) []scan.Place {
	out := slices.Clone(places)
	slices.SortStableFunc(out, func(a, b scan.Place) int { return cmp.Compare(rank(a), rank(b)) })
	return out
}

func bestPlace(places []scan.Place) scan.Place {
	if len(places) == 0 {
		return scan.Place{}
	}
	return nearestFirst(places)[0]
}
