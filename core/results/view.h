/* SPDX-License-Identifier: MIT
 * The final table before it is drawn: sections, columns, rows of finished texts, and the legend that explains every
 * mark in them. The terminal's table and the Markdown export both draw this. Internal to results/. */
#pragma once
#include "results/merge.h"

typedef struct {
  char *name;
  gboolean right; /* aligned to the right: figures */
  guint spare;    /* 0: always shown; else left out when there is too little room, highest first */
} BhViewColumn;

typedef struct {
  const BhMerged *cell;
  char **texts; /* one per column; those after `status` are NULL when the cell has no figures */
  guint n;
  char *reason; /* cleaned; NULL for ok */
} BhViewRow;

typedef struct {
  char *title;
  char *base;         /* "speedup over serial", or why there is none; NULL: one cell only */
  GPtrArray *columns; /* of BhViewColumn */
  guint status_at;    /* the column `status` */
  GPtrArray *rows;    /* of BhViewRow */
} BhViewSection;

typedef struct {
  char *heading;
  GPtrArray *sections; /* of BhViewSection */
  GPtrArray *legend;   /* of char *: one paragraph each */
  GPtrArray *summary;  /* of char * */
} BhView;

BhView *bh_view_new(const BhResults *results, const GPtrArray *cells, gboolean ascii);
void bh_view_free(BhView *view);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhView, bh_view_free)

/* Figures as texts; caller frees. */
char *bh_view_ratio(double ratio);      /* "1.90", "12.3", "0.012" */
char *bh_view_percent(double fraction); /* "0.5%", "<0.1%", "120%" */
