#!/usr/bin/env bash
# Measures keywright on a repository, beside Git itself and beside other tools that
# are installed, and prints a table in Markdown. docs/performance.md says what the
# rows mean.
#
#     bench/run.sh REPOSITORY
#
# The repository, bare or not, is only read. Clones of it, caches and reports go to
# a temporary directory, which needs room for a checkout and is removed at the end.
# Everything is run once before it counts, so that the system's caches are warm;
# what is compared with each other is run in turn, in every round.
#
# ROUNDS=5         rounds of the long rows
# SHORT_ROUNDS=50  rounds of --staged and of standard input
# KEYWRIGHT=PATH   a program to measure instead of one built from this source
# OTHERS=0         leave out the other scanners
# OTHERS_TIMEOUT=1800  seconds after which one of them is stopped
set -uo pipefail
export LC_ALL=C

usage() {
	sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "$0"
	exit 2
}
[ $# -eq 1 ] && [ -d "$1" ] || usage
[ "${BASH_VERSINFO[0]}" -ge 5 ] || { echo "bench: bash 5 is needed, for its clock" >&2; exit 2; }

rounds=${ROUNDS:-5} short_rounds=${SHORT_ROUNDS:-50}
source_dir=$(cd "$(dirname "$0")/.." && pwd) || exit 1
repo=$(git -C "$1" rev-parse --absolute-git-dir) || exit 2
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_TERMINAL_PROMPT=0
export GIT_AUTHOR_NAME=bench GIT_AUTHOR_EMAIL=bench@example.org GIT_COMMITTER_NAME=bench GIT_COMMITTER_EMAIL=bench@example.org

note() { printf '%s\n' "$*" >&2; }
has() { command -v "$1" >/dev/null 2>&1; }
fail() { note "bench: $*"; exit 1; }

# --- measuring

# clock COMMAND... runs a command in silence and sets elapsed, in microseconds.
clock() {
	local start=${EPOCHREALTIME/./}
	"$@" >/dev/null 2>>"$tmp/errors"
	elapsed=$((${EPOCHREALTIME/./} - start))
}

# measure NAME COMMAND... adds a time to a row.
measure() {
	local name=$1
	shift
	clock "$@"
	echo "$elapsed" >>"$tmp/row.$name"
}

median() { sort -g "$1" | awk '{ v[NR] = $1 } END { if (NR % 2) print v[(NR + 1) / 2]; else print (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
seconds() { median "$tmp/row.$1" | awk '{ printf $1 < 100000 ? "%.1f ms" : "%.2f s", $1 < 100000 ? $1 / 1000 : $1 / 1000000 }'; }

# ratio ROW REFERENCE is the median over the rounds of one divided by the other.
ratio() {
	paste "$tmp/row.$1" "$tmp/row.$2" | awk '{ print $1 / $2 }' >"$tmp/ratios"
	median "$tmp/ratios" | awk '{ printf $1 < 0.1 ? "%.4f" : "%.2f", $1 }'
}

row() { printf '| %s | %s | %s | %s |\n' "$@"; }

# result NAME REFERENCE GOAL TITLE prints a row of the table.
result() {
	if [ ! -s "$tmp/row.$1" ]; then
		row "$4" "not measured" "" "$3"
	elif [ -s "$tmp/row.$2" ]; then
		row "$4" "$(seconds "$1")" "$(ratio "$1" "$2")" "$3"
	else
		row "$4" "$(seconds "$1")" "" "$3"
	fi
}

# --- what is measured

keywright() { HOME=$tmp/home XDG_CACHE_HOME=$tmp/home/cache "$program" "$@"; }
forget() { rm -rf "$tmp/home"; mkdir -p "$tmp/home"; }

cat_file() { git -C "$repo" cat-file --batch-all-objects --batch --unordered --buffer; }
history() { keywright scan --history-only --format json -o "$tmp/$1.json" "$2"; }
search() { (cd "$tree" && rg -uuu -g '!.git' -c 'AKIA[0-9A-Z]{16}'); }
staged() { keywright scan --staged --format json -o "$tmp/staged.json" "$tree"; }
one_line() { keywright scan --stdin --format json <"$tmp/line"; }

# checked COMMAND... fails unless keywright came to an end: findings and gaps are
# results like any other.
checked() {
	"$@" >"$tmp/out" 2>&1
	case $? in
	0 | 1 | 3) ;;
	*) cat "$tmp/out" >&2; fail "this failed: $*" ;;
	esac
}

commit() { # adds a commit that changes one file to the scratch clone
	local blob tree
	blob=$(printf 'change %s\n' "$1" | git -C "$scratch" hash-object -w --stdin) || return 1
	tree=$({ git -C "$scratch" ls-tree HEAD | grep -v "	bench-change$"; printf '100644 blob %s\tbench-change\n' "$blob"; } |
		git -C "$scratch" mktree) || return 1
	git -C "$scratch" update-ref HEAD "$(git -C "$scratch" commit-tree -p HEAD -m "change $1" "$tree")"
}

long_rows() {
	local i
	note "whole history: $rounds rounds"
	forget
	cat_file >/dev/null || fail "git cat-file failed"
	checked history warm "$repo"
	for ((i = 1; i <= rounds; i++)); do
		measure catfile cat_file
		forget
		measure cold history cold "$repo"
		measure again history again "$repo"
		cmp -s "$tmp/cold.json" "$tmp/again.json" || note "bench: the report from the cache differs"
	done
	note "after one new commit"
	forget
	checked history scratch "$scratch"
	for ((i = 1; i <= rounds; i++)); do
		commit "$i" || fail "could not commit"
		measure commit history commit "$scratch"
	done
}

