package cmd

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/keywright/keywright/provider"
)

var updateDocs = flag.Bool("update", false, "write docs/providers.md anew")

// providersPage is docs/providers.md, from the code.
func providersPage() string {
	var b strings.Builder
	b.WriteString("# Where keys are replaced\n\n<!-- made by: go test ./cmd -run ProvidersPage -update -->\n\n" +
		"What keywright can do at each service, and what it was run against. How a key is\nreplaced, and what each word here means, is in [rotate.md](rotate.md); where one takes\na failure otherwise than the rest, in [deviations.md](deviations.md).\n")
	for _, p := range providers() {
		info := p.Info()
		made := strings.Replace(howNew(p), "by hand", "made by hand", 1)
		fmt.Fprintf(&b, "\n## %s\n\n%s. A new key is %s; an old one is %s.\n\n", info.Name, info.Title, made, ended(p))
		row := func(what, text string) {
			if text != "" {
				fmt.Fprintf(&b, "- %s: %s\n", what, text)
			}
		}
		var parts, ways []string
		for _, part := range info.Parts {
			if part.Public {
				part.Name += " (may be shown)"
			}
			parts = append(parts, part.Name)
		}
		for way, there := range map[string]bool{
			"alive or dead can be told": is[provider.Verifier](p) && !info.Mute, "alive can be told": info.Mute, "keys can be listed": is[provider.Lister](p),
			"looks beforehand": is[provider.Planner](p), "an old key can be disabled first": is[provider.Disabler](p),
			"when a key was used last is told": info.Uses, "having a key is enough to end it, if it may": info.Itself,
		} {
			if there {
				ways = append(ways, way)
			}
		}
		slices.Sort(ways)
		row("parts", strings.Join(parts, ", "))
		row("also", strings.Join(ways, "; "))
		row("changes are made with", info.Admin)
		if info.Propagation > 0 {
			row("a change may take", info.Propagation.String())
		}
		if info.UseSpan > 0 {
			row("of several uses within", info.UseSpan.String()+" the first is told")
		}
		if info.Nonce {
			row("never tried while it is in use", "a call disturbs its user")
		}
		if info.Mute {
			row("never called dead", "a key that has ended is refused as others are")
		}
		row("a revocation", info.Revoking)
		if l := info.Lingers; l.What != "" {
			row("outlives an old key", l.What+atMost(l.Longest))
		}
		row("its page", info.Page)
		row("run against", info.Tested)
		if len(info.Params) > 0 {
			b.WriteString("\n| `--param` | meaning |\n| --- | --- |\n")
			for _, param := range info.Params {
				note := ""
				switch {
				case param.Required:
					note = " (needed)"
				case param.Default != "":
					note = " (otherwise `" + param.Default + "`)"
				}
				fmt.Fprintf(&b, "| `%s` | %s%s |\n", param.Name, param.Meaning, note)
			}
		}
		b.WriteString("\nWritten after:\n\n")
		for _, s := range info.Sources {
			fmt.Fprintf(&b, "- %s\n", s)
		}
	}
	return b.String()
}

// ended is what becomes of an old key.
func ended(p provider.Provider) string {
	switch {
	case is[provider.Revoker](p):
		return "revoked"
	case is[provider.Guide](p):
		return "deleted by hand"
	}
	return "left to what uses it"
}

// TestProvidersPage: docs/providers.md says what the code does.
func TestProvidersPage(t *testing.T) {
	path := filepath.Join("..", "docs", "providers.md")
	if *updateDocs {
		if err := os.WriteFile(path, []byte(providersPage()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(path); err != nil || string(have) != providersPage() {
		t.Errorf("%s is not up to date: go test ./cmd -run ProvidersPage -update (%v)", path, err)
	}
}

// TestDeviationsPage: docs/deviations.md speaks of every provider, in their order, and the
// tests that it names are there. What it says is compared by each provider's own tests.
func TestDeviationsPage(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "deviations.md"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for n, section := range strings.Split(string(text), "\n## ") {
		head, body, _ := strings.Cut(section, "\n")
		if n < 2 { // what the page is, and the standard
			continue
		}
		if strings.TrimSpace(body) == "" {
			t.Errorf("it says nothing of %s", head)
		}
		name, _, variant := strings.Cut(head, ", ")
		if !variant {
			names = append(names, name)
		} else if len(names) == 0 || names[len(names)-1] != name {
			t.Errorf("%s does not come after %s", head, name)
		}
		for _, test := range regexp.MustCompile("`([Tt]est[A-Z][A-Za-z]*)`").FindAllStringSubmatch(body, -1) {
			if !hasTest(t, name, test[1]) {
				t.Errorf("%s has no test %s", name, test[1])
			}
		}
	}
	var want []string
	for _, p := range providers() {
		want = append(want, p.Info().Name)
	}
	if !slices.Equal(names, want) {
		t.Errorf("it speaks of %v, want %v", names, want)
	}
}

// packageOf is the package that a provider is in, which may hold others.
func packageOf(name string) string {
	for _, p := range providers() {
		of := reflect.TypeOf(p)
		if of.Kind() == reflect.Pointer {
			of = of.Elem()
		}
		if p.Info().Name == name {
			return path.Base(of.PkgPath())
		}
	}
	return name
}

// hasTest reports whether a provider's package has a test of this name.
func hasTest(t *testing.T, provider, test string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "provider", packageOf(provider), "*_test.go"))
	ours, err2 := filepath.Glob("*_test.go") // of the verb, with the provider's server
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	files = append(files, ours...)
	return slices.ContainsFunc(files, func(name string) bool {
		text, err := os.ReadFile(name)
		return err == nil && strings.Contains(string(text), "\nfunc "+test+"(t *testing.T")
	})
}

// TestProviders: their names are in order, and each says all that is to be known. Where
// changes are asked for, it says by whom: by another key, or that the key does it itself.
func TestProviders(t *testing.T) {
	var names []string
	for _, p := range providers() {
		info := p.Info()
		names = append(names, info.Name)
		if info.Title == "" || info.Tested == "" || len(info.Parts) == 0 || len(info.Sources) == 0 {
			t.Errorf("%s: %+v", info.Name, info)
		}
		if !is[provider.Maker](p) && !is[provider.Issuer](p) && !is[provider.Guide](p) {
			t.Errorf("%s gives no new key", info.Name)
		}
		if (is[provider.Planner](p) || is[provider.Issuer](p)) && info.Admin == "" && info.Name != "local" { // which asks nobody
			t.Errorf("%s does not say what its changes are made with", info.Name)
		}
	}
	if !slices.IsSorted(names) || len(slices.Compact(names)) != len(providers()) {
		t.Errorf("names %v", names)
	}
}

// TestProviderNames: a name in a key's metadata means one provider, and the list fits a
// screen of 80 columns.
func TestProviderNames(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range providers() {
		if name := p.Info().Name; seen[name] {
			t.Errorf("two providers are called %s", name)
		} else {
			seen[name] = true
		}
	}
	s := newScreen()
	if err := printProviders(&s.terminal); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(s.stdout.String()) {
		if len(strings.TrimRight(line, "\n")) > 80 {
			t.Errorf("wider than the screen: %q", line)
		}
	}
}
