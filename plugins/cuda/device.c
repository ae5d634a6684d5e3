/* SPDX-License-Identifier: MIT
 *
 * device.c - the GPUs of this process: whether there are any, which ones the options mean, their contexts and facts.
 */
#include "lane.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static struct {
  pthread_mutex_t lock;
  cuda_device device[MOST_DEVICES];
} all = {.lock = PTHREAD_MUTEX_INITIALIZER};

const char *cuda_bytes_text(uint64_t bytes, char ret_text[32]) {
  static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  double value = (double)bytes;
  int unit = 0;
  for (; value >= 1024 && unit < 4; unit++)
    value /= 1024;
  snprintf(ret_text, 32, unit ? "%.4g %s" : "%.0f %s", value, units[unit]);
  return ret_text;
}

bh_status cuda_probe(const bh_host *h) {
  char why[CU_WHY_BYTES];
  int devices;
  if (cu_load(&devices, why) != 0 || nvrtc_load(why) != 0)
    return h->stop(h, BH_SKIP, "%s", why);
  return BH_OK;
}

static bh_status chosen(const bh_host *h, const bh_value *values, int list[MOST_DEVICES], uint32_t *ret_n) {
  char why[CU_WHY_BYTES], refusal[OPTIONS_WHY_BYTES];
  int devices;
  if (cu_load(&devices, why) != 0)
    return h->stop(h, BH_SKIP, "%s", why);
  const bh_status status = cuda_parse_devices(values[P_DEVICE].s, devices, list, ret_n, refusal);
  return status == BH_OK ? BH_OK : h->stop(h, status, "%s", refusal);
}

bh_status cuda_count(const bh_host *h, const bh_value *values, uint32_t members, uint32_t *ret_lanes) {
  int list[MOST_DEVICES];
  uint32_t n;
  LANE_TRY(chosen(h, values, list, &n));
  *ret_lanes = n * (uint32_t)values[P_STREAMS].i;
  if (members > *ret_lanes && !values[P_STREAMS].given)
    *ret_lanes = members; /* on as many streams as it takes */
  return BH_OK;
}

static int attribute(const cuda_device *d, int which) {
  int value = 0;
  return cu.cuDeviceGetAttribute(&value, which, d->handle) == CU_SUCCESS ? value : 0;
}

static cu_result describe(cuda_device *d) {
  cu_result result = cu.cuDeviceGetName(d->name, sizeof d->name, d->handle);
  if (result == CU_SUCCESS)
    result = cu.cuDeviceGetUuid(&d->uuid, d->handle);
  if (result == CU_SUCCESS)
    result = cu.cuDeviceTotalMem(&d->total_bytes, d->handle);
  d->sms = attribute(d, CU_ATTRIBUTE_SMS);
  d->major = attribute(d, CU_ATTRIBUTE_MAJOR);
  d->minor = attribute(d, CU_ATTRIBUTE_MINOR);
  d->clock_khz = attribute(d, CU_ATTRIBUTE_CLOCK_KHZ);
  d->l2_bytes = (size_t)attribute(d, CU_ATTRIBUTE_L2_BYTES);
  return result;
}

static bh_status choose_architecture(const bh_host *h, cuda_device *d) {
  char range[64], why[CU_WHY_BYTES];
  if (nvrtc_load(why) != 0)
    return h->stop(h, BH_SKIP, "%s", why);
  d->architecture = nvrtc_architecture(d->major, d->minor, range);
  if (!d->architecture)
    return h->stop(h, BH_SKIP, "NVRTC %s compiles for %s; %s is sm_%d%d", nvrtc_version_text(), range, d->name,
                   d->major, d->minor);
  return BH_OK;
}

/* Creating a context takes long: it is done once, and kept for the cell. */
static bh_status retain(const bh_host *h, cuda_device *d, int ordinal) {
  cu_result result = cu.cuDeviceGet(&d->handle, ordinal);
  if (result != CU_SUCCESS)
    return cuda_fail(h, result, "cuDeviceGet");
  if ((result = describe(d)) != CU_SUCCESS)
    return cuda_fail(h, result, "cuDeviceGetName");
  LANE_TRY(choose_architecture(h, d));
  if ((result = cu.cuDevicePrimaryCtxRetain(&d->context, d->handle)) != CU_SUCCESS) {
    d->context = NULL;
    return cuda_fail(h, result, "cuDevicePrimaryCtxRetain");
  }
  d->ordinal = ordinal;
  d->calibrated = 0;
  return BH_OK;
}

