package proof

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/keywright/keywright/scan"
)

func candidate(secret string) scan.Candidate {
	return scan.Candidate{Text: []byte(secret), Roles: []string{scan.RoleSecret}, Spans: [][]byte{[]byte(secret)}}
}

// flip changes the character at i (from the end if negative) to another of its class.
func flip(s string, i int) string {
	if i < 0 {
		i += len(s)
	}
	c := s[i]
	switch {
	case c == '9':
		c = '0'
	case c == 'z', c == 'Z', c == 'f':
		c--
	default:
		c++
	}
	return s[:i] + string(c) + s[i+1:]
}

// A token is made valid, broken at one place, and judged.
func TestSealedTokens(t *testing.T) {
	g := scan.NewGen(2)
	b62 := func(n int) string { return g.String(scan.Base62, n) }
	tests := []struct {
		name  string
		check func(scan.Candidate) scan.Evidence
		token string
		at    int // where a change must be noticed
		len   int // the documented length, if it is fixed
	}{
		{"github classic", GitHubToken, SealGitHub("ghp_", b62(30)), 9, 40},
		{"github server", GitHubToken, SealGitHub("ghs_", b62(30)), -1, 40},
		{"github refresh", GitHubToken, SealGitHub("ghr_", b62(70)), 40, 80},
		{"github fine-grained", GitHubFineGrained, SealGitHubFineGrained(b62(22), b62(43), b62(8)), 20, 93},
		{"npm", NPMToken, SealNPM(b62(30)), 10, 40},
		{"vercel", VercelToken, SealVercel("vcp_", b62(50)), 10, 60},
		{"polar", PolarToken, SealPolar("polar_oat_", b62(37)), 20, 53},
		{"saladcloud", SaladCloudKey, SealSaladCloud("user", b62(48)), 30, 0},
		{"deno", DenoToken, SealDeno("ddp_", b62(30)), 10, 40},
		{"apify", ApifyToken, SealApify(b62(30)), 20, 46},
		{"cloudflare", CloudflareToken, SealCloudflare("cfut_", b62(40)), 20, 53},
		{"zuplo", ZuploKey, SealZuplo(b62(32)), 20, 46},
		{"confluent", ConfluentSecret, SealConfluent(b62(54)), 20, 64},
		{"gitlab", GitLabToken, SealGitLab("glpat-", b62(27)), 10, 46},
		{"grafana", GrafanaServiceAccount, SealGrafana(b62(32)), 10, 46},
		{"atlassian", AtlassianToken, SealAtlassian("ATATT3xFfGF0" + b62(171) + "="), 50, 192},
		{"bitbucket", AtlassianToken, SealAtlassian("ATBB" + b62(24)), 10, 36},
		{"azure storage", AzureKey, SealAzure("+ASt", g.Bytes(64)), 10, 88},
		{"azure cosmos", AzureKey, SealAzure("ACDb", g.Bytes(64)), 10, 88},
		{"azure redis", AzureKey, SealAzure("AzCa", g.Bytes(64)), 10, 44},
		{"azure cask", AzureCASK, SealCASK(b62(52), b62(12), b62(4), "AZDO"), 10, 84},
		{"entra", EntraSecret, SealEntra(b62(3), b62(31)), 10, 40},
		{"grafana cloud", GrafanaCloud, SealGrafanaCloud("stack-1", b62(24)), 5, 0},
		{"pypi", PyPIToken, SealPyPI("pypi.org", g.UUID(), g.Bytes(32)), 7, 0},
		{"fly", FlyToken, "FlyV1 " + SealFly(g.Bytes(16), g.Bytes(32)), 11, 0},
		{"vault", VaultToken, SealVault(b62(24), g.Bytes(32)), 52, 0},
		{"jfrog reference", JFrogReference, SealJFrogReference(1799999999, b62(27)), 2, 64},
		{"atlassian dc", AtlassianDataCenter, SealAtlassianDC(123456789, g.Bytes(20)), 16, 44},
		{"sentry", SentryToken, SealSentry("acme", b62(43)), 8, 0},
		{"1password", OnePasswordToken, Seal1Password(b62(32)), 5, 0},
		{"discord", DiscordToken, SealDiscord(198622483471925248, b62(6), b62(38)), 1, 0},
		{"mapbox", MapboxToken, SealMapbox("sk", "acme", b62(22)), 4, 0},
		{"bedrock", BedrockKey, SealBedrock("ab12", 123456789012, g.Bytes(40)), 5, 0},
		{"putty 2", PuTTYKey, SealPuTTYKey(2, g.Bytes(32)), -3, 0},
		{"putty 3", PuTTYKey, SealPuTTYKey(3, g.Bytes(32)), -3, 0},
		{"pgp", PEMKey, SealPGPKey(g.Bytes(32)), 60, 0},
		{"openssh", PEMKey, SealOpenSSHKey(g.Bytes(32)), 300, 0},
		{"rsa", PEMKey, SealRSAKey(g, 1024), 200, 0},
		{"ec", PEMKey, SealECKey(g.Bytes(32)), 50, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if e := tt.check(candidate(tt.token)); e.Proof != scan.Proved || e.Reject || e.Cap != 0 {
				t.Errorf("sealed: %+v", e)
			}
			if e := tt.check(candidate(flip(tt.token, tt.at))); e.Proof != scan.Failed || e.Reason == "" {
				t.Errorf("changed: %+v", e)
			}
			if tt.len != 0 && len(tt.token) != tt.len {
				t.Errorf("length %d, want %d", len(tt.token), tt.len)
			}
			if e := tt.check(candidate("")); e.Proof == scan.Proved {
				t.Errorf("empty: %+v", e)
			}
		})
	}
}

