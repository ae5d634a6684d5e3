/* SPDX-License-Identifier: MIT
 * Owns what is tried on a backend: the host's exercises, in every setting of its parameters that changes how work is
 * dealt. */
#include "check/exercise-private.h"
#include "check/pair.h"
#include "check/say.h"
#include "check/trials.h"
#include "check/usage.h"
#include "worker/poison.h"
#include "worker/problem.h"

#include <string.h>

/* A backend opened on an exercise. */
typedef struct {
  BhSubject *subject;
  BhExercise *exercise;
  const bh_problem *problem;
  bh_needs needs;
  void *state;
  gboolean open;
  void **view;
} Lane;

static void lane_free(Lane *lane) {
  if (lane->open)
    lane->subject->loaded->backend.close(lane->state);
  bh_exercise_free(lane->exercise);
  g_free(lane->view);
  g_free(lane);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Lane, lane_free)

static gboolean settled(Lane *lane, bh_status status, const char *callback) {
  const bh_status answer = bh_subject_settle(lane->subject, status, callback);
  if (answer == BH_SKIP || answer == BH_UNSUPPORTED)
    bh_say_not_tried("%s says: %s", callback, bh_subject_reason(lane->subject));
  else if (answer != BH_OK)
    bh_say_failed("%s failed: %s", callback, bh_subject_reason(lane->subject));
  return answer == BH_OK;
}

static gboolean check_view(const Lane *lane, guint index, guint64 bytes) {
  const guint8 *view = lane->view[index];
  const char *name = lane->problem->regions[index].name;
  if (!view)
    bh_say_failed("alloc returned NULL for region %s of %" G_GUINT64_FORMAT " bytes", name, bytes);
  else if ((gsize)view % 64)
    bh_say_failed("alloc: region %s is not 64-byte aligned", name);
  else
    for (guint64 i = 0; i < bytes; i++)
      if (view[i]) {
        bh_say_failed("alloc: region %s is not zeroed at byte %" G_GUINT64_FORMAT, name, i);
        break;
      }
  for (guint other = 0; other < index && !bh_say_has_failed(); other++) {
    const guint8 *theirs = lane->view[other];
    const guint64 length = bh_problem_view_bytes(lane->problem, other, lane->needs.workers);
    if (theirs && view < theirs + length && theirs < view + bytes)
      bh_say_failed("alloc: regions %s and %s overlap", name, lane->problem->regions[other].name);
  }
  return !bh_say_has_failed();
}

/* accept, open, alloc. NULL: said why. */
static Lane *lane_new(BhSubject *s, BhExerciseKind kind, guint64 items, guint64 min_chunk) {
  g_autoptr(Lane) lane = g_new0(Lane, 1);
  const bh_backend *b = &s->loaded->backend;
  lane->subject = s;
  lane->exercise = bh_exercise_new(kind, items, min_chunk);
  lane->problem = bh_exercise_problem(lane->exercise);
  lane->view = g_new0(void *, lane->problem->n_regions + 1);
  lane->needs.size = sizeof lane->needs;
  bh_mini_host_reset(s->mini);
  const bh_host *h = &s->mini->host;
  if (!settled(lane, b->accept(h, s->values, lane->problem, &lane->needs), "accept"))
    return NULL;
  if (!lane->needs.workers) {
    bh_say_failed("accept answered no workers: ret_needs->workers must be at least 1");
    return NULL;
  }
  if (!settled(lane, b->open(h, s->values, lane->problem, bh_exercise_state(lane->exercise), &lane->state), "open"))
    return NULL;
  lane->open = TRUE;
  for (guint i = 0; i < lane->problem->n_regions; i++) {
    const guint64 bytes = bh_problem_view_bytes(lane->problem, i, lane->needs.workers);
    if (!bytes)
      continue;
    lane->view[i] = b->alloc(lane->state, i);
    if (!check_view(lane, i, bytes))
      return NULL;
  }
  return g_steal_pointer(&lane);
}

/* Poison, bind, run, fetch: one sample as a cell takes it. */
static gboolean lane_sample(Lane *lane, guint64 word, gboolean idle) {
  const bh_backend *b = &lane->subject->loaded->backend;
  const guint workers = lane->needs.workers;
  bh_exercise_fill(lane->exercise, lane->view, workers, idle);
  for (guint i = 0; i < lane->problem->n_regions; i++) {
    const bh_role role = lane->problem->regions[i].role;
    if (lane->view[i] && (role == BH_OUT || role == BH_REDUCE))
      bh_poison_fill(lane->view[i], bh_problem_view_bytes(lane->problem, i, workers), word);
  }
  for (guint i = 0; i < lane->problem->n_regions; i++)
    if (b->bind && lane->view[i] && !settled(lane, b->bind(lane->state, i), "bind"))
      return FALSE;
  for (guint l = 0; l < lane->problem->n_loops && !lane->problem->member; l++)
    if (!settled(lane, b->run_loop(lane->state, l), "run_loop"))
      return FALSE;
  if (lane->problem->member && !settled(lane, b->run_team(lane->state), "run_team"))
    return FALSE;
  for (guint i = 0; i < lane->problem->n_regions; i++) {
    const bh_role role = lane->problem->regions[i].role;
    if (b->fetch && lane->view[i] && (role == BH_OUT || role == BH_REDUCE || role == BH_INOUT) &&
        !settled(lane, b->fetch(lane->state, i), "fetch"))
      return FALSE;
  }
  return TRUE;
}

