// Package providertest holds what every provider must do, as tests, and servers that
// misbehave.
package providertest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/secret"
)

// Subject is a provider under test, and a server for it. What a provider cannot do, as
// its methods show, is not tested. One without a server has neither New nor Accepts, and
// only Old.
type Subject struct {
	Provider provider.Provider
	Admin    provider.Credential // that may make the changes

	// New makes a credential that the server accepts, with room for a successor, beside
	// which no other test's stands.
	New func(t *testing.T) provider.Credential
	// Accepts asks the server itself, without the provider.
	Accepts func(t *testing.T, c provider.Credential) bool
	// Old is a credential of a provider without a server.
	Old provider.Credential

	DeadCode string // what Verify gives for a secret that is wrong
	// Wrong makes a wrong secret of a credential's, where not any text will do.
	Wrong func(c provider.Credential, part string) provider.Credential
	// WrongCode is what it gives for a wrong secret of an ID that is known, where that may
	// mean something else, too: the state is Unknown. It is as DeadCode if empty.
	WrongCode string
	// WrongCodes are those of parts that have one of their own.
	WrongCodes map[string]string
	InPlace    bool // the old credential dies as its successor is born
	Nameless   bool // what it issues has no name that could hold a lineage
	ByID       bool // it can revoke what it knows the ID of, not the secret

	// Addr is where the server listens, and At is the provider, and a credential for it,
	// with an address in place of that. Both are needed for tests of a bad network.
	Addr string
	At   func(addr string, c provider.Credential) (provider.Provider, provider.Credential)
	// Looks are calls that only look, with a method that is for changes, and never twice with the
	// same body: "POST /token".
	Looks []string
	// Wire says that it is not over HTTP, or not all of it.
	Wire bool
	// Page is its section of docs/deviations.md, if that is not called as the provider is.
	Page string
	// Faults are those of this kind of server, besides those of every network.
	Faults []Fault
}

// limit is how long a call may take that was told to end at once. It is long, as the
// machine may be slow, and shorter than the limits that providers set themselves.
const limit = 20 * time.Second

// Provider is the conformance suite.
func Provider(t *testing.T, s Subject) {
	t.Run("info", s.info)
	if _, ok := s.Provider.(provider.Verifier); ok {
		t.Run("verify", s.verify)
		t.Run("concurrent", s.concurrent)
	}
	if _, ok := s.Provider.(provider.Planner); ok {
		t.Run("plan", s.plan)
	}
	if _, ok := s.Provider.(provider.Maker); ok {
		t.Run("make", s.makes)
		if s.New != nil {
			t.Run("apply", s.apply)
		}
	}
	if _, ok := s.Provider.(provider.Issuer); ok {
		t.Run("issue", s.issue)
	}
	if _, ok := s.Provider.(provider.Lister); ok {
		t.Run("list", s.list)
	}
	if _, ok := s.Provider.(provider.Disabler); ok {
		t.Run("disable", s.disable)
	}
	if _, ok := s.Provider.(provider.Revoker); ok {
		t.Run("revoke", s.revoke)
		t.Run("anew", s.anew)
	}
	if s.New != nil {
		t.Run("cancelled", s.cancelled)
		t.Run("told too little", s.incomplete)
		t.Run("another server", s.elsewhere)
	}
	if s.At != nil {
		t.Run("faults", s.faults)
		t.Run("cut off", s.cutOff)
		t.Run("nobody any more", s.left)
		if !s.Wire {
			t.Run("answers", func(t *testing.T) { Answers(t, s) })
		}
	}
}

var plain = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

