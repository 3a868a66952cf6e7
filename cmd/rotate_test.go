package cmd

import (
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/rotate"
)

// TestPlanPrinted: a plan says when the old key was used last, where that is told.
func TestPlanPrinted(t *testing.T) {
	used := time.Date(2026, 11, 29, 14, 2, 0, 0, time.UTC)
	for _, at := range []time.Time{used, {}} {
		s := newScreen()
		j := &rotate.Journal{Key: "prod/KEY", Provider: "aws", Mode: rotate.Overlap, Steps: []rotate.Step{{Name: rotate.Revoke}}, Plan: provider.Plan{LastUsed: at}}
		if err := printPlan(&s.terminal, j); err != nil {
			t.Fatal(err)
		}
		if said := strings.Contains(s.stdout.String(), "last used: "+moment(used)+"\n"); said != !at.IsZero() || strings.Contains(s.stdout.String(), "last used") != said {
			t.Errorf("used %v: %s", at, s.stdout.String())
		}
	}
}

// TestLingersPrinted: a plan says what outlives the old key, and in the end until when.
func TestLingersPrinted(t *testing.T) {
	until := time.Date(2026, 11, 29, 14, 2, 0, 0, time.UTC)
	for _, c := range []struct {
		longest     time.Duration
		until       time.Time
		plan, shown string
	}{
		{36 * time.Hour, until, "  outlives the old key: tokens, for 36 hours at most\n", "alive until " + moment(until) + " at most: tokens\n"},
		{90 * time.Minute, time.Time{}, "  outlives the old key: tokens, for 1h30m0s at most\n", "outlives the old key: tokens, for 1h30m0s at most\n"},
		{0, time.Time{}, "  outlives the old key: tokens\n", "\noutlives the old key: tokens\n"},
	} {
		j := &rotate.Journal{Key: "prod/KEY", Provider: "aws", Mode: rotate.Overlap, Steps: []rotate.Step{{Name: rotate.Revoke}},
			Lingers: provider.Lingers{What: "tokens", Longest: c.longest}, LingersUntil: c.until}
		s := newScreen()
		if err := printPlan(&s.terminal, j); err != nil || !strings.Contains(s.stdout.String(), c.plan) {
			t.Errorf("the plan: %s, %v", s.stdout.String(), err)
		}
		s = newScreen()
		if err := showRotation(&s.terminal, j); err != nil || !strings.HasSuffix(s.stdout.String(), c.shown) {
			t.Errorf("in the end: %s, %v", s.stdout.String(), err)
		}
	}
}
