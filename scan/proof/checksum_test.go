package proof

import (
	"encoding/hex"
	"testing"
)

func TestCRC32Encodings(t *testing.T) {
	const check = "123456789" // the check value of every CRC catalogue
	if got := crc32Hex([]byte(check)); got != "cbf43926" {
		t.Errorf("crc32Hex = %s", got)
	}
	// 0xcbf43926 in base 62 and base 36, computed independently of this package
	if got := crc32Base62([]byte(check)); got != "3jZRME" {
		t.Errorf("crc32Base62 = %s", got)
	}
	if got := crc32Base62(nil); got != "000000" {
		t.Errorf("crc32Base62 of nothing = %s", got)
	}
	if got := digits(3421780262, base36Lower, 7); got != "1kl8mjq" {
		t.Errorf("base 36 = %s", got)
	}
	if got := digits(0xFFFFFFFF, base62UpperFirst, 6); got != "4gfFC3" {
		t.Errorf("largest = %s", got)
	}
}

// The vectors of .NET's own tests: dotnet/runtime, MarvinTests.cs.
func TestMarvin(t *testing.T) {
	const seed1, seed2, seed3 = 0x004FB61A001BDBCC, 0x804FB61A001BDBCC, 0x804FB61A801BDBCC
	tests := []struct {
		seed uint64
		data string
		want uint64
	}{
		{seed1, "", 0x30ED35C100CD3C7D},
		{seed1, "af", 0x48E73FC77D75DDC1},
		{seed1, "e70f", 0xB5F6E1FC485DBFF8},
		{seed1, "37f495", 0xF0B07C789B8CF7E8},
		{seed1, "8642dc59", 0x7008F2E87E9CF556},
		{seed1, "153fb79826", 0xE6C08C6DA2AFA997},
		{seed1, "0932e6246c47", 0x6F04BF1A5EA24060},
		{seed1, "ab427ea8d10fc7", 0xE11847E4F0678C41},
		{seed2, "", 0x10A9D5D3996FD65D},
		{seed2, "8642dc59", 0x36289D9654FB49F6},
		{seed3, "00", 0xA37FB0DA2ECAE06C},
	}
	for _, tt := range tests {
		data, err := hex.DecodeString(tt.data)
		if err != nil {
			t.Fatal(err)
		}
		hi, lo := marvin(data, tt.seed)
		if got := uint64(hi)<<32 | uint64(lo); got != tt.want {
			t.Errorf("marvin(%s, %#x) = %#x, want %#x", tt.data, tt.seed, got, tt.want)
		}
	}
	if marvin32(nil, "short") != 0 {
		t.Error("a seed that is not eight bytes has no checksum")
	}
}

func TestCRC24(t *testing.T) {
	if got := crc24([]byte("123456789")); got != 0x21CF02 { // CRC-24/OPENPGP check value
		t.Errorf("crc24 = %#x", got)
	}
}
