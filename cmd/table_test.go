package cmd

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// fits wants no line of a text to be longer than a width, unless a word is.
func fits(t *testing.T, text string, width int) {
	t.Helper()
	for line := range strings.Lines(text) {
		if line = strings.TrimSuffix(line, "\n"); utf8.RuneCountInString(line) > width && longestWord(line) <= width-10 {
			t.Errorf("wider than %d: %s", width, line)
		}
		if strings.TrimRight(line, " ") != line {
			t.Errorf("%q ends in spaces", line)
		}
	}
}

// longestWord is how long the longest word of a text is.
func longestWord(text string) (n int) {
	for word := range strings.FieldsSeq(text) {
		n = max(n, utf8.RuneCountInString(word))
	}
	return n
}

// TestPrintWrapped: the last column is wrapped, below its beginning; a word that has no
// room there stands further out, and all of it where there is hardly any. No word is broken.
func TestPrintWrapped(t *testing.T) {
	long := strings.Repeat("x", 50)
	for _, tt := range []struct {
		width int
		rows  [][]string
		want  string
	}{
		{40, [][]string{{"A", "B"}, {"1", "two"}, {"three", ""}}, "A      B\n1      two\nthree\n"},
		{40, [][]string{{"one", "two", "what is said of it is long and so it is wrapped"}, {"1", "2", "3"}},
			"one  two  what is said of it is long and\n          so it is wrapped\n1    2    3\n"},
		{60, [][]string{{"one", "an " + long}}, "one  an " + long + "\n"},
		{54, [][]string{{"one", "an " + long}}, "one  an\n    " + long + "\n"},
		{54, [][]string{{"one", long}}, "one\n    " + long + "\n"},
		{40, [][]string{{"one", long}}, "one  " + long + "\n"},
		{40, [][]string{{strings.Repeat("y", 30), "a word or two and more"}}, strings.Repeat("y", 30) + "\n    a word or two and more\n"},
		{40, [][]string{{"one", "an " + long + " and so on"}}, "one  an " + long + "\n     and so on\n"},
		{40, [][]string{{"ä", "ö"}, {"aa", "b"}}, "ä   ö\naa  b\n"},
	} {
		s := newScreen()
		s.width = tt.width
		if err := s.printWrapped("", tt.rows); err != nil || s.stdout.String() != tt.want {
			t.Errorf("at %d: %v\n%swant\n%s", tt.width, err, s.stdout.String(), tt.want)
		}
		fits(t, s.stdout.String(), tt.width)
	}
	s := newScreen()
	s.width = 0
	s.print("  note: ", strings.Repeat("word ", 40))
	fits(t, s.stdout.String(), 80)
	if !strings.HasPrefix(s.stdout.String(), "  note: word") || !strings.Contains(s.stdout.String(), "\n        word") {
		t.Errorf("%s", s.stdout.String())
	}
}
