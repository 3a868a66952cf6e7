package bearer

import (
	"net/http"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/web"
)

// services are the rows, in the order of their names.
func services() []service {
	return []service{
		buildkite(), crates(), digitalocean(), doppler(), fastly(), heroku(), huggingface(), npm(), okta(), openbao(), perplexity(), slack(), twitch(), vault(), vercel(),
	}
}

func buildkite() service {
	const page = "https://buildkite.com/user/api-access-tokens"
	return service{
		name: "buildkite", title: "Buildkite API access token", page: page, api: "https://api.buildkite.com",
		rules: map[string][]string{"buildkite-token": {"bkua_"}}, scheme: "Bearer ",
		whose: request{method: http.MethodGet, path: "/v2/access-token", done: http.StatusOK},
		says:  identity{account: "user.email", id: "uuid", label: "description", scopes: "scopes"},
		codes: []web.Code{{Status: 401, Field: "message", Words: []string{"Authentication required. Please supply a valid API Access Token*"}, State: provider.Dead}},
		end:   request{method: http.MethodDelete, path: "/v2/access-token", done: http.StatusNoContent},
		steps: provider.Steps{
			IssueAt:  page + "/new",
			Issue:    []string{"Choose the organizations and the scopes of the old token, no more.", "Fill in the addresses that it is used from, and an expiry.", "Choose “Create New API Access Token” and copy it: it is shown once."},
			RevokeAt: page, Revoke: []string{"Choose the old token, then “Revoke”."},
		},
		sources: []string{"https://buildkite.com/docs/apis/rest-api/access-token", "https://buildkite.com/docs/apis/managing-api-tokens"},
	}
}

// crates is a registry of Rust packages. Whether a token is one is looked at before what it
// may do; one that is no more fails there.
func crates() service {
	return service{
		name: "cratesio", title: "crates.io API token", rules: map[string][]string{"crates-io-token": nil}, param: "the address of the registry's web API: api in the config.json of its index",
		whose: request{method: http.MethodGet, path: "/api/v1/me", done: http.StatusOK},
		says:  identity{account: "user.login"},
		codes: []web.Code{
			{Status: 403, Field: "errors.0.detail", Words: []string{"authentication failed"}, State: provider.Dead},
			{Status: 403, Field: "errors.0.detail", Words: []string{"this token does not have the required permissions*", "this action can only be performed on *"}, State: provider.Narrow},
		},
		end:     request{method: http.MethodDelete, path: "/api/v1/tokens/current", done: http.StatusNoContent},
		warning: "A token with scopes may not be able to end itself; then it is revoked on the registry's page.",
		steps: provider.Steps{
			Issue:  []string{"On the registry's page, under Account Settings, API Tokens: choose “New Token”, an expiration, the scopes and the crates of the old one.", "Better, use trusted publishing, which needs no token.", "Copy it: it is shown once."},
			Revoke: []string{"There, choose “Revoke” beside the old token."},
		},
		sources: []string{"https://doc.rust-lang.org/cargo/reference/registry-index.html", "https://github.com/rust-lang/crates.io/blob/main/src/auth.rs", "https://github.com/rust-lang/crates.io/blob/main/src/controllers/token.rs"},
	}
}

func digitalocean() service {
	const page = "https://cloud.digitalocean.com/account/api/tokens"
	return service{
		name: "digitalocean", title: "DigitalOcean access token", page: page, api: "https://api.digitalocean.com",
		rules: map[string][]string{"digitalocean-token": {"dop_v1_", "doo_v1_"}}, scheme: "Bearer ",
		whose: request{method: http.MethodGet, path: "/v2/account", done: http.StatusOK},
		says:  identity{account: "account.email", label: "account.team.name"},
		codes: []web.Code{{Status: 401, Field: "id", Words: []string{"Unauthorized", "unauthorized"}, State: provider.Dead}},
		end:   request{method: http.MethodPost, at: "https://cloud.digitalocean.com", path: "/v1/oauth/revoke", body: form, done: http.StatusOK},
		steps: provider.Steps{
			IssueAt:  page + "/new",
			Issue:    []string{"Choose an expiration and the custom scopes of the old token, with account:read, by which keywright asks whose it is.", "Choose “Generate Token” and copy it: it is shown once."},
			RevokeAt: page, Revoke: []string{"In the menu beside the old token, choose “Delete”."},
		},
		sources: []string{"https://docs.digitalocean.com/reference/api/oauth", "https://docs.digitalocean.com/reference/api/create-personal-access-token/", "https://github.com/digitalocean/openapi"},
	}
}

