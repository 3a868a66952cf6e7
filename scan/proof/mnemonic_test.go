package proof

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"

	"github.com/keywright/keywright/scan"
)

func mnemonicOf(phrase string) scan.Evidence { return Mnemonic(bytes.Fields([]byte(phrase))) }

func TestMnemonicVectors(t *testing.T) {
	ton := "hospital stove relief fringe tongue always " + "charge angry urge sentence again match " + "nerve inquiry senior coconut label tumble " + "carry category beauty bean road solution"
	tests := []struct {
		name, phrase string
		reason       string // empty: not proved
		limit        scan.Confidence
	}{
		{"all zero", strings.Repeat("abandon ", 11) + "about", "the number 0", scan.Low},
		{"all zero, 24", strings.Repeat("abandon ", 23) + "art", "the number 0", scan.Low},
		{"legal winner", "legal winner thank year wave sausage " + "worth useful legal winner thank yellow", "plain pattern", scan.Low},
		{"zoo wrong", strings.Repeat("zoo ", 11) + "wrong", "plain pattern", scan.Low},
		{"Hardhat", strings.Repeat("test ", 11) + "junk", "Hardhat", scan.Low},
		{"BIP-39 vector", "ozone drill grab fiber curtain grace " + "pudding thank cruise elder eight picnic", "BIP-39 test vector", scan.Low},
		{"Electrum, segwit", "wild father tree among universe such " + "mobile favorite target dynamic credit identify", "Electrum, segwit", 0},
		{"Electrum, standard", "cycle rocket west magnet parrot shuffle " + "foot correct salt library feed song", "Electrum, standard", 0},
		{"Electrum, 13 words", "cram swing cover prefer miss modify ritual " + "silly deliver chunk behind inform able", "Electrum, standard", 0},
		{"Algorand, zero key", strings.Repeat("abandon ", 24) + "invest", "the number 0", scan.Low},
		{"TON", ton, "TON", 0},
		{"TON, edited", strings.Replace(ton, "solution", "solid", 1), "", 0},
		{"checksum", strings.Repeat("test ", 11) + "test", "", 0},
		{"list order", strings.Join(english().words[100:112], " "), "", 0},
		{"eleven words", strings.Repeat("abandon ", 10) + "about", "", 0},
		{"no list's word", strings.Repeat("donkey ", 11) + "wrench", "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ev := mnemonicOf(tt.phrase)
			if tt.reason == "" {
				if ev.Proof == scan.Proved {
					t.Fatalf("proved: %s", ev.Reason)
				}
				return
			}
			if ev.Proof != scan.Proved || !strings.Contains(ev.Reason, tt.reason) || ev.Cap != tt.limit {
				t.Errorf("evidence %+v, want %q and cap %v", ev, tt.reason, tt.limit)
			}
		})
	}
}

// TestWordListDigests compares the lists with the digests of the files of BIP-39.
func TestWordListDigests(t *testing.T) {
	want := map[string]string{
		"English": "2f5eed53", "Spanish": "46846a5a", "French": "ebc3959a", "Italian": "d392c49f", "Czech": "7e80e161",
		"Japanese": "2eed0aef", "Korean": "9e95f86c", "Chinese (simplified)": "5c594279", "Chinese (traditional)": "417b26b3",
	}
	for l := range allLists {
		sum := hex.EncodeToString(sha256Of([]byte(strings.Join(l.words, "\n") + "\n"))[:4])
		if sum != want[l.name] {
			t.Errorf("%s: %s, want %s", l.name, sum, want[l.name])
		}
		if len(l.words) != 2048 {
			t.Errorf("%s: %d words", l.name, len(l.words))
		}
	}
}

