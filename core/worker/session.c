/* SPDX-License-Identifier: MIT
 * Owns the life of a cell inside its process (see the drawing in benchhost/plugin.h) and the times of its phases. */
#include "worker/session.h"

#include "base/clock.h"
#include "base/text.h"
#include "worker/checksum.h"
#include "worker/poison.h"

#include <stdlib.h>
#include <string.h>

static const char *const phase_names[BH_N_PHASES] = {"load",  "open",   "alloc",  "fill",    "bind", "cold",
                                                     "fetch", "verify", "warmup", "measure", "close"};

const char *bh_phase_name(BhPhase phase) {
  return phase_names[phase];
}

void bh_session_begin(BhSession *s, BhPhase phase) {
  if (s->on_phase)
    s->on_phase(phase);
  s->phase_seen[phase] = TRUE;
  s->phase_ns[phase] -= bh_clock_now_ns(); /* wraps; the end adds it back */
}

void bh_session_end(BhSession *s, BhPhase phase) {
  s->phase_ns[phase] += bh_clock_now_ns();
}

BhSession *bh_session_new(const BhWorkerRequest *request, BhArena *arena) {
  BhSession *s = g_new0(BhSession, 1);
  s->request = request;
  s->started_ns = bh_clock_now_ns();
  s->arena = arena;
  s->host = bh_arena_host(arena);
  s->value_store = g_ptr_array_new_with_free_func((GDestroyNotify)bh_value_free);
  return s;
}

/* A callback's answer, made whole: a failure without a reason is the plugin's bug and is called one; a reason without a
 * failure (a member that stopped and returned BH_OK) is a failure. Where workers failed in different ways, the status
 * is that of the reason kept, which is the first one's. */
static bh_status settle(BhSession *s, bh_status status, const char *plugin, const char *callback) {
  const char *message;
  const bh_status stopped = bh_arena_stopped(s->arena, &message);
  if (status < BH_OK || status > BH_FAIL)
    return s->host->stop(s->host, BH_FAIL, "%s: %s returned %d, which is no bh_status: a bug in the plugin", plugin,
                         callback, (int)status);
  if (status != BH_OK && stopped == BH_OK)
    return s->host->stop(s->host, status, "%s: %s failed without saying why: a bug in the plugin", plugin, callback);
  return stopped;
}

#define WORKLOAD(s, status, callback) settle(s, status, (s)->workload->info.name, callback)
#define BACKEND(s, status, callback) settle(s, status, (s)->backend->info.name, callback)

static bh_status fail_with(BhSession *s, bh_status why, GError *error) {
  const bh_status status = s->host->stop(s->host, why, "%s", error->message);
  g_error_free(error);
  return status;
}

/* The request's text for parameter `name`, or NULL. */
static const char *text_of(char **names, char **values, const char *name) {
  for (guint i = 0; names && names[i]; i++)
    if (!strcmp(names[i], name))
      return values[i];
  return NULL;
}

static bh_value *parse_values(BhSession *s, const BhLoaded *loaded, char prefix, char **names, char **texts,
                              GError **error) {
  g_autoptr(BhPlugin) plugin = bh_loader_describe(loaded, error);
  if (!plugin)
    return NULL;
  g_autofree bh_value *values = g_new0(bh_value, MAX(plugin->params->len, 1));
  for (guint i = 0; i < plugin->params->len; i++) {
    const BhParam *param = plugin->params->pdata[i];
    const char *text = text_of(names, texts, param->name);
    if (!text)
      text = param->fallback; /* plain defaults; expressions were worked out by the plan */
    if (!text) {
      g_set_error(error, BH_ERROR, BH_ERROR_USAGE, "%s: parameter '%s' has no default and was not given", plugin->name,
                  param->name);
      return NULL;
    }
    BhValue *value = bh_value_parse(param, text, error);
    if (!value) {
      g_prefix_error(error, "%s: ", plugin->name);
      return NULL;
    }
    g_autofree char *key = g_strdup_printf("%c:%s", prefix, param->name);
    value->given = s->request->given && g_hash_table_contains(s->request->given, key);
    g_ptr_array_add(s->value_store, value);
    values[i] = bh_value_view(value);
  }
  return g_steal_pointer(&values);
}

