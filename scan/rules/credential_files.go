package rules

import (
	"encoding/hex"
	"strings"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/proof"
)

// credentialFiles are the places where programs keep passwords in files of
// their own form.
func credentialFiles() []scan.Rule {
	const change = "Change the password on the server, and take the file out of the repository."
	rule := func(id, provider, title, why, fix, reference string, confidence scan.Confidence, expr string, check func(scan.Candidate) scan.Evidence, samples func(*scan.Gen) scan.Samples) scan.Rule {
		return scan.Rule{ID: id, Provider: provider, Title: title, Why: why, Fix: fix, Reference: reference, Confidence: confidence, Expr: expr, Check: check, Samples: samples,
			Public: []string{"host", "user"}}
	}
	logIn := "Whoever reads it can log in to the server that it names."
	rules := []scan.Rule{
		rule("netrc-password", "generic", "Password of a .netrc file", logIn, change, "https://www.gnu.org/software/inetutils/manual/html_node/The-_002enetrc-file.html", scan.High,
			`machine[ \t\r\n]{1,8}(?P<host>[0-9A-Za-z_.:-]{1,64})[ \t\r\n]{1,8}login[ \t\r\n]{1,8}(?P<user>[0-9A-Za-z_.@+-]{1,64})[ \t\r\n]{1,8}pass[a-z]{4}[ \t\r\n]{1,8}(?P<secret>[!-~]{4,100})(?:\s|$)`,
			addressPassword(true), func(g *scan.Gen) scan.Samples {
				p := g.String(scan.Base62, 18)
				return scan.Samples{
					Match:   []string{"machine git.corp.net login joe password " + p + "\n", "machine git.corp.net\n  login joe\n  password " + p + "\n"},
					NoMatch: []string{"machine example.com login user password secret\n", "machine git.corp.net login joe password ${TOKEN}\n", "the machine login password policy\n"},
				}
			}),
		rule("npmrc-auth", "npm", "Token of an .npmrc file", "Whoever reads it can publish and install packages as its owner.",
			"Revoke the token under Access Tokens of the registry's account, and read the new one from the environment.", "https://docs.npmjs.com/cli/configuring-npm/npmrc", scan.High,
			`_authToken[ \t]{0,4}=[ \t]{0,4}["']{0,1}(?P<secret>[0-9A-Za-z_.+/=-]{16,400})`+quote,
			registryToken, func(g *scan.Gen) scan.Samples {
				return scan.Samples{
					Match:   []string{"//registry.corp.net/:_authToken=" + g.UUID() + "\n", "//registry.corp.net/:_authToken=\"" + g.String(scan.Base62, 40) + "\"\n"},
					NoMatch: []string{"//registry.npmjs.org/:_authToken=${NPM_TOKEN}\n", "//registry.npmjs.org/:_authToken=YOUR_AUTH_TOKEN_HERE\n"},
				}
			}),
		rule("npmrc-basic-auth", "npm", "User and password of an .npmrc file", logIn, change, "https://docs.npmjs.com/cli/configuring-npm/npmrc", scan.High,
			`\b_auth[ \t]{0,4}=[ \t]{0,4}["']{0,1}(?P<secret>[0-9A-Za-z+/]{12,400}={0,2})`+quote,
			basicCredentials, func(g *scan.Gen) scan.Samples {
				return scan.Samples{
					Match:   []string{"_auth=" + basicAuth(g) + "\nalways-auth=true\n", "//registry.corp.net/:_auth = \"" + basicAuth(g) + "\"\n"},
					NoMatch: []string{"_auth=${NPM_AUTH}\n", "my_auth = authenticationBackend\n"},
				}
			}),
		rule("docker-registry-auth", "docker", "User and password of Docker's config.json", "Whoever reads it can pull and push images as its user.",
			"Change the password or revoke the access token at the registry, and use a credential helper.", "https://docs.docker.com/reference/cli/docker/login/", scan.High,
			`"auth\\{0,1}"[ \t]{0,4}:[ \t]{0,4}\\{0,1}"(?P<secret>[0-9A-Za-z+/]{8,400}={0,2})\\{0,1}"`,
			basicCredentials, func(g *scan.Gen) scan.Samples {
				return scan.Samples{
					Match:   []string{`{"auths":{"registry.corp.net":{"auth":"` + basicAuth(g) + `"}}}`, "\t\t\t\"auth\": \"" + basicAuth(g) + "\"\n", `{\"auth\":\"` + basicAuth(g) + `\"}`},
					NoMatch: []string{`{"auth": "basicAuthentication"}`, `"auth": "` + sealBase64("user:password") + `"`},
				}
			}),
		rule("nuget-cleartext-password", "nuget", "Password of a NuGet source", logIn, change, "https://learn.microsoft.com/en-us/nuget/reference/nuget-config-file", scan.High,
			`ClearTextPassword["'][ \t]{1,8}value[ \t]{0,4}=[ \t]{0,4}["'](?P<secret>[!#-%(-~]{4,160})["']`,
			addressPassword(false), func(g *scan.Gen) scan.Samples {
				return scan.Samples{
					Match:   []string{`<add key="ClearTextPassword" value="` + g.String(scan.Base62, 20) + `" />`},
					NoMatch: []string{`<add key="ClearTextPassword" value="%NUGET_TOKEN%" />`, `<add key="ClearTextPassword" value="your-password" />`},
				}
			}),
		rule("rclone-password", "rclone", "Obscured password of rclone", "rclone's obscuring is undone with a key that is public: it is as good as plain text.", change,
			"https://rclone.org/commands/rclone_obscure/", scan.Medium,
			`\bpass(?:word)?2?[ ]=[ ](?P<secret>[0-9A-Za-z_-]{23,300})(?:[\r\n]|$)`,
			proof.RclonePassword, func(g *scan.Gen) scan.Samples {
				return scan.Samples{
					Match:   []string{"[remote]\ntype = sftp\nuser = joe\npass = " + obscured + "\n"},
					NoMatch: []string{"pass = " + g.String(scan.Base62, 16) + "\n", "pass = configuration_of_the_remote_end\n"},
				}
			}),
		rule("filezilla-password", "filezilla", "Password of a FileZilla site", logIn, change, "https://wiki.filezilla-project.org/Master_Password", scan.High,
			`<Pass encoding="base64">(?P<secret>[0-9A-Za-z+/]{4,200}={0,2})</Pass>`,
			proof.Base64Password, func(g *scan.Gen) scan.Samples {
				return scan.Samples{
					Match:   []string{"<Host>ftp.corp.net</Host>\n<Pass encoding=\"base64\">" + sealBase64(g.String(scan.Base62, 12)) + "</Pass>"},
					NoMatch: []string{"<Pass encoding=\"base64\">" + sealBase64("password") + "</Pass>", "<Pass encoding=\"crypt\">" + g.String(scan.Base62, 20) + "</Pass>"},
				}
			}),
		rule("winscp-password", "winscp", "Stored password of WinSCP", "Without a master password WinSCP's storage is undone with a constant.", change,
			"https://winscp.net/eng/docs/security_credentials", scan.High,
			`Password=(?P<secret>A35C[0-9A-F]{20,400})\b`,
			nil, func(g *scan.Gen) scan.Samples {
				return scan.Samples{
					Match:   []string{"HostName=ftp.corp.net\r\nUserName=joe\r\nPassword=A35C" + g.String(scan.UpperHex, 60) + "\r\n"},
					NoMatch: []string{"Password=A35C" + g.Hex(10)},
				}
			}),
		rule("shadow-password-hash", "linux", "Password hash of a shadow file", "Weak passwords can be guessed from it, offline and unnoticed.",
			"Change the password of every account in the file.", "https://man7.org/linux/man-pages/man5/shadow.5.html", scan.Medium,
			`:(?P<secret>\$[156y]\$[./=0-9A-Za-z]{2,30}\$(?:[./0-9A-Za-z]{1,24}\$)?[./0-9A-Za-z]{22,86}):[0-9]{0,6}:[0-9]{0,6}:[0-9]{0,6}:`,
			nil, func(g *scan.Gen) scan.Samples {
				const crypt = "./" + scan.Base62
				return scan.Samples{
					Match:   []string{"root:$6$" + g.String(crypt, 16) + "$" + g.String(crypt, 86) + ":19000:0:99999:7:::\n", "joe:$y$j9T$" + g.String(crypt, 22) + "$" + g.String(crypt, 43) + ":19000:0:99999:7:::\n"},
					NoMatch: []string{"root:*:19000:0:99999:7:::\n", "root:x:0:0:root:/root:/bin/bash\n", "$6$" + g.String(crypt, 16) + "$" + g.String(crypt, 86)},
				}
			}),
		rule("htpasswd-hash", "apache", "Password hash of an .htpasswd file", "MD5 is guessed at billions a second: whoever reads it has most passwords soon.",
			"Change the passwords, hash them with bcrypt, and take the file out of the repository.", "https://httpd.apache.org/docs/2.4/misc/password_encryptions.html", scan.Medium,
			`:(?P<secret>\$apr1\$[./0-9A-Za-z]{1,8}\$[./0-9A-Za-z]{22})(?:[\s:"']|$)`,
			nil, func(g *scan.Gen) scan.Samples {
				const crypt = "./" + scan.Base62
				return scan.Samples{
					Match:   []string{"joe:$apr1$" + g.String(crypt, 8) + "$" + g.String(crypt, 22) + "\n"},
					NoMatch: []string{"$apr1$" + g.String(crypt, 8) + "$" + g.String(crypt, 22) + "\n", "joe:$apr1$salt$short\n"},
				}
			}),
	}
	for i := range rules {
		rules[i].NeedsProof = rules[i].ID == "rclone-password" // any word could stand there
	}
	return rules
}

