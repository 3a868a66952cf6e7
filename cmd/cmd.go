// Package cmd is the command line: one file per verb, with its flags, its
// wording and its wiring. It is the only room that prints, prompts or chooses
// an exit code.
package cmd

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Main runs keywright with the process's arguments and streams, and returns its
// exit code. The first interrupt asks the running command to stop and report;
// the second ends the process.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	// A reader that went away shall be an error on writing, not a signal: the
	// exit code still says what was found. Notify rather than Ignore, because
	// child processes inherit an ignored signal.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return run(ctx, systemTerminal(), os.Args[1:])
}

// run is Main without the process: tests call it with a terminal of their own.
func run(ctx context.Context, term *terminal, args []string) int {
	root := newRoot(term)
	root.SetArgs(args)
	c, err := root.ExecuteContextC(ctx)
	return conclude(term, asked(c, err))
}

// Root returns the command tree, to generate completions and man pages from.
func Root() *cobra.Command { return newRoot(systemTerminal()) }

func newRoot(term *terminal) *cobra.Command {
	root := &cobra.Command{
		Use:   "keywright",
		Short: "Find leaked credentials, and keep keys out of files",
		Long: `keywright finds credentials that leaked into files and into a Git repository's
whole history, says where each one came in and who brought it, and what was and
was not read. It keeps keys, one set for each environment, and a record of what
was done with them. It replaces a key at its provider, and proves that the old
one is dead.

    keywright scan            scan the repository in the current directory
    keywright scan --staged   scan what is about to be committed
    keywright set dev/TOKEN   store a key
    keywright status          say which keys need attention
    keywright rotate dev/KEY  replace a key
`,
		SilenceErrors:              true,
		SuggestionsMinimumDistance: 2,
		SilenceUsage:               true,
		Args:                       cobra.ArbitraryArgs,
		PersistentPreRun:           func(c *cobra.Command, _ []string) { term.harden(c.Name() == "run") },
		RunE:                       func(c *cobra.Command, args []string) error { return runRoot(c, args) },
	}
	root.SetIn(term.in)
	root.SetOut(term.out)
	root.SetErr(term.err)
	root.SetFlagErrorFunc(flagError)
	root.PersistentFlags().BoolVar(&term.plain, "no-color", false, "print without colour (NO_COLOR does the same)")
	root.AddCommand(newScan(term, pipelineScan), newSet(term), newGenerate(term), newGet(term), newImport(term), newExport(term), newLs(term), newRm(term), newMv(term),
		newEdit(term), newRun(term), newStatus(term), newTOTP(term), newUnlock(term), newRotate(term), newRevoke(term, pipelineScan), newProviders(term), newAudit(term), newBackup(term), newRestore(term), newDoctor(term), newVersion(term))
	root.SetHelpCommand(&cobra.Command{
		Use:   "help [command]",
		Short: "Show the help of a command",
		Long:  "Shows the help of a command.",
		RunE:  func(_ *cobra.Command, args []string) error { return runHelp(root, args) },
	})
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" { // it answers an unknown shell with its help, and 0
			c.Args, c.RunE = cobra.ArbitraryArgs, runRoot
		}
	}
	addExitStatus(root)
	return root
}

// addExitStatus ends the help of a command, and of those below it, with the codes.
func addExitStatus(c *cobra.Command) {
	c.Long = strings.TrimRight(c.Long, "\n") + "\n" + exitStatus
	for _, sub := range c.Commands() {
		addExitStatus(sub)
	}
}

func runRoot(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return c.Help()
	}
	return unknownCommand(c, args[0])
}

func runHelp(root *cobra.Command, args []string) error {
	c, rest, err := root.Find(args)
	if err != nil || len(rest) > 0 {
		return unknownCommand(root, strings.Join(args, " "))
	}
	return c.Help()
}

func unknownCommand(root *cobra.Command, name string) error {
	hint := "see '" + root.CommandPath() + " --help'"
	if _, err := os.Lstat(name); err == nil {
		hint = fmt.Sprintf("to scan it: keywright scan %s", quote(name))
	} else if similar := root.SuggestionsFor(name); len(similar) > 0 {
		hint = fmt.Sprintf("did you mean '%s %s'?", root.CommandPath(), similar[0])
	}
	return usageError{fmt.Errorf("unknown command %s", quote(name)), hint}
}
