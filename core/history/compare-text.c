/* SPDX-License-Identifier: MIT
 * Owns what people read of a comparison: the warning first, then what of the machines differs, then the cells; for a
 * terminal and as Markdown. */
#include "history/compare.h"
#include "history/machine.h"
#include "history/spark.h"
#include "results/display.h"
#include "results/grid.h"
#include "results/view.h"

#include <string.h>

#define PLAIN_WIDTH 100 /* of paragraphs where there is no terminal */
#define MOST_LISTED 20  /* cells without a partner, differences of a kind: a person reads no more; JSON has all */

const char bh_compare_warning[] = "For reading trends, not a gate: stored runs were measured at different times, and "
                                  "on a shared machine a test on them "
                                  "fails 58 to 95 % of unchanged runs. To decide whether something became slower, "
                                  "measure both together: `benchhost ab`.";

typedef struct {
  const BhCompare *compare;
  GString *out;
  guint width; /* 0: no limit */
  gboolean color, ascii, markdown;
  gboolean left_out, within, interval;
} Writer;

/* ---- paragraphs ---- */

static void put_paragraph(Writer *writer, const char *style, const char *text) {
  g_autofree char *clean = bh_display_clean(text, writer->ascii);
  if (writer->markdown) {
    bh_display_escape(writer->out, clean);
    g_string_append_c(writer->out, '\n'); /* else the next one would go on with it */
  } else {
    if (writer->color && style)
      g_string_append(writer->out, style);
    bh_display_wrap(writer->out, clean, 0, writer->width ? writer->width : PLAIN_WIDTH, 2);
    if (writer->color && style)
      g_string_append(writer->out, "\033[0m");
  }
  g_string_append_c(writer->out, '\n');
}

static void put_item(Writer *writer, const char *text) {
  g_autofree char *clean = bh_display_clean(text, writer->ascii);
  g_string_append(writer->out, writer->markdown ? "* " : "  ");
  if (writer->markdown)
    bh_display_escape(writer->out, clean);
  else
    bh_display_wrap(writer->out, clean, 2, writer->width ? writer->width : PLAIN_WIDTH, 4);
  g_string_append_c(writer->out, '\n');
}

static void put_heading(Writer *writer, const char *style, const char *text) {
  g_string_append(writer->out, writer->markdown ? "\n## " : "\n");
  put_paragraph(writer, style, text);
}

/* ---- what differs ---- */

static void put_kind(Writer *writer, const GPtrArray *differences, BhDiffersKind kind, const char *title,
                     const char *style) {
  guint n = 0;
  for (guint i = 0; i < differences->len; i++) {
    const BhDiffers *one = differences->pdata[i];
    if (one->kind != kind)
      continue;
    if (n++ == 0)
      put_heading(writer, style, title);
    g_autofree char *text = g_strdup_printf("%s: %s -> %s", one->name, one->old ? one->old : "(unknown)",
                                            one->now ? one->now : "(unknown)");
    if (n <= MOST_LISTED)
      put_item(writer, text);
  }
  if (n > MOST_LISTED) {
    g_autofree char *more = g_strdup_printf("and %u more (--json has all)", n - MOST_LISTED);
    put_item(writer, more);
  }
}

static void put_differences(Writer *writer) {
  const GPtrArray *runs = writer->compare->runs;
  const char *arrow = "is not where the first run was measured: figures below differ by machine as well";
  for (guint r = 1; r < runs->len; r++) {
    const GPtrArray *differences = writer->compare->differences->pdata[r - 1];
    g_autofree char *name = bh_stored_title(runs->pdata[r]);
    g_autofree char *machine = g_strdup_printf("OTHER MACHINE OR SETUP: %s %s", name, arrow);
    put_kind(writer, differences, BH_DIFFERS_MACHINE, machine, "\033[1;31m");
  }
  for (guint r = 1; r < runs->len; r++) {
    const GPtrArray *differences = writer->compare->differences->pdata[r - 1];
    g_autofree char *name = bh_stored_title(runs->pdata[r]);
    static const struct {
      BhDiffersKind kind;
      const char *title;
    } kinds[] = {{BH_DIFFERS_PROGRAM, "Another benchhost"},
                 {BH_DIFFERS_PLUGIN, "Other builds of plugins"},
                 {BH_DIFFERS_SETTING, "Measured in another way"}};
    for (guint k = 0; k < G_N_ELEMENTS(kinds); k++) {
      g_autofree char *title = g_strdup_printf("%s: %s", kinds[k].title, name);
      put_kind(writer, differences, kinds[k].kind, title, "\033[1m");
    }
  }
}

