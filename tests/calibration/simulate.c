/* SPDX-License-Identifier: MIT
 * simulate: how often core/gate/rule.c is wrong, on made-up machines, from a seed; and how often other tools' rules are
 * on the same samples. Prints a table (--json: one object) and exits 1 when a promised bound is broken. */
#include "base/json.h"
#include "gate/rule.h"
#include "peers.h"
#include "rate.h"
#include "stats/summary.h"
#include "world.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SEVERAL 3 /* real regressions at once, for the false discovery rate */

/* Slowdowns of the first cell (of the first three: EFFECT_SEVERAL). */
typedef enum { EFFECT_NONE = 0, EFFECT_3, EFFECT_5, EFFECT_10, EFFECT_SEVERAL, EFFECT_DETECTABLE, EFFECT_N } Effect;
static const char *const effect_names[EFFECT_N] = {"unchanged", "3 %", "5 %", "10 %", "three of 5 %", "detectable"};
static const guint rounds_of[2] = {10, WORLD_ROUNDS}; /* what peers see */

/* Other definitions of `equivalent` that were tried, on the same decisions: docs/calibration.md has the outcome. */
typedef struct {
  const char *name;
  double zone, near; /* the interval lies within this; the estimate lies within this */
  gboolean wide;     /* the 95 % interval in place of the 90 % one */
  gboolean alike;    /* and both arms are spread alike */
} Definition;
static const Definition definitions[] = {
    {"90 % within 5 %", 0.05, 1, FALSE},
    {"90 % within 5 %, estimate within 2 %", 0.05, 0.02, FALSE},
    {"90 % within 5 %, estimate within 1.5 %", 0.05, 0.015, FALSE},
    {"90 % within 5 %, estimate within 1 %", 0.05, 0.01, FALSE},
    {"95 % within 5 %", 0.05, 1, TRUE},
    {"95 % within 5 %, estimate within 1.5 %", 0.05, 0.015, TRUE},
    {"90 % within 4 %, estimate within 1.5 %", 0.04, 0.015, FALSE},
    {"90 % within 3 %, estimate within 1.5 %", 0.03, 0.015, FALSE},
    {"90 % within 5 %, estimate within 1.5 %, alike", 0.05, 0.015, FALSE, TRUE},
};

typedef struct {
  double slowdown;
  Rate defined[G_N_ELEMENTS(definitions)]; /* as `verdicts`: equivalent by that definition */
  Rate runs_alarmed, cells_alarmed;        /* false regressions, among unchanged cells */
  Rate control;                            /* the control was flagged, either way */
  Rate verdicts[4];                        /* of the slower cell; for EFFECT_NONE of all cells */
  Rate suspects;                           /* unchanged cells that were confirmed */
  double false_share;                      /* sum over runs of false / all regressions found: its mean is the FDR */
  Rate peer_runs[2][PEER_N], peer_cells[2][PEER_N], peer_found[2][PEER_N];
  Rate stored_runs[2], stored_found[2]; /* our rule, the U test, against a stored baseline */
  GArray *detectable;                   /* EFFECT_NONE: of every cell */
} Outcome;

typedef struct {
  guint runs, threads;
  guint64 seed;
  gboolean json, peers, quick, definitions;
  char *only;
  BhRule rule;
} Options;

typedef struct {
  const Options *options;
  const World *world;
  guint64 series;
  Effect effect;
  Outcome *outcome;
} Job;

static guint slower_cells(Effect effect) {
  return effect == EFFECT_NONE ? 0 : effect == EFFECT_SEVERAL ? SEVERAL : 1;
}

/* Pairs of all cells; only suspects are given their confirmation. `d`: [WORLD_CELLS + 1][WORLD_ROUNDS]. */
static void make_pairs(const BhRule *rule, const double (*base)[WORLD_ROUNDS], const double (*candidate)[WORLD_ROUNDS],
                       guint n_cells, double (*d)[WORLD_ROUNDS], BhPairs *ret) {
  for (guint cell = 0; cell < n_cells; cell++) {
    for (guint i = 0; i < WORLD_ROUNDS; i++)
      d[cell][i] = candidate[cell][i] - base[cell][i];
    ret[cell] = (BhPairs){.screen = d[cell],
                          .n_screen = rule->screen_rounds,
                          .confirm = d[cell] + rule->screen_rounds,
                          .base = base[cell],
                          .candidate = candidate[cell],
                          .n_figures = rule->screen_rounds};
    if (bh_rule_suspects(rule, d[cell], rule->screen_rounds)) {
      ret[cell].n_confirm = rule->confirm_rounds;
      ret[cell].n_figures += rule->confirm_rounds;
    }
  }
}

