package cmd

import (
	"cmp"
	"encoding/json"
	"regexp"
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
		{90 * time.Minute, time.Time{}, "  outlives the old key: tokens, for 1h30m at most\n", "outlives the old key: tokens, for 1h30m at most\n"},
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

// TestRotationsFit: what is said of rotations fits a screen, whatever a key, a consumer or
// a provider is called, and all that is known stands there.
func TestRotationsFit(t *testing.T) {
	at := time.Date(2026, 11, 29, 14, 2, 0, 0, time.UTC)
	consumer := rotate.Step{Name: rotate.Deliver, Consumer: "gh:an-organisation/a-repository/production,PASSWORD=STRIPE_SECRET_KEY,auth=prod/GITHUB"}
	j := &rotate.Journal{
		ID: "20261129-0a1b2c3d", Key: "production/STRIPE_SECRET_KEY_OF_THE_SHOP", Provider: "secretsmanager", Mode: rotate.InPlace, By: "ada@example",
		Steps: []rotate.Step{{Name: rotate.Apply}, consumer, {Name: rotate.Close}}, Next: 1, Until: at,
		Plan: provider.Plan{Outage: strings.Repeat("what uses it is refused ", 6) + "until then", Notes: []string{strings.Repeat("a note of a provider ", 8)}},
		Events: []rotate.Event{
			{At: at, Step: rotate.Step{Name: rotate.Apply}, What: rotate.Begun},
			{At: at, Step: consumer, What: rotate.Failed, Note: strings.Repeat("the service refused it ", 9) + "(403)"},
		},
		Deaths: []rotate.Observation{{At: at, Code: "401 Unauthorized"}},
	}
	done := *j
	done.Result, done.Grade, done.Closed = rotate.Done, rotate.RefusedDead, at
	for _, width := range []int{80, 0, 60} {
		for what, print := range map[string]func(*terminal) error{
			"ls":   func(term *terminal) error { return listRotations(term, []*rotate.Journal{j, &done}) },
			"show": func(term *terminal) error { return showRotation(term, j) },
			"plan": func(term *terminal) error { return printPlan(term, j) },
			"said": func(term *terminal) error {
				(&keyring{term: term}).say(rotate.Outcome{Step: consumer, Note: j.Events[1].Note})
				return nil
			},
		} {
			s := newScreen()
			s.width = width
			if err := print(&s.terminal); err != nil {
				t.Fatal(err)
			}
			out := s.stdout.String()
			if what != "ls" || width != 60 { // keys are not broken
				fits(t, out, cmp.Or(width, 80))
			}
			if words := strings.Join(strings.Fields(out), " "); !strings.Contains(words, "deliver "+consumer.Consumer) {
				t.Errorf("%s at %d: a step is missing\n%s", what, width, out)
			}
		}
	}
	s := newScreen()
	if err := listRotations(&s.terminal, []*rotate.Journal{&done}); err != nil || !strings.HasPrefix(s.stdout.String(), "ROTATION ") || !strings.Contains(s.stdout.String(), "old key dead") {
		t.Errorf("%v: %s", err, s.stdout.String())
	}
}

// TestShortGrades: each grade has a few words of its own.
func TestShortGrades(t *testing.T) {
	said := map[string]rotate.Grade{}
	for _, g := range []rotate.Grade{rotate.RefusedDead, rotate.Absent, rotate.Acknowledged, rotate.Said, rotate.NoProvider, rotate.RefusedUnseen, rotate.OutOfUse, rotate.RefusedMute, rotate.Unended} {
		short := shortGrade(g)
		if other, ok := said[short]; ok || len(short) > 30 || short == string(g) {
			t.Errorf("%s: %q, as of %q", g, short, other)
		}
		said[short] = g
	}
}

// TestRotationVerbsSayWhatTheyDo: the help of each says what it does and when it is refused,
// in a few lines, and fits a screen.
func TestRotationVerbsSayWhatTheyDo(t *testing.T) {
	for _, c := range newRotate(&newScreen().terminal).Commands() {
		if n := strings.Count(c.Long, "\n"); n < 3 || n > 10 {
			t.Errorf("%s: %d lines", c.Name(), n)
		}
		s := newScreen()
		if code := run(t.Context(), &s.terminal, []string{"rotate", c.Name(), "--help"}); code != exitOK {
			t.Errorf("%s: exit %d", c.Name(), code)
		}
		fits(t, strings.ReplaceAll(s.stdout.String(), " \n", "\n"), 80)
	}
}

// TestStanding: what waits says until when, and what does not wait any more since when.
func TestStanding(t *testing.T) {
	until := time.Date(2026, 11, 29, 14, 2, 0, 0, time.UTC)
	j := &rotate.Journal{Steps: []rotate.Step{{Name: rotate.Make}, {Name: rotate.Grace}}, Next: 1, Until: until}
	for now, want := range map[time.Time]string{
		until.Add(-time.Second): "at step 2 of 2, grace, until " + moment(until),
		until:                   "at step 2 of 2, grace, may go on since " + moment(until),
	} {
		if text := standing(j, now); text != want {
			t.Errorf("%q, not %q", text, want)
		}
	}
}

// TestSpanned: a span of time is written as people give it.
func TestSpanned(t *testing.T) {
	for _, text := range []string{"24h", "1h30m", "90s", "10m", "10s", "168h", "1h0m30s", "100h"} {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatal(err)
		}
		want := text
		if text == "90s" {
			want = "1m30s"
		}
		if got := spanned(d); got != want {
			t.Errorf("%s is %s", text, got)
		}
	}
}

// TestEvidence: a journal's JSON has names and spans of time as others read them.
func TestEvidence(t *testing.T) {
	j := &rotate.Journal{ID: "r1", Grace: 36 * time.Hour, Was: &provider.Identity{Account: "7", LastUsed: time.Unix(1, 0).UTC()},
		Plan: provider.Plan{InPlace: true, Notes: []string{"a note"}}, Lingers: provider.Lingers{What: "session tokens", Longest: time.Hour}}
	b, err := json.Marshal(evidenceOf(j))
	if err != nil {
		t.Fatal(err)
	}
	if name := regexp.MustCompile(`"[A-Z]\w*":`).Find(b); name != nil {
		t.Errorf("%s is a name of Go's: %s", name, b)
	}
	for _, want := range []string{`"grace":"36h0m0s"`, `"longest":"1h0m0s"`, `"in_place":true`, `"last_used":"1970-01-01T00:00:01Z"`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s lacks %s", b, want)
		}
	}
}
