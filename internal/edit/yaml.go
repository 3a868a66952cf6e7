package edit

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/keywright/keywright/secret"
)

// lineOf finds the line that a parser's error tells of, 0 if it tells none. The rest of
// the error is not repeated anywhere: it may hold a value.
func lineOf(err error) int {
	m := regexp.MustCompile(`\bline (\d{1,9})\b`).FindStringSubmatch(err.Error())
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(m[1])
	return n
}

// readYAML reads the first document of a file. What stands in a document is known by
// the line and the column that its parser gives; where it ends is looked for here, and
// wrong guesses are noticed when what was written is read again.
func readYAML(data []byte) ([]Variable, []Problem, error) {
	text := bytes.TrimPrefix(data, []byte(byteOrderMark))
	if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
		return nil, nil, &SyntaxError{"YAML", 0, "it has bytes that are not UTF-8"}
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	w := yamlWalk{collector{seen: map[string]int{}}, text, len(data) - len(text), yamlLines(text)}
	for n := 0; ; n++ {
		var document yaml.Node
		err := d.Decode(&document)
		if errors.Is(err, io.EOF) {
			return w.variables, w.problems, nil
		}
		if err != nil {
			return nil, nil, &SyntaxError{"YAML", lineOf(err), "it does not parse there"}
		}
		if n > 0 {
			w.problem(document.Line, "", "it is in a further document of the file")
			continue
		}
		for _, c := range document.Content {
			w.walk("", c)
		}
	}
}

// yamlLines are the offsets at which lines begin, as YAML 1.1 counts them.
func yamlLines(text []byte) []int {
	starts := []int{0}
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		i += size
		switch r {
		case '\r':
			if i < len(text) && text[i] == '\n' {
				i++
			}
		case '\n', '\u0085', '\u2028', '\u2029':
		default:
			continue
		}
		starts = append(starts, i)
	}
	return starts
}

type yamlWalk struct {
	collector
	text  []byte
	base  int // where in the file the text begins
	lines []int
}

func (w *yamlWalk) walk(path string, n *yaml.Node) {
	if w.deep(n.Line, path) {
		return
	}
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			name := n.Content[i]
			if name.Kind != yaml.ScalarNode {
				w.problem(name.Line, path, "it holds something whose name is not a text")
				continue
			}
			w.walk(join(path, name.Value), n.Content[i+1])
		}
	case yaml.SequenceNode:
		for i, e := range n.Content {
			w.walk(join(path, strconv.Itoa(i)), e)
		}
	case yaml.ScalarNode:
		w.scalar(path, n)
	case yaml.AliasNode:
		w.problem(n.Line, path, "it refers to another place of the file")
	}
}

func (w *yamlWalk) scalar(path string, n *yaml.Node) {
	switch {
	case n.Anchor != "":
		w.problem(n.Line, path, "it has an anchor, by which other places refer to it")
		return
	case n.Style&yaml.TaggedStyle != 0:
		w.problem(n.Line, path, "it has a tag, which says what it is")
		return
	}
	switch n.ShortTag() {
	case "!!str", "!!int", "!!float", "!!timestamp":
	default:
		w.problem(n.Line, path, noText)
		return
	}
	p, ok := w.place(n)
	if !ok {
		w.problem(n.Line, path, "it is written in a way that keywright cannot take apart")
		return
	}
	p.start, p.end = p.start+w.base, p.end+w.base
	value := []byte(n.Value)
	defer clear(value)
	w.take(Variable{path, secret.New(value), n.Line, p})
}

// place is where a scalar stands in the text.
func (w *yamlWalk) place(n *yaml.Node) (p place, ok bool) {
	if n.Line < 1 || n.Line > len(w.lines) {
		return p, false
	}
	start := w.lines[n.Line-1]
	for range n.Column - 1 { // columns are characters
		_, size := utf8.DecodeRune(w.text[start:])
		start += size
	}
	rest := w.text[start:]
	var first byte
	if len(rest) > 0 {
		first = rest[0]
	}
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0 && first == '"', n.Style&yaml.SingleQuotedStyle != 0 && first == '\'':
		end := closingQuote(rest)
		return place{start: start + 1, end: start + end, quote: first}, end > 0
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 && (first == '|' || first == '>'):
		end, comment, ok := blockEnd(rest)
		return place{start: start, end: start + end, right: comment}, ok
	case n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0:
		return place{start: start, end: start + len(n.Value)}, n.Value == "" || bytes.HasPrefix(rest, []byte(n.Value))
	}
	return p, false
}

// closingQuote is where the quote that a text begins with ends, 0 if it does not.
func closingQuote(b []byte) int {
	quote := b[0]
	for i := 1; i < len(b); i++ {
		switch {
		case b[i] == '\\' && quote == '"':
			i++
		case b[i] == quote && quote == '\'' && i+1 < len(b) && b[i+1] == quote:
			i++
		case b[i] == quote:
			return i
		}
	}
	return 0
}

// blockEnd is where the block that a text begins with ends, without the line break of
// its last line that is not blank, and the comment beside its beginning. A block that
// says how far it is indented is not taken apart.
func blockEnd(b []byte) (end int, comment string, ok bool) {
	header, body, _ := bytes.Cut(b, []byte("\n"))
	header = bytes.TrimSuffix(header, []byte("\r"))
	marks := strings.TrimRight(string(header), " \t")
	if i := bytes.IndexByte(header, '#'); i >= 0 {
		marks = strings.TrimRight(string(header[:i]), " \t")
		comment = string(header[len(marks):])
	}
	if strings.Trim(marks, "|>+-") != "" {
		return 0, "", false
	}
	at, indent := len(b)-len(body), -1
	end = len(header)
	for line := range bytes.Lines(body) {
		text := bytes.TrimRight(line, "\r\n")
		spaces := len(text) - len(bytes.TrimLeft(text, " "))
		blank := spaces == len(text)
		switch {
		case blank:
		case indent < 0:
			indent = spaces
			fallthrough
		case spaces >= indent:
			end = at + len(text)
		default:
			return end, comment, true
		}
		at += len(line)
	}
	return end, comment, true
}
