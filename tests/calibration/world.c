/* SPDX-License-Identifier: MIT
 * Owns the made-up machine: its settings, its random numbers, and one run on it. */
#include "world.h"

#include <math.h>

/* noise, spikes, drift and neighbour as in the first sketches; time is counted in visits of a cell. */
#define SPIKES .spike_share = 0.03, .spike_mean = 0.15
#define DRIFT .drift_sd = 0.03, .drift_slots = 150
#define NEIGHBOUR .neighbour_step = 0.10, .neighbour_on = 1 / 400., .neighbour_off = 1 / 80.

const World world_settings[] = {
    {"calm", "2 % noise, spikes", TRUE, .noise = 0.02, SPIKES},
    {"drift", "and slow drift of 3 %", TRUE, .noise = 0.02, SPIKES, DRIFT},
    {"neighbour", "and drift, and a neighbour that costs 10 % while it runs", TRUE, .noise = 0.02, SPIKES, DRIFT,
     NEIGHBOUR},
    {"layout", "all that, and a 1 % layout effect per build and cell", TRUE, .noise = 0.02, SPIKES, DRIFT, NEIGHBOUR,
     .layout = 0.01},
    {"noise3", "as neighbour, 3 % noise", FALSE, .noise = 0.03, SPIKES, DRIFT, NEIGHBOUR},
    {"skewed", "as neighbour, lognormal noise to one side", FALSE, .noise = 0.005, .skew = 0.8, SPIKES, DRIFT,
     NEIGHBOUR},
    {"two-modes", "as neighbour, 30 % of processes 5 % slower", FALSE, .noise = 0.01, .mode_share = 0.3,
     .mode_gap = 0.05, SPIKES, DRIFT, NEIGHBOUR},
    {"spiky", "as neighbour, 15 % of samples with spikes", FALSE, .noise = 0.02, .spike_share = 0.15,
     .spike_mean = 0.15, DRIFT, NEIGHBOUR},
    {"restless", "a neighbour that costs 20 % and comes and goes every 8 visits", FALSE, .noise = 0.02, SPIKES, DRIFT,
     .neighbour_step = 0.20, .neighbour_on = 1 / 16., .neighbour_off = 1 / 8.},
    {"layout3", "as neighbour, 3 % layout effect: a build that moved all code", FALSE, .noise = 0.02, SPIKES, DRIFT,
     NEIGHBOUR, .layout = 0.03},
    {"two-speeds", "as neighbour, 40 % of the base's processes 12 % slower, none of the candidate's", FALSE,
     .noise = 0.01, .base_share = 0.4, .base_gap = 0.12, SPIKES, DRIFT, NEIGHBOUR},
};
const guint world_n_settings = G_N_ELEMENTS(world_settings);

/* ---- random numbers: xoshiro256++ (Blackman, Vigna 2019), so that no library's version changes a run ---- */

typedef struct {
  guint64 s[4];
  double spare;
  gboolean has_spare;
} Random;

