package cmd

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// TestCommandsOfPages: each command that a page shows has a verb and flags that there are.
func TestCommandsOfPages(t *testing.T) {
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	block, inline := regexp.MustCompile(`^    (?:[A-Z_]+=\S+ )?keywright (.*)$`), regexp.MustCompile("`keywright ([^`]*)`")
	quoted, comment := regexp.MustCompile(`'[^']*'|"[^"]*"`), regexp.MustCompile(`\s(#|\||>|<|&&).*$`)
	found := 0
	for _, page := range append(pages, "../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		joined := regexp.MustCompile(`\\\n\s*`).ReplaceAllString(string(text), " ")
		joined = regexp.MustCompile("`[^`\n]*\n[^`\n]*`").ReplaceAllStringFunc(joined, func(s string) string { return strings.ReplaceAll(s, "\n", " ") })
		var commands []string
		for line := range strings.Lines(joined) {
			line = strings.TrimRight(line, "\n")
			if m := block.FindStringSubmatch(line); m != nil {
				commands = append(commands, m[1])
				continue
			}
			for _, m := range inline.FindAllStringSubmatch(line, -1) {
				commands = append(commands, m[1])
			}
		}
		for _, command := range commands {
			found++
			words := strings.Fields(comment.ReplaceAllString(quoted.ReplaceAllString(" "+command, "quoted"), ""))
			root := newRoot(&newScreen().terminal)
			c, rest, err := root.Find(words)
			if err == nil && c == root {
				continue // it shows no verb
			}
			if err == nil {
				err = c.ParseFlags(rest)
			}
			if err == nil {
				err = checkEmpty(c.Flags())
			}
			if err != nil && !errors.Is(err, pflag.ErrHelp) && !errors.As(err, new(*pflag.ValueRequiredError)) { // in a sentence a flag stands without one
				t.Errorf("%s: keywright %s: %v", page, command, err)
			}
		}
	}
	if found < 50 {
		t.Errorf("only %d commands", found)
	}
}
