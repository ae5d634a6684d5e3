/* SPDX-License-Identifier: MIT
 * Counters on a machine made up here (a processor that takes turns, refusals of every kind, energy that wraps), and on
 * this one against work of known size, done in a thread and in a forked process too. */
#include "counters/counters.h"
#include "counters/kinds.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- A made-up machine ---- */

enum { MAX_FDS = 64 };
typedef struct {
  guint64 value, enabled_ns, running_ns;
} Fake;
static struct {
  int fails;          /* errno of every opening; 0: none */
  gboolean user_only; /* the kernel may not be looked at */
  gboolean full;      /* a second counter of a set does not fit */
  guint opened, started, stopped;
  struct perf_event_attr attrs[MAX_FDS];
  int group_of[MAX_FDS], fd_of[MAX_FDS], cpu_of[MAX_FDS];
  Fake now[MAX_FDS];
} machine;

/* Real descriptors, since they are closed in earnest. */
static int fake_open(struct perf_event_attr *attr, pid_t pid, int cpu, int group_fd) {
  errno = machine.fails ? machine.fails : machine.user_only && !attr->exclude_kernel ? EACCES : 0;
  if (!errno && machine.full && group_fd >= 0)
    errno = EINVAL;
  if (errno)
    return -1;
  g_assert_cmpuint(machine.opened, <, MAX_FDS);
  g_assert_cmpint(pid, ==, cpu >= 0 ? -1 : 0);
  const guint at = machine.opened++;
  machine.attrs[at] = *attr;
  machine.group_of[at] = group_fd;
  machine.cpu_of[at] = cpu;
  return machine.fd_of[at] = dup(STDOUT_FILENO);
}

static guint at_of(int fd) {
  for (guint i = 0; i < machine.opened; i++)
    if (machine.fd_of[i] == fd)
      return i;
  g_assert_not_reached();
}

static int fake_control(int fd, unsigned long request, unsigned long flags) {
  g_assert_cmpint(machine.group_of[at_of(fd)], ==, -1); /* through leaders only */
  g_assert_cmpuint(flags, ==, 0);
  machine.started += request == PERF_EVENT_IOC_ENABLE;
  machine.stopped += request == PERF_EVENT_IOC_DISABLE;
  return 0;
}

static ssize_t fake_read(int fd, void *buffer, size_t bytes) {
  const guint at = at_of(fd);
  memcpy(buffer, &machine.now[at], bytes);
  return (ssize_t)bytes;
}

static char *folder; /* of files that the made-up machine shows */

static BhCountersSystem made_up(int fails, gboolean user_only, gboolean full, const char *paranoid) {
  memset(&machine, 0, sizeof machine);
  machine.fails = fails;
  machine.user_only = user_only;
  machine.full = full;
  static char *paths[3];
  static const char *const names[] = {"paranoid", "powercap", "power"};
  for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
    g_free(paths[i]);
    paths[i] = g_build_filename(folder, names[i], NULL);
  }
  g_assert_true(g_file_set_contents(paths[0], paranoid, -1, NULL));
  return (BhCountersSystem){fake_open, fake_control, fake_read, paths[0], paths[1], paths[2]};
}

static guint index_of(const BhCounters *counters, const char *name) {
  for (guint i = 0; i < bh_counters_n(counters); i++)
    if (!strcmp(bh_counters_name(counters, i), name))
      return i;
  g_error("no counter %s", name);
}

static guint event_of(guint32 type, guint64 config) {
  for (guint i = 0; i < machine.opened; i++)
    if (machine.attrs[i].type == type && machine.attrs[i].config == config)
      return i;
  g_assert_not_reached();
}

static double value_of(const BhCounters *counters, const char *name) {
  double value = -1;
  g_assert_true(bh_counters_value(counters, index_of(counters, name), &value));
  return value;
}

