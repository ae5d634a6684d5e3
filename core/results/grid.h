/* SPDX-License-Identifier: MIT
 * A plain table: columns, rows of finished texts, drawn for a terminal (columns that do not fit are left out, the most
 * dispensable first) or as Markdown. Texts are cleaned here, so they may come from journals. */
#pragma once
#include <glib.h>

typedef struct BhGrid BhGrid;
BhGrid *bh_grid_new(gboolean ascii);
void bh_grid_free(BhGrid *grid);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhGrid, bh_grid_free)
/* `right`: figures; `spare`: 0: always shown, else left out when there is too little room, highest first. All columns
 * before the first row. */
void bh_grid_column(BhGrid *grid, const char *name, gboolean right, guint spare);
/* Starts a row; its texts follow, one per column, by bh_grid_put. Columns that get none are blank. */
void bh_grid_row(BhGrid *grid);
void bh_grid_put(BhGrid *grid, const char *text);   /* NULL: blank */
void bh_grid_take(BhGrid *grid, char *text);        /* the same, and frees `text` */
void bh_grid_style(BhGrid *grid, const char *ansi); /* of the text put last: a static escape sequence */
/* The rest of the row as one text, wrapped, over all columns that are left: why there are no figures. */
void bh_grid_rest(BhGrid *grid, const char *text);
guint bh_grid_rows(const BhGrid *grid);
/* `width` 0: no limit. TRUE: some columns were left out. */
gboolean bh_grid_draw(const BhGrid *grid, GString *out, guint width, gboolean color);
void bh_grid_markdown(const BhGrid *grid, GString *out);
