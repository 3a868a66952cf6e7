package cmd

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/keywright/keywright/internal/durable"
	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/report"
)

// writeReport writes the report where the flags say. A file is replaced whole or
// not touched at all; then what people want to know still goes to standard error.
func writeReport(term *terminal, o scanOptions, r *scan.Report) error {
	options := report.Options{ShowSecrets: o.showSecrets, Colour: term.colour(), Width: term.width}
	if o.output == "" || o.output == "-" {
		return report.Write(term.out, o.format, r, options)
	}
	options.Colour = false
	perm := os.FileMode(0o644)
	if o.showSecrets {
		perm = 0o600
	}
	err := replaceFile(o.output, perm, func(w io.Writer) error { return report.Write(w, o.format, r, options) })
	if err != nil {
		return unwritten("write the report to", o.output, err)
	}
	fmt.Fprintf(term.err, "keywright: %s, written to %s\n", count(len(r.Findings), "secret"), quote(o.output))
	return nil
}

func count(n int, noun string) string {
	switch n {
	case 0:
		return "no " + noun + "s"
	case 1:
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// replaceFile replaces a file whole or not at all. What is no regular file (a pipe,
// a terminal) is written to as it is.
func replaceFile(name string, perm os.FileMode, write func(io.Writer) error) error {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return writeThrough(name, write)
	}
	return durable.WriteFile(name, write, perm)
}

// writeThrough writes to what is no regular file, all at once.
func writeThrough(name string, write func(io.Writer) error) error {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = b.WriteTo(f)
	if closing := f.Close(); err == nil {
		err = closing
	}
	return err
}

// checkOutput refuses, before the work, a report file that cannot be written.
func checkOutput(name string) error {
	if name == "" || name == "-" { // standard output
		return nil
	}
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return usagef("give a file in it: --output "+filepath.Join(name, "keywright.json"), "write the report to %s: it is a directory", quote(name))
	}
	if info, err := os.Stat(filepath.Dir(name)); err != nil || !info.IsDir() {
		return usagef("make the directory first", "write the report to %s: there is no such directory", quote(name))
	}
	return nil
}
