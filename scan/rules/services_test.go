package rules

import (
	"slices"
	"strings"
	"testing"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/match"
)

// TestServicesTogether: in a file with many credentials each is found by its own
// rule, whatever stands next to it.
func TestServicesTogether(t *testing.T) {
	e, err := match.New(All())
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(seeds) {
		g := scan.NewGen(seed)
		lines := []struct{ rule, text string }{
			{"stripe-secret-key", "STRIPE_SECRET_KEY=sk_live_51" + g.String(scan.Base62, 97)},
			{"", "STRIPE_PUBLISHABLE_KEY=pk_live_51" + g.String(scan.Base62, 97)},
			{"stripe-webhook-secret", "STRIPE_WEBHOOK_SECRET=whsec_" + g.String(scan.Base62, 32)},
			{"twilio-credentials", "TWILIO_ACCOUNT_SID=AC" + g.Hex(32) + "\nTWILIO_AUTH_TOKEN=" + g.Hex(32)},
			{"sendgrid-api-key", "SENDGRID_API_KEY=SG." + g.String(scan.Base64URL, 22) + "." + g.String(scan.Base64URL, 43)},
			{"slack-signing-secret", "SLACK_SIGNING_SECRET=" + g.Hex(32)},
			{"datadog-api-key", "DD_API_KEY=" + g.Hex(32)},
			{"datadog-application-key", "DD_APP_KEY=" + g.Hex(40)},
			{"", "DD_SITE=datadoghq.eu"},
			{"mistral-api-key", "MISTRAL_API_KEY=" + g.String(scan.Base62, 32)},
			{"openrouter-api-key", "OPENROUTER_API_KEY=sk-or-v1-" + g.Hex(64)},
			{"paystack-secret-key", "PAYSTACK_KEY=sk_test_" + g.Hex(40)},
			{"", "COMMIT=" + g.Hex(40)},
			{"notion-token", "NOTION_TOKEN=ntn_" + g.String(scan.Digits, 11) + g.String(scan.Base62, 35)},
			{"postmark-token", "POSTMARK_TOKEN=" + g.UUID()},
			{"", "REQUEST_ID=" + g.UUID()},
		}
		var text strings.Builder
		var want []string
		for _, l := range lines {
			text.WriteString(l.text + "\n")
			if l.rule != "" {
				want = append(want, l.rule)
			}
		}
		var got []string
		for _, v := range verdicts(e, text.String()) {
			got = append(got, v.Rule.ID)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d:\n%s\ngot  %v\nwant %v", seed, text.String(), got, want)
		}
	}
}

func TestServiceChecks(t *testing.T) {
	g := scan.NewGen(1)
	of := func(secret string) scan.Candidate {
		return scan.Candidate{Text: []byte(secret), Roles: []string{scan.RoleSecret}, Spans: [][]byte{[]byte(secret)}}
	}
	for _, c := range []struct {
		name, secret string
		check        func(scan.Candidate) scan.Evidence
		want         scan.Evidence
	}{
		{"a name behind a short prefix", "live_someVeryLongIdentifierOfOurs", tailRandom, scan.Rejected},
		{"a token behind a short prefix", "live_" + g.String(scan.Base62, 30), tailRandom, scan.Evidence{}},
		{"hyphens inside a token", "live_" + g.String(scan.Base62, 36) + "-abc", tailRandom, scan.Evidence{}},
		{"a word", "internationalizations", randomAndUnpublished, scan.Rejected},
		{"not an Intercom token", "dG9rOm" + g.String(scan.Base62, 54), intercomToken, scan.Evidence{}},
		{"not an Elasticsearch key", g.String(scan.Base62, 58), elasticKey, scan.Evidence{}},
		{"a Telegram bot", "123456789:" + "AA" + g.String(scan.Base62, 33), telegramToken, scan.Evidence{PublicID: "Telegram bot 123456789"}},
	} {
		if got := c.check(of(c.secret)); got != c.want {
			t.Errorf("%s: got %+v want %+v", c.name, got, c.want)
		}
	}
}
