package match

import "github.com/keywright/keywright/scan"

// A Sign is what a credential in a text says of where it works.
type Sign struct {
	Rule  *scan.Rule
	Realm scan.Realm
}

// Signs judges a text and returns what the credentials in it say of where they work,
// in their order; those that say nothing are left out. How sure it is that they are
// credentials, placeholders for example, makes no difference.
func (e *Engine) Signs(text []byte) []Sign {
	var (
		scratch Scratch
		signs   []Sign
	)
	seen, _ := Text(text)
	for _, v := range e.Whole(&scratch, text).Verdicts() {
		if v.Rule.Realm == nil {
			continue
		}
		whole := v.Secret()
		for _, p := range v.Parts {
			whole.Start, whole.End = min(whole.Start, p.Start), max(whole.End, p.End)
		}
		if r := v.Rule.Realm(scratch.shown(seen, whole, v.Parts)); r != 0 {
			signs = append(signs, Sign{v.Rule, r})
		}
	}
	return signs
}
