package rules

import (
	"bytes"
	"encoding/base64"
	"strings"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/proof"
)

const (
	newRelicKeys = "https://docs.newrelic.com/docs/apis/intro-apis/new-relic-api-keys/"
	newRelicFix  = "Delete it under API keys in the user menu, and create a new one."
	datadogKeys  = "https://docs.datadoghq.com/account_management/api-app-keys/"
	sentryTokens = "https://docs.sentry.io/account/auth-tokens/"
	sentryFix    = "Revoke it under Settings, Auth Tokens, and create one with fewer scopes."
)

func observability() []scan.Rule {
	return []scan.Rule{
		called(scan.Rule{
			ID:        "datadog-api-key",
			Provider:  "datadog",
			Title:     "Datadog API key",
			Why:       "It sends metrics, logs and traces into the organization, and with an application key reads everything.",
			Fix:       "Create a new key under Organization Settings, API Keys, deploy it, and revoke this one.",
			Reference: datadogKeys,
		}, `datadog|\bdd[_-]?api`, `key`, "DATADOG_API_KEY", `[0-9a-f]{32}`),
		called(scan.Rule{
			ID:        "datadog-application-key",
			Provider:  "datadog",
			Title:     "Datadog application key",
			Why:       "With an API key it reads and changes everything that its owner can in the organization.",
			Fix:       "Revoke it under Organization Settings, Application Keys, and create one with scopes.",
			Reference: datadogKeys,
		}, `datadog|\bdd[_-]?app`, `key`, "DD_APP_KEY", `[0-9a-f]{40}`),
		issued(scan.Rule{
			ID:        "datadog-token",
			Provider:  "datadog",
			Title:     "Datadog access token or application key of the newer form",
			Why:       "It reads and changes what its scopes reach in the organization.",
			Fix:       "Revoke it under Personal Settings (or Organization Settings), and create one with fewer scopes.",
			Reference: "https://docs.datadoghq.com/account_management/personal-access-tokens/",
			Samples:   shaped("DD_TOKEN", `dd(?:pat|ap)_[0-9A-Za-z]{40}`),
		}, "", `dd(?:pat|sat|app?)_[0-9A-Za-z_]{32,100}`),
		issued(scan.Rule{
			ID:        "newrelic-user-key",
			Provider:  "newrelic",
			Title:     "New Relic user key",
			Why:       "It reads and changes what its owner can in the account, through NerdGraph.",
			Fix:       newRelicFix,
			Reference: newRelicKeys,
		}, "NEW_RELIC_API_KEY", `NRAK-[0-9A-Z]{27}`),
		issued(scan.Rule{
			ID:        "newrelic-admin-key",
			Provider:  "newrelic",
			Title:     "New Relic admin or REST API key of the older form",
			Why:       "It reads and changes the account's data and settings.",
			Fix:       newRelicFix,
			Reference: newRelicKeys,
		}, "NEW_RELIC_ADMIN_KEY", `NR[AR]A-(?:[0-9a-f]{42}|[0-9a-f]{27})`),
		issued(scan.Rule{
			ID:        "newrelic-license-key",
			Provider:  "newrelic",
			Title:     "New Relic license key",
			Why:       "It sends telemetry into the account, at its cost.",
			Fix:       "Create a new license key, deploy it, and delete this one (the account's original key: ask support).",
			Reference: newRelicKeys,
		}, "NEW_RELIC_LICENSE_KEY", `[0-9A-Za-z]{6}[0-9a-f]{26}(?:FFFF|ffff)NRAL`),
		issued(scan.Rule{
			ID:        "newrelic-insights-key",
			Provider:  "newrelic",
			Title:     "New Relic insert or query key",
			Why:       "It writes events into the account, or reads all of them.",
			Fix:       "Delete it under Insights keys, and use a license key or a user key.",
			Reference: newRelicKeys,
		}, "NEW_RELIC_INSERT_KEY", `NRI[IQ]-[0-9A-Za-z_-]{32}`),
		issued(scan.Rule{
			ID:        "newrelic-synthetics-key",
			Provider:  "newrelic",
			Title:     "New Relic synthetics private location key",
			Why:       "Whoever has it can run the location's monitors, with the credentials in them.",
			Fix:       "Delete the private location, and create a new one.",
			Reference: newRelicKeys,
		}, "NEW_RELIC_SYNTHETICS_KEY", `NRSP-[a-z]{2}[0-9]{2}[0-9A-F]{31,32}`),
		issued(scan.Rule{
			ID:        "sentry-user-token",
			Provider:  "sentry",
			Title:     "Sentry personal or internal integration token",
			Why:       "It reads and changes what its scopes reach, with the data in events.",
			Fix:       sentryFix,
			Reference: sentryTokens,
		}, "SENTRY_AUTH_TOKEN", `sntry[ui]_[0-9a-f]{64}`),
		{
			ID:         "sentry-organization-token",
			Provider:   "sentry",
			Title:      "Sentry organization token",
			Why:        "It uploads releases, source maps and debug files.",
			Fix:        sentryFix,
			Reference:  sentryTokens,
			Confidence: scan.High,
			Expr:       begin + `(?P<secret>sntrys_eyJ[0-9A-Za-z+/]{60,400}={0,2}_[0-9A-Za-z+/]{43})` + afterBase64,
			Check:      proof.SentryToken,
			Samples: func(g *scan.Gen) scan.Samples {
				s := sealed("SENTRY_AUTH_TOKEN", func(g *scan.Gen) string { return proof.SealSentry("acme", g.String(scan.Base64Std, 43)) })(g)
				s.Failed = []string{"SENTRY_AUTH_TOKEN=sntrys_eyJ" + g.String(scan.Base62, 90) + "_" + g.String(scan.Base62, 43) + "\n"}
				return s
			},
		},
		called(scan.Rule{
			ID:        "sentry-token-legacy",
			Provider:  "sentry",
			Title:     "Sentry auth token of the older form",
			Why:       "It reads and changes what its scopes reach, with the data in events.",
			Fix:       sentryFix,
			Reference: sentryTokens,
		}, `sentry`, `token|auth|api_?key`, "SENTRY_AUTH_TOKEN", `[0-9a-f]{64}`),
		{
			ID:         "sentry-dsn-secret",
			Provider:   "sentry",
			Title:      "Sentry DSN with its secret key",
			Why:        "It sends events into the project; the secret half was not meant for clients.",
			Fix:        "Generate a new key under Client Keys (DSN), use its public DSN, and disable this one.",
			Reference:  "https://docs.sentry.io/concepts/key-terms/dsn-explainer/",
			Confidence: scan.Medium,
			Expr:       `https?://(?P<id>[0-9a-f]{32}):(?P<secret>[0-9a-f]{32})@(?P<host>[0-9a-z.:-]{4,80})/[0-9]{1,20}\b`,
			Public:     []string{"id", "host"},
			MinEntropy: 2.8,
			Samples: func(g *scan.Gen) scan.Samples {
				id, v := g.Hex(32), g.Hex(32)
				return scan.Samples{
					Match: []string{
						"SENTRY_DSN=https://" + id + ":" + v + "@sentry.io/1234567\n",
						"Raven.config('https://" + id + ":" + v + "@o12345.ingest.sentry.io/67890').install();\n",
					},
					NoMatch: []string{"SENTRY_DSN=https://" + id + "@o12345.ingest.sentry.io/67890\n", "SENTRY_DSN=https://<key>:<secret>@sentry.io/<project>\n"},
				}
			},
		},
		issued(scan.Rule{
			ID:        "honeycomb-key",
			Provider:  "honeycomb",
			Title:     "Honeycomb ingest or management key",
			Why:       "It sends telemetry into the environment, or manages the team's environments and keys.",
			Fix:       "Disable it under the environment's (or the team's) API Keys, and create a new one.",
			Reference: "https://docs.honeycomb.io/configure/environments/manage-api-keys/",
		}, "HONEYCOMB_API_KEY", `hc[a-z](?:ik|lk|mk)_[0-9a-z]{58}`),
		called(scan.Rule{
			ID:         "honeycomb-configuration-key",
			Provider:   "honeycomb",
			Title:      "Honeycomb configuration or classic key",
			Why:        "It sends telemetry, and reads and changes the environment within its permissions.",
			Fix:        "Disable it under the environment's API Keys, and create an ingest key in its place.",
			Reference:  "https://docs.honeycomb.io/configure/environments/manage-api-keys/",
			MinEntropy: 3,
		}, `honeycomb`, `key|team|token`, "HONEYCOMB_API_KEY", `[0-9A-Za-z]{22}|[0-9a-f]{32}`),
		issued(scan.Rule{
			ID:        "dynatrace-token",
			Provider:  "dynatrace",
			Title:     "Dynatrace access token",
			Why:       "It reads and changes what its scopes reach in the environment.",
			Fix:       "Delete it under Access tokens, and generate one with fewer scopes that expires.",
			Reference: "https://docs.dynatrace.com/docs/manage/identity-access-management/access-tokens-and-oauth-clients/access-tokens",
		}, "DT_API_TOKEN", `dt0[a-z][0-9]{2}\.[2-7A-Z]{8,24}\.[2-7A-Z]{64}`),
		called(scan.Rule{
			ID:        "splunk-hec-token",
			Provider:  "splunk",
			Title:     "Splunk HTTP Event Collector token",
			Why:       "It writes events into the token's indexes.",
			Fix:       "Delete it under Data Inputs, HTTP Event Collector, and add a new token.",
			Reference: "https://docs.splunk.com/Documentation/Splunk/latest/Data/UsetheHTTPEventCollector",
			Samples: func(g *scan.Gen) scan.Samples {
				s := bound("SPLUNK_HEC_TOKEN", uuidExpr)(g)
				s.Match = append(s.Match, "curl -H \"Authorization: Splunk "+g.UUID()+"\" https://splunk.test:8088/services/collector\n")
				return s
			},
		}, `splunk|authorization`, `token|hec|splunk`, "", uuidExpr),
		{
			ID:         "elastic-api-key",
			Provider:   "elastic",
			Title:      "Elasticsearch API key",
			Why:        "It reads and writes indexes within its privileges.",
			Fix:        "Invalidate it under Stack Management, API keys, and create one with fewer privileges.",
			Reference:  "https://www.elastic.co/docs/deploy-manage/api-keys/elasticsearch-api-keys",
			Confidence: scan.Medium,
			Expr:       named(`elastic|\bes_api|kibana|authorization|logstash`, `key|encoded`, `[0-9A-Za-z+/_-]{58}(?:==)?`),
			MinEntropy: 3.8,
			Check:      elasticKey,
			NeedsProof: true,
			Samples: func(g *scan.Gen) scan.Samples {
				v := base64.StdEncoding.EncodeToString([]byte(g.String(scan.Base64URL, 20) + ":" + g.String(scan.Base64URL, 22)))
				return scan.Samples{
					Match:   append(inAssignments("ELASTICSEARCH_API_KEY", v), "Authorization: ApiKey "+v+"\n"),
					NoMatch: []string{"ELASTIC_API_KEY=" + g.String(scan.Base62, 58) + "==\n", "ELASTIC_API_KEY=${ELASTIC_API_KEY}\n"},
				}
			},
		},
		issued(scan.Rule{
			ID:        "elastic-cloud-api-key",
			Provider:  "elastic",
			Title:     "Elastic Cloud API key",
			Why:       "It creates, changes and deletes deployments within its roles.",
			Fix:       "Revoke it under Organization, API keys, and create one with fewer roles that expires.",
			Reference: "https://www.elastic.co/docs/deploy-manage/api-keys/elastic-cloud-api-keys",
			Samples:   shaped("EC_API_KEY", `essu_[0-9A-Za-z]{92}`),
		}, "", `essu_[0-9A-Za-z+/_-]{60,160}={0,2}`),
		called(scan.Rule{
			ID:         "sumologic-access-key",
			Provider:   "sumologic",
			Title:      "Sumo Logic access key",
			Why:        "With the access id it reads logs and changes the account as its owner.",
			Fix:        "Delete it under Preferences, Access Keys, and add one with fewer scopes.",
			Reference:  "https://help.sumologic.com/docs/manage/security/access-keys/",
			MinEntropy: 4,
		}, `sumo`, `key|secret`, "SUMOLOGIC_ACCESS_KEY", `[0-9A-Za-z]{64}`),
		webhook(scan.Rule{
			ID:        "sumologic-collector-url",
			Provider:  "sumologic",
			Title:     "Sumo Logic HTTP source address",
			Why:       "Whoever knows it writes logs into the account, at its cost.",
			Fix:       "Regenerate the address in the HTTP source's settings.",
			Reference: "https://help.sumologic.com/docs/send-data/hosted-collectors/http-source/",
		}, "SUMO_URL", `(?:endpoint|collectors)[0-9]{1,2}\.(?:collection\.)?(?:[a-z]{2}[0-9]?\.)?sumologic\.com/receiver/v1/http/[0-9A-Za-z_-]{60,140}={0,2}`),
		called(scan.Rule{
			ID:         "logzio-token",
			Provider:   "logzio",
			Title:      "Logz.io token",
			Why:        "It ships logs into the account, or searches them.",
			Fix:        "Replace it under Settings, Manage tokens.",
			Reference:  "https://docs.logz.io/docs/user-guide/admin/authentication-tokens/",
			MinEntropy: 3,
		}, `logz`, `token|key`, "LOGZIO_TOKEN", `[A-Za-z]{32}|`+uuidExpr),
		called(scan.Rule{
			ID:        "loggly-token",
			Provider:  "loggly",
			Title:     "Loggly customer token",
			Why:       "It ships logs into the account, at its cost.",
			Fix:       "Retire it under Source Setup, Customer Tokens, and add a new one.",
			Reference: "https://documentation.solarwinds.com/en/success_center/loggly/content/admin/customer-token-authentication-token.htm",
		}, `loggly`, `token|key`, "LOGGLY_TOKEN", uuidExpr),
		webhook(scan.Rule{
			ID:        "loggly-input-url",
			Provider:  "loggly",
			Title:     "Loggly input address",
			Why:       "Whoever knows it ships logs into the account, at its cost.",
			Fix:       "Retire the token in it under Source Setup, Customer Tokens, and add a new one.",
			Reference: "https://documentation.solarwinds.com/en/success_center/loggly/content/admin/http-endpoint.htm",
		}, "LOGGLY_URL", `logs-[0-9]{2}\.loggly\.com/(?:inputs|bulk)/(?:token/)?`+uuidExpr),
		called(scan.Rule{
			ID:         "papertrail-token",
			Provider:   "papertrail",
			Title:      "Papertrail API token",
			Why:        "It reads the account's logs and changes its settings.",
			Fix:        "Reset it on the profile page.",
			Reference:  "https://www.papertrail.com/help/http-api/",
			MinEntropy: 3.2,
		}, `paper_?trail`, `token|key`, "PAPERTRAIL_API_TOKEN", `[0-9A-Za-z]{20}`),
		called(scan.Rule{
			ID:        "mezmo-key",
			Provider:  "mezmo",
			Title:     "Mezmo (LogDNA) key",
			Why:       "It ships logs into the account, or reads them with a service key.",
			Fix:       "Delete it under Settings, Organization, API Keys, and generate a new one.",
			Reference: "https://docs.mezmo.com/docs/ingestion-key",
		}, `logdna|mezmo`, `key|token`, "LOGDNA_INGESTION_KEY", `[0-9a-f]{32}`),
		issued(scan.Rule{
			ID:        "axiom-token",
			Provider:  "axiom",
			Title:     "Axiom API or personal token",
			Why:       "It writes and reads the organization's data sets.",
			Fix:       "Delete it under Settings, API tokens (or Profile), and create one with fewer permissions.",
			Reference: "https://axiom.co/docs/reference/tokens",
		}, "AXIOM_TOKEN", `xa[ap]t-`+uuidExpr),
		issued(scan.Rule{
			ID:         "coralogix-key",
			Provider:   "coralogix",
			Title:      "Coralogix API key",
			Why:        "It writes data into the team, or reads and changes what its permissions reach.",
			Fix:        "Deactivate it under Data Flow, API Keys, and create a new one.",
			Reference:  "https://coralogix.com/docs/user-guides/account-management/api-keys/api-keys/",
			MinEntropy: 3.5,
		}, "CORALOGIX_API_KEY", `cxt[ph]_[0-9A-Za-z]{30}`),
		called(scan.Rule{
			ID:         "influxdb-token",
			Provider:   "influxdb",
			Title:      "InfluxDB API token",
			Why:        "It reads and writes buckets within its permissions.",
			Fix:        "Delete it under Load Data, API Tokens, and generate one for fewer buckets.",
			Reference:  "https://docs.influxdata.com/influxdb/v2/admin/tokens/",
			Confidence: scan.High,
			MinEntropy: 4.5,
		}, `influx`, `token|auth`, "INFLUXDB_TOKEN", `[0-9A-Za-z_-]{86}==`),
		called(scan.Rule{
			ID:         "pagerduty-api-key",
			Provider:   "pagerduty",
			Title:      "PagerDuty API key",
			Why:        "It reads and changes incidents, schedules and users.",
			Fix:        "Remove it under Integrations, API Access Keys (or My Profile, User Settings), and create a new one.",
			Reference:  "https://support.pagerduty.com/main/docs/api-access-keys",
			MinEntropy: 3.2,
		}, `pager_?duty`, `key|token`, "PAGERDUTY_API_KEY", `u\+[0-9A-Za-z_-]{18}|[0-9A-Za-z_+-]{20}`),
		called(scan.Rule{
			ID:        "pagerduty-integration-key",
			Provider:  "pagerduty",
			Title:     "PagerDuty integration key",
			Why:       "It raises and resolves alerts of the service.",
			Fix:       "Add a new integration to the service, change the sender, and delete this one.",
			Reference: "https://support.pagerduty.com/main/docs/services-and-integrations",
		}, `pager_?duty`, `key|token`, "PAGERDUTY_ROUTING_KEY", `[0-9a-f]{32}|R0[0-9A-Z]{30}`),
		called(scan.Rule{
			ID:        "opsgenie-api-key",
			Provider:  "opsgenie",
			Title:     "Opsgenie API key",
			Why:       "It raises and closes alerts, and with more rights changes schedules and users.",
			Fix:       "Delete it under API key management (or the integration), and add one with fewer rights.",
			Reference: "https://support.atlassian.com/opsgenie/docs/api-key-management/",
		}, `ops_?genie|genie_?key`, `key|token`, "OPSGENIE_API_KEY", uuidExpr),
		called(scan.Rule{
			ID:        "rollbar-token",
			Provider:  "rollbar",
			Title:     "Rollbar access token",
			Why:       "It sends items into the project, or reads and changes them.",
			Fix:       "Delete it under Project Access Tokens, and create one with fewer scopes.",
			Reference: "https://docs.rollbar.com/docs/access-tokens",
		}, `rollbar`, `token|key`, "ROLLBAR_ACCESS_TOKEN", `[0-9a-f]{32}(?:[0-9a-f]{32})?`),
		called(scan.Rule{
			ID:        "bugsnag-key",
			Provider:  "bugsnag",
			Title:     "BugSnag API key or personal auth token",
			Why:       "It sends errors into the project, or reads them as its owner.",
			Fix:       "Regenerate the project's notifier key, or delete the personal auth token and create a new one.",
			Reference: "https://docs.bugsnag.com/api/data-access/",
		}, `bugsnag`, `key|token`, "BUGSNAG_API_KEY", `[0-9a-f]{32}|`+uuidExpr),
		called(scan.Rule{
			ID:         "betterstack-token",
			Provider:   "betterstack",
			Title:      "Better Stack token",
			Why:        "It sends logs into the source, or reads and changes monitors.",
			Fix:        "Delete it under API tokens (or rotate the source's token), and create a new one.",
			Reference:  "https://betterstack.com/docs/uptime/api/getting-started-with-uptime-api/",
			MinEntropy: 3.4,
		}, `better_?stack|better_?uptime|logtail`, `token|key`, "LOGTAIL_SOURCE_TOKEN", `[0-9A-Za-z]{24}`),
		issued(scan.Rule{
			ID:        "posthog-personal-key",
			Provider:  "posthog",
			Title:     "PostHog personal or project secret API key",
			Why:       "It reads events and persons and changes the project within its scopes.",
			Fix:       "Delete it under Settings, Personal API keys, and create one with fewer scopes.",
			Reference: "https://posthog.com/docs/api",
			Samples: func(g *scan.Gen) scan.Samples {
				s := shaped("POSTHOG_API_KEY", `ph[xs]_[0-9A-Za-z]{43}`)(g)
				s.NoMatch = append(s.NoMatch, "POSTHOG_KEY=phc_"+g.String(scan.Base62, 43)+"\n")
				return s
			},
		}, "", `ph[xs]_[0-9A-Za-z]{43,50}`),
		called(scan.Rule{
			ID:        "amplitude-secret-key",
			Provider:  "amplitude",
			Title:     "Amplitude secret key",
			Why:       "With the API key it exports every event and user of the project.",
			Fix:       "Generate a new secret key in the project's settings.",
			Reference: "https://amplitude.com/docs/apis/authentication",
		}, `amplitude`, `secret`, "AMPLITUDE_SECRET_KEY", `[0-9a-f]{32}`),
		called(scan.Rule{
			ID:        "mixpanel-secret",
			Provider:  "mixpanel",
			Title:     "Mixpanel API secret",
			Why:       "It exports every event and profile of the project.",
			Fix:       "Reset it in the project's settings, and use a service account.",
			Reference: "https://developer.mixpanel.com/reference/project-secret",
		}, `mixpanel`, `secret`, "MIXPANEL_API_SECRET", `[0-9a-f]{32}`),
		issued(scan.Rule{
			ID:         "segment-public-api-token",
			Provider:   "segment",
			Title:      "Segment Public API token",
			Why:        "It reads and changes the workspace: sources, destinations and their credentials.",
			Fix:        "Remove it under Settings, Workspace settings, Access Management, Tokens, and create a new one.",
			Reference:  "https://segment.com/docs/api/public-api/",
			MinEntropy: 4.4,
		}, "SEGMENT_API_TOKEN", `sgp_[0-9A-Za-z]{64}`),
		{
			ID:         "segment-write-key",
			Provider:   "segment",
			Title:      "Segment write key",
			Why:        "It sends events into the source and all destinations behind it.",
			Fix:        "Generate a new write key in the source's settings, API Keys, and delete this one.",
			Reference:  "https://segment.com/docs/connections/find-writekey/",
			Confidence: scan.Medium,
			Expr:       `(?i:write_?key)[0-9A-Za-z_]{0,8}` + assigned + `(?P<secret>[0-9A-Za-z]{32})` + quote,
			MinEntropy: 3.7,
			Check:      randomAndUnpublished,
			Samples:    bound("SEGMENT_WRITE_KEY", `[0-9A-Za-z]{32}`),
		},
		issued(scan.Rule{
			ID:        "checkly-api-key",
			Provider:  "checkly",
			Title:     "Checkly API key",
			Why:       "It reads and changes checks, with the credentials in them.",
			Fix:       "Delete it under API keys, and create a new one.",
			Reference: "https://www.checklyhq.com/docs/cli/authentication/",
		}, "CHECKLY_API_KEY", `cu_[0-9a-f]{32}`),
		called(scan.Rule{
			ID:         "uptimerobot-api-key",
			Provider:   "uptimerobot",
			Title:      "UptimeRobot API key",
			Why:        "It reads and changes monitors and alert contacts.",
			Fix:        "Delete it under Integrations & API, and create a read-only one.",
			Reference:  "https://uptimerobot.com/api/",
			Confidence: scan.High,
		}, `uptime_?robot`, `key|token`, "UPTIMEROBOT_API_KEY", `(?:ur?|m)[0-9]{6,10}-[0-9a-f]{24,32}`),
		called(scan.Rule{
			ID:        "airbrake-key",
			Provider:  "airbrake",
			Title:     "Airbrake project or user key",
			Why:       "It sends errors into the project, or reads them as its owner.",
			Fix:       "Regenerate it in the project's (or the profile's) settings.",
			Reference: "https://docs.airbrake.io/docs/devops-tools/api/",
		}, `airbrake`, `key|token`, "AIRBRAKE_PROJECT_KEY", `[0-9a-f]{32}|[0-9a-f]{40}`),
		issued(scan.Rule{
			ID:        "logfire-token",
			Provider:  "logfire",
			Title:     "Pydantic Logfire token",
			Why:       "It sends telemetry into the project, or reads it.",
			Fix:       "Revoke it under the project's settings, Write tokens (or Read tokens), and create a new one.",
			Reference: "https://logfire.pydantic.dev/docs/how-to-guides/create-write-tokens/",
			Samples:   shaped("LOGFIRE_TOKEN", `pylf_v1_(?:us|eu)_[0-9A-Za-z]{43}`),
		}, "", `pylf_v[0-9]_(?:us|eu|local)_[0-9A-Za-z]{40,60}`),
		issued(scan.Rule{
			ID:        "rootly-api-key",
			Provider:  "rootly",
			Title:     "Rootly API key",
			Why:       "It reads and changes incidents within its permissions.",
			Fix:       "Delete it under Organization settings, API Keys, and create a new one.",
			Reference: "https://docs.rootly.com/api-reference/overview",
		}, "ROOTLY_API_KEY", `rootly_[0-9a-f]{64}`),
		called(scan.Rule{
			ID:         "statsig-secret",
			Provider:   "statsig",
			Title:      "Statsig server or console API key",
			Why:        "It reads every experiment and gate, and with a console key changes them.",
			Fix:        "Delete it under Settings, Keys & Environments, and create a new one.",
			Reference:  "https://docs.statsig.com/access-management/api-keys",
			Confidence: scan.High,
			MinEntropy: 3.6,
		}, `statsig`, `key|secret|token`, "STATSIG_SERVER_SECRET", `(?:secret|console)-[0-9A-Za-z]{40,50}`),
	}
}

