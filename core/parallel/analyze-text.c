/* SPDX-License-Identifier: MIT
 * Owns the report for people: one table for each group, fit, sweep and roofline, drawn from the JSON report. */
#include "parallel/analyze.h"
#include "parallel/sheet.h"
#include "results/display.h"
#include "results/fields.h"
#include "results/merge.h"

#include <string.h>

typedef struct {
  GString *out;
  guint width;
  gboolean ascii;
} Page;

static BhSheet *grid_of(const Page *page, const char *const *names) {
  return bh_sheet_new(names, page->width, page->ascii);
}

static void heading(const Page *page, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void heading(const Page *page, const char *format, ...) {
  va_list args;
  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  g_autofree char *clean = bh_display_clean(text, page->ascii);
  g_string_append_printf(page->out, "\n%s\n", clean);
}

static void paragraph(const Page *page, const char *text) {
  g_autofree char *clean = bh_display_clean(text, page->ascii);
  bh_display_wrap(page->out, clean, 0, page->width ? page->width : 100, 2);
  g_string_append_c(page->out, '\n');
}

typedef void (*DrawOne)(const Page *page, JsonObject *one);

/* Each object of the list, or why it is empty. */
static void each(const Page *page, JsonObject *section, const char *title, const char *key, DrawOne draw) {
  JsonArray *list = bh_fields_array(section, key);
  const char *reason = bh_fields_string(section, "reason");
  for (guint i = 0; list && i < json_array_get_length(list); i++)
    draw(page, json_array_get_object_element(list, i));
  if (reason)
    heading(page, "%s: none (%s)", title, reason);
}

/* ---- speedup ---- */

/* What stands right of the bar of a label: the backend and its options. */
static char *side_of(JsonObject *cell) {
  const char *label = bh_fields_string(cell, "label"), *variant = bh_fields_string(cell, "variant");
  const char *bar = strstr(label, " | "), *side = bar ? bar + 3 : label;
  return strcmp(variant, "portable") ? g_strdup_printf("%s (%s)", side, variant) : g_strdup(side);
}

/* Whether any cell of several workers has this figure. */
static gboolean has_some(JsonArray *cells, const char *kind, const char *key) {
  for (guint i = 0; i < json_array_get_length(cells); i++) {
    JsonObject *cell = json_array_get_object_element(cells, i);
    double own, p = 0;
    bh_fields_number(cell, "p", &p);
    if (p > 1 && bh_fields_number(bh_fields_object(bh_fields_object(cell, kind), key), "value", &own))
      return TRUE;
  }
  return FALSE;
}

/* With one worker nothing is to be explained: its reasons stay out of the notes. */
static void scaling_row(BhSheet *grid, JsonObject *cell, const char *kind, gboolean own) {
  JsonObject *figures = bh_fields_object(cell, kind);
  gint64 p = 0;
  bh_fields_int(cell, "p", &p);
  BhSheet *notes = p > 1 ? grid : NULL;
  bh_sheet_add(grid, side_of(cell), p ? g_strdup_printf("%" G_GINT64_FORMAT, p) : g_strdup("-"),
               bh_sheet_figure(notes, figures, "speedup", bh_sheet_short),
               bh_sheet_figure(notes, figures, "efficiency", bh_sheet_percent),
               bh_sheet_figure(notes, figures, "karp_flatt", bh_sheet_short),
               own ? bh_sheet_figure(notes, figures, "self_speedup", bh_sheet_short) : NULL,
               own ? bh_sheet_figure(notes, figures, "self_efficiency", bh_sheet_percent) : NULL, NULL);
}

static BhSheet *scaling_grid(const Page *page, JsonArray *cells, const char *kind) {
  const gboolean own = has_some(cells, kind, "self_speedup");
  const char *names[] = {kind,         "p", "speedup", "efficiency", "serial fraction", own ? "self-relative" : NULL,
                         "efficiency", NULL};
  BhSheet *grid = grid_of(page, names);
  for (guint i = 0; i < json_array_get_length(cells); i++) {
    JsonObject *cell = json_array_get_object_element(cells, i);
    if (!strcmp(bh_fields_string(cell, "status"), "ok"))
      scaling_row(grid, cell, kind, own);
  }
  return grid;
}

static void scaling_notes(BhSheet *grid, JsonArray *cells) {
  for (guint i = 0; i < json_array_get_length(cells); i++) {
    JsonObject *cell = json_array_get_object_element(cells, i);
    JsonArray *notes = bh_fields_array(cell, "notes");
    g_autofree char *side = side_of(cell);
    for (guint k = 0; k < json_array_get_length(notes); k++) {
      g_autofree char *note = g_strdup_printf("%s: %s", side, json_array_get_string_element(notes, k));
      bh_sheet_note(grid, note);
    }
    if (strcmp(bh_fields_string(cell, "status"), "ok")) {
      g_autofree char *note = g_strdup_printf("%s: %s, so in no ratio", side, bh_fields_string(cell, "status"));
      bh_sheet_note(grid, note);
    }
  }
}

static void draw_group(const Page *page, JsonObject *group) {
  JsonObject *base = bh_fields_object(group, "base");
  JsonArray *cells = bh_fields_array(group, "cells");
  g_autofree char *side = base ? side_of(base) : NULL;
  g_autofree char *over = side ? g_strconcat(" over ", side, NULL) : g_strdup(" (no verified serial cell)");
  heading(page, "Speedup%s: %s", over, bh_fields_string(group, "title"));
  g_autoptr(BhSheet) steady = scaling_grid(page, cells, "steady");
  g_autoptr(BhSheet) total = scaling_grid(page, cells, "total");
  const gboolean both = has_some(cells, "total", "speedup") || has_some(cells, "total", "self_speedup");
  scaling_notes(both ? total : steady, cells);
  bh_sheet_draw(steady, page->out);
  if (both)
    bh_sheet_draw(total, page->out);
}

/* ---- USL ---- */

static void draw_fit(const Page *page, JsonObject *fit) {
  static const char *const names[] = {"", "lambda (runs/s)", "alpha", "beta", "peak N*", "rms residual", NULL};
  g_autoptr(BhSheet) grid = grid_of(page, names);
  JsonArray *counts = bh_fields_array(fit, "workers"), *flags = bh_fields_array(fit, "flags");
  JsonArray *residuals = bh_fields_array(fit, "residuals");
  g_autoptr(GString) text = g_string_new("workers");
  heading(page, "USL: %s on %s", bh_fields_string(fit, "title"), bh_fields_string(fit, "side"));
  bh_sheet_add(grid, g_strdup_printf("%u counts", json_array_get_length(counts)),
               bh_sheet_figure(grid, fit, "lambda", bh_sheet_short),
               bh_sheet_figure(grid, fit, "alpha", bh_sheet_short), bh_sheet_figure(grid, fit, "beta", bh_sheet_short),
               bh_sheet_figure(grid, fit, "peak_workers", bh_sheet_short),
               bh_sheet_figure(grid, fit, "rms_residual", bh_sheet_percent), NULL);
  for (guint i = 0; i < json_array_get_length(residuals); i++) {
    JsonObject *one = json_array_get_object_element(residuals, i);
    g_autofree char *percent = bh_sheet_percent(json_object_get_double_member(one, "relative"));
    g_string_append_printf(text, "%s %" G_GINT64_FORMAT ": %s", i ? "," : "",
                           json_object_get_int_member(one, "workers"), percent);
  }
  if (json_array_get_length(residuals)) {
    g_autofree char *note = g_strdup_printf("residuals (time / fitted time - 1): %s", text->str);
    bh_sheet_note(grid, note);
  }
  for (guint i = 0; i < json_array_get_length(flags); i++)
    bh_sheet_note(grid, json_array_get_string_element(flags, i));
  bh_sheet_draw(grid, page->out);
}

/* ---- METG ---- */

static void draw_metg(const Page *page, JsonObject *sweep) {
  const char *over = bh_fields_string(sweep, "over"), *reason = bh_fields_string(sweep, "reason");
  g_autofree char *grain = g_strdup_printf("%s at 50%%", over);
  const char *names[] = {"", grain, "task at 50%", "smallest", "largest", NULL};
  g_autoptr(BhSheet) grid = grid_of(page, names);
  JsonArray *list = bh_fields_array(sweep, "series");
  heading(page, "METG(50%%): %s over %s%s%s", bh_fields_string(sweep, "title"), over, reason ? ": none: " : "",
          reason ? reason : "");
  if (reason)
    return;
  for (guint i = 0; i < json_array_get_length(list); i++) {
    JsonObject *one = json_array_get_object_element(list, i);
    JsonArray *points = bh_fields_array(one, "points");
    const guint n = json_array_get_length(points);
    bh_sheet_add(grid, g_strdup(bh_fields_string(one, "side")), bh_sheet_figure(grid, one, "grain", bh_sheet_size),
                 bh_sheet_figure(grid, one, "task_ns", bh_sheet_time),
                 n ? bh_sheet_figure(grid, json_array_get_object_element(points, 0), "efficiency", bh_sheet_percent)
                   : g_strdup("-"),
                 n ? bh_sheet_figure(grid, json_array_get_object_element(points, n - 1), "efficiency", bh_sheet_percent)
                   : g_strdup("-"),
                 NULL);
    if (json_object_get_int_member(one, "crossings") > 1) {
      g_autofree char *note =
          g_strdup_printf("%s crosses 50%% more than once: the first is shown", bh_fields_string(one, "side"));
      bh_sheet_note(grid, note);
    }
  }
  g_autofree char *reference = g_strdup_printf(
      "efficiency: %s per second, as a share of the best rate at the largest %s, that of %s",
      bh_fields_string(sweep, "work"), over, bh_fields_string(bh_fields_object(sweep, "reference"), "label"));
  bh_sheet_note(grid, reference);
  bh_sheet_note(grid, "task at 50%: time of one item on one worker at that grain; smallest, largest: efficiency there");
  bh_sheet_draw(grid, page->out);
}

/* ---- crossover ---- */

static char *crossings_text(JsonObject *kind) {
  JsonArray *list = bh_fields_array(kind, "crossings");
  GString *text = g_string_new("several:");
  for (guint i = 0; i < json_array_get_length(list); i++) {
    g_autofree char *one = bh_sheet_size(json_array_get_double_element(list, i));
    g_string_append_printf(text, "%s %s", i ? "," : "", one);
  }
  return g_string_free(text, FALSE);
}

/* "from 120 [110, 130]", "always", ... */
static char *verdict_text(BhSheet *grid, JsonObject *pair, const char *key) {
  JsonObject *kind = bh_fields_object(pair, key);
  const char *verdict = bh_fields_string(kind, "verdict");
  if (!verdict) {
    g_autofree char *note = g_strdup_printf("-: %s", bh_fields_string(kind, "reason"));
    bh_sheet_note(grid, note);
    return g_strdup("-");
  }
  if (!strcmp(verdict, "several"))
    return crossings_text(kind);
  if (strcmp(verdict, "from") && strcmp(verdict, "up-to"))
    return g_strdup(verdict);
  g_autofree char *figure = bh_sheet_figure(grid, kind, "crossing", bh_sheet_size);
  return g_strdup_printf("%s %s", *verdict == 'f' ? "from" : "up to", figure);
}

static char *agreement_text(JsonObject *pair, const char *key) {
  JsonObject *kind = bh_fields_object(pair, key);
  return g_strdup_printf("%" G_GINT64_FORMAT "/%" G_GINT64_FORMAT, json_object_get_int_member(kind, "rounds_agreeing"),
                         json_object_get_int_member(kind, "rounds"));
}

static void draw_crossover(const Page *page, JsonObject *sweep) {
  static const char *const names[] = {"faster than the first", "steady", "rounds", "total", "rounds", NULL};
  g_autoptr(BhSheet) grid = grid_of(page, names);
  const char *reason = bh_fields_string(sweep, "reason"), *last = "";
  JsonArray *pairs = bh_fields_array(sweep, "pairs");
  heading(page, "Crossover: %s over %s%s%s", bh_fields_string(sweep, "title"), bh_fields_string(sweep, "over"),
          reason ? ": none: " : "", reason ? reason : "");
  for (guint i = 0; i < json_array_get_length(pairs); i++) {
    JsonObject *pair = json_array_get_object_element(pairs, i);
    const char *a = bh_fields_string(pair, "a");
    if (strcmp(a, last))
      bh_sheet_add(grid, g_strdup_printf("%s against:", a), NULL, NULL, NULL, NULL, NULL);
    last = a;
    bh_sheet_add(grid, g_strdup_printf("  %s", bh_fields_string(pair, "b")), verdict_text(grid, pair, "steady"),
                 agreement_text(pair, "steady"), verdict_text(grid, pair, "total"), agreement_text(pair, "total"),
                 NULL);
  }
  bh_sheet_note(grid, "rounds: how many give the same verdict by themselves");
  if (!reason)
    bh_sheet_draw(grid, page->out);
}

/* ---- roofline ---- */

static void draw_roofs(const Page *page, JsonArray *roofs) {
  static const char *const names[] = {"roofs (* the highest)", "workers", "rate", "", NULL};
  g_autoptr(BhSheet) grid = grid_of(page, names);
  for (guint i = 0; i < json_array_get_length(roofs); i++) {
    JsonObject *roof = json_array_get_object_element(roofs, i);
    const char *doubt = bh_fields_string(roof, "note");
    g_autofree char *note = doubt ? g_strconcat("! ", doubt, NULL) : NULL;
    if (note)
      bh_sheet_note(grid, note);
    bh_sheet_add(grid,
                 g_strconcat(bh_fields_true(roof, "highest") ? "* " : "  ", bh_fields_string(roof, "kind"), ": ",
                             bh_fields_string(roof, "label"), doubt ? " !" : "", NULL),
                 bh_fields_text(json_object_get_member(roof, "workers")),
                 bh_sheet_figure(grid, roof, "rate", bh_sheet_short), g_strdup(bh_fields_string(roof, "unit")), NULL);
  }
  bh_sheet_draw(grid, page->out);
}

static void draw_machine(const Page *page, JsonArray *machine) {
  static const char *const names[] = {"highest roofs, workers", "GFLOP/s", "GB/s", "balance (flop/byte)", NULL};
  g_autoptr(BhSheet) grid = grid_of(page, names);
  for (guint i = 0; i < json_array_get_length(machine); i++) {
    JsonObject *one = json_array_get_object_element(machine, i);
    bh_sheet_add(grid, bh_fields_text(json_object_get_member(one, "workers")),
                 bh_sheet_figure(grid, one, "gflops", bh_sheet_short),
                 bh_sheet_figure(grid, one, "gb_per_s", bh_sheet_short),
                 bh_sheet_figure(grid, one, "balance", bh_sheet_short), NULL);
  }
  if (json_array_get_length(machine)) {
    g_string_append_c(page->out, '\n');
    bh_sheet_draw(grid, page->out);
  }
}

static void draw_roofline(const Page *page, JsonObject *section) {
  static const char *const names[] = {"cell", "flop/byte", "GFLOP/s", "GB/s", "bound", "of the roof", NULL};
  g_autoptr(BhSheet) grid = grid_of(page, names);
  const char *reason = bh_fields_string(section, "reason");
  JsonArray *roofs = bh_fields_array(section, "roofs"), *cells = bh_fields_array(section, "cells");
  if (json_array_get_length(roofs)) {
    heading(page, "Roofline");
    draw_roofs(page, roofs);
    draw_machine(page, bh_fields_array(section, "machine"));
  } else {
    heading(page, "Roofline: none (%s)", reason);
  }
  for (guint i = 0; i < json_array_get_length(cells); i++) {
    JsonObject *cell = json_array_get_object_element(cells, i);
    const char *bound = bh_fields_string(cell, "bound");
    double intensity = 0;
    const gboolean moves = bh_fields_number(cell, "intensity", &intensity);
    g_autofree char *share = bh_sheet_figure(grid, cell, "share", bh_sheet_percent);
    bh_sheet_add(grid, g_strdup(bh_fields_string(cell, "label")), moves ? bh_sheet_short(intensity) : g_strdup("-"),
                 bh_sheet_figure(grid, cell, "gflops", bh_sheet_short),
                 bh_sheet_figure(grid, cell, "gb_per_s", bh_sheet_short), g_strdup(bound ? bound : "-"),
                 g_strdup_printf("%s%s", share, bh_fields_true(cell, "accounting_error") ? " !" : ""), NULL);
  }
  if (json_array_get_length(cells)) {
    g_string_append_c(page->out, '\n');
    bh_sheet_draw(grid, page->out);
  }
}

static void draw_errors(const Page *page, JsonArray *errors) {
  for (guint i = 0; i < json_array_get_length(errors); i++) {
    g_autofree char *text = g_strdup_printf("ACCOUNTING ERROR: %s", json_array_get_string_element(errors, i));
    g_string_append_c(page->out, '\n');
    paragraph(page, text);
  }
}

char *bh_analyze_text(JsonNode *report, guint width, gboolean ascii) {
  JsonObject *object = json_node_get_object(report);
  const Page page = {g_string_new(NULL), width, ascii};
  const char *name = bh_fields_string(object, "name");
  gint64 rounds = 0, cores = 0;
  bh_fields_int(object, "rounds", &rounds);
  bh_fields_int(object, "cores", &cores);
  g_autofree char *on = cores ? g_strdup_printf(", %" G_GINT64_FORMAT " cores", cores)
                              : g_strdup(", cores not recorded (p is the number of workers)");
  g_autofree char *title = g_strdup_printf(
      "%s: %" G_GINT64_FORMAT " round%s%s; figures are %s", name ? name : "results", rounds, rounds == 1 ? "" : "s", on,
      rounds < BH_MERGE_MIN_ROUNDS ? "of all samples; intervals need 6 rounds" : "medians over rounds [95 % interval]");
  paragraph(&page, title);
  if (bh_fields_object(object, "speedup"))
    each(&page, bh_fields_object(object, "speedup"), "Speedup", "groups", draw_group);
  if (bh_fields_object(object, "usl"))
    each(&page, bh_fields_object(object, "usl"), "USL", "fits", draw_fit);
  if (bh_fields_object(object, "metg"))
    each(&page, bh_fields_object(object, "metg"), "METG(50%)", "sweeps", draw_metg);
  if (bh_fields_object(object, "crossover"))
    each(&page, bh_fields_object(object, "crossover"), "Crossover", "sweeps", draw_crossover);
  if (bh_fields_object(object, "roofline"))
    draw_roofline(&page, bh_fields_object(object, "roofline"));
  draw_errors(&page, bh_fields_array(object, "errors"));
  return g_string_free(page.out, FALSE);
}
