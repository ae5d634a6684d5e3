/* SPDX-License-Identifier: MIT
 * From what a matrix writes for one parameter to the values it takes in turn: single values, lists, ranges,
 * expressions. */
#pragma once
#include "base/value.h"
#include "plan/expr.h"

#define BH_RANGE_MOST 10000u /* values in one range */
#define BH_PLAN_MOST_CELLS 100000u

/* One value that a parameter takes: known at once, or computed for each cell. */
typedef struct {
  BhPosition at;
  BhValue *value;
  BhExpr *expr;
  GHashTable *results; /* expressions: of (char *, BhValue *), what cells made of it */
} BhTerm;

/* What the machine's names stand for. */
typedef struct {
  guint cores;
  guint64 memory_bytes;
} BhMachine;

void bh_term_free(BhTerm *term);
/* At least one. Errors name the place. Result: of BhTerm. */
GPtrArray *bh_sweep_terms(const BhParam *param, const BhNode *node, const BhMachine *machine, GError **error);
/* A parameter's default, which may be an expression; `at`: what needs it. */
BhTerm *bh_sweep_fallback(const BhParam *param, const char *plugin, BhPosition at, GError **error);
/* A computed number as a value of `param`, within its limits. Errors name no place. */
BhValue *bh_sweep_value(const BhParam *param, const BhNumber *number, GError **error);
/* `cores` and `memory`; FALSE for any other name. */
gboolean bh_machine_lookup(const BhMachine *machine, const char *name, BhNumber *ret);
/* The value as a number, when its type is one. */
gboolean bh_sweep_number(const BhValue *value, BhNumber *ret);
