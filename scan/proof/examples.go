package proof

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/keywright/keywright/scan"
)

// An example is a credential that its vendor publishes. It is kept as the
// SHA-256 of its text, so that this file trips nobody's scanner.
type example struct{ sum, name string }

var examples = [...]example{
	{"0011cc25eb4320717494d2703e8cba85743e71b500283c21c8b88147992f9059", "the key of the Azurite storage emulator"},
	{"aa6547439583c3a275d4542a0df6c1ad6a863971be9f2a2220f027cc02aef615", "the key of the Cosmos DB emulator"},
	{"3543c50b0cb9cea8e55eb1f529b79f043cb250d485fde7b66cabbb5183add7da", "GitHub's documentation"},
	{"bc3ae723f57c6b9e3fd80b699fcc420f6074b0b1718039669d22631d508ac0a7", "GitHub's documentation"},
	{"82e74299544e00738f9c0acb69b1eb348b3e20ffcfabcb34779bd37590fead6c", "GitHub's documentation"},
	{"797c0ce414586cc8eb6929afe947c720e3e4d351dd070a6fe39f630beaab3054", "GitHub's documentation"},
	{"6d7fa4e64d4b1f3ea31962e258b684de1f244434ebb11089b9d9817e44c43303", "GitHub's documentation"},
	{"6b59c03c307209873c0219cde6ef59bc8ac6f22c0a5886dc0ac942523ff592dc", "Grafana's API reference"},
	{"2cafc0970149a84f3b9e62eaf169f36f59907a3b3e31f7b82e68c69cd27f7326", "Stripe's documentation"},
	{"f2d6ca16515033e5dce14eba840b979d27b5cbae24bb3e5bf484339667f86397", "Stripe's documentation"},
	{"2d1f7723aabc5c7a51fcdc2463c99b5f3fdbc57cf3134db4ac12913c35976e6f", "Stripe's documentation"},
	{"ac9265e56c79b234607ec72c53753cfea9f88c99eb713790ddf9be5593bb4465", "Google's documentation"},
	{"8be5d113c0871ce1a122d68a7dff940ab7b09ad8dfcfd9a85aa5c1acc026279e", "the documentation of one-time passwords"},
	{"549c9390539efcfa01d2744e82e7da34409a63dd0feaf310f7a6e12551fe7668", "the test vectors of RFC 6238"},
	{"8b1b17a9740c068accab5c3d0d652c8e3cc13206e70bb73b42ea41d4c2de3c12", "the key of RFC 7515"},
	{"0b5dd075ccdd03c42f4edda8e299e6838e2a75d3486a2a8d86940ed1541e9178", "Telegram's documentation"},
	{"731fa294d036e54f19df879bfcd4fe72d967dc6327800c5f74a48414a3f258c9", "Telegram's documentation"},
	{"02f7ce3c263f85c019eeeeea4b08f1b7f6ade2b7a2199c14f3efdac0eef382e1", "Discord's documentation"},
	{"9c846fdf0fa8955c377d0301542ee20ecd4585c5f359aa0a4cf15d44424f573d", "Mailgun's documentation"},
	{"ea1ca3e25b35a51ea7c8c9e5434d6faa6d49963d09845fb49028aaa4f6a2e709", "WireGuard's quick start"},
	{"a0cc17dae7500395717186079713fb950ae9ee3019bb0eb7ec95c93e55ae02be", "Elasticsearch's documentation"},
	{"78314b11be2e581549ac1c4f616563fad3fdf0c3b71678f6e2299182080e0598", "AWS's documentation"},
	{"e21b597ba6b9cafa59d9ebc4d65c0385f5eb3fa56abab2607fa76589ad849a33", "AWS's documentation"},
	{"1a5d44a2dca19669d72edf4c4f1c27c4c1ca4b4408fbb17f6ce4ad452d78ddb3", "AWS's documentation"},
	{"c6ea27c534f993d31f0aef882e3d200e7b87470c379ae79c8f9b19d3bd363dc9", "AWS's documentation"},
}

// PublishedExample names the document or emulator that publishes this very
// credential; ok is false if none is known to.
func PublishedExample(value []byte) (name string, ok bool) {
	sum := sha256.Sum256(value)
	digest := hex.EncodeToString(sum[:])
	for _, e := range examples {
		if e.sum == digest {
			return e.name, true
		}
	}
	return "", false
}

// publishedExample is PublishedExample as evidence.
func publishedExample(value []byte) (scan.Evidence, bool) {
	name, ok := PublishedExample(value)
	if !ok {
		return scan.Evidence{}, false
	}
	return exampleOf(name), true
}

// exampleOf is the evidence of a value that is published.
func exampleOf(name string) scan.Evidence {
	return scan.Evidence{Reason: "a published example: " + name, Cap: scan.Low}
}
