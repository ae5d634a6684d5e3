/* SPDX-License-Identifier: MIT
 * Owns what is tried on a workload. Every run is on guarded memory with inputs write-protected, so that a kernel which
 * touches more than it declared is caught where it does it. */
#include "base/clock.h"
#include "check/opened.h"
#include "check/pair.h"
#include "check/say.h"
#include "check/trials.h"
#include "check/usage.h"
#include "worker/poison.h"

#include <stdlib.h>
#include <string.h>

/* They differ in every byte, and no small number looks like them. */
#define WORD_A G_GUINT64_CONSTANT(0xA5A5A5A5A5A5A5A5)
#define WORD_B G_GUINT64_CONSTANT(0xDADADADADADADADA)
#define BIG_BYTES (64u << 20) /* regions beyond are not copied around */

static gboolean verify_ok(BhOpened *o, const char *when) {
  const bh_status status = bh_opened_verify(o);
  if (status != BH_OK)
    bh_say_failed("verify refuses a correct run (%s): %s", when, bh_subject_reason(o->subject));
  return status == BH_OK;
}

static guint8 **copy_views(const BhOpened *o) {
  const guint n = o->problem->problem.n_regions;
  guint8 **copies = g_new0(guint8 *, n + 1);
  for (guint i = 0; i < n; i++) {
    const BhGuard *view = o->runner->view[i];
    if (view && view->bytes && view->bytes <= BIG_BYTES && bh_runner_is_result(&o->problem->problem.regions[i]))
      copies[i] = g_memdup2(view->data, view->bytes);
  }
  return copies;
}

static void free_views(guint8 **copies, guint n) {
  for (guint i = 0; copies && i < n; i++)
    g_free(copies[i]);
  g_free(copies);
}

/* ---- life ---- */

static void trial_life(BhSubject *s, const char *argument, const BhCheckOptions *options) {
  (void)argument, (void)options;
  bh_say_trying("close accepts NULL");
  s->loaded->workload.close(NULL);
  bh_say_ok();

  bh_say_trying("open succeeds with these parameters, or the machine lacks something");
  bh_mini_host_reset(s->mini);
  bh_problem theirs = {.size = sizeof theirs};
  void *state = NULL;
  const bh_status status =
      bh_subject_settle(s, s->loaded->workload.open(&s->mini->host, s->values, &theirs, &state), "open");
  if (status == BH_OK)
    s->loaded->workload.close(state);
  else if (status != BH_SKIP && status != BH_OUT_OF_MEMORY)
    bh_say_failed("%s (give it what it needs with --param)", bh_subject_reason(s));
  bh_say_ok();

  bh_say_trying("what open declares is sound: regions, kernels, uses, loops, cost model");
  g_autoptr(BhOpened) first = bh_opened_plan(s);
  if (!first)
    return;
  bh_say_ok();

  bh_say_trying("two open at the same time do not disturb each other, and declare the same");
  g_autoptr(BhOpened) second = bh_opened_plan(s);
  if (!second)
    return;
  const bh_problem *a = &first->problem->problem, *b = &second->problem->problem;
  if (a->n_regions != b->n_regions || a->n_kernels != b->n_kernels || a->n_loops != b->n_loops)
    bh_say_failed("the second has %u regions, %u kernels and %u loops, the first %u, %u and %u", b->n_regions,
                  b->n_kernels, b->n_loops, a->n_regions, a->n_kernels, a->n_loops);
  for (guint i = 0; i < MIN(a->n_regions, b->n_regions); i++)
    if (a->regions[i].bytes != b->regions[i].bytes || a->regions[i].role != b->regions[i].role)
      bh_say_failed("region %s differs between the two", a->regions[i].name);
  bh_say_ok();

  bh_subject_try_help(s);
}

/* ---- runs ---- */

/* Same bits as the first run, where the workload says that results are exact. `noisy`: regions that differ between two
 * equal runs: they hold times or the like. */
