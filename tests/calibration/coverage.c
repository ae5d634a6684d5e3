/* SPDX-License-Identifier: MIT
 * coverage: how often each 95 % interval that benchhost prints holds the truth, on made-up noise, from a seed; and how
 * often single-peaked samples are called bimodal, and level series changed. Prints a table (--json: one object) and
 * exits 1 when a promised bound is broken by more than chance (3.5 standard errors) explains. Rows without a promise
 * are printed with the reason why they have none. */
#include "base/json.h"
#include "engine/share.h"
#include "gate/rule.h"
#include "stats/rank.h"
#include "stats/series.h"
#include "stats/summary.h"
#include "worker/sampler.h"

#include <benchhost/random.h>
#include <math.h>
#include <string.h>

enum { MOST = 256, MOST_SAMPLES = 200, MOST_ROUNDS = 100 };
static const double NOISE = 0.02, SPIKES = 0.03, SPIKE = 0.15; /* sd; share; mean of an exponential, all of logs */

typedef struct {
  guint64 seed, drawn;
  double spare;
  gboolean has_spare;
} Random;

static double unit(Random *random) {
  return bh_random_unit(random->seed, random->drawn++);
}

/* Box and Muller 1958. */
static double normal(Random *random) {
  if (random->has_spare) {
    random->has_spare = FALSE;
    return random->spare;
  }
  const double radius = sqrt(-2 * log(1 - unit(random))), angle = 2 * G_PI * unit(random);
  random->spare = radius * sin(angle);
  random->has_spare = TRUE;
  return radius * cos(angle);
}

static double exponential(Random *random) {
  return -log(1 - unit(random));
}

typedef enum {
  NORMAL = 0,
  LOGNORMAL,
  SPIKY,
  SHAPES,
  UNIFORM = SHAPES, /* of modes only, from here */
  EXPONENTIAL,
  HEAVY,
  WANDERING,
  TICKS,
  ALL_SHAPES,
} Shape;
static const char *const shape_names[ALL_SHAPES] = {
    "normal",       "lognormal", "spiky", "uniform", "exponential", "heavy tails (t, 3 df)", "wandering (phi 0.6)",
    "clock's ticks"};

/* A time around 1, from a standard normal number, which carries a series' memory. */
static double shaped(Random *random, Shape shape, double z) {
  switch (shape) {
  case LOGNORMAL:
    return exp(0.5 * z);
  case SPIKY: { /* always two numbers, so that series of one seed stay alike */
    const double chance = unit(random), length = SPIKE * exponential(random);
    return exp(NOISE * z + (chance < SPIKES ? length : 0));
  }
  default:
    return 1 + NOISE * z;
  }
}

/* Of a standard deviation or its like: precisions are multiples of it. */
static double scale_of(Shape shape) {
  return shape == LOGNORMAL ? 0.5 : NOISE;
}

static double normal_below(double z) {
  return 0.5 * erfc(-z * M_SQRT1_2);
}

/* P(log <= x) of spiky noise: normal, or with an exponential added (exponentially modified normal distribution). */
static double spiky_below(double x) {
  const double rate = NOISE / SPIKE, z = x / NOISE;
  const double longer = normal_below(z) - exp(rate * rate / 2 - rate * z) * normal_below(z - rate);
  return (1 - SPIKES) * normal_below(z) + SPIKES * longer;
}

static double true_median(Shape shape) {
  if (shape != SPIKY)
    return 1;
  double low = -NOISE, high = NOISE;
  for (guint i = 0; i < 100; i++) {
    const double middle = (low + high) / 2;
    if (spiky_below(middle) < 0.5)
      low = middle;
    else
      high = middle;
  }
  return exp(low);
}

/* `phi`: lag-1 autocorrelation of what the noise is made of. */
static void draw(Random *random, Shape shape, double phi, double *x, guint n) {
  double z = normal(random);
  for (guint i = 0; i < n; i++) {
    x[i] = shaped(random, shape, z);
    z = phi * z + sqrt(1 - phi * phi) * normal(random);
  }
}