func (s Subject) info(t *testing.T) {
	i := s.Provider.Info()
	if !regexp.MustCompile(`^[a-z][a-z0-9-]*$`).MatchString(i.Name) {
		t.Errorf("the name %q", i.Name)
	}
	for what, text := range map[string]string{"title": i.Title, "tested": i.Tested, "sources": strings.Join(i.Sources, "")} {
		if text == "" || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%s: %q", what, text)
		}
	}
	for _, source := range i.Sources {
		if !strings.HasPrefix(source, "https://") && !strings.HasPrefix(source, "RFC ") {
			t.Errorf("a source that cannot be looked up: %q", source)
		}
	}
	if l := i.Lingers; l.Longest < 0 || l.Longest > 0 && l.What == "" || strings.HasSuffix(l.What, ".") {
		t.Errorf("what outlives a credential: %+v", l)
	}
	_, verifies := s.Provider.(provider.Verifier)
	_, lists := s.Provider.(provider.Lister)
	_, issues := s.Provider.(provider.Issuer)
	_, revokes := s.Provider.(provider.Revoker)
	_, guides := s.Provider.(provider.Guide)
	if i.Uses && !lists || i.UseSpan != 0 && !i.Uses || i.UseSpan < 0 {
		t.Errorf("uses are told: %v, of several within %s; listed: %v", i.Uses, i.UseSpan, lists)
	}
	if i.Mute && !verifies {
		t.Error("what it says of what is dead nobody asks")
	}
	if known := s.New != nil || verifies || lists || issues || revokes || guides; i.Local == known {
		t.Errorf("no service knows its credentials: %v", i.Local)
	}
	var names []string
	secrets := 0
	for _, p := range i.Parts {
		names = append(names, p.Name)
		if !p.Public {
			secrets++
		}
	}
	if secrets == 0 {
		t.Error("no part is secret")
	}
	for _, p := range i.Params {
		names = append(names, p.Name)
		if p.Meaning == "" || strings.HasSuffix(p.Meaning, ".") {
			t.Errorf("the parameter %s: the meaning %q", p.Name, p.Meaning)
		}
		if p.Required && p.Default != "" {
			t.Errorf("the parameter %s is required and has a default", p.Name)
		}
	}
	for n, name := range names {
		if !plain.MatchString(name) || slices.Contains(names[:n], name) {
			t.Errorf("the name %q of a part or parameter", name)
		}
	}
}

func (s Subject) verify(t *testing.T) {
	live := s.New(t)
	for range 2 { // looking takes nothing away
		s.lives(t, s.Provider, live)
	}
	for _, part := range s.secrets() {
		s.wrong(t, s.Provider, s.other(live, part), part)
	}
	s.lives(t, s.Provider, live)
	s.accepted(t, live)
}

// Wrong is a credential with another secret of the same length.
func Wrong(c provider.Credential, part string) provider.Credential {
	b := []byte(strings.Repeat(rand.Text(), 1+c.Part(part).Len()/20))[:c.Part(part).Len()]
	c.Parts = maps.Clone(c.Parts)
	c.Parts[part] = secret.New(b)
	return c
}

// other is a credential with a wrong secret.
func (s Subject) other(c provider.Credential, part string) provider.Credential {
	if s.Wrong != nil {
		return s.Wrong(c, part)
	}
	return Wrong(c, part)
}

func (s Subject) secrets() (names []string) {
	for _, p := range s.Provider.Info().Parts {
		if !p.Public {
			names = append(names, p.Name)
		}
	}
	return names
}

func (s Subject) concurrent(t *testing.T) {
	live := s.New(t)
	wrong := s.other(live, s.secrets()[0])
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			s.lives(t, s.Provider, live)
			s.wrong(t, s.Provider, wrong, s.secrets()[0])
			if m, ok := s.Provider.(provider.Maker); ok {
				_, err := m.Make(t.Context(), live)
				s.check(t, "make", err, live)
			}
		})
	}
	all.Wait()
	s.accepted(t, live)
}

func (s Subject) plan(t *testing.T) {
	old := s.Old
	if s.New != nil {
		old = s.New(t)
	}
	for range 2 {
		plan, err := s.Provider.(provider.Planner).Plan(t.Context(), s.Admin, old)
		s.check(t, "plan", err, old)
		if plan.InPlace != s.InPlace {
			t.Errorf("in place: %v", plan.InPlace)
		}
	}
	if s.New != nil {
		s.accepted(t, old)
	}
}

