package proof

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
)

// The Seal functions complete a body with its checksum, so that the samples of
// rules can be made at run time and no checksum-valid token stands in the source
// tree. They are for samples and tests; what they make opens nothing.

// SealGitHub makes a GitHub token: prefix "ghp_" and kin, a body of 30 (or, for
// ghr_, 70) base-62 characters.
func SealGitHub(prefix, body string) string { return prefix + body + crc32Base62([]byte(body)) }

// SealGitHubFineGrained makes a github_pat_ token of an id of 22 characters, a
// body of 43 and a tail of 8, all base 62.
func SealGitHubFineGrained(id, body, tail string) string {
	head := "github_pat_" + id + "_" + body
	return head + fineGrainedSum([]byte(head)) + tail
}

// SealNPM makes an npm token of a body of 30 base-62 characters.
func SealNPM(body string) string { return SealGitHub("npm_", body) }

// SealVercel makes a Vercel token: prefix "vcp_" and kin, a body of 50 base-62
// characters.
func SealVercel(prefix, body string) string { return SealGitHub(prefix, body) }

// SealPolar makes a Polar token: prefix "polar_at_" and kin, a body of 37
// base-62 characters.
func SealPolar(prefix, body string) string { return SealGitHub(prefix, body) }

// SealSaladCloud makes a SaladCloud key; scope is "user" or "org".
func SealSaladCloud(scope, body string) string {
	return SealGitHub("salad_cloud_"+scope+"_", body)
}

// SealDeno makes a Deno Deploy token: prefix "ddp_" or "ddo_", a body of 30
// base-62 characters.
func SealDeno(prefix, body string) string {
	return prefix + body + crc32Base62([]byte(prefix+body))
}

// SealApify makes an Apify token of a body of 30 base-62 characters.
func SealApify(body string) string {
	head := "apify_api_" + body
	return head + digits(crc32IEEE([]byte(head)), base62LowerFirst, 6)
}

// SealCloudflare makes a Cloudflare token: prefix "cfut_" and kin, a body of 40
// base-62 characters.
func SealCloudflare(prefix, body string) string { return prefix + body + crc32Hex([]byte(body)) }

// SealZuplo makes a Zuplo key of a body of 32 base-62 characters.
func SealZuplo(body string) string { return "zpka_" + body + "_" + crc32Hex([]byte(body)) }

// SealConfluent makes a Confluent API secret of a body of 54 base-64 characters.
func SealConfluent(body string) string { return "cflt" + body + confluentSum([]byte(body)) }

// SealGitLab makes a routable GitLab token: prefix "glpat-" and kin, a payload of
// 27 or more base64url characters.
func SealGitLab(prefix, payload string) string {
	head := prefix + payload + ".01." + digits(uint32(len(payload)), base36Lower, 2)
	return head + digits(crc32IEEE([]byte(head)), base36Lower, 7)
}

// SealGrafana makes a Grafana service account token of a body of 32 base-62
// characters.
func SealGrafana(body string) string {
	head := "glsa_" + body
	return head + "_" + grafanaSum([]byte(head))
}

// SealGrafanaCloud makes a glc_ access policy token of a name and a key.
func SealGrafanaCloud(name, key string) string {
	return "glc_" + sealJSON(base64.StdEncoding, map[string]any{
		"o": "1", "n": name, "k": key, "m": map[string]any{"r": "eu"},
	})
}

// SealGrafanaLegacy makes a legacy Grafana API key of a name and a key.
func SealGrafanaLegacy(name, key string) string {
	return sealText(base64.StdEncoding, fmt.Sprintf(`{"k":%q,"n":%q,"id":1}`, key, name))
}

// SealAtlassian makes an Atlassian token; head is everything before the
// checksum: "ATATT3xFfGF0…=" of 184 characters, or "ATBB" and 24.
func SealAtlassian(head string) string { return head + strings.ToUpper(crc32Hex([]byte(head))) }

// SealAtlassianDC makes a data centre token of an id and 20 bytes.
func SealAtlassianDC(id uint32, random []byte) string {
	return sealText(base64.StdEncoding, fmt.Sprintf("%012d:%s", id, random))
}