// Checks that cannot contradict: what is sealed is proved, what is changed is not.
func TestProofsThatCannotFail(t *testing.T) {
	g := scan.NewGen(3)
	for _, tt := range []struct {
		name  string
		check func(scan.Candidate) scan.Evidence
		token string
		at    int
	}{
		{"supabase", SupabaseKey, SealSupabase(g.String(scan.Base64URL, 22)), 15},
		{"azure devops", AzureDevOpsPAT, SealAzureDevOps(g.Bytes(32)), 20},
		{"azure service bus", AzureKey, SealAzure("+ASb", g.Bytes(64)), 3},
		{"azure search", AzureKey, SealAzure("AzSe", g.Bytes(64)), 3},
		{"azure functions", AzureKey, SealAzure("AzFu", g.Bytes(64)), 3},
	} {
		if e := tt.check(candidate(tt.token)); e.Proof != scan.Proved {
			t.Errorf("%s, sealed: %+v", tt.name, e)
		}
		if e := tt.check(candidate(flip(tt.token, tt.at))); e.Proof != scan.Unproved {
			t.Errorf("%s, changed: %+v", tt.name, e)
		}
	}
}

// Tokens that vendors publish, in pieces.
func TestPublishedTokens(t *testing.T) {
	// grafana/grafana, pkg/components/satokengen: valid by their own test.
	body := "glsa_" + "yscW25imSKJIuav8zF37RZmnbiDvB05G"
	if got := grafanaSum([]byte(body)); got != "fcaaf58a" {
		t.Errorf("grafanaSum = %s", got)
	}
	// microsoft/security-utilities, the example of an Entra client secret.
	if got := entraSum([]byte("zzz8Q~" + strings.Repeat("z", 31))); got != "blP" {
		t.Errorf("entraSum = %s", got)
	}
	// Tal Be'ery, "A short note on AWS key id".
	e := AWSKeyID(candidate("ASIA" + "QNZGKIQY56" + "JQ7WML"))
	if e.PublicID != "AWS account 029608264753" || e.Proof != scan.Unproved {
		t.Errorf("AWSKeyID = %+v", e)
	}
}

func TestPublishedExamples(t *testing.T) {
	for _, tt := range []struct {
		name  string
		check func(scan.Candidate) scan.Evidence
		token string
	}{
		{"aws id", AWSKeyID, "AKIA" + "IOSFODNN7" + "EXAMPLE"},
		{"aws secret", AWSSecretKey, "wJalrXUtnFEMI" + "/K7MDENG/bPxRfiCY" + "EXAMPLEKEY"},
		{"azurite", AzureKey, "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1" + "OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K" + "1SZFPTOtr/KBHBeksoGMGw=="},
		{"cosmos emulator", AzureKey, "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEH" + "LM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPM" + "bIZnqyMsEcaGQy67XIw/Jw=="},
		{"github", GitHubToken, "ghp_" + "16C7e42F292c6912E771" + "0c838347Ae178B4a"},
		{"grafana", GrafanaServiceAccount, "glsa_" + "yscW25imSKJIuav8zF37RZmnbiDvB05G" + "_fcaaf58a"},
		{"wireguard", WireGuardKey, "yAnz5TF+lXXJte14" + "tji3zlMNq+hd2rYUIgJBgB3fBmk="},
		{"entra", EntraSecret, "zzz8Q~" + strings.Repeat("z", 31) + "blP"},
		{"jwt.io", JWT, jwtIO},
	} {
		if e := tt.check(candidate(tt.token)); e.Cap != scan.Low || !strings.HasPrefix(e.Reason, "a published example: ") {
			t.Errorf("%s: %+v", tt.name, e)
		}
	}
	if _, ok := PublishedExample([]byte("nothing")); ok {
		t.Error("a word is a published example")
	}
}

