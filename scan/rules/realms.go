package rules

import (
	"bytes"

	"github.com/keywright/keywright/scan"
)

// realm says what tells the realm of a rule's credentials: how a part of them begins.
type realm struct {
	id         string // of the rule
	live, test []string
	role       string // of the part; empty for the secret
}

// in says where a credential works.
func (r realm) in(c scan.Candidate) scan.Realm {
	role := r.role
	if role == "" {
		role = scan.RoleSecret
	}
	part := c.Part(role)
	begins := func(with []string) bool {
		for _, w := range with {
			if bytes.HasPrefix(part, []byte(w)) {
				return true
			}
		}
		return false
	}
	switch {
	case begins(r.test): // first: a test's beginning may go on where a live one ends
		return scan.Test
	case begins(r.live):
		return scan.Live
	}
	return 0
}

// realms lists the rules whose credentials tell their realm, as the issuers' documents
// say (each rule names its own). What is not in it tells nothing: PayPal and Adyen
// write both in one form, Mercado Pago's APP_USR and Midtrans' Mid-server are given to
// test accounts, too, Plaid's development reached real banks, Magic and Browserbase
// know no test, and of a wallet's phrase or raw key every chain makes use.
func realms() []realm {
	is := func(id string, live, test []string) realm { return realm{id: id, live: live, test: test} }
	all := func(begin ...string) []string { return begin }
	return []realm{
		is("stripe-secret-key", all("sk_live_", "sk_org_live_"), nil),
		is("stripe-restricted-key", all("rk_live_"), nil),
		is("stripe-test-key", nil, all("sk_test_", "sk_org_test_", "rk_test_")),
		is("paystack-secret-key", all("sk_live_"), all("sk_test_")),
		is("clerk-secret-key", all("sk_live_"), all("sk_test_")),
		is("square-token-legacy", all("sq0atp-"), all("sandbox-", "sq0atb-")),
		is("square-application-secret", all("sq0csp-"), all("sandbox-", "sq0csb-")),
		is("braintree-access-token", all("access_token$production$"), all("access_token$sandbox$")),
		is("plaid-access-token", all("access-production-"), all("access-sandbox-")),
		{id: "razorpay-credentials", role: "id", live: all("rzp_live_"), test: all("rzp_test_")},
		is("mollie-api-key", all("live_"), nil),
		is("mollie-test-key", nil, all("test_")),
		is("paddle-api-key", all("pdl_live_"), all("pdl_sdbx_", "pdl_test_")),
		is("klarna-api-key", all("klarna_live_"), all("klarna_test_")),
		is("flutterwave-secret-key", all("FLWSECK-"), all("FLWSECK_TEST-")),
		is("gocardless-access-token", all("live_"), all("sandbox_")),
		is("easypost-api-key", all("EZAK"), all("EZTK")),
		is("shippo-token", all("shippo_live_"), all("shippo_test_")),
		is("duffel-token", all("duffel_live_"), all("duffel_test_")),
		is("lob-api-key", all("live_"), all("test_")),
		is("checkout-secret-key", all("sk_"), all("sk_sbox_")),
		is("mercadopago-access-token", nil, all("TEST-")),
		is("midtrans-server-key", nil, all("SB-")),
		is("xendit-secret-key", all("xnd_production_"), all("xnd_development_")),
		is("cashfree-secret-key", all("cfsk_ma_prod_"), all("cfsk_ma_test_")),
		is("mercury-api-token", all("secret-token:mercury_production_"), all("secret-token:mercury_sandbox_")),
		is("ebay-client-secret", all("PRD-"), all("SBX-")),

		is("circle-api-key", all("LIVE_API_KEY:"), all("TEST_API_KEY:", "SAND_API_KEY:")),
		is("crossmint-api-key", all("sk_production_"), all("sk_staging_")),
		is("blockfrost-project-id", all("mainnet"), all("preprod", "preview", "testnet", "sanchonet")),
		is("zerion-api-key", all("zk_prod_"), all("zk_dev_", "zk_test_")),

		is("stytch-secret", all("secret-live-"), all("secret-test-")),
		is("courier-api-key", all("pk_prod_", "dk_prod_"), all("pk_test_", "dk_test_")),
		is("tavily-api-key", all("tvly-prod-"), all("tvly-dev-")),
		is("inngest-signing-key", all("signkey-prod-"), all("signkey-test-", "signkey-branch-")),
		is("trigger-dev-key", all("tr_prod_"), all("tr_dev_", "tr_stg_", "tr_preview_")),
		is("convex-deploy-key", all("prod:"), all("dev:", "preview:")),

		// The version byte of a test network, and no other, leads to these first digits.
		is("bitcoin-wif", all("5", "K", "L", "6", "T", "Q", "X", "7", "U", "8", "Y"), all("9", "c")),
		is("bip32-private-key", all("xprv", "yprv", "zprv", "Yprv", "Zprv", "Ltpv", "Mtpv", "dgpv", "drkp"),
			all("tprv", "uprv", "vprv", "Uprv", "Vprv", "ttpv")),
		is("zcash-sprout-key", all("SK"), all("ST")),
		is("zcash-sapling-key", all("secret-extended-key-main"), nil),
		is("zcash-sapling-key-testnet", nil, all("secret-extended-key-test")),
		is("sapling-spending-key", all("secret-spending-key-main"), nil),
	}
}
