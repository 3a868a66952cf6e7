package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/keywright/keywright/audit"
	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/rotate"
	"github.com/keywright/keywright/rotate/consumer"
	"github.com/keywright/keywright/secret"
)

// rotateOptions are the flags of rotate, as they were typed.
type rotateOptions struct {
	plan      bool
	grace     string
	emergency bool
	first     bool
	due       bool
	leaked    bool
	within    string
	reason    string
	beside    bool
}

const rotateLong = `Replaces a key at its provider: a new one is made, stored, verified and given to
what uses it, the old one is revoked, and that it is dead is proved. Each step
is written down before it begins and after it ends: what is interrupted, killed
or refused is resumed, or taken back while the old key is there.

What uses a key is said with 'keywright edit --consumer'; what the provider has
to know with --param; the key that changes are made with with --admin.

--due is for a timer: it goes on with rotations that are open, unless they wait
for a time that has not come, and begins those that are due; keys that others
are changed or delivered with come last. It ends with 0 also if some still wait,
and with 4 if one failed, or somebody has to be asked and there is no terminal.
`

const rotateExample = `  keywright rotate prod/DB --plan     what would be done; nothing is changed
  keywright rotate prod/DB
  keywright rotate prod/DB --grace 24h
  keywright rotate --leaked           each key that a scan met somewhere
  keywright rotate resume             what was interrupted`

func newRotate(term *terminal) *cobra.Command {
	var o rotateOptions
	c := &cobra.Command{
		Use:     "rotate ENV/NAME | rotate --due | rotate --leaked",
		Short:   "Replace a key at its provider, and prove the old one dead",
		Long:    rotateLong,
		Example: rotateExample,
		Args:    cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkEmpty(c.Flags()); err != nil {
				return err
			}
			if c.Flags().Changed("within") && !o.due {
				return usagef("for example: keywright rotate --due --within 7d", "--within goes with --due")
			}
			return runRotate(c.Context(), term, o, args)
		},
	}
	f := c.Flags()
	f.SortFlags = false
	f.BoolVar(&o.plan, "plan", false, "say what would be done, and change nothing")
	f.StringVar(&o.grace, "grace", "", "let the old key live on for `TIME`: 90m, 24h, 7d")
	f.BoolVar(&o.emergency, "emergency", false, "end the old key as soon as can be")
	f.BoolVar(&o.first, "revoke-first", false, "with --emergency: before there is a new one")
	f.BoolVar(&o.due, "due", false, "go on with what is open, then every key that status\ncalls due")
	f.StringVar(&o.within, "within", "14d", "with --due: `DAYS` before its expiry")
	f.BoolVar(&o.leaked, "leaked", false, "every key that a scan met, as with --emergency")
	addBesideOthers(f, &o.beside)
	addReason(f, &o.reason)
	c.AddCommand(newRotateResume(term), newRotateAbort(term), newRotateLs(term), newRotateShow(term), newRotateOrphans(term))
	return c
}

func runRotate(ctx context.Context, term *terminal, o rotateOptions, args []string) error {
	many := o.due || o.leaked
	switch {
	case o.due && o.leaked:
		return usagef("leaked keys are due, and come first", "--due and --leaked exclude each other")
	case many && len(args) > 0:
		return usagef("leave out the key, or the flag", "--due and --leaked choose the keys")
	case !many && len(args) != 1:
		return usagef("for example: keywright rotate prod/DB", "rotate takes a key, got %d arguments", len(args))
	}
	options := rotate.Options{Emergency: o.emergency || o.leaked, RevokeFirst: o.first}
	switch {
	case options.Emergency && o.grace != "":
		return usagef("in an emergency the old key ends as soon as can be", "--emergency and --leaked exclude --grace")
	case o.first && !options.Emergency:
		return usagef("for example: keywright rotate prod/DB --emergency --revoke-first", "--revoke-first is for emergencies")
	}
	if o.grace != "" {
		var err error
		if options.Grace, err = parseSpan("--grace", o.grace); err != nil {
			return err
		}
	}
	keys, err := openKeys(term, mayAsk)
	if err != nil {
		return err
	}
	catalog, err := keys.Catalog(ctx)
	if err != nil {
		return err
	}
	var open []*rotate.Journal
	var names []keystore.Name
	switch {
	case many:
		names, err = o.chosen(catalog)
		if err == nil && o.due {
			open, err = keys.openRotations(ctx)
		}
	default:
		var name keystore.Name
		name, err = keyName(args[0])
		names = []keystore.Name{name}
	}
	if err != nil {
		return err
	}
	if len(open)+len(names) == 0 {
		fmt.Fprintln(term.out, "no key to replace")
		return nil
	}
	return keys.rotate(ctx, catalog, o, options, open, names)
}

