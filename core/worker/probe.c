/* SPDX-License-Identifier: MIT
 * Owns what is observed around a sample: which processes belong to the cell, what they used, and which samples
 * something else disturbed. Observing only: no value is ever rejected here. */
#include "worker/probe.h"

#include "counters/counters.h"
#include "stats/summary.h"
#include "worker/cpu-time.h"
#include "worker/record.h"

#include <math.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define WAITING_SHARE                                                                                                  \
  0.05 /* of a sample's wall time without the CPU: more is a disturbance where nothing should wait */
/* Per worker. One costs at most a time slice of a few ms, so this many are at most a few per cent of a sample; any
 * sample that lasts seconds has some, on the quietest machine. A sample below 100 ms is flagged by its first. */
#define SWITCHES_PER_S 10.0
#define WHOLE_SHARE 0.9999 /* of the time: a counter that counted for less is extrapolated, and said to be */
/* A sample with spinning workers in processes of their own has no CPU time below this: it may be a tick wrong (up to
 * 10 ms; bh_cpu_time_settle). */
#define COARSE_WALL_NS (100 * 1000 * 1000)
#define NONE (-1.0) /* in a series: not known of this sample */
/* Beyond, the series are not in the record: of a million samples they would have 50 MB, and readers take lines of 64
 * MiB at the most. */
#define MOST_IN_SERIES 100000
#define NS_PER_S UINT64_C(1000000000)

/* Kept per sample, in this order. Times are per run, counts of the whole sample: a disturbance is no part of a run. */
typedef enum { CPU, WAIT, USER, SYSTEM, NIVCSW, NVCSW, MINFLT, MAJFLT, N_SERIES } Series;
static const char *const series_names[N_SERIES] = {"cpu_ns", "wait_ns", "user_ns", "system_ns",
                                                   "nivcsw", "nvcsw",   "minflt",  "majflt"};

/* One reading of everything; the difference of two is a sample's. */
typedef struct {
  struct rusage self, children; /* this process with all its threads; what it started and has reaped */
  guint64 cpu_ns;               /* of this process and of workers in processes of their own */
  guint64 worker_ns;            /* of this thread */
} Reading;

struct BhProbe {
  BhCpuTime *cpu_time;
  gboolean coarse; /* the sample just ended has no CPU time that means anything */
  GArray *cpu_ns;  /* of double: of kept samples that have one */
  guint workers;
  gboolean expect_busy; /* one worker, in this thread, that does not wait by design */
  Reading before, after;
  double last[N_SERIES]; /* of the sample just ended */
  guint inner;
  guint64 wall_ns;
  GArray *kept[N_SERIES]; /* of double */
  BhCounters *counters;
  GPtrArray *counted; /* of GArray of double: per counter, per run; samples in which it had its turn */
  guint n_flagged, n_switched, n_faulted, n_waited;
};

/* The groups asked for, and the one that the primary figure needs. Caller frees. */
static char *groups_of(const BhMeasure *measure) {
  BhPrimary primary;
  const char *needed = NULL, *asked = measure->counters ? measure->counters : "";
  if (measure->primary && bh_primary_parse(measure->primary, &primary) && primary.kind == BH_PRIMARY_COUNTER)
    needed = bh_counters_group_of(primary.name);
  return g_strjoin(" ", asked, needed, NULL);
}

BhProbe *bh_probe_new(const BhMeasure *measure) {
  BhProbe *probe = g_new0(BhProbe, 1);
  probe->cpu_time = bh_cpu_time_new();
  probe->cpu_ns = g_array_new(FALSE, FALSE, sizeof(double));
  for (guint i = 0; i < N_SERIES; i++)
    probe->kept[i] = g_array_new(FALSE, FALSE, sizeof(double));
  g_autofree char *groups = groups_of(measure);
  probe->counters = bh_counters_open(groups, NULL);
  probe->counted = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
  for (guint i = 0; i < bh_counters_n(probe->counters); i++)
    g_ptr_array_add(probe->counted, g_array_new(FALSE, FALSE, sizeof(double)));
  return probe;
}

