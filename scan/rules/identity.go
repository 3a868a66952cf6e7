package rules

import (
	"bytes"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/proof"
)

// identity holds identity providers, data platforms and feature flags.
func identity() []scan.Rule {
	return []scan.Rule{{
		ID:         "okta-token",
		Provider:   "okta",
		Title:      "Okta API token",
		Why:        "It changes users, groups and applications as the administrator who made it.",
		Fix:        "Revoke it under Security, API, Tokens, and use an OAuth service application.",
		Reference:  "https://developer.okta.com/docs/guides/create-an-api-token/main/",
		Confidence: scan.High,
		Expr:       named(`okta|ssws`, `token|key|secret|ssws|auth`, `00[0-9A-Za-z_-]{40}`),
		MinEntropy: 3.7,
		Samples:    bound("OKTA_API_TOKEN", `00[0-9A-Za-z_-]{39}[0-9A-Za-z]`),
	}, {
		ID:         "okta-ssws-header",
		Provider:   "okta",
		Title:      "Okta API token in a header",
		Why:        "It changes users, groups and applications as the administrator who made it.",
		Fix:        "Revoke it under Security, API, Tokens, and use an OAuth service application.",
		Reference:  "https://developer.okta.com/docs/guides/create-an-api-token/main/",
		Confidence: scan.High,
		Expr:       `\bSSWS (?P<secret>00[0-9A-Za-z_-]{40})` + after,
		Samples: func(g *scan.Gen) scan.Samples {
			return scan.Samples{
				Match:   []string{"Authorization: SSWS 00" + g.String(scan.Base62, 40) + "\n"},
				NoMatch: []string{"Authorization: SSWS ${OKTA_TOKEN}\n", "Authorization: SSWS 00" + g.String(scan.Base62, 20) + "\n"},
			}
		},
	}, {
		ID:         "okta-client-secret",
		Provider:   "okta",
		Title:      "Okta or Auth0 client secret",
		Why:        "With its client id it acts as the application, on the management API if that was granted.",
		Fix:        "Rotate it on the application's page, deploy the new one, and deactivate this one.",
		Reference:  "https://auth0.com/docs/get-started/applications/rotate-client-secret",
		Confidence: scan.High,
		Expr:       named(`okta|auth0`, `secret|token`, `[0-9A-Za-z_-]{64}`),
		MinEntropy: 4,
		Check:      mixedAndRandom,
		Samples:    bound("AUTH0_CLIENT_SECRET", `[0-9A-Za-z]{30}-[0-9A-Za-z]{30}7aZ`),
	}, {
		ID:         "onelogin-client-secret",
		Provider:   "onelogin",
		Title:      "OneLogin API credential",
		Why:        "It changes users and applications within its scope.",
		Fix:        "Regenerate it under Developers, API credentials.",
		Reference:  "https://developers.onelogin.com/api-docs/2/getting-started/working-with-api-credentials",
		Confidence: scan.High,
		Expr:       named(`one_?login`, `secret|token`, `[0-9a-f]{64}`),
		MinEntropy: 3,
		Samples:    bound("ONELOGIN_CLIENT_SECRET", `[0-9a-f]{64}`),
	}, {
		ID:         "duo-secret-key",
		Provider:   "duo",
		Title:      "Duo secret key",
		Why:        "With its integration key it acts as the integration: it can pass, or administer, second factors.",
		Fix:        "Reset the secret key on the application's page in the Duo Admin Panel.",
		Reference:  "https://duo.com/docs/protecting-applications",
		Confidence: scan.Medium,
		Expr:       named(`\bduo[_-]|_duo_|duo_s|duosec|"duo`, `skey|secret|key`, `[0-9A-Za-z]{40}`),
		MinEntropy: 3.7,
		Check:      mixedAndRandom,
		Samples: func(g *scan.Gen) scan.Samples {
			s := bound("DUO_SECRET_KEY", `[0-9A-Za-z]{37}7aZ`)(g)
			s.Match = s.Match[:4]
			return s
		},
	}, {
		ID:         "keycloak-client-secret",
		Provider:   "keycloak",
		Title:      "Keycloak client secret",
		Why:        "With its client id it acts as the client, or as its service account.",
		Fix:        "Regenerate it on the client's Credentials page.",
		Reference:  "https://www.keycloak.org/docs/latest/server_admin/index.html",
		Confidence: scan.Medium,
		Expr:       named(`keycloak|kc_client`, `secret`, `[0-9A-Za-z]{32}|`+uuidExpr),
		MinEntropy: 3,
		Check:      looksRandom,
		Samples:    bound("KEYCLOAK_CLIENT_SECRET", `[0-9A-Za-z]{32}`),
	}, {
		ID:         "stytch-secret",
		Provider:   "stytch",
		Title:      "Stytch project secret",
		Why:        "With the project's id it signs in as, and changes, every user of the project.",
		Fix:        "Rotate it under API keys in the dashboard.",
		Reference:  "https://stytch.com/docs/api/authentication",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>secret-(?:live|test)-[0-9A-Za-z_-]{35}=)` + after,
		Samples:    shaped("STYTCH_SECRET", `secret-(?:live|test)-[0-9A-Za-z_-]{35}=`),
	}, {
		ID:         "ory-key",
		Provider:   "ory",
		Title:      "Ory API key or token",
		Why:        "It changes the project's identities and permissions.",
		Fix:        "Delete it under Project settings, API keys, and create a new one.",
		Reference:  "https://www.ory.sh/docs/concepts/personal-access-token",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>ory_(?:pat|apikey|wak|st)_[0-9A-Za-z_-]{32,90})` + after,
		Samples:    shaped("ORY_API_KEY", `ory_(?:pat|wak)_[0-9A-Za-z_-]{31}[0-9A-Za-z]`),
	}, {
		ID:         "databricks-token",
		Provider:   "databricks",
		Title:      "Databricks access token",
		Why:        "It runs code and reads data of the workspace as its owner may.",
		Fix:        "Revoke it under Settings, Developer, Access tokens, and use OAuth for a service principal.",
		Reference:  "https://docs.databricks.com/aws/en/dev-tools/auth/pat",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>(?:dapi|dose|dkea|dsapi)[0-9a-f]{32}(?:-[0-9])?)\b`,
		Samples:    shaped("DATABRICKS_TOKEN", `(?:dapi|dose)[0-9a-f]{32}(?:-2)?`),
	}, {
		ID:         "snowflake-password",
		Provider:   "snowflake",
		Title:      "Snowflake password",
		Why:        "It reads and writes the data warehouse as its user may.",
		Fix:        "Change it (ALTER USER … SET PASSWORD), and use key pairs or OAuth with multi-factor authentication.",
		Reference:  "https://docs.snowflake.com/en/user-guide/password-authentication",
		Confidence: scan.Medium,
		Expr:       named(`snowflake|snowsql`, `passw|passwd|pwd|password`, `[!#-&*-:<-Z^-z|~]{8,64}`),
		MinEntropy: 2.5,
		Check: func(c scan.Candidate) scan.Evidence {
			if !proof.LooksLikePassword(c.Secret()) {
				return scan.Rejected
			}
			return scan.Evidence{}
		},
		Samples: func(g *scan.Gen) scan.Samples {
			p := g.String(scan.Base62, 8) + "!x7Q"
			return scan.Samples{
				Match:   []string{"SNOWFLAKE_PASSWORD=" + p + "\n", "snowflake:\n  password: \"" + p + "\"\n"},
				NoMatch: []string{"SNOWFLAKE_PASSWORD=${SNOWFLAKE_PASSWORD}\n", "snowflake_password = var.snowflake_password\n", "snowflake_password: changeme\n", "snowflake.password(getPassword())\n"},
			}
		},
	}, {
		ID:         "confluent-secret",
		Provider:   "confluent",
		Title:      "Confluent Cloud API secret",
		Why:        "With its key it reads and writes topics, or manages the organisation's clusters.",
		Fix:        "Create another API key, deploy it, and delete this one.",
		Reference:  "https://docs.confluent.io/cloud/current/security/authenticate/workload-identities/service-accounts/api-keys/overview.html",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>cflt[0-9A-Za-z+/]{60})` + afterBase64,
		Check:      proof.ConfluentSecret,
		Samples: func(g *scan.Gen) scan.Samples {
			v := proof.SealConfluent(g.String(scan.Base62, 54))
			return scan.Samples{
				Match:   inContexts("CONFLUENT_API_SECRET", v),
				Failed:  []string{"CONFLUENT_API_SECRET=" + v[:58] + "AAAAAA\n"},
				NoMatch: []string{"CONFLUENT_API_SECRET=" + v[:40] + "\n", "CONFLUENT_API_SECRET=x" + v + "\n"},
			}
		},
	}, {
		ID:         "confluent-secret-legacy",
		Provider:   "confluent",
		Title:      "Confluent Cloud API secret of the older form",
		Why:        "With its key it reads and writes topics, or manages the organisation's clusters.",
		Fix:        "Create another API key, deploy it, and delete this one.",
		Reference:  "https://docs.confluent.io/cloud/current/security/authenticate/workload-identities/service-accounts/api-keys/overview.html",
		Confidence: scan.High,
		Expr:       named(`confluent|ccloud|kafka|schema_?registry|sasl[_.]`, `secret|pass`, `[0-9A-Za-z+/]{64}`),
		MinEntropy: 4,
		Check: func(c scan.Candidate) scan.Evidence {
			if bytes.HasPrefix(c.Secret(), []byte("cflt")) { // the newer form has its own rule
				return scan.Rejected
			}
			return mixedAndRandom(c)
		},
		Samples: bound("KAFKA_API_SECRET", `[0-9A-Za-z+/]{61}7aZ`),
	}, {
		ID:         "launchdarkly-key",
		Provider:   "launchdarkly",
		Title:      "LaunchDarkly SDK key or API token",
		Why:        "It reads all flags and their rules (sdk-), or changes them (api-).",
		Fix:        "Reset the SDK key with an expiry for the old one, or delete the token under Authorization.",
		Reference:  "https://launchdarkly.com/docs/home/account/api",
		Confidence: scan.High,
		Expr:       `\b(?P<secret>(?:sdk|api)-` + uuidExpr + `)\b`,
		Samples: func(g *scan.Gen) scan.Samples {
			s := shaped("LAUNCHDARKLY_SDK_KEY", `(?:sdk|api)-`+uuidExpr)(g)
			s.NoMatch = append(s.NoMatch, "mob-"+g.UUID()+"\n", "https://acme.test/api/"+g.UUID()+"\n")
			return s
		},
	}, {
		ID:         "unleash-token",
		Provider:   "unleash",
		Title:      "Unleash API token",
		Why:        "It reads, or with the admin kind changes, feature flags.",
		Fix:        "Delete it under API access, and create one for the environment that needs it.",
		Reference:  "https://docs.getunleash.io/reference/api-tokens-and-client-keys",
		Confidence: scan.High,
		Expr:       named(`unleash`, `token|key|secret|authorization`, `[0-9A-Za-z*_-]{1,40}:[0-9A-Za-z*_-]{1,30}\.[0-9a-f]{56,64}`),
		Samples:    bound("UNLEASH_API_TOKEN", `default:production\.[0-9a-f]{56}`),
	}, {
		ID:         "prefect-key",
		Provider:   "prefect",
		Title:      "Prefect Cloud API key",
		Why:        "It runs flows and reads their blocks, which hold credentials, as its owner may.",
		Fix:        "Delete it under API keys, and create one that expires for a service account.",
		Reference:  "https://docs.prefect.io/v3/how-to-guides/cloud/manage-users/api-keys",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>pn[ub]_[0-9A-Za-z]{36})\b`,
		Samples:    shaped("PREFECT_API_KEY", `pn[ub]_[0-9A-Za-z]{36}`),
	}, {
		ID:         "dbt-token",
		Provider:   "dbt",
		Title:      "dbt Cloud token",
		Why:        "It runs jobs and reads the projects of the account as its permissions say.",
		Fix:        "Delete it under Account settings, API tokens, and create one with fewer permissions.",
		Reference:  "https://docs.getdbt.com/docs/dbt-cloud-apis/authentication",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>dbt[cu]_[0-9A-Za-z_-]{32,64}={0,2})` + after,
		MinEntropy: 3.5,
		Check:      looksRandom,
		Samples:    shaped("DBT_CLOUD_TOKEN", `dbt[cu]_[0-9A-Za-z]{43}`),
	}}
}