bh_status cuda_device_take(const bh_host *h, const bh_value *values, uint32_t index, cuda_device **ret_device) {
  int list[MOST_DEVICES];
  uint32_t n;
  LANE_TRY(chosen(h, values, list, &n));
  const int ordinal = list[index % n];
  cuda_device *d = &all.device[ordinal];
  pthread_mutex_lock(&all.lock);
  const bh_status status = d->context ? BH_OK : retain(h, d, ordinal);
  if (status == BH_OK)
    d->lanes++;
  pthread_mutex_unlock(&all.lock);
  if (status != BH_OK)
    return status;
  const cu_result result = cu.cuCtxSetCurrent(d->context);
  if (result != CU_SUCCESS) {
    cuda_device_give(d);
    return cuda_fail(h, result, "cuCtxSetCurrent");
  }
  *ret_device = d;
  return BH_OK;
}

static void give(cuda_device *d, int keep) {
  pthread_mutex_lock(&all.lock);
  if (--d->lanes == 0 && !keep) {
    cu.cuDevicePrimaryCtxRelease(d->handle);
    d->context = NULL;
  }
  pthread_mutex_unlock(&all.lock);
}

void cuda_device_give(cuda_device *d) {
  give(d, 0);
}

/* The context stays: lanes open next, and making one takes hundreds of milliseconds. */
bh_status cuda_free_bytes(const bh_host *h, const bh_value *values, uint32_t index, uint32_t count,
                          uint64_t *ret_bytes) {
  int list[MOST_DEVICES];
  uint32_t n;
  cuda_device *d;
  LANE_TRY(chosen(h, values, list, &n));
  size_t free_bytes = 0, total_bytes = 0;
  LANE_TRY(cuda_device_take(h, values, index, &d));
  const cu_result result = cu.cuMemGetInfo(&free_bytes, &total_bytes);
  give(d, 1);
  if (result != CU_SUCCESS)
    return cuda_fail(h, result, "cuMemGetInfo");
  const uint32_t sharing = count / n + (index % n < count % n ? 1 : 0); /* lanes take devices in turn */
  *ret_bytes = free_bytes / (sharing ? sharing : 1);
  return BH_OK;
}

void cuda_device_clocks(const bh_host *h, const cuda_device *d, const char *when) {
  char name[64], text[160];
  snprintf(name, sizeof name, "gpu %d clocks %s", d->ordinal, when);
  if (nvml_clocks(d->nvml, text, sizeof text))
    h->fact(h, name, "%s", text);
  snprintf(name, sizeof name, "gpu %d throttle %s", d->ordinal, when);
  if (nvml_throttle(d->nvml, text, sizeof text))
    h->fact(h, name, "%s", text);
}

static void gpu_fact(const bh_host *h, const cuda_device *d, const char *what, const char *text) {
  char name[64];
  snprintf(name, sizeof name, "gpu %d%s%s", d->ordinal, *what ? " " : "", what);
  h->fact(h, name, "%s", text);
}

/* What of an array may stay in caches from run to run: devices share its items, and mostly they are alike. */
void cuda_cache_fact(const bh_host *h, const bh_value *values, uint32_t count, const cuda_device *first) {
  int list[MOST_DEVICES];
  uint32_t n;
  if (first->l2_bytes && chosen(h, values, list, &n) == BH_OK)
    h->fact(h, "device cache bytes", "%llu", (unsigned long long)first->l2_bytes * (count < n ? count : n));
}

static void driver_facts(const bh_host *h, const cuda_device *d) {
  char nvml[80] = "";
  const int version = cu_driver_version();
  if (version)
    h->fact(h, "cuda driver", "%d.%d%s%s%s", version / 1000, version % 1000 / 10,
            nvml_driver(d->nvml, nvml, sizeof nvml) ? " (" : "", nvml, *nvml ? ")" : "");
  h->fact(h, "nvrtc", "%s", nvrtc_version_text());
}

void cuda_device_facts(const bh_host *h, cuda_device *d) {
  char text[128], size[32];
  d->nvml = nvml_open(&d->uuid);
  driver_facts(h, d);
  gpu_fact(h, d, "", d->name);
  cu_uuid_text(&d->uuid, text);
  gpu_fact(h, d, "uuid", text);
  snprintf(text, sizeof text, "%d.%d, compiled for sm_%d", d->major, d->minor, d->architecture);
  gpu_fact(h, d, "compute capability", text);
  snprintf(text, sizeof text, "%d", d->sms);
  gpu_fact(h, d, "SMs", text);
  gpu_fact(h, d, "memory", cuda_bytes_text(d->total_bytes, size));
  gpu_fact(h, d, "L2", cuda_bytes_text(d->l2_bytes, size));
  snprintf(text, sizeof text, "%d MHz", d->clock_khz / 1000);
  gpu_fact(h, d, "rated clock", text);
  cuda_device_clocks(h, d, "before");
}
