package cmd

import (
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/keystore"
)

// Screens about keys with long names fit 80 columns, and lose nothing.
func TestScreensFit(t *testing.T) {
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	names := []string{"production-eu-central-1/POSTGRES_REPLICATION_PASSWORD", "dev/A", "staging/" + strings.Repeat("X", 64)}
	var list listing
	var due []keystore.Due
	for _, n := range names {
		list.Keys = append(list.Keys, listed{Name: n, Provider: "cloudflare", Parts: []string{"id", "secret", "passphrase"}, Version: 12, Created: now.AddDate(-1, 0, 0), Expires: now, Use: keystore.Run})
		name, err := keystore.ParseName(n)
		if err != nil {
			t.Fatal(err)
		}
		k := &keystore.Key{Name: name, Owner: "platform-team@example.com", Expires: now}
		due = append(due, keystore.Due{Key: k, Concern: keystore.Leaked, Where: "/home/ada/src/trading-bot/config/prod.env", When: now, Pushed: true})
	}
	s := newScreen()
	if err := printKeys(&s.terminal, list, ""); err != nil {
		t.Fatal(err)
	}
	if err := printStatus(&s.terminal, statusReport{Keys: 3}, due, nil, now); err != nil {
		t.Fatal(err)
	}
	printProtected(&s.terminal, []protectedEnv{{"prod", now, "the trading bot restarts tonight, and the reconciliation after it, too"}})
	got := s.stdout.String()
	checkWidth(t, "ls and status", got)
	for _, want := range append(names, "id,secret,passphrase", "for run alone", "platform-team@example.com", "/home/ada/src/trading-bot/config/prod.env", "too") {
		if !strings.Contains(strings.Join(strings.Fields(got), " "), want) {
			t.Errorf("there is no %s in\n%s", want, got)
		}
	}
	s.leftAlone(append(names, names...))
	checkWidth(t, "restore", s.stderr.String())
	if got := strings.Join(strings.Fields(s.stderr.String()), " "); !strings.HasSuffix(got, "are there already") {
		t.Errorf("got %q", got)
	}
}
