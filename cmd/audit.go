package cmd

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/keywright/keywright/audit"
)

const auditLong = `Every change and every use of a key through keywright is written into a log
before it happens: who, when, which key, never a value. The log is a Merkle
tree, signed with a key that the keychain holds: entries that are altered,
dropped or cut off by anyone without the keychain are noticed and named. Code
that runs as you can read the keychain; a checkpoint kept elsewhere is
evidence against that, too.
`

func newAudit(term *terminal) *cobra.Command {
	c := &cobra.Command{
		Use:   "audit",
		Short: "Show and verify what was done with keys",
		Long:  auditLong,
		Args:  cobra.ArbitraryArgs,
		RunE:  runRoot,
	}
	c.AddCommand(newAuditShow(term), newAuditVerify(term), newAuditProve(term), newAuditCheck(term), newAuditCheckpoint(term), newAuditKey(term), newAuditErase(term))
	return c
}

func newAuditShow(term *terminal) *cobra.Command {
	var f audit.Filter
	var format, decision, since, until string
	c := &cobra.Command{
		Use:   "show",
		Short: "Show the entries",
		Long:  "Shows the entries of the log, the oldest first. 'keywright audit verify' says\nwhether they are what was written.\n",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := checkEmpty(c.Flags()); err != nil {
				return err
			}
			f.Decision = audit.Decision(decision)
			var err error
			if f.Since, err = point("--since", since); err != nil {
				return err
			}
			if f.Until, err = point("--until", until); err != nil {
				return err
			}
			return runAuditShow(c.Context(), term, f, format)
		},
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.Environment, "env", "", "only keys of the environment `ENV`")
	flags.StringVar(&f.Key, "key", "", "only the key `ENV/NAME`")
	flags.StringVar(&f.Verb, "verb", "", "only `VERB`")
	flags.StringVar(&decision, "decision", "", "only `WORD`, granted or refused")
	flags.StringVar(&since, "since", "", "only entries of `WHEN` or after it: 2026-01-31, 36h")
	flags.StringVar(&until, "until", "", "only entries of before `WHEN`")
	flags.StringVar(&format, "format", "text", "`FORMAT` is text, json, csv or cef")
	complete(c, "format", func() []string { return []string{"text", "json", "csv", "cef"} })
	return c
}

// point is when a flag says, or the zero time without it.
func point(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	return parsePoint(flag, text, time.Now())
}

func runAuditShow(ctx context.Context, term *terminal, f audit.Filter, format string) error {
	print, done := printer(term, format)
	if print == nil {
		return usagef("the formats are text, json, csv, cef", "unknown format %s", quote(format))
	}
	keys, err := openKeys(term, neverAsk)
	if err != nil {
		return err
	}
	bad, erased := 0, int64(0)
	for e, err := range keys.log.Entries(ctx, f) {
		var fault *audit.Fault
		switch {
		case errors.Is(err, audit.ErrErased):
			erased++
		case errors.Is(err, audit.ErrSchema), errors.As(err, &fault):
			bad++
			fmt.Fprintf(term.err, "keywright: entry %d cannot be shown: %s\n", e.Seq, escaped(err.Error()))
		case err != nil:
			return err
		default:
			if err := print(e); err != nil {
				return err
			}
		}
	}
	if err := done(); err != nil {
		return err
	}
	if erased > 0 {
		fmt.Fprintf(term.err, "keywright: %s erased\n", entries(erased))
	}
	if bad > 0 {
		return outcome(exitIncomplete)
	}
	return nil
}

// printer prints entries in a format; nil if there is no such format.
func printer(term *terminal, format string) (print func(audit.Entry) error, done func() error) {
	switch format {
	case "json":
		e := json.NewEncoder(term.out)
		return func(x audit.Entry) error { return e.Encode(x) }, func() error { return nil }
	case "csv":
		w := csv.NewWriter(term.out)
		_ = w.Write(csvColumns()) // kept by the writer until Flush
		return func(x audit.Entry) error { return w.Write(csvRow(x)) }, func() error { w.Flush(); return w.Error() }
	case "cef":
		version, _ := buildVersion()
		return func(x audit.Entry) error {
			_, err := fmt.Fprintln(term.out, x.CEF(version))
			return err
		}, func() error { return nil }
	case "text":
		var all []auditText
		return func(x audit.Entry) error { all = append(all, textOf(x)); return nil },
			func() error { return printAudit(term.out, term.columns(), all) }
	}
	return nil, nil
}

// csvColumns are the names of what csvRow gives. New ones come behind the others.
func csvColumns() []string {
	return []string{
		"seq", "time", "verb", "decision", "key", "version", "user", "host", "process", "reason",
		"result", "of", "environment", "installation", "parent", "child", "child_started", "child_start", "child_boot", "follows", "schema",
	}
}

