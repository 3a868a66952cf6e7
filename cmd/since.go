package cmd

import (
	"strconv"
	"strings"
	"time"
)

const sinceHint = "a date (2026-03-02), a time (2026-03-02T15:04:05Z) or an age (36h, 14d, 2w)"

func parseSince(s string, now time.Time) (time.Time, error) { return parsePoint("--since", s, now) }

// parsePoint reads a point in time that a flag names: a date or time, local unless it
// has a zone, or an age before now.
func parsePoint(flag, s string, now time.Time) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, "2006-01-02 15:04", time.DateTime, "2006-01-02T15:04:05", time.RFC3339} {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return t, nil
		}
	}
	if age, ok := parseAge(s); ok {
		return now.Add(-age), nil
	}
	return time.Time{}, usagef(sinceHint, "%s %s is not a time", flag, quote(s))
}

// parseAge reads a whole number of hours, days or weeks.
func parseAge(s string) (time.Duration, bool) {
	units := map[string]time.Duration{"h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}
	digits := strings.TrimRight(s, "hdw")
	n, err := strconv.Atoi(digits)
	unit := units[s[len(digits):]]
	const century = 100 * 366 * 24
	if err != nil || unit == 0 || n < 0 || n > century {
		return 0, false
	}
	return time.Duration(n) * unit, true
}
