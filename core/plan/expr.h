/* SPDX-License-Identifier: MIT
 * Dependent values: "cores / 2", "n // workers", "max(1, memory / 4KiB)". Integers are exact and never wrap; `/` gives
 * a whole number when it divides evenly and a real one otherwise; `//` and `%` round down. Times carry their dimension.
 */
#pragma once
#include "spec/spec.h"

typedef struct {
  gboolean exact; /* `i` is the value; else `r` */
  gint64 i;
  double r;
  int time; /* power of time: 1 = a duration in ns, 0 = a plain number or bytes */
} BhNumber;

typedef struct BhExpr BhExpr;
/* Gives a name's value, or an error without a place. */
typedef gboolean (*BhExprLookup)(void *user, const char *name, BhNumber *ret, GError **error);

/* `at`: where `text` begins; errors name the column inside it. */
BhExpr *bh_expr_parse(const char *text, BhPosition at, GError **error);
gboolean bh_expr_eval(const BhExpr *expr, BhExprLookup lookup, void *user, BhNumber *ret, GError **error);
void bh_expr_free(BhExpr *expr);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhExpr, bh_expr_free)
/* Does the text use anything but a number, so that it can only be meant as an expression? */
gboolean bh_expr_looks_like_one(const char *text);