static void test_groups(void) {
  const BhCountersSystem system = made_up(0, FALSE, FALSE, "0\n");
  g_autoptr(BhCounters) none = bh_counters_open("none", &system);
  g_assert_cmpuint(bh_counters_n(none), ==, 0);
  bh_counters_start(none);
  bh_counters_stop(none);
  bh_counters_collect(none);
  g_autoptr(BhCounters) some = bh_counters_open("cycles branches", &system);
  g_assert_cmpuint(bh_counters_n(some), ==, 5);
  g_assert_cmpstr(bh_counters_name(some, 1), ==, "instructions");
  g_assert_cmpstr(bh_counters_name(some, 4), ==, "branch-misses");
  g_assert_cmpstr(bh_counters_unit(some, 4), ==, "");
  for (guint i = 0; i < 5; i++) {
    g_assert_null(bh_counters_refusal(some, i));
    g_assert_null(bh_counters_note(some, i));
    g_assert_true(machine.attrs[i].inherit);
    g_assert_false(machine.attrs[i].exclude_kernel);
    /* A leader waits to be started; the others of its set follow it. */
    const gboolean leads = i == 0 || i == 3;
    g_assert_cmpint(machine.group_of[i], ==, leads ? -1 : machine.fd_of[i < 3 ? 0 : 3]);
    g_assert_cmpuint(machine.attrs[i].disabled, ==, leads);
  }
  bh_counters_start(some);
  bh_counters_stop(some);
  g_assert_cmpuint(machine.started, ==, 2);
  g_assert_cmpuint(machine.stopped, ==, 2);
  g_assert_cmpstr(bh_counters_group_of("dTLB-load-misses"), ==, "caches");
  g_assert_null(bh_counters_group_of("dtlb"));
  g_assert_cmpuint(g_strv_length((char **)bh_counters_groups()), ==, 5);
}

/* Differences between stops, each extrapolated by its own enabled / running; worked by hand. */
static void test_scaling(void) {
  const BhCountersSystem system = made_up(0, FALSE, FALSE, "0\n");
  g_autoptr(BhCounters) counters = bh_counters_open("cycles", &system);
  const guint at = event_of(PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS), i = index_of(counters, "instructions");
  double value;
  g_assert_false(bh_counters_value(counters, i, &value)); /* nothing was counted yet */
  bh_counters_start(counters);
  machine.now[at] = (Fake){1000, 100, 100};
  bh_counters_stop(counters);
  bh_counters_collect(counters);
  g_assert_cmpfloat(value_of(counters, "instructions"), ==, 1000);
  g_assert_cmpfloat(bh_counters_share(counters, i), ==, 1);
  bh_counters_start(counters);
  machine.now[at] = (Fake){1300, 200, 125}; /* 300 in a quarter of 100 ns */
  bh_counters_stop(counters);
  bh_counters_collect(counters);
  g_assert_cmpfloat(value_of(counters, "instructions"), ==, 1200);
  g_assert_cmpfloat(bh_counters_share(counters, i), ==, 0.625);
  bh_counters_start(counters);
  machine.now[at] = (Fake){1300, 300, 125}; /* its turn did not come */
  bh_counters_stop(counters);
  bh_counters_collect(counters);
  g_assert_false(bh_counters_value(counters, i, &value));
  g_assert_null(bh_counters_refusal(counters, i));
}

