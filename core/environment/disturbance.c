/* SPDX-License-Identifier: MIT
 * Owns the reading of counters and what their differences mean. A reading is a handful of preads: the descriptors stay
 * open, the control groups' and the CPUs' paths are looked up once. */
#include "environment/disturbance.h"

#include "environment/files.h"
#include "machine/cgroup.h"
#include "machine/placement.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define MOST_THERMAL 64        /* counters of cores that are looked at: each costs about a microsecond */
#define STAT_BYTES (512 << 10) /* a line for each CPU, and one of all interrupts */
#define STEAL_SHARE 0.01       /* measurement.md: above 1 % of the round */
#define THROTTLED_SHARE 0.01   /* as steal: who holds the CPU back makes no difference */
#define PRESSURE_SHARE 0.10
#define SUSPENDED_NS G_GINT64_CONSTANT(100000000) /* less is what lies between reading two clocks on a busy machine */

typedef struct {
  char *path; /* root included */
  int fd;     /* -1: open it at every reading, or not readable */
} Source;

struct BhDisturbanceMeter {
  GArray *cpus; /* of int: those that we may use */
  Source stat, load;
  Source pressure[3]; /* cpu, memory, io */
  GArray *throttling; /* of Source: cpu.stat of every group that has a quota */
  GArray *thermal;    /* of Source */
  gboolean reopen;
  gint64 tick_us;
  char *buffer; /* STAT_BYTES */
};

/* ---- Sources ---- */

static void source_open(Source *source, char *path, gboolean reopen) {
  source->path = path;
  source->fd = reopen ? -1 : open(path, O_RDONLY | O_CLOEXEC);
}

static void source_clear(gpointer data) {
  Source *source = data;
  if (source->fd >= 0)
    close(source->fd);
  g_free(source->path);
}

/* The head of the file as text in the meter's buffer; NULL: not readable. */
static const char *source_read(const BhDisturbanceMeter *meter, const Source *source) {
  const int fd = meter->reopen ? open(source->path, O_RDONLY | O_CLOEXEC) : source->fd;
  gsize length = 0;
  ssize_t got = -1;
  /* Long files come in pieces. */
  while (fd >= 0 && length + 1 < STAT_BYTES &&
         (got = pread(fd, meter->buffer + length, STAT_BYTES - 1 - length, (off_t)length)) > 0)
    length += (gsize)got;
  if (meter->reopen && fd >= 0)
    close(fd);
  meter->buffer[length] = 0;
  return fd >= 0 && got >= 0 && length ? meter->buffer : NULL;
}

static GArray *sources_new(void) {
  GArray *sources = g_array_new(FALSE, TRUE, sizeof(Source));
  g_array_set_clear_func(sources, source_clear);
  return sources;
}

static void sources_add(GArray *sources, char *path, gboolean reopen) {
  Source source;
  source_open(&source, path, reopen);
  g_array_append_val(sources, source);
}

/* One counter for each core (of its first hardware thread) and one for each package. */
static void find_thermal(BhDisturbanceMeter *meter, const char *root) {
  g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL); /* set of char * */
  for (guint i = 0; i < meter->cpus->len && meter->thermal->len < MOST_THERMAL; i++) {
    g_autofree char *cpu = g_strdup_printf("%s/sys/devices/system/cpu/cpu%d", root, g_array_index(meter->cpus, int, i));
    g_autofree char *core = bh_files_read(cpu, "/topology/thread_siblings_list");
    g_autofree char *package = bh_files_read(cpu, "/topology/physical_package_id");
    char *names[] = {g_strdup_printf("core %s", core ? core : cpu), g_strdup_printf("package %s", package)};
    const char *const files[] = {"/thermal_throttle/core_throttle_count", "/thermal_throttle/package_throttle_count"};
    for (guint k = 0; k < 2; k++) {
      g_autofree char *path = g_strconcat(cpu, files[k], NULL);
      if (g_hash_table_add(seen, names[k]) && g_file_test(path, G_FILE_TEST_EXISTS))
        sources_add(meter->thermal, g_steal_pointer(&path), meter->reopen);
    }
  }
}

