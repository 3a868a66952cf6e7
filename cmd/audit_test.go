package cmd

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"
	"time"

	"github.com/keywright/keywright/audit"
)

// fullEntry has something in every field.
func fullEntry() audit.Entry {
	of := int64(6)
	return audit.Entry{
		Schema: 1, Seq: 7, Time: time.Date(2026, 3, 2, 10, 0, 0, 5, time.UTC), Installation: "00ff", User: "ada", Host: "laptop",
		Process: "keywright run", Parent: "bash 12", Verb: "run", Key: "prod/A", Version: "3", Environment: "prod",
		Reason: "a, \"b\"\nc", Decision: audit.Granted, Result: "started", Of: &of,
		Child: &audit.Child{PID: 99, Started: time.Date(2026, 3, 2, 10, 0, 1, 0, time.UTC), Start: 55, Boot: "b00"}, Follows: "log\n5\nhash\n",
	}
}

func shown(t *testing.T, format string, entries ...audit.Entry) string {
	t.Helper()
	var out bytes.Buffer
	print, done := printer(&terminal{out: &out}, format)
	for _, e := range entries {
		if err := print(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := done(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// Each field of an entry has a column, whether it is there or not.
func TestAuditCSV(t *testing.T) {
	rows, err := csv.NewReader(strings.NewReader(shown(t, "csv", fullEntry(), audit.Entry{Time: time.Unix(0, 0).UTC(), Verb: "get"}))).ReadAll()
	if err != nil || len(rows) != 3 {
		t.Fatal(rows, err)
	}
	for i, want := range [][3]string{
		{"seq", "7", "0"}, {"time", "2026-03-02T10:00:00Z", "1970-01-01T00:00:00Z"}, {"verb", "run", "get"}, {"decision", "granted", ""},
		{"key", "prod/A", ""}, {"version", "3", ""}, {"user", "ada", ""}, {"host", "laptop", ""}, {"process", "keywright run", ""},
		{"reason", "a, \"b\"\nc", ""}, {"result", "started", ""}, {"of", "6", ""}, {"environment", "prod", ""}, {"installation", "00ff", ""},
		{"parent", "bash 12", ""}, {"child", "99", ""}, {"child_started", "2026-03-02T10:00:01Z", ""}, {"child_start", "55", ""},
		{"child_boot", "b00", ""}, {"follows", "log\n5\nhash\n", ""}, {"schema", "1", "0"},
	} {
		for row := range rows {
			if len(rows[row]) != 21 || rows[row][i] != want[row] {
				t.Errorf("row %d, column %d is %q, want %q", row, i, rows[row], want[row])
			}
		}
	}
}

// A row and what is said below it fit the screen, and nothing is left out.
func TestAuditText(t *testing.T) {
	long := strings.Repeat("a long reason of many words, ", 9) + strings.Repeat("x", 200)
	failed := audit.Entry{Seq: 120000, Time: time.Unix(0, 0), User: "ada", Verb: "backup", Key: "dev/A", Result: "failed: back up to \"x\": no such directory"}
	failed.Of = new(int64)
	out := shown(t, "text",
		audit.Entry{Seq: 4, Time: time.Unix(0, 0), User: "ada", Verb: "get", Key: "prod/A", Version: "3", Decision: audit.Granted, Reason: long},
		audit.Entry{Seq: 5, Time: time.Unix(0, 0), User: "ada", Verb: "get", Key: "prod/" + strings.Repeat("N", 70), Decision: audit.Refused, Reason: "line\nbreak \x1b[2J"},
		audit.Entry{Seq: 6, Time: time.Unix(0, 0), User: "ada", Verb: "run", Key: "prod/A", Decision: audit.Granted, Child: &audit.Child{PID: 99}, Reason: "the deploy"},
		failed, audit.Entry{Seq: 7, Time: time.Unix(0, 0)})
	for line := range strings.Lines(out) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 || strings.TrimRight(line, " \n")+"\n" != line {
			t.Errorf("%d columns: %q", n, line)
		}
	}
	if one := strings.Join(strings.Fields(out), ""); !strings.Contains(one, strings.Join(strings.Fields(long), "")) {
		t.Errorf("the long reason was cut:\n%s", out)
	}
	date := time.Unix(0, 0).Local().Format("2006-01-02 15:04:05")
	for _, want := range []string{
		"4       " + date + "  ada  get     granted  prod/A v3\n        a long reason",
		"5       " + date + "  ada  get     refused\n        prod/NNN",
		"6       " + date + "  ada  run     granted  prod/A\n        to process 99\n        the deploy\n",
		"120000  " + date + "  ada  backup  failed   dev/A\n        the end of entry 0\n        back up to",
		"7       " + date + "\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "\x1b") {
		t.Errorf("a control character in %q", out)
	}
}
