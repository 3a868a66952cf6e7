package keystore

import (
	"fmt"
	"slices"
	"time"
)

// Concern is a reason to look at a key.
type Concern string

// The concerns, the most urgent first.
const (
	Expired  Concern = "expired"  // its time is over
	Expiring Concern = "expiring" // it will be, soon
	Overdue  Concern = "overdue"  // it is older than its owner wants it to be
)

// Due is a key and a reason to look at it.
type Due struct {
	Key     *Key
	Concern Concern
	When    time.Time // it expires, expired, or was to be replaced
}

// Text says it in a few words, as seen from now.
func (d Due) Text(now time.Time) string {
	days := func(span time.Duration) string { return fmt.Sprintf("%d d", int(span.Hours()/24)) }
	switch d.Concern {
	case Expired:
		return "expired " + days(now.Sub(d.When)) + " ago"
	case Expiring:
		return "expires in " + days(d.When.Sub(now))
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
		replace := v.Created.AddDate(0, 0, int(k.RotateEvery))
		switch {
		case !k.Expires.IsZero() && !k.Expires.After(now):
			list = append(list, Due{k, Expired, k.Expires})
		case !k.Expires.IsZero() && k.Expires.Before(now.Add(within)):
			list = append(list, Due{k, Expiring, k.Expires})
		case k.RotateEvery > 0 && !replace.After(now):
			list = append(list, Due{k, Overdue, replace})
		}
	}
	rank := []Concern{Expired, Expiring, Overdue}
	slices.SortStableFunc(list, func(a, b Due) int {
		if d := slices.Index(rank, a.Concern) - slices.Index(rank, b.Concern); d != 0 {
			return d
		}
		return a.When.Compare(b.When)
	})
	return list
}
