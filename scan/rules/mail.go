package rules

import (
	"encoding/base64"
	"regexp"
	"strings"
	"sync"

	"github.com/keywright/keywright/scan"
)

const mailgunKeys = "https://documentation.mailgun.com/docs/mailgun/user-manual/api-key-mgmt/rbac-mgmt"

func mail() []scan.Rule {
	return []scan.Rule{
		issued(scan.Rule{
			ID:        "sendgrid-api-key",
			Provider:  "sendgrid",
			Title:     "SendGrid API key",
			Why:       "It sends mail from the account's verified senders, and more with full access.",
			Fix:       "Delete it under Settings, API Keys, and create one that may only send.",
			Reference: "https://www.twilio.com/docs/sendgrid/ui/account-and-settings/api-keys",
		}, "SENDGRID_API_KEY", `SG\.[0-9A-Za-z_-]{22}\.[0-9A-Za-z_-]{43}`),
		issued(scan.Rule{
			ID:         "mailgun-api-key",
			Provider:   "mailgun",
			Title:      "Mailgun API key",
			Why:        "It sends mail from the account's domains and reads their logs.",
			Fix:        "Delete it under API Security, and create one with fewer permissions.",
			Reference:  mailgunKeys,
			MinEntropy: 3,
		}, "MAILGUN_API_KEY", `key-[0-9a-f]{32}`),
		called(scan.Rule{
			ID:         "mailgun-private-key",
			Provider:   "mailgun",
			Title:      "Mailgun API key of the newer form",
			Why:        "It sends mail from the account's domains and reads their logs.",
			Fix:        "Delete it under API Security, and create one with fewer permissions.",
			Reference:  mailgunKeys,
			Confidence: scan.High,
		}, `mailgun`, `key|secret|token|pass`, "MAILGUN_API_KEY", `[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8}`),
		called(scan.Rule{
			ID:        "mailgun-signing-key",
			Provider:  "mailgun",
			Title:     "Mailgun webhook signing key",
			Why:       "Whoever has it can forge webhook events.",
			Fix:       "Reset the HTTP webhook signing key under API Security.",
			Reference: "https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks",
		}, `mailgun`, `sign|webhook`, "MAILGUN_SIGNING_KEY", `[0-9a-f]{32}`),
		issued(scan.Rule{
			ID:         "mailchimp-api-key",
			Provider:   "mailchimp",
			Title:      "Mailchimp API key",
			Why:        "It reads and writes the audiences and sends campaigns.",
			Fix:        "Revoke it under Extras, API keys, and create a new one.",
			Reference:  "https://mailchimp.com/developer/marketing/guides/quick-start/",
			MinEntropy: 3,
		}, "MAILCHIMP_API_KEY", `[0-9a-f]{32}-us[0-9]{1,2}`),
		issued(scan.Rule{
			ID:         "mandrill-api-key",
			Provider:   "mandrill",
			Title:      "Mailchimp Transactional (Mandrill) API key",
			Why:        "It sends mail from the account's domains and reads what was sent.",
			Fix:        "Delete it under Settings, SMTP & API Info, and create one with fewer permissions.",
			Reference:  "https://mailchimp.com/developer/transactional/guides/quick-start/",
			Confidence: scan.Medium,
			MinEntropy: 3.4,
			Check:      randomAndUnpublished,
		}, "MANDRILL_API_KEY", `md-[0-9A-Za-z_-]{22}`),
		called(scan.Rule{
			ID:         "mandrill-legacy-key",
			Provider:   "mandrill",
			Title:      "Mailchimp Transactional (Mandrill) API key of the older form",
			Why:        "It sends mail from the account's domains and reads what was sent.",
			Fix:        "Delete it under Settings, SMTP & API Info, and create one with fewer permissions.",
			Reference:  "https://mailchimp.com/developer/transactional/guides/quick-start/",
			MinEntropy: 3.4,
		}, `mandrill`, `key|pass|token`, "MANDRILL_API_KEY", `[0-9A-Za-z_-]{22}`),
		called(scan.Rule{
			ID:        "postmark-token",
			Provider:  "postmark",
			Title:     "Postmark API token",
			Why:       "It sends mail from the server's senders, or administers the account.",
			Fix:       "Generate another token on the server's API Tokens tab, deploy it, and delete this one.",
			Reference: "https://postmarkapp.com/developer/api/overview",
		}, `postmark`, `token|key|secret|pass`, "POSTMARK_SERVER_TOKEN", uuidExpr),
		issued(scan.Rule{
			ID:        "brevo-api-key",
			Provider:  "brevo",
			Title:     "Brevo (Sendinblue) API or SMTP key",
			Why:       "It sends mail and messages at the account's cost and reads its contacts.",
			Fix:       "Delete it under SMTP & API, and generate a new one.",
			Reference: "https://developers.brevo.com/docs/getting-started",
		}, "BREVO_API_KEY", `x(?:key|smtp)sib-[0-9a-f]{64}-[0-9A-Za-z]{16}`),
		led(scan.Rule{
			ID:         "resend-api-key",
			Provider:   "resend",
			Title:      "Resend API key",
			Why:        "It sends mail from the account's domains, and more with full access.",
			Fix:        "Delete it under API Keys, and create one that may only send.",
			Reference:  "https://resend.com/docs/dashboard/api-keys/introduction",
			MinEntropy: 3.6,
			Check:      tailRandom,
		}, "RESEND_API_KEY", `re_[0-9A-Za-z]{8}_[0-9A-Za-z]{24}`),
		called(scan.Rule{
			ID:        "mailjet-secret-key",
			Provider:  "mailjet",
			Title:     "Mailjet secret key",
			Why:       "With the API key it sends mail from the account's domains and reads its contacts.",
			Fix:       "Generate a new secret key under Account settings, API key management.",
			Reference: "https://dev.mailjet.com/email/guides/#authentication",
		}, `mailjet|\bmj_api`, `secret|private|pass`, "MAILJET_SECRET_KEY", `[0-9a-f]{32}`),
		called(scan.Rule{
			ID:        "sparkpost-api-key",
			Provider:  "sparkpost",
			Title:     "SparkPost API key",
			Why:       "It sends mail from the account's domains within its permissions.",
			Fix:       "Delete it under Configuration, API Keys, and create one with fewer permissions.",
			Reference: "https://developers.sparkpost.com/api/",
		}, `spark_?post`, `key|token|pass`, "SPARKPOST_API_KEY", `[0-9a-f]{40}`),
		issued(scan.Rule{
			ID:        "mailersend-token",
			Provider:  "mailersend",
			Title:     "MailerSend API token",
			Why:       "It sends mail from the account's domains within its permissions.",
			Fix:       "Delete it on the domain's page under API tokens, and generate one with fewer permissions.",
			Reference: "https://developers.mailersend.com/general.html#authentication",
		}, "MAILERSEND_API_TOKEN", `mlsn\.[0-9a-f]{64}`),
		issued(scan.Rule{
			ID:         "smtp2go-api-key",
			Provider:   "smtp2go",
			Title:      "SMTP2GO API key",
			Why:        "It sends mail from the account's senders within its permissions.",
			Fix:        "Delete it under Sending, API Keys, and add one with fewer permissions.",
			Reference:  "https://developers.smtp2go.com/docs/getting-started",
			Confidence: scan.Medium,
			MinEntropy: 3,
		}, "SMTP2GO_API_KEY", `api-[0-9A-F]{32}`),
		issued(scan.Rule{
			ID:         "klaviyo-private-key",
			Provider:   "klaviyo",
			Title:      "Klaviyo private API key",
			Why:        "It reads and writes profiles and sends campaigns within its scopes.",
			Fix:        "Delete it under Settings, API keys, and create one with fewer scopes.",
			Reference:  "https://developers.klaviyo.com/en/docs/authenticate_",
			MinEntropy: 3,
		}, "KLAVIYO_API_KEY", `pk_[0-9a-f]{34}`),
		called(scan.Rule{
			ID:         "customerio-key",
			Provider:   "customerio",
			Title:      "Customer.io API key",
			Why:        "It reads and writes people and sends messages to them.",
			Fix:        "Delete it under Settings, API Credentials, and create a new one.",
			Reference:  "https://docs.customer.io/accounts-and-workspaces/managing-credentials/",
			MinEntropy: 2.3,
		}, `customer_?io`, `key|token`, "CUSTOMERIO_API_KEY", `[0-9a-f]{20}|[0-9a-f]{32}`),
		issued(scan.Rule{
			ID:         "courier-api-key",
			Provider:   "courier",
			Title:      "Courier API key",
			Why:        "It sends notifications over every channel of the workspace.",
			Fix:        "Rotate it under Settings, API Keys.",
			Reference:  "https://www.courier.com/docs/reference/auth/intro",
			MinEntropy: 3.4,
		}, "COURIER_AUTH_TOKEN", `(?:pk|dk)_(?:prod|test)_[0-9A-Z]{28}`),
		issued(scan.Rule{
			ID:        "intercom-token",
			Provider:  "intercom",
			Title:     "Intercom access token",
			Why:       "It reads and writes the workspace's contacts and conversations.",
			Fix:       "Regenerate it under Configure, Authentication of the app in the Developer Hub.",
			Reference: "https://developers.intercom.com/docs/build-an-integration/learn-more/authentication",
			Check:     intercomToken,
			Samples: sealed("INTERCOM_ACCESS_TOKEN", func(g *scan.Gen) string {
				return base64.StdEncoding.EncodeToString([]byte("tok:" + strings.ReplaceAll(g.UUID(), "-", "_") + ":1:0"))
			}),
		}, "", `dG9rO[g-v][0-9A-Za-z+/]{48,60}={0,2}`),
		called(scan.Rule{
			ID:         "zendesk-token",
			Provider:   "zendesk",
			Title:      "Zendesk API token",
			Why:        "With an agent's address it reads and writes every ticket and user.",
			Fix:        "Delete it in the Admin Center under Apps and integrations, API tokens, and add a new one.",
			Reference:  "https://support.zendesk.com/hc/en-us/articles/4408889192858",
			MinEntropy: 3.7,
		}, `zendesk`, `token|secret|key|pass`, "ZENDESK_API_TOKEN", `[0-9A-Za-z]{40}`),
		called(scan.Rule{
			ID:         "freshdesk-api-key",
			Provider:   "freshdesk",
			Title:      "Freshdesk API key",
			Why:        "It acts as its owner on tickets and contacts.",
			Fix:        "Reset the API key under Profile settings.",
			Reference:  "https://developers.freshdesk.com/api/#authentication",
			MinEntropy: 3.2,
		}, `freshdesk`, `key|token`, "FRESHDESK_API_KEY", `[0-9A-Za-z]{20}`),
		called(scan.Rule{
			ID:        "mailtrap-token",
			Provider:  "mailtrap",
			Title:     "Mailtrap API token",
			Why:       "It sends mail from the account's domains within its permissions, or reads its test inboxes.",
			Fix:       "Delete it under Settings, API Tokens, and create one with fewer permissions.",
			Reference: "https://docs.mailtrap.io/developers/authentication",
		}, `mailtrap`, `token|key|pass`, "MAILTRAP_API_TOKEN", `[0-9a-f]{32}`),
	}
}

var intercomInside = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^tok:[0-9a-f]{8}(_[0-9a-f]{4}){3}_[0-9a-f]{12}:`) })

// intercomToken proves tokens that are the base 64 of "tok:", a UUID with
// underscores and two numbers.
func intercomToken(c scan.Candidate) scan.Evidence {
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(string(c.Secret()), "="))
	if err == nil && intercomInside().Match(raw) {
		return scan.Holds("decodes to a token's id")
	}
	return scan.Evidence{}
}
