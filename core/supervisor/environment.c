/* SPDX-License-Identifier: MIT
 * Owns the machine's record: what can be known without root and matters when figures are compared. Every field is ok,
 * bad (it can disturb or distort; the note says how) or unavailable. Neither host name nor boot id nor any value of an
 * environment variable is kept: journals are shared. */
#include "supervisor/environment.h"

#include "supervisor/cell-env.h"
#include "machine/cgroup.h"
#include "machine/placement.h"

#include <gnu/libc-version.h>
#include <hwloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <yaml.h>

#define CPU "/sys/devices/system/cpu/"

/* Without the newline at its end; NULL: not readable. Caller frees. */
static char *slurp(const char *path) {
  char *text = NULL;
  return g_file_get_contents(path, &text, NULL, NULL) ? g_strchomp(text) : NULL;
}

/* Takes `value`; NULL: unavailable. `bad`: what is wrong, else NULL. */
static void add_node(JsonObject *record, const char *name, JsonNode *value, const char *bad) {
  JsonObject *field = json_object_new();
  json_object_set_string_member(field, "state", !value ? "unavailable" : bad ? "bad" : "ok");
  json_object_set_member(field, "value", value ? value : json_node_new(JSON_NODE_NULL));
  if (bad)
    json_object_set_string_member(field, "note", bad);
  else
    json_object_set_null_member(field, "note");
  json_object_set_object_member(record, name, field);
}

static void add_text(JsonObject *record, const char *name, const char *text, const char *bad) {
  g_autofree char *valid = text ? g_utf8_make_valid(text, -1) : NULL;
  JsonNode *node = valid ? json_node_init_string(json_node_alloc(), valid) : NULL;
  add_node(record, name, node, bad);
}

static void add_int(JsonObject *record, const char *name, gint64 value, const char *bad) {
  add_node(record, name, json_node_init_int(json_node_alloc(), value), bad);
}

static void add_double(JsonObject *record, const char *name, double value, const char *bad) {
  add_node(record, name, json_node_init_double(json_node_alloc(), value), bad);
}

static void add_texts(JsonObject *record, const char *name, char **texts, const char *bad) {
  JsonArray *array = json_array_new();
  for (char **text = texts; *text; text++) {
    g_autofree char *valid = g_utf8_make_valid(*text, -1);
    json_array_add_string_element(array, valid);
  }
  JsonNode *node = json_node_init_array(json_node_alloc(), array);
  json_array_unref(array);
  add_node(record, name, node, *texts ? bad : NULL);
}

/* ---- Processor ---- */

/* Value of the first "key : value" line; NULL: none. Caller frees. */
static char *cpuinfo_value(const char *text, const char *key) {
  for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
    if (strncmp(line, key, strlen(key)))
      continue;
    const char *colon = strchr(line, ':');
    const char *end = strchr(line, '\n');
    if (colon && (!end || colon < end))
      return g_strstrip(g_strndup(colon + 1, end ? (gsize)(end - colon - 1) : strlen(colon + 1)));
  }
  return NULL;
}

static void add_cpu(JsonObject *record) {
  g_autofree char *text = slurp("/proc/cpuinfo");
  g_autofree char *model = cpuinfo_value(text, "model name");
  g_autofree char *flags = cpuinfo_value(text, "flags");
  g_auto(GStrv) words = g_strsplit(flags ? flags : "", " ", -1);
  add_text(record, "cpu_model", model, NULL);
  const gboolean virtual = g_strv_contains((const char *const *)words, "hypervisor");
  add_text(record, "hypervisor", text ? virtual ? "yes" : "no" : NULL,
           virtual ? "a virtual machine: other guests may take processor time unseen" : NULL);
}

/* One governor for all, or the first that differs. */
static void add_governor(JsonObject *record) {
  g_autofree char *found = NULL;
  const BhPlacement *placement = bh_placement_shared();
  for (guint i = 0; i < placement->compact->len; i++) {
    g_autofree char *path =
        g_strdup_printf(CPU "cpu%d/cpufreq/scaling_governor", g_array_index(placement->compact, int, i));
    char *governor = slurp(path);
    if (governor && (!found || strcmp(governor, "performance"))) {
      g_free(found);
      found = governor;
    } else {
      g_free(governor);
    }
  }
  add_text(record, "governor", found,
           found && strcmp(found, "performance") ? "the clock rate follows the load: short runs may be slower" : NULL);
}

