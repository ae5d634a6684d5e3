/* SPDX-License-Identifier: MIT
 * Owns which clocks add up to a cell's CPU time, and that they are up to date when they are read. */
#include "worker/cpu-time.h"

#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_THREADS = 64, LOOKS = 8 };
#define NS_PER_S UINT64_C(1000000000)

typedef struct {
  clockid_t clock;
  int stat_fd; /* /proc/PID/stat, open */
} Process;

struct BhCpuTime {
  GArray *threads;   /* of clockid_t: of this process, but the first */
  GArray *processes; /* of Process: workers' that are not this one */
};

static void process_clear(gpointer data) {
  close(((Process *)data)->stat_fd);
}

BhCpuTime *bh_cpu_time_new(void) {
  BhCpuTime *cpu = g_new0(BhCpuTime, 1);
  cpu->threads = g_array_new(FALSE, FALSE, sizeof(clockid_t));
  cpu->processes = g_array_new(FALSE, FALSE, sizeof(Process));
  g_array_set_clear_func(cpu->processes, process_clear);
  return cpu;
}

void bh_cpu_time_free(BhCpuTime *cpu) {
  if (!cpu)
    return;
  g_array_unref(cpu->threads);
  g_array_unref(cpu->processes);
  g_free(cpu);
}

/* ---- Whose ---- */

/* The CPU clock of a thread of this process: Linux writes it like this (include/linux/posix-timers.h: the inverted id,
 * 4 for a thread, 2 for scheduled time), and glibc has no function for a thread known by its id. */
static clockid_t thread_clock(gint64 tid) {
  return (clockid_t)(~(guint)tid << 3 | 6u);
}

/* All of them: libraries have some that are no workers. Where there are very many, some are up to a tick behind. */
static void find_threads(BhCpuTime *cpu) {
  g_autoptr(GDir) tasks = g_dir_open("/proc/self/task", 0, NULL);
  const char *name;
  while (tasks && (name = g_dir_read_name(tasks)) && cpu->threads->len < MAX_THREADS) {
    const gint64 tid = g_ascii_strtoll(name, NULL, 10);
    const clockid_t clock = thread_clock(tid);
    if (tid != (gint64)gettid())
      g_array_append_val(cpu->threads, clock);
  }
}

/* The process of thread `tid`; 0: it is gone. */
static pid_t process_of(gint64 tid) {
  g_autofree char *path = g_strdup_printf("/proc/%" G_GINT64_FORMAT "/status", tid), *text = NULL;
  const char *line = g_file_get_contents(path, &text, NULL, NULL) ? strstr(text, "\nTgid:") : NULL;
  return line ? (pid_t)g_ascii_strtoll(line + strlen("\nTgid:"), NULL, 10) : 0;
}

static void add_process(BhCpuTime *cpu, pid_t pid) {
  Process process = {.stat_fd = -1};
  if (pid <= 0 || pid == getpid() || clock_getcpuclockid(pid, &process.clock))
    return;
  for (guint i = 0; i < cpu->processes->len; i++)
    if (g_array_index(cpu->processes, Process, i).clock == process.clock)
      return;
  g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)pid);
  process.stat_fd = open(path, O_RDONLY | O_CLOEXEC);
  if (process.stat_fd >= 0)
    g_array_append_val(cpu->processes, process);
}

void bh_cpu_time_find(BhCpuTime *cpu, JsonNode *placement) {
  g_array_set_size(cpu->threads, 0);
  g_array_set_size(cpu->processes, 0);
  find_threads(cpu);
  JsonArray *places = json_node_get_array(placement);
  for (guint i = 0; i < json_array_get_length(places); i++)
    add_process(cpu, process_of(json_object_get_int_member(json_array_get_object_element(places, i), "pid")));
}

/* ---- How much ---- */

static guint64 read_ns(clockid_t clock) {
  struct timespec t;
  return clock_gettime(clock, &t) ? 0 : (guint64)t.tv_sec * NS_PER_S + (guint64)t.tv_nsec;
}

guint64 bh_cpu_time_now_ns(const BhCpuTime *cpu) {
  guint64 sum_ns = 0;
  for (guint i = 0; i < cpu->processes->len; i++)
    sum_ns += read_ns(g_array_index(cpu->processes, Process, i).clock);
  /* Asking for a thread's own time brings it up to date, and with it what the process's clock adds up. */
  for (guint i = 0; i < cpu->threads->len; i++)
    read_ns(g_array_index(cpu->threads, clockid_t, i));
  return sum_ns + read_ns(CLOCK_PROCESS_CPUTIME_ID);
}

/* On a CPU right now, and not on ours. State and CPU are the 3rd and 39th field; the 2nd is the program's name, in
 * brackets, which may hold anything (proc(5)). One that is ready but not on a CPU is up to date; it cannot be told from
 * one that is, but for our own CPU. */
static gboolean is_running(const Process *process) {
  char text[512];
  const ssize_t n = pread(process->stat_fd, text, sizeof text - 1, 0);
  if (n <= 0)
    return FALSE; /* it has ended */
  text[n] = '\0';
  const char *field = strrchr(text, ')');
  if (!field || !g_str_has_prefix(field, ") R"))
    return FALSE;
  for (guint i = 2; field && i < 39; i++)
    field = strchr(field + 1, ' ');
  return !field || g_ascii_strtoll(field, NULL, 10) != sched_getcpu();
}

/* A worker says that its part is done and then falls asleep: mostly before the first look is over. */
gboolean bh_cpu_time_settle(const BhCpuTime *cpu) {
  guint looks = 0;
  for (guint i = 0; i < cpu->processes->len; i++)
    while (is_running(&g_array_index(cpu->processes, Process, i))) {
      const struct timespec moment = {.tv_nsec = 50 * 1000};
      if (++looks > LOOKS)
        return FALSE;
      if (looks > LOOKS / 2)
        nanosleep(&moment, NULL);
    }
  return TRUE;
}
