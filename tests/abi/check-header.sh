#!/bin/sh
# SPDX-License-Identifier: MIT
# Compiles a file that includes one header and nothing else. Usage: check-header.sh INCLUDE-DIR HEADER COMPILER ARGUMENT...
set -eu
header=$2
shift 2
if [ "$1" = none ]; then
  echo "skipped: no such compiler on this machine"
  exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
case "$*" in
*"-x cu"*) file=$folder/alone.cu ;;
*"-x c++"*) file=$folder/alone.cc ;;
*) file=$folder/alone.c ;;
esac
printf '#include <%s>\n#include <%s>\nint main(void) { return 0; }\n' "$header" "$header" >"$file"
"$@" "$file"
