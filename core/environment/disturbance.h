/* SPDX-License-Identifier: MIT
 * What else happened on the machine between two moments: a cheap reading of the kernel's counters at each, and their
 * difference. A meter belongs to one thread. docs/environment.md says what each figure and flag means.
 *
 *   BhDisturbanceMeter *meter = bh_disturbance_meter_new(bh_files_root());
 *   BhReading before, after;  bh_disturbance_read(meter, &before); ... bh_disturbance_read(meter, &after);
 *   BhDisturbance seen = bh_disturbance_between(&before, &after);
 *
 * One long span beats the sum of many short ones, because the kernel shows CPU time in ticks of 10 ms: judge a round
 * (or a pair) by the reading before its first visit and the one after its last. */
#pragma once
#include <json-glib/json-glib.h>

#define BH_NOT_KNOWN (-1) /* of any figure below: the kernel does not say */

typedef enum { BH_PSI_CPU = 0, BH_PSI_MEMORY, BH_PSI_MEMORY_FULL, BH_PSI_IO, BH_PSI_IO_FULL, BH_PSI_N } BhPsi;

/* Counters at one moment. */
typedef struct {
  gint64 at_ns;                            /* CLOCK_MONOTONIC */
  gint64 asleep_ns;                        /* CLOCK_BOOTTIME - CLOCK_MONOTONIC: suspended so far */
  gint64 cpu_us, busy_us, steal_us;        /* of the CPUs that we may use; busy without steal */
  gint64 own_us;                           /* CPU time of this process and of its children that it has waited for */
  gint64 procs_running, context_switches;  /* of the machine */
  gint64 stalled_us[BH_PSI_N];             /* of the machine */
  gint64 throttles, throttled_us, thermal; /* of our control groups; throttled_us is summed over CPUs */
  double load1;
  guint cpus;  /* how many CPUs cpu_us is summed over */
  guint which; /* a number made of theirs: some may have gone offline and others come */
} BhReading;

/* Between two readings. */
typedef struct {
  gint64 wall_ns, suspended_ns;
  gint64 cpu_us;        /* CPU time that there was on the CPUs that we may use */
  gint64 steal_us;      /* of it: the hypervisor gave it to others */
  gint64 steal_err_us;  /* the truth is within +- this: the kernel rounds to ticks */
  gint64 others_us;     /* of it: used by programs that are neither we nor children of ours */
  gint64 procs_running; /* that wanted to run at one of the two moments, without us; the greater */
  gint64 context_switches;
  gint64 stalled_us[BH_PSI_N];
  gint64 throttles, throttled_us, thermal;
  double load1; /* at the end */
  guint cpus;
} BhDisturbance;

typedef struct BhDisturbanceMeter BhDisturbanceMeter;

/* `root`: see environment/files.h. Never fails; keeps descriptors open (reopens below a made-up root, so that tests may
 * replace files). */
BhDisturbanceMeter *bh_disturbance_meter_new(const char *root);
void bh_disturbance_meter_free(BhDisturbanceMeter *meter); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhDisturbanceMeter, bh_disturbance_meter_free)

void bh_disturbance_read(BhDisturbanceMeter *meter, BhReading *ret);
BhDisturbance bh_disturbance_between(const BhReading *before, const BhReading *after);
/* Adds a later span to `sum` (start with all bytes zero); unknown in one is unknown in the sum. */
void bh_disturbance_add(BhDisturbance *sum, const BhDisturbance *more);

/* Why measurements in this span may be thrown away, or NULL. Only facts that do not depend on what was being measured
 * count, never a measured value: the machine was suspended, the hypervisor took more than 1 % of the CPU time, the
 * control group's quota held us back for more than 1 % of it. Static text. */
const char *bh_disturbance_rejects(const BhDisturbance *disturbance);
/* "throttled", "stolen", "suspended", "thermal", "pressure": those that apply; ends with NULL. The array is the
 * caller's (g_free), the texts are static. */
const char **bh_disturbance_flags(const BhDisturbance *disturbance);
/* Adds them to a list of texts. */
void bh_disturbance_add_flags(const BhDisturbance *disturbance, JsonArray *flags);
/* As in the journal, null for what is not known. Caller unrefs. */
JsonObject *bh_disturbance_to_json(const BhDisturbance *disturbance);
