#!/bin/sh
# usage: cargo-tool.sh NAME DEST
#
# Installs the program NAME from crates.io into DEST/bin, in the version that cargo-tools.txt beside this script pins,
# with the dependencies of its own lock file. Safe to call again and again: what is there in the right version is left
# alone. Needs cargo. A killed run goes on where it was.
set -eu

die() {
    printf 'cargo-tool: %s\n' "$*" >&2
    exit 1
}

[ $# = 2 ] || die "usage: cargo-tool.sh NAME DEST"
name=$1
version=$(sed -n "s/^$name //p" "$(dirname "$0")/cargo-tools.txt")
[ -n "$version" ] || die "$name is not in ci/setup/cargo-tools.txt"
mkdir -p "$2"
dest=$(cd "$2" && pwd)

# One at a time: verbs in two shells may both need it first.
if command -v flock >/dev/null; then
    exec 8>"$dest/$name.lock"
    flock 8
fi
# cargo notes what it installed, and in which version, once it is in place.
if [ -x "$dest/bin/$name" ] && grep -qF "\"$name $version " "$dest/.crates.toml" 2>/dev/null; then
    exit 0
fi
# A debug build does for all of them. The target folder stays until done.
printf 'cargo-tool: %s %s from crates.io: compiles for minutes\n' "$name" "$version" >&2
build=$dest/$name.build
cargo install --quiet --locked --debug --force --root "$dest" --target-dir "$build" "$name@$version" ||
    die "$name could not be installed"
rm -rf "$build"
