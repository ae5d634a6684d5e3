/* SPDX-License-Identifier: MIT
 * What is observed around samples: CPU time of threads and of workers in other processes, faults and switches made on
 * purpose, flags, and the shape of what goes to the journal. No time is compared but with the CPU time that the system
 * itself reports. */
#include "worker/probe.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const BhMeasure no_counters = {.counters = "none", .primary = "wall"};

typedef struct {
  BhArena *arena;
  BhSession session;
  BhProblem problem;
  BhProbe *probe;
} Place;

static void place_open(Place *place, const BhMeasure *measure) {
  static const int cpus[] = {0};
  const BhArenaOptions options = {.cores = 1, .cpus_compact = cpus, .cpus_spread = cpus, .n_compact = 1, .n_spread = 1};
  memset(place, 0, sizeof *place);
  place->arena = bh_arena_new(&options, NULL);
  g_assert_nonnull(place->arena);
  place->session.arena = place->arena;
  place->session.host = bh_arena_host(place->arena);
  place->session.problem = &place->problem;
  place->probe = bh_probe_new(measure);
}

static void place_close(Place *place) {
  bh_probe_free(place->probe);
  bh_arena_free(place->arena);
}

static guint64 cpu_now_ns(clockid_t clock) {
  struct timespec t;
  g_assert_cmpint(clock_gettime(clock, &t), ==, 0);
  return (guint64)t.tv_sec * 1000000000 + (guint64)t.tv_nsec;
}

/* Until this thread has used that much CPU time. */
static void burn(guint64 ns) {
  const guint64 start_ns = cpu_now_ns(CLOCK_THREAD_CPUTIME_ID);
  while (cpu_now_ns(CLOCK_THREAD_CPUTIME_ID) - start_ns < ns)
    ;
}

static double value_of(const BhProbe *probe, const char *primary_text) {
  BhPrimary primary;
  double value = -1;
  g_assert_true(bh_primary_parse(primary_text, &primary));
  g_assert_true(bh_probe_value(probe, &primary, &value));
  return value;
}

static gboolean has_value(const BhProbe *probe, const char *primary_text) {
  BhPrimary primary;
  double value;
  g_assert_true(bh_primary_parse(primary_text, &primary));
  return bh_probe_value(probe, &primary, &value);
}

static JsonObject *kept(Place *place) {
  JsonObject *record = json_object_new();
  bh_probe_add_to_record(place->probe, record);
  return record;
}

static void test_nothing(void) {
  g_autoptr(JsonObject) record = json_object_new();
  bh_probe_begin(NULL);
  bh_probe_end(NULL, 1, 1);
  bh_probe_keep(NULL);
  bh_probe_find_workers(NULL, NULL);
  bh_probe_add_to_record(NULL, record);
  g_assert_false(has_value(NULL, "cpu"));
  g_assert_cmpfloat(bh_probe_flagged_share(NULL), ==, 0);
  Place place;
  place_open(&place, &no_counters);
  g_assert_false(has_value(place.probe, "wall")); /* no sample ended yet */
  bh_probe_begin(place.probe);
  bh_probe_end(place.probe, 1, 1000);
  bh_probe_add_to_record(place.probe, record); /* not kept: nothing to tell */
  g_assert_cmpuint(json_object_get_size(record), ==, 0);
  place_close(&place);
}

static gpointer burn_in_thread(gpointer ns) {
  burn(*(guint64 *)ns);
  return NULL;
}

/* 10 ms here and 10 ms in a thread are 20 ms of CPU time, per run half of that for two runs. */
static void test_threads(void) {
  Place place;
  guint64 part_ns = 10 * 1000 * 1000;
  place_open(&place, &no_counters);
  bh_probe_find_workers(place.probe, &place.session);
  bh_probe_begin(place.probe);
  GThread *thread = g_thread_new("burn", burn_in_thread, &part_ns);
  burn(part_ns);
  g_thread_join(thread);
  bh_probe_end(place.probe, 2, 3000);
  g_assert_cmpfloat(value_of(place.probe, "cpu"), >=, 10e6);
  g_assert_cmpfloat(value_of(place.probe, "cpu"), <, 30e6);
  g_assert_cmpfloat(value_of(place.probe, "wall"), ==, 1500);
  g_assert_false(has_value(place.probe, "total"));
  g_assert_false(has_value(place.probe, "memory"));
  g_assert_false(has_value(place.probe, "metric:latency"));
  g_assert_false(has_value(place.probe, "counter:page-faults")); /* not asked for */
  place_close(&place);
}

typedef struct {
  int go[2], done[2];
  pid_t pid;
} Worker;