// rotate goes on with rotations that are open, and then replaces keys, or says how that
// would be done. Whoever has to be is asked before anything is.
func (k *keyring) rotate(ctx context.Context, catalog *keystore.Catalog, o rotateOptions, options rotate.Options, open []*rotate.Journal, names []keystore.Name) error {
	engine, err := k.engine(ctx)
	if err != nil {
		return err
	}
	doing, uses := "Replace", func(n keystore.Name) replaced { return replacing(catalog, n) }
	if o.plan {
		doing, uses = "Plan to replace", func(n keystore.Name) replaced { return planning(catalog, n) }
	}
	var used []replaced
	if !o.plan {
		used = inUse(catalog, open, waits)
	}
	ready := func(n keystore.Name) error { return cmp.Or(unrotated(catalog, n, options), lacks(catalog, engine, n)) }
	for _, n := range names {
		if ready(n) == nil {
			used = append(used, uses(n))
		}
	}
	given, err := k.permitReplacing(ctx, doing, o.reason, used)
	if err != nil {
		return err
	}
	k.reason, k.besideOthers = o.reason, o.beside
	var list []func() error
	for _, j := range open {
		list = append(list, func() error {
			if o.plan {
				fmt.Fprintf(k.term.out, "%s, rotation %s\n  %s\n", j.Key, j.ID, escaped(standing(j, time.Now())))
				return nil
			}
			return k.goOn(ctx, engine, catalog, given, j, toResume(false))
		})
	}
	for _, n := range names {
		list = append(list, func() error {
			if err := cmp.Or(ready(n), given.refused(uses(n))); err != nil {
				return err
			}
			return k.rotateOne(ctx, engine, n, options, o.plan)
		})
	}
	return each(ctx, k.term, list)
}

// each does one thing after the other, and says what failed of one before it goes on with
// the next. The error of a single one is returned.
func each(ctx context.Context, term *terminal, list []func() error) (failed error) {
	for _, do := range list {
		err := do()
		switch {
		case err == nil:
		case len(list) == 1 || ctx.Err() != nil:
			return err
		default:
			failed = outcome(conclude(term, err))
		}
	}
	return failed
}

// chosen are the keys that --due or --leaked choose, in the order in which they are
// replaced: those that others are changed or delivered with after these. One whose rotation
// is open is due no more.
func (o rotateOptions) chosen(catalog *keystore.Catalog) (names []keystore.Name, err error) {
	within, err := parseDays("--within", o.within)
	if err != nil {
		return nil, err
	}
	for _, d := range catalog.Due(time.Now(), time.Duration(within)*24*time.Hour) {
		chosen := o.leaked && d.Concern == keystore.Leaked || o.due && d.Key.Rotation == ""
		if chosen && !slices.Contains(names, d.Key.Name) {
			names = append(names, d.Key.Name)
		}
	}
	return catalog.DependentsFirst(names, consumer.Auth), nil
}

