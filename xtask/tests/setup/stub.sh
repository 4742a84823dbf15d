#!/bin/sh
# Plays every tool that the set-up calls, under the tool's name, for xtask/tests/setup.rs. $ROOM has its state:
#   calls     what was called, one a line
#   dpkg      `name installed version` of what is installed
#   archive   `name version` of what apt can install
# Where $KILL_AT says so, the whole set-up is killed in the middle of its so many-th change.
set -eu
name=$(basename "$0")
printf '%s %s\n' "$name" "$*" >>"$ROOM/calls"

change() {
    printf 'x' >>"$ROOM/changes"
    [ "$(wc -c <"$ROOM/changes")" != "${KILL_AT:-0}" ] || kill -KILL 0
    sleep "${SLOW:-0}"
}
# What stands behind an option.
after() {
    option=$1
    shift
    while [ "$1" != "$option" ]; do shift; done
    printf '%s' "$2"
}

case "$name $*" in
"rustup target list "*) printf 'thumbv8m.main-none-eabihf\nwasm32-unknown-unknown\n' ;;
"rustup component list "*) echo rust-src ;;
"rustc --print sysroot") echo "$ROOM/sysroot" ;;
"rustc --version") echo "rustc $RUST_VERSION (0 2026-01-01)" ;;
"id -u") echo "${AS:-0}" ;;
"dpkg --print-architecture") echo amd64 ;;
"dpkg --compare-versions "*)
    [ "$2" != "$4" ] && [ "$(printf '%s\n%s\n' "$2" "$4" | sort -V | head -n 1)" = "$2" ]
    ;;
dpkg-query*) cat "$ROOM/dpkg" ;;
"apt-get update "*) ;;
"apt-cache madison "*) sed 's/ / | /' "$ROOM/archive" | sed 's/$/ | source/' ;;
"apt-get install "*)
    for word; do
        package=${word%%=*}
        version=$(sed -n "s/^$package //p" "$ROOM/archive")
        [ -n "$version" ] || continue
        sed -i "/^$package /d" "$ROOM/dpkg"
        echo "$package installed $version" >>"$ROOM/dpkg"
    done
    ;;
"python3 -m pip --version") ;;
"python3 -c "*) echo "$ROOM/bin/python3" ;;
"python3 -m pip install "*)
    target=$(after --target "$@")
    mkdir -p "$target/ziglang" "$target/unicorn/lib" "$target/bin"
    for file in ziglang/zig unicorn/lib/libunicorn.so.2 bin/imgtool bin/smpmgr; do
        echo half >"$target/$file"
    done
    change
    for file in ziglang/zig unicorn/lib/libunicorn.so.2 bin/imgtool bin/smpmgr; do
        echo whole >"$target/$file"
        chmod +x "$target/$file"
    done
    ;;
"python3 -s "*) [ "$(cat "$2")" = whole ] ;;
"cargo install "*)
    root=$(after --root "$@")
    mkdir -p "$root/bin" "$(after --target-dir "$@")/half"
    change
    for last; do :; done
    echo whole >"$root/bin/${last%@*}"
    chmod +x "$root/bin/${last%@*}"
    echo "\"${last%@*} ${last#*@} (registry)\" = []" >>"$root/.crates.toml"
    ;;
mv* | cp*)
    change
    PATH=/usr/bin:/bin "$name" "$@"
    ;;
*) exit 1 ;;
esac
