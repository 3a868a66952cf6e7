package mysql

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/keywright/keywright/provider"
)

// Plan implements provider.Planner. The server cannot be asked whether something would be
// permitted: rights are looked up.
func (p MariaDB) Plan(ctx context.Context, admin, old provider.Credential) (provider.Plan, error) {
	from := provider.User(old)
	doing := "look whether the password of " + from + " can be changed"
	to, err := successor(doing, old)
	if err != nil {
		return provider.Plan{}, err
	}
	as, err := provider.Acting(p, doing, admin, old)
	if err != nil {
		return provider.Plan{}, err
	}
	plan := provider.Plan{InPlace: to == from}
	if plan.InPlace {
		plan.Outage = "from the change on, " + from + " can log in with the new password alone; sessions that are open go on until the end"
		plan.Notes = append(plan.Notes, "all sessions of "+from+" are ended then, as the server does not say when they began")
	}
	err = mariaDB.within(ctx, doing, as, func(ctx context.Context, s *session) error {
		if err := s.takes(ctx, plan.InPlace); err != nil {
			return err
		}
		before, err := s.accounts(ctx, from)
		if err == nil && (len(before) != 1 || !before[0].own) {
			err = s.may(ctx, "CREATE USER", "CONNECTION ADMIN", "PROCESS")
		}
		if err != nil {
			return forbidden(err, "GRANT SELECT ON mysql.* TO "+s.user)
		}
		if err := uniform(from, before); err != nil {
			return err
		}
		if before[0].own {
			plan.Notes = append(plan.Notes, fmt.Sprintf("of %s, the account %s alone is changed: it sees no others", from, before[0]))
		}
		if plan.InPlace {
			return nil
		}
		return s.compare(ctx, before, to)
	}, old)
	if err != nil {
		return provider.Plan{}, err
	}
	return plan, nil
}

// compare refuses a successor that is not like the one before, or in use.
func (s *session) compare(ctx context.Context, before []entry, to string) error {
	after, err := s.accounts(ctx, to)
	if err != nil {
		return err
	}
	if err := uniform(to, after); err != nil {
		return err
	}
	if err := s.alike(ctx, before, after); err != nil {
		return err
	}
	open, _, err := s.sessions(ctx, to)
	if err == nil && len(open) > 0 {
		err = &refusal{text: fmt.Sprintf("%s is in use: %d sessions are open", to, len(open)), hint: "its password would change; stop what uses it, or keep the key that is in use"}
	}
	return err
}

// fewErrors is how many wrong passwords are too few for a proof that one is dead.
const fewErrors = 20

// takes refuses a server that would not take what a rotation does.
func (s *session) takes(ctx context.Context, inPlace bool) error {
	rows, err := s.query(ctx, `SELECT @@read_only, @@max_password_errors, @@strict_password_validation,
		(SELECT COUNT(*) FROM information_schema.PLUGINS WHERE PLUGIN_TYPE = 'PASSWORD VALIDATION' AND PLUGIN_STATUS = 'ACTIVE')`)
	if err != nil {
		return err
	}
	if len(rows) != 1 || len(rows[0]) != 4 {
		return errNonsense
	}
	r := rows[0]
	wrong, err := strconv.ParseUint(r[1], 10, 64)
	switch {
	case err != nil:
		return errNonsense
	case r[0] != "0":
		return &refusal{code: optionPrevents, text: "the server is read-only", hint: "this is a replica: name the primary server"}
	case r[2] != "0" && r[3] != "0":
		return &refusal{text: "the server takes no hashes of passwords, as a plugin validates passwords and strict_password_validation is on",
			hint: "turn strict_password_validation off: passwords that are made here have 40 characters at random"}
	case inPlace && wrong < fewErrors:
		return &refusal{text: fmt.Sprintf("the server blocks a user after %d wrong passwords (max_password_errors), and trying the old one would count", wrong),
			hint: "let two users take turns, or raise max_password_errors to " + strconv.Itoa(fewErrors)}
	}
	return nil
}

// uniform refuses a user of which there is no account, or whose accounts have not one
// password.
func uniform(user string, all []entry) error {
	if len(all) == 0 {
		return &refusal{text: "there is no user " + user, hint: "make it, with the rights of the other, and ACCOUNT LOCK"}
	}
	for _, a := range all {
		if err := a.usable(); err != nil {
			return err
		}
		if a.method != all[0].method || a.digest != all[0].digest {
			return &refusal{text: fmt.Sprintf("%s and %s have not the same password", all[0], a), hint: "all accounts of " + user + " would get one: drop those that are not used, or give them another name"}
		}
	}
	return nil
}

// alike refuses a successor that can do other things than the one before it, or comes from
// elsewhere.
func (s *session) alike(ctx context.Context, before, after []entry) error {
	var all []string
	for _, a := range before {
		at := slices.IndexFunc(after, func(b entry) bool { return b.host == a.host })
		if at < 0 {
			all = append(all, fmt.Sprintf("there is no %s@%s beside %s", after[0].user, a.host, a))
			continue
		}
		differences, err := s.differences(ctx, a, after[at])
		if err != nil {
			return err
		}
		all = append(all, differences...)
	}
	for _, b := range after {
		if !slices.ContainsFunc(before, func(a entry) bool { return a.host == b.host }) {
			all = append(all, fmt.Sprintf("there is no %s@%s beside %s", before[0].user, b.host, b))
		}
	}
	if len(all) == 0 {
		return nil
	}
	return &refusal{text: fmt.Sprintf("%s is not like %s: %s", after[0].user, before[0].user, strings.Join(all, "; ")),
		hint: "give both the same role, and nothing else"}
}

// differences are sentences on what two accounts do not have in common.
func (s *session) differences(ctx context.Context, a, b entry) (all []string, err error) {
	if a.method != b.method {
		all = append(all, fmt.Sprintf("%s logs in by %s, %s by %s", a, a.method, b, b.method))
	}
	if a.rest != b.rest {
		all = append(all, fmt.Sprintf("%s has %q, %s has %q", a, a.rest, b, b.rest))
	}
	var has [2][]string
	for i, e := range []entry{a, b} {
		grants, err := s.query(ctx, "SHOW GRANTS FOR ?@?", e.user, e.host)
		if err != nil {
			return nil, err
		}
		has[i] = rights(grants)
	}
	for i, e := range []entry{a, b} {
		for _, r := range has[i] {
			if !slices.Contains(has[1-i], r) {
				all = append(all, fmt.Sprintf("%s alone has %s", e, r))
			}
		}
	}
	return all, nil
}
