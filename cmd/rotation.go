package cmd

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/keywright/keywright/audit"
	"github.com/keywright/keywright/internal/durable"
	"github.com/keywright/keywright/internal/launch"
	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/rotate"
	"github.com/keywright/keywright/rotate/consumer"
	"github.com/keywright/keywright/secret"
)

// rotor is the user's keys as rotations work with them.
type rotor struct{ *keyring }

// engine is what drives rotations of the user's keys.
func (k *keyring) engine(ctx context.Context) (*rotate.Engine, error) {
	dir, err := keysDir()
	if err != nil {
		return nil, err
	}
	installation := who().Host + ":" + dir
	// Two machines may have the same name, and a copy of a keystore the same keys.
	mark, err := k.Mark(ctx, installation)
	if err != nil {
		return nil, err
	}
	r := rotor{k}
	known := providers()
	return &rotate.Engine{World: rotate.World{
		Store: r,
		Provider: func(name string) (provider.Provider, bool) {
			i := slices.IndexFunc(known, func(p provider.Provider) bool { return p.Info().Name == name })
			if i < 0 {
				return nil, false
			}
			return known[i], true
		},
		Consumer: func(key, spec string) (rotate.Consumer, error) {
			auth := func(ctx context.Context, name string) (provider.Credential, error) {
				c, err := r.credential(ctx, name)
				if errors.Is(err, keystore.ErrNoKey) {
					err = hintedError{err, "store it again: keywright set " + name + "\nor name all consumers, this one with another: keywright edit " + key + " --consumer …,auth=ENV/NAME\nthen: keywright rotate resume"}
				}
				return c, err
			}
			return consumer.World{Disk: k.term.disk, Auth: auth, Lock: r.lockFiles}.Open(spec)
		},
		Place:   consumer.Place,
		Running: r.running,
		Record:  r.recordRotation,
		Now:     time.Now,

		Installation: installation, By: actor(), Origin: provider.Installation(mark),
	}}, nil
}

// Key implements rotate.Store.
func (r rotor) Key(ctx context.Context, name string) (rotate.Key, error) {
	n, err := keystore.ParseName(name)
	if err != nil {
		return rotate.Key{}, err
	}
	catalog, err := r.Catalog(ctx)
	if err != nil {
		return rotate.Key{}, err
	}
	k, ok := catalog.Find(n)
	if !ok {
		return rotate.Key{}, &keystore.KeyError{Doing: "rotate", Name: n, Err: keystore.ErrNoKey}
	}
	if _, ok := k.Version(keystore.Current); !ok {
		return rotate.Key{}, &keystore.KeyError{Doing: "rotate", Name: n, Err: keystore.ErrNoVersion}
	}
	return rotated(k), nil
}

// Keys implements rotate.Store.
func (r rotor) Keys(ctx context.Context) (all []rotate.Key, err error) {
	catalog, err := r.Catalog(ctx)
	if err != nil {
		return nil, err
	}
	for i := range catalog.Keys {
		all = append(all, rotated(&catalog.Keys[i]))
	}
	return all, nil
}

// rotated is what the engine has to know of a key.
func rotated(k *keystore.Key) rotate.Key {
	v, _ := k.Version(keystore.Current)
	return rotate.Key{
		Name: k.Name.String(), Provider: k.Provider, Params: k.Params, ID: k.PublicID, Admin: k.Admin, Expires: k.Expires,
		Current: v.Number, Next: k.LastNumber + 1, Consumers: k.Consumers,
		Policy: rotate.Policy{Forbidden: k.Forbidden, RequireIPs: k.RequireIPs}, Rotation: k.Rotation,
	}
}

// Secrets implements rotate.Store.
func (r rotor) Secrets(ctx context.Context, name string, version int) (map[string]secret.Value, error) {
	n, err := keystore.ParseName(name)
	if err != nil {
		return nil, err
	}
	if err := r.permitted(ctx, n.Env); err != nil {
		return nil, err
	}
	return r.Numbered(ctx, n, version)
}

// credential is the current version of a key that a consumer is reached with. That is on
// record first.
func (r rotor) credential(ctx context.Context, name string) (provider.Credential, error) {
	key, err := r.Key(ctx, name)
	if err != nil {
		return provider.Credential{}, err
	}
	env, _, _ := strings.Cut(name, "/")
	if err := r.permitted(ctx, env); err != nil {
		return provider.Credential{}, err
	}
	if err := r.recordRotation(ctx, "rotate", name, key.Current, "a consumer is reached with it"); err != nil {
		return provider.Credential{}, err
	}
	parts, err := r.Secrets(ctx, name, key.Current)
	return provider.Credential{ID: key.ID, Parts: parts, Params: key.Params}, err
}

// Journal implements rotate.Store.
func (r rotor) Journal(ctx context.Context, id string) (*rotate.Journal, error) {
	all, err := r.journals(ctx)
	if err != nil {
		return nil, err
	}
	for _, j := range all {
		if j.ID == id {
			return j, nil
		}
	}
	return nil, fmt.Errorf("%w: %s", keystore.ErrNoRotation, quote(id))
}

