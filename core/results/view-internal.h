/* SPDX-License-Identifier: MIT
 * Between view.c and view-section.c. */
#pragma once
#include "results/view.h"

/* What the legend has to explain, collected while sections are made. */
typedef struct {
  gboolean ascii;
  gboolean rounds, samples; /* intervals of either basis occur */
  gboolean figures, ratios;
  GHashTable *flags;   /* of (char *, mark as GINT) */
  guint unknown;       /* flags without a letter of their own */
  GHashTable *missing; /* set of (static char *): reasons */
  GHashTable *titles;  /* set of (char *) */
} BhViewMarks;

BhViewSection *bh_view_section_new(void);
/* `group`: of BhMerged, one workload with one set of parameters. */
BhViewSection *bh_view_section(const GPtrArray *group, BhViewMarks *marks);
char *bh_view_flag_marks(BhViewMarks *marks, const GPtrArray *flags);
