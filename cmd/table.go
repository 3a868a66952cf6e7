package cmd

import (
	"io"
	"strings"
	"text/tabwriter"
)

// printTable prints rows in columns, each cell behind an indentation. Cells at a row's
// end that are empty leave nothing.
func printTable(w io.Writer, indent string, rows [][]string) error {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		io.WriteString(t, indent+strings.Join(r, "\t")+"\n")
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(b.String()) {
		if _, err := io.WriteString(w, strings.TrimRight(line, " \n")+"\n"); err != nil {
			return err
		}
	}
	return nil
}
