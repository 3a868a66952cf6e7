package keystore

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Catalog is the metadata of all keys. It holds no secret.
type Catalog struct {
	Generation uint64 `json:"generation"`   // one more with each change
	By         string `json:"by,omitempty"` // who made the last change
	Keys       []Key  `json:"keys"`         // sorted by name

	Protected []Protection `json:"protected,omitempty"` // sorted by environment
	TOTP      *TOTP        `json:"totp,omitempty"`      // nil if there is no authenticator

	// Items that belong to no version: those about to be written, and those that are
	// not needed any more. They are removed when something is changed next.
	Loose []Loose `json:"loose,omitempty"`

	// What scans find versions by that are gone, the newest last.
	Retired []Retired `json:"retired,omitempty"`
	// The key that digests are made with, sealed, if it came with a backup.
	DigestKey []byte `json:"digest_key,omitempty"`

	// The journals of rotations, the oldest first.
	Rotations []Rotation `json:"rotations,omitempty"`
}

// Retired is a version whose secrets are gone.
type Retired struct {
	Name
	Number  int       `json:"number"`
	Item    string    `json:"item"` // that held it
	Died    time.Time `json:"died"`
	Digests []byte    `json:"digests"`
	Key     []byte    `json:"digest_key,omitempty"` // that they were made with, sealed, if it is another
}

// Loose is an item that belongs to no version. Whoever noted one that is about to be
// written may make it a version's as long as it is not noted as removed, in metadata that
// are saved: then it goes. One that was stored need only be removed once more, in case
// that was cut short. Another is when it has cooled: a call that was given up may still
// have its effect.
type Loose struct {
	Item    string    `json:"item"`
	Since   time.Time `json:"since"`
	Stored  bool      `json:"stored,omitempty"`
	Removed bool      `json:"removed,omitempty"`
}

// catalogFormat is the version of the catalog's encoding.
const catalogFormat = 1

// Find returns the key of a name.
func (c *Catalog) Find(n Name) (*Key, bool) {
	i, ok := c.search(n)
	if !ok {
		return nil, false
	}
	return &c.Keys[i], true
}

func (c *Catalog) search(n Name) (int, bool) {
	return slices.BinarySearchFunc(c.Keys, n, func(k Key, n Name) int { return compareNames(k.Name, n) })
}

func compareNames(a, b Name) int {
	if d := strings.Compare(a.Env, b.Env); d != 0 {
		return d
	}
	return strings.Compare(a.Key, b.Key)
}

// put adds a key, or replaces the one of its name.
func (c *Catalog) put(k Key) {
	i, ok := c.search(k.Name)
	if !ok {
		c.Keys = slices.Insert(c.Keys, i, k)
		return
	}
	c.Keys[i] = k
}

// remove takes a key out.
func (c *Catalog) remove(n Name) {
	if i, ok := c.search(n); ok {
		c.Keys = slices.Delete(c.Keys, i, i+1)
	}
}

// encode writes the catalog as JSON, for people who look at it, too.
func (c *Catalog) encode() ([]byte, error) {
	b, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		return nil, fmt.Errorf("encode metadata: %w", err)
	}
	return append(b, '\n'), nil
}

// decodeCatalog is the inverse of encode. It refuses what encode cannot have written. No
// data are an empty catalog.
func decodeCatalog(data []byte) (*Catalog, error) {
	if data == nil {
		return &Catalog{}, nil
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	var c Catalog
	if err := d.Decode(&c); err != nil {
		return nil, fmt.Errorf("decode metadata: %w", err)
	}
	if d.InputOffset() != int64(len(data)-1) || data[len(data)-1] != '\n' {
		return nil, fmt.Errorf("decode metadata: something follows it")
	}
	return &c, c.check()
}

// check reports what in a catalog cannot be.
func (c *Catalog) check() error {
	for i := range c.Keys {
		k := &c.Keys[i]
		if _, err := ParseName(k.Name.String()); err != nil {
			return fmt.Errorf("metadata: %w", err)
		}
		if i > 0 && compareNames(c.Keys[i-1].Name, k.Name) >= 0 {
			return fmt.Errorf("metadata: %s is out of order", k.Name)
		}
		if len(k.Parts) == 0 {
			return fmt.Errorf("metadata: %s has no part", k.Name)
		}
		for _, p := range k.Parts {
			if err := ValidPart(p.Name); err != nil {
				return fmt.Errorf("metadata of %s: %w", k.Name, err)
			}
		}
		if _, ok := k.Version(Current); !ok && len(k.Versions) > 0 {
			return fmt.Errorf("metadata: %s has versions and none is current", k.Name)
		}
	}
	return c.checkProtected()
}
