package deribit

import "time"

// Sign and Signed are for the tests.
var Sign, Signed = sign, signed

// SetNow sets the clock.
func (p *Provider) SetNow(now func() time.Time) { p.web.Now = now }

// SetRoom sets how many keys an account takes.
func (p *Provider) SetRoom(n int) { p.room = n }
