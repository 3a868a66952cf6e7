package match

import (
	"reflect"
	"strings"
	"testing"

	"github.com/keywright/keywright/scan"
)

// TestSeamInLongWord: a run beside a word that is too long for any list is found
// again when the seam goes through that word.
func TestSeamInLongWord(t *testing.T) {
	e := engine(t, stress())
	const phrase = "one two six ten red cat dog sun big old car the end"
	var s Scratch
	for n := range 120 {
		for m := range 8 {
			long, rest := strings.Repeat("x", n), strings.Repeat("y", m*12)
			for _, text := range []struct{ base, added string }{{rest + " " + phrase, long}, {phrase + " " + rest, long}} {
				for _, target := range []struct {
					data string
					at   int
				}{{text.added + text.base, len(text.added)}, {text.base + text.added, 0}} {
					copies := []scan.Copy{{Base: 0, Start: target.at, Len: len(text.base)}}
					got := e.Delta(&s, e.Whole(&s, []byte(text.base)).Keep(), []byte(target.data), copies).Keep()
					if want := e.Whole(&s, []byte(target.data)).Keep(); !reflect.DeepEqual(got, want) {
						t.Fatalf("%q with %q at %d:\n%s", text.base, text.added, target.at, difference(got, want))
					}
				}
			}
		}
	}
}
