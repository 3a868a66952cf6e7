package cmd

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/keywright/keywright/config"
	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/report"
)

// scanOptions are the flags of scan, as they were typed.
type scanOptions struct {
	stdin           bool
	staged          bool
	revisions       string
	since           string
	noHistory       bool
	historyOnly     bool
	format          string
	output          string
	confidence      string
	showSecrets     bool
	noIgnore        bool
	exclude         []string
	rules           []string
	noCache         bool
	maxMemory       string
	allowIncomplete bool
	verify          []string
	verifyHosts     bool
}

func (o *scanOptions) addFlags(f *pflag.FlagSet) {
	f.SortFlags = false
	f.BoolVar(&o.staged, "staged", false, "scan what is about to be committed")
	f.StringVar(&o.revisions, "range", "", "scan every commit in `A..B`")
	f.StringVar(&o.since, "since", "", "of history, scan only commits from `DATE` on")
	f.BoolVar(&o.noHistory, "no-history", false, "scan files only, not the history")
	f.BoolVar(&o.historyOnly, "history-only", false, "scan the history only, not the files")
	f.BoolVar(&o.stdin, "stdin", false, "scan standard input (as does PATH '-')")
	f.StringVar(&o.format, "format", "text", "`FORMAT` is text, json, jsonl or sarif")
	f.StringVarP(&o.output, "output", "o", "", "write the report to `FILE`, whole or not at all")
	f.StringVar(&o.confidence, "confidence", "", "`LEVEL` is low, medium (the default), high or certain")
	f.BoolVar(&o.showSecrets, "show-secrets", false, "show the secrets themselves in the report")
	f.StringSliceVar(&o.verify, "verify", nil, "ask providers, or `WHO` of them, if secrets are alive")
	f.Lookup("verify").NoOptDefVal = everyVerifier
	f.BoolVar(&o.verifyHosts, "verify-hosts", false, "with --verify: connect to hosts that stand in what is\nscanned, too; only for code that you trust")
	f.BoolVar(&o.noIgnore, "no-ignore", false, "report what comments and ignore files silence, too")
	f.StringArrayVar(&o.exclude, "exclude", nil, "leave out paths that match `GLOB` (may be repeated)")
	f.StringSliceVar(&o.rules, "rules", nil, "only rules in `LIST` (ids, globs; '-' leaves one out)")
	f.BoolVar(&o.noCache, "no-cache", false, "neither read nor write the cache")
	f.StringVar(&o.maxMemory, "max-memory", "", "keep working memory below `SIZE` (default 512MiB)")
	f.BoolVar(&o.allowIncomplete, "allow-incomplete", false, "exit 0, not 3, if something could not be read")
}

// scanFunc runs a scan: the pipeline, or a stand-in in tests.
type scanFunc func(ctx context.Context, term *terminal, job scanJob) (*scan.Report, error)

// scanJob is what the flags mean.
type scanJob struct {
	path      string
	mode      scanMode
	revisions string          // A..B, with scanRange
	since     time.Time       // of history; zero for all of it
	level     scan.Confidence // zero: as configured
	rules     []string
	exclude   []string
	noIgnore  bool
	noCache   bool
	maxMemory int64 // bytes; zero: as configured
}

type scanMode int

const (
	scanEverything scanMode = iota
	scanFiles
	scanHistory
	scanStaged
	scanRange
	scanStdin
)

const scanLong = `Scans a file, a directory or a Git repository for leaked credentials.

Any directory of a repository stands for all of it: the work tree, the index,
the stash and the whole history, with commit messages, tags and notes. A file is
scanned alone. Each credential is reported once, with the commits that brought
it. Reports are redacted.

Nothing is sent anywhere, but with --verify: then each secret is tried at its
provider's own address. See 'keywright providers'. With --verify-hosts the
address of a database with a password in it (PostgreSQL, MySQL and MariaDB,
Redis) is tried, too, at the host that it names: whoever wrote what is scanned
chooses whom you connect to, and learns that you did.

To accept a finding, write 'keywright:allow' in a comment on its line, or put
its fingerprint and a reason on a line of .keywrightignore.
`

const scanExample = `  keywright scan                          the repository in this directory
  keywright scan --staged                 before a commit
  keywright scan --range main..HEAD       the commits of a branch
  keywright scan ~/notes --no-history     files only
  keywright scan --format sarif -o keywright.sarif`