static void judge_definitions(const BhRule *rule, const BhDecision *d, Outcome *o) {
  const gboolean changed = d->verdict == BH_VERDICT_REGRESSED || d->verdict == BH_VERDICT_IMPROVED;
  for (guint k = 0; k < G_N_ELEMENTS(definitions); k++) {
    const Definition *def = &definitions[k];
    const double zone = log1p(def->zone), low = def->wide ? d->low : d->low90, high = def->wide ? d->high : d->high90;
    const gboolean alike = !def->alike || bh_rule_alike(rule, &d->shape);
    rate_add(&o->defined[k], !changed && low > -zone && high < zone && fabs(d->shift) <= log1p(def->near) && alike);
  }
}

static void judge(const Job *job, const WorldRun *run) {
  Outcome *o = job->outcome;
  const guint slower = slower_cells(job->effect);
  const BhRule *rule = &job->options->rule;
  double d[WORLD_CELLS + 1][WORLD_ROUNDS];
  BhPairs pairs[WORLD_CELLS + 1];
  BhDecision decisions[WORLD_CELLS + 1];
  guint wrong = 0, found = 0;
  make_pairs(rule, run->base, run->candidate, WORLD_CELLS + 1, d, pairs);
  bh_rule_decide(rule, pairs, WORLD_CELLS, decisions);
  bh_rule_decide(rule, pairs + WORLD_CELLS, 1, decisions + WORLD_CELLS);
  for (guint cell = 0; cell < WORLD_CELLS; cell++) {
    const gboolean regressed = decisions[cell].verdict == BH_VERDICT_REGRESSED;
    found += regressed;
    if (cell >= slower) {
      wrong += regressed;
      rate_add(&o->cells_alarmed, regressed);
      rate_add(&o->suspects, decisions[cell].suspect);
    }
    if (cell < slower || slower == 0) {
      judge_definitions(rule, &decisions[cell], o);
      for (guint v = 0; v < 4; v++)
        rate_add(&o->verdicts[v], decisions[cell].verdict == (BhVerdict)v);
    }
    if (job->effect == EFFECT_NONE)
      g_array_append_val(o->detectable, decisions[cell].detectable);
  }
  const BhVerdict control = decisions[WORLD_CELLS].verdict;
  rate_add(&o->control, control == BH_VERDICT_REGRESSED || control == BH_VERDICT_IMPROVED);
  rate_add(&o->runs_alarmed, wrong > 0);
  o->false_share += found ? (double)wrong / found : 0;
}

/* Our rule on pairs that are none, and the U test, both with the base of an earlier session. */
static void judge_stored(const Job *job, const WorldRun *run, double (*base)[WORLD_ROUNDS],
                         double (*candidate)[WORLD_ROUNDS]) {
  Outcome *o = job->outcome;
  const guint slower = slower_cells(job->effect);
  double d[WORLD_CELLS + 1][WORLD_ROUNDS];
  BhPairs pairs[WORLD_CELLS + 1];
  BhDecision decisions[WORLD_CELLS + 1];
  gboolean any[2] = {FALSE, FALSE};
  make_pairs(&job->options->rule, run->stored, run->candidate, WORLD_CELLS, d, pairs);
  bh_rule_decide(&job->options->rule, pairs, WORLD_CELLS, decisions);
  for (guint cell = 0; cell < WORLD_CELLS; cell++) {
    for (guint i = 0; i < WORLD_ROUNDS; i++)
      base[cell][i] = exp(run->stored[cell][i]);
    const gboolean flags[2] = {decisions[cell].verdict == BH_VERDICT_REGRESSED,
                               peer_flags(PEER_U, base[cell], candidate[cell], WORLD_ROUNDS)};
    for (guint k = 0; k < 2; k++) {
      if (cell < slower)
        rate_add(&o->stored_found[k], flags[k]);
      any[k] |= cell >= slower && flags[k];
    }
  }
  for (guint k = 0; k < 2; k++)
    rate_add(&o->stored_runs[k], any[k]);
}

