package secret

import (
	"crypto/rand"
	"math/big"
)

// Random makes a secret of n characters of an alphabet of ASCII, each as likely as any
// other.
func Random(n int, alphabet string) Value {
	b := make([]byte, n)
	defer clear(b)
	size := big.NewInt(int64(len(alphabet)))
	for i := range b {
		k, err := rand.Int(rand.Reader, size)
		if err != nil {
			panic(err) // crypto/rand's own reader never fails
		}
		b[i] = alphabet[k.Int64()]
	}
	return New(b)
}
