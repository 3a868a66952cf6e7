package packfile

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
)

func deflate(t testing.TB, data []byte, level int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := zlib.NewWriterLevel(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(data)
	w.Close()
	return b.Bytes()
}

// contents are of every kind: empty, text, repeated, random, long runs.
func contents() map[string][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	text := func(n, letters int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte('a' + r.IntN(letters))
			if i > 50 && r.IntN(4) == 0 {
				i -= copy(b[i:], b[i-r.IntN(50):i])
			}
		}
		return b
	}
	m := map[string][]byte{"empty": {}, "one": {'x'}, "zeros": make([]byte, 100_000)}
	for _, n := range []int{2, 7, 8, 9, 100, 1000, 40_000, 300_000} {
		for _, letters := range []int{1, 2, 20, 256} {
			m[fmt.Sprintf("%d-%d", n, letters)] = text(n, min(letters, 150))
		}
	}
	return m
}

func TestInflate(t *testing.T) {
	z := newInflater()
	for name, data := range contents() {
		if testing.Short() && len(data) > 50_000 {
			continue
		}
		for _, level := range []int{flate.NoCompression, flate.BestSpeed, flate.DefaultCompression, flate.BestCompression, flate.HuffmanOnly} {
			src := deflate(t, data, level)
			dst := make([]byte, len(data))
			n, err := z.inflate(dst, append(src, "rest"...))
			if err != nil || n != len(src) || !bytes.Equal(dst, data) {
				t.Errorf("%s level %d: %d of %d bytes, %v", name, level, n, len(src), err)
			}
			for _, size := range []int{len(data) - 1, len(data) + 1} {
				if size < 0 {
					continue
				}
				if _, err := z.inflate(make([]byte, size), src); err == nil {
					t.Errorf("%s level %d: accepted for %d bytes", name, level, size)
				}
			}
			for cut := range min(len(src), 60) {
				if _, err := z.inflate(dst, src[:len(src)-cut-1]); err == nil {
					t.Errorf("%s level %d: accepted without its last %d bytes", name, level, cut+1)
				}
			}
		}
	}
}

// FuzzInflate compares with the standard library: the same content, or an error
// from both.
func FuzzInflate(f *testing.F) {
	for _, data := range [][]byte{nil, []byte("a"), bytes.Repeat([]byte("tree "), 300), []byte("the quick brown fox jumps over the lazy dog")} {
		for _, level := range []int{flate.NoCompression, flate.BestSpeed, flate.BestCompression, flate.HuffmanOnly} {
			f.Add(deflate(f, data, level))
		}
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		var want []byte
		r, err := zlib.NewReader(bytes.NewReader(src))
		if err == nil {
			want, err = io.ReadAll(io.LimitReader(r, 1<<20))
		}
		dst := make([]byte, len(want))
		_, got := newInflater().inflate(dst, src)
		if err == nil && len(want) < 1<<20 && (got != nil || !bytes.Equal(dst, want)) {
			t.Fatalf("the standard library accepts it; we say %v", got)
		}
		if err != nil && got == nil {
			t.Fatalf("accepted; the standard library says %v", err)
		}
	})
}

func BenchmarkInflate(b *testing.B) {
	for _, size := range []int{300, 3_000, 100_000} {
		data := contents()["300000-20"][:size]
		for i := range data {
			if i%7 == 0 {
				data[i] = ' '
			}
		}
		src := deflate(b, data, flate.DefaultCompression)
		b.Run(fmt.Sprintf("ours/%d", size), func(b *testing.B) {
			z, dst := newInflater(), make([]byte, size)
			b.SetBytes(int64(size))
			for b.Loop() {
				if _, err := z.inflate(dst, src); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("standard/%d", size), func(b *testing.B) {
			dst := make([]byte, size)
			r, _ := zlib.NewReader(bytes.NewReader(src))
			b.SetBytes(int64(size))
			for b.Loop() {
				r.(zlib.Resetter).Reset(bytes.NewReader(src), nil)
				if _, err := io.ReadFull(r, dst); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
