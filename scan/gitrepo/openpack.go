package gitrepo

import (
	"errors"

	"github.com/keywright/keywright/scan/packfile"
)

// pack is what a Store asks of a pack.
type pack interface {
	Find(id ID) (index int, ok bool)
	Read(index int) (packfile.Type, []byte, error)
	FindPrefix(prefix string) []ID
	Close() error
}

func openPack(path string) (pack, error) { return nil, errors.New("packs are not read yet") }
