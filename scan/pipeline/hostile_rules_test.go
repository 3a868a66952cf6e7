package pipeline

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/match"
)

// TestHostileRules: no text that is made of what a rule waits for takes long for its
// size. A few rules are tried, always the same; KEYWRIGHT_HOSTILE_RULES=all tries
// all, or any other part of a rule's id those that have it.
func TestHostileRules(t *testing.T) {
	if raceEnabled || testing.Short() {
		t.Skip("it takes seconds, and times mean nothing with the race detector")
	}
	const bound = 6000 // ns of processor time for a byte: a busy machine takes three times as long
	all := builtin("", Stdin).Builtin
	h := &hostility{engine: newEngine(t, all), literals: literalsOf(t, all)}
	tried := triedRules(all)
	var times []textTime
	for _, r := range tried {
		for what, text := range h.textsFor(r) {
			if text != "" {
				times = append(times, textTime{r.ID + ": " + what, text, h.perByte(text, 8<<10)})
			}
		}
	}
	slowest := func(a, b textTime) int { return cmp.Compare(b.perByte, a.perByte) }
	slices.SortFunc(times, slowest)
	t.Logf("%d texts of %d rules", len(times), len(tried))
	times = times[:min(len(times), 20)]
	for i := range times { // of a long text, for what is made but once does not count there
		x := &times[i]
		x.perByte = h.perByte(x.text, 128<<10)
		for try := 0; try < 3 && x.perByte > bound; try++ {
			x.perByte = min(x.perByte, h.perByte(x.text, 128<<10))
		}
	}
	slices.SortFunc(times, slowest)
	for i, x := range times {
		if x.perByte > bound {
			t.Errorf("%.0f ns for each byte: %s", x.perByte, x.what)
		} else if i < 10 {
			t.Logf("%.0f ns for each byte: %s", x.perByte, x.what)
		}
	}
}

// triedRules are all rules, some, or those of which the environment says a part of
// their ids.
func triedRules(all []*scan.Rule) []*scan.Rule {
	tried := slices.Clone(all)
	switch part := os.Getenv("KEYWRIGHT_HOSTILE_RULES"); part {
	case "all":
		return tried
	case "":
		rand.New(rand.NewPCG(1, 1)).Shuffle(len(tried), func(i, j int) { tried[i], tried[j] = tried[j], tried[i] })
		return tried[:40]
	default:
		return slices.DeleteFunc(tried, func(r *scan.Rule) bool { return !strings.Contains(r.ID, part) })
	}
}

// hostility times the engine on texts.
type hostility struct {
	engine   *match.Engine
	literals map[string][]string // by rule
	scratch  match.Scratch
}

type textTime struct {
	what, text string
	perByte    float64 // ns
}

// perByte is the processor time, in ns, that each byte of a repeated text takes.
func (h *hostility) perByte(text string, size int) float64 {
	data := bytes.Repeat([]byte(text), size/len(text)+1)
	c := newCollector(h.engine, [32]byte{})
	start := cpuTime()
	c.judge(&h.scratch, data)
	return float64(cpuTime()-start) / float64(len(data))
}

// textsFor are texts that a reader of a rule would write.
func (h *hostility) textsFor(r *scan.Rule) map[string]string {
	texts := map[string]string{}
	g := scan.NewGen(7)
	for i, l := range h.literals[r.ID] {
		if i < 4 {
			texts[fmt.Sprintf("literal %q", l)] = l
			texts[fmt.Sprintf("literal %q and a line", l)] = l + "\n"
			texts[fmt.Sprintf("literal %q and letters", l)] = l + g.String(scan.Base62, 20)
		}
	}
	samples := samplesOf(r, 7)
	add := func(what, text string) {
		texts[what] = text
		texts[what+", in lines"] = text + "\n"
		texts[what+", in one line"] = text + " "
	}
	if len(samples.Match) > 0 {
		add("a sample", strings.TrimSpace(samples.Match[0]))
	}
	if len(samples.NoMatch) > 0 {
		add("no match", strings.TrimSpace(samples.NoMatch[0]))
	}
	if r.Expr != "" {
		text := g.Expr(r.Expr)
		add("a match", text)
		add("all but the end", text[:len(text)-1])
		add("half a match", text[:(len(text)+1)/2])
		for _, l := range h.literals[r.ID] {
			if i := strings.Index(strings.ToLower(text), l); i >= 0 {
				add("to behind the literal", text[:i+len(l)])
				add("from the literal on", text[i:])
				add("little from the literal on", text[i:min(len(text), i+len(l)+20)])
				break
			}
		}
	}
	return texts
}

// literalsOf are what the rules wait for, by rule.
func literalsOf(t *testing.T, all []*scan.Rule) map[string][]string {
	table, err := match.Table(all)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	var texts []string
	for line := range strings.Lines(table) {
		f := strings.Split(strings.TrimSpace(line), ",")
		if text, ok := strings.CutPrefix(f[0], "="); ok {
			if digits, ok := strings.CutPrefix(text, "%"); ok {
				raw, err := hex.DecodeString(digits)
				if err != nil {
					t.Fatal(err)
				}
				text = string(raw)
			}
			texts = append(texts, text)
			continue
		}
		for i := 3; i < len(f) && len(texts) > 0; i += 3 {
			n, err := strconv.Atoi(f[i])
			if err != nil {
				t.Fatal(err)
			}
			out[f[0]] = append(out[f[0]], texts[n])
		}
	}
	for _, r := range all {
		switch {
		case r.Block != nil:
			out[r.ID] = r.Block.Open
		case r.Object != nil:
			out[r.ID] = []string{r.Object.Gate}
		}
	}
	return out
}
