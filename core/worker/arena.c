/* SPDX-License-Identifier: MIT
 * Owns the shared mapping behind bh_host: the services' functions and what they record. Fixed capacities, because
 * forked workers cannot grow it; what does not fit is dropped and said (bh_arena_overflowed). */
#include "worker/arena.h"

#include "base/clock.h"
#include "stats/summary.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MAX_WORKERS = 1024, MAX_PHASES = 16, MAX_FACTS = 256, MAX_LOGS = 256, MAX_METRICS = 1 << 16, MAX_STOPS = 8 };

typedef struct {
  const char *name; /* a literal of a plugin: the same address in every forked process */
  uint64_t ns, count;
} PhaseSum;

/* One writer each: its worker. Aligned so that two workers never share a cache line. */
typedef struct {
  _Alignas(64) const char *current;
  uint64_t since_ns;
  PhaseSum sums[MAX_PHASES];
} WorkerPhases;

typedef struct {
  atomic_int set;
  int cpu, seen, pid;
  char policy[16];
} Placement;

typedef struct {
  atomic_int ready;
  char name[64], text[256];
} Fact;

typedef struct {
  atomic_int ready;
  char text[512];
} LogLine;

typedef struct {
  atomic_int ready;
  uint32_t sample;
  int better;
  double value;
  char name[40], unit[16];
} Metric;

/* Several, because a process may die while it writes the first one. */
typedef struct {
  atomic_int ready;
  bh_status status;
  char message[2048];
} Stop;

struct BhArena {
  bh_host host;
  const int *cpus_compact, *cpus_spread;
  guint n_compact, n_spread;
  atomic_int cancelled, overflowed;
  atomic_uint n_stops;
  Stop stops[MAX_STOPS];
  _Atomic uint32_t sample;
  atomic_uint n_facts, n_logs, n_metrics;
  Placement placement[MAX_WORKERS];
  Fact facts[MAX_FACTS];
  LogLine logs[MAX_LOGS];
  WorkerPhases phases[MAX_WORKERS];
  Metric metrics[MAX_METRICS];
};

static BhArena *arena_of(const bh_host *host) {
  return host->cell;
}

/* Claims one of `capacity` slots; G_MAXUINT when all are taken. */
static guint claim(BhArena *arena, atomic_uint *counter, guint capacity) {
  guint slot = atomic_load_explicit(counter, memory_order_relaxed);
  while (slot < capacity)
    if (atomic_compare_exchange_weak_explicit(counter, &slot, slot + 1, memory_order_relaxed, memory_order_relaxed))
      return slot;
  atomic_store(&arena->overflowed, 1);
  return G_MAXUINT;
}

static bh_status host_stop(const bh_host *host, bh_status why, const char *format, ...) {
  BhArena *arena = arena_of(host);
  const guint slot = why == BH_OK ? MAX_STOPS : atomic_fetch_add(&arena->n_stops, 1);
  if (slot >= MAX_STOPS)
    return why; /* enough is known */
  Stop *stop = &arena->stops[slot];
  va_list args;
  va_start(args, format);
  vsnprintf(stop->message, sizeof stop->message, format, args);
  va_end(args);
  stop->status = why;
  atomic_store_explicit(&stop->ready, 1, memory_order_release);
  return why;
}

static void host_log(const bh_host *host, const char *format, ...) {
  BhArena *arena = arena_of(host);
  const guint slot = claim(arena, &arena->n_logs, MAX_LOGS);
  if (slot == G_MAXUINT)
    return;
  va_list args;
  va_start(args, format);
  vsnprintf(arena->logs[slot].text, sizeof arena->logs[slot].text, format, args);
  va_end(args);
  atomic_store_explicit(&arena->logs[slot].ready, 1, memory_order_release);
}

static void host_fact(const bh_host *host, const char *name, const char *format, ...) {
  BhArena *arena = arena_of(host);
  const guint slot = claim(arena, &arena->n_facts, MAX_FACTS);
  if (slot == G_MAXUINT)
    return;
  Fact *fact = &arena->facts[slot];
  g_strlcpy(fact->name, name, sizeof fact->name);
  va_list args;
  va_start(args, format);
  vsnprintf(fact->text, sizeof fact->text, format, args);
  va_end(args);
  atomic_store_explicit(&fact->ready, 1, memory_order_release);
}

