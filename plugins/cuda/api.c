/* SPDX-License-Identifier: MIT
 *
 * api.c - opens the CUDA driver, or says why it cannot be used. BENCHHOST_CUDA_DRIVER names another one (a test double)
 * by its path; nothing else is tried then.
 */
#include "api.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

cu_api cu;

static struct {
  pthread_once_t once;
  int status, devices;
  char why[CU_WHY_BYTES];
} load = {.once = PTHREAD_ONCE_INIT};

typedef cu_result (*get_proc_v2)(const char *, void **, int, uint64_t, int *);

static const struct {
  const char *name;
  int version;
  size_t offset;
} calls[] = {
#define CU_ROW_(NAME, VERSION, PARAMETERS) {#NAME, VERSION, offsetof(cu_api, NAME)},
    CU_CALLS(CU_ROW_)
#undef CU_ROW_
};

int cu_is_double(void) {
  const char *path = getenv("BENCHHOST_CUDA_DRIVER");
  return path && *path;
}

int cu_driver_version(void) {
  int version = 0;
  return cu.cuDriverGetVersion && cu.cuDriverGetVersion(&version) == CU_SUCCESS ? version : 0;
}

const char *cu_name_of(cu_result result) {
  static _Thread_local char number[32];
  const char *name = NULL;
  if (cu.cuGetErrorName && cu.cuGetErrorName(result, &name) == CU_SUCCESS && name)
    return name;
  snprintf(number, sizeof number, "error %d", result);
  return number;
}

const char *cu_words_of(cu_result result) {
  const char *words = NULL;
  if (cu.cuGetErrorString && cu.cuGetErrorString(result, &words) == CU_SUCCESS && words)
    return words;
  return "";
}

static int fail(const char *what, cu_result result) {
  if (result == CU_STUB_LIBRARY)
    snprintf(load.why, sizeof load.why, "the driver is the toolkit's stub");
  else if (result == CU_NO_DEVICE)
    snprintf(load.why, sizeof load.why, "no device (CUDA_ERROR_NO_DEVICE)");
  else
    snprintf(load.why, sizeof load.why, "the CUDA driver does not start (%s: %s: %s)", what, cu_name_of(result),
             cu_words_of(result));
  return -1;
}

static void *open_driver(void) {
  static const char absent[] = "libcuda.so.1: cannot open shared object file: No such file";
  const char *path = getenv("BENCHHOST_CUDA_DRIVER");
  const int is_double = cu_is_double();
  void *library = dlopen(is_double ? path : "libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library)
    return library;
  const char *error = dlerror();
  if (is_double)
    snprintf(load.why, sizeof load.why, "no driver (BENCHHOST_CUDA_DRIVER: %s)", error ? error : path);
  else if (error && strncmp(error, absent, sizeof absent - 1) != 0)
    /* it is here, and something else is wrong: another architecture's, or what it needs is not here */
    snprintf(load.why, sizeof load.why, "no driver (%s)", error);
  else
    snprintf(load.why, sizeof load.why, "no driver (libcuda.so.1 not found)");
  return NULL;
}

static int resolve(void *library) {
  union {
    void *object;
    get_proc_v2 function;
  } get = {dlsym(library, "cuGetProcAddress_v2")};
  if (!get.object) {
    snprintf(load.why, sizeof load.why, "the CUDA driver is older than 12.0: it has no cuGetProcAddress_v2");
    return -1;
  }
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
    void *found = NULL;
    int how = 0;
    const cu_result result = get.function(calls[i].name, &found, calls[i].version, 0, &how);
    if (result == CU_STUB_LIBRARY)
      return fail("cuGetProcAddress", result);
    if (result != CU_SUCCESS || !found) {
      snprintf(load.why, sizeof load.why, "the CUDA driver has no %s of version %d (error %d)", calls[i].name,
               calls[i].version, result);
      return -1;
    }
    memcpy((char *)&cu + calls[i].offset, &found, sizeof found);
  }
  return 0;
}

static void load_once(void) {
  void *library = open_driver();
  load.status = library ? resolve(library) : -1;
  if (load.status != 0)
    return;
  cu_result result = cu.cuInit(0);
  if (result != CU_SUCCESS) {
    load.status = fail("cuInit", result);
    return;
  }
  result = cu.cuDeviceGetCount(&load.devices);
  if (result == CU_SUCCESS && load.devices < 1)
    result = CU_NO_DEVICE;
  if (result != CU_SUCCESS)
    load.status = fail("cuDeviceGetCount", result);
}

int cu_load(int *ret_devices, char ret_why[CU_WHY_BYTES]) {
  pthread_once(&load.once, load_once);
  *ret_devices = load.devices;
  memcpy(ret_why, load.why, sizeof load.why);
  return load.status;
}

void cu_uuid_text(const cu_uuid *uuid, char ret_text[37]) {
  char *at = ret_text;
  for (int i = 0; i < 16; i++)
    at += sprintf(at, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", uuid->bytes[i]);
}

void *cu_library(const char *soname) {
  void *library = dlopen(soname, RTLD_NOW | RTLD_LOCAL);
  const char *home = getenv("CUDA_HOME");
  const char *roots[] = {home && *home ? home : NULL, "/usr/local/cuda"};
  static const char *const folders[] = {"lib64", "lib"};
  for (size_t r = 0; !library && r < 2; r++)
    for (size_t f = 0; !library && roots[r] && f < 2; f++) {
      char path[4096];
      if (snprintf(path, sizeof path, "%s/%s/%s", roots[r], folders[f], soname) < (int)sizeof path)
        library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    }
  return library;
}