static guint64 splitmix(guint64 *state) {
  guint64 z = (*state += G_GUINT64_CONSTANT(0x9e3779b97f4a7c15));
  z = (z ^ (z >> 30)) * G_GUINT64_CONSTANT(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * G_GUINT64_CONSTANT(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

guint64 world_seed(guint64 seed, guint64 series, guint64 index) {
  guint64 state = seed;
  state = splitmix(&state) ^ series;
  state = splitmix(&state) ^ index;
  return splitmix(&state);
}

static guint64 rotate(guint64 x, int k) {
  return (x << k) | (x >> (64 - k));
}

static guint64 next(Random *r) {
  guint64 *s = r->s;
  const guint64 result = rotate(s[0] + s[3], 23) + s[0], t = s[1] << 17;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = rotate(s[3], 45);
  return result;
}

/* In (0, 1]. */
static double uniform(Random *r) {
  return (double)((next(r) >> 11) + 1) * 0x1p-53;
}

/* Marsaglia's polar method; logarithms of the C library are the same on every machine we know to 1 ulp. */
static double gauss(Random *r) {
  double u, v, q;
  if (r->has_spare) {
    r->has_spare = FALSE;
    return r->spare;
  }
  do {
    u = 2 * uniform(r) - 1;
    v = 2 * uniform(r) - 1;
    q = u * u + v * v;
  } while (q >= 1 || q == 0);
  q = sqrt(-2 * log(q) / q);
  r->spare = v * q;
  r->has_spare = TRUE;
  return u * q;
}

/* ---- the machine ---- */

typedef struct {
  const World *world;
  Random *random;
  double drift;
  gboolean neighbour;
} Machine;

static Machine machine_start(const World *w, Random *random) {
  const double on = w->neighbour_on + w->neighbour_off;
  return (Machine){w, random, w->drift_sd * gauss(random), on > 0 && uniform(random) < w->neighbour_on / on};
}

/* The next visit's log time above the cell's own. */
static double visit(Machine *m) {
  const World *w = m->world;
  Random *r = m->random;
  double x = w->noise * gauss(r);
  if (w->drift_sd > 0) {
    const double keep = exp(-1 / w->drift_slots);
    m->drift = keep * m->drift + w->drift_sd * sqrt(1 - keep * keep) * gauss(r);
  }
  if (w->neighbour_step > 0)
    m->neighbour = m->neighbour ? uniform(r) > w->neighbour_off : uniform(r) < w->neighbour_on;
  if (w->skew > 0) /* median 1.5 %, long tail to the slower side */
    x += 0.015 * exp(w->skew * gauss(r));
  if (uniform(r) <= w->spike_share)
    x -= w->spike_mean * log(uniform(r));
  if (w->mode_share > 0 && uniform(r) <= w->mode_share)
    x += w->mode_gap;
  return x + m->drift + w->neighbour_step * m->neighbour;
}

static void shuffle(Random *r, guint *order, guint n) {
  for (guint i = 0; i < n; i++)
    order[i] = i;
  for (guint i = n; i > 1; i--) {
    const guint j = (guint)(next(r) % i), kept = order[i - 1];
    order[i - 1] = order[j];
    order[j] = kept;
  }
}

/* An earlier session: other drift, and the machine's state of that day (2 %). */
static void stored_run(const World *w, Random *r, WorldRun *ret) {
  Machine m = machine_start(w, r);
  const double day = w->drift_sd > 0 ? 0.02 * gauss(r) : 0;
  for (guint round = 0; round < WORLD_ROUNDS; round++)
    for (guint cell = 0; cell < WORLD_CELLS; cell++)
      ret->stored[cell][round] = visit(&m) + day;
}

void world_run(const World *world, guint64 seed, double slowdown, guint slower, WorldRun *ret) {
  Random r = {0};
  double change[WORLD_CELLS + 1];
  guint order[WORLD_CELLS + 1];
  for (guint i = 0; i < 4; i++)
    r.s[i] = splitmix(&seed);
  for (guint cell = 0; cell <= WORLD_CELLS; cell++)
    change[cell] = (cell < slower ? log1p(slowdown) : 0) + (cell < WORLD_CELLS ? world->layout * gauss(&r) : 0);
  stored_run(world, &r, ret);
  Machine m = machine_start(world, &r);
  for (guint round = 0; round < WORLD_ROUNDS; round++) {
    shuffle(&r, order, WORLD_CELLS + 1);
    for (guint k = 0; k <= WORLD_CELLS; k++) {
      const gboolean base_first = next(&r) >> 63;
      const double first = visit(&m), second = visit(&m);
      ret->base[order[k]][round] = base_first ? first : second;
      ret->candidate[order[k]][round] = (base_first ? second : first) + change[order[k]];
      if (world->base_share > 0 && uniform(&r) <= world->base_share)
        ret->base[order[k]][round] += world->base_gap;
      if (world->base_share > 0 && order[k] == WORLD_CELLS && uniform(&r) <= world->base_share)
        ret->candidate[order[k]][round] += world->base_gap; /* the control is the base's copy */
    }
  }
}
