/* SPDX-License-Identifier: MIT
 * Small files of the kernel, below a prefix: "" is this machine, a folder is a made-up one for tests. */
#pragma once
#include <glib.h>

/* What the environment variable BENCHHOST_TEST_ROOT says, else "". For tests of the whole program: files of /proc,
 * /sys and /etc are then read below that folder. Whatever is recorded then says so (field `made_up`), and compares with
 * no real run. */
const char *bh_files_root(void);
/* Without blanks at its end; NULL: not readable. `path` begins with '/'. Caller frees. */
char *bh_files_read(const char *root, const char *path);
/* As printf makes the path. */
char *bh_files_readf(const char *root, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* The first whole number in the file; FALSE: none. */
gboolean bh_files_int(const char *root, const char *path, gint64 *ret);
/* Value of the first "key : value" line of `text` (may be NULL); NULL: none. Caller frees. */
char *bh_files_value(const char *text, const char *key);
/* "0-2,5" as numbers; of int. Never NULL; stops at what is no list. Caller unrefs. */
GArray *bh_files_cpu_list(const char *text);