static gboolean check_sample(Lane *lane, guint64 word, gboolean idle, const char *what) {
  if (!lane_sample(lane, word, idle))
    return FALSE;
  g_autofree char *wrong = idle ? bh_exercise_verify_idle(lane->exercise, lane->view, word)
                                : bh_exercise_verify(lane->exercise, lane->view, lane->needs.workers);
  if (wrong)
    bh_say_failed("%s: %s", what, wrong);
  return !wrong;
}

static gboolean apply(BhSubject *s, const char *settings, const BhCheckOptions *options) {
  g_auto(GStrv) own = *settings ? g_strsplit(settings, ",", -1) : g_new0(char *, 1);
  g_autoptr(GPtrArray) all = g_ptr_array_new();
  for (char **setting = own; *setting; setting++)
    g_ptr_array_add(all, *setting);
  for (char **given = options->params; given && *given; given++) /* later ones win: the user's */
    g_ptr_array_add(all, *given);
  g_ptr_array_add(all, NULL);
  g_autoptr(GError) error = NULL;
  if (bh_subject_set(s, (const char *const *)all->pdata, &error))
    return TRUE;
  bh_say_not_tried("%s", error->message);
  return FALSE;
}

/* ---- items ---- */

static const struct {
  guint64 items, min_chunk;
} shapes[] = {{0, 1}, {1, 1}, {2, 1}, {7, 3}, {64, 1}, {1000, 1}, {997, 5}, {1000, 64}};

static void trial_items(BhSubject *s, const char *argument, const BhCheckOptions *options) {
  bh_say_trying(
      "items, %s: every index once, chunks legal, loops joined, all roles and splits; poison survives idle kernels",
      *argument ? argument : "defaults");
  if (!apply(s, argument, options))
    return;
  for (guint i = 0; i < G_N_ELEMENTS(shapes) && !bh_say_has_failed(); i++) {
    g_autofree char *what = g_strdup_printf("%" G_GUINT64_FORMAT " items, min_chunk %" G_GUINT64_FORMAT,
                                            shapes[i].items, shapes[i].min_chunk);
    g_autoptr(Lane) lane = lane_new(s, BH_EXERCISE_ITEMS, shapes[i].items, shapes[i].min_chunk);
    if (!lane)
      return;
    if (!check_sample(lane, bh_poison_word(1, i), FALSE, what) ||
        !check_sample(lane, bh_poison_word(2, i), TRUE, what) || !check_sample(lane, bh_poison_word(3, i), FALSE, what))
      return;
  }
  bh_say_ok();
}

/* ---- teams ---- */

static void trial_team(BhSubject *s, const char *argument, const BhCheckOptions *options) {
  bh_say_trying("team, %s: ranks, barrier, collectives, messages, loops", *argument ? argument : "defaults");
  if (!s->loaded->backend.run_team) {
    bh_say_not_tried("it has no run_team");
    return;
  }
  if (!apply(s, argument, options))
    return;
  g_autoptr(Lane) lane = lane_new(s, BH_EXERCISE_TEAM, 0, 1);
  if (!lane)
    return;
  for (guint run = 0; run < 3; run++)
    if (!check_sample(lane, bh_poison_word(4, run), FALSE, "team"))
      return;
  bh_say_ok();
}

static void trial_team_fails(BhSubject *s, const char *argument, const BhCheckOptions *options) {
  bh_say_trying("team, %s: a member that stops ends the run, the others do not wait for ever", argument);
  if (!s->loaded->backend.run_team) {
    bh_say_not_tried("it has no run_team");
    return;
  }
  if (!apply(s, argument, options))
    return;
  g_autoptr(Lane) lane = lane_new(s, BH_EXERCISE_TEAM_FAILS, 0, 1);
  if (!lane)
    return;
  const bh_status status = s->loaded->backend.run_team(lane->state);
  if (status == BH_OK)
    bh_say_failed("run_team returned BH_OK although a member failed");
  else if (!bh_mini_host_reason(s->mini))
    bh_say_failed("run_team failed, but the member's reason was lost");
  bh_say_ok();
}

/* ---- worker death, leaks ---- */

