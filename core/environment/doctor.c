/* SPDX-License-Identifier: MIT
 * Owns the verdicts on the record's fields, what to do about each, and what to expect of measurements here. */
#include "environment/doctor.h"

#include "base/json.h"
#include "environment/record.h"

#include <string.h>

static const char *state_name(BhCheckState state) {
  return state == BH_CHECK_BAD ? "bad" : state == BH_CHECK_OK ? "ok" : "unavailable";
}

void bh_doctor_add(BhDoctor *doctor, const BhCheck *check) {
  g_ptr_array_add(doctor->checks, g_memdup2(check, sizeof *check));
  doctor->bad += check->state == BH_CHECK_BAD;
}

/* The fields that say how well one can measure here, in the order in which they matter. */
static const BhCheck fields[] = {
    {.name = "hypervisor",
     .title = "hypervisor",
     .why = "other guests share the machine",
     .todo =
         (char *)"a hypervisor that reports steal time (KVM does, where the host enables it), or a machine of its own",
     .tool = "`ab` measures both builds side by side, in pairs"},
    {.name = "cgroup_cpu_quota",
     .title = "CPU quota",
     .why = "processes are stopped when the group has used its share",
     .todo = (char *)"raise or remove the quota (docker: --cpus; Kubernetes: limits.cpu)",
     .tool = "uses no more cores than the quota; flags `throttled`; `noise: reject`"},
    {.name = "governor",
     .title = "governor",
     .why = "the clock rate follows the load",
     .todo = (char *)"cpupower frequency-set -g performance",
     .as_root = TRUE,
     .tool = "warms up before it measures"},
    {.name = "turbo",
     .title = "turbo",
     .why = "the clock rate depends on temperature and on how many cores are busy",
     .as_root = TRUE,
     .tool = "fresh rounds in random order spread it over all cells"},
    {.name = "smt_siblings",
     .title = "hardware threads",
     .why = "two workers on one core slow each other down",
     .tool = "`pin: compact` and `pin: spread` use a core's second thread last"},
    {.name = "numa_nodes",
     .title = "NUMA nodes",
     .why = "memory on another node is slower",
     .todo = (char *)"numactl --cpunodebind=0 --membind=0 benchhost ...",
     .tool = "`pin` keeps workers where their memory is"},
    {.name = "aslr",
     .title = "address randomisation",
     .why = "with one fixed layout, rounds cannot show how much the layout matters",
     .todo = (char *)"sysctl kernel.randomize_va_space=2 (and do not start it under `setarch -R`)",
     .as_root = TRUE},
    {.name = "clock_source",
     .title = "clock source",
     .why = "a slow clock adds a microsecond to every sample",
     .todo = (char *)"echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource (or boot with "
                     "tsc=reliable)",
     .as_root = TRUE,
     .tool = "sizes samples from the clock's measured step"},
    {.name = "memory_available_bytes",
     .title = "free memory",
     .why = "with little left, pages are dropped or swapped out",
     .todo = (char *)"end other programs, or run a smaller matrix",
     .tool = "refuses cells that do not fit; `limits: {memory: ...}`"},
    {.name = "variables_removed",
     .title = "variables not passed on",
     .why = "set here, but cells do not get them",
     .todo = (char *)"unset them, or say them in the matrix's `env`",
     .tool = "leaves them out, so that a run does not depend on the shell"},
    {.name = "variables_kept",
     .title = "variables passed on",
     .why = "they change how programs load and allocate",
     .todo = (char *)"unset them",
     .tool = "names them in the journal"},
    {.name = "build",
     .title = "benchhost's build",
     .why = "the host's own part of every sample is slower than need be",
     .todo = (char *)"meson setup --buildtype=release (or debugoptimized), without sanitizers"},
    {.name = "transparent_hugepages",
     .title = "huge pages",
     .why = "`always` may give a region huge pages in one process and not in the next",
     .tool = "fresh processes show that as variation between rounds"},
    {.name = "swap", .title = "swap", .why = "memory may be paged out while measuring"},
    {.name = "pressure_cpu",
     .title = "pressure figures",
     .why = "without them, waiting for CPU, memory or disk is not seen",
     .todo = (char *)"boot with psi=1",
     .as_root = TRUE},
    {.name = "perf_event_paranoid",
     .title = "hardware counters",
     .why = "above 2, no process may count its own instructions and cache misses",
     .todo = (char *)"sysctl kernel.perf_event_paranoid=2",
     .as_root = TRUE},
    {.name = "rapl",
     .title = "energy counters",
     .why = "without them there is no energy figure",
     .todo = (char *)"chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj",
     .as_root = TRUE},
    {.name = "cpus_isolated", .title = "isolated CPUs", .why = "the scheduler keeps other tasks off them"},
};