void bh_probe_free(BhProbe *probe) {
  if (!probe)
    return;
  bh_cpu_time_free(probe->cpu_time);
  g_array_unref(probe->cpu_ns);
  for (guint i = 0; i < N_SERIES; i++)
    g_array_unref(probe->kept[i]);
  bh_counters_free(probe->counters);
  g_ptr_array_unref(probe->counted);
  g_free(probe);
}

/* ---- Who the workers are ---- */

/* Field `name` ("\nTgid:") of a thread's status file; 0: there is no such thread any more. */
static guint64 status_field(const char *status, const char *name) {
  const char *line = status ? strstr(status, name) : NULL;
  return line ? g_ascii_strtoull(line + strlen(name), NULL, 10) : 0;
}

static char *read_status(gint64 tid) {
  g_autofree char *path = g_strdup_printf("/proc/%" G_GINT64_FORMAT "/status", tid);
  char *text = NULL;
  return g_file_get_contents(path, &text, NULL, NULL) ? text : NULL;
}

void bh_probe_find_workers(BhProbe *probe, const BhSession *session) {
  if (!probe)
    return;
  gboolean misplaced;
  int tid = 0;
  g_autoptr(JsonNode) placement = bh_arena_placement(session->arena, &misplaced);
  JsonArray *places = json_node_get_array(placement);
  bh_cpu_time_find(probe->cpu_time, placement);
  for (guint i = 0; i < json_array_get_length(places); i++) {
    JsonObject *place = json_array_get_object_element(places, i);
    tid = (int)json_object_get_int_member(place, "pid");
  }
  probe->workers = MAX(session->needs.workers, 1);
  /* A worker elsewhere sleeps between runs, and one with threads or programs of its own waits for those. */
  const bh_problem *p = session->problem ? &session->problem->problem : NULL;
  const gboolean waits = !p || p->flags & (BH_BLOCKING | BH_EFFECTS) || p->inner_threads > 1;
  probe->expect_busy =
      session->needs.workers == 1 && json_array_get_length(places) == 1 && tid == (int)gettid() && !waits;
}

/* ---- Around a sample ---- */

static guint64 thread_cpu_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (guint64)t.tv_sec * NS_PER_S + (guint64)t.tv_nsec;
}

void bh_probe_begin(BhProbe *probe) {
  if (!probe)
    return;
  getrusage(RUSAGE_CHILDREN, &probe->before.children);
  getrusage(RUSAGE_SELF, &probe->before.self);
  probe->before.worker_ns = thread_cpu_ns();
  probe->before.cpu_ns = bh_cpu_time_now_ns(probe->cpu_time);
  bh_counters_start(probe->counters);
}

static double since(guint64 before, guint64 after) {
  return after > before ? (double)(after - before) : 0;
}

static double time_since(struct timeval before, struct timeval after) {
  const gint64 us = ((gint64)after.tv_sec - before.tv_sec) * G_USEC_PER_SEC + ((gint64)after.tv_usec - before.tv_usec);
  return us > 0 ? 1e3 * (double)us : 0;
}

#define OF_BOTH(member)                                                                                                \
  ((double)(after->self.member - before->self.member) + (double)(after->children.member - before->children.member))
#define TIME_OF(who, member) time_since(before->who.member, after->who.member)

void bh_probe_end(BhProbe *probe, guint inner, guint64 wall_ns) {
  if (!probe)
    return;
  const Reading *before = &probe->before, *after = &probe->after;
  bh_counters_stop(probe->counters);
  const gboolean settled = bh_cpu_time_settle(probe->cpu_time);
  probe->after.cpu_ns = bh_cpu_time_now_ns(probe->cpu_time);
  probe->after.worker_ns = thread_cpu_ns();
  probe->coarse = !settled && wall_ns < COARSE_WALL_NS;
  getrusage(RUSAGE_SELF, &probe->after.self);
  getrusage(RUSAGE_CHILDREN, &probe->after.children);
  bh_counters_collect(probe->counters);
  probe->inner = MAX(inner, 1);
  probe->wall_ns = wall_ns;
  double *last = probe->last;
  const double reaped_ns = TIME_OF(children, ru_utime) + TIME_OF(children, ru_stime);
  last[CPU] = probe->coarse ? NONE : (since(before->cpu_ns, after->cpu_ns) + reaped_ns) / probe->inner;
  const double idle_ns = (double)wall_ns - since(before->worker_ns, after->worker_ns);
  last[WAIT] = probe->expect_busy ? MAX(idle_ns, 0) / probe->inner : 0;
  last[USER] = (TIME_OF(self, ru_utime) + TIME_OF(children, ru_utime)) / probe->inner;
  last[SYSTEM] = (TIME_OF(self, ru_stime) + TIME_OF(children, ru_stime)) / probe->inner;
  last[NIVCSW] = OF_BOTH(ru_nivcsw);
  last[NVCSW] = OF_BOTH(ru_nvcsw);
  last[MINFLT] = OF_BOTH(ru_minflt);
  last[MAJFLT] = OF_BOTH(ru_majflt);
}