static void judge_peers(const Job *job, const WorldRun *run) {
  Outcome *o = job->outcome;
  const guint slower = slower_cells(job->effect);
  double base[WORLD_CELLS][WORLD_ROUNDS], candidate[WORLD_CELLS][WORLD_ROUNDS];
  for (guint cell = 0; cell < WORLD_CELLS; cell++)
    for (guint i = 0; i < WORLD_ROUNDS; i++) {
      base[cell][i] = exp(run->base[cell][i]);
      candidate[cell][i] = exp(run->candidate[cell][i]);
    }
  for (guint k = 0; k < 2; k++)
    for (Peer p = 0; p < PEER_N; p++) {
      gboolean any = FALSE;
      for (guint cell = 0; cell < WORLD_CELLS; cell++) {
        const gboolean flagged = peer_flags(p, base[cell], candidate[cell], rounds_of[k]);
        rate_add(cell < slower ? &o->peer_found[k][p] : &o->peer_cells[k][p], flagged);
        any |= cell >= slower && flagged;
      }
      rate_add(&o->peer_runs[k][p], any);
    }
  judge_stored(job, run, base, candidate);
}

static gpointer work(gpointer data) {
  const Job *job = data;
  g_autofree WorldRun *run = g_new(WorldRun, 1);
  for (guint i = 0; i < job->options->runs; i++) {
    world_run(job->world, world_seed(job->options->seed, job->series, i), job->outcome->slowdown,
              slower_cells(job->effect), run);
    judge(job, run);
    if (job->options->peers && job->effect <= EFFECT_10)
      judge_peers(job, run);
  }
  return NULL;
}

/* The effects of one setting, so many at a time as asked for. */
static void run_effects(const Options *options, const World *world, guint64 series, Effect first, Effect end,
                        Outcome *outcomes) {
  Job jobs[EFFECT_N];
  for (Effect e = first; e < end;) {
    GThread *threads[EFFECT_N];
    guint n = 0;
    for (; e < end && n < options->threads; e++, n++) {
      jobs[e] = (Job){options, world, series * EFFECT_N + e, e, &outcomes[e]};
      threads[n] = g_thread_new("simulate", work, &jobs[e]);
    }
    for (guint i = 0; i < n; i++)
      g_thread_join(threads[i]);
  }
}

static double array_median(GArray *x) {
  return x->len ? bh_stats_median((const double *)(gpointer)x->data, x->len) : 0;
}

static void run_setting(const Options *options, guint setting, Outcome *outcomes) {
  static const double slowdowns[EFFECT_N] = {0, 0.03, 0.05, 0.10, 0.05, 0};
  const World *world = &world_settings[setting];
  for (Effect e = 0; e < EFFECT_N; e++)
    outcomes[e] = (Outcome){.slowdown = slowdowns[e], .detectable = g_array_new(FALSE, FALSE, sizeof(double))};
  run_effects(options, world, setting, EFFECT_NONE, EFFECT_DETECTABLE, outcomes);
  outcomes[EFFECT_DETECTABLE].slowdown = array_median(outcomes[EFFECT_NONE].detectable);
  run_effects(options, world, setting, EFFECT_DETECTABLE, EFFECT_N, outcomes);
}

/* ---- what is promised ---- */

/* Each bound is on what was seen; with 2000 runs its interval is about +-1 %. */
static guint check(const World *world, const char *what, double value, double low, double high) {
  if (value >= low && value <= high)
    return 0;
  g_printerr("simulate: %s: %s: expected %.4g .. %.4g, found %.4g\n", world->name, what, low, high, value);
  return 1;
}

