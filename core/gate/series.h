/* SPDX-License-Identifier: MIT
 * The pairs of one cell, read back from results: figures of both arms and their differences. What the running
 * comparison screens by and what judging decides by are the same lines of code. Internal to gate/. */
#pragma once
#include "gate/ab.h"
#include "results/primary.h"

/* The arms' names in the journal: of cells, and of the A/A control. */
extern const char *const bh_ab_arms[2];
extern const char *const bh_ab_control_arms[2];

typedef struct {
  const char *id[2]; /* borrowed */
  const char *const *arms;
  BhPrimary primary;
} BhAbWhere;

typedef struct {
  GArray *d;                 /* of double: ln(candidate / base), > 0 is worse; in the rounds' order */
  GArray *value[2];          /* of double, parallel to `d` */
  guint attempted;           /* rounds of which both visits are there */
  guint dropped;             /* of them, those without a difference */
  char *problem;             /* why the first of those had none; NULL: none dropped */
  gboolean higher_is_better; /* of the last figure seen */
  const char *unit;          /* the same; the results'. NULL: no figure */
} BhAbSeries;

/* Rounds from <= round < to. */
BhAbSeries *bh_ab_series_new(const BhResults *results, const BhAbWhere *where, guint from, guint to);
void bh_ab_series_free(BhAbSeries *series);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhAbSeries, bh_ab_series_free)
/* Visits in both arms that were not `ok`. */
guint bh_ab_failures(const BhResults *results, const BhAbWhere *where, guint rounds);
