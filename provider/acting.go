package provider

import (
	"errors"
	"maps"
	"strings"
)

// Acting is the credential that changes are made with, at the server of the one that is
// changed. Of the server that one's parameters count alone; of the way there, the admin's
// own come first. An admin that names another server is refused, before anything is sent:
// the change would be made where nobody looks for it, or a secret be shown to whom it is
// none of.
func Acting(p Provider, doing string, admin, c Credential) (Credential, error) {
	info := p.Info()
	params := maps.Clone(c.Params)
	if params == nil {
		params = map[string]string{}
	}
	own := maps.Clone(admin.Params)
	var names, here, there []string
	named, differ := false, false
	for _, param := range info.Params {
		if !param.Server {
			continue
		}
		delete(own, param.Name)
		value := func(of Credential) string {
			v := of.Params[param.Name]
			if v == "" {
				v = param.Default
			}
			return strings.TrimSuffix(v, "/")
		}
		k, a := value(c), value(admin)
		if k == "" || a == "" {
			continue
		}
		named = named || admin.Params[param.Name] != ""
		differ = differ || k != a
		names = append(names, param.Name)
		here, there = append(here, param.Name+"="+k), append(there, param.Name+"="+a)
	}
	if named && differ {
		return Credential{}, &Error{Provider: info.Name, Doing: doing, Kind: Incomplete,
			Err:  errors.New("of which server it is: the key says " + strings.Join(here, " ") + ", the one to make changes with " + strings.Join(there, " ")),
			Hint: "changes are made at the key's server: let both keys name it, with the same " + strings.Join(names, " and ") + " (keywright edit --param)"}
	}
	maps.Copy(params, own)
	admin.Params = params
	return admin, nil
}