// obscured is "potato" as rclone's own test obscures it.
const obscured = "YWFhYWFhYWFhYWFhYWFhYXMa" + "GgIlEQ"

// registryToken judges the token of a package registry, which may be a UUID.
func registryToken(c scan.Candidate) scan.Evidence {
	v := c.Secret()
	if proof.UUID(v) {
		return scan.Evidence{}
	}
	if proof.LooksLikeIdentifier(v) || codeLike(v) {
		return scan.Rejected
	}
	return scan.Evidence{}
}

// frameworkSecrets are the keys with which web frameworks sign sessions.
func frameworkSecrets() []scan.Rule {
	forge := "Whoever reads it can forge sessions and signed values, and with some versions run code on the server."
	rule := func(id, provider, title, fix, reference, expr string, confidence scan.Confidence, check func(scan.Candidate) scan.Evidence, samples func(*scan.Gen) scan.Samples) scan.Rule {
		return scan.Rule{ID: id, Provider: provider, Title: title, Why: forge, Fix: fix, Reference: reference, Confidence: confidence, Expr: expr, Check: check, Samples: samples}
	}
	const djangoAlphabet = scan.LowerAZ + scan.Digits + "!@#$%^&*(-_=+)"
	return []scan.Rule{
		rule("django-secret-key", "django", "Django secret key", "Make a new key; keep the old one in SECRET_KEY_FALLBACKS only as long as sessions live.",
			"https://docs.djangoproject.com/en/stable/ref/settings/#secret-key",
			`SECRET_KEY["']{0,1}\]{0,1}[ \t]{0,4}[:=,]{1,2}[ \t]{0,4}["'](?P<secret>(?:django-insecure-)?[!#-&(-+\-0-9=@^_a-z]{50})["']`, scan.High,
			djangoKey, func(g *scan.Gen) scan.Samples {
				return scan.Samples{
					Match:   []string{"SECRET_KEY = 'x)" + g.String(djangoAlphabet, 47) + "!'\n", "SECRET_KEY = \"django-insecure-" + g.String(djangoAlphabet, 49) + "#\"\n"},
					NoMatch: []string{"SECRET_KEY = 'django-insecure-change-me-before-going-into-production'\n", "SECRET_KEY = os.environ['SECRET_KEY']\n"},
				}
			}),
		rule("laravel-app-key", "laravel", "Laravel application key", "Run php artisan key:generate, and encrypt again what the old key has encrypted.",
			"https://laravel.com/docs/encryption",
			begin+`(?P<secret>base64:[0-9A-Za-z+/]{43}=)`+afterBase64, scan.High,
			nil, func(g *scan.Gen) scan.Samples {
				return scan.Samples{
					Match:   []string{"APP_KEY=base64:" + g.String(scan.Base64Std, 42) + "A=\n", "'key' => 'base64:" + g.String(scan.Base64Std, 42) + "A=',"},
					NoMatch: []string{"APP_KEY=base64:\n", "base64:" + g.String(scan.Base64Std, 80) + "=\n"},
				}
			}),
		rule("wordpress-salt", "wordpress", "WordPress authentication key or salt", "Replace all eight keys and salts in wp-config.php, which logs everyone out.",
			"https://developer.wordpress.org/advanced-administration/wordpress/wp-config/",
			`(?:AUTH|LOGGED_IN|NONCE)_(?:KEY|SALT)["'][ \t]{0,4},[ \t]{0,16}["'](?P<secret>[ -&(-~]{64})["']`, scan.High,
			nil, func(g *scan.Gen) scan.Samples {
				const printable = scan.Base62 + "!@#^&*-_ ~`+=,;:/?|"
				return scan.Samples{
					Match:   []string{"define( 'AUTH_KEY',         'q" + g.String(printable, 62) + "Z' );\n", "define('SECURE_AUTH_SALT', 'q" + g.String(printable, 62) + "Z');\n"},
					NoMatch: []string{"define( 'AUTH_KEY', 'put your unique phrase here' );\n", "define('NONCE_SALT', getenv('NONCE_SALT'));\n"},
				}
			}),
		rule("rails-secret-key-base", "rails", "Rails secret key base", "Run bin/rails secret, and set the new one with rotations for signed cookies.",
			"https://guides.rubyonrails.org/security.html#custom-credentials",
			`(?i:secret_?key_?base)`+assigned+`(?P<secret>[0-9a-f]{64,128})\b`, scan.High,
			nil, func(g *scan.Gen) scan.Samples {
				return scan.Samples{
					Match:   []string{"  secret_key_base: " + g.Hex(128) + "\n", "SECRET_KEY_BASE=" + g.Hex(128) + "\n", "config.secret_key_base = '" + g.Hex(128) + "'\n"},
					NoMatch: []string{"secret_key_base: <%= ENV[\"SECRET_KEY_BASE\"] %>\n", "secret_key_base: " + g.Hex(20)},
				}
			}),
		rule("rails-master-key", "rails", "Rails master key", "Make new credentials with a new key: the old file can be decrypted with the old one.",
			"https://guides.rubyonrails.org/security.html#custom-credentials",
			`(?i:rails_?master_?key)`+assigned+`(?P<secret>[0-9a-f]{32})\b`, scan.High,
			nil, func(g *scan.Gen) scan.Samples {
				return scan.Samples{
					Match:   []string{"RAILS_MASTER_KEY=" + g.Hex(32) + "\n", "RAILS_MASTER_KEY: \"" + g.Hex(32) + "\"\n"},
					NoMatch: []string{"RAILS_MASTER_KEY=${KEY}\n", "RAILS_MASTER_KEY=" + strings.Repeat("0", 32) + "\n"},
				}
			}),
	}
}

// djangoKey tells generated keys from sentences.
func djangoKey(c scan.Candidate) scan.Evidence {
	v := c.Secret()
	text := strings.TrimPrefix(string(v), "django-insecure-")
	switch {
	case len(text) < 40 || proof.LooksLikeIdentifier([]byte(text)) || proof.Entropy([]byte(text)) < 4:
		return scan.Rejected
	case len(text) < len(v):
		return scan.Evidence{Cap: scan.Medium, Reason: "made by startproject, for development"}
	}
	if _, err := hex.DecodeString(text); err == nil {
		return scan.Evidence{Cap: scan.Medium}
	}
	return scan.Evidence{}
}