// jwt.io's sample token, without typing a token.
var jwtIO = strings.Join([]string{
	base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)),
	base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"1234567890","name":"John Doe","iat":1516239022}`)),
	"SflKxwRJSMeKKF2QT4" + "fwpMeJf36POk6yJV_" + "adQssw5c",
}, ".")

func TestJWT(t *testing.T) {
	g := scan.NewGen(4)
	key := g.Bytes(32)
	claims := func(more map[string]any) map[string]any {
		more["iss"] = "https://auth.acme.dev"
		return more
	}
	tests := []struct {
		name, token string
		want        scan.Evidence
	}{
		{"expiring", SealJWT(claims(map[string]any{"exp": 1704153600}), key),
			scan.Evidence{Reason: "a JWT signed with HS256, expires 2024-01-02", PublicID: "https://auth.acme.dev"}},
		{"lasting", SealJWT(claims(map[string]any{}), key),
			scan.Evidence{Reason: "a JWT signed with HS256", PublicID: "https://auth.acme.dev"}},
		{"odd expiry", SealJWT(claims(map[string]any{"exp": "soon"}), key),
			scan.Evidence{Reason: "a JWT signed with HS256", PublicID: "https://auth.acme.dev"}},
		{"anon", SealJWT(map[string]any{"role": "anon", "iss": "supabase"}, key), scan.Rejected},
		{"tutorial", SealJWT(map[string]any{"sub": "1"}, []byte("secret")),
			exampleOf("a token signed with a secret from a tutorial")},
		{"demo", SealJWT(map[string]any{"iss": "supabase-demo", "role": "service_role"}, key), exampleOf("Supabase's demo token")},
		{"unsigned", strings.TrimRight(jwtIO[:strings.LastIndexByte(jwtIO, '.')], "=") + ".", exampleOf("jwt.io's sample token")},
		{"cut", SealJWT(map[string]any{}, key)[5:], scan.Fails("does not parse as a JWT: edited, truncated or an example")},
		{"two parts", "eyJhbGciOiJIUzI1NiJ9.e30", scan.Fails("does not parse as a JWT: edited, truncated or an example")},
		{"encrypted", base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"dir","enc":"A256GCM"}`)) + "..a.b.c",
			scan.Evidence{Reason: "an encrypted JWT", Cap: scan.Medium}},
	}
	for _, tt := range tests {
		if got := JWT(candidate(tt.token)); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
	service := SealJWT(map[string]any{"iss": "supabase", "ref": "abcdefghijklmnopqrst", "role": "service_role", "exp": 2000000000}, key)
	if e := SupabaseJWT(candidate(service)); e.Proof != scan.Proved || e.PublicID != "abcdefghijklmnopqrst" {
		t.Errorf("service_role: %+v", e)
	}
	if e := SupabaseJWT(candidate(SealJWT(map[string]any{"role": "anon"}, key))); !e.Reject {
		t.Errorf("anon: %+v", e)
	}
}

// RFC 7515, appendix A.1: the token, and its HMAC under the published key.
func TestJWTPublished(t *testing.T) {
	token := "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9" + "." +
		"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ" + "." +
		"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	parsed, ok := parseJWT([]byte(token))
	if !ok || parsed.expiry() != "2011-03-22" || parsed.issuer() != "joe" {
		t.Fatalf("parseJWT: %v, %q", ok, parsed.expiry())
	}
	if e := JWT(candidate(token)); e != exampleOf("the token of RFC 7519") {
		t.Errorf("JWT = %+v", e)
	}
	// jwt.io's sample is signed with its own tutorial secret: the HMAC holds.
	if parsed, ok := parseJWT([]byte(jwtIO)); !ok || !parsed.signedWithWellKnown() {
		t.Error("jwt.io's sample is not signed with a well-known secret")
	}
}

func TestGitHubStatelessToken(t *testing.T) {
	token := "ghs_" + "1234567_" + SealJWT(map[string]any{"iss": "1"}, []byte("k"))
	if e := GitHubToken(candidate(token)); e.Proof != scan.Proved {
		t.Errorf("whole: %+v", e)
	}
	if e := GitHubToken(candidate(token[:len(token)-60])); e.Proof != scan.Failed {
		t.Errorf("cut: %+v", e)
	}
}

