package keystore

import (
	"cmp"
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"slices"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/keywright/keywright/secret"
)

// Digester makes of a value what it can be found by, without the value; nothing if it
// is too weak for that. What it makes may let who has the key try guesses.
type Digester func(key []byte, value secret.Value) []byte

// Findable is what texts can be searched for.
type Findable struct {
	Key     secret.Value // that the digests were made with
	Values  []FindableValue
	Without int // versions that were stored without a Digester
}

// FindableValue is a part of a version, and what it is found by.
type FindableValue struct {
	Name
	Part   string
	Number int // of the version
	Stage  Stage
	Died   time.Time // when it was retired; zero if it was not
	Digest []byte    // empty if the value is too weak
}

// Findable returns what the parts of all versions are found by, those included that are
// gone, by their names.
func (s *Store) Findable(ctx context.Context) (f Findable, err error) {
	state, err := s.load(ctx)
	if err != nil || state.key.IsZero() {
		return f, err
	}
	f.Key = digestKey(state.key)
	add := func(v FindableValue, item string, sealed []byte) {
		parts, err := openDigests(state.key, item, sealed)
		if err != nil {
			f.Without++
			return
		}
		for name, digest := range parts {
			v.Part, v.Digest = name, digest.Reveal()
			f.Values = append(f.Values, v)
		}
	}
	for i := range state.catalog.Keys {
		for _, v := range state.catalog.Keys[i].Versions {
			add(FindableValue{Name: state.catalog.Keys[i].Name, Number: v.Number, Stage: v.Stage}, v.Item, v.Digests)
		}
	}
	for _, r := range state.catalog.Retired {
		add(FindableValue{Name: r.Name, Number: r.Number, Stage: Gone, Died: r.Died}, r.Item, r.Digests)
	}
	slices.SortStableFunc(f.Values, func(a, b FindableValue) int {
		return cmp.Or(compareNames(a.Name, b.Name), cmp.Compare(a.Part, b.Part))
	})
	return f, nil
}

// Shared lists the keys whose current secrets stand in another environment, too, with
// the names of those there.
func (f Findable) Shared() map[Name][]Name {
	same := map[string][]Name{}
	for _, v := range f.Values {
		if v.Stage == Current && len(v.Digest) > 0 {
			same[string(v.Digest)] = append(same[string(v.Digest)], v.Name)
		}
	}
	shared := map[Name][]Name{}
	for _, names := range same {
		for _, a := range names {
			for _, b := range names {
				if a.Env != b.Env && !slices.Contains(shared[a], b) {
					shared[a] = append(shared[a], b)
				}
			}
		}
	}
	for _, names := range shared {
		slices.SortFunc(names, compareNames)
	}
	return shared
}

// Weak lists the parts of current versions that are too weak to be looked for, by key.
func (f Findable) Weak() map[Name][]string {
	weak := map[Name][]string{}
	for _, v := range f.Values {
		if v.Stage == Current && len(v.Digest) == 0 {
			weak[v.Name] = append(weak[v.Name], v.Part)
		}
	}
	return weak
}

// Sighted notes where values of keys were met. Keys that are not there any more, and
// sightings that are known, are passed over; if no other is left, nothing is written.
func (s *Store) Sighted(ctx context.Context, seen map[Name][]Sighting) error {
	note := func(c *Catalog) (added bool) {
		for name, all := range seen {
			if k, ok := c.Find(name); ok {
				for _, one := range all {
					added = k.add(one) || added
				}
			}
		}
		return added
	}
	catalog, err := s.Catalog(ctx)
	if err != nil || !note(catalog) {
		return err
	}
	return s.change(ctx, func(t *transaction) error {
		note(t.catalog)
		return nil
	})
}

// digestKey and sealingKey are made of the key of the metadata.
func digestKey(key secret.Value) secret.Value  { return derived(key, "digests of values") }
func sealingKey(key secret.Value) secret.Value { return derived(key, "seal of digests") }

func derived(key secret.Value, purpose string) secret.Value {
	b, err := hkdf.Expand(sha256.New, key.Reveal(), purpose, sha256.Size)
	if err != nil {
		panic(err) // it is asked for too much
	}
	defer clear(b)
	return secret.New(b)
}

// digests are what the parts of a version are found by, sealed for its item.
func (t *transaction) digests(item string, parts Parts) ([]byte, error) {
	if t.store.digest == nil {
		return nil, nil
	}
	made := Parts{}
	defer made.Wipe()
	key := digestKey(t.key)
	for name, value := range parts {
		made[name] = secret.New(t.store.digest(key.Reveal(), value))
	}
	packed := made.pack()
	defer packed.Wipe()
	aead, err := chacha20poly1305.NewX(sealingKey(t.key).Reveal())
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, chacha20poly1305.NonceSizeX)
	rand.Read(nonce)
	return aead.Seal(nonce, nonce, packed.Reveal(), []byte(item)), nil
}

var errNoDigests = errors.New("no digests")

func openDigests(key secret.Value, item string, sealed []byte) (Parts, error) {
	if len(sealed) < chacha20poly1305.NonceSizeX {
		return nil, errNoDigests
	}
	aead, err := chacha20poly1305.NewX(sealingKey(key).Reveal())
	if err != nil {
		return nil, err
	}
	nonce, text := sealed[:chacha20poly1305.NonceSizeX], sealed[chacha20poly1305.NonceSizeX:]
	packed, err := aead.Open(nil, nonce, text, []byte(item))
	if err != nil {
		return nil, errNoDigests
	}
	return unpack(secret.New(packed))
}

// bury takes leave of a version: its item goes, and what it is found by stays.
func (t *transaction) bury(name Name, v Version) {
	t.loosen(v.Item, true)
	if len(v.Digests) > 0 {
		t.catalog.Retired = append(t.catalog.Retired, Retired{name, v.Number, v.Item, t.store.now().UTC(), v.Digests})
	}
}
