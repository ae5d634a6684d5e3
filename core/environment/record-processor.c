/* SPDX-License-Identifier: MIT
 * Owns what the record says of the processor: its model and its virtual nature, what changes its clock rate, which
 * hardware threads share a core, and which of it we may use. */
#include "environment/field.h"
#include "environment/files.h"
#include "machine/cgroup.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

#define CPU "/sys/devices/system/cpu/"

/* ---- Model ---- */

static gboolean has_word(const char *text, const char *word) {
  g_auto(GStrv) words = g_strsplit(text ? text : "", " ", -1);
  return g_strv_contains((const char *const *)words, word);
}

/* The hypervisor's signature ("KVMKVMKVM") and whether a KVM says that it accounts steal (CPUID leaf 0x40000001, EAX
 * bit 5: Documentation/virt/kvm/x86/cpuid.rst). FALSE: cannot be asked. `ret_name` holds 13 bytes. */
static gboolean ask_hypervisor(char *ret_name, gboolean *ret_steal) {
#if defined(__x86_64__) || defined(__i386__)
  unsigned a, b, c, d;
  __cpuid(0x40000000, a, b, c, d);
  memcpy(ret_name, &b, 4);
  memcpy(ret_name + 4, &c, 4);
  memcpy(ret_name + 8, &d, 4);
  ret_name[12] = 0;
  *ret_steal = FALSE;
  if (a >= 0x40000001 && !strcmp(ret_name, "KVMKVMKVM")) {
    __cpuid(0x40000001, a, b, c, d);
    *ret_steal = (a >> 5) & 1;
  }
  return ret_name[0] != 0;
#else
  ret_name[0] = 0;
  *ret_steal = FALSE;
  return FALSE;
#endif
}

/* The eighth number of /proc/stat's first line; -1: there is none. */
static gint64 steal_ticks(const char *root) {
  g_autofree char *stat = bh_files_read(root, "/proc/stat");
  unsigned long long steal;
  if (!stat || sscanf(stat, "cpu %*u %*u %*u %*u %*u %*u %*u %llu", &steal) != 1)
    return -1;
  return (gint64)steal;
}

static void add_virtual(JsonObject *record, const char *root, const char *cpuinfo) {
  g_autofree char *flags = bh_files_value(cpuinfo, "flags");
  g_autofree char *vendor = bh_files_read(root, "/sys/hypervisor/type");
  const gboolean guest = has_word(flags, "hypervisor") || vendor;
  const gint64 ticks = steal_ticks(root);
  char name[13] = "";
  gboolean steal = FALSE;
  const gboolean asked = guest && !*root && ask_hypervisor(name, &steal);
  steal = steal || ticks > 0;
  if (!cpuinfo || (!flags && !vendor)) /* not a processor whose list of flags would tell */
    bh_field_none(record, "hypervisor", "this processor's /proc/cpuinfo does not tell");
  else
    bh_field_text(
        record, "hypervisor", guest ? "yes" : "no",
        guest && !steal ? "a virtual machine that does not say what its host takes away (no steal time)" : NULL, NULL);
  g_autofree char *valid = g_utf8_make_valid(name, -1);
  bh_field_text(record, "hypervisor_name",
                vendor  ? vendor
                : asked ? valid
                        : NULL,
                NULL, guest ? "the hypervisor does not say" : "no hypervisor is seen");
  bh_field_text(record, "steal_accounted", guest ? steal ? "yes" : "no" : NULL, NULL, "no hypervisor is seen");
  if (ticks >= 0)
    bh_field_int(record, "steal_ticks", ticks, NULL);
  else
    bh_field_none(record, "steal_ticks", "/proc/stat has no such column");
}

static void add_model(JsonObject *record, const char *root) {
  g_autofree char *text = bh_files_read(root, "/proc/cpuinfo");
  g_autofree char *model = bh_files_value(text, "model name");
  /* arm64 has no name for people: implementer and part say which core it is */
  g_autofree char *maker = bh_files_value(text, "CPU implementer"), *part = bh_files_value(text, "CPU part");
  g_autofree char *arm = maker && part ? g_strdup_printf("ARM implementer %s part %s", maker, part) : NULL;
  g_autofree char *microcode = bh_files_value(text, "microcode");
  bh_field_text(record, "cpu_model", model ? model : arm, NULL, "/proc/cpuinfo has no model name");
  bh_field_text(record, "microcode", microcode, NULL, "/proc/cpuinfo does not say");
  add_virtual(record, root, text);
}