// makes checks that a successor is new, whole and nowhere yet.
func (s Subject) makes(t *testing.T) {
	old := s.Old
	if s.New != nil {
		old = s.New(t)
	}
	var made []provider.Credential
	for range 3 {
		next, err := s.Provider.(provider.Maker).Make(t.Context(), old)
		s.check(t, "make", err, old, next)
		for _, p := range s.Provider.Info().Parts {
			if next.Part(p.Name).IsZero() {
				t.Errorf("it has no %s", p.Name)
			}
		}
		if !maps.Equal(next.Params, old.Params) {
			t.Error("it has other parameters")
		}
		for _, other := range append(made, old) {
			for _, part := range s.secrets() {
				if bytes.Equal(next.Part(part).Reveal(), other.Part(part).Reveal()) {
					t.Errorf("the %s was there before", part)
				}
			}
		}
		made = append(made, next)
		if s.New != nil {
			s.refused(t, next)
			s.accepted(t, old)
		}
	}
}

func (s Subject) apply(t *testing.T) {
	m := s.Provider.(provider.Maker)
	old := s.New(t)
	next, err := m.Make(t.Context(), old)
	s.check(t, "make", err, old, next)
	for range 2 {
		s.check(t, "apply", m.Apply(t.Context(), s.Admin, old, next), old, next)
		s.succeeded(t, old, next)
	}
}

// succeeded checks that a credential is accepted, beside the one before or in its place.
func (s Subject) succeeded(t *testing.T, old, next provider.Credential) {
	t.Helper()
	s.accepted(t, next)
	if s.InPlace {
		s.refused(t, old)
	} else {
		s.accepted(t, old)
	}
	if _, ok := s.Provider.(provider.Verifier); ok {
		s.lives(t, s.Provider, next)
	}
}

// successor makes one by whatever way there is.
func (s Subject) successor(t *testing.T, old provider.Credential) provider.Credential {
	t.Helper()
	var next provider.Credential
	var err error
	switch p := s.Provider.(type) {
	case provider.Maker:
		if next, err = p.Make(t.Context(), old); err == nil {
			err = p.Apply(t.Context(), s.Admin, old, next)
		}
		next.Since = time.Now()
	case provider.Issuer:
		next, err = p.Issue(t.Context(), s.Admin, old, lineage())
	default:
		next = s.New(t)
	}
	s.check(t, "make a successor", err, old, next)
	if err != nil {
		t.FailNow()
	}
	return next
}

func lineage() provider.Lineage {
	var b [4]byte
	rand.Read(b[:])
	return provider.Lineage{Installation: "q7kf", Rotation: fmt.Sprintf("20260102-%08x", b)}
}

func (s Subject) issue(t *testing.T) {
	old, line := s.New(t), lineage()
	next, err := s.Provider.(provider.Issuer).Issue(t.Context(), s.Admin, old, line)
	s.check(t, "issue", err, old, next)
	if err != nil {
		return
	}
	for _, p := range s.Provider.Info().Parts {
		if next.Part(p.Name).IsZero() {
			t.Errorf("it has no %s", p.Name)
		}
	}
	s.succeeded(t, old, next)
	if l, ok := s.Provider.(provider.Lister); ok {
		all, err := l.List(t.Context(), s.Admin, old)
		s.check(t, "list", err, old, next)
		if next.ID == "" || !slices.ContainsFunc(all, func(c provider.Listed) bool {
			l, _ := provider.ParseLineage(c.Label)
			return c.ID == next.ID && (s.Nameless || l == line)
		}) {
			t.Errorf("%s is not listed under the lineage %s", next.ID, line)
		}
	}
}

// anew checks that a plan which says that a new one can be issued when the old one is gone
// is right.
func (s Subject) anew(t *testing.T) {
	p, plans := s.Provider.(provider.Planner)
	issuer, issues := s.Provider.(provider.Issuer)
	if !plans {
		return
	}
	old := s.New(t)
	plan, err := p.Plan(t.Context(), s.Admin, old)
	s.check(t, "plan", err, old)
	switch {
	case !plan.Anew:
		return
	case !issues:
		t.Fatal("nothing is issued, and it says how")
	}
	s.check(t, "revoke", s.Provider.(provider.Revoker).Revoke(t.Context(), s.Admin, old, provider.Credential{}), old)
	s.refused(t, old)
	next, err := issuer.Issue(t.Context(), s.Admin, old, lineage())
	s.check(t, "issue", err, old, next)
	s.accepted(t, next)
	s.refused(t, old)
}

