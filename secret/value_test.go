package secret_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"strings"
	"testing"

	"github.com/keywright/keywright/secret"
)

const plain = "correct-horse-battery"

// leaks reports whether text holds the secret in a form that fmt could give it.
func leaks(text string) bool {
	decimal := strings.Trim(fmt.Sprint([]byte(plain)), "[]")
	for _, form := range []string{
		plain,
		hex.EncodeToString([]byte(plain)),
		strings.ToUpper(hex.EncodeToString([]byte(plain))),
		fmt.Sprintf("% x", plain),
		decimal,
		strings.ReplaceAll(decimal, " ", ", "),
		fmt.Sprintf("%#v", []byte(plain)),
		fmt.Sprintf("%b", []byte(plain)),
		fmt.Sprintf("%o", []byte(plain)),
	} {
		if strings.Contains(text, strings.Trim(form, "[]")) {
			return true
		}
	}
	return false
}

type exported struct{ Secret secret.Value }
type hidden struct{ secret secret.Value }
type deep struct {
	inner  *hidden
	list   []secret.Value
	byName map[string]hidden
	any    any
}

func holders() map[string]any {
	v := secret.New([]byte(plain))
	h := hidden{v}
	d := deep{&h, []secret.Value{v}, map[string]hidden{"a": h}, v}
	return map[string]any{
		"value": v, "pointer": &v, "slice": []secret.Value{v}, "map": map[string]secret.Value{"k": v},
		"exported": exported{v}, "hidden": h, "pointer to hidden": &h, "deep": d, "pointer to deep": &d,
		"array": [1]hidden{h}, "interface": struct{ x any }{h},
	}
}

func TestNoVerbPrints(t *testing.T) {
	verbs := "vTtbcdoOqxXUeEfFgGspw!"
	flags := []string{"", "+", "#", " ", "-", "0", "12", ".3", "+#", "# 0", "-12.3"}
	for name, holder := range holders() {
		var bad []string // one line for each holder: there are hundreds of formats
		for _, verb := range verbs {
			for _, flag := range flags {
				format := "%" + flag + string(verb)
				if leaks(fmt.Sprintf(format, holder)) {
					bad = append(bad, format)
				}
			}
		}
		if len(bad) > 0 {
			t.Errorf("%s: printed by %s", name, strings.Join(bad, " "))
		}
		if out := fmt.Sprint(holder); leaks(out) {
			t.Errorf("%s: Sprint gives %q", name, out)
		}
	}
}

func TestNoEncoderPrints(t *testing.T) {
	for name, holder := range holders() {
		if out, err := json.Marshal(holder); err == nil && leaks(string(out)) {
			t.Errorf("%s: JSON %s", name, out)
		}
		if out, err := xml.Marshal(holder); err == nil && leaks(string(out)) {
			t.Errorf("%s: XML %s", name, out)
		}
		var b bytes.Buffer
		for _, h := range []slog.Handler{slog.NewTextHandler(&b, nil), slog.NewJSONHandler(&b, nil)} {
			slog.New(h).Info("message", "key", holder, slog.Group("group", "key", holder))
		}
		log.New(&b, "", 0).Println(holder)
		if leaks(b.String()) {
			t.Errorf("%s: log %s", name, b.String())
		}
	}
}

func TestNoErrorPrints(t *testing.T) {
	for name, holder := range holders() {
		err := fmt.Errorf("store key: %v", holder)
		err = errors.Join(fmt.Errorf("outer: %w", err), err)
		if out := fmt.Sprintf("%v %+v %#v %s", err, err, err, err.Error()); leaks(out) {
			t.Errorf("%s: error %s", name, out)
		}
	}
}

func TestPanicPrintsNothing(t *testing.T) {
	defer func() {
		if out := fmt.Sprint(recover()); leaks(out) {
			t.Errorf("panic %s", out)
		}
	}()
	panic(secret.New([]byte(plain)))
}

func TestNewCopies(t *testing.T) {
	b := []byte(plain)
	v := secret.New(b)
	clear(b)
	if string(v.Reveal()) != plain {
		t.Error("the value changed with its source")
	}
}

func TestWipe(t *testing.T) {
	v := secret.New([]byte(plain))
	same := v
	v.Wipe()
	if got := same.Reveal(); !bytes.Equal(got, make([]byte, len(plain))) {
		t.Error("the bytes are still there")
	}
}

func TestZero(t *testing.T) {
	var v secret.Value
	v.Wipe()
	if !v.IsZero() || v.Len() != 0 || v.Reveal() != nil {
		t.Error("the zero value is not empty")
	}
	if v.Digest(nil) != secret.New(nil).Digest(nil) {
		t.Error("two empty values differ")
	}
}

func TestDigest(t *testing.T) {
	v := secret.New([]byte("what do ya want for nothing?"))
	// RFC 4231, test case 2.
	const want = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
	if got := v.Digest([]byte("Jefe")); hex.EncodeToString(got[:]) != want {
		t.Errorf("digest %x, want %s", got, want)
	}
	if v.Digest([]byte("a")) == v.Digest([]byte("b")) {
		t.Error("the key makes no difference")
	}
}
