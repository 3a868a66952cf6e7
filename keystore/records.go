package keystore

import (
	"context"
	"errors"

	"github.com/keywright/keywright/secret"
)

// Records holds the metadata of the keys, with the journals of rotations in it: one
// document, replaced as a whole. A file of this machine does, see File; what a team
// shares could. It tells apart what keywright wrote last from everything else: then the
// error is a *TamperError.
//
// A document is replaced only by who knows the one that is there. Whether others are
// kept out until then, or are told afterwards that they came too late, is the
// implementation's choice: a Store is right with either.
//
// Methods may be called concurrently, by several processes too.
type Records interface {
	// Load returns what there is.
	Load(ctx context.Context) (Record, error)
	// Glance returns the document without asking anybody whether it can be trusted, and
	// without waiting; nil if there is none.
	Glance() (document []byte, err error)
	// Change begins to change what there is. By is who acts.
	Change(ctx context.Context, by string) (Change, error)
	// Anew puts a document in the place of one that cannot be trusted, which is set aside.
	// The error is ErrInOrder if there is no need. By is who acts.
	Anew(ctx context.Context, by string, document []byte) error
}

// Record is what Records holds.
type Record struct {
	Document []byte // nil if none was ever written
	// Key seals what stands in the document and is for keywright alone: 32 random bytes
	// that stay the same from the first document on; zero before.
	Key secret.Value
}

// A Change replaces a document once or several times. It is used by one goroutine. A
// method whose error does not match ErrConflict may have done what it was to do.
type Change interface {
	// Record is what it began with, or what it last wrote.
	Record() Record
	// Prepare replaces the document by one that another will follow. The error matches
	// ErrConflict if somebody else has replaced it since: then this change is over.
	Prepare(ctx context.Context, document []byte) error
	// Commit is Prepare for the last one: none before it is trusted any more.
	Commit(ctx context.Context, document []byte) error
	// Close lets others go on. What was not committed stays as it was prepared.
	Close() error
}

// The errors of Records.
var (
	ErrConflict = errors.New("somebody else has changed the metadata since")
	ErrInOrder  = errors.New("the metadata is as it was written")
)

// TamperError says that what is stored is not what keywright wrote.
type TamperError struct {
	What string
	Last string // digest of the last document that is known of, in hex, if there is one
}

func (e *TamperError) Error() string { return "the metadata of the keys cannot be trusted: " + e.What }

// ErrUnauthenticated says that nobody was asked whether the metadata is what keywright
// wrote, or did not answer.
var ErrUnauthenticated = errors.New("the metadata was not authenticated")