// unrotated is an error if a rotation of a key is open. It may be one that has given the old
// key time, which is not there in an emergency.
func unrotated(catalog *keystore.Catalog, name keystore.Name, o rotate.Options) error {
	key, ok := catalog.Find(name)
	if !ok || key.Rotation == "" {
		return nil
	}
	err := &keystore.KeyError{Doing: "rotate", Name: name, Err: fmt.Errorf("%w: %s", keystore.ErrRotating, key.Rotation)}
	hint := "keywright rotate resume " + key.Rotation
	if o.Emergency {
		hint += "\nif the old key was given time: keywright rotate resume " + key.Rotation + " --end-grace"
	}
	return hintedError{err, hint + "\nto take it back: keywright rotate abort " + key.Rotation}
}

// rotateOne replaces a key, or says how that would be done.
func (k *keyring) rotateOne(ctx context.Context, engine *rotate.Engine, name keystore.Name, options rotate.Options, plan bool) error {
	// To plan is to ask the provider, with the key and with the one that administers it.
	if err := k.recordPlan(ctx, name); err != nil {
		return err
	}
	j, err := engine.New(ctx, name.String(), options)
	if err != nil {
		return explainRotation(name, err)
	}
	twins, err := k.twins(ctx, name)
	if err != nil {
		return err
	}
	if len(twins) > 0 {
		j.Plan.Notes = append(j.Plan.Notes, "not replaced with it, and with the same secret: "+listOf(twins))
	}
	if err := printPlan(k.term, j); err != nil || plan {
		return err
	}
	if err := engine.Begin(ctx, j); err != nil {
		return err
	}
	return k.drive(ctx, engine, j.ID)
}

// twins are the other keys, of whatever environment, whose current version has a secret of a
// key's: where that ends, so does theirs.
func (k *keyring) twins(ctx context.Context, name keystore.Name) (twins []keystore.Name, err error) {
	catalog, err := k.Catalog(ctx)
	if err != nil {
		return nil, err
	}
	key, ok := catalog.Find(name)
	if !ok {
		return nil, nil
	}
	f, err := k.Findable(ctx)
	if err != nil {
		return nil, err
	}
	secrets := map[string]bool{}
	for _, v := range f.Values {
		if v.Name == name && v.Stage == keystore.Current && len(v.Digest) > 0 && !publicAt(key.Provider, v.Part) {
			secrets[string(v.Digest)] = true
		}
	}
	for _, v := range f.Values {
		if v.Name != name && v.Stage == keystore.Current && secrets[string(v.Digest)] && !slices.Contains(twins, v.Name) {
			twins = append(twins, v.Name)
		}
	}
	return twins, nil
}

// lacks is an error that names all that has to be known to replace a key and is not: what
// the provider must be told, and the key that changes are made with. Nobody is asked.
func lacks(catalog *keystore.Catalog, engine *rotate.Engine, name keystore.Name) error {
	key, ok := catalog.Find(name)
	if !ok {
		return nil // which is said by whoever needs it
	}
	var missing []string
	hint := "keywright edit " + name.String()
	if p, ok := engine.Provider(key.Provider); ok {
		for _, param := range p.Info().Params {
			if param.Required && key.Params[param.Name] == "" {
				missing = append(missing, fmt.Sprintf("%s (%s)", param.Name, param.Meaning))
				hint += " --param " + param.Name + "=…"
			}
		}
	}
	if admin, err := keystore.ParseName(key.Admin); err == nil {
		if _, ok := catalog.Find(admin); !ok {
			missing = append(missing, admin.String()+" (the key that it is changed with)")
			hint += " --admin …"
		}
	}
	switch len(missing) {
	case 0:
		return nil
	case 1:
		return hintedError{fmt.Errorf("rotate %s: missing is %s", name, missing[0]), hint}
	}
	return hintedError{fmt.Errorf("rotate %s: missing are %s", name, strings.Join(missing, ", ")), hint}
}

