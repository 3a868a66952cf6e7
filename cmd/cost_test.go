package cmd

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	library "github.com/zalando/go-keyring"

	"github.com/keywright/keywright/audit"
	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/secret"
)

// costVariable names the program whose cost is measured: see bench/run-cost.sh.
const costVariable = "KEYWRIGHT_RUN_COST"

const (
	costKeys    = 10     // that are handed over
	costStored  = 200    // in all
	costEntries = 10_000 // in the audit log
	costRounds  = 50
	costMost    = 3.0 // times what reading the keys takes
)

// TestRunCost compares what run adds to starting a program with reading its keys through
// the library alone.
func TestRunCost(t *testing.T) {
	program := os.Getenv(costVariable)
	if program == "" {
		t.Skip("it measures time: bench/run-cost.sh runs it")
	}
	if _, there := useKeychain(t); !there {
		return
	}
	keys := openReal(t)
	for i := range costStored {
		name := keystore.Name{Env: fmt.Sprintf("env%d", i/costKeys), Key: fmt.Sprintf("KEY%d", i)}
		if _, err := keys.Put(t.Context(), actor(), name, keystore.Parts{keystore.SinglePart: secret.New([]byte("a value of forty characters, as keys are"))}, nil); err != nil {
			t.Fatal(err)
		}
	}
	e := entryFor("run", audit.Granted, keystore.Name{Env: "env0", Key: "KEY0"})
	if _, err := keys.log.Append(t.Context(), slices.Repeat([]audit.Entry{e}, costEntries)...); err != nil {
		t.Fatal(err)
	}
	catalog, err := keys.Catalog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var items []string
	for i := range catalog.Keys {
		if k := &catalog.Keys[i]; k.Env == "env0" {
			items = append(items, k.Versions[0].Item)
		}
	}
	read := func() error {
		for _, item := range items {
			if _, err := library.Get("keywright", item); err != nil {
				return err
			}
		}
		return nil
	}
	alone := func() error { return exec.Command("/bin/true").Run() }
	run := func() error { return exec.Command(program, "run", "--env", "env0", "--", "/bin/true").Run() }
	version := func() error { return exec.Command(program, "version").Run() }
	times := medians(t, read, alone, run, version)
	added := times[2] - times[1]
	t.Logf("ten reads through the library alone: %v", times[0])
	t.Logf("starting the program: alone %v, with run %v; run adds %v", times[1], times[2], added)
	t.Logf("keywright's own start, as 'keywright version': %v", times[3])
	ratio := float64(added) / float64(times[0])
	t.Logf("run adds %.2f times the ten reads (goal: at most %.0f)", ratio, costMost)
	if ratio > costMost {
		t.Error("that is too much")
	}
}

// medians are the median times of calls, which are made in turn: what else the machine
// does bears on all.
func medians(t *testing.T, calls ...func() error) []time.Duration {
	t.Helper()
	took := make([][]time.Duration, len(calls))
	for range costRounds {
		for i, call := range calls {
			start := time.Now()
			if err := call(); err != nil {
				t.Fatal(err)
			}
			took[i] = append(took[i], time.Since(start))
		}
	}
	var middle []time.Duration
	for _, all := range took {
		slices.Sort(all)
		middle = append(middle, all[len(all)/2].Round(10*time.Microsecond))
	}
	return middle
}