func newScan(term *terminal, scanning scanFunc) *cobra.Command {
	var o scanOptions
	c := &cobra.Command{
		Use:               "scan [PATH]",
		SuggestFor:        []string{"detect", "protect", "git", "dir", "filesystem", "stdin", "check"},
		Short:             "Find leaked credentials in files and Git history",
		Long:              scanLong,
		Example:           scanExample,
		Args:              cobra.ArbitraryArgs,
		ValidArgsFunction: cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault),
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkEmpty(c.Flags()); err != nil {
				return err
			}
			return runScan(c.Context(), term, scanning, o, args)
		},
	}
	o.addFlags(c.Flags())
	complete(c, "format", report.Formats)
	complete(c, "confidence", func() []string { return []string{"low", "medium", "high", "certain"} })
	complete(c, "rules", ruleIDs)
	complete(c, "verify", func() []string { return namesOf(verifiable(providers(), true)) })
	return c
}

// complete lets shells complete a flag's values, which are asked for only then.
func complete(c *cobra.Command, flag string, values func() []string) {
	// The error says that the flag does not exist; the tests would notice.
	_ = c.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return values(), cobra.ShellCompDirectiveNoFileComp
	})
}

// checkEmpty refuses flags with an empty value. In a script that is a variable that
// was not set, and the flag would be as good as not given: a range would become
// everything.
func checkEmpty(f *pflag.FlagSet) error {
	var err error
	f.Visit(func(f *pflag.Flag) {
		if f.Value.Type() == "boolfunc" { // which tells no value, and takes no empty one
			return
		}
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		if len(values) == 0 || slices.Contains(values, "") {
			err = usagef(fmt.Sprintf("leave --%s out, or give it a value; was a variable not set?", f.Name), "--%s is empty", f.Name)
		}
	})
	return err
}

func runScan(ctx context.Context, term *terminal, scanning scanFunc, o scanOptions, args []string) error {
	if o.verifyHosts && len(o.verify) == 0 {
		return usagef("--verify --verify-hosts, to ask all whom what is found names", "--verify-hosts goes with --verify")
	}
	job, err := o.job(args)
	if err != nil {
		return err
	}
	var asked []provider.Provider
	if len(o.verify) > 0 { // most scans ask nobody
		if asked, err = verifiers(providers(), o.verify, o.verifyHosts); err != nil {
			return err
		}
	}
	if err := cmp.Or(checkOutput(o.output), checkPath(job)); err != nil {
		return err
	}
	if job.mode == scanStdin && term.inTTY && term.errTTY {
		fmt.Fprintln(term.err, "keywright: reading standard input; end it with", endOfInput())
	}
	r, err := scanning(ctx, term, job)
	if err != nil {
		return err
	}
	if job.mode == scanRange && r.Coverage.Commits == 0 && r.Coverage.Complete() && !r.Interrupted {
		fmt.Fprintf(term.err, "keywright: no commits in %s: nothing was scanned\n", report.Escape(job.revisions))
	}
	if !r.Interrupted {
		if err := verifyFindings(ctx, term, asked, r, o.verifyHosts, verifyPause); err != nil {
			r.Interrupted = true
		}
	}
	if err := writeReport(term, o, r); err != nil && !closedPipe(err) {
		return fmt.Errorf("write the report: %w", err)
	}
	return verdict(r, o.allowIncomplete)
}

// endOfInput is what one types to end standard input.
func endOfInput() string {
	if isWindows {
		return "Ctrl-Z and Enter"
	}
	return "Ctrl-D"
}

// checkPath refuses a path that cannot be scanned at all.
func checkPath(job scanJob) error {
	if job.mode == scanStdin {
		return nil
	}
	info, err := os.Stat(job.path)
	if err != nil {
		return usageError{fmt.Errorf("scan %s: %w", quote(job.path), bare(err)), "check the path; without one, the current directory is scanned"}
	}
	if !info.IsDir() && !info.Mode().IsRegular() {
		return usagef("to scan a stream: keywright scan - <"+job.path, "scan %s: it is neither a file nor a directory", quote(job.path))
	}
	f, err := os.Open(job.path)
	if err != nil {
		return usageError{fmt.Errorf("scan %s: %w", quote(job.path), bare(err)), "run keywright as a user who may read it"}
	}
	return f.Close()
}

