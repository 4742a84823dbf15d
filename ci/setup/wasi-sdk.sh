#!/bin/sh
# usage: wasi-sdk.sh DEST
#
# Lays out DEST like an unpacked wasi-sdk (bin/clang, share/wasi-sysroot) from the Debian packages that
# packages-debian.txt names: clang-22, lld-22, llvm-22, libclang-rt-22-dev-wasm32 and wasi-libc. Only links and one
# wrapper are written, so it takes no time and can be called again and again.
#
# It is a stand-in for machines where the real thing cannot be downloaded. What differs from wasi-sdk 33:
#   - the compiler is Debian's clang 22, not the one wasi-sdk builds;
#   - wasi-libc is Debian's of May 2022: preview 1 only, no threads, no sockets, no setjmp, no dlopen;
#   - there is no libc++: C, not C++;
#   - bin/clang is a wrapper that sets the target and the sysroot, which wasi-sdk's own clang has built in.
# A guest that uses no libc, as those in guests/ do, sees no difference. Who has the real wasi-sdk sets WASI_SDK_PATH
# to it, and this script is not called.
set -eu

die() {
    printf 'wasi-sdk: %s\n' "$*" >&2
    exit 1
}

[ $# = 1 ] || die "usage: wasi-sdk.sh DEST"
llvm=/usr/lib/llvm-22/bin
headers=/usr/include/wasm32-wasi
libraries=/usr/lib/wasm32-wasi # the same package
[ -x "$llvm/clang" ] || die "clang 22 is missing: apt-get install clang-22"
[ -x "$llvm/wasm-ld" ] || die "wasm-ld 22 is missing: apt-get install lld-22"
[ -x "$llvm/llvm-objcopy" ] || die "the LLVM 22 tools are missing: apt-get install llvm-22"
[ -f "$("$llvm/clang" -print-resource-dir)/lib/wasi/libclang_rt.builtins-wasm32.a" ] ||
    die "compiler-rt for wasm32 is missing: apt-get install libclang-rt-22-dev-wasm32"
[ -d "$headers" ] || die "the C library is missing: apt-get install wasi-libc"

mkdir -p "$1"
dest=$(cd "$1" && pwd)
sysroot=$dest/share/wasi-sysroot
mkdir -p "$dest/bin" "$sysroot/include" "$sysroot/lib"

for tool in llvm-addr2line llvm-ar llvm-cxxfilt llvm-dwarfdump llvm-nm llvm-objcopy llvm-objdump llvm-ranlib \
    llvm-readobj llvm-size llvm-strings llvm-strip llvm-symbolizer wasm-ld; do
    ln -sfn "$llvm/$tool" "$dest/bin/$tool"
done
ln -sfn llvm-ar "$dest/bin/ar"
ln -sfn llvm-nm "$dest/bin/nm"
ln -sfn llvm-objcopy "$dest/bin/objcopy"
ln -sfn llvm-ranlib "$dest/bin/ranlib"
ln -sfn llvm-strip "$dest/bin/strip"

# Debian knows the target by its old name only. Without the new one beside it, clang would quietly take the
# computer's own headers.
for triple in wasm32-wasi wasm32-wasip1; do
    ln -sfn "$headers" "$sysroot/include/$triple"
    ln -sfn "$libraries" "$sysroot/lib/$triple"
done

# Last and renamed into place: a killed run leaves no compiler that counts as set up. The target comes first, so that
# a --target of the caller wins.
cat >"$dest/bin/clang.partial" <<EOF
#!/bin/sh
exec "$llvm/clang" --target=wasm32-wasip1 --sysroot="$sysroot" "\$@"
EOF
chmod +x "$dest/bin/clang.partial"
mv "$dest/bin/clang.partial" "$dest/bin/clang"
ln -sfn clang "$dest/bin/wasm32-wasip1-clang"