bh_status bh_session_load(BhSession *s) {
  const BhWorkerRequest *r = s->request;
  g_autoptr(GError) error = NULL;
  bh_session_begin(s, BH_PHASE_LOAD);
  s->workload = bh_loader_open(r->workload_path, &error);
  if (s->workload)
    s->backend = bh_loader_open(r->backend_path, &error);
  bh_session_end(s, BH_PHASE_LOAD);
  if (!s->backend)
    return fail_with(s, BH_FAIL, g_steal_pointer(&error));
  if (!s->workload->info.workload || !s->backend->info.backend)
    return s->host->stop(s->host, BH_FAIL, "%s is not a %s",
                         s->workload->info.workload ? r->backend_path : r->workload_path,
                         s->workload->info.workload ? "backend" : "workload");
  s->params = parse_values(s, s->workload, 'w', r->param_names, r->param_values, &error);
  if (s->params)
    s->options = parse_values(s, s->backend, 'b', r->option_names, r->option_values, &error);
  return s->options ? BH_OK : fail_with(s, BH_FAIL, g_steal_pointer(&error));
}

static bh_status open_workload(BhSession *s) {
  const bh_workload *w = &s->workload->workload;
  bh_status status = w->probe ? WORKLOAD(s, w->probe(s->host), "probe") : BH_OK;
  if (status != BH_OK)
    return status;
  bh_problem theirs = {.size = sizeof theirs};
  status = WORKLOAD(s, w->open(s->host, s->params, &theirs, &s->workload_state), "open");
  if (status != BH_OK)
    return status;
  s->workload_open = TRUE;
  g_autoptr(GError) error = NULL;
  s->problem = bh_problem_new(&theirs, &error);
  if (!s->problem) {
    g_prefix_error(&error, "%s: open: ", s->workload->info.name);
    return fail_with(s, BH_FAIL, g_steal_pointer(&error));
  }
  return settle(s, bh_problem_choose(s->problem, s->request->variant, s->backend->backend.target, s->host),
                s->workload->info.name, "a variant's probe");
}

/* Says no before anything is allocated: a cell that cannot fit must not take the machine down to find out. */
static bh_status check_memory(BhSession *s) {
  s->footprint_bytes = bh_problem_footprint(&s->problem->problem, &s->needs);
  const guint64 had = s->request->memory_bytes;
  if (had && s->footprint_bytes > had) {
    g_autofree char *needs = bh_text_bytes((double)s->footprint_bytes), *has = bh_text_bytes((double)had);
    return s->host->stop(s->host, BH_OUT_OF_MEMORY, "needs %s, has %s", needs, has);
  }
  if (s->needs.device_bytes > s->needs.device_free_bytes) {
    g_autofree char *needs = bh_text_bytes((double)s->needs.device_bytes);
    g_autofree char *has = bh_text_bytes((double)s->needs.device_free_bytes);
    return s->host->stop(s->host, BH_OUT_OF_MEMORY, "needs %s of device memory, has %s", needs, has);
  }
  return BH_OK;
}

static bh_status check_shape(BhSession *s) {
  const bh_problem *p = &s->problem->problem;
  const bh_backend *b = &s->backend->backend;
  const char *name = s->backend->info.name;
  if (p->member && !b->run_team)
    return s->host->stop(s->host, BH_UNSUPPORTED, "%s runs no teams", name);
  if (!p->member && !b->run_loop)
    return s->host->stop(s->host, BH_UNSUPPORTED, "%s runs no loops", name);
  if (s->needs.workers < 1)
    return s->host->stop(s->host, BH_FAIL, "%s: accept answered %u workers: a bug in the plugin", name,
                         s->needs.workers);
  if (p->member && (s->needs.workers < p->min_members || (p->max_members && s->needs.workers > p->max_members)))
    return s->host->stop(s->host, BH_UNSUPPORTED, "a team of %u: it takes %u to %u", s->needs.workers, p->min_members,
                         p->max_members ? p->max_members : UINT32_MAX);
  return BH_OK;
}

