/* SPDX-License-Identifier: MIT
 * A plain table for a terminal: texts in columns, and the notes that belong under it. Internal to parallel/. */
#pragma once
#include <json-glib/json-glib.h>

typedef struct {
  GPtrArray *rows;  /* of GStrv, the first is the header */
  GPtrArray *notes; /* of char *: each once */
  guint columns, width;
  gboolean ascii;
} BhSheet;

/* `names`: the columns, NULL-terminated; the first is aligned to the left, the others to the right. */
BhSheet *bh_sheet_new(const char *const *names, guint width, gboolean ascii);
void bh_sheet_free(BhSheet *grid);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhSheet, bh_sheet_free)
/* One text per column; takes them. NULL: empty. */
void bh_sheet_add(BhSheet *grid, ...) G_GNUC_NULL_TERMINATED;
void bh_sheet_note(BhSheet *grid, const char *text); /* `grid` NULL: nowhere */
void bh_sheet_draw(const BhSheet *grid, GString *out);

/* A figure of the report: "1.90 [1.85, 1.95]", "-" where there is none; why goes to the notes of `grid`, unless NULL.
 * `format` makes the text of one number. Caller frees. */
typedef char *(*BhNumberText)(double x);
char *bh_sheet_figure(BhSheet *grid, JsonObject *parent, const char *key, BhNumberText format);
/* Texts of numbers: 3 digits; as it is (a size); percent; a time in ns. */
char *bh_sheet_short(double x);
char *bh_sheet_size(double x);
char *bh_sheet_percent(double x);
char *bh_sheet_time(double ns);
