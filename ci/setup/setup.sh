#!/bin/sh
# Sets up every tool the project needs and writes down where they are. Called by ./x; safe to call again and again.
#
# Three ways, tried in this order; the first that can give the pinned versions wins:
#   nix      inside `nix develop` everything is there already
#   rustup   where it has, or can fetch, the toolchain that rust-toolchain.toml pins
#   debian   Debian 12's own Rust of the same version, clang and wasi-libc
# Downloads go to $SANDHILL_TOOLS (default ~/.cache/sandhill), nothing else is touched but, as root on Debian, the
# system's packages. Never calls sudo: without root it prints the one command to run.
set -eu
cd "$(dirname "$0")/../.."
SANDHILL_TOOLS=${SANDHILL_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/sandhill}
rust_version=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

if [ -n "${SANDHILL_NIX:-}" ]; then
    say "inside nix develop: nothing to set up"
    exit 0
fi

is_debian() { [ -r /etc/debian_version ] && have apt-get; }

install_debian_packages() {
    missing=
    # shellcheck disable=SC2013 # names have no blanks
    for package in $(grep -v "^#" ci/setup/packages-debian.txt); do
        case $package in
        # With rustup's toolchain Debian's is not wanted.
        *rust*-web* | cargo-web) [ "$rust_from" = debian ] || continue ;;
        esac
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ]; then
        # cargo-component asks for the folder, see guest-tools.sh: here, so that root is needed once.
        [ "$rust_from" = debian ] && also=" && mkdir -p /usr/lib/rustlib/wasm32-wasip1" || also=
        die "these Debian packages are missing; install them as root, then run ./x again:

    apt-get update && apt-get install -y --no-install-recommends$missing$also
"
    fi
    say "installing Debian packages:$missing"
    apt-get update -qq
    # shellcheck disable=SC2086 # a list of names
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null ||
        die "apt-get could not install them; what it said is above. Debian 12 with its security updates has them all.
On another system install Nix (https://nixos.org/download) and run \`nix develop\`, then ./x again."
}

# The toolchain alone is not enough: some mirrors carry no bare-metal targets.
rustup_has_toolchain() {
    targets=$(rustup target list --installed --toolchain "$rust_version" 2>/dev/null) &&
        printf '%s' "$targets" | grep -qx thumbv8m.main-none-eabihf &&
        printf '%s' "$targets" | grep -qx wasm32-unknown-unknown &&
        rustup component list --installed --toolchain "$rust_version" | grep -q '^rust-src'
}

rust_from=debian
if have rustup; then
    if rustup_has_toolchain; then
        rust_from=rustup
    else
        say "asking rustup for Rust $rust_version"
        if rustup toolchain install "$rust_version" --profile minimal --component clippy --component rustfmt \
            --component rust-src --target thumbv8m.main-none-eabihf --target wasm32-unknown-unknown --target wasm32-wasip1 >/dev/null 2>&1; then
            rust_from=rustup
        else
            say "rustup cannot fetch it, or not its targets, here"
        fi
    fi
fi

if is_debian; then
    install_debian_packages
elif [ "$rust_from" = debian ]; then
    die "this system has neither Nix, nor a rustup that can fetch Rust $rust_version, nor Debian's packages.
Install Nix (https://nixos.org/download) and run \`nix develop\`, then ./x again."
else
    for tool in sigrok-cli python3 make; do
        have "$tool" || die "$tool is missing. Install it with your system's package manager, or run \`nix develop\`; then ./x again."
    done
    [ -x "${WASI_SDK_PATH:-/nonexistent}/bin/clang" ] || die "no wasi-sdk. Unpack wasi-sdk 33 and set WASI_SDK_PATH to it, or run \`nix develop\`; then ./x again."
fi

if [ "$rust_from" = debian ]; then
    # Debian's cargo must come before rustup's proxies, which would stumble over rust-toolchain.toml.
    PATH=/usr/bin:$PATH
    export PATH
    found=$(/usr/bin/rustc --version | cut -d' ' -f2)
    [ "$found" = "$rust_version" ] ||
        say "Debian now has Rust $found, not $rust_version: going on with it; hashes of artefacts are not comparable with the published ones"
fi
say "Rust $(rustc --version | cut -d' ' -f2) from $rust_from"

mkdir -p "$SANDHILL_TOOLS"
# Tools run in other folders than this one.
SANDHILL_TOOLS=$(cd "$SANDHILL_TOOLS" && pwd)
wasi_sdk=${WASI_SDK_PATH:-}
if [ -z "$wasi_sdk" ]; then
    wasi_sdk=$SANDHILL_TOOLS/wasi-sdk
    say "wasi-sdk layout from Debian's clang-22"
    sh ci/setup/wasi-sdk.sh "$wasi_sdk"
fi
sh ci/setup/guest-tools.sh "$SANDHILL_TOOLS/tools"
sh ci/setup/smp-tools.sh "$SANDHILL_TOOLS/tools"

stamp=$(cat ci/setup/*.sh ci/setup/*.txt rust-toolchain.toml | cksum | tr ' ' -)
# A wasi-sdk that the caller names, now or later, comes before the one that was found here.
# Written last and renamed into place: a killed run leaves nothing that counts as done.
cat >"$SANDHILL_TOOLS/env.partial" <<EOF
# Written by ci/setup/setup.sh.
PATH='$SANDHILL_TOOLS/tools/bin':$([ "$rust_from" = debian ] && printf /usr/bin:)\$PATH
WASI_SDK_PATH=\${WASI_SDK_PATH:-'$wasi_sdk'}
UNICORN_LIBRARY='$SANDHILL_TOOLS/tools/lib/libunicorn.so.2'
export PATH WASI_SDK_PATH UNICORN_LIBRARY
EOF
mv "$SANDHILL_TOOLS/env.partial" "$SANDHILL_TOOLS/env-$stamp.sh"
say "done"