static void compare_runs(const BhOpened *o, guint8 **first, guint64 noisy, const char *what) {
  for (guint i = 0; i < o->problem->problem.n_regions; i++) {
    const bh_region *region = &o->problem->problem.regions[i];
    if (!first[i] || region->abs_tolerance > 0 || region->rel_tolerance > 0 || (i < 64 && noisy >> i & 1))
      continue;
    if (region->split == BH_BY_WORKER || region->flags & BH_PARTIAL)
      continue; /* who did what is no result */
    const guint8 *now = o->runner->view[i]->data;
    for (gsize at = 0; at < o->runner->view[i]->bytes; at++)
      if (now[at] != first[i][at]) {
        bh_say_failed(
            "with %s, byte %zu of region %s differs from the run with all items at once; the region states no "
            "tolerance, so results must not depend on the schedule",
            what, at, region->name);
        return;
      }
  }
}

static guint64 find_noisy(BhOpened *o, guint8 **first) {
  guint64 noisy = 0;
  for (guint run = 0; run < 2; run++) {
    if (!bh_opened_run(o, BH_CHUNKS_ONE, WORD_A))
      return G_MAXUINT64;
    for (guint i = 0; i < MIN(o->problem->problem.n_regions, 64); i++)
      if (first[i] && memcmp(first[i], o->runner->view[i]->data, o->runner->view[i]->bytes) != 0)
        noisy |= G_GUINT64_CONSTANT(1) << i;
  }
  return noisy;
}

static void try_chunks(BhOpened *o, BhChunks chunks, guint8 ***first, guint64 *noisy) {
  const guint workers = o->runner->workers;
  bh_say_trying("runs and verifies: %s, %u worker%s", bh_chunks_name(chunks), workers, workers == 1 ? "" : "s");
  if (!bh_opened_run(o, chunks, WORD_A) || !verify_ok(o, bh_chunks_name(chunks)))
    return;
  if (*first)
    compare_runs(o, *first, *noisy, bh_chunks_name(chunks));
  else
    *noisy = find_noisy(o, *first = copy_views(o));
  bh_say_ok();
}

static void trial_run(BhSubject *s, const char *argument, const BhCheckOptions *options) {
  (void)options;
  const guint workers = (guint)atoi(argument);
  bh_say_trying("opens and fills for %u worker%s", workers, workers == 1 ? "" : "s");
  g_autoptr(BhOpened) o = bh_opened_new(s, workers);
  if (!o)
    return;
  bh_say_ok();
  const gboolean team = o->problem->problem.member != NULL;
  guint8 **first = NULL;
  guint64 noisy = 0;
  if (team) {
    bh_say_trying("runs and verifies as a team of %u", workers);
    if (bh_opened_run(o, BH_CHUNKS_ONE, WORD_A) && verify_ok(o, "first run"))
      bh_say_ok();
  }
  for (guint chunks = 0; chunks < BH_N_CHUNKS && !team && !bh_say_has_failed(); chunks++)
    try_chunks(o, (BhChunks)chunks, &first, &noisy);
  free_views(first, o->problem->problem.n_regions);
  if (bh_say_has_failed())
    return;
  bh_say_trying("runs again and verifies again, %u worker%s", workers, workers == 1 ? "" : "s");
  if (bh_opened_run(o, BH_CHUNKS_ONE, WORD_B) && verify_ok(o, "repeated run"))
    bh_say_ok();
}

static void trial_slices(BhSubject *s, const char *argument, const BhCheckOptions *options) {
  (void)argument, (void)options;
  bh_say_trying("a chunk writes only the slices that it owns");
  g_autoptr(BhOpened) o = bh_opened_new(s, 1);
  if (!o)
    return;
  guint watched = 0;
  for (guint k = 0; k < o->problem->problem.n_kernels; k++)
    for (guint u = 0; u < o->problem->kernels[k].n_uses; u++) {
      const bh_use *use = &o->problem->kernels[k].uses[u];
      if (use->split != BH_BY_ITEM || use->role == BH_IN)
        continue;
      if (o->runner->view[use->region]->bytes > BIG_BYTES) {
        bh_say_not_tried("region %s is too big to be copied for each chunk: try smaller --param",
                         o->runner->view[use->region]->name);
        return;
      }
      watched++;
    }
  if (!watched || o->problem->problem.member) {
    bh_say_not_tried("no loop writes a region by item");
    return;
  }
  o->runner->watch_slices = TRUE;
  if (bh_opened_run(o, BH_CHUNKS_REVERSE, WORD_A) && verify_ok(o, "slices watched"))
    bh_say_ok();
}

/* ---- outputs ---- */

