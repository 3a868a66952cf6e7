package rules

import (
	"strings"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/proof"
)

// uuidForm is a UUID in lower case, as keys are written.
const uuidForm = `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`

// issued completes the rule of a token with a prefix of its own, of high
// confidence unless r says otherwise. token is an RE2 expression without
// boundaries; name is what it is often called, in upper snake case, for samples.
func issued(r scan.Rule, name, token string) scan.Rule {
	if r.Confidence == 0 {
		r.Confidence = scan.High
	}
	r.Expr = `\b(?P<secret>` + token + `)` + after
	if r.Samples == nil {
		r.Samples = shaped(name, token)
	}
	if r.Check == nil {
		r.Check = published
	}
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

// twoParts is a credential of two halves in one place: a public id with a shape of its
// own, and a secret that a word in its name tells. All are RE2 expressions; the
// names, in upper snake case, are for samples.
type twoParts struct{ word, value, id, idName, name string }

// paired completes the rule of a secret that stands near its id.
func paired(r scan.Rule, p twoParts) scan.Rule {
	r.Confidence = scan.High
	r.Expr = `(?i:(?:` + p.word + `)[0-9a-z_-]{0,12})` + assigned + `(?P<secret>` + p.value + `)` + quote
	r.Partners = []scan.Partner{{Role: "id", Expr: `\b(` + p.id + `)\b`, Within: scan.MaxReach, Required: true}}
	r.Public = []string{"id"}
	if r.MinEntropy == 0 {
		r.MinEntropy = 2.8
	}
	r.Check = randomAndUnpublished
	r.Samples = func(g *scan.Gen) scan.Samples {
		id, v := g.Expr(p.id), g.Expr(p.value)
		lower, lowerID := strings.ToLower(p.name), strings.ToLower(p.idName)
		return scan.Samples{
			Match: []string{
				p.idName + "=" + id + "\n" + p.name + "=" + v + "\n",
				"{\n  \"" + lowerID + "\": \"" + id + "\",\n  \"" + lower + "\": \"" + v + "\"\n}\n",
				"client({ " + camelCase(p.idName) + ": '" + id + "', " + camelCase(p.name) + ": '" + v + "' })\n",
				lower + ": " + v + "\n" + lowerID + ": " + id + "\n",
			},
			NoMatch: []string{
				p.idName + "=" + id + "\n",
				p.idName + "=" + id + "\n" + p.name + "=${" + p.name + "}\n",
				p.name + "=" + v + "\n", // alone it is another rule's
				p.idName + "=" + id + "\ncommit: " + v + "\n",
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
