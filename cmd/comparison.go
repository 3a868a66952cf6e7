package cmd

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/keywright/keywright/audit"
	"github.com/keywright/keywright/keystore"
)

// newKey is how old a key is at least when it is said that it was never used.
const newKey = 7 * 24 * time.Hour

// comparison is what is to be said of keys beside their dates: secrets that another
// environment has, too; and notes on those that were never used, or that scans do not
// look for.
func comparison(ctx context.Context, keys *keyring, catalog *keystore.Catalog, now time.Time) (shared, notes []keystore.Due, err error) {
	f, err := keys.Findable(ctx)
	if err != nil {
		return nil, nil, err
	}
	same, weak, used := f.Shared(), f.Weak(), map[string]bool{}
	for e, err := range keys.log.Entries(ctx, audit.Filter{Decision: audit.Granted}) {
		if err == nil && slices.Contains([]string{"get", "run", "export"}, e.Verb) {
			used[e.Key] = true
		}
	}
	for i := range catalog.Keys {
		k := &catalog.Keys[i]
		if others := same[k.Name]; others != nil {
			shared = append(shared, keystore.Due{Key: k, Concern: keystore.Shared, Where: listOf(others)})
		}
		if k.Rotation != "" {
			notes = append(notes, keystore.Due{Key: k, Concern: keystore.Moving, Where: "keywright rotate show " + k.Rotation})
		}
		if !used[k.Name.String()] && now.Sub(k.Created) > newKey {
			notes = append(notes, keystore.Due{Key: k, Concern: keystore.Unused})
		}
		public := func(part string) bool { return publicAt(k.Provider, part) }
		if parts := slices.DeleteFunc(weak[k.Name], public); len(parts) > 0 {
			notes = append(notes, keystore.Due{Key: k, Concern: keystore.Weak, Where: strings.Join(parts, ", ")})
		}
	}
	return shared, notes, nil
}

func listOf(names []keystore.Name) string {
	var words []string
	for _, n := range names {
		words = append(words, n.String())
	}
	return strings.Join(words, ", ")
}

// dueKeys is a list as status prints it for programs.
func dueKeys(list []keystore.Due) []dueKey {
	out := []dueKey{}
	for _, d := range list {
		out = append(out, dueKey{d.Key.Name.String(), d.Concern, d.When, d.Where, d.Pushed, d.Key.Owner})
	}
	return out
}