// journals are those of all rotations that are kept, the oldest first.
func (r rotor) journals(ctx context.Context) (all []*rotate.Journal, err error) {
	kept, err := r.Rotations(ctx)
	if err != nil {
		return nil, err
	}
	for _, k := range kept {
		j := &rotate.Journal{}
		if err := json.Unmarshal(k.Journal, j); err != nil {
			return nil, fmt.Errorf("read the journal of rotation %s: %w", k.ID, err)
		}
		j.Key = k.Key.String() // which may have been given another name since
		all = append(all, j)
	}
	return all, nil
}

// holdPath is the file of the lock on a rotation.
func holdPath(id string) (string, error) {
	dir, err := keysDir()
	return filepath.Join(dir, "rotations", id), err
}

// Hold implements rotate.Store. The lock is one of this machine, and is gone with the
// process.
func (r rotor) Hold(_ context.Context, id string) (release func() error, err error) {
	path, err := holdPath(id)
	if err != nil {
		return nil, err
	}
	if err := r.term.disk.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	release, pid, err := durable.Claim(path)
	switch {
	case err != nil:
		return nil, err
	case release == nil:
		if _, err := launch.Inspect(pid); err != nil {
			pid = 0 // it is gone, and who came after it has not said yet who it is
		}
		return nil, &rotate.Held{PID: pid}
	}
	return release, nil
}

// longestDelivery is how long another keywright may keep the files of consumers.
const longestDelivery = time.Minute

// lockFiles keeps other keywrights from the files of consumers, of whatever key.
func (r rotor) lockFiles(ctx context.Context) (release func() error, err error) {
	path, err := holdPath("files")
	if err != nil {
		return nil, err
	}
	if err := r.term.disk.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, longestDelivery)
	defer cancel()
	release, err = durable.Lock(limited, path)
	if err != nil && ctx.Err() == nil && limited.Err() != nil {
		err = fmt.Errorf("another keywright has been changing files for %s", spanned(longestDelivery))
	}
	return release, err
}

// Save implements rotate.Store.
func (r rotor) Save(ctx context.Context, j *rotate.Journal, c rotate.Change) error {
	name, err := keystore.ParseName(j.Key)
	if err != nil {
		return err
	}
	b, err := json.Marshal(j)
	if err != nil {
		return err
	}
	kept := keystore.Rotation{ID: j.ID, Key: name, Revision: j.Revision, Journal: b, Closed: j.Closed, Left: j.Unclear || len(j.Suspects) > 0}
	if !j.Open() && !c.End {
		err = r.Amend(ctx, actor(), kept)
	} else {
		err = r.Rotate(ctx, actor(), kept, keystore.RotationChange{
			Begin: c.Begin, Pending: c.Pending, Number: j.New, Promote: c.Promote, Demote: c.Demote, Drop: c.Drop, Settle: c.Settle, Retire: c.Retire, End: c.End,
			PublicID: c.ID, Expires: c.Expires,
		})
	}
	if errors.Is(err, keystore.ErrRevision) {
		return rotate.ErrMoved
	}
	over := err == nil && c.End || err != nil && c.Begin // or it was never begun
	if path, failed := holdPath(j.ID); over && failed == nil {
		_ = os.Remove(path) // nobody can do anything with it any more, whoever holds it
	}
	return err
}

// recordRotation is the audit entry of a step that something depends on.
func (r rotor) recordRotation(ctx context.Context, verb, key string, version int, note string) error {
	name, err := keystore.ParseName(key)
	if err != nil {
		return err
	}
	e := entryFor(verb, audit.Granted, name)
	e.Version = fmt.Sprint(version)
	e.Reason = strings.TrimPrefix(cmp.Or(r.permits[name.Env], r.reason)+": "+note, ": ")
	return r.append(ctx, e)
}

// running are the programs that run started with a version of a key, on this machine, and
// that are still there. A key that was given another name is looked for by both: that it
// was is put on record before, and may have failed.
func (r rotor) running(ctx context.Context, key string, version int) (running []rotate.Process, err error) {
	given := map[string][]audit.Entry{} // by name
	var left audit.Entry                // the half of a move that says what the name was
	for e, err := range r.log.Entries(ctx, audit.Filter{Decision: audit.Granted}) {
		entry := errors.Is(err, audit.ErrErased) || errors.Is(err, audit.ErrSchema) || errors.As(err, new(*audit.Fault))
		switch {
		case err != nil && !entry:
			return nil, fmt.Errorf("look for programs that have the key: %w", err)
		case err != nil:
		case e.Verb == "run" && e.Child != nil && e.Child.Start != 0 && e.Host == who().Host:
			given[e.Key] = append(given[e.Key], e)
		case e.Verb == "mv" && left.Verb == "mv" && left.Seq+1 == e.Seq:
			given[e.Key] = append(given[e.Key], given[left.Key]...)
			left = audit.Entry{}
		case e.Verb == "mv":
			left = e
		}
	}
	for _, e := range given[key] {
		if e.Version != fmt.Sprint(version) {
			continue
		}
		p, err := launch.Inspect(e.Child.PID)
		same := err == nil && p.Start == e.Child.Start && p.Boot == e.Child.Boot
		if same && !slices.ContainsFunc(running, func(o rotate.Process) bool { return o.PID == p.PID }) {
			running = append(running, rotate.Process{PID: p.PID, Program: p.Name, Started: e.Child.Started})
		}
	}
	return running, nil
}
