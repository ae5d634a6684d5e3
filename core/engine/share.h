/* SPDX-License-Identifier: MIT
 * Who gets the next round, and how much time a visit may take: pure functions of what is known of each cell. No clock,
 * no plan, no process.
 *
 * A process is one replicate. More rounds make the median over rounds more certain in proportion to the spread between
 * rounds over the root of their number, so time is best spent where s^2/n falls fastest for a second (Neyman 1934, with
 * unequal costs): after n rounds one more lets it fall by s^2/(n (n + 1)). */
#pragma once
#include <glib.h>

/* An exact 95 % interval over rounds needs as many. */
#define BH_SHARE_DECIDED 6

typedef struct {
  guint rounds, most; /* that every run has; the most there may be, not below `rounds` */
  double precision;   /* relative half width at which there are rounds enough; 0: never */
  guint visits;       /* rounds it had */
  guint n;            /* of these with a value of the primary figure */
  double spread;      /* relative, of one round's value */
  double half;        /* relative half width of the interval over rounds; INFINITY: none */
  double cost_ns;     /* wall time that one more visit is expected to take; 0: unknown */
  gboolean precise;
  gboolean ended; /* a round was not ok: no more than `rounds` */
} BhShareCell;

/* Robust relative spread of values around their median: 1.4826 MAD (for normal values the standard deviation); where
 * half of them are equal, 1.2533 mean absolute deviations. 0 for n < 2 and for a median of 0. */
double bh_share_spread(const double *values, guint n);
/* The interval over rounds of a cell that stops when it is narrow enough: of a confidence of 96.875 %, which is six
 * values' range. Looking at 6, 9, 14, 21, ... rounds and stopping at a precision of 2 %, it covers in 93.9 to 97 % of runs
 * (simulated: normal, exponential and spiky values that spread by 1, 2 and 4 %); one of 95 % would in 91.7 to 95.5 %.
 * FALSE: fewer than 6 values. */
gboolean bh_share_interval(const double *values, guint n, double *ret_low, double *ret_high);
/* Its relative half width, the wider side; INFINITY: there is none, or a median of 0 whose interval is wider. */
double bh_share_half(const double *values, guint n);
/* Whether the rule looks after `n` rounds: at 6 or `rounds`, whichever is more, then each time half as many have come
 * on top. To look after every round would stop on lucky ones. */
gboolean bh_share_looks(guint n, guint rounds);
/* Rounds enough: the rule looks now, and the half width is within `precision` (0: never). */
gboolean bh_share_precise(const double *values, guint n, guint rounds, double precision);

/* Whether it should have more rounds than the mandatory ones, if time allows. */
gboolean bh_share_wants(const BhShareCell *cell);
/* Fall of the relative variance for a second that one more round is expected to bring. */
double bh_share_gain(const BhShareCell *cell);
/* The next pass over cells that have had their mandatory rounds, each at most once. First those that have no interval
 * over rounds yet: as many as can be brought to six rounds in `left_ns` (INFINITY: no budget), those that vary most for
 * their cost before others. When there are none, those whose gain is near the best one's, and whose visit fits into
 * `left_ns`. `ret`: room for n indexes, ascending; returns how many. */
guint bh_share_pass(const BhShareCell *cells, guint n, double left_ns, guint *ret);

typedef struct {
  double need_ns; /* of one visit */
  guint times;
} BhShareNeed;
/* The level that shares `total_ns` among visits: who needs less gets its need, all others the level. INFINITY: it is
 * enough for all. Sorts `needs`. */
double bh_share_level(BhShareNeed *needs, guint n, double total_ns);

/* How many more top-up rounds are expected and how long they take: each cell until its half width, which falls with the
 * root of the rounds, is within its precision. `ret_bound`: for some cell only the most is known. At most `left_ns`
 * (then a bound too). */
double bh_share_outlook(const BhShareCell *cells, guint n, double left_ns, gboolean *ret_bound);
