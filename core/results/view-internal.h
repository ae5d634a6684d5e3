/* SPDX-License-Identifier: MIT
 * Between view.c, view-section.c and view-counters.c. */
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
/* The same cells' counters, CPU time beside them; NULL: none was read. `title`: of the section above. */
BhViewSection *bh_view_counters(const GPtrArray *group, const char *title, BhViewMarks *marks);
/* Which counters were asked for and could not be had, and why. */
void bh_view_counters_legend(const GPtrArray *cells, GPtrArray *legend, gboolean ascii);

/* What says which cell a row is: the columns up to and with `status`. */
typedef struct {
  GPtrArray *options; /* of char *, borrowed from the cells */
  gboolean variants, ids;
} BhViewIdentity;
void bh_view_identity_init(BhViewIdentity *identity, const GPtrArray *group);
void bh_view_identity_clear(BhViewIdentity *identity);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BhViewIdentity, bh_view_identity_clear)
void bh_view_identity_columns(const BhViewIdentity *identity, BhViewSection *section, const BhViewMarks *marks);
void bh_view_identity_texts(const BhViewIdentity *identity, const BhMerged *cell, const BhViewMarks *marks,
                            GPtrArray *texts);
void bh_view_add_column(BhViewSection *section, const char *name, gboolean right, guint spare);
/* Takes the texts out of `texts` (one per column, or up to `status`). */
void bh_view_add_row(BhViewSection *section, const BhMerged *cell, GPtrArray *texts, const BhViewMarks *marks);
char *bh_view_flag_marks(BhViewMarks *marks, const GPtrArray *flags);