/* A byte that shows both poisons after two runs was not written by either. */
static void find_unwritten(const BhOpened *o, guint8 **a, guint8 **b) {
  for (guint i = 0; i < o->problem->problem.n_regions; i++) {
    const bh_region *region = &o->problem->problem.regions[i];
    if (!a[i] || !b[i] || region->role == BH_INOUT || region->flags & BH_PARTIAL)
      continue;
    for (gsize at = 0; at < o->runner->view[i]->bytes; at++)
      if (a[i][at] == (guint8)WORD_A && b[i][at] == (guint8)WORD_B) {
        bh_say_failed("byte %zu of %zu of region %s is not written by a run (write it, or flag the region BH_PARTIAL)",
                      at, o->runner->view[i]->bytes, region->name);
        return;
      }
  }
}

static void trial_written(BhSubject *s, const char *argument, const BhCheckOptions *options) {
  (void)argument, (void)options;
  bh_say_trying("a run writes every byte of its outputs");
  g_autoptr(BhOpened) o = bh_opened_new(s, 1);
  if (!o || !bh_opened_run(o, BH_CHUNKS_ONE, WORD_A))
    return;
  guint8 **a = copy_views(o);
  if (bh_opened_run(o, BH_CHUNKS_ONE, WORD_B)) {
    guint8 **b = copy_views(o);
    find_unwritten(o, a, b);
    free_views(b, o->problem->problem.n_regions);
    bh_say_ok();
  }
  free_views(a, o->problem->problem.n_regions);
}

static guint element_bytes(bh_dtype dtype) {
  switch (dtype) {
  case BH_U8:
    return 1;
  case BH_I32:
  case BH_U32:
  case BH_F32:
    return 4;
  default:
    return 8;
  }
}

/* A change that no tolerance covers. */
static void damage_element(guint8 *at, bh_dtype dtype, double tolerance) {
  if (dtype == BH_F32) {
    float x;
    memcpy(&x, at, sizeof x);
    x = x == x ? -x - (float)(1 + 1e3 * tolerance) : 12345.0f;
    memcpy(at, &x, sizeof x);
  } else if (dtype == BH_F64) {
    double x;
    memcpy(&x, at, sizeof x);
    x = x == x ? -x - (1 + 1e3 * tolerance) : 12345.0;
    memcpy(at, &x, sizeof x);
  } else {
    at[0] ^= 1;
  }
}

/* Bytes of one item of a region of bytes, which may be a struct with measurements among its members: only all of it
 * together can be expected to be noticed. 0: it is no such region. */
static gsize record_bytes(const BhOpened *o, guint i) {
  if (o->problem->problem.regions[i].dtype != BH_U8)
    return 0;
  for (guint k = 0; k < o->problem->problem.n_kernels; k++)
    for (guint u = 0; u < o->problem->kernels[k].n_uses; u++) {
      const bh_use *use = &o->problem->kernels[k].uses[u];
      if (use->region == i && use->split == BH_BY_ITEM && use->stride_bytes > 1 && !use->slice)
        return use->stride_bytes;
    }
  return 0;
}

static gboolean all_zero(const guint8 *at, gsize bytes) {
  for (gsize i = 0; i < bytes; i++)
    if (at[i])
      return FALSE;
  return TRUE;
}

static void try_damage(BhOpened *o, guint i, gsize unit, guint64 e, gboolean record) {
  const bh_region *region = &o->problem->problem.regions[i];
  guint8 *at = o->runner->view[i]->data + e * unit;
  g_autofree guint8 *kept = g_memdup2(at, unit);
  if (!record)
    damage_element(at, region->dtype, MAX(region->abs_tolerance, region->rel_tolerance));
  for (gsize k = 0; record && k < unit; k++)
    at[k] ^= 0x5A;
  if (bh_opened_verify(o) == BH_OK) /* another failure than BH_WRONG is fine: the element may say that memory ran out */
    bh_say_failed("verify answers that all is right after %s %" G_GUINT64_FORMAT " of region %s was changed",
                  record ? "item" : "element", e, region->name);
  memcpy(at, kept, unit);
}

/* One element at a time: first, last, and seeded ones between. Elements that differ between two correct runs (times,
 * who did what) or that a PARTIAL region left unwritten cannot be verified and are left alone. */