/* A process that pins itself as worker 0 and burns 10 ms each time it is told to. */
static void worker_start(Worker *worker, const Place *place, guint64 part_ns) {
  g_assert_cmpint(pipe(worker->go), ==, 0);
  g_assert_cmpint(pipe(worker->done), ==, 0);
  worker->pid = fork();
  char token = 0;
  if (!worker->pid) {
    close(worker->go[1]);
    const bh_host *host = bh_arena_host(place->arena);
    host->pin(host, "none", 0, 1);
    if (write(worker->done[1], &token, 1) != 1)
      _exit(1);
    while (read(worker->go[0], &token, 1) == 1) {
      burn(part_ns);
      if (write(worker->done[1], &token, 1) != 1)
        _exit(1);
    }
    _exit(0);
  }
  g_assert_cmpint(read(worker->done[0], &token, 1), ==, 1);
}

static void worker_run(Worker *worker) {
  char token = 0;
  g_assert_cmpint(write(worker->go[1], &token, 1), ==, 1);
  g_assert_cmpint(read(worker->done[0], &token, 1), ==, 1);
}

static void worker_end(Worker *worker) {
  for (guint i = 0; i < 2; i++) {
    close(worker->go[i]);
    close(worker->done[i]);
  }
  g_assert_cmpint(waitpid(worker->pid, NULL, 0), ==, worker->pid);
}

/* What a worker in a process of its own used is seen while it lives: it is neither ours nor reaped. */
static void test_processes(void) {
  Place place;
  Worker worker;
  place_open(&place, &no_counters);
  worker_start(&worker, &place, 20 * 1000 * 1000);
  bh_probe_find_workers(place.probe, &place.session);
  guint known = 0;
  for (guint i = 0; i < 20 && known < 3; i++) {
    bh_probe_begin(place.probe);
    worker_run(&worker);
    bh_probe_end(place.probe, 1, 1000);
    bh_probe_keep(place.probe);
    if (!has_value(place.probe, "cpu")) /* somebody else kept it from falling asleep */
      continue;
    known++;
    g_assert_cmpfloat(value_of(place.probe, "cpu"), >=, 20e6);
    g_assert_cmpfloat(value_of(place.probe, "cpu"), <, 40e6);
  }
  if (known) {
    g_autoptr(JsonObject) record = kept(&place);
    JsonObject *cpu = json_object_get_object_member(record, "cpu");
    g_assert_cmpint(json_object_get_int_member(cpu, "n"), ==, known);
  } else {
    g_test_skip("too busy a machine: the worker never fell asleep in time");
  }
  gboolean misplaced;
  g_autoptr(JsonNode) placement = bh_arena_placement(place.arena, &misplaced);
  const guint64 own = bh_probe_add_peaks(placement);
  JsonObject *entry = json_array_get_object_element(json_node_get_array(placement), 0);
  g_assert_cmpint(json_object_get_int_member(entry, "pid"), ==, worker.pid);
  g_assert_cmpint(json_object_get_int_member(entry, "peak_bytes"), >, 100 * 1000);
  g_assert_cmpuint(own, >, 100 * 1000);
  worker_end(&worker);
  /* A process that is gone has no peak, and its clock stands still. */
  g_autoptr(JsonNode) later = bh_arena_placement(place.arena, &misplaced);
  bh_probe_add_peaks(later);
  g_assert_true(
      json_object_get_null_member(json_array_get_object_element(json_node_get_array(later), 0), "peak_bytes"));
  bh_probe_begin(place.probe);
  bh_probe_end(place.probe, 1, 1000);
  g_assert_cmpfloat(value_of(place.probe, "cpu"), <, 10e6);
  place_close(&place);
}

/* A worker that spins on is never up to date: then there is no figure, and why is said. */
static void test_spinning(void) {
  Place place;
  Worker worker;
  if (g_get_num_processors() < 2) {
    g_test_skip("one CPU: whoever asks keeps the worker from running");
    return;
  }
  place_open(&place, &no_counters);
  worker_start(&worker, &place, G_MAXUINT64);
  bh_probe_find_workers(place.probe, &place.session);
  char token = 0;
  g_assert_cmpint(write(worker.go[1], &token, 1), ==, 1);
  guint known = 0;
  for (guint i = 0; i < 20; i++) {
    g_usleep(200);
    bh_probe_begin(place.probe);
    bh_probe_end(place.probe, 1, 1000);
    bh_probe_keep(place.probe);
    known += has_value(place.probe, "cpu"); /* where the two were on the same CPU */
    bh_probe_begin(place.probe);            /* long enough: a tick more or less does not count */
    bh_probe_end(place.probe, 1, 200 * 1000 * 1000);
    g_assert_true(has_value(place.probe, "cpu"));
  }
  g_autoptr(JsonObject) record = kept(&place);
  JsonObject *cpu = json_object_get_object_member(record, "cpu");
  if (known)
    g_assert_cmpint(json_object_get_int_member(cpu, "n"), ==, known);
  else
    g_assert_nonnull(strstr(json_object_get_string_member(cpu, "unavailable"), "task-clock"));
  kill(worker.pid, SIGKILL);
  worker_end(&worker);
  place_close(&place);
}

