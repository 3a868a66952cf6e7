package cmd

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/keywright/keywright/audit"
	"github.com/keywright/keywright/internal/durable"
	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/keystore/backup"
	"github.com/keywright/keywright/secret"
)

// lockOptions are the flags that say how a backup is locked.
type lockOptions struct {
	passphrase string // a file with it
	recipient  string // backup
	identity   string // restore: a file with it
}

const backupLong = `Writes all keys, of every environment and with all their versions, into one
file that is encrypted with age. It is locked with a passphrase, which is
asked for at the terminal, or to a recipient. The file holds all but the
signing key of the audit log; also what scans find versions by that are gone.
`

func newBackup(term *terminal) *cobra.Command {
	var o lockOptions
	c := &cobra.Command{
		Use:     "backup FILE",
		Short:   "Write all keys into an encrypted file",
		Long:    backupLong,
		Example: "  keywright backup keys.backup\n  keywright backup keys.backup --recipient age1...",
		Args:    oneArg("the file"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := cmp.Or(checkEmpty(c.Flags()), o.check("recipient", o.recipient)); err != nil {
				return err
			}
			return runBackup(c.Context(), term, o, args[0])
		},
	}
	c.Flags().SortFlags = false
	c.Flags().StringVar(&o.recipient, "recipient", "", "lock it to `AGE1...`, a public key of age")
	c.Flags().StringVar(&o.passphrase, "passphrase-file", "", "lock it with the first line of `FILE`")
	return c
}

func runBackup(ctx context.Context, term *terminal, o lockOptions, file string) error {
	if file == "-" {
		return usagef("for example: keywright backup keys.backup", "a backup is written into a file")
	}
	if _, err := os.Lstat(file); err == nil {
		return usagef("move it away, or choose another name", "%s is there already", quote(file))
	}
	to, err := o.backupRecipient(ctx, term)
	if err != nil {
		return err
	}
	keys, err := openKeys(term, mayAsk)
	if err != nil {
		return err
	}
	catalog, err := keys.Catalog(ctx)
	if err != nil {
		return err
	}
	var uses []audit.Entry
	for i := range catalog.Keys {
		uses = append(uses, use("backup", &catalog.Keys[i], keystore.Current))
	}
	n := 0
	write := func() (err error) {
		n, err = keys.backUp(ctx, to, file)
		return err
	}
	if err := keys.do(ctx, write, uses...); err != nil {
		return err
	}
	fmt.Fprintf(term.err, "keywright: %s in %s\n", plural(n, "key"), quote(file))
	return nil
}

// backUp writes all keys into a file, with where the audit log stands now.
func (k *keyring) backUp(ctx context.Context, to age.Recipient, file string) (n int, err error) {
	checkpoint, err := k.log.Checkpoint(ctx)
	if err != nil && !errors.Is(err, audit.ErrNoLog) {
		fmt.Fprintln(k.term.err, "keywright: warning: without a checkpoint of the audit log:", escaped(err.Error()))
	}
	const private = 0o600
	err = durable.WriteFile(file, func(w io.Writer) (err error) {
		n, err = backup.Write(ctx, w, to, k.Store, string(checkpoint), time.Now())
		return err
	}, private)
	if err != nil {
		return 0, unwritten("back up to", file, err)
	}
	return n, nil
}

// check refuses two ways at once. Other is a flag that a passphrase does not go with.
func (o lockOptions) check(other, value string) error {
	if value != "" && o.passphrase != "" {
		return usagef("leave one of them out", "--%s and --passphrase-file exclude each other", other)
	}
	return nil
}

func (o lockOptions) backupRecipient(ctx context.Context, term *terminal) (age.Recipient, error) {
	if o.recipient != "" {
		r, err := age.ParseX25519Recipient(o.recipient)
		if err != nil {
			return nil, usagef("age-keygen prints one: age1...", "--recipient: that is none of age's") // it may be a secret one
		}
		return r, nil
	}
	phrase, err := o.phrase(ctx, term, true)
	if err != nil {
		return nil, err
	}
	r, err := age.NewScryptRecipient(string(phrase.Reveal()))
	if err != nil {
		return nil, usagef("choose one that nobody guesses", "the passphrase is empty")
	}
	return r, nil
}

func (o lockOptions) phrase(ctx context.Context, term *terminal, fresh bool) (secret.Value, error) {
	if o.passphrase != "" {
		v, err := readLine(o.passphrase)
		if err != nil {
			return v, usageError{fmt.Errorf("--passphrase-file %s: %w", quote(o.passphrase), bare(err)), "check the path"}
		}
		if fresh {
			term.warnShort(v)
		}
		return v, nil
	}
	v, err := term.askPassphraseOf(ctx, "the backup", fresh)
	if errors.Is(err, errNobody) {
		return v, usageError{err, "give a passphrase with --passphrase-file"}
	}
	if err == nil && fresh {
		term.warnShort(v)
	}
	return v, err
}

// warnShort says of a new passphrase that it is soon guessed. An empty one is refused
// where it is used.
func (t *terminal) warnShort(v secret.Value) {
	const least = 12 // bytes
	if n := v.Len(); n > 0 && n < least {
		fmt.Fprintf(t.err, "keywright: warning: a passphrase of less than %d characters is soon guessed\n", least)
	}
}

