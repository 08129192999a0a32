#!/usr/bin/env bash
# Everything that is measured on a device, in one command from a prebuilt binary: the correctness suite, the bench in f32 and
# f16 with rooflines, the peers of benches/peers that are installed, and a summary, under benches/results/DEVICE/.
#
#   tools/gpu_measure.sh [BINARY] [DEVICE]     defaults: target/release/kinetograph, gpu
#
# TIME: seconds an entry (0.3). ONLY: entries whose name contains this. PREFIX: a command before the binary, such as one
# that chooses a driver. PEERS=0 leaves the peers out. A step that fails is said in the summary; the others go on.
set -uo pipefail
binary=${1:-target/release/kinetograph}
device=${2:-gpu}
time=${TIME:-0.3}
cd "$(dirname "$0")/.."
if [ ! -x "$binary" ]; then
    echo "$binary: no such binary; \`cargo build --release\` makes it" >&2
    exit 2
fi
read -ra run <<<"${PREFIX:-} $(realpath "$binary")"

described=$("${run[@]}" bench linear/c3d-fc8 --device "$device" --time 0 --no-check --json | sed -n 's/^  "device": "\(.*\)",$/\1/p')
if [ -z "$described" ]; then
    echo "no device \`$device\`; \`$binary doctor\` says what to install" >&2
    exit 3
fi
folder=benches/results/$(printf '%s' "${described%% (*}" | tr 'A-Z ' 'a-z-' | tr -cd 'a-z0-9-')-$(date +%F)
mkdir -p "$folder"
summary=$folder/README.md
{
    echo "# $described"
    echo
    echo "$(date +%F), $("${run[@]}" --version), $(uname -sm), $(nproc) cores: \`tools/gpu_measure.sh\` with TIME=$time${ONLY:+, ONLY=$ONLY}"
    echo
} >"$summary"

# step TITLE FILE COMMAND...: what a command prints goes to a file, and whether it succeeded to the summary.
step() {
    local title=$1 file=$2 start=$SECONDS
    shift 2
    echo "$title" >&2
    "$@" >"$folder/$file" 2>"$folder/errors"
    local code=$?
    local said="- [$title]($file): "
    [ $code -eq 0 ] && said+=done || said+="exit code $code: $(tail -n 1 "$folder/errors")"
    echo "$said, $((SECONDS - start)) s" | tee -a "$summary" >&2
    cat "$folder/errors" >>"$folder/$file"
    rm -f "$folder/errors"
}

step 'every kernel against the reference' verify.txt "${run[@]}" verify --device "$device"
for precision in f32 f16; do
    step "kernels and networks in $precision" "bench-$precision.txt" "${run[@]}" bench ${ONLY:+"$ONLY"} --device "$device" \
        --precision $precision --time "$time" --output "$folder/bench-$precision.json" --roofline "$folder/roofline-$precision.svg"
done
if [ "${PEERS:-1}" != 0 ]; then
    for precision in f32 f16; do
        step "beside other programs in $precision" "peers-$precision.md" python3 benches/peers/run.py --binary "$binary" \
            --prefix "${PREFIX:-}" --devices "$device" --precision $precision --time "$time" --only "${ONLY:-}"
    done
fi
cat "$summary"
