package keystore

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Need is a key that a project needs in an environment, and how.
type Need struct {
	Name
	Variables map[string]string // that its parts go into, by the names of the parts; may be nil
	MaxAge    Days              // 0 if it may have any
	Owner     string            // who the project says is responsible for it
}

// Parts are the names of the parts that the project knows, sorted.
func (n Need) Parts() []string { return slices.Sorted(maps.Keys(n.Variables)) }

// Lack is a need that is not met.
type Lack struct {
	Need
	Why    string
	Absent bool // there is no such key at all
}

// Lacks lists the needs that the keys do not meet.
func (c *Catalog) Lacks(needs []Need) (list []Lack) {
	for _, n := range needs {
		k, ok := c.Find(n.Name)
		if ok {
			_, ok = k.Version(Current)
		}
		if !ok {
			list = append(list, Lack{n, "is not there", true})
			continue
		}
		missing := slices.DeleteFunc(n.Parts(), func(p string) bool { return slices.Contains(k.PartNames(), p) })
		if len(missing) > 0 {
			list = append(list, Lack{n, fmt.Sprintf("has no part %s, only %s", strings.Join(missing, ", "), strings.Join(k.PartNames(), ", ")), false})
		}
	}
	return list
}

// Require adds what a project asks for to what is known of keys, for looking at: an
// owner to those that have none, and a time after which they are to be replaced, if it is
// shorter than the user's own.
func (c *Catalog) Require(needs []Need) {
	for _, n := range needs {
		k, ok := c.Find(n.Name)
		if !ok {
			continue
		}
		k.Owner = cmp.Or(k.Owner, n.Owner)
		if n.MaxAge > 0 && (k.RotateEvery <= 0 || n.MaxAge < k.RotateEvery) {
			k.RotateEvery = n.MaxAge
		}
	}
}
