/* SPDX-License-Identifier: MIT
 * Owns the live look: who uses the CPUs while we sleep, what interrupts us while we spin, what reading the clock costs.
 */
#include "environment/live.h"

#include "base/clock.h"
#include "environment/files.h"
#include "machine/placement.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_SPINNERS 64
#define LOOKS 20        /* at the run queue, while we sleep */
#define READINGS 100000 /* of the clock */
#define BUSY_CPUS 0.01

/* ---- Other programs ---- */

typedef struct {
  gint64 pid;
  guint64 started; /* a number may be used again */
  guint64 ticks;
  char *name;
} Process;

static void process_free(gpointer data) {
  Process *process = data;
  g_free(process->name);
  g_free(process);
}

/* Of /proc/PID/stat (proc(5)): the name in parentheses may hold anything, the fields behind the last one are numbers.
 */
static Process *process_new(const char *root, const char *pid) {
  g_autofree char *text = bh_files_readf(root, "/proc/%s/stat", pid);
  const char *open = text ? strchr(text, '(') : NULL, *close = text ? strrchr(text, ')') : NULL;
  if (!open || !close || close < open)
    return NULL;
  g_auto(GStrv) fields = g_strsplit(close + 1, " ", 24); /* [1] is the state, field 3 */
  if (g_strv_length(fields) < 21)
    return NULL;
  Process *process = g_new0(Process, 1);
  process->pid = g_ascii_strtoll(pid, NULL, 10);
  process->ticks = g_ascii_strtoull(fields[12], NULL, 10) + g_ascii_strtoull(fields[13], NULL, 10);
  process->started = g_ascii_strtoull(fields[20], NULL, 10);
  process->name = g_strndup(open + 1, (gsize)(close - open - 1));
  return process;
}

/* All but this one: of (pid, Process). */
static GHashTable *processes(const char *root) {
  GHashTable *found = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, process_free);
  g_autofree char *folder = g_strconcat(root, "/proc", NULL);
  g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
  const char *name;
  while (dir && (name = g_dir_read_name(dir))) {
    Process *process = g_ascii_isdigit(*name) ? process_new(root, name) : NULL;
    if (process && process->pid == getpid())
      g_clear_pointer(&process, process_free);
    if (process)
      g_hash_table_replace(found, &process->pid, process);
  }
  return found;
}

static void busy_free(gpointer data) {
  BhBusy *busy = data;
  g_free(busy->name);
  g_free(busy);
}

static int compare_busy(gconstpointer a, gconstpointer b) {
  const BhBusy *x = *(BhBusy *const *)a, *y = *(BhBusy *const *)b;
  return x->cpus < y->cpus ? 1 : x->cpus > y->cpus ? -1 : strcmp(x->name, y->name);
}

static void find_busy(GHashTable *before, GHashTable *after, double seconds, GPtrArray *ret) {
  const double hertz = (double)sysconf(_SC_CLK_TCK);
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init(&iter, after);
  while (g_hash_table_iter_next(&iter, NULL, &value)) {
    const Process *now = value, *then = g_hash_table_lookup(before, &now->pid);
    const guint64 base = then && then->started == now->started ? then->ticks : 0; /* else it is new */
    const double cpus = now->ticks > base ? (double)(now->ticks - base) / hertz / seconds : 0;
    if (cpus < BUSY_CPUS)
      continue;
    BhBusy *busy = g_new0(BhBusy, 1);
    busy->name = g_strdup(now->name);
    busy->cpus = cpus;
    g_ptr_array_add(ret, busy);
  }
  g_ptr_array_sort(ret, compare_busy);
}

/* ---- Asleep ---- */

/* Without us: we run while we read. */
static double mean_waiting(BhDisturbanceMeter *meter, double seconds) {
  double sum = 0;
  guint known = 0;
  for (guint i = 0; i < LOOKS; i++) {
    BhReading reading;
    g_usleep((gulong)(seconds / LOOKS * 1e6));
    bh_disturbance_read(meter, &reading);
    if (reading.procs_running < 0)
      continue;
    sum += (double)MAX(reading.procs_running - 1, 0);
    known++;
  }
  return known ? sum / known : -1;
}

