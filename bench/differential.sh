#!/usr/bin/env bash
# Compares, on real repositories, what is found along delta chains with what judging
# every object by itself gives: the built-in rules, and stress rules that must give a
# million verdicts. It fails at the first difference. A large repository takes a
# quarter of an hour.
#
#     bench/differential.sh REPOSITORY...
set -euo pipefail

[ $# -gt 0 ] || { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "$0"; exit 2; }
repos=()
for repo in "$@"; do
	repos+=("$(git -C "$repo" rev-parse --absolute-git-dir)")
done
cd "$(dirname "$0")/.."
for repo in "${repos[@]}"; do
	KEYWRIGHT_BENCH_REPO=$repo go test -count=1 -timeout 2h -v -run '^TestDifferentialReal$' ./scan/pipeline
done