static void test_refusals(void) {
  static const struct {
    int fails;
    const char *paranoid, *says;
  } cases[] = {{ENOENT, "2", "has no such counter"},
               {EOPNOTSUPP, "2", "has no such counter"},
               {ENODEV, "1", "measure on the machine itself"},
               {EACCES, "3", "kernel.perf_event_paranoid is 3; set it to 2"},
               {EACCES, "4\n", "perf_event_paranoid is 4"},
               {EPERM, "1", "seccomp"},
               {ENOSYS, "2", "built without"},
               {EMFILE, "2", "ulimit -n"},
               {EBUSY, "2", "another program"},
               {EIO, "2", "Input/output error"}};
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    const BhCountersSystem system = made_up(cases[i].fails, FALSE, FALSE, cases[i].paranoid);
    g_autoptr(BhCounters) counters = bh_counters_open("cycles kernel", &system);
    g_assert_cmpuint(bh_counters_n(counters), ==, 7);
    for (guint k = 0; k < 7; k++) {
      double value;
      const char *why = bh_counters_refusal(counters, k);
      if (!why || !strstr(why, cases[i].says))
        g_error("%s: '%s' does not say '%s'", bh_counters_name(counters, k), why, cases[i].says);
      g_assert_false(bh_counters_value(counters, k, &value));
    }
    bh_counters_start(counters);
    bh_counters_stop(counters);
    bh_counters_collect(counters);
    g_assert_cmpuint(machine.started, ==, 0);
  }
}

/* What happens in the kernel only would read as 0: refused instead. The rest says that it is user mode's. */
static void test_user_only(void) {
  const BhCountersSystem system = made_up(0, TRUE, FALSE, "2\n");
  g_autoptr(BhCounters) counters = bh_counters_open("cycles kernel", &system);
  static const char *const refused[] = {"context-switches", "cpu-migrations"};
  for (guint i = 0; i < G_N_ELEMENTS(refused); i++) {
    const char *why = bh_counters_refusal(counters, index_of(counters, refused[i]));
    g_assert_nonnull(why);
    g_assert_nonnull(strstr(why, "perf_event_paranoid = 2 lets nobody look; set it to 1"));
  }
  g_assert_cmpstr(bh_counters_note(counters, index_of(counters, "instructions")), ==,
                  "user mode only (kernel.perf_event_paranoid is 2)");
  g_assert_nonnull(bh_counters_note(counters, index_of(counters, "page-faults")));
  g_assert_null(bh_counters_note(counters, index_of(counters, "task-clock")));
  g_assert_null(bh_counters_refusal(counters, index_of(counters, "task-clock")));
}

/* A set that does not fit: each on its own. */
static void test_full(void) {
  const BhCountersSystem system = made_up(0, FALSE, TRUE, "2\n");
  g_autoptr(BhCounters) counters = bh_counters_open("cycles", &system);
  g_assert_cmpuint(machine.opened, ==, 3);
  for (guint i = 0; i < 3; i++) {
    g_assert_null(bh_counters_refusal(counters, i));
    g_assert_cmpint(machine.group_of[i], ==, -1);
  }
  bh_counters_start(counters);
  g_assert_cmpuint(machine.started, ==, 3);
}

/* ---- Energy ---- */

static void put(const char *path, const char *text) {
  g_autofree char *whole = g_build_filename(folder, path, NULL), *above = g_path_get_dirname(whole);
  g_assert_cmpint(g_mkdir_with_parents(above, 0755), ==, 0);
  g_assert_true(g_file_set_contents(whole, text, -1, NULL));
}

/* In place, as the kernel's own files are: descriptors stay open. */
static void change(const char *path, const char *text) {
  g_autofree char *whole = g_build_filename(folder, path, NULL);
  FILE *file = g_fopen(whole, "r+");
  g_assert_nonnull(file);
  g_assert_cmpint(fputs(text, file), >=, 0);
  g_assert_cmpint(fclose(file), ==, 0);
}

