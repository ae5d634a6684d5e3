/* SPDX-License-Identifier: MIT
 * The options by which a matrix is changed from the command line, and the way from a file to a plan: the same for `run`
 * and `plan`, so that what `plan` prints is what `run` runs. */
#pragma once
#include "plan/plan.h"

typedef struct {
  char **sets, **params, **filters; /* --set, --param, --filter; NULL: none */
  char *data;                       /* --data; NULL: not given */
  /* What a command adds of its own; borrowed, NULL: nothing. */
  const char *const *fallbacks; /* "max_samples=12": settings of measuring that the matrix does not give */
  const char *const *files;     /* name, path, name, path ...: plugins that come from these files */
} BhMatrixOptions;

typedef struct {
  BhSpec *spec;
  BhCatalog *catalog;
  BhPlan *plan; /* uses both */
} BhMatrix;

/* Adds --set, --param, --filter and --data to the command's own options. `options` must outlive `context`. */
void bh_matrix_options_add(GOptionContext *context, BhMatrixOptions *options);
void bh_matrix_options_clear(BhMatrixOptions *options);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BhMatrixOptions, bh_matrix_options_clear)

/* Reads, checks and expands the matrix at `path`. Notes for people are in the plan. */
BhMatrix *bh_matrix_load(const char *path, const BhMatrixOptions *options, GError **error);
void bh_matrix_free(BhMatrix *matrix);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhMatrix, bh_matrix_free)

/* The plan for people, or as JSON: what `plan` and `run --dry-run` print. Caller frees. */
char *bh_matrix_plan_text(const BhPlan *plan);
char *bh_matrix_plan_json(const BhPlan *plan);
void bh_matrix_print_notes(const BhPlan *plan); /* on stderr */
void bh_matrix_print_budget(const BhPlan *plan); /* a note on stderr when a run's budget cannot be enough */
