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