func csvRow(x audit.Entry) []string {
	of, child, started, start, boot := "", "", "", "", ""
	if x.Of != nil {
		of = strconv.FormatInt(*x.Of, 10)
	}
	if c := x.Child; c != nil {
		child, started, boot = strconv.Itoa(c.PID), c.Started.Format(time.RFC3339), c.Boot
		if c.Start != 0 {
			start = strconv.FormatUint(c.Start, 10)
		}
	}
	return []string{
		strconv.FormatInt(x.Seq, 10), x.Time.Format(time.RFC3339), x.Verb, string(x.Decision), x.Key, x.Version, x.User, x.Host, x.Process, x.Reason,
		x.Result, of, x.Environment, x.Installation, x.Parent, child, started, start, boot, x.Follows, strconv.Itoa(x.Schema),
	}
}

func newAuditVerify(term *terminal) *cobra.Command {
	var against string
	c := &cobra.Command{
		Use:   "verify",
		Short: "Verify the log",
		Long:  "Reads the whole log and compares it with the head in the keychain. The first\nentry that is not what was written is named, and the exit code is 1.\n",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := checkEmpty(c.Flags()); err != nil {
				return err
			}
			return runAuditVerify(c.Context(), term, against)
		},
	}
	c.Flags().StringVar(&against, "against", "", "the log must extend the checkpoint in `FILE`, too")
	return c
}

const (
	checkpointHint = "a checkpoint is what 'keywright audit checkpoint' printed"
	proofHint      = "a proof is what 'keywright audit prove' printed"
)

func runAuditVerify(ctx context.Context, term *terminal, against string) error {
	keys, err := openKeys(term, mayAsk)
	if err != nil {
		return err
	}
	var r audit.Report
	if against == "" {
		r, err = keys.log.Verify(ctx)
	} else {
		checkpoint, readErr := os.ReadFile(against)
		if readErr != nil {
			return usageError{readErr, checkpointHint}
		}
		r, err = keys.log.VerifyAgainst(ctx, checkpoint)
		if errors.Is(err, audit.ErrCheckpoint) {
			return usagef(checkpointHint, "%s is not a checkpoint, or not as it was signed", quote(against))
		}
	}
	var fault *audit.Fault
	if errors.As(err, &fault) {
		fmt.Fprintf(term.out, "the audit log is not as it was written: %s\n", fault)
		return outcome(exitFindings)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(term.out, "%s, all as written\n", entries(r.Size))
	if text := setBack(r); text != "" {
		fmt.Fprintln(term.out, text)
	}
	if r.Unacknowledged > 0 || r.Unfinished > 0 {
		fmt.Fprintf(term.out, "and %s of a command that was interrupted\n", entries(r.Unacknowledged))
	}
	return nil
}

// setBack says that a clock was set back, if one was.
func setBack(r audit.Report) string {
	if r.SetBack == nil {
		return ""
	}
	return fmt.Sprintf("entry %d is %s earlier than one before it: the clock was set back, and times say little", r.SetBack.Seq, r.SetBack.By.Round(time.Second))
}

func entries(n int64) string {
	if n == 1 {
		return "1 entry"
	}
	return strconv.FormatInt(n, 10) + " entries"
}

func newAuditProve(term *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "prove N",
		Short: "Print a proof of one entry",
		Long:  "Prints a proof that entry N is in the log, which shows nothing of any other\nentry. With the log's public key, 'keywright audit check' and other programs\ncan check it without the log.\n",
		Args:  oneArg("an entry's number"),
		RunE: func(c *cobra.Command, args []string) error {
			n, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil || n < 0 {
				return usagef("'keywright audit show' numbers them", "%s is not an entry's number", quote(args[0]))
			}
			keys, err := openKeys(term, mayAsk)
			if err != nil {
				return err
			}
			proof, err := keys.log.Prove(c.Context(), n)
			if err != nil {
				return err
			}
			_, err = term.out.Write(proof)
			return err
		},
	}
}

func newAuditCheck(term *terminal) *cobra.Command {
	var key string
	c := &cobra.Command{
		Use:   "check FILE",
		Short: "Check a proof",
		Long:  "Checks a proof that 'keywright audit prove' printed, against the public key of\nthe log, and prints the entry. Neither the log nor a keychain is needed.\n",
		Args:  oneArg("a file with a proof"),
		RunE:  func(_ *cobra.Command, args []string) error { return runAuditCheck(term, args[0], key) },
	}
	c.Flags().StringVar(&key, "key", "", "the log's public `KEY`, as 'keywright audit key' prints it")
	return c
}

