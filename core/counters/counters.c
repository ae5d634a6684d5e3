/* SPDX-License-Identifier: MIT
 * Owns opening, starting, stopping and reading of counters, and the reasons why one is not available. */
#include "counters/counters.h"

#include "counters/energy.h"
#include "counters/kinds.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* As the kernel writes it for PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING. */
typedef struct {
  guint64 value, enabled_ns, running_ns;
} Reading;

typedef struct {
  const BhCounterKind *kind;
  int fd;           /* -1: not by perf */
  gboolean leads;   /* its set is started and stopped through it */
  BhEnergy *energy; /* owned; NULL unless it is of energy */
  char *refusal, *note;
  Reading before, after;
  double value; /* of the last start..stop; below 0: none */
} Counter;

struct BhCounters {
  const BhCountersSystem *system;
  GPtrArray *all; /* of Counter */
};

static int system_open(struct perf_event_attr *attr, pid_t pid, int cpu, int group_fd) {
  return (int)syscall(SYS_perf_event_open, attr, pid, cpu, group_fd, PERF_FLAG_FD_CLOEXEC);
}

static int system_control(int fd, unsigned long request, unsigned long flags) {
  return ioctl(fd, request, flags);
}

const BhCountersSystem bh_counters_system = {
    .open = system_open,
    .control = system_control,
    .read = read,
    .paranoid_path = "/proc/sys/kernel/perf_event_paranoid",
    .powercap_folder = "/sys/class/powercap",
    .power_pmu_folder = "/sys/bus/event_source/devices/power",
};

static void counter_free(Counter *counter) {
  if (counter->fd >= 0)
    close(counter->fd);
  bh_energy_free(counter->energy);
  g_free(counter->refusal);
  g_free(counter->note);
  g_free(counter);
}

/* ---- Opening ---- */

static int paranoid_level(const BhCountersSystem *system) {
  g_autofree char *text = NULL;
  return g_file_get_contents(system->paranoid_path, &text, NULL, NULL) ? atoi(text) : 2;
}

static char *refusal_of(const BhCountersSystem *system, int failure) {
  const int level = paranoid_level(system);
  switch (failure) {
  case ENOENT:
  case EOPNOTSUPP:
  case ENODEV:
    return g_strdup("this processor, or the virtual machine it is in, has no such counter; measure on the machine "
                    "itself");
  case EACCES:
  case EPERM:
    if (level > 2)
      return g_strdup_printf("not allowed: kernel.perf_event_paranoid is %d; set it to 2 or less "
                             "(sysctl kernel.perf_event_paranoid=2), or give CAP_PERFMON",
                             level);
    return g_strdup("not allowed, though kernel.perf_event_paranoid permits it: a container's seccomp profile must "
                    "allow perf_event_open");
  case ENOSYS:
    return g_strdup("this kernel was built without perf events");
  case EMFILE:
    return g_strdup("too many open files; raise the limit (ulimit -n)");
  case EBUSY:
    return g_strdup("another program keeps this counter for itself; end it");
  default:
    return g_strdup_printf("the kernel refuses it: %s", g_strerror(failure));
  }
}

/* -1 with errno. Where only user mode may be looked at, that; `ret_user_only` says so. */
static int open_event(const BhCountersSystem *system, const BhCounterKind *kind, int group_fd,
                      gboolean *ret_user_only) {
  struct perf_event_attr attr = {.size = sizeof attr, .type = kind->type, .config = kind->config};
  attr.disabled = group_fd < 0;
  attr.inherit = 1;
  attr.exclude_hv = 1;
  attr.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
  *ret_user_only = FALSE;
  const int fd = system->open(&attr, 0, -1, group_fd);
  if (fd >= 0 || (errno != EACCES && errno != EPERM))
    return fd;
  *ret_user_only = TRUE;
  attr.exclude_kernel = 1;
  return system->open(&attr, 0, -1, group_fd);
}

static Counter *leader_of(const BhCounters *counters, const BhCounterKind *kind) {
  for (guint i = 0; kind->set && i < counters->all->len; i++) {
    Counter *other = counters->all->pdata[i];
    if (other->leads && other->kind->set == kind->set)
      return other;
  }
  return NULL;
}

static void open_perf(BhCounters *counters, Counter *counter) {
  const BhCountersSystem *system = counters->system;
  const Counter *leader = leader_of(counters, counter->kind);
  gboolean user_only;
  counter->fd = open_event(system, counter->kind, leader ? leader->fd : -1, &user_only);
  if (counter->fd < 0 && leader && errno == EINVAL) { /* together they do not fit into the processor */
    leader = NULL;
    counter->fd = open_event(system, counter->kind, -1, &user_only);
  }
  if (counter->fd < 0) {
    counter->refusal = refusal_of(system, errno);
    return;
  }
  if (user_only && counter->kind->in_kernel) {
    close(counter->fd);
    counter->fd = -1;
    counter->refusal =
        g_strdup_printf("it happens in the kernel, where kernel.perf_event_paranoid = %d lets nobody look; set it to 1 "
                        "(sysctl kernel.perf_event_paranoid=1), or give CAP_PERFMON",
                        paranoid_level(system));
    return;
  }
  counter->leads = leader == NULL;
  /* CPU time is the same however it is asked for. */
  if (user_only && strcmp(counter->kind->name, "task-clock"))
    counter->note = g_strdup_printf("user mode only (kernel.perf_event_paranoid is %d)", paranoid_level(system));
}

