package proof

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/keywright/keywright/scan"
)

// maxJSON bounds a document that is parsed, in bytes. Key files are far smaller.
const maxJSON = 1 << 20

// jsonField is a string, a number or a boolean of a JSON document.
type jsonField struct {
	path       string // names and places joined with dots: "keys.0.kty"
	value      string
	start, end int // of the value in the document, without the quotes
}

// jsonDoc is a JSON document's fields, in the document's order.
type jsonDoc []jsonField

// maxJSONDepth bounds the nesting of a document that is parsed.
const maxJSONDepth = 32

// parseJSON reads a whole document. ok is false if it is not valid JSON, too
// long, or nested too deep.
func parseJSON(data []byte) (doc jsonDoc, ok bool) {
	if len(data) > maxJSON {
		return nil, false
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	doc, ok = readValue(dec, data, "", doc, 0)
	return doc, ok && len(bytes.TrimSpace(data[dec.InputOffset():])) == 0
}

func readValue(dec *json.Decoder, data []byte, path string, doc jsonDoc, depth int) (jsonDoc, bool) {
	before := int(dec.InputOffset())
	token, err := dec.Token()
	if err != nil || depth > maxJSONDepth {
		return nil, false
	}
	end := int(dec.InputOffset())
	start := before + len(data[before:end]) - len(bytes.TrimLeft(data[before:end], " \t\r\n:,"))
	switch v := token.(type) {
	case string:
		return append(doc, jsonField{path, v, start + 1, end - 1}), true
	case json.Number:
		return append(doc, jsonField{path, v.String(), start, end}), true
	case bool:
		return append(doc, jsonField{path, strconv.FormatBool(v), start, end}), true
	case json.Delim:
		return readInside(dec, data, path, doc, depth, v == '[')
	}
	return doc, true
}

// readInside reads what is left of an object or array.
func readInside(dec *json.Decoder, data []byte, path string, doc jsonDoc, depth int, array bool) (jsonDoc, bool) {
	for i := 0; dec.More(); i++ {
		name := strconv.Itoa(i)
		if !array {
			token, err := dec.Token()
			key, isString := token.(string)
			if err != nil || !isString {
				return nil, false
			}
			name = key
		}
		if path != "" {
			name = path + "." + name
		}
		var ok bool
		if doc, ok = readValue(dec, data, name, doc, depth+1); !ok {
			return nil, false
		}
	}
	_, err := dec.Token()
	return doc, err == nil
}

// field returns the field at path, nil if there is none. Case is ignored: wallets
// disagree about "crypto" and "Crypto".
func (d jsonDoc) field(path string) *jsonField {
	for i := range d {
		if strings.EqualFold(d[i].path, path) {
			return &d[i]
		}
	}
	return nil
}

// text returns the value at path, "" if there is none.
func (d jsonDoc) text(path string) string {
	if f := d.field(path); f != nil {
		return f.value
	}
	return ""
}

// within returns the fields below prefix, with the prefix taken off their paths.
func (d jsonDoc) within(prefix string) jsonDoc {
	if prefix == "" {
		return d
	}
	var out jsonDoc
	for _, f := range d {
		if rest, ok := strings.CutPrefix(f.path, prefix+"."); ok {
			f.path = rest
			out = append(out, f)
		}
	}
	return out
}

// matchAt is one match whose secret is the field.
func (f *jsonField) matchAt(ev scan.Evidence) scan.ObjectMatch {
	return scan.ObjectMatch{
		Parts:    []scan.Span{{Role: scan.RoleSecret, Start: f.start, End: f.end}},
		Evidence: ev,
	}
}