/* What a row repeats: one made-up measurement. Returns 1: the interval held the truth; 0: it did not; -1: none. */
typedef struct Row Row;
typedef int (*Trial)(Random *random, const Row *row);
struct Row {
  const char *what;
  Trial trial;
  Shape shape;
  guint n, m;
  double phi, precision; /* precision: in units of the noise's sd */
  double least, most;    /* the promise */
  const char *why_none;  /* no promise, because */
  double truth;          /* the noise's median */
};

static int holds(double low, double high, double truth) {
  return low <= truth && truth <= high;
}

static int summary_holds(const BhSummary *s, double truth) {
  return s->has_interval ? holds(s->low, s->high, truth) : -1;
}

static int median_fixed(Random *random, const Row *row) {
  double x[MOST];
  draw(random, row->shape, 0, x, row->n);
  const BhSummary s = bh_stats_summary(x, row->n);
  return summary_holds(&s, row->truth);
}

/* As many rounds as the matrix says. */
static int rounds_fixed(Random *random, const Row *row) {
  double x[MOST], low, high;
  draw(random, row->shape, 0, x, row->n);
  const gboolean exists = bh_stats_median_interval(x, row->n, 0.95, &low, &high);
  return exists ? holds(low, high, row->truth) : -1;
}

/* As many as the budget allowed, though fewer would have done had they been precise. */
static int rounds_budget(Random *random, const Row *row) {
  double x[MOST], low, high;
  draw(random, row->shape, 0, x, row->n);
  const gboolean exists = bh_share_interval(x, row->n, &low, &high);
  return exists ? holds(low, high, row->truth) : -1;
}

static int samples_fixed(Random *random, const Row *row) {
  double x[MOST];
  draw(random, row->shape, row->phi, x, row->n);
  const BhSummary s = bh_stats_summary_series(x, row->n);
  return summary_holds(&s, row->truth);
}

/* As core/engine stops: at 6, 9, 14, 21, ... rounds. */
static int rounds_looked(Random *random, const Row *row) {
  double x[MOST], low, high;
  draw(random, row->shape, 0, x, MOST_ROUNDS);
  guint n = row->n;
  while (n < MOST_ROUNDS && !bh_share_precise(x, n, row->n, row->precision * scale_of(row->shape)))
    n++;
  const gboolean exists = bh_share_interval(x, n, &low, &high);
  return exists ? holds(low, high, row->truth) : -1;
}

/* As core/worker stops: at 10, 15, 23, 35, ... samples. */
static BhSummary looked(Random *random, const Row *row, double *x) {
  draw(random, row->shape, row->phi, x, MOST_SAMPLES);
  guint n = row->n;
  BhSummary s = bh_stats_summary_series(x, n);
  while (n < MOST_SAMPLES && !bh_stats_precise(&s, row->precision * scale_of(row->shape))) {
    n = MIN(bh_sampler_next_look(n, row->n), MOST_SAMPLES);
    s = bh_stats_summary_series(x, n);
  }
  return s;
}

static int samples_looked(Random *random, const Row *row) {
  double x[MOST];
  const BhSummary s = looked(random, row, x);
  return summary_holds(&s, row->truth);
}

static int ratio_looked(Random *random, const Row *row) {
  double x[MOST], y[MOST], low, high;
  const guint n = looked(random, row, x).n, m = looked(random, row, y).n;
  const gboolean exists = bh_stats_ratio_interval(x, n, y, m, &low, &high);
  return exists ? holds(low, high, 1) : -1;
}

static int ratio_apart(Random *random, const Row *row) {
  double x[MOST], y[MOST];
  draw(random, row->shape, 0, x, row->n);
  draw(random, row->shape, 0, y, row->m);
  double low, high;
  const gboolean exists = bh_stats_ratio_interval(x, row->n, y, row->m, &low, &high);
  return exists ? holds(low, high, 1) : -1;
}

