package provider

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Lineage says what issued a credential. It stands in the name or label of that.
type Lineage struct {
	Installation string // as Installation makes it; empty if it is not told, as in older labels
	Rotation     string // its id
}

// Installation is a name of four characters, made of a digest: it tells the installations
// that issue at one account from each other.
func Installation(digest [32]byte) string {
	return base32(uint64(digest[0])<<12|uint64(digest[1])<<4|uint64(digest[2])>>4, 4)
}

// base32 writes a number in digits and the letters from a to v.
func base32(n uint64, digits int) string {
	return fmt.Sprintf("%0*s", digits, strconv.FormatUint(n, 32))
}

// The labels that there are: as String and Short write them, with and without an
// installation, and one that KuCoin's keys had.
var (
	longLabel  = regexp.MustCompile(`^keywright-(?:([0-9a-v]{4})-)?([0-9]{8}-[0-9a-f]{8})$`)
	shortLabel = regexp.MustCompile(`^kw([0-9a-v]{4})([0-9a-v]{10})$`)
	olderShort = regexp.MustCompile(`^k([0-9]{6})_([0-9a-f]{8})$`)
	olderLabel = regexp.MustCompile(`^keyw-([0-9]{8}-[0-9a-f]{8})$`)
)

// firstDay is that of which short labels count.
var firstDay = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

const day = "20060102"

// String is the label as people read it: of letters, digits and hyphens, 32 characters.
func (l Lineage) String() string {
	if l.Installation == "" {
		return "keywright-" + l.Rotation
	}
	return "keywright-" + l.Installation + "-" + l.Rotation
}

// Short is the label where there is room for few characters: 16, which are letters and
// digits (and without an installation an underscore).
func (l Lineage) Short() string {
	days, number, ok := l.rotation()
	switch {
	case !ok:
		return l.String()
	case l.Installation == "":
		return "k" + l.Rotation[2:8] + "_" + l.Rotation[9:]
	}
	return "kw" + l.Installation + base32(days<<32|number, 10)
}

// rotation is the day and the number that a rotation's id is made of; false for what is no
// such id.
func (l Lineage) rotation() (days, number uint64, ok bool) {
	date, digits, _ := strings.Cut(l.Rotation, "-")
	at, err := time.Parse(day, date)
	if err != nil || at.Before(firstDay) || at.Year() > 2099 || len(digits) != 8 {
		return 0, 0, false
	}
	number, err = strconv.ParseUint(digits, 16, 32)
	return uint64(at.Sub(firstDay) / (24 * time.Hour)), number, err == nil
}

// ParseLineage reads a label in any of its forms. It reports false for what is none.
func ParseLineage(label string) (l Lineage, ok bool) {
	if m := longLabel.FindStringSubmatch(label); m != nil {
		l = Lineage{m[1], m[2]}
	} else if m := olderLabel.FindStringSubmatch(label); m != nil {
		l = Lineage{"", m[1]}
	} else if m := olderShort.FindStringSubmatch(label); m != nil {
		l = Lineage{"", "20" + m[1] + "-" + m[2]}
	} else if m := shortLabel.FindStringSubmatch(label); m != nil {
		n, _ := strconv.ParseUint(m[2], 32, 64) // it has 50 bits
		at := firstDay.AddDate(0, 0, int(n>>32))
		l = Lineage{m[1], fmt.Sprintf("%s-%08x", at.Format(day), uint32(n))}
	}
	if _, _, ok = l.rotation(); !ok {
		return Lineage{}, false
	}
	return l, true
}
