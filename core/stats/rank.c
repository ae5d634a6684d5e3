/* SPDX-License-Identifier: MIT
 * Owns the signed-rank test, the Hodges-Lehmann shift of one sample with its interval, and the correction for many
 * tests. Walsh averages are never written down: the k-th is found by counting, so memory is linear in n. */
#include "stats/rank.h"
#include "stats/sorted.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum {
  EXACT = 1000, /* largest n with the exact null distribution */
  CACHED = 200, /* largest n whose distribution is kept: 160 kB */
  ON_STACK = 128,
};

/* P(W+ >= w) for w = 0 .. steps, W+ the sum of those of `ranks` whose fair coin falls heads. Halving at each step keeps
 * all terms positive and at most 1: relative error below n * 2^-52. Caller frees. */
static double *tail_of(const guint *ranks, guint n, guint64 steps) {
  double *p = g_new0(double, steps + 1);
  guint64 reach = 0;
  p[0] = 1;
  for (guint i = 0; i < n; i++) {
    const guint64 rank = ranks[i];
    for (guint64 w = reach + rank + 1; w-- > 0;) {
      const double without = w <= reach ? p[w] : 0, with = w >= rank ? p[w - rank] : 0;
      p[w] = (without + with) / 2;
    }
    reach += rank;
  }
  for (guint64 w = steps; w-- > 0;)
    p[w] += p[w + 1];
  return p;
}

static double *plain_tail(guint n) {
  g_autofree guint *ranks = g_new(guint, n + 1);
  for (guint i = 0; i < n; i++)
    ranks[i] = i + 1;
  return tail_of(ranks, n, (guint64)n * (n + 1) / 2);
}

/* P(W+ >= w) without ties, for all w; any thread. Kept for ever for n <= CACHED (`ret_own` NULL then), else the
 * caller's to free. */
static const double *null_tail(guint n, double **ret_own) {
  static gpointer kept[CACHED + 1];
  if (n > CACHED)
    return *ret_own = plain_tail(n);
  if (g_once_init_enter(&kept[n]))
    g_once_init_leave(&kept[n], plain_tail(n));
  return kept[n];
}

typedef struct {
  double size;
  gboolean positive;
} Difference;

static int by_size(const void *a, const void *b) {
  const double x = ((const Difference *)a)->size, y = ((const Difference *)b)->size;
  return (x > y) - (x < y);
}

static void sort_differences(Difference *d, guint n) {
  if (n > 64) {
    qsort(d, n, sizeof *d, by_size);
    return;
  }
  for (guint i = 1; i < n; i++) {
    const Difference held = d[i];
    guint j = i;
    for (; j > 0 && d[j - 1].size > held.size; j--)
      d[j] = d[j - 1];
    d[j] = held;
  }
}

/* Twice the mid-rank of each, so that they are whole. Returns twice W+; `ret_cubes`: sum of t^3 - t over groups of t
 * ties. */
static guint64 rank_differences(const Difference *d, guint n, guint *ret_ranks, double *ret_cubes) {
  guint64 sum = 0;
  *ret_cubes = 0;
  for (guint from = 0, to; from < n; from = to) {
    for (to = from + 1; to < n && d[to].size <= d[from].size; to++)
      ;
    const double ties = to - from;
    *ret_cubes += ties * ties * ties - ties;
    for (guint i = from; i < to; i++) {
      ret_ranks[i] = from + 1 + to; /* ranks from+1 .. to; their mean twice */
      sum += d[i].positive ? ret_ranks[i] : 0;
    }
  }
  return sum;
}

/* With ties correction and continuity correction, for n beyond exact reach. */
static double normal_tail(guint n, double w, double cubes) {
  const double mean = (double)n * (n + 1.0) / 4;
  const double variance = (double)n * (n + 1.0) * (2.0 * n + 1) / 24 - cubes / 48;
  return variance > 0 ? 0.5 * erfc((w - mean - 0.5) / sqrt(2 * variance)) : 1;
}

double bh_stats_signed_rank_p(const double *x, guint n, double shift) {
  Difference few[ON_STACK];
  guint few_ranks[ON_STACK];
  g_autofree Difference *many = n > ON_STACK ? g_new(Difference, n) : NULL;
  g_autofree guint *many_ranks = n > ON_STACK ? g_new(guint, n) : NULL;
  Difference *d = many ? many : few;
  guint *ranks = many_ranks ? many_ranks : few_ranks;
  guint left = 0;
  for (guint i = 0; i < n; i++) {
    const double difference = x[i] - shift;
    if (difference != 0)
      d[left++] = (Difference){.size = fabs(difference), .positive = difference > 0};
  }
  if (left == 0)
    return 1;
  sort_differences(d, left);
  double cubes;
  const guint64 twice = rank_differences(d, left, ranks, &cubes);
  g_autofree double *own = NULL;
  if (left > EXACT)
    return normal_tail(left, (double)twice / 2, cubes);
  if (cubes > 0) {
    own = tail_of(ranks, left, (guint64)left * (left + 1));
    return MIN(own[twice], 1);
  }
  const double p = null_tail(left, &own)[twice / 2];
  return MIN(p, 1);
}