static guint check_bounds(const World *world, const Outcome *o) {
  guint broken = check(world, "unchanged runs with a false alarm", rate_value(o[EFFECT_NONE].runs_alarmed), 0,
                       world->layout > 0.01 ? 1 : 0.05);
  if (world->layout <= 0.01) /* in layout3 many cells really changed by more than the margin */
    broken += check(world, "false discovery rate",
                    o[EFFECT_SEVERAL].false_share / (double)o[EFFECT_SEVERAL].runs_alarmed.of, 0, 0.05);
  if (!(world->layout > 0)) /* a base with two speeds, between which the slower candidate lies: seldom, not never */
    broken += check(world, "5 % called equivalent", rate_value(o[EFFECT_5].verdicts[BH_VERDICT_EQUIVALENT]), 0,
                    world->base_share > 0 ? 0.15 : 0.005);
  if (world->layout <= 0.01)
    broken += check(world, "10 % called equivalent", rate_value(o[EFFECT_10].verdicts[BH_VERDICT_EQUIVALENT]), 0,
                    world->base_share > 0 ? 0.02 : 0.001);
  if (!world->bound)
    return broken;
  broken +=
      check(world, "unchanged called equivalent", rate_value(o[EFFECT_NONE].verdicts[BH_VERDICT_EQUIVALENT]), 0.75, 1);
  broken += check(world, "power at 5 %", rate_value(o[EFFECT_5].verdicts[BH_VERDICT_REGRESSED]), 0.85, 1);
  broken += check(world, "power at 10 %", rate_value(o[EFFECT_10].verdicts[BH_VERDICT_REGRESSED]), 0.99, 1);
  if (!(world->layout > 0)) /* what a build does to a cell is no noise within a run, so `detectable` cannot know it */
    broken += check(world, "power at the detectable change",
                    rate_value(o[EFFECT_DETECTABLE].verdicts[BH_VERDICT_REGRESSED]), 0.75, 0.85);
  return broken;
}

/* ---- output ---- */

static void print_rate(const char *what, Rate rate) {
  double low, high;
  rate_interval(rate, &low, &high);
  g_print("  %-46s %7.2f %%  [%.2f, %.2f]\n", what, 100 * rate_value(rate), 100 * low, 100 * high);
}

static void print_setting(const World *world, const Outcome *o) {
  g_print("\n%s: %s\n", world->name, world->about);
  print_rate("false alarms, of runs", o[EFFECT_NONE].runs_alarmed);
  print_rate("false alarms, of cells", o[EFFECT_NONE].cells_alarmed);
  print_rate("cells confirmed for nothing", o[EFFECT_NONE].suspects);
  print_rate("control flagged, of runs", o[EFFECT_NONE].control);
  g_print("  %-46s %7.2f %%\n", "false among found, three of 5 % at once (FDR)",
          100 * o[EFFECT_SEVERAL].false_share / (double)o[EFFECT_SEVERAL].runs_alarmed.of);
  for (Effect e = 0; e < EFFECT_N; e++) {
    g_autofree char *size = e == EFFECT_DETECTABLE ? g_strdup_printf("detectable, %.2f %%", 100 * o[e].slowdown)
                                                   : g_strdup(effect_names[e]);
    g_autofree char *what = g_strdup_printf("%s: regressed", size);
    print_rate(what, o[e].verdicts[BH_VERDICT_REGRESSED]);
    g_print("  %46s %7.2f %% equivalent, %.2f %% inconclusive, %.2f %% improved\n", "",
            100 * rate_value(o[e].verdicts[BH_VERDICT_EQUIVALENT]),
            100 * rate_value(o[e].verdicts[BH_VERDICT_INCONCLUSIVE]),
            100 * rate_value(o[e].verdicts[BH_VERDICT_IMPROVED]));
  }
}

static void print_peers(const Outcome *o) {
  g_print("  %-40s false alarms   found\n  %-40s runs   cells     3 %%    5 %%   10 %%\n", "the same samples, rounds",
          "");
  for (guint k = 0; k < 2; k++)
    for (Peer p = 0; p < PEER_N; p++)
      g_print("  %2u  %-34s %5.1f  %6.2f   %5.1f  %5.1f  %5.1f\n", rounds_of[k], peer_names[p],
              100 * rate_value(o[0].peer_runs[k][p]), 100 * rate_value(o[0].peer_cells[k][p]),
              100 * rate_value(o[EFFECT_3].peer_found[k][p]), 100 * rate_value(o[EFFECT_5].peer_found[k][p]),
              100 * rate_value(o[EFFECT_10].peer_found[k][p]));
  for (guint k = 0; k < 2; k++)
    g_print("  %2d  %-34s %5.1f       -   %5.1f  %5.1f  %5.1f\n", k ? 40 : 10,
            k ? "U test, stored baseline" : "our rule, stored baseline", 100 * rate_value(o[0].stored_runs[k]),
            100 * rate_value(o[EFFECT_3].stored_found[k]), 100 * rate_value(o[EFFECT_5].stored_found[k]),
            100 * rate_value(o[EFFECT_10].stored_found[k]));
}