static void add_turbo(JsonObject *record) {
  g_autofree char *no_turbo = slurp(CPU "intel_pstate/no_turbo");
  g_autofree char *boost = slurp(CPU "cpufreq/boost");
  const char *state = no_turbo ? (*no_turbo == '0' ? "on" : "off") : boost ? (*boost == '1' ? "on" : "off") : NULL;
  add_text(record, "turbo", state,
           state && !strcmp(state, "on") ? "the clock rate depends on temperature and on how many cores are busy"
                                         : NULL);
}

static void add_smt(JsonObject *record) {
  g_autofree char *active = slurp(CPU "smt/active");
  add_text(record, "smt", active ? *active == '1' ? "on" : "off" : NULL,
           active && *active == '1' ? "two hardware threads share a core: `pin: compact` uses siblings last" : NULL);
}

static void add_caches(JsonObject *record) {
  g_autoptr(GStrvBuilder) found = g_strv_builder_new();
  for (guint index = 0; index < 16; index++) {
    g_autofree char *base = g_strdup_printf(CPU "cpu0/cache/index%u/", index);
    g_autofree char *level_path = g_strconcat(base, "level", NULL), *type_path = g_strconcat(base, "type", NULL);
    g_autofree char *size_path = g_strconcat(base, "size", NULL);
    g_autofree char *level = slurp(level_path), *type = slurp(type_path), *size = slurp(size_path);
    if (!level || !type || !size)
      break;
    g_autofree char *one = g_strdup_printf("L%s %s %s", level, type, size);
    g_strv_builder_add(found, one);
  }
  g_auto(GStrv) texts = g_strv_builder_end(found);
  if (*texts)
    add_texts(record, "caches", texts, NULL);
  else
    add_node(record, "caches", NULL, NULL);
}

static void add_numa(JsonObject *record) {
  g_autofree char *online = slurp("/sys/devices/system/node/online");
  add_text(record, "numa_nodes", online,
           online && strpbrk(online, "-,") ? "memory on another node is slower: pin workers" : NULL);
}

static void add_cpus(JsonObject *record) {
  const BhPlacement *placement = bh_placement_shared();
  g_autofree char *online = slurp(CPU "online");
  g_autofree char *status = slurp("/proc/self/status");
  g_autofree char *allowed = cpuinfo_value(status, "Cpus_allowed_list");
  add_text(record, "cpus_online", online, NULL);
  add_text(record, "cpus_allowed", allowed, NULL);
  add_int(record, "cores", placement->cores, NULL);
  const double quota = placement->quota_cores;
  if (quota > 0)
    add_double(record, "cgroup_cpu_quota", quota, "the control group is throttled when it has used its share");
  else
    add_text(record, "cgroup_cpu_quota", "none", NULL);
  guint64 times = 0, us = 0;
  if (bh_cgroup_throttling("", &times, &us))
    add_int(record, "cgroup_throttled_us", (gint64)us, NULL);
  else
    add_node(record, "cgroup_throttled_us", NULL, NULL);
}

/* ---- Kernel ---- */

static void add_kernel(JsonObject *record) {
  struct utsname name;
  const gboolean known = uname(&name) == 0;
  add_text(record, "kernel", known ? name.release : NULL, NULL);
  add_text(record, "machine", known ? name.machine : NULL, NULL);
  g_autofree char *release = slurp("/etc/os-release");
  const char *at = release ? strstr(release, "PRETTY_NAME=\"") : NULL;
  g_autofree char *os = at ? g_strndup(at + 13, strcspn(at + 13, "\"\n")) : NULL;
  add_text(record, "os", os, NULL);
  g_autofree char *aslr = slurp("/proc/sys/kernel/randomize_va_space");
  add_text(record, "aslr", aslr ? *aslr == '0' ? "off" : "on" : NULL,
           aslr && *aslr == '0' ? "every process has the same layout: rounds cannot show how much layout matters"
                                : NULL);
  g_autofree char *clock = slurp("/sys/devices/system/clocksource/clocksource0/current_clocksource");
  const gboolean slow = clock && (!strcmp(clock, "hpet") || !strcmp(clock, "acpi_pm") || !strcmp(clock, "jiffies"));
  add_text(record, "clock_source", clock, slow ? "reading the clock costs about a microsecond" : NULL);
  g_autofree char *thp = slurp("/sys/kernel/mm/transparent_hugepage/enabled");
  const char *open = thp ? strchr(thp, '[') : NULL;
  g_autofree char *chosen = open ? g_strndup(open + 1, strcspn(open + 1, "]")) : NULL;
  add_text(record, "transparent_hugepages", chosen, NULL);
}