/* ---- Fields ---- */

static const char *text_of(JsonObject *field, const char *key) {
  return json_object_get_null_member(field, key) ? NULL : json_object_get_string_member(field, key);
}

/* A value for people. Caller frees. */
static char *shown(const char *name, JsonNode *value) {
  if (!strcmp(name, "memory_available_bytes"))
    return g_strdup_printf("%.1f GiB", (double)json_node_get_int(value) / 1073741824.0);
  if (!strcmp(name, "pressure_cpu"))
    return g_strdup("there");
  if (!JSON_NODE_HOLDS_ARRAY(value)) {
    if (json_node_get_value_type(value) == G_TYPE_STRING)
      return json_node_dup_string(value);
    return bh_json_text(value, FALSE);
  }
  GString *list = g_string_new(NULL);
  JsonArray *array = json_node_get_array(value);
  for (guint i = 0; i < json_array_get_length(array); i++)
    g_string_append_printf(list, "%s%s", i ? "; " : "", json_array_get_string_element(array, i));
  if (!list->len)
    g_string_append(list, "none");
  return g_string_free(list, FALSE);
}

static gint64 number_of(JsonObject *record, const char *name, gint64 otherwise) {
  JsonNode *value = json_object_get_member(json_object_get_object_member(record, name), "value");
  return JSON_NODE_HOLDS_VALUE(value) && json_node_get_value_type(value) == G_TYPE_INT64 ? json_node_get_int(value)
                                                                                         : otherwise;
}

/* One hardware thread of each core that we may use: "0,1". Caller frees; NULL: no two of ours share a core. */
static char *first_threads(JsonObject *record) {
  JsonNode *value = json_object_get_member(json_object_get_object_member(record, "smt_siblings"), "value");
  GString *list = g_string_new(NULL);
  JsonArray *array = JSON_NODE_HOLDS_ARRAY(value) ? json_node_get_array(value) : NULL;
  for (guint i = 0; array && i < json_array_get_length(array); i++) {
    const char *siblings = json_array_get_string_element(array, i);
    g_string_append_printf(list, "%s%.*s", i ? "," : "", (int)strspn(siblings, "0123456789"), siblings);
  }
  return g_string_free(list, !list->len);
}

/* What to do depends on the machine for some. Caller frees; NULL: nothing. */
static char *todo_of(JsonObject *record, const BhCheck *check, const char *root) {
  if (!strcmp(check->name, "turbo")) {
    g_autofree char *intel = g_strconcat(root, "/sys/devices/system/cpu/intel_pstate/no_turbo", NULL);
    return g_strdup(g_file_test(intel, G_FILE_TEST_EXISTS) ? "echo 1 > /sys/devices/system/cpu/intel_pstate/no_turbo"
                                                           : "echo 0 > /sys/devices/system/cpu/cpufreq/boost");
  }
  if (!strcmp(check->name, "smt_siblings")) {
    g_autofree char *list = first_threads(record);
    return list ? g_strdup_printf("taskset -c %s benchhost ...", list) : NULL;
  }
  return g_strdup(check->todo);
}