static void trial_death(BhSubject *s, const char *argument, const BhCheckOptions *options) {
  bh_say_trying("a worker process that is killed is reported, not waited for (%s)", argument);
  if (!apply(s, argument, options))
    return;
  g_autoptr(Lane) lane = lane_new(s, BH_EXERCISE_DEATH, 100, 1);
  if (!lane)
    return;
  if (!lane->needs.processes) {
    bh_say_not_tried("its workers are no processes of their own");
    return;
  }
  bh_exercise_fill(lane->exercise, lane->view, lane->needs.workers, FALSE);
  for (guint i = 0; i < lane->problem->n_regions && s->loaded->backend.bind; i++)
    if (lane->view[i])
      s->loaded->backend.bind(lane->state, i);
  const bh_status status = s->loaded->backend.run_loop(lane->state, 0);
  if (status == BH_OK)
    bh_say_failed("run_loop returned BH_OK although its workers were killed");
  else if (!bh_mini_host_reason(s->mini))
    bh_say_failed("run_loop failed without saying why");
  bh_say_ok();
}

static gboolean run_once(void *subject) {
  g_autoptr(Lane) lane = lane_new(subject, BH_EXERCISE_ITEMS, 100, 1);
  return lane && check_sample(lane, bh_poison_word(5, 0), FALSE, "one of many runs");
}

static void trial_leaks(BhSubject *s, const char *argument, const BhCheckOptions *options) {
  bh_say_trying("open, run, close gives back all memory, descriptors, threads and processes (%s)", argument);
  if (!apply(s, argument, options))
    return;
  g_autofree char *growth = bh_usage_growth(run_once, s);
  if (growth)
    bh_say_failed("after %d more times there are %s more", BH_USAGE_ROUNDS, growth);
  bh_say_ok();
}

static void trial_life(BhSubject *s, const char *argument, const BhCheckOptions *options) {
  (void)argument, (void)options;
  bh_say_trying("close accepts NULL");
  s->loaded->backend.close(NULL);
  bh_say_ok();
  bh_subject_try_help(s);
}

const BhTrial bh_backend_trials[] = {
    {"life", trial_life},   {"items", trial_items}, {"team", trial_team},    {"team-fails", trial_team_fails},
    {"death", trial_death}, {"leaks", trial_leaks}, {"pair", bh_pair_trial}, {NULL, NULL},
};

/* ---- which settings ---- */

static void add(GPtrArray *names, const char *trial, const char *format, ...) G_GNUC_PRINTF(3, 4);
static void add(GPtrArray *names, const char *trial, const char *format, ...) {
  va_list args;
  va_start(args, format);
  g_autofree char *argument = g_strdup_vprintf(format, args);
  va_end(args);
  g_ptr_array_add(names, g_strdup_printf("%s:%s", trial, argument + (*argument == ',')));
}

/* Every schedule with chunks of nothing special, of one and of an odd number. */
static void add_schedules(GPtrArray *names, const BhPlugin *plugin, const char *workers) {
  const BhParam *schedule = bh_plugin_param(plugin, "schedule", NULL);
  const gboolean chunk = bh_plugin_param(plugin, "chunk", NULL) != NULL;
  static const guint chunks[] = {0, 1, 7};
  for (guint c = 0; c < (chunk ? G_N_ELEMENTS(chunks) : 1); c++) {
    g_autofree char *with_chunk = chunk ? g_strdup_printf(",chunk=%u", chunks[c]) : g_strdup("");
    for (char **choice = schedule ? schedule->choices : NULL; choice && *choice; choice++)
      add(names, "items", "%s,schedule=%s%s", workers, *choice, with_chunk);
    if (!schedule)
      add(names, "items", "%s%s", workers, with_chunk);
  }
}

/* Every choice of the other parameters, one at a time. */
static void add_choices(GPtrArray *names, const BhPlugin *plugin, const char *workers) {
  for (guint i = 0; i < plugin->params->len; i++) {
    const BhParam *param = g_ptr_array_index(plugin->params, i);
    if (param->type != BH_CHOICE || !strcmp(param->name, "schedule"))
      continue;
    for (char **choice = param->choices; *choice; choice++) {
      if (!g_strcmp0(*choice, param->fallback))
        continue;
      add(names, "items", "%s,%s=%s", workers, param->name, *choice);
      add(names, "team", "%s,%s=%s", workers, param->name, *choice);
    }
  }
}

GPtrArray *bh_backend_trial_names(const BhPlugin *plugin, const BhCheckOptions *options) {
  GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
  const BhParam *workers = bh_plugin_param(plugin, "workers", NULL);
  g_ptr_array_add(names, g_strdup("life"));
  const char *two = "workers=2";
  if (!workers) {
    /* The empty setting: settings that follow start with a comma, which is skipped. */
    add(names, "items", "%s", "");
    add(names, "team", "%s", "");
    two = "";
  }
  for (guint n = 1; workers && n <= 3; n++) {
    add(names, "items", "workers=%u", n);
    add(names, "team", "workers=%u", n);
  }
  add_schedules(names, plugin, two);
  add_choices(names, plugin, two);
  add(names, "team-fails", "%s", two);
  add(names, "death", "%s", two);
  add(names, "leaks", "%s", two);
  for (char **with = options->with; with && *with; with++)
    add(names, "pair", "%s", *with);
  return names;
}