static bh_status open_backend(BhSession *s) {
  const bh_backend *b = &s->backend->backend;
  bh_status status = b->probe ? BACKEND(s, b->probe(s->host), "probe") : BH_OK;
  if (status != BH_OK)
    return status;
  s->needs = (bh_needs){.size = sizeof s->needs};
  status = BACKEND(s, b->accept(s->host, s->options, &s->problem->problem, &s->needs), "accept");
  if (status == BH_OK)
    status = check_shape(s);
  if (status == BH_OK)
    status = check_memory(s);
  if (status != BH_OK)
    return status;
  status = BACKEND(s, b->open(s->host, s->options, &s->problem->problem, s->workload_state, &s->backend_state), "open");
  s->backend_open = status == BH_OK;
  return status;
}

bh_status bh_session_open(BhSession *s) {
  bh_session_begin(s, BH_PHASE_OPEN);
  bh_status status = open_workload(s);
  if (status == BH_OK)
    status = open_backend(s);
  bh_session_end(s, BH_PHASE_OPEN);
  return status;
}

static bh_status out_of_memory(BhSession *s, guint region) {
  g_autofree char *needs = bh_text_bytes((double)s->view_bytes[region]);
  g_autofree char *all = bh_text_bytes((double)s->footprint_bytes),
                  *has = bh_text_bytes((double)s->request->memory_bytes);
  return s->host->stop(s->host, BH_OUT_OF_MEMORY, "region %s: %s could not be allocated (the cell needs %s, has %s)",
                       s->problem->problem.regions[region].name, needs, all, has);
}

static bh_status alloc_regions(BhSession *s) {
  const bh_problem *p = &s->problem->problem;
  s->view = g_new0(void *, MAX(p->n_regions, 1));
  s->pristine = g_new0(void *, MAX(p->n_regions, 1));
  s->input_sums = g_new0(guint64, MAX(p->n_regions, 1));
  s->view_bytes = g_new0(guint64, MAX(p->n_regions, 1));
  s->restores = s->workload->workload.prepare != NULL && !(p->flags & BH_REPEATABLE);
  for (guint i = 0; i < p->n_regions; i++) {
    s->view_bytes[i] = bh_problem_view_bytes(p, i, s->needs.workers);
    if (p->regions[i].role == BH_SCRATCH || !s->view_bytes[i])
      continue;
    s->view[i] = s->backend->backend.alloc(s->backend_state, i);
    if (!s->view[i])
      return out_of_memory(s, i);
    if (p->regions[i].role == BH_INOUT) {
      s->restores = TRUE;
      s->pristine[i] = malloc(s->view_bytes[i]); /* not g_malloc: it aborts */
      if (!s->pristine[i])
        return out_of_memory(s, i);
    }
  }
  return BH_OK;
}

static bh_status bind_region(BhSession *s, guint region) {
  const bh_backend *b = &s->backend->backend;
  return b->bind && s->view[region] ? BACKEND(s, b->bind(s->backend_state, region), "bind") : BH_OK;
}

static gboolean is_result(const bh_region *region) {
  return region->role == BH_OUT || region->role == BH_REDUCE;
}

/* What must hold nothing of an earlier run when a run begins. */
static gboolean is_renewed(const bh_region *region) {
  return is_result(region) || region->role == BH_TEMP;
}