static void put_runs(Writer *writer) {
  const GPtrArray *runs = writer->compare->runs;
  const BhStored *arm = NULL;
  put_heading(writer, "\033[1m", "Runs");
  for (guint r = 0; r < runs->len; r++) {
    const BhStored *run = runs->pdata[r];
    g_autofree char *title = bh_stored_title(run);
    g_autofree char *text = g_strdup_printf(
        "%u: %s: %s, started %s, %u cells, %u round%s, machine %s%s", r + 1, title,
        *run->matrix ? run->matrix : "(no name)", *run->started ? run->started : "(unknown)", run->cells->len,
        run->rounds, run->rounds == 1 ? "" : "s", run->machine, run->finished ? "" : ", NOT FINISHED");
    put_item(writer, text);
    arm = run->arm ? run : arm;
  }
  if (arm) {
    g_autofree char *text =
        g_strdup_printf("Two arms of one journal were measured together, and are judged as pairs by "
                        "`benchhost ab --from=%s`.",
                        arm->name);
    put_paragraph(writer, NULL, text);
  }
}

/* ---- cells ---- */

static char *ratio_text(Writer *writer, const BhCompareSide *side) {
  if (!side->exists)
    return g_strdup(side->cell && side->cell->status != BH_CELL_OK ? bh_cell_status_name(side->cell->status) : "-");
  g_autofree char *ratio = bh_view_ratio(side->ratio);
  if (!side->has_interval) {
    writer->within |= side->basis == BH_BASIS_SAMPLES;
    return g_strconcat(ratio, side->basis == BH_BASIS_SAMPLES ? "'" : NULL, NULL);
  }
  g_autofree char *low = bh_view_ratio(side->low), *high = bh_view_ratio(side->high);
  writer->interval = TRUE;
  return g_strdup_printf("%s [%s, %s]", ratio, low, high);
}

static const char *reading_style(BhReading reading) {
  return reading == BH_READING_SLOWER || reading == BH_READING_WORSE    ? "\033[31m"
         : reading == BH_READING_FASTER || reading == BH_READING_BETTER ? "\033[32m"
                                                                        : NULL;
}

/* Why there is no ratio between the first run and this one. */
static char *missing_text(const BhCompareCell *cell, const BhCompareSide *side) {
  const BhStoredCell *old = cell->sides[0].cell, *now = side ? side->cell : NULL;
  GString *text = g_string_new("no figure");
  if (old->status != BH_CELL_OK)
    g_string_append_printf(text, "; first: %s: %s", bh_cell_status_name(old->status), old->reason);
  if (now && now->status != BH_CELL_OK)
    g_string_append_printf(text, "; last: %s: %s", bh_cell_status_name(now->status), now->reason);
  if (old->status == BH_CELL_OK && (!now || now->status == BH_CELL_OK))
    g_string_append_printf(text, ": %s", side && side->why ? side->why : "not known");
  return g_string_free(text, FALSE);
}

static char *side_label(const char *label, gboolean second) {
  const char *bar = strstr(label, " | ");
  if (!bar)
    return g_strdup(second ? "-" : label);
  return second ? g_strdup(bar + 3) : g_strndup(label, (gsize)(bar - label));
}

