package rules

import (
	"strings"

	"github.com/keywright/keywright/scan"
)

// node is a provider of chain nodes whose key stands in the URL.
type node struct {
	id, provider, name string
	url                string // what comes before the key, from a literal on
	key                string // the key's shape
	where              string // where keys are managed
	reference          string
}

// nodeURLs lists the keys of node providers in their URLs.
func nodeURLs() []scan.Rule {
	list := []node{
		{"alchemy-url", "alchemy", "Alchemy", `\.g\.alchemy\.com/(?:[0-9a-z_-]{1,12}/){1,4}|\.alchemyapi\.io/(?:[0-9a-z_-]{1,12}/){1,4}`, `[0-9A-Za-z_-]{32}|[0-9A-Za-z_-]{21}`,
			"Apps", "https://www.alchemy.com/docs/create-an-api-key"},
		{"infura-url", "infura", "Infura", `\.infura\.io/(?:ws/)?v3/`, `[0-9a-f]{32}`, "API keys", "https://docs.metamask.io/services/get-started/endpoints/"},
		{"quicknode-url", "quicknode", "QuickNode", `\.quiknode\.pro/`, `[0-9a-f]{40}`, "Endpoints, Security", "https://www.quicknode.com/guides/quicknode-products/endpoint-security/how-to-setup-token-authentication"},
		{"chainstack-url", "chainstack", "Chainstack", `\.core\.chainstack\.com/(?:ws/|beacon/)?|\.p2pify\.com/`, `[0-9a-f]{32}`, "node access", "https://docs.chainstack.com/docs/authentication-methods-for-different-scenarios"},
		{"ankr-url", "ankr", "Ankr", `rpc\.ankr\.com/(?:[0-9a-z_]{2,32}/){1,4}`, `[0-9a-f]{64}`, "Projects, Endpoints", "https://www.ankr.com/docs/rpc-service/getting-started/overview/"},
		{"getblock-url", "getblock", "GetBlock", `\.getblock\.(?:io|us)/(?:mainnet/)?`, `[0-9a-f]{32}|` + uuidShape, "Dashboard, My endpoints", "https://docs.getblock.io/getting-started/authentication-with-access-tokens"},
		{"helius-url", "helius", "Helius", `(?:\.helius-rpc\.com|\.helius\.xyz|rpc\.helius)[0-9A-Za-z/._-]{0,120}\?api-key=`, uuidShape, "RPCs and API keys", "https://www.helius.dev/docs/api-reference/authentication"},
		{"tenderly-url", "tenderly", "Tenderly", `gateway\.tenderly\.co/`, `[0-9A-Za-z]{20,24}`, "Node RPCs", "https://docs.tenderly.co/node/rpc-guide"},
		{"drpc-url", "drpc", "dRPC", `\.drpc\.org/ogrpc\?[0-9a-z=_&-]{0,60}dkey=|\.drpc\.(?:org|live)/[0-9a-z_-]{2,32}/`, `[0-9A-Za-z_-]{40,60}`, "Keys", "https://drpc.org/docs/gettingstarted/createaccount"},
		{"blast-api-url", "blastapi", "Blast API", `\.blastapi\.io/`, uuidShape, "Projects", "https://docs.blastapi.io/"},
		{"nodereal-url", "nodereal", "NodeReal", `\.nodereal\.(?:io|cc)/v1/`, `[0-9a-f]{32}`, "Dashboard, API keys", "https://docs.nodereal.io/"},
		{"moralis-node-url", "moralis", "Moralis node", `\.moralis-nodes\.com/[0-9a-z_-]{2,20}/`, `[0-9a-f]{32}`, "Nodes", "https://docs.moralis.com/rpc-nodes/getting-started"},
		{"triton-url", "triton", "Triton One", `\.rpcpool\.com/`, uuidShape + `|[0-9a-f]{28,40}`, "customer portal", "https://docs.triton.one/account-management/authentication-security"},
		{"syndica-url", "syndica", "Syndica", `\.syndica\.io/(?:api-token|access-token|api-key)/`, `[0-9A-Za-z]{40,120}`, "API keys", "https://docs.syndica.io/"},
		{"dwellir-url", "dwellir", "Dwellir", `\.dwellir\.com/`, uuidShape, "API keys", "https://www.dwellir.com/docs/getting-started"},
		{"onfinality-url", "onfinality", "OnFinality", `\.onfinality\.io/(?:rpc|ws)\?apikey=`, uuidShape, "API keys", "https://documentation.onfinality.io/support/"},
		{"nownodes-url", "nownodes", "NOWNodes", `\.nownodes\.io/`, uuidShape, "API keys", "https://nownodes.gitbook.io/documentation"},
		{"validation-cloud-url", "validationcloud", "Validation Cloud", `\.validationcloud\.io/v1/`, `[0-9A-Za-z_-]{43}`, "Node API", "https://docs.validationcloud.io/"},
		{"biconomy-url", "biconomy", "Biconomy", `\.biconomy\.io/api/v[123]/[0-9]{1,9}/`, `[0-9A-Za-z_-]{9}\.` + uuidShape, "Dashboard, Paymasters", "https://docs.biconomy.io/"},
		{"etherscan-url", "etherscan", "Etherscan", `scan\.(?:io|com|org)/(?:v2/)?api\?[0-9A-Za-z_=&%.,$/{}-]{0,300}apikey=`, `[0-9A-Z]{34}`, "API Keys", "https://docs.etherscan.io/getting-an-api-key"},
	}
	rules := make([]scan.Rule, len(list))
	for i := range list {
		rules[i] = list[i].rule()
	}
	return rules
}

