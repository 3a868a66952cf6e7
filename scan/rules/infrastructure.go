package rules

import (
	"bytes"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/proof"
)

func infrastructure() []scan.Rule {
	const (
		vaultTokens = "https://developer.hashicorp.com/vault/docs/concepts/tokens"
		vaultRevoke = "Revoke it (vault token revoke), with its leases, and find out what it read."
	)
	return []scan.Rule{{
		ID:         "terraform-cloud-token",
		Provider:   "hashicorp",
		Title:      "HCP Terraform (Terraform Cloud) API token",
		Why:        "It starts runs and reads state, which holds the secrets of the infrastructure.",
		Fix:        "Delete it under the user's, team's or organisation's Tokens, and create one that expires.",
		Reference:  "https://developer.hashicorp.com/terraform/cloud-docs/users-teams-organizations/api-tokens",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>[0-9A-Za-z]{14}\.atlasv1\.[0-9A-Za-z_-]{60,70})` + after,
		Samples:    shaped("TF_TOKEN", `[0-9A-Za-z]{14}\.atlasv1\.[0-9A-Za-z_-]{66}[0-9A-Za-z]`),
	}, {
		ID:         "pulumi-token",
		Provider:   "pulumi",
		Title:      "Pulumi access token",
		Why:        "It updates stacks and decrypts their secrets as its owner may.",
		Fix:        "Delete it under Personal (or the organisation's) access tokens, and create one that expires.",
		Reference:  "https://www.pulumi.com/docs/pulumi-cloud/access-management/access-tokens/",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>pul-[0-9a-f]{40})\b`,
		Samples:    shaped("PULUMI_ACCESS_TOKEN", `pul-[0-9a-f]{40}`),
	}, {
		ID:         "vault-service-token",
		Provider:   "hashicorp",
		Title:      "HashiCorp Vault service token",
		Why:        "It reads and writes the secrets that its policies allow, all of them if it is a root token.",
		Fix:        vaultRevoke,
		Reference:  vaultTokens,
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>hvs\.[0-9A-Za-z_-]{24,300})` + after,
		MinEntropy: 3.5,
		Check:      proof.VaultToken,
		Samples: func(g *scan.Gen) scan.Samples {
			long := proof.SealVault(g.String(scan.Base62, 24), g.Bytes(32))
			return scan.Samples{
				Match:   append(inContexts("VAULT_TOKEN", long), inContexts("VAULT_TOKEN", "hvs."+g.String(scan.Base62, 24))...),
				Failed:  []string{"VAULT_TOKEN=" + long[:len(long)-8] + "\n"},
				NoMatch: []string{"VAULT_TOKEN=hvs." + g.String(scan.Base62, 12) + "\n", "VAULT_TOKEN=hvs.your_token_goes_here_0000\n", "xhvs." + g.String(scan.Base62, 24)},
			}
		},
	}, {
		ID:         "vault-batch-token",
		Provider:   "hashicorp",
		Title:      "HashiCorp Vault batch or recovery token",
		Why:        "It reads and writes the secrets that its policies allow until it expires; it cannot be revoked by itself.",
		Fix:        "Revoke its parent token, and find out what it read.",
		Reference:  vaultTokens,
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>hv[br]\.[0-9A-Za-z_-]{80,400})` + after,
		MinEntropy: 3.5,
		Samples:    shaped("VAULT_TOKEN", `hvb\.AAAAAQ[0-9A-Za-z_-]{131}[0-9A-Za-z]`),
	}, {
		ID:         "vault-token-legacy",
		Provider:   "hashicorp",
		Title:      "HashiCorp Vault token of the form before 1.10",
		Why:        "It reads and writes the secrets that its policies allow, all of them if it is a root token.",
		Fix:        vaultRevoke,
		Reference:  vaultTokens,
		Confidence: scan.High,
		Expr:       named(`vault|root[_ -]?t`, `oken`, `s\.[0-9A-Za-z]{24}(?:\.[0-9A-Za-z]{5})?|`+uuidExpr),
		MinEntropy: 3,
		Samples: func(g *scan.Gen) scan.Samples {
			s := bound("VAULT_TOKEN", `s\.[0-9A-Za-z]{24}`)(g)
			s.Match = append(s.Match, "curl -H 'X-Vault-Token: s."+g.String(scan.Base62, 24)+"' https://vault.test/v1/secret\n")
			s.NoMatch = append(s.NoMatch, "seal \"azurekeyvault\" {\n  tenant_id = \""+g.UUID()+"\"\n", "terraform import vault_message.maintenance "+g.UUID()+"\n")
			return s
		},
	}, {
		ID:         "vault-approle-secret-id",
		Provider:   "hashicorp",
		Title:      "HashiCorp Vault AppRole secret id",
		Why:        "With the role's id it logs in to Vault as the role.",
		Fix:        "Destroy it (vault write auth/approle/role/NAME/secret-id/destroy), and deliver a new one, wrapped.",
		Reference:  "https://developer.hashicorp.com/vault/docs/auth/approle",
		Confidence: scan.High,
		Expr:       `(?i:secret[_.-]?id)` + assigned + `(?P<secret>` + uuidExpr + `)` + quote,
		Partners: []scan.Partner{
			{Role: "id", Expr: `(?i:role_?id)[^\w-].{0,20}?(` + uuidExpr + `)`, Within: scan.MaxReach},
			{Role: "nearby", Expr: `(?i:vault|openbao|app_?role|role_?id)`, Within: scan.MaxReach, Required: true}, // other services have ids of secrets
		},
		Public: []string{"id", "nearby"},
		Samples: func(g *scan.Gen) scan.Samples {
			role, secret := g.UUID(), g.UUID()
			return scan.Samples{
				Match: []string{
					"VAULT_ROLE_ID=" + role + "\nVAULT_SECRET_ID=" + secret + "\n",
					"{\"role_id\": \"" + role + "\", \"secret_id\": \"" + secret + "\"}\n",
					"approle:\n  secret_id: " + secret + "\n",
				},
				NoMatch: []string{"secretID := \"" + secret + "\"\ncache.Put(secretID)\n", "VAULT_ROLE_ID=" + role + "\n", "secret_id_accessor: " + secret + "\n", "VAULT_SECRET_ID=${SECRET_ID}\n"},
			}
		},
	}, {
		ID:         "vault-unseal-key",
		Provider:   "hashicorp",
		Title:      "HashiCorp Vault unseal or recovery key",
		Why:        "With enough of its siblings it unseals Vault and makes root tokens.",
		Fix:        "Make new keys (vault operator rekey), give each share to another person, and keep none in files.",
		Reference:  "https://developer.hashicorp.com/vault/docs/concepts/seal",
		Confidence: scan.High,
		Expr:       `(?:Unseal|Recovery) Key [0-9]{1,2}: (?P<secret>[0-9A-Za-z+/]{43}[0-9A-Za-z+/=]|[0-9a-f]{66})` + quote,
		MinEntropy: 3,
		Samples: func(g *scan.Gen) scan.Samples {
			return scan.Samples{
				Match:   []string{"Unseal Key 1: " + g.String(scan.Base62, 44) + "\n", "Recovery Key 2: " + g.Hex(66) + "\n"},
				NoMatch: []string{"Unseal Key 1: <key>\n", "Unseal Key Nonce: " + g.UUID() + "\n"},
			}
		},
	}, {
		ID:         "doppler-token",
		Provider:   "doppler",
		Title:      "Doppler token",
		Why:        "It reads, and mostly writes, the secrets of a configuration, or all that its owner may.",
		Fix:        "Revoke it under Tokens (or the configuration's Access), and create one for the configuration that needs it.",
		Reference:  "https://docs.doppler.com/reference/auth-token-formats",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>dp\.(?:ct|pt|st|sa|said|scim|audit)\.(?:[0-9a-z_-]{2,35}\.)?[0-9A-Za-z]{40,44})\b`,
		Samples:    shaped("DOPPLER_TOKEN", `dp\.(?:ct|pt|sa|scim|audit)\.[0-9A-Za-z]{43}`),
	}, {
		ID:         "1password-service-account-token",
		Provider:   "1password",
		Title:      "1Password service account token",
		Why:        "It reads, and may write, every item of the vaults that the service account was given.",
		Fix:        "Rotate or revoke it on the service account's page under Developer, and change what it could read.",
		Reference:  "https://developer.1password.com/docs/service-accounts/",
		Confidence: scan.High,
		Object:     &scan.Object{Gate: "ops_eyJ", Parse: longTokens(`(?:^|[^0-9A-Za-z_])(ops_eyJ[0-9A-Za-z_-]{200,}={0,2})`)},
		Check:      proof.OnePasswordToken,
		Samples: func(g *scan.Gen) scan.Samples {
			token := proof.Seal1Password(g.String(scan.Base64URL, 43))
			return scan.Samples{
				Match:   inContexts("OP_SERVICE_ACCOUNT_TOKEN", token),
				Failed:  []string{"OP_SERVICE_ACCOUNT_TOKEN=" + token[:len(token)-20] + "\n"},
				NoMatch: []string{"OP_SERVICE_ACCOUNT_TOKEN=ops_eyJ...\n", "x" + token},
			}
		},
	}, {
		ID:         "1password-secret-key",
		Provider:   "1password",
		Title:      "1Password secret key",
		Why:        "With the account's password it opens all of its owner's vaults.",
		Fix:        "Regenerate the secret key under My profile, More actions, and sign in again everywhere.",
		Reference:  "https://support.1password.com/secret-key-security/",
		Confidence: scan.High,
		Expr:       `\b(?P<secret>A3-[0-9A-Z]{6}-(?:[0-9A-Z]{11}|[0-9A-Z]{6}-[0-9A-Z]{5})-[0-9A-Z]{5}-[0-9A-Z]{5}-[0-9A-Z]{5})\b`,
		MinEntropy: 3.5,
		Samples:    shaped("OP_SECRET_KEY", `A3-[0-9A-Z]{6}-[0-9A-Z]{6}-[0-9A-Z]{5}-[0-9A-Z]{5}-[0-9A-Z]{5}-[0-9A-Z]{5}`),
	}, {
		ID:         "bitwarden-access-token",
		Provider:   "bitwarden",
		Title:      "Bitwarden Secrets Manager access token",
		Why:        "It reads, and may write, the secrets that its machine account was given.",
		Fix:        "Revoke it under the machine account's Access tokens, and create a new one.",
		Reference:  "https://bitwarden.com/help/access-tokens/",
		Confidence: scan.High,
		Expr:       `(?i:access_?token|bitwarden)(?i:[0-9a-z_-]{0,24})` + assigned + `(?P<secret>0\.` + uuidExpr + `\.[0-9A-Za-z]{30}:[0-9A-Za-z+/]{22}==)` + quote,
		Samples:    bound("BWS_ACCESS_TOKEN", `0\.`+uuidExpr+`\.[0-9A-Za-z]{30}:[0-9A-Za-z+/]{22}==`),
	}, {
		ID:         "bitwarden-client-secret",
		Provider:   "bitwarden",
		Title:      "Bitwarden API key",
		Why:        "With its client id it signs in to the vault's API; the master password is still needed to decrypt.",
		Fix:        "Rotate the API key under Account settings, Security, Keys.",
		Reference:  "https://bitwarden.com/help/personal-api-key/",
		Confidence: scan.High,
		Expr:       named(`\bbw_client|bitwarden|bw_?clients`, `secret|ecret`, `[0-9A-Za-z]{30}`),
		MinEntropy: 3.7,
		Check:      looksRandom,
		Samples:    bound("BW_CLIENTSECRET", `[0-9A-Za-z]{30}`),
	}, {
		ID:         "infisical-token",
		Provider:   "infisical",
		Title:      "Infisical service token",
		Why:        "It reads, and may write, the secrets of a project's environment.",
		Fix:        "Delete it under the project's Access control, and use a machine identity.",
		Reference:  "https://infisical.com/docs/documentation/platform/token",
		Confidence: scan.High,
		Expr:       `\b(?P<secret>st\.[0-9a-f]{24}\.[0-9a-f]{32}\.[0-9a-f]{32})\b`,
		Samples:    shaped("INFISICAL_TOKEN", `st\.[0-9a-f]{24}\.[0-9a-f]{32}\.[0-9a-f]{32}`),
	}, {
		ID:         "infisical-client-secret",
		Provider:   "infisical",
		Title:      "Infisical machine identity client secret",
		Why:        "With its client id it logs in as a machine identity and reads what that may.",
		Fix:        "Revoke it on the identity's Universal Auth page, and create one with a limited use.",
		Reference:  "https://infisical.com/docs/documentation/platform/identities/universal-auth",
		Confidence: scan.Medium,
		Expr:       named(`infisical`, `secret`, `[0-9a-f]{64}`),
		MinEntropy: 3,
		Samples:    bound("INFISICAL_CLIENT_SECRET", `[0-9a-f]{64}`),
	}, {
		ID:         "akeyless-access-key",
		Provider:   "akeyless",
		Title:      "Akeyless access key",
		Why:        "With its access id it logs in and reads the secrets that its role allows.",
		Fix:        "Reset it on the authentication method's page, and prefer a cloud identity.",
		Reference:  "https://docs.akeyless.io/docs/api-key",
		Confidence: scan.High,
		Expr:       named(`akeyless`, `key|secret|token`, `[0-9A-Za-z+/]{43}=`),
		MinEntropy: 4,
		Samples:    bound("AKEYLESS_ACCESS_KEY", `[0-9A-Za-z+/]{43}=`),
	}, {
		ID:         "tailscale-key",
		Provider:   "tailscale",
		Title:      "Tailscale key",
		Why:        "It adds machines to the tailnet, or changes its settings and policy, as its kind says.",
		Fix:        "Revoke it under Settings, Keys (or OAuth clients), and create one that is tagged and expires.",
		Reference:  "https://tailscale.com/kb/1277/key-prefixes",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>tskey-(?:auth|api|client|scim|webhook|reusable)-[0-9A-Za-z]{6,24}-[0-9A-Za-z]{18,48})\b`,
		MinEntropy: 3.5,
		Samples:    shaped("TS_AUTHKEY", `tskey-(?:auth|api|client)-k[0-9A-Za-z]{7}CNTRL-[0-9A-Za-z]{33}`),
	}, {
		ID:         "ngrok-token",
		Provider:   "ngrok",
		Title:      "ngrok authtoken or API key",
		Why:        "It opens tunnels on the account's domains, or changes its settings.",
		Fix:        "Reset the authtoken, or delete the API key, in the dashboard.",
		Reference:  "https://ngrok.com/docs/agent/",
		Confidence: scan.High,
		Expr:       named(`ngrok|authtok`, `token|en|key`, `[1-4][0-9A-Za-z]{26}_[0-9A-Za-z]{20,22}`),
		MinEntropy: 3.7,
		Samples: func(g *scan.Gen) scan.Samples {
			s := bound("NGROK_AUTHTOKEN", `[12][0-9A-Za-z]{26}_[0-9A-Za-z]{21}`)(g)
			t := g.Expr(`2[0-9A-Za-z]{26}_[0-9A-Za-z]{21}`)
			s.Match = append(s.Match, "ngrok config add-authtoken "+t+"\n", "version: \"2\"\nauthtoken: "+t+"\n")
			return s
		},
	}, {
		ID:         "docker-swarm-token",
		Provider:   "docker",
		Title:      "Docker Swarm join token or unlock key",
		Why:        "Whoever reaches a manager can join the swarm as a worker or a manager, or unlock its keys.",
		Fix:        "Rotate it (docker swarm join-token --rotate, docker swarm unlock-key --rotate).",
		Reference:  "https://docs.docker.com/engine/swarm/join-nodes/",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>SWM(?:TKN-1-[0-9a-z]{50}-[0-9a-z]{25}|KEY-1-[0-9A-Za-z+/]{43}))` + afterBase64,
		Check:      proof.DockerSwarmToken,
		Samples: sealed("SWARM_TOKEN", func(g *scan.Gen) string {
			if g.IntN(2) == 0 {
				return "SWMKEY-1-" + g.String(scan.Base62, 42) + "A"
			}
			return proof.SealDockerSwarm(g.String(scan.Digits+scan.LowerAZ, 50), g.String(scan.Digits+scan.LowerAZ, 25))
		}),
	}, {
		ID:         "kubernetes-bootstrap-token",
		Provider:   "kubernetes",
		Title:      "Kubernetes bootstrap token",
		Why:        "Whoever reaches the API server can join the cluster as a node while the token lives.",
		Fix:        "Delete it (kubeadm token delete), and create one when a node joins.",
		Reference:  "https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/",
		Confidence: scan.High,
		Expr:       named(`kubeadm|bootstrap[_-]?tok`, `token|en`, `[0-9a-z]{6}\.[0-9a-z]{16}`),
		MinEntropy: 2.8,
		Check: func(c scan.Candidate) scan.Evidence {
			if bytes.Contains(c.Secret(), []byte("abcdef")) { // the documentation's
				return scan.Evidence{Cap: scan.Low, Reason: "a published example: Kubernetes' documentation"}
			}
			return looksRandom(c)
		},
		Samples: func(g *scan.Gen) scan.Samples {
			t := g.Expr(`[0-9a-z]{6}\.[0-9a-z]{14}7q`)
			return scan.Samples{
				Match:   []string{"kubeadm join 10.0.0.1:6443 --token " + t + " --discovery-token-ca-cert-hash sha256:x\n", "bootstrap-token: " + t + "\n"},
				NoMatch: []string{"kubeadm join 10.0.0.1:6443 --token abcdef.0123456789abcdef\n", "kubeadm token list " + t + "\n"},
			}
		},
	}, {
		ID:         "rancher-token",
		Provider:   "rancher",
		Title:      "Rancher API token",
		Why:        "It acts as its owner on Rancher and on the clusters below it.",
		Fix:        "Delete it under Account & API Keys, and create one with a scope and an expiry.",
		Reference:  "https://ranchermanager.docs.rancher.com/reference-guides/user-settings/api-keys",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>(?:token|kubeconfig-u)-[0-9a-z]{5,14}:[0-9a-z]{54})\b`,
		Samples:    shaped("RANCHER_TOKEN", `(?:token|kubeconfig-u)-[0-9a-z]{5}:[0-9a-z]{54}`),
	}, {
		ID:         "teleport-token",
		Provider:   "teleport",
		Title:      "Teleport join token",
		Why:        "Whoever has it can join hosts or services to the cluster while it lives.",
		Fix:        "Remove it (tctl tokens rm), and join by a cloud identity or a short-lived token.",
		Reference:  "https://goteleport.com/docs/enroll-resources/agents/join-token/",
		Confidence: scan.Medium,
		Expr:       named(`teleport|tctl `, `token|auth_?token`, `[0-9a-f]{32}`),
		MinEntropy: 3,
		Samples: func(g *scan.Gen) scan.Samples {
			s := bound("TELEPORT_TOKEN", `[0-9a-f]{32}`)(g)
			s.Match = append(s.Match, "teleport start --roles=node --token="+g.Hex(32)+"\n")
			return s
		},
	}, {
		ID:         "consul-token",
		Provider:   "hashicorp",
		Title:      "HashiCorp Consul or Nomad ACL token",
		Why:        "It reads and writes keys, services or jobs as its policies allow.",
		Fix:        "Delete it (consul acl token delete, nomad acl token delete), and create one with fewer policies.",
		Reference:  "https://developer.hashicorp.com/consul/docs/security/acl/tokens",
		Confidence: scan.High,
		Expr:       named(`consul|nomad`, `token|acl|secret_?id|master|bootstrap`, uuidExpr),
		Samples: func(g *scan.Gen) scan.Samples {
			s := bound("CONSUL_HTTP_TOKEN", uuidExpr)(g)
			s.Match = append(s.Match, "curl -H \"X-Nomad-Token: "+g.UUID()+"\" https://nomad.test/v1/jobs\n")
			s.NoMatch = append(s.NoMatch, "CONSUL_NODE_ID="+g.UUID()+"\n")
			return s
		},
	}, {
		ID:         "hcp-client-secret",
		Provider:   "hashicorp",
		Title:      "HashiCorp Cloud Platform client secret",
		Why:        "With its client id it acts as a service principal on HCP: Vault, Consul, Terraform.",
		Fix:        "Create another key for the service principal, deploy it, and delete this one.",
		Reference:  "https://developer.hashicorp.com/hcp/docs/hcp/iam/service-principal",
		Confidence: scan.High,
		Expr:       named(`hcp_?c|hashicorp`, `secret`, `[0-9A-Za-z_-]{64}`),
		MinEntropy: 4,
		Check:      mixedAndRandom,
		Samples:    bound("HCP_CLIENT_SECRET", `[0-9A-Za-z]{30}-[0-9A-Za-z]{30}7aZ`),
	}, {
		ID:         "portainer-token",
		Provider:   "portainer",
		Title:      "Portainer access token",
		Why:        "It manages containers as its owner may, mostly as root of their hosts.",
		Fix:        "Remove it under My account, Access tokens, and add a new one.",
		Reference:  "https://docs.portainer.io/api/access",
		Confidence: scan.High,
		Expr:       `\b(?P<secret>ptr_[0-9A-Za-z+/]{43}=)` + afterBase64,
		Samples:    shaped("PORTAINER_TOKEN", `ptr_[0-9A-Za-z+/]{43}=`),
	}, {
		ID:         "netbird-token",
		Provider:   "netbird",
		Title:      "NetBird personal access token",
		Why:        "It changes the network's peers, groups and policies as its owner may.",
		Fix:        "Delete it on the user's page, and create one that expires for a service user.",
		Reference:  "https://docs.netbird.io/how-to/access-netbird-public-api",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>nbp_[0-9A-Za-z]{36})\b`,
		Samples:    shaped("NETBIRD_TOKEN", `nbp_[0-9A-Za-z]{36}`),
	}, {
		ID:         "zerotier-token",
		Provider:   "zerotier",
		Title:      "ZeroTier Central API token",
		Why:        "It changes all of its owner's networks and their members.",
		Fix:        "Delete it under Account, API access tokens, and create a new one.",
		Reference:  "https://docs.zerotier.com/api/central/v1/",
		Confidence: scan.Medium,
		Expr:       named(`zerotier`, `token|key|secret`, `[0-9A-Za-z]{32}`),
		MinEntropy: 3.7,
		Check:      looksRandom,
		Samples:    bound("ZEROTIER_API_TOKEN", `[0-9A-Za-z]{32}`),
	}, {
		ID:         "definednetworking-key",
		Provider:   "definednetworking",
		Title:      "Defined Networking API key",
		Why:        "It changes the overlay network's hosts, roles and routes.",
		Fix:        "Delete it under API keys, and create one with fewer scopes.",
		Reference:  "https://docs.defined.net/guides/automating-host-creation/",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>dnkey-[0-9A-Z=_-]{26}-[0-9A-Z=_-]{52})` + after,
		Samples:    shaped("DN_API_KEY", `dnkey-[0-9A-Z]{26}-[0-9A-Z]{52}`),
	}, {
		ID:         "kong-token",
		Provider:   "kong",
		Title:      "Kong Konnect access token",
		Why:        "It changes gateways and their credentials as its owner, or a system account, may.",
		Fix:        "Revoke it under Personal access tokens or System accounts, and generate one that expires.",
		Reference:  "https://developer.konghq.com/konnect-api/",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>(?:kpat|spat)_[0-9A-Za-z]{40,60})\b`,
		Samples:    shaped("KONNECT_TOKEN", `(?:kpat|spat)_[0-9A-Za-z]{49}`),
	}, {
		ID:         "zuplo-key",
		Provider:   "zuplo",
		Title:      "Zuplo API key",
		Why:        "It calls the Zuplo API, or an API behind a Zuplo gateway, as its consumer.",
		Fix:        "Delete it on the API key's page, and create a new one.",
		Reference:  "https://zuplo.com/docs/articles/api-key-leak-detection",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>zpka_[0-9A-Za-z]{32}_[0-9a-f]{8})\b`,
		Check:      proof.ZuploKey,
		Samples: withFailed(sealed("ZUPLO_API_KEY", func(g *scan.Gen) string { return proof.SealZuplo(g.String(scan.Base62, 32)) }),
			func(g *scan.Gen) string { return "key: zpka_" + g.String(scan.Base62, 32) + "_00000bad\n" }),
	}, {
		ID:         "tower-token",
		Provider:   "ansible",
		Title:      "Ansible Tower or AWX token",
		Why:        "It starts jobs with the credentials that the server holds.",
		Fix:        "Delete it on the user's Tokens page, and create one with the read scope where that is enough.",
		Reference:  "https://docs.ansible.com/automation-controller/latest/html/userguide/applications_auth.html",
		Confidence: scan.Medium,
		Expr:       named(`tower_o|tower_t|controller_o|awx_`, `oken|auth`, `[0-9A-Za-z]{30}`),
		MinEntropy: 3.7,
		Check:      looksRandom,
		Samples: func(g *scan.Gen) scan.Samples {
			s := bound("TOWER_OAUTH_TOKEN", `[0-9A-Za-z]{30}`)(g)
			s.Match = s.Match[:4]
			s.NoMatch = append(s.NoMatch, "$ANSIBLE_VAULT;1.1;AES256\n"+g.Hex(80)+"\n")
			return s
		},
	}}
}
