package cmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/held"
)

// maxWaitForKeys is how long a scan waits to learn what to look for: it does without
// rather than keep a hook waiting, and never asks for a password.
const maxWaitForKeys = 300 * time.Millisecond

// heldKeys are the user's keys as a scan looks for them; nil if there are none. What is
// not looked for is counted, with the reason.
func heldKeys(ctx context.Context, term *terminal) (*held.Set, []scan.Excluded) {
	keys, err := openKeys(term, neverAsk)
	if err != nil || !keys.Exists() {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, maxWaitForKeys)
	defer cancel()
	f, err := keys.Findable(ctx)
	if err != nil {
		return nil, notLookedFor(keys, err)
	}
	set, err := setOf(f)
	if err != nil {
		return nil, notLookedFor(keys, err)
	}
	var excluded []scan.Excluded
	if f.Without > 0 {
		excluded = []scan.Excluded{{What: "versions of keys stored before scans could look for them", Count: f.Without}}
	}
	return set, excluded
}

// setOf is nil if there is nothing to look for.
func setOf(f keystore.Findable) (*held.Set, error) {
	var values []held.Value
	for _, v := range f.Values {
		if len(v.Digest) > 0 {
			is := scan.Held{Key: v.Name.String(), Part: v.Part, Version: string(v.Stage), Died: v.Died}
			values = append(values, held.Value{Digest: v.Digest, Is: is})
		}
	}
	if len(values) == 0 {
		return nil, nil
	}
	return held.NewSet(f.Key.Reveal(), values)
}

// notLookedFor says that a scan does without the user's keys.
func notLookedFor(keys *keyring, err error) []scan.Excluded {
	n := 1
	if c, err := keys.Glance(); err == nil {
		n = max(n, len(c.Keys))
	}
	why := "the keys could not be read"
	if t, ok := keystore.TroubleOf(err); ok {
		why = "where they are kept " + t.String()
	} else if errors.Is(err, context.DeadlineExceeded) {
		why = "no answer in time from where they are kept"
	} else if tampered := (*keystore.TamperError)(nil); errors.As(err, &tampered) {
		why = "their metadata cannot be trusted"
	}
	return []scan.Excluded{{What: fmt.Sprintf("held keys: %s", why), Count: n}}
}
