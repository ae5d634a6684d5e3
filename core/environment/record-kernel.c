/* SPDX-License-Identifier: MIT
 * Owns what the record says of the kernel and of the machine's state: layout randomisation, clock, huge pages, memory,
 * load, and what it lets us read. */
#include "environment/field.h"
#include "environment/files.h"
#include "machine/cgroup.h"

#include <string.h>
#include <sys/personality.h>
#include <sys/utsname.h>

#define LITTLE_MEMORY 0.10 /* share of all memory: below, the kernel drops and swaps pages all the time */

static void add_release(JsonObject *record, const char *root) {
  struct utsname name;
  const gboolean known = !*root && uname(&name) == 0;
  g_autofree char *made_up = *root ? bh_files_read(root, "/proc/sys/kernel/osrelease") : NULL;
  g_autofree char *arch = *root ? bh_files_read(root, "/proc/sys/kernel/arch") : NULL;
  bh_field_text(record, "kernel", known ? name.release : made_up, NULL, "uname does not say");
  bh_field_text(record, "machine", known ? name.machine : arch, NULL, "uname does not say");
  g_autofree char *release = bh_files_read(root, "/etc/os-release");
  const char *at = release ? strstr(release, "PRETTY_NAME=\"") : NULL;
  g_autofree char *os = at ? g_strndup(at + 13, strcspn(at + 13, "\"\n")) : NULL;
  bh_field_text(record, "os", os, NULL, "no /etc/os-release");
}

/* Switched off for the machine, or for this process and all that it starts (`setarch -R`). */
static void add_aslr(JsonObject *record, const char *root) {
  g_autofree char *text = bh_files_read(root, "/proc/sys/kernel/randomize_va_space");
  const int own = *root ? -1 : personality(0xffffffff);
  const gboolean off = (text && *text == '0') || (own != -1 && (own & ADDR_NO_RANDOMIZE));
  bh_field_text(record, "aslr",
                off            ? "off"
                : !text        ? NULL
                : *text == '1' ? "partial"
                               : "on",
                off ? "every process has the same layout: rounds cannot show how much layout matters" : NULL,
                "no /proc/sys/kernel/randomize_va_space");
}

static void add_clock(JsonObject *record, const char *root) {
  static const char *const slow[] = {"hpet", "acpi_pm", "jiffies", "pit", "hyperv_clocksource_msr", NULL};
  g_autofree char *clock = bh_files_read(root, "/sys/devices/system/clocksource/clocksource0/current_clocksource");
  bh_field_text(
      record, "clock_source", clock,
      clock && g_strv_contains(slow, clock) ? "reading the clock needs the kernel and costs about a microsecond" : NULL,
      "no /sys/devices/system/clocksource");
  gint64 slack;
  if (bh_files_int(root, "/proc/self/timerslack_ns", &slack))
    bh_field_int(record, "timer_slack_ns", slack, NULL);
  else
    bh_field_none(record, "timer_slack_ns", "no /proc/self/timerslack_ns");
}

static void add_memory(JsonObject *record, const char *root) {
  g_autofree char *info = bh_files_read(root, "/proc/meminfo");
  g_autofree char *total = bh_files_value(info, "MemTotal"), *available = bh_files_value(info, "MemAvailable");
  guint64 unused = 0;
  const guint64 limit = bh_cgroup_memory_limit(root, &unused);
  guint64 all = total ? g_ascii_strtoull(total, NULL, 10) * 1024 : 0;
  guint64 left = available ? g_ascii_strtoull(available, NULL, 10) * 1024 : 0;
  all = limit ? MIN(all, limit) : all;
  left = limit ? MIN(left, unused) : left;
  if (all)
    bh_field_int(record, "memory_total_bytes", (gint64)all, NULL);
  else
    bh_field_none(record, "memory_total_bytes", "/proc/meminfo has no MemTotal");
  if (available)
    bh_field_int(record, "memory_available_bytes", (gint64)left,
                 (double)left < LITTLE_MEMORY * (double)all ? "little memory is left: pages are dropped or swapped out"
                                                            : NULL);
  else
    bh_field_none(record, "memory_available_bytes", "/proc/meminfo has no MemAvailable");
  g_autofree char *swaps = bh_files_read(root, "/proc/swaps");
  bh_field_text(record, "swap", swaps ? strchr(swaps, '\n') ? "yes" : "no" : NULL, NULL, "no /proc/swaps");
  g_autofree char *thp = bh_files_read(root, "/sys/kernel/mm/transparent_hugepage/enabled");
  const char *open = thp ? strchr(thp, '[') : NULL;
  g_autofree char *chosen = open ? g_strndup(open + 1, strcspn(open + 1, "]")) : NULL;
  bh_field_text(record, "transparent_hugepages", chosen, NULL, "no /sys/kernel/mm/transparent_hugepage");
}

/* "some avg10=1.23 ..." of one file of /proc/pressure, in percent. */
static void add_pressure(JsonObject *record, const char *root, const char *kind) {
  g_autofree char *path = g_strconcat("/proc/pressure/", kind, NULL), *name = g_strconcat("pressure_", kind, NULL);
  g_autofree char *text = bh_files_read(root, path);
  const char *at = text ? strstr(text, "some avg10=") : NULL;
  g_autofree char *none = g_strdup_printf("no %s (a kernel without PSI)", path);
  if (at)
    bh_field_double(record, name, g_ascii_strtod(at + 11, NULL), NULL);
  else
    bh_field_none(record, name, none);
}

static void add_load(JsonObject *record, const char *root) {
  g_autofree char *text = bh_files_read(root, "/proc/loadavg");
  JsonObject *cores = json_object_get_object_member(record, "cores");
  const double load = text ? g_ascii_strtod(text, NULL) : 0;
  const gint64 n = json_object_get_null_member(cores, "value") ? 1 : json_object_get_int_member(cores, "value");
  if (text)
    bh_field_double(record, "load_1min", load,
                    load > 0.5 * (double)n ? "other programs were running when this run began" : NULL);
  else
    bh_field_none(record, "load_1min", "no /proc/loadavg");
  add_pressure(record, root, "cpu");
  add_pressure(record, root, "memory");
  add_pressure(record, root, "io");
}

/* What the counters and the energy of a cell stand on. */
static void add_access(JsonObject *record, const char *root) {
  gint64 paranoid, energy;
  if (bh_files_int(root, "/proc/sys/kernel/perf_event_paranoid", &paranoid))
    bh_field_int(record, "perf_event_paranoid", paranoid, NULL);
  else
    bh_field_none(record, "perf_event_paranoid", "no /proc/sys/kernel/perf_event_paranoid");
  const char *rapl = "/sys/class/powercap/intel-rapl:0";
  g_autofree char *name = bh_files_readf(root, "%s/name", rapl), *uj = g_strconcat(rapl, "/energy_uj", NULL);
  bh_field_text(record, "rapl", bh_files_int(root, uj, &energy) ? "readable" : NULL, NULL,
                name ? "energy_uj is there, but only root may read it" : "no /sys/class/powercap/intel-rapl:0");
}

void bh_record_add_kernel(JsonObject *record, const char *root) {
  add_release(record, root);
  add_aslr(record, root);
  add_clock(record, root);
  add_memory(record, root);
  add_load(record, root);
  add_access(record, root);
}
