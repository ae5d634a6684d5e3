/* SPDX-License-Identifier: MIT
 * What a line of JSON must keep before json-glib may see it: json-glib recurses without a limit, takes comments, wraps
 * numbers that do not fit and drops repeated keys in silence. Internal to results/. */
#pragma once
#include "base/error.h"

#define BH_STRICT_DEPTH 64

typedef enum { BH_STRICT_OK = 0, BH_STRICT_SYNTAX, BH_STRICT_LIMIT } BhStrict;

/* One value of RFC 8259's grammar, at most BH_STRICT_DEPTH deep, UTF-8 without NUL, numbers that fit. `ret_members`:
 * how many object members it has in all. BH_STRICT_SYNTAX: no JSON (it may be torn); BH_STRICT_LIMIT: JSON that is
 * refused. Errors name the column, from 1, in bytes. */
BhStrict bh_strict_check(const char *text, gsize length, guint64 *ret_members, GError **error);