func (n node) rule() scan.Rule {
	return scan.Rule{
		ID: n.id, Provider: n.provider, Title: n.name + " key in a URL",
		Why: "It spends the plan's quota and money, and its requests count as the owner's.",
		Fix: "Delete the key or endpoint on " + n.name + "'s " + n.where + " page, make a new one, and restrict it by origin or address.", Reference: n.reference,
		Confidence: scan.High,
		Expr:       `(?:` + n.url + `)(?P<secret>` + n.key + `)` + after,
		MinEntropy: 2.8,
		Samples: func(g *scan.Gen) scan.Samples {
			link := func() string {
				host := "https://eth-mainnet"
				before := g.Expr(`(?:` + n.url + `)`)
				if before[0] != '.' {
					host += "."
				}
				return host + before + g.Expr(`(?:`+n.key+`)`)
			}
			return scan.Samples{
				Match:   []string{"RPC_URL=" + link() + "\n", `{"url": "` + link() + `"}`, "new JsonRpcProvider('" + link() + "')"},
				NoMatch: []string{"https://eth-mainnet" + g.Expr(`(?:`+n.url+`)`) + "${API_KEY}\n", "https://eth-mainnet" + g.Expr(`(?:`+n.url+`)`) + "YOUR_API_KEY\n"},
			}
		},
	}
}

// service is an API whose key is told by a name or by its shape.
type service struct {
	id, provider, title string
	vendor, word        string // for named; vendor is empty if the shape tells
	key                 string
	sample              string // a variable's name
	confidence          scan.Confidence
	entropy             float64
	why, where          string
	reference           string
}

const (
	whyQuota   = "It spends the plan's quota and money, and its requests count as the owner's."
	whyCustody = "It acts on the company's wallets: reads balances and users, and moves funds where the key is allowed to."
	keyWords   = `key|token|secret|auth|pass`
)

