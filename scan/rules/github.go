package rules

import (
	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/proof"
)

const (
	githubFormats = "https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/"
	githubTokens  = "https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github"
	githubRevoke  = "Revoke it under Settings, Developer settings, Personal access tokens, and issue a fine-grained one that expires."
)

func github() []scan.Rule {
	return []scan.Rule{{
		ID:         "github-pat",
		Provider:   "github",
		Title:      "GitHub personal access token",
		Why:        "It acts as its owner on every repository and organisation that its scopes reach.",
		Fix:        githubRevoke,
		Reference:  githubFormats,
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>ghp_[0-9A-Za-z]{36})\b`,
		Check:      proof.GitHubToken,
		Samples:    githubSamples("GITHUB_TOKEN", "ghp_"),
	}, {
		ID:         "github-fine-grained-pat",
		Provider:   "github",
		Title:      "GitHub fine-grained personal access token",
		Why:        "It acts as its owner on the repositories and with the permissions that it was given.",
		Fix:        githubRevoke,
		Reference:  githubTokens,
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>github_pat_[0-9A-Za-z]{22}_[0-9A-Za-z]{59})\b`,
		Check:      proof.GitHubFineGrained,
		Samples: func(g *scan.Gen) scan.Samples {
			s := sealed("GH_TOKEN", func(g *scan.Gen) string {
				return proof.SealGitHubFineGrained(g.String(scan.Base62, 22), g.String(scan.Base62, 43), g.String(scan.Base62, 8))
			})(g)
			s.Failed = []string{"GH_TOKEN=github_pat_" + g.String(scan.Base62, 22) + "_" + g.String(scan.Base62, 59) + "\n"}
			return s
		},
	}, {
		ID:         "github-oauth-token",
		Provider:   "github",
		Title:      "GitHub OAuth access token",
		Why:        "It acts as the user who authorised the application (or signed in with gh) within its scopes.",
		Fix:        "Revoke the application's access under Settings, Applications, and sign in again.",
		Reference:  githubFormats,
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>gho_[0-9A-Za-z]{36})\b`,
		Check:      proof.GitHubToken,
		Samples:    githubSamples("OAUTH_TOKEN", "gho_"),
	}, {
		ID:         "github-user-token",
		Provider:   "github",
		Title:      "GitHub App user access token",
		Why:        "It acts as a user through a GitHub App until it expires.",
		Fix:        "Revoke the user's tokens on the GitHub App's settings page and check that tokens expire.",
		Reference:  githubFormats,
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>ghu_[0-9A-Za-z]{36})\b`,
		Check:      proof.GitHubToken,
		Samples:    githubSamples("GITHUB_USER_TOKEN", "ghu_"),
	}, {
		ID:         "github-installation-token",
		Provider:   "github",
		Title:      "GitHub App installation access token",
		Why:        "It acts as a GitHub App, or as a workflow's GITHUB_TOKEN, on an installation's repositories for about an hour.",
		Fix:        "Revoke it with DELETE /installation/token, and find out why it was written down.",
		Reference:  githubFormats,
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>ghs_[0-9A-Za-z]{36})\b`,
		Check:      proof.GitHubToken,
		Samples:    githubSamples("GITHUB_TOKEN", "ghs_"),
	}, {
		ID:         "github-stateless-installation-token",
		Provider:   "github",
		Title:      "GitHub App stateless installation access token",
		Why:        "It acts as a GitHub App, or as a workflow's GITHUB_TOKEN, on an installation's repositories for about an hour.",
		Fix:        "Revoke it with DELETE /installation/token, and find out why it was written down.",
		Reference:  githubTokens,
		Confidence: scan.High,
		// these tokens are longer than an expression may be: the signature is cut short
		Expr: begin + `(?P<secret>ghs_[0-9]{1,20}_eyJ[0-9A-Za-z_-]{10,100}\.eyJ[0-9A-Za-z_-]{10,300}(?:\.[0-9A-Za-z_-]{1,60})?)`,
		Samples: func(g *scan.Gen) scan.Samples {
			jwt := proof.SealJWT(map[string]any{"iss": "github", "jti": g.UUID(), "exp": 1760000000}, g.Bytes(32))
			return scan.Samples{
				Match:   inContexts("GITHUB_TOKEN", "ghs_"+g.String("123456789", 8)+"_"+jwt),
				NoMatch: []string{"ghs_12345678_", "ghs_abc_" + jwt},
			}
		},
	}, {
		ID:         "github-refresh-token",
		Provider:   "github",
		Title:      "GitHub App refresh token",
		Why:        "With the App's client secret it makes new user access tokens for six months.",
		Fix:        "Revoke the user's tokens on the GitHub App's settings page, and rotate the client secret if it leaked too.",
		Reference:  githubFormats,
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>ghr_[0-9A-Za-z]{36}(?:[0-9A-Za-z]{40})?)\b`,
		Check:      proof.GitHubToken,
		Samples: func(g *scan.Gen) scan.Samples {
			s := githubSamples("REFRESH_TOKEN", "ghr_")(g)
			s.Match = append(s.Match, "token: "+proof.SealGitHub("ghr_", g.String(scan.Base62, 70))+"\n")
			return s
		},
	}, {
		ID:         "github-client-secret",
		Provider:   "github",
		Title:      "GitHub OAuth or GitHub App client secret",
		Why:        "Whoever has it can complete sign-ins in the application's name and use its refresh tokens.",
		Fix:        "Generate a new client secret on the application's settings page, deploy it, and delete the old one.",
		Reference:  "https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps",
		Confidence: scan.Medium,
		Expr:       named(`github|\bgh[_-](?:app|oauth|client)`, `client_?secret|app_?secret|oauth_?secret|consumer_?secret`, `[0-9a-f]{40}`),
		MinEntropy: 3,
		Samples:    bound("GITHUB_CLIENT_SECRET", `[0-9a-f]{40}`),
	}, {
		ID:         "github-legacy-token",
		Provider:   "github",
		Title:      "GitHub token of the form before 2021",
		Why:        "It acts as its owner on every repository that its scopes reach, and never expires by itself.",
		Fix:        githubRevoke,
		Reference:  githubFormats,
		Confidence: scan.Medium,
		// the byte after "github" keeps the addresses of Go packages away
		Expr:       `(?:(?i:github[_ :"ato-])(?i:[0-9a-z_.\s"'()\[\]{:=>-]{0,32}?(?:token|oken|pat|oauth|auth|api_?key|pi_?key)[0-9a-z_-]{0,12})|(?i:\bgh_token|\bgh_pat|\bgh_oauth_token))` + assigned + `(?P<secret>[0-9a-f]{40})` + quote,
		MinEntropy: 3,
		Samples:    bound("GITHUB_TOKEN", `[0-9a-f]{40}`),
	}, {
		ID:         "github-url-token",
		Provider:   "github",
		Title:      "GitHub token of the form before 2021 in a repository's address",
		Why:        "It acts as its owner on every repository that its scopes reach, and never expires by itself.",
		Fix:        githubRevoke + " Keep it in a credential helper, not in the remote's address.",
		Reference:  githubFormats,
		Confidence: scan.High,
		Expr:       `https://(?:[0-9A-Za-z_.-]{1,40}:)?(?P<secret>[0-9a-f]{40})(?::(?P<kind>x-oauth-basic))?@(?:raw\.|api\.)?github(?:usercontent)?\.com`,
		Public:     []string{"kind"},
		MinEntropy: 3,
		Samples: func(g *scan.Gen) scan.Samples {
			token := g.Hex(40)
			return scan.Samples{
				Match: []string{
					"url = https://" + token + "@github.com/acme/widget.git\n",
					"git clone https://" + token + ":x-oauth-basic@github.com/acme/widget\n",
					"\"widget\": \"git+https://robot:" + token + "@github.com/acme/widget.git\"\n",
				},
				NoMatch: []string{
					"https://github.com/acme/widget/commit/" + token + "\n",
					"git clone https://robot@github.com/acme/widget\n",
				},
			}
		},
	}}
}

func githubSamples(name, prefix string) func(*scan.Gen) scan.Samples {
	return func(g *scan.Gen) scan.Samples {
		s := sealed(name, func(g *scan.Gen) string { return proof.SealGitHub(prefix, g.String(scan.Base62, 30)) })(g)
		s.Failed = []string{"token: " + prefix + g.String(scan.Base62, 30) + "zzzzzz\n"}
		return s
	}
}