static void print_definitions(const Outcome *o) {
  g_print("  %-46s unchanged    3 %%    5 %%   10 %%\n", "equivalent by another definition, %");
  for (guint k = 0; k < G_N_ELEMENTS(definitions); k++)
    g_print("  %-46s   %7.2f %6.2f %6.2f %6.2f\n", definitions[k].name, 100 * rate_value(o[EFFECT_NONE].defined[k]),
            100 * rate_value(o[EFFECT_3].defined[k]), 100 * rate_value(o[EFFECT_5].defined[k]),
            100 * rate_value(o[EFFECT_10].defined[k]));
}

static void put_rate(JsonObject *object, const char *name, Rate rate) {
  JsonArray *value = json_array_new();
  double low, high;
  rate_interval(rate, &low, &high);
  json_array_add_double_element(value, rate_value(rate));
  json_array_add_double_element(value, low);
  json_array_add_double_element(value, high);
  json_array_add_int_element(value, (gint64)rate.of);
  json_object_set_array_member(object, name, value);
}

static JsonObject *peers_json(const Outcome *o) {
  JsonObject *all = json_object_new();
  for (guint k = 0; k < 2; k++)
    for (Peer p = 0; p < PEER_N; p++) {
      g_autofree char *name = g_strdup_printf("%s, %u rounds", peer_names[p], rounds_of[k]);
      JsonObject *peer = json_object_new();
      put_rate(peer, "false_alarms_runs", o[0].peer_runs[k][p]);
      put_rate(peer, "false_alarms_cells", o[0].peer_cells[k][p]);
      for (Effect e = EFFECT_3; e <= EFFECT_10; e++)
        put_rate(peer, effect_names[e], o[e].peer_found[k][p]);
      json_object_set_object_member(all, name, peer);
    }
  for (guint k = 0; k < 2; k++) {
    JsonObject *stored = json_object_new();
    put_rate(stored, "false_alarms_runs", o[0].stored_runs[k]);
    for (Effect e = EFFECT_3; e <= EFFECT_10; e++)
      put_rate(stored, effect_names[e], o[e].stored_found[k]);
    json_object_set_object_member(all, k ? "U test, stored baseline" : "our rule, stored baseline", stored);
  }
  return all;
}

/* Every rate: [seen, low, high, of how many]. */
static JsonObject *setting_json(const Options *options, const World *world, const Outcome *o) {
  JsonObject *object = json_object_new();
  json_object_set_string_member(object, "setting", world->name);
  json_object_set_string_member(object, "about", world->about);
  put_rate(object, "false_alarms_runs", o[EFFECT_NONE].runs_alarmed);
  put_rate(object, "false_alarms_cells", o[EFFECT_NONE].cells_alarmed);
  put_rate(object, "control_flagged", o[EFFECT_NONE].control);
  put_rate(object, "suspects", o[EFFECT_NONE].suspects);
  json_object_set_double_member(object, "fdr",
                                o[EFFECT_SEVERAL].false_share / (double)o[EFFECT_SEVERAL].runs_alarmed.of);
  json_object_set_double_member(object, "detectable_median", o[EFFECT_DETECTABLE].slowdown);
  for (Effect e = 0; e < EFFECT_N; e++) {
    JsonObject *verdicts = json_object_new();
    for (guint v = 0; v < 4; v++)
      put_rate(verdicts, bh_verdict_name((BhVerdict)v), o[e].verdicts[v]);
    json_object_set_object_member(object, effect_names[e], verdicts);
  }
  if (options->peers)
    json_object_set_object_member(object, "peers", peers_json(o));
  return object;
}

