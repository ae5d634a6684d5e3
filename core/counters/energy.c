/* SPDX-License-Identifier: MIT
 * Owns reading of energy. The powercap files count microjoules and wrap at max_energy_range_uj (Documentation/power/
 * powercap/powercap.rst); perf's power unit counts in units of its `scale` file, in 64 bits, per package. */
#include "counters/energy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
  int fd;
  gboolean is_perf;
  guint64 range_uj; /* of a powercap file: its largest value, after which it starts from 0 again */
  double unit_j;
  guint64 before, after;
} Domain;

struct BhEnergy {
  const BhCountersSystem *system;
  GArray *domains; /* of Domain */
  gboolean failed; /* a reading of the sample just ended */
};

static void domain_clear(gpointer data) {
  close(((Domain *)data)->fd);
}

static char *read_text(const char *folder, const char *file) {
  g_autofree char *path = g_build_filename(folder, file, NULL);
  char *text = NULL;
  if (!g_file_get_contents(path, &text, NULL, NULL))
    return NULL;
  return g_strstrip(text);
}

/* ---- Powercap ---- */

/* `name` is "package-0" or, below a package, "dram". */
static gboolean is_domain(const char *name, const char *wanted) {
  const gsize length = strlen(wanted);
  return name && g_str_has_prefix(name, wanted) && (!name[length] || name[length] == '-');
}

static int add_powercap(BhEnergy *energy, const char *folder) {
  g_autofree char *path = g_build_filename(folder, "energy_uj", NULL);
  g_autofree char *range = read_text(folder, "max_energy_range_uj");
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return errno;
  char digit;
  if (pread(fd, &digit, 1, 0) != 1) { /* some refuse only here */
    const int failure = errno;
    close(fd);
    return failure ? failure : EIO;
  }
  const Domain domain = {.fd = fd, .range_uj = range ? strtoull(range, NULL, 10) : 0, .unit_j = 1e-6};
  g_array_append_val(energy->domains, domain);
  return 0;
}

/* 0; ENOENT: there is none; else why the last one could not be read. All packages or none: half a machine's energy
 * would be a wrong figure. */
static int open_powercap(BhEnergy *energy, const BhCounterKind *kind) {
  g_autoptr(GDir) dir = g_dir_open(energy->system->powercap_folder, 0, NULL);
  int failure = 0;
  const char *entry;
  while (dir && (entry = g_dir_read_name(dir))) {
    /* intel-rapl:0 or, within it, intel-rapl:0:1; intel-rapl-mmio:0 is the same domain by another way. */
    if (!g_str_has_prefix(entry, "intel-rapl:") && !g_str_has_prefix(entry, "amd-rapl:"))
      continue;
    g_autofree char *folder = g_build_filename(energy->system->powercap_folder, entry, NULL);
    g_autofree char *name = read_text(folder, "name");
    const int now = is_domain(name, kind->domain) ? add_powercap(energy, folder) : 0;
    failure = now ? now : failure;
  }
  if (failure)
    g_array_set_size(energy->domains, 0);
  return failure ? failure : energy->domains->len ? 0 : ENOENT;
}

/* ---- perf's power unit ---- */

static int open_perf(BhEnergy *energy, const BhCounterKind *kind) {
  const char *folder = energy->system->power_pmu_folder;
  g_autofree char *scale_file = g_strconcat("events/", kind->event, ".scale", NULL);
  g_autofree char *event_file = g_strconcat("events/", kind->event, NULL);
  g_autofree char *type = read_text(folder, "type"), *cpus = read_text(folder, "cpumask");
  g_autofree char *event = read_text(folder, event_file), *scale = read_text(folder, scale_file);
  if (!type || !cpus || !event || !scale || !g_str_has_prefix(event, "event="))
    return ENOENT;
  g_auto(GStrv) parts = g_strsplit(cpus, ",", -1); /* one CPU a package: "0,24" */
  for (char **part = parts; *part; part++) {
    struct perf_event_attr attr = {.size = sizeof attr, .type = (guint32)strtoul(type, NULL, 10)};
    attr.config = strtoull(event + strlen("event="), NULL, 0);
    Domain domain = {.is_perf = TRUE, .unit_j = g_ascii_strtod(scale, NULL)};
    domain.fd = energy->system->open(&attr, -1, (int)strtol(*part, NULL, 10), -1);
    if (domain.fd < 0) {
      const int failure = errno;
      g_array_set_size(energy->domains, 0);
      return failure;
    }
    g_array_append_val(energy->domains, domain);
  }
  return energy->domains->len ? 0 : ENOENT;
}

BhEnergy *bh_energy_open(const BhCounterKind *kind, const BhCountersSystem *system, char **ret_why) {
  BhEnergy *energy = g_new0(BhEnergy, 1);
  energy->system = system;
  energy->domains = g_array_new(FALSE, FALSE, sizeof(Domain));
  g_array_set_clear_func(energy->domains, domain_clear);
  const int failure = open_powercap(energy, kind);
  const int failure_perf = failure ? open_perf(energy, kind) : 0;
  if (!failure || !failure_perf)
    return energy;
  bh_energy_free(energy);
  if (failure == ENOENT && failure_perf == ENOENT)
    *ret_why =
        g_strdup("this processor, or the virtual machine it is in, shows no energy meter; measure on the machine "
                 "itself");
  else
    *ret_why = g_strdup_printf("the energy meter may not be read (%s): run as root, or make %s/*/energy_uj readable",
                               g_strerror(failure == ENOENT ? failure_perf : failure), system->powercap_folder);
  return NULL;
}

void bh_energy_free(BhEnergy *energy) {
  if (!energy)
    return;
  g_array_unref(energy->domains);
  g_free(energy);
}

/* ---- Around a sample ---- */

static gboolean read_domain(const BhEnergy *energy, const Domain *domain, guint64 *ret) {
  if (domain->is_perf)
    return energy->system->read(domain->fd, ret, sizeof *ret) == (ssize_t)sizeof *ret;
  char text[32];
  const ssize_t n = pread(domain->fd, text, sizeof text - 1, 0);
  if (n <= 0)
    return FALSE;
  text[n] = '\0';
  *ret = strtoull(text, NULL, 10);
  return TRUE;
}

void bh_energy_start(BhEnergy *energy) {
  energy->failed = FALSE;
  for (guint i = 0; i < energy->domains->len; i++) {
    Domain *domain = &g_array_index(energy->domains, Domain, i);
    energy->failed |= !read_domain(energy, domain, &domain->before);
  }
}

void bh_energy_stop(BhEnergy *energy) {
  for (guint i = 0; i < energy->domains->len; i++) {
    Domain *domain = &g_array_index(energy->domains, Domain, i);
    energy->failed |= !read_domain(energy, domain, &domain->after);
  }
}

double bh_energy_joules(const BhEnergy *energy) {
  gboolean failed = energy->failed;
  double joules = 0;
  for (guint i = 0; i < energy->domains->len; i++) {
    const Domain *domain = &g_array_index(energy->domains, Domain, i);
    guint64 used = domain->after - domain->before;
    const gboolean wrapped = !domain->is_perf && domain->after < domain->before;
    if (wrapped)
      used += domain->range_uj; /* once: a range lasts minutes at full power; unsigned, so that this is right */
    failed |= wrapped && domain->before - domain->after > domain->range_uj; /* or reset; or the range is not known */
    joules += (double)used * domain->unit_j;
  }
  return failed ? -1 : joules;
}