/* A region that a run may leave untouched keeps zeros, not poison: what it leaves is part of its result. */
static void poison_results(BhSession *s) {
  const bh_problem *p = &s->problem->problem;
  s->poison = bh_poison_word(s->request->seed, s->sample++);
  for (guint i = 0; i < p->n_regions; i++)
    if (s->view[i] && is_renewed(&p->regions[i])) {
      if (p->regions[i].flags & BH_PARTIAL)
        memset(s->view[i], 0, s->view_bytes[i]);
      else
        bh_poison_fill(s->view[i], s->view_bytes[i], s->poison);
    }
}

/* Poison travels like inputs, but no program sends it: a phase of its own kind, `fill`, pays for it. */
static bh_status bind_all(BhSession *s, gboolean inputs) {
  const bh_problem *p = &s->problem->problem;
  bh_status status = BH_OK;
  for (guint i = 0; i < p->n_regions && status == BH_OK; i++)
    if (is_renewed(&p->regions[i]) != inputs)
      status = bind_region(s, i);
  return status;
}

bh_status bh_session_fill(BhSession *s) {
  const bh_problem *p = &s->problem->problem;
  bh_session_begin(s, BH_PHASE_ALLOC);
  bh_status status = alloc_regions(s);
  bh_session_end(s, BH_PHASE_ALLOC);
  if (status != BH_OK)
    return status;
  bh_session_begin(s, BH_PHASE_FILL);
  if (s->workload->workload.fill) {
    /* TEMP is not the workload's to see. */
    g_autofree void **seen = g_memdup2(s->view, p->n_regions * sizeof *s->view);
    for (guint i = 0; i < p->n_regions; i++)
      if (p->regions[i].role == BH_TEMP)
        seen[i] = NULL;
    status = WORKLOAD(s, s->workload->workload.fill(s->workload_state, seen, s->needs.workers), "fill");
  }
  for (guint i = 0; i < p->n_regions && status == BH_OK; i++)
    if (s->pristine[i])
      memcpy(s->pristine[i], s->view[i], s->view_bytes[i]);
    else if (s->view[i] && p->regions[i].role == BH_IN)
      s->input_sums[i] = bh_checksum(s->view[i], s->view_bytes[i]);
  poison_results(s);
  if (status == BH_OK)
    status = bind_all(s, FALSE);
  bh_session_end(s, BH_PHASE_FILL);
  if (status != BH_OK)
    return status;
  bh_session_begin(s, BH_PHASE_BIND);
  status = bind_all(s, TRUE);
  bh_session_end(s, BH_PHASE_BIND);
  return status;
}

bh_status bh_session_prepare(BhSession *s) {
  const bh_problem *p = &s->problem->problem;
  poison_results(s);
  bh_status status = BH_OK;
  for (guint i = 0; i < p->n_regions && status == BH_OK; i++) {
    if (s->pristine[i])
      memcpy(s->view[i], s->pristine[i], s->view_bytes[i]);
    if (s->pristine[i] || is_renewed(&p->regions[i]))
      status = bind_region(s, i);
  }
  if (status == BH_OK && s->workload->workload.prepare)
    status = WORKLOAD(s, s->workload->workload.prepare(s->workload_state), "prepare");
  return status;
}

/* The timed path. Everything in locals: what lies behind a pointer would be read again after every call. A plan of one
 * loop, the common case, costs one call per run and nothing else. */
static bh_status run_loops(bh_status (*run_loop)(void *, uint32_t), void *state, guint n_loops, guint inner) {
  bh_status status = BH_OK;
  if (n_loops == 1) {
    for (guint k = 0; k < inner && status == BH_OK; k++)
      status = run_loop(state, 0);
    return status;
  }
  for (guint k = 0; k < inner && status == BH_OK; k++)
    for (guint i = 0; i < n_loops && status == BH_OK; i++)
      status = run_loop(state, i);
  return status;
}

