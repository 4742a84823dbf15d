#!/bin/sh
# usage: debian-packages.sh debian|rustup OUT
#
# Installs what packages-debian.txt names and this machine lacks, in the versions that debian.lock pins, and writes into
# the file OUT which pinned packages are here in another version: one `name=version` a line. With `rustup` Debian's Rust
# is not wanted. Takes root only where something is to be installed, and says what to run where it has none.
#
# What apt fetched is checked against the pinned SHA-256 before dpkg unpacks any of it (check-debs.sh). Debian keeps one
# version of a package: where it has moved on from the pinned one, that is said, and the new one is installed. A newer
# version that is installed already stays.
set -eu

say() { printf 'setup: %s\n' "$*"; }
die() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

[ $# = 2 ] || die "usage: debian-packages.sh debian|rustup OUT"
rust_from=$1
out=$2
here=$(cd "$(dirname "$0")" && pwd)

# `name pinned-version`, or `name -` for what is not pinned; then `name = installed-version`.
names=$(sed '/^#/d; /^$/d; s/ unpinned$//' "$here/packages-debian.txt")
# With rustup's toolchain Debian's is not wanted.
[ "$rust_from" = debian ] || names=$(printf '%s\n' "$names" | grep -v -e 'rust.*-web' -e '^cargo-web$')
architecture=$(dpkg --print-architecture)
state() {
    # shellcheck disable=SC2086 # a list of names. It fails for the names it does not know.
    dpkg-query -W -f '${Package} ${db:Status-Status} ${Version}\n' $names 2>/dev/null |
        awk -v arch="$architecture" -v names="$names" '
            FILENAME != "-" { if ($2 == arch) pin[$1] = $3; next }
            $2 == "installed" { have[$1] = $3 }
            END {
                count = split(names, name, "\n")
                for (i = 1; i <= count; i++) {
                    n = name[i]
                    print n, (n in pin ? pin[n] : "-"), (n in have ? have[n] : "-")
                }
            }' "$here/debian.lock" -
}

# Pinned and here, but in an older version: brought up to the pin like one that is missing.
install=
while read -r name pin have; do
    [ "$have" != "$pin" ] || [ "$have" = - ] || continue
    if [ "$have" = - ]; then
        install="$install $name,$pin"
    elif [ "$pin" != - ] && dpkg --compare-versions "$have" lt "$pin"; then
        install="$install $name,$pin"
    fi
done <<END
$(state)
END

if [ -n "$install" ]; then
    if [ "$(id -u)" != 0 ]; then
        die "these Debian packages are missing:$(printf '%s' "$install" | sed 's/,[^ ]*//g')
Run this as root, then ./x again:

    sh $here/debian-packages.sh $rust_from /dev/null$([ "$rust_from" = debian ] && printf ' && mkdir -p /usr/lib/rustlib/wasm32-wasip1')
"
    fi
    apt-get update -qq || die "apt-get update failed; what it said is above"
    wanted=$(printf '%s\n' "$install" | tr ' ' '\n' | sed '/^$/d; s/,.*//')
    # shellcheck disable=SC2086 # a list of names
    there=$(apt-cache madison $wanted | awk '{ print $1 "," $3 }')
    arguments=
    for entry in $install; do
        name=${entry%%,*}
        pin=${entry#*,}
        if [ "$pin" = - ]; then
            arguments="$arguments $name"
        elif printf '%s\n' "$there" | grep -qxF "$entry"; then
            arguments="$arguments $name=$pin"
        else
            say "Debian has moved on from $name $pin, which is pinned: taking the version that it has now"
            arguments="$arguments $name"
        fi
    done
    say "installing Debian packages:$arguments"
    # Closed for apt's children: a service that a package starts would keep the lock of the set-up.
    # shellcheck disable=SC2086 # a list of names
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        -o DPkg::Pre-Install-Pkgs::="sh '$here/check-debs.sh'" $arguments >/dev/null 9>&- ||
        die "apt-get could not install them; what it said is above. Debian 12 with its security updates has them all.
On another system install Nix (https://nixos.org/download) and run \`nix develop\`, then ./x again."
fi

others=$(state | awk '$2 != "-" && $3 != $2 { print $1 "=" $3 }')
if [ -n "$others" ]; then
    say "not in the pinned version, so hashes of artefacts are not comparable with the published ones: $(printf '%s' "$others" | tr '\n' ' ')"
fi
printf '%s' "$others" >"$out"