static void add_field(BhDoctor *doctor, JsonObject *record, const BhCheck *model, const char *root) {
  BhCheck check = *model;
  JsonObject *field = json_object_get_object_member(record, check.name);
  const char *state = json_object_get_string_member(field, "state");
  check.todo = NULL;
  check.state = !strcmp(state, "bad") ? BH_CHECK_BAD : !strcmp(state, "ok") ? BH_CHECK_OK : BH_CHECK_UNAVAILABLE;
  /* A figure that cannot be had is not a disturbance. */
  if (!strcmp(check.name, "perf_event_paranoid") && number_of(record, check.name, 0) > 2)
    check.state = BH_CHECK_UNAVAILABLE;
  JsonNode *value = json_object_get_member(field, "value");
  check.found = JSON_NODE_HOLDS_NULL(value) ? g_strdup(text_of(field, "note")) : shown(check.name, value);
  if (!strcmp(check.name, "build") && check.state == BH_CHECK_BAD) {
    g_free(check.found);
    check.found = g_strdup(text_of(field, "note"));
  }
  if (!strcmp(check.name, "perf_event_paranoid") && !JSON_NODE_HOLDS_NULL(value)) {
    g_autofree char *level = g_steal_pointer(&check.found);
    check.found = g_strdup_printf("perf_event_paranoid is %s", level);
  }
  /* Of what is not there, only what the kernel could give if it was told to. */
  const gboolean hidden = !strcmp(check.name, "perf_event_paranoid") || !strcmp(check.name, "pressure_cpu") ||
                          (!strcmp(check.name, "rapl") && check.found && strstr(check.found, "only root"));
  if (check.state == BH_CHECK_BAD || (check.state == BH_CHECK_UNAVAILABLE && hidden))
    check.todo = todo_of(record, model, root);
  bh_doctor_add(doctor, &check);
}

/* ---- What to expect ---- */

static const BhCheck *find(const BhDoctor *doctor, const char *name) {
  for (guint i = 0; i < doctor->checks->len; i++) {
    const BhCheck *check = doctor->checks->pdata[i];
    if (!strcmp(check->name, name))
      return check;
  }
  return NULL;
}

static gboolean is_bad(const BhDoctor *doctor, const char *name) {
  const BhCheck *check = find(doctor, name);
  return check && check->state == BH_CHECK_BAD;
}

static const char *expect(const BhDoctor *doctor) {
  const gboolean virtual = !strcmp(find(doctor, "hypervisor")->found, "yes");
  if (is_bad(doctor, "build"))
    return "This build of benchhost is for debugging: its figures are for nothing but tests.";
  const gboolean others = is_bad(doctor, "live_others") || is_bad(doctor, "live_run_queue");
  if (is_bad(doctor, "live_steal") || (virtual && !others && is_bad(doctor, "live_gaps")))
    return "A virtual machine that loses CPU time to others: runs minutes apart do not compare. Decide by `benchhost "
           "ab`, which measures pairs side by side, with `noise: reject`; expect `inconclusive` for small changes.";
  if (others || is_bad(doctor, "live_pressure_cpu") || is_bad(doctor, "live_gaps"))
    return "Other programs are running: medians are wide and single runs do not compare. Stop them, or decide by "
           "`benchhost ab`, which measures pairs side by side; expect `inconclusive` for small changes.";
  if (virtual)
    return doctor->live.looked
               ? "A virtual machine, quiet now; its neighbours may not stay so. Intervals hold within a run; decide "
                 "between two builds by `benchhost ab`, not by two runs hours apart."
               : "A virtual machine. Decide between two builds by `benchhost ab`, not by two runs hours apart.";
  if (doctor->bad)
    return "The machine changes its own speed or layout: intervals hold within a run, but two runs may differ by more. "
           "Do what is said above, or decide by `benchhost ab`, which measures pairs side by side.";
  return "Nothing found that disturbs: intervals may be taken at their word. Decide between two builds by `benchhost "
         "ab` all the same.";
}

static void check_free(gpointer data) {
  BhCheck *check = data;
  g_free(check->found);
  g_free(check->todo);
  g_free(check);
}

BhDoctor *bh_doctor_examine(const char *root, double watch_s, const char *const *removed, const char *const *kept) {
  BhDoctor *doctor = g_new0(BhDoctor, 1);
  doctor->checks = g_ptr_array_new_with_free_func(check_free);
  doctor->record = bh_record_capture(root, removed, kept);
  JsonObject *record = json_node_get_object(doctor->record);
  /* A quota of 1.5 lets one thread spin for ever. */
  JsonNode *quota = json_object_get_member(json_object_get_object_member(record, "cgroup_cpu_quota"), "value");
  const gboolean limited = JSON_NODE_HOLDS_VALUE(quota) && json_node_get_value_type(quota) == G_TYPE_DOUBLE;
  const guint cores = limited ? (guint)MAX(json_node_get_double(quota), 1) : G_MAXUINT;
  bh_live_look(root, watch_s, cores, &doctor->live);
  for (guint i = 0; i < G_N_ELEMENTS(fields); i++)
    add_field(doctor, record, &fields[i], root);
  bh_doctor_add_live(doctor);
  doctor->expect = g_strdup(expect(doctor));
  return doctor;
}