static void host_phase(const bh_host *host, uint32_t worker, const char *name) {
  BhArena *arena = arena_of(host);
  if (worker >= MAX_WORKERS)
    return;
  WorkerPhases *mine = &arena->phases[worker];
  const uint64_t now_ns = bh_clock_now_ns();
  if (mine->current) {
    for (guint i = 0; i < MAX_PHASES; i++) {
      if (!mine->sums[i].name)
        mine->sums[i].name = mine->current;
      if (!strcmp(mine->sums[i].name, mine->current)) {
        mine->sums[i].ns += now_ns - mine->since_ns;
        mine->sums[i].count++;
        break;
      }
      if (i == MAX_PHASES - 1)
        atomic_store(&arena->overflowed, 1);
    }
  }
  mine->current = name;
  mine->since_ns = now_ns;
}

static void host_metric(const bh_host *host, const char *name, double value, const char *unit, bh_better better) {
  BhArena *arena = arena_of(host);
  if (!isfinite(value)) { /* a figure that does not exist is no figure */
    atomic_store(&arena->overflowed, 1);
    return;
  }
  const guint slot = claim(arena, &arena->n_metrics, MAX_METRICS);
  if (slot == G_MAXUINT)
    return;
  Metric *metric = &arena->metrics[slot];
  g_strlcpy(metric->name, name, sizeof metric->name);
  g_strlcpy(metric->unit, unit ? unit : "", sizeof metric->unit);
  metric->value = value;
  metric->better = better;
  metric->sample = atomic_load_explicit(&arena->sample, memory_order_relaxed);
  atomic_store_explicit(&metric->ready, 1, memory_order_release);
}

static int host_cancelled(const bh_host *host) {
  return atomic_load_explicit(&arena_of(host)->cancelled, memory_order_relaxed);
}

/* The order of CPUs that `policy` means; NULL: leave the worker where the kernel puts it. */
static const int *order_of(const BhArena *arena, const char *policy, guint *ret_n) {
  if (!strcmp(policy, "compact")) {
    *ret_n = arena->n_compact;
    return arena->cpus_compact;
  }
  if (!strcmp(policy, "spread")) {
    *ret_n = arena->n_spread;
    return arena->cpus_spread;
  }
  *ret_n = 0;
  return NULL;
}

static bh_status host_pin(const bh_host *host, const char *policy, uint32_t worker, uint32_t workers) {
  BhArena *arena = arena_of(host);
  if (worker >= workers || worker >= MAX_WORKERS)
    return host_stop(host, BH_FAIL, "pin: worker %u of %u: the most is %d", worker, workers, MAX_WORKERS);
  guint n;
  const int *order = order_of(arena, policy, &n);
  if (!order && strcmp(policy, "none"))
    return host_stop(host, BH_FAIL, "pin: unknown policy '%s'", policy);
  Placement *place = &arena->placement[worker];
  place->cpu = -1;
  if (order && n) {
    const int cpu = order[worker % n];
    cpu_set_t wanted, got;
    CPU_ZERO(&wanted);
    CPU_SET(cpu, &wanted);
    if (sched_setaffinity(0, sizeof wanted, &wanted) || sched_getaffinity(0, sizeof got, &got) ||
        !CPU_EQUAL(&wanted, &got))
      return host_stop(host, BH_FAIL, "pin: worker %u could not be placed on CPU %d: %s", worker, cpu,
                       g_strerror(errno));
    place->cpu = cpu;
  }
  place->seen = sched_getcpu();
  place->pid = (int)gettid();
  g_strlcpy(place->policy, policy, sizeof place->policy);
  atomic_store_explicit(&place->set, 1, memory_order_release);
  return BH_OK;
}

