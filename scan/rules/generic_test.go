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
	for _, r := range generic() {
		only = append(only, finish(r))
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
	`let api_key = "$K";`, `const API_KEY: &str = "$K";`, `const TOKEN: &'static str = "$K";`, `let apiKey: String = "$K"`,
	`static let clientSecret = "$K"`, `const char *password = "$P";`, `#define API_KEY "$K"`, `char api_key[] = "$K";`,
	`NSString *apiKey = @"$K";`, `curl "https://api.test/v1?api_key=$K"`, `https://api.test/v1?access_token=$K&page=2`,
	`tool --token=$K`, `tool --password="$P" run`, `tool --api-key=$K`, `ENV API_KEY=$K`, `ARG TOKEN="$K"`,
	`ALTER USER joe SET password = '$P'`, `Server=db;User=sa;Password=$P;`, `x-api-key: $K`, `-Dpassword=$P`,
	`client.apiKey("$K")`, `.password("$P")`, `tool --token $K`, `tool --password '$P'`,
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
