/* SPDX-License-Identifier: MIT
 * A table of figures for a terminal (results/grid.h), and the notes that belong under it. Internal to parallel/. */
#pragma once
#include <json-glib/json-glib.h>

typedef struct BhSheet BhSheet;
/* `names`: the columns, NULL-terminated; the first is aligned to the left, the others to the right. */
BhSheet *bh_sheet_new(const char *const *names, guint width, gboolean ascii);
void bh_sheet_free(BhSheet *sheet);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhSheet, bh_sheet_free)
/* One text per column; takes them. NULL: blank. */
void bh_sheet_add(BhSheet *sheet, ...) G_GNUC_NULL_TERMINATED;
void bh_sheet_note(BhSheet *sheet, const char *text); /* each once; `sheet` NULL: nowhere */
void bh_sheet_draw(const BhSheet *sheet, GString *out);

/* A figure of the report: "1.90 [1.85, 1.95]", "-" where there is none; why goes to the notes of `sheet`, unless NULL.
 * `format` makes the text of one number. Caller frees. */
typedef char *(*BhNumberText)(double x);
char *bh_sheet_figure(BhSheet *sheet, JsonObject *parent, const char *key, BhNumberText format);
/* Texts of numbers: 3 digits; as it is (a size); percent; a time in ns. */
char *bh_sheet_short(double x);
char *bh_sheet_size(double x);
char *bh_sheet_percent(double x);
char *bh_sheet_time(double ns);
