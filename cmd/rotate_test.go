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
