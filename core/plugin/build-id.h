/* SPDX-License-Identifier: MIT
 * Which build of a file this is. */
#pragma once
#include "base/error.h"

/* The GNU build id in hex ("a1b2..."), or "sha256:..." of the whole file when it has none. Caller frees. */
char *bh_build_id_read(const char *path, GError **error);
