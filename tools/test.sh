#!/usr/bin/env bash
# Runs every test. Where there is no Vulkan driver at all, it first installs Mesa's software Vulkan (Debian,
# Ubuntu) or says what to install, so that kernels are tested on every machine.
#
#   tools/test.sh [arguments of cargo test]
set -euo pipefail
cd "$(dirname "$0")/.."

has_vulkan() {
    if ! { PATH=$PATH:/usr/sbin:/sbin ldconfig -p 2>/dev/null || true; } | grep -q 'libvulkan\.so\.1'; then
        return 1
    fi
    local folder
    for folder in /usr/share/vulkan/icd.d /etc/vulkan/icd.d /usr/local/share/vulkan/icd.d \
        "${XDG_DATA_HOME:-${HOME:-}/.local/share}/vulkan/icd.d"; do
        if compgen -G "$folder/*.json" >/dev/null; then
            return 0
        fi
    done
    [ -n "${VK_DRIVER_FILES:-${VK_ICD_FILENAMES:-}}" ]
}

install_software_vulkan() {
    local root=()
    if [ "$(id -u)" -ne 0 ]; then
        root=(sudo)
    fi
    echo 'No Vulkan driver is installed; installing software Vulkan (mesa-vulkan-drivers).'
    "${root[@]}" apt-get update -qq
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        mesa-vulkan-drivers libvulkan1
}

if [ "$(uname -s)" = Linux ] && ! has_vulkan; then
    if command -v apt-get >/dev/null && { [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null; }; then
        install_software_vulkan
    else
        echo 'No Vulkan driver is installed: tests of kernels will be skipped. Software Vulkan is in the package' >&2
        echo 'mesa-vulkan-drivers (Debian, Ubuntu, Fedora), vulkan-swrast (Arch) or mesa-vulkan-swrast (Alpine).' >&2
    fi
fi

# Mesa's device-selection layer asks for an X server where there is one.
export NODEVICE_SELECT=1
exec cargo test --workspace "$@"
