package rules

import "github.com/keywright/keywright/scan"

const (
	shopifyTokens = "https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens"
	shopifyFix    = "Rotate the app's credentials in the Dev Dashboard, or uninstall and reinstall the custom app."
	shopifyReads  = "It reads and writes the shop's orders, customers and products within its scopes."
)

func commerce() []scan.Rule {
	return []scan.Rule{
		issued(scan.Rule{
			ID:         "shopify-access-token",
			Provider:   "shopify",
			Title:      "Shopify Admin API access token",
			Why:        shopifyReads,
			Fix:        shopifyFix,
			Reference:  shopifyTokens,
			MinEntropy: 2.8,
		}, "SHOPIFY_ACCESS_TOKEN", `shpat_[0-9a-fA-F]{32}`),
		issued(scan.Rule{
			ID:         "shopify-custom-app-token",
			Provider:   "shopify",
			Title:      "Shopify custom or private app token",
			Why:        shopifyReads,
			Fix:        shopifyFix,
			Reference:  shopifyTokens,
			MinEntropy: 2.8,
		}, "SHOPIFY_TOKEN", `shp(?:ca|pa|ua|rt)_[0-9a-fA-F]{32}`),
		issued(scan.Rule{
			ID:         "shopify-shared-secret",
			Provider:   "shopify",
			Title:      "Shopify app's client secret",
			Why:        "With it the app's tokens are issued and its webhooks forged.",
			Fix:        "Rotate it in the app's settings in the Dev Dashboard, deploy it, and revoke the old one.",
			Reference:  "https://shopify.dev/docs/apps/build/authentication-authorization/client-secrets/rotate-revoke-client-credentials",
			MinEntropy: 2.8,
		}, "SHOPIFY_API_SECRET", `shpss_[0-9a-fA-F]{32}`),
		issued(scan.Rule{
			ID:         "shopify-theme-token",
			Provider:   "shopify",
			Title:      "Shopify Theme Access password",
			Why:        "It reads and changes the shop's themes, which run in every visitor's browser.",
			Fix:        "Delete it in the Theme Access app, and create a new one.",
			Reference:  "https://shopify.dev/docs/storefronts/themes/tools/theme-access",
			MinEntropy: 2.8,
		}, "SHOPIFY_CLI_THEME_TOKEN", `shptka_[0-9a-f]{32}`),
		issued(scan.Rule{
			ID:         "shopify-partner-token",
			Provider:   "shopify",
			Title:      "Shopify Partner or CLI token",
			Why:        "It reads the partner organization's apps and sales, or deploys its apps.",
			Fix:        "Delete it under Settings, Partner API clients (or CLI tokens), and create a new one.",
			Reference:  "https://shopify.dev/docs/api/partner",
			MinEntropy: 2.8,
			Samples:    shaped("SHOPIFY_CLI_PARTNERS_TOKEN", `prtapi_[0-9a-f]{32}|atkn_[0-9a-f]{64}`),
		}, "", `prtapi_[0-9a-f]{32}|atkn_[0-9a-f]{60,90}`),
		called(scan.Rule{
			ID:         "bigcommerce-access-token",
			Provider:   "bigcommerce",
			Title:      "BigCommerce access token",
			Why:        "It reads and writes the store's orders, customers and products within its scopes.",
			Fix:        "Delete the API account under Settings, and create one with fewer scopes.",
			Reference:  "https://developer.bigcommerce.com/docs/start/authentication/api-accounts",
			MinEntropy: 3.4,
		}, `big_?commerce|x-auth`, `token|secret`, "BIGCOMMERCE_ACCESS_TOKEN", `[0-9a-z]{31}`),
		issued(scan.Rule{
			ID:        "woocommerce-secret",
			Provider:  "woocommerce",
			Title:     "WooCommerce consumer secret",
			Why:       "With the consumer key it reads and writes the shop's orders, customers and products.",
			Fix:       "Revoke the key under WooCommerce, Settings, Advanced, REST API, and add one with fewer permissions.",
			Reference: "https://woocommerce.com/document/woocommerce-rest-api/",
			Partners:  []scan.Partner{{Role: "id", Expr: `\b(ck_[0-9a-f]{40})\b`, Within: scan.MaxReach}},
			Samples: func(g *scan.Gen) scan.Samples {
				id, v := "ck_"+g.Hex(40), "cs_"+g.Hex(40)
				s := shaped("WC_CONSUMER_SECRET", `cs_[0-9a-f]{40}`)(g)
				s.Match = append(s.Match, "consumerKey: '"+id+"',\nconsumerSecret: '"+v+"',\n", "curl https://shop.test/wp-json/wc/v3/orders -u "+id+":"+v+"\n")
				s.NoMatch = append(s.NoMatch, "WC_CONSUMER_KEY="+id+"\n")
				return s
			},
		}, "", `cs_[0-9a-f]{40}`),
		led(scan.Rule{
			ID:        "recharge-api-token",
			Provider:  "recharge",
			Title:     "Recharge API token",
			Why:       "It reads and changes subscriptions and customers within its scopes.",
			Fix:       "Delete it under Tools and apps, API tokens, and create one with fewer scopes.",
			Reference: "https://docs.getrecharge.com/docs/recharge-api-key",
		}, "RECHARGE_API_TOKEN", `sk_[1-9]x[1-9]_[0-9a-f]{64}`),
		issued(scan.Rule{
			ID:        "ebay-client-secret",
			Provider:  "ebay",
			Title:     "eBay client secret (cert id)",
			Why:       "With the app id it makes tokens in the application's name.",
			Fix:       "Rotate the cert id on the Application Keys page.",
			Reference: "https://developer.ebay.com/api-docs/static/oauth-credentials.html",
		}, "EBAY_CERT_ID", `(?:PRD|SBX)-[0-9a-f]{12}-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}`),
		called(scan.Rule{
			ID:        "shipstation-secret",
			Provider:  "shipstation",
			Title:     "ShipStation API secret",
			Why:       "With the API key it reads orders and addresses and buys labels.",
			Fix:       "Generate new API keys under Settings, Account, API Settings.",
			Reference: "https://www.shipstation.com/docs/api/requirements/",
		}, `ship_?station`, `secret`, "SHIPSTATION_API_SECRET", `[0-9a-f]{32}`),
		called(scan.Rule{
			ID:         "magento-access-token",
			Provider:   "magento",
			Title:      "Adobe Commerce (Magento) integration token",
			Why:        "It reads and writes the shop's orders, customers and products within its resources.",
			Fix:        "Reauthorize the integration under System, Extensions, Integrations.",
			Reference:  "https://developer.adobe.com/commerce/webapi/get-started/authentication/",
			MinEntropy: 3.4,
		}, `magento`, `token|secret|key`, "MAGENTO_ACCESS_TOKEN", `[0-9a-z]{32}`),
		called(scan.Rule{
			ID:        "squarespace-api-key",
			Provider:  "squarespace",
			Title:     "Squarespace API key",
			Why:       "It reads and writes the site's orders and inventory within its permissions.",
			Fix:       "Delete it under Settings, Developer Tools, Developer API Keys, and generate a new one.",
			Reference: "https://developers.squarespace.com/commerce-apis/authentication-and-permissions",
		}, `squarespace`, `key|token|secret`, "SQUARESPACE_API_KEY", uuidExpr),
		called(scan.Rule{
			ID:         "etsy-keystring",
			Provider:   "etsy",
			Title:      "Etsy API keystring or shared secret",
			Why:        "With it the application's requests are made, and its sign-ins completed.",
			Fix:        "Delete the app under Manage your apps, and register a new one.",
			Reference:  "https://developers.etsy.com/documentation/essentials/authentication",
			MinEntropy: 3.2,
		}, `\betsy`, `key|secret`, "ETSY_API_KEY", `[0-9a-z]{24}`),
	}
}
