package keystore

import (
	"maps"
	"slices"
	"time"
)

// Key is what is known of a key beside its secrets.
type Key struct {
	Name
	Parts       []Part            `json:"parts"`
	Provider    string            `json:"provider,omitempty"`
	Params      map[string]string `json:"params,omitempty"`    // of the provider
	PublicID    string            `json:"public_id,omitempty"` // what the provider calls it
	Admin       string            `json:"admin,omitempty"`     // the name of the key that it is changed with; empty for itself
	Consumers   []string          `json:"consumers,omitempty"` // where new versions are delivered to
	Owner       string            `json:"owner,omitempty"`
	Description string            `json:"description,omitempty"`
	Scopes      []string          `json:"scopes,omitempty"`
	Tags        []string          `json:"tags,omitempty"`
	Use         Use               `json:"use,omitempty"`             // that is permitted; empty for Reveal
	Forbidden   []string          `json:"forbidden,omitempty"`       // rights that no new version may have
	RequireIPs  bool              `json:"require_ip_list,omitempty"` // of a new version: that it is bound to addresses
	Created     time.Time         `json:"created"`
	Expires     time.Time         `json:"expires,omitzero"`
	RotateEvery Days              `json:"rotate_every_days,omitempty"`
	Versions    []Version         `json:"versions"`     // the newest first
	LastNumber  int               `json:"last_version"` // that a version was given
	Sightings   []Sighting        `json:"sightings,omitempty"`
	Rotation    string            `json:"rotation,omitempty"` // the open one, which alone may change it
}

// Sighting is a place outside of the store where a scan met a value of a key. There is
// one for each place and version, the first.
type Sighting struct {
	Version int       `json:"version"` // its number
	Part    string    `json:"part"`
	Where   string    `json:"where"` // the repository or directory
	Path    string    `json:"path,omitempty"`
	Commit  string    `json:"commit,omitempty"` // that brought it
	Pushed  bool      `json:"pushed,omitempty"` // the commit was on a remote branch, as of the last fetch
	Seen    time.Time `json:"seen"`
}

// sameAs reports whether it is the same place and version, whenever it was seen.
func (s Sighting) sameAs(o Sighting) bool {
	s.Seen, s.Pushed = o.Seen, o.Pushed
	return s == o
}

// maxSightings is how many are kept of a version: the first ones, and one that was pushed.
const maxSightings = 20

// add keeps a sighting if it is a new one. Of one that is known it keeps that it was
// pushed, which cannot be undone.
func (k *Key) add(s Sighting) (added bool) {
	if at := slices.IndexFunc(k.Sightings, s.sameAs); at >= 0 {
		known := &k.Sightings[at]
		added = s.Pushed && !known.Pushed
		known.Pushed = known.Pushed || s.Pushed
		return added
	}
	of, last, pushed := 0, 0, false
	for i, known := range k.Sightings {
		if known.Version == s.Version {
			of, last, pushed = of+1, i, pushed || known.Pushed
		}
	}
	if of >= maxSightings {
		if !s.Pushed || pushed {
			return false
		}
		k.Sightings[last] = s
		return true
	}
	k.Sightings = append(k.Sightings, s)
	return true
}

// seen is a sighting of a version, one that was pushed before others.
func (k *Key) seen(version int) (found Sighting, ok bool) {
	for _, s := range k.Sightings {
		if s.Version == version && (!ok || s.Pushed && !found.Pushed) {
			found, ok = s, true
		}
	}
	return found, ok
}

// Use is what a key is for. It keeps from slips: what a program is handed, it can show.
type Use string

// The uses.
const (
	Reveal Use = "reveal" // whatever is asked for
	Run    Use = "run"    // to be handed to programs, by run and by rotations, and not shown
)

// MayReveal reports whether the secrets may be shown to people, or given out as text. Of
// a use that is not known they may not.
func (k *Key) MayReveal() bool { return k.Use == "" || k.Use == Reveal }

// Days is a span of time as people give it to keys.
type Days int

// Part is a part of a key, and where it goes.
type Part struct {
	Name     string `json:"name"`
	Variable string `json:"variable,omitempty"` // that run sets for it
}

// Stage says what a version is for.
type Stage string

// The stages. A key has one current version, and at most one of each other stage.
const (
	Current  Stage = "current"
	Pending  Stage = "pending"  // stored, not relied on yet
	Previous Stage = "previous" // replaced, kept for undoing
	Gone     Stage = "retired"  // its secrets are gone: of a Retired alone
)

// Version is one set of a key's secrets.
type Version struct {
	Number  int       `json:"number"` // from 1, never used again
	Stage   Stage     `json:"stage"`
	Item    string    `json:"item"` // that holds all its parts
	Created time.Time `json:"created"`
	By      string    `json:"by"`

	// Digests are what scans find the parts by, sealed; empty if there are none.
	Digests []byte `json:"digests,omitempty"`
}

// Version returns the version of a stage.
func (k *Key) Version(s Stage) (Version, bool) {
	i := slices.IndexFunc(k.Versions, func(v Version) bool { return v.Stage == s })
	if i < 0 {
		return Version{}, false
	}
	return k.Versions[i], true
}

// PartNames are the names of the key's parts in their order.
func (k *Key) PartNames() []string {
	names := make([]string, len(k.Parts))
	for i, p := range k.Parts {
		names[i] = p.Name
	}
	return names
}

// clone is a copy that shares nothing with the key.
func (k *Key) clone() Key {
	c := *k
	c.Parts, c.Scopes, c.Tags, c.Versions = slices.Clone(k.Parts), slices.Clone(k.Scopes), slices.Clone(k.Tags), slices.Clone(k.Versions)
	c.Params, c.Sightings, c.Consumers = maps.Clone(k.Params), slices.Clone(k.Sightings), slices.Clone(k.Consumers)
	return c
}
