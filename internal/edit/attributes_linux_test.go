package edit

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestReplaceAccessList: who may read a file beside its owner and its group still may when
// it is replaced, and nobody else.
func TestReplaceAccessList(t *testing.T) {
	const name = "system.posix_acl_access"
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "A=1\n", 0o600)
	// acl(5): its version, and a tag, rights and an id for the owner, a user, the group, the
	// most that those two may, and others.
	var list bytes.Buffer
	binary.Write(&list, binary.LittleEndian, uint32(2))
	for _, e := range []struct {
		Tag, Rights uint16
		ID          uint32
	}{{0x01, 6, ^uint32(0)}, {0x02, 4, 65534}, {0x04, 0, ^uint32(0)}, {0x10, 4, ^uint32(0)}, {0x20, 0, ^uint32(0)}} {
		binary.Write(&list, binary.LittleEndian, e)
	}
	if err := unix.Setxattr(path, name, list.Bytes(), 0); err != nil {
		t.Skip("no access lists here: ", err)
	}
	before, _ := os.Stat(path)
	o, err := Open(path, 100)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Replace([]byte("A=2\n")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 1000)
	n, err := unix.Getxattr(path, name, got)
	after, _ := os.Stat(path)
	if err != nil || !bytes.Equal(got[:n], list.Bytes()) || after.Mode() != before.Mode() {
		t.Errorf("%v, %x, %v became %v", err, got[:max(n, 0)], before.Mode(), after.Mode())
	}
}
