package proof

import "github.com/keywright/keywright/scan"

// WireGuardKey judges a WireGuard private key: 32 bytes in base 64. Keys that wg
// makes are clamped, which five bits show; an unclamped one works too, so that is
// only a hint. The key on wireguard.com is published.
func WireGuardKey(c scan.Candidate) scan.Evidence {
	secret := c.Secret()
	if e, ok := publishedExample(secret); ok {
		return e
	}
	raw, _ := decodeBase64Any(secret)
	switch {
	case len(raw) != 32:
		return undecodable("32 bytes")
	case periodic(raw):
		return scan.Fails("its bytes repeat: an example")
	case raw[0]&7 == 0 && raw[31]&0xC0 == 0x40:
		return scan.Evidence{Reason: "clamped as wg makes them"}
	}
	return scan.Evidence{Reason: "not clamped as wg makes them", Cap: scan.Medium}
}

// WireGuardPresharedKey judges a preshared key: 32 bytes in base 64.
func WireGuardPresharedKey(c scan.Candidate) scan.Evidence {
	raw, _ := decodeBase64Any(c.Secret())
	switch {
	case len(raw) != 32:
		return undecodable("32 bytes")
	case periodic(raw):
		return scan.Fails("its bytes repeat: an example")
	}
	return scan.Evidence{}
}
