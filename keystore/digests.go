package keystore

import (
	"cmp"
	"context"
	"crypto/cipher"
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
	Values  []FindableValue
	Without int // versions that were stored without a Digester
}

// FindableValue is a part of a version, and what it is found by.
type FindableValue struct {
	Name
	Part   string
	Number int // of the version
	Stage  Stage
	Died   time.Time    // when it was retired; zero if it was not
	Key    secret.Value // that the digest was made with
	Digest []byte       // empty if the value is too weak
}

// Findable returns what the parts of all versions are found by, those included that are
// gone, by their names.
func (s *Store) Findable(ctx context.Context) (f Findable, err error) {
	state, err := s.load(ctx)
	if err != nil || state.key.IsZero() {
		return f, err
	}
	own, err := state.digestKey()
	if err != nil {
		return f, err
	}
	add := func(v FindableValue, parts Parts) {
		for name, digest := range parts {
			v.Part, v.Digest = name, digest.Reveal()
			f.Values = append(f.Values, v)
		}
	}
	for i := range state.catalog.Keys {
		for _, v := range state.catalog.Keys[i].Versions {
			parts, err := openDigests(state.key, v.Item, v.Digests)
			if err != nil {
				f.Without++
				continue
			}
			add(FindableValue{Name: state.catalog.Keys[i].Name, Number: v.Number, Stage: v.Stage, Key: own}, parts)
		}
	}
	for i := range state.catalog.Retired {
		r, err := state.openRetired(&state.catalog.Retired[i], own)
		if err != nil {
			f.Without++
			continue
		}
		add(FindableValue{Name: r.Name, Number: r.Number, Stage: Gone, Died: r.Died, Key: r.Key}, r.Digests)
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
// By is who acts.
func (s *Store) Sighted(ctx context.Context, by string, seen map[Name][]Sighting) error {
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
	return s.change(ctx, by, func(t *transaction) error {
		note(t.catalog)
		return nil
	})
}

// RetiredValues are what the parts of a version are found by whose secrets are gone.
type RetiredValues struct {
	Name
	Number  int
	Item    string // that held it, named nowhere else: two of one item are the same
	Died    time.Time
	Key     secret.Value // that the digests were made with
	Digests Parts        // digests, not secrets
}

// Retired returns what versions that are gone are found by, the newest last. Those whose
// digests are damaged are left out.
func (s *Store) Retired(ctx context.Context) (all []RetiredValues, err error) {
	state, err := s.load(ctx)
	if err != nil || state.key.IsZero() {
		return nil, err
	}
	own, err := state.digestKey()
	if err != nil {
		return nil, err
	}
	for i := range state.catalog.Retired {
		if r, err := state.openRetired(&state.catalog.Retired[i], own); err == nil {
			all = append(all, r)
		}
	}
	return all, nil
}

// digestKeyName is what a key of digests is sealed for.
const digestKeyName = "digest-key"

// digestKey is what the digests of versions are made with: a key of the metadata's own,
// or one that came with a backup.
func (s *state) digestKey() (secret.Value, error) {
	if len(s.catalog.DigestKey) == 0 {
		return derived(s.key, "digests of values"), nil
	}
	return unsealFor(s.key, digestKeyName, s.catalog.DigestKey)
}

// openRetired opens what a version that is gone is found by. Its digests were made with
// the store's own key unless it says otherwise.
func (s *state) openRetired(r *Retired, own secret.Value) (v RetiredValues, err error) {
	v = RetiredValues{Name: r.Name, Number: r.Number, Item: r.Item, Died: r.Died, Key: own}
	if len(r.Key) > 0 {
		if v.Key, err = unsealFor(s.key, digestKeyName, r.Key); err != nil {
			return v, err
		}
	}
	v.Digests, err = openDigests(s.key, r.Item, r.Digests)
	return v, err
}

// Mark is a digest of a text that is another one in each keystore, and no secret.
func (s *Store) Mark(ctx context.Context, text string) (mark [sha256.Size]byte, err error) {
	state, err := s.load(ctx)
	if err != nil {
		return mark, err
	}
	copy(mark[:], derived(state.key, "mark of "+text).Reveal())
	return mark, nil
}

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
	key, err := t.digestKey()
	if err != nil {
		return nil, err
	}
	made := Parts{}
	defer made.Wipe()
	for name, value := range parts {
		made[name] = secret.New(t.store.digest(key.Reveal(), value))
	}
	packed := made.pack()
	defer packed.Wipe()
	return sealFor(t.key, item, packed), nil
}

func openDigests(key secret.Value, item string, sealed []byte) (Parts, error) {
	packed, err := unsealFor(key, item, sealed)
	if err != nil {
		return nil, err
	}
	return unpack(packed)
}

// sealFor encrypts what is kept in the metadata, which people may read, such that it
// opens for the same item alone.
func sealFor(key secret.Value, item string, text secret.Value) []byte {
	nonce := make([]byte, chacha20poly1305.NonceSizeX)
	rand.Read(nonce)
	return sealing(key).Seal(nonce, nonce, text.Reveal(), []byte(item))
}

var errNoDigests = errors.New("no digests")

// unsealFor is the inverse of sealFor.
func unsealFor(key secret.Value, item string, sealed []byte) (secret.Value, error) {
	if len(sealed) < chacha20poly1305.NonceSizeX {
		return secret.Value{}, errNoDigests
	}
	nonce, text := sealed[:chacha20poly1305.NonceSizeX], sealed[chacha20poly1305.NonceSizeX:]
	plain, err := sealing(key).Open(nil, nonce, text, []byte(item))
	if err != nil {
		return secret.Value{}, errNoDigests
	}
	defer clear(plain)
	return secret.New(plain), nil
}

// sealing is the cipher of what is sealed in the metadata.
func sealing(key secret.Value) cipher.AEAD {
	aead, err := chacha20poly1305.NewX(derived(key, "seal of digests").Reveal())
	if err != nil {
		panic(err) // the key has not its size
	}
	return aead
}

// bury takes leave of a version: its item goes, and what it is found by stays.
func (t *transaction) bury(name Name, v Version) {
	t.free(v.Item)
	if len(v.Digests) > 0 {
		t.catalog.Retired = append(t.catalog.Retired, Retired{Name: name, Number: v.Number, Item: v.Item, Died: t.store.now().UTC(), Digests: v.Digests})
	}
}
