#!/usr/bin/env bash
# Installs what run.py and flow.py measure beside kinetograph, in folders below this one: two Python environments
# (onnxruntime-webgpu cannot share one with other builds of onnxruntime) and the crate that runs burn.
# PYTHON chooses the interpreter (3.10 or newer), TORCH_INDEX a package index such as one of CUDA's builds.
# What cannot be installed is said, and left out of the comparison.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
failed=0

environment() {
  local name=$1
  shift
  "$python" -m venv "$here/.peers/$name" && "$here/.peers/$name/bin/pip" install --quiet "$@" && return
  echo "peers: $name could not be installed; run.py says it is missing" >&2
  failed=1
}

environment torch ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} -r "$here/requirements-torch.txt"
environment webgpu -r "$here/requirements-webgpu.txt"
(cd "$here/burn" && cargo build --release) || {
  echo "peers: burn could not be built; run.py says it is missing" >&2
  failed=1
}
exit $failed
