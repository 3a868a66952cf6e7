package redis

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/keywright/keywright/provider"
)

// aclUser is a user of an ACL, as the server knows it.
type aclUser struct {
	there     bool
	flags     []string
	passwords []string // their hashes
}

// user asks for a user of the ACL, which may not be there.
func (s *session) user(who string) (aclUser, error) {
	answer, err := s.ask("ACL", "GETUSER", who)
	if err != nil || answer == nil {
		return aclUser{}, err
	}
	fields, ok := answer.([]any)
	if !ok {
		return aclUser{}, errNonsense
	}
	u := aclUser{there: true}
	for i := 0; i+1 < len(fields); i += 2 {
		switch field, _ := fields[i].([]byte); string(field) {
		case "flags":
			u.flags, err = texts(fields[i+1])
		case "passwords":
			u.passwords, err = texts(fields[i+1])
		}
		if err != nil {
			return aclUser{}, err
		}
	}
	return u, nil
}

// usable refuses users whose passwords can't be replaced.
func (s *session) usable(who string) error {
	u, err := s.user(who)
	switch {
	case err != nil:
		return err
	case !u.there:
		return &refusal{text: "there is no user " + who}
	case slices.Contains(u.flags, "nopass"):
		// It would end as the user gets a password.
		return &refusal{text: who + " is let in with any password (nopass)", hint: "give the user a password, and the programs that use it"}
	}
	return nil
}

// rules are those of a user in the order in which they make another like it, without
// what lets it in.
func (s *session) rules(who string) ([]string, error) {
	answer, err := s.ask("ACL", "LIST")
	if err != nil {
		return nil, err
	}
	lines, err := texts(answer)
	if err != nil {
		return nil, err
	}
	for _, line := range lines {
		rest, ok := strings.CutPrefix(line, "user "+who+" ")
		if !ok {
			continue
		}
		var rules []string
		for _, rule := range split(rest) {
			if rule != "on" && rule != "off" && rule != "nopass" && !strings.HasPrefix(rule, "#") {
				rules = append(rules, rule)
			}
		}
		return rules, nil
	}
	return nil, &refusal{text: "there is no user " + who}
}

// split splits rules at blanks. A selector is one, in parentheses.
func split(line string) (rules []string) {
	for _, word := range strings.Fields(line) {
		if n := len(rules); n > 0 && strings.HasPrefix(rules[n-1], "(") && !strings.HasSuffix(rules[n-1], ")") {
			rules[n-1] += " " + word
			continue
		}
		rules = append(rules, word)
	}
	return rules
}

// withoutFile is how the server says that its settings came from no file.
const withoutFile = "ERR The server is running without a config file"

// save makes the server remember its users beyond its end: in their own file if it has
// one, or else in that of its settings. Where it has neither, Plan has said so.
func (s *session) save() error {
	file, err := s.setting("aclfile")
	switch {
	case err != nil:
	case file != "":
		err = s.do("ACL", "SAVE")
	default:
		if err = s.do("CONFIG", "REWRITE"); refused(err, withoutFile) {
			return nil
		}
	}
	if err != nil {
		return &partly{what: "it is done, and not saved: a restart of the server would undo it", err: err}
	}
	return nil
}

// partly is an error after which something stands all the same.
type partly struct {
	what string
	err  error
}

func (p *partly) Error() string { return p.what + ": " + p.err.Error() }
func (p *partly) Unwrap() error { return p.err }

// setting is one of the server's settings.
func (s *session) setting(which string) (string, error) {
	answer, err := s.ask("CONFIG", "GET", which)
	if err != nil {
		return "", err
	}
	pair, err := texts(answer)
	if err != nil || len(pair) != 2 || pair[0] != which {
		return "", errNonsense
	}
	return pair[1], nil
}