const restoreLong = `Stores the keys of a backup, with all their versions: all of them, or none.
Keys that are there already are left alone and named; the exit code is 3 then.
Where there is no audit log yet, the new one's first entry names where the old
one stood.
`

func newRestore(term *terminal) *cobra.Command {
	var o lockOptions
	c := &cobra.Command{
		Use:     "restore FILE",
		Short:   "Store the keys of a backup",
		Long:    restoreLong,
		Example: "  keywright restore keys.backup",
		Args:    oneArg("the file"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := cmp.Or(checkEmpty(c.Flags()), o.check("identity", o.identity)); err != nil {
				return err
			}
			return runRestore(c.Context(), term, o, args[0])
		},
	}
	c.Flags().SortFlags = false
	c.Flags().StringVar(&o.identity, "identity", "", "open it with the identity of age in `FILE`")
	c.Flags().StringVar(&o.passphrase, "passphrase-file", "", "open it with the first line of `FILE`")
	return c
}

func runRestore(ctx context.Context, term *terminal, o lockOptions, file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return usageError{fmt.Errorf("restore %s: %w", quote(file), bare(err)), "check the path"}
	}
	with, err := o.restoreIdentity(ctx, term)
	if err != nil {
		return err
	}
	b, err := backup.Read(bytes.NewReader(data), with)
	if err != nil {
		return fmt.Errorf("restore %s: %w", quote(file), err)
	}
	defer b.Wipe()
	keys, err := openKeys(term, mayAsk)
	if err != nil {
		return err
	}
	if err := keys.citeLog(ctx, b.Checkpoint); err != nil {
		return err
	}
	restored, left, err := keys.restore(ctx, b)
	if err != nil {
		return fmt.Errorf("restore %s: %w", quote(file), err)
	}
	term.leftAlone(left)
	fmt.Fprintf(term.err, "keywright: restored %s\n", plural(restored, "key"))
	if len(left) > 0 {
		return outcome(exitIncomplete)
	}
	return nil
}

// restore stores the keys of a backup that are not there, all of them or none, and says how
// many these were, and which the others. What it stores is on record before.
func (k *keyring) restore(ctx context.Context, b *backup.Backup) (restored int, left []string, err error) {
	catalog, err := k.Catalog(ctx)
	if err != nil {
		return 0, nil, err
	}
	var granted []audit.Entry
	for _, env := range b.Protected() {
		if _, protected := catalog.Protection(env); !protected {
			e := environmentEntry("restore", audit.Granted, env)
			e.Reason = "it was protected"
			granted = append(granted, e)
		}
	}
	for _, key := range b.Keys() {
		if _, exists := catalog.Find(key.Name); !exists {
			granted = append(granted, use("restore", &key, keystore.Current))
		}
	}
	r, err := k.enter(ctx, granted...)
	if err != nil {
		return 0, nil, err
	}
	taken, err := b.Restore(ctx, actor(), k.Store)
	if err != nil {
		return 0, nil, k.failed(ctx, r, err)
	}
	for _, name := range taken {
		left = append(left, name.String())
	}
	for i, e := range r.entries {
		if slices.Contains(left, e.Key) { // somebody else stored it since
			_ = k.failed(ctx, r.only(i), keystore.ErrExists)
		}
	}
	return len(b.Keys()) - len(left), left, nil
}

// leftAlone names the keys that a restore left as they were.
func (t *terminal) leftAlone(names []string) {
	if len(names) == 0 {
		return
	}
	text := strings.Join(names, ", ") + " is there already"
	if len(names) > 1 {
		text = strings.Join(names, ", ") + " are there already"
	}
	fmt.Fprintln(t.err, hang("keywright: left alone: ", "  ", text, cmp.Or(t.errWidth, defaultWidth)))
}

// citeLog begins an audit log with where the log stood that a backup comes from.
func (k *keyring) citeLog(ctx context.Context, checkpoint string) error {
	if _, err := k.log.PublicKey(ctx); !errors.Is(err, audit.ErrNoLog) {
		return nil
	}
	e := who()
	e.Verb, e.Follows = "restore", checkpoint
	return k.append(ctx, e)
}

func (o lockOptions) restoreIdentity(ctx context.Context, term *terminal) (age.Identity, error) {
	if o.identity != "" {
		data, err := os.ReadFile(o.identity)
		if err != nil {
			return nil, usageError{fmt.Errorf("--identity %s: %w", quote(o.identity), bare(err)), "check the path"}
		}
		defer clear(data)
		all, err := age.ParseIdentities(bytes.NewReader(data))
		if err != nil || len(all) != 1 {
			return nil, usagef("age-keygen makes one", "%s does not hold an identity of age", quote(o.identity))
		}
		return all[0], nil
	}
	phrase, err := o.phrase(ctx, term, false)
	if err != nil {
		return nil, err
	}
	id, err := age.NewScryptIdentity(string(phrase.Reveal()))
	if err != nil {
		return nil, usagef("it is the one that the backup was made with", "the passphrase is empty")
	}
	return id, nil
}
