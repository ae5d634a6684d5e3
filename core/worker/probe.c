/* SPDX-License-Identifier: MIT
 * Owns what is observed around a sample: which processes belong to the cell, what they used, and which samples
 * something else disturbed. Observing only: no value is ever rejected here. */
#include "worker/probe.h"

#include "worker/record.h"

#include <math.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define WAITING_SHARE                                                                                                  \
  0.05 /* of a sample's wall time without the CPU: more is a disturbance where nothing should wait */
#define NS_PER_S UINT64_C(1000000000)

/* Kept per sample, in this order. Times are per run, counts of the whole sample: a disturbance is no part of a run. */
typedef enum { CPU, WAIT, USER, SYSTEM, NIVCSW, NVCSW, MINFLT, MAJFLT, N_SERIES } Series;
static const char *const series_names[N_SERIES] = {"cpu_ns", "wait_ns", "user_ns", "system_ns",
                                                   "nivcsw", "nvcsw",   "minflt",  "majflt"};

/* One reading of everything; the difference of two is a sample's. */
typedef struct {
  struct rusage self, children; /* this process with all its threads; what it started and has reaped */
  guint64 own_ns, others_ns;    /* CPU time: of this process; of workers in processes of their own */
  guint64 worker_ns;            /* of the only worker's own thread */
} Reading;

struct BhProbe {
  GArray *clocks;         /* of clockid_t: CPU time of every worker's process but this one */
  clockid_t worker_clock; /* of the only worker's thread */
  gboolean expect_busy;   /* one worker, on a CPU of its own, that does not wait by design */
  Reading before, after;
  double last[N_SERIES]; /* of the sample just ended */
  guint inner;
  guint64 wall_ns;
  GArray *kept[N_SERIES]; /* of double */
  guint n_flagged, n_switched, n_faulted, n_waited;
};

BhProbe *bh_probe_new(const char *counters) {
  (void)counters;
  BhProbe *probe = g_new0(BhProbe, 1);
  probe->clocks = g_array_new(FALSE, FALSE, sizeof(clockid_t));
  for (guint i = 0; i < N_SERIES; i++)
    probe->kept[i] = g_array_new(FALSE, FALSE, sizeof(double));
  return probe;
}

void bh_probe_free(BhProbe *probe) {
  if (!probe)
    return;
  g_array_unref(probe->clocks);
  for (guint i = 0; i < N_SERIES; i++)
    g_array_unref(probe->kept[i]);
  g_free(probe);
}

/* ---- Who the workers are ---- */

/* The process that thread `tid` belongs to; 0: there is no such thread any more. */
static pid_t process_of(int tid) {
  g_autofree char *path = g_strdup_printf("/proc/%d/status", tid), *text = NULL;
  if (!g_file_get_contents(path, &text, NULL, NULL))
    return 0;
  const char *line = strstr(text, "\nTgid:");
  return line ? (pid_t)g_ascii_strtoll(line + strlen("\nTgid:"), NULL, 10) : 0;
}

/* The CPU clock of a thread of any process: Linux writes it like this (include/linux/posix-timers.h: the inverted id, 4
 * for a thread, 2 for scheduled time), and glibc has no function for a thread known by its id. */
static clockid_t thread_clock(int tid) {
  return (clockid_t)(~(unsigned)tid << 3 | 6u);
}

static void add_process(BhProbe *probe, pid_t pid) {
  clockid_t clock;
  if (pid <= 0 || pid == getpid() || clock_getcpuclockid(pid, &clock))
    return;
  for (guint i = 0; i < probe->clocks->len; i++)
    if (g_array_index(probe->clocks, clockid_t, i) == clock)
      return;
  g_array_append_val(probe->clocks, clock);
}

void bh_probe_find_workers(BhProbe *probe, const BhSession *session) {
  if (!probe)
    return;
  gboolean misplaced, pinned = FALSE;
  int tid = 0;
  g_autoptr(JsonNode) placement = bh_arena_placement(session->arena, &misplaced);
  JsonArray *places = json_node_get_array(placement);
  g_array_set_size(probe->clocks, 0);
  for (guint i = 0; i < json_array_get_length(places); i++) {
    JsonObject *place = json_array_get_object_element(places, i);
    tid = (int)json_object_get_int_member(place, "pid");
    pinned = !json_object_get_null_member(place, "cpu");
    add_process(probe, process_of(tid));
  }
  const gboolean blocking = session->problem && session->problem->problem.flags & BH_BLOCKING;
  probe->expect_busy = session->needs.workers == 1 && json_array_get_length(places) == 1 && pinned && !blocking;
  probe->worker_clock = thread_clock(tid);
}

