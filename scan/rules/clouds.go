package rules

import (
	"github.com/keywright/keywright/scan"
)

const uuidExpr = `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`

// near is an expression for a partner: a value of its own form, told by its place
// near the match. value is an RE2 expression of letters, digits and such.
func near(value string) string {
	return "(?:^|[\\s\"'`=:,;|>({\\[])(" + value + ")(?:[^0-9A-Za-z+/=_-]|$)"
}

// pair is the rule of a credential whose id has a form of its own and whose
// secret stands near it.
func pair(r scan.Rule, id, secret string) scan.Rule {
	r.Confidence = scan.High
	r.Expr = `\b` + id + `\b`
	r.Partners = []scan.Partner{{Role: scan.RoleSecret, Expr: near(secret), Within: scan.MaxReach, Required: true}}
	r.Public = []string{"id"}
	r.Check = looksRandom
	r.Samples = func(g *scan.Gen) scan.Samples {
		i, s := g.Expr(id), g.Expr(secret)
		return scan.Samples{
			Match: []string{
				"ACCESS_KEY_ID=" + i + "\nACCESS_KEY_SECRET=" + s + "\n",
				"{\n  \"accessKeyId\": \"" + i + "\",\n  \"accessKeySecret\": \"" + s + "\"\n}\n",
				"client = Client('" + i + "', '" + s + "', region='x')\n",
				"access_key: " + i + "\nsecret_key: " + s + "\n",
				"secret_key = \"" + s + "\"\naccess_key = \"" + i + "\"\n",
			},
			NoMatch: []string{
				"ACCESS_KEY_ID=" + i + "\n",
				"ACCESS_KEY_ID=" + i + "\nACCESS_KEY_SECRET=${SECRET}\n",
				"ACCESS_KEY_ID=Z" + i + "\nACCESS_KEY_SECRET=" + s + "\n",
			},
		}
	}
	return r
}

