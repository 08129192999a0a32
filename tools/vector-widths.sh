#!/usr/bin/env bash
# Runs the GPU tests on Mesa's software Vulkan with subgroups of 4, 8 and 16 invocations, on one thread and on
# several, and under the Vulkan validation layer: what a single setting hides, another shows.
#
#   tools/vector-widths.sh              everything; a few minutes
#   tools/vector-widths.sh 128 512      these widths only (in bits), without threads and layer
#
# Exits with an error when any run fails. Without the validation layer (Debian/Ubuntu: vulkan-validationlayers) that
# run is left out and said so.
set -euo pipefail
cd "$(dirname "$0")/.."

export KINETOGRAPH_DEVICE=llvmpipe
# Mesa's device-selection layer asks for an X server where there is one.
export NODEVICE_SELECT=1

# Operators in which the invocations of a workgroup meet.
together=(conv3d/ linear/ graph/)

timed() {
    local what=$1 from=$SECONDS
    shift
    echo "== $what"
    "$@"
    echo "== $what: $((SECONDS - from)) s"
}

gpu() {
    cargo test --quiet --test gpu -- --quiet --test-threads 1 "$@"
}

widths=("$@")
if [ $# -eq 0 ]; then
    widths=(128 256 512)
fi
# Most of a run is compiling of kernels, on one core: all widths go at a time.
cargo test --quiet --test gpu --no-run
outputs=$(mktemp -d)
trap 'rm -rf "$outputs"' EXIT
running=()
for width in "${widths[@]}"; do
    LP_NATIVE_VECTOR_WIDTH=$width timed "vectors of $width bits" gpu >"$outputs/$width" 2>&1 &
    running+=($!)
done
failed=0
for i in "${!widths[@]}"; do
    wait "${running[$i]}" || failed=1
    cat "$outputs/${widths[$i]}"
done
[ $failed -eq 0 ] || exit 1
[ $# -eq 0 ] || exit 0

for threads in 0 2; do
    for part in "${together[@]}"; do
        LP_NUM_THREADS=$threads timed "$threads rasterizer threads, $part" gpu "$part"
    done
done

if compgen -G '/usr/share/vulkan/explicit_layer.d/VkLayer_khronos_validation.json' >/dev/null \
    || [ -n "${VK_LAYER_PATH:-}" ]; then
    WGPU_VALIDATION=1 timed 'validation layer' gpu
else
    echo 'SKIPPED: no Vulkan validation layer; Debian/Ubuntu: apt-get install vulkan-validationlayers'
fi
