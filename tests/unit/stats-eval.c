/* SPDX-License-Identifier: MIT
 * stats-eval: statistics for another program to check (tests/cli/test_scipy.py). Reads one JSON object a line from
 * stdin, {"f": "signed_rank_p", "x": [...], ...}, prints its figures with all their digits, or "none". Not installed.
 */
#include "stats/rank.h"
#include "stats/series.h"
#include "stats/summary.h"

#include <json-glib/json-glib.h>
#include <stdio.h>
#include <string.h>

typedef struct {
  JsonObject *object;
  double *x, *y;
  guint n, m;
} Query;

static double *numbers(JsonObject *object, const char *key, guint *ret_n) {
  *ret_n = 0;
  if (!json_object_has_member(object, key))
    return NULL;
  JsonArray *array = json_object_get_array_member(object, key);
  *ret_n = json_array_get_length(array);
  double *values = g_new(double, *ret_n);
  for (guint i = 0; i < *ret_n; i++)
    values[i] = json_array_get_double_element(array, i);
  return values;
}

static double number(const Query *query, const char *key, double otherwise) {
  return json_object_get_double_member_with_default(query->object, key, otherwise);
}

static void print(gboolean exists, guint n, const double *figures) {
  if (!exists) {
    puts("none");
    return;
  }
  for (guint i = 0; i < n; i++)
    printf("%s%.17g", i ? " " : "", figures[i]);
  putchar('\n');
}

static void print_one(double figure) {
  print(TRUE, 1, &figure);
}

static void summary(const Query *q) {
  const BhSummary s = bh_stats_summary(q->x, q->n);
  print(TRUE, 6, (double[]){s.median, s.min, s.max, s.mean, s.p95, s.cv});
}

static void series_interval(const Query *q) {
  const BhSummary s = bh_stats_summary_series(q->x, q->n);
  print(s.has_interval, 2, (double[]){s.low, s.high});
}

/* FALSE: it is none of these. */
static gboolean answer_one(const char *f, const Query *q) {
  if (!strcmp(f, "signed_rank_p"))
    print_one(bh_stats_signed_rank_p(q->x, q->n, number(q, "shift", 0)));
  else if (!strcmp(f, "hodges_lehmann"))
    print_one(bh_stats_hodges_lehmann(q->x, q->n));
  else if (!strcmp(f, "shift"))
    print_one(bh_stats_shift(q->x, q->n, q->y, q->m));
  else if (!strcmp(f, "autocorrelation"))
    print_one(bh_stats_autocorrelation(q->x, q->n));
  else if (!strcmp(f, "effective_n"))
    print_one(bh_stats_effective_n(q->x, q->n));
  else if (!strcmp(f, "quantile"))
    print_one(bh_stats_quantile(q->x, q->n, number(q, "q", 0.5)));
  else if (!strcmp(f, "median"))
    print_one(bh_stats_median(q->x, q->n));
  else if (!strcmp(f, "median_rank"))
    print_one(bh_stats_median_rank((guint)number(q, "n", 0), number(q, "confidence", 0.95)));
  else
    return FALSE;
  return TRUE;
}

static gboolean answer_several(const char *f, const Query *q) {
  const double confidence = number(q, "confidence", 0.95);
  double found[3];
  if (!strcmp(f, "summary"))
    summary(q);
  else if (!strcmp(f, "series_interval"))
    series_interval(q);
  else if (!strcmp(f, "median_interval"))
    print(bh_stats_median_interval(q->x, q->n, confidence, &found[0], &found[1]), 2, found);
  else if (!strcmp(f, "hodges_lehmann_interval"))
    print(bh_stats_hodges_lehmann_interval(q->x, q->n, confidence, &found[0], &found[1]), 2, found);
  else if (!strcmp(f, "shift_interval"))
    print(bh_stats_shift_interval(q->x, q->n, q->y, q->m, confidence, &found[0], &found[1]), 2, found);
  else if (!strcmp(f, "ratio_interval"))
    print(bh_stats_ratio_interval(q->x, q->n, q->y, q->m, &found[0], &found[1]), 2, found);
  else if (!strcmp(f, "trend"))
    print(bh_stats_trend(q->x, q->n, confidence, &found[0], &found[1], &found[2]), 3, found);
  else if (!strcmp(f, "benjamini_hochberg")) {
    bh_stats_benjamini_hochberg(q->x, q->n, q->x);
    print(TRUE, q->n, q->x);
  } else
    return FALSE;
  return TRUE;
}

int main(void) {
  g_autofree char *line = NULL;
  size_t room = 0;
  while (getline(&line, &room, stdin) > 0) {
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(GError) error = NULL;
    if (!json_parser_load_from_data(parser, line, -1, &error)) {
      fprintf(stderr, "stats-eval: %s\n", error->message);
      return 64;
    }
    Query query = {.object = json_node_get_object(json_parser_get_root(parser))};
    query.x = numbers(query.object, "x", &query.n);
    query.y = numbers(query.object, "y", &query.m);
    const char *f = json_object_get_string_member(query.object, "f");
    const gboolean known = answer_one(f, &query) || answer_several(f, &query);
    g_free(query.x);
    g_free(query.y);
    if (!known) {
      fprintf(stderr, "stats-eval: no function '%s'\n", f);
      return 64;
    }
  }
  return 0;
}
