package cmd

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/keywright/keywright/audit"
	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/rotate/consumer"
)

// details are the flags that say what a key is; set and edit share them.
type details struct {
	provider    string
	publicID    string
	owner       string
	description string
	expires     string
	rotateEvery string
	scopes      []string
	tags        []string
	variables   []string
	params      []string
	admin       string
	consumers   []string
	noConsumers bool
	use         string
	forbid      []string
	requireIPs  string // a bool, or empty if it is not given
}

func (d *details) addFlags(f *pflag.FlagSet) {
	f.StringVar(&d.provider, "provider", "", "`NAME` of the service that issues it")
	f.StringVar(&d.publicID, "public-id", "", "`ID` that the service calls it by")
	f.StringVar(&d.owner, "owner", "", "`WHO` is responsible for it")
	f.StringVar(&d.description, "description", "", "`TEXT` to remember it by")
	f.StringVar(&d.expires, "expires", "", "it expires in or on `WHEN`: 90d, 2027-01-31")
	f.StringVar(&d.rotateEvery, "rotate-every", "", "replace it every so many `DAYS`: 90d")
	f.StringSliceVar(&d.scopes, "scopes", nil, "what it may do, `LIST`")
	f.StringSliceVar(&d.tags, "tags", nil, "`LIST` of words to find it by")
	f.StringArrayVar(&d.variables, "variable", nil, "`PART=NAME`, a variable for a part, or PART=none\n(may be repeated)")
	f.StringArrayVar(&d.params, "param", nil, "`NAME=VALUE` that the service must know, or NAME= to\nforget it (may be repeated)")
	f.StringVar(&d.admin, "admin", "", "`KEY` that it is changed with; itself for none")
	f.StringArrayVar(&d.consumers, "consumer", nil, "`SPEC` of a place that new versions are delivered to,\nin place of those before (may be repeated)")
	f.StringSliceVar(&d.forbid, "forbid", nil, "rights that no new version may have, `LIST`:\nwithdraw; none to forbid nothing")
	f.BoolFunc("require-ip-list", "a new version has to be bound to addresses", func(s string) error {
		_, err := strconv.ParseBool(s)
		d.requireIPs = s
		return err
	})
}

// apply is the change of a key that the flags mean.
func (d *details) apply(now time.Time) (func(*keystore.Key) error, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	expires, err := parseExpiry(d.expires, now)
	if err != nil {
		return nil, err
	}
	days := 0
	if d.rotateEvery != "" && d.rotateEvery != none {
		if days, err = parseDays("--rotate-every", d.rotateEvery); err != nil {
			return nil, err
		}
	}
	return func(k *keystore.Key) error {
		set(&k.Provider, d.provider)
		set(&k.PublicID, d.publicID)
		set(&k.Owner, d.owner)
		set(&k.Description, d.description)
		if d.expires != "" {
			k.Expires = expires
		}
		if d.rotateEvery != "" {
			k.RotateEvery = keystore.Days(days)
		}
		setList(&k.Scopes, d.scopes)
		setList(&k.Tags, d.tags)
		setList(&k.Forbidden, d.forbid)
		if d.requireIPs != "" {
			k.RequireIPs, _ = strconv.ParseBool(d.requireIPs) // it was parsed before
		}
		if d.admin != "" {
			k.Admin = d.admin
		}
		if k.Use = cmp.Or(keystore.Use(d.use), k.Use); k.Use == keystore.Reveal {
			k.Use = "" // as it is without a word
		}
		if k.Admin == k.Name.String() {
			k.Admin = ""
		}
		d.setParams(k)
		return cmp.Or(d.setVariables(k), d.setConsumers(k))
	}, nil
}

func uses() []string { return []string{string(keystore.Reveal), string(keystore.Run)} }

