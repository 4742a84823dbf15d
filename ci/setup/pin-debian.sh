#!/bin/sh
# usage: pin-debian.sh
#
# Writes debian.lock beside this script: version and SHA-256 of every package that packages-debian.txt wants pinned, as
# this machine's Debian 12 sources have them today, for amd64 and arm64. Called by `./x setup --pin`. Reads the
# archive's signed indices into a folder of its own: needs no root, and changes nothing on the machine.
set -eu

die() {
    printf 'pin-debian: %s\n' "$*" >&2
    exit 1
}

cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
names=$(sed '/^#/d; / unpinned$/d; /^$/d' packages-debian.txt)

for arch in amd64 arm64; do
    state=$work/$arch
    mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
    : >"$state/status"
    as() {
        tool=$1
        shift
        "$tool" -o APT::Architecture="$arch" -o APT::Architectures="$arch" -o Dir::State="$state" \
            -o Dir::State::lists="$state/lists" -o Dir::State::status="$state/status" -o Dir::Cache="$state/cache" \
            -o APT::Sandbox::User= -o Acquire::Languages=none "$@"
    }
    as apt-get update -qq || die "the indices of $arch could not be fetched"
    for name in $names; do
        # Of the versions that there are, the one that would be installed.
        as apt-cache show --no-all-versions "$name" 2>/dev/null | awk -v name="$name" -v arch="$arch" '
            /^Version: / { version = $2 }
            /^SHA256: / { print name, arch, version, $2; found = 1; exit }
            END { exit !found }' >>"$work/pins" || die "Debian has no $name for $arch: packages-debian.txt wants it pinned"
    done
done
{
    printf '# Written by pin-debian.sh (./x setup --pin): package, architecture, version, SHA-256 of the .deb.\n'
    sort "$work/pins"
} >"$work/lock"
# Whole, or not at all.
cp "$work/lock" debian.lock.partial
mv debian.lock.partial debian.lock
printf 'pin-debian: %s packages pinned in ci/setup/debian.lock\n' "$(grep -c '' "$work/pins")"