// Plan implements provider.Planner. It asks the server whether the admin may do all that
// a rotation does, which servers before Redis 7 cannot tell.
func (p Provider) Plan(ctx context.Context, admin, old provider.Credential) (provider.Plan, error) {
	from := provider.User(old)
	doing := "look whether the password of " + from + " can be replaced"
	to, err := successor(doing, old)
	if err != nil {
		return provider.Plan{}, err
	}
	as, err := provider.Acting(p, doing, admin, old)
	if err != nil {
		return provider.Plan{}, err
	}
	var plan provider.Plan
	err = within(ctx, doing, as, func(s *session) error {
		aclfile, unknown := s.setting("aclfile")
		needed := [][]string{{"ACL", "GETUSER", from}, {"ACL", "SETUSER", from}, {"ACL", "SETUSER", to}, {"CLIENT", "KILL", "USER", from}, {"CONFIG", "GET", "aclfile"}}
		if aclfile != "" {
			needed = append(needed, []string{"ACL", "SAVE"})
		} else {
			needed = append(needed, []string{"CONFIG", "REWRITE"})
		}
		if from != to {
			needed = append(needed, []string{"ACL", "LIST"}, []string{"CLIENT", "LIST"})
		}
		note, err := s.may(provider.User(admin), needed)
		if err != nil {
			return err
		}
		plan.Notes = append(plan.Notes, note...)
		if unknown != nil {
			return unknown
		}
		if err := s.usable(from); err != nil {
			return err
		}
		if from == to {
			plan.Notes = append(plan.Notes, "all connections of "+from+" are closed when the old password is taken away, as the server does not say with which one they were opened")
		} else {
			note, err := s.unused(from, to)
			if err != nil {
				return err
			}
			plan.Notes = append(plan.Notes, note)
		}
		plan.Notes = append(plan.Notes, s.around(aclfile)...)
		return nil
	}, old)
	if err != nil {
		return provider.Plan{}, err
	}
	return plan, nil
}

// may refuses an admin that lacks rights, and names them.
func (s *session) may(who string, needed [][]string) (notes []string, err error) {
	var missing []string
	for _, command := range needed {
		answer, err := s.text(slices.Concat([]string{"ACL", "DRYRUN", who}, command)...)
		switch {
		case refused(err, "NOPERM"), refused(err, "ERR "): // servers before Redis 7 do not know it
			return []string{"what " + who + " may do was not looked at: " + err.Error()}, nil
		case err != nil:
			return nil, err
		case answer != "OK":
			missing = append(missing, "+"+strings.ToLower(command[0]+"|"+command[1]))
		}
	}
	slices.Sort(missing)
	if missing = slices.Compact(missing); len(missing) > 0 {
		rights := strings.Join(missing, " ")
		return nil, &refusal{code: "NOPERM", text: who + " lacks " + rights, hint: "ACL SETUSER " + who + " " + rights}
	}
	return nil, nil
}

// unused refuses a successor that somebody uses: its password is about to change.
func (s *session) unused(from, to string) (note string, err error) {
	u, err := s.user(to)
	if err != nil {
		return "", err
	}
	if !u.there {
		return "the user " + to + " is made, with the rights of " + from, nil
	}
	list, err := s.text("CLIENT", "LIST")
	if err != nil {
		return "", err
	}
	open := 0
	for line := range strings.Lines(list) {
		if slices.Contains(strings.Fields(line), "user="+to) {
			open++
		}
	}
	if open > 0 {
		return "", &refusal{text: fmt.Sprintf("%s is in use: %d connections are open", to, open),
			hint: "its password would change; stop what uses it, or keep the key that is in use"}
	}
	return to + " gets the rights of " + from + ", and no others", nil
}

// around are notes on what is about the server.
func (s *session) around(aclfile string) (notes []string) {
	info, err := s.text("INFO")
	if err != nil {
		return []string{"whether the server has replicas was not looked at: they have users of their own"}
	}
	is := map[string]string{}
	for line := range strings.Lines(info) {
		if field, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			is[field] = value
		}
	}
	switch {
	case aclfile != "":
		notes = append(notes, "ACL SAVE writes all users to the server's file")
	case is["config_file"] != "":
		notes = append(notes, "CONFIG REWRITE saves the users, and all settings that were changed since the server started")
	default:
		notes = append(notes, "this server has no file for its users: a restart would bring the old password back, and take the new one away")
	}
	if n := is["connected_slaves"]; n != "" && n != "0" {
		notes = append(notes, "users are not replicated: "+n+" replicas have their own, and go on accepting the old password")
	}
	if is["cluster_enabled"] == "1" {
		notes = append(notes, "users are not shared in a cluster: this node's alone is changed")
	}
	if is["role"] == "slave" {
		notes = append(notes, "this is a replica: users are not replicated, and the primary has its own")
	}
	return notes
}
