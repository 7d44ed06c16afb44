#!/usr/bin/env bash
# Installs the C API: header, static and shared library, pkg-config file.
#   cargo build --release -p hoga-capi && tools/capi/install.sh [--prefix /usr/local] [--from target/release]
# Cargo's names are libhoga_capi.*, since libhoga.* is the Rust library's; installed they are libhoga.*.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
prefix=/usr/local from="$here/../../target/release"
while [ $# -gt 0 ]; do
  case "$1" in
    --prefix) prefix="$2"; shift 2 ;;
    --from) from="$2"; shift 2 ;;
    *) echo "usage: install.sh [--prefix DIR] [--from DIR]" >&2; exit 2 ;;
  esac
done
for file in libhoga_capi.a libhoga_capi.so; do
  [ -f "$from/$file" ] || { echo "$from/$file is missing: cargo build --release -p hoga-capi" >&2; exit 1; }
done
number="$(sed -n 's/^#define HOGA_VERSION \([0-9]*\)u$/\1/p' "$here/include/hoga.h")"
version="$((number / 1000000)).$((number / 1000 % 1000)).$((number % 1000))"
install -d "$prefix/include" "$prefix/lib/pkgconfig"
install -m 644 "$here/include/hoga.h" "$prefix/include/hoga.h"
install -m 644 "$from/libhoga_capi.a" "$prefix/lib/libhoga.a"
install -m 755 "$from/libhoga_capi.so" "$prefix/lib/libhoga.so.$version"
# The name in the shared library, see build.rs.
ln -sf "libhoga.so.$version" "$prefix/lib/libhoga.so.0"
ln -sf libhoga.so.0 "$prefix/lib/libhoga.so"
cat > "$prefix/lib/pkgconfig/hoga.pc" <<PC
prefix=$prefix
libdir=\${prefix}/lib
includedir=\${prefix}/include
static_libs=-lgcc_s -lutil -lrt -lpthread -lm -ldl -lc

Name: hoga
Description: Reads the journal of the Korean stock market
Version: $version
Cflags: -I\${includedir}
Libs: -L\${libdir} -lhoga
Libs.private: \${static_libs}
PC