func doppler() service {
	const page = "https://dashboard.doppler.com"
	return service{
		name: "doppler", title: "Doppler token", page: page, api: "https://api.doppler.com",
		rules: map[string][]string{"doppler-token": {"dp.ct.", "dp.pt.", "dp.st.", "dp.sa.", "dp.said."}}, scheme: "Bearer ",
		whose: request{method: http.MethodGet, path: "/v3/me", done: http.StatusOK},
		says:  identity{account: "workplace.name", id: "slug", label: "name"},
		codes: []web.Code{{Status: 401, Field: "messages.0", Words: []string{"Invalid Auth token"}, State: provider.Dead}},
		end:   request{method: http.MethodPost, path: "/v3/auth/revoke", anonymous: true, body: object("token", false), done: http.StatusOK},
		steps: provider.Steps{
			IssueAt:  page,
			Issue:    []string{"A service token: choose project and config, “Access”, “Generate”, with read access if that will do, and an expiry.", "A personal token: Tokens, Personal. A service account's: the account's page.", "Copy it: it is shown once."},
			RevokeAt: page, Revoke: []string{"There, choose “Revoke” beside the old token."},
		},
		sources: []string{"https://docs.doppler.com/reference/auth-revoke", "https://docs.doppler.com/reference/auth-me", "https://docs.doppler.com/reference/auth-token-formats"},
	}
}

func fastly() service {
	const page = "https://manage.fastly.com/account"
	return service{
		name: "fastly", title: "Fastly API token", page: page, api: "https://api.fastly.com",
		rules: map[string][]string{"fastly-token": nil}, header: "Fastly-Key",
		whose: request{method: http.MethodGet, path: "/tokens/self", done: http.StatusOK},
		says:  identity{account: "user_id", id: "id", label: "name", scopes: "scope", expires: "expires_at"},
		codes: []web.Code{{Status: 401, Field: "msg", Words: []string{"Provided credentials are missing or invalid"}, State: provider.Dead}},
		end:   request{method: http.MethodDelete, path: "/tokens/self", done: http.StatusNoContent},
		steps: provider.Steps{
			IssueAt:  page,
			Issue:    []string{"Under “API tokens”, choose “Create token”, the services and the scope of the old one, and an expiration.", "Copy it: it is shown once."},
			RevokeAt: page, Revoke: []string{"Under “API tokens”, choose the bin beside the old token."},
		},
		sources: []string{"https://www.fastly.com/documentation/reference/api/auth-tokens/user/", "https://www.fastly.com/documentation/guides/account-info/account-management/using-api-tokens/"},
	}
}

// heroku names a token by the id of its authorization, which the list of all of them tells,
// as for Heroku's own command line. That may show only a part of each token.
func heroku() service {
	const page = "https://dashboard.heroku.com/account/applications"
	return service{
		name: "heroku", title: "Heroku API token", page: page, api: "https://api.heroku.com",
		rules: map[string][]string{"heroku-token": nil, "heroku-api-key": nil}, scheme: "Bearer ", accept: "application/vnd.heroku+json; version=3",
		whose: request{method: http.MethodGet, path: "/account", done: http.StatusOK},
		says:  identity{account: "email"},
		codes: []web.Code{
			{Status: 401, Field: "id", Words: []string{"unauthorized"}, State: provider.Dead},
			{Status: 403, Field: "id", Words: []string{"forbidden"}, State: provider.Unknown}, // a token that may not look, and an account that is locked
		},
		id:      "id",
		list:    request{method: http.MethodGet, path: "/oauth/authorizations"},
		end:     request{method: http.MethodDelete, path: "/oauth/authorizations/{id}", done: http.StatusOK, says: "id"},
		warning: "keywright has the tokens of the account listed, to find out which it is. One that may not list them, and one of a login (heroku login by SSO), cannot end itself.",
		steps: provider.Steps{
			IssueAt:  page,
			Issue:    []string{"Under “Authorizations”, choose “Create authorization”, a description that says where it is used, and an expiration. With fewer rights: heroku authorizations:create --scope, with the scopes of the old one.", "Copy it: it is shown once."},
			RevokeAt: page, Revoke: []string{"Under “Authorizations”, choose “Revoke” beside the old one."},
		},
		sources: []string{"https://devcenter.heroku.com/articles/platform-api-reference#oauth-authorization", "https://devcenter.heroku.com/articles/oauth", "https://github.com/heroku/heroku-go", "https://github.com/heroku/heroku-cli-command/blob/main/src/login.ts"},
	}
}