/* A child that began and ended within the sample: by what was reaped. */
static void test_reaped(void) {
  Place place;
  place_open(&place, &no_counters);
  bh_probe_find_workers(place.probe, &place.session);
  bh_probe_begin(place.probe);
  const pid_t child = fork();
  if (!child) {
    burn(30 * 1000 * 1000);
    _exit(0);
  }
  g_assert_cmpint(waitpid(child, NULL, 0), ==, child);
  bh_probe_end(place.probe, 1, 1000);
  g_assert_cmpfloat(value_of(place.probe, "cpu"), >=, 25e6); /* the kernel may round to its ticks */
  place_close(&place);
}

static void test_record(void) {
  enum { SAMPLES = 7, PAGES = 64 };
  Place place;
  place_open(&place, &no_counters);
  bh_probe_find_workers(place.probe, &place.session);
  const gsize page = (gsize)sysconf(_SC_PAGESIZE);
  for (guint i = 0; i < SAMPLES; i++) {
    bh_probe_begin(place.probe); /* a sample of warm-up: forgotten */
    burn(1000);
    bh_probe_end(place.probe, 1, 1000);
    bh_probe_begin(place.probe);
    char *memory = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    g_assert_true(memory != MAP_FAILED);
    for (guint k = 0; k < PAGES; k++)
      memory[k * page] = 1;
    g_assert_cmpint(munmap(memory, PAGES * page), ==, 0);
    g_usleep(100); /* gives up the CPU once */
    burn(1000 * 1000);
    bh_probe_end(place.probe, 1, 1000 * 1000);
    bh_probe_keep(place.probe);
  }
  g_autoptr(JsonObject) record = kept(&place);
  JsonObject *cpu = json_object_get_object_member(record, "cpu");
  g_assert_cmpint(json_object_get_int_member(cpu, "n"), ==, SAMPLES);
  g_assert_cmpfloat(json_object_get_double_member(cpu, "median_ns"), >=, 1e6);
  g_assert_cmpuint(json_array_get_length(json_object_get_array_member(cpu, "ci_ns")), ==, 2);
  g_assert_false(json_object_has_member(cpu, "samples_ns"));
  JsonObject *samples = json_object_get_object_member(record, "samples");
  static const char *const always[] = {"cpu_ns", "nvcsw", "minflt"};
  for (guint i = 0; i < G_N_ELEMENTS(always); i++)
    g_assert_cmpuint(json_array_get_length(json_object_get_array_member(samples, always[i])), ==, SAMPLES);
  g_assert_cmpfloat(json_array_get_double_element(json_object_get_array_member(samples, "minflt"), 3), >, 0);
  g_assert_cmpfloat(json_array_get_double_element(json_object_get_array_member(samples, "nvcsw"), 3), >=, 1);
  g_assert_false(json_object_has_member(samples, "wait_ns")); /* no worker is known */
  g_assert_false(json_object_has_member(record, "counters"));
  JsonObject *flagged = json_object_get_object_member(record, "flagged");
  g_assert_true(json_object_get_null_member(flagged, "waiting"));
  place_close(&place);
}

/* A line of a journal has 64 MiB at the most: of very many samples only what they come to is told. */
static void test_very_many(void) {
  enum { SAMPLES = 100001 };
  Place place;
  place_open(&place, &no_counters);
  bh_probe_begin(place.probe);
  burn(1000);
  bh_probe_end(place.probe, 1, 1000);
  for (guint i = 0; i < SAMPLES; i++)
    bh_probe_keep(place.probe);
  g_autoptr(JsonObject) record = kept(&place);
  g_assert_false(json_object_has_member(record, "samples"));
  g_assert_cmpint(json_object_get_int_member(json_object_get_object_member(record, "cpu"), "n"), ==, SAMPLES);
  g_assert_true(json_object_has_member(record, "flagged"));
  place_close(&place);
}

/* One worker that sleeps in the middle of its sample waited; the same of a workload that is made of waiting did
 * not. */