// verdict chooses the exit code of a scan that ended.
func verdict(r *scan.Report, allowIncomplete bool) error {
	switch {
	case r.Interrupted:
		return outcome(exitInterrupted)
	case len(r.Findings) > 0:
		return outcome(exitFindings)
	case !r.Coverage.Complete() && !allowIncomplete:
		return outcome(exitIncomplete)
	}
	return nil
}

// job checks the flags against each other and says what they mean.
func (o scanOptions) job(args []string) (scanJob, error) {
	job := scanJob{path: ".", exclude: o.exclude, noIgnore: o.noIgnore, noCache: o.noCache || o.showSecrets || len(o.verify) > 0} // what is remembered has no value
	if err := o.paths(&job, args); err != nil {
		return job, err
	}
	if err := o.mode(&job); err != nil {
		return job, err
	}
	var err error
	if o.since != "" {
		if job.since, err = parseSince(o.since, time.Now()); err != nil {
			return job, err
		}
	}
	if o.confidence != "" {
		if job.level, err = scan.ParseConfidence(o.confidence); err != nil {
			return job, usageError{err, "for example: --confidence high"}
		}
	}
	if o.maxMemory != "" {
		if job.maxMemory, err = config.ParseSize(o.maxMemory); err != nil {
			return job, usageError{fmt.Errorf("--max-memory: %w", err), "for example: --max-memory 512MiB"}
		}
	}
	if formats := report.Formats(); !slices.Contains(formats, o.format) {
		return job, usagef("the formats are "+strings.Join(formats, ", "), "unknown format %s", quote(o.format))
	}
	job.rules = o.rules
	return job, nil
}

func (o scanOptions) paths(job *scanJob, args []string) error {
	switch {
	case len(args) > 1:
		hint := "scan them one after the other, or a directory that holds them"
		if o.revisions != "" && !strings.Contains(o.revisions, "..") {
			hint = fmt.Sprintf("a range is one word: --range %s..%s", o.revisions, args[0])
		}
		return usagef(hint, "scan takes one path, got %d", len(args))
	case len(args) == 1 && args[0] == "":
		return usagef("to scan the current directory, give no path", "the path is empty")
	case len(args) == 1 && args[0] == "-":
		job.mode = scanStdin
	case len(args) == 1 && o.stdin:
		return usagef("leave out the path or --stdin", "--stdin and the path %s exclude each other", quote(args[0]))
	case len(args) == 1:
		job.path = args[0]
	}
	if o.stdin {
		job.mode = scanStdin
	}
	return nil
}

// mode settles which of the ways of scanning was asked for, at most one.
func (o scanOptions) mode(job *scanJob) error {
	type choice struct {
		flag  string
		given bool
		mode  scanMode
	}
	choices := []choice{
		{"--stdin", job.mode == scanStdin, scanStdin},
		{"--staged", o.staged, scanStaged},
		{"--range", o.revisions != "", scanRange},
		{"--no-history", o.noHistory, scanFiles},
		{"--history-only", o.historyOnly, scanHistory},
	}
	chosen := ""
	for _, c := range choices {
		switch {
		case !c.given:
		case chosen == "":
			chosen, job.mode = c.flag, c.mode
		case chosen == "--no-history" && c.flag == "--history-only":
			return usagef("leave out both to scan files and history", "--no-history and --history-only exclude each other")
		case chosen == "--range" && c.flag == "--history-only", chosen == "--staged" && c.flag == "--no-history":
			return usagef(chosen+" alone is enough", "%s does not go with %s", c.flag, chosen)
		default:
			return usagef("give one of them", "%s and %s exclude each other", chosen, c.flag)
		}
	}
	if o.since != "" && job.mode != scanEverything && job.mode != scanHistory {
		return usagef("--since narrows the history that is scanned: leave out "+chosen, "--since does not go with %s", chosen)
	}
	if job.mode == scanRange && !strings.Contains(o.revisions, "..") {
		return usagef(fmt.Sprintf("the commits since then: --range %s..HEAD", o.revisions), "--range %s is one revision, not a range", quote(o.revisions))
	}
	if job.mode == scanRange {
		job.revisions = o.revisions
	}
	return nil
}