func huggingface() service {
	const page = "https://huggingface.co/settings/tokens"
	return service{
		name: "huggingface", title: "Hugging Face access token", page: page, api: "https://huggingface.co",
		rules: map[string][]string{"huggingface-token": nil, "huggingface-organization-token": nil}, scheme: "Bearer ",
		whose:   request{method: http.MethodGet, path: "/api/whoami-v2", done: http.StatusOK},
		says:    identity{account: "name", label: "auth.accessToken.displayName", scopes: "auth.accessToken.role", expires: "auth.expiresAt"},
		codes:   []web.Code{{Status: 401, Field: "error", Words: []string{"Invalid credentials in Authorization header", `User Access Token * is expired`}, State: provider.Dead}},
		end:     request{method: http.MethodPost, path: "/api/credentials/revoke", anonymous: true, body: object("credentials", true), done: http.StatusAccepted},
		warning: "Its owner is told by mail. Hugging Face accepts any token, and does not say whether it was alive.",
		delay:   time.Minute, // it is said to end at once, and asked by another part of the service
		steps: provider.Steps{
			IssueAt:  page + "/new",
			Issue:    []string{"Choose “Fine-grained”, and the permissions and repositories that are needed; or the role of the old token.", "Choose “Create token” and copy it: it is shown once."},
			RevokeAt: page, Revoke: []string{"In the menu beside the old token, choose “Delete”."},
		},
		sources: []string{"https://huggingface.co/docs/hub/security-tokens", "https://github.com/huggingface/huggingface_hub/releases/tag/v2.5.0"},
	}
}

// npm ends a token as logging out does. What a registry says of one that has ended is written
// down nowhere, and there are registries of many makers.
func npm() service {
	const docs = "https://docs.npmjs.com/"
	return service{
		name: "npm", title: "npm access token", page: docs + "about-access-tokens",
		param: "the address of the registry, as npm config get registry says it",
		rules: map[string][]string{"npm-token": nil}, scheme: "Bearer ", mute: true,
		whose:   request{method: http.MethodGet, path: "/-/whoami", done: http.StatusOK},
		says:    identity{account: "username"},
		end:     request{method: http.MethodDelete, path: "/-/user/token/{token}", done: http.StatusOK},
		warning: "A registry may want its owner to log in for this; then it is deleted on the registry's page.",
		delay:   time.Hour, // “in some cases”
		steps: provider.Steps{
			IssueAt: docs + "creating-and-viewing-access-tokens",
			Issue: []string{
				"Better, publish without a token: set up trusted publishing for the package.",
				"On npm's site, under your picture, Access Tokens, choose “Generate New Token”: granular, for the packages and scopes that need it, read-only if it only installs, with an expiration and the addresses that it is used from.",
				"Copy it: it is shown once.",
			},
			RevokeAt: docs + "revoking-access-tokens", Revoke: []string{"On the same page, delete the old token; or, after logging in: npm token revoke ID."},
		},
		sources: []string{docs + "about-access-tokens", docs + "creating-and-viewing-access-tokens", docs + "revoking-access-tokens", docs + "cli/v11/commands/npm-logout", "https://github.com/npm/cli/blob/latest/lib/commands/logout.js"},
	}
}

func okta() service {
	return service{
		name: "okta-token", title: "Okta API token (SSWS)", rules: map[string][]string{"okta-token": nil}, param: "the address of the organization: https://example.okta.com", scheme: "SSWS ",
		whose:   request{method: http.MethodGet, path: "/api/v1/users/me", done: http.StatusOK},
		says:    identity{account: "profile.login"},
		codes:   []web.Code{{Status: 401, Field: "errorCode", Words: []string{"E0000011"}, State: provider.Dead}},
		end:     request{method: http.MethodDelete, path: "/api/v1/api-tokens/current", done: http.StatusNoContent},
		warning: "What the administrator who made it integrated with it stops.",
		steps: provider.Steps{
			Issue:  []string{"Sign in to the Admin Console as the administrator that the token is to act as: one with no more rights than needed.", "Under Security, API, Tokens, choose “Create token”, and the addresses that it may be used from.", "Copy it: it is shown once."},
			Revoke: []string{"In the Admin Console, under Security, API, Tokens, choose “Revoke” beside the old token."},
		},
		sources: []string{"https://developer.okta.com/docs/reference/error-codes/", "https://developer.okta.com/docs/guides/create-an-api-token/main/", "https://github.com/okta/okta-management-openapi-spec"},
	}
}

