#!/bin/sh
# usage: guest-tools.sh DEST
#
# Installs into DEST what guests and tests need and no Debian package offers:
#   bin/zig                    Zig 0.16.0, from PyPI (`ziglang`)
#   bin/cargo-component        from crates.io, see cargo-tools.txt
#   lib/libunicorn.so.2        Unicorn 2.1.4, from PyPI: the CPU that the chip model is checked against
# Needs python3 with pip (any; nothing is installed into it) and cargo. Safe to call again and again: what is there in
# the right version is left alone. Everything is made beside its place and renamed into it when whole, so a killed run
# leaves nothing that counts as done.
#
# cargo-component also insists on a folder for the target wasm32-wasip1 in Rust's sysroot, whatever it builds for.
# rustup gives it that by itself; where Rust is Debian's, an empty folder is made, which takes root.
set -eu

zig_version=0.16.0
unicorn_version=2.1.4

say() { printf 'guest-tools: %s\n' "$*"; }
die() {
    printf 'guest-tools: %s\n' "$*" >&2
    exit 1
}

[ $# = 1 ] || die "usage: guest-tools.sh DEST"
mkdir -p "$1/bin" "$1/lib"
dest=$(cd "$1" && pwd)

# First, because it may end here, and the rest takes minutes.
wasip1=$(rustc --print sysroot)/lib/rustlib/wasm32-wasip1
if [ ! -d "$wasip1" ] && [ -z "${RUSTUP_TOOLCHAIN:-}" ] && [ "$(command -v rustc)" = /usr/bin/rustc ]; then
    mkdir -p "$wasip1" 2>/dev/null || die "cargo-component wants a folder that only root can make here. Run this as root, then ./x again:

    mkdir -p $wasip1
"
fi

# unpack_wheel DIR REQUIREMENT HASH...: the wheel's files in DIR. PyPI gives one wheel a machine (x86-64, AArch64): its
# hash must be among those named.
unpack_wheel() {
    dir=$1
    requirement=$2
    shift 2
    python3 -m pip --version >/dev/null 2>&1 || die "python3 with pip is missing: apt-get install python3-pip"
    rm -rf "$dir.partial"
    mkdir -p "$dir.partial"
    printf '%s' "$requirement" >"$dir.partial/requirements.txt"
    printf ' --hash=sha256:%s' "$@" >>"$dir.partial/requirements.txt"
    # pip speaks of the root user and of its own updates on stderr: shown only when it fails.
    python3 -m pip install --quiet --no-input --disable-pip-version-check --no-deps --only-binary=:all: --no-compile \
        --require-hashes --requirement "$dir.partial/requirements.txt" --target "$dir.partial/files" \
        >"$dir.partial/log" 2>&1 || {
        cat "$dir.partial/log" >&2
        die "pip could not install $requirement"
    }
    rm -rf "$dir"
    mv "$dir.partial/files" "$dir"
    rm -rf "$dir.partial"
}

zig=$dest/lib/ziglang-$zig_version
if [ ! -d "$zig" ]; then
    say "Zig $zig_version from PyPI"
    unpack_wheel "$zig" "ziglang==$zig_version" \
        9fcda73f62b851dd72a54b710ad40a209896db14cfb13649e62191243556342b \
        e27d409812b11e0fb89ed0200cf2e55b6464d43f9461553104e4a4f9a94a1fd5
fi
# Zig finds its standard library beside the program that the link leads to.
ln -sfn "$zig/ziglang/zig" "$dest/bin/zig"

unicorn=$dest/lib/unicorn-$unicorn_version
if [ ! -d "$unicorn" ]; then
    say "Unicorn $unicorn_version from PyPI"
    unpack_wheel "$unicorn" "unicorn==$unicorn_version" \
        9d6e6dea140560de4ebd8446661f7ef84a357d428c14a3ef09dacd306ec8c239 \
        bd1fb0c9af5f57e356d8a96928b4fe045b2e18f308ef23b481d5f970008aa722
fi
ln -sfn "$unicorn/unicorn/lib/libunicorn.so.2" "$dest/lib/libunicorn.so.2"

sh "$(dirname "$0")/cargo-tool.sh" cargo-component "$dest"