tree_rows() {
	local i
	note "work tree"
	checked keywright scan --no-history --format json "$tree"
	has rg && search >/dev/null
	for ((i = 1; i <= rounds * 2; i++)); do
		has rg && measure rg search
		forget
		measure fresh keywright scan --no-history --format json "$tree"
		measure tree keywright scan --no-history --format json "$tree"
	done
}

short_rows() {
	local i file
	note "staged and standard input: $short_rounds rounds"
	file=$(git -C "$tree" ls-files -z | awk 'BEGIN { RS = "\0" } /\.(c|go|js|py|rb|rs|java|sh|md|txt)$/ { print; exit }')
	[ -n "$file" ] || file=$(git -C "$tree" ls-files | head -n 1)
	echo '# one more line' >>"$tree/$file" && git -C "$tree" add -- "$file" || fail "could not stage a change"
	checked staged
	for ((i = 1; i <= short_rounds; i++)); do
		measure diff git -C "$tree" diff --cached
		measure staged staged
	done
	printf 'DEBUG=1 and nothing else\n' >"$tmp/line"
	checked one_line
	local TIMEFORMAT='%3U %3S'
	for ((i = 1; i <= 5; i++)); do # the clock of processor time is coarse
		{ time for ((n = 1; n <= 10; n++)); do one_line >/dev/null; done; } 2>&1 |
			awk '{ print ($1 + $2) * 1000000 / 10 }' >>"$tmp/row.stdin"
	done
}

memory() { # sets peak to the peak resident memory of a scan of the history, in MB
	peak="not measured: GNU time is not installed"
	local gnu
	for gnu in /usr/bin/time gtime; do
		if "$gnu" -f %M true >/dev/null 2>&1; then
			forget
			"$gnu" -o "$tmp/rss" -f %M env HOME="$tmp/home" XDG_CACHE_HOME="$tmp/home/cache" \
				"$program" scan --history-only --format json -o "$tmp/rss.json" "$repo" >/dev/null 2>&1
			peak=$(tail -n 1 "$tmp/rss" | awk '{ printf "%.0f MB", $1 * 1024 / 1000000 }')
			return
		fi
	done
}

# other NAME COMMAND... measures another scanner once, if it is installed.
other() {
	local name=$1
	shift
	if ! has "$name"; then
		note "$name is not installed: skipped"
		return
	fi
	note "$name: $*"
	clock timeout "${OTHERS_TIMEOUT:-1800}" "$@"
	if [ "$elapsed" -ge $((${OTHERS_TIMEOUT:-1800} * 1000000)) ]; then
		row "$name, whole history" "stopped after ${OTHERS_TIMEOUT:-1800} s" "" ""
		return
	fi
	echo "$elapsed" >"$tmp/row.$name"
	median "$tmp/row.catfile" >"$tmp/row.reference"
	result "$name" reference "" "$name, whole history"
}

machine() {
	local cpu
	cpu=$(awk -F': ' '/^model name/ { print $2; exit }' /proc/cpuinfo 2>/dev/null || sysctl -n machdep.cpu.brand_string 2>/dev/null)
	echo "$(uname -sm), ${cpu:-processor unknown}, $(getconf _NPROCESSORS_ONLN) cores; $(git --version); $("$program" version | head -n 1)"
	git -C "$repo" count-objects -v | awk -F': ' '
		/^(count|in-pack)/ { objects += $2 } /^packs/ { packs = $2 } /^size/ { kib += $2 }
		END { printf "%d objects, %d packs, %.0f MB\n", objects, packs, kib * 1024 / 1000000 }'
}

# --- and now

program=${KEYWRIGHT:-}
if [ -z "$program" ]; then
	program=$tmp/keywright
	(cd "$source_dir" && CGO_ENABLED=0 go build -trimpath -o "$program" .) || fail "could not build keywright"
fi
program=$(command -v "$program") || fail "no such program: ${KEYWRIGHT:-}"
scratch=$tmp/scratch.git tree=$tmp/tree
note "cloning"
git clone -q --bare --local "$repo" "$scratch" && git -c core.autocrlf=false clone -q --local "$scratch" "$tree" || fail "could not clone"

long_rows
tree_rows
short_rows
memory

machine
echo
row what median ratio goal
row --- ---: ---: ---:
result catfile catfile "" 'reference: `git cat-file --batch-all-objects`'
result cold catfile "0.50" 'whole history, empty cache'
result again catfile "0.02" 'whole history, again'
result commit catfile "0.03" 'whole history, after one new commit'
row 'whole history, peak memory' "$peak" "" "600 MB"
if has rg; then
	result rg rg "" 'reference: `rg -uuu` over the work tree'
else
	note "rg is not installed: the work tree has nothing to be compared with"
fi
result fresh rg "" 'work tree, empty cache'
result tree rg "3" 'work tree, again'
result diff diff "" 'reference: `git diff --cached`'
result staged diff "5" '`--staged`, one line'
result stdin none "15 ms" 'one line from standard input, processor time'
if [ "${OTHERS:-1}" != 0 ]; then
	other gitleaks gitleaks git --no-banner --exit-code 0 --report-format json --report-path "$tmp/gitleaks.json" "$repo"
	other betterleaks betterleaks git --no-banner --exit-code 0 --report-format json --report-path "$tmp/betterleaks.json" "$repo"
	other trufflehog trufflehog git "file://$repo" --no-verification --no-update --json
fi