static BhGrid *new_grid(const Writer *writer) {
  const guint n = writer->compare->runs->len;
  BhGrid *grid = bh_grid_new(writer->ascii);
  const char *half = writer->ascii ? "+-" : "±";
  bh_grid_column(grid, "cell", FALSE, 0);
  bh_grid_column(grid, n == 2 ? "old" : "1", TRUE, 0);
  bh_grid_column(grid, half, TRUE, n == 2 ? 2 : 40);
  if (n == 2) {
    bh_grid_column(grid, "new", TRUE, 1);
    bh_grid_column(grid, half, TRUE, 2);
    bh_grid_column(grid, "new/old", FALSE, 0);
  }
  for (guint r = 1; n > 2 && r < n; r++) {
    g_autofree char *name = g_strdup_printf("%u/1", r + 1);
    bh_grid_column(grid, name, FALSE, r + 1 < n ? MAX(2u, 30 - MIN(r, 28u)) : 0);
  }
  if (n > 2)
    bh_grid_column(grid, "trend", FALSE, 1);
  bh_grid_column(grid, "reading", FALSE, 0);
  return grid;
}

static char *trend_text(const Writer *writer, const BhCompareCell *cell) {
  const BhCompare *compare = writer->compare;
  g_autofree double *medians = g_new0(double, compare->runs->len);
  guint n = 0;
  for (guint r = 0; r < compare->runs->len; r++)
    if (r > 0 ? cell->sides[r].exists : cell->sides[r].cell->exists)
      medians[n++] = cell->sides[r].cell->median;
  const char *word = bh_compare_trend(compare, cell);
  g_autofree char *spark = bh_spark(medians, n, n, writer->ascii);
  return g_strdup_printf("%s %s", spark, word ? word : "-");
}

static void add_row(Writer *writer, BhGrid *grid, const BhCompareCell *cell) {
  const BhCompare *compare = writer->compare;
  const BhStoredCell *old = cell->sides[0].cell;
  const BhCompareSide *last = bh_compare_last(compare, cell);
  bh_grid_row(grid);
  bh_grid_take(grid, side_label(cell->cell->label, TRUE));
  gboolean any = FALSE;
  for (guint r = 1; r < compare->runs->len; r++)
    any |= cell->sides[r].exists;
  if (!any) {
    g_autofree char *why = missing_text(cell, last);
    bh_grid_rest(grid, why);
    return;
  }
  bh_grid_take(grid, bh_stored_figure_text(old, old->median));
  bh_grid_take(grid, bh_stored_half_text(old));
  if (compare->runs->len == 2) {
    bh_grid_take(grid, bh_stored_figure_text(last->cell, last->cell->median));
    bh_grid_take(grid, bh_stored_half_text(last->cell));
  }
  for (guint r = 1; r < compare->runs->len; r++)
    bh_grid_take(grid, ratio_text(writer, &cell->sides[r]));
  if (compare->runs->len > 2)
    bh_grid_take(grid, trend_text(writer, cell));
  const BhReading reading = last ? last->reading : BH_READING_NONE;
  bh_grid_take(grid, g_strconcat(bh_reading_name(reading), cell->beyond ? ", beyond the threshold" : NULL, NULL));
  bh_grid_style(grid, reading_style(reading));
}

/* Consecutive cells of one workload and its parameters make a section, as long as they are in the matrix's order. */
static void put_cells(Writer *writer) {
  const GPtrArray *cells = writer->compare->cells;
  for (guint i = 0; i < cells->len;) {
    const BhCompareCell *first = cells->pdata[i];
    g_autofree char *side = side_label(first->cell->label, FALSE);
    g_autofree char *title =
        !strcmp(first->cell->figure, "wall") ? g_strdup(side) : g_strdup_printf("%s (%s)", side, first->cell->figure);
    g_autoptr(BhGrid) grid = new_grid(writer);
    for (; i < cells->len; i++) {
      const BhCompareCell *cell = cells->pdata[i];
      g_autofree char *other = side_label(cell->cell->label, FALSE);
      if (strcmp(other, side) || strcmp(cell->cell->figure, first->cell->figure))
        break;
      add_row(writer, grid, cell);
    }
    put_heading(writer, "\033[1m", title);
    if (writer->markdown)
      bh_grid_markdown(grid, writer->out);
    else
      writer->left_out |= bh_grid_draw(grid, writer->out, writer->width, writer->color);
  }
}