func (s Subject) list(t *testing.T) {
	c := s.New(t)
	for range 2 {
		all, err := s.Provider.(provider.Lister).List(t.Context(), s.Admin, c)
		s.check(t, "list", err, c)
		seen := 0
		for _, l := range all {
			if l.ID == "" {
				t.Error("one without an id")
			}
			if l.ID == c.ID {
				seen++
			}
		}
		if seen != 1 {
			t.Errorf("%q is listed %d times of %d", c.ID, seen, len(all))
		}
	}
}

func (s Subject) disable(t *testing.T) {
	d := s.Provider.(provider.Disabler)
	c, other := s.New(t), s.New(t)
	for range 2 {
		for range 2 {
			s.check(t, "disable", d.Disable(t.Context(), s.Admin, c), c)
			s.refused(t, c)
			s.lifeless(t, s.Provider, c)
		}
		for range 2 {
			s.check(t, "enable", d.Enable(t.Context(), s.Admin, c), c)
			s.accepted(t, c)
			s.lives(t, s.Provider, c)
		}
	}
	s.accepted(t, other)
}

func (s Subject) revoke(t *testing.T) {
	r := s.Provider.(provider.Revoker)
	t.Run("after a successor", func(t *testing.T) {
		old, other := s.New(t), s.New(t)
		next := s.successor(t, old)
		for n := range 2 {
			s.gone(t, n > 0, r.Revoke(t.Context(), s.Admin, old, next), old, next)
			s.ended(t, old)
			s.accepted(t, next)
			s.lives(t, s.Provider, next)
		}
		s.accepted(t, other)
	})
	t.Run("without one", func(t *testing.T) {
		c, other := s.New(t), s.New(t)
		for n := range 2 {
			s.gone(t, n > 0, r.Revoke(t.Context(), s.Admin, c, provider.Credential{}), c)
			s.ended(t, c)
		}
		s.accepted(t, other)
	})
	t.Run("undone", func(t *testing.T) {
		if s.InPlace {
			t.Skip("the old one is gone by then")
		}
		old := s.New(t)
		next := s.successor(t, old)
		for n := range 2 {
			s.gone(t, n > 0, r.Revoke(t.Context(), s.Admin, next, old), old, next)
			s.ended(t, next)
			s.accepted(t, old)
		}
	})
	t.Run("by id", func(t *testing.T) {
		if !s.ByID {
			t.Skip("it cannot")
		}
		c, other := s.New(t), s.New(t)
		for n := range 2 {
			s.gone(t, n > 0, r.Revoke(t.Context(), s.Admin, provider.Credential{ID: c.ID, Params: c.Params}, other), c)
			s.ended(t, c)
			s.accepted(t, other)
		}
	})
}

// ended checks that a credential is refused for good.
func (s Subject) ended(t *testing.T, c provider.Credential) {
	t.Helper()
	s.refused(t, c)
	s.dead(t, s.Provider, c)
}

func (s Subject) cancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := s.New(t)
	for _, call := range s.calls(t, c) {
		_, err := call.do(ctx, s.Provider, c, s.Admin)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", call.name, err)
		}
		s.checkError(t, call.name, err, c)
		s.accepted(t, c)
	}
}

// incomplete checks that a credential without one of its secrets is not tried.
func (s Subject) incomplete(t *testing.T) {
	c := s.New(t)
	for _, call := range s.calls(t, c) {
		if call.changes && s.ByID {
			continue // for which the secret may not be needed
		}
		for _, part := range s.secrets() {
			with := c
			with.Parts = maps.Clone(c.Parts)
			delete(with.Parts, part)
			_, err := call.do(t.Context(), s.Provider, with, s.Admin)
			if call.changes && err == nil {
				continue
			}
			if e := new(provider.Error); !errors.As(err, &e) || e.Kind != provider.Incomplete {
				t.Errorf("%s without a %s: %v", call.name, part, err)
			}
		}
	}
}