void bh_doctor_free(BhDoctor *doctor) {
  if (!doctor)
    return;
  json_node_unref(doctor->record);
  bh_live_clear(&doctor->live);
  g_ptr_array_unref(doctor->checks);
  g_free(doctor->expect);
  g_free(doctor);
}

/* ---- JSON ---- */

static void set_text(JsonObject *object, const char *key, const char *text) {
  if (text)
    json_object_set_string_member(object, key, text);
  else
    json_object_set_null_member(object, key);
}

static JsonNode *live_to_json(const BhLive *live) {
  JsonNode *node = json_node_new(JSON_NODE_NULL);
  if (!live->looked)
    return node;
  JsonObject *object = json_object_new();
  json_object_set_object_member(object, "quiet", bh_disturbance_to_json(&live->quiet));
  JsonArray *busy = json_array_new();
  for (guint i = 0; i < live->busy->len; i++) {
    const BhBusy *one = live->busy->pdata[i];
    g_autofree char *name = g_utf8_make_valid(one->name, -1);
    JsonObject *process = json_object_new();
    json_object_set_string_member(process, "name", name);
    json_object_set_double_member(process, "cpus", one->cpus);
    json_array_add_object_element(busy, process);
  }
  json_object_set_array_member(object, "busy", busy);
  if (live->spun) {
    json_object_set_object_member(object, "spinning", bh_disturbance_to_json(&live->spinning));
    JsonObject *gaps = json_object_new();
    json_object_set_int_member(gaps, "count", live->gaps);
    json_object_set_double_member(gaps, "share", (double)live->lost_ns / (double)live->spin_ns);
    json_object_set_int_member(gaps, "longest_ns", live->longest_ns);
    json_object_set_object_member(object, "gaps", gaps);
    JsonObject *clock = json_object_new();
    json_object_set_int_member(clock, "step_ns", live->step_ns);
    json_object_set_int_member(clock, "median_reading_ns", live->read_ns);
    json_object_set_int_member(clock, "slow_reading_ns", live->slow_ns);
    json_object_set_object_member(object, "clock", clock);
  } else {
    json_object_set_null_member(object, "spinning");
    json_object_set_null_member(object, "gaps");
    json_object_set_null_member(object, "clock");
  }
  json_node_unref(node);
  node = json_node_new(JSON_NODE_OBJECT);
  json_node_take_object(node, object);
  return node;
}

JsonNode *bh_doctor_to_json(const BhDoctor *doctor) {
  JsonObject *object = json_object_new();
  JsonArray *checks = json_array_new();
  for (guint i = 0; i < doctor->checks->len; i++) {
    const BhCheck *check = doctor->checks->pdata[i];
    JsonObject *one = json_object_new();
    json_object_set_string_member(one, "name", check->name);
    json_object_set_string_member(one, "title", check->title);
    json_object_set_string_member(one, "state", state_name(check->state));
    set_text(one, "found", check->found);
    json_object_set_string_member(one, "why", check->why);
    set_text(one, "todo", check->todo);
    json_object_set_boolean_member(one, "needs_root", check->todo && check->as_root);
    set_text(one, "tool", check->tool);
    json_array_add_object_element(checks, one);
  }
  json_object_set_array_member(object, "checks", checks);
  json_object_set_int_member(object, "bad", doctor->bad);
  json_object_set_string_member(object, "expect", doctor->expect);
  json_object_set_member(object, "environment", json_node_copy(doctor->record));
  json_object_set_member(object, "live", live_to_json(&doctor->live));
  JsonNode *node = json_node_new(JSON_NODE_OBJECT);
  json_node_take_object(node, object);
  return node;
}
