package proof

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strings"

	"github.com/keywright/keywright/scan"
)

// mismatch is what a failed checksum tells.
const mismatch = " does not match: edited, truncated or an example"

// matches is the evidence of a checksum comparison; what names the checksum.
func matches(ok bool, what string) scan.Evidence {
	if ok {
		return scan.Holds(what + " matches")
	}
	return scan.Fails(what + mismatch)
}

// splitTail cuts the last n bytes off.
func splitTail(b []byte, n int) (head, tail []byte, ok bool) {
	if len(b) <= n {
		return nil, nil, false
	}
	return b[:len(b)-n], b[len(b)-n:], true
}

// afterPrefix returns what follows the first of the prefixes that b has.
func afterPrefix(b []byte, prefixes ...string) (rest []byte, ok bool) {
	for _, p := range prefixes {
		if rest, ok := bytes.CutPrefix(b, []byte(p)); ok {
			return rest, true
		}
	}
	return nil, false
}

// crcOfBody checks the last six base-62 digits against the CRC-32 of what
// stands between prefix and digits.
func crcOfBody(secret []byte, prefixes ...string) scan.Evidence {
	rest, ok := afterPrefix(secret, prefixes...)
	if !ok {
		return scan.Evidence{}
	}
	body, sum, ok := splitTail(rest, 6)
	if !ok {
		return scan.Evidence{}
	}
	return matches(crc32Base62(body) == string(sum), "CRC-32")
}

// GitHubToken proves ghp_, gho_, ghu_, ghs_ and ghr_ tokens: the last six of 36
// (or 76) characters are the CRC-32 of those before them. A stateless
// installation token (ghs_, digits, a JWT) is proved when the JWT parses.
// Source: "Behind GitHub's new authentication token formats", github.blog, 2021.
func GitHubToken(c scan.Candidate) scan.Evidence {
	secret := c.Secret()
	if e, ok := publishedExample(secret); ok {
		return e
	}
	if rest, ok := afterPrefix(secret, "ghs_"); ok {
		if i := bytes.IndexByte(rest, '_'); i > 0 && allOf(rest[:i], scan.Digits) {
			if _, ok := parseJWT(rest[i+1:]); ok {
				return scan.Holds("its JWT parses")
			}
			return scan.Fails("its JWT does not parse: edited, truncated or an example")
		}
	}
	return crcOfBody(secret, "ghp_", "gho_", "ghu_", "ghs_", "ghr_")
}

// GitHubFineGrained proves github_pat_ tokens: characters -16 to -8 are the
// first forty bits, in base 32, of the SHA-256 of what stands before them.
// The relation was found by measurement; GitHub documents only the prefix.
func GitHubFineGrained(c scan.Candidate) scan.Evidence {
	head, tail, ok := splitTail(c.Secret(), 16)
	if !ok || !bytes.HasPrefix(head, []byte("github_pat_")) {
		return scan.Evidence{}
	}
	return matches(strings.EqualFold(fineGrainedSum(head), string(tail[:8])), "SHA-256 checksum")
}

// fineGrainedSum is the eight checksum characters of a github_pat_ token.
func fineGrainedSum(head []byte) string {
	sum := sha256.Sum256(head)
	return base32.StdEncoding.EncodeToString(sum[:5])
}

// NPMToken proves npm_ access tokens: thirty characters and their CRC-32.
// Source: "Introducing the new npm token format", github.blog, 2021.
func NPMToken(c scan.Candidate) scan.Evidence { return crcOfBody(c.Secret(), "npm_") }

// VercelToken proves Vercel's vca_, vcb_, vci_, vck_, vcp_, vcr_ and vct_
// tokens: fifty characters and their CRC-32.
func VercelToken(c scan.Candidate) scan.Evidence {
	return crcOfBody(c.Secret(), "vca_", "vcb_", "vci_", "vck_", "vcp_", "vcr_", "vct_")
}

// PolarToken proves polar_ tokens: after the last underscore, a body and its CRC-32.
// Source: polarsource/polar, server/polar/kit/crypto.py.
func PolarToken(c scan.Candidate) scan.Evidence {
	secret := c.Secret()
	i := bytes.LastIndexByte(secret, '_')
	if i < 0 || !bytes.HasPrefix(secret, []byte("polar_")) {
		return scan.Evidence{}
	}
	return crcOfBody(secret, string(secret[:i+1]))
}

// SaladCloudKey proves salad_cloud_user_ and salad_cloud_org_ keys: a body and
// its CRC-32.
func SaladCloudKey(c scan.Candidate) scan.Evidence {
	return crcOfBody(c.Secret(), "salad_cloud_user_", "salad_cloud_org_")
}

// DenoToken proves Deno Deploy's ddp_ and ddo_ tokens: the CRC-32 covers the
// prefix too.
func DenoToken(c scan.Candidate) scan.Evidence {
	head, sum, ok := splitTail(c.Secret(), 6)
	if !ok {
		return scan.Evidence{}
	}
	if _, ok := afterPrefix(head, "ddp_", "ddo_"); !ok {
		return scan.Evidence{}
	}
	return matches(crc32Base62(head) == string(sum), "CRC-32")
}

// ApifyToken proves apify_api_ tokens: the CRC-32 covers the prefix and is
// written with lower-case letters before upper-case ones.
func ApifyToken(c scan.Candidate) scan.Evidence {
	head, sum, ok := splitTail(c.Secret(), 6)
	if !ok || !bytes.HasPrefix(head, []byte("apify_api_")) {
		return scan.Evidence{}
	}
	return matches(digits(crc32IEEE(head), base62LowerFirst, 6) == string(sum), "CRC-32")
}

