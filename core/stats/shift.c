/* SPDX-License-Identifier: MIT
 * Owns the comparison of two independent samples: the shift between them, and its interval from the distribution of
 * Mann and Whitney's U. The n m differences are never written down. */
#include "stats/rank.h"
#include "stats/sorted.h"

#include <math.h>

enum { EXACT = 10000, MOST_KEPT = 32 }; /* n * m with the exact distribution; distributions kept at a time */

/* P(U >= u) for u = 0 .. n m without ties, by who holds the greatest value: P(n,m,u) = n/(n+m) P(n-1,m,u-m) + m/(n+m)
 * P(n,m-1,u) (Mann and Whitney 1947), where U counts pairs in which x's value is the greater. Every term is positive.
 * Caller frees. */
static double *whitney_tail(guint n, guint m) {
  const guint width = n * m + 2;
  double *p = g_new0(double, (gsize)(n + 1) * width); /* row i: of i values of x and j of y, for rising j */
  for (guint i = 0; i <= n; i++)
    p[(gsize)i * width] = 1; /* j = 0 */
  for (guint j = 1; j <= m; j++)
    for (guint i = 1; i <= n; i++) {
      double *row = p + (gsize)i * width;
      const double *fewer = row - width, first = (double)i / (i + j), second = (double)j / (i + j);
      for (guint u = i * j + 1; u-- > 0;)
        row[u] = second * row[u] + (u >= j ? first * fewer[u - j] : 0);
    }
  double *tail = g_new(double, width);
  tail[width - 1] = 0;
  for (guint u = width - 1; u-- > 0;)
    tail[u] = tail[u + 1] + p[(gsize)n * width + u];
  g_free(p);
  return tail;
}

/* Made once for each pair of sizes while it is kept; any thread. */
static double exact_tail(guint n, guint m, guint u) {
  static GMutex lock;
  static GHashTable *kept; /* of double[], by n and m in one number */
  const guint few = MIN(n, m), many = MAX(n, m);
  g_mutex_lock(&lock);
  if (!kept)
    kept = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
  const gpointer key = GUINT_TO_POINTER(few * (EXACT + 1) + many);
  double *tail = g_hash_table_lookup(kept, key);
  if (!tail) {
    if (g_hash_table_size(kept) >= MOST_KEPT)
      g_hash_table_remove_all(kept);
    tail = whitney_tail(few, many);
    g_hash_table_insert(kept, key, tail);
  }
  const double p = tail[u];
  g_mutex_unlock(&lock);
  return MIN(p, 1);
}

typedef struct {
  const double *x, *y; /* sorted */
  guint n, m;
} Pairs;

/* How many y[j] - x[i] are at most t. */
static guint64 at_most(double t, gconstpointer data) {
  const Pairs *pairs = data;
  guint64 count = 0;
  guint j = 0; /* rises with x[i] */
  for (guint i = 0; i < pairs->n; i++) {
    while (j < pairs->m && pairs->y[j] - pairs->x[i] <= t)
      j++;
    count += j;
  }
  return count;
}

static double difference_at(const Pairs *pairs, guint64 k) {
  return bh_sorted_bisect(pairs->y[0] - pairs->x[pairs->n - 1], pairs->y[pairs->m - 1] - pairs->x[0], k, at_most,
                          pairs);
}

double bh_stats_shift(const double *x, guint n, const double *y, guint m) {
  g_return_val_if_fail(n > 0 && m > 0, 0);
  g_autofree double *first = bh_sorted_copy(x, n);
  g_autofree double *second = bh_sorted_copy(y, m);
  const Pairs pairs = {.x = first, .y = second, .n = n, .m = m};
  const guint64 all = (guint64)n * m;
  const double middle = difference_at(&pairs, (all + 1) / 2);
  return all % 2 ? middle : 0.5 * middle + 0.5 * difference_at(&pairs, all / 2 + 1);
}

/* Where the lower limit lies among the sorted differences, from 1 and with a fraction; below 1: none. */
static double shift_rank(guint n, guint m, double confidence) {
  const double all = (double)n * m, alpha = 1 - confidence;
  if (!(alpha > 0) || !(alpha < 1) || n == 0 || m == 0)
    return 0;
  if (all > EXACT) {
    const double sd = sqrt(all * (n + m + 1.0) / 12);
    return MAX(all / 2 + 0.5 + bh_sorted_normal_quantile(alpha / 2) * sd, 0);
  }
  guint low = 0, high = (guint)all / 2;
  while (low < high) { /* the largest k with 2 P(U < k) <= alpha; P(U < k) = P(U > all - k) */
    const guint k = low + (high - low + 1) / 2;
    if (2 * exact_tail(n, m, (guint)all - k + 1) <= alpha * (1 + 1e-12))
      low = k;
    else
      high = k - 1;
  }
  if (low == 0)
    return 0;
  const double here = 2 * exact_tail(n, m, (guint)all - low + 1), next = 2 * exact_tail(n, m, (guint)all - low);
  return low + CLAMP((alpha - here) / (next - here), 0, 1);
}

gboolean bh_stats_shift_interval(const double *x, guint n, const double *y, guint m, double confidence, double *ret_low,
                                 double *ret_high) {
  const double rank = shift_rank(n, m, confidence);
  if (rank < 1)
    return FALSE;
  g_autofree double *first = bh_sorted_copy(x, n);
  g_autofree double *second = bh_sorted_copy(y, m);
  const Pairs pairs = {.x = first, .y = second, .n = n, .m = m};
  const guint64 k = (guint64)rank, all = (guint64)n * m;
  const double in = rank - (double)k;
  *ret_low = (1 - in) * difference_at(&pairs, k) + in * difference_at(&pairs, MIN(k + 1, all));
  *ret_high = (1 - in) * difference_at(&pairs, all + 1 - k) + in * difference_at(&pairs, MAX(all - k, 1));
  return TRUE;
}
