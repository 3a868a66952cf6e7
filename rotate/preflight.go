package rotate

import (
	"fmt"

	"github.com/keywright/keywright/provider"
)

// untriable says that nothing which is made now could be tried from here: the new key would
// meet what the old one meets.
func (w *work) untriable(old provider.Probe) error {
	hint := "set the clock of this machine"
	switch old.State {
	case provider.Skewed:
	case provider.Blocked:
		hint = "go on from where the key may be used, or let this machine's address in"
		if page := w.p.Info().Page; page != "" {
			hint += " at " + page
		}
	default:
		return nil
	}
	return &stop{error: fmt.Errorf("the old key is %s (%s)", old.State, old.Code), hint: hint}
}