/* Both of a round are slower together by what drifts: a random walk of 3 % a round. */
static int ratio_paired(Random *random, const Row *row) {
  double x[MOST], y[MOST], drift = 0;
  draw(random, row->shape, 0, x, row->n);
  draw(random, row->shape, 0, y, row->n);
  for (guint i = 0; i < row->n; i++) {
    drift += 0.03 * normal(random);
    x[i] = 2 * x[i] * exp(drift) / (y[i] * exp(drift));
  }
  double low, high;
  const gboolean exists = bh_stats_median_interval(x, row->n, 0.95, &low, &high);
  return exists ? holds(low, high, 2) : -1;
}

static int hodges_lehmann(Random *random, const Row *row) {
  double x[MOST], y[MOST], low, high;
  draw(random, row->shape, 0, x, row->n);
  draw(random, row->shape, 0, y, row->n);
  for (guint i = 0; i < row->n; i++)
    x[i] = log(y[i]) - log(x[i]) + 0.05;
  const gboolean exists = bh_stats_hodges_lehmann_interval(x, row->n, 0.95, &low, &high);
  return exists ? holds(low, high, 0.05) : -1;
}

/* What `ab` prints beside a cell: the screen's interval, or that of the fresh pairs where the screen made it a suspect.
 * `precision`: the true shift. */
static int printed_change(Random *random, const Row *row) {
  const BhRule rule = bh_rule_default();
  double x[MOST], y[MOST];
  const guint n = rule.screen_rounds + rule.confirm_rounds;
  draw(random, row->shape, 0, x, n);
  draw(random, row->shape, 0, y, n);
  for (guint i = 0; i < n; i++)
    x[i] = log(y[i]) - log(x[i]) + row->precision;
  const BhPairs pairs = {x, rule.screen_rounds, x + rule.screen_rounds, rule.confirm_rounds};
  BhDecision decision;
  bh_rule_decide(&rule, &pairs, 1, &decision);
  return decision.has_interval ? holds(decision.low, decision.high, row->precision) : -1;
}

static int shift(Random *random, const Row *row) {
  double x[MOST], y[MOST], low, high;
  draw(random, row->shape, 0, x, row->n);
  draw(random, row->shape, 0, y, row->m);
  for (guint i = 0; i < row->m; i++)
    y[i] += 0.3;
  const gboolean exists = bh_stats_shift_interval(x, row->n, y, row->m, 0.95, &low, &high);
  return exists ? holds(low, high, 0.3) : -1;
}

static int trend(Random *random, const Row *row) {
  double x[MOST], slope, low, high;
  draw(random, row->shape, 0, x, row->n);
  for (guint i = 0; i < row->n; i++)
    x[i] += 0.01 * i;
  const gboolean exists = bh_stats_trend(x, row->n, 0.95, &slope, &low, &high);
  return exists ? holds(low, high, 0.01) : -1;
}

/* Not intervals: how often more than one mode is found. `precision`: share of the upper cluster; 0: one peak. */
static int several_modes(Random *random, const Row *row) {
  double x[MOST];
  draw(random, row->shape, row->shape == WANDERING ? 0.6 : 0, x, row->n);
  for (guint i = 0; i < row->n; i++) {
    if (row->shape == UNIFORM)
      x[i] = unit(random);
    else if (row->shape == EXPONENTIAL)
      x[i] = exponential(random);
    else if (row->shape == HEAVY) {
      const double a = normal(random), b = normal(random), c = normal(random);
      x[i] = normal(random) / sqrt((a * a + b * b + c * c) / 3);
    } else if (row->shape == TICKS)
      x[i] = floor(50 * x[i]);
    else if (unit(random) < row->precision)
      x[i] += 4 * NOISE;
  }
  return bh_stats_modes(x, row->n) > 1;
}

/* `precision`: a step in the middle, in standard deviations; 0: none. */
static int some_change(Random *random, const Row *row) {
  double x[MOST];
  BhChange found[4];
  draw(random, row->shape, 0, x, row->n);
  for (guint i = row->n / 2; i < row->n; i++)
    x[i] += row->precision * scale_of(row->shape);
  return bh_stats_changes(x, row->n, 0.05, 99, random->seed, found, G_N_ELEMENTS(found)) > 0;
}

