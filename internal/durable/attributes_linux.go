package durable

import (
	"bytes"
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// accessList is the attribute that says who may use a file beside its owner and its group;
// see acl(5). Where it is, the bits of the group stand for the most that anybody in it may.
const accessList = "system.posix_acl_access"

// giveAttributes gives a file the extended attributes of another. Without the access list
// it would be another file to those who use it; others, as labels that only the system may
// give, are not needed.
func giveAttributes(name, like string) error {
	list, err := attribute(func(b []byte) (int, error) { return unix.Listxattr(like, b) })
	if errors.Is(err, unix.ENOTSUP) {
		return nil
	}
	if err != nil {
		return &os.PathError{Op: "listxattr", Path: like, Err: err}
	}
	for each := range bytes.SplitSeq(bytes.TrimSuffix(list, []byte{0}), []byte{0}) {
		attr := string(each)
		if attr == "" {
			continue
		}
		value, err := attribute(func(b []byte) (int, error) { return unix.Getxattr(like, attr, b) })
		if err == nil {
			err = unix.Setxattr(name, attr, value, 0)
		}
		if err != nil && attr == accessList {
			return &os.PathError{Op: "setxattr", Path: name, Err: err}
		}
	}
	return nil
}

// attribute is what a call writes into a buffer, whose size it says for none.
func attribute(read func([]byte) (int, error)) ([]byte, error) {
	for {
		n, err := read(nil)
		if err != nil || n == 0 {
			return nil, err
		}
		b := make([]byte, n)
		n, err = read(b)
		if !errors.Is(err, unix.ERANGE) { // else it grew meanwhile
			return b[:max(n, 0)], err
		}
	}
}
