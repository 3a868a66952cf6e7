package guided

import (
	"net/http"
	"net/url"
	"time"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/provider/web"
)

// No call is made for the other rows. Of Coinbase and Bitfinex because there are no
// published vectors that a signature could be checked against; of CoinGecko because it
// answers a key of another plan and one that is none alike; of PyPI and Token Metrics because
// no document says what a dead key is answered.

func services() []service {
	return []service{bitfinex(), coinbase(), coingecko(), coinmarketcap(), etherscan(), pypi(), stripe(), tokenmetrics()}
}

func bitfinex() service {
	const page = "https://setting.bitfinex.com/api"
	return service{
		name: "bitfinex", title: "Bitfinex API key", page: page, parts: []provider.Part{{Name: "id", Public: true}, {Name: "secret"}},
		steps: always(provider.Steps{
			IssueAt:  page + "#new-key",
			Issue:    append(trading(""), "Confirm it by the mail that Bitfinex sends, and copy key and secret: the secret is shown once."),
			RevokeAt: page + "#my-keys", Revoke: []string{"Delete the old key, not the new one: compare the first characters."},
		}),
		sources: []string{"https://docs.bitfinex.com/docs/rest-auth"},
	}
}

func coinbase() service {
	const page = "https://portal.cdp.coinbase.com/access/api"
	return service{
		name: "coinbase", title: "Coinbase API key (CDP)", page: page, parts: []provider.Part{{Name: "name", Public: true}, {Name: "private_key"}},
		steps: always(provider.Steps{
			IssueAt: page,
			Issue: append(append([]string{"Under “Secret API Keys”, choose “Create API key”."}, trading(": View, Trade or Transfer, and one portfolio")...),
				"Under “Advanced Settings”, choose the signature algorithm of the old key.",
				"Give name and private key as they stand in the file: the key in one line, with \\n where it has line breaks."),
			RevokeAt: page, Revoke: []string{"In the menu beside the old key, choose to delete it."},
		}),
		sources: []string{"https://docs.cdp.coinbase.com/coinbase-business/authentication-authorization/api-key-authentication", "https://docs.cdp.coinbase.com/get-started/authentication/security-best-practices"},
	}
}

func coingecko() service {
	const page = "https://www.coingecko.com/en/developers/dashboard"
	return service{
		name: "coingecko", title: "CoinGecko API key", page: page,
		steps: always(provider.Steps{
			IssueAt: page, Issue: []string{"Choose “Add New Key”, and a label that says where it is used. Its plan is that of the account."},
			RevokeAt: page, Revoke: []string{"Choose “Edit” beside the old key, then “Delete”."},
		}),
		sources: []string{"https://docs.coingecko.com/docs/setting-up-your-api-key", "https://docs.coingecko.com/docs/errors-and-rate-limits"},
	}
}

func coinmarketcap() service {
	const page = "https://pro.coinmarketcap.com/account"
	return service{
		name: "coinmarketcap", others: "its sandbox", title: "CoinMarketCap API key", page: page, rules: []string{"coinmarketcap-api-key"},
		asks: inHeader("https://pro-api.coinmarketcap.com", "/v1/key/info", "X-CMC_PRO_API_KEY", ""), good: "data.plan.rate_limit_minute",
		codes: []web.Code{
			{Status: 401, Field: "status.error_code", Words: []string{"1001"}, State: provider.Dead},
			// what there is no plan for, or no longer: the key is known
			{Status: 402, Field: "status.error_code", Words: []string{"1003", "1004"}, State: provider.Narrow},
		},
		steps: always(provider.Steps{
			IssueAt: page,
			Issue: []string{
				"Under the API keys, make another. If the plan has one key only, regenerating it ends the old one at once: give it to what uses it right away.",
				"Copy it.",
			},
			RevokeAt: page, Revoke: []string{"Delete the old key; if it was regenerated, it is gone."},
		}),
		sources: []string{"https://coinmarketcap.com/api/documentation/v1/#operation/getV1KeyInfo", "https://coinmarketcap.com/api/resources/how-to-handle-coinmarketcap-api-errors-and-rate-limit--responses"},
	}
}