static void add(GArray *rows, Row row) {
  if (row.least <= 0 && row.most <= 0) {
    row.least = 0.93;
    row.most = 0.97;
  }
  row.truth = true_median(row.shape);
  g_array_append_val(rows, row);
}

static void add_medians(GArray *rows, Shape shape) {
  const guint sizes[] = {6, 7, 8, 10, 15, 23, 35, 53, 200}, few[] = {6, 7, 8, 10, 15, 30, 60};
  const double precisions[] = {0.3, 0.5, 0.7, 1, 1.4};
  for (guint i = 0; i < G_N_ELEMENTS(sizes); i++)
    add(rows, (Row){"median over rounds", rounds_fixed, shape, sizes[i]});
  for (guint i = 0; i < G_N_ELEMENTS(sizes); i++)
    add(rows, (Row){"median over rounds, budget spent", rounds_budget, shape, sizes[i]});
  for (guint i = 0; i < G_N_ELEMENTS(precisions); i++)
    add(rows, (Row){"median over rounds, looked", rounds_looked, shape, 6, .precision = precisions[i]});
  for (guint i = 0; i < G_N_ELEMENTS(sizes); i++)
    add(rows, (Row){"median of values (metrics, stored runs)", median_fixed, shape, sizes[i]});
  for (guint i = 3; i < G_N_ELEMENTS(sizes); i++)
    add(rows, (Row){"median of samples", samples_fixed, shape, sizes[i]});
  for (guint i = 0; i < G_N_ELEMENTS(precisions); i++)
    add(rows, (Row){"median of samples, looked", samples_looked, shape, 10, .precision = precisions[i]});
  for (guint i = 0; i < G_N_ELEMENTS(few); i++)
    add(rows, (Row){"ratio of two medians", ratio_apart, shape, few[i], few[i]});
  add(rows, (Row){"ratio of two medians", ratio_apart, shape, 10, 53});
  for (guint i = 0; i < G_N_ELEMENTS(precisions); i++)
    add(rows, (Row){"ratio of two medians, looked", ratio_looked, shape, 10, .precision = precisions[i]});
  for (guint i = 0; i < G_N_ELEMENTS(few); i++)
    add(rows, (Row){"ratio over common rounds", ratio_paired, shape, few[i]});
}

static void add_ranks(GArray *rows, Shape shape) {
  const guint pairs[] = {6, 7, 8, 9, 10, 20, 30, 40, 100}, lengths[] = {6, 7, 8, 10, 20, 40, 60, 61, 100};
  const double shifts[] = {0, 0.01, 0.02, 0.03, 0.05, 0.1};
  const guint samples[][2] = {{4, 4}, {5, 5}, {3, 8}, {6, 6}, {10, 10}, {10, 30}, {40, 40}, {105, 105}};
  for (guint i = 0; i < G_N_ELEMENTS(pairs); i++)
    add(rows, (Row){"Hodges-Lehmann shift of pairs", hodges_lehmann, shape, pairs[i]});
  for (guint i = 0; i < G_N_ELEMENTS(shifts); i++)
    add(rows,
        (Row){"change that ab prints (two stages)", printed_change, shape, 10, .precision = shifts[i],
              .why_none = shifts[i] < 0.04 ? "the screen chose by what it estimates: docs/calibration.md" : NULL});
  for (guint i = 0; i < G_N_ELEMENTS(samples); i++)
    add(rows, (Row){"shift between two samples", shift, shape, samples[i][0], samples[i][1]});
  for (guint i = 0; i < G_N_ELEMENTS(lengths); i++)
    add(rows, (Row){"slope of a trend", trend, shape, lengths[i]});
}

static void add_series(GArray *rows, Shape shape) {
  const guint sizes[] = {10, 15, 23, 35, 53, 200};
  const double phis[] = {0.3, 0.6}, precisions[] = {0.5, 1};
  for (guint p = 0; p < G_N_ELEMENTS(phis); p++) {
    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++)
      add(rows,
          (Row){"median of autocorrelated samples", samples_fixed, shape, sizes[i], .phi = phis[p],
                .why_none = phis[p] > 0.5 && sizes[i] < 53 ? "so few samples cannot tell how alike they are" : NULL});
    for (guint i = 0; i < G_N_ELEMENTS(precisions); i++)
      add(rows, (Row){"median of autocorrelated samples, looked", samples_looked, shape, 10, .phi = phis[p],
                      .precision = precisions[i],
                      .why_none = "stops where samples happen to look independent; rounds are the remedy"});
  }
}

