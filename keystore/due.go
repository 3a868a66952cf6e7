package keystore

import (
	"fmt"
	"path"
	"slices"
	"time"
)

// Concern is a reason to look at a key.
type Concern string

// The concerns, the most urgent first.
const (
	Leaked   Concern = "leaked"   // a scan met its current version, or that which a rotation has not ended yet
	Expired  Concern = "expired"  // its time is over
	Expiring Concern = "expiring" // it will be, soon
	TooOld   Concern = "too_old"  // it is older than its provider lets keys become
	Overdue  Concern = "overdue"  // it is older than its owner wants it to be
	Shared   Concern = "shared"   // another environment has the same secret
	Stranded Concern = "stranded" // the key that it is changed or delivered with is not there

	// Worth knowing, and no harm.
	Unused Concern = "unused" // it was never used through keywright
	Weak   Concern = "weak"   // scans do not look for it: it would be met everywhere
	Moving Concern = "moving" // a rotation of it is open
)

// maxAge is how long providers let keys live, at most.
//
// Bybit: keys without a list of IP addresses expire after 90 days (its API's
// documentation, "Create Sub UID API Key"). GitLab: access tokens live 365 days at most
// ("Personal access tokens", in its documentation).
var maxAge = map[string]Days{"bybit": 90, "gitlab": 365}

// Due is a key and a reason to look at it.
type Due struct {
	Key     *Key
	Concern Concern
	When    time.Time // it expires, expired, was to be replaced, or was met; zero for others
	Where   string    // it was met; the other keys of a shared secret; the one that is not there; the weak parts
	Pushed  bool      // of Leaked: in a commit that was on a remote branch, as of the last fetch
}

// Text says it in a few words, as seen from now.
func (d Due) Text(now time.Time) string {
	days := func(span time.Duration) string {
		switch day := 24 * time.Hour; {
		case span < time.Hour:
			return fmt.Sprintf("%d min", int(span.Minutes()))
		case span < day:
			return fmt.Sprintf("%d h", int(span.Hours()))
		default:
			return fmt.Sprintf("%d d", span/day)
		}
	}
	switch d.Concern {
	case Leaked:
		text := "seen in " + d.Where + " on " + d.When.Format(time.DateOnly)
		if d.Pushed {
			text += ", on a remote branch as of the last fetch"
		}
		return text
	case TooOld:
		return fmt.Sprintf("older than the %d d that %s gives a key, since %s", maxAge[d.Key.Provider], d.Key.Provider, days(now.Sub(d.When)))
	case Expired:
		return "expired " + days(now.Sub(d.When)) + " ago"
	case Expiring:
		return "expires in " + days(d.When.Sub(now))
	case Shared:
		return "the same secret as " + d.Where
	case Stranded:
		return "cannot be replaced without " + d.Where + ", which is not there"
	case Unused:
		return "never used through keywright"
	case Moving:
		return "being rotated: " + d.Where
	case Weak:
		return "too weak for scans to look for: " + d.Where
	default:
		return "to be replaced since " + days(now.Sub(d.When))
	}
}

// Due lists the keys of which something is due by now, or will have expired when the
// span within has gone. The most urgent come first.
func (c *Catalog) Due(now time.Time, within time.Duration) (list []Due) {
	for i := range c.Keys {
		k := &c.Keys[i]
		v, ok := k.Version(Current)
		if !ok {
			continue
		}
		seen, ok := k.seen(v.Number)
		if old, replaced := k.Version(Previous); !ok && replaced && k.Rotation != "" {
			seen, ok = k.seen(old.Number)
		}
		if ok {
			list = append(list, Due{k, Leaked, seen.Seen, path.Join(seen.Where, seen.Path), seen.Pushed})
		}
		after := func(d Days) time.Time { return v.Created.AddDate(0, 0, int(d)) }
		limit := maxAge[k.Provider]
		switch {
		case !k.Expires.IsZero() && !k.Expires.After(now):
			list = append(list, Due{Key: k, Concern: Expired, When: k.Expires})
		case !k.Expires.IsZero() && k.Expires.Before(now.Add(within)):
			list = append(list, Due{Key: k, Concern: Expiring, When: k.Expires})
		case k.Expires.IsZero() && limit > 0 && !after(limit).After(now):
			list = append(list, Due{Key: k, Concern: TooOld, When: after(limit)})
		case k.RotateEvery > 0 && !after(k.RotateEvery).After(now):
			list = append(list, Due{Key: k, Concern: Overdue, When: after(k.RotateEvery)})
		}
	}
	rank := []Concern{Leaked, Expired, Expiring, TooOld, Overdue}
	slices.SortStableFunc(list, func(a, b Due) int {
		if d := slices.Index(rank, a.Concern) - slices.Index(rank, b.Concern); d != 0 {
			return d
		}
		if a.Pushed != b.Pushed {
			if a.Pushed {
				return -1
			}
			return 1
		}
		return a.When.Compare(b.When)
	})
	return list
}