static void test_powercap(void) {
  const BhCountersSystem system = made_up(ENOENT, FALSE, FALSE, "2\n");
  put("powercap/intel-rapl:0/name", "package-0\n");
  put("powercap/intel-rapl:0/max_energy_range_uj", "5000000\n");
  put("powercap/intel-rapl:0/energy_uj", "4000000\n");
  put("powercap/intel-rapl:1/name", "package-1\n");
  put("powercap/intel-rapl:1/max_energy_range_uj", "5000000\n");
  put("powercap/intel-rapl:1/energy_uj", "1000000\n");
  put("powercap/intel-rapl:0:0/name", "dram\n");
  put("powercap/intel-rapl:0:0/energy_uj", "0000000\n");
  put("powercap/intel-rapl:0:1/name", "core\n"); /* part of the package: not added again */
  put("powercap/intel-rapl:0:1/energy_uj", "0000000\n");
  put("powercap/intel-rapl-mmio:0/name", "package-0\n"); /* the same package by another way */
  put("powercap/intel-rapl-mmio:0/energy_uj", "0000000\n");
  g_autoptr(BhCounters) counters = bh_counters_open("energy", &system);
  g_assert_cmpuint(bh_counters_n(counters), ==, 2);
  g_assert_null(bh_counters_refusal(counters, 0));
  g_assert_cmpstr(bh_counters_unit(counters, 0), ==, "J");
  g_assert_cmpstr(bh_counters_note(counters, 0), ==, "of the whole machine, whoever used it");
  bh_counters_start(counters);
  change("powercap/intel-rapl:0/energy_uj", "0500000\n"); /* 4.0 .. 5.0, then on to 0.5: 1.5 J */
  change("powercap/intel-rapl:1/energy_uj", "1250000\n"); /* 0.25 J */
  change("powercap/intel-rapl:0:0/energy_uj", "0125000\n");
  change("powercap/intel-rapl:0:1/energy_uj", "9000000\n");
  change("powercap/intel-rapl-mmio:0/energy_uj", "9000000\n");
  bh_counters_stop(counters);
  bh_counters_collect(counters);
  g_assert_cmpfloat_with_epsilon(value_of(counters, "energy"), 1.75, 1e-12);
  g_assert_cmpfloat_with_epsilon(value_of(counters, "energy-dram"), 0.125, 1e-12);
  g_assert_cmpfloat(bh_counters_share(counters, 0), ==, 1);
  /* It started again, and nobody says from where: no value, rather than 18 TJ. */
  bh_counters_start(counters);
  change("powercap/intel-rapl:0:0/energy_uj", "0000001\n");
  bh_counters_stop(counters);
  bh_counters_collect(counters);
  double joules;
  g_assert_true(bh_counters_value(counters, 0, &joules));
  g_assert_false(bh_counters_value(counters, 1, &joules));
}

/* Without powercap's files, perf's power unit: counted per package, in units of its scale. */
static void test_power_unit(void) {
  const BhCountersSystem system = made_up(0, FALSE, FALSE, "-1\n");
  put("power/type", "23\n");
  put("power/cpumask", "0,24\n");
  put("power/events/energy-pkg", "event=0x02\n");
  put("power/events/energy-pkg.scale", "0.25\n");
  g_autoptr(BhCounters) counters = bh_counters_open("energy", &system);
  g_assert_null(bh_counters_refusal(counters, 0));
  g_assert_cmpuint(machine.opened, ==, 2);
  g_assert_cmpuint(machine.attrs[1].type, ==, 23);
  g_assert_cmpuint(machine.attrs[1].config, ==, 2);
  g_assert_cmpint(machine.cpu_of[0], ==, 0);
  g_assert_cmpint(machine.cpu_of[1], ==, 24);
  machine.now[0].value = 100;
  bh_counters_start(counters);
  machine.now[0].value = 140;
  machine.now[1].value = 8;
  bh_counters_stop(counters);
  bh_counters_collect(counters);
  g_assert_cmpfloat(value_of(counters, "energy"), ==, 12);
  g_assert_nonnull(strstr(bh_counters_refusal(counters, 1), "shows no energy meter")); /* this unit has no energy-ram */
  machine.fails = EACCES;
  g_autoptr(BhCounters) refused = bh_counters_open("energy", &system);
  g_assert_nonnull(strstr(bh_counters_refusal(refused, 0), "run as root, or make"));
}

