/* SPDX-License-Identifier: MIT
 * Owns matching the cells of stored runs, the ratios between them, and how a ratio reads. */
#include "history/compare.h"
#include "history/machine.h"
#include "history/select.h"
#include "history/near.h"
#include "stats/rank.h"

#include <math.h>
#include <string.h>

const char *bh_reading_name(BhReading reading) {
  static const char *const names[] = {"no figure", "unclear", "faster", "slower", "better", "worse"};
  return names[reading];
}

/* ---- ratios ---- */

/* Logarithms of values that are all above 0; NULL: they are not. Caller frees. */
static double *logarithms(const GArray *values) {
  double *logs = g_new(double, values->len + 1);
  for (guint i = 0; i < values->len; i++) {
    const double value = g_array_index(values, double, i);
    if (!(value > 0)) {
      g_free(logs);
      return NULL;
    }
    logs[i] = log(value);
  }
  return logs;
}

/* Hodges and Lehmann's shift between the logarithms of two samples of rounds, with the interval that inverts Mann and
 * Whitney's test: a ratio, whatever the distribution. */
static void ratio_of_rounds(BhCompareSide *side, const BhStoredCell *old, const BhStoredCell *now) {
  g_autofree double *x = logarithms(old->values), *y = logarithms(now->values);
  side->why = "values of 0 or below have no ratio";
  if (!x || !y)
    return;
  const guint n = old->values->len, m = now->values->len;
  double low, high;
  side->ratio = exp(bh_stats_shift(x, n, y, m));
  side->exists = isfinite(side->ratio) && side->ratio > 0;
  side->why = "values too far apart";
  if (!side->exists || !bh_stats_shift_interval(x, n, y, m, 0.95, &low, &high))
    return;
  side->low = exp(low);
  side->high = exp(high);
  side->has_interval = isfinite(side->high) && side->low > 0;
  side->basis = BH_BASIS_ROUNDS;
  side->why = side->has_interval ? NULL : side->why;
}

/* Processes are the replicates. Too few of them, or iterations within one, give no interval that would mean anything,
 * and no reading. */
static void ratio_of_medians(BhCompareSide *side, const BhStoredCell *old, const BhStoredCell *now) {
  side->why = "values of 0 or below have no ratio";
  if (!(old->median > 0) || !(now->median > 0))
    return;
  side->ratio = now->median / old->median;
  side->exists = isfinite(side->ratio) && side->ratio > 0;
  side->basis = BH_BASIS_SAMPLES;
  side->why = "fewer than 6 rounds in one of the two";
}

static BhReading read_ratio(const BhCompareSide *side) {
  if (!side->exists)
    return BH_READING_NONE;
  if (!side->has_interval || (side->low <= 1 && side->high >= 1))
    return BH_READING_UNCLEAR;
  const BhStoredCell *cell = side->cell;
  const gboolean worse = (side->low > 1) == (cell->better == BH_LOWER);
  if (!strcmp(cell->unit, "ns"))
    return worse ? BH_READING_SLOWER : BH_READING_FASTER;
  return worse ? BH_READING_WORSE : BH_READING_BETTER;
}

static void compare_side(BhCompareSide *side, const BhStoredCell *old) {
  const BhStoredCell *now = side->cell;
  if (!now)
    side->why = "not in this run";
  else if (!old->exists || !now->exists)
    side->why = !old->exists ? old->why : now->why;
  else if (strcmp(old->figure, now->figure) || strcmp(old->unit, now->unit) || old->better != now->better)
    side->why = "another figure or unit: give --primary";
  else if (old->values->len >= BH_MERGE_MIN_ROUNDS && now->values->len >= BH_MERGE_MIN_ROUNDS)
    ratio_of_rounds(side, old, now);
  else
    ratio_of_medians(side, old, now);
  side->reading = read_ratio(side);
}

/* Wholly beyond, on the worse side: at least `threshold` more of a time, or as much less of what should be high. */
static gboolean is_beyond(const BhCompareSide *side, double threshold) {
  if (threshold <= 0 || !side->has_interval)
    return FALSE;
  return side->cell->better == BH_LOWER ? side->low > 1 + threshold : side->high < 1 / (1 + threshold);
}

