package rules

import (
	"encoding/base64"

	"github.com/keywright/keywright/scan"
)

// platforms lists credentials of services that run, schedule or deploy what others
// write.
func platforms() []scan.Rule {
	const tinybird = `p\.eyJ1IjogI[0-9A-Za-z_-]{50,250}\.[0-9A-Za-z_-]{43}`
	return []scan.Rule{
		issued(scan.Rule{
			ID:        "openshift-token",
			Provider:  "openshift",
			Title:     "OpenShift OAuth access token",
			Why:       "It acts on the cluster as the user that it was issued to, until it expires.",
			Fix:       "Log that session out (oc logout), or delete the user's OAuthAccessToken.",
			Reference: "https://docs.okd.io/latest/rest_api/oauth_apis/oauth-apis-index.html",
			Check:     tildeRandom,
		}, "OPENSHIFT_TOKEN", `sha256~[0-9A-Za-z_-]{43}`),
		issued(scan.Rule{
			ID:        "inngest-signing-key",
			Provider:  "inngest",
			Title:     "Inngest signing key",
			Why:       "It calls the environment's API, and forges requests to the functions.",
			Fix:       "Create a new signing key in the environment, deploy it with the old one as fallback, and rotate.",
			Reference: "https://www.inngest.com/docs/platform/signing-keys",
		}, "INNGEST_SIGNING_KEY", `signkey-[a-z]{2,12}-[0-9a-f]{32,64}`),
		issued(scan.Rule{
			ID:         "trigger-dev-key",
			Provider:   "trigger-dev",
			Title:      "Trigger.dev secret key or access token",
			Why:        "It triggers tasks of the environment and reads their runs and payloads.",
			Fix:        "Regenerate the key on the environment's API keys page, and deploy the new one.",
			Reference:  "https://trigger.dev/docs/apikeys",
			MinEntropy: 3,
			Check:      tailRandom,
		}, "TRIGGER_SECRET_KEY", `tr_(?:dev|prod|stg|preview|pat)_[0-9A-Za-z]{20,48}`),
		called(scan.Rule{
			ID:         "octopus-deploy-api-key",
			Provider:   "octopus",
			Title:      "Octopus Deploy API key",
			Why:        "It deploys as its owner, and reads the variables of projects.",
			Fix:        "Revoke it under Profile, My API Keys, and create one with an expiry date.",
			Reference:  "https://octopus.com/docs/octopus-rest-api/how-to-create-an-api-key",
			Confidence: scan.High,
		}, `octopus`, `key|token`, "OCTOPUS_API_KEY", `API-[0-9A-Z]{26,34}`),
		called(scan.Rule{
			ID:         "convex-deploy-key",
			Provider:   "convex",
			Title:      "Convex deploy key",
			Why:        "It deploys functions and reads all data of the deployment.",
			Fix:        "Delete the deploy key in the deployment's settings, and generate a new one.",
			Reference:  "https://docs.convex.dev/cli/deploy-key-types",
			Confidence: scan.High,
		}, `convex`, `key`, "CONVEX_DEPLOY_KEY", `(?:prod|dev|preview|project):[0-9a-z:-]{4,60}\|[0-9A-Za-z+/_-]{40,140}={0,2}`),
		{
			ID:         "sidekiq-credentials",
			Provider:   "sidekiq",
			Title:      "credentials of Sidekiq's gem server",
			Why:        "They download the licensed gems in the customer's name.",
			Fix:        "Ask Contributed Systems for new credentials, and set them with bundle config.",
			Reference:  "https://github.com/sidekiq/sidekiq/wiki/Comm-Installation",
			Confidence: scan.High,
			Expr:       `(?i:contribsys(?:__|\.)com)` + assigned + `(?P<secret>[0-9a-f]{8}:[0-9a-f]{8})` + quote,
			Samples: func(g *scan.Gen) scan.Samples {
				v := g.Hex(8) + ":" + g.Hex(8)
				return scan.Samples{
					Match:   []string{"BUNDLE_GEMS__CONTRIBSYS__COM=" + v + "\n", "bundle config --local gems.contribsys.com " + v + "\n", "BUNDLE_ENTERPRISE__CONTRIBSYS__COM: \"" + v + "\"\n"},
					NoMatch: []string{"BUNDLE_GEMS__CONTRIBSYS__COM=${SIDEKIQ}\n", "source \"https://gems.contribsys.com/\"\n"},
				}
			},
		},
		{
			ID:         "tinybird-token",
			Provider:   "tinybird",
			Title:      "Tinybird auth token",
			Why:        "It reads and writes data sources of the workspace, as far as its scopes go.",
			Fix:        "Refresh or delete the token under Tokens in the workspace.",
			Reference:  "https://www.tinybird.co/docs/forward/administration/tokens",
			Confidence: scan.High,
			Expr:       begin + `(?P<secret>` + tinybird + `)` + after,
			Samples:    shaped("TINYBIRD_TOKEN", tinybird),
		},
		{
			ID:         "neptune-api-token",
			Provider:   "neptune",
			Title:      "Neptune API token",
			Why:        "It reads and writes its owner's runs and models.",
			Fix:        "Reset it in the user menu under Get your API token.",
			Reference:  "https://docs-legacy.neptune.ai/setup/setting_api_token/",
			Confidence: scan.High,
			Expr:       begin + `(?P<secret>eyJhcGlfYWRkcmVzcyI6I[0-9A-Za-z+/_-]{60,300}={0,2})` + afterBase64,
			Samples: func(g *scan.Gen) scan.Samples {
				v := base64.StdEncoding.EncodeToString([]byte(`{"api_address":"https://app.neptune.ai","api_url":"https://app.neptune.ai","api_key":"` + g.UUID() + `"}`))
				return scan.Samples{Match: inContexts("NEPTUNE_API_TOKEN", v), NoMatch: []string{"NEPTUNE_API_TOKEN=" + v[:40] + "\n", "NEPTUNE_API_TOKEN=${TOKEN}\n"}}
			},
		},
	}
}

// tildeRandom rejects what reads as a name behind the tilde.
func tildeRandom(c scan.Candidate) scan.Evidence {
	return randomAndUnpublished(scan.Candidate{Text: c.Text, Roles: c.Roles, Spans: [][]byte{c.Secret()[len("sha256~"):]}})
}
