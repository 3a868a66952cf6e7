package rules

import (
	"strings"
	"testing"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/match"
)

// genericEngine has the generic rules alone, so that no other rule speaks first.
func genericEngine(t testing.TB) *match.Engine {
	t.Helper()
	var only []*scan.Rule
	list := generic()
	for i := range list {
		finish(&list[i])
		only = append(only, &list[i])
	}
	e, err := match.New(only)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// The lines of each list are formats; $P stands for a password, $K for a key.
var genericPositives = []string{
	// .env, shell, ini, properties
	`DB_PASSWORD=$P`, `DB_PASSWORD="$P"`, `DB_PASSWORD='$P'`, `export PGPASSWORD=$P`, `export MYSQL_PWD="$P"`,
	`set DB_PASSWORD=$P`, `SMTP_PASS=$P`, `REDIS_PASS='$P'`, `DB_PASS="$P"`, `db.password=$P`, `db.password = $P`,
	`spring.datasource.password=$P`, `spring.mail.password: $P`, `password = $P`, `passwd=$P`, `rootpw_passwd = "$P"`,
	`API_KEY=$K`, `API_KEY="$K"`, `export API_KEY='$K'`, `API_TOKEN=$K`, `ACCESS_TOKEN=$K`, `AUTH_TOKEN="$K"`,
	`SECRET_KEY=$K`, `SECRET_KEY='$K'`, `CLIENT_SECRET=$K`, `client_secret = $K`, `OAUTH_CLIENT_SECRET="$K"`,
	`JWT_SECRET=$K`, `SESSION_SECRET="$K"`, `ENCRYPTION_KEY=$K`, `SIGNING_KEY=$K`, `WEBHOOK_SECRET=$K`, `MASTER_KEY=$K`,
	`APP_KEY=$K`, `PRIVATE_KEY=$K`, `STORAGE_ACCOUNT_KEY="$K"`, `VENDOR_API_KEY=$K # production`, `$env:API_KEY = "$K"`,
	`BOT_TOKEN=$K`, `DEPLOY_TOKEN: $K`, `REFRESH_TOKEN=$K`, `ID_TOKEN_SECRET=$K`, `secret_key_base: $K`, `api.key=$K`,
	`api-key=$K`, `apikey=$K`, `ApiKey: $K`, `TOKEN=$K`, `token = $K`, `credentials=$K`, `ADMIN_API_SECRET=$K`,
	// JSON
	`{"password": "$P"}`, `{"password":"$P","user":"joe"}`, `{"db": {"pass": "$P"}}`, `  "pwd": "$P",`, `"dbPassword": "$P",`,
	`{"apiKey": "$K"}`, `{"api_key":"$K"}`, `  "secret": "$K",`, `"clientSecret":"$K"`, `"access_token": "$K",`,
	`"token": "$K"`, `"refreshToken" : "$K",`, `"privateKey": "$K",`, `"encryptionKey": "$K"`, `"signing-key": "$K"`,
	`"{\"password\": \"$P\"}"`, `"{\"api_key\":\"$K\"}"`, `{\"secret\":\"$K\"}`,
	// YAML
	`password: $P`, `password: "$P"`, `  password: '$P'`, `mysql_password: "$P"`, `  DB_PASSWORD: $P`, `passphrase: "$P"`,
	`api_key: $K`, `apiKey: "$K"`, `  token: '$K'`, `secret: $K`, `- API_TOKEN=$K`, `client-secret: $K`,
	`- name: DB_PASSWORD
  value: "$P"`, `- name: API_TOKEN
          value: $K`, `{ name = "API_KEY", value = "$K" }`, `{"name": "SECRET_KEY", "value": "$K"}`,
	// TOML, HCL
	`password = "$P"`, `api_key = "$K"`, `secret_key      = "$K"`, `  master_password = "$P"`, `token="$K"`,
	`variable "db_password" { default = "$P" }`, `default_password = '$P'`,
	// Python
	`password = "$P"`, `PASSWORD = '$P'`, `self.password = "$P"`, `api_key = "$K"`, `API_KEY: str = "$K"`, `secret = b"$K"`,
	`client = Client(api_key="$K")`, `connect(user="joe", password="$P")`, `os.environ["API_KEY"] = "$K"`, `app.secret_key = '$K'`,
	`app.config['SECRET_KEY'] = '$K'`, `os.environ.setdefault("API_TOKEN", "$K")`, `headers = {"X-Api-Key": "$K"}`, `token: str = '$K'`,
	`auth_token = u"$K"`, `params = {'access_token': '$K'}`, `AUTH = {"username": "joe", "password": "$P"}`,
	// JavaScript, TypeScript
	`const apiKey = "$K";`, `let password = '$P';`, "const token = `$K`;", `var secretKey = "$K"`, `const apiKey: string = "$K";`,
	`  apiKey: '$K',`, `  password: "$P",`, `auth: { user: 'joe', pass: '$P' }`, `process.env.API_KEY = "$K"`, `accessToken:"$K"`,
	`export const JWT_SECRET = '$K'`, `jwt.sign(payload, secret = "$K")`, `private readonly apiSecret = '$K';`, `{secret:"$K"}`,
	`if (token === "$K") {`, `axios.defaults.headers["x-api-key"] = "$K"`, `localStorage.setItem("token", "$K")`,
	// Go
	`password := "$P"`, `const apiKey = "$K"`, `const apiKey string = "$K"`, `APIKey: "$K",`, "Token:    `$K`,",
	`var jwtSecret = []byte("$K")`, `os.Setenv("API_TOKEN", "$K")`, `cfg.Password = "$P"`, `ClientSecret: "$K"}`,
	// Java, Kotlin, C#, Scala
	`private static final String API_KEY = "$K";`, `String password = "$P";`, `val apiKey: String = "$K"`, `conn.setProperty("password", "$P");`,
	`props.put("client.secret", "$K")`, `public const string ApiKey = "$K";`, `Password = "$P",`, `var token = @"$K";`,
	`@Value("x") String secretKey = "$K";`, `<add key="ApiKey" value="$K" />`, `<add name="Password" value="$P"/>`,
	`<property name="password" value="$P"/>`, `<password>$P</password>`, `<apiKey>$K</apiKey>`, `<string name="api_key">$K</string>`,
	`<clientSecret>$K</clientSecret>`, `<entry key="db.password">$P</entry>`,
	// PHP, Ruby, Perl, Rust, Swift, C, shell, SQL
	`define('DB_PASSWORD', '$P');`, `$password = '$P';`, `'password' => '$P',`, `'secret' => env('X', ''), 'api_key' => '$K',`,
	`config.secret_key_base = '$K'`, `:password => "$P"`, `password: '$P'`, `my $password = "$P";`, `api_token => '$K',`,
	`let api_key = "$K";`, `const API_KEY: &str = "$K";`, `const VENDOR_TOKEN: &'static str = "$K";`, `let apiKey: String = "$K"`,
	`static let clientSecret = "$K"`, `const char *password = "$P";`, `#define API_KEY "$K"`, `char api_key[] = "$K";`,
	`NSString *apiKey = @"$K";`, `curl "https://api.test/v1?api_key=$K"`, `https://api.test/v1?access_token=$K&page=2`,
	`tool --token=$K`, `tool --password="$P" run`, `tool --api-key=$K`, `ENV API_KEY=$K`, `ARG TOKEN="$K"`,
	`ALTER USER joe SET password = '$P'`, `Server=db;User=sa;Password=$P;`, `x-api-key: $K`, `-Dpassword=$P`,
	`client.apiKey("$K")`, `.password("$P")`, `tool --token $K`, `tool --password '$P'`,
	// defaults
	`const x = process.env.API_KEY || '$K';`, `const x = process.env.DB_PASSWORD ?? "$P";`, `x = os.getenv("API_KEY") or "$K"`,
	`x = os.environ['DB_PASSWORD'] or '$P'`, `password: ${DB_PASSWORD:$P}`, `POSTGRES_PASSWORD: ${POSTGRES_PASSWORD:-$P}`, `API_KEY="${API_KEY:-$K}"`,
	`API_KEY ?= $K`, `api_key: str = Field(default="$K")`,
	// calls, directives, R
	`let api_key = String::from("$K");`, `let x: String = std::string("$K"); let api_key: String = String::from("$K");`,
	`ENV API_KEY $K`, `SetEnv DB_PASSWORD $P`, `set -gx API_TOKEN $K`, `api_key <- "$K"`,
	// values within blocks
	`password: |
  $P`, `api_key: >-
    $K`, `variable "db_password" {
  description = "Password of the database"
  type        = string
  default     = "$P"
}`, `public string ApiKey { get; set; } = "$K";`, `<key>ClientSecret</key>
	<string>$K</string>`, `- name: SMTP_PASS
  value: "$P"`, `<smtpPass>$P</smtpPass>`,
	// in strings
	`curl -H 'X-Api-Key: $K' https://api.test`, `"env": ["API_KEY: $K"]`, `"API_KEY=$K\nPORT=1"`,
}

func TestGenericFinds(t *testing.T) {
	e := genericEngine(t)
	missed, tried := map[string]int{}, 0
	const rounds = 20
	for seed := range uint64(rounds) {
		g := scan.NewGen(seed)
		for _, line := range genericPositives {
			value := machineKey(g)
			if strings.Contains(line, "$P") {
				value = chosenPassword(g)
			}
			text := "one\n" + strings.NewReplacer("$P", value, "$K", value).Replace(line) + "\ntwo\n"
			tried++
			var found bool
			for _, v := range verdicts(e, text) {
				s := v.Secret()
				found = found || v.Confidence >= scan.Medium && text[s.Start:s.End] == value
			}
			if !found {
				missed[line]++
			}
		}
	}
	total := 0
	for line, n := range missed {
		total += n
		if n > rounds/10 {
			t.Errorf("missed %d times of %d: %s", n, rounds, line)
		}
	}
	if total*100 > tried {
		t.Errorf("missed %d of %d, more than one in a hundred", total, tried)
	}
}

// Lines that hold no credential; $K is a random key where only the name tells.
const genericNegatives = `
# names of fields, options of names
FieldPKCS12Password = "pkcs12_password"
"fullPemToPkcs12Pass": fullPemToPkcs12Pass, "x": y
the secret ("deletionPolicy=None")
{'api_key': '2fFZuXXX_CXB5XXXDGMRXXXDiCKTer'}
# names that only contain a keyword
monkey = "$K"
public_key = "$K"
publicKey: "$K"
PUBLIC_KEY=$K
keyboard = "$K"
"primary_key": "$K"
foreign_key = '$K'
partition_key: "$K"
sort_key = "$K"
cache_key = "$K"
cacheKey: '$K',
idempotency_key="$K"
publishable_key = "$K"
siteKey: "$K"
"key": "$K"
key = '$K'
keyId: "$K"
key_id = "$K"
KEY_ID=$K
passage = "$K"
compass: "$K"
bypass = "$K"
author = "$K"
authority: "$K"
tokenizer = "$K"
tokenize("$K")
secretary = "$K"
passenger: "$K"
encompass = "$K"
token_count = 4096
max_tokens = 4096
max_tokens: 131072
"total_tokens": 15234
tokens_per_second = 123.456
token_type = "bearer"
token_type_id: "$K"
tokenType: 'Bearer',
token_id = "$K"
secret_name = "$K"
secretName: my-database-credentials
secret_id = "$K"
secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf"
password_field = "$K"
password_hash = "$K"
passwordHash: "$K"
password_digest: "$K"
hashed_password = "$2b$12$abcdefghijklmnopqrstuv"
password_salt = "$K"
password_label: "Enter your password"
passwordPlaceholder = "$K"
password_input = "$K"
password_reset_url = "$K"
password_reset_token_expiry = "$K"
key_path = "/etc/ssl/private/server.key"
private_key_path = "$K"
private_key_file: "$K"
privateKeyPath: './certs/server.pem',
secret_file = "/run/secrets/db_password"
token_file = "/var/run/token"
PASSWORD_FILE=/run/secrets/db
token_url = "https://auth.test/oauth/token"
tokenEndpoint: "$K"
access_token_url: "$K"
api_key_header = "$K"
apiKeyHeaderName: "$K"
API_KEY_NAME = "$K"
secret_key_ref: "$K"
secretKeyRef:
csrf_token = "$K"
"csrfToken": "$K"
<meta name="csrf-token" content="$K">
<input type="hidden" name="authenticity_token" value="$K" />
<input name="__RequestVerificationToken" type="hidden" value="$K" />
_csrf_token="$K"
xsrf-token: $K
next_page_token: "$K"
"nextPageToken": "$K"
nextToken = "$K"
pageToken=$K
continuation_token = "$K"
sync_token: "$K"
$skiptoken=$K
cancellationToken: "$K"
stop_token = "$K"
eos_token: "$K"
pad_token = "$K"
design_token = "$K"
device_token = "$K"
push_token: "$K"
password_sha256 = "$K"
token_hash: "$K"
secret_fingerprint = "$K"
api_key_id: "$K"
accessKeyVersion: "$K"
credential_type = "$K"
credentialsId: '$K'
# placeholders
password = "password"
password = "changeme"
password: "your_password_here"
password: "your-password"
PASSWORD=<your password>
PASSWORD=<PASSWORD>
API_KEY=your_api_key_here
API_KEY=YOUR_API_KEY
API_KEY="<API KEY>"
api_key: "xxxxxxxxxxxxxxxxxxxxxxxx"
api_key = "XXXXXXXX-XXXX-XXXX-XXXX-XXXXXXXXXXXX"
secret: "********************"
token = "................................"
token: "00000000000000000000000000000000"
SECRET_KEY=insert-your-secret-key-here
client_secret = "REPLACE_WITH_CLIENT_SECRET"
client_secret: "example-client-secret"
token = "abcdefghijklmnopqrstuvwxyz"
token = "0123456789abcdef0123456789abcdef"
api_key = "1234567890abcdef1234567890abcdef"
password: "test1234"
password = "secret123"
password=admin
password=root
PGPASSWORD=postgres
MYSQL_ROOT_PASSWORD: example
MINIO_SECRET_KEY=minioadmin
"password": "string"
"password": ""
password = ''
password: null
password = None
password: undefined
password=true
SECRET_KEY = "dev"
SECRET_KEY = "not-a-real-secret-key"
token: "sk-..."
token: "test-token"
token="dummy-token-for-tests"
auth_token = "fake_auth_token_12345"
api_key="TODO: add the key"
# templates, references to the environment, calls
password: \${DB_PASSWORD}
password: "\${DB_PASSWORD:-postgres}"
password = "\${var.db_password}"
password: {{ .Values.db.password }}
password: "{{ vault_db_password }}"
password = "%(db_password)s"
password: <%= ENV['DB_PASSWORD'] %>
password: !vault |
password: $DB_PASSWORD
PASSWORD=$(cat /run/secrets/password)
export TOKEN=$(gcloud auth print-access-token)
password = os.environ["DB_PASSWORD"]
password = os.getenv("DB_PASSWORD")
password = os.environ.get('DB_PASSWORD', '')
const apiKey = process.env.API_KEY;
const token = import.meta.env.VITE_TOKEN_VALUE;
apiKey: process.env.STRIPE_API_KEY!,
secret := os.Getenv("CLIENT_SECRET")
api_key = ENV["API_KEY"]
api_key = ENV.fetch("VENDOR_API_KEY")
$password = getenv('DB_PASSWORD');
$password = $_ENV['DB_PASSWORD'];
'password' => env('DB_PASSWORD', ''),
token: \${{ secrets.GITHUB_TOKEN }}
token: "@Microsoft.KeyVault(SecretUri=x)"
password: op://vault/item/password
api_key: vault:secret/data/app#api_key
secret = config.get("app.secret_key")
secret = get_secret("prod/db/password")
password = hashlib.sha256(value).hexdigest()
password = generate_password(length=32)
token = jwt.encode(payload, key, algorithm="HS256")
token = request.headers.get("X-Auth-Token")
token = req.headers['x-access-token'];
token := r.Header.Get("X-Auth-Token")
token = self.client.fetch_token(code)
apiKey: config.services.vendor.apiKey,
password: this.form.controls.password.value,
password: user.credentials.password
accessToken = response.data.accessToken;
secretKey = Keys.hmacShaKeyFor(bytes)
privateKey = await crypto.subtle.generateKey(
var password = passwordField.text ?? ""
let token = UserDefaults.standard.string(forKey: "token")
String password = scanner.nextLine();
String apiKey = System.getenv("VENDOR_API_KEY");
password = Convert.ToBase64String(bytes)
char *password = getpass("Password: ");
password = prompt("Password: ")
password = input("Enter your password: ")
password = getpass.getpass()
read -s -p "Password: " password
token, err := lexer.NextToken()
case token.IDENT: return parseIdentifier
if token == "identifier" {
token = TokenKind.StringLiteral
if password == confirmPassword {
assert password == user.password
token = nextToken
token = tokens[position]
password = password1
password = new_password
token=accessToken2
passwd_len = norm.len - passwd_off;
password: hashedPassword,
# identifiers, types and labels as values
token: "access_token"
"password": "passwordFieldLabel"
"token": "tokenTypeHint"
'secret': 'clientSecretInput',
passwordFieldId = "login-password-input"
apiKey: "x-api-key"
api_key = "X-Vendor-Api-Key"
password = "PasswordAuthentication"
secretType = "kubernetes.io/service-account-token"
secret: "kubernetes.io/tls"
tokenProvider: "com.example.auth.TokenProvider"
credentials: "same-origin"
credentials: 'include',
credentials = "service-account-credentials"
password: string
password: String?
password?: string;
token: Option<String>,
Password string
token: str
api_key: Optional[str] = None
secret VARCHAR(255) NOT NULL
password TEXT
type="password" name="password" id="password" autocomplete="current-password"
<input type="password" placeholder="Password" id="inputPassword1">
<label for="password">Password</label>
<password>\${password}</password>
<password>secret</password>
<label>password</label>
.password-input { color: #ff00aa; }
#password-strength-meter-2 { width: 100px }
token-color: #1f2937;
--token-font-size: 12px;
"token": "rgba(0,0,0,0.87)"
password.length >= 8
passwordMinLength: 12,
# prose and messages
"password": "Enter your password",
password=Passwort eingeben
login.password=Mot de passe
error.password=Le mot de passe est trop court
"token": "The token is invalid or has expired.",
messages.invalid_token = "Invalid token: please log in again"
"passwordTooShort": "Password must be at least 8 characters",
Password: the user's password, as entered
Token: a string that identifies the session
the password "swordfish" was used in the film
The secret: practise every day.
secret: it's in the sauce
--password  the password to use
--token string   token for authentication
Usage: tool --password PASSWORD --token TOKEN
tool --password \$PASSWORD
tool --token "\$TOKEN"
// password: see the vault
* @param password the password of the account
:param token: token-based authentication
password (string): account-password
# UUIDs, hashes, versions, dates, addresses
token: 3f2b8c1e-7a4d-4e9b-8c2f-1d5e6a7b8c9d
secret = "3f2b8c1e-7a4d-4e9b-8c2f-1d5e6a7b8c9d"
"integrity": "sha512-$K=="
checksum = "$K"
sha256 = "$K"
commit: $K
"resolved": "https://registry.test/token/-/token-1.0.0.tgz#$K"
golang.org/x/token v0.1.0 h1:$K=
token = "v1.2.3-beta.4"
token: 2024-05-01T12:00:00Z
password_changed_at = "2024-05-01T12:00:00Z"
secret_version = "2024050112"
password: "192.168.100.200"
token: "10.20.30.40:8080"
password = 12345678
secret = 3.14159265358979
token: 0x0000000000000001
api_key: 99999999999999999999
token = "user@mail.example.org"
secret: "https://vault.test/v1/secret/data/app"
credentials: "/home/joe/.config/gcloud/credentials.json"
credentials = "~/.aws/credentials"
credentials: ./service-account.json
token: ../tokens/token.json
password = "C:/Users/joe/passwords.txt"
api_key: "config/initializers/api_key.rb"
auth_token: "application/json"
secret: "data:image/png;base64,$K"
session_key = "user:session:12345:profile"
access_key = "ssh-rsa AAAAB3NzaC1yc2E joe@host"
# encrypted and hashed
password: ENC[AES256_GCM,data:$K]
password = "ENC($K)"
password: "{cipher}$K"
password: "{bcrypt}$2a$10$abc"
secret: vault:v1:$K
password = "5f4dcc3b5aa765d61d8327deb882cf99"
"password": "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
password: $6$rounds=5000$usesomesillystri$D4IrlXatmP7rx3P3InaxBeoomnAihCKRVQAr/36eYeQ
# base 64 of words
password: cGFzc3dvcmQ=
password: cG9zdGdyZXM=
token: dGVzdC10b2tlbg==
# keys for everyone
api_key = "pk_live_$K"
apiKey: 'pk_test_$K',
token: "phc_$K"
api_key: "sb_publishable_$K"
signingKey: "did:key:z$K"
token: "urn:uuid:3f2b8c1e-7a4d-4e9b-8c2f-1d5e6a7b8c9d"
# code that builds texts
"password=" + password
"Password=%s;User=%s"
f"password={password}"
"token=" + encodeURIComponent(token)
url = "https://api.test/?api_key=" + key
\"https://api.test/?token=\" . $token
fmt.Sprintf("token=%s&page=%d", token, page)
printf "password: %s\n" "$password"
token="\$(echo "$x" | cut -d= -f2)"
regexp.MustCompile("password=[^&]*")
re.compile(r'token["\']?\s*[:=]\s*["\']?([a-z0-9]+)')
grep -E "(password|secret|token)=[a-zA-Z0-9]+"
password.replace(/./g, "*")
if (!password || password.length < 8)
token = a*b+c
secret ? encode(secret) : defaultSecret
token = isValid?tokenA:tokenB
map["password"] = value
params["token"] = params["token"].strip()
setProperty("password", passwordProperty)
.withPassword(passwordEncoder.encode(raw))
credential.https://dev.example.org.useHttpPath=true
install-git-credential-osxkeychain: contrib/credential/osxkeychain/git-credential-osxkeychain
PASS: TestWithColons/127.0.0.1:0
--- PASS: TestParse/token=abc123def456 (0.00s)
ok  	example.org/password	0.123s
X-Goog-Credential=joe%2F20211001%2Fauto%2Fstorage%2Fgoog4_request
Credential=AKID/20210101/us-east-1/s3/aws4_request, SignedHeaders=host
e={password:"Password",token:"Token",secret:"Secret"};
function(e,t){var token=e.token,n=t.secret;return token+n}
`

func TestGenericSilent(t *testing.T) {
	e := genericEngine(t)
	tried := 0
	for seed := range uint64(10) {
		g := scan.NewGen(seed)
		for line := range strings.Lines(genericNegatives) {
			line = strings.TrimSuffix(line, "\n")
			if line == "" || strings.HasPrefix(line, "# ") {
				continue
			}
			tried++
			text := "one\n" + strings.ReplaceAll(strings.ReplaceAll(line, `\$`, "$"), "$K", g.String(scan.Base62, 40)) + "\ntwo\n"
			for _, v := range verdicts(e, text) {
				if v.Confidence > scan.Low {
					s := v.Secret()
					t.Errorf("found %q by %s in: %s", text[s.Start:s.End], v.Rule.ID, line)
				}
			}
		}
		if t.Failed() {
			return
		}
	}
	if tried < 3000 {
		t.Errorf("tried %d lines", tried)
	}
}

func FuzzJudgeAssignment(f *testing.F) {
	for _, line := range genericPositives {
		f.Add([]byte(line), 3, 9)
	}
	f.Add([]byte("token"), 0, 0)
	f.Fuzz(func(t *testing.T, text []byte, from, to int) {
		if from < 0 || to < from || to > len(text) {
			return
		}
		c := scan.Candidate{Text: text, Roles: []string{scan.RoleSecret}, Spans: [][]byte{text[from:to]}}
		if e := judgeAssignment(c); e.Proof == scan.Proved {
			t.Error("an assignment proves nothing")
		}
		randomToken(c)
		strongPassword(c)
		basicCredentials(c)
	})
}