static void test_waiting(void) {
  static const guint32 flags[] = {0, BH_BLOCKING, BH_EFFECTS};
  for (guint kind = 0; kind < G_N_ELEMENTS(flags); kind++) {
    const gboolean blocking = flags[kind] != 0;
    Place place;
    place_open(&place, &no_counters);
    const bh_host *host = bh_arena_host(place.arena);
    g_assert_cmpint(host->pin(host, "none", 0, 1), ==, BH_OK);
    place.session.needs.workers = 1;
    place.problem.problem.flags = flags[kind];
    bh_probe_find_workers(place.probe, &place.session);
    for (guint i = 0; i < 4; i++) {
      struct timespec start, end;
      bh_probe_begin(place.probe);
      clock_gettime(CLOCK_MONOTONIC, &start);
      g_usleep(3000);
      clock_gettime(CLOCK_MONOTONIC, &end);
      bh_probe_end(place.probe, 1,
                   (guint64)(end.tv_sec - start.tv_sec) * 1000000000 + (guint64)(end.tv_nsec - start.tv_nsec));
      bh_probe_keep(place.probe);
    }
    g_autoptr(JsonObject) record = kept(&place);
    JsonObject *flagged = json_object_get_object_member(record, "flagged");
    if (blocking) {
      g_assert_true(json_object_get_null_member(flagged, "waiting"));
    } else {
      g_assert_cmpint(json_object_get_int_member(flagged, "waiting"), ==, 4);
      g_assert_cmpfloat(bh_probe_flagged_share(place.probe), ==, 1);
      JsonArray *wait = json_object_get_array_member(json_object_get_object_member(record, "samples"), "wait_ns");
      g_assert_cmpfloat(json_array_get_double_element(wait, 0), >, 1e6);
    }
    place_close(&place);
  }
}

/* Groups asked for, and the one that the primary figure needs; an unavailable one says why. */
static void test_counters(void) {
  const BhMeasure measure = {.counters = "cycles", .primary = "counter:page-faults"};
  Place place;
  place_open(&place, &measure);
  bh_probe_find_workers(place.probe, &place.session);
  const gsize page = (gsize)sysconf(_SC_PAGESIZE);
  double last = 0;
  for (guint i = 0; i < 6; i++) {
    bh_probe_begin(place.probe);
    char *memory = mmap(NULL, 64 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    g_assert_true(memory != MAP_FAILED);
    for (guint k = 0; k < 64; k++)
      memory[k * page] = 1;
    g_assert_cmpint(munmap(memory, 64 * page), ==, 0);
    bh_probe_end(place.probe, 2, 1000);
    last = has_value(place.probe, measure.primary) ? value_of(place.probe, measure.primary) : 0;
    bh_probe_keep(place.probe);
  }
  g_autoptr(JsonObject) record = kept(&place);
  JsonObject *counters = json_object_get_object_member(record, "counters");
  g_assert_cmpuint(json_object_get_size(counters), ==, 3 + 4); /* all of both groups */
  g_autoptr(GList) values = json_object_get_values(counters);
  for (GList *l = values; l; l = l->next) {
    JsonObject *counter = json_node_get_object(l->data);
    if (json_object_has_member(counter, "unavailable")) {
      g_assert_cmpuint(strlen(json_object_get_string_member(counter, "unavailable")), >, 10);
      continue;
    }
    g_assert_cmpstr(json_object_get_string_member(counter, "per"), ==, "run");
    g_assert_cmpint(json_object_get_int_member(counter, "n"), <=, 6);
    g_assert_cmpfloat(json_object_get_double_member(counter, "max"), >=, json_object_get_double_member(counter, "min"));
  }
  JsonObject *faults = json_object_get_object_member(counters, "page-faults");
  if (json_object_has_member(faults, "unavailable")) {
    g_test_skip(json_object_get_string_member(faults, "unavailable"));
  } else {
    g_assert_cmpfloat(last, >=, 64.0 / 2 / 16); /* two runs; the kernel may map several pages at once */
    g_assert_cmpfloat(json_object_get_double_member(faults, "median"), >, 0);
    g_assert_cmpuint(json_array_get_length(json_object_get_array_member(faults, "ci")), ==, 2);
  }
  place_close(&place);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/probe/nothing", test_nothing);
  g_test_add_func("/probe/threads", test_threads);
  g_test_add_func("/probe/processes", test_processes);
  g_test_add_func("/probe/spinning", test_spinning);
  g_test_add_func("/probe/reaped", test_reaped);
  g_test_add_func("/probe/record", test_record);
  g_test_add_func("/probe/very-many", test_very_many);
  g_test_add_func("/probe/waiting", test_waiting);
  g_test_add_func("/probe/counters", test_counters);
  return g_test_run();
}
