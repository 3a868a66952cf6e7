package consumer

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/keywright/keywright/internal/edit"
	"github.com/keywright/keywright/rotate"
	"github.com/keywright/keywright/secret"
)

// maxFile is how large a file may be in which people keep keys.
const maxFile = 16 << 20

// file is a .env file, JSON or YAML.
type file struct {
	world  World
	path   string
	format string
	fields []Field
}

// opened is a file that was read.
type opened struct {
	original *edit.Original
	content  *edit.File
	held     map[string]secret.Value // by part
}

func (o *opened) wipe() {
	o.original.Wipe()
	o.content.Wipe()
}

// fail is an error about the file or one of its fields.
func (f *file) fail(doing, field string, err error) error {
	return &Error{doing, f.path, field, bare(err)}
}

func (f *file) open(ctx context.Context, doing string) (*opened, error) {
	if err := ctx.Err(); err != nil {
		return nil, f.fail(doing, "", err)
	}
	original, err := edit.OpenOn(f.world.Disk, f.path, maxFile)
	if err != nil {
		return nil, f.fail(doing, "", err)
	}
	content, err := edit.Read(f.format, original.Data())
	if err != nil {
		original.Wipe()
		return nil, f.fail(doing, "", err)
	}
	o := &opened{original, content, map[string]secret.Value{}}
	for _, field := range f.fields {
		v, err := content.Find(field.Name)
		if err != nil {
			o.wipe()
			return nil, f.fail(doing, field.Name, err)
		}
		o.held[field.Part] = v.Value
	}
	return o, nil
}

// Holds implements rotate.Consumer: the parts that the spec names.
func (f *file) Holds(ctx context.Context) (map[string]secret.Value, error) {
	o, err := f.open(ctx, "read")
	if err != nil {
		return nil, err
	}
	defer o.wipe()
	held := map[string]secret.Value{}
	for part, v := range o.held {
		held[part] = secret.New(v.Reveal())
	}
	return held, nil
}

// lock keeps other keywrights from files.
func (f *file) lock(ctx context.Context) (release func() error, err error) {
	if f.world.Lock == nil {
		return func() error { return nil }, nil
	}
	return f.world.Lock(ctx)
}

// Check implements rotate.Checker: a new version can be made beside the file.
func (f *file) Check(ctx context.Context) error {
	const doing = "try to deliver to"
	release, err := f.lock(ctx)
	if err != nil {
		return f.fail(doing, "", err)
	}
	defer release()
	o, err := f.open(ctx, "read")
	if err != nil {
		return err
	}
	defer o.wipe()
	if err := o.original.Replaceable(); err != nil {
		return f.fail(doing, "", err)
	}
	return nil
}

// Deliver implements rotate.Consumer. Of a key's parts it looks at those that the spec
// names. If the file could not be replaced, it is looked at once more whether it was.
func (f *file) Deliver(ctx context.Context, from, to map[string]secret.Value) error {
	const doing = "deliver to"
	for _, field := range f.fields {
		for _, parts := range []map[string]secret.Value{from, to} {
			if parts[field.Part].IsZero() {
				return &rotate.Untouched{Err: f.fail(doing, field.Name, fmt.Errorf("%w: %s", ErrNoPart, field.Part))}
			}
		}
	}
	release, err := f.lock(ctx)
	if err != nil {
		return &rotate.Untouched{Err: f.fail(doing, "", err)}
	}
	defer release() // it ends with the process at the latest
	o, err := f.open(ctx, doing)
	if err != nil {
		return &rotate.Untouched{Err: err}
	}
	defer o.wipe()
	next, err := f.next(o, from, to)
	defer clear(next)
	if err != nil {
		return &rotate.Untouched{Err: err}
	}
	if next == nil {
		return nil
	}
	err = o.original.Replace(next)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, edit.ErrChanged) || o.original.Unchanged() == nil: // who changed it was somebody else
		return &rotate.Untouched{Err: f.fail(doing, "", err)}
	}
	return f.fail(doing, "", err)
}

// next is what the file is to be; nil if it is that already.
func (f *file) next(o *opened, from, to map[string]secret.Value) ([]byte, error) {
	const doing = "deliver to"
	there, err := f.compare(o, from, to)
	if err != nil {
		return nil, err
	}
	if err := f.sweep(o, from, to); err != nil {
		return nil, f.fail(doing, "", err)
	}
	if there {
		return nil, nil
	}
	next, err := o.content.Put(f.values(to))
	if err != nil {
		return nil, f.fail(doing, "", err)
	}
	return next, nil
}

// values are the parts by the names of the fields.
func (f *file) values(parts map[string]secret.Value) map[string]secret.Value {
	values := map[string]secret.Value{}
	for _, field := range f.fields {
		values[field.Name] = parts[field.Part]
	}
	return values
}

// compare reports whether the file holds the new values already. If it holds the old ones
// it does not; anything else is drift.
func (f *file) compare(o *opened, from, to map[string]secret.Value) (there bool, err error) {
	key := []byte(rand.Text())
	before, after := 0, 0
	for _, field := range f.fields {
		held := o.held[field.Part].Digest(key)
		isOld, isNew := held == from[field.Part].Digest(key), held == to[field.Part].Digest(key)
		if isOld {
			before++
		}
		if isNew {
			after++
		}
		if !isOld && !isNew {
			return false, f.fail("deliver to", field.Name, rotate.ErrDrift)
		}
	}
	switch len(f.fields) {
	case after:
		return true, nil
	case before:
		return false, nil
	}
	return false, f.fail("deliver to", "", fmt.Errorf("%w: some of its values are old, and some are new", rotate.ErrDrift))
}

// sweep removes what is left of an earlier attempt that was killed, in either direction.
func (f *file) sweep(o *opened, versions ...map[string]secret.Value) error {
	contents := [][]byte{o.original.Data()}
	for _, parts := range versions {
		content, err := o.content.Put(f.values(parts))
		if err != nil {
			continue // then it was never written
		}
		defer clear(content)
		contents = append(contents, content)
	}
	return o.original.Sweep(contents...)
}
