package cmd

import (
	"fmt"
	"slices"

	"github.com/keywright/keywright/scan"
)

var formats = []string{"text", "json", "jsonl", "sarif"}

func known(words []string, word string) bool { return slices.Contains(words, word) }

// writeReport writes the report where the options say.
func writeReport(term *terminal, o scanOptions, r *scan.Report) error {
	_, err := fmt.Fprintf(term.out, "%d findings\n", len(r.Findings))
	return err
}