func TestMnemonicLanguages(t *testing.T) {
	g := scan.NewGen(1)
	for l := range allLists {
		for _, size := range []int{16, 20, 24, 28, 32} {
			entropy := g.Bytes(size)
			words := bip39Words(l, entropy)
			for form, f := range map[string]norm.Form{"NFC": norm.NFC, "NFKD": norm.NFKD} {
				phrase := f.String(strings.Join(words, " "))
				if ev := mnemonicOf(phrase); ev.Proof != scan.Proved || ev.Cap != 0 {
					t.Errorf("%s, %d words, %s: %+v", l.name, len(words), form, ev)
				}
				start, end, ev := MnemonicWindow([]byte("# " + strings.ReplaceAll(phrase, " ", "\u3000") + "\n"))
				if ev.Proof != scan.Proved || start != 2 || end-start < len(phrase) {
					t.Errorf("%s, %d words, %s: window [%d, %d) %+v", l.name, len(words), form, start, end, ev)
				}
			}
			for _, w := range words {
				if !IsAnyWord([]byte(norm.NFC.String(w))) {
					t.Errorf("%s: %s is no word", l.name, w)
				}
			}
		}
	}
}

func TestIsWord(t *testing.T) {
	for _, w := range english().words {
		if !IsWord([]byte(w)) {
			t.Errorf("%s is no word", w)
		}
	}
	for _, w := range []string{"", "a", "the", "Abandon", "ABANDON", "abandons", "abando", "zzz", "wrench", "ábaco"} {
		if IsWord([]byte(w)) {
			t.Errorf("%s is a word", w)
		}
	}
}

// entropies whose words repeat at most three times and are in no order.
func somePhrase(g *scan.Gen, size int) string { return SealMnemonic(g.Bytes(size)) }

func TestMnemonicWindow(t *testing.T) {
	g := scan.NewGen(2)
	p12, p24 := somePhrase(g, 16), somePhrase(g, 32)
	w12, w24 := strings.Fields(p12), strings.Fields(p24)
	numbered := func(words []string, format string) string {
		var b strings.Builder
		for i, w := range words {
			fmt.Fprintf(&b, format, i+1, w)
		}
		return b.String()
	}
	tests := []struct{ name, text, want string }{
		{"alone", p12, p12},
		{"24 alone", p24, p24},
		{"label outside the list", "mnemonic: " + p12 + "\n", p12},
		{"label of the list", "seed " + p24, p24},
		{"label of the list with colon", "secret: " + p24, p24},
		{"quoted", `MNEMONIC="` + p12 + `"`, p12},
		{"JSON array", `{"words": ["` + strings.Join(w24, `", "`) + `"]}`, strings.Join(w24, `", "`)},
		{"JSON array, indented", "[\n  \"" + strings.Join(w12, "\",\n  \"") + "\"\n]", strings.Join(w12, "\",\n  \"")},
		{"commas", strings.Join(w12, ","), strings.Join(w12, ",")},
		{"one a line", strings.Join(w24, "\n"), strings.Join(w24, "\n")},
		{"CRLF", strings.Join(w24, "\r\n"), strings.Join(w24, "\r\n")},
		{"wrapped", strings.Join(w24[:8], " ") + "\n" + strings.Join(w24[8:16], " ") + "\n" + strings.Join(w24[16:], " "),
			strings.Join(w24[:8], " ") + "\n" + strings.Join(w24[8:16], " ") + "\n" + strings.Join(w24[16:], " ")},
		{"numbered with dots", numbered(w12, "%d. %s "), strings.TrimPrefix(strings.TrimSuffix(numbered(w12, "%d. %s "), " "), "1. ")},
		{"numbered lines", numbered(w24, "%d) %s\n"), strings.TrimPrefix(strings.TrimSuffix(numbered(w24, "%d) %s\n"), "\n"), "1) ")},
		{"numbered without dots", numbered(w24, "%d %s\n"), strings.TrimPrefix(strings.TrimSuffix(numbered(w24, "%d %s\n"), "\n"), "1 ")},
		{"list items", "- " + strings.Join(w12, "\n- "), strings.Join(w12, "\n- ")},
		{"hyphens", strings.Join(w12, "-"), strings.Join(w12, "-")},
		{"capitals", strings.ToUpper(p12), strings.ToUpper(p12)},
		{"title case", titled(w12), titled(w12)},
		{"the longest of two lines", p12 + "\n" + p24 + "\n" + p12, p24},
		{"prose round it", "Please write down\n" + p12 + "\nand keep it safe.", p12},
		{"edited", strings.Join(append(slices.Clone(w12[:11]), w12[0]), " "), ""},
		{"a copy of the list", strings.Join(english().words, "\n"), ""},
		{"the list backwards", reversed(english().words), ""},
		{"the list in rows", rows(english().words, 12), ""},
		{"mixed separators", strings.Join(w12[:6], ",") + " " + strings.Join(w12[6:], ";"), ""},
		{"too far apart", strings.Join(w12, strings.Repeat(" ", 50)), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			start, end, ev := MnemonicWindow([]byte(tt.text))
			got := tt.text[start:end]
			if tt.want == "" {
				if !ev.Reject {
					t.Fatalf("found %q: %+v", got, ev)
				}
				return
			}
			if got != tt.want || ev.Proof != scan.Proved {
				t.Errorf("got %q (%+v), want %q", got, ev, tt.want)
			}
			if run := MnemonicRun(keyCandidate(tt.text)); run != ev {
				t.Errorf("run %+v, window %+v", run, ev)
			}
		})
	}
}

