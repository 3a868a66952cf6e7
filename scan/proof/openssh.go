package proof

import (
	"bytes"
	"encoding/binary"
	"math/big"

	"github.com/keywright/keywright/scan"
)

// sshReader takes fields off SSH's wire format; after a field that is not there
// it gives nothing more and bad is set.
type sshReader struct {
	b   []byte
	bad bool
}

func (r *sshReader) uint32() uint32 {
	if len(r.b) < 4 {
		r.b, r.bad = nil, true
		return 0
	}
	v := binary.BigEndian.Uint32(r.b)
	r.b = r.b[4:]
	return v
}

func (r *sshReader) field() []byte {
	n := r.uint32()
	if uint64(n) > uint64(len(r.b)) {
		r.b, r.bad = nil, true
		return nil
	}
	f := r.b[:n]
	r.b = r.b[n:]
	return f
}

func (r *sshReader) number() *big.Int { return new(big.Int).SetBytes(r.field()) }

const opensshMagic = "openssh-key-v1\x00"

// opensshEvidence judges the inside of an OPENSSH PRIVATE KEY block. In a key
// without a passphrase two random numbers are equal, and the public half must be
// that of the private one. Source: openssh-portable, PROTOCOL.key.
func opensshEvidence(data []byte) scan.Evidence {
	rest, ok := bytes.CutPrefix(data, []byte(opensshMagic))
	if !ok {
		return scan.Fails("does not parse as an OpenSSH key: edited, truncated or an example")
	}
	r := &sshReader{b: rest}
	cipher, kdf := string(r.field()), string(r.field())
	r.field() // the KDF's options
	count := r.uint32()
	blob := r.field()
	private := r.field()
	if r.bad || count != 1 {
		return scan.Fails("does not parse as an OpenSSH key: truncated or an example")
	}
	if cipher != "none" || kdf != "none" {
		e := encrypted(cipher)
		e.PublicID = fingerprint(blob)
		return e
	}
	return opensshKey(blob, private).evidence()
}

// opensshKey checks the private section against the public blob.
func opensshKey(blob, private []byte) *derKey {
	r := &sshReader{b: private}
	first, second := r.uint32(), r.uint32()
	if first != second || r.bad {
		return &derKey{wrong: "its check numbers differ"}
	}
	kind := string(r.field())
	k := &derKey{kind: "OpenSSH key " + printable(kind, 60), reason: "its check numbers are equal"}
	switch kind {
	case "ssh-ed25519":
		pub, pair := r.field(), r.field()
		if len(pair) != 64 {
			k.wrong = "it is cut short"
		} else if pair, pub := ed25519Key(pair[:32], pub), pair[32:]; pair.wrong == "" && bytes.HasSuffix(pair.blob, pub) {
			k = pair
		} else {
			k.wrong = "the public half is not that of the private one"
		}
	case "ssh-rsa":
		n, e, d := r.number(), r.number(), r.number()
		r.field() // the inverse of q
		p, q := r.number(), r.number()
		k = rsaKey(n, e, d, p, q)
	case "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521":
		curve, pub, scalar := string(r.field()), r.field(), r.field()
		for i := range ecCurves {
			if ecCurves[i].ssh == curve {
				k = ecKey(ecCurves[i].oid, scalar, pub)
			}
		}
	}
	if r.bad {
		k.wrong = "it is cut short"
	}
	if k.wrong == "" && k.blob != nil && !bytes.Equal(k.blob, blob) {
		k.wrong = "the public half is not that of the private one"
	}
	k.blob = blob
	return k
}