/* ---- Clock rate ---- */

/* One governor for all of our CPUs, or the first that is not "performance". */
static void add_governor(JsonObject *record, const char *root, const GArray *cpus) {
  g_autofree char *found = NULL;
  for (guint i = 0; i < cpus->len && (!found || !strcmp(found, "performance")); i++) {
    char *governor = bh_files_readf(root, CPU "cpu%d/cpufreq/scaling_governor", g_array_index(cpus, int, i));
    if (!governor)
      continue;
    g_free(found);
    found = governor;
  }
  bh_field_text(record, "governor", found,
                found && strcmp(found, "performance") ? "the clock rate follows the load: short runs may be slower"
                                                      : NULL,
                "no CPU has cpufreq/scaling_governor");
  g_autofree char *driver =
      cpus->len ? bh_files_readf(root, CPU "cpu%d/cpufreq/scaling_driver", g_array_index(cpus, int, 0)) : NULL;
  bh_field_text(record, "frequency_driver", driver, NULL, "no CPU has cpufreq/scaling_driver");
}

static void add_turbo(JsonObject *record, const char *root) {
  g_autofree char *no_turbo = bh_files_read(root, CPU "intel_pstate/no_turbo");
  g_autofree char *boost = bh_files_read(root, CPU "cpufreq/boost");
  const char *state = no_turbo ? (*no_turbo == '0' ? "on" : "off") : boost ? (*boost == '1' ? "on" : "off") : NULL;
  bh_field_text(record, "turbo", state,
                state && !strcmp(state, "on") ? "the clock rate depends on temperature and on how many cores are busy"
                                              : NULL,
                "neither intel_pstate/no_turbo nor cpufreq/boost is there");
}

static void add_thermal(JsonObject *record, const char *root, const GArray *cpus) {
  gint64 sum = 0, one;
  gboolean any = FALSE;
  for (guint i = 0; i < cpus->len; i++) {
    g_autofree char *path =
        g_strdup_printf(CPU "cpu%d/thermal_throttle/core_throttle_count", g_array_index(cpus, int, i));
    if (bh_files_int(root, path, &one)) {
      sum += one;
      any = TRUE;
    }
  }
  if (any)
    bh_field_int(record, "thermal_throttles", sum, NULL);
  else
    bh_field_none(record, "thermal_throttles", "no CPU has thermal_throttle/core_throttle_count");
}

/* ---- Topology ---- */

/* Sets of our own CPUs that share a core: "0,4". */
static void add_smt(JsonObject *record, const char *root, const GArray *cpus) {
  g_autofree char *active = bh_files_read(root, CPU "smt/active");
  g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL); /* (siblings, count) */
  g_autoptr(GStrvBuilder) shared = g_strv_builder_new();
  gboolean known = FALSE;
  for (guint i = 0; i < cpus->len; i++) {
    char *siblings = bh_files_readf(root, CPU "cpu%d/topology/thread_siblings_list", g_array_index(cpus, int, i));
    if (!siblings)
      continue;
    known = TRUE;
    const guint count = GPOINTER_TO_UINT(g_hash_table_lookup(seen, siblings)) + 1;
    if (count == 2)
      g_strv_builder_add(shared, siblings);
    g_hash_table_replace(seen, siblings, GUINT_TO_POINTER(count));
  }
  g_auto(GStrv) texts = g_strv_builder_end(shared);
  bh_field_text(record, "smt", active ? *active == '1' ? "on" : "off" : NULL, NULL, "no " CPU "smt/active");
  if (known)
    bh_field_texts(record, "smt_siblings", (const char *const *)texts,
                   "two hardware threads share a core: workers on both slow each other down");
  else
    bh_field_none(record, "smt_siblings", "no CPU has topology/thread_siblings_list");
}