static void add_memory(JsonObject *record) {
  const BhPlacement *placement = bh_placement_shared();
  add_int(record, "memory_total_bytes", (gint64)placement->memory_total_bytes, NULL);
  add_int(record, "memory_available_bytes", (gint64)placement->memory_available_bytes, NULL);
  g_autofree char *swaps = slurp("/proc/swaps");
  const gboolean some = swaps && strchr(swaps, '\n');
  add_text(record, "swap", swaps ? some ? "yes" : "no" : NULL, some ? "memory may be paged out while measuring" : NULL);
}

static void add_load(JsonObject *record) {
  g_autofree char *text = slurp("/proc/loadavg");
  const double load = text ? g_ascii_strtod(text, NULL) : 0;
  const gboolean busy = load > 0.5 * bh_placement_shared()->cores;
  if (text)
    add_double(record, "load_1min", load, busy ? "other programs were running when this run began" : NULL);
  else
    add_node(record, "load_1min", NULL, NULL);
  g_autofree char *stat = slurp("/proc/stat");
  unsigned long long steal;
  if (stat && sscanf(stat, "cpu %*u %*u %*u %*u %*u %*u %*u %llu", &steal) == 1)
    add_int(record, "steal_ticks", (gint64)steal, NULL);
  else
    add_node(record, "steal_ticks", NULL, NULL);
}

/* ---- Ourselves ---- */

static void add_build(JsonObject *record) {
  const char *compiler =
#ifdef __clang__
      "clang " __clang_version__;
#else
      "gcc " __VERSION__;
#endif
  add_text(record, "compiler", compiler, NULL);
#ifdef __OPTIMIZE__
  const gboolean optimized = TRUE;
#else
  const gboolean optimized = FALSE;
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  const char *bad = "built with a sanitizer: figures mean nothing";
#else
  const char *bad = optimized ? NULL : "built without optimization";
#endif
  add_text(record, "build", optimized ? "optimized" : "not optimized", bad);
}

static void add_libraries(JsonObject *record) {
  JsonObject *versions = json_object_new();
  g_autofree char *glib = g_strdup_printf("%u.%u.%u", glib_major_version, glib_minor_version, glib_micro_version);
  const unsigned api = hwloc_get_api_version();
  g_autofree char *hwloc = g_strdup_printf("%u.%u.%u", api >> 16, (api >> 8) & 255, api & 255);
  json_object_set_string_member(versions, "glibc", gnu_get_libc_version());
  json_object_set_string_member(versions, "glib", glib);
  json_object_set_string_member(versions, "hwloc", hwloc);
  json_object_set_string_member(versions, "libyaml", yaml_get_version_string());
  json_object_set_string_member(versions, "json-glib", JSON_VERSION_S);
  JsonNode *node = json_node_init_object(json_node_alloc(), versions);
  json_object_unref(versions);
  add_node(record, "libraries", node, NULL);
}

static void add_variables(JsonObject *record) {
  g_auto(GStrv) removed = bh_cell_env_removed(), suspicious = bh_cell_env_suspicious();
  add_texts(record, "variables_removed", removed, "set by the shell, not passed on to cells: use the matrix's `env`");
  add_texts(record, "variables_kept", suspicious, "passed on to cells: they can change how programs load and run");
}

JsonNode *bh_environment_capture(void) {
  JsonObject *record = json_object_new();
  add_cpu(record);
  add_governor(record);
  add_turbo(record);
  add_smt(record);
  add_caches(record);
  add_numa(record);
  add_cpus(record);
  add_kernel(record);
  add_memory(record);
  add_load(record);
  add_build(record);
  add_libraries(record);
  add_variables(record);
  JsonNode *node = json_node_init_object(json_node_alloc(), record);
  json_object_unref(record);
  return node;
}