func TestAWSKeyID(t *testing.T) {
	g := scan.NewGen(5)
	id := SealAWSKeyID("AKIA", 123456789012, g.Bytes(10))
	pair := scan.Candidate{
		Text:  []byte(id),
		Roles: []string{scan.RoleSecret, "id"},
		Spans: [][]byte{[]byte(g.String(scan.Base62, 40)), []byte(id)},
	}
	for name, e := range map[string]scan.Evidence{"alone": AWSKeyID(candidate(id)), "pair": AWSSecretKey(pair)} {
		if e.PublicID != "AWS account 123456789012" || e.Proof != scan.Unproved || len(id) != 20 {
			t.Errorf("%s: %+v", name, e)
		}
	}
	for text, want := range map[string]scan.Evidence{
		"AROA" + id[4:]:                            scan.Rejected,
		"AKIA" + "J" + id[5:]:                      {},
		SealAWSKeyID("AKIA", 1<<40-1, g.Bytes(10)): scan.Fails("holds no possible account number: edited or an example"),
		"AKIA" + "1234567890ABCDEF":                scan.Fails("not in base 32: edited or an example"),
		"AKIA":                                     {},
	} {
		if got := AWSKeyID(candidate(text)); got != want {
			t.Errorf("%s: %+v", text, got)
		}
	}
	if e := AWSSecretKey(candidate(g.Hex(40))); !e.Reject {
		t.Errorf("a digest: %+v", e)
	}
}

func TestAzureCASKDate(t *testing.T) {
	g := scan.NewGen(6)
	key := SealCASK(g.String(scan.Base62, 52), g.String(scan.Base62, 12), g.String(scan.Base62, 4), "AZDO")
	if e := AzureCASK(candidate(key)); e.Reason != "Marvin checksum matches; made in 2025-01" {
		t.Errorf("%+v", e)
	}
	if got := caskBase62([]byte{0, 0, 0, 61}); got != "000z00" {
		t.Errorf("caskBase62 = %s", got)
	}
}

