/* SPDX-License-Identifier: MIT
 * Which build of a file this is, and who built it. */
#pragma once
#include "base/error.h"

/* The GNU build id in hex ("a1b2..."), or "sha256:..." of the whole file when it has none. Caller frees. */
char *bh_build_id_read(const char *path, GError **error);
/* What compilers left in the file's .comment section, each once: "GCC: (Debian 12.2.0-14) 12.2.0; ..."; with gcc's
 * -frecord-gcc-switches also the flags. NULL: it says nothing. Caller frees. */
char *bh_build_id_compiler(const char *path);
