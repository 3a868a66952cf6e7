package cmd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/pipeline"
	"github.com/keywright/keywright/scan/rules"
)

// pipelineScan does the job with the built-in rules.
func pipelineScan(ctx context.Context, term *terminal, job scanJob) (*scan.Report, error) {
	p := newProgress(term)
	defer p.clear()
	release, _ := buildVersion()
	o := pipeline.Options{
		Version:   release,
		Path:      job.path,
		Stdin:     term.in,
		Mode:      modes[job.mode],
		Range:     job.revisions,
		Builtin:   rules.All(),
		Rules:     job.rules,
		Level:     job.level,
		Exclude:   job.exclude,
		NoIgnore:  job.noIgnore,
		MaxMemory: job.maxMemory,
	}
	if p != nil {
		o.Progress = func(s pipeline.Progress) { p.show(s.Phase, units[s.Phase], s.Done, s.Total) }
	}
	if job.since != "" {
		var err error
		if o.Since, err = parseSince(job.since, time.Now()); err != nil {
			return nil, err
		}
	}
	if !job.noCache {
		if dir, err := os.UserCacheDir(); err == nil {
			o.CacheDir = filepath.Join(dir, "keywright")
		}
	}
	return pipeline.Run(ctx, o)
}

// modes are the pipeline's names for ours.
var modes = map[scanMode]pipeline.Mode{
	scanEverything: pipeline.Everything,
	scanFiles:      pipeline.NoHistory,
	scanHistory:    pipeline.HistoryOnly,
	scanStaged:     pipeline.Staged,
	scanRange:      pipeline.Range,
	scanStdin:      pipeline.Stdin,
}

// units are what progress counts.
var units = map[string]string{"files": "files", "history": "objects", "commits": "commits"}

// parseSince reads a date: a day, a time, or how long ago.
func parseSince(text string, now time.Time) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t, nil
		}
	}
	var n int
	var unit string
	if k, _ := fmt.Sscanf(text, "%d%s", &n, &unit); k == 2 && n >= 0 {
		switch unit {
		case "d", "days", "day":
			return now.AddDate(0, 0, -n), nil
		case "w", "weeks", "week":
			return now.AddDate(0, 0, -7*n), nil
		case "m", "months", "month":
			return now.AddDate(0, -n, 0), nil
		case "y", "years", "year":
			return now.AddDate(-n, 0, 0), nil
		}
	}
	return time.Time{}, usagef("write a day, 2026-03-01, or how long ago: 30d, 6w, 3m, 1y", "--since %s is not a date", quote(text))
}

// ruleIDs are the ids of the built-in rules.
func ruleIDs() []string {
	var ids []string
	for _, r := range rules.All() {
		ids = append(ids, r.ID)
	}
	return ids
}