/* ---- matching ---- */

static void cell_free(gpointer data) {
  BhCompareCell *cell = data;
  g_free(cell->sides);
  g_free(cell);
}

static GHashTable *index_of(const BhStored *run) {
  GHashTable *index = g_hash_table_new(g_str_hash, g_str_equal); /* of (id, BhStoredCell); the run's */
  for (guint i = 0; i < run->cells->len; i++) {
    BhStoredCell *cell = run->cells->pdata[i];
    g_hash_table_insert(index, cell->id, cell);
  }
  return index;
}

/* `indexes`: of GHashTable, one per run. NULL: no other run has it. */
static BhCompareCell *match(const BhCompare *compare, const GPtrArray *indexes, const BhStoredCell *first) {
  BhCompareCell *cell = g_new0(BhCompareCell, 1);
  guint found = 0;
  cell->cell = first;
  cell->sides = g_new0(BhCompareSide, compare->runs->len);
  cell->sides[0].cell = first;
  for (guint r = 1; r < compare->runs->len; r++) {
    cell->sides[r].cell = g_hash_table_lookup(indexes->pdata[r], first->id);
    found += cell->sides[r].cell != NULL;
    compare_side(&cell->sides[r], first);
  }
  if (found)
    return cell;
  cell_free(cell);
  return NULL;
}

static void match_all(BhCompare *compare, GPtrArray *indexes) {
  const BhStored *first = compare->runs->pdata[0];
  g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal); /* set of ids of later runs, once each */
  for (guint i = 0; i < first->cells->len; i++) {
    BhCompareCell *cell = match(compare, indexes, first->cells->pdata[i]);
    if (cell)
      g_ptr_array_add(compare->cells, cell);
    else
      bh_near_add(compare->lonely, first->cells->pdata[i], 0);
  }
  for (guint r = 1; r < compare->runs->len; r++) {
    const BhStored *run = compare->runs->pdata[r];
    for (guint i = 0; i < run->cells->len; i++) {
      const BhStoredCell *cell = run->cells->pdata[i];
      if (!g_hash_table_contains(indexes->pdata[0], cell->id) && g_hash_table_add(seen, cell->id))
        bh_near_add(compare->lonely, cell, r);
    }
  }
  bh_near_find(compare->lonely);
}

/* ---- order ---- */

const BhCompareSide *bh_compare_last(const BhCompare *compare, const BhCompareCell *cell) {
  for (guint r = compare->runs->len - 1; r > 0; r--)
    if (cell->sides[r].cell)
      return &cell->sides[r];
  return NULL;
}

/* How much worse, as a logarithm; without a ratio: last. */
static double badness(const BhCompare *compare, const BhCompareCell *cell) {
  const BhCompareSide *side = bh_compare_last(compare, cell);
  if (!side || !side->exists)
    return -HUGE_VAL;
  return side->cell->better == BH_LOWER ? log(side->ratio) : -log(side->ratio);
}

static gint worst_first(gconstpointer a, gconstpointer b, gpointer user) {
  const double x = badness(user, *(BhCompareCell *const *)a), y = badness(user, *(BhCompareCell *const *)b);
  return (x < y) - (x > y);
}

static gint by_label(gconstpointer a, gconstpointer b) {
  const BhCompareCell *x = *(BhCompareCell *const *)a, *y = *(BhCompareCell *const *)b;
  return strcmp(x->cell->label, y->cell->label);
}

/* ---- the whole ---- */

static gboolean apply_filters(BhCompare *compare, const char *const *filters, GError **error) {
  g_autoptr(BhSelect) select = bh_select_new(filters, error);
  if (!select)
    return FALSE;
  const guint before = compare->cells->len + compare->lonely->len;
  for (guint i = compare->cells->len; i-- > 0;)
    if (!bh_select_matches(select, ((BhCompareCell *)compare->cells->pdata[i])->cell))
      g_ptr_array_remove_index(compare->cells, i);
  for (guint i = compare->lonely->len; i-- > 0;)
    if (!bh_select_matches(select, ((BhCompareLonely *)compare->lonely->pdata[i])->cell))
      g_ptr_array_remove_index(compare->lonely, i);
  if (compare->cells->len + compare->lonely->len == 0) {
    const BhStored *first = compare->runs->pdata[0];
    const BhStoredCell *example = first->cells->pdata[0];
    g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "compare: --filter matches none of %u cells; labels look like '%s'",
                before, example->label);
    return FALSE;
  }
  return TRUE;
}

