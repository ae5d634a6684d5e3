/* SPDX-License-Identifier: MIT
 * The expanded matrix: every cell with typed values, and the seeded order in which rounds visit them. */
#pragma once
#include "plugin/catalog.h"
#include "spec/spec.h"

typedef struct {
  char
      *id; /* 12 hex digits of SHA-256 over workload, canonical params, backend, options, variant: stable across runs */
  char *label; /* "prime n=1000 cost=equal | pthread workers=2": what was swept or given, for people */
  const BhPlugin *workload, *backend; /* the catalog's */
  GPtrArray *params;                  /* of BhValue, in the workload's table order */
  GPtrArray *options;                 /* of BhValue, in the backend's table order */
  char *variant;                      /* "portable" unless the matrix says otherwise */
  GHashTable *env; /* of (char *, char *): environment variables for this cell's process; may be empty */
  BhMeasure measure;
  gboolean baseline; /* the matrix's `baseline` matches this cell */
} BhCell;
void bh_cell_free(BhCell *cell);

typedef struct {
  char *name;        /* the matrix's name */
  char *matrix_text; /* as read, for the journal */
  char *matrix_path;
  guint64 seed;
  BhMeasure measure; /* suite-wide */
  char *data_dir;    /* absolute, or NULL */
  GPtrArray *cells;  /* of BhCell, in matrix order */
  BhCatalog *catalog;
  gboolean strict;  /* skipped cells count as failures */
  GPtrArray *notes; /* of char *: what a person should know, like duplicates that were dropped; may be empty */
  GPtrArray *owned; /* plan.c's own: keeps alive what cells point to. Values are shared between cells. */
} BhPlan;

typedef struct {
  const char *const *filters; /* --filter: globs over labels, or KEY=VALUE pairs; NULL: all */
  const char *const *params;  /* --param: "workload.n=1000" or "n=1000": replaces a value everywhere it is declared */
  guint cores;                /* what `cores` means in expressions */
  guint64 memory_bytes;       /* what `memory` means */
} BhPlanOptions;

/* Takes no ownership of `spec` and `catalog`; both must outlive the plan. Errors carry file:line:column. */
BhPlan *bh_plan_new(const BhSpec *spec, BhCatalog *catalog, const BhPlanOptions *options, GError **error);
void bh_plan_free(BhPlan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhPlan, bh_plan_free)

/* Permutation of 0..cells-1 for one round, from the seed; caller frees. A cell with fewer rounds is left out of later
 * ones. `ret_n`: how many. */
guint *bh_plan_order(const BhPlan *plan, guint round, guint *ret_n);
/* Shuffles `order` in place; the same seed, stream and order give the same. */
void bh_plan_shuffle(guint64 seed, guint64 stream, guint *order, guint n);
guint bh_plan_rounds(const BhPlan *plan); /* the most that any cell has */
