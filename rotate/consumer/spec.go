package consumer

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/keywright/keywright/internal/edit"
)

// Spec describes a consumer.
type Spec struct {
	Kind   string
	Target string  // a path, or a command
	Fields []Field // of a file or a service: where the parts go, sorted by part
	Part   string  // of a command: the one that it gets; empty for all
	Auth   string  // of a service: the key that it is reached with, ENV/NAME
	Reload string  // a command; empty for none
	Ready  string  // a command; empty for none

	Settings map[string]string // of a service: options that are its own
}

// Field is a place in a file, or at a service.
type Field struct {
	Part string // empty for the only one
	Name string // of a variable; in JSON and YAML a path
}

// SpecError says what is wrong with a spec.
type SpecError struct{ Spec, Why string }

func (e *SpecError) Error() string { return fmt.Sprintf("consumer %q: %s", e.Spec, e.Why) }

// The options that are of no file.
const (
	optionAuth   = "auth"
	optionPart   = "part"
	optionReload = "reload"
	optionReady  = "ready"

	kindCommand = "command"
)

// formats are those of the kinds that are files.
var formats = map[string]string{"env": edit.FormatDotenv, "json": edit.FormatJSON, "yaml": edit.FormatYAML}

// Kinds are those that specs can have.
func Kinds() []string {
	return slices.Concat([]string{"env", "json", "yaml", kindCommand}, slices.Sorted(maps.Keys(services)))
}

const maxSpec = 4096 // bytes

var (
	partName     = regexp.MustCompile(`^[a-z0-9_][a-z0-9._-]*$`)
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	keyName      = regexp.MustCompile(`^[^/#\s]+/[^/#\s]+$`)
)

// Parse reads a spec. The error is a *SpecError.
func Parse(text string) (Spec, error) {
	wrong := func(format string, args ...any) (Spec, error) {
		return Spec{}, &SpecError{text, fmt.Sprintf(format, args...)}
	}
	var s Spec
	kind, rest, ok := strings.Cut(text, ":")
	items := splitOptions(rest)
	s.Kind, s.Target = kind, items[0]
	switch {
	case len(text) > maxSpec:
		return wrong("it is longer than %d bytes", maxSpec)
	case !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl):
		return wrong("it has characters that no terminal shows")
	case !ok || !slices.Contains(Kinds(), kind):
		return wrong("it begins with none of %s:", strings.Join(Kinds(), ":, "))
	case strings.TrimSpace(s.Target) == "":
		return wrong("it has no target")
	}
	for _, item := range items[1:] {
		if why := s.option(item); why != "" {
			return wrong("%s; a comma that ends nothing is written twice", why)
		}
	}
	slices.SortFunc(s.Fields, func(a, b Field) int { return cmp.Compare(a.Part, b.Part) })
	for i, f := range s.Fields {
		if i > 0 && f.Part == s.Fields[i-1].Part {
			return wrong("it says twice where part %q goes", f.Part)
		}
		if slices.ContainsFunc(s.Fields[:i], func(o Field) bool { return o.Name == f.Name }) {
			return wrong("two parts go to %s", f.Name)
		}
	}
	if s.Kind != kindCommand && (len(s.Fields) == 0 || len(s.Fields) > 1 && s.Fields[0].Part == "") {
		return wrong("it does not say which part goes where: PART=NAME")
	}
	if why := s.atService(); why != "" {
		return wrong("%s", why)
	}
	return s, nil
}

// option takes in an option, or says why not.
func (s *Spec) option(item string) (why string) {
	name, value, ok := strings.Cut(item, "=")
	service, isService := services[s.Kind]
	once := func(field *string) string {
		switch {
		case strings.TrimSpace(value) == "":
			return name + " has no value"
		case *field != "":
			return name + " stands there twice"
		}
		*field = value
		return ""
	}
	switch {
	case ok && name == optionReload:
		return once(&s.Reload)
	case ok && name == optionReady:
		return once(&s.Ready)
	case s.Kind == kindCommand && ok && name == optionPart && partName.MatchString(value):
		return once(&s.Part)
	case s.Kind == kindCommand:
		return fmt.Sprintf("there is no option %q", item)
	case ok && isService && name == optionAuth:
		return once(&s.Auth)
	case ok && slices.Contains(service.settings, name):
		setting := s.Settings[name]
		why := once(&setting)
		if s.Settings == nil {
			s.Settings = map[string]string{}
		}
		s.Settings[name] = setting
		return why
	case !ok:
		name, value = "", item
	case !partName.MatchString(name):
		return fmt.Sprintf("%q is not the name of a part", name)
	}
	if value == "" || s.Kind == "env" && !variableName.MatchString(value) {
		return fmt.Sprintf("%q is not the name of a value", value)
	}
	s.Fields = append(s.Fields, Field{name, value})
	return ""
}