/* Of the sample just ended, per run. */
static gboolean counter_value(const BhProbe *probe, guint i, double *ret) {
  if (!bh_counters_value(probe->counters, i, ret))
    return FALSE;
  *ret /= probe->inner;
  return TRUE;
}

void bh_probe_keep(BhProbe *probe) {
  if (!probe)
    return;
  for (guint i = 0; i < N_SERIES; i++)
    g_array_append_val(probe->kept[i], probe->last[i]);
  if (!probe->coarse)
    g_array_append_val(probe->cpu_ns, probe->last[CPU]);
  for (guint i = 0; i < probe->counted->len; i++) {
    double value;
    if (counter_value(probe, i, &value))
      g_array_append_val(probe->counted->pdata[i], value);
  }
  const double usual = SWITCHES_PER_S * probe->workers * (double)probe->wall_ns / (double)NS_PER_S;
  const gboolean switched = probe->last[NIVCSW] > usual, faulted = probe->last[MAJFLT] > 0;
  const gboolean waited = probe->last[WAIT] * probe->inner > WAITING_SHARE * (double)probe->wall_ns;
  probe->n_switched += switched;
  probe->n_faulted += faulted;
  probe->n_waited += waited;
  probe->n_flagged += switched || faulted || waited;
}

gboolean bh_probe_value(const BhProbe *probe, const BhPrimary *primary, double *ret) {
  if (!probe || !probe->inner)
    return FALSE;
  switch (primary->kind) {
  case BH_PRIMARY_WALL:
    *ret = (double)probe->wall_ns / probe->inner;
    return TRUE;
  case BH_PRIMARY_CPU:
    *ret = probe->last[CPU];
    return !probe->coarse;
  case BH_PRIMARY_COUNTER:
    for (guint i = 0; i < bh_counters_n(probe->counters); i++)
      if (!strcmp(bh_counters_name(probe->counters, i), primary->name))
        return counter_value(probe, i, ret);
    return FALSE;
  default:
    return FALSE;
  }
}

/* ---- For the journal ---- */

double bh_probe_flagged_share(const BhProbe *probe) {
  const guint n = probe ? probe->kept[CPU]->len : 0;
  return n ? (double)probe->n_flagged / n : 0;
}

/* A thousandth of a nanosecond or an event: more digits would only be noise in the file. */
static double tidy(double x) {
  return round(x * 1000) / 1000;
}

static JsonArray *series_array(const GArray *values) {
  JsonArray *array = json_array_sized_new(values->len);
  for (guint i = 0; i < values->len; i++)
    if (g_array_index(values, double, i) == NONE)
      json_array_add_null_element(array);
    else
      json_array_add_double_element(array, tidy(g_array_index(values, double, i)));
  return array;
}

static gboolean all_zero(const GArray *values) {
  for (guint i = 0; i < values->len; i++)
    if (g_array_index(values, double, i) != 0)
      return FALSE;
  return TRUE;
}

static JsonObject *flagged(const BhProbe *probe) {
  JsonObject *object = json_object_new();
  json_object_set_double_member(object, "share", bh_probe_flagged_share(probe));
  json_object_set_int_member(object, "involuntary_switches", probe->n_switched);
  json_object_set_int_member(object, "major_faults", probe->n_faulted);
  if (probe->expect_busy)
    json_object_set_int_member(object, "waiting", probe->n_waited);
  else
    json_object_set_null_member(object, "waiting");
  return object;
}

