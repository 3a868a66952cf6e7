package cmd

import (
	"bytes"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/internal/edit"
	"github.com/keywright/keywright/internal/launch"
	"github.com/keywright/keywright/keystore"
	"github.com/keywright/keywright/provider"
	"github.com/keywright/keywright/rotate"
	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/secret"
)

// A mark is a value that is searched for afterwards. It is three blocks, each of which
// must not be seen: a redaction shows less of a value than one. Each has bytes that are
// written differently in Go, JSON and URLs.
const (
	markBlock  = 16
	markBlocks = 3
)

func newMark() string {
	var b strings.Builder
	for range markBlocks {
		text := rand.Text() // 26 letters and digits
		b.WriteString(text[:6] + `+"&` + text[6:12] + `/`)
	}
	return b.String()
}

// marks are what is searched for, in the forms that a program may print bytes in, by
// their first eight bytes.
type marks map[uint64][]markForm

type markForm struct{ what, text string }

// add searches for each block of a value, and for a value that is shorter as a whole.
func (m marks) add(name, value string) {
	for i := 0; i == 0 || i+markBlock <= len(value); i += markBlock {
		block := value[i:min(len(value), i+markBlock)]
		for form, text := range formsOf(block) {
			m[prefix(text)] = append(m[prefix(text)], markForm{fmt.Sprintf("%s, from byte %d, %s", name, i, form), text})
		}
	}
}

func prefix(s string) uint64 { return binary.LittleEndian.Uint64([]byte(s[:8])) }

// formsOf writes a block as programs do.
func formsOf(block string) map[string]string {
	b := []byte(block)
	decimal := strings.Trim(fmt.Sprint(b), "[]")
	quoted := func(q string) string { return q[1 : len(q)-1] }
	encode := func(v any, html bool) string {
		var out bytes.Buffer
		e := json.NewEncoder(&out)
		e.SetEscapeHTML(html)
		_ = e.Encode(v)
		return quoted(strings.TrimSpace(out.String()))
	}
	wide := make([]byte, 0, 2*len(b))
	for _, c := range b {
		wide = append(wide, c, 0)
	}
	forms := map[string]string{
		"as it is": block, "in hexadecimal": hex.EncodeToString(b), "in upper hexadecimal": strings.ToUpper(hex.EncodeToString(b)),
		"in hexadecimal with spaces": fmt.Sprintf("% x", b), "as Go prints bytes": strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", b), "[]byte{"), "}"),
		"in Go's quotes": quoted(strconv.Quote(block)), "in Go's ASCII quotes": quoted(strconv.QuoteToASCII(block)),
		"in decimal": decimal, "in decimal with commas": strings.ReplaceAll(decimal, " ", ","), "in decimal with commas and spaces": strings.ReplaceAll(decimal, " ", ", "),
		"in a query": url.QueryEscape(block), "in a path": url.PathEscape(block), "in JSON": encode(block, false), "in JSON for HTML": encode(block, true),
		"in UTF-16": string(wide), "in base 32": strings.TrimRight(base32.StdEncoding.EncodeToString(b[:len(b)/5*5]), "="),
	}
	for shift := range 3 {
		// The characters that hold bits of neighbours are cut off.
		text := append(make([]byte, shift), b...)
		from, to := (8*shift+5)/6, 8*len(text)/6
		forms[fmt.Sprintf("in base 64, shifted by %d", shift)] = base64.RawStdEncoding.EncodeToString(text)[from:to]
		forms[fmt.Sprintf("in base 64 for URLs, shifted by %d", shift)] = base64.RawURLEncoding.EncodeToString(text)[from:to]
	}
	return forms
}

// in says what there is of the marks in a text; "" for nothing.
func (m marks) in(text []byte) string {
	for i := 0; i+8 <= len(text); i++ {
		for _, f := range m[binary.LittleEndian.Uint64(text[i:])] {
			if bytes.HasPrefix(text[i:], []byte(f.text)) {
				return f.what
			}
		}
	}
	return ""
}

// below says what there is in the files of a directory, in their names, and where.
func (m marks) below(dir string) (found []string, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if what := m.in([]byte(d.Name())); what != "" {
			found = append(found, "the name "+path+": "+what)
		}
		if !d.Type().IsRegular() {
			return nil
		}
		b, err := os.ReadFile(path)
		if what := m.in(b); what != "" {
			found = append(found, path+": "+what)
		}
		return err
	})
	return found, err
}