// cryptoData lists the keys of nodes, explorers and market data.
func cryptoData() []scan.Rule {
	return append(servicesOf([]service{
		{"alchemy-api-key", "alchemy", "Alchemy API key", `alchemy`, keyWords + `|id`, `[0-9A-Za-z_-]{32}|[0-9A-Za-z_-]{21}`, "ALCHEMY_API_KEY", scan.High, 3.6, whyQuota, "Apps page of Alchemy's dashboard", "https://www.alchemy.com/docs/create-an-api-key"},
		{"alchemy-auth-token", "alchemy", "Alchemy token", "", "", `alcht_[0-9A-Za-z]{30}`, "TOKEN", scan.High, 3.5, whyQuota, "Apps page of Alchemy's dashboard", "https://www.alchemy.com/docs/create-an-api-key"},
		{"infura-api-key", "infura", "Infura API key", `infura`, keyWords + `|id`, `[0-9a-f]{32}`, "INFURA_API_KEY", scan.High, 3, whyQuota, "API keys page of MetaMask's developer dashboard", "https://docs.metamask.io/services/get-started/infura/"},
		{"quicknode-api-key", "quicknode", "QuickNode API key", "", "", `QN_[0-9a-f]{32}`, "QUICKNODE_API_KEY", scan.High, 3, "It makes, changes and deletes the account's endpoints, and reads their tokens.", "API Keys page of QuickNode's dashboard", "https://www.quicknode.com/docs/console-api"},
		{"helius-api-key", "helius", "Helius API key", `helius`, keyWords, uuidShape, "HELIUS_API_KEY", scan.High, 3, whyQuota, "RPCs and API keys page of Helius's dashboard", "https://www.helius.dev/docs/api-reference/authentication"},
		{"chainstack-api-key", "chainstack", "Chainstack API key", `chainstack`, keyWords, `[0-9A-Za-z]{8}\.[0-9A-Za-z]{32}|[0-9a-f]{32}`, "CHAINSTACK_API_KEY", scan.High, 3, "It makes and deletes the organisation's nodes.", "Settings, API keys page of Chainstack's console", "https://docs.chainstack.com/reference/platform-api-getting-started"},
		{"tenderly-access-key", "tenderly", "Tenderly access key", `tenderly`, keyWords, `[0-9A-Za-z_-]{32}`, "TENDERLY_ACCESS_KEY", scan.High, 3.6, "It runs simulations and changes the project's alerts, actions and virtual networks.", "Settings, Access tokens page of Tenderly's dashboard", "https://docs.tenderly.co/account/projects/how-to-generate-api-access-token"},
		{"ankr-api-key", "ankr", "Ankr API key", `ankr`, keyWords, `[0-9a-f]{64}`, "ANKR_API_KEY", scan.High, 3.2, whyQuota, "Projects page of Ankr's dashboard", "https://www.ankr.com/docs/rpc-service/getting-started/overview/"},
		{"getblock-api-key", "getblock", "GetBlock access token", `getblock|get_block`, keyWords, `[0-9a-f]{32}|` + uuidShape, "GETBLOCK_API_KEY", scan.High, 3, whyQuota, "My endpoints page of GetBlock's dashboard", "https://docs.getblock.io/getting-started/authentication-with-access-tokens"},
		{"drpc-api-key", "drpc", "dRPC key", `drpc`, keyWords + `|dkey`, `[0-9A-Za-z_-]{40,60}`, "DRPC_API_KEY", scan.High, 4, whyQuota, "Keys page of dRPC's dashboard", "https://drpc.org/docs/gettingstarted/createaccount"},
		{"blockfrost-project-id", "blockfrost", "Blockfrost project id", "", "", `(?:mainnet|preprod|preview|testnet|sanchonet|ipfs)[0-9A-Za-z]{32}`, "BLOCKFROST_PROJECT_ID", scan.High, 4, whyQuota, "project page of Blockfrost's dashboard (Project token, Renew)", "https://docs.blockfrost.io/"},
		{"moralis-api-key", "moralis", "Moralis API key", `moralis`, keyWords, `eyJ[0-9A-Za-z_-]{30,36}\.eyJ[0-9A-Za-z_-]{40,249}\.[0-9A-Za-z_-]{43}|[0-9A-Za-z]{64}`, "MORALIS_API_KEY", scan.High, 3.8, whyQuota, "API keys page of Moralis's dashboard", "https://docs.moralis.com/get-your-api-key"},
		{"etherscan-api-key", "etherscan", "Etherscan API key", `etherscan|bscscan|polygonscan|arbiscan|snowtrace|ftmscan|basescan|lineascan|celoscan|gnosisscan|blastscan|moonscan|cronoscan|scrollscan|snowscan`, keyWords + `|api`, `[0-9A-Z]{34}`, "ETHERSCAN_API_KEY", scan.High, 3.6, whyQuota, "API Keys page of the explorer's account", "https://docs.etherscan.io/getting-an-api-key"},
		{"coingecko-api-key", "coingecko", "CoinGecko API key", "", "", `CG-[0-9A-Za-z]{24}`, "COINGECKO_API_KEY", scan.High, 3.4, whyQuota, "developer dashboard of CoinGecko", "https://docs.coingecko.com/reference/authentication"},
		{"coinmarketcap-api-key", "coinmarketcap", "CoinMarketCap API key", `coin_?market_?cap|cmc_pro|cmc_api|cmc-pro|x-cmc`, keyWords, uuidShape, "COINMARKETCAP_API_KEY", scan.High, 3, whyQuota, "API overview page of CoinMarketCap's developer portal", "https://coinmarketcap.com/api/documentation/v1/"},
		{"cryptocompare-api-key", "cryptocompare", "CryptoCompare API key", `crypto_?compare|ccdata|coindesk`, keyWords, `[0-9a-f]{64}`, "CRYPTOCOMPARE_API_KEY", scan.High, 3.2, whyQuota, "API keys page of CoinDesk Data", "https://developers.coindesk.com/documentation/data-api/introduction/"},
		{"token-metrics-api-key", "tokenmetrics", "Token Metrics API key", "", "", `tm-` + uuidShape, "TOKEN_METRICS_API_KEY", scan.High, 3, whyQuota, "API page of Token Metrics", "https://developers.tokenmetrics.com/"},
		{"tatum-api-key", "tatum", "Tatum API key", `tatum`, keyWords, `t-[0-9a-f]{24}-[0-9a-f]{24}|` + uuidShape, "TATUM_API_KEY", scan.High, 3, whyQuota, "API keys page of Tatum's dashboard", "https://docs.tatum.io/docs/authentication"},
		{"glassnode-api-key", "glassnode", "Glassnode API key", `glassnode`, keyWords, `[0-9A-Za-z]{27}`, "GLASSNODE_API_KEY", scan.High, 3.5, whyQuota, "API page of Glassnode Studio", "https://docs.glassnode.com/basic-api/api-key"},
		{"dune-api-key", "dune", "Dune API key", `dune_|dune-|dune\.|dunea|dunec`, keyWords, `[0-9A-Za-z]{32}`, "DUNE_API_KEY", scan.High, 3.7, whyQuota, "Settings, API page of Dune", "https://docs.dune.com/api-reference/overview/authentication"},
		{"nansen-api-key", "nansen", "Nansen API key", `nansen`, keyWords, `[0-9A-Za-z]{32}`, "NANSEN_API_KEY", scan.High, 3.7, whyQuota, "API page of Nansen", "https://docs.nansen.ai/"},
		{"thegraph-api-key", "thegraph", "The Graph API key", `the_?graph|subgraph|graph_(?:api|deploy|access|studio)`, keyWords, `[0-9a-f]{32}`, "THEGRAPH_API_KEY", scan.Medium, 3, whyQuota, "API keys page of Subgraph Studio", "https://thegraph.com/docs/en/subgraphs/querying/managing-api-keys/"},
		{"covalent-api-key", "covalent", "Covalent (GoldRush) API key", "", "", `cqt_[rw][0-9A-Za-z]{25,40}`, "COVALENT_API_KEY", scan.High, 3, whyQuota, "API keys page of GoldRush", "https://goldrush.dev/docs/authentication"},
		{"covalent-legacy-api-key", "covalent", "Covalent API key (older form)", "", "", `ckey_[0-9a-f]{27}`, "COVALENT_API_KEY", scan.High, 3, whyQuota, "API keys page of GoldRush", "https://goldrush.dev/docs/authentication"},
		{"bitquery-token", "bitquery", "Bitquery access token", "", "", `ory_at_[0-9A-Za-z_-]{43}\.[0-9A-Za-z_-]{43}`, "BITQUERY_TOKEN", scan.High, 4, whyQuota, "Access tokens page of Bitquery", "https://docs.bitquery.io/docs/authorisation/how-to-generate/"},
		{"zerion-api-key", "zerion", "Zerion API key", "", "", `zk_(?:dev|prod|test)_[0-9a-f]{32}`, "ZERION_API_KEY", scan.High, 3, whyQuota, "API keys page of Zerion's dashboard", "https://developers.zerion.io/reference/authentication"},
		{"opensea-api-key", "opensea", "OpenSea API key", `opensea`, keyWords, `[0-9a-f]{32}`, "OPENSEA_API_KEY", scan.High, 3, whyQuota, "Settings, Developer page of OpenSea", "https://docs.opensea.io/reference/api-keys"},
		{"birdeye-api-key", "birdeye", "Birdeye API key", `birdeye`, keyWords, `[0-9a-f]{32}`, "BIRDEYE_API_KEY", scan.High, 3, whyQuota, "Security page of Birdeye's dashboard", "https://docs.birdeye.so/docs/authentication-api-keys"},
		{"coinapi-key", "coinapi", "CoinAPI key", `\bcoin_?api`, keyWords, `[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}`, "COINAPI_KEY", scan.High, 3, whyQuota, "API keys page of CoinAPI's console", "https://docs.coinapi.io/market-data/authentication"},
		{"coinglass-api-key", "coinglass", "Coinglass API key", `coinglass`, keyWords, `[0-9a-f]{32}`, "COINGLASS_API_KEY", scan.High, 3, whyQuota, "API page of Coinglass", "https://docs.coinglass.com/reference/authentication"},
		{"arkham-api-key", "arkham", "Arkham API key", `arkham`, keyWords, uuidShape, "ARKHAM_API_KEY", scan.High, 3, whyQuota, "API page of Arkham Intelligence", "https://docs.intel.arkm.com/"},
		{"blockcypher-token", "blockcypher", "BlockCypher token", `blockcypher`, keyWords, `[0-9a-f]{32}`, "BLOCKCYPHER_TOKEN", scan.High, 3, whyQuota, "Tokens page of BlockCypher's dashboard", "https://www.blockcypher.com/dev/bitcoin/#rate-limits-and-tokens"},
		{"crypto-apis-key", "cryptoapis", "Crypto APIs key", `crypto_?apis`, keyWords, `[0-9a-f]{40}`, "CRYPTOAPIS_KEY", scan.High, 3, whyQuota, "API keys page of Crypto APIs' dashboard", "https://developers.cryptoapis.io/"},
		{"bloxroute-auth", "bloxroute", "bloXroute authorization header", `bloxroute`, keyWords + `|header`, `[0-9A-Za-z+/]{60,120}={0,2}`, "BLOXROUTE_AUTH_HEADER", scan.High, 4, "It sends transactions and bundles on the account's plan.", "Account page of bloXroute's portal", "https://docs.bloxroute.com/bdn-account-portal/authorization-headers"},
		{"taapi-secret", "taapi", "TAAPI.IO secret", `taapi`, keyWords, `eyJ[0-9A-Za-z_-]{20,48}\.eyJ[0-9A-Za-z_-]{40,220}\.[0-9A-Za-z_-]{40,60}`, "TAAPI_SECRET", scan.High, 4, whyQuota, "API keys page of TAAPI.IO", "https://taapi.io/documentation/authentication/"},
		{"messari-api-key", "messari", "Messari API key", `messari`, keyWords, `[0-9A-Za-z+/_-]{36,60}`, "MESSARI_API_KEY", scan.High, 3.5, whyQuota, "Account, API page of Messari", "https://docs.messari.io/api-reference/authentication"},
		{"lunarcrush-api-key", "lunarcrush", "LunarCrush API key", `lunarcrush|lunar_crush`, keyWords, `[0-9a-z]{36,50}`, "LUNARCRUSH_API_KEY", scan.High, 3.6, whyQuota, "Developers page of LunarCrush", "https://lunarcrush.com/developers/api/authentication"},
		{"santiment-api-key", "santiment", "Santiment API key", `santiment|sanbase|\bsan_api|\bsan_key`, keyWords, `[0-9a-z]{16,18}_[0-9a-z]{14,16}`, "SANTIMENT_API_KEY", scan.High, 3.5, whyQuota, "Account settings page of Santiment", "https://academy.santiment.net/sanapi/accessing-the-api/"},
	}), etherscanNetworks())
}

