package rules

import (
	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/proof"
)

const gitlabTokens = "https://docs.gitlab.com/security/tokens/"

// gitlabRoutable is the body of GitLab's newer tokens, which tell the cell that
// issued them: a payload, a version, the payload's length and a checksum.
const gitlabRoutable = `[0-9A-Za-z_-]{27,300}(?:\.[0-9a-z]{2})?\.[0-9a-z]{9}`

// gitlabRule is the rule of a token that begins with prefix and goes on as body,
// or in the routable form.
func gitlabRule(id, prefix, body, title, why, fix string) scan.Rule {
	return scan.Rule{
		ID:         id,
		Provider:   "gitlab",
		Title:      title,
		Why:        why,
		Fix:        fix,
		Reference:  gitlabTokens,
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>` + prefix + `(?:` + gitlabRoutable + `|` + body + `))` + after,
		Check:      proof.GitLabToken,
		Samples: func(g *scan.Gen) scan.Samples {
			s := shaped("GITLAB_TOKEN", prefix+body)(g)
			routable := proof.SealGitLab(prefix, g.String(scan.Base64URL, 26)+g.String(scan.Base62, 1))
			s.Match = append(s.Match, "PRIVATE-TOKEN: "+routable+"\n", "glab login with "+routable+".\n")
			s.Failed = []string{"token: " + routable[:len(routable)-7] + "zzzzzzz\n"}
			return s
		},
	}
}

func gitlab() []scan.Rule {
	const (
		token20 = `[0-9A-Za-z_-]{19}[0-9A-Za-z]`
		runner  = "Reset the token on the runner's page under CI/CD, Runners, and register the runner again."
	)
	feed := gitlabRule("gitlab-feed-token", "glft-", `[0-9a-f]{64}-[0-9]{1,12}|`+token20, "GitLab feed token",
		"It reads its owner's activity and calendar feeds, private projects included.",
		"Reset the feed token under Preferences, Access tokens.")
	feed.Samples = func(g *scan.Gen) scan.Samples {
		return scan.Samples{
			Match: append(inContexts("FEED_TOKEN", "glft-"+g.Hex(64)+"-1234567"),
				"https://gitlab.test/acme.atom?feed_token=glft-"+g.String(scan.Base62, 20)+"\n"),
			NoMatch: []string{"glft-" + g.Hex(12), "xglft-" + g.Hex(20)},
		}
	}
	return []scan.Rule{
		feed,
		gitlabRule("gitlab-pat", "glpat-", token20, "GitLab personal, project or group access token",
			"It acts as its owner, or as a project's or group's robot, within its scopes.",
			"Revoke it under Preferences, Access tokens (or the project's or group's Settings, Access tokens) and issue one that expires."),
		gitlabRule("gitlab-deploy-token", "gldt-", token20, "GitLab deploy token",
			"It reads a project's or group's code and packages, and may publish to its registries.",
			"Revoke it under Settings, Repository, Deploy tokens, and issue one with fewer scopes."),
		gitlabRule("gitlab-runner-token", "glrt-", `(?:t[0-9]_)?`+token20, "GitLab runner authentication token",
			"Whoever has it can act as the runner: take its jobs, with their code and CI variables.", runner),
		gitlabRule("gitlab-runner-registration-token", "glrtr-", token20, "GitLab runner registration token",
			"Whoever has it can register a runner that receives jobs with their code and CI variables.", runner),
		gitlabRule("gitlab-job-token", "glcbt-", `[0-9A-Za-z]{1,5}_`+token20, "GitLab CI job token",
			"It acts as the user who started the job, while the job runs.",
			"Cancel the job if it still runs, and find out why the token was printed."),
		gitlabRule("gitlab-trigger-token", "glptt-", `[0-9A-Za-z]{40}`, "GitLab pipeline trigger token",
			"It starts pipelines with chosen variables, as the user who made it.",
			"Delete it under Settings, CI/CD, Pipeline trigger tokens, and add a new one."),
		gitlabRule("gitlab-incoming-mail-token", "glimt-", `[0-9A-Za-z_-]{24}[0-9A-Za-z]`, "GitLab incoming mail token",
			"Whoever has it can open issues and merge requests as its owner by mail.",
			"Reset the incoming email token under Preferences, Access tokens."),
		gitlabRule("gitlab-agent-token", "glagent-", `[0-9A-Za-z_-]{49}[0-9A-Za-z]`, "GitLab agent for Kubernetes token",
			"It acts as the cluster's agent towards GitLab, and receives its configuration.",
			"Create a second token for the agent, deploy it, then revoke this one on the agent's page."),
		gitlabRule("gitlab-oauth-secret", "gloas-", `[0-9A-Za-z_-]{64}`, "GitLab OAuth application secret",
			"Whoever has it can complete sign-ins in the application's name.",
			"Renew the secret on the application's page under Applications."),
		gitlabRule("gitlab-scim-token", "glsoat-", token20, "GitLab SCIM token",
			"It creates and removes users of a group through SCIM.",
			"Reset the SCIM token in the group's Settings, SAML SSO."),
		gitlabRule("gitlab-feature-flag-token", "glffct-", token20, "GitLab feature flags client token",
			"It reads a project's feature flags and user lists.",
			"Reset the instance id under Deploy, Feature flags, Configure."),
		gitlabRule("gitlab-workspace-token", "glwt-", token20, "GitLab workspace token",
			"It acts as a workspace's agent towards GitLab.",
			"Stop and delete the workspace, and create it again."),
		{
			ID:         "gitlab-runner-registration-token-legacy",
			Provider:   "gitlab",
			Title:      "GitLab runner registration token of the older form",
			Why:        "Whoever has it can register a runner that receives jobs with their code and CI variables.",
			Fix:        "Reset the registration token under Settings, CI/CD, Runners, and change to runner authentication tokens.",
			Reference:  gitlabTokens,
			Confidence: scan.High,
			Expr:       begin + `(?P<secret>GR1348941[0-9A-Za-z_-]{20})` + after,
			Samples:    shaped("REGISTRATION_TOKEN", `GR1348941[0-9A-Za-z_-]{19}[0-9A-Za-z]`),
		}, {
			ID:         "gitlab-session",
			Provider:   "gitlab",
			Title:      "GitLab session cookie",
			Why:        "Whoever has it is signed in as its owner until the session ends.",
			Fix:        "Revoke the session under Preferences, Active sessions.",
			Reference:  gitlabTokens,
			Confidence: scan.High,
			Expr:       `_gitlab_session["']?[=:,] ?["']?(?P<secret>[0-9a-f]{32})\b`,
			MinEntropy: 3,
			Samples: func(g *scan.Gen) scan.Samples {
				v := g.Hex(32)
				return scan.Samples{
					Match:   []string{"Cookie: _gitlab_session=" + v + "; path=/\n", "{\"_gitlab_session\": \"" + v + "\"}\n"},
					NoMatch: []string{"_gitlab_session=" + v[:20] + "\n", "_gitlab_session_key: session:gitlab:" + v + "\n"},
				}
			},
		}, {
			ID:         "gitlab-legacy-token",
			Provider:   "gitlab",
			Title:      "GitLab access token of the form before 2021",
			Why:        "It acts as its owner, or as a project's robot, within its scopes.",
			Fix:        "Revoke it under Preferences, Access tokens, and issue one that expires.",
			Reference:  gitlabTokens,
			Confidence: scan.Medium,
			Expr:       named(`gitlab|\bprivate-`, `token|pat|secret`, `[0-9A-Za-z_-]{20}`),
			MinEntropy: 3.4,
			Check:      looksRandom,
			Samples: func(g *scan.Gen) scan.Samples {
				s := bound("GITLAB_TOKEN", `[0-9A-Za-z]{9}[_-][0-9A-Za-z]{10}`)(g)
				s.Match = append(s.Match, "curl --header \"PRIVATE-TOKEN: "+g.String(scan.Base62, 20)+"\" https://gitlab.test/api/v4/projects\n")
				s.NoMatch = append(s.NoMatch, "GITLAB_TOKEN_FILE=gitlab-access-tokens\n")
				return s
			},
		},
	}
}