// check reports what is wrong with a use, with parameters and with the name of a key.
func (d *details) check() error {
	if d.use != "" && !slices.Contains(uses(), d.use) {
		return usagef("the uses are "+strings.Join(uses(), ", "), "--use: unknown use %s", quote(d.use))
	}
	for _, p := range d.params {
		if name, _, ok := strings.Cut(p, "="); !ok || !isParam(name) || strings.ContainsFunc(p, unicode.IsControl) {
			return usagef("for example: --param host=db.example.com", "--param: %s is not NAME=VALUE", quote(p))
		}
	}
	if d.admin != "" {
		if _, err := keystore.ParseName(d.admin); err != nil {
			return usageError{fmt.Errorf("--admin: %w", err), "a key is written ENV/NAME: prod/DB_ADMIN"}
		}
	}
	return nil
}

// isParam reports whether a name may be that of a provider's parameter.
func isParam(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

func (d *details) setParams(k *keystore.Key) {
	for _, p := range d.params {
		name, value, _ := strings.Cut(p, "=")
		if value == "" {
			delete(k.Params, name)
			continue
		}
		if k.Params == nil {
			k.Params = map[string]string{}
		}
		k.Params[name] = value
	}
}

// setConsumers replaces the places that new versions are delivered to.
func (d *details) setConsumers(k *keystore.Key) error {
	var specs []string
	for _, text := range d.consumers {
		spec, err := consumer.Normalize(text, k.PartNames())
		switch {
		case err != nil:
			return usageError{fmt.Errorf("--consumer: %w", err), "for example: --consumer env:/srv/bot/.env,secret=BINANCE_SECRET"}
		case slices.Contains(specs, spec):
			return usagef("one of them is enough", "--consumer: %s is there twice", quote(spec))
		}
		specs = append(specs, spec)
	}
	if len(specs) > 0 || d.noConsumers {
		k.Consumers = specs
	}
	return nil
}

func (d *details) setVariables(k *keystore.Key) error {
	for _, v := range d.variables {
		part, name, ok := strings.Cut(v, "=")
		i := slices.IndexFunc(k.Parts, func(p keystore.Part) bool { return p.Name == part })
		switch {
		case ok && i >= 0 && name == none:
			name = ""
		case isOurs(name):
			return usagef("choose another", "--variable: variables that begin with KEYWRIGHT_ are taken from programs")
		case !ok || !isVariable(name):
			return usagef("for example: --variable secret=BINANCE_SECRET", "--variable: %s is not PART=NAME", quote(v))
		case i < 0:
			return usagef("its parts are "+strings.Join(k.PartNames(), ", "), "%s has no part %s", k.Name, quote(part))
		}
		k.Parts[i].Variable = name
	}
	return nil
}

// isVariable reports whether a name is one that every shell takes for a variable's.
func isVariable(name string) bool {
	for i, c := range []byte(name) {
		if !(c == '_' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || i > 0 && '0' <= c && c <= '9') {
			return false
		}
	}
	return name != ""
}

// none is given for a field that is to be forgotten.
const none = "none"

// set replaces a field if something was given for it.
func set(field *string, given string) {
	switch given {
	case "":
	case none:
		*field = ""
	default:
		*field = given
	}
}

// setList is set for a list.
func setList(field *[]string, given []string) {
	if len(given) > 0 {
		*field = slices.DeleteFunc(slices.Clone(given), func(s string) bool { return s == none })
	}
}

const editLong = `Changes what is known of a key: all but its secrets and its name. Or, with
--protected, of an environment: in a protected one get, export, rm, mv, run,
rotate and 'import --from' ask at the terminal, want a reason that goes on
record, and do nothing when the audit log cannot be written. If 'keywright totp'
knows an authenticator, they want its code. To end that, with --protected=false,
is asked for in the same way, and so are --provider, --param, --admin,
--consumer and '--use reveal'. This is a confirmation against slips, not a lock:
code that runs as you can ask the keychain itself.

Where a flag takes a word, 'none' forgets what was said: --owner none.

A key whose use is 'run' is handed to programs, by 'keywright run' and when it
is rotated; get and export refuse it. A program can show what it is handed, and
a backup holds it: this, too, is against slips.

A consumer is a place that gets a new version of the key when it is replaced:

  env:PATH,PART=VARIABLE      a .env file, or another of lines NAME=value
  json:PATH,PART=NAME.NAME    a value of JSON, by the path to it
  yaml:PATH,PART=NAME.NAME    a value of YAML
  command:PROGRAM ARGUMENT…   a program; the secret is its standard input: the
                              one part, or that of the option part=PART, or else
                              all parts as JSON
  gh:OWNER/REPO,PART=SECRET   GitHub Actions: of a repository, of an environment
                              (OWNER/REPO/ENV), of an ORGANISATION
  gitlab:projects/PATH,PART=VARIABLE
                              GitLab CI/CD; groups/PATH; scope=SCOPE is that of
                              an environment
  k8s:NAMESPACE/SECRET,PART=KEY
                              Kubernetes; config=KUBECONFIG and context=CONTEXT,
                              if not those that are current now
  vault:MOUNT/data/PATH,PART=NAME
                              Vault or OpenBao: a KV engine, version 2
  ssm:REGION,PART=PARAMETER   AWS: the SSM Parameter Store
  secretsmanager:REGION/SECRET,PART=NAME
                              AWS Secrets Manager: a value of JSON; * for all of
                              the secret

The last are services. auth=ENV/NAME is the key that they are reached with; at
Kubernetes it may be left out, if the kubeconfig has a token or a certificate.

Of a key with one part, PART= may be left out. Options follow after commas, and
a comma that is meant is written twice: reload=COMMAND is run after a delivery,
ready=COMMAND until its exit status is 0. No shell sees a command, unless it is
one: sh -c '…'. What a consumer is told is no secret: 'keywright ls' shows it.
`

const editExample = `  keywright edit prod/DB --owner ada@example.com --rotate-every 90d
  keywright edit prod/DB --admin prod/DB_ADMIN --param host=db.example.com
  keywright edit prod/DB --consumer env:/srv/app/.env,DB_PASSWORD
  keywright edit prod/DB --consumer gh:ada/bot,DB_PASSWORD,auth=prod/GITHUB
  keywright edit prod --protected`

func newEdit(term *terminal) *cobra.Command {
	var (
		d         details
		protected bool
		reason    string
	)
	c := &cobra.Command{
		Use:     "edit ENV/NAME | ENV",
		Short:   "Change what is known of a key, or protect an environment",
		Long:    editLong,
		Example: editExample,
		Args:    oneArg("the name of a key or an environment"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkEmpty(c.Flags()); err != nil {
				return err
			}
			if c.Flags().NFlag() == 0 {
				return usagef("see 'keywright edit --help'", "nothing is to be changed")
			}
			if c.Flags().Changed("protected") {
				others := c.Flags().NFlag() - 1
				if reason != "" {
					others--
				}
				if others > 0 || strings.Contains(args[0], "/") {
					return usagef("for example: keywright edit prod --protected", "--protected is of an environment, and all else of a key")
				}
				return runProtect(c.Context(), term, args[0], protected, reason)
			}
			if reason != "" && d.use == "" && !d.elsewhere() {
				return usagef("leave it out", "--reason goes with what is asked for: --protected, --use, --provider, --param, --admin and --consumer")
			}
			if d.noConsumers && len(d.consumers) > 0 {
				return usagef("leave one of them out", "--no-consumers goes with no --consumer")
			}
			return runEdit(c.Context(), term, &d, args[0], reason)
		},
	}
	c.Flags().SortFlags = false
	d.addFlags(c.Flags())
	c.Flags().BoolVar(&d.noConsumers, "no-consumers", false, "deliver new versions nowhere")
	c.Flags().StringVar(&d.use, "use", "", "`WAY` is reveal (the default), or run: it is handed\nto programs, and neither shown nor exported")
	c.Flags().BoolVar(&protected, "protected", false, "ask before an environment's keys are used")
	c.Flags().StringVar(&reason, "reason", "", "`TEXT` that goes on record; protected environments\nask before a key goes to other places")
	complete(c, "use", uses)
	return c
}

// runProtect protects an environment, or ends that.
func runProtect(ctx context.Context, term *terminal, env string, protect bool, reason string) error {
	if err := keystore.ValidEnv(env); err != nil {
		return usageError{err, "for example: keywright edit prod --protected"}
	}
	keys, err := openKeys(term, mayAsk)
	if err != nil {
		return err
	}
	r := request{verb: "unprotect", env: env, what: "End that", reason: reason}
	change, done := keys.Unprotect, "not protected any more"
	if protect {
		r.verb, done = "protect", "protected"
		change = keys.Protect
		keys.reason = reason
	} else {
		asked, err := keys.permit(ctx, r)
		if err != nil {
			return err
		}
		if !asked {
			return &keystore.EnvError{Doing: "end the protection of", Env: env, Err: keystore.ErrNotProtected}
		}
	}
	if err := keys.do(ctx, func() error { return change(ctx, actor(), env) }, environmentEntry(r.verb, audit.Granted, env)); err != nil {
		return err
	}
	fmt.Fprintf(term.err, "keywright: %s is %s\n", env, done)
	return nil
}

func runEdit(ctx context.Context, term *terminal, d *details, arg, reason string) error {
	name, err := keyName(arg)
	if err != nil {
		return err
	}
	change, err := d.apply(time.Now())
	if err != nil {
		return err
	}
	keys, err := openKeys(term, mayAsk)
	if err != nil {
		return err
	}
	key, err := keys.find(ctx, "change", name)
	if err != nil {
		return err
	}
	var changed keystore.Key
	if err := try(func(k *keystore.Key) error { defer func() { changed = *k }(); return change(k) }, key); err != nil {
		return &keystore.KeyError{Doing: "change", Name: name, Err: err}
	}
	if err := keys.usable(ctx, d, name, changed.Provider); err != nil {
		return err
	}
	if err := keys.delivered(ctx, key, &changed); err != nil {
		return &keystore.KeyError{Doing: "change", Name: name, Err: err}
	}
	if d.elsewhere() {
		if err := keys.permitElsewhere(ctx, "edit", name, d, reason, false); err != nil {
			return err
		}
	}
	if d.use != "" {
		if err := keys.permitUse(ctx, name, keystore.Use(d.use), reason); err != nil {
			return err
		}
	}
	if err := keys.do(ctx, func() error { return keys.Edit(ctx, actor(), name, change) }, use("edit", key, keystore.Current)); err != nil {
		return err
	}
	fmt.Fprintf(term.err, "keywright: changed %s\n", name)
	return nil
}

// delivered is an error if a consumer of a key that is being rotated would be reached at
// another address: what its rotation did there would be looked for elsewhere.
func (k *keyring) delivered(ctx context.Context, key, changed *keystore.Key) error {
	if key.Rotation == "" || slices.Equal(key.Consumers, changed.Consumers) {
		return nil
	}
	catalog, err := k.Catalog(ctx)
	if err != nil {
		return err
	}
	address := func(spec string) string {
		n, _ := keystore.ParseName(consumer.Auth(spec)) // what is no name names no key
		with, ok := catalog.Find(n)
		if !ok {
			return ""
		}
		return consumer.Address(with.Params)
	}
	for _, spec := range changed.Consumers {
		place := consumer.Place(spec)
		before := slices.IndexFunc(key.Consumers, func(s string) bool { return consumer.Place(s) == place })
		if before < 0 || address(key.Consumers[before]) == "" || address(spec) == address(key.Consumers[before]) {
			continue
		}
		return hintedError{fmt.Errorf("%s would be at another address: %w: %s", spec, keystore.ErrRotating, key.Rotation), "name it when that is over: keywright rotate resume " + key.Rotation}
	}
	return nil
}

// elsewhere reports whether the flags say who is shown a key, or where new versions go: a
// provider is asked with it at the address of a parameter.
func (d *details) elsewhere() bool {
	return d.provider != "" || d.admin != "" || len(d.params)+len(d.consumers) > 0
}

// permitElsewhere asks before a key of a protected environment goes to other places, and
// before a key of one is used for those. A new key goes nowhere yet.
func (k *keyring) permitElsewhere(ctx context.Context, verb string, name keystore.Name, d *details, reason string, isNew bool) error {
	var list []request
	add := func(of keystore.Name, what string) {
		i := slices.IndexFunc(list, func(r request) bool { return r.env == of.Env })
		if i < 0 {
			list = append(list, request{verb: verb, env: of.Env, names: []keystore.Name{of}, what: what, reason: reason})
		} else if !slices.Contains(list[i].names, of) {
			list[i].names = append(list[i].names, of)
		}
	}
	if !isNew {
		add(name, "Let "+name.String()+" go to other places")
	}
	for _, n := range d.uses() {
		add(n, "Let "+n.String()+" be used for "+name.String())
	}
	given, err := k.permitAll(ctx, list)
	if err != nil {
		return err
	}
	k.reason = reason
	var entries []audit.Entry
	for _, r := range list {
		p := given[r.env]
		if p.err != nil {
			return p.err
		}
		k.reason = cmp.Or(k.reason, p.reason)
		for _, n := range r.names {
			if p.asked && n != name {
				e := entryFor(verb, audit.Granted, n)
				e.Reason = "to be used for " + name.String() + ": " + p.reason
				entries = append(entries, e)
			}
		}
	}
	if len(entries) == 0 {
		return nil
	}
	return k.append(ctx, entries...)
}

// usable is an error if a key that the flags name, for another to be changed or delivered
// with, is not there, or is of a provider that makes no such changes. At is the provider of
// the other one.
func (k *keyring) usable(ctx context.Context, d *details, name keystore.Name, at string) error {
	catalog, err := k.Catalog(ctx)
	if err != nil {
		return err
	}
	find := func(flag, text string) (*keystore.Key, error) {
		n, err := keystore.ParseName(text)
		if err != nil || n == name { // none, or itself
			return nil, nil
		}
		key, ok := catalog.Find(n)
		if !ok {
			return nil, hintedError{fmt.Errorf("%s: %w", flag, keystore.ErrNoKey), "store it first: keywright set " + n.String() + "; 'keywright ls' names the keys there are"}
		}
		return key, nil
	}
	admin, err := find("--admin "+d.admin, d.admin)
	if err != nil {
		return err
	}
	if admin != nil && !administers(admin.Provider, at) {
		return usagef("'keywright providers' says what changes are made with", "--admin %s: it is a key of %s, and %s is one of %s", admin.Name, admin.Provider, name, at)
	}
	for _, spec := range d.consumers {
		if _, err := find("--consumer "+spec, consumer.Auth(spec)); err != nil {
			return err
		}
	}
	return nil
}

// uses are the keys that the flags name for others to be changed or delivered with.
func (d *details) uses() (names []keystore.Name) {
	texts := []string{d.admin}
	for _, spec := range d.consumers {
		texts = append(texts, consumer.Auth(spec))
	}
	for _, text := range texts {
		if n, err := keystore.ParseName(text); err == nil {
			names = append(names, n)
		}
	}
	return names
}

// permitUse asks before a key of a protected environment may be shown that might not be,
// and puts the use on record.
func (k *keyring) permitUse(ctx context.Context, name keystore.Name, use keystore.Use, reason string) error {
	k.reason = reason
	if use == keystore.Reveal {
		r := request{verb: "edit", env: name.Env, names: []keystore.Name{name}, what: "Let " + name.String() + " be shown", reason: reason}
		if _, err := k.permit(ctx, r); err != nil {
			return err
		}
	}
	k.reason = strings.TrimSuffix("use: "+string(use)+": "+k.reason, ": ")
	return nil
}