static guint damage_region(BhOpened *o, guint i, const guint8 *a, const guint8 *b, guint64 until_ns) {
  const bh_region *region = &o->problem->problem.regions[i];
  const gsize record = record_bytes(o, i), unit = record ? record : element_bytes(region->dtype);
  const guint64 elements = o->runner->view[i]->bytes / unit;
  guint tried = 0;
  for (guint64 k = 0; k < MIN(elements, 48) && !bh_say_has_failed(); k++) {
    const guint64 e = elements <= 48 ? k : k == 0 ? 0 : k == 1 ? elements - 1 : bh_poison_word(7, k) % elements;
    const gboolean same = record || !memcmp(a + e * unit, b + e * unit, unit);
    const gboolean untouched = region->flags & BH_PARTIAL && all_zero(o->runner->view[i]->data + e * unit, unit);
    if (!same || untouched || bh_clock_now_ns() > until_ns)
      continue;
    try_damage(o, i, unit, e, record != 0);
    tried++;
  }
  return tried;
}

static void trial_damage(BhSubject *s, const char *argument, const BhCheckOptions *options) {
  (void)argument, (void)options;
  bh_say_trying("verify notices outputs that were never written");
  g_autoptr(BhOpened) o = bh_opened_new(s, 1);
  if (!o || !bh_opened_run(o, BH_CHUNKS_ONE, WORD_A))
    return;
  guint8 **a = copy_views(o);
  const guint n = o->problem->problem.n_regions;
  guint results = 0;
  for (guint i = 0; i < n; i++)
    results += a[i] != NULL;
  if (!bh_opened_run(o, BH_CHUNKS_ONE, WORD_B) || !verify_ok(o, "before damage")) {
    free_views(a, n);
    return;
  }
  guint8 **b = copy_views(o);
  bh_runner_poison(o->runner, WORD_A);
  gboolean items = FALSE;
  for (guint l = 0; l < o->problem->problem.n_loops; l++)
    items |= o->problem->problem.loops[l].items > 0;
  if (!results || (!items && !o->problem->problem.member))
    bh_say_not_tried("it has no outputs that can be damaged");
  else if (bh_opened_verify(o) == BH_OK)
    bh_say_failed("verify accepts poison: a kernel that does nothing would pass");
  bh_say_ok();
  for (guint i = 0; i < n; i++) {
    if (!a[i] || !b[i])
      continue;
    memcpy(o->runner->view[i]->data, b[i], o->runner->view[i]->bytes);
  }
  for (guint i = 0; i < n; i++) {
    if (!a[i] || !b[i])
      continue;
    bh_say_trying("verify notices one damaged element in region %s", o->problem->problem.regions[i].name);
    if (!damage_region(o, i, a[i], b[i], bh_clock_now_ns() + G_GUINT64_CONSTANT(5000000000)))
      bh_say_not_tried("no element of it is the same in two correct runs");
    bh_say_ok();
  }
  bh_say_trying("verify accepts the undamaged result again");
  if (verify_ok(o, "damage undone"))
    bh_say_ok();
  free_views(a, n);
  free_views(b, n);
}

/* ---- leaks, limits, sizes ---- */

static gboolean open_and_close(void *subject) {
  g_autoptr(BhOpened) o = bh_opened_plan(subject);
  return o != NULL;
}

static gboolean run_once(void *subject) {
  g_autoptr(BhOpened) o = bh_opened_new(subject, 1);
  return o && bh_opened_run(o, BH_CHUNKS_ONE, WORD_A) && verify_ok(o, "one of many runs");
}

static void trial_leaks(BhSubject *s, const char *argument, const BhCheckOptions *options) {
  (void)options;
  const gboolean run = !strcmp(argument, "run");
  bh_say_trying("%s gives back all memory, descriptors, threads and processes",
                run ? "open, fill, run, verify, close" : "open, close");
  g_autofree char *growth = bh_usage_growth(run ? run_once : open_and_close, s);
  if (growth)
    bh_say_failed("after %d more times there are %s more", BH_USAGE_ROUNDS, growth);
  bh_say_ok();
}

/* The user's parameters, and `argument` ("name=value") over them. FALSE: said that it cannot be tried. */
static gboolean set_with(BhSubject *s, const char *argument, const BhCheckOptions *options) {
  g_autoptr(GPtrArray) settings = g_ptr_array_new();
  for (char **given = options->params; given && *given; given++)
    g_ptr_array_add(settings, *given);
  g_ptr_array_add(settings, (char *)argument);
  g_ptr_array_add(settings, NULL);
  g_autoptr(GError) error = NULL;
  if (!bh_subject_set(s, (const char *const *)settings->pdata, &error)) {
    bh_say_not_tried("%s", error->message);
    return FALSE;
  }
  return TRUE;
}

