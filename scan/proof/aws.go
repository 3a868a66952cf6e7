package proof

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"regexp"
	"sync"

	"github.com/keywright/keywright/scan"
)

// awsIdentifiers are the prefixes of AWS unique ids that are no credentials:
// users, groups, roles, policies, instance profiles, certificates, public keys.
var awsIdentifiers = [...]string{"AGPA", "AIDA", "AIPA", "ANPA", "ANVA", "APKA", "AROA", "ASCA"}

// AWSKeyID judges an AWS access key id, in the part "id" or else the secret
// itself. Ids made since 2019 contain the account number, which becomes the
// public id; a number that cannot be an account contradicts the id.
// Source: docs.aws.amazon.com, IAM identifiers; the account's place is Tal
// Be'ery's published finding.
func AWSKeyID(c scan.Candidate) scan.Evidence {
	id := c.Part("id")
	if id == nil {
		id = c.Secret()
	}
	return awsKeyID(id)
}

// AWSSecretKey judges an AWS secret access key with its id in the part "id", if
// there is one. Forty hexadecimal digits are a digest, not a key.
func AWSSecretKey(c scan.Candidate) scan.Evidence {
	secret := c.Secret()
	if bytes.Contains(secret, []byte("EXAMPLE")) {
		return exampleOf("AWS's documentation")
	}
	if Hash(secret) != "" || Placeholder(secret) {
		return scan.Rejected
	}
	if id := c.Part("id"); id != nil {
		return awsKeyID(id)
	}
	return scan.Evidence{}
}

func awsKeyID(id []byte) scan.Evidence {
	if bytes.HasSuffix(id, []byte("EXAMPLE")) {
		return exampleOf("AWS's documentation")
	}
	if len(id) != 20 {
		return scan.Evidence{}
	}
	if _, ok := afterPrefix(id, awsIdentifiers[:]...); ok {
		return scan.Rejected
	}
	if id[4] == 'I' || id[4] == 'J' { // made before 2019: no account inside
		return scan.Evidence{}
	}
	account, ok := awsAccount(id)
	switch {
	case !ok:
		return scan.Fails("not in base 32: edited or an example")
	case account > 999_999_999_999:
		return scan.Fails("holds no possible account number: edited or an example")
	}
	return scan.Evidence{
		Reason:   "holds an account number",
		PublicID: fmt.Sprintf("AWS account %012d", account),
	}
}

// awsAccount reads the account number: 40 of the first 48 bits after the prefix.
func awsAccount(id []byte) (account uint64, ok bool) {
	raw, err := base32.StdEncoding.DecodeString(string(id[4:]))
	if err != nil || len(raw) < 6 {
		return 0, false
	}
	var v uint64
	for _, b := range raw[:6] {
		v = v<<8 | uint64(b)
	}
	return v & 0x7fffffffff80 >> 7, true
}

var bedrockText = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^BedrockAPIKey-[0-9A-Za-z]+(?:-at-(\d{12}))?:.`) })

// BedrockKey proves Amazon Bedrock API keys: ABSK and the base 64 of
// "BedrockAPIKey-…:…", or bedrock-api-key- and that of a presigned URL.
func BedrockKey(c scan.Candidate) scan.Evidence {
	secret := c.Secret()
	if rest, ok := afterPrefix(secret, "ABSK"); ok {
		raw, _ := decodeBase64Any(rest)
		m := bedrockText().FindSubmatch(raw)
		if m == nil {
			return scan.Fails("does not decode to a Bedrock key: edited, truncated or an example")
		}
		e := scan.Holds("decodes to a Bedrock API key")
		if len(m[1]) > 0 {
			e.PublicID = "AWS account " + string(m[1])
		}
		return e
	}
	if rest, ok := afterPrefix(secret, "bedrock-api-key-"); ok {
		rest = rest[:len(rest)-len(rest)%4] // the rule may have cut it short
		raw, err := base64.StdEncoding.DecodeString(string(rest))
		if err != nil || !bytes.HasPrefix(raw, []byte("bedrock.amazonaws.com/")) {
			return scan.Fails("does not decode to a presigned URL: edited, truncated or an example")
		}
		return scan.Holds("decodes to a presigned URL")
	}
	return scan.Evidence{}
}
