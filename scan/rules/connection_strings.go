package rules

import (
	"bytes"
	"net/url"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/proof"
)

// The parts of an address with user information (RFC 3986, section 3.2.1). The
// classes exclude each other's delimiters, so that the check before the
// expression gets as far as the host.
const (
	urlUser     = `[!%*+,\-.0-9=A-Z_a-z~]{0,80}`
	urlPassword = `[!#-&(-.0-9;=?A-Z^_a-z|~]{3,160}`
	urlHost     = `[0-9A-Za-z_.-]{1,100}`
	urlPort     = `(?::(?P<port>[0-9]{1,5}))?`
	urlDatabase = `(?:/(?P<database>[%+\-.0-9A-Z_a-z]{1,64}))?`
)

// connectionStrings are addresses and connection strings with a password in
// them. Tokens in addresses have rules of their own, which these yield to.
func connectionStrings() []scan.Rule {
	base := scan.Rule{
		Provider: "generic", Confidence: scan.High, Generic: true, Public: []string{"scheme", "driver", "user", "host", "port", "database"},
		Why: "Whoever reads it can log in to the server that it names.",
		Fix: "Change the password on the server, and read the address from the environment or a secret store.",
	}
	address := func(id, title, head, tail, reference, sample string) scan.Rule {
		r := base
		r.ID, r.Title, r.Reference = id, title, reference
		r.Expr = head + `(?P<user>` + urlUser + `):(?P<secret>` + urlPassword + `)@(?:tcp\()?(?P<host>\[[0-9A-Fa-f:]{2,40}\]|` + urlHost + `)` + tail
		r.Check = addressPassword(id != "database-url-password")
		r.Samples = func(g *scan.Gen) scan.Samples {
			at := func(user, password, host string) string { return sample + "://" + user + ":" + password + "@" + host }
			p := g.String(scan.Base62, 18)
			return scan.Samples{
				Match: []string{
					"URL=" + at("joe", p, "db.corp.net:5432/app") + "\n", "\"" + at("joe", p, "10.2.3.4") + "\"", "url: " + at("joe", "Kab%40"+g.Hex(8)+"!", "db.corp.net/x?y=z#f") + "\n",
				},
				NoMatch: []string{
					at("joe", p, "localhost:5432/app"), at("user", "password", "host"), at("joe", "${PASSWORD}", "db.corp.net"), at("joe", "$PASSWORD", "db.corp.net"),
					at("joe", "****", "db.corp.net"), at("<user>", "<password>", "db.corp.net"), sample + "://db.corp.net:5432/a@b", sample + "://joe@db.corp.net/a:b",
				},
			}
		}
		return r
	}
	return []scan.Rule{
		address("database-url-password", "Password in the address of a database or broker",
			`(?P<scheme>(?i:postgres|postgresql|mysql|mysqlx|mariadb|mongodb|redis|rediss|valkey|amqp|amqps|mssql|sqlserver|oracle|cockroachdb|clickhouse|cassandra|snowflake|couchdb|couchbase|neo4j|bolt|influxdb|elasticsearch|opensearch|nats|kafka|mqtt|mqtts|stomp|memcached|vertica|redshift|trino|presto|libsql|edgedb|surrealdb))[:+](?:(?P<driver>[+.:0-9_a-z]{1,23}):)?//`,
			urlPort+urlDatabase, "https://www.postgresql.org/docs/current/libpq-connect.html", "postgresql+asyncpg"),
		address("server-url-password", "Password in the address of a server",
			`(?i:ftp|ftps|sftp|ssh|ldap|ldaps|smtp|smtps|imap|imaps|pop3|pop3s|smb|cifs|rtsp|rtmp|socks5|socks5h|socks4|webdav|webdavs|vnc|rdp|telnet|svn|svn\+ssh|git)://`,
			``, "https://www.rfc-editor.org/rfc/rfc3986", "sftp"),
		address("http-url-password", "Password in a web address",
			`(?i:https{0,1}://)`, ``, "https://www.rfc-editor.org/rfc/rfc9110", "https"),
		goMySQL(base),
		{
			ID: "pgpass-password", Provider: "postgres", Title: "Password of a .pgpass file", Generic: true,
			Why: base.Why, Fix: "Change the role's password on the server.", Reference: "https://www.postgresql.org/docs/current/libpq-pgpass.html", Confidence: scan.High,
			Expr:  `(?P<host>[0-9A-Za-z_.*-]{1,100}):(?:5432|5433|6432|5439|26257):[0-9A-Za-z_.*-]{1,63}:(?P<user>[0-9A-Za-z_.*@-]{1,63}):(?P<secret>[!#-&(-~]{6,100})(?:[\r\n]|$)`,
			Check: proof.PgpassLine, Public: []string{"host", "user"},
			Samples: func(g *scan.Gen) scan.Samples {
				return scan.Samples{
					Match:   []string{"db.corp.net:5432:app:joe:" + g.String(scan.Base62, 16) + "\n", "*:5432:*:joe:" + chosenPassword(g)},
					NoMatch: []string{"localhost:5432:app:joe:password\n", "image: db:5432:x\n", "127.0.0.1:5432:5432:tcp\n"},
				}
			},
		},
	}
}