// etherscan answers 200 to whatever is asked. The scan's rules find keys of its sister
// explorers, too, which it calls invalid: it recognizes none.
func etherscan() service {
	const page = "https://etherscan.io/apidashboard"
	says := func(state provider.State, words ...string) web.Code {
		return web.Code{Status: http.StatusOK, Field: "result", Words: words, State: state}
	}
	return service{
		name: "etherscan", title: "Etherscan API key", page: page,
		asks: inQuery("https://api.etherscan.io", "/v2/api", "apikey", url.Values{"chainid": {"1"}, "module": {"getapilimit"}, "action": {"getapilimit"}}),
		good: "result.creditLimit",
		codes: []web.Code{
			says(provider.Dead, "Invalid API Key"), says(provider.Throttled, "Max rate limit reached*", "Too many invalid api key attempts*"),
			says(provider.Unknown, "*"),
		},
		delay: 5 * time.Minute, // “a few minutes” until a new key is active
		steps: always(provider.Steps{
			IssueAt: page, Issue: []string{"Choose “Add”, and a name that says where it is used. An account has three: delete one that is not used if there is no room."},
			RevokeAt: page, Revoke: []string{"Choose “Edit” beside the old key, then “Delete”."},
		}),
		sources: []string{"https://docs.etherscan.io/api-reference/endpoint/getapilimit", "https://docs.etherscan.io/resources/common-error-messages", "https://docs.etherscan.io/set-up-your-api-key"},
	}
}

func pypi() service {
	const help = "https://pypi.org/help/#apitoken"
	return service{
		name: "pypi", title: "PyPI API token", page: help,
		steps: always(provider.Steps{
			IssueAt: help,
			Issue: []string{
				"Better, publish without a token: set up trusted publishing for the project.",
				"Under Account settings, API tokens, choose “Add API token”, and the one project that it is for as its scope.",
				"Copy it: it is shown once.",
			},
			RevokeAt: help, Revoke: []string{"Under Account settings, API tokens, choose “Remove token” beside the old one."},
		}),
		sources: []string{help},
	}
}

// stripe answers 403 to a restricted key that may not see the account.
func stripe() service {
	const page = "https://dashboard.stripe.com/"
	return service{
		name: "stripe", title: "Stripe secret or restricted key", page: page + "apikeys", rules: []string{"stripe-secret-key", "stripe-restricted-key", "stripe-test-key"},
		asks: inHeader("https://api.stripe.com", "/v1/account", "Authorization", "Bearer "), good: "id",
		says: func(s web.Said) provider.Identity {
			return provider.Identity{Account: s.Text("id"), Label: s.Text("settings.dashboard.display_name")}
		},
		codes: []web.Code{
			{Status: 401, Field: "error.code", Words: []string{"api_key_expired"}, State: provider.Dead},
			{Status: 401, Field: "error.message", Words: []string{"Invalid API Key provided: *"}, State: provider.Dead},
			{Status: 403, Field: "error.type", Words: []string{"invalid_request_error"}, State: provider.Narrow},
		},
		delay: 2 * time.Minute, // a deleted key was seen to be accepted for some seconds
		steps: func(old provider.Credential) provider.Steps {
			at := page + "apikeys"
			if begins(old.Part(single), "sk_test_", "rk_test_", "sk_org_test_") {
				at = page + "test/apikeys"
			}
			return provider.Steps{
				IssueAt: at,
				Issue: []string{
					"Choose “Create restricted key”, and only the permissions that what uses it needs; a secret key may do everything.",
					"Limit it to the addresses that it is used from.",
					"Do not choose “Roll key” for the old one: that may end it at once.",
					"Copy it: it is shown once.",
				},
				RevokeAt: at, Revoke: []string{"In the menu beside the old key, choose to delete it. A secret key that is the only one is ended by “Roll key”, with “now”."},
			}
		},
		sources: []string{"https://docs.stripe.com/keys", "https://docs.stripe.com/keys-best-practices", "https://docs.stripe.com/api/errors", "https://docs.stripe.com/api/accounts/retrieve"},
	}
}

func tokenmetrics() service {
	const page = "https://app.tokenmetrics.com/en/api?tab=keys"
	return service{
		name: "tokenmetrics", title: "Token Metrics API key", page: page,
		steps: always(provider.Steps{
			IssueAt: page, Issue: []string{"Choose “Generate Key”, and a name that says where it is used. Copy it."},
			RevokeAt: page, Revoke: []string{"Delete the old key."},
		}),
		sources: []string{"https://developers.tokenmetrics.com/"},
	}
}
