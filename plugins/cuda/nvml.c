/* SPDX-License-Identifier: MIT
 *
 * nvml.c - clocks and the reasons why they are low, from the driver's management library where it is here. It only
 * reads.
 */
#include "api.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { CLOCK_SM = 1, CLOCK_MEMORY = 2 };
struct nvml_state; /* an nvmlDevice_t */

static struct {
  pthread_once_t once;
  int here;
  int (*init)(void);
  int (*by_uuid)(const char *, nvml_state **);
  int (*clock)(nvml_state *, int, unsigned *);
  int (*reasons)(nvml_state *, unsigned long long *);
  int (*driver)(char *, unsigned);
} ml = {.once = PTHREAD_ONCE_INIT};

static int find(void *library, const char *name, void *into) {
  void *found = dlsym(library, name);
  if (found)
    memcpy(into, &found, sizeof found);
  return found != NULL;
}

static void load_once(void) {
  void *library = cu_is_double() ? NULL : dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return;
  ml.here = find(library, "nvmlInit_v2", &ml.init) && find(library, "nvmlDeviceGetHandleByUUID", &ml.by_uuid) &&
            find(library, "nvmlDeviceGetClockInfo", &ml.clock) &&
            find(library, "nvmlSystemGetDriverVersion", &ml.driver) &&
            (find(library, "nvmlDeviceGetCurrentClocksEventReasons", &ml.reasons) ||
             find(library, "nvmlDeviceGetCurrentClocksThrottleReasons", &ml.reasons)) &&
            ml.init() == 0;
}

nvml_state *nvml_open(const cu_uuid *uuid) {
  char text[64] = "GPU-";
  nvml_state *device = NULL;
  pthread_once(&ml.once, load_once);
  if (!ml.here)
    return NULL;
  cu_uuid_text(uuid, text + 4);
  return ml.by_uuid(text, &device) == 0 ? device : NULL;
}

int nvml_clocks(nvml_state *device, char *ret_text, size_t size) {
  unsigned sm = 0, memory = 0;
  if (!device || ml.clock(device, CLOCK_SM, &sm) != 0 || ml.clock(device, CLOCK_MEMORY, &memory) != 0)
    return 0;
  snprintf(ret_text, size, "SM %u MHz, memory %u MHz", sm, memory);
  return 1;
}

int nvml_throttle(nvml_state *device, char *ret_text, size_t size) {
  static const struct {
    unsigned long long bit;
    const char *words;
  } known[] = {{0x1, "idle"},
               {0x2, "application clocks"},
               {0x4, "power cap"},
               {0x8, "hardware slowdown"},
               {0x10, "sync boost"},
               {0x20, "software thermal"},
               {0x40, "hardware thermal"},
               {0x80, "power brake"},
               {0x100, "display clocks"}};
  unsigned long long reasons = 0;
  if (!device || ml.reasons(device, &reasons) != 0)
    return 0;
  if (!reasons) {
    snprintf(ret_text, size, "none");
    return 1;
  }
  size_t at = (size_t)snprintf(ret_text, size, "0x%llx", reasons);
  const char *between = " (";
  for (size_t i = 0; i < sizeof known / sizeof *known && at < size; i++)
    if (reasons & known[i].bit) {
      at += (size_t)snprintf(ret_text + at, size - at, "%s%s", between, known[i].words);
      between = ", ";
    }
  if (at < size && *between == ',')
    snprintf(ret_text + at, size - at, ")");
  return 1;
}

int nvml_driver(nvml_state *device, char *ret_text, size_t size) {
  return device && ml.driver(ret_text, (unsigned)size) == 0;
}