// goMySQL recognises the connection strings of Go's MySQL driver, which have no
// scheme.
func goMySQL(r scan.Rule) scan.Rule {
	r.ID, r.Title = "go-mysql-password", "Password in a connection string of Go's MySQL driver"
	r.Reference = "https://pkg.go.dev/github.com/go-sql-driver/mysql#hdr-DSN__Data_Source_Name_"
	r.Expr = `(?P<user>[0-9A-Za-z_.-]{1,64}):(?P<secret>[!#-&(-.0-9;=?A-Z^_a-z|~]{3,128})@tcp\((?P<host>` + urlHost + `)`
	r.Check = addressPassword(false)
	r.Samples = func(g *scan.Gen) scan.Samples {
		p := g.String(scan.Base62, 18)
		return scan.Samples{
			Match:   []string{"\"joe:" + p + "@tcp(db.corp.net:3306)/app?parseTime=true\"", "DSN=joe:" + p + "@tcp(10.1.2.3:3306)/app\n"},
			NoMatch: []string{"\"joe:" + p + "@tcp(localhost:3306)/app\"", "\"%s:%s@tcp(%s)/%s\"", "user:password@tcp(db.corp.net:3306)/app"},
		}
	}
	return r
}

// addressPassword judges the password of an address. Words are no sign of a real
// one where they are common: tests and documents have them in web addresses.
func addressPassword(common bool) func(scan.Candidate) scan.Evidence {
	return func(c scan.Candidate) scan.Evidence {
		e := proof.URLPassword(c)
		if e.Reject || e.Cap == scan.Low {
			return e
		}
		v := c.Secret()
		switch {
		case bytes.HasPrefix(v, []byte("//")), bytes.HasPrefix(v, []byte("$")) && upperName(append([]byte("_"), v[1:]...)), bytes.HasPrefix(v, []byte("%")) && bytes.HasSuffix(v, []byte("%")):
			return scan.Rejected
		case weakPassword(v) && common:
			e.Cap, e.Reason = scan.Low, "the password is a word"
		case weakPassword(v):
			e.Cap, e.Reason = scan.Medium, "the password is a word"
		}
		return e
	}
}

// weakPassword reports whether v is a word, perhaps with a number, small letters
// only, or too short to tell.
func weakPassword(v []byte) bool {
	if plain, err := url.PathUnescape(string(v)); err == nil {
		v = []byte(plain)
	}
	return proof.LooksLikeIdentifier(v) || len(v) < 6 || wordsOnly(v) || proof.Placeholder(plainLetters(v))
}

// wordsOnly reports whether v is small letters, with hyphens and kin between.
func wordsOnly(v []byte) bool {
	for _, c := range v {
		if (c < 'a' || c > 'z') && bytes.IndexByte([]byte("-_. /"), c) < 0 {
			return false
		}
	}
	return true
}