static void add_modes(GArray *rows) {
  const guint sizes[] = {12, 20, 50, 200};
  for (guint shape = 0; shape < ALL_SHAPES; shape++)
    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++)
      add(rows, (Row){"called bimodal, one peak", several_modes, shape, sizes[i], .most = 0.05});
  add(rows,
      (Row){"called bimodal, two 4 sd apart", several_modes, NORMAL, 50, .precision = 0.5, .least = 0.8, .most = 1});
  add(rows,
      (Row){"called bimodal, two 4 sd apart", several_modes, NORMAL, 100, .precision = 0.2, .least = 0.8, .most = 1});
  add(rows, (Row){"called bimodal, two 4 sd apart", several_modes, NORMAL, 50, .precision = 0.2,
                  .why_none = "a skewed peak explains ten figures to one side nearly as well"});
  for (guint shape = 0; shape < SHAPES; shape++)
    add(rows, (Row){"called changed, level", some_change, shape, 30, .most = 0.05});
  add(rows, (Row){"called changed, step of 2 sd", some_change, NORMAL, 30, .precision = 2, .least = 0.8, .most = 1});
}

static GArray *all_rows(void) {
  GArray *rows = g_array_new(FALSE, FALSE, sizeof(Row));
  for (guint shape = 0; shape < SHAPES; shape++) {
    add_medians(rows, shape);
    add_series(rows, shape);
    add_ranks(rows, shape);
  }
  add_modes(rows);
  return rows;
}

typedef struct {
  guint trials, hits, none; /* none: no interval; not among the trials */
  double rate, error;       /* its standard error */
  gboolean broken;
} Result;

static Result play(const Row *row, guint trials, guint64 seed) {
  Result result = {0};
  for (guint i = 0; i < trials; i++) {
    Random random = {.seed = bh_random_u64(seed, i)};
    const int hit = row->trial(&random, row);
    result.none += hit < 0;
    result.trials += hit >= 0;
    result.hits += hit > 0;
  }
  const double n = MAX(result.trials, 1);
  result.rate = result.hits / n;
  /* At the bound that it is held against, so that 0 of n has an error too. */
  const double bound = CLAMP(result.rate, row->least > 0 ? row->least : 0, row->most);
  result.error = sqrt(bound * (1 - bound) / n);
  result.broken = !row->why_none && (result.trials == 0 || result.rate < row->least - 3.5 * result.error ||
                                     result.rate > row->most + 3.5 * result.error);
  return result;
}

static char *setting_of(const Row *row) {
  GString *text = g_string_new(NULL);
  g_string_append_printf(text, "n %u", row->n);
  if (row->m)
    g_string_append_printf(text, ", %u", row->m);
  if (row->phi > 0)
    g_string_append_printf(text, ", phi %.1f", row->phi);
  if (row->trial == samples_looked || row->trial == rounds_looked || row->trial == ratio_looked)
    g_string_append_printf(text, " ..., to %.1f sd", row->precision);
  else if (row->trial == printed_change)
    g_string_append_printf(text, ", shift %g %%", 100 * row->precision);
  else if (row->precision > 0 && row->trial == several_modes)
    g_string_append_printf(text, ", %.0f %% above", 100 * row->precision);
  return g_string_free(text, FALSE);
}

