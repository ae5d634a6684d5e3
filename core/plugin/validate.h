/* SPDX-License-Identifier: MIT
 * Judges a plugin's exported object without calling any of its code: version, sizes, callbacks, names, parameter table.
 */
#pragma once
#include "plugin/loader.h"

#define BH_VALIDATE_MAX_STRUCT 65536 /* bytes: larger sizes are nonsense, not a newer version */
#define BH_VALIDATE_MAX_PARAMS 256

/* Copies what is there into `loaded` (min(theirs, ours), rest zero). `symbol_bytes`: the object's size in the ELF
 * symbol table, 0 when unknown. Messages do not name the file: the caller does. */
gboolean bh_validate_info(const void *object, gsize symbol_bytes, const char *expected_name, BhLoaded *loaded,
                          GError **error);
/* Row `index` of a table, copied and checked. */
BhParam *bh_validate_param(const bh_param *row, guint index, GError **error);
/* The whole table (NULL: none); of BhParam. */
GPtrArray *bh_validate_params(const bh_param *rows, GError **error);
/* Lower-case letters, digits and '-', starting with a letter; at most 64 characters. */
gboolean bh_validate_is_name(const char *name);