// SealJFrogReference makes a JFrog reference token of an expiry in Unix seconds
// (0 is never) and a body of 27 base-62 characters.
func SealJFrogReference(expiry uint64, body string) string {
	return sealText(base64.RawStdEncoding, fmt.Sprintf("reftkn:01:%010d:%s", expiry, body))
}

// SealSupabase makes a self-hosted key of a body of 22 base64url characters.
func SealSupabase(body string) string {
	head := "sb_secret_" + body
	return head + "_" + supabaseSum([]byte(head))
}

// SealAzure makes a key of the service with this signature ("+ASt", "ACDb", …)
// from random bytes, of which as many are used as the key has; there must be 64.
// It returns "" if the signature is unknown.
func SealAzure(signature string, random []byte) string {
	for i := range azureKinds {
		k := &azureKinds[i]
		if k.signature != signature || len(random) < k.size {
			continue
		}
		text := []byte(base64.RawStdEncoding.EncodeToString(random[:k.size]))
		copy(text[len(text)-10:], signature)
		raw, err := base64.RawStdEncoding.DecodeString(string(text))
		if err != nil {
			return ""
		}
		binary.LittleEndian.PutUint32(raw[k.size-4:], marvin32(raw[:k.size-4], k.seeds[0]))
		return base64.StdEncoding.EncodeToString(raw)
	}
	return ""
}

// SealCASK makes an 84-character Azure key of 52, 12 and 4 base-62 characters
// and the provider's signature ("AZDO"), dated January 2025.
func SealCASK(random, platform, reserved, provider string) string {
	head := random + "JQQJ99" + "BA" + platform + reserved + provider
	body, err := base64.StdEncoding.DecodeString(head)
	if err != nil || len(head) != caskSum {
		return ""
	}
	little := binary.LittleEndian.AppendUint32(nil, marvin32(body, "Default0"))
	return head + caskBase62(little)[:4]
}

// SealEntra makes an Entra client secret of 3 and 31 base-62 characters.
func SealEntra(first, rest string) string {
	head := first + "8Q~" + rest
	return head + entraSum([]byte(head))
}

// SealAzureDevOps makes a legacy Azure DevOps token of 32 random bytes.
func SealAzureDevOps(random []byte) string {
	raw := append([]byte(nil), random[:32]...)
	sum := crc32IEEE(devOpsBody(raw)) ^ devOpsUser
	for i, at := range devOpsSumAt {
		raw[at] = byte(sum >> (24 - 8*i))
	}
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw))
}

// SealAWSKeyID makes an access key id with this prefix ("AKIA", "ASIA") for an
// account number, of ten random bytes.
func SealAWSKeyID(prefix string, account uint64, random []byte) string {
	var raw [10]byte
	copy(raw[:], random)
	v := 1<<47 | account&(1<<40-1)<<7 | uint64(raw[5]&0x7f)
	for i := range 6 {
		raw[i] = byte(v >> (40 - 8*i))
	}
	return prefix + base32.StdEncoding.EncodeToString(raw[:])
}

// SealBedrock makes a long-term Bedrock API key of a user name's tail, an account
// number and the key's bytes.
func SealBedrock(user string, account uint64, key []byte) string {
	return "ABSK" + sealText(base64.StdEncoding,
		fmt.Sprintf("BedrockAPIKey-%s-at-%012d:%s", user, account, base64.StdEncoding.EncodeToString(key)))
}

// SealJWT makes an HS256 token of claims, signed with key.
func SealJWT(claims map[string]any, key []byte) string {
	head := sealText(base64.RawURLEncoding, `{"alg":"HS256","typ":"JWT"}`) + "." + sealJSON(base64.RawURLEncoding, claims)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(head))
	return head + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// SealMapbox makes a Mapbox token; kind is "sk", "pk" or "tk", signature 22
// base64url characters.
func SealMapbox(kind, user, signature string) string {
	return kind + "." + sealText(base64.RawURLEncoding, fmt.Sprintf(`{"u":%q,"a":"cl0123456789abcdef"}`, user)) + "." + signature
}

