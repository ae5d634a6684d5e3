/* SPDX-License-Identifier: MIT
 * A plain table for a terminal: texts in columns, and the notes that belong under it. Internal to parallel/. */
#pragma once
#include <json-glib/json-glib.h>

typedef struct {
  GPtrArray *rows;  /* of GStrv, the first is the header */
  GPtrArray *notes; /* of char *: each once */
  guint columns, width;
  gboolean ascii;
} BhGrid;

/* `names`: the columns, NULL-terminated; the first is aligned to the left, the others to the right. */
BhGrid *bh_grid_new(const char *const *names, guint width, gboolean ascii);
void bh_grid_free(BhGrid *grid);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhGrid, bh_grid_free)
/* One text per column; takes them. NULL: empty. */
void bh_grid_add(BhGrid *grid, ...) G_GNUC_NULL_TERMINATED;
void bh_grid_note(BhGrid *grid, const char *text); /* `grid` NULL: nowhere */
void bh_grid_draw(const BhGrid *grid, GString *out);

/* A figure of the report: "1.90 [1.85, 1.95]", "-" where there is none; why goes to the notes of `grid`, unless NULL.
 * `format` makes the text of one number. Caller frees. */
typedef char *(*BhNumberText)(double x);
char *bh_grid_figure(BhGrid *grid, JsonObject *parent, const char *key, BhNumberText format);
/* Texts of numbers: 3 digits; as it is (a size); percent; a time in ns. */
char *bh_grid_short(double x);
char *bh_grid_size(double x);
char *bh_grid_percent(double x);
char *bh_grid_time(double ns);