// openbao says “permission denied” of a token that has ended, as of one that may not look at
// itself. So do the versions of Vault that do not say “invalid token”.
func openbao() service {
	s := vault()
	s.name, s.title, s.param = "openbao-token", "OpenBao token", "the address of the server, as https://bao.example.com:8200; it may be an old Vault, too"
	s.rules = map[string][]string{"vault-token-legacy": nil}
	s.codes, s.mute = nil, true
	s.steps = provider.Steps{
		Issue:  []string{"With a token that may: bao token create, with the -policy of the old one, no more, and its -period or -ttl.", "Better, let what uses it log in by an auth method of its own.", "Copy it: it is shown once."},
		Revoke: []string{"bao token revoke -accessor, with the accessor of the old one."},
	}
	s.sources = []string{"https://openbao.org/api-docs/auth/token/", "https://openbao.org/docs/concepts/tokens/", "https://github.com/openbao/openbao/blob/main/internal/vault/request_handling.go"}
	return s
}

// perplexity refuses a key that is none with a page, as a proxy does.
func perplexity() service {
	const page = "https://console.perplexity.ai"
	return service{
		name: "perplexity", title: "Perplexity API key", page: page, api: "https://api.perplexity.ai",
		rules: map[string][]string{"perplexity-api-key": nil}, scheme: "Bearer ", mute: true,
		whose: request{method: http.MethodGet, path: "/v1/async/sonar", done: http.StatusOK, says: "requests"},
		end:   request{method: http.MethodPost, path: "/revoke_auth_token", body: object("auth_token", false), done: http.StatusOK},
		delay: time.Minute, // nothing is said of it
		steps: provider.Steps{
			IssueAt:  page,
			Issue:    []string{"Choose the API group of the old key, “API Keys”, and generate one with a name that says where it is used.", "Copy it: it is shown once."},
			RevokeAt: page, Revoke: []string{"Under “API Keys”, delete the old key."},
		},
		sources: []string{"https://docs.perplexity.ai/docs/admin/api-key-management", "https://docs.perplexity.ai/api-reference/revoke-auth-token-post", "https://docs.perplexity.ai/api-reference/async-sonar-get"},
	}
}

// slack says invalid_auth of a token that is none and of an address that may not ask, too:
// only what it says of a token that it knows is dead.
func slack() service {
	const page = "https://api.slack.com/apps"
	says := func(state provider.State, words ...string) web.Code {
		return web.Code{Status: 200, Field: "error", Words: words, State: state}
	}
	return service{
		name: "slack", others: "GovSlack", title: "Slack token", page: page, api: "https://slack.com",
		rules: map[string][]string{"slack-bot-token": nil, "slack-user-token": nil, "slack-legacy-token": nil}, scheme: "Bearer ",
		whose: request{method: http.MethodPost, path: "/api/auth.test", done: http.StatusOK, yes: "ok"},
		says:  identity{account: "url", label: "user"},
		codes: []web.Code{
			says(provider.Dead, "token_revoked", "token_expired", "account_inactive"), says(provider.Throttled, "ratelimited"),
			says(provider.Unknown, "invalid_auth", "not_authed", "*"),
		},
		end:     request{method: http.MethodPost, path: "/api/auth.revoke", done: http.StatusOK, says: "ok", yes: "revoked"},
		warning: "With its last token, an app is no longer installed in the workspace.",
		steps: provider.Steps{
			IssueAt:  page,
			Issue:    []string{"Choose the app, “OAuth & Permissions”; take away scopes that it does not need, and add the addresses that it is used from.", "Choose “Reinstall to Workspace” and copy the token.", "If that is the old token again, create another app from the same manifest, and install that."},
			RevokeAt: page, Revoke: []string{"Choose the app, “OAuth & Permissions”, “Revoke All OAuth Tokens”."},
		},
		sources: []string{"https://docs.slack.dev/reference/methods/auth.test", "https://docs.slack.dev/reference/methods/auth.revoke", "https://docs.slack.dev/authentication/tokens"},
	}
}