// The search finds a mark in each form, whatever stands around it, and nothing else.
func TestMarksAreFound(t *testing.T) {
	value := newMark()
	m := marks{}
	m.add("mark", value)
	for form, text := range formsOf(value[markBlock : 2*markBlock]) {
		if what := m.in([]byte("before " + text + " after")); !strings.Contains(what, "mark, from byte 16, ") {
			t.Errorf("%s: found %q", form, what)
		}
	}
	for shift := range 3 {
		for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawURLEncoding} {
			if m.in([]byte(enc.EncodeToString([]byte("xyz"[:shift]+value+"abc")))) == "" {
				t.Errorf("not found in base 64 behind %d bytes", shift)
			}
		}
	}
	for _, text := range []string{"", "short", secret.Redact([]byte(value)), newMark(), value[:markBlock-1], fmt.Sprint(secret.New([]byte(value)))} {
		if what := m.in([]byte(text)); what != "" {
			t.Errorf("found %s in %q", what, text)
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("x"+hex.EncodeToString([]byte(value))), 0o600); err != nil {
		t.Fatal(err)
	}
	if found, err := m.below(dir); len(found) != 1 || err != nil {
		t.Errorf("%v, %v", found, err)
	}
}

// What holds secrets shows none, however it is printed.
func TestHoldersShowNothing(t *testing.T) {
	value := newMark()
	m := marks{}
	m.add("mark", value)
	v := secret.New([]byte(value))
	parts := map[string]secret.Value{"id": v, "secret": v}
	key := &keystore.Key{Name: keystore.Name{Env: "dev", Key: "A"}}
	read, err := edit.Read(edit.FormatDotenv, []byte("A='"+value+"'\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, holder := range []any{
		keystore.Parts(parts), keystore.Opened{Key: key, Parts: parts}, []keystore.Opened{{Key: key, Parts: parts}}, keystore.Findable{Values: []keystore.FindableValue{{Key: v}}}, keystore.RetiredValues{Key: v, Digests: parts},
		keystore.RotationChange{Pending: parts},
		provider.Credential{ID: "id", Parts: parts}, rotate.Change{Pending: parts}, rotate.Answer{Parts: parts},
		scan.Finding{Secret: v, Redacted: v.String()}, scan.Report{Findings: []scan.Finding{{Secret: v}}},
		edit.Variable{Name: "A", Value: v}, *read, launch.Command{Secrets: parts, Files: parts},
		importPlan{takes: []take{{parts: parts}}}, envFile{content: v}, project{content: v}, asks{content: v},
		struct{ inner any }{&keystore.Opened{Key: key, Parts: parts}}, map[string]any{"x": []keystore.Parts{parts}},
	} {
		name := fmt.Sprintf("%T", holder)
		if !holds(reflect.ValueOf(holder)) {
			t.Errorf("%s holds no secret", name)
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%o", "%b", "%t", "%p", "%c", "%U"} {
			for _, h := range []any{holder, pointerTo(holder)} {
				if what := m.in(fmt.Appendf(nil, verb, h)); what != "" {
					t.Errorf("%s of %s shows %s", verb, name, what)
				}
			}
		}
		if b, err := json.Marshal(holder); err == nil && m.in(b) != "" {
			t.Errorf("JSON of %s shows %s", name, m.in(b))
		}
		err := fmt.Errorf("with %v: %w", holder, fmt.Errorf("of %+v at %s", holder, time.Now()))
		if what := m.in([]byte(err.Error())); what != "" {
			t.Errorf("an error with %s shows %s", name, what)
		}
	}
	// A holder that is not one of ours would be seen.
	for _, leak := range []any{struct{ b []byte }{[]byte(value)}, struct{ s string }{value}, map[string]string{"x": value}} {
		if m.in(fmt.Appendf(nil, "%v", leak)) == "" {
			t.Errorf("%T is not seen to leak", leak)
		}
	}
}

// holds reports whether there is a secret.Value that is set somewhere in v.
func holds(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return holds(v.Elem())
	case reflect.Map:
		for _, key := range v.MapKeys() {
			if holds(v.MapIndex(key)) {
				return true
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			if holds(v.Index(i)) {
				return true
			}
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[secret.Value]() {
			return !v.IsZero()
		}
		for _, field := range v.Fields() {
			if holds(field) {
				return true
			}
		}
	}
	return false
}

func pointerTo(v any) any {
	p := reflect.New(reflect.TypeOf(v))
	p.Elem().Set(reflect.ValueOf(v))
	return p.Interface()
}
