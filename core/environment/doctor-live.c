/* SPDX-License-Identifier: MIT
 * Owns the verdicts on the live look: from which amount on something disturbs. */
#include "environment/doctor.h"

#include "base/text.h"

#define STEAL_SHARE 0.01
#define THROTTLED_SHARE 0.01
#define GAP_SHARE 0.01
#define OTHERS_CPUS 0.05 /* of one CPU */
#define WAITING 0.5      /* tasks, on average */
#define SLOW_READING_NS 500
#define MOST_NAMED 4

static const char *const not_looked = "not looked at (--watch=0)";

static void add(BhDoctor *doctor, BhCheck check, gboolean bad, gboolean known, char *found) {
  check.found = known ? found : g_strdup(doctor->live.looked ? "the kernel does not say" : not_looked);
  if (!known)
    g_free(found);
  check.state = !known ? BH_CHECK_UNAVAILABLE : bad ? BH_CHECK_BAD : BH_CHECK_OK;
  if (check.state != BH_CHECK_BAD)
    check.todo = NULL;
  check.todo = g_strdup(check.todo);
  bh_doctor_add(doctor, &check);
}

static double share(gint64 part_us, gint64 all_us) {
  return part_us > 0 && all_us > 0 ? (double)part_us / (double)all_us : 0;
}

static char *percent(double fraction) {
  return g_strdup_printf("%.*f %%", fraction > 0 && fraction < 0.01 ? 2 : 1, fraction * 100);
}

/* Steal shows while we want to run; on a made-up machine there is only the time asleep. */
static void add_steal(BhDoctor *doctor) {
  const BhDisturbance *d = doctor->live.spun ? &doctor->live.spinning : &doctor->live.quiet;
  const double part = share(d->steal_us, d->cpu_us);
  g_autofree char *text = percent(part);
  add(doctor,
      (BhCheck){.name = "live_steal",
                .title = "steal",
                .why = "the hypervisor gives our CPU time to other guests",
                .todo = (char *)"a host that is not shared, or another hour",
                .tool = "flags `stolen`; `noise: reject` drops such rounds; `ab` compares pairs"},
      d->steal_us > d->steal_err_us && part > STEAL_SHARE, doctor->live.looked && d->steal_us >= 0 && d->cpu_us > 0,
      g_strdup_printf("%s of the CPU time", text));
}

static void add_others(BhDoctor *doctor) {
  const BhDisturbance *d = &doctor->live.quiet;
  const double wall_us = (double)d->wall_ns * 1e-3;
  const double cpus = wall_us > 0 && d->others_us > 0 ? (double)d->others_us / wall_us : 0;
  g_autoptr(GString) text = g_string_new(NULL);
  double named = 0;
  g_string_append_printf(text, "%.0f %% of one CPU", cpus * 100);
  for (guint i = 0; i < doctor->live.busy->len && i < MOST_NAMED; i++) {
    const BhBusy *busy = doctor->live.busy->pdata[i];
    named += busy->cpus;
    g_autofree char *name = g_utf8_make_valid(busy->name, -1);
    g_string_append_printf(text, "%s%s %.0f %%", i ? ", " : ": ", name, busy->cpus * 100);
  }
  if (doctor->live.busy->len > MOST_NAMED)
    g_string_append_printf(text, " and %u more", doctor->live.busy->len - MOST_NAMED);
  else if (named < cpus / 2 && cpus > OTHERS_CPUS)
    g_string_append(text, "; the rest by programs that came and went");
  add(doctor,
      (BhCheck){.name = "live_others",
                .title = "other programs",
                .why = "they take CPU time, caches and memory bandwidth",
                .todo = (char *)"stop them, or keep them off some CPUs and run `taskset -c` on those",
                .tool = "flags `pressure`; interleaved rounds spread it over all cells"},
      cpus > OTHERS_CPUS, doctor->live.looked && d->others_us >= 0, g_string_free(g_steal_pointer(&text), FALSE));
}

static void add_queue(BhDoctor *doctor) {
  add(doctor,
      (BhCheck){.name = "live_run_queue",
                .title = "run queue",
                .why = "tasks that want to run have to share CPUs with ours",
                .todo = (char *)"as for other programs",
                .tool = "records procs_running of every visit"},
      doctor->live.waiting > WAITING, doctor->live.waiting >= 0,
      g_strdup_printf("%.1f tasks besides us on average", doctor->live.waiting));
}

