package proof

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"strconv"
	"strings"

	"github.com/keywright/keywright/scan"
)

// A puttyKey is a parsed .ppk file.
type puttyKey struct {
	version                        int
	algorithm, encryption, comment string
	public, private                []byte
	mac                            []byte
}

// PuTTYKey proves PuTTY private key files of version 2 and 3, whole from
// "PuTTY-User-Key-File-" to the MAC: without encryption the MAC has a known key.
// Encrypted keys are capped at medium. The public id is the fingerprint.
// Source: PuTTY's manual, appendix C.
func PuTTYKey(c scan.Candidate) scan.Evidence {
	k, ok := parsePuTTY(string(c.Secret()))
	if !ok {
		return scan.Fails("does not parse as a PuTTY key: truncated or an example")
	}
	if k.encryption != "none" {
		e := encrypted(k.encryption)
		e.PublicID = fingerprint(k.public)
		return e
	}
	key := &derKey{kind: "PuTTY key " + printable(k.algorithm, 60), reason: "its MAC matches", blob: k.public}
	if !hmac.Equal(k.computeMAC(), k.mac) {
		key.wrong = "its MAC does not match"
	}
	return key.evidence()
}

// parsePuTTY reads the file; \n and \r\n may be written out, as in JSON.
func parsePuTTY(text string) (*puttyKey, bool) {
	lines := strings.Split(pemUnescape.Replace(text), "\n")
	k := &puttyKey{}
	for i := 0; i < len(lines); i++ {
		name, value, _ := strings.Cut(strings.TrimSpace(lines[i]), ": ")
		switch name {
		case "PuTTY-User-Key-File-2", "PuTTY-User-Key-File-3":
			k.version, k.algorithm = int(name[len(name)-1]-'0'), value
		case "Encryption":
			k.encryption = value
		case "Comment":
			k.comment = value
		case "Public-Lines":
			k.public, i = puttyLines(lines, i, value)
		case "Private-Lines":
			k.private, i = puttyLines(lines, i, value)
		case "Private-MAC":
			value, _, _ = strings.Cut(value, `"`)
			k.mac, _ = hex.DecodeString(value) // a MAC that is no MAC does not match
		}
	}
	return k, k.version != 0 && len(k.public) > 0 && len(k.private) > 0 && len(k.mac) > 0
}

// puttyLines decodes the base 64 of as many of the next non-empty lines as count
// says, and returns the index of the last one.
func puttyLines(lines []string, i int, count string) ([]byte, int) {
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 || n > 1000 {
		return nil, i
	}
	var b strings.Builder
	for ; n > 0 && i+1 < len(lines); i++ {
		line := strings.TrimSpace(lines[i+1])
		if line != "" { // \r\n has become two line ends
			b.WriteString(line)
			n--
		}
	}
	data, err := base64.StdEncoding.DecodeString(b.String())
	if err != nil {
		return nil, i
	}
	return data, i
}

// computeMAC is the MAC of an unencrypted key.
func (k *puttyKey) computeMAC() []byte {
	newHash, key := func() hash.Hash { return sha256.New() }, []byte(nil)
	if k.version == 2 {
		sum := sha1.Sum([]byte("putty-private-key-file-mac-key"))
		newHash, key = sha1.New, sum[:]
	}
	mac := hmac.New(newHash, key)
	mac.Write(sshBlob([]byte(k.algorithm), []byte(k.encryption), []byte(k.comment), k.public, k.private))
	return mac.Sum(nil)
}