/* ---- Around a sample ---- */

static guint64 cpu_ns(clockid_t clock) {
  struct timespec t;
  return clock_gettime(clock, &t) ? 0 : (guint64)t.tv_sec * NS_PER_S + (guint64)t.tv_nsec;
}

static void read_cpu(const BhProbe *probe, Reading *ret) {
  ret->own_ns = cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
  ret->worker_ns = probe->expect_busy ? cpu_ns(probe->worker_clock) : 0;
  ret->others_ns = 0;
  for (guint i = 0; i < probe->clocks->len; i++)
    ret->others_ns += cpu_ns(g_array_index(probe->clocks, clockid_t, i));
}

void bh_probe_begin(BhProbe *probe) {
  if (!probe)
    return;
  getrusage(RUSAGE_CHILDREN, &probe->before.children);
  getrusage(RUSAGE_SELF, &probe->before.self);
  read_cpu(probe, &probe->before);
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
  read_cpu(probe, &probe->after);
  getrusage(RUSAGE_SELF, &probe->after.self);
  getrusage(RUSAGE_CHILDREN, &probe->after.children);
  probe->inner = MAX(inner, 1);
  probe->wall_ns = wall_ns;
  double *last = probe->last;
  const double reaped_ns = TIME_OF(children, ru_utime) + TIME_OF(children, ru_stime);
  last[CPU] =
      (since(before->own_ns, after->own_ns) + since(before->others_ns, after->others_ns) + reaped_ns) / probe->inner;
  const double idle_ns = (double)wall_ns - since(before->worker_ns, after->worker_ns);
  last[WAIT] = probe->expect_busy ? MAX(idle_ns, 0) / probe->inner : 0;
  last[USER] = (TIME_OF(self, ru_utime) + TIME_OF(children, ru_utime)) / probe->inner;
  last[SYSTEM] = (TIME_OF(self, ru_stime) + TIME_OF(children, ru_stime)) / probe->inner;
  last[NIVCSW] = OF_BOTH(ru_nivcsw);
  last[NVCSW] = OF_BOTH(ru_nvcsw);
  last[MINFLT] = OF_BOTH(ru_minflt);
  last[MAJFLT] = OF_BOTH(ru_majflt);
}

void bh_probe_keep(BhProbe *probe) {
  if (!probe)
    return;
  for (guint i = 0; i < N_SERIES; i++)
    g_array_append_val(probe->kept[i], probe->last[i]);
  const gboolean switched = probe->last[NIVCSW] > 0, faulted = probe->last[MAJFLT] > 0;
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
    return TRUE;
  default:
    return FALSE;
  }
}

/* ---- For the journal ---- */

double bh_probe_flagged_share(const BhProbe *probe) {
  const guint n = probe ? probe->kept[CPU]->len : 0;
  return n ? (double)probe->n_flagged / n : 0;
}

static JsonArray *series_array(const GArray *values) {
  JsonArray *array = json_array_sized_new(values->len);
  for (guint i = 0; i < values->len; i++)
    json_array_add_double_element(array, round(g_array_index(values, double, i) * 1000) / 1000);
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

void bh_probe_add_to_record(const BhProbe *probe, JsonObject *record) {
  if (!probe || !probe->kept[CPU]->len)
    return;
  JsonObject *cpu = bh_record_figure((const double *)(void *)probe->kept[CPU]->data, probe->kept[CPU]->len);
  json_object_remove_member(cpu, "samples_ns"); /* they are in `samples`, with the others */
  json_object_set_object_member(record, "cpu", cpu);
  JsonObject *samples = json_object_new();
  for (guint i = 0; i < N_SERIES; i++)
    if (!all_zero(probe->kept[i]))
      json_object_set_array_member(samples, series_names[i], series_array(probe->kept[i]));
  json_object_set_object_member(record, "samples", samples);
  json_object_set_object_member(record, "flagged", flagged(probe));
}
