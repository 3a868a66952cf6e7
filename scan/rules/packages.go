package rules

import (
	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/proof"
)

func packages() []scan.Rule {
	return []scan.Rule{{
		ID:         "npm-token",
		Provider:   "npm",
		Title:      "npm access token",
		Why:        "It publishes and installs packages as its owner may: whoever has it can poison a release.",
		Fix:        "Delete it under Access tokens, and issue a granular one that expires, or use trusted publishing.",
		Reference:  "https://github.blog/changelog/2021-09-23-npm-has-a-new-access-token-format/",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>npm_[0-9A-Za-z]{36})\b`,
		Check:      proof.NPMToken,
		Samples: func(g *scan.Gen) scan.Samples {
			s := sealed("NPM_TOKEN", func(g *scan.Gen) string { return proof.SealNPM(g.String(scan.Base62, 30)) })(g)
			s.Match = append(s.Match, "//registry.test/:_authToken="+proof.SealNPM(g.String(scan.Base62, 30))+"\n")
			s.Failed = []string{"token: npm_" + g.String(scan.Base62, 30) + "zzzzzz\n"}
			return s
		},
	}, {
		ID:         "pypi-token",
		Provider:   "pypi",
		Title:      "PyPI API token",
		Why:        "It uploads releases of its owner's projects: whoever has it can poison them.",
		Fix:        "Remove it under Account settings, API tokens, and use trusted publishing or a token for one project.",
		Reference:  "https://pypi.org/help/#apitoken",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>pypi-(?:AgEIcHlwaS5vcmc|AgENdGVzdC5weXBpLm9yZw)[0-9A-Za-z_-]{60,460})` + after,
		Check:      proof.PyPIToken,
		Samples: func(g *scan.Gen) scan.Samples {
			token := proof.SealPyPI([]string{"pypi.org", "test.pypi.org"}[g.IntN(2)], g.UUID(), g.Bytes(32))
			return scan.Samples{
				Match:   append(inContexts("PYPI_TOKEN", token), "[pypi]\nusername = __token__\npassword = "+token+"\n"),
				Failed:  []string{"PYPI_TOKEN=" + token[:len(token)-12] + "\n"},
				NoMatch: []string{"PYPI_TOKEN=pypi-AgEIcHlwaS5vcmc...\n", "x" + token},
			}
		},
	}, {
		ID:         "rubygems-token",
		Provider:   "rubygems",
		Title:      "RubyGems API key",
		Why:        "It pushes and yanks its owner's gems within its scopes: whoever has it can poison a release.",
		Fix:        "Delete it under Settings, API keys, and use trusted publishing or a key for one gem.",
		Reference:  "https://guides.rubygems.org/api-key-scopes/",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>rubygems_[0-9a-f]{48})\b`,
		Samples:    shaped("GEM_HOST_API_KEY", `rubygems_[0-9a-f]{48}`),
	}, {
		ID:         "rubygems-token-legacy",
		Provider:   "rubygems",
		Title:      "RubyGems API key of the older form",
		Why:        "It pushes and yanks all of its owner's gems.",
		Fix:        "Reset it under Settings, and use trusted publishing or a key for one gem.",
		Reference:  "https://guides.rubygems.org/api-key-scopes/",
		Confidence: scan.Medium,
		Expr:       named(`rubygems|gem_host`, `api_?key|token`, `[0-9a-f]{32}`),
		MinEntropy: 3,
		Samples:    bound("RUBYGEMS_API_KEY", `[0-9a-f]{32}`),
	}, {
		ID:         "crates-io-token",
		Provider:   "cratesio",
		Title:      "crates.io API token",
		Why:        "It publishes and yanks its owner's crates within its scopes: whoever has it can poison a release.",
		Fix:        "Revoke it under Account settings, API tokens, and use trusted publishing or a scoped token.",
		Reference:  "https://doc.rust-lang.org/cargo/reference/publishing.html",
		Confidence: scan.High,
		Expr:       lead + `(?P<secret>cio[0-9A-Za-z]{32})\b`,
		MinEntropy: 3.5,
		Check:      mixedAndRandom,
		Samples: func(g *scan.Gen) scan.Samples {
			s := shaped("CARGO_REGISTRY_TOKEN", `cio[0-9A-Za-z]{29}7aZ`)(g)
			s.NoMatch = append(s.NoMatch, "cioNotificationPreferencesController\n", "cioabstractfactorybeansingletonprov\n")
			return s
		},
	}, {
		ID:         "nuget-api-key",
		Provider:   "nuget",
		Title:      "NuGet API key",
		Why:        "It pushes and unlists its owner's packages within its scopes: whoever has it can poison a release.",
		Fix:        "Regenerate it under API Keys, with a glob pattern and an expiry, or use trusted publishing.",
		Reference:  "https://learn.microsoft.com/nuget/nuget-org/scoped-api-keys",
		Confidence: scan.High,
		Expr:       `\b(?P<secret>oy2[0-9a-z]{43})\b`,
		MinEntropy: 3.5,
		Check:      looksRandom,
		Samples:    shaped("NUGET_API_KEY", `oy2[a-z2-7]{43}`),
	}, {
		ID:         "dockerhub-token",
		Provider:   "docker",
		Title:      "Docker Hub access token",
		Why:        "It pulls private images, and pushes to its owner's or organisation's repositories.",
		Fix:        "Delete it under Account settings (or the organisation's), Access tokens, and create one with fewer scopes.",
		Reference:  "https://docs.docker.com/security/access-tokens/",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>dckr_(?:pat_[0-9A-Za-z_-]{27}|oat_[0-9A-Za-z_-]{32}))` + after,
		Samples:    shaped("DOCKERHUB_TOKEN", `dckr_(?:pat_[0-9A-Za-z_-]{26}|oat_[0-9A-Za-z_-]{31})[0-9A-Za-z]`),
	}, {
		ID:         "dockerhub-token-legacy",
		Provider:   "docker",
		Title:      "Docker Hub access token of the older form",
		Why:        "It pulls private images, and pushes to its owner's repositories.",
		Fix:        "Delete it under Account settings, Access tokens, and create one with fewer scopes.",
		Reference:  "https://docs.docker.com/security/access-tokens/",
		Confidence: scan.Medium,
		Expr:       named(`docker_?hub|docker`, `token|password|passwd|secret`, uuidExpr),
		Check:      refusing(published, "jwt", "session", "cookie"),
		Samples:    bound("DOCKERHUB_PASSWORD", uuidExpr),
	}, {
		ID:         "jfrog-reference-token",
		Provider:   "jfrog",
		Title:      "JFrog reference token",
		Why:        "It acts as its owner on Artifactory: reads and publishes packages within its scope.",
		Fix:        "Revoke it under Administration, Access tokens, and generate one that expires.",
		Reference:  "https://jfrog.com/help/r/jfrog-platform-administration-documentation/reference-tokens",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>cmVmdGtuOjAxO[0-9A-Za-z+/]{51,62}={0,2})` + afterBase64,
		Check:      proof.JFrogReference,
		Samples: func(g *scan.Gen) scan.Samples {
			return scan.Samples{
				Match:   inContexts("ARTIFACTORY_TOKEN", proof.SealJFrogReference(uint64(1700000000+g.IntN(1<<28)), g.String(scan.Base62, 27))),
				NoMatch: []string{"ARTIFACTORY_TOKEN=cmVmdGtuOjAxO" + g.String(scan.Base62, 20) + "\n"},
			}
		},
	}, {
		ID:         "jfrog-api-key",
		Provider:   "jfrog",
		Title:      "JFrog Artifactory API key",
		Why:        "It acts as its owner on Artifactory: reads and publishes packages.",
		Fix:        "Revoke it under the user's profile, and use an access token that expires.",
		Reference:  "https://jfrog.com/help/r/jfrog-platform-administration-documentation/user-profile",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>AKCp[0-9A-Za-z]{69})\b`,
		Check:      proof.JFrogKey,
		Samples:    sealed("ARTIFACTORY_API_KEY", func(g *scan.Gen) string { return "AKCp" + g.String(scan.Base58, 69) }),
	}, {
		ID:         "artifactory-password",
		Provider:   "jfrog",
		Title:      "JFrog Artifactory encrypted password or token",
		Why:        "It acts as its owner on Artifactory: reads and publishes packages.",
		Fix:        "Change the password (or revoke the token) under the user's profile.",
		Reference:  "https://jfrog.com/help/r/jfrog-platform-administration-documentation/user-profile",
		Confidence: scan.Medium,
		Expr:       named(`artifactory|jfrog`, `token|key|pass|secret|auth`, `AP[0-9A-F][0-9A-Za-z]{12,60}|[0-9A-Za-z]{64}`),
		MinEntropy: 3.2,
		Check:      looksRandom,
		Samples:    bound("ARTIFACTORY_PASSWORD", `AP[0-9A-F][0-9A-Za-z]{30}`),
	}, {
		ID:         "clojars-token",
		Provider:   "clojars",
		Title:      "Clojars deploy token",
		Why:        "It deploys its owner's libraries: whoever has it can poison a release.",
		Fix:        "Disable it under Deploy tokens, and create one for the artifact that needs it.",
		Reference:  "https://github.com/clojars/clojars-web/wiki/Deploy-Tokens",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>CLOJARS_[0-9a-z]{60})\b`,
		Samples:    shaped("CLOJARS_PASSWORD", `CLOJARS_[0-9a-f]{60}`),
	}, {
		ID:         "hex-api-key",
		Provider:   "hex",
		Title:      "Hex API key",
		Why:        "It publishes its owner's packages: whoever has it can poison a release.",
		Fix:        "Revoke it under Dashboard, Keys, and generate one with fewer permissions.",
		Reference:  "https://hex.pm/docs/publish",
		Confidence: scan.Medium,
		Expr:       named(`hex_?api|hexpm|hex\.pm`, `key|token|secret`, `[0-9a-f]{32}`),
		MinEntropy: 3,
		Samples:    bound("HEX_API_KEY", `[0-9a-f]{32}`),
	}, {
		ID:         "packagist-token",
		Provider:   "packagist",
		Title:      "Private Packagist token",
		Why:        "It reads, or changes, the organisation's private packages.",
		Fix:        "Delete it on the organisation's or user's tokens page, and create a new one.",
		Reference:  "https://packagist.com/docs/api",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>packagist_[a-z]{3}_[0-9a-f]{68})\b`,
		Samples:    shaped("PACKAGIST_TOKEN", `packagist_[a-z]{3}_[0-9a-f]{68}`),
	}, {
		ID:         "packagist-token-legacy",
		Provider:   "packagist",
		Title:      "Packagist API token",
		Why:        "It updates and creates its owner's packages.",
		Fix:        "Regenerate it on the profile page.",
		Reference:  "https://packagist.org/apidoc",
		Confidence: scan.Medium,
		Expr:       named(`packagist`, `token|secret`, `[0-9A-Za-z_-]{20}`),
		MinEntropy: 3.2,
		Check:      mixedAndRandom,
		Samples:    bound("PACKAGIST_TOKEN", `[0-9A-Za-z]{8}-[0-9A-Za-z]{8}7aZ`),
	}, {
		ID:         "cloudsmith-api-key",
		Provider:   "cloudsmith",
		Title:      "Cloudsmith API key or entitlement token",
		Why:        "It reads and publishes packages as its owner may.",
		Fix:        "Reset it under the user's (or service account's) API settings.",
		Reference:  "https://help.cloudsmith.io/docs/api-key",
		Confidence: scan.Medium,
		Expr:       named(`cloudsmith`, `key|token|secret|pass`, `[0-9a-f]{40}|[0-9A-Za-z]{16}`),
		MinEntropy: 3,
		Check:      looksRandom,
		Samples:    bound("CLOUDSMITH_API_KEY", `[0-9a-f]{40}`),
	}, {
		ID:         "gemfury-token",
		Provider:   "gemfury",
		Title:      "Gemfury token in an address",
		Why:        "It installs, or publishes, the account's private packages.",
		Fix:        "Revoke it under Tokens, and use a deploy token from the environment.",
		Reference:  "https://gemfury.com/help/tokens/",
		Confidence: scan.High,
		Expr:       `://(?:[0-9A-Za-z_.-]{1,40}:)?(?P<secret>[0-9A-Za-z_-]{16,40})(?::|:NOPASS|:x)?@(?:[a-z]{2,8}\.)?fury\.(?:io|site)`,
		MinEntropy: 3,
		Check:      looksRandom,
		Samples: func(g *scan.Gen) scan.Samples {
			return scan.Samples{
				Match:   []string{"--extra-index-url https://" + g.String(scan.Base62, 20) + ":@pypi.fury.io/acme/\n", "source 'https://" + g.String(scan.Base62, 20) + "@gem.fury.io/acme/'\n"},
				NoMatch: []string{"source 'https://${FURY_TOKEN}@gem.fury.io/acme/'\n", "https://gem.fury.io/acme/\n"},
			}
		},
	}, {
		ID:         "maven-settings-password",
		Provider:   "maven",
		Title:      "Maven repository password",
		Why:        "It deploys to, or reads from, the repository that the server entry names.",
		Fix:        "Change it at the repository, and let settings.xml read it from the environment (${env.NAME}) or encrypt it.",
		Reference:  "https://maven.apache.org/settings.html#Servers",
		Confidence: scan.High,
		Expr:       `<username>(?P<user>[!#%-;=?-z]{1,64})</username>\s{0,24}<password>(?P<secret>[!-#%-;=?-z|~]{8,120})</password>`,
		Public:     []string{"user"},
		Partners:   []scan.Partner{{Role: "server", Expr: `<id>([0-9A-Za-z_.-]{1,60})</id>`, Within: scan.MaxReach, Required: true}},
		MinEntropy: 2.5,
		Samples: func(g *scan.Gen) scan.Samples {
			server := func(password string) string {
				return "<server>\n  <id>releases</id>\n  <username>robot</username>\n  <password>" + password + "</password>\n</server>\n"
			}
			return scan.Samples{
				Match:   []string{server(g.String(scan.Base62, 16))},
				NoMatch: []string{server("${env.MAVEN_PASSWORD}"), server("{jSMOWnoPFgsHVpMvz5VrIt5kRbzGpI8u+9EF1iFQyJQ=}"), "<password>" + g.String(scan.Base62, 16) + "</password>\n"},
			}
		},
	}, {
		ID:         "nexus-token",
		Provider:   "sonatype",
		Title:      "Sonatype Nexus npm or NuGet token",
		Why:        "It reads, and may publish to, the repositories of a Nexus server as its owner.",
		Fix:        "Reset it under the user's profile (NuGet API Key, or npm logout), and use a user token.",
		Reference:  "https://help.sonatype.com/en/security-setup-with-user-tokens.html",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>N(?:pm|uGet)(?:Token|ApiKey)\.` + uuidExpr + `)\b`,
		Samples:    shaped("NPM_TOKEN", `NpmToken\.`+uuidExpr),
	}, {
		ID:         "openvsx-token",
		Provider:   "openvsx",
		Title:      "Open VSX access token",
		Why:        "It publishes extensions in its owner's namespaces: whoever has it can poison an editor.",
		Fix:        "Delete it under Settings, Access tokens, and generate a new one.",
		Reference:  "https://github.com/eclipse/openvsx/wiki/Publishing-Extensions",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>ovsx(?:p|at)_` + uuidExpr + `)\b`,
		Samples:    shaped("OVSX_PAT", `ovsx(?:p|at)_`+uuidExpr),
	}, {
		ID:         "anaconda-token",
		Provider:   "anaconda",
		Title:      "Anaconda.org token",
		Why:        "It uploads packages to its owner's channels.",
		Fix:        "Delete it under Settings, Access, and create one with fewer scopes.",
		Reference:  "https://www.anaconda.com/docs/tools/anaconda-org/user-guide/work-with-tokens",
		Confidence: scan.High,
		Expr:       named(`anaconda|conda`, `token|t/`, `[a-z]{2}-`+uuidExpr),
		Samples:    bound("ANACONDA_TOKEN", `an-`+uuidExpr),
	}, {
		ID:         "quay-token",
		Provider:   "quay",
		Title:      "Quay robot token",
		Why:        "It pulls, and mostly pushes, the repositories that the robot account may.",
		Fix:        "Regenerate the token on the robot account's page.",
		Reference:  "https://docs.projectquay.io/use_quay.html",
		Confidence: scan.Medium,
		Expr:       named(`quay`, `token|pass|secret`, `[0-9A-Z]{64}|[0-9A-Za-z]{40}`),
		MinEntropy: 3.7,
		Check:      looksRandom,
		Samples:    bound("QUAY_ROBOT_TOKEN", `[0-9A-Z]{64}`),
	}}
}
