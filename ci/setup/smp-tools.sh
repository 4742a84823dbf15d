#!/bin/sh
# usage: smp-tools.sh DEST
#
# Installs into DEST the stock tools for images and updates, from PyPI, as requirements.txt beside this script pins them:
#   bin/imgtool                MCUboot's: signs and verifies images
#   bin/smpmgr                 an SMP client: uploads, lists, tests, confirms
# Needs python3 of 3.11 or later with pip; nothing is installed into it. Safe to call again and again: what is there is
# left alone, unless the list or the Python that it was made for has changed. Everything is made beside its place and
# renamed into it when whole, so a killed run leaves nothing that counts as done.
set -eu

say() { printf 'smp-tools: %s\n' "$*"; }
die() {
    printf 'smp-tools: %s\n' "$*" >&2
    exit 1
}

[ $# = 1 ] || die "usage: smp-tools.sh DEST"
requirements=$(cd "$(dirname "$0")" && pwd)/requirements.txt
mkdir -p "$1/bin" "$1/lib"
dest=$(cd "$1" && pwd)
tools=$dest/lib/smp-tools

# Some are compiled for one Python: one that was exchanged since cannot load them, and imgtool says so.
if cmp -s "$requirements" "$tools/requirements.txt" && [ -x "$dest/bin/smpmgr" ] &&
    "$dest/bin/imgtool" version >/dev/null 2>&1; then
    exit 0
fi

# By its own path: what is found as python3 may choose another one in another folder.
python=$(python3 -c 'import sys; print(sys.executable if sys.version_info >= (3, 11) else "")' 2>/dev/null) || python=
[ -n "$python" ] || die "python3 of 3.11 or later is missing: apt-get install python3 python3-pip"
"$python" -m pip --version >/dev/null 2>&1 || die "$python has no pip: apt-get install python3-pip"

say "imgtool and smpmgr from PyPI"
partial=$tools.partial
rm -rf "$partial" "$dest/bin/imgtool" "$dest/bin/smpmgr"
mkdir -p "$partial"
# pip speaks of the root user and of its own updates on stderr: shown only when it fails. Dependencies are in the list.
"$python" -m pip install --quiet --no-input --disable-pip-version-check --no-deps --only-binary=:all: --no-compile \
    --require-hashes --requirement "$requirements" --target "$partial/files" >"$partial/log" 2>&1 || {
    cat "$partial/log" >&2
    die "pip could not install them. requirements.txt has wheels for Python 3.11 to 3.14; this is $("$python" --version)"
}
cp "$requirements" "$partial/files/requirements.txt"
rm -rf "$tools"
mv "$partial/files" "$tools"
rm -rf "$partial"

for tool in imgtool smpmgr; do
    cat >"$dest/bin/$tool.partial" <<END
#!/bin/sh
PYTHONPATH='$tools' exec '$python' -s '$tools/bin/$tool' "\$@"
END
    chmod +x "$dest/bin/$tool.partial"
    mv "$dest/bin/$tool.partial" "$dest/bin/$tool"
done
"$dest/bin/imgtool" version >/dev/null || die "imgtool does not start"