// CloudflareToken proves cfk_, cfut_ and cfat_ tokens: forty characters and
// their CRC-32 in hexadecimal.
func CloudflareToken(c scan.Candidate) scan.Evidence {
	rest, ok := afterPrefix(c.Secret(), "cfk_", "cfut_", "cfat_")
	if !ok {
		return scan.Evidence{}
	}
	body, sum, ok := splitTail(rest, 8)
	if !ok {
		return scan.Evidence{}
	}
	return matches(crc32Hex(body) == strings.ToLower(string(sum)), "CRC-32")
}

// ZuploKey proves zpka_ keys: a body, an underscore, and the body's CRC-32 in
// hexadecimal. Source: zuplo.com, "API key format".
func ZuploKey(c scan.Candidate) scan.Evidence {
	rest, ok := afterPrefix(c.Secret(), "zpka_")
	if !ok {
		return scan.Evidence{}
	}
	body, sum, ok := splitTail(rest, 8)
	if !ok || len(body) < 2 || body[len(body)-1] != '_' {
		return scan.Evidence{}
	}
	return matches(crc32Hex(body[:len(body)-1]) == string(sum), "CRC-32")
}

// ConfluentSecret proves cflt API secrets: 54 characters, then the CRC-32 of
// those, little-endian, in base 64 without padding.
func ConfluentSecret(c scan.Candidate) scan.Evidence {
	rest, ok := afterPrefix(c.Secret(), "cflt")
	if !ok {
		return scan.Evidence{}
	}
	body, sum, ok := splitTail(rest, 6)
	if !ok {
		return scan.Evidence{}
	}
	return matches(confluentSum(body) == string(sum), "CRC-32")
}

func confluentSum(body []byte) string {
	return base64.RawStdEncoding.EncodeToString(binary.LittleEndian.AppendUint32(nil, crc32IEEE(body)))
}

// GitLabToken proves routable GitLab tokens (glpat-, glrt-t1_, glcbt- and kin):
// a dot, the payload's length in two base-36 digits, and the CRC-32 of all before
// it in seven. Tokens without a dot are of the older form, which has no check.
// Source: docs.gitlab.com, "routable tokens" blueprint.
func GitLabToken(c scan.Candidate) scan.Evidence {
	secret := c.Secret()
	head, sum, ok := splitTail(secret, 7)
	if !ok || bytes.LastIndexByte(secret, '.') != len(secret)-10 {
		return scan.Evidence{}
	}
	return matches(digits(crc32IEEE(head), base36Lower, 7) == string(sum), "CRC-32")
}

// GrafanaServiceAccount proves glsa_ tokens: the last eight hexadecimal digits
// are the CRC-32, little-endian, of all before the last underscore.
// Source: grafana/grafana, pkg/components/satokengen.
func GrafanaServiceAccount(c scan.Candidate) scan.Evidence {
	secret := c.Secret()
	if e, ok := publishedExample(secret); ok {
		return e
	}
	head, sum, ok := splitTail(secret, 8)
	if !ok || len(head) < 6 || !bytes.HasPrefix(head, []byte("glsa_")) || head[len(head)-1] != '_' {
		return scan.Evidence{}
	}
	return matches(grafanaSum(head[:len(head)-1]) == string(sum), "CRC-32")
}

func grafanaSum(head []byte) string {
	return hex.EncodeToString(binary.LittleEndian.AppendUint32(nil, crc32IEEE(head)))
}

// AtlassianToken proves ATATT3, ATCTT3 and ATBB tokens: the last eight
// hexadecimal digits, in upper case, are the CRC-32 of all before them.
func AtlassianToken(c scan.Candidate) scan.Evidence {
	head, sum, ok := splitTail(c.Secret(), 8)
	if !ok || !bytes.HasPrefix(head, []byte("AT")) {
		return scan.Evidence{}
	}
	return matches(strings.ToUpper(crc32Hex(head)) == string(sum), "CRC-32")
}

// supabaseLiteral stands where a hosted project has something of its own.
const supabaseLiteral = "supabase-self-hosted|"

// SupabaseKey proves self-hosted sb_secret_ keys; sb_publishable_ ones are
// public. Keys of the hosted service have the same shape and another checksum,
// so a mismatch says nothing.
// Source: supabase.com/docs, "self-hosting with Docker", the key generator.
func SupabaseKey(c scan.Candidate) scan.Evidence {
	secret := c.Secret()
	if bytes.HasPrefix(secret, []byte("sb_publishable_")) {
		return scan.Rejected
	}
	head, sum, ok := splitTail(secret, 8)
	if !ok || len(head) < 12 || !bytes.HasPrefix(head, []byte("sb_secret_")) || head[len(head)-1] != '_' {
		return scan.Evidence{}
	}
	if supabaseSum(head[:len(head)-1]) == string(sum) {
		return scan.Holds("SHA-256 checksum of a self-hosted project matches")
	}
	return scan.Evidence{}
}

func supabaseSum(head []byte) string {
	sum := sha256.Sum256(append([]byte(supabaseLiteral), head...))
	return base64.RawURLEncoding.EncodeToString(sum[:])[:8]
}

// allOf reports whether b is not empty and all its bytes are in the alphabet.
func allOf(b []byte, alphabet string) bool {
	for _, c := range b {
		if strings.IndexByte(alphabet, c) < 0 {
			return false
		}
	}
	return len(b) > 0
}
