package edit

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"github.com/tailscale/hujson"

	"github.com/keywright/keywright/secret"
)

const (
	noText = "neither a text nor a number"

	// maxComposites bounds how many objects and lists a file has, and so how deep it
	// nests: the parser calls itself.
	maxComposites = 100_000

	replacement = "\uFFFD" // what stands for bytes that are no character
)

// parseJSON reads JSON with comments. Positions are those in what it returns.
func parseJSON(data []byte) (root hujson.Value, text []byte, err error) {
	text = bytes.TrimPrefix(data, []byte(byteOrderMark))
	if !utf8.Valid(text) {
		return root, text, &SyntaxError{"JSON", 0, "it has bytes that are not UTF-8"}
	}
	if bytes.Count(text, []byte("{"))+bytes.Count(text, []byte("[")) > maxComposites {
		return root, text, &SyntaxError{"JSON", 0, "it has too many objects and lists"}
	}
	root, err = hujson.Parse(text)
	if err != nil {
		return root, text, &SyntaxError{"JSON", lineOf(err), "it does not parse there"}
	}
	return root, text, nil
}

func readJSON(data []byte) ([]Variable, []Problem, error) {
	root, text, err := parseJSON(data)
	if err != nil {
		return nil, nil, err
	}
	w := jsonWalk{collector{seen: map[string]int{}}, text, len(data) - len(text), 0, 1}
	w.walk("", root)
	return w.variables, w.problems, nil
}

// jsonWalk goes through a document from its beginning to its end.
type jsonWalk struct {
	collector
	text []byte
	base int // where in the file the text begins
	at   int // up to where lines were counted
	line int
}

func (w *jsonWalk) walk(path string, v hujson.Value) {
	if w.deep(w.line, path) {
		return
	}
	switch value := v.Value.(type) {
	case *hujson.Object:
		for _, m := range value.Members {
			name, _ := m.Name.Value.(hujson.Literal)
			w.walk(join(path, name.String()), m.Value)
		}
	case *hujson.Array:
		for i, e := range value.Elements {
			w.walk(join(path, strconv.Itoa(i)), e)
		}
	case hujson.Literal:
		w.line += bytes.Count(w.text[w.at:v.StartOffset], []byte("\n"))
		w.at = v.StartOffset
		p := place{start: w.base + v.StartOffset, end: w.base + v.EndOffset}
		switch value.Kind() {
		case '"':
			p.start, p.end, p.quote = p.start+1, p.end-1, '"'
		case '0':
			p.left, p.right = `"`, `"`
		default:
			w.problem(w.line, path, noText)
			return
		}
		plain := []byte(value.String())
		defer clear(plain)
		if bytes.Contains(plain, []byte(replacement)) && !bytes.Contains(value, []byte(replacement)) && !bytes.Contains(bytes.ToLower(value), []byte(`\ufffd`)) {
			w.problem(w.line, path, "it has half of a surrogate pair, which is no character")
			return
		}
		w.take(Variable{path, secret.New(plain), w.line, p})
	}
}
