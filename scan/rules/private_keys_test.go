package rules

import (
	"testing"

	"github.com/keywright/keywright/scan"
)

// FuzzKeyParsers asks the parsers over whole objects: what they find must lie
// inside, and in order.
func FuzzKeyParsers(f *testing.F) {
	parsers := []func([]byte) []scan.ObjectMatch{
		puttyFiles, base64Runs(pemInBase64, 20), base64Runs(pkcs1RSA, 20), jwts("eyJhbGciOi"),
	}
	g := scan.NewGen(1)
	for _, family := range [][]scan.Rule{privateKeys(), bearerTokens()} {
		for _, r := range family {
			if r.Object != nil {
				for _, text := range r.Samples(g).Match {
					f.Add([]byte(text))
				}
			}
		}
	}
	f.Add([]byte(puttyBegin + puttyBegin + "Private-MAC: "))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, parse := range parsers {
			last := 0
			for _, m := range parse(data) {
				s := m.Parts[0]
				if s.Start < last || s.End <= s.Start || s.End > len(data) {
					t.Fatalf("found [%d, %d) after %d of %d bytes", s.Start, s.End, last, len(data))
				}
				last = s.End
			}
		}
	})
}