// cryptoCustody lists the keys of custody, payments, wallets and their developers'
// tools.
func cryptoCustody() []scan.Rule {
	return append(servicesOf([]service{
		{"bitgo-access-token", "bitgo", "BitGo access token", "", "", `v2x[0-9a-f]{64}`, "BITGO_ACCESS_TOKEN", scan.High, 3.2, whyCustody, "Settings, Developer options page of BitGo", "https://developers.bitgo.com/docs/get-started-access-tokens"},
		{"circle-api-key", "circle", "Circle API key", "", "", `(?:LIVE|TEST|SAND)_API_KEY:[0-9a-f]{32}:[0-9a-f]{32}`, "CIRCLE_API_KEY", scan.High, 3, whyCustody, "API and client keys page of Circle's console", "https://developers.circle.com/w3s/circle-developer-account"},
		{"circle-entity-secret", "circle", "Circle entity secret", `entity_?secret`, ``, `[0-9a-f]{64}`, "CIRCLE_ENTITY_SECRET", scan.High, 3.2, whyCustody, "Configurator page of Circle's console (rotate the entity secret)", "https://developers.circle.com/w3s/entity-secret-management"},
		{"pinata-secret-key", "pinata", "Pinata API secret", `pinata`, `s?ecret`, `[0-9a-f]{64}`, "PINATA_API_SECRET", scan.High, 3.2, "It pins, reads and deletes the account's files on IPFS.", "API keys page of Pinata", "https://docs.pinata.cloud/account-management/api-keys"},
		{"thirdweb-secret-key", "thirdweb", "thirdweb secret key", `thirdweb|tw_secret|x-secret`, keyWords, `[0-9A-Za-z_-]{86}`, "THIRDWEB_SECRET_KEY", scan.High, 4.2, whyCustody, "Settings page of the thirdweb project", "https://portal.thirdweb.com/account/api-keys"},
		{"crossmint-api-key", "crossmint", "Crossmint server API key", "", "", `sk_(?:production|staging)_[0-9A-Za-z]{120,300}`, "CROSSMINT_API_KEY", scan.High, 4, whyCustody, "API keys page of Crossmint's console", "https://docs.crossmint.com/introduction/platform/api-keys/overview"},
		{"dynamic-api-token", "dynamic", "Dynamic API token", "", "", `dyn_[0-9A-Za-z]{56}`, "DYNAMIC_API_TOKEN", scan.High, 4, "It reads and changes the environment's users and their wallets.", "Developer, API page of Dynamic's dashboard", "https://www.dynamic.xyz/docs/developer-dashboard/api-token-permissions"},
		{"magic-secret-key", "magic", "Magic secret key", `magic`, keyWords, `sk_live_[0-9A-F]{16}`, "MAGIC_SECRET_KEY", scan.High, 3, "It reads and logs out the app's users.", "API keys page of the app in Magic's dashboard", "https://docs.magic.link/server-side-sdks/node/overview"},
		{"privy-app-secret", "privy", "Privy app secret", `privy`, `s?ecret`, `[0-9A-Za-z+/_-]{86,88}={0,2}|privy_app_secret_[0-9A-Za-z]{40,100}`, "PRIVY_APP_SECRET", scan.High, 4, whyCustody, "App settings page of Privy's dashboard", "https://docs.privy.io/basics/get-started/dashboard/create-new-app"},
		{"turnkey-api-private-key", "turnkey", "Turnkey API private key", `(?P<vendor>turnkey)`, `priv`, `[0-9a-f]{64}`, "TURNKEY_API_PRIVATE_KEY", scan.High, 3.2, whyCustody, "user page of Turnkey's dashboard", "https://docs.turnkey.com/concepts/users/credentials"},
		{"pimlico-api-key", "pimlico", "Pimlico API key", "", "", `pim_[0-9A-Za-z]{22}`, "PIMLICO_API_KEY", scan.High, 3.4, "It sponsors transactions from the account's balance.", "API keys page of Pimlico's dashboard", "https://docs.pimlico.io/"},
		{"coinbase-commerce-api-key", "coinbase", "Coinbase Commerce API key", `commerce`, keyWords, uuidShape, "COINBASE_COMMERCE_API_KEY", scan.Medium, 3, "It makes and reads the shop's charges.", "Settings, Security page of Coinbase Commerce", "https://docs.cdp.coinbase.com/commerce/introduction/quickstart"},
		{"nowpayments-api-key", "nowpayments", "NOWPayments API key", `nowpayments|now_payments`, keyWords, `[0-9A-Z]{7}-[0-9A-Z]{7}-[0-9A-Z]{7}-[0-9A-Z]{7}`, "NOWPAYMENTS_API_KEY", scan.High, 3, "It makes payments and payouts requests on the account.", "Store settings page of NOWPayments", "https://nowpayments.io/help/what-is/what-is-an-api-key"},
		{"coinpayments-private-key", "coinpayments", "CoinPayments private key", `coinpayments|coin_payments`, `s?ecret|priv`, `[0-9A-Fa-f]{64}`, "COINPAYMENTS_PRIVATE_KEY", scan.High, 3.2, "With the public key it withdraws from the merchant's wallets.", "API keys page of CoinPayments", "https://www.coinpayments.net/apidoc-intro"},
		{"lnbits-key", "lnbits", "LNbits key", `lnbits`, keyWords, `[0-9a-f]{32}`, "LNBITS_ADMIN_KEY", scan.High, 3, "The admin key spends the wallet's balance; the invoice key reads it.", "API info of the LNbits wallet (or make a new wallet)", "https://docs.lnbits.org/"},
		{"opennode-api-key", "opennode", "OpenNode API key", `opennode|open_node`, keyWords, uuidShape, "OPENNODE_API_KEY", scan.High, 3, "It makes charges, and withdraws if the key may.", "Integrations page of OpenNode", "https://developers.opennode.com/reference/authentication"},
		{"lifi-api-key", "lifi", "LI.FI API key", `lifi_|lifi-|li_fi_|lifiapi`, keyWords, `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\.` + uuidShape, "LIFI_API_KEY", scan.High, 3, whyQuota, "API keys page of LI.FI's partner portal", "https://docs.li.fi/api-reference/rate-limits"},
		{"oneinch-api-key", "1inch", "1inch API key", `1inch|one_?inch`, keyWords, `[0-9A-Za-z]{32}`, "ONEINCH_API_KEY", scan.High, 3.7, whyQuota, "API keys page of 1inch's developer portal", "https://business.1inch.com/portal/documentation/overview"},
		{"zerox-api-key", "0x", "0x API key", `zero_?ex_|zeroex_?api|zerox_|0x_api|0x-api`, keyWords, uuidShape, "ZEROEX_API_KEY", scan.High, 3, whyQuota, "Apps page of the 0x dashboard", "https://0x.org/docs/introduction/getting-started"},
		{"gelato-api-key", "gelato", "Gelato relay key", `gelato`, keyWords, `[0-9A-Za-z_]{40,64}`, "GELATO_RELAY_API_KEY", scan.High, 3.8, "It sponsors transactions from the account's balance.", "Relay page of Gelato's dashboard", "https://docs.gelato.network/"},
		{"defender-api-secret", "openzeppelin", "OpenZeppelin Defender API secret", `defender|relayer_api|openzeppelin`, `s?ecret`, `[0-9A-Za-z]{64}`, "DEFENDER_API_SECRET", scan.High, 4, "With its key it sends transactions from the team's relayers.", "API keys page of Defender", "https://docs.openzeppelin.com/defender/settings"},
	}), privyKey(), fireblocksKey())
}

