package keystore

import (
	"fmt"
	"slices"
)

// Dependent is a key that cannot be replaced without another one.
type Dependent struct {
	Name
	// Consumer is the one that is reached with the other key; empty if the other is what
	// changes are made with.
	Consumer string
}

// Text says it in a few words, of "it", the other key.
func (d Dependent) Text() string {
	if d.Consumer == "" {
		return d.Name.String() + " is changed with it"
	}
	return d.Name.String() + " is delivered with it, to " + d.Consumer
}

// Dependents lists the other keys that a key is needed for. Auth is the name of the key
// that a consumer is reached with, or empty.
func (c *Catalog) Dependents(on Name, auth func(consumer string) string) (list []Dependent) {
	for i := range c.Keys {
		k := &c.Keys[i]
		if k.Name == on {
			continue
		}
		if k.Admin == on.String() {
			list = append(list, Dependent{k.Name, ""})
		}
		for _, spec := range k.Consumers {
			if auth(spec) == on.String() {
				list = append(list, Dependent{k.Name, spec})
			}
		}
	}
	return list
}

// DependentsFirst sorts names of keys such that each comes after those among them that it
// is needed for: as they are replaced, it is valid. Of keys that need each other, the first
// stays first. Auth is as with Dependents.
func (c *Catalog) DependentsFirst(names []Name, auth func(consumer string) string) (sorted []Name) {
	left := slices.Clone(names)
	dependents := map[Name][]Dependent{}
	for _, n := range names {
		dependents[n] = c.Dependents(n, auth)
	}
	needed := func(n Name) bool {
		return slices.ContainsFunc(dependents[n], func(d Dependent) bool { return slices.Contains(left, d.Name) })
	}
	for len(left) > 0 {
		i := max(0, slices.IndexFunc(left, func(n Name) bool { return !needed(n) }))
		sorted = append(sorted, left[i])
		left = slices.Delete(left, i, i+1)
	}
	return sorted
}

// Stranded are the keys that cannot be replaced as another one is not there, and the names
// of those, sorted. Auth is as with Dependents.
func (c *Catalog) Stranded(auth func(consumer string) string) map[Name][]string {
	stranded := map[Name][]string{}
	for i := range c.Keys {
		k := &c.Keys[i]
		needs := []string{k.Admin}
		for _, spec := range k.Consumers {
			needs = append(needs, auth(spec))
		}
		slices.Sort(needs)
		for _, need := range slices.Compact(needs) {
			if need != "" && !c.has(need) {
				stranded[k.Name] = append(stranded[k.Name], need)
			}
		}
	}
	return stranded
}

// has reports whether there is a key of a name.
func (c *Catalog) has(text string) bool {
	return slices.ContainsFunc(c.Keys, func(k Key) bool { return k.Name.String() == text })
}

// Renamer writes a consumer anew that may be reached with a key, which is given another
// name. What a consumer looks like is not the keystore's to know.
type Renamer func(consumer, from, to string) (string, error)

// WithRenamer makes Move tell consumers, too, of new names.
func (s *Store) WithRenamer(r Renamer) *Store {
	s.renamer = r
	return s
}

// rename makes the keys that are changed or delivered with a key know it by another name.
// What a rotation that is open delivers to stands in its journal, and is not renamed: then
// it is an error.
func (c *Catalog) rename(from, to Name, renamed Renamer) error {
	for i := range c.Keys {
		k := &c.Keys[i]
		if k.Admin == from.String() {
			k.Admin = to.String()
		}
		if renamed == nil {
			continue
		}
		for j, spec := range k.Consumers {
			text, err := renamed(spec, from.String(), to.String())
			if err != nil {
				return fmt.Errorf("%s: %w", k.Name, err)
			}
			if err := k.still(); err != nil && text != spec {
				return fmt.Errorf("%s is delivered with it: %w", k.Name, err)
			}
			k.Consumers[j] = text
		}
	}
	return nil
}