func twitch() service {
	const page = "https://www.twitch.tv/settings/connections"
	return service{
		name: "twitch", title: "Twitch access token", page: page, api: "https://id.twitch.tv",
		rules: map[string][]string{"twitch-chat-password": nil}, scheme: "OAuth ",
		whose: request{method: http.MethodGet, path: "/oauth2/validate", done: http.StatusOK},
		says:  identity{account: "login", label: "client_id", scopes: "scopes"},
		codes: []web.Code{{Status: 401, Field: "message", Words: []string{"invalid access token"}, State: provider.Dead}},
		id:    "client_id",
		end:   request{method: http.MethodPost, path: "/oauth2/revoke", anonymous: true, body: form, done: http.StatusOK},
		steps: provider.Steps{
			IssueAt:  "https://dev.twitch.tv/console/apps",
			Issue:    []string{"Let the application that the old token is of ask its user for authorization again, with the same scopes; give the new token without “oauth:”."},
			RevokeAt: page, Revoke: []string{"Choose “Disconnect” beside the application: all of its tokens end."},
		},
		sources: []string{"https://dev.twitch.tv/docs/authentication/validate-tokens", "https://dev.twitch.tv/docs/authentication/revoke-tokens"},
	}
}

// vault says of a token that has ended, or never was, that it is not valid. Versions that do
// not are asked as OpenBao is.
func vault() service {
	return service{
		name: "vault-token", title: "HashiCorp Vault token", param: "the address of the server, as https://vault.example.com:8200; for an old one, which does not say “invalid token” of one that has ended, take openbao-token", header: "X-Vault-Token",
		rules:   map[string][]string{"vault-service-token": nil},
		whose:   request{method: http.MethodGet, path: "/v1/auth/token/lookup-self", done: http.StatusOK},
		says:    identity{id: "data.accessor", label: "data.display_name", scopes: "data.policies", expires: "data.expire_time"},
		codes:   []web.Code{{Status: 403, Field: "errors.0", Words: []string{"2 errors occurred:*invalid token\n\n"}, State: provider.Dead}},
		end:     request{method: http.MethodPost, path: "/v1/auth/token/revoke-self", done: http.StatusNoContent},
		warning: "Tokens that were made with it, and what was leased with it, end, too.",
		steps: provider.Steps{
			Issue:  []string{"With a token that may: vault token create, with the -policy of the old one, no more, and its -period or -ttl.", "Better, let what uses it log in by an auth method of its own.", "Copy it: it is shown once."},
			Revoke: []string{"vault token revoke -accessor, with the accessor of the old one."},
		},
		sources: []string{"https://developer.hashicorp.com/vault/api-docs/auth/token", "https://developer.hashicorp.com/vault/docs/concepts/tokens", "https://openbao.org/api-docs/auth/token/"},
	}
}

// vercel answers 403 for a token that is none, and marks it: for one that may not do
// something it does not.
func vercel() service {
	const page = "https://vercel.com/account/tokens"
	return service{
		name: "vercel", title: "Vercel access token", page: page, api: "https://api.vercel.com",
		rules: map[string][]string{"vercel-token": {"vcp_"}, "vercel-token-legacy": nil}, scheme: "Bearer ",
		whose: request{method: http.MethodGet, path: "/v2/user", done: http.StatusOK},
		says:  identity{account: "user.username"},
		codes: []web.Code{{Status: 403, Field: "error.invalidToken", Words: []string{"true"}, State: provider.Dead}},
		end:   request{method: http.MethodDelete, path: "/v3/user/tokens/current", done: http.StatusOK, says: "tokenId"},
		steps: provider.Steps{
			IssueAt:  page,
			Issue:    []string{"Choose the scope of the old token, one team and no more, and an expiration.", "Choose “Create” and copy it: it is shown once."},
			RevokeAt: page, Revoke: []string{"In the menu beside the old token, choose “Delete”."},
		},
		sources: []string{"https://vercel.com/docs/rest-api/authentication/delete-an-authentication-token", "https://vercel.com/docs/rest-api/errors", "https://github.com/vercel/sdk"},
	}
}