static void put_row(JsonBuilder *json, const Row *row, const Result *result) {
  g_autofree char *setting = setting_of(row);
  json_builder_begin_object(json);
  json_builder_set_member_name(json, "what");
  json_builder_add_string_value(json, row->what);
  json_builder_set_member_name(json, "noise");
  json_builder_add_string_value(json, shape_names[row->shape]);
  json_builder_set_member_name(json, "setting");
  json_builder_add_string_value(json, setting);
  json_builder_set_member_name(json, "trials");
  json_builder_add_int_value(json, result->trials);
  json_builder_set_member_name(json, "without");
  json_builder_add_int_value(json, result->none);
  json_builder_set_member_name(json, "rate");
  json_builder_add_double_value(json, result->rate);
  json_builder_set_member_name(json, "promised");
  if (row->why_none) {
    json_builder_add_null_value(json);
  } else {
    json_builder_begin_array(json);
    json_builder_add_double_value(json, row->least);
    json_builder_add_double_value(json, row->most);
    json_builder_end_array(json);
  }
  json_builder_set_member_name(json, "why_none");
  if (row->why_none)
    json_builder_add_string_value(json, row->why_none);
  else
    json_builder_add_null_value(json);
  json_builder_set_member_name(json, "broken");
  json_builder_add_boolean_value(json, result->broken);
  json_builder_end_object(json);
}

static void print_row(const Row *row, const Result *result) {
  g_autofree char *setting = setting_of(row);
  g_print("%-40s %-22s %-24s %6.2f%% %s\n", row->what, shape_names[row->shape], setting, 100 * result->rate,
          result->broken  ? "BROKEN"
          : row->why_none ? row->why_none
                          : "");
}

/* Facts that no simulation is needed for. */
static const char constant_data[] = "Not in the table: figures with ties (a clock's ticks, constant data) are covered "
                                    "more often, up to 100 %, because the\n"
                                    "truth then often is one of the limits.";

int main(int argc, char **argv) {
  gboolean quick = FALSE, as_json = FALSE;
  int trials = 20000;
  gint64 seed = 20240607;
  g_autofree char *only = NULL;
  const GOptionEntry entries[] = {
      {"quick", 0, 0, G_OPTION_ARG_NONE, &quick, "fewer repetitions: a few seconds", NULL},
      {"json", 0, 0, G_OPTION_ARG_NONE, &as_json, "one JSON object", NULL},
      {"trials", 0, 0, G_OPTION_ARG_INT, &trials, "repetitions a row (20000)", "N"},
      {"seed", 0, 0, G_OPTION_ARG_INT64, &seed, "where the noise begins", "N"},
      {"only", 0, 0, G_OPTION_ARG_STRING, &only, "rows whose name has this in it", "TEXT"},
      {NULL},
  };
  g_autoptr(GOptionContext) context = g_option_context_new(NULL);
  g_autoptr(GError) error = NULL;
  g_option_context_add_main_entries(context, entries, NULL);
  if (!g_option_context_parse(context, &argc, &argv, &error) || argc > 1 || trials < 1) {
    g_printerr("coverage: %s\n", error ? error->message : "see --help");
    return 64;
  }
  g_autoptr(GArray) rows = all_rows();
  g_autoptr(JsonBuilder) json = json_builder_new();
  json_builder_begin_object(json);
  json_builder_set_member_name(json, "seed");
  json_builder_add_int_value(json, seed);
  json_builder_set_member_name(json, "rows");
  json_builder_begin_array(json);
  guint broken = 0;
  for (guint i = 0; i < rows->len; i++) {
    const Row *row = &g_array_index(rows, Row, i);
    if (only && !strstr(row->what, only))
      continue;
    const gboolean slow = row->trial == some_change; /* its permutations */
    const guint most = quick ? (slow ? 300 : 600) : slow ? MIN((guint)trials, 4000) : (guint)trials;
    const Result result = play(row, most, bh_random_u64((guint64)seed, i));
    broken += result.broken;
    put_row(json, row, &result);
    if (!as_json)
      print_row(row, &result);
  }
  json_builder_end_array(json);
  json_builder_set_member_name(json, "broken");
  json_builder_add_int_value(json, broken);
  json_builder_end_object(json);
  g_autoptr(JsonNode) root = json_builder_get_root(json);
  g_autofree char *text = bh_json_text(root, TRUE);
  if (as_json)
    g_print("%s", text);
  else
    g_print("\n%s\n%u promises broken\n", constant_data, broken);
  return broken > 0;
}