// etherscanNetworks finds the key in a list of keys by network, as Hardhat's plugin for
// verification takes them.
func etherscanNetworks() scan.Rule {
	const key = `[0-9A-Z]{34}`
	return scan.Rule{
		ID: "etherscan-network-key", Provider: "etherscan", Title: "Etherscan API key", Why: whyQuota,
		Fix:       "Delete the key on the API Keys page of the explorer's account, and make a new one with no more rights than it needs.",
		Reference: "https://hardhat.org/hardhat-runner/plugins/nomicfoundation-hardhat-verify", Confidence: scan.High, MinEntropy: 3.6,
		Expr:  `(?i:etherscan)["']?\s{0,2}:\s{0,2}\{\s{0,24}["']?apiKey["']?\s{0,2}:\s{0,2}\{[\t\n\r -z|]{0,200}?["'](?P<secret>` + key + `)["']`,
		Check: notWords,
		Samples: func(g *scan.Gen) scan.Samples {
			return scan.Samples{
				Match:   []string{"etherscan: {\n  apiKey: {\n    mainnet: '" + g.Expr(key) + "',\n  },\n},\n", `etherscan: { apiKey: { sepolia: process.env.KEY, base: "` + g.Expr(key) + `" } }`},
				NoMatch: []string{"etherscan: {\n  apiKey: {\n    mainnet: process.env.ETHERSCAN_API_KEY,\n  },\n},\n"},
			}
		},
	}
}

