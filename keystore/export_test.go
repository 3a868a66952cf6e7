package keystore

import "time"

// SetClock sets what a Store takes for now.
func (s *Store) SetClock(now func() time.Time) { s.now = now }

// Cooling is how long an item that was not to be written is looked for again.
const Cooling = cooling
