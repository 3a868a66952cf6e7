package rules

import (
	"strings"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/proof"
)

// issued completes the rule of a token with a prefix of its own, of high
// confidence unless r says otherwise. token is an RE2 expression without
// boundaries; name is what it is often called, in upper snake case, for samples.
func issued(r scan.Rule, name, token string) scan.Rule {
	if r.Confidence == 0 {
		r.Confidence = scan.High
	}
	r.Expr = beginning(token) + `(?P<secret>` + token + `)` + after
	if r.Samples == nil {
		r.Samples = shaped(name, token)
	}
	if r.Check == nil {
		r.Check = published
	}
	return r
}

// beginning is begin for a token whose own letters are rare. To look for the short
// ones anywhere but at one place would cost too much.
func beginning(token string) string {
	const rare = 5 // bytes
	if i := strings.IndexAny(token, `[({\?|`); i >= 0 && i < rare {
		return `\b`
	}
	return begin
}

// led is issued for a token whose first letters stand inside of many words.
func led(r scan.Rule, name, token string) scan.Rule {
	r = issued(r, name, token)
	r.Expr = lead + `(?P<secret>` + token + `)` + after
	return r
}

// apart is issued for a long token that begins as a stretch of base64 may: it must
// not stand inside of one.
func apart(r scan.Rule, name, token string) scan.Rule {
	r = issued(r, name, token)
	r.Expr = "[\t\n\r !-*,.:-@\\[-^`{-~]{1}(?P<secret>" + token + `)` + afterBase64
	return r
}

// called completes the rule of a value that only its name tells: see named. It
// has medium confidence, and what reads as a word is no match.
func called(r scan.Rule, vendor, word, name, value string) scan.Rule {
	if r.Confidence == 0 {
		r.Confidence = scan.Medium
	}
	r.Expr = named(vendor, word, value)
	if r.MinEntropy == 0 {
		r.MinEntropy = 2.8
	}
	if r.Check == nil {
		r.Check = randomAndUnpublished
	}
	if r.Samples == nil {
		r.Samples = bound(name, value)
	}
	return r
}

// beneath completes the rule of an id and a secret, side by side below the
// vendor's name: the arguments of a call, two lines of a .env file, a user and a
// password. vendor is a plain text, id and secret are RE2 expressions; an
// assignment to a name of its own may stand before the secret.
func beneath(r scan.Rule, vendor, id, secret string) scan.Rule {
	r.Confidence = scan.High
	r.Expr = `(?i:` + vendor + `)[\t\n\r -~]{0,160}?\b(?P<id>` + id + `)["'` + "`" + `:,; \t\r\n]{1,12}` +
		`(?:export )?(?:["']?[A-Za-z_][0-9A-Za-z_-]{2,32}["']?\s{0,2}[:=]\s{0,2}["'` + "`" + `]?)?(?P<secret>` + secret + `)` + quote
	r.Public = []string{"id"}
	if r.MinEntropy == 0 {
		r.MinEntropy = 2.8
	}
	r.Check = randomAndUnpublished
	r.Samples = func(g *scan.Gen) scan.Samples {
		i, v := g.Expr(id), g.Expr(secret)
		upper := strings.ToUpper(vendor)
		return scan.Samples{
			Match: []string{
				upper + "_ID=" + i + "\n" + upper + "_SECRET=" + v + "\n",
				"export " + upper + "_ID=\"" + i + "\"\nexport " + upper + "_SECRET=\"" + v + "\"\n",
				"const client = " + vendor + "('" + i + "', '" + v + "');\n",
				"from " + vendor + ".rest import Client\n\nclient = Client(\"" + i + "\", \"" + v + "\")\n",
				vendor + ": {\n  \"id\": \"" + i + "\",\n  \"secret\": \"" + v + "\"\n}\n",
				"curl https://api." + vendor + ".test/v1 -u " + i + ":" + v + "\n",
			},
			NoMatch: []string{
				"const client = " + vendor + "('" + i + "', authToken);\n",
				upper + "_ID=" + i + "\n",
				upper + "_ID=" + i + "\n" + upper + "_SECRET=${SECRET}\n",
			},
		}
	}
	return r
}

// published caps the credentials that vendors print in their own documents.
func published(c scan.Candidate) scan.Evidence {
	if name, ok := proof.PublishedExample(c.Secret()); ok {
		return scan.Evidence{Cap: scan.Low, Reason: "a published example: " + name}
	}
	return scan.Evidence{}
}

// randomAndUnpublished is looksRandom and published.
func randomAndUnpublished(c scan.Candidate) scan.Evidence {
	if ev := looksRandom(c); ev.Reject {
		return ev
	}
	return published(c)
}

// tailRandom rejects tokens whose part behind the first underscore, hyphen or bar
// reads as a name. It is the check of tokens whose prefix is short and common.
func tailRandom(c scan.Candidate) scan.Evidence {
	secret := c.Secret()
	if i := strings.IndexAny(string(secret), "_-|"); i >= 0 {
		secret = secret[i+1:]
	}
	if proof.LooksRandom(secret) < 0.5 {
		return scan.Rejected
	}
	return published(c)
}

// webhook completes the rule of an address that is itself the credential. url is
// an RE2 expression from the host on.
func webhook(r scan.Rule, name, url string) scan.Rule {
	r.Confidence = scan.High
	r.Expr = `(?P<secret>(?:https://)?` + url + `)` + after
	r.Check = published
	r.Samples = func(g *scan.Gen) scan.Samples {
		v := "https://" + g.Expr(url)
		return scan.Samples{
			Match: []string{
				name + "=" + v + "\n",
				"{\"url\": \"" + v + "\"}\n",
				"curl -X POST -d '{\"text\":\"hi\"}' " + v + "\n",
				"hooks:\n  - " + v + "\n",
				"requests.post('" + v + "', json=body)\n",
			},
			NoMatch: []string{
				name + "=" + v[:len(v)/2] + "\n",
				name + "=https://example.com/hooks/incoming\n",
				name + "=${" + name + "}\n",
			},
		}
	}
	return r
}