// A long run of random words without boundaries holds a phrase by accident at
// every sixteenth place, and must give none.
func TestMnemonicLongRun(t *testing.T) {
	g := scan.NewGen(3)
	words := make([]string, 20000)
	for i := range words {
		words[i] = english().words[g.IntN(2048)]
	}
	if start, end, ev := MnemonicWindow([]byte(strings.Join(words, " "))); !ev.Reject {
		t.Errorf("found [%d, %d) %+v", start, end, ev)
	}
}

func titled(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(out, " ")
}

func reversed(words []string) string {
	words = slices.Clone(words)
	slices.Reverse(words)
	return strings.Join(words, "\n")
}

func rows(words []string, n int) string {
	var b strings.Builder
	for row := range slices.Chunk(words, n) {
		b.WriteString(strings.Join(row, " ") + "\n")
	}
	return b.String()
}

func TestAlgorandAndMonero(t *testing.T) {
	key := scan.NewGen(4).Bytes(32)
	phrase := SealAlgorand(key)
	if ev := mnemonicOf(phrase); ev.Proof != scan.Proved || !strings.Contains(ev.Reason, "Algorand") {
		t.Errorf("Algorand: %+v", ev)
	}
	for _, phrase := range moneroPhrases {
		if ev := MoneroMnemonic(keyCandidate(phrase)); ev.Proof != scan.Proved || ev.Cap != scan.Low {
			t.Errorf("Monero: %+v", ev)
		}
		edited := "goat" + phrase[6:]
		if ev := MoneroMnemonic(keyCandidate(edited)); ev.Proof == scan.Proved {
			t.Errorf("Monero, edited: %+v", ev)
		}
	}
	spend := "722bbfcf99a9b2c9e700ce857850dd8c" + "4c94c73dca8d914c603f5fee0e365803"
	view := "0a1a38f6d246e894600a3e27238a064b" + "f5e8d91801df47a17107596b1378e501"
	if ev := MoneroKey(keyCandidate(spend, "view", view)); ev.Proof != scan.Proved {
		t.Errorf("Monero keys: %+v", ev)
	}
	if ev := MoneroKey(keyCandidate(strings.Repeat("f", 64))); ev.Proof != scan.Failed {
		t.Errorf("beyond the order: %+v", ev)
	}
}

func FuzzMnemonicWindow(f *testing.F) {
	f.Add([]byte(strings.Repeat("abandon ", 11) + "about"))
	f.Add([]byte(SealMnemonic(make([]byte, 32))))
	f.Add([]byte("1. abandon 2. ability\n\n" + strings.Join(english().words[:30], ", ")))
	f.Add([]byte("\xe3\x80\x80あいこくしん\xff abandon"))
	f.Fuzz(func(t *testing.T, text []byte) {
		start, end, ev := MnemonicWindow(text)
		if start < 0 || end < start || end > len(text) || ev.Reject && end != 0 {
			t.Errorf("[%d, %d) of %d, %+v", start, end, len(text), ev)
		}
		MoneroMnemonic(scan.Candidate{Roles: []string{scan.RoleSecret}, Spans: [][]byte{text}})
	})
}
