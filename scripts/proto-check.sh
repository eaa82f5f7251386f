#!/usr/bin/env bash
# Fails when the generated code in the working tree differs from what is committed; run it
# right after proto-gen.sh.
set -euo pipefail
cd "$(dirname "$0")/.."

generated=(':(glob)**/*.pb.go' ':(glob)**/*.pb.gw.go')
untracked=$(git ls-files --others --exclude-standard -- "${generated[@]}")
if [[ -n $untracked ]]; then
  printf 'generated but not committed:\n%s\n' "$untracked" >&2
  exit 1
fi
if ! git diff --exit-code --stat -- "${generated[@]}"; then
  echo "generated code is not up to date: run make proto-gen and commit" >&2
  exit 1
fi
