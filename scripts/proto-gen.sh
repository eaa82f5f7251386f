#!/usr/bin/env bash
# Generates the Go code of proto/ with the generators pinned in tools/protogen.
# Include paths come from the module cache, so nothing is vendored.
set -euo pipefail
cd "$(dirname "$0")/.."

bin=$PWD/build/protogen
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

(cd tools/protogen && GOBIN=$bin go install \
  github.com/cosmos/gogoproto/protoc-gen-gocosmos \
  github.com/grpc-ecosystem/grpc-gateway/protoc-gen-grpc-gateway)

dir() { go list -m -f '{{.Dir}}' "$1"; }
gogo=$(dir github.com/cosmos/gogoproto)
well_known=Mgoogle/protobuf/any.proto=github.com/cosmos/cosmos-sdk/codec/types
well_known+=,Mgoogle/protobuf/duration.proto=github.com/cosmos/gogoproto/types
well_known+=,Mgoogle/protobuf/timestamp.proto=github.com/cosmos/gogoproto/types

# One call per package: the generator takes one Go package at a time.
for package in proto/mesh/*/v1; do
  PATH=$bin:$PATH protoc \
    -I proto \
    -I "$(dir github.com/cosmos/cosmos-sdk)/proto" \
    -I "$gogo" -I "$gogo/protobuf" \
    -I "$(dir github.com/cosmos/cosmos-proto)/proto" \
    -I "$(dir github.com/cosmos/ibc-go/v8)/proto" \
    -I "$(dir github.com/cometbft/cometbft)/proto" \
    -I "$(dir github.com/grpc-ecosystem/grpc-gateway)/third_party/googleapis" \
    --gocosmos_out="plugins=grpc,$well_known:$out" \
    --grpc-gateway_out="logtostderr=true,allow_colon_final_segments=true:$out" \
    "$package"/*.proto
done

cp -r "$out"/github.com/mesh-security/mesh/. .
