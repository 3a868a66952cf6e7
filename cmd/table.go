package cmd

import (
	"cmp"
	"io"
	"strings"
	"text/tabwriter"
	"unicode/utf8"
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

// Columns of text.
const (
	defaultWidth = 80 // where nobody says
	minWidth     = 40
	minRoom      = 24 // of a cell that is wrapped
	gutter       = 2
	outer        = 4 // where what has no room in its column stands
)

// columns is how wide text may be.
func (t *terminal) columns() int { return max(cmp.Or(t.width, defaultWidth), minWidth) }

// hang wraps text behind a lead, with further lines behind an indentation. It breaks at
// spaces only, so that commands and names can be copied: a word that has no room there
// stands further out, and one that has none on any line is not broken before either.
func hang(lead, indent, text string, width int) string {
	var lines []string
	line, space := lead, ""
	for word := range strings.FieldsSeq(text) {
		long := utf8.RuneCountInString(word)
		in := utf8.RuneCountInString(indent)
		if in+long > width {
			in = min(in, outer)
		}
		column := utf8.RuneCountInString(line)
		if column+len(space)+long > width && in+long <= width && in < column {
			lines = append(lines, strings.TrimRight(line, " "))
			line, space = strings.Repeat(" ", in), ""
		}
		line, space = line+space+word, " "
	}
	return strings.Join(append(lines, strings.TrimRight(line, " ")), "\n")
}

// print prints text behind a lead, wrapped.
func (t *terminal) print(lead, text string) {
	io.WriteString(t.out, hang(lead, strings.Repeat(" ", utf8.RuneCountInString(lead)), text, t.columns())+"\n")
}

// printWrapped prints rows in columns, of which the last is wrapped; where it has hardly
// any room it stands below.
func (t *terminal) printWrapped(indent string, rows [][]string) error {
	var widths []int
	for _, r := range rows {
		for i, cell := range r[:len(r)-1] {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, r := range rows {
		line := indent
		last := len(r) - 1
		for i, cell := range r[:last] {
			line += cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+gutter)
		}
		at, below := utf8.RuneCountInString(line), strings.Repeat(" ", outer)
		if room := t.columns() - at; room < minRoom && utf8.RuneCountInString(r[last]) > room {
			line = strings.TrimRight(line, " ") + "\n" + hang(below, below, r[last], t.columns())
		} else {
			line = hang(line, strings.Repeat(" ", at), r[last], t.columns())
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	_, err := io.WriteString(t.out, b.String())
	return err
}