func servicesOf(list []service) []scan.Rule {
	rules := make([]scan.Rule, len(list))
	for i := range list {
		rules[i] = list[i].rule()
	}
	return rules
}

func (s service) rule() scan.Rule {
	r := scan.Rule{
		ID: s.id, Provider: s.provider, Title: s.title, Why: s.why, Reference: s.reference,
		Fix:        "Delete the key on the " + s.where + ", and make a new one with no more rights than it needs.",
		Confidence: s.confidence, MinEntropy: s.entropy, Check: notWords,
	}
	if s.vendor == "" {
		r.Expr = beginning(s.key) + `(?P<secret>` + s.key + `)` + after
		r.Samples = shaped(s.sample, s.key)
		return r
	}
	r.Expr = named(s.vendor, s.word, s.key)
	if strings.Contains(s.vendor, "(?P<vendor>") {
		r.Public = []string{"vendor"} // a further part, so that the rule goes before one for the same names
	}
	r.Check = refusing(notWords, "public")
	r.Samples = bound(s.sample, `(?:`+s.key+`)`)
	return r
}

// privyKey is the private half of a key that authorises requests to Privy.
func privyKey() scan.Rule {
	return scan.Rule{
		ID: "privy-authorization-key", Provider: "privy", Title: "Privy authorization key", Why: whyCustody,
		Fix:       "Delete the key on the Authorization keys page of Privy's dashboard, and make a new one.",
		Reference: "https://docs.privy.io/controls/authorization-keys/creating-authorization-keys", Confidence: scan.High,
		Public: []string{"use"},
		Expr:   `\b(?P<use>wallet-auth):(?P<secret>MIGHAgEA[0-9A-Za-z+/]{160,180}={0,2})` + afterBase64,
		Check:  p256DER,
		Samples: func(g *scan.Gen) scan.Samples {
			return scan.Samples{
				Match:  []string{"PRIVY_AUTH_KEY=wallet-auth:" + p256Sample(g) + "\n", `authorizationPrivateKey: "wallet-auth:` + p256Sample(g) + `"`},
				Failed: []string{"wallet-auth:MIGHAgEA" + strings.Repeat("B", 4) + g.String(scan.Base64Std, 172) + "\n"},
			}
		},
	}
}

// fireblocksKey pairs the name of Fireblocks' secret file with a key in PEM: the
// key alone is any RSA key.
func fireblocksKey() scan.Rule {
	return scan.Rule{
		ID: "fireblocks-api-key", Provider: "fireblocks", Title: "Fireblocks API user", Why: "With its private key it acts on the workspace's vaults: it signs transactions as far as the policy lets it.",
		Fix:       "Delete the API user in the Fireblocks console under Developer center, and register one with a new certificate request.",
		Reference: "https://developers.fireblocks.com/docs/manage-api-keys", Confidence: scan.Medium,
		Expr:       named(`fireblocks`, `api_?key|api_?user|key`, uuidShape),
		MinEntropy: 3, Check: notWords,
		Samples: bound("FIREBLOCKS_API_KEY", uuidShape),
	}
}
