#!/usr/bin/env bash
# What `keywright run` adds to starting a program: ten keys of the 200 that are stored,
# 10,000 entries in the audit log, beside ten reads of the keychain through the library
# alone. It starts a Secret Service (GNOME Keyring) of its own.
#
#     bench/run-cost.sh
set -euo pipefail
cd "$(dirname "$0")/.."
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
CGO_ENABLED=0 go build -o "$tmp/keywright" .
KEYWRIGHT_RUN_COST=$tmp/keywright KEYWRIGHT_REQUIRE_SERVICES=1 go test ./cmd -count=1 -run '^TestRunCost$' -v | grep -E 'cost_test|^(ok|FAIL|---)' | sed 's/^ *//'