BhDisturbanceMeter *bh_disturbance_meter_new(const char *root) {
  static const char *const kinds[] = {"cpu", "memory", "io"};
  BhDisturbanceMeter *meter = g_new0(BhDisturbanceMeter, 1);
  meter->reopen = *root != 0;
  meter->buffer = g_malloc(STAT_BYTES);
  const long hertz = sysconf(_SC_CLK_TCK);
  meter->tick_us = 1000000 / (hertz > 0 ? hertz : 100);
  meter->cpus = bh_placement_mask();
  source_open(&meter->stat, g_strconcat(root, "/proc/stat", NULL), meter->reopen);
  source_open(&meter->load, g_strconcat(root, "/proc/loadavg", NULL), meter->reopen);
  for (guint i = 0; i < G_N_ELEMENTS(kinds); i++)
    source_open(&meter->pressure[i], g_strconcat(root, "/proc/pressure/", kinds[i], NULL), meter->reopen);
  meter->throttling = sources_new();
  g_auto(GStrv) paths = bh_cgroup_cpu_stat_paths(root);
  for (char **path = paths; *path; path++)
    sources_add(meter->throttling, g_strdup(*path), meter->reopen);
  meter->thermal = sources_new();
  find_thermal(meter, root);
  return meter;
}

void bh_disturbance_meter_free(BhDisturbanceMeter *meter) {
  if (!meter)
    return;
  source_clear(&meter->stat);
  source_clear(&meter->load);
  for (guint i = 0; i < G_N_ELEMENTS(meter->pressure); i++)
    source_clear(&meter->pressure[i]);
  g_array_unref(meter->throttling);
  g_array_unref(meter->thermal);
  g_array_unref(meter->cpus);
  g_free(meter->buffer);
  g_free(meter);
}

/* ---- One reading ---- */

