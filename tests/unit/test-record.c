/* SPDX-License-Identifier: MIT
 * core/environment: the record on made-up machines, each field's state and value by hand, and on this one; the
 * fingerprint that is taken from it. */
#include "base/json.h"
#include "environment/files.h"
#include "environment/fingerprint.h"
#include "environment/record.h"
#include "made-up.h"

#include <string.h>

#define CPU "/sys/devices/system/cpu/"

/* A laptop as it comes: four hardware threads on two cores, everything that can be wrong. */
static char *laptop(void) {
  char *root = made_up_new();
  made_up_put(root, "/proc/cpuinfo",
              "processor\t: 0\nmodel name\t: Core Test 1\nmicrocode\t: 0xf0\nflags\t\t: fpu sse2 avx2\n\n"
              "processor\t: 1\nmodel name\t: another\n");
  made_up_put(root, "/proc/self/status", "Name:\tx\nCpus_allowed:\tf\nCpus_allowed_list:\t0-3\n");
  made_up_put(root, "/proc/stat", "cpu  1 2 3 4 5 6 7 0 0 0\n");
  made_up_put(root, "/proc/meminfo", "MemTotal:       16000000 kB\nMemFree:  1 kB\nMemAvailable:    1000000 kB\n");
  made_up_put(root, "/proc/swaps", "Filename Type Size Used Priority\n/dev/sda2 partition 100 0 -2\n");
  made_up_put(root, "/proc/loadavg", "3.50 1.00 0.50 2/300 999\n");
  made_up_put(root, "/proc/sys/kernel/randomize_va_space", "0\n");
  made_up_put(root, "/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n");
  made_up_put(root, "/proc/sys/kernel/perf_event_paranoid", "3\n");
  made_up_put(root, "/sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n");
  made_up_put(root, "/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
  made_up_put(root, "/sys/devices/system/node/online", "0\n");
  made_up_put(root, "/sys/devices/system/node/node0/cpulist", "0-3\n");
  made_up_put(root, "/sys/class/powercap/intel-rapl:0/name", "package-0\n");
  made_up_put(root, CPU "online", "0-3\n");
  made_up_put(root, CPU "intel_pstate/no_turbo", "0\n");
  made_up_put(root, CPU "smt/active", "1\n");
  made_up_put(root, CPU "isolated", "\n");
  made_up_put(root, CPU "nohz_full", "(null)\n");
  for (int cpu = 0; cpu < 4; cpu++) {
    g_autofree char *base = g_strdup_printf(CPU "cpu%d", cpu);
    g_autofree char *governor = g_strconcat(base, "/cpufreq/scaling_governor", NULL);
    g_autofree char *siblings = g_strconcat(base, "/topology/thread_siblings_list", NULL);
    g_autofree char *throttled = g_strconcat(base, "/thermal_throttle/core_throttle_count", NULL);
    made_up_put(root, governor, cpu == 2 ? "powersave\n" : "performance\n");
    made_up_put(root, siblings, cpu % 2 ? "1,3\n" : "0,2\n");
    made_up_put(root, throttled, "2\n");
  }
  made_up_put(root, CPU "cpu0/cache/index0/level", "1\n");
  made_up_put(root, CPU "cpu0/cache/index0/type", "Data\n");
  made_up_put(root, CPU "cpu0/cache/index0/size", "32K\n");
  made_up_put(root, CPU "cpu0/cache/index0/shared_cpu_list", "0,2\n");
  return root;
}

static JsonObject *field_of(JsonNode *record, const char *name) {
  g_test_message("%s", name);
  return json_object_get_object_member(json_node_get_object(record), name);
}

/* `expected`: the value as JSON text. */
static void check(JsonNode *record, const char *name, const char *state, const char *expected) {
  JsonObject *field = field_of(record, name);
  g_autofree char *value = bh_json_text(json_object_get_member(field, "value"), FALSE);
  g_assert_cmpstr(json_object_get_string_member(field, "state"), ==, state);
  g_assert_cmpstr(value, ==, expected);
  g_assert_cmpint(json_object_get_null_member(field, "note"), ==, !strcmp(state, "ok"));
}

static void test_laptop(void) {
  char *root = laptop();
  const char *const removed[] = {"OMP_NUM_THREADS", NULL}, *const kept[] = {NULL};
  g_autoptr(JsonNode) record = bh_record_capture(root, removed, kept);
  check(record, "cpu_model", "ok", "\"Core Test 1\"");
  check(record, "microcode", "ok", "\"0xf0\"");
  check(record, "hypervisor", "ok", "\"no\"");
  check(record, "steal_accounted", "unavailable", "null");
  check(record, "governor", "bad", "\"powersave\"");
  check(record, "turbo", "bad", "\"on\"");
  check(record, "smt", "ok", "\"on\"");
  check(record, "smt_siblings", "bad", "[\"0,2\",\"1,3\"]");
  check(record, "thermal_throttles", "ok", "8");
  check(record, "caches", "ok", "[\"L1 Data 32K, CPUs 0,2\"]");
  check(record, "numa_nodes", "ok", "\"0\"");
  check(record, "cpus_allowed", "ok", "\"0-3\"");
  check(record, "cores", "ok", "4");
  check(record, "cgroup_cpu_quota", "ok", "\"none\"");
  check(record, "cpus_isolated", "ok", "\"none\"");
  check(record, "cpus_nohz_full", "ok", "\"none\"");
  check(record, "kernel", "ok", "\"6.1.0-18-amd64\"");
  check(record, "aslr", "bad", "\"off\"");
  check(record, "clock_source", "bad", "\"hpet\"");
  check(record, "transparent_hugepages", "ok", "\"madvise\"");
  check(record, "memory_total_bytes", "ok", "16384000000");
  check(record, "memory_available_bytes", "bad", "1024000000");
  check(record, "swap", "ok", "\"yes\"");
  check(record, "load_1min", "bad", "3.5");
  check(record, "pressure_cpu", "unavailable", "null");
  check(record, "perf_event_paranoid", "ok", "3");
  check(record, "rapl", "unavailable", "null"); /* there, and not ours to read */
  check(record, "variables_removed", "bad", "[\"OMP_NUM_THREADS\"]");
  check(record, "variables_kept", "ok", "[]");
  check(record, BH_RECORD_MADE_UP, "ok", "\"BENCHHOST_TEST_ROOT\"");
  JsonObject *rapl = field_of(record, "rapl");
  g_assert_nonnull(strstr(json_object_get_string_member(rapl, "note"), "only root"));
  made_up_free(root);
}

/* A quiet guest: one hardware thread per core, a mask that leaves siblings out, a quota of 1.5 CPUs on 8. */
static void test_container(void) {
  char *root = laptop();
  made_up_put(root, "/proc/self/status", "Cpus_allowed_list:\t0-1\n");
  made_up_put(root, "/proc/cpuinfo", "model name : vCPU\nflags : fpu hypervisor\n");
  made_up_put(root, "/proc/stat", "cpu  1 2 3 4 5 6 7 0 0 0\n");
  made_up_put(root, "/proc/self/mounts", "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n");
  made_up_put(root, "/proc/self/cgroup", "0::/box\n");
  made_up_put(root, "/sys/fs/cgroup/box/cpu.max", "150000 100000\n");
  made_up_put(root, "/sys/fs/cgroup/box/cpu.stat", "nr_throttled 4\nthrottled_usec 77\n");
  made_up_put(root, "/sys/devices/system/clocksource/clocksource0/current_clocksource", "kvm-clock\n");
  made_up_put(root, "/proc/pressure/cpu", "some avg10=12.50 avg60=0.00 avg300=0.00 total=5\n");
  made_up_put(root, CPU "intel_pstate/no_turbo", "1\n");
  made_up_put(root, "/sys/class/powercap/intel-rapl:0/energy_uj", "5\n");
  g_autoptr(JsonNode) record = bh_record_capture(root, NULL, NULL);
  check(record, "smt_siblings", "ok", "[]");
  check(record, "governor", "ok", "\"performance\"");
  check(record, "turbo", "ok", "\"off\"");
  check(record, "cores", "ok", "2");
  check(record, "cgroup_cpu_quota", "bad", "1.5");
  check(record, "cgroup_throttled_us", "ok", "77");
  check(record, "hypervisor", "bad", "\"yes\""); /* which says nothing of steal */
  check(record, "steal_accounted", "ok", "\"no\"");
  check(record, "clock_source", "ok", "\"kvm-clock\"");
  check(record, "pressure_cpu", "ok", "12.5");
  check(record, "rapl", "ok", "\"readable\"");
  made_up_put(root, "/proc/stat", "cpu  1 2 3 4 5 6 7 8 0 0\n");
  g_autoptr(JsonNode) honest = bh_record_capture(root, NULL, NULL);
  check(honest, "hypervisor", "ok", "\"yes\"");
  check(honest, "steal_ticks", "ok", "8");
  made_up_put(root, "/sys/devices/system/node/online", "0-1\n");
  made_up_put(root, "/sys/devices/system/node/node0/cpulist", "0\n");
  made_up_put(root, "/sys/devices/system/node/node1/cpulist", "1-3\n");
  g_autoptr(JsonNode) wide = bh_record_capture(root, NULL, NULL);
  check(wide, "numa_nodes", "bad", "\"0-1\"");
  made_up_free(root);
}

/* arm64: other words in /proc/cpuinfo, and almost none of the files. */
static void test_arm(void) {
  char *root = made_up_new();
  made_up_put(root, "/proc/cpuinfo",
              "processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n");
  made_up_put(root, "/sys/devices/system/clocksource/clocksource0/current_clocksource", "arch_sys_counter\n");
  g_autoptr(JsonNode) record = bh_record_capture(root, NULL, NULL);
  check(record, "cpu_model", "ok", "\"ARM implementer 0x41 part 0xd0c\"");
  check(record, "clock_source", "ok", "\"arch_sys_counter\"");
  static const char *const absent[] = {"hypervisor",
                                       "microcode",
                                       "governor",
                                       "turbo",
                                       "smt",
                                       "smt_siblings",
                                       "caches",
                                       "numa_nodes",
                                       "cpus_online",
                                       "cpus_allowed",
                                       "cores",
                                       "aslr",
                                       "swap",
                                       "load_1min",
                                       "pressure_io",
                                       "steal_ticks",
                                       "thermal_throttles",
                                       "memory_total_bytes",
                                       "rapl"};
  for (guint i = 0; i < G_N_ELEMENTS(absent); i++)
    check(record, absent[i], "unavailable", "null");
  made_up_free(root);
}

static void test_here(void) {
  g_autoptr(JsonNode) node = bh_record_capture("", NULL, NULL);
  JsonObject *record = json_node_get_object(node);
  JsonObjectIter iter;
  const char *name;
  JsonNode *value;
  guint n = 0;
  json_object_iter_init(&iter, record);
  while (json_object_iter_next(&iter, &name, &value)) {
    JsonObject *field = json_node_get_object(value);
    const char *state = json_object_get_string_member(field, "state");
    const gboolean null = json_object_get_null_member(field, "value"),
                   noted = !json_object_get_null_member(field, "note");
    g_test_message("%s %s", name, state);
    g_assert_true(!strcmp(state, "ok") || !strcmp(state, "bad") || !strcmp(state, "unavailable"));
    g_assert_cmpint(null, ==, !strcmp(state, "unavailable"));
    g_assert_cmpint(noted, ==, strcmp(state, "ok") != 0);
    n++;
  }
  g_assert_cmpuint(n, >=, 40);
  g_assert_false(json_object_has_member(record, BH_RECORD_MADE_UP));
  g_autofree char *text = bh_json_text(node, FALSE);
  g_autofree char *quoted = g_strdup_printf("\"%s\"", g_get_host_name()), *boot = NULL;
  g_assert_null(strstr(text, quoted));
  if (g_file_get_contents("/proc/sys/kernel/random/boot_id", &boot, NULL, NULL))
    g_assert_null(strstr(text, g_strstrip(boot)));
}

static void test_files(void) {
  static const struct {
    const char *text, *expected;
  } lists[] = {{"0-2,5", "0 1 2 5 "}, {"7", "7 "}, {"", ""}, {"x", ""}, {"3-1,4", "4 "}, {"1,", "1 "}, {"2-x", "2 "}};
  for (guint i = 0; i < G_N_ELEMENTS(lists); i++) {
    g_autoptr(GArray) cpus = bh_files_cpu_list(lists[i].text);
    g_autoptr(GString) found = g_string_new(NULL);
    for (guint k = 0; k < cpus->len; k++)
      g_string_append_printf(found, "%d ", g_array_index(cpus, int, k));
    g_assert_cmpstr(found->str, ==, lists[i].expected);
  }
  g_autoptr(GArray) huge = bh_files_cpu_list("0-99999999999");
  g_assert_cmpuint(huge->len, <=, 65536);
  g_autofree char *a = bh_files_value("a b : 1\na : 2\n", "a"), *b = bh_files_value("a", "a");
  g_assert_cmpstr(a, ==, "2");
  g_assert_null(b);
}

/* ---- Fingerprint ---- */

static JsonObject *change(JsonNode *record, const char *name, JsonNode *value) {
  JsonObject *field = field_of(record, name);
  json_object_set_member(field, "value", value);
  return json_node_get_object(record);
}

static JsonNode *text_node(const char *text) {
  return json_node_init_string(json_node_alloc(), text);
}

static const char *text_of(const BhFingerprint *fingerprint, const char *name) {
  for (guint i = 0; i < fingerprint->fields->len; i++) {
    const BhFingerprintField *field = fingerprint->fields->pdata[i];
    if (!strcmp(field->name, name))
      return field->text;
  }
  return NULL;
}

static void test_fingerprint(void) {
  char *root = laptop();
  g_autoptr(JsonNode) record = bh_record_capture(root, NULL, NULL);
  g_autoptr(BhFingerprint) first = bh_fingerprint_new(json_node_get_object(record));
  g_assert_cmpstr(text_of(first, "CPU model"), ==, "Core Test 1");
  g_assert_cmpstr(text_of(first, "kernel"), ==, "6.1");
  g_assert_cmpstr(text_of(first, "memory"), ==, "about 16 GiB"); /* 15.26 */
  g_assert_cmpstr(text_of(first, "cores used"), ==, "4");
  g_assert_true(g_str_has_prefix(text_of(first, "libc"), "glibc 2."));
  g_assert_cmpuint(strlen(first->digest), ==, 12);
  g_assert_cmpuint(strspn(first->digest, "0123456789abcdef"), ==, 12);
  /* what varies from hour to hour is not part of it */
  change(record, "load_1min", text_node("99"));
  change(record, "kernel", text_node("6.1.99-other"));
  g_autoptr(BhFingerprint) same =
      bh_fingerprint_new(change(record, "memory_total_bytes", json_node_init_int(json_node_alloc(), 16100000000)));
  g_assert_cmpstr(same->digest, ==, first->digest);
  g_autoptr(BhFingerprint) other = bh_fingerprint_new(change(record, "governor", text_node("performance")));
  g_assert_cmpstr(other->digest, !=, first->digest);
  g_assert_cmpstr(text_of(first, "governor"), ==, "powersave");
  g_assert_cmpstr(text_of(other, "governor"), ==, "performance");
  made_up_free(root);
}

/* Any JSON, also one that is no record: all unknown, and equal to itself. */
static void test_fingerprint_hostile(void) {
  g_autoptr(BhFingerprint) nothing = bh_fingerprint_new(NULL);
  g_assert_cmpstr(text_of(nothing, "CPU model"), ==, "unknown");
  static const char *const texts[] = {
      "{}", "{\"cpu_model\":5,\"governor\":[],\"turbo\":{},\"cores\":{\"value\":null}}",
      "{\"memory_total_bytes\":{\"value\":-5},\"libraries\":{\"value\":\"x\"},\"kernel\":{\"value\":[1]}}"};
  for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
    g_autoptr(JsonNode) node = json_from_string(texts[i], NULL);
    g_autoptr(BhFingerprint) fingerprint = bh_fingerprint_new(json_node_get_object(node));
    g_assert_cmpstr(fingerprint->digest, ==, nothing->digest);
  }
  g_autoptr(JsonNode) odd = json_from_string("{\"kernel\":{\"value\":\"6\"},\"cores\":{\"value\":1.5}}", NULL);
  g_autoptr(BhFingerprint) fingerprint = bh_fingerprint_new(json_node_get_object(odd));
  g_assert_cmpstr(text_of(fingerprint, "kernel"), ==, "6");
  g_assert_cmpstr(text_of(fingerprint, "cores used"), ==, "1.5");
  g_assert_cmpstr(text_of(nothing, "cores used"), ==, "unknown");
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/record/laptop", test_laptop);
  g_test_add_func("/record/container", test_container);
  g_test_add_func("/record/arm", test_arm);
  g_test_add_func("/record/here", test_here);
  g_test_add_func("/record/files", test_files);
  g_test_add_func("/fingerprint/fields", test_fingerprint);
  g_test_add_func("/fingerprint/hostile", test_fingerprint_hostile);
  return g_test_run();
}
