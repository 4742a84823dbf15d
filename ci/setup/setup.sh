#!/bin/sh
# usage: setup.sh [--pin]
#
# Sets up every tool the project needs and writes down where they are. Called by ./x; safe to call again and again, to
# kill at any moment, and to call twice at a time: the second waits for the first. With --pin it pins Debian's packages
# as they are today instead (pin-debian.sh).
#
# Every download is pinned by hash: Debian's packages in debian.lock, wheels from PyPI in guest-tools.sh and
# requirements.txt, programs from crates.io by their version and the lock file that they come with.
#
# Three ways, tried in this order; the first that can give the pinned versions wins:
#   nix      inside `nix develop` everything is there already
#   rustup   where it has the toolchain that rust-toolchain.toml pins, or can fetch it and Debian's is not here either
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

case ${1:-} in
--pin) exec sh ci/setup/pin-debian.sh ;;
'') ;;
*) die "unknown argument $1; there is only --pin" ;;
esac

if [ -n "${SANDHILL_NIX:-}" ]; then
    say "inside nix develop: nothing to set up"
    exit 0
fi

mkdir -p "$SANDHILL_TOOLS"
# Tools run in other folders than this one.
SANDHILL_TOOLS=$(cd "$SANDHILL_TOOLS" && pwd)
# One set-up at a time. The lock is held for as long as this shell or anything that it started lives, so what a killed
# run has left behind is waited for, too.
if have flock; then
    exec 9>"$SANDHILL_TOOLS/lock"
    flock -n 9 || {
        say "another set-up is running: waiting for it"
        flock 9
    }
fi

is_debian() { [ -r /etc/debian_version ] && have apt-get; }

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
    elif [ "$(/usr/bin/rustc --version 2>/dev/null | cut -d' ' -f2)" = "$rust_version" ]; then
        : # Debian's is here: nothing needs to be fetched.
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

not_pinned=$SANDHILL_TOOLS/not-pinned
: >"$not_pinned"
if is_debian; then
    sh ci/setup/debian-packages.sh "$rust_from" "$not_pinned"
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

wasi_sdk=${WASI_SDK_PATH:-}
if [ -z "$wasi_sdk" ]; then
    wasi_sdk=$SANDHILL_TOOLS/wasi-sdk
    say "wasi-sdk layout from Debian's clang-22"
    sh ci/setup/wasi-sdk.sh "$wasi_sdk"
fi
sh ci/setup/guest-tools.sh "$SANDHILL_TOOLS/tools"
sh ci/setup/smp-tools.sh "$SANDHILL_TOOLS/tools"

stamp=$(cat ci/setup/*.sh ci/setup/*.txt ci/setup/*.lock rust-toolchain.toml | cksum | tr ' ' -)
# A wasi-sdk that the caller names, now or later, comes before the one that was found here.
# Written last and renamed into place: a killed run leaves nothing that counts as done.
cat >"$SANDHILL_TOOLS/env.partial" <<EOF
# Written by ci/setup/setup.sh.
PATH='$SANDHILL_TOOLS/tools/bin':$([ "$rust_from" = debian ] && printf /usr/bin:)\$PATH
WASI_SDK_PATH=\${WASI_SDK_PATH:-'$wasi_sdk'}
UNICORN_LIBRARY='$SANDHILL_TOOLS/tools/lib/libunicorn.so.2'
# Debian packages that are not in their pinned version.
SANDHILL_NOT_PINNED='$(tr '\n' ' ' <"$not_pinned")'
export PATH WASI_SDK_PATH UNICORN_LIBRARY SANDHILL_NOT_PINNED
EOF
mv "$SANDHILL_TOOLS/env.partial" "$SANDHILL_TOOLS/env-$stamp.sh"
say "done"
