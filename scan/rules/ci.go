package rules

import (
	"bytes"

	"github.com/keywright/keywright/scan"
)

func ci() []scan.Rule {
	const circleTokens = "https://circleci.com/docs/managing-api-tokens/"
	return []scan.Rule{{
		ID:         "circleci-token",
		Provider:   "circleci",
		Title:      "CircleCI API token",
		Why:        "It starts pipelines and reads the projects' settings as its owner may.",
		Fix:        "Delete it under User settings (or Project settings), API tokens, and create a new one.",
		Reference:  circleTokens,
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>CCI(?:PAT|PRJ)_[0-9A-Za-z]{22}_[0-9a-f]{40})\b`,
		Samples:    shaped("CIRCLE_TOKEN", `CCI(?:PAT|PRJ)_[0-9A-Za-z]{22}_[0-9a-f]{40}`),
	}, {
		ID:         "circleci-token-legacy",
		Provider:   "circleci",
		Title:      "CircleCI API token of the older form",
		Why:        "It starts pipelines and reads the projects' settings as its owner may.",
		Fix:        "Delete it under User settings (or Project settings), API tokens, and create a new one.",
		Reference:  circleTokens,
		Confidence: scan.Medium,
		Expr:       `(?:svg\?(?:style=[a-z-]{1,12}&)?)?` + named(`circle_?ci|circle[_-]?t`, `oken|api_?key`, `[0-9a-f]{40}`),
		MinEntropy: 3,
		Check: func(c scan.Candidate) scan.Evidence {
			if bytes.HasPrefix(c.Text, []byte("svg?")) {
				return scan.Evidence{Cap: scan.Low, Reason: "a badge's token, which shows the state of builds"}
			}
			return scan.Evidence{}
		},
		Samples: func(g *scan.Gen) scan.Samples {
			s := bound("CIRCLE_TOKEN", `[0-9a-f]{40}`)(g)
			s.NoMatch = append(s.NoMatch, "[![CI](https://circleci.com/gh/o/r.svg?style=svg&circle-token="+g.Hex(40)+")](https://circleci.com/gh/o/r)\n")
			return s
		},
	}, {
		ID:         "buildkite-token",
		Provider:   "buildkite",
		Title:      "Buildkite token",
		Why:        "It reads builds and starts them, or takes jobs as an agent, as its kind (the two letters) says.",
		Fix:        "Revoke it under Personal settings, API access tokens (or Agents), and create one with fewer scopes.",
		Reference:  "https://buildkite.com/docs/platform/security/tokens",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>bk(?:ua|aa|aj|ct|at|pt)_[0-9A-Za-z_-]{40,80})` + after,
		Samples:    shaped("BUILDKITE_API_TOKEN", `bk(?:ua|ct)_[0-9a-f]{40}`),
	}, {
		ID:         "buildkite-agent-token",
		Provider:   "buildkite",
		Title:      "Buildkite agent token of the older form",
		Why:        "Whoever has it can register agents that receive jobs with their code and secrets.",
		Fix:        "Create a new agent token, restart the agents with it, and revoke this one.",
		Reference:  "https://buildkite.com/docs/agent/v3/tokens",
		Confidence: scan.Medium,
		Expr:       named(`buildkite`, `token|key`, `[0-9a-f]{40}(?:[0-9a-f]{10})?`),
		MinEntropy: 3,
		Samples:    bound("BUILDKITE_AGENT_TOKEN", `[0-9a-f]{50}`),
	}, {
		ID:         "travis-token",
		Provider:   "travisci",
		Title:      "Travis CI API token",
		Why:        "It starts builds and reads settings of its owner's repositories.",
		Fix:        "Regenerate it under Settings, API authentication.",
		Reference:  "https://docs.travis-ci.com/user/triggering-builds/",
		Confidence: scan.Medium,
		Expr:       named(`travis`, `token|api_?key|auth`, `[0-9A-Za-z_-]{22}`),
		MinEntropy: 3.4,
		Check:      mixedAndRandom,
		Samples:    bound("TRAVIS_API_TOKEN", `[0-9A-Za-z]{10}-[0-9A-Za-z]{8}7aZ`),
	}, {
		ID:         "drone-token",
		Provider:   "droneci",
		Title:      "Drone or Woodpecker CI token",
		Why:        "It starts builds and reads secrets' names as its owner, or joins runners to the server.",
		Fix:        "Regenerate the user's token on its profile page, or change the shared RPC secret on server and runners.",
		Reference:  "https://docs.drone.io/cli/configure/",
		Confidence: scan.Medium,
		Expr:       named(`drone[_.-]|droner|drones|dronet|woodpecker`, `oken|ecret`, `[0-9a-f]{32}|[0-9A-Za-z]{32}`),
		MinEntropy: 3,
		Check:      looksRandom,
		Samples:    bound("DRONE_RPC_SECRET", `[0-9a-f]{32}`),
	}, {
		ID:         "jenkins-token",
		Provider:   "jenkins",
		Title:      "Jenkins API token",
		Why:        "With its user's name it starts jobs and reads what the user may, credentials in scripts included.",
		Fix:        "Revoke it under the user's Security settings, API Token, and add a new one.",
		Reference:  "https://www.jenkins.io/doc/book/system-administration/authenticating-scripted-clients/",
		Confidence: scan.Medium,
		Expr:       named(`jenkins|hudson`, `token|key|pass|auth|secret`, `(?:11)?[0-9a-f]{32}`),
		MinEntropy: 3,
		Samples: func(g *scan.Gen) scan.Samples {
			s := bound("JENKINS_API_TOKEN", `11[0-9a-f]{32}`)(g)
			s.NoMatch = append(s.NoMatch, "jenkins_token_md5sum_of_plugin.hpi "+g.Hex(32)+"zz\n")
			return s
		},
	}, {
		ID:         "teamcity-token",
		Provider:   "teamcity",
		Title:      "TeamCity access token",
		Why:        "It acts as its owner on projects and builds within its permissions.",
		Fix:        "Revoke it under Profile, Access tokens, and create one that expires.",
		Reference:  "https://www.jetbrains.com/help/teamcity/managing-your-user-account.html",
		Confidence: scan.High,
		// base 64 of {"typ": "TCV2"}
		Expr:    begin + `(?P<secret>eyJ0eXAiOiAiVENWMiJ9\.[0-9A-Za-z_-]{20,80}\.[0-9A-Za-z_-]{30,80})` + after,
		Samples: shaped("TEAMCITY_TOKEN", `eyJ0eXAiOiAiVENWMiJ9\.[0-9A-Za-z_-]{36}\.[0-9A-Za-z_-]{47}[0-9A-Za-z]`),
	}, {
		ID:         "codecov-token",
		Provider:   "codecov",
		Title:      "Codecov upload or API token",
		Why:        "It uploads coverage reports in the repository's name.",
		Fix:        "Regenerate it on the repository's or organisation's settings page.",
		Reference:  "https://docs.codecov.com/docs/codecov-tokens",
		Confidence: scan.Medium,
		Expr:       named(`codecov`, `token|secret|-t`, uuidExpr),
		Samples: func(g *scan.Gen) scan.Samples {
			s := bound("CODECOV_TOKEN", uuidExpr)(g)
			s.Match = append(s.Match, "codecov:\n  token: \""+g.UUID()+"\"\n")
			return s
		},
	}, {
		ID:         "coveralls-token",
		Provider:   "coveralls",
		Title:      "Coveralls repository token",
		Why:        "It uploads coverage reports in the repository's name.",
		Fix:        "Regenerate it on the repository's settings page.",
		Reference:  "https://docs.coveralls.io/api-introduction",
		Confidence: scan.Medium,
		Expr:       named(`coveralls`, `token`, `[0-9A-Za-z]{32,36}`),
		MinEntropy: 3.5,
		Check:      looksRandom,
		Samples:    bound("COVERALLS_REPO_TOKEN", `[0-9A-Za-z]{33}`),
	}, {
		ID:         "codeclimate-token",
		Provider:   "codeclimate",
		Title:      "Code Climate (Qlty) token",
		Why:        "It uploads coverage reports, or reads repositories' analyses.",
		Fix:        "Regenerate the reporter id on the repository's settings page, or delete the access token.",
		Reference:  "https://docs.codeclimate.com/docs/finding-your-test-coverage-token",
		Confidence: scan.Medium,
		Expr:       named(`code_?climate|cc_?test`, `token|reporter_?id|key`, `[0-9a-f]{64}|[0-9a-f]{40}`),
		MinEntropy: 3,
		Samples:    bound("CC_TEST_REPORTER_ID", `[0-9a-f]{64}`),
	}, {
		ID:         "codacy-token",
		Provider:   "codacy",
		Title:      "Codacy token",
		Why:        "It uploads coverage reports, or acts as its owner on Codacy's API.",
		Fix:        "Delete it on the repository's or account's integrations page, and create a new one.",
		Reference:  "https://docs.codacy.com/codacy-api/api-tokens/",
		Confidence: scan.Medium,
		Expr:       named(`codacy`, `token`, `[0-9a-f]{32}|[0-9A-Za-z]{20}`),
		MinEntropy: 3,
		Check:      looksRandom,
		Samples:    bound("CODACY_PROJECT_TOKEN", `[0-9a-f]{32}`),
	}, {
		ID:         "snyk-token",
		Provider:   "snyk",
		Title:      "Snyk API token",
		Why:        "It reads the organisation's vulnerabilities and source snippets, and changes its settings.",
		Fix:        "Revoke it under Account settings (or the service account), and generate a new one.",
		Reference:  "https://docs.snyk.io/snyk-api/authentication-for-api",
		Confidence: scan.Medium,
		Expr:       named(`snyk`, `token|key|auth`, uuidExpr),
		Samples: func(g *scan.Gen) scan.Samples {
			s := bound("SNYK_TOKEN", uuidExpr)(g)
			s.Match = append(s.Match, "snyk auth "+g.UUID()+"\n")
			s.NoMatch = append(s.NoMatch, "SNYK_ORG="+g.UUID()+"\n")
			return s
		},
	}, {
		ID:         "snyk-access-token",
		Provider:   "snyk",
		Title:      "Snyk personal or service account access token",
		Why:        "It reads the organisation's vulnerabilities and source snippets, and changes its settings.",
		Fix:        "Revoke it under Account settings (or the service account), and generate a new one.",
		Reference:  "https://docs.snyk.io/snyk-api/authentication-for-api",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>snyk_(?:uat|sat)\.[0-9a-f]{8}\.[0-9A-Za-z_.-]{40,360})` + after,
		Samples:    shaped("SNYK_TOKEN", `snyk_[us]at\.[0-9a-f]{8}\.[0-9A-Za-z_-]{40}\.[0-9A-Za-z_-]{20}[0-9A-Za-z]`),
	}, {
		ID:         "sonar-token",
		Provider:   "sonar",
		Title:      "SonarQube token",
		Why:        "It reads code and analyses, and uploads new ones, as its owner or for its project.",
		Fix:        "Revoke it under My account, Security, and generate one for the project that needs it.",
		Reference:  "https://docs.sonarsource.com/sonarqube-server/latest/user-guide/managing-tokens/",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>sq[pua]_[0-9a-f]{40})\b`,
		Samples:    shaped("SONAR_TOKEN", `sq[pua]_[0-9a-f]{40}`),
	}, {
		ID:         "sonar-token-legacy",
		Provider:   "sonar",
		Title:      "SonarQube or SonarCloud token of the older form",
		Why:        "It reads code and analyses, and uploads new ones, as its owner.",
		Fix:        "Revoke it under My account, Security, and generate a new one.",
		Reference:  "https://docs.sonarsource.com/sonarqube-server/latest/user-guide/managing-tokens/",
		Confidence: scan.Medium,
		Expr:       named(`sonar[_.-]|sonarq|sonarc|sonart|sonarl`, `oken|ogin|secret|password`, `[0-9a-f]{40}`),
		MinEntropy: 3,
		Samples: func(g *scan.Gen) scan.Samples {
			s := bound("SONAR_TOKEN", `[0-9a-f]{40}`)(g)
			s.Match = append(s.Match, "mvn sonar:sonar -Dsonar.login="+g.Hex(40)+"\n")
			return s
		},
	}, {
		ID:         "appveyor-token",
		Provider:   "appveyor",
		Title:      "AppVeyor API token",
		Why:        "It starts builds and reads settings of its owner's projects.",
		Fix:        "Regenerate it under Account, API keys.",
		Reference:  "https://www.appveyor.com/docs/api/",
		Confidence: scan.Medium,
		Expr:       named(`appveyor`, `token|api_?key`, `(?:v2\.)?[0-9a-z]{20}`),
		MinEntropy: 3,
		Check:      looksRandom,
		Samples:    bound("APPVEYOR_API_TOKEN", `v2\.[0-9a-z]{20}`),
	}, {
		ID:         "bitrise-token",
		Provider:   "bitrise",
		Title:      "Bitrise access token",
		Why:        "It starts builds and reads artifacts as its owner may.",
		Fix:        "Revoke it under Account settings, Security, and generate a new one.",
		Reference:  "https://devcenter.bitrise.io/en/accounts/personal-access-tokens.html",
		Confidence: scan.Medium,
		Expr:       named(`bitrise`, `token|api_?key`, `[0-9A-Za-z_-]{86}|[0-9A-Za-z_-]{22}`),
		MinEntropy: 3.4,
		Check:      mixedAndRandom,
		Samples:    bound("BITRISE_TOKEN", `[0-9A-Za-z]{40}-[0-9A-Za-z]{42}7aZ`),
	}, {
		ID:         "harness-token",
		Provider:   "harness",
		Title:      "Harness access token",
		Why:        "It acts as its owner, or as a service account, on pipelines and secrets' settings.",
		Fix:        "Delete it under the profile's or service account's API keys, and create one that expires.",
		Reference:  "https://developer.harness.io/docs/platform/automation/api/add-and-manage-api-keys/",
		Confidence: scan.High,
		Expr:       tightLead + `(?P<secret>[ps]at\.[0-9A-Za-z_-]{22}\.[0-9a-f]{24}\.[0-9A-Za-z]{20})\b`,
		Samples:    shaped("HARNESS_API_KEY", `[ps]at\.[0-9A-Za-z_-]{22}\.[0-9a-f]{24}\.[0-9A-Za-z]{20}`),
	}, {
		ID:         "percy-token",
		Provider:   "browserstack",
		Title:      "Percy project token",
		Why:        "It uploads snapshots in the project's name, at its owner's expense.",
		Fix:        "Regenerate it on the project's settings page.",
		Reference:  "https://www.browserstack.com/docs/percy/get-started/first-build",
		Confidence: scan.High,
		Expr:       named(`percy`, `token`, `(?:(?:web|app|auto|ss|generic)_)?[0-9a-f]{64}`),
		MinEntropy: 3,
		Samples:    bound("PERCY_TOKEN", `web_[0-9a-f]{64}`),
	}, {
		ID:         "browserstack-access-key",
		Provider:   "browserstack",
		Title:      "BrowserStack, Sauce Labs or LambdaTest access key",
		Why:        "With its user's name it runs tests at the account's expense and reads recordings.",
		Fix:        "Regenerate it under the account's settings.",
		Reference:  "https://www.browserstack.com/docs/iaam/security-and-access/managing-access-keys",
		Confidence: scan.Medium,
		Expr:       named(`browser_?stack|sauce_?labs|sauce_|lambda_?test`, `access_?key`, `[0-9A-Za-z]{20}|`+uuidExpr+`|LT_[0-9A-Za-z]{44}|[0-9A-Za-z]{50}`),
		MinEntropy: 3,
		Check:      looksRandom,
		Samples: func(g *scan.Gen) scan.Samples {
			s := bound("BROWSERSTACK_ACCESS_KEY", `[0-9A-Za-z]{18}7a`)(g)
			s.Match = append(s.Match, "SAUCE_ACCESS_KEY="+g.UUID()+"\n")
			return s
		},
	}, {
		ID:         "cypress-record-key",
		Provider:   "cypress",
		Title:      "Cypress Cloud record key",
		Why:        "It records test runs in the project's name, at its owner's expense.",
		Fix:        "Delete it under Project settings, Record keys, and create a new one.",
		Reference:  "https://docs.cypress.io/cloud/account-management/projects",
		Confidence: scan.Medium,
		Expr:       named(`cypress`, `key`, uuidExpr),
		Samples: func(g *scan.Gen) scan.Samples {
			s := bound("CYPRESS_RECORD_KEY", uuidExpr)(g)
			s.Match = append(s.Match, "npx cypress run --record --key "+g.UUID()+"\n")
			return s
		},
	}, {
		ID:         "nx-cloud-token",
		Provider:   "nx",
		Title:      "Nx Cloud access token",
		Why:        "It reads, and a read-write one fills, the cache that builds are taken from.",
		Fix:        "Delete it in the workspace's settings, and generate one that is read-only outside CI.",
		Reference:  "https://nx.dev/ci/recipes/security/access-tokens",
		Confidence: scan.Medium,
		Expr:       named(`nx_?cloud`, `token`, `[0-9A-Za-z+/]{60,80}={0,2}`),
		MinEntropy: 3.7,
		Check:      mixedAndRandom,
		Samples:    bound("NX_CLOUD_ACCESS_TOKEN", `[0-9A-Za-z]{65}7aZ`),
	}, {
		ID:         "semgrep-token",
		Provider:   "semgrep",
		Title:      "Semgrep app token",
		Why:        "It uploads and reads scan results in the organisation's name.",
		Fix:        "Delete it under Settings, Tokens, and create a new one.",
		Reference:  "https://semgrep.dev/docs/semgrep-ci/ci-environment-variables",
		Confidence: scan.High,
		Expr:       named(`semgrep`, `token`, `[0-9a-f]{64}`),
		MinEntropy: 3,
		Samples:    bound("SEMGREP_APP_TOKEN", `[0-9a-f]{64}`),
	}, {
		ID:         "gitguardian-api-key",
		Provider:   "gitguardian",
		Title:      "GitGuardian API key",
		Why:        "It reads the workspace's incidents, which point at other secrets.",
		Fix:        "Revoke it under API, Personal access tokens or Service accounts, and create a new one.",
		Reference:  "https://docs.gitguardian.com/api-docs/authentication",
		Confidence: scan.Medium,
		Expr:       named(`git_?guardian|gg_api`, `key|token`, `[0-9A-Za-z]{64,72}`),
		MinEntropy: 3.7,
		Check:      looksRandom,
		Samples:    bound("GITGUARDIAN_API_KEY", `[0-9A-Za-z]{68}`),
	}, {
		ID:         "socket-api-key",
		Provider:   "socket",
		Title:      "Socket API key",
		Why:        "It reads the organisation's dependencies and reports.",
		Fix:        "Revoke it under Settings, API tokens, and create one with fewer scopes.",
		Reference:  "https://docs.socket.dev/reference/creating-and-managing-api-tokens",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>sktsec_[0-9A-Za-z_-]{40,80})` + after,
		Samples:    shaped("SOCKET_SECURITY_API_KEY", `sktsec_[0-9A-Za-z_-]{44}_api`),
	}, {
		ID:         "wakatime-api-key",
		Provider:   "wakatime",
		Title:      "WakaTime API key",
		Why:        "It reads and writes its owner's coding activity.",
		Fix:        "Generate a new key under Settings, API key.",
		Reference:  "https://wakatime.com/developers",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>waka_(?:(?:tok|sec|ref)_[0-9A-Za-z]{60,90}|` + uuidExpr + `))\b`,
		Samples:    shaped("WAKATIME_API_KEY", `waka_`+uuidExpr),
	}, {
		ID:         "chromatic-token",
		Provider:   "chromatic",
		Title:      "Chromatic project token",
		Why:        "It publishes builds in the project's name, at its owner's expense.",
		Fix:        "Reset it on the project's Manage screen, and keep it in CI's secrets.",
		Reference:  "https://www.chromatic.com/docs/setup/",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>chpt_[0-9a-f]{12,16})\b`,
		Samples:    shaped("CHROMATIC_PROJECT_TOKEN", `chpt_[0-9a-f]{15}`),
	}, {
		ID:         "expo-token",
		Provider:   "expo",
		Title:      "Expo access token",
		Why:        "It builds, updates and submits its owner's applications.",
		Fix:        "Revoke it under Access tokens, and create a robot user's with a role.",
		Reference:  "https://docs.expo.dev/accounts/programmatic-access/",
		Confidence: scan.Medium,
		Expr:       named(`expo_?t|expo_?a|expo[_-]?p`, `oken`, `[0-9A-Za-z_-]{40}`),
		MinEntropy: 3.7,
		Check:      mixedAndRandom,
		Samples: func(g *scan.Gen) scan.Samples {
			t := g.String(scan.Base62, 37) + "7aZ"
			return scan.Samples{
				Match:   []string{"EXPO_TOKEN=" + t + "\n", "env:\n  EXPO_TOKEN: \"" + t + "\"\n"},
				NoMatch: []string{"EXPO_TOKEN=${{ secrets.EXPO_TOKEN }}\n", "export_token_" + t + "\n"},
			}
		},
	}}
}