static void look_asleep(BhDisturbanceMeter *meter, const char *root, double seconds, BhLive *live) {
  BhReading before, after;
  g_autoptr(GHashTable) then = processes(root);
  bh_disturbance_read(meter, &before);
  live->waiting = mean_waiting(meter, seconds);
  bh_disturbance_read(meter, &after);
  g_autoptr(GHashTable) now = processes(root);
  live->quiet = bh_disturbance_between(&before, &after);
  find_busy(then, now, MAX((double)live->quiet.wall_ns * 1e-9, 1e-3), live->busy);
}

/* ---- Spinning ---- */

typedef struct {
  int cpu;
  gint64 until_ns;
  gint64 spin_ns, lost_ns, longest_ns;
  guint gaps;
} Spinner;

static gpointer spin(gpointer data) {
  Spinner *spinner = data;
  const size_t size = CPU_ALLOC_SIZE((size_t)spinner->cpu + 1);
  cpu_set_t *set = CPU_ALLOC((size_t)spinner->cpu + 1);
  CPU_ZERO_S(size, set);
  CPU_SET_S((size_t)spinner->cpu, size, set);
  sched_setaffinity(0, size, set); /* the thread's own; refused: it spins anywhere, which shows gaps as well */
  CPU_FREE(set);
  const gint64 start = (gint64)bh_clock_now_ns();
  gint64 last = start, now;
  for (; last < spinner->until_ns; last = now) {
    now = (gint64)bh_clock_now_ns();
    if (now - last <= BH_GAP_NS)
      continue;
    spinner->gaps++;
    spinner->lost_ns += now - last;
    spinner->longest_ns = MAX(spinner->longest_ns, now - last);
  }
  spinner->spin_ns = last - start;
  return NULL;
}

static void look_spinning(BhDisturbanceMeter *meter, double seconds, guint cores, BhLive *live) {
  const GArray *cpus = bh_placement_shared()->spread;
  const guint n = MAX(MIN(MIN(cores, cpus->len), MOST_SPINNERS), 1);
  g_autofree Spinner *spinners = g_new0(Spinner, n);
  g_autofree GThread **threads = g_new0(GThread *, n);
  BhReading before, after;
  bh_disturbance_read(meter, &before);
  const gint64 until = before.at_ns + (gint64)(seconds * 1e9);
  for (guint i = 0; i < n; i++) {
    spinners[i] = (Spinner){.cpu = g_array_index(cpus, int, i), .until_ns = until};
    threads[i] = g_thread_try_new("doctor", spin, &spinners[i], NULL); /* NULL: that CPU is not looked at */
  }
  for (guint i = 0; i < n; i++) {
    if (!threads[i])
      continue;
    g_thread_join(threads[i]);
    live->spin_ns += spinners[i].spin_ns;
    live->lost_ns += spinners[i].lost_ns;
    live->gaps += spinners[i].gaps;
    live->longest_ns = MAX(live->longest_ns, spinners[i].longest_ns);
  }
  bh_disturbance_read(meter, &after);
  live->spinning = bh_disturbance_between(&before, &after);
  live->spun = live->spin_ns > 0;
}

static int compare_ns(const void *a, const void *b) {
  const gint64 x = *(const gint64 *)a, y = *(const gint64 *)b;
  return x < y ? -1 : x > y;
}

static void look_at_clock(BhLive *live) {
  g_autofree gint64 *steps = g_new(gint64, READINGS);
  gint64 last = (gint64)bh_clock_now_ns();
  for (guint i = 0; i < READINGS; i++) {
    const gint64 now = (gint64)bh_clock_now_ns();
    steps[i] = now - last;
    last = now;
  }
  qsort(steps, READINGS, sizeof *steps, compare_ns);
  live->step_ns = (gint64)bh_clock_resolution_ns();
  live->read_ns = steps[READINGS / 2];
  live->slow_ns = steps[READINGS - READINGS / 1000];
}

void bh_live_look(const char *root, double seconds, guint cores, BhLive *ret) {
  *ret = (BhLive){.waiting = -1, .busy = g_ptr_array_new_with_free_func(busy_free)};
  if (!(seconds > 0))
    return;
  ret->looked = TRUE;
  g_autoptr(BhDisturbanceMeter) meter = bh_disturbance_meter_new(root);
  look_asleep(meter, root, *root ? seconds : seconds / 2, ret);
  if (*root)
    return;
  look_spinning(meter, seconds / 2, cores, ret);
  look_at_clock(ret);
}

void bh_live_clear(BhLive *live) {
  g_clear_pointer(&live->busy, g_ptr_array_unref);
}
