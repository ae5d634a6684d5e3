/* SPDX-License-Identifier: MIT
 * How other tools and habits decide that a candidate is slower, on the same samples. None of them is given less than
 * its authors give it: each sees every round of both arms. */
#pragma once
#include <glib.h>

typedef enum {
  PEER_MEAN = 0, /* mean more than 5 % above: the common threshold in CI */
  PEER_MIN,      /* smallest sample more than 5 % above */
  PEER_WELCH,    /* Welch's t, one-sided p < .05 */
  PEER_U,        /* google-benchmark's tools/compare.py: two-sided U test p < .05, here only where slower */
  PEER_SD,       /* hyperfine's "mean +- sd": the two do not overlap */
  PEER_RATIO,    /* hyperfine's summary, "1.05 +- 0.03 times faster": the ratio less its error is above 1 */
  PEER_N
} Peer;

extern const char *const peer_names[PEER_N];
/* `base`, `candidate`: times, n >= 2 each. */
gboolean peer_flags(Peer peer, const double *base, const double *candidate, guint n);
