/* SPDX-License-Identifier: MIT
 * A stand-in for NVML: one GPU, and a part of it (MIG), which has a UUID of its own and of which NVML tells no clocks.
 */
#include <benchhost/plugin.h>
#include <stdio.h>
#include <string.h>

enum { NOT_SUPPORTED = 3, NOT_FOUND = 6, UNINITIALIZED = 1 };
static struct fake_device {
  const char *uuid;
} whole = {"GPU-00000000-0000-0000-0000-000000000001"}, part = {"MIG-00000000-0000-0000-0000-000000000002"};
static int started;

BH_EXPORT int nvmlInit_v2(void) {
  started = 1;
  return 0;
}

BH_EXPORT int nvmlDeviceGetHandleByUUID(const char *uuid, struct fake_device **ret_device) {
  struct fake_device *found = !strcmp(uuid, whole.uuid) ? &whole : !strcmp(uuid, part.uuid) ? &part : NULL;
  if (!started || !found)
    return started ? NOT_FOUND : UNINITIALIZED;
  *ret_device = found;
  return 0;
}

BH_EXPORT int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(struct fake_device *device, struct fake_device **ret_whole) {
  if (device != &part)
    return NOT_FOUND;
  *ret_whole = &whole;
  return 0;
}

BH_EXPORT int nvmlDeviceGetClockInfo(struct fake_device *device, int kind, unsigned *ret_mhz) {
  if (device != &whole)
    return NOT_SUPPORTED;
  *ret_mhz = kind == 1 ? 1980 : kind == 2 ? 3201 : 7;
  return 0;
}

BH_EXPORT int nvmlDeviceGetCurrentClocksEventReasons(struct fake_device *device, unsigned long long *ret_reasons) {
  if (device != &whole)
    return NOT_SUPPORTED;
  *ret_reasons = 0x44;
  return 0;
}

BH_EXPORT int nvmlSystemGetDriverVersion(char *ret_text, unsigned bytes) {
  snprintf(ret_text, bytes, "580.65.06");
  return 0;
}