BhArena *bh_arena_new(const BhArenaOptions *options, GError **error) {
  BhArena *arena = mmap(NULL, sizeof *arena, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (arena == MAP_FAILED) {
    g_set_error(error, BH_ERROR, BH_ERROR_IO, "cannot map %zu bytes of shared memory: %s", sizeof *arena,
                g_strerror(errno));
    return NULL;
  }
  arena->host = (bh_host){
      .size = sizeof(bh_host),
      .abi = BH_ABI,
      .cell = arena,
      .seed = options->seed,
      .data_dir = options->data_dir,
      .scratch_dir = options->scratch_dir,
      .cores = options->cores,
      .stop = host_stop,
      .log = host_log,
      .fact = host_fact,
      .phase = host_phase,
      .metric = host_metric,
      .cancelled = host_cancelled,
      .pin = host_pin,
      .now_ns = bh_clock_now_ns,
  };
  arena->cpus_compact = options->cpus_compact;
  arena->cpus_spread = options->cpus_spread;
  arena->n_compact = options->n_compact;
  arena->n_spread = options->n_spread;
  return arena;
}

void bh_arena_free(BhArena *arena) {
  if (arena)
    munmap(arena, sizeof *arena);
}

const bh_host *bh_arena_host(BhArena *arena) {
  return &arena->host;
}

void bh_arena_cancel(BhArena *arena) {
  atomic_store(&arena->cancelled, 1);
}

gboolean bh_arena_cancelled(const BhArena *arena) {
  return atomic_load_explicit(&arena->cancelled, memory_order_relaxed) != 0;
}

bh_status bh_arena_stopped(const BhArena *arena, const char **ret_message) {
  for (guint i = 0; i < MAX_STOPS; i++)
    if (atomic_load_explicit(&arena->stops[i].ready, memory_order_acquire)) {
      *ret_message = arena->stops[i].message;
      return arena->stops[i].status;
    }
  return BH_OK;
}

void bh_arena_begin_sample(BhArena *arena, guint sample) {
  atomic_store_explicit(&arena->sample, sample, memory_order_relaxed);
}

void bh_arena_forget_metrics(BhArena *arena) {
  const guint n = atomic_exchange(&arena->n_metrics, 0);
  for (guint i = 0; i < MIN(n, MAX_METRICS); i++)
    atomic_store(&arena->metrics[i].ready, 0);
}

gboolean bh_arena_sample_metric(const BhArena *arena, guint sample, const char *name, double *ret) {
  g_autoptr(GArray) values = g_array_new(FALSE, FALSE, sizeof(double));
  /* Slots are claimed in order: those of the latest sample are the last. */
  for (guint i = MIN(atomic_load(&arena->n_metrics), MAX_METRICS); i-- > 0;) {
    const Metric *metric = &arena->metrics[i];
    if (!atomic_load_explicit(&metric->ready, memory_order_acquire))
      continue;
    if (metric->sample != sample)
      break;
    if (!strcmp(metric->name, name))
      g_array_append_val(values, metric->value);
  }
  if (!values->len)
    return FALSE;
  *ret = bh_stats_median((const double *)(void *)values->data, values->len);
  return TRUE;
}

void bh_arena_forget_phases(BhArena *arena) {
  /* Whoever reported, placed or not. What was never touched is not touched here. */
  for (guint w = 0; w < MAX_WORKERS; w++)
    if (arena->phases[w].sums[0].name)
      memset(arena->phases[w].sums, 0, sizeof arena->phases[w].sums);
}

gboolean bh_arena_overflowed(const BhArena *arena) {
  return atomic_load(&arena->overflowed) != 0;
}

/* Plugins may say anything; the journal is UTF-8. */
static void add_text(JsonObject *object, const char *name, const char *text) {
  g_autofree char *key = g_utf8_make_valid(name, -1);
  g_autofree char *value = g_utf8_make_valid(text, -1);
  json_object_set_string_member(object, key, value);
}

static JsonNode *object_node(JsonObject *object) {
  JsonNode *node = json_node_new(JSON_NODE_OBJECT);
  json_node_take_object(node, object);
  return node;
}

static JsonNode *array_node(JsonArray *array) {
  JsonNode *node = json_node_new(JSON_NODE_ARRAY);
  json_node_take_array(node, array);
  return node;
}

JsonNode *bh_arena_facts(const BhArena *arena) {
  JsonObject *object = json_object_new();
  const guint n = MIN(atomic_load(&arena->n_facts), MAX_FACTS);
  for (guint i = 0; i < n; i++)
    if (atomic_load_explicit(&arena->facts[i].ready, memory_order_acquire))
      add_text(object, arena->facts[i].name, arena->facts[i].text);
  return object_node(object);
}

JsonNode *bh_arena_log(const BhArena *arena) {
  JsonArray *array = json_array_new();
  const guint n = MIN(atomic_load(&arena->n_logs), MAX_LOGS);
  for (guint i = 0; i < n; i++)
    if (atomic_load_explicit(&arena->logs[i].ready, memory_order_acquire)) {
      g_autofree char *text = g_utf8_make_valid(arena->logs[i].text, -1);
      json_array_add_string_element(array, text);
    }
  return array_node(array);
}

static JsonObject *metric_summary(const Metric *like, const GArray *values) {
  const BhSummary s = bh_stats_summary((const double *)(void *)values->data, values->len);
  JsonObject *object = json_object_new();
  add_text(object, "unit", like->unit);
  json_object_set_string_member(object, "better", like->better == BH_HIGHER ? "higher" : "lower");
  json_object_set_double_member(object, "median", s.median);
  json_object_set_double_member(object, "min", s.min);
  json_object_set_double_member(object, "max", s.max);
  json_object_set_int_member(object, "n", s.n);
  return object;
}

JsonNode *bh_arena_metrics(const BhArena *arena) {
  g_autoptr(GHashTable) values = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_array_unref);
  g_autoptr(GPtrArray) firsts = g_ptr_array_new(); /* of const Metric, in order of first appearance */
  const guint n = MIN(atomic_load(&arena->n_metrics), MAX_METRICS);
  for (guint i = 0; i < n; i++) {
    const Metric *metric = &arena->metrics[i];
    if (!atomic_load_explicit(&metric->ready, memory_order_acquire))
      continue;
    GArray *of_name = g_hash_table_lookup(values, metric->name);
    if (!of_name) {
      of_name = g_array_new(FALSE, FALSE, sizeof(double));
      g_hash_table_insert(values, (gpointer)metric->name, of_name);
      g_ptr_array_add(firsts, (gpointer)metric);
    }
    g_array_append_val(of_name, metric->value);
  }
  JsonObject *object = json_object_new();
  for (guint i = 0; i < firsts->len; i++) {
    const Metric *first = firsts->pdata[i];
    g_autofree char *key = g_utf8_make_valid(first->name, -1);
    json_object_set_object_member(object, key, metric_summary(first, g_hash_table_lookup(values, first->name)));
  }
  return object_node(object);
}

