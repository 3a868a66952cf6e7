package rules

import (
	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/proof"
)

const (
	awsKeys   = "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_access-keys.html"
	awsDelete = "Create a second key for the user in IAM, deploy it, deactivate this one, and delete it; prefer roles."

	// awsSecretNear is a secret access key by its form alone, for use next to a key id.
	awsSecretNear = "(?:^|[\\s\"'`=:,;|>({\\[])([0-9A-Za-z+/]{40})(?:[^0-9A-Za-z+/=_.-]|$)"
	awsTokenNear  = `\b((?:IQoJb3JpZ2lu|FwoGZXIvYXdz|FQoGZXIvYXdz|AgoJb3JpZ2lu)[0-9A-Za-z+/]{60,250}={0,2})`
)

func aws() []scan.Rule {
	return []scan.Rule{{
		ID:         "aws-access-key",
		Provider:   "aws",
		Title:      "AWS access key",
		Why:        "It acts as an IAM user, or as the account's root, on everything that the user's policies allow.",
		Fix:        awsDelete,
		Reference:  awsKeys,
		Confidence: scan.High,
		Expr:       `\b(?:AKIA|ABIA|ACCA)[0-9A-Z]{16}\b`,
		Partners:   []scan.Partner{{Role: scan.RoleSecret, Expr: awsSecretNear, Within: scan.MaxReach, Required: true}},
		Public:     []string{"id"},
		Check:      awsSecret,
		Samples: func(g *scan.Gen) scan.Samples {
			id, secret := awsSample(g, "AKIA"), awsSecretSample(g)
			return scan.Samples{
				Match:  awsPair(id, secret),
				Failed: []string{"aws_access_key_id = AKIAZ1890" + g.String(scan.Base32, 11) + "\naws_secret_access_key = " + secret + "\n"},
				NoMatch: []string{
					"aws_access_key_id = " + id + "\n",
					"aws_access_key_id = " + id + "\ncommit = " + g.Hex(40) + "\n",
					"aws_access_key_id = " + id + "\nregion = " + secret[:30] + "\n",
					"X" + id + " " + secret + "\n",
					"key AKIA" + "IOSFODNN7" + "EXAMPLE with wJalrXUtnFEMI/K7MDENG" + "/bPxRfiCYEXAMPLEKEY\n",
				},
			}
		},
	}, {
		ID:         "aws-temporary-access-key",
		Provider:   "aws",
		Title:      "AWS temporary access key",
		Why:        "With its session token it acts as a role or a federated user until it expires.",
		Fix:        "Revoke the role's active sessions in IAM (Roles, Revoke sessions), and find out why the key was written down.",
		Reference:  "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp.html",
		Confidence: scan.High,
		Expr:       `\bASIA[0-9A-Z]{16}\b`,
		Partners: []scan.Partner{
			{Role: scan.RoleSecret, Expr: awsSecretNear, Within: scan.MaxReach, Required: true},
			{Role: "token", Expr: awsTokenNear, Within: scan.MaxReach},
		},
		Public: []string{"id"},
		Check:  awsSecret,
		Samples: func(g *scan.Gen) scan.Samples {
			id, secret := awsSample(g, "ASIA"), awsSecretSample(g)
			token := awsTokenHead() + g.String(scan.Base62, 180)
			return scan.Samples{
				Match: []string{
					"export AWS_ACCESS_KEY_ID=" + id + "\nexport AWS_SECRET_ACCESS_KEY=" + secret + "\nexport AWS_SESSION_TOKEN=" + token + "\n",
					"{\"AccessKeyId\": \"" + id + "\", \"SecretAccessKey\": \"" + secret + "\", \"SessionToken\": \"" + token + "\"}\n",
					"export AWS_ACCESS_KEY_ID=" + id + "\nexport AWS_SECRET_ACCESS_KEY=" + secret + "\n",
				},
				NoMatch: []string{"AWS_ACCESS_KEY_ID=" + id + "\n"},
			}
		},
	}, {
		ID:         "aws-session-token",
		Provider:   "aws",
		Title:      "AWS session token",
		Why:        "It is the third part of a temporary access key, and names the role that the key acts as.",
		Fix:        "Revoke the role's active sessions in IAM (Roles, Revoke sessions), and find out why the token was written down.",
		Reference:  "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp.html",
		Confidence: scan.Medium,
		// the tokens may be longer than an expression: the end is cut off
		Expr: begin + `(?P<secret>(?:IQoJb3JpZ2lu|FwoGZXIvYXdz|FQoGZXIvYXdz|AgoJb3JpZ2lu)[0-9A-Za-z+/]{100,440}={0,2})`,
		Samples: func(g *scan.Gen) scan.Samples {
			token := awsTokenHead() + g.String(scan.Base62, 390)
			return scan.Samples{
				Match:   inAssignments("AWS_SESSION_TOKEN", token),
				NoMatch: []string{"AWS_SESSION_TOKEN=IQoJb3JpZ2luX2Vj...\n", "AWS_SESSION_TOKEN=${AWS_SESSION_TOKEN}\n"},
			}
		},
	}, {
		ID:         "aws-secret-access-key",
		Provider:   "aws",
		Title:      "AWS secret access key",
		Why:        "With its key id, which is no secret, it acts as an IAM user on everything that the user's policies allow.",
		Fix:        awsDelete,
		Reference:  awsKeys,
		Confidence: scan.High,
		Expr:       `(?i:aws[_.-]?sec|amazon[_.-]?sec|s3[_.-]?sec|secret[_.-]?access|access[_.-]?key[_.-]?secret)(?i:[0-9a-z_.-]{0,24})` + assigned + `(?P<secret>[0-9A-Za-z+/]{40})(?:[^0-9A-Za-z+/=_-]|$)`,
		Partners:   []scan.Partner{{Role: "id", Expr: `\b((?:AKIA|ABIA|ACCA)[0-9A-Z]{16})\b`, Within: scan.MaxReach}},
		Public:     []string{"id"},
		Check:      awsSecret,
		Samples: func(g *scan.Gen) scan.Samples {
			secret := awsSecretSample(g)
			return scan.Samples{
				Match: append(inAssignments("AWS_SECRET_ACCESS_KEY", secret),
					"new S3({ region, secretAccessKey: '"+secret+"' })\n",
					"aws configure set aws_secret_access_key "+secret+"\n"),
				NoMatch: []string{
					"aws_secret_access_key = " + g.Hex(40) + "\n",
					"aws_secret_access_key = " + secret + "ab\n",
					"AWS_SECRET_ACCESS_KEY=${AWS_SECRET_ACCESS_KEY}\n",
					"aws_secret_access_key = wJalrXUtnFEMI/K7MDENG" + "/bPxRfiCYEXAMPLEKEY\n",
					"digest: " + secret + "\n",
				},
			}
		},
	}, {
		ID:         "aws-bedrock-api-key",
		Provider:   "aws",
		Title:      "Amazon Bedrock API key",
		Why:        "It calls Bedrock's models at the account's expense.",
		Fix:        "Delete it under Bedrock, API keys (or the IAM user's service-specific credentials), and use short-term keys.",
		Reference:  "https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys.html",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>ABSKQmVkcm9ja0FQSUtleS[0-9A-Za-z+/]{60,280}={0,2})` + afterBase64,
		Check:      proof.BedrockKey,
		Samples: sealed("AWS_BEARER_TOKEN_BEDROCK", func(g *scan.Gen) string {
			return proof.SealBedrock(g.String(scan.LowerAZ+scan.Digits, 4), uint64(g.IntN(999_999_999_999)), g.Bytes(33))
		}),
	}, {
		ID:         "aws-bedrock-short-term-api-key",
		Provider:   "aws",
		Title:      "Amazon Bedrock short-term API key",
		Why:        "It calls Bedrock's models at the account's expense for up to twelve hours.",
		Fix:        "End the session that made it, and find out why it was written down.",
		Reference:  "https://docs.aws.amazon.com/bedrock/latest/userguide/api-keys.html",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29tL[0-9A-Za-z+/]{60,440}={0,2})`,
		Check:      proof.BedrockKey,
		Samples: func(g *scan.Gen) scan.Samples {
			key := "bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29tLz" + g.String(scan.Base62, 302)
			return scan.Samples{
				Match:   inContexts("AWS_BEARER_TOKEN_BEDROCK", key),
				NoMatch: []string{"AWS_BEARER_TOKEN_BEDROCK=" + key[:80] + "\n", "AWS_BEARER_TOKEN_BEDROCK=bedrock-api-key-\n"},
			}
		},
	}, {
		ID:         "aws-ses-smtp-password",
		Provider:   "aws",
		Title:      "Amazon SES SMTP password",
		Why:        "With its user name, a key id, it sends mail from the account's domains.",
		Fix:        "Delete the SMTP user's access key in IAM, and create new SMTP credentials under SES, SMTP settings.",
		Reference:  "https://docs.aws.amazon.com/ses/latest/dg/smtp-credentials.html",
		Confidence: scan.High,
		Expr:       `\bAKIA[0-9A-Z]{16}\b`,
		Partners: []scan.Partner{{
			Role: scan.RoleSecret, Expr: "(?:^|[\\s\"'`=:,;|>({\\[])(B[A-P][0-9A-Za-z+/]{42})(?:[^0-9A-Za-z+/=_.-]|$)",
			Within: scan.MaxReach, Required: true,
		}},
		Public: []string{"id"},
		Check:  awsSecret,
		Samples: func(g *scan.Gen) scan.Samples {
			id := awsSample(g, "AKIA")
			secret := "BK" + g.String(scan.Base62, 39) + g.String(scan.Digits, 1) + "aZ"
			return scan.Samples{
				Match: []string{
					"SMTP_USER=" + id + "\nSMTP_PASS=" + secret + "\n",
					"auth: { user: '" + id + "', pass: '" + secret + "' }\n",
				},
				NoMatch: []string{"SMTP_USER=" + id + "\n", "SMTP_USER=" + id + "\nSMTP_PASS=" + secret[:39] + "\n"},
			}
		},
	}, {
		ID:         "aws-appsync-key",
		Provider:   "aws",
		Title:      "AWS AppSync API key",
		Why:        "It queries a GraphQL API as any anonymous client may; browser code has it in the open.",
		Fix:        "Delete it under AppSync, Settings, API keys, if it was not meant to be public.",
		Reference:  "https://docs.aws.amazon.com/appsync/latest/devguide/security-authz.html",
		Confidence: scan.Medium,
		Expr:       begin + `(?P<secret>da2-[0-9a-z]{26})\b`,
		MinEntropy: 3,
		Samples:    shaped("APPSYNC_KEY", `da2-[0-9a-z]{26}`),
	}, {
		ID:         "amazon-lwa-client-secret",
		Provider:   "amazon",
		Title:      "Login with Amazon client secret",
		Why:        "With a refresh token it acts on sellers' accounts through the Selling Partner API.",
		Fix:        "Rotate the credentials in Seller Central, Develop Apps, LWA credentials.",
		Reference:  "https://developer-docs.amazon.com/sp-api/docs/rotating-your-apps-lwa-credentials",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>amzn1\.oa2-cs\.v1\.[0-9a-f]{64})\b`,
		Samples:    shaped("LWA_CLIENT_SECRET", `amzn1\.oa2-cs\.v1\.[0-9a-f]{64}`),
	}, {
		ID:         "amazon-mws-token",
		Provider:   "amazon",
		Title:      "Amazon MWS authorisation token",
		Why:        "It acts on a seller's account through Marketplace Web Service.",
		Fix:        "Disable the developer's access in Seller Central, User permissions, and authorise again.",
		Reference:  "https://developer-docs.amazon.com/sp-api/docs/migrating-from-amazon-marketplace-web-service",
		Confidence: scan.High,
		Expr:       begin + `(?P<secret>amzn\.mws\.[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\b`,
		Samples:    shaped("MWS_AUTH_TOKEN", `amzn\.mws\.[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`),
	}}
}

// awsSecret judges a secret found near a key id or a name. Texts of 40
// characters are common: one without small and capital letters and a digit is no
// key, but for one in a thousand.
func awsSecret(c scan.Candidate) scan.Evidence {
	ev := proof.AWSSecretKey(c)
	if ev.Reject || ev.Cap > 0 {
		return ev
	}
	if mixedAndRandom(c).Reject {
		return scan.Rejected
	}
	return ev
}

func awsSample(g *scan.Gen, prefix string) string {
	return proof.SealAWSKeyID(prefix, uint64(g.IntN(999_999_999_999)), g.Bytes(10))
}

func awsSecretSample(g *scan.Gen) string {
	return g.String(scan.Base62, 18) + "/7aZ+" + g.String(scan.Base62, 17)
}

// awsTokenHead is how most session tokens begin.
func awsTokenHead() string { return "IQoJb3Jp" + "Z2luX2Vj" }

func awsPair(id, secret string) []string {
	return []string{
		"[default]\naws_access_key_id = " + id + "\naws_secret_access_key = " + secret + "\nregion = eu-west-1\n",
		"AWS_ACCESS_KEY_ID=" + id + "\nAWS_SECRET_ACCESS_KEY=" + secret + "\n",
		"{\n  \"accessKeyId\": \"" + id + "\",\n  \"secretAccessKey\": \"" + secret + "\"\n}\n",
		"new AWS.Credentials('" + id + "', '" + secret + "')\n",
		"Access key ID,Secret access key\n" + id + "," + secret + "\n",
		id + ":" + secret + "\n",
		"provider \"aws\" {\n  access_key = \"" + id + "\"\n  secret_key = \"" + secret + "\"\n}\n",
		"Key id: " + id + "\nSecret: " + secret + "\n",
		"s3_secret = \"" + secret + "\"\ns3_id = \"" + id + "\"\n",
	}
}