bh_status bh_session_run(BhSession *s, guint inner) {
  const bh_backend *b = &s->backend->backend;
  if (!s->problem->problem.member)
    return BACKEND(s, run_loops(b->run_loop, s->backend_state, s->problem->problem.n_loops, inner), "run_loop");
  bh_status status = BH_OK;
  for (guint k = 0; k < inner && status == BH_OK; k++)
    status = b->run_team(s->backend_state);
  return BACKEND(s, status, "run_team");
}

gboolean bh_session_fetches(const BhSession *s, guint region) {
  const bh_region *r = &s->problem->problem.regions[region];
  return is_result(r) || r->role == BH_INOUT;
}

bh_status bh_session_fetch(BhSession *s) {
  const bh_problem *p = &s->problem->problem;
  const bh_backend *b = &s->backend->backend;
  bh_status status = BH_OK;
  for (guint i = 0; b->fetch && i < p->n_regions && status == BH_OK; i++)
    if (s->view[i] && bh_session_fetches(s, i))
      status = BACKEND(s, b->fetch(s->backend_state, i), "fetch");
  return status;
}

bh_status bh_session_spot_check(BhSession *s, guint spots) {
  const bh_problem *p = &s->problem->problem;
  for (guint i = 0; i < p->n_regions; i++) {
    if (!s->view[i] || !is_result(&p->regions[i]) || p->regions[i].flags & BH_PARTIAL)
      continue;
    guint64 first;
    const guint64 n = bh_poison_count(s->view[i], s->view_bytes[i], s->poison, spots, &first);
    if (n)
      return s->host->stop(s->host, BH_WRONG,
                           "region %s: never written by the run at byte %" G_GUINT64_FORMAT " (%" G_GUINT64_FORMAT
                           " words of 8 bytes %s still hold the host's poison)",
                           p->regions[i].name, first, n, spots ? "of those looked at" : "in all");
  }
  return BH_OK;
}

/* A kernel that changes what it may only read works on other data the next time. Seen where memory is shared. */
static bh_status check_inputs(BhSession *s) {
  const bh_problem *p = &s->problem->problem;
  for (guint i = 0; i < p->n_regions; i++)
    if (s->view[i] && p->regions[i].role == BH_IN && bh_checksum(s->view[i], s->view_bytes[i]) != s->input_sums[i])
      return s->host->stop(s->host, BH_WRONG,
                           "region %s: a run changed it, and its role is BH_IN: kernels may only read it",
                           p->regions[i].name);
  return BH_OK;
}

bh_status bh_session_verify(BhSession *s) {
  bh_session_begin(s, BH_PHASE_VERIFY);
  bh_status status = bh_session_spot_check(s, 0);
  if (status == BH_OK)
    status = check_inputs(s);
  if (status == BH_OK)
    status = WORKLOAD(s, s->workload->workload.verify(s->workload_state, s->view, s->needs.workers), "verify");
  bh_session_end(s, BH_PHASE_VERIFY);
  return status;
}

void bh_session_close(BhSession *s) {
  if (!s->backend_open && !s->workload_open)
    return;
  bh_session_begin(s, BH_PHASE_CLOSE);
  if (s->backend_open)
    s->backend->backend.close(s->backend_state);
  if (s->workload_open)
    s->workload->workload.close(s->workload_state);
  s->backend_open = s->workload_open = FALSE;
  bh_session_end(s, BH_PHASE_CLOSE);
}

void bh_session_free(BhSession *s) {
  if (!s)
    return;
  bh_session_close(s);
  for (guint i = 0; s->pristine && i < s->problem->problem.n_regions; i++)
    free(s->pristine[i]);
  g_free(s->pristine);
  g_free(s->input_sums);
  g_clear_pointer(&s->cold_phases, json_node_unref);
  g_free(s->view);
  g_free(s->view_bytes);
  bh_problem_free(s->problem);
  g_free(s->params);
  g_free(s->options);
  g_ptr_array_unref(s->value_store);
  bh_loader_free(s->workload);
  bh_loader_free(s->backend);
  g_free(s);
}