static void put_lonely(Writer *writer, gboolean removed) {
  const GPtrArray *lonely = writer->compare->lonely;
  guint n = 0;
  for (guint i = 0; i < lonely->len; i++) {
    const BhCompareLonely *one = lonely->pdata[i];
    if ((one->run == 0) != removed || ++n > MOST_LISTED)
      continue;
    if (n == 1)
      put_heading(writer, "\033[1m", removed ? "Removed: in the first run only" : "Added: not in the first run");
    g_autoptr(GString) text = g_string_new(one->cell->label);
    if (one->cell->status != BH_CELL_OK)
      g_string_append_printf(text, " (%s)", bh_cell_status_name(one->cell->status));
    for (guint k = 0; k < one->near->len; k++) {
      const BhCompareNear *near = one->near->pdata[k];
      if (near->name)
        g_string_append_printf(text, "%s%s is %s, here %s",
                               k         ? "; "
                               : removed ? ": near an added cell: "
                                         : ": near a removed cell: ",
                               near->name, near->other ? near->other : "not given",
                               near->own ? near->own : "not given");
      else
        g_string_append(text, ": the same parameters are there with another identity (an environment variable?)");
    }
    put_item(writer, text->str);
  }
  if (n > MOST_LISTED) {
    g_autofree char *more = g_strdup_printf("and %u more (--json has all)", n - MOST_LISTED);
    put_item(writer, more);
  }
}

static void put_legend(Writer *writer) {
  const BhCompare *compare = writer->compare;
  g_string_append_c(writer->out, '\n');
  if (writer->interval)
    put_paragraph(writer, NULL,
                  "ratio [low, high]: Hodges-Lehmann shift of the rounds' logarithms, with its 95 % interval (Mann-"
                  "Whitney); it covers the noise within the two runs, not what changed between them");
  if (writer->within)
    put_paragraph(writer, NULL,
                  "': fewer than 6 rounds in one of the two runs, so that nothing is known of the variation between "
                  "processes: the ratio has no interval and is unclear");
  if (writer->left_out)
    put_paragraph(writer, NULL, "Some columns are left out, as the terminal is narrow: `| less -S` shows all.");
  g_autofree char *counts = bh_compare_counts(compare);
  g_autofree char *sentence = g_strconcat(counts, ".", NULL);
  put_paragraph(writer, "\033[1m", sentence);
  if (compare->threshold > 0) {
    g_autofree char *percent = bh_view_percent(compare->threshold);
    g_autofree char *text = g_strdup_printf("%u beyond the threshold of %s.", compare->beyond, percent);
    put_paragraph(writer, compare->beyond ? "\033[1;31m" : NULL, text);
    put_paragraph(writer, "\033[1;33m", bh_compare_warning);
  }
}

static char *write_all(Writer *writer) {
  writer->out = g_string_new(writer->markdown ? "# benchhost compare\n\n> " : NULL);
  put_paragraph(writer, "\033[1;33m", bh_compare_warning);
  put_differences(writer);
  put_runs(writer);
  put_cells(writer);
  put_lonely(writer, TRUE);
  put_lonely(writer, FALSE);
  put_legend(writer);
  return g_string_free(writer->out, FALSE);
}

char *bh_compare_table(const BhCompare *compare, gboolean color, guint width, gboolean ascii) {
  Writer writer = {.compare = compare, .width = width, .color = color, .ascii = ascii};
  return write_all(&writer);
}

char *bh_compare_markdown(const BhCompare *compare) {
  Writer writer = {.compare = compare, .markdown = TRUE};
  return write_all(&writer);
}
