package gitrepo

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/keywright/keywright/scan/packfile"
)

// Inventory is what of a repository decides the result of a scan of its history:
// which packs and loose objects there are, and where history begins. Taking it
// reads no object.
type Inventory struct {
	Packs []PackInfo
	Loose IDs     // of all object directories, sorted
	Sizes []int64 // of the files of each, together: what is cut off later shows
	Roots IDs     // what references, reflogs and the like name, and trees of indexes; sorted
	Notes IDs     // what references and reflogs below refs/notes name; sorted
	Index IDs     // the blobs that the indexes name; sorted
	Tips  IDs     // sorted
	Head  ID
	Rest  []byte // digest of shallow boundary, grafts and replacements
	// Substituted says that there are grafts or replacements.
	Substituted bool
}

// IDs is a list of object ids that encodes as one piece.
type IDs []ID

// MarshalBinary returns the ids one after the other.
func (ids IDs) MarshalBinary() ([]byte, error) {
	out := make([]byte, 0, len(ids)*packfile.Size)
	for _, id := range ids {
		out = append(out, id[:]...)
	}
	return out, nil
}

// UnmarshalBinary is the inverse of MarshalBinary.
func (ids *IDs) UnmarshalBinary(data []byte) error {
	if len(data)%packfile.Size != 0 {
		return errors.New("not a list of object ids")
	}
	*ids = make(IDs, len(data)/packfile.Size)
	for i := range *ids {
		(*ids)[i] = ID(data[i*packfile.Size:])
	}
	return nil
}

// Has reports whether the list, which must be sorted, holds an id.
func (ids IDs) Has(id ID) bool {
	_, ok := ids.find(id)
	return ok
}

func (ids IDs) find(id ID) (int, bool) { return slices.BinarySearchFunc(ids, id, compareIDs) }

// PackInfo names a pack file as it was when it was listed.
type PackInfo struct {
	Path    string
	Size    int64
	ModTime int64 // nanoseconds
}

// Inventory lists what there is. It fails where a gap would have to be reported:
// such a repository is not to be remembered.
func (r *Repo) Inventory(ctx context.Context) (*Inventory, error) {
	inv := &Inventory{Head: r.Head.ID}
	// Roots come first: what they lead to is there when objects are listed.
	if err := r.inventoryRoots(ctx, inv); err != nil {
		return nil, err
	}
	dirs, gaps, err := r.ObjectDirs()
	if err != nil || len(gaps) > 0 {
		return nil, cmp.Or(err, errors.New("an alternate cannot be read"))
	}
	sizes := map[ID]int64{}
	for _, dir := range dirs {
		packs, orphans, err := PackFiles(dir)
		if err != nil || len(orphans) > 0 {
			return nil, cmp.Or(err, fmt.Errorf("packs without an index in %s", dir))
		}
		for _, path := range packs {
			info, err := os.Stat(path)
			if err != nil {
				return nil, err
			}
			inv.Packs = append(inv.Packs, PackInfo{filepath.ToSlash(path), info.Size(), info.ModTime().UnixNano()})
		}
		err = eachLooseFile(ctx, dir, func(id ID, e fs.DirEntry) error {
			info, err := e.Info()
			if err == nil {
				inv.Loose, sizes[id] = append(inv.Loose, id), sizes[id]+info.Size()
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	inv.Loose = sortIDs(inv.Loose)
	for _, id := range inv.Loose {
		inv.Sizes = append(inv.Sizes, sizes[id])
	}
	return inv, nil
}

func (r *Repo) inventoryRoots(ctx context.Context, inv *Inventory) error {
	roots, gaps, err := r.Roots(ctx)
	if err != nil {
		return err
	}
	if len(gaps) > 0 {
		return fmt.Errorf("%s: %s", gaps[0].What, gaps[0].Why)
	}
	for _, root := range roots {
		switch {
		case root.Kind == RootIndex && root.Type != packfile.Tree:
			inv.Index = append(inv.Index, root.ID)
		case root.ofNotes():
			inv.Notes = append(inv.Notes, root.ID)
		default:
			inv.Roots = append(inv.Roots, root.ID)
		}
	}
	tips, err := r.Tips()
	if err != nil {
		return err
	}
	for _, t := range tips {
		inv.Tips = append(inv.Tips, t.ID)
	}
	inv.Index, inv.Notes, inv.Roots, inv.Tips = sortIDs(inv.Index), sortIDs(inv.Notes), sortIDs(inv.Roots), sortIDs(inv.Tips)
	return r.inventoryRest(inv)
}

// inventoryRest covers what changes the shape of history without being part of it.
func (r *Repo) inventoryRest(inv *Inventory) error {
	shallow, err := r.Shallow()
	if err != nil {
		return err
	}
	grafts, err := r.Grafts()
	if err != nil {
		return err
	}
	replaced, err := r.Replacements()
	if err != nil {
		return err
	}
	// fmt prints maps in the order of their keys
	sum := sha256.Sum256(fmt.Append(nil, shallow, grafts, replaced, r.Partial()))
	inv.Rest, inv.Substituted = sum[:], len(grafts)+len(replaced) > 0
	return nil
}

func sortIDs(ids []ID) []ID {
	slices.SortFunc(ids, compareIDs)
	return slices.Compact(ids)
}

// Equal reports whether nothing has changed.
func (inv *Inventory) Equal(o *Inventory) bool {
	return inv.sameStores(o) && slices.Equal(inv.Loose, o.Loose) && slices.Equal(inv.Sizes, o.Sizes) && slices.Equal(inv.Roots, o.Roots) && slices.Equal(inv.Index, o.Index) &&
		slices.Equal(inv.Tips, o.Tips) && slices.Equal(inv.Notes, o.Notes) && inv.Head == o.Head
}

func (inv *Inventory) sameStores(o *Inventory) bool {
	return slices.Equal(inv.Packs, o.Packs) && bytes.Equal(inv.Rest, o.Rest)
}

// grownFrom reports whether the stores have only gained loose objects since the
// older inventory, and nothing changed about notes.
func (inv *Inventory) grownFrom(old *Inventory) bool {
	if !inv.sameStores(old) || !slices.Equal(inv.Notes, old.Notes) {
		return false
	}
	for i, id := range old.Loose {
		if n, ok := inv.Loose.find(id); !ok || inv.Sizes[n] != old.Sizes[i] {
			return false
		}
	}
	return true
}

// without are the ids of a that are not in b; both are sorted.
func without(a, b IDs) (out []ID) {
	for _, id := range a {
		if !b.Has(id) {
			out = append(out, id)
		}
	}
	return out
}