// recordPlan puts on record that a provider is asked with a key, and with the one that it
// is administered with.
func (k *keyring) recordPlan(ctx context.Context, name keystore.Name) error {
	catalog, err := k.Catalog(ctx)
	if err != nil {
		return err
	}
	key, ok := catalog.Find(name)
	if !ok || key.Provider == "" {
		return nil
	}
	names := []keystore.Name{name}
	if admin, err := keystore.ParseName(key.Admin); err == nil {
		names = append(names, admin)
	}
	return k.record(ctx, "rotate", audit.Granted, names...)
}

// explainRotation adds what to do about a key that cannot be replaced.
func explainRotation(name keystore.Name, err error) error {
	switch known := (*provider.Error)(nil); {
	case errors.Is(err, rotate.ErrNoProvider):
		return hintedError{err, "'keywright providers' lists them; then: keywright edit " + name.String() + " --provider NAME"}
	case errors.Is(err, rotate.ErrUnseen):
		return hintedError{err, "look yourself, and take the policy off: keywright edit " + name.String() + " --forbid none --require-ip-list=false"}
	case errors.Is(err, rotate.ErrRevokeFirst):
		return hintedError{err, "leave out --revoke-first: the old one goes as soon as the new one is verified"}
	case errors.As(err, &known) && known.Hint != "":
		return hintedError{err, strings.ReplaceAll(known.Hint, "ENV/NAME", name.String())}
	}
	return err
}

func printPlan(term *terminal, j *rotate.Journal) error {
	term.print("", fmt.Sprintf("%s at %s, %s", j.Key, escaped(j.Provider), j.Mode))
	var rows [][]string
	for i, s := range j.Steps {
		note := ""
		switch s.Name {
		case rotate.Make:
			note = "made here, and stored before anybody gets it"
		case rotate.Issue:
			note = "made by the provider; until it is stored it is in memory alone"
		case rotate.Ask:
			note = "by hand; you are told what to do"
		case rotate.Grace:
			note = spanned(j.Grace)
		case rotate.Revoke:
			note = "from here on it cannot be taken back"
		case rotate.Apply:
			if j.Mode == rotate.InPlace {
				note = "from here on it cannot be taken back"
			}
		}
		if note != "" {
			note = " (" + note + ")"
		}
		rows = append(rows, []string{fmt.Sprint(i + 1), escaped(s.String()) + note})
	}
	if err := term.printWrapped("  ", rows); err != nil {
		return err
	}
	if j.Plan.Outage != "" {
		term.print("  outage: ", escaped(j.Plan.Outage))
	}
	if l := j.Lingers; l.What != "" {
		term.print("  outlives the old key: ", escaped(l.What+atMost(l.Longest)))
	}
	if !j.Plan.LastUsed.IsZero() {
		term.print("  last used: ", moment(j.Plan.LastUsed))
	}
	for _, n := range j.Plan.Needs {
		term.print("  needed: ", escaped(n))
	}
	for _, n := range j.Plan.Notes {
		term.print("  note: ", escaped(n))
	}
	return nil
}

// spanned is a span of time without the minutes and seconds that it has not.
func spanned(d time.Duration) string {
	text := d.String()
	for _, none := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, none) {
			text = text[:len(text)-2]
		}
	}
	return text
}

// atMost says for how long something goes on; nothing if that is not known.
func atMost(d time.Duration) string {
	switch {
	case d == 0:
		return ""
	case d%time.Hour == 0:
		return fmt.Sprintf(", for %d hours at most", d/time.Hour)
	}
	return ", for " + spanned(d) + " at most"
}

func addBesideOthers(f *pflag.FlagSet, beside *bool) {
	f.BoolVar(beside, "beside-others", false, "leave alone what other installations issued, and do\nnot ask about it")
}

// shortWait is how long a command waits for a step before it leaves the rest to resume.
const shortWait = 2 * time.Minute

