package cmd

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/keywright/keywright/audit"
)

// auditText is an entry for people: a row of a table, and lines below it.
type auditText struct {
	cells [6]string
	notes []string
}

func textOf(x audit.Entry) (t auditText) {
	key, ended := escaped(cmp.Or(x.Key, x.Environment)), string(x.Decision)
	if x.Version != "" {
		key += " v" + escaped(x.Version)
	}
	how, why, _ := strings.Cut(x.Result, ": ")
	if how != "" {
		ended = escaped(how)
	}
	t.cells = [6]string{fmt.Sprint(x.Seq), moment(x.Time), escaped(x.User), escaped(x.Verb), ended, strings.TrimSpace(key)}
	note := func(text string) { t.notes = append(t.notes, text) }
	if x.Of != nil {
		note(fmt.Sprintf("the end of entry %d", *x.Of))
	}
	if why != "" {
		note(escaped(why))
	}
	if x.Child != nil {
		note(fmt.Sprintf("to process %d", x.Child.PID))
	}
	if x.Reason != "" {
		note(escaped(x.Reason))
	}
	return t
}

// printAudit prints entries in so many columns. What of a row has no room is below it, as
// its notes are.
func printAudit(w io.Writer, width int, all []auditText) error {
	var widths [len(auditText{}.cells)]int
	for _, t := range all {
		for i, c := range t.cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	indent := strings.Repeat(" ", widths[0]+gutter)
	for _, t := range all {
		var b strings.Builder
		for i, c := range t.cells {
			b.WriteString(c + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c)+gutter))
		}
		row, last := strings.TrimRight(b.String(), " "), len(t.cells)-1
		if utf8.RuneCountInString(row) > width {
			row = strings.TrimRight(strings.TrimSuffix(row, t.cells[last]), " ")
			t.notes = append([]string{t.cells[last]}, t.notes...)
		}
		lines := []string{row}
		for _, note := range t.notes {
			lines = append(lines, hang(indent, indent, broken(note, max(width-len(indent), 1)), width))
		}
		if _, err := io.WriteString(w, strings.Join(lines, "\n")+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// broken cuts the words of a text that are longer than a line: who wrote it chose them.
func broken(text string, room int) string {
	var words []string
	for word := range strings.FieldsSeq(text) {
		for part := range slices.Chunk([]rune(word), room) {
			words = append(words, string(part))
		}
	}
	return strings.Join(words, " ")
}