static gboolean parse(int argc, char **argv, Options *o) {
  g_autoptr(GError) error = NULL;
  int runs = 2000, threads = 2;
  gint64 seed = 1;
  gboolean no_peers = FALSE;
  o->rule = bh_rule_default();
  const GOptionEntry entries[] = {
      {"runs", 0, 0, G_OPTION_ARG_INT, &runs, "runs per setting and effect (2000)", "N"},
      {"seed", 0, 0, G_OPTION_ARG_INT64, &seed, "all random numbers follow from it (1)", "N"},
      {"setting", 0, 0, G_OPTION_ARG_STRING, &o->only, "only this one", "NAME"},
      {"threads", 0, 0, G_OPTION_ARG_INT, &threads, "effects simulated at a time (2); changes no figure", "N"},
      {"quick", 0, 0, G_OPTION_ARG_NONE, &o->quick, "300 runs, without the peers", NULL},
      {"no-peers", 0, 0, G_OPTION_ARG_NONE, &no_peers, "leave the other tools' rules out", NULL},
      {"definitions", 0, 0, G_OPTION_ARG_NONE, &o->definitions, "also other definitions of `equivalent`", NULL},
      {"json", 0, 0, G_OPTION_ARG_NONE, &o->json, "one JSON object in place of tables", NULL},
      {"screen-shift", 0, 0, G_OPTION_ARG_DOUBLE, &o->rule.screen_shift, "another rule: see rule.h", "X"},
      {"margin", 0, 0, G_OPTION_ARG_DOUBLE, &o->rule.margin, "another rule", "X"},
      {"equivalence", 0, 0, G_OPTION_ARG_DOUBLE, &o->rule.equivalence, "another rule", "X"},
      {"equivalent-shift", 0, 0, G_OPTION_ARG_DOUBLE, &o->rule.equivalent_shift, "another rule", "X"},
      {"q", 0, 0, G_OPTION_ARG_DOUBLE, &o->rule.q, "another rule", "X"},
      {NULL}};
  g_autoptr(GOptionContext) context = g_option_context_new("- how often the rule that decides is wrong");
  g_option_context_add_main_entries(context, entries, NULL);
  if (!g_option_context_parse(context, &argc, &argv, &error) || argc > 1 || runs < 1 || threads < 1) {
    g_printerr("simulate: %s\n", error ? error->message : "expected options only, counts of at least 1; see --help");
    return FALSE;
  }
  o->runs = o->quick ? 300 : (guint)runs;
  o->threads = (guint)MIN(threads, EFFECT_N);
  o->seed = (guint64)seed;
  o->peers = !o->quick && !no_peers;
  return TRUE;
}

int main(int argc, char **argv) {
  Options options = {0};
  guint broken = 0, ran = 0;
  if (!parse(argc, argv, &options))
    return 64;
  JsonArray *settings = json_array_new();
  for (guint i = 0; i < world_n_settings; i++) {
    Outcome outcomes[EFFECT_N];
    if (options.only && strcmp(options.only, world_settings[i].name) != 0)
      continue;
    run_setting(&options, i, outcomes);
    ran++;
    json_array_add_object_element(settings, setting_json(&options, &world_settings[i], outcomes));
    if (!options.json) {
      print_setting(&world_settings[i], outcomes);
      if (options.definitions)
        print_definitions(outcomes);
      if (options.peers)
        print_peers(outcomes);
    }
    broken += check_bounds(&world_settings[i], outcomes);
    for (Effect e = 0; e < EFFECT_N; e++)
      g_array_unref(outcomes[e].detectable);
  }
  g_autoptr(JsonNode) root = json_node_new(JSON_NODE_OBJECT);
  JsonObject *object = json_object_new();
  json_object_set_int_member(object, "runs", options.runs);
  json_object_set_int_member(object, "seed", (gint64)options.seed);
  json_object_set_int_member(object, "cells", WORLD_CELLS);
  json_object_set_array_member(object, "settings", settings);
  json_node_take_object(root, object);
  g_autofree char *text = bh_json_text(root, TRUE);
  if (options.json)
    g_print("%s", text);
  if (ran == 0)
    g_printerr("simulate: no setting is named '%s'\n", options.only);
  g_free(options.only);
  return ran == 0 ? 64 : broken > 0;
}
