package rules

import (
	"encoding/base64"
	"encoding/json"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/proof"
)

func hosting() []scan.Rule {
	const cloudflareTokens = "https://developers.cloudflare.com/fundamentals/api/get-started/create-token/"
	return []scan.Rule{{
		ID:         "heroku-token",
		Provider:   "heroku",
		Title:      "Heroku API token",
		Why:        "It reads and changes its owner's applications, with their configuration variables.",
		Fix:        "Revoke the authorisation (heroku authorizations:revoke), and create one with fewer scopes.",
		Reference:  "https://devcenter.heroku.com/articles/authentication",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>HRKU-AA[0-9A-Za-z_-]{58})` + after,
		Samples:    shaped("HEROKU_API_KEY", `HRKU-AA[0-9A-Za-z_-]{57}[0-9A-Za-z]`),
	}, {
		ID:         "heroku-api-key",
		Provider:   "heroku",
		Title:      "Heroku API key of the older form",
		Why:        "It reads and changes its owner's applications, with their configuration variables.",
		Fix:        "Regenerate the API key under Account settings.",
		Reference:  "https://devcenter.heroku.com/articles/authentication",
		Confidence: scan.Medium,
		Expr:       named(`heroku`, secretWord, uuidExpr),
		Samples: func(g *scan.Gen) scan.Samples {
			s := bound("HEROKU_API_KEY", uuidExpr)(g)
			s.Match = append(s.Match, "heroku:\n  api_key: "+g.UUID()+"\n")
			s.NoMatch = append(s.NoMatch, "HEROKU_APP_ID="+g.UUID()+"\n")
			return s
		},
	}, {
		ID:         "cloudflare-token",
		Provider:   "cloudflare",
		Title:      "Cloudflare API token or key",
		Why:        "It changes zones, Workers and DNS records as its permissions say; a global key (cfk_) has all of its owner's.",
		Fix:        "Roll it under My profile, API tokens (or Manage account, API tokens).",
		Reference:  cloudflareTokens,
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>cf(?:k|ut|at)_[0-9A-Za-z]{40}[0-9a-f]{8})\b`,
		Check:      proof.CloudflareToken,
		Samples: withFailed(sealed("CLOUDFLARE_API_TOKEN", func(g *scan.Gen) string {
			return proof.SealCloudflare([]string{"cfk_", "cfut_", "cfat_"}[g.IntN(3)], g.String(scan.Base62, 40))
		}), func(g *scan.Gen) string { return "CF_TOKEN=cfut_" + g.String(scan.Base62, 40) + "00000bad\n" }),
	}, {
		ID:         "cloudflare-api-token",
		Provider:   "cloudflare",
		Title:      "Cloudflare API token of the older form",
		Why:        "It changes zones, Workers and DNS records as its permissions say.",
		Fix:        "Roll it under My profile, API tokens.",
		Reference:  cloudflareTokens,
		Confidence: scan.High,
		// "cf_" alone is too short to look for
		Expr:       named(`cloudflare|cf_[agkt]|wrangler`, `oken|ecret|ey`, `[0-9A-Za-z_-]{40}`),
		MinEntropy: 3.7,
		Check:      mixedAndRandom,
		Samples: func(g *scan.Gen) scan.Samples {
			s := bound("CLOUDFLARE_API_TOKEN", `[0-9A-Za-z]{20}[-_][0-9A-Za-z]{17}7a`)(g)
			s.NoMatch = append(s.NoMatch, "cloudflare_api_token_note: the-quick-brown-fox-jumps-over-lazy-doggie\n")
			return s
		},
	}, {
		ID:         "cloudflare-global-key",
		Provider:   "cloudflare",
		Title:      "Cloudflare global API key",
		Why:        "With its owner's mail address it does everything that the owner may.",
		Fix:        "Change it under My profile, API tokens, Global API key, and use tokens in its place.",
		Reference:  "https://developers.cloudflare.com/fundamentals/api/get-started/keys/",
		Confidence: scan.High,
		Expr:       named(`cloudflare|cf_[agkt]|x-auth-`, `ey|oken`, `[0-9a-f]{37}`),
		MinEntropy: 3,
		Samples: func(g *scan.Gen) scan.Samples {
			s := bound("CLOUDFLARE_API_KEY", `[0-9a-f]{37}`)(g)
			s.Match = append(s.Match, "curl -H \"X-Auth-Email: robot@acme.test\" -H \"X-Auth-Key: "+g.Hex(37)+"\"\n")
			return s
		},
	}, {
		ID:         "cloudflare-origin-ca-key",
		Provider:   "cloudflare",
		Title:      "Cloudflare Origin CA key",
		Why:        "It issues and revokes origin certificates for all of its owner's zones.",
		Fix:        "Change it under My profile, API tokens, Origin CA key.",
		Reference:  "https://developers.cloudflare.com/fundamentals/api/get-started/ca-keys/",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>v1\.0-[0-9a-f]{24}-[0-9a-f]{146})\b`,
		Samples:    shaped("ORIGIN_CA_KEY", `v1\.0-[0-9a-f]{24}-[0-9a-f]{146}`),
	}, {
		ID:         "cloudflare-r2-secret",
		Provider:   "cloudflare",
		Title:      "Cloudflare R2 secret access key",
		Why:        "With its access key id it reads and writes the R2 buckets that its token may.",
		Fix:        "Roll the API token under R2, Manage API tokens.",
		Reference:  "https://developers.cloudflare.com/r2/api/tokens/",
		Confidence: scan.High,
		Expr:       named(`cloudflare|r2_s|r2_a`, `ecret|ccess_?key`, `[0-9a-f]{64}`),
		MinEntropy: 3,
		Samples:    bound("CLOUDFLARE_R2_SECRET_ACCESS_KEY", `[0-9a-f]{64}`),
	}, {
		ID:         "cloudflare-turnstile-secret",
		Provider:   "cloudflare",
		Title:      "Cloudflare Turnstile secret key",
		Why:        "Whoever has it can verify, and so replay and probe, the site's challenges.",
		Fix:        "Rotate the secret under Turnstile, the widget's settings.",
		Reference:  "https://developers.cloudflare.com/turnstile/get-started/",
		Confidence: scan.High,
		// site keys, which are public, are shorter
		Expr:       begin + `(?P<secret>0x4AAAAAA[0-9A-Za-z_-]{26})` + after,
		MinEntropy: 3.2,
		Samples: func(g *scan.Gen) scan.Samples {
			s := shaped("TURNSTILE_SECRET_KEY", `0x4AAAAAAA[0-9A-Za-z_-]{24}[0-9A-Za-z]`)(g)
			s.NoMatch = append(s.NoMatch, "TURNSTILE_SITE_KEY=0x4AAAAAAA"+g.String(scan.Base62, 14)+"\n")
			return s
		},
	}, {
		ID:         "cloudflare-tunnel-token",
		Provider:   "cloudflare",
		Title:      "Cloudflare Tunnel token",
		Why:        "Whoever has it can run the tunnel and receive the traffic of its hostnames.",
		Fix:        "Rotate the tunnel's token under Zero Trust, Networks, Tunnels, and restart its connectors.",
		Reference:  "https://developers.cloudflare.com/cloudflare-one/connections/connect-networks/configure-tunnels/remote-tunnel-permissions/",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>eyJhIjoi[0-9A-Za-z+/]{100,280}={0,2})` + afterBase64,
		Check:      tunnelToken,
		NeedsProof: true,
		Samples: func(g *scan.Gen) scan.Samples {
			text := `{"a":"` + g.Hex(32) + `","t":"` + g.UUID() + `","s":"` + base64.StdEncoding.EncodeToString(g.Bytes(32)) + `"}`
			other := `{"a":"` + g.Hex(32) + `","b":"` + g.UUID() + g.UUID() + `"}`
			return scan.Samples{
				Match: append(inAssignments("TUNNEL_TOKEN", base64.StdEncoding.EncodeToString([]byte(text))),
					"cloudflared service install "+base64.StdEncoding.EncodeToString([]byte(text))+"\n"),
				NoMatch: []string{"TUNNEL_TOKEN=" + base64.StdEncoding.EncodeToString([]byte(other)) + "\n"},
			}
		},
	}, {
		ID:         "fastly-token",
		Provider:   "fastly",
		Title:      "Fastly API token",
		Why:        "It changes services and purges caches within its scope.",
		Fix:        "Delete it under Account, API tokens, and create one with a smaller scope.",
		Reference:  "https://docs.fastly.com/en/guides/using-api-tokens",
		Confidence: scan.High,
		Expr:       named(`fastly`, secretWord, `[0-9A-Za-z_-]{32}`),
		MinEntropy: 3.7,
		Check:      looksRandom,
		Samples:    bound("FASTLY_API_TOKEN", `[0-9A-Za-z]{16}[_-][0-9A-Za-z]{15}`),
	}, {
		ID:         "akamai-edgegrid-secret",
		Provider:   "akamai",
		Title:      "Akamai EdgeGrid client secret",
		Why:        "With its client and access tokens it changes configurations and purges caches as its user may.",
		Fix:        "Deactivate the credential under Identity & access, API clients, and create a new one.",
		Reference:  "https://techdocs.akamai.com/developer/docs/edgegrid",
		Confidence: scan.High,
		Expr:       `\bakab-[0-9a-z]{16}-[0-9a-z]{16}\b`,
		Partners:   []scan.Partner{{Role: scan.RoleSecret, Expr: near(`[0-9A-Za-z+/]{43}=`), Within: scan.MaxReach, Required: true}},
		Public:     []string{"id"},
		Check:      looksRandom,
		Samples: func(g *scan.Gen) scan.Samples {
			id, secret := g.Expr(`akab-[0-9a-z]{16}-[0-9a-z]{16}`), g.String(scan.Base62, 42)+"g="
			return scan.Samples{
				Match: []string{
					"[default]\nclient_secret = " + secret + "\nhost = akab-x.luna.akamaiapis.net\nclient_token = " + id + "\n",
					"{\"clientToken\": \"" + id + "\", \"clientSecret\": \"" + secret + "\"}\n",
				},
				NoMatch: []string{"client_token = " + id + "\n"},
			}
		},
	}, {
		ID:         "fly-token",
		Provider:   "fly",
		Title:      "Fly.io access token",
		Why:        "It deploys and reads the organisation's or the application's machines, with their secrets.",
		Fix:        "Revoke it with fly tokens revoke, and create one for the application that needs it.",
		Reference:  "https://fly.io/docs/security/tokens/",
		Confidence: scan.High,
		Object: &scan.Object{Gate: "fm2_lJP", Parse: longTokens(
			`(?:^|[^0-9A-Za-z_,])((?:FlyV1 )?fm2_lJP[0-9A-Za-z+/]{80,}={0,2}(?:,fm2_[0-9A-Za-z+/]{40,}={0,2})*)`)},
		Check: proof.FlyToken,
		Samples: func(g *scan.Gen) scan.Samples {
			one, two := proof.SealFly(g.Bytes(16), g.Bytes(32)), proof.SealFly(g.Bytes(16), g.Bytes(32))
			return scan.Samples{
				Match:   append(inContexts("FLY_API_TOKEN", "FlyV1 "+one+","+two), inAssignments("FLY_API_TOKEN", one)...),
				NoMatch: []string{"FLY_API_TOKEN=fm2_lJPE...\n", "FLY_API_TOKEN=x" + one + "\n"},
			}
		},
	}, {
		ID:         "fly-user-token",
		Provider:   "fly",
		Title:      "Fly.io user token",
		Why:        "It does everything that its owner may.",
		Fix:        "Revoke it under Account, Access tokens, and create one for the application that needs it.",
		Reference:  "https://fly.io/docs/security/tokens/",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>fo1_[0-9A-Za-z_-]{43})` + after,
		Samples:    shaped("FLY_API_TOKEN", `fo1_[0-9A-Za-z_-]{42}[0-9A-Za-z]`),
	}, {
		ID:         "render-api-key",
		Provider:   "render",
		Title:      "Render API key",
		Why:        "It deploys and reads all services of its owner's workspaces, with their environment.",
		Fix:        "Revoke it under Account settings, API keys, and create a new one.",
		Reference:  "https://render.com/docs/api",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>rnd_[0-9A-Za-z]{28,32})\b`,
		MinEntropy: 3.5,
		Check:      looksRandom,
		Samples:    shaped("RENDER_API_KEY", `rnd_[0-9A-Za-z]{32}`),
	}, {
		ID:         "render-deploy-hook",
		Provider:   "render",
		Title:      "Render deploy hook",
		Why:        "Whoever has the address can deploy the service as often as they like.",
		Fix:        "Regenerate the deploy hook on the service's settings page.",
		Reference:  "https://render.com/docs/deploy-hooks",
		Confidence: scan.High,
		Expr:       `api\.render\.com/deploy/srv-[0-9a-z]{20}\?key=(?P<secret>[0-9A-Za-z_-]{8,24})` + after,
		Samples: func(g *scan.Gen) scan.Samples {
			head := "curl https://api.render.com/deploy/srv-" + g.String(scan.LowerAZ+scan.Digits, 20) + "?key="
			return scan.Samples{Match: []string{head + g.String(scan.Base62, 11) + "\n"}, NoMatch: []string{head + "$KEY\n"}}
		},
	}, {
		ID:         "railway-token",
		Provider:   "railway",
		Title:      "Railway token",
		Why:        "It deploys and reads a project, or all of its owner's, with their variables.",
		Fix:        "Delete it under the project's or the account's Tokens, and create a new one.",
		Reference:  "https://docs.railway.com/guides/public-api",
		Confidence: scan.High,
		Expr:       named(`railway`, `token|api_?key`, uuidExpr),
		Samples:    bound("RAILWAY_TOKEN", uuidExpr),
	}, {
		ID:         "vercel-token",
		Provider:   "vercel",
		Title:      "Vercel token",
		Why:        "It deploys and reads its owner's or team's projects, with their environment; a vck_ key spends on AI Gateway.",
		Fix:        "Delete it under Account settings, Tokens (or the integration's page), and create one with a scope and an expiry.",
		Reference:  "https://vercel.com/docs/rest-api",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>(?:vc[abik]_|vc[prt]_)[0-9A-Za-z]{56})\b`,
		Check:      proof.VercelToken,
		Samples: withFailed(sealed("VERCEL_TOKEN", func(g *scan.Gen) string {
			return proof.SealVercel("vc"+g.String("abikprt", 1)+"_", g.String(scan.Base62, 50))
		}), func(g *scan.Gen) string { return "VERCEL_TOKEN=vcp_" + g.String(scan.Base62, 50) + "zzzzzz\n" }),
	}, {
		ID:         "vercel-token-legacy",
		Provider:   "vercel",
		Title:      "Vercel token of the older form",
		Why:        "It deploys and reads its owner's or team's projects, with their environment.",
		Fix:        "Delete it under Account settings, Tokens, and create one with a scope and an expiry.",
		Reference:  "https://vercel.com/docs/rest-api",
		Confidence: scan.Medium,
		Expr:       named(`vercel|\bnow_token|zeit_`, `token|secret|key`, `[0-9A-Za-z]{24}`),
		MinEntropy: 3.5,
		Check:      mixedAndRandom,
		Samples:    bound("VERCEL_TOKEN", `[0-9A-Za-z]{21}7aZ`),
	}, {
		ID:         "vercel-blob-token",
		Provider:   "vercel",
		Title:      "Vercel Blob read-write token",
		Why:        "It reads, writes and deletes everything in a Blob store.",
		Fix:        "Rotate the token on the store's page, and redeploy.",
		Reference:  "https://vercel.com/docs/storage/vercel-blob",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>vercel_blob_rw_[0-9A-Za-z]{14,20}_[0-9A-Za-z]{28,34})\b`,
		Samples:    shaped("BLOB_READ_WRITE_TOKEN", `vercel_blob_rw_[0-9A-Za-z]{16}_[0-9A-Za-z]{30}`),
	}, {
		ID:         "netlify-token",
		Provider:   "netlify",
		Title:      "Netlify access token",
		Why:        "It deploys and reads its owner's sites, with their environment.",
		Fix:        "Delete it under User settings, Applications, and create one that expires.",
		Reference:  "https://docs.netlify.com/api/get-started/",
		Confidence: scan.High,
		Expr:       lead + `(?P<secret>nf[pcou]_[0-9A-Za-z]{36})\b`,
		MinEntropy: 3.5,
		Samples:    shaped("NETLIFY_AUTH_TOKEN", `nf[pcou]_[0-9A-Za-z]{36}`),
	}, {
		ID:         "netlify-token-legacy",
		Provider:   "netlify",
		Title:      "Netlify access token of the older form",
		Why:        "It deploys and reads its owner's sites, with their environment.",
		Fix:        "Delete it under User settings, Applications, and create one that expires.",
		Reference:  "https://docs.netlify.com/api/get-started/",
		Confidence: scan.Medium,
		Expr:       named(`netlify`, `token|secret|key|auth`, `[0-9A-Za-z_-]{43,46}`),
		MinEntropy: 3.7,
		Check:      mixedAndRandom,
		Samples:    bound("NETLIFY_AUTH_TOKEN", `[0-9A-Za-z]{20}-[0-9A-Za-z]{20}7a`),
	}, {
		ID:         "netlify-build-hook",
		Provider:   "netlify",
		Title:      "Netlify build hook",
		Why:        "Whoever has the address can start builds and spend build minutes.",
		Fix:        "Delete it under the site's Build & deploy, Build hooks, and add a new one.",
		Reference:  "https://docs.netlify.com/configure-builds/build-hooks/",
		Confidence: scan.Medium,
		Expr:       `api\.netlify\.com/build_hooks/(?P<secret>[0-9a-f]{24})\b`,
		MinEntropy: 2.5,
		Samples: func(g *scan.Gen) scan.Samples {
			head := "curl -X POST https://api.netlify.com/build_hooks/"
			return scan.Samples{Match: []string{head + g.Hex(24) + "\n"}, NoMatch: []string{head + "$HOOK\n"}}
		},
	}, {
		ID:         "planetscale-token",
		Provider:   "planetscale",
		Title:      "PlanetScale token or password",
		Why:        "It reads and writes a database branch, or manages databases as its permissions say.",
		Fix:        "Delete the password on the branch's page, or the service token under Settings, and create a new one.",
		Reference:  "https://planetscale.com/docs/api/reference/service-tokens",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>pscale_(?:tkn|pw|oauth|api|otkn)_[0-9A-Za-z=_.-]{32,64})` + after,
		Samples:    shaped("DATABASE_PASSWORD", `pscale_(?:tkn|pw|oauth)_[0-9A-Za-z_-]{42}[0-9A-Za-z]`),
	}, {
		ID:         "neon-api-key",
		Provider:   "neon",
		Title:      "Neon API key",
		Why:        "It manages its owner's or organisation's databases, and reads their passwords.",
		Fix:        "Revoke it under Account settings, API keys, and create one for the project that needs it.",
		Reference:  "https://neon.com/docs/manage/api-keys",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>napi_[0-9a-z]{64})\b`,
		Samples:    shaped("NEON_API_KEY", `napi_[0-9a-z]{64}`),
	}, {
		ID:         "neon-role-password",
		Provider:   "neon",
		Title:      "Neon database password",
		Why:        "It reads and writes a Postgres database as one of its roles.",
		Fix:        "Reset the role's password on the branch's Roles page.",
		Reference:  "https://neon.com/docs/manage/roles",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>npg_[0-9A-Za-z]{12,16})\b`,
		MinEntropy: 3,
		Samples:    shaped("PGPASSWORD", `npg_[0-9A-Za-z]{10}7a`),
	}, {
		ID:         "supabase-access-token",
		Provider:   "supabase",
		Title:      "Supabase access token",
		Why:        "It manages all projects of its owner: databases, keys, functions.",
		Fix:        "Revoke it under Account, Access tokens, and generate a new one.",
		Reference:  "https://supabase.com/docs/reference/api/introduction",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>sbp_(?:oauth_)?[0-9a-f]{40})\b`,
		Samples:    shaped("SUPABASE_ACCESS_TOKEN", `sbp_[0-9a-f]{40}`),
	}, {
		ID:         "supabase-secret-key",
		Provider:   "supabase",
		Title:      "Supabase secret key",
		Why:        "It reads and writes the whole project, past row level security.",
		Fix:        "Create another secret key under Settings, API keys, deploy it, and delete this one.",
		Reference:  "https://supabase.com/docs/guides/api/api-keys",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>sb_secret_[0-9A-Za-z_-]{22}_[0-9A-Za-z_-]{8})` + after,
		Check:      proof.SupabaseKey,
		Samples: func(g *scan.Gen) scan.Samples {
			s := sealed("SUPABASE_SECRET_KEY", func(g *scan.Gen) string { return proof.SealSupabase(g.String(scan.Base64URL, 22)) })(g)
			s.Match = append(s.Match, "key: sb_secret_"+g.String(scan.Base62, 22)+"_"+g.String(scan.Base62, 8)+"\n")
			s.NoMatch = append(s.NoMatch, "key: sb_publishable_"+g.String(scan.Base62, 22)+"_"+g.String(scan.Base62, 8)+"\n")
			return s
		},
	}, {
		ID:         "supabase-service-role-key",
		Provider:   "supabase",
		Title:      "Supabase service_role key",
		Why:        "It reads and writes the whole project, past row level security, and lives for ten years.",
		Fix:        "Change to secret keys under Settings, API keys, then disable the legacy ones (or rotate the JWT secret).",
		Reference:  "https://supabase.com/docs/guides/api/api-keys",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>eyJ[0-9A-Za-z_-]{20,120}\.eyJ[0-9A-Za-z_-]{40,250}\.[0-9A-Za-z_-]{43})` + after,
		Check:      proof.SupabaseJWT,
		NeedsProof: true,
		Samples: func(g *scan.Gen) scan.Samples {
			claims := map[string]any{"iss": "supabase", "ref": g.String(scan.LowerAZ, 20), "role": "service_role", "iat": 1700000000, "exp": 2015576000}
			key := proof.SealJWT(claims, g.Bytes(32))
			claims["role"] = "anon"
			return scan.Samples{
				Match:   inContexts("SUPABASE_SERVICE_ROLE_KEY", key),
				NoMatch: []string{"SUPABASE_ANON_KEY=" + proof.SealJWT(claims, g.Bytes(32)) + "\n"},
			}
		},
	}, {
		ID:         "upstash-token",
		Provider:   "upstash",
		Title:      "Upstash Redis REST token",
		Why:        "It reads and writes the whole database.",
		Fix:        "Reset the credentials on the database's page.",
		Reference:  "https://upstash.com/docs/redis/features/restapi",
		Confidence: scan.High,
		Expr:       named(`upstash|kv_rest_api|redis_rest`, `token|secret|pass`, `A[0-9A-Za-z]{3}[0-9A-Za-z+/_-]{36,110}={0,2}`),
		MinEntropy: 3.7,
		Check:      mixedAndRandom,
		Samples:    bound("UPSTASH_REDIS_REST_TOKEN", `A[a-z]{2}[0-9][0-9A-Za-z]{52}`),
	}, {
		ID:         "upstash-qstash-token",
		Provider:   "upstash",
		Title:      "Upstash QStash token",
		Why:        "It publishes and schedules messages to the account's endpoints.",
		Fix:        "Reset the token in the QStash console.",
		Reference:  "https://upstash.com/docs/qstash/howto/security",
		Confidence: scan.High,
		// base 64 of {"UserID":"
		Expr: begin + `(?P<secret>eyJVc2VySUQiOi[0-9A-Za-z+/]{60,200}={0,2})` + afterBase64,
		Samples: func(g *scan.Gen) scan.Samples {
			token := base64.StdEncoding.EncodeToString([]byte(`{"UserID":"` + g.UUID() + `","Password":"` + g.Hex(32) + `"}`))
			return scan.Samples{
				Match:   inAssignments("QSTASH_TOKEN", token),
				NoMatch: []string{"QSTASH_TOKEN=" + token[:40] + "\n", "QSTASH_TOKEN=${QSTASH_TOKEN}\n"},
			}
		},
	}, {
		ID:         "turso-token",
		Provider:   "turso",
		Title:      "Turso database token",
		Why:        "It reads, and mostly writes, a database or a group of them, and often never expires.",
		Fix:        "Invalidate the database's or group's tokens (turso db tokens invalidate), and create new ones.",
		Reference:  "https://docs.turso.tech/sdk/authentication",
		Confidence: scan.High,
		Expr:       named(`turso|libsql`, `token|auth|key|secret`, `eyJ[0-9A-Za-z_-]{20,60}\.eyJ[0-9A-Za-z_-]{20,180}\.[0-9A-Za-z_-]{86}`),
		Samples:    bound("TURSO_AUTH_TOKEN", `eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9\.eyJhIjoicnciLCJpYXQiOjE3MDAwMDAwMDAsImlkIjoi[0-9A-Za-z]{48}\.[0-9A-Za-z_-]{85}[0-9A-Za-z]`),
	}, {
		ID:         "deno-token",
		Provider:   "deno",
		Title:      "Deno Deploy access token",
		Why:        "It deploys and reads its owner's or organisation's projects.",
		Fix:        "Revoke it under Account settings, Access tokens, and create one that expires.",
		Reference:  "https://docs.deno.com/deploy/manual/deployctl/",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>dd[po]_[0-9A-Za-z]{36})\b`,
		Check:      proof.DenoToken,
		Samples: withFailed(sealed("DENO_DEPLOY_TOKEN", func(g *scan.Gen) string {
			return proof.SealDeno("dd"+g.String("po", 1)+"_", g.String(scan.Base62, 30))
		}), func(g *scan.Gen) string { return "DENO_DEPLOY_TOKEN=ddp_" + g.String(scan.Base62, 30) + "zzzzzz\n" }),
	}, {
		ID:         "cloudinary-url",
		Provider:   "cloudinary",
		Title:      "Cloudinary API secret in an address",
		Why:        "It uploads, changes and deletes all media of the account.",
		Fix:        "Generate another key pair under Settings, API keys, deploy it, and delete this one.",
		Reference:  "https://cloudinary.com/documentation/developer_onboarding_faq_find_credentials",
		Confidence: scan.High,
		Expr:       `\bcloudinary://(?P<id>[0-9]{12,18}):(?P<secret>[0-9A-Za-z_-]{27})@`,
		Public:     []string{"id"},
		MinEntropy: 3.5,
		Samples: func(g *scan.Gen) scan.Samples {
			head := "CLOUDINARY_URL=cloudinary://" + g.String("123456789", 15) + ":"
			return scan.Samples{Match: []string{head + g.String(scan.Base62, 27) + "@acme\n"}, NoMatch: []string{head + "<secret>@acme\n"}}
		},
	}, {
		ID:         "bunny-api-key",
		Provider:   "bunny",
		Title:      "Bunny.net API key",
		Why:        "It changes and reads the account's storage, pull zones and DNS.",
		Fix:        "Reset it under Account settings, API.",
		Reference:  "https://docs.bunny.net/reference/bunnynet-api-overview",
		Confidence: scan.High,
		Expr:       named(`bunny|accessk|access[_-]k`, `key|ey|token|pass`, `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{20}-[0-9a-f]{4}-[0-9a-f]{4}|`+uuidExpr+uuidExpr),
		Samples:    bound("BUNNY_ACCESS_KEY", uuidExpr+uuidExpr),
	}}
}

// tunnelToken proves a Cloudflare Tunnel token: the base 64 of JSON with an
// account, a tunnel and a secret.
func tunnelToken(c scan.Candidate) scan.Evidence {
	raw, err := base64.StdEncoding.DecodeString(string(c.Secret()))
	if err != nil {
		return scan.Evidence{}
	}
	var t struct {
		Account string `json:"a"`
		Tunnel  string `json:"t"`
		Secret  string `json:"s"`
	}
	if json.Unmarshal(raw, &t) != nil || len(t.Account) != 32 || !proof.UUID([]byte(t.Tunnel)) || t.Secret == "" {
		return scan.Evidence{}
	}
	ev := scan.Holds("decodes to an account, a tunnel and a secret")
	ev.PublicID = "tunnel " + t.Tunnel
	return ev
}