static gint64 clock_ns(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (gint64)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Being interrupted between the two clocks looks like sleep: the narrowest of a few tries counts. */
static void read_clocks(BhReading *ret) {
  gint64 narrowest = G_MAXINT64;
  for (int i = 0; i < 5 && narrowest > 10000; i++) {
    const gint64 before = clock_ns(CLOCK_MONOTONIC), boot = clock_ns(CLOCK_BOOTTIME), after = clock_ns(CLOCK_MONOTONIC);
    if (after - before >= narrowest)
      continue;
    narrowest = after - before;
    ret->at_ns = after;
    ret->asleep_ns = boot - before;
  }
}

static gint64 usage_us(int who) {
  struct rusage usage;
  if (getrusage(who, &usage) != 0)
    return 0;
  return ((gint64)usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec +
         usage.ru_stime.tv_usec;
}

/* Lines come in ascending order, as our CPUs do: `next` is where to look on from. */
static gboolean is_ours(const BhDisturbanceMeter *meter, int cpu, guint *next) {
  while (*next < meter->cpus->len && g_array_index(meter->cpus, int, *next) < cpu)
    (*next)++;
  return *next < meter->cpus->len && g_array_index(meter->cpus, int, *next) == cpu;
}

/* user nice system idle iowait irq softirq steal; guest time is within user and nice (proc(5)). */
static gboolean add_cpu_line(const char *line, gint64 tick_us, BhReading *ret) {
  unsigned long long t[8];
  const char *at = line + strcspn(line, " ");
  if (sscanf(at, " %llu %llu %llu %llu %llu %llu %llu %llu", &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &t[7]) !=
      8)
    return FALSE;
  gint64 all = 0;
  for (guint i = 0; i < 8; i++)
    all += (gint64)t[i];
  ret->cpu_us += all * tick_us;
  ret->steal_us += (gint64)t[7] * tick_us;
  ret->busy_us += (all - (gint64)(t[3] + t[4] + t[7])) * tick_us;
  ret->cpus++;
  return TRUE;
}

/* Reads "cpuN" lines of CPUs that are ours; the "cpu" line where there are none (a made-up or very old file). */
static void read_stat(const BhDisturbanceMeter *meter, BhReading *ret) {
  const char *text = source_read(meter, &meter->stat), *sum = NULL;
  ret->cpu_us = ret->busy_us = ret->steal_us = ret->procs_running = ret->context_switches = BH_NOT_KNOWN;
  BhReading own = {0};
  guint next = 0;
  for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
    int cpu;
    long long value;
    if (g_str_has_prefix(line, "cpu "))
      sum = line;
    else if (sscanf(line, "cpu%d ", &cpu) == 1 && is_ours(meter, cpu, &next) &&
             add_cpu_line(line, meter->tick_us, &own))
      own.which = own.which * 31 + (guint)cpu;
    else if (sscanf(line, "procs_running %lld", &value) == 1)
      ret->procs_running = value;
    else if (sscanf(line, "ctxt %lld", &value) == 1)
      ret->context_switches = value;
  }
  if (!own.cpus && sum)
    add_cpu_line(sum, meter->tick_us, &own);
  if (!own.cpus)
    return;
  ret->cpus = own.cpus;
  ret->which = own.which;
  ret->cpu_us = own.cpu_us;
  ret->busy_us = own.busy_us;
  ret->steal_us = own.steal_us;
}

static gint64 stalled(const char *text, const char *line_name) {
  const char *line = text ? strstr(text, line_name) : NULL;
  const char *total = line ? strstr(line, "total=") : NULL;
  return total ? g_ascii_strtoll(total + 6, NULL, 10) : BH_NOT_KNOWN;
}

static void read_pressure(const BhDisturbanceMeter *meter, BhReading *ret) {
  ret->stalled_us[BH_PSI_CPU] = stalled(source_read(meter, &meter->pressure[0]), "some ");
  const char *memory = source_read(meter, &meter->pressure[1]);
  ret->stalled_us[BH_PSI_MEMORY] = stalled(memory, "some ");
  ret->stalled_us[BH_PSI_MEMORY_FULL] = stalled(memory, "full ");
  const char *io = source_read(meter, &meter->pressure[2]);
  ret->stalled_us[BH_PSI_IO] = stalled(io, "some ");
  ret->stalled_us[BH_PSI_IO_FULL] = stalled(io, "full ");
}

static void read_limits(const BhDisturbanceMeter *meter, BhReading *ret) {
  ret->throttles = ret->throttled_us = ret->thermal = BH_NOT_KNOWN;
  for (guint i = 0; i < meter->throttling->len; i++) {
    guint64 times = 0, us = 0;
    if (!bh_cgroup_parse_throttling(source_read(meter, &g_array_index(meter->throttling, Source, i)), &times, &us))
      continue;
    ret->throttles = MAX(ret->throttles, 0) + (gint64)times;
    ret->throttled_us = MAX(ret->throttled_us, 0) + (gint64)us;
  }
  for (guint i = 0; i < meter->thermal->len; i++) {
    const char *text = source_read(meter, &g_array_index(meter->thermal, Source, i));
    if (text)
      ret->thermal = MAX(ret->thermal, 0) + g_ascii_strtoll(text, NULL, 10);
  }
}

void bh_disturbance_read(BhDisturbanceMeter *meter, BhReading *ret) {
  memset(ret, 0, sizeof *ret);
  read_stat(meter, ret);
  read_pressure(meter, ret);
  read_limits(meter, ret);
  const char *load = source_read(meter, &meter->load);
  ret->load1 = load ? g_ascii_strtod(load, NULL) : BH_NOT_KNOWN;
  ret->own_us = usage_us(RUSAGE_SELF) + usage_us(RUSAGE_CHILDREN);
  read_clocks(ret);
}

/* ---- Differences ---- */

/* Counters may be reset (a CPU that went offline, another group): below zero is not known, rather than made up. */
static gint64 grown(gint64 before, gint64 after) {
  return before < 0 || after < before ? BH_NOT_KNOWN : after - before;
}

BhDisturbance bh_disturbance_between(const BhReading *before, const BhReading *after) {
  BhDisturbance d = {.wall_ns = MAX(after->at_ns - before->at_ns, 0),
                     .suspended_ns = MAX(after->asleep_ns - before->asleep_ns, 0),
                     .cpu_us = grown(before->cpu_us, after->cpu_us),
                     .steal_us = grown(before->steal_us, after->steal_us),
                     .others_us = grown(before->busy_us, after->busy_us),
                     .procs_running = BH_NOT_KNOWN,
                     .context_switches = grown(before->context_switches, after->context_switches),
                     .throttles = grown(before->throttles, after->throttles),
                     .throttled_us = grown(before->throttled_us, after->throttled_us),
                     .thermal = grown(before->thermal, after->thermal),
                     .load1 = after->load1,
                     .cpus = after->cpus};
  for (guint i = 0; i < BH_PSI_N; i++)
    d.stalled_us[i] = grown(before->stalled_us[i], after->stalled_us[i]);
  if (before->cpus != after->cpus || before->which != after->which)
    d.cpu_us = d.steal_us = d.others_us = BH_NOT_KNOWN;
  const long hertz = sysconf(_SC_CLK_TCK);
  d.steal_err_us = d.cpus * (1000000 / (hertz > 0 ? hertz : 100));
  if (d.others_us >= 0)
    d.others_us = MAX(d.others_us - MAX(after->own_us - before->own_us, 0), 0);
  if (before->procs_running >= 0 && after->procs_running >= 0)
    d.procs_running = MAX(MAX(before->procs_running, after->procs_running) - 1, 0); /* we are running, as we read */
  return d;
}

static void add_known(gint64 *sum, gint64 more) {
  *sum = *sum < 0 || more < 0 ? BH_NOT_KNOWN : *sum + more;
}

void bh_disturbance_add(BhDisturbance *sum, const BhDisturbance *more) {
  sum->wall_ns += more->wall_ns;
  sum->suspended_ns += more->suspended_ns;
  sum->steal_err_us += more->steal_err_us;
  gint64 *const sums[] = {&sum->cpu_us,    &sum->steal_us,     &sum->others_us, &sum->context_switches,
                          &sum->throttles, &sum->throttled_us, &sum->thermal};
  const gint64 mores[] = {more->cpu_us,    more->steal_us,     more->others_us, more->context_switches,
                          more->throttles, more->throttled_us, more->thermal};
  for (guint i = 0; i < G_N_ELEMENTS(sums); i++)
    add_known(sums[i], mores[i]);
  for (guint i = 0; i < BH_PSI_N; i++)
    add_known(&sum->stalled_us[i], more->stalled_us[i]);
  sum->procs_running =
      sum->procs_running < 0 || more->procs_running < 0 ? BH_NOT_KNOWN : MAX(sum->procs_running, more->procs_running);
  sum->load1 = more->load1;
  sum->cpus = MAX(sum->cpus, more->cpus);
}

/* ---- What it means ---- */

/* Surely above, whatever the ticks rounded away. */
static gboolean stolen(const BhDisturbance *d) {
  return d->steal_us > 0 && d->cpu_us > 0 && (double)(d->steal_us - d->steal_err_us) > STEAL_SHARE * (double)d->cpu_us;
}

static gboolean suspended(const BhDisturbance *d) {
  return d->suspended_ns >= SUSPENDED_NS;
}

static gboolean throttled_long(const BhDisturbance *d) {
  const double there_was_us = (double)d->wall_ns * 1e-3 * MAX(d->cpus, 1);
  return d->throttled_us > 0 && (double)d->throttled_us > THROTTLED_SHARE * there_was_us;
}

/* A cell with more workers than CPUs makes tasks wait by itself; only others' use of the CPUs shows that it is not
 * alone. Both together: somebody else ran while somebody had to wait. */
static gboolean pressed(const BhDisturbance *d) {
  const double wall_us = (double)d->wall_ns * 1e-3;
  return (double)d->stalled_us[BH_PSI_CPU] > PRESSURE_SHARE * wall_us &&
         (double)(d->others_us - d->steal_err_us) > PRESSURE_SHARE * wall_us;
}

const char *bh_disturbance_rejects(const BhDisturbance *d) {
  if (suspended(d))
    return "the machine was suspended meanwhile";
  if (stolen(d))
    return "the hypervisor gave more than 1 % of the CPU time to others (steal)";
  if (throttled_long(d))
    return "the control group's CPU quota held the processes back for more than 1 % of the time";
  return NULL;
}

const char **bh_disturbance_flags(const BhDisturbance *d) {
  const char **flags = g_new0(const char *, 6);
  guint n = 0;
  if (d->throttles > 0)
    flags[n++] = "throttled";
  if (stolen(d))
    flags[n++] = "stolen";
  if (suspended(d))
    flags[n++] = "suspended";
  if (d->thermal > 0)
    flags[n++] = "thermal";
  if (pressed(d))
    flags[n++] = "pressure";
  return flags;
}

/* ---- JSON ---- */

void bh_disturbance_add_flags(const BhDisturbance *d, JsonArray *flags) {
  g_autofree const char **found = bh_disturbance_flags(d);
  for (guint i = 0; found[i]; i++)
    json_array_add_string_element(flags, found[i]);
}

static void set_seconds(JsonObject *object, const char *key, gint64 us) {
  if (us < 0)
    json_object_set_null_member(object, key);
  else
    json_object_set_double_member(object, key, (double)us * 1e-6);
}

static void set_count(JsonObject *object, const char *key, gint64 count) {
  if (count < 0)
    json_object_set_null_member(object, key);
  else
    json_object_set_int_member(object, key, count);
}

JsonObject *bh_disturbance_to_json(const BhDisturbance *d) {
  static const char *const psi[BH_PSI_N] = {"psi_cpu_s", "psi_memory_s", "psi_memory_full_s", "psi_io_s",
                                            "psi_io_full_s"};
  JsonObject *object = json_object_new();
  json_object_set_double_member(object, "wall_s", (double)d->wall_ns * 1e-9);
  set_seconds(object, "cpu_s", d->cpu_us);
  set_seconds(object, "steal_s", d->steal_us);
  set_seconds(object, "others_s", d->others_us);
  set_count(object, "procs_running", d->procs_running);
  set_count(object, "context_switches", d->context_switches);
  for (guint i = 0; i < BH_PSI_N; i++)
    set_seconds(object, psi[i], d->stalled_us[i]);
  set_count(object, "throttles", d->throttles);
  set_seconds(object, "throttled_s", d->throttled_us);
  set_count(object, "thermal_throttles", d->thermal);
  set_seconds(object, "suspended_s", d->suspended_ns / 1000);
  if (d->load1 < 0)
    json_object_set_null_member(object, "load_1min");
  else
    json_object_set_double_member(object, "load_1min", d->load1);
  return object;
}
