#!/usr/bin/env bash
# Installs the protobuf compiler where apt-get is available. Only proto-gen needs it.
set -euo pipefail

if ! command -v apt-get >/dev/null; then
  echo "protoc is missing: install the protobuf compiler, 3.21 or newer" >&2
  exit 1
fi
sudo=()
if ((EUID != 0)); then sudo=(sudo); fi
"${sudo[@]}" apt-get update -qq
"${sudo[@]}" apt-get install -y -qq protobuf-compiler >/dev/null
