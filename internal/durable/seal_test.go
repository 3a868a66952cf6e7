package durable_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/keywright/keywright/internal/durable"
)

func TestSeal(t *testing.T) {
	key := []byte("key")
	for _, payload := range [][]byte{nil, {0}, []byte("payload"), bytes.Repeat([]byte{7}, 1<<16)} {
		sealed := durable.Seal(key, 3, payload)
		if len(sealed) != len(payload)+durable.SealOverhead {
			t.Errorf("%d bytes of overhead", len(sealed)-len(payload))
		}
		if got, err := durable.Open(key, 3, sealed); err != nil || !bytes.Equal(got, payload) {
			t.Errorf("opened %q, %v", got, err)
		}
		if _, err := durable.Open([]byte("other"), 3, sealed); !errors.Is(err, durable.ErrSeal) {
			t.Errorf("another key gives %v", err)
		}
		if _, err := durable.Open(key, 4, sealed); !errors.Is(err, durable.ErrVersion) {
			t.Errorf("another version gives %v", err)
		}
	}
}

// The format must stay: this was computed apart from the code.
func TestSealVector(t *testing.T) {
	const want = "6b777365616c656400000001" +
		"fad5b12f124212fdbf9e8dfc394ef0938c06b897065587f004cdc4476b3ad260" +
		"7061796c6f6164"
	if got := hex.EncodeToString(durable.Seal([]byte("key"), 1, []byte("payload"))); got != want {
		t.Errorf("sealed %s, want %s", got, want)
	}
}

func TestEveryChangeIsNoticed(t *testing.T) {
	key := []byte("key")
	sealed := durable.Seal(key, 1, []byte("payload"))
	for i := range sealed {
		for bit := range 8 {
			changed := bytes.Clone(sealed)
			changed[i] ^= 1 << bit
			if _, err := durable.Open(key, 1, changed); !errors.Is(err, durable.ErrSeal) && !errors.Is(err, durable.ErrVersion) {
				t.Errorf("bit %d of byte %d: %v", bit, i, err)
			}
		}
		if _, err := durable.Open(key, 1, sealed[:i]); !errors.Is(err, durable.ErrSeal) {
			t.Errorf("cut at %d: %v", i, err)
		}
	}
	if _, err := durable.Open(key, 1, append(sealed, 0)); !errors.Is(err, durable.ErrSeal) {
		t.Errorf("one byte more: %v", err)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte("kwsealed"))
	f.Add(durable.Seal([]byte("key"), 1, []byte("payload")))
	f.Fuzz(func(t *testing.T, data []byte) {
		if payload, err := durable.Open([]byte("key"), 1, data); err == nil &&
			!bytes.Equal(durable.Seal([]byte("key"), 1, payload), data) {
			t.Errorf("opened %q", data)
		}
	})
}
