#!/usr/bin/env bash
# Makes default.pgo anew: the profile by which the Go compiler lays out and inlines what
# a scan runs most. It is taken from scans of the whole history of repositories, a few
# times each, and of their work trees. docs/performance.md says what it gains.
#
#     bench/profile.sh REPOSITORY...
#
# The repositories, bare or not, are only read. Clones go to a temporary directory. The
# program that is profiled is built without the profile of the last time.
#
# ROUNDS=3  rounds
set -euo pipefail

[ $# -gt 0 ] || { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "$0"; exit 2; }
repos=()
for repo in "$@"; do
	repos+=("$(git -C "$repo" rev-parse --absolute-git-dir)")
done
cd "$(dirname "$0")/.."
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
CGO_ENABLED=0 go build -trimpath -pgo=off -o "$tmp/profile" ./internal/tools/profile

n=0
profiled() { "$tmp/profile" "$tmp/$((n++)).pprof" scan --no-cache --format json -o "$tmp/report.json" "$@" 2>/dev/null; }
for repo in "${repos[@]}"; do
	echo "$repo" >&2
	git -c core.autocrlf=false clone -q --local "$repo" "$tmp/tree"
	for ((round = 0; round < ${ROUNDS:-3}; round++)); do
		profiled --history-only "$repo"
		profiled --no-history "$tmp/tree"
	done
	rm -rf "$tmp/tree"
done
go tool pprof -proto -output "$tmp/default.pgo" "$tmp"/*.pprof >/dev/null
mv "$tmp/default.pgo" default.pgo
echo "$(go tool pprof -top default.pgo 2>/dev/null | sed -n 's/.*of \(.*\) total/\1/p') in $n scans; default.pgo has $(wc -c <default.pgo) bytes" >&2
