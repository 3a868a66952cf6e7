package server

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/secret"
)

// FoundAt makes a credential of the parts of an address of one of some schemes: user,
// password, host, port and database. Its host may be any. It reports false if it is no
// such address, or one of which it is not sure who is asked.
func FoundAt(rule string, parts map[string]secret.Value, schemes ...string) (c provider.Credential, scheme string, ok bool) {
	text := func(role string) string { return string(parts[role].Reveal()) }
	scheme = strings.ToLower(text("scheme"))
	if rule != "database-url-password" || !slices.Contains(schemes, scheme) {
		return c, "", false
	}
	if driver := text("driver"); driver != "" && strings.Trim(driver, "0123456789_abcdefghijklmnopqrstuvwxyz") != "" || driver == "srv" || driver == "sentinel" {
		return c, "", false
	}
	host := strings.ToLower(text("host"))
	if inside, ok := strings.CutPrefix(host, "["); ok {
		host = strings.TrimSuffix(inside, "]")
	}
	user, err1 := url.PathUnescape(text("user"))
	password, err2 := url.PathUnescape(text("secret"))
	database, err3 := url.PathUnescape(text("database"))
	port := text("port")
	number, err4 := strconv.ParseUint(port, 10, 16)
	switch {
	case errors.Join(err1, err2, err3) != nil, host == "", password == "":
		return c, "", false
	case port != "" && (err4 != nil || number == 0):
		return c, "", false
	}
	for _, s := range []string{user, password, database} { // a protocol must not take one for its own
		if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
			return c, "", false
		}
	}
	c = provider.Credential{
		Parts:  map[string]secret.Value{provider.UserPart: secret.New([]byte(user)), Password: secret.New([]byte(password))},
		Params: map[string]string{Host: host, Port: port, Database: database},
		Found:  true,
	}
	return c, scheme, true
}