func runAuditCheck(term *terminal, file, key string) error {
	if key == "" {
		return usagef("get it from whoever keeps the log: keywright audit key", "--key is needed: the one in the proof proves nothing")
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return usageError{err, proofHint}
	}
	proved, err := audit.CheckProof(data, key)
	if errors.Is(err, audit.ErrNoProof) {
		return usagef(proofHint, "%s is not a proof", quote(file))
	}
	if errors.Is(err, audit.ErrProof) {
		fmt.Fprintln(term.out, escaped(err.Error()))
		return outcome(exitFindings)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(term.err, "keywright: entry %d of a log of %s\n", proved.Entry.Seq, entries(proved.Size))
	e := json.NewEncoder(term.out)
	e.SetIndent("", "  ")
	return e.Encode(proved.Entry)
}

func newAuditCheckpoint(term *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "checkpoint",
		Short: "Print the signed head of the log",
		Long:  "Prints the newest head of the log, signed, to be kept where you cannot change\nit. 'keywright audit verify --against' shows later that the log extends it.\n",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return printFromLog(c.Context(), term, (*audit.Log).Checkpoint)
		},
	}
}

func newAuditKey(term *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "key",
		Short: "Print the log's public key",
		Long:  "Prints the public key of the log, for those who check its proofs and\ncheckpoints.\n",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return printFromLog(c.Context(), term, func(l *audit.Log, ctx context.Context) ([]byte, error) {
				key, err := l.PublicKey(ctx)
				return []byte(key + "\n"), err
			})
		},
	}
}

func printFromLog(ctx context.Context, term *terminal, get func(*audit.Log, context.Context) ([]byte, error)) error {
	keys, err := openKeys(term, mayAsk)
	if err != nil {
		return err
	}
	text, err := get(keys.log, ctx)
	if err != nil {
		return err
	}
	_, err = term.out.Write(text)
	return err
}

const auditEraseLong = `Erases what the entries before a time say, as a retention rule may want it. That
they were there stays, and the log still verifies: of each entry a digest is
left, which tells nothing. It asks; without a terminal it wants --yes. That it
was done is an entry itself, and so is that it was declined.

rotate finds programs that still hold an old key by the entries of run: those
that were started before that time are not found any more.
`

func newAuditErase(term *terminal) *cobra.Command {
	var before string
	var yes bool
	c := &cobra.Command{
		Use:   "erase --before WHEN",
		Short: "Erase what old entries say",
		Long:  auditEraseLong,
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := checkEmpty(c.Flags()); err != nil {
				return err
			}
			if before == "" {
				return usagef("for example: keywright audit erase --before 2026-01-01", "--before is needed")
			}
			now := time.Now()
			t, err := parsePoint("--before", before, now)
			if err != nil {
				return err
			}
			if t.After(now) {
				return usagef("this very entry would go, too", "--before: %s is yet to come", quote(before))
			}
			return runAuditErase(c.Context(), term, t, yes)
		},
	}
	c.Flags().StringVar(&before, "before", "", "entries made before `WHEN`: 2026-01-31, 52w")
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}

func runAuditErase(ctx context.Context, term *terminal, before time.Time, yes bool) error {
	keys, err := openKeys(term, mayAsk)
	if err != nil {
		return err
	}
	if _, err := keys.log.Verify(ctx); err != nil { // before it is written to
		return err
	}
	n := int64(0)
	for _, err := range keys.log.Entries(ctx, audit.Filter{Until: before}) {
		switch {
		case err == nil:
			n++
		case errors.Is(err, audit.ErrErased), errors.Is(err, audit.ErrSchema):
		default:
			return err
		}
	}
	until := before.UTC().Format(time.RFC3339)
	if n == 0 {
		fmt.Fprintf(term.out, "no entry says anything of the time before %s\n", until)
		return nil
	}
	e := environmentEntry("erase", audit.Granted, "")
	e.Reason = fmt.Sprintf("%s before %s", entries(n), until)
	if !yes {
		yes, err = term.askYes(ctx, "Erase what "+e.Reason+" say, for good?")
		switch {
		case errors.Is(err, errNobody):
			return usageError{err, "to erase without asking: --yes"}
		case err != nil:
			return err
		case !yes:
			e.Decision = audit.Refused
			e.Reason = "declined: " + e.Reason
			if _, err := keys.write(ctx, e); err != nil {
				return err
			}
			fmt.Fprintln(term.err, "keywright: nothing was erased")
			return outcome(exitFailed)
		}
	}
	r, err := keys.write(ctx, e)
	if err != nil { // what is not on record does not happen
		return keys.failed(ctx, r, err)
	}
	erased, err := keys.log.Erase(ctx, before)
	if err != nil {
		return keys.failed(ctx, r, err)
	}
	fmt.Fprintf(term.err, "keywright: %s erased\n", entries(int64(erased)))
	return nil
}
