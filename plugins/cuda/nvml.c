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

typedef struct {
#define NVML_MEMBER_(NAME, PARAMETERS) nvml_result(*NAME) PARAMETERS;
  NVML_CALLS(NVML_MEMBER_)
#undef NVML_MEMBER_
} nvml_api;
static nvml_api ml;

static struct {
  pthread_once_t once;
  int here;
} load = {.once = PTHREAD_ONCE_INIT};

/* Names that later versions gave. Parts of GPUs exist since CUDA 11: older ones have no such call, and need none. */
static void *find(void *library, const char *name) {
  void *found = NULL;
  if (!strcmp(name, "nvmlDeviceGetCurrentClocksThrottleReasons"))
    found = dlsym(library, "nvmlDeviceGetCurrentClocksEventReasons");
  return found ? found : dlsym(library, name);
}

static void load_once(void) {
  static const struct {
    const char *name;
    size_t offset;
  } wanted[] = {
#define NVML_ROW_(NAME, PARAMETERS) {#NAME, offsetof(nvml_api, NAME)},
      NVML_CALLS(NVML_ROW_)
#undef NVML_ROW_
  };
  void *library = cu_is_double() ? NULL : dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return;
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
    void *found = find(library, wanted[i].name);
    memcpy((char *)&ml + wanted[i].offset, &found, sizeof found);
  }
  load.here = ml.nvmlInit_v2 && ml.nvmlDeviceGetHandleByUUID && ml.nvmlDeviceGetClockInfo &&
              ml.nvmlDeviceGetCurrentClocksThrottleReasons && ml.nvmlSystemGetDriverVersion && ml.nvmlInit_v2() == 0;
}

/* The driver gives a part of a GPU (MIG) its own UUID, by which NVML knows it under another first word. */
nvml_state *nvml_open(const cu_uuid *uuid) {
  char text[64] = "GPU-";
  nvml_state *device = NULL, *whole = NULL;
  pthread_once(&load.once, load_once);
  if (!load.here)
    return NULL;
  cu_uuid_text(uuid, text + 4);
  if (ml.nvmlDeviceGetHandleByUUID(text, &device) == 0)
    return device;
  memcpy(text, "MIG-", 4);
  if (!ml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle || ml.nvmlDeviceGetHandleByUUID(text, &device) != 0)
    return NULL;
  return ml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(device, &whole) == 0 ? whole : NULL;
}

int nvml_clocks(nvml_state *device, char *ret_text, size_t size) {
  unsigned sm = 0, memory = 0;
  if (!device || ml.nvmlDeviceGetClockInfo(device, NVML_SM, &sm) != 0 ||
      ml.nvmlDeviceGetClockInfo(device, NVML_MEMORY, &memory) != 0)
    return 0;
  snprintf(ret_text, size, "SM %u MHz, memory %u MHz", sm, memory);
  return 1;
}

int nvml_throttle(nvml_state *device, char *ret_text, size_t size) {
  static const struct {
    unsigned long long bit;
    const char *words;
  } known[] = {
#define NVML_ROW_(NAME, BIT, WORDS) {BIT, WORDS},
      NVML_REASONS(NVML_ROW_)
#undef NVML_ROW_
  };
  unsigned long long reasons = 0;
  if (!device || ml.nvmlDeviceGetCurrentClocksThrottleReasons(device, &reasons) != 0)
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
  return device && ml.nvmlSystemGetDriverVersion(ret_text, (unsigned)size) == 0;
}