// elsewhere checks that nothing is done if the admin is of another server than the
// credential, and that one that names the same server, or none, makes its changes there.
func (s Subject) elsewhere(t *testing.T) {
	c := s.New(t)
	same := map[string]string{}
	for _, p := range s.Provider.Info().Params {
		if p.Server {
			same[p.Name] = c.Params[p.Name]
		}
	}
	for name := range same {
		if slices.ContainsFunc(s.calls(t, c), func(call call) bool { return call.changes }) && same[name] == "" {
			t.Errorf("a credential of the test has no %s", name)
		}
		for _, call := range s.calls(t, c) {
			if !call.changes {
				continue
			}
			admin := s.Admin
			admin.Params = maps.Clone(same)
			admin.Params[name] = "elsewhere"
			_, err := call.do(t.Context(), s.Provider, c, admin)
			s.checkError(t, call.name, err, c)
			e := new(provider.Error)
			if !errors.As(err, &e) || e.Kind != provider.Incomplete || !strings.Contains(e.Error(), name+"=elsewhere") || !strings.Contains(e.Error(), name+"="+strings.TrimSuffix(same[name], "/")) || e.Hint == "" {
				t.Errorf("%s, with the %s of another server: %v", call.name, name, err)
			}
			s.accepted(t, c)
		}
	}
	if p, ok := s.Provider.(provider.Planner); ok && len(same) > 0 {
		for _, params := range []map[string]string{nil, same} {
			admin := s.Admin
			admin.Params = params
			_, err := p.Plan(t.Context(), admin, c)
			s.check(t, "plan", err, c)
		}
	}
}

// call is a method that asks the server.
type call struct {
	name    string
	changes bool
	next    provider.Credential // what is applied
	do      func(ctx context.Context, p provider.Provider, c, admin provider.Credential) (provider.Probe, error)
}

// calls are those that the provider has.
func (s Subject) calls(t *testing.T, old provider.Credential) []call {
	t.Helper()
	var all []call
	add := func(name string, changes bool, do func(ctx context.Context, p provider.Provider, c, admin provider.Credential) error) {
		all = append(all, call{name: name, changes: changes, do: func(ctx context.Context, p provider.Provider, c, admin provider.Credential) (provider.Probe, error) {
			return provider.Probe{}, do(ctx, p, c, admin)
		}})
	}
	if _, ok := s.Provider.(provider.Verifier); ok {
		all = append(all, call{name: "verify", do: func(ctx context.Context, p provider.Provider, c, _ provider.Credential) (provider.Probe, error) {
			return p.(provider.Verifier).Verify(ctx, c)
		}})
	}
	if _, ok := s.Provider.(provider.Planner); ok {
		add("plan", true, func(ctx context.Context, p provider.Provider, c, admin provider.Credential) error {
			_, err := p.(provider.Planner).Plan(ctx, admin, c)
			return err
		})
	}
	if _, ok := s.Provider.(provider.Lister); ok {
		add("list", true, func(ctx context.Context, p provider.Provider, c, admin provider.Credential) error {
			_, err := p.(provider.Lister).List(ctx, admin, c)
			return err
		})
	}
	if m, ok := s.Provider.(provider.Maker); ok {
		next, err := m.Make(t.Context(), old)
		s.check(t, "make", err, old, next)
		add("apply", true, func(ctx context.Context, p provider.Provider, c, admin provider.Credential) error {
			to := next
			to.Params = c.Params
			return p.(provider.Maker).Apply(ctx, admin, c, to)
		})
		all[len(all)-1].next = next
	}
	if _, ok := s.Provider.(provider.Issuer); ok {
		add("issue", true, func(ctx context.Context, p provider.Provider, c, admin provider.Credential) error {
			_, err := p.(provider.Issuer).Issue(ctx, admin, c, lineage())
			return err
		})
	}
	if _, ok := s.Provider.(provider.Disabler); ok {
		add("disable", true, func(ctx context.Context, p provider.Provider, c, admin provider.Credential) error {
			return p.(provider.Disabler).Disable(ctx, admin, c)
		})
		add("enable", true, func(ctx context.Context, p provider.Provider, c, admin provider.Credential) error {
			return p.(provider.Disabler).Enable(ctx, admin, c)
		})
	}
	if _, ok := s.Provider.(provider.Revoker); ok {
		add("revoke", true, func(ctx context.Context, p provider.Provider, c, admin provider.Credential) error {
			return p.(provider.Revoker).Revoke(ctx, admin, c, provider.Credential{})
		})
	}
	return all
}
