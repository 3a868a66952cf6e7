// Checkproof checks a proof of keywright's audit log as a third party would who has
// nothing but the proof, the log's public key, and the description of the formats in
// docs/keystore.md. It imports nothing but Go's standard library.
//
//	checkproof PROOF-FILE KEY
//
// It prints the entry that was proved; otherwise it says why not, and its exit status
// is 1.
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: checkproof PROOF-FILE KEY")
		os.Exit(2)
	}
	data, err := os.ReadFile(os.Args[1])
	if err == nil {
		data, err = check(data, os.Args[2])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "checkproof:", err)
		os.Exit(1)
	}
	fmt.Printf("%s\n", data)
}

// check returns the entry of a proof that holds.
func check(data []byte, key string) (entry []byte, err error) {
	var p struct {
		Format, Entry, Checkpoint, Key string
		Index                          int64
		Salt                           []byte
		Path                           [][]byte
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return nil, err
	}
	if d.More() || p.Format != "keywright-audit-proof-1" || len(p.Salt) != 16 {
		return nil, errors.New("it is not a proof of this format")
	}
	size, root, err := openCheckpoint(p.Checkpoint, key)
	if err != nil {
		return nil, err
	}
	if p.Index < 0 || p.Index >= size {
		return nil, fmt.Errorf("there is no entry %d among %d", p.Index, size)
	}
	digest := sha256.Sum256(append(bytes.Clone(p.Salt), p.Entry...))
	leaf := append(binary.BigEndian.AppendUint64([]byte{1}, uint64(p.Index)), digest[:]...)
	if !included(p.Index, size, sum([]byte{0}, leaf), p.Path, root) {
		return nil, errors.New("the path does not lead to the root hash")
	}
	var numbered struct{ Seq int64 }
	if err := json.Unmarshal([]byte(p.Entry), &numbered); err != nil || numbered.Seq != p.Index {
		return nil, errors.New("the entry bears another number")
	}
	return []byte(p.Entry), nil
}

// openCheckpoint verifies a signed note with one signature, and reads the log's size and
// root hash from it.
func openCheckpoint(signed, key string) (size int64, root []byte, err error) {
	name, id, public, err := parseKey(key)
	if err != nil {
		return 0, nil, err
	}
	text, signature, ok := strings.Cut(signed, "\n\n")
	text += "\n"
	signature, ours := strings.CutPrefix(signature, "— "+name+" ")
	raw, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSuffix(signature, "\n"))
	if !ok || !ours || err != nil || len(raw) != 4+ed25519.SignatureSize || !bytes.Equal(raw[:4], id) {
		return 0, nil, errors.New("the checkpoint is not signed with this key")
	}
	if !ed25519.Verify(public, []byte(text), raw[4:]) {
		return 0, nil, errors.New("the signature of the checkpoint is wrong")
	}
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[0] != name || lines[3] != "" {
		return 0, nil, errors.New("the checkpoint is not one of this log")
	}
	if size, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return 0, nil, err
	}
	root, err = base64.StdEncoding.Strict().DecodeString(lines[2])
	return size, root, err
}

// parseKey reads a verifier key: name+id+base64(1 || public key). The id is the first four
// bytes of SHA-256(name || LF || 1 || public key), in hexadecimal.
func parseKey(key string) (name string, id []byte, public ed25519.PublicKey, err error) {
	fields := strings.SplitN(key, "+", 3)
	wrong := errors.New("that is not a log's public key")
	if len(fields) != 3 {
		return "", nil, nil, wrong
	}
	id, idErr := hex.DecodeString(fields[1])
	data, err := base64.StdEncoding.Strict().DecodeString(fields[2])
	if idErr != nil || err != nil || len(data) != 1+ed25519.PublicKeySize || data[0] != 1 {
		return "", nil, nil, wrong
	}
	if want := sum([]byte(fields[0]+"\n"), data); !bytes.Equal(id, want[:4]) {
		return "", nil, nil, wrong
	}
	return fields[0], id, data[1:], nil
}

// included is the algorithm of RFC 9162, section 2.1.3.2.
func included(index, size int64, hash []byte, path [][]byte, root []byte) bool {
	fn, sn := index, size-1
	for _, p := range path {
		if sn == 0 || len(p) != sha256.Size {
			return false
		}
		if fn&1 == 1 || fn == sn {
			hash = sum([]byte{1}, p, hash)
			for fn&1 == 0 && fn != 0 {
				fn, sn = fn>>1, sn>>1
			}
		} else {
			hash = sum([]byte{1}, hash, p)
		}
		fn, sn = fn>>1, sn>>1
	}
	return sn == 0 && bytes.Equal(hash, root)
}

func sum(parts ...[]byte) []byte {
	h := sha256.Sum256(bytes.Join(parts, nil))
	return h[:]
}
