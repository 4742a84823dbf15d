#!/bin/sh
# usage: check-debs.sh <list-of-files
#
# Called by apt before dpkg unpacks anything (DPkg::Pre-Install-Pkgs, see setup.sh), with the names of the .deb files on
# stdin: refuses one that has the name, architecture and version of a pin in debian.lock, but other bytes. A version
# that is not pinned is setup.sh's matter, which says so.
set -eu

lock=$(dirname "$0")/debian.lock
architecture=$(dpkg --print-architecture)
while read -r file; do
    case $file in *.deb) ;; *) continue ;; esac
    # The file's own word for it, not its name's. A package for all architectures is pinned under each.
    about=$(dpkg-deb --field "$file" Package Version)
    package=$(printf '%s\n' "$about" | sed -n 's/^Package: //p')
    version=$(printf '%s\n' "$about" | sed -n 's/^Version: //p')
    pin=$(awk -v p="$package" -v a="$architecture" -v v="$version" '$1 == p && $2 == a && $3 == v { print $4 }' "$lock")
    [ -n "$pin" ] || continue
    hash=$(sha256sum <"$file")
    if [ "${hash%% *}" != "$pin" ]; then
        printf 'setup: %s %s is not the file that is pinned (SHA-256 %s, pinned %s): nothing was installed. %s\n' \
            "$package" "$version" "${hash%% *}" "$pin" \
            "Look where your apt sources get it from; if Debian itself changed it, pin again: ./x setup --pin" >&2
        exit 1
    fi
done
