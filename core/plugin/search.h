/* SPDX-License-Identifier: MIT
 * Where plugins are looked for, and which program a child process runs. */
#pragma once
#include <glib.h>

/* This program's own file: what children execute. BENCHHOST_SELF replaces it (unit tests, valgrind). Caller frees. */
char *bh_search_self(void);
/* Absolute folders in search order: BENCHHOST_PLUGIN_PATH's, the build tree's, the installed one's. */
char **bh_search_folders(void);
/* Is `folder` one that is searched without the user having named it? */
gboolean bh_search_is_default(const char *folder);
/* NAME.so on the search path, or NULL. A text with a '/' is a path already and comes back absolute. Caller frees. */
char *bh_search_find(const char *name_or_path);
/* A file that is installed beside the plugins (a matrix): in the folders of the search path, then in the folder of
 * shared data. NULL: nowhere. Caller frees. */
char *bh_search_data(const char *file);
/* Names of all NAME.so on the search path, sorted, each once. Caller frees with g_strfreev. */
char **bh_search_names(void);