// String writes a spec as Parse reads it.
func (s Spec) String() string {
	items := []string{s.Target}
	for _, f := range s.Fields {
		if f.Part == "" {
			items = append(items, f.Name)
			continue
		}
		items = append(items, f.Part+"="+f.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Settings)) {
		items = append(items, name+"="+s.Settings[name])
	}
	for _, o := range []struct{ name, value string }{{optionPart, s.Part}, {optionAuth, s.Auth}, {optionReload, s.Reload}, {optionReady, s.Ready}} {
		if o.value != "" {
			items = append(items, o.name+"="+o.value)
		}
	}
	for i := range items {
		items[i] = strings.ReplaceAll(items[i], ",", ",,")
	}
	return s.Kind + ":" + strings.Join(items, ",")
}

// splitOptions cuts a text at the commas that stand alone. There is at least one item.
func splitOptions(text string) []string {
	items, item := []string{}, strings.Builder{}
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] != ',':
			item.WriteByte(text[i])
		case i+1 < len(text) && text[i+1] == ',':
			item.WriteByte(',')
			i++
		default:
			items = append(items, item.String())
			item.Reset()
		}
	}
	return append(items, item.String())
}

// Normalize is a spec that somebody typed for a key with some parts, as it is stored:
// with absolute paths, also of programs, which are looked for now, and with the names of
// parts. "~/" is the home directory. The error is a *SpecError.
func Normalize(text string, parts []string) (string, error) {
	s, err := Parse(text)
	if err != nil {
		return "", err
	}
	used := []string{}
	for i := range s.Fields {
		f := &s.Fields[i]
		if f.Part == "" && len(parts) == 1 {
			f.Part = parts[0]
		}
		used = append(used, f.Part)
	}
	if s.Part != "" {
		used = append(used, s.Part)
	}
	for _, part := range used {
		switch {
		case part == "":
			return "", &SpecError{text, fmt.Sprintf("which of the parts %s goes to %s? PART=%[2]s", strings.Join(parts, ", "), s.Fields[0].Name)}
		case !slices.Contains(parts, part):
			return "", &SpecError{text, fmt.Sprintf("the key has no part %q, but %s", part, strings.Join(parts, ", "))}
		}
	}
	switch {
	case s.Kind == kindCommand:
		s.Target, err = absoluteProgram(s.Target)
	case formats[s.Kind] != "":
		s.Target, err = absolute(s.Target)
	default:
		err = s.settle()
	}
	for _, c := range []*string{&s.Reload, &s.Ready} {
		if err == nil && *c != "" {
			*c, err = absoluteProgram(*c)
		}
	}
	if err != nil {
		return "", &SpecError{text, err.Error()}
	}
	return s.String(), nil
}

func absolute(path string) (string, error) {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		path = filepath.Join(home, rest)
	}
	return filepath.Abs(path)
}

// absoluteProgram is a command whose program is named by its path.
func absoluteProgram(text string) (string, error) {
	list, rest, err := words(text)
	if err != nil {
		return "", err
	}
	program := list[0]
	if strings.HasPrefix(program, "~/") {
		if program, err = absolute(program); err != nil {
			return "", err
		}
	}
	found, err := exec.LookPath(program)
	if err != nil {
		return "", fmt.Errorf("there is no program %q", list[0])
	}
	if found, err = filepath.Abs(found); err != nil {
		return "", err
	}
	quote := ""
	if strings.ContainsAny(found, ` '"`) {
		quote = `"`
		if strings.Contains(found, quote) {
			quote = `'`
		}
		if strings.Contains(found, quote) {
			return "", errors.New("the path of the program has quotes of both kinds")
		}
	}
	return quote + found + quote + rest, nil
}

// words takes a command apart, at spaces outside of quotes. Rest is what stands behind
// the first word.
func words(text string) (list []string, rest string, err error) {
	var (
		word  strings.Builder
		quote rune // that is open; 0 for none
		begun bool
	)
	end := func(i int) {
		if begun {
			list = append(list, word.String())
		}
		if begun && len(list) == 1 {
			rest = text[i:]
		}
		word.Reset()
		begun = false
	}
	for i, r := range text {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, begun = r, true
		case quote == 0 && r == ' ':
			end(i)
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	end(len(text))
	switch {
	case quote != 0:
		return nil, "", fmt.Errorf("the command %q does not end its quotes", text)
	case len(list) == 0 || list[0] == "":
		return nil, "", fmt.Errorf("the command %q has no program", text)
	}
	return list, rest, nil
}
