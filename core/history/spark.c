/* SPDX-License-Identifier: MIT
 * Owns drawing series in text. */
#include "history/spark.h"
#include "stats/summary.h"

#include <math.h>

#define LEVELS 8
#define LEAST_SPAN 0.01 /* of the middle: below, height would only show noise */

char *bh_spark(const double *x, guint n, guint most, gboolean ascii) {
  static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  static const char letters[] = "_.-~=+*#";
  const guint shown = MIN(n, most);
  g_autofree double *points = g_new0(double, shown + 1);
  GString *text = g_string_new(NULL);
  double low = INFINITY, high = -INFINITY;
  for (guint i = 0; i < shown; i++) {
    const guint from = (guint)((guint64)i * n / shown), to = (guint)((guint64)(i + 1) * n / shown);
    points[i] = bh_stats_median(x + from, to - from);
    low = MIN(low, points[i]);
    high = MAX(high, points[i]);
  }
  const gboolean flat = shown == 0 || !(high - low > LEAST_SPAN * fabs(low + (high - low) / 2));
  for (guint i = 0; i < shown; i++) {
    const double share = flat ? 0.5 : (points[i] - low) / (high - low);
    const guint level = MIN((guint)(share * LEVELS), LEVELS - 1u);
    if (ascii)
      g_string_append_c(text, letters[level]);
    else
      g_string_append(text, blocks[level]);
  }
  return g_string_free(text, FALSE);
}
