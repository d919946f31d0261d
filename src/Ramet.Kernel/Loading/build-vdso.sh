#!/bin/sh
# Builds the vDSO. Usage: build-vdso.sh [OUTPUT]. Needs binutils; Vdso.version names those that the checked-in Vdso.so was built with.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
output=${1:-$here/Vdso.so}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
as --64 -o "$work/vdso.o" "$here/Vdso.S"
ld -m elf_x86_64 -shared -Bsymbolic -soname linux-vdso.so.1 --hash-style=both --build-id=none --eh-frame-hdr \
    -z max-page-size=4096 -z noseparate-code -z norelro -T "$here/Vdso.lds" -o "$work/vdso.so" "$work/vdso.o"
strip --strip-all "$work/vdso.so"
cp "$work/vdso.so" "$output"
[ $# -gt 0 ] || as --version | head -n 1 >"$here/Vdso.version"
