package audit

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestCEF(t *testing.T) {
	of := int64(4)
	full := entry(2)
	full.Seq, full.Follows, full.Of = 7, "name\n2\nhash\n", &of
	for name, c := range map[string]struct {
		e    Entry
		want string
	}{
		"full": {full, `CEF:0|keywright|keywright|1.2|run|run granted|3|rt=1772445602000 externalId=7 act=run outcome=granted suser=ada shost=laptop sproc=/usr/bin/bot reason=reason 2` +
			` cs1Label=key cs1=prod/BINANCE cs2Label=version cs2=3 cs3Label=environment cs3=prod cs4Label=parent cs4=bash cs5Label=installation cs5=i1` +
			` cs6Label=follows cs6=name\n2\nhash\n cn1Label=of cn1=4 dpid=102`},
		"escaped": {Entry{Time: time.UnixMilli(5), Verb: `a|b\c=d`, Reason: "x|y \\ k=v\r\nCEF:0|z\x1b[2J\u0085\xff", Decision: Refused},
			`CEF:0|keywright|keywright|1.2|a\|b\\c=d|a\|b\\c=d refused|6|rt=5 externalId=0 act=a|b\\c\=d outcome=refused reason=x|y \\ k\=v\r\nCEF:0|z` + "\uFFFD[2J\uFFFD\uFFFD"},
		"a line break in the header": {Entry{Time: time.UnixMilli(5), Verb: "a\nb"}, `CEF:0|keywright|keywright|1.2|a b|a b|3|rt=5 externalId=0 act=a\nb`},
		"a result":                   {Entry{Time: time.UnixMilli(5), Verb: "run", Result: "started"}, `CEF:0|keywright|keywright|1.2|run|run started|3|rt=5 externalId=0 act=run outcome=started`},
		"nothing":                    {Entry{Time: time.UnixMilli(5)}, `CEF:0|keywright|keywright|1.2|entry|entry|3|rt=5 externalId=0 act=entry`},
		"long":                       {Entry{Time: time.UnixMilli(5), Verb: "v", Result: strings.Repeat("é", 60)}, `CEF:0|keywright|keywright|1.2|v|v ` + strings.Repeat("é", 60) + `|3|rt=5 externalId=0 act=v outcome=` + strings.Repeat("é", 30) + "…"},
	} {
		if got := c.e.CEF("1.2"); got != c.want {
			t.Errorf("%s:\n got %q\nwant %q", name, got, c.want)
		}
	}
}

// No text makes another line of a line, another field or another key.
func FuzzCEF(f *testing.F) {
	f.Add("a|b", "c=d e=f", "g\\")
	f.Add("\\|", "\\=", "\n\r\x00")
	f.Add(strings.Repeat("|", 300), strings.Repeat("\\", 2000), " cs1=x")
	f.Fuzz(func(t *testing.T, verb, reason, key string) {
		line := Entry{Verb: verb, Reason: reason, Key: key}.CEF("1")
		if strings.ContainsAny(line, "\n\r\x00\x1b") {
			t.Fatalf("%q", line)
		}
		plain := regexp.MustCompile(`\\.`).ReplaceAllString(line, "")
		fields := strings.SplitN(plain, "|", 8)
		if len(fields) != 8 {
			t.Fatalf("%d fields: %q", len(fields), line)
		}
		want := 3 // rt, externalId, act
		if reason != "" {
			want++
		}
		if key != "" {
			want += 2
		}
		if n := strings.Count(fields[7], "="); n != want {
			t.Errorf("%d keys, want %d: %q", n, want, line)
		}
	})
}
