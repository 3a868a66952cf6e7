package binance

import "time"

// Sign is for the tests.
var Sign = sign

// SetNow sets the clock.
func (p *Provider) SetNow(now func() time.Time) { p.web.Now = now }
