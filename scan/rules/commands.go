package rules

import (
	"strings"

	"github.com/keywright/keywright/scan"
)

// commandPasswords are passwords that no name stands before: arguments of programs, of
// SQL's statements and of calls that take them at a fixed place.
func commandPasswords() []scan.Rule {
	const (
		// bytes of an argument: visible ASCII without quotes, and without what a shell ends it at
		argument = `(?P<secret>[!#%+\-./0-9:=?@A-Z^_a-z~]{6,64})(?:[\s"'` + "`" + `\\;|&)]|$)`
		quoted   = `["'](?P<secret>[!#-&(-\[\]-~]{6,96})["']`
	)
	rule := func(id, title, reference, expr string, samples ...string) scan.Rule {
		return scan.Rule{
			ID: id, Provider: "generic", Title: title, Generic: true,
			Why:       "Whoever reads it can log in as the account that it belongs to, or forge what it signs.",
			Fix:       "Change it where it is accepted, and read the new one from the environment or a secret store.",
			Reference: reference, Confidence: scan.Medium, Expr: expr, Check: judgeArgument,
			Samples: func(g *scan.Gen) scan.Samples {
				var s scan.Samples
				for _, text := range samples {
					write := func(v string) string { return strings.ReplaceAll(text, "$V", v) }
					s.Match = append(s.Match, write(chosenPassword(g)), write("R"+g.String(scan.Base62, 23)))
					s.NoMatch = append(s.NoMatch, write("$PASSWORD"), write("YOUR_PASSWORD"), write("password"), write("getPassword"))
				}
				return s
			},
		}
	}
	const mysql = "https://dev.mysql.com/doc/refman/8.4/en/command-line-options.html"
	return []scan.Rule{
		rule("mysql-argument", "Password as an argument of mysql", mysql,
			`(?:mysql|mysqldump|mysqladmin|mariadb|mariadb-dump) [ !-~]{0,120}?[ ]-p["']{0,1}`+argument,
			"mysql -h db.corp.net -u root -p$V app < dump.sql\n", "mysqldump -uroot -p'$V' --all-databases\n"),
		rule("sshpass-argument", "Password as an argument of sshpass", "https://sourceforge.net/projects/sshpass/",
			`sshpass -p ?["']{0,1}`+argument, "sshpass -p '$V' ssh joe@host.corp.net\n", "sshpass -p $V scp a b:\n"),
		rule("redis-cli-argument", "Password as an argument of redis-cli", "https://redis.io/docs/latest/develop/tools/cli/",
			`redis-cli [ !-~]{0,80}?-a ["']{0,1}`+argument, "redis-cli -h cache.corp.net -a $V ping\n", "redis-cli -a '$V' --no-auth-warning\n"),
		rule("docker-login-argument", "Password as an argument of docker login", "https://docs.docker.com/reference/cli/docker/login/",
			`(?:docker|podman|registry|buildah|skopeo|oras|crane) login [ !-~]{0,100}?-p[ =]["']{0,1}`+argument,
			"docker login -u joe -p $V registry.corp.net\n", "helm registry login x.corp.net -u joe -p '$V'\n"),
		rule("docker-login-input", "Password given to docker login", "https://docs.docker.com/reference/cli/docker/login/",
			`echo (?:-n )?["']{0,1}(?P<secret>[!#%+\-./0-9:=?@A-Z^_a-z~]{6,64})["']{0,1} ?\| ?(?:sudo )?(?:docker|podman|helm registry|buildah|skopeo|oras|crane) login`,
			"echo $V | docker login -u joe --password-stdin\n", "echo \"$V\" | podman login -u joe --password-stdin x.corp.net\n"),
		rule("sql-user-password", "Password of a database's user", "https://dev.mysql.com/doc/refman/8.4/en/create-user.html",
			`(?i:identified )(?i:with ["'0-9a-z_]{1,40} )?(?i:by |as )`+quoted,
			"CREATE USER 'joe'@'%' IDENTIFIED BY '$V';\n", "ALTER USER 'joe' IDENTIFIED WITH mysql_native_password BY '$V';\n"),
		rule("php-database-password", "Password of a database's user", "https://www.php.net/manual/en/pdo.construct.php",
			`(?:new PDO|new mysqli|mysqli_connect|mysql_connect)\(\s{0,12}(?:["'][ !#-&(-~]{0,100}["']|\$[0-9A-Za-z_]{1,32}),\s{0,12}(?:["'][ !#-&(-~]{0,60}["']|\$[0-9A-Za-z_]{1,32}),\s{0,12}`+quoted,
			"$db = new PDO('mysql:host=db.corp.net;dbname=x', 'joe', '$V');\n", "mysqli_connect(\"db.corp.net\", \"joe\", \"$V\", \"app\")"),
		rule("jwt-signing-secret", "Secret that signs JSON Web Tokens", "https://www.rfc-editor.org/rfc/rfc7518#section-3.2",
			`(?i:jwt)\.(?:sign|verify|encode|decode)\([\t\n\r !#-&(-~]{1,120}?,\s{0,12}(?:key ?= ?|secret ?= ?)?`+quoted,
			"const t = jwt.sign({ id, role }, '$V', { expiresIn: 1 });\n", "jwt.encode(payload, \"$V\", algorithm=ALGORITHM)\n", "jwt.decode(token, key='$V')\n"),
	}
}

// judgeArgument judges what stands where a password belongs: words are variables of
// templates and options.
func judgeArgument(c scan.Candidate) scan.Evidence {
	v := c.Secret()
	switch {
	case smallLetters(v), notSecret(v):
		return scan.Rejected
	case encrypted(v) != "":
		return scan.Evidence{Cap: scan.Low, Reason: encrypted(v)}
	}
	return judgeQuoted(v, kindPassword)
}