func TestPublicTokensAreRejected(t *testing.T) {
	g := scan.NewGen(7)
	for name, e := range map[string]scan.Evidence{
		"mapbox":   MapboxToken(candidate(SealMapbox("pk", "acme", g.String(scan.Base64URL, 22)))),
		"clerk":    ClerkKey(candidate(SealClerk("live", "clerk.acme.dev"))),
		"supabase": SupabaseKey(candidate("sb_publishable_" + g.String(scan.Base64URL, 22) + "_abcdefgh")),
	} {
		if !e.Reject {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

func TestShapeJudges(t *testing.T) {
	g := scan.NewGen(8)
	b62 := func(n int) string { return g.String(scan.Base62, n) }
	digest := "0" + g.String(base36Lower, 49)
	tests := []struct {
		name  string
		check func(scan.Candidate) scan.Evidence
		text  string
		want  scan.Proof
	}{
		{"langsmith", LangSmithKey, SealLangSmith("pt", g.Hex(32), g.Hex(10)), scan.Unproved},
		{"langsmith v1", LangSmithKey, "lsv2_pt_" + strings.Repeat("1", 32) + "_" + g.Hex(10), scan.Failed},
		{"postman", PostmanKey, SealPostman(g.Hex(16), g.Hex(34)), scan.Unproved},
		{"postman, 2090", PostmanKey, "PMAK-" + "e2000000" + g.Hex(16) + "-" + g.Hex(34), scan.Failed},
		{"swarm", DockerSwarmToken, SealDockerSwarm(digest, g.String(base36Lower, 25)), scan.Unproved},
		{"swarm, too large", DockerSwarmToken, "SWMTKN-1-" + strings.Repeat("z", 50) + "-" + strings.Repeat("0", 25), scan.Failed},
		{"swarm key", DockerSwarmToken, "SWMKEY-1-" + base64.RawStdEncoding.EncodeToString(g.Bytes(32)), scan.Unproved},
		{"openai", OpenAIKey, SealOpenAI("sk-proj-", b62(74), b62(74)), scan.Unproved},
		{"openai, cut", OpenAIKey, SealOpenAI("sk-", b62(20), b62(12)), scan.Failed},
		{"openai, filled", OpenAIKey, SealOpenAI("sk-", strings.Repeat("x", 20), strings.Repeat("x", 20)), scan.Failed},
		{"groq", GroqKey, SealGroq(b62(20), b62(24)), scan.Unproved},
		{"groq, moved", GroqKey, SealGroq(b62(19), b62(25)), scan.Failed},
		{"groq, unmarked", GroqKey, "gsk_" + b62(52), scan.Unproved},
		{"gitlab, old", GitLabToken, "glpat-" + b62(20), scan.Unproved},
		{"vault, old", VaultToken, "hvs." + b62(24), scan.Unproved},
		{"fly, old", FlyToken, "fo1_" + b62(43), scan.Unproved},
		{"azure, no signature", AzureKey, base64.StdEncoding.EncodeToString(g.Bytes(64)), scan.Unproved},
		{"entra, 7Q", EntraSecret, b62(3) + "7Q~" + b62(31), scan.Unproved},
		{"jfrog key", JFrogKey, "AKCp8" + g.String(scan.Base58, 68), scan.Unproved},
		{"jfrog key, l", JFrogKey, "AKCp8" + g.String(scan.Base58, 67) + "l", scan.Failed},
		{"sentry user", SentryToken, "sntryu_" + g.Hex(64), scan.Unproved},
		{"wireguard, short", WireGuardKey, base64.StdEncoding.EncodeToString(g.Bytes(31)), scan.Failed},
	}
	for _, tt := range tests {
		if e := tt.check(candidate(tt.text)); e.Proof != tt.want || e.Reject {
			t.Errorf("%s: %+v", tt.name, e)
		}
	}
}

func TestWireGuardClamp(t *testing.T) {
	raw := scan.NewGen(9).Bytes(32)
	raw[0], raw[31] = raw[0]&^7, raw[31]&0x3f|0x40
	if e := WireGuardKey(candidate(base64.StdEncoding.EncodeToString(raw))); e.Cap != 0 {
		t.Errorf("clamped: %+v", e)
	}
	raw[0] |= 1
	if e := WireGuardKey(candidate(base64.StdEncoding.EncodeToString(raw))); e.Cap != scan.Medium {
		t.Errorf("not clamped: %+v", e)
	}
}

// libmacaroons' README describes the format; this one is put together by hand.
func TestMacaroonByHand(t *testing.T) {
	raw, err := hex.DecodeString("02" + "0108" + hex.EncodeToString([]byte("pypi.org")) + "0203" + "616263" + "00" +
		"0201" + "7b" + "00" + "00" + "0620" + strings.Repeat("ab", 32))
	if err != nil {
		t.Fatal(err)
	}
	if location, ok := parseMacaroon(raw); !ok || location != "pypi.org" {
		t.Errorf("parseMacaroon = %q, %v", location, ok)
	}
	for i := range raw {
		if _, ok := parseMacaroon(raw[:i]); ok {
			t.Errorf("cut at %d, it still parses", i)
		}
	}
}

func FuzzTokens(f *testing.F) {
	g := scan.NewGen(10)
	for _, s := range []string{
		"", "x", SealGitHub("ghp_", g.String(scan.Base62, 30)), SealPyPI("pypi.org", "id", g.Bytes(32)),
		SealFly(g.Bytes(16), g.Bytes(32)), SealVault(g.String(scan.Base62, 24), g.Bytes(32)), jwtIO,
		SealAzure("+ASt", g.Bytes(64)), SealAzureDevOps(g.Bytes(32)), SealSentry("a", "b"),
		"fm2_" + base64.StdEncoding.EncodeToString([]byte{0x94, 0x93, 0xdd, 0xff, 0xff, 0xff, 0xff}),
	} {
		f.Add(s)
	}
	checks := []func(scan.Candidate) scan.Evidence{
		GitHubToken, GitHubFineGrained, NPMToken, VercelToken, PolarToken, SaladCloudKey, DenoToken, ApifyToken,
		CloudflareToken, ZuploKey, ConfluentSecret, GitLabToken, GrafanaServiceAccount, GrafanaCloud, GrafanaLegacyKey,
		AtlassianToken, AtlassianDataCenter, SupabaseKey, SupabaseJWT, JWT, AzureKey, AzureCASK, EntraSecret, AzureDevOpsPAT,
		AWSKeyID, AWSSecretKey, BedrockKey, JFrogReference, JFrogKey, PyPIToken, FlyToken, VaultToken, SentryToken,
		OnePasswordToken, DiscordToken, LangSmithKey, PostmanKey, DockerSwarmToken, MapboxToken, ClerkKey, OpenAIKey,
		GroqKey, WireGuardKey, WireGuardPresharedKey,
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, check := range checks {
			check(candidate(s))
		}
	})
}
