/* SPDX-License-Identifier: MIT
 * A series of figures as one line of text. Internal to history/. */
#pragma once
#include <glib.h>

/* One character per figure, low to high between the series' own extremes; of more than `most` figures, the medians of
 * `most` groups of neighbours. A series that hardly moves (less than 1 %) stays in the middle. Caller frees. */
char *bh_spark(const double *x, guint n, guint most, gboolean ascii);