func grafana() []scan.Rule {
	const (
		why       = "It reads and changes dashboards and data sources, and queries what lies behind them, within its role."
		reference = "https://grafana.com/docs/grafana/latest/administration/service-accounts/"
	)
	return []scan.Rule{{
		ID:         "grafana-service-account-token",
		Provider:   "grafana",
		Title:      "Grafana service account token",
		Why:        why,
		Fix:        "Delete it on the service account's page, and add one that expires.",
		Reference:  reference,
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>glsa_[0-9A-Za-z]{32}_[0-9a-f]{8})` + after,
		Check:      proof.GrafanaServiceAccount,
		Samples: withFailed(sealed("GRAFANA_TOKEN", func(g *scan.Gen) string { return proof.SealGrafana(g.String(scan.Base62, 32)) }),
			func(g *scan.Gen) string { return "token: glsa_" + g.String(scan.Base62, 32) + "_0000bad0\n" }),
	}, {
		ID:         "grafana-cloud-token",
		Provider:   "grafana",
		Title:      "Grafana Cloud access policy token",
		Why:        "It reads or writes metrics, logs and stacks within its policy.",
		Fix:        "Delete it under Access Policies, and create one with fewer scopes that expires.",
		Reference:  "https://grafana.com/docs/grafana-cloud/account-management/authentication-and-permissions/access-policies/",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>glc_eyJ[0-9A-Za-z+/]{40,400}={0,2})` + afterBase64,
		Check:      proof.GrafanaCloud,
		Samples: withFailed(sealed("GRAFANA_CLOUD_TOKEN", func(g *scan.Gen) string {
			return proof.SealGrafanaCloud("stack-1234-ci", g.String(scan.Base62, 24))
		}), func(g *scan.Gen) string { return "token: glc_eyJ" + g.String(scan.Base62, 90) + "\n" }),
	}, {
		ID:         "grafana-api-key-legacy",
		Provider:   "grafana",
		Title:      "Grafana API key of the older form",
		Why:        why,
		Fix:        "Delete it under API keys, and use a service account's token.",
		Reference:  reference,
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>eyJrIjoi[0-9A-Za-z+/]{60,300}={0,2})` + afterBase64,
		Check:      proof.GrafanaLegacyKey,
		Samples: func(g *scan.Gen) scan.Samples {
			v := proof.SealGrafanaLegacy("ci", g.String(scan.Base62, 32))
			return scan.Samples{
				Match:   inContexts("GRAFANA_API_KEY", v),
				Failed:  []string{"GRAFANA_API_KEY=eyJrIjoi" + g.String(scan.Base62, 80) + "\n"},
				NoMatch: []string{"GRAFANA_API_KEY=" + v[:40] + "\n", "GRAFANA_API_KEY=x" + v + "\n"},
			}
		},
	}}
}

// elasticKey proves API keys: the base 64 of an id of 20 characters, a colon and
// a key of 22.
func elasticKey(c scan.Candidate) scan.Evidence {
	text := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(string(c.Secret()), "="))
	raw, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return scan.Evidence{}
	}
	id, key, ok := bytes.Cut(raw, []byte(":"))
	if !ok || len(id) != 20 || len(key) != 22 || !tokenAlphabet(id) || !tokenAlphabet(key) {
		return scan.Evidence{}
	}
	if ev := published(c); ev.Cap != 0 {
		return ev
	}
	ev := scan.Holds("decodes to an id and a key")
	ev.PublicID = "Elasticsearch API key " + string(id)
	return ev
}