typedef struct {
  const double *sorted;
  guint n;
} Walsh;

/* How many of (x[i] + x[j]) / 2, i <= j, are at most t. Halves are added, so that no sum overflows. */
static guint64 walsh_at_most(double t, gconstpointer data) {
  const Walsh *walsh = data;
  const double *x = walsh->sorted;
  guint64 count = 0;
  guint j = walsh->n; /* falls as i rises: x[i] pairs with those below j */
  for (guint i = 0; i < walsh->n; i++) {
    while (j > i && 0.5 * x[i] + 0.5 * x[j - 1] > t)
      j--;
    if (j <= i)
      break;
    count += j - i;
  }
  return count;
}

/* k from 1. */
static double walsh_at(const Walsh *walsh, guint64 k) {
  return bh_sorted_bisect(walsh->sorted[0], walsh->sorted[walsh->n - 1], k, walsh_at_most, walsh);
}

double bh_stats_hodges_lehmann(const double *x, guint n) {
  g_return_val_if_fail(n > 0, 0);
  g_autofree double *sorted = bh_sorted_copy(x, n);
  const Walsh walsh = {.sorted = sorted, .n = n};
  const guint64 all = (guint64)n * (n + 1) / 2;
  const double middle = walsh_at(&walsh, (all + 1) / 2);
  return all % 2 ? middle : 0.5 * middle + 0.5 * walsh_at(&walsh, all / 2 + 1);
}

/* The largest k with 2 P(W+ < k) <= 1 - confidence; 0: none. The k-th smallest and k-th largest Walsh averages are the
 * limits (Hollander, Wolfe, Chicken: Nonparametric Statistical Methods, 3.3). */
static guint64 walsh_rank(guint n, double confidence) {
  const guint64 all = (guint64)n * (n + 1) / 2;
  const double alpha = 1 - confidence;
  if (!(alpha > 0) || n == 0)
    return 0;
  if (n > EXACT) {
    const double sd = sqrt((double)n * (n + 1.0) * (2.0 * n + 1) / 24);
    const double k = floor((double)all / 2 + 0.5 + bh_sorted_normal_quantile(alpha / 2) * sd);
    return k > 0 ? (guint64)k : 0;
  }
  g_autofree double *own = NULL;
  const double *tail = null_tail(n, &own);
  /* P(W+ < k) = P(W+ > all - k) = P(W+ >= all - k + 1). The allowance is for 1 - 0.9 and its like. */
  guint64 low = 0, high = (all + 1) / 2;
  while (low < high) {
    const guint64 k = low + (high - low + 1) / 2;
    if (2 * tail[all - k + 1] <= alpha * (1 + 1e-12))
      low = k;
    else
      high = k - 1;
  }
  return low;
}

gboolean bh_stats_hodges_lehmann_interval(const double *x, guint n, double confidence, double *ret_low,
                                          double *ret_high) {
  const guint64 k = walsh_rank(n, confidence);
  if (k == 0)
    return FALSE;
  g_autofree double *sorted = bh_sorted_copy(x, n);
  const Walsh walsh = {.sorted = sorted, .n = n};
  *ret_low = walsh_at(&walsh, k);
  *ret_high = walsh_at(&walsh, (guint64)n * (n + 1) / 2 + 1 - k);
  return TRUE;
}

typedef struct {
  double p;
  guint at;
} Ordered;

static int by_p(const void *a, const void *b) {
  const Ordered *x = a, *y = b;
  return (x->p > y->p) - (x->p < y->p);
}

void bh_stats_benjamini_hochberg(const double *p, guint n, double *ret) {
  if (n == 0)
    return;
  g_autofree Ordered *order = g_new(Ordered, n);
  for (guint i = 0; i < n; i++)
    order[i] = (Ordered){.p = p[i], .at = i};
  qsort(order, n, sizeof *order, by_p);
  double least = 1;
  for (guint i = n; i-- > 0;) {
    least = MIN(least, order[i].p * n / (i + 1.0));
    ret[order[i].at] = least;
  }
}