static void add_pressure(BhDoctor *doctor) {
  static const struct {
    BhPsi kind;
    double limit;
    BhCheck check;
  } kinds[] = {{BH_PSI_CPU,
                0.10,
                {.name = "live_pressure_cpu",
                 .title = "CPU pressure",
                 .why = "tasks wait for a CPU although we sleep",
                 .todo = (char *)"as for other programs",
                 .tool = "flags `pressure`"}},
               {BH_PSI_MEMORY,
                0.01,
                {.name = "live_pressure_memory",
                 .title = "memory pressure",
                 .why = "tasks wait for pages that were dropped or swapped out",
                 .todo = (char *)"free memory, or run a smaller matrix",
                 .tool = "`limits: {memory: ...}` ends a cell before the machine swaps"}},
               {BH_PSI_IO,
                0.10,
                {.name = "live_pressure_io",
                 .title = "I/O pressure",
                 .why = "others use the disk: cells that read or write files vary",
                 .todo = (char *)"wait until the disk is idle",
                 .tool = "records psi_io_s of every visit"}}};
  const BhDisturbance *d = &doctor->live.quiet;
  for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
    const gint64 us = d->stalled_us[kinds[i].kind];
    const double part = share(us, d->wall_ns / 1000);
    g_autofree char *text = percent(part);
    add(doctor, kinds[i].check, part > kinds[i].limit, doctor->live.looked && us >= 0,
        g_strdup_printf("%s of the time", text));
  }
}

static void add_gaps(BhDoctor *doctor) {
  const BhLive *live = &doctor->live;
  const double part = live->spin_ns ? (double)live->lost_ns / (double)live->spin_ns : 0;
  g_autofree char *text = percent(part), *longest = bh_text_duration((double)live->longest_ns);
  add(doctor,
      (BhCheck){.name = "live_gaps",
                .title = "scheduling gaps",
                .why = "something takes the CPU away from a loop that never sleeps",
                .todo = (char *)"stop other programs; on a virtual machine: a host that is not shared",
                .tool = "reports medians, which rare gaps do not move"},
      part > GAP_SHARE, live->spun,
      live->gaps ? g_strdup_printf("%s of the time in %u gaps, the longest %s", text, live->gaps, longest)
                 : g_strdup("none longer than 50 us"));
}

static void add_limits(BhDoctor *doctor) {
  const BhDisturbance *d = doctor->live.spun ? &doctor->live.spinning : &doctor->live.quiet;
  const double part = share(d->throttled_us, d->wall_ns / 1000 * MAX(d->cpus, 1));
  g_autofree char *text = percent(part);
  add(doctor,
      (BhCheck){.name = "live_throttling",
                .title = "quota throttling",
                .why = "the group has used up its CPU quota and is stopped until the next period",
                .todo = (char *)"raise the quota (docker: --cpus; Kubernetes: limits.cpu), or use fewer workers",
                .tool = "flags `throttled`; `noise: reject` drops such rounds"},
      part > THROTTLED_SHARE, doctor->live.looked && d->throttled_us >= 0, g_strdup_printf("%s of the time", text));
  add(doctor,
      (BhCheck){.name = "live_thermal",
                .title = "thermal throttling",
                .why = "the processor is too hot and lowers its clock rate",
                .todo = (char *)"better cooling, or a limit on the clock rate (cpupower frequency-set -u)",
                .as_root = TRUE,
                .tool = "flags `thermal`"},
      d->thermal > 0, doctor->live.looked && d->thermal >= 0,
      g_strdup_printf("%" G_GINT64_FORMAT " times", d->thermal));
}

static void add_clock(BhDoctor *doctor) {
  const BhLive *live = &doctor->live;
  add(doctor,
      (BhCheck){.name = "live_clock",
                .title = "clock",
                .why = "short samples cannot be timed well",
                .todo = (char *)"another clock source: see `clock source`",
                .tool = "makes every sample at least 1000 times as long as the clock's step"},
      live->read_ns > SLOW_READING_NS, live->spun,
      g_strdup_printf("steps of %" G_GINT64_FORMAT " ns; a reading takes %" G_GINT64_FORMAT
                      " ns, one in a thousand more than %" G_GINT64_FORMAT " ns",
                      live->step_ns, live->read_ns, live->slow_ns));
}

void bh_doctor_add_live(BhDoctor *doctor) {
  add_steal(doctor);
  add_others(doctor);
  add_queue(doctor);
  add_pressure(doctor);
  add_gaps(doctor);
  add_limits(doctor);
  add_clock(doctor);
}