BhCounters *bh_counters_open(const char *groups, const BhCountersSystem *system) {
  BhCounters *counters = g_new0(BhCounters, 1);
  counters->system = system ? system : &bh_counters_system;
  counters->all = g_ptr_array_new_with_free_func((GDestroyNotify)counter_free);
  g_auto(GStrv) wanted = g_strsplit(groups ? groups : "", " ", -1);
  for (const BhCounterKind *kind = bh_counter_kinds; kind->name; kind++) {
    if (!g_strv_contains((const char *const *)wanted, kind->group))
      continue;
    Counter *counter = g_new0(Counter, 1);
    counter->kind = kind;
    counter->fd = -1;
    counter->value = -1;
    if (kind->source == BH_COUNTER_PERF)
      open_perf(counters, counter);
    else if ((counter->energy = bh_energy_open(kind, counters->system, &counter->refusal)))
      counter->note = g_strdup("of the whole machine, whoever used it");
    g_ptr_array_add(counters->all, counter);
  }
  return counters;
}

void bh_counters_free(BhCounters *counters) {
  if (!counters)
    return;
  g_ptr_array_unref(counters->all);
  g_free(counters);
}

/* ---- Counting ---- */

/* A set's others were opened running: they count whenever its leader does, as perf(1) has it. */
static void control_all(BhCounters *counters, unsigned long request) {
  for (guint i = 0; i < counters->all->len; i++) {
    const Counter *counter = counters->all->pdata[i];
    if (counter->leads)
      counters->system->control(counter->fd, request, 0);
  }
}

void bh_counters_start(BhCounters *counters) {
  for (guint i = 0; i < counters->all->len; i++) {
    Counter *counter = counters->all->pdata[i];
    if (counter->energy)
      bh_energy_start(counter->energy);
    counter->before = counter->after; /* it stood still since the last stop */
  }
  control_all(counters, PERF_EVENT_IOC_ENABLE);
}

void bh_counters_stop(BhCounters *counters) {
  control_all(counters, PERF_EVENT_IOC_DISABLE);
  for (guint i = 0; i < counters->all->len; i++) {
    Counter *counter = counters->all->pdata[i];
    if (counter->energy)
      bh_energy_stop(counter->energy);
  }
}

static void collect_perf(const BhCounters *counters, Counter *counter) {
  counter->value = -1;
  if (counters->system->read(counter->fd, &counter->after, sizeof counter->after) != (ssize_t)sizeof counter->after) {
    counter->after = counter->before; /* a set that the processor could not take at all reads as its end */
    return;
  }
  const Reading *before = &counter->before, *after = &counter->after;
  const guint64 enabled_ns = after->enabled_ns - before->enabled_ns,
                running_ns = after->running_ns - before->running_ns;
  if (running_ns)
    counter->value = (double)(after->value - before->value) * ((double)enabled_ns / (double)running_ns);
}

void bh_counters_collect(BhCounters *counters) {
  for (guint i = 0; i < counters->all->len; i++) {
    Counter *counter = counters->all->pdata[i];
    if (counter->fd >= 0)
      collect_perf(counters, counter);
    else if (counter->energy)
      counter->value = bh_energy_joules(counter->energy);
  }
}

gboolean bh_counters_value(const BhCounters *counters, guint i, double *ret) {
  const Counter *counter = counters->all->pdata[i];
  if (counter->value < 0)
    return FALSE;
  *ret = counter->value;
  return TRUE;
}

double bh_counters_share(const BhCounters *counters, guint i) {
  const Counter *counter = counters->all->pdata[i];
  if (counter->fd < 0 || !counter->after.enabled_ns)
    return 1;
  return (double)counter->after.running_ns / (double)counter->after.enabled_ns;
}

/* ---- What there is ---- */

guint bh_counters_n(const BhCounters *counters) {
  return counters->all->len;
}

const char *bh_counters_name(const BhCounters *counters, guint i) {
  return ((const Counter *)counters->all->pdata[i])->kind->name;
}

const char *bh_counters_unit(const BhCounters *counters, guint i) {
  return ((const Counter *)counters->all->pdata[i])->kind->unit;
}

const char *bh_counters_refusal(const BhCounters *counters, guint i) {
  return ((const Counter *)counters->all->pdata[i])->refusal;
}

const char *bh_counters_note(const BhCounters *counters, guint i) {
  return ((const Counter *)counters->all->pdata[i])->note;
}

static void info_free(BhCounterInfo *info) {
  g_free(info->note);
  g_free(info);
}

GPtrArray *bh_counters_available(const BhCountersSystem *system) {
  g_autofree char *groups = g_strjoinv(" ", (char **)bh_counters_groups());
  g_autoptr(BhCounters) counters = bh_counters_open(groups, system);
  GPtrArray *infos = g_ptr_array_new_with_free_func((GDestroyNotify)info_free);
  for (guint i = 0; i < counters->all->len; i++) {
    const Counter *counter = counters->all->pdata[i];
    BhCounterInfo *info = g_new0(BhCounterInfo, 1);
    info->name = counter->kind->name;
    info->group = counter->kind->group;
    info->help = counter->kind->help;
    info->available = counter->refusal == NULL;
    info->note = g_strdup(counter->refusal ? counter->refusal : counter->note);
    g_ptr_array_add(infos, info);
  }
  return infos;
}