func clouds() []scan.Rule {
	return []scan.Rule{
		pair(scan.Rule{
			ID:        "alibaba-access-key",
			Provider:  "alibaba",
			Title:     "Alibaba Cloud access key",
			Why:       "It acts as a RAM user, or as the account itself, on everything that its policies allow.",
			Fix:       "Create a second AccessKey pair for the user in RAM, deploy it, disable this one, and delete it.",
			Reference: "https://www.alibabacloud.com/help/en/ram/user-guide/create-an-accesskey-pair",
		}, `LTAI[0-9A-Za-z]{12,26}`, `[0-9A-Za-z]{30}`),
		{
			ID:         "alibaba-access-key-secret",
			Provider:   "alibaba",
			Title:      "Alibaba Cloud access key secret",
			Why:        "With its id, which is no secret, it acts as a RAM user on everything that its policies allow.",
			Fix:        "Create a second AccessKey pair for the user in RAM, deploy it, disable this one, and delete it.",
			Reference:  "https://www.alibabacloud.com/help/en/ram/user-guide/create-an-accesskey-pair",
			Confidence: scan.Medium,
			Expr:       named(`aliyun|alibaba|alicloud|oss_access|dysms`, `secret|key`, `[0-9A-Za-z]{30}`),
			MinEntropy: 3.7,
			Check:      looksRandom,
			Samples:    bound("ALIYUN_ACCESS_KEY_SECRET", `[0-9A-Za-z]{30}`),
		},
		pair(scan.Rule{
			ID:        "tencent-secret-key",
			Provider:  "tencent",
			Title:     "Tencent Cloud API key",
			Why:       "It acts as a CAM user, or as the account itself, on everything that its policies allow.",
			Fix:       "Create a second key under CAM, API Keys, deploy it, disable this one, and delete it.",
			Reference: "https://www.tencentcloud.com/document/product/598/32675",
		}, `AKID[0-9A-Za-z]{32}`, `[0-9A-Za-z]{32}`),
		{
			ID:         "tencent-secret-key-label",
			Provider:   "tencent",
			Title:      "Tencent Cloud secret key",
			Why:        "With its id it acts as a CAM user on everything that its policies allow.",
			Fix:        "Create a second key under CAM, API Keys, deploy it, disable this one, and delete it.",
			Reference:  "https://www.tencentcloud.com/document/product/598/32675",
			Confidence: scan.Medium,
			Expr:       named(`tencent|qcloud`, `secret|key`, `[0-9A-Za-z]{32}`),
			MinEntropy: 3.7,
			Check:      looksRandom,
			Samples:    bound("TENCENTCLOUD_SECRET_KEY", `[0-9A-Za-z]{32}`),
		},
		{
			ID:         "oracle-cloud-secret",
			Provider:   "oracle",
			Title:      "Oracle Cloud customer secret key",
			Why:        "With its access key it reads and writes Object Storage through the S3-compatible API.",
			Fix:        "Delete it under the user's Customer secret keys, and generate a new one.",
			Reference:  "https://docs.oracle.com/en-us/iaas/Content/Identity/Tasks/managingcredentials.htm",
			Confidence: scan.Medium,
			Expr:       named(`\boci[_.-]|_oci_|oracle_?cloud|oraclecloud|oracle_oci`, `secret|key`, `[0-9A-Za-z+/]{43}=`),
			MinEntropy: 4,
			Check:      looksRandom,
			Samples:    bound("ORACLE_CLOUD_SECRET_KEY", `[0-9A-Za-z+/]{42}[0-9]=`),
		},
		{
			ID:         "ibm-cloud-api-key",
			Provider:   "ibm",
			Title:      "IBM Cloud API key",
			Why:        "It acts as its owner, or as a service id, on everything that their policies allow.",
			Fix:        "Create another key under Manage, Access (IAM), API keys, deploy it, lock this one, and delete it.",
			Reference:  "https://cloud.ibm.com/docs/account?topic=account-manapikey",
			Confidence: scan.Medium,
			Expr:       named(`\bibm[_.-]|_ibm_|ibm_?cloud|bluemix|softlayer|watson|iam_?api|\bic_api`, `key|token`, `[0-9A-Za-z_-]{44}`),
			MinEntropy: 4,
			Check:      looksRandom,
			Samples:    bound("IBMCLOUD_API_KEY", `[0-9A-Za-z]{20}[_-][0-9A-Za-z]{23}`),
		},
		{
			ID:         "ibm-cos-hmac-key",
			Provider:   "ibm",
			Title:      "IBM Cloud Object Storage HMAC key",
			Why:        "It reads and writes the buckets that its service id may.",
			Fix:        "Create a new service credential with HMAC, deploy it, and delete this one.",
			Reference:  "https://cloud.ibm.com/docs/cloud-object-storage?topic=cloud-object-storage-uhc-hmac-credentials-main",
			Confidence: scan.High,
			Expr:       `(?i:secret_?access_?key)` + assigned + `(?P<secret>[0-9a-f]{48})` + quote,
			Partners:   []scan.Partner{{Role: "id", Expr: near(`[0-9a-f]{32}`), Within: scan.MaxReach, Required: true}},
			Public:     []string{"id"},
			MinEntropy: 3,
			Samples: func(g *scan.Gen) scan.Samples {
				id, secret := g.Hex(32), g.Hex(48)
				return scan.Samples{
					Match:   []string{"\"cos_hmac_keys\": {\n  \"access_key_id\": \"" + id + "\",\n  \"secret_access_key\": \"" + secret + "\"\n}\n"},
					NoMatch: []string{"\"secret_access_key\": \"" + secret + "\"\n"},
				}
			},
		},
		{
			ID:         "digitalocean-token",
			Provider:   "digitalocean",
			Title:      "DigitalOcean access token",
			Why:        "It manages the account's servers, databases and domains within its scopes.",
			Fix:        "Delete it under API, Tokens (or revoke the OAuth application), and generate one with fewer scopes.",
			Reference:  "https://docs.digitalocean.com/reference/api/create-personal-access-token/",
			Confidence: scan.High,
			Expr:       begin + `(?P<secret>do[opr]_v1_[0-9a-f]{64})\b`,
			Samples:    shaped("DIGITALOCEAN_TOKEN", `do[opr]_v1_[0-9a-f]{64}`),
		},
		pair(scan.Rule{
			ID:        "digitalocean-spaces-key",
			Provider:  "digitalocean",
			Title:     "DigitalOcean Spaces key",
			Why:       "It reads and writes the account's Spaces within its grants.",
			Fix:       "Delete it under Spaces Object Storage, Access Keys, and create one for the buckets that need it.",
			Reference: "https://docs.digitalocean.com/products/spaces/how-to/manage-access/",
		}, `DO00[0-9A-Z]{16}`, `[0-9A-Za-z+/]{43}`),
		{
			ID:         "linode-token",
			Provider:   "linode",
			Title:      "Linode (Akamai Cloud) personal access token",
			Why:        "It manages the account's servers and domains within its scopes.",
			Fix:        "Revoke it under My profile, API tokens, and create one with fewer scopes.",
			Reference:  "https://techdocs.akamai.com/linode-api/reference/get-started",
			Confidence: scan.High,
			Expr:       named(`linode`, secretWord, `[0-9a-f]{64}`),
			MinEntropy: 3,
			Samples:    bound("LINODE_TOKEN", `[0-9a-f]{64}`),
		},
		{
			ID:         "vultr-api-key",
			Provider:   "vultr",
			Title:      "Vultr API key",
			Why:        "It manages the account's servers and domains; it has no scopes.",
			Fix:        "Regenerate it under Account, API, and restrict it to your addresses.",
			Reference:  "https://www.vultr.com/api/",
			Confidence: scan.High,
			Expr:       named(`vultr`, secretWord, `[0-9A-Z]{36}`),
			MinEntropy: 3.7,
			Check:      looksRandom,
			Samples:    bound("VULTR_API_KEY", `[0-9A-Z]{36}`),
		},
		{
			ID:         "hetzner-token",
			Provider:   "hetzner",
			Title:      "Hetzner Cloud API token",
			Why:        "It manages, or reads, everything in a Hetzner Cloud project.",
			Fix:        "Delete it under the project's Security, API tokens, and generate a new one.",
			Reference:  "https://docs.hetzner.com/cloud/api/getting-started/generating-api-token/",
			Confidence: scan.High,
			Expr:       named(`hcloud|hetzner`, secretWord, `[0-9A-Za-z]{64}`),
			MinEntropy: 4,
			Check:      looksRandom,
			Samples:    bound("HCLOUD_TOKEN", `[0-9A-Za-z]{64}`),
		},
		{
			ID:         "hetzner-dns-token",
			Provider:   "hetzner",
			Title:      "Hetzner DNS or Storage token",
			Why:        "It changes the account's DNS zones, or opens its object storage.",
			Fix:        "Delete it in the DNS console under API tokens, and create a new one.",
			Reference:  "https://dns.hetzner.com/api-docs",
			Confidence: scan.Medium,
			Expr:       named(`hetzner`, secretWord, `[0-9A-Za-z]{32}`),
			MinEntropy: 3.7,
			Check:      looksRandom,
			Samples:    bound("HETZNER_DNS_API_TOKEN", `[0-9A-Za-z]{32}`),
		},
		pair(scan.Rule{
			ID:        "scaleway-api-key",
			Provider:  "scaleway",
			Title:     "Scaleway API key",
			Why:       "It acts as its user or application on everything that their policies allow.",
			Fix:       "Generate another API key under IAM, deploy it, and delete this one.",
			Reference: "https://www.scaleway.com/en/docs/iam/how-to/create-api-keys/",
		}, `SCW[0-9A-Z]{17}`, uuidExpr),
		{
			ID:         "scaleway-secret-key",
			Provider:   "scaleway",
			Title:      "Scaleway secret key",
			Why:        "It is the whole API credential: its access key is needed for object storage only.",
			Fix:        "Generate another API key under IAM, deploy it, and delete this one.",
			Reference:  "https://www.scaleway.com/en/docs/iam/how-to/create-api-keys/",
			Confidence: scan.High,
			// "scw" alone is too short to look for
			Expr:    named(`scaleway|scw[_-]?s|scw[_-]?t`, `ecret|oken`, uuidExpr),
			Samples: bound("SCW_SECRET_KEY", uuidExpr),
		},
		{
			ID:         "ovh-application-secret",
			Provider:   "ovh",
			Title:      "OVHcloud application secret or consumer key",
			Why:        "Together the two act on the account within the consumer key's rights.",
			Fix:        "Delete the application under API keys, and create one with fewer rights.",
			Reference:  "https://help.ovhcloud.com/csm/en-api-getting-started-ovhcloud-api",
			Confidence: scan.Medium,
			Expr:       `(?i:cation[_-]?secret|consumer[_-]?key)` + assigned + `(?P<secret>[0-9a-f]{32}|[0-9A-Za-z]{32})` + quote,
			Partners:   []scan.Partner{{Role: "endpoint", Expr: `(?i:ovh(?:-eu|-ca|-us|\.com|cloud)?)`, Within: scan.MaxReach, Required: true}},
			Public:     []string{"endpoint"},
			MinEntropy: 3,
			Check:      looksRandom,
			Samples:    bound("OVH_APPLICATION_SECRET", `[0-9A-Za-z]{32}`),
		},
		{
			ID:         "yandex-api-key",
			Provider:   "yandex",
			Title:      "Yandex Cloud API key",
			Why:        "It acts as a service account on the services that its scopes name.",
			Fix:        "Create another API key for the service account, deploy it, and delete this one.",
			Reference:  "https://yandex.cloud/en/docs/iam/concepts/authorization/api-key",
			Confidence: scan.High,
			Expr:       begin + `(?P<secret>AQVN[0-9A-Za-z_-]{35,38})` + after,
			MinEntropy: 3.5,
			Samples:    shaped("YANDEX_API_KEY", `AQVN[0-9A-Za-z_-]{34}[0-9A-Za-z]`),
		},
		{
			ID:         "yandex-iam-token",
			Provider:   "yandex",
			Title:      "Yandex Cloud IAM token",
			Why:        "It acts as a user or service account for up to twelve hours.",
			Fix:        "Revoke it with yc iam revoke-token, and find out why it was written down.",
			Reference:  "https://yandex.cloud/en/docs/iam/concepts/authorization/iam-token",
			Confidence: scan.High,
			Expr:       begin + `(?P<secret>t1\.9euel[0-9A-Za-z_-]{20,320}={0,2}\.[0-9A-Za-z_-]{86}={0,2})` + after,
			Samples:    shaped("YC_TOKEN", `t1\.9euel[0-9A-Za-z_-]{120}\.[0-9A-Za-z_-]{85}[0-9A-Za-z]`),
		},
		{
			ID:         "yandex-oauth-token",
			Provider:   "yandex",
			Title:      "Yandex OAuth token",
			Why:        "It acts as its user within its scopes for up to a year; with Yandex Cloud's, on the user's whole cloud.",
			Fix:        "Revoke it in Yandex ID, Devices and applications, and use a service account.",
			Reference:  "https://yandex.com/dev/id/doc/en/concepts/ya-oauth-intro",
			Confidence: scan.High,
			Expr:       `\b(?P<secret>y[0-6]_Ag[0-9A-Za-z_-]{53,56})` + after,
			MinEntropy: 3.5,
			Samples:    shaped("YANDEX_TOKEN", `y[0-3]_Ag[0-9A-Za-z_-]{53}[0-9A-Za-z]`),
		},
		pair(scan.Rule{
			ID:        "yandex-static-key",
			Provider:  "yandex",
			Title:     "Yandex Cloud static access key",
			Why:       "It reads and writes object storage and queues as a service account.",
			Fix:       "Create another static key for the service account, deploy it, and delete this one.",
			Reference: "https://yandex.cloud/en/docs/iam/concepts/authorization/access-key",
		}, `YCAJE[0-9A-Za-z_-]{19}[0-9A-Za-z]`, `YC[A-Z][0-9A-Za-z_-]{36}[0-9A-Za-z]`),
		{
			ID:         "backblaze-application-key",
			Provider:   "backblaze",
			Title:      "Backblaze B2 application key",
			Why:        "It reads and writes the buckets that it was made for, or all of the account's.",
			Fix:        "Delete it under Application Keys, and add one for the bucket that needs it.",
			Reference:  "https://www.backblaze.com/docs/cloud-storage-application-keys",
			Confidence: scan.High,
			Expr:       `\b(?P<secret>K00[0-9][0-9A-Za-z+/]{27})` + afterBase64,
			Partners:   []scan.Partner{{Role: "id", Expr: near(`00[0-9a-f]{23}`), Within: scan.MaxReach, Required: true}},
			Public:     []string{"id"},
			MinEntropy: 3.5,
			Check:      looksRandom,
			Samples: func(g *scan.Gen) scan.Samples {
				id, key := "00"+g.Hex(23), "K00"+g.String(scan.Digits, 1)+g.String(scan.Base62, 27)
				return scan.Samples{
					Match: []string{
						"B2_APPLICATION_KEY_ID=" + id + "\nB2_APPLICATION_KEY=" + key + "\n",
						"b2 account authorize " + id + " " + key + "\n",
						"{\"applicationKey\": \"" + key + "\", \"keyId\": \"" + id + "\"}\n",
					},
					NoMatch: []string{"B2_APPLICATION_KEY=" + key + "\n", "id=" + id + "\nkey=" + key + "abc\n"},
				}
			},
		},
		pair(scan.Rule{
			ID:        "exoscale-api-key",
			Provider:  "exoscale",
			Title:     "Exoscale API key",
			Why:       "It acts on the organisation within its IAM role.",
			Fix:       "Create another key under IAM, API keys, deploy it, and delete this one.",
			Reference: "https://community.exoscale.com/product/iam/quick-start/",
		}, `EXO[0-9a-f]{24}`, `[0-9A-Za-z_-]{42}[0-9A-Za-z]`),
		{
			ID:         "upcloud-token",
			Provider:   "upcloud",
			Title:      "UpCloud API token",
			Why:        "It manages the account's servers as its owner may.",
			Fix:        "Delete it under Account, API tokens, and create one that expires.",
			Reference:  "https://upcloud.com/docs/guides/getting-started-upcloud-api/",
			Confidence: scan.High,
			Expr:       begin + `(?P<secret>ucat_[0-9A-Z]{26})\b`,
			Samples:    shaped("UPCLOUD_TOKEN", `ucat_[0-9A-Z]{26}`),
		},
		{
			ID:         "aiven-service-password",
			Provider:   "aiven",
			Title:      "Aiven or DigitalOcean managed database password",
			Why:        "It reads and writes a managed database as one of its users.",
			Fix:        "Reset the user's password on the service's Users page.",
			Reference:  "https://aiven.io/docs/platform/howto/create_new_service_user",
			Confidence: scan.High,
			Expr:       begin + `(?P<secret>AVNS_[0-9A-Za-z_-]{19})` + after,
			Samples:    shaped("DB_PASSWORD", `AVNS_[0-9A-Za-z_-]{18}[0-9A-Za-z]`),
		},
	}
}