static void test_no_energy(void) {
  const BhCountersSystem system = made_up(0, FALSE, FALSE, "2\n");
  g_autoptr(GPtrArray) infos = bh_counters_available(&system);
  guint n = 0;
  for (const BhCounterKind *kind = bh_counter_kinds; kind->name; kind++)
    n++;
  g_assert_cmpuint(infos->len, ==, n);
  for (guint i = 0; i < n; i++) {
    const BhCounterInfo *info = infos->pdata[i];
    g_assert_cmpstr(info->name, ==, bh_counter_kinds[i].name);
    g_assert_cmpint(info->available, ==, strcmp(info->group, "energy") != 0);
    g_assert_true(info->available || strstr(info->note, "no energy meter"));
  }
}

/* ---- This machine ---- */

/* About `rounds` x 3 instructions on any processor: the loop is written in assembly where that is known, so that the
 * compiler decides nothing. Returns the exact number, or 0 where it is not known. */
static guint64 spin(guint64 rounds) {
#if defined(__x86_64__)
  guint64 left = rounds;
  __asm__ volatile("1: nop\n\tsubq $1, %0\n\tjnz 1b" : "+r"(left) : : "cc");
  return 3 * rounds;
#else
  for (volatile guint64 i = 0; i < rounds; i++)
    ;
  return 0;
#endif
}

static gpointer spin_in_thread(gpointer rounds) {
  spin(*(guint64 *)rounds);
  return NULL;
}

/* A third each: here, in a thread, in a process. All started after the counters were opened, none reaped before they
 * are read but by waiting for its end. */
static void work(guint64 rounds) {
  spin(rounds);
  GThread *thread = g_thread_new("spin", spin_in_thread, &rounds);
  g_thread_join(thread);
  const pid_t child = fork();
  if (!child) {
    spin(rounds);
    _exit(0);
  }
  g_assert_cmpint(waitpid(child, NULL, 0), ==, child);
}

static void test_instructions(void) {
  g_autoptr(BhCounters) counters = bh_counters_open("cycles", NULL);
  const guint at = index_of(counters, "instructions");
  if (bh_counters_refusal(counters, at)) {
    g_test_skip(bh_counters_refusal(counters, at));
    return;
  }
  const guint64 rounds = 20 * 1000 * 1000, known = 3 * spin(1) * rounds;
  bh_counters_start(counters);
  work(rounds);
  bh_counters_stop(counters);
  bh_counters_collect(counters);
  const double counted = value_of(counters, "instructions");
  if (known)
    g_assert_cmpfloat_with_epsilon(counted, (double)known, 0.05 * (double)known);
  else
    g_assert_cmpfloat(counted, >, (double)rounds);
}

/* CPU time of thread and process as the counter has it, against what the system says they used. */
static void test_task_clock(void) {
  g_autoptr(BhCounters) counters = bh_counters_open("kernel", NULL);
  const guint at = index_of(counters, "task-clock");
  if (bh_counters_refusal(counters, at)) {
    g_test_skip(bh_counters_refusal(counters, at));
    return;
  }
  for (guint repeat = 0; repeat < 3; repeat++) {
    struct timespec before, after;
    bh_counters_start(counters);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    work(10 * 1000 * 1000);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    bh_counters_stop(counters);
    bh_counters_collect(counters);
    /* The process of this test did two thirds, in its first thread and in another; the forked one as much again. */
    const double own_ns = 1e9 * (double)(after.tv_sec - before.tv_sec) + (double)(after.tv_nsec - before.tv_nsec);
    const double counted = value_of(counters, "task-clock");
    g_assert_cmpfloat(counted, >, 1.1 * own_ns);
    g_assert_cmpfloat(counted, <, 3 * own_ns);
    g_assert_cmpfloat(bh_counters_share(counters, at), >, 0.9);
    spin(10 * 1000 * 1000); /* between two samples: not counted, or the next one would have it */
  }
}