// drive does one step after the other until the rotation is over, or waits for more than
// a moment, or needs somebody who is not there.
func (k *keyring) drive(ctx context.Context, engine *rotate.Engine, id string) error {
	var answer rotate.Answer
	var said rotate.Outcome
	for {
		o, err := engine.Step(ctx, id, answer)
		answer = rotate.Answer{}
		if err != nil {
			return err
		}
		if o.Need == nil && (o.Step != said.Step || o.Note != said.Note) {
			k.say(o)
			said = o
		}
		switch {
		case o.Done:
			fmt.Fprintf(k.term.out, "rotation %s is over\n", id)
			return nil
		case o.Need != nil:
			if answer, err = k.answer(ctx, o); err != nil {
				return hintedError{fmt.Errorf("rotation %s: %s: %w", id, o.Step, err), howToAnswer(o.Need, err, "keywright rotate resume "+id)}
			}
		case !o.Until.IsZero():
			wait := time.Until(o.Until)
			if wait > shortWait {
				fmt.Fprintf(k.term.out, "rotation %s goes on at %s\n→ keywright rotate resume %s\n", id, moment(o.Until), id)
				return nil
			}
			select {
			case <-ctx.Done():
				return hintedError{ctx.Err(), "keywright rotate resume " + id}
			case <-time.After(wait):
			}
		}
	}
}

// say tells what became of a step; its name and the consumer stay together.
func (k *keyring) say(o rotate.Outcome) {
	text := escaped(o.Step.String())
	if o.Note != "" {
		text = hang(text+": ", "  ", escaped(o.Note), k.term.columns())
	}
	fmt.Fprintln(k.term.out, text)
}

// answer asks for what the engine needs.
func (k *keyring) answer(ctx context.Context, o rotate.Outcome) (a rotate.Answer, err error) {
	if o.Need.Others && k.besideOthers {
		return rotate.Answer{Yes: o.Need.Question}, nil
	}
	show := func(at string, steps []string) {
		if at != "" {
			k.term.print("→ ", escaped(at))
		}
		for _, s := range steps {
			k.term.print("  ", escaped(s))
		}
	}
	show(o.Need.Steps.IssueAt, o.Need.Steps.Issue)
	show(o.Need.Steps.RevokeAt, o.Need.Steps.Revoke)
	if o.Note != "" {
		k.term.print("", escaped(o.Note))
	}
	const answers = len(" [y/N] y")
	question := hang("", "", escaped(o.Need.Question), k.term.columns()-answers)
	if o.Need.No {
		yes, no, err := k.term.askEither(ctx, question)
		switch {
		case err != nil:
			return a, unanswered(err, o.Need.Question)
		case yes:
			return rotate.Answer{Yes: o.Need.Question}, nil
		case no:
			return rotate.Answer{No: o.Need.Question}, nil
		}
		return a, errors.New("it waits for a yes or a no")
	}
	if o.Need.Question != "" {
		yes, err := k.term.askYes(ctx, question)
		switch {
		case err != nil:
			return a, unanswered(err, o.Need.Question)
		case !yes:
			return a, errors.New("it waits for a yes")
		}
		return rotate.Answer{Yes: o.Need.Question}, nil
	}
	a.Parts = map[string]secret.Value{}
	for _, p := range o.Need.Parts {
		if a.Parts[p], err = k.term.askValue(ctx, "New "+p+": "); err != nil {
			return a, unanswered(err, "New "+strings.Join(o.Need.Parts, ", ")+"?")
		}
		if a.Parts[p].IsZero() {
			return a, fmt.Errorf("%s is empty", p)
		}
	}
	return a, nil
}

// unanswered is an error of asking, which holds the question if there was nobody to ask.
func unanswered(err error, question string) error {
	if errors.Is(err, errNobody) {
		return fmt.Errorf("%w: %s", err, question)
	}
	return err
}

// howToAnswer is the hint of what was not answered.
func howToAnswer(n *rotate.Need, err error, resume string) string {
	switch {
	case !errors.Is(err, errNobody):
		return resume
	case n.Others:
		return "at a terminal: " + resume + "\nif it is: " + resume + " --beside-others"
	}
	return "at a terminal: " + resume
}