// SealPyPI makes a PyPI token of a key id and 32 signature bytes. host is
// "pypi.org" or "test.pypi.org".
func SealPyPI(host, id string, signature []byte) string {
	b := []byte{2}
	field := func(kind byte, value []byte) {
		b = append(b, kind)
		b = binary.AppendUvarint(b, uint64(len(value)))
		b = append(b, value...)
	}
	field(1, []byte(host))
	field(2, []byte(id))
	b = append(b, 0)
	field(2, []byte(`{"version":1,"permissions":"user"}`))
	b = append(b, 0, 0)
	field(6, signature)
	return "pypi-" + base64.RawURLEncoding.EncodeToString(b)
}

// SealFly makes one fm2_ macaroon of 16 and 32 random bytes.
func SealFly(id, tail []byte) string {
	const location = "https://api.fly.io/v1"
	bin := func(b, value []byte) []byte { return append(append(b, 0xc4, byte(len(value))), value...) }
	b := []byte{0x94, 0x93}
	b = bin(bin(b, id), id)
	b = append(append(b, 0xc2, 0xa0|byte(len(location))), location...)
	b = append(b, 0x92, 0x00, 0x91, 0xcf, 0, 0, 0, 0, 0, 0, 0, 1)
	return "fm2_" + base64.StdEncoding.EncodeToString(bin(b, tail))
}

// SealVault makes a Vault service token of an inner token of 24 base-62
// characters and a 32-byte HMAC.
func SealVault(inner string, mac []byte) string {
	token := []byte{0x0a, byte(len(inner) + 4)}
	token = append(token, "hvs."+inner...)
	b := append([]byte{0x08, 0x01, 0x12, byte(len(mac))}, mac...)
	b = append(b, 0x1a, byte(len(token)))
	return "hvs." + base64.RawURLEncoding.EncodeToString(append(b, token...))
}

// SealSentry makes a Sentry organisation token of an organisation and 43
// base-64 characters.
func SealSentry(org, body string) string {
	return "sntrys_" + sealText(base64.RawStdEncoding, fmt.Sprintf(
		`{"iat":1700000000.1,"url":"https://sentry.io","region_url":"https://us.sentry.io","org":%q}`, org)) + "_" + body
}

// Seal1Password makes a 1Password service account token of a key.
func Seal1Password(key string) string {
	return "ops_" + sealJSON(base64.RawURLEncoding, map[string]any{
		"signInAddress": "my.1password.com", "userAuth": map[string]any{"method": "SRPg-4096"},
		"email": "robot@1passwordserviceaccounts.com", "srpX": key, "muk": map[string]any{"k": key},
		"secretKey": key, "throttleSecret": map[string]any{}, "deviceUuid": key,
	})
}

// SealDiscord makes a bot token of a user id, 6 and 38 base64url characters.
func SealDiscord(id uint64, middle, tail string) string {
	return sealText(base64.RawStdEncoding, fmt.Sprint(id)) + "." + middle + "." + tail
}

// SealLangSmith makes a LangSmith key; kind is "pt" or "sk", id 32 and tail 10
// hexadecimal digits.
func SealLangSmith(kind, id, tail string) string {
	b := []byte(id)
	b[12], b[16] = '4', '8'
	return "lsv2_" + kind + "_" + string(b) + "_" + tail
}

// SealPostman makes a Postman API key of 16 and 34 hexadecimal digits, dated 2024.
func SealPostman(id, key string) string { return "PMAK-" + "66000000" + id + "-" + key }

// SealDockerSwarm makes a join token of 50 and 25 base-36 digits.
func SealDockerSwarm(digest, secret string) string {
	return "SWMTKN-1-" + "0" + digest[1:] + "-" + "0" + secret[1:]
}

// SealClerk makes a publishable key; kind is "live" or "test".
func SealClerk(kind, domain string) string {
	return "pk_" + kind + "_" + sealText(base64.StdEncoding, domain+"$")
}

// SealOpenAI makes an OpenAI key: prefix "sk-", "sk-proj-" and kin, and two
// halves of equal length (20, 58 or 74 characters).
func SealOpenAI(prefix, first, second string) string { return prefix + first + openAIInfix + second }

// SealGroq makes a Groq key of 20 and 24 base-62 characters.
func SealGroq(first, second string) string { return "gsk_" + first + groqInfix + second }

func sealText(enc *base64.Encoding, text string) string { return enc.EncodeToString([]byte(text)) }

// sealJSON encodes values that always marshal.
func sealJSON(enc *base64.Encoding, v map[string]any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return enc.EncodeToString(b)
}