static void add_caches(JsonObject *record, const char *root, const GArray *cpus) {
  g_autoptr(GStrvBuilder) found = g_strv_builder_new();
  gboolean any = FALSE;
  for (guint index = 0; cpus->len && index < 16; index++) {
    g_autofree char *base = g_strdup_printf(CPU "cpu%d/cache/index%u", g_array_index(cpus, int, 0), index);
    g_autofree char *level = bh_files_readf(root, "%s/level", base), *type = bh_files_readf(root, "%s/type", base);
    g_autofree char *size = bh_files_readf(root, "%s/size", base);
    g_autofree char *shared = bh_files_readf(root, "%s/shared_cpu_list", base);
    if (!level || !type || !size)
      break;
    g_autofree char *one = shared ? g_strdup_printf("L%s %s %s, CPUs %s", level, type, size, shared)
                                  : g_strdup_printf("L%s %s %s", level, type, size);
    g_strv_builder_add(found, one);
    any = TRUE;
  }
  g_auto(GStrv) texts = g_strv_builder_end(found);
  if (any)
    bh_field_texts(record, "caches", (const char *const *)texts, NULL);
  else
    bh_field_none(record, "caches", "no CPU has cache/index0");
}

static gboolean holds_any(const GArray *cpus, const GArray *wanted) {
  for (guint i = 0; i < cpus->len; i++)
    for (guint k = 0; k < wanted->len; k++)
      if (g_array_index(cpus, int, i) == g_array_index(wanted, int, k))
        return TRUE;
  return FALSE;
}

static void add_numa(JsonObject *record, const char *root, const GArray *cpus) {
  g_autofree char *online = bh_files_read(root, "/sys/devices/system/node/online");
  g_autoptr(GArray) nodes = bh_files_cpu_list(online);
  guint used = 0;
  for (guint i = 0; i < nodes->len; i++) {
    g_autofree char *list =
        bh_files_readf(root, "/sys/devices/system/node/node%d/cpulist", g_array_index(nodes, int, i));
    g_autoptr(GArray) of_node = bh_files_cpu_list(list);
    used += holds_any(of_node, cpus);
  }
  bh_field_text(record, "numa_nodes", online,
                used > 1 ? "memory on another node is slower, and which it is varies from run to run" : NULL,
                "no /sys/devices/system/node");
}

/* ---- Our share ---- */

static void add_share(JsonObject *record, const char *root, const char *allowed, const GArray *cpus) {
  g_autofree char *online = bh_files_read(root, CPU "online");
  bh_field_text(record, "cpus_online", online, NULL, "no " CPU "online");
  bh_field_text(record, "cpus_allowed", allowed, NULL, "/proc/self/status has no Cpus_allowed_list");
  const double quota = bh_cgroup_cpu_quota(root);
  if (cpus->len)
    bh_field_int(record, "cores", quota > 0 ? MIN((gint64)ceil(quota), (gint64)cpus->len) : (gint64)cpus->len, NULL);
  else
    bh_field_none(record, "cores", "/proc/self/status has no Cpus_allowed_list");
  if (quota > 0)
    bh_field_double(record, "cgroup_cpu_quota", quota, "the control group is stopped when it has used up its share");
  else
    bh_field_text(record, "cgroup_cpu_quota", "none", NULL, NULL);
  guint64 times = 0, us = 0;
  if (bh_cgroup_throttling(root, &times, &us))
    bh_field_int(record, "cgroup_throttled_us", (gint64)us, NULL);
  else
    bh_field_none(record, "cgroup_throttled_us", "no control group with cpu.stat is seen");
  g_autofree char *isolated = bh_files_read(root, CPU "isolated"), *quiet = bh_files_read(root, CPU "nohz_full");
  bh_field_text(record, "cpus_isolated", isolated ? *isolated ? isolated : "none" : NULL, NULL, "no " CPU "isolated");
  const gboolean some = quiet && g_ascii_isdigit(*quiet); /* "(null)" or empty: none */
  bh_field_text(record, "cpus_nohz_full", quiet ? some ? quiet : "none" : NULL, NULL, "no " CPU "nohz_full");
}

void bh_record_add_processor(JsonObject *record, const char *root) {
  g_autofree char *status = bh_files_read(root, "/proc/self/status");
  g_autofree char *allowed = bh_files_value(status, "Cpus_allowed_list");
  g_autoptr(GArray) cpus = bh_files_cpu_list(allowed);
  add_model(record, root);
  add_governor(record, root, cpus);
  add_turbo(record, root);
  add_thermal(record, root, cpus);
  add_smt(record, root, cpus);
  add_caches(record, root, cpus);
  add_numa(record, root, cpus);
  add_share(record, root, allowed, cpus);
}