static void add_phase(JsonObject *object, const PhaseSum *sum) {
  g_autofree char *key = g_utf8_make_valid(sum->name, -1);
  JsonObject *entry = NULL;
  gint64 ns = 0, count = 0;
  if (json_object_has_member(object, key)) {
    entry = json_object_ref(json_object_get_object_member(object, key));
    ns = json_object_get_int_member(entry, "ns");
    count = json_object_get_int_member(entry, "count");
  } else {
    entry = json_object_new();
    json_object_set_object_member(object, key, json_object_ref(entry));
  }
  json_object_set_int_member(entry, "ns", ns + (gint64)sum->ns);
  json_object_set_int_member(entry, "count", count + (gint64)sum->count);
  json_object_unref(entry);
}

JsonNode *bh_arena_worker_phases(const BhArena *arena) {
  JsonObject *object = json_object_new();
  for (guint w = 0; w < MAX_WORKERS; w++)
    for (guint i = 0; i < MAX_PHASES && arena->phases[w].sums[i].name; i++)
      if (arena->phases[w].sums[i].count)
        add_phase(object, &arena->phases[w].sums[i]);
  return object_node(object);
}

JsonNode *bh_arena_placement(const BhArena *arena, gboolean *ret_misplaced) {
  JsonArray *array = json_array_new();
  *ret_misplaced = FALSE;
  for (guint w = 0; w < MAX_WORKERS; w++) {
    const Placement *place = &arena->placement[w];
    if (!atomic_load_explicit(&place->set, memory_order_acquire))
      continue;
    JsonObject *entry = json_object_new();
    json_object_set_int_member(entry, "worker", w);
    json_object_set_string_member(entry, "policy", place->policy);
    if (place->cpu >= 0)
      json_object_set_int_member(entry, "cpu", place->cpu);
    else
      json_object_set_null_member(entry, "cpu");
    json_object_set_int_member(entry, "seen", place->seen);
    json_object_set_int_member(entry, "pid", place->pid);
    *ret_misplaced |= place->cpu >= 0 && place->seen != place->cpu;
    json_array_add_object_element(array, entry);
  }
  return array_node(array);
}
