/* SPDX-License-Identifier: MIT
 * Counters of the processor and the kernel (perf_event_open) and of energy (RAPL), in groups that a matrix asks for. A
 * counter that cannot be had here says why and what to do; nothing else fails because of it. */
#pragma once
#include <glib.h>
#include <sys/types.h>

struct perf_event_attr;

/* The groups and the counters there are, NULL-terminated, in the order of every list. */
const char *const *bh_counters_groups(void);
const char *const *bh_counters_names(void);
/* The group of counter `name`; NULL: there is no such counter. */
const char *bh_counters_group_of(const char *name);

/* What the counters ask the system, apart so that tests can play another machine. */
typedef struct {
  int (*open)(struct perf_event_attr *attr, pid_t pid, int cpu, int group_fd); /* -1 with errno */
  int (*control)(int fd, unsigned long request, unsigned long flags);          /* ioctl */
  ssize_t (*read)(int fd, void *buffer, size_t bytes);
  const char *paranoid_path;    /* /proc/sys/kernel/perf_event_paranoid */
  const char *powercap_folder;  /* /sys/class/powercap */
  const char *power_pmu_folder; /* /sys/bus/event_source/devices/power */
} BhCountersSystem;
extern const BhCountersSystem bh_counters_system; /* this machine */

typedef struct BhCounters BhCounters;

/* Opens, stopped, what `groups` names ("cycles kernel"; "none"), for this thread and all threads and processes that it
 * starts from now on. Never fails. `system`: NULL for this machine; must outlive the counters. */
BhCounters *bh_counters_open(const char *groups, const BhCountersSystem *system);
void bh_counters_free(BhCounters *counters);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhCounters, bh_counters_free)

guint bh_counters_n(const BhCounters *counters);
const char *bh_counters_name(const BhCounters *counters, guint i);  /* "instructions"; perf's own names */
const char *bh_counters_unit(const BhCounters *counters, guint i);  /* "ns", "J"; "" for a number of events */
/* Why it is not available here and what to do; NULL: it is. Belongs to the counters. */
const char *bh_counters_refusal(const BhCounters *counters, guint i);
/* What to know about an available one ("user mode only: ..."), or NULL. */
const char *bh_counters_note(const BhCounters *counters, guint i);

/* Counting goes on between the two and nowhere else. `stop` only stops; `collect` then reads what was counted. System
 * calls only: about 1 us for each of start and stop per set, 0.5 us to read one. */
void bh_counters_start(BhCounters *counters);
void bh_counters_stop(BhCounters *counters);
void bh_counters_collect(BhCounters *counters);
/* What the last start..stop counted, extrapolated to all of it where the processor had to take turns. FALSE: nothing
 * was counted (unavailable, or its turn never came). */
gboolean bh_counters_value(const BhCounters *counters, guint i, double *ret);
/* The share of all time from the first start on in which it really counted: below 1, values are extrapolated. */
double bh_counters_share(const BhCounters *counters, guint i);

/* For listings: every counter there is, opened once to see and closed again. */
typedef struct {
  const char *name, *group, *help; /* literals */
  gboolean available;
  char *note; /* why not, or what to know; may be NULL */
} BhCounterInfo;
GPtrArray *bh_counters_available(const BhCountersSystem *system); /* of BhCounterInfo; caller unrefs */
