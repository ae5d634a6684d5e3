/* SPDX-License-Identifier: MIT
 * Owns change points: E-divisive with the energy distance of exponent 1. Sums of distances to a growing left side come
 * from a Fenwick tree over ranks, so that a scan of n values costs n log n. */
#include "stats/series.h"
#include "stats/sorted.h"

#include <benchhost/random.h>
#include <math.h>
#include <string.h>

enum { MIN_SEGMENT = 3 };

typedef struct {
  guint n;
  double *value;  /* of each rank, ascending, scaled to 0 .. 1 */
  guint *rank;    /* of each place in time; ties in time order */
  double *sum;    /* Fenwick: sums of values by rank */
  guint *count;   /* Fenwick: how many */
  double *others; /* of a rank: sum of distances to all in its segment */
  guint64 seed, drawn;
} Series;

typedef struct {
  guint at; /* 0: too short */
  double q;
} Split;

static void tree_add(Series *s, guint rank) {
  for (guint i = rank + 1; i <= s->n; i += i & -i) {
    s->sum[i] += s->value[rank];
    s->count[i]++;
  }
}

/* Sum of distances from `rank` to those in the tree. */
static double tree_distances(const Series *s, guint rank, double all_sum, guint all_count) {
  double sum = 0;
  guint count = 0;
  for (guint i = rank + 1; i > 0; i -= i & -i) {
    sum += s->sum[i];
    count += s->count[i];
  }
  const double x = s->value[rank];
  return x * count - sum + (all_sum - sum) - x * (all_count - count);
}

/* For every rank in from .. to: its distances to all of them. Whichever order they are in, these are the same. Returns
 * the sum over pairs. */
static double segment_distances(Series *s, const guint *rank, guint from, guint to) {
  double sum = 0, all = 0;
  memset(s->sum, 0, (s->n + 1) * sizeof *s->sum);
  memset(s->count, 0, (s->n + 1) * sizeof *s->count);
  for (guint i = from; i < to; i++) {
    tree_add(s, rank[i]);
    sum += s->value[rank[i]];
  }
  for (guint i = from; i < to; i++) {
    s->others[rank[i]] = tree_distances(s, rank[i], sum, to - from);
    all += s->others[rank[i]];
  }
  return all / 2;
}

/* The cut of from .. to with the largest q = n m / (n + m) * (2 mean between - mean within left - mean within right).
 */
static Split best_split(Series *s, const guint *rank, guint from, guint to, double all) {
  Split best = {.q = -INFINITY};
  const guint n = to - from;
  if (n < 2 * MIN_SEGMENT)
    return best;
  memset(s->sum, 0, (s->n + 1) * sizeof *s->sum);
  memset(s->count, 0, (s->n + 1) * sizeof *s->count);
  double sum = 0, left = 0, right = all;
  for (guint i = 0; i + MIN_SEGMENT < n; i++) {
    const guint moved = rank[from + i];
    const double to_left = tree_distances(s, moved, sum, i);
    left += to_left;
    right -= s->others[moved] - to_left;
    tree_add(s, moved);
    sum += s->value[moved];
    if (i + 1 < MIN_SEGMENT)
      continue;
    const double l = i + 1., r = n - l;
    const double energy = 2 * (all - left - right) / (l * r) - left / (l * (l - 1) / 2) - right / (r * (r - 1) / 2);
    const double q = l * r / n * energy;
    if (q > best.q)
      best = (Split){.at = from + i + 1, .q = q};
  }
  return best;
}

/* The best of all segments, which `ends` closes. */
static Split best_of(Series *s, const guint *rank, const GArray *ends) {
  Split best = {.q = -INFINITY};
  guint from = 0;
  for (guint i = 0; i < ends->len; i++) {
    const guint to = g_array_index(ends, guint, i);
    const Split split = best_split(s, rank, from, to, segment_distances(s, rank, from, to));
    if (split.q > best.q)
      best = split;
    from = to;
  }
  return best;
}

static void shuffle(Series *s, guint *rank, const GArray *ends) {
  guint from = 0;
  for (guint i = 0; i < ends->len; i++) {
    const guint to = g_array_index(ends, guint, i);
    for (guint left = to - from; left > 1; left--) {
      const guint other = (guint)(bh_random_unit(s->seed, s->drawn++) * left);
      const guint held = rank[from + left - 1];
      rank[from + left - 1] = rank[from + other];
      rank[from + other] = held;
    }
    from = to;
  }
}

/* How likely so large a q is when order within the segments means nothing. */
static double permutation_p(Series *s, const GArray *ends, double q, guint permutations) {
  g_autofree guint *rank = g_memdup2(s->rank, s->n * sizeof *rank);
  guint reached = 0;
  for (guint i = 0; i < permutations; i++) {
    shuffle(s, rank, ends);
    reached += best_of(s, rank, ends).q >= q * (1 - 1e-12);
  }
  return (reached + 1.) / (permutations + 1.);
}

typedef struct {
  double value;
  guint at;
} Placed;

static int by_place(const void *a, const void *b) {
  const Placed *x = a, *y = b;
  return x->value > y->value ? 1 : x->value < y->value ? -1 : (x->at > y->at) - (x->at < y->at);
}

/* FALSE: all are equal. */
static gboolean series_fill(Series *s, const double *x, guint n, guint64 seed) {
  g_autofree Placed *placed = g_new(Placed, n);
  for (guint i = 0; i < n; i++)
    placed[i] = (Placed){.value = x[i], .at = i};
  qsort(placed, n, sizeof *placed, by_place);
  const long double low = placed[0].value, range = placed[n - 1].value - low;
  if (!(range > 0))
    return FALSE;
  *s = (Series){.n = n, .seed = seed};
  s->value = g_new(double, n);
  s->rank = g_new(guint, n);
  s->sum = g_new(double, n + 1);
  s->count = g_new(guint, n + 1);
  s->others = g_new(double, n);
  for (guint i = 0; i < n; i++) {
    s->value[i] = (double)((placed[i].value - low) / range);
    s->rank[placed[i].at] = i;
  }
  return TRUE;
}

static void series_clear(Series *s) {
  g_free(s->value);
  g_free(s->rank);
  g_free(s->sum);
  g_free(s->count);
  g_free(s->others);
}

static int by_at(const void *a, const void *b) {
  const BhChange *x = a, *y = b;
  return (x->at > y->at) - (x->at < y->at);
}

static int by_end(const void *a, const void *b) {
  const guint x = *(const guint *)a, y = *(const guint *)b;
  return (x > y) - (x < y);
}

guint bh_stats_changes(const double *x, guint n, double alpha, guint permutations, guint64 seed, BhChange *ret,
                       guint most) {
  Series series;
  if (n < 2 * MIN_SEGMENT || !series_fill(&series, x, n, seed))
    return 0;
  g_autoptr(GArray) ends = g_array_new(FALSE, FALSE, sizeof(guint));
  g_array_append_val(ends, n);
  guint found = 0;
  while (found < most) {
    const Split split = best_of(&series, series.rank, ends);
    if (split.at == 0 || !(split.q > 0))
      break;
    const double p = permutation_p(&series, ends, split.q, permutations);
    if (p > alpha)
      break;
    ret[found++] = (BhChange){.at = split.at, .p = p};
    g_array_append_val(ends, split.at);
    g_array_sort(ends, by_end);
  }
  qsort(ret, found, sizeof *ret, by_at);
  series_clear(&series);
  return found;
}
