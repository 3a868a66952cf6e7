package cmd

import (
	"bytes"
	"image/color"
	"strings"
	"testing"

	"github.com/boombuler/barcode/qr"

	"github.com/keywright/keywright/secret"
)

// Every module of a code is on the screen, in its place, and so is the margin.
func TestPrintQR(t *testing.T) {
	const text = "otpauth://totp/keywright:ada@host?issuer=keywright&secret=GEZDGNBVGY3TQOJQ"
	want, err := qr.Encode(text, qr.L, qr.Auto)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := printQR(&b, secret.New([]byte(text))); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	size := want.Bounds().Dx()
	if len(lines) != (size+9)/2 {
		t.Fatalf("%d lines for %d modules", len(lines), size)
	}
	dark := 0
	for i, line := range lines {
		line = strings.TrimSuffix(strings.TrimPrefix(line, "\x1b[30;107m"), "\x1b[0m")
		modules := []rune(line)
		if len(modules) != size+8 {
			t.Fatalf("line %d has %d modules, want %d", i, len(modules), size+8)
		}
		for j, r := range modules {
			for half, shown := range []bool{r == '█' || r == '▀', r == '█' || r == '▄'} {
				x, y := j-4, 2*i-4+half
				inside := x >= 0 && y >= 0 && x < size && y < size
				if shown != (inside && want.At(x, y) == color.Black) {
					t.Fatalf("module %d, %d is wrong", x, y)
				}
				if shown {
					dark++
				}
			}
		}
	}
	if dark < size*size/4 {
		t.Errorf("%d of %d modules are dark", dark, size*size)
	}
}
