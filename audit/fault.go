package audit

import "fmt"

// Kind is what is wrong with a log.
type Kind uint8

// The kinds of faults.
const (
	Altered    Kind = iota + 1 // the entry is not what was recorded
	Dropped                    // the entry is missing from the middle
	Reordered                  // the entry stands further behind, another in its place
	Inserted                   // what stands at this place was never recorded there
	CutOff                     // the entry and all after it are missing
	RolledBack                 // the same, and the log is as it was when it had that many
	BadHashes                  // the entries are right, but not the hash stored with this one
	Forked                     // the entries are authentic, but not those that the head names
	KeyLost                    // there are entries, and no signing key in the keychain
	HeadLost                   // there is a signing key, and no head in the keychain
)

// Fault says that a log is not as keywright left it, and what is the first sign of
// that.
type Fault struct {
	Kind Kind
	Seq  int64 // the first entry concerned; for Forked the number of entries
}

// Error names the kind and the entry.
func (f *Fault) Error() string {
	switch f.Kind {
	case Altered:
		return fmt.Sprintf("entry %d was altered", f.Seq)
	case Dropped:
		return fmt.Sprintf("entry %d was dropped", f.Seq)
	case Reordered:
		return fmt.Sprintf("entry %d was moved behind others", f.Seq)
	case Inserted:
		return fmt.Sprintf("something was inserted in the place of entry %d", f.Seq)
	case CutOff:
		return fmt.Sprintf("entry %d and what followed were cut off", f.Seq)
	case RolledBack:
		return fmt.Sprintf("the log was rolled back to when it had %d entries", f.Seq)
	case BadHashes:
		return fmt.Sprintf("the entries are right, but a stored hash was altered, with entry %d first", f.Seq)
	case Forked:
		return fmt.Sprintf("the first %d entries are not those that the recorded root hash names", f.Seq)
	case KeyLost:
		return "the log has entries, but its signing key is gone"
	case HeadLost:
		return "the log has a signing key, but its head is gone"
	}
	return fmt.Sprintf("fault %d at entry %d", f.Kind, f.Seq)
}