/* `argument`: "name=value" at the edge of a parameter's limits. */
static void trial_limit(BhSubject *s, const char *argument, const BhCheckOptions *options) {
  bh_say_trying("open with %s succeeds, or says why not", argument);
  if (!set_with(s, argument, options))
    return;
  bh_mini_host_reset(s->mini);
  bh_problem theirs = {.size = sizeof theirs};
  void *state = NULL;
  const bh_status status =
      bh_subject_settle(s, s->loaded->workload.open(&s->mini->host, s->values, &theirs, &state), "open");
  if (status == BH_OK) {
    g_autoptr(GError) error = NULL;
    g_autoptr(BhProblem) problem = bh_problem_new(&theirs, &error);
    if (!problem)
      bh_say_failed("%s", error->message);
    s->loaded->workload.close(state);
  }
  bh_say_ok(); /* a refusal with its reason keeps the promise as well */
}

static void trial_size(BhSubject *s, const char *argument, const BhCheckOptions *options) {
  bh_say_trying("runs and verifies with %s", argument);
  if (!set_with(s, argument, options))
    return;
  g_autoptr(BhOpened) o = bh_opened_new(s, 3);
  if (!o)
    return;
  for (guint chunks = 0; chunks < BH_N_CHUNKS; chunks++)
    if (!bh_opened_run(o, (BhChunks)chunks, WORD_A) || !verify_ok(o, argument))
      return;
  bh_say_ok();
}

static void trial_size_unknown(BhSubject *s, const char *argument, const BhCheckOptions *options) {
  (void)s, (void)options;
  bh_say_trying("runs and verifies with %s items", argument);
  bh_say_not_tried("it has no integer parameter named items, n, size, count or elements that may be %s", argument);
}

const BhTrial bh_workload_trials[] = {
    {"life", trial_life},
    {"run", trial_run},
    {"slices", trial_slices},
    {"written", trial_written},
    {"damage", trial_damage},
    {"leaks", trial_leaks},
    {"limit", trial_limit},
    {"size", trial_size},
    {"sizeless", trial_size_unknown},
    {"pair", bh_pair_trial},
    {NULL, NULL},
};

static void add_limits(GPtrArray *names, const BhParam *param) {
  if (param->type != BH_INT && param->type != BH_SIZE)
    return;
  if (param->min == 0 && param->max == 0)
    return;
  const double limits[] = {param->min, param->max};
  for (guint i = 0; i < 2; i++)
    if (limits[i] > -9e18 && limits[i] < 9e18)
      g_ptr_array_add(names, g_strdup_printf("limit:%s=%.0f", param->name, limits[i]));
}

static void add_size(GPtrArray *names, const BhPlugin *plugin, gint64 size) {
  static const char *const known[] = {"items", "n", "size", "count", "elements"};
  for (guint i = 0; i < G_N_ELEMENTS(known); i++) {
    const BhParam *param = bh_plugin_param(plugin, known[i], NULL);
    if (!param || param->type != BH_INT)
      continue;
    const gboolean free = param->min == 0 && param->max == 0;
    if (free || ((double)size >= param->min && (double)size <= param->max)) {
      g_ptr_array_add(names, g_strdup_printf("size:%s=%" G_GINT64_FORMAT, known[i], size));
      return;
    }
  }
  g_ptr_array_add(names, g_strdup_printf("sizeless:%" G_GINT64_FORMAT, size));
}

GPtrArray *bh_workload_trial_names(const BhPlugin *plugin, const BhCheckOptions *options) {
  static const char *const always[] = {"life",    "run:1",  "run:3",      "slices",
                                       "written", "damage", "leaks:open", "leaks:run"};
  GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
  for (guint i = 0; i < G_N_ELEMENTS(always); i++)
    g_ptr_array_add(names, g_strdup(always[i]));
  add_size(names, plugin, 1);
  add_size(names, plugin, 0);
  for (guint i = 0; i < plugin->params->len; i++)
    add_limits(names, g_ptr_array_index(plugin->params, i));
  for (char **with = options->with; with && *with; with++)
    g_ptr_array_add(names, g_strconcat("pair:", *with, NULL));
  return names;
}
