package rules

import "github.com/keywright/keywright/scan"

const (
	stripeKeys = "https://docs.stripe.com/keys"
	paypalFix  = "Generate a second secret on the application's page in the Developer Dashboard, deploy it, and delete this one."
	stripeRoll = "Roll the key under Developers, API keys, and use a restricted key in its place."
)

// stripeKey is the body of Stripe's keys: 24 characters, or about 99 since 2020.
// The lengths between are those of Paystack and Clerk, which share the prefix.
const stripeKey = `(?:[0-9A-Za-z]{24,39}|[0-9A-Za-z]{51,247})`

func payment() []scan.Rule {
	return []scan.Rule{
		issued(scan.Rule{
			ID:        "stripe-secret-key",
			Provider:  "stripe",
			Title:     "Stripe secret key",
			Why:       "It charges, refunds and pays out, and reads every customer of the account.",
			Fix:       stripeRoll,
			Reference: stripeKeys,
			Samples:   stripeSamples("STRIPE_SECRET_KEY", "sk_live_"),
		}, "", `sk_(?:org_)?live_`+stripeKey),
		issued(scan.Rule{
			ID:        "stripe-restricted-key",
			Provider:  "stripe",
			Title:     "Stripe restricted key",
			Why:       "It reads and writes the payments and customers that its permissions reach.",
			Fix:       "Roll the key under Developers, API keys.",
			Reference: stripeKeys,
			Samples:   stripeSamples("STRIPE_API_KEY", "rk_live_"),
		}, "", `rk_live_`+stripeKey),
		issued(scan.Rule{
			ID:        "stripe-test-key",
			Provider:  "stripe",
			Title:     "Stripe test mode key",
			Why:       "It reads and writes the account's test data; no money moves.",
			Fix:       "Roll the key under Developers, API keys, in test mode.",
			Reference: stripeKeys,
			Samples:   stripeSamples("STRIPE_TEST_KEY", "sk_test_"),
		}, "", `(?:sk_(?:org_)?test|rk_test)_`+stripeKey),
		issued(scan.Rule{
			ID:        "stripe-webhook-secret",
			Provider:  "stripe",
			Title:     "Stripe or Standard Webhooks signing secret",
			Why:       "Whoever has it can forge webhook events: a payment that was never made.",
			Fix:       "Roll the secret of the endpoint under Developers, Webhooks (or in the service that sends them, such as Svix, Clerk or Resend).",
			Reference: "https://docs.stripe.com/webhooks/signature",
			Samples:   shaped("STRIPE_WEBHOOK_SECRET", `whsec_(?:[0-9A-Za-z]{32}|[0-9a-f]{64})`),
		}, "", `whsec_[0-9A-Za-z+/]{32,88}={0,2}`),
		issued(scan.Rule{
			ID:        "paystack-secret-key",
			Provider:  "paystack",
			Title:     "Paystack secret key",
			Why:       "It charges cards, makes transfers and reads every customer of the account.",
			Fix:       "Generate new keys under Settings, API Keys & Webhooks.",
			Reference: "https://paystack.com/docs/api/authentication/",
		}, "PAYSTACK_SECRET_KEY", `sk_(?:live|test)_[0-9a-f]{40}`),
		apart(scan.Rule{
			ID:        "square-access-token",
			Provider:  "square",
			Title:     "Square access token",
			Why:       "It takes payments, refunds them and reads the customers and orders that its permissions reach.",
			Fix:       "Replace the token under Credentials of the application in the Developer Console.",
			Reference: "https://developer.squareup.com/docs/build-basics/access-tokens",
		}, "SQUARE_ACCESS_TOKEN", `EAAA[0-9A-Za-z_-]{59}[0-9A-Za-z]`),
		issued(scan.Rule{
			ID:        "square-token-legacy",
			Provider:  "square",
			Title:     "Square access token of the older form",
			Why:       "It takes payments, refunds them and reads the customers and orders that its permissions reach.",
			Fix:       "Replace the token under Credentials of the application in the Developer Console.",
			Reference: "https://developer.squareup.com/docs/build-basics/access-tokens",
			Samples:   shaped("SQUARE_TOKEN", `sq0at[bp]-[0-9A-Za-z]{22}`),
		}, "", `(?:sandbox-)?sq0at[bp]-[0-9A-Za-z_-]{21}[0-9A-Za-z]`),
		issued(scan.Rule{
			ID:        "square-application-secret",
			Provider:  "square",
			Title:     "Square application secret",
			Why:       "With it an application's OAuth tokens are obtained, renewed and revoked for every merchant.",
			Fix:       "Replace the secret under OAuth of the application in the Developer Console.",
			Reference: "https://developer.squareup.com/docs/oauth-api/overview",
			Samples:   shaped("SQUARE_APPLICATION_SECRET", `sq0cs[bp]-[0-9A-Za-z]{43}`),
		}, "", `(?:sandbox-)?sq0cs[bp]-[0-9A-Za-z_-]{42}[0-9A-Za-z]`),
		called(scan.Rule{
			ID:        "paypal-client-secret",
			Provider:  "paypal",
			Title:     "PayPal client secret",
			Why:       "With the client id it takes payments, refunds and pays out from the account.",
			Fix:       paypalFix,
			Reference: "https://developer.paypal.com/api/rest/",
		}, `paypal`, `secret|key|password`, "PAYPAL_CLIENT_SECRET", `E[0-9A-Za-z_-]{78}[0-9A-Za-z]`),
		beneath(scan.Rule{
			ID:        "paypal-credentials",
			Provider:  "paypal",
			Title:     "PayPal client id and secret",
			Why:       "They take payments, refund and pay out from the account.",
			Fix:       paypalFix,
			Reference: "https://developer.paypal.com/api/rest/",
		}, "paypal", `A[0-9A-Za-z_-]{78}[0-9A-Za-z]`, `E[0-9A-Za-z_-]{78}[0-9A-Za-z]`),
		issued(scan.Rule{
			ID:        "braintree-access-token",
			Provider:  "braintree",
			Title:     "Braintree or PayPal access token",
			Why:       "It takes payments and refunds them in the merchant's name.",
			Fix:       "Revoke it in the Control Panel under API, and issue a new one.",
			Reference: "https://developer.paypal.com/braintree/docs/guides/extend/oauth/access-tokens",
			Samples: func(g *scan.Gen) scan.Samples {
				v := "access_token$production$" + g.String(scan.LowerAZ+scan.Digits, 16) + "$" + g.Hex(32)
				return scan.Samples{
					Match:   []string{"BT_ACCESS_TOKEN='" + v + "'\n", "{\"token\": \"" + v + "\"}\n", "token: " + v + "\n"},
					NoMatch: []string{"access_token$production\n", v[:50] + "\n", "access_token$live$" + v[24:] + "\n"},
				}
			},
		}, "", `access_token\$(?:production|sandbox)\$[0-9a-z]{16}\$[0-9a-f]{32}`),
		called(scan.Rule{
			ID:        "braintree-private-key",
			Provider:  "braintree",
			Title:     "Braintree private key",
			Why:       "With the public key it takes payments, refunds them and reads the vault of cards.",
			Fix:       "Generate a new API key in the Control Panel under API, and delete this one.",
			Reference: "https://developer.paypal.com/braintree/articles/control-panel/important-gateway-credentials",
		}, `braintree|\bbt_`, `private_?key`, "BRAINTREE_PRIVATE_KEY", `[0-9a-f]{32}`),
		{
			ID:         "adyen-api-key",
			Provider:   "adyen",
			Title:      "Adyen API key",
			Why:        "It takes payments and refunds them within the web service user's roles.",
			Fix:        "Generate a new API key under Developers, API credentials, and let the old one expire.",
			Reference:  "https://docs.adyen.com/development-resources/api-credentials",
			Confidence: scan.High,
			Expr:       `\b(?P<secret>AQE[0-9A-Za-z+/]{40,120}-[0-9A-Za-z+/]{30,60}={0,2}-[!#-&(-+\--;=?-\[\]^_a-~]{10,30})` + quote,
			MinEntropy: 4,
			Check:      published,
			Samples: func(g *scan.Gen) scan.Samples {
				v := "AQE" + g.String(scan.Base62, 70) + "-" + g.String(scan.Base64Std, 43) + "=-" + g.String(scan.Base62, 16)
				return scan.Samples{
					Match:   append(inAssignments("ADYEN_API_KEY", v), "curl -H 'x-API-key: "+v+"' https://checkout-test.adyen.com\n"),
					NoMatch: []string{"ADYEN_API_KEY=${ADYEN_API_KEY}\n", "ADYEN_API_KEY=AQEyhmfxK....LAG84XwzP5pSpVd\n", "ADYEN_API_KEY=" + v[:30] + "\n"},
				}
			},
		},
		called(scan.Rule{
			ID:        "adyen-hmac-key",
			Provider:  "adyen",
			Title:     "Adyen HMAC key",
			Why:       "Whoever has it can forge webhook events: a payment that was never made.",
			Fix:       "Generate a new HMAC key in the webhook's settings under Developers, Webhooks.",
			Reference: "https://docs.adyen.com/development-resources/webhooks/verify-hmac-signatures",
		}, `adyen`, `hmac`, "ADYEN_HMAC_KEY", `[0-9A-F]{64}`),
		issued(scan.Rule{
			ID:        "plaid-access-token",
			Provider:  "plaid",
			Title:     "Plaid access token",
			Why:       "With the client's secret it reads a person's bank accounts and transactions.",
			Fix:       "Rotate it with /item/access_token/invalidate, and rotate the client's secret if it leaked too.",
			Reference: "https://plaid.com/docs/api/tokens/",
		}, "PLAID_ACCESS_TOKEN", `access-(?:sandbox|development|production)-`+uuidExpr),
		called(scan.Rule{
			ID:        "plaid-secret",
			Provider:  "plaid",
			Title:     "Plaid API secret",
			Why:       "With the client id it opens Plaid's API in the application's name, for every linked bank account.",
			Fix:       "Rotate the secret under Developers, Keys.",
			Reference: "https://plaid.com/docs/api/",
		}, `plaid`, `secret`, "PLAID_SECRET", `[0-9a-f]{30}`),
		called(scan.Rule{
			ID:         "razorpay-key-secret",
			Provider:   "razorpay",
			Title:      "Razorpay key secret",
			Why:        "With the key id it takes payments, refunds them and pays out.",
			Fix:        "Regenerate the key under Account & Settings, API Keys.",
			Reference:  "https://razorpay.com/docs/api/authentication/",
			MinEntropy: 3.4,
		}, `razorpay|rzp_`, `secret`, "RAZORPAY_KEY_SECRET", `[0-9A-Za-z]{24}`),
		pair(scan.Rule{
			ID:        "razorpay-credentials",
			Provider:  "razorpay",
			Title:     "Razorpay key id and secret",
			Why:       "They take payments, refund them and pay out.",
			Fix:       "Regenerate the key under Account & Settings, API Keys.",
			Reference: "https://razorpay.com/docs/api/authentication/",
		}, `rzp_(?:live|test)_[0-9A-Za-z]{14}`, `[0-9A-Za-z]{24}`),
		issued(scan.Rule{
			ID:         "mollie-api-key",
			Provider:   "mollie",
			Title:      "Mollie API key",
			Why:        "It takes payments and refunds them in the profile's name.",
			Fix:        "Reset the key under Developers, API keys.",
			Reference:  "https://docs.mollie.com/reference/authentication",
			Confidence: scan.Medium,
			MinEntropy: 3.6,
			Check:      tailRandom,
		}, "MOLLIE_API_KEY", `live_[0-9A-Za-z]{30}`),
		{
			ID:         "mollie-test-key",
			Provider:   "mollie",
			Title:      "Mollie API key of the test mode",
			Why:        "It reads and makes test payments in the profile's name.",
			Fix:        "Reset the key under Developers, API keys.",
			Reference:  "https://docs.mollie.com/reference/authentication",
			Confidence: scan.Medium,
			Expr:       `(?i:mollie)[\t\n\r -~]{0,160}?\b(?P<secret>test_[0-9A-Za-z]{30})` + after,
			MinEntropy: 3.6,
			Check:      tailRandom,
			Samples: func(g *scan.Gen) scan.Samples {
				key := "test_" + g.String(scan.Base62, 30)
				return scan.Samples{
					Match:   append(inAssignments("MOLLIE_API_KEY", key), "$mollie = new \\Mollie\\Api\\MollieApiClient();\n$mollie->setApiKey(\""+key+"\");\n"),
					NoMatch: []string{"it " + key + "\n", "mollie test_" + g.String(scan.Base62, 12) + "\n", "mollie.test_that_payments_can_be_refunded\n"},
				}
			},
		},
		issued(scan.Rule{
			ID:         "mollie-organization-token",
			Provider:   "mollie",
			Title:      "Mollie organization or app access token",
			Why:        "It reads and writes payments, orders and settlements within its permissions.",
			Fix:        "Revoke it under Developers, Organization access tokens, and issue one with fewer permissions.",
			Reference:  "https://docs.mollie.com/reference/authentication",
			Confidence: scan.Medium,
			MinEntropy: 3.6,
			Check:      tailRandom,
		}, "MOLLIE_ACCESS_TOKEN", `access_[0-9A-Za-z]{30,40}`),
		issued(scan.Rule{
			ID:        "paddle-api-key",
			Provider:  "paddle",
			Title:     "Paddle API key",
			Why:       "It reads and writes subscriptions, transactions and customers within its permissions.",
			Fix:       "Revoke it under Developer tools, Authentication, and issue one with fewer permissions that expires.",
			Reference: "https://developer.paddle.com/api-reference/about/api-keys",
		}, "PADDLE_API_KEY", `pdl_(?:live|sdbx|test)_apikey_[0-9a-z]{26}_[0-9A-Za-z]{22}_[0-9A-Za-z]{3}`),
		issued(scan.Rule{
			ID:        "paddle-webhook-secret",
			Provider:  "paddle",
			Title:     "Paddle webhook secret key",
			Why:       "Whoever has it can forge notifications: a subscription that was never paid.",
			Fix:       "Create a new notification destination under Developer tools, Notifications, and delete this one.",
			Reference: "https://developer.paddle.com/webhooks/signature-verification",
			Samples:   shaped("PADDLE_WEBHOOK_SECRET", `pdl_ntfset_[0-9a-z]{26}_[0-9A-Za-z]{32}`),
		}, "", `pdl_ntfset_[0-9a-z]{26}_[0-9A-Za-z+/]{24,64}={0,2}`),
		issued(scan.Rule{
			ID:        "klarna-api-key",
			Provider:  "klarna",
			Title:     "Klarna API key",
			Why:       "It authorises, captures and refunds payments in the merchant's name.",
			Fix:       "Create a new API key in the Merchant Portal, deploy it, and delete this one.",
			Reference: "https://docs.klarna.com/api/authentication/",
			Samples:   shaped("KLARNA_API_KEY", `klarna_live_api_[0-9A-Za-z]{90}`),
		}, "", `klarna_(?:live|test)_api_[0-9A-Za-z+/_-]{40,200}={0,2}`),
		issued(scan.Rule{
			ID:        "flutterwave-secret-key",
			Provider:  "flutterwave",
			Title:     "Flutterwave secret key",
			Why:       "It takes payments, makes transfers and reads every customer of the account.",
			Fix:       "Generate new keys under Settings, API keys.",
			Reference: "https://developer.flutterwave.com/v3.0/docs/authentication",
		}, "FLW_SECRET_KEY", `FLWSECK(?:_TEST)?-[0-9A-Za-z]{32}(?:-[0-9A-Za-z]{8,20})?-X`),
		called(scan.Rule{
			ID:        "wise-api-token",
			Provider:  "wise",
			Title:     "Wise API token",
			Why:       "It reads balances and statements and, outside the EU, sends money.",
			Fix:       "Revoke it under Settings, Connect and manage integrations, API tokens, and add a new one.",
			Reference: "https://docs.wise.com/api-docs/features/authentication-access/personal-tokens",
		}, `\bwise_|\bwiseapi|\bwiseacc|transferwise`, `token|key`, "WISE_API_TOKEN", uuidExpr),
		issued(scan.Rule{
			ID:         "gocardless-access-token",
			Provider:   "gocardless",
			Title:      "GoCardless access token",
			Why:        "It creates payments from bank accounts and reads every customer.",
			Fix:        "Delete it under Developers, API settings, and create a new one.",
			Reference:  "https://developer.gocardless.com/api-reference/",
			MinEntropy: 3.8,
			Confidence: scan.Medium,
			Check:      tailRandom,
			Samples:    shaped("GC_ACCESS_TOKEN", `(?:live|sandbox)_[0-9A-Za-z]{39}[0-9A-Za-z]`),
		}, "", `(?:live|sandbox)_[0-9A-Za-z_-]{40}`),
		issued(scan.Rule{
			ID:        "easypost-api-key",
			Provider:  "easypost",
			Title:     "EasyPost API key",
			Why:       "It buys shipping labels at the account's cost and reads addresses.",
			Fix:       "Disable it under API Keys, and create a new one.",
			Reference: "https://docs.easypost.com/docs/authentication",
		}, "EASYPOST_API_KEY", `EZ[AT]K[0-9A-Za-z]{54}`),
		issued(scan.Rule{
			ID:        "shippo-token",
			Provider:  "shippo",
			Title:     "Shippo API token",
			Why:       "It buys shipping labels at the account's cost and reads addresses.",
			Fix:       "Delete it under Settings, API, and generate a new one.",
			Reference: "https://docs.goshippo.com/docs/guides_general/authentication/",
		}, "SHIPPO_TOKEN", `shippo_(?:live|test)_[0-9a-f]{40}`),
		issued(scan.Rule{
			ID:        "duffel-token",
			Provider:  "duffel",
			Title:     "Duffel access token",
			Why:       "It books, changes and cancels flights at the account's cost and reads passengers.",
			Fix:       "Delete it under Developers, Access tokens, and create a new one.",
			Reference: "https://duffel.com/docs/api/overview/authentication",
		}, "DUFFEL_ACCESS_TOKEN", `duffel_(?:live|test)_[0-9A-Za-z_-]{42}[0-9A-Za-z]`),
		issued(scan.Rule{
			ID:         "lob-api-key",
			Provider:   "lob",
			Title:      "Lob API key",
			Why:        "It prints and posts letters and cheques at the account's cost.",
			Fix:        "Rotate it under Settings, API Keys.",
			Reference:  "https://docs.lob.com/#tag/Authentication",
			MinEntropy: 3,
		}, "LOB_API_KEY", `(?:live|test)_[0-9a-f]{35}`),
		led(scan.Rule{
			ID:         "checkout-secret-key",
			Provider:   "checkout",
			Title:      "Checkout.com secret key",
			Why:        "It takes payments and refunds them within its scopes.",
			Fix:        "Roll the key under Settings, Keys.",
			Reference:  "https://www.checkout.com/docs/developer-resources/api/manage-api-keys",
			Confidence: scan.Medium,
			MinEntropy: 3.4,
			Check:      tailRandom,
		}, "CKO_SECRET_KEY", `sk_(?:sbox_)?[2-7a-z]{27}`),
		issued(scan.Rule{
			ID:        "mercadopago-access-token",
			Provider:  "mercadopago",
			Title:     "Mercado Pago access token",
			Why:       "It takes payments, refunds them and reads every customer of the account.",
			Fix:       "Renew it under Your integrations, Production credentials.",
			Reference: "https://www.mercadopago.com/developers/en/docs/your-integrations/credentials",
		}, "MP_ACCESS_TOKEN", `(?:APP_USR|TEST)-[0-9]{12,18}-[0-9]{6}-[0-9a-f]{32}(?:__[0-9A-Z]{2}_[0-9A-Z]{2}__)?-[0-9]{6,12}`),
		issued(scan.Rule{
			ID:        "xendit-secret-key",
			Provider:  "xendit",
			Title:     "Xendit secret key",
			Why:       "It takes payments and pays out within its permissions.",
			Fix:       "Delete it under Settings, API keys, and generate one with fewer permissions.",
			Reference: "https://docs.xendit.co/docs/api-keys",
			Samples:   shaped("XENDIT_SECRET_KEY", `xnd_production_[0-9A-Za-z]{60}`),
		}, "", `xnd_(?:production|development)_[0-9A-Za-z]{40,100}`),
		issued(scan.Rule{
			ID:        "midtrans-server-key",
			Provider:  "midtrans",
			Title:     "Midtrans server key",
			Why:       "It takes payments and refunds them in the merchant's name.",
			Fix:       "Ask Midtrans to regenerate the keys under Settings, Access Keys.",
			Reference: "https://docs.midtrans.com/docs/technical-reference",
			Samples:   shaped("MIDTRANS_SERVER_KEY", `Mid-server-[0-9A-Za-z]{24}`),
		}, "", `(?:SB-)?Mid-server-[0-9A-Za-z_-]{23}[0-9A-Za-z]`),
		issued(scan.Rule{
			ID:        "cashfree-secret-key",
			Provider:  "cashfree",
			Title:     "Cashfree secret key",
			Why:       "With the app id it takes payments, refunds them and pays out.",
			Fix:       "Generate a new key under Developers, API Keys, and delete this one.",
			Reference: "https://www.cashfree.com/docs/api-reference/authentication",
		}, "CASHFREE_SECRET_KEY", `cfsk_ma_(?:prod|test)_[0-9a-f]{32}_[0-9a-f]{8}`),
		issued(scan.Rule{
			ID:        "mercury-api-token",
			Provider:  "mercury",
			Title:     "Mercury API token",
			Why:       "It reads the company's bank accounts and, if it may write, sends money.",
			Fix:       "Revoke it under Settings, API tokens, and create a read-only one bound to IP addresses.",
			Reference: "https://docs.mercury.com/reference/getting-started-with-your-api",
			Samples: func(g *scan.Gen) scan.Samples {
				v := "secret-token:mercury_production_wma_" + g.String(scan.Base58, 44) + "_yrucrem"
				return scan.Samples{
					Match:   []string{"MERCURY_TOKEN=" + v + "\n", "curl --user \"" + v + ":\" https://api.mercury.com/api/v1/accounts\n"},
					NoMatch: []string{"secret-token:mercury_production_\n", "secret-token:<mercury token>\n"},
				}
			},
		}, "", `secret-token:mercury_(?:production|sandbox)_[0-9A-Za-z_]{30,80}`),
		called(scan.Rule{
			ID:         "revenuecat-secret-key",
			Provider:   "revenuecat",
			Title:      "RevenueCat secret key",
			Why:        "It reads and changes customers' purchases and entitlements.",
			Fix:        "Delete it under Project settings, API keys, and create a new one.",
			Reference:  "https://www.revenuecat.com/docs/projects/authentication",
			MinEntropy: 3.6,
		}, `revenue_?cat`, `key|secret`, "REVENUECAT_SECRET_KEY", `sk_[A-Za-z]{28}`),
		called(scan.Rule{
			ID:        "freshbooks-client-secret",
			Provider:  "freshbooks",
			Title:     "FreshBooks client secret",
			Why:       "With the client id it completes sign-ins in the application's name and reads invoices and clients.",
			Fix:       "Delete the application on the Developer page, and create a new one.",
			Reference: "https://www.freshbooks.com/api/authentication",
		}, `freshbooks`, `secret|token|key`, "FRESHBOOKS_CLIENT_SECRET", `[0-9a-f]{64}`),
		called(scan.Rule{
			ID:         "gumroad-access-token",
			Provider:   "gumroad",
			Title:      "Gumroad access token",
			Why:        "It reads sales and buyers and changes products.",
			Fix:        "Revoke it under Settings, Advanced, on the application's page.",
			Reference:  "https://gumroad.com/api",
			MinEntropy: 3.6,
		}, `gumroad`, `token|secret|key`, "GUMROAD_ACCESS_TOKEN", `[0-9A-Za-z_-]{43}`),
	}
}

func stripeSamples(name, prefix string) func(*scan.Gen) scan.Samples {
	return func(g *scan.Gen) scan.Samples {
		s := shaped(name, prefix+`[0-9A-Za-z]{24}`)(g)
		s.Match = append(s.Match, name+"="+prefix+"51"+g.String(scan.Base62, 97)+"\n")
		s.NoMatch = append(s.NoMatch, "STRIPE_PUBLISHABLE_KEY=pk_live_"+g.String(scan.Base62, 24)+"\n",
			"STRIPE_ACCOUNT=acct_"+g.String(scan.Base62, 16)+"\n")
		return s
	}
}
