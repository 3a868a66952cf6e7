package rules

import (
	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/proof"
)

func codeHosts() []scan.Rule {
	return []scan.Rule{{
		ID:         "bitbucket-app-password",
		Provider:   "bitbucket",
		Title:      "Bitbucket Cloud app password",
		Why:        "With the user's name it reads and writes what its permissions reach.",
		Fix:        "Revoke it under Personal settings, App passwords, and use a scoped API token that expires.",
		Reference:  "https://support.atlassian.com/bitbucket-cloud/docs/app-passwords/",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>ATBB[0-9A-Za-z]{24}[0-9A-F]{8})\b`,
		Check:      proof.AtlassianToken,
		Samples: func(g *scan.Gen) scan.Samples {
			s := sealed("BITBUCKET_APP_PASSWORD", func(g *scan.Gen) string {
				return proof.SealAtlassian("ATBB" + g.String(scan.Base62, 24))
			})(g)
			s.Failed = []string{"token: ATBB" + g.String(scan.Base62, 24) + "00000BAD\n"}
			return s
		},
	}, {
		ID:         "bitbucket-access-token",
		Provider:   "bitbucket",
		Title:      "Bitbucket repository, project or workspace access token",
		Why:        "It reads and writes the repositories of its repository, project or workspace.",
		Fix:        "Revoke it under the repository's, project's or workspace's settings, Access tokens, and issue one with fewer scopes.",
		Reference:  "https://support.atlassian.com/bitbucket-cloud/docs/access-tokens/",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>ATCTT3xFfGN0[0-9A-Za-z_=-]{164,204}=[0-9A-F]{8})` + after,
		Check:      proof.AtlassianToken,
		Samples: func(g *scan.Gen) scan.Samples {
			head := "ATCTT3xFfGN0" + g.String(scan.Base64URL, 171) + "="
			return scan.Samples{
				Match:   inContexts("BITBUCKET_TOKEN", proof.SealAtlassian(head)),
				Failed:  []string{"token: " + head + "00000BAD\n"},
				NoMatch: []string{"ATCTT3xFfGN0" + g.String(scan.Base62, 40), "x" + proof.SealAtlassian(head)},
			}
		},
	}, {
		ID:         "bitbucket-datacenter-token",
		Provider:   "bitbucket",
		Title:      "Bitbucket Data Center HTTP access token",
		Why:        "It acts as its owner, or on its project or repository, within its permissions.",
		Fix:        "Revoke it under Manage account, HTTP access tokens, and issue one that expires.",
		Reference:  "https://confluence.atlassian.com/bitbucketserver/http-access-tokens-939515499.html",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>BBDC-[0-9A-Za-z+/@_-]{40,50})(?:[^0-9A-Za-z+/@_-]|$)`,
		Samples:    shaped("BITBUCKET_TOKEN", `BBDC-[0-9A-Za-z]{44}`),
	}, {
		ID:         "bitbucket-oauth-secret",
		Provider:   "bitbucket",
		Title:      "Bitbucket OAuth consumer secret",
		Why:        "With the consumer's key it acts in the workspace within the consumer's permissions.",
		Fix:        "Delete the consumer under Workspace settings, OAuth consumers, and add a new one.",
		Reference:  "https://support.atlassian.com/bitbucket-cloud/docs/use-oauth-on-bitbucket-cloud/",
		Confidence: scan.Medium,
		Expr:       named(`bitbucket`, `secret|token|pass`, `[0-9A-Za-z]{32}`),
		MinEntropy: 3.7,
		Check:      looksRandom,
		Samples:    bound("BITBUCKET_OAUTH_SECRET", `[0-9A-Za-z]{32}`),
	}, {
		ID:         "gitea-token",
		Provider:   "gitea",
		Title:      "Gitea, Forgejo or Codeberg access token",
		Why:        "It acts as its owner within its scopes.",
		Fix:        "Delete it under Settings, Applications, and generate one with fewer scopes.",
		Reference:  "https://docs.gitea.com/development/api-usage",
		Confidence: scan.Medium,
		Expr:       named(`gitea[_.-]|giteat|giteaa|giteap|forgejo|codeberg`, `oken|pi_?key|assword`, `[0-9a-f]{40}`),
		MinEntropy: 3,
		Samples:    bound("GITEA_TOKEN", `[0-9a-f]{40}`),
	}, {
		ID:         "gitee-token",
		Provider:   "gitee",
		Title:      "Gitee access token",
		Why:        "It acts as its owner within its scopes.",
		Fix:        "Delete it under Settings, Private tokens, and generate a new one.",
		Reference:  "https://gitee.com/help/articles/4191",
		Confidence: scan.Medium,
		Expr:       named(`gitee[_.-]|giteet|giteea|gitees`, `oken|ccess|ecret`, `[0-9a-f]{32}`),
		MinEntropy: 3,
		Samples:    bound("GITEE_ACCESS_TOKEN", `[0-9a-f]{32}`),
	}, {
		ID:         "sourcegraph-token",
		Provider:   "sourcegraph",
		Title:      "Sourcegraph access token",
		Why:        "It reads all code that its owner can see in Sourcegraph.",
		Fix:        "Delete it under User settings, Access tokens, and generate a new one.",
		Reference:  "https://sourcegraph.com/docs/cli/how-tos/creating-an-access-token",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>(?:sgp|sgd|slk)_(?:(?:[0-9a-f]{16}|local)_)?[0-9a-f]{40}(?:[0-9a-f]{24})?)\b`,
		Samples:    shaped("SRC_ACCESS_TOKEN", `(?:sgp_(?:(?:[0-9a-f]{16}|local)_)?[0-9a-f]{40}|sgd_[0-9a-f]{64})`),
	}, {
		ID:         "gitpod-token",
		Provider:   "gitpod",
		Title:      "Gitpod personal access token",
		Why:        "It starts and reads its owner's environments, with the code and secrets in them.",
		Fix:        "Delete it under User settings, Access tokens, and generate a new one.",
		Reference:  "https://www.gitpod.io/docs/classic/user/configure/user-settings/access-tokens",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>gitpod_pat_[0-9A-Za-z_.-]{30,120})` + after,
		Samples:    shaped("GITPOD_TOKEN", `gitpod_pat_[0-9A-Za-z_-]{59}`),
	}}
}