BhCompare *bh_compare_new(const GPtrArray *runs, const BhCompareOptions *options, GError **error) {
  g_autoptr(BhCompare) compare = g_new0(BhCompare, 1);
  g_autoptr(GPtrArray) indexes = g_ptr_array_new_with_free_func((GDestroyNotify)g_hash_table_unref);
  compare->runs = runs;
  compare->threshold = options->threshold;
  compare->cells = g_ptr_array_new_with_free_func(cell_free);
  compare->lonely = bh_near_list_new();
  compare->differences = g_ptr_array_new_with_free_func((GDestroyNotify)g_ptr_array_unref);
  for (guint r = 0; r < runs->len; r++) {
    g_ptr_array_add(indexes, index_of(runs->pdata[r]));
    if (r > 0)
      g_ptr_array_add(compare->differences, bh_machine_differences(runs->pdata[0], runs->pdata[r]));
  }
  match_all(compare, indexes);
  compare->matched = compare->cells->len;
  compare->unmatched = compare->lonely->len;
  if (!apply_filters(compare, options->filters, error))
    return NULL;
  if (options->sort == BH_SORT_RATIO)
    g_ptr_array_sort_with_data(compare->cells, worst_first, compare);
  else if (options->sort == BH_SORT_LABEL)
    g_ptr_array_sort(compare->cells, by_label);
  for (guint i = 0; i < compare->cells->len; i++) {
    BhCompareCell *cell = compare->cells->pdata[i];
    cell->beyond = is_beyond(&cell->sides[runs->len - 1], compare->threshold);
    compare->beyond += cell->beyond;
  }
  return g_steal_pointer(&compare);
}

void bh_compare_free(BhCompare *compare) {
  if (!compare)
    return;
  g_clear_pointer(&compare->cells, g_ptr_array_unref);
  g_clear_pointer(&compare->lonely, g_ptr_array_unref);
  g_clear_pointer(&compare->differences, g_ptr_array_unref);
  g_free(compare);
}

const char *bh_compare_trend(const BhCompare *compare, const BhCompareCell *cell) {
  double last = 0;
  guint n = 0, up = 0, down = 0;
  for (guint r = 0; r < compare->runs->len; r++) {
    const BhCompareSide *side = &cell->sides[r];
    if (r > 0 ? !side->exists : !side->cell->exists)
      continue;
    up += n > 0 && side->cell->median > last;
    down += n > 0 && side->cell->median < last;
    last = side->cell->median;
    n++;
  }
  if (n < 3)
    return NULL;
  return up == n - 1 ? "rising" : down == n - 1 ? "falling" : "mixed";
}

char *bh_compare_counts(const BhCompare *compare) {
  guint counts[BH_READING_WORSE + 1] = {0}, removed = 0;
  static const BhReading order[] = {BH_READING_SLOWER, BH_READING_WORSE,   BH_READING_FASTER,
                                    BH_READING_BETTER, BH_READING_UNCLEAR, BH_READING_NONE};
  for (guint i = 0; i < compare->cells->len; i++) {
    const BhCompareSide *side = bh_compare_last(compare, compare->cells->pdata[i]);
    counts[side ? side->reading : BH_READING_NONE]++;
  }
  for (guint i = 0; i < compare->lonely->len; i++)
    removed += ((const BhCompareLonely *)compare->lonely->pdata[i])->run == 0;
  GString *text = g_string_new(NULL);
  g_string_append_printf(text, "%u cell%s matched", compare->cells->len, compare->cells->len == 1 ? "" : "s");
  for (guint i = 0, any = 0; i < G_N_ELEMENTS(order); i++)
    if (counts[order[i]])
      g_string_append_printf(text, "%s%u %s", any++ ? ", " : ": ", counts[order[i]], bh_reading_name(order[i]));
  g_string_append_printf(text, "; %u removed, %u added", removed, compare->lonely->len - removed);
  return g_string_free(text, FALSE);
}
