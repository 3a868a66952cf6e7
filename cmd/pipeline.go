package cmd

import (
	"context"
	"os"
	"path/filepath"

	"github.com/keywright/keywright/scan"
	"github.com/keywright/keywright/scan/pipeline"
	"github.com/keywright/keywright/scan/rules"
)

// pipelineScan does the job with the built-in rules.
func pipelineScan(ctx context.Context, term *terminal, job scanJob) (*scan.Report, error) {
	prepareMemory(job.mode)
	version, _ := buildVersion()
	keys := lookForKeys(ctx, term)
	p := newProgress(term)
	defer p.clear()
	o := pipeline.Options{
		Version: version,
		Path:    job.path,
		Stdin:   term.in,
		Mode:    pipelineModes[job.mode],
		Range:   job.revisions,
		Since:   job.since,

		Builtin:   rules.All(),
		Table:     rules.Table(),
		Held:      keys.set,
		Rules:     job.rules,
		Level:     job.level,
		Exclude:   job.exclude,
		NoIgnore:  job.noIgnore,
		MaxMemory: job.maxMemory,

		Progress: func(now pipeline.Progress) { p.show(labels[now.Phase], units[now.Phase], now.Done, now.Total) },
	}
	if !job.noCache {
		o.CacheDir = cacheDir()
	}
	r, err := pipeline.Run(ctx, o)
	if err != nil {
		return nil, err
	}
	r.Coverage.Excluded = append(r.Coverage.Excluded, keys.excluded...)
	if r.Root != "" {
		keys.note(ctx, term, r)
	}
	return r, nil
}

var pipelineModes = [...]pipeline.Mode{
	scanEverything: pipeline.Everything,
	scanFiles:      pipeline.NoHistory,
	scanHistory:    pipeline.HistoryOnly,
	scanStaged:     pipeline.Staged,
	scanRange:      pipeline.Range,
	scanStdin:      pipeline.Stdin,
}

// labels are what the phases of a scan are called, units what is counted in each.
var (
	labels = map[string]string{
		"files":       "reading",
		"history":     "history",
		"attribution": "attribution",
		"commits":     "history",
	}
	units = map[string]string{
		"files":       "files",
		"history":     "objects",
		"attribution": "commits",
		"commits":     "commits",
	}
)

// cacheDir is where the cache of scans lives, empty if the user has no such place.
func cacheDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "keywright")
}

// ruleIDs are the ids of the built-in rules.
func ruleIDs() []string {
	var ids []string
	for _, r := range rules.All() {
		ids = append(ids, r.ID)
	}
	return ids
}