/* Every page of fresh memory is one fault, here and in a forked process. */
static void test_page_faults(void) {
  enum { PAGES = 500 };
  g_autoptr(BhCounters) counters = bh_counters_open("kernel", NULL);
  const guint at = index_of(counters, "page-faults");
  if (bh_counters_refusal(counters, at)) {
    g_test_skip(bh_counters_refusal(counters, at));
    return;
  }
  const gsize page = (gsize)sysconf(_SC_PAGESIZE);
  char *memory = mmap(NULL, 2 * PAGES * page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  g_assert_true(memory != MAP_FAILED);
  bh_counters_start(counters);
  for (guint i = 0; i < PAGES; i++)
    memory[i * page] = 1;
  const pid_t child = fork();
  if (!child) {
    for (guint i = PAGES; i < 2 * PAGES; i++)
      memory[i * page] = 1;
    _exit(0);
  }
  g_assert_cmpint(waitpid(child, NULL, 0), ==, child);
  bh_counters_stop(counters);
  bh_counters_collect(counters);
  /* Where the kernel maps several at once there are fewer, but never none; forking itself adds some. */
  const double counted = value_of(counters, "page-faults");
  g_assert_cmpfloat(counted, >=, 2 * PAGES / 16.0);
  g_assert_cmpfloat(counted, <, 2 * PAGES + 2000);
  g_assert_cmpint(munmap(memory, 2 * PAGES * page), ==, 0);
}

static void test_context_switches(void) {
  enum { SLEEPS = 20 };
  g_autoptr(BhCounters) counters = bh_counters_open("kernel", NULL);
  const guint at = index_of(counters, "context-switches");
  if (bh_counters_refusal(counters, at)) {
    g_test_skip(bh_counters_refusal(counters, at));
    return;
  }
  bh_counters_start(counters);
  const pid_t child = fork();
  for (guint i = 0; i < SLEEPS; i++)
    g_usleep(100);
  if (!child)
    _exit(0);
  g_assert_cmpint(waitpid(child, NULL, 0), ==, child);
  bh_counters_stop(counters);
  bh_counters_collect(counters);
  g_assert_cmpfloat(value_of(counters, "context-switches"), >=, 2 * SLEEPS); /* of both: each sleep is at least one */
}

static void remove_all(const char *path) {
  g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
  const char *entry;
  while (dir && (entry = g_dir_read_name(dir))) {
    g_autofree char *inner = g_build_filename(path, entry, NULL);
    remove_all(inner);
  }
  g_remove(path);
}

/* A machine of its own for each: files of one are none of another's. */
static void add(const char *name, GTestFunc run) {
  g_autofree char *path = g_strconcat("/counters/", name, NULL);
  g_test_add_func(path, run);
}

#define MADE_UP(function)                                                                                              \
  static void function##_in_folder(void) {                                                                             \
    folder = g_dir_make_tmp("benchhost-test-XXXXXX", NULL);                                                            \
    g_assert_nonnull(folder);                                                                                          \
    function();                                                                                                        \
    remove_all(folder);                                                                                                \
    g_clear_pointer(&folder, g_free);                                                                                  \
  }
MADE_UP(test_groups)
MADE_UP(test_scaling)
MADE_UP(test_refusals)
MADE_UP(test_user_only)
MADE_UP(test_full)
MADE_UP(test_powercap)
MADE_UP(test_power_unit)
MADE_UP(test_no_energy)

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  add("groups", test_groups_in_folder);
  add("scaling", test_scaling_in_folder);
  add("refusals", test_refusals_in_folder);
  add("user-only", test_user_only_in_folder);
  add("full", test_full_in_folder);
  add("powercap", test_powercap_in_folder);
  add("power-unit", test_power_unit_in_folder);
  add("no-energy", test_no_energy_in_folder);
  add("instructions", test_instructions);
  add("task-clock", test_task_clock);
  add("page-faults", test_page_faults);
  add("context-switches", test_context_switches);
  return g_test_run();
}