static JsonObject *counter_object(const BhProbe *probe, guint i) {
  const BhCounters *counters = probe->counters;
  const GArray *values = probe->counted->pdata[i];
  const char *refusal = bh_counters_refusal(counters, i), *note = bh_counters_note(counters, i);
  JsonObject *object = json_object_new();
  if (refusal || !values->len) {
    json_object_set_string_member(object, "unavailable",
                                  refusal ? refusal : "the processor never had room for it; ask for fewer groups");
    return object;
  }
  const BhSummary s = bh_stats_summary((const double *)(void *)values->data, values->len);
  json_object_set_string_member(object, "unit", bh_counters_unit(counters, i));
  json_object_set_string_member(object, "better", "lower");
  json_object_set_string_member(object, "per", "run");
  json_object_set_double_member(object, "median", s.median);
  JsonArray *interval = s.has_interval ? json_array_new() : NULL;
  if (interval) {
    json_array_add_double_element(interval, s.low);
    json_array_add_double_element(interval, s.high);
    json_object_set_array_member(object, "ci", interval);
  } else {
    json_object_set_null_member(object, "ci");
  }
  json_object_set_double_member(object, "min", s.min);
  json_object_set_double_member(object, "max", s.max);
  json_object_set_int_member(object, "n", s.n);
  const double share = bh_counters_share(counters, i);
  if (share < WHOLE_SHARE)
    json_object_set_double_member(object, "scaled", share);
  if (note)
    json_object_set_string_member(object, "note", note);
  return object;
}

static JsonObject *counters_object(const BhProbe *probe) {
  JsonObject *object = json_object_new();
  for (guint i = 0; i < probe->counted->len; i++)
    json_object_set_object_member(object, bh_counters_name(probe->counters, i), counter_object(probe, i));
  return object;
}

static JsonObject *cpu_object(const BhProbe *probe) {
  if (!probe->cpu_ns->len) {
    JsonObject *object = json_object_new();
    json_object_set_string_member(object, "unavailable",
                                  "workers in processes of their own did not sleep after their part, and of those the "
                                  "kernel tells CPU time only once a tick: ask for the counters of the kernel "
                                  "(task-clock), or for samples of 100 ms (min_sample)");
    return object;
  }
  JsonObject *object = bh_record_figure((const double *)(void *)probe->cpu_ns->data, probe->cpu_ns->len);
  json_object_remove_member(object, "samples_ns"); /* they are in `samples`, with the others */
  return object;
}

static JsonObject *samples_object(const BhProbe *probe) {
  JsonObject *samples = json_object_new();
  for (guint i = 0; i < N_SERIES; i++)
    if (!all_zero(probe->kept[i]) && !(i == CPU && !probe->cpu_ns->len))
      json_object_set_array_member(samples, series_names[i], series_array(probe->kept[i]));
  return samples;
}

void bh_probe_add_to_record(const BhProbe *probe, JsonObject *record) {
  if (!probe || !probe->kept[CPU]->len)
    return;
  json_object_set_object_member(record, "cpu", cpu_object(probe));
  if (probe->kept[CPU]->len <= MOST_IN_SERIES)
    json_object_set_object_member(record, "samples", samples_object(probe));
  json_object_set_object_member(record, "flagged", flagged(probe));
  if (probe->counted->len)
    json_object_set_object_member(record, "counters", counters_object(probe));
}

/* The largest resident set so far, in bytes; 0: unknown. */
static guint64 peak_bytes(const char *status) {
  return status_field(status, "\nVmHWM:") * 1024;
}

guint64 bh_probe_add_peaks(JsonNode *placement) {
  JsonArray *places = json_node_get_array(placement);
  for (guint i = 0; i < json_array_get_length(places); i++) {
    JsonObject *place = json_array_get_object_element(places, i);
    g_autofree char *status = read_status(json_object_get_int_member(place, "pid"));
    const gboolean apart = status_field(status, "\nTgid:") != (guint64)getpid();
    if (apart && peak_bytes(status))
      json_object_set_int_member(place, "peak_bytes", (gint64)peak_bytes(status));
    else
      json_object_set_null_member(place, "peak_bytes"); /* a thread: memory is its process's */
  }
  g_autofree char *own = read_status(getpid());
  return peak_bytes(own);
}
