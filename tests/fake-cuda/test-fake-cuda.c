/* SPDX-License-Identifier: MIT
 * The driver double, called as a backend calls a driver: through dlopen and cuGetProcAddress. Images are made by hand,
 * so that all of this runs without any CUDA, and by NVRTC where it is. Faults need a process each: children of this
 * program. */
#include "cubin.h"
#include "cuda-abi.h"
#include "test-kernels.k.inc"

#include <benchhost/kernel.h>
#include <benchhost/plugin.h>
#include <dlfcn.h>
#include <glib.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALLS(X)                                                                                                       \
  X(cuInit, 2000, (unsigned))                                                                                          \
  X(cuGetErrorName, 6000, (CUresult, const char **))                                                                   \
  X(cuGetExportTable, 3000, (const void **, const CUuuid *))                                                           \
  X(cuDeviceGetCount, 2000, (int *))                                                                                   \
  X(cuDeviceGetName, 2000, (char *, int, CUdevice))                                                                    \
  X(cuDeviceGetUuid, 11040, (CUuuid *, CUdevice))                                                                      \
  X(cuDevicePrimaryCtxRetain, 7000, (CUcontext *, CUdevice))                                                           \
  X(cuDevicePrimaryCtxRelease, 11000, (CUdevice))                                                                      \
  X(cuCtxSetCurrent, 4000, (CUcontext))                                                                                \
  X(cuCtxSynchronize, 2000, (void))                                                                                    \
  X(cuMemGetInfo, 3020, (size_t *, size_t *))                                                                          \
  X(cuMemAlloc, 3020, (CUdeviceptr *, size_t))                                                                         \
  X(cuMemAllocManaged, 6000, (CUdeviceptr *, size_t, unsigned))                                                        \
  X(cuMemFree, 3020, (CUdeviceptr))                                                                                    \
  X(cuMemHostAlloc, 2020, (void **, size_t, unsigned))                                                                 \
  X(cuMemFreeHost, 2000, (void *))                                                                                     \
  X(cuMemcpyDtoH, 3020, (void *, CUdeviceptr, size_t))                                                                 \
  X(cuMemcpyHtoD, 3020, (CUdeviceptr, const void *, size_t))                                                           \
  X(cuMemcpyHtoDAsync, 3020, (CUdeviceptr, const void *, size_t, CUstream))                                            \
  X(cuMemcpyDtoHAsync, 3020, (void *, CUdeviceptr, size_t, CUstream))                                                  \
  X(cuMemsetD32Async, 3020, (CUdeviceptr, unsigned, size_t, CUstream))                                                 \
  X(cuStreamCreate, 2000, (CUstream *, unsigned))                                                                      \
  X(cuStreamDestroy, 4000, (CUstream))                                                                                 \
  X(cuStreamSynchronize, 2000, (CUstream))                                                                             \
  X(cuStreamQuery, 2000, (CUstream))                                                                                   \
  X(cuStreamWaitEvent, 3020, (CUstream, CUevent, unsigned))                                                            \
  X(cuEventCreate, 2000, (CUevent *, unsigned))                                                                        \
  X(cuEventDestroy, 4000, (CUevent))                                                                                   \
  X(cuEventRecord, 2000, (CUevent, CUstream))                                                                          \
  X(cuEventSynchronize, 2000, (CUevent))                                                                               \
  X(cuEventElapsedTime, 2000, (float *, CUevent, CUevent))                                                             \
  X(cuModuleLoadData, 2000, (CUmodule *, const void *))                                                                \
  X(cuModuleUnload, 2000, (CUmodule))                                                                                  \
  X(cuModuleGetFunction, 2000, (CUfunction *, CUmodule, const char *))                                                 \
  X(cuModuleGetGlobal, 3020, (CUdeviceptr *, size_t *, CUmodule, const char *))                                        \
  X(cuFuncGetAttribute, 2020, (int *, CUfunction_attribute, CUfunction))                                               \
  X(cuLaunchKernel, 4000,                                                                                              \
    (CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, CUstream, void **, void **))    \
  X(cuLaunchHostFunc, 10000, (CUstream, CUhostFn, void *))                                                             \
  X(cuStreamBeginCapture, 10010, (CUstream, CUstreamCaptureMode))                                                      \
  X(cuStreamEndCapture, 10000, (CUstream, CUgraph *))                                                                  \
  X(cuGraphInstantiateWithFlags, 11040, (CUgraphExec *, CUgraph, unsigned long long))                                  \
  X(cuGraphLaunch, 10000, (CUgraphExec, CUstream))                                                                     \
  X(cuGraphExecDestroy, 10000, (CUgraphExec))                                                                          \
  X(cuGraphDestroy, 10000, (CUgraph))

static struct {
#define MEMBER(NAME, VERSION, PARAMETERS) CUresult(*NAME) PARAMETERS;
  CALLS(MEMBER)
  CUresult (*get)(const char *, void **, int, cuuint64_t, CUdriverProcAddressQueryResult *);
} cu;

/* What a call should say, by name. */
#define EXPECT(CODE, CALL) g_assert_cmpint((int)(CALL), ==, (int)(CODE))
#define OK(CALL) EXPECT(CUDA_SUCCESS, CALL)

static void driver_open(void) {
  void *library = dlopen(g_getenv("FAKE_CUDA"), RTLD_NOW | RTLD_LOCAL);
  if (!library)
    g_error("%s", dlerror());
  *(void **)&cu.get = dlsym(library, "cuGetProcAddress_v2");
  g_assert_nonnull((void *)(guintptr)cu.get);
#define FIND(NAME, VERSION, PARAMETERS) cu.get(#NAME, (void **)&cu.NAME, VERSION, 0, NULL);
  CALLS(FIND)
}

typedef struct {
  CUstream stream;
  CUmodule module;
} place;

static void place_open(place *p) {
  CUcontext context;
  OK(cu.cuInit(0));
  OK(cu.cuDevicePrimaryCtxRetain(&context, 0));
  OK(cu.cuCtxSetCurrent(context));
  OK(cu.cuStreamCreate(&p->stream, CU_STREAM_NON_BLOCKING));
}

static void place_close(place *p) {
  OK(cu.cuStreamDestroy(p->stream));
  OK(cu.cuDevicePrimaryCtxRelease(0));
}

static CUfunction kernel_made(place *p, const char *entry, const unsigned *params, int lanes) {
  size_t bytes;
  CUfunction function;
  g_autofree void *image = cubin_made(entry, params, lanes, 90, &bytes);
  OK(cu.cuModuleLoadData(&p->module, image));
  OK(cu.cuModuleGetFunction(&function, p->module, entry));
  return function;
}

typedef struct { /* as in test-kernels.k.h */
  uint8_t plus;
  double times;
  uint16_t minus;
} scale_params;
static const unsigned scale_sizes[] = {sizeof(bh_launch), 8, 8, 8, 8, sizeof(scale_params), 0};
static const unsigned one_buffer[] = {sizeof(bh_launch), 8, 8, sizeof(bh_no_params), 0};
static const unsigned two_buffers[] = {sizeof(bh_launch), 8, 8, 8, 8, sizeof(bh_no_params), 0};

enum { N = 1000 };
typedef struct {
  CUdeviceptr x, y;
  double in[N], out[N];
} scaling;

static void scaling_open(scaling *s) {
  for (int k = 0; k < N; k++)
    s->in[k] = k;
  OK(cu.cuMemAlloc(&s->x, sizeof s->in));
  OK(cu.cuMemAlloc(&s->y, sizeof s->out));
  OK(cu.cuMemcpyHtoD(s->x, s->in, sizeof s->in));
}

static void scaling_close(scaling *s) {
  OK(cu.cuMemFree(s->x));
  OK(cu.cuMemFree(s->y));
}

static CUresult scale(place *p, CUfunction function, CUdeviceptr x, CUdeviceptr y) {
  bh_launch launch = {0, N, 1};
  scale_params params = {.plus = 3, .times = 2, .minus = 300};
  uint64_t stride = 0;
  void *arguments[] = {&launch, &x, &stride, &y, &stride, &params};
  return cu.cuLaunchKernel(function, 3, 1, 1, 32, 1, 1, 0, p->stream, arguments, NULL);
}

static void scaling_check(const double *out) {
  for (int k = 0; k < N; k++)
    g_assert_cmpfloat(out[k], ==, 2.0 * k + 3 - 300);
}

static int all_poison(const void *bytes, size_t n) {
  for (size_t k = 0; k < n; k++)
    if (((const unsigned char *)bytes)[k] != 0xd5)
      return 0;
  return 1;
}

/* ---- Names and versions ---- */

static void test_versions(void) {
  void *older, *newer;
  CUdriverProcAddressQueryResult how;
  OK(cu.get("cuMemAlloc", &newer, 3020, 0, &how));
  g_assert_nonnull(newer);
  g_assert_cmpint((int)how, ==, CU_GET_PROC_ADDRESS_SUCCESS);
  OK(cu.get("cuMemAlloc", &older, 2000, 0, &how)); /* 32-bit addresses: not here */
  g_assert_null(older);
  g_assert_cmpint((int)how, ==, CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT);
  OK(cu.get("cuEventElapsedTime", &older, 12000, 0, &how));
  OK(cu.get("cuEventElapsedTime", &newer, 13000, 0, &how));
  g_assert_true(older != newer);
  EXPECT(CUDA_ERROR_NOT_FOUND, cu.get("cuMakeCoffee", &newer, 13000, 0, &how));
  g_assert_cmpint((int)how, ==, CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND);
  EXPECT(CUDA_ERROR_INVALID_VALUE, cu.get("cuMemAlloc", &newer, 12345, 0, &how));
  EXPECT(CUDA_ERROR_INVALID_VALUE, cu.get("cuMemAlloc", &newer, 99000, 0, &how));
  const void *table;
  EXPECT(CUDA_ERROR_NOT_FOUND, cu.cuGetExportTable(&table, NULL));
}

static void test_order(void) {
  int count;
  CUstream stream;
  char name[16];
  CUuuid uuid;
  EXPECT(CUDA_ERROR_NOT_INITIALIZED, cu.cuDeviceGetCount(&count));
  OK(cu.cuInit(0));
  OK(cu.cuDeviceGetCount(&count));
  g_assert_cmpint(count, ==, 1);
  OK(cu.cuDeviceGetName(name, sizeof name, 0));
  g_assert_cmpstr(name, ==, "Fake");
  OK(cu.cuDeviceGetUuid(&uuid, 0));
  g_assert_cmpint(memcmp(uuid.bytes, "Fake CUDA doubl0", 16), ==, 0);
  EXPECT(CUDA_ERROR_INVALID_CONTEXT, cu.cuStreamCreate(&stream, 0));
  pid_t child = fork();
  if (child == 0)
    _exit((int)cu.cuInit(0) == CUDA_ERROR_NOT_INITIALIZED &&
          (int)cu.cuDeviceGetCount(&count) == CUDA_ERROR_NOT_INITIALIZED);
  int status;
  g_assert_cmpint(waitpid(child, &status, 0), ==, child);
  g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

/* ---- Memory ---- */

static void test_memory(void) {
  place p;
  CUdeviceptr at;
  size_t before, after, total;
  unsigned char host[5000], *managed;
  place_open(&p);
  OK(cu.cuMemGetInfo(&before, &total));
  OK(cu.cuMemAlloc(&at, sizeof host));
  OK(cu.cuMemGetInfo(&after, &total));
  g_assert_cmpuint(before - after, ==, sizeof host);
  OK(cu.cuMemcpyDtoH(host, at, sizeof host));
  g_assert_true(all_poison(host, sizeof host));
  EXPECT(CUDA_ERROR_INVALID_VALUE, cu.cuMemcpyDtoH(host, at + 1, sizeof host)); /* a byte too far */
  EXPECT(CUDA_ERROR_INVALID_VALUE, cu.cuMemcpyDtoH((void *)(guintptr)at, at, 8));
  EXPECT(CUDA_ERROR_INVALID_VALUE, cu.cuMemFree(at + 8));
  OK(cu.cuMemFree(at));
  EXPECT(CUDA_ERROR_INVALID_VALUE, cu.cuMemFree(at));
  OK(cu.cuMemFree(0));
  EXPECT(CUDA_ERROR_OUT_OF_MEMORY, cu.cuMemAlloc(&at, total + 1));
  EXPECT(CUDA_ERROR_INVALID_VALUE, cu.cuMemAlloc(&at, 0));
  OK(cu.cuMemAllocManaged(&at, 64, 1));
  managed = (unsigned char *)(guintptr)at;
  managed[63] = 7; /* the host's too */
  OK(cu.cuMemcpyDtoH(host, at, 64));
  g_assert_cmpint(host[63], ==, 7);
  OK(cu.cuMemFree(at));
  place_close(&p);
}

/* The host's touch is a crash: in a child, whose end is looked at. */
static void touch(int after_free) {
  place p;
  CUdeviceptr at;
  signal(SIGSEGV, SIG_DFL); /* not a sanitizer's */
  place_open(&p);
  OK(cu.cuMemAlloc(&at, 64));
  if (after_free)
    OK(cu.cuMemFree(at));
  g_usleep(*(volatile unsigned char *)(guintptr)at);
}

static void test_touch(void) {
  for (int after_free = 0; after_free < 2; after_free++) {
    int status;
    pid_t child = fork();
    if (child == 0) {
      touch(after_free);
      _exit(0);
    }
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_true(WIFSIGNALED(status));
    g_assert_cmpint(WTERMSIG(status), ==, SIGSEGV);
  }
}

/* ---- Streams ---- */

static void test_lazy(void) {
  place p;
  scaling s;
  guint32 last;
  place_open(&p);
  scaling_open(&s);
  CUfunction function = kernel_made(&p, "test_scale", scale_sizes, 1024);
  OK(scale(&p, function, s.x, s.y));
  OK(cu.cuMemcpyDtoHAsync(s.out, s.y, sizeof s.out, p.stream));
  g_assert_true(all_poison(s.out, sizeof s.out));
  OK(cu.cuStreamSynchronize(p.stream));
  scaling_check(s.out);
  OK(cu.cuMemsetD32Async(s.y, 5, 2 * N, p.stream));
  EXPECT(CUDA_ERROR_NOT_READY, cu.cuStreamQuery(p.stream)); /* a look lets one operation happen */
  OK(cu.cuStreamQuery(p.stream));
  OK(cu.cuMemcpyDtoH(s.out, s.y, sizeof s.out));
  memcpy(&last, &s.out[N - 1], sizeof last);
  g_assert_cmpuint(last, ==, 5);
  OK(cu.cuModuleUnload(p.module));
  EXPECT(CUDA_ERROR_INVALID_HANDLE, scale(&p, function, s.x, s.y));
  scaling_close(&s);
  place_close(&p);
}

/* A pinned source is read when its turn comes, a pageable one at once. */
static void test_staging(void) {
  place p;
  CUdeviceptr at;
  guint64 pageable = 1, found[2], *pinned;
  place_open(&p);
  OK(cu.cuMemAlloc(&at, 16));
  OK(cu.cuMemHostAlloc((void **)&pinned, 8, 0));
  *pinned = 1;
  OK(cu.cuMemcpyHtoDAsync(at, &pageable, 8, p.stream));
  OK(cu.cuMemcpyHtoDAsync(at + 8, pinned, 8, p.stream));
  pageable = *pinned = 2;
  OK(cu.cuStreamSynchronize(p.stream));
  OK(cu.cuMemcpyDtoH(found, at, 16));
  g_assert_cmpuint(found[0], ==, 1);
  g_assert_cmpuint(found[1], ==, 2);
  OK(cu.cuMemFreeHost(pinned));
  OK(cu.cuMemFree(at));
  place_close(&p);
}

static void test_events(void) {
  place p;
  CUstream other;
  CUevent a, b;
  CUdeviceptr at;
  guint32 found;
  float ms = -1;
  place_open(&p);
  OK(cu.cuStreamCreate(&other, CU_STREAM_NON_BLOCKING));
  OK(cu.cuEventCreate(&a, 0));
  OK(cu.cuEventCreate(&b, 0));
  OK(cu.cuMemAlloc(&at, 4));
  EXPECT(CUDA_ERROR_INVALID_HANDLE, cu.cuEventElapsedTime(&ms, a, b)); /* never recorded */
  OK(cu.cuMemsetD32Async(at, 1, 1, p.stream));
  OK(cu.cuEventRecord(a, p.stream));
  OK(cu.cuMemsetD32Async(at, 3, 1, p.stream)); /* behind the event: nobody waits for it */
  OK(cu.cuStreamWaitEvent(other, a, 0));
  OK(cu.cuMemcpyDtoHAsync(&found, at, 4, other));
  OK(cu.cuEventRecord(b, other));
  EXPECT(CUDA_ERROR_NOT_READY, cu.cuEventElapsedTime(&ms, a, b));
  OK(cu.cuEventSynchronize(b));
  g_assert_cmpuint(found, ==, 1);
  OK(cu.cuEventElapsedTime(&ms, a, b));
  g_assert_cmpfloat(ms, >=, 0);
  OK(cu.cuEventDestroy(a));
  OK(cu.cuEventDestroy(b));
  OK(cu.cuMemFree(at));
  OK(cu.cuStreamDestroy(other));
  place_close(&p);
}

typedef struct {
  pthread_t caller;
  CUresult inside;
  int calls, elsewhere;
} visit;

static void host_function(void *given) {
  visit *v = given;
  int count;
  v->calls++;
  v->elsewhere = !pthread_equal(v->caller, pthread_self());
  v->inside = cu.cuDeviceGetCount(&count);
}

static void test_host_function(void) {
  place p;
  visit v = {.caller = pthread_self()};
  place_open(&p);
  OK(cu.cuLaunchHostFunc(p.stream, host_function, &v));
  g_assert_cmpint(v.calls, ==, 0);
  OK(cu.cuCtxSynchronize());
  g_assert_cmpint(v.calls, ==, 1);
  g_assert_true(v.elsewhere);
  EXPECT(CUDA_ERROR_NOT_PERMITTED, v.inside);
  place_close(&p);
}

static void count_up(void *calls) {
  ++*(int *)calls;
}

/* Nothing runs before somebody waits: but a queue has an end, and who enqueues more waits. */
static void test_queue(void) {
  enum { ROOM = 1024, MORE = 9 };
  place p;
  int calls = 0;
  place_open(&p);
  for (int k = 0; k < ROOM; k++)
    OK(cu.cuLaunchHostFunc(p.stream, count_up, &calls));
  g_assert_cmpint(calls, ==, 0);
  for (int k = 0; k < MORE; k++)
    OK(cu.cuLaunchHostFunc(p.stream, count_up, &calls));
  g_assert_cmpint(calls, ==, MORE);
  OK(cu.cuStreamSynchronize(p.stream));
  g_assert_cmpint(calls, ==, ROOM + MORE);
  place_close(&p);
}

static void test_graph(void) {
  place p;
  scaling s;
  double *pinned;
  CUgraph graph;
  CUgraphExec exec;
  CUevent event;
  place_open(&p);
  scaling_open(&s);
  OK(cu.cuMemHostAlloc((void **)&pinned, sizeof s.in, 0));
  OK(cu.cuEventCreate(&event, 0));
  CUfunction function = kernel_made(&p, "test_scale", scale_sizes, 1024);
  OK(cu.cuStreamBeginCapture(p.stream, CU_STREAM_CAPTURE_MODE_RELAXED));
  OK(cu.cuMemcpyHtoDAsync(s.x, pinned, sizeof s.in, p.stream));
  OK(scale(&p, function, s.x, s.y));
  OK(cu.cuMemcpyDtoHAsync(s.out, s.y, sizeof s.out, p.stream));
  OK(cu.cuEventRecord(event, p.stream));
  OK(cu.cuStreamEndCapture(p.stream, &graph));
  EXPECT(CUDA_ERROR_CAPTURED_EVENT, cu.cuEventSynchronize(event));
  OK(cu.cuGraphInstantiateWithFlags(&exec, graph, 0));
  OK(cu.cuGraphDestroy(graph)); /* the other lives on */
  for (int replay = 0; replay < 2; replay++) {
    for (int k = 0; k < N; k++)
      pinned[k] = k + replay;
    OK(cu.cuGraphLaunch(exec, p.stream));
    OK(cu.cuStreamSynchronize(p.stream));
    for (int k = 0; k < N; k++)
      g_assert_cmpfloat(s.out[k], ==, 2.0 * (k + replay) + 3 - 300);
  }
  OK(cu.cuGraphExecDestroy(exec));
  OK(cu.cuStreamBeginCapture(p.stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
  EXPECT(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, cu.cuStreamSynchronize(p.stream));
  EXPECT(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, cu.cuStreamEndCapture(p.stream, &graph));
  OK(cu.cuStreamSynchronize(p.stream));
  OK(cu.cuEventDestroy(event));
  OK(cu.cuMemFreeHost(pinned));
  OK(cu.cuModuleUnload(p.module));
  scaling_close(&s);
  place_close(&p);
}

/* ---- Kernels ---- */

/* 7 items for `grid` groups of 32. */
static void turn(place *p, CUfunction function, unsigned grid, unsigned lanes, CUresult expected) {
  bh_launch launch = {0, 7, 1};
  bh_no_params params = {0};
  uint64_t stride = 0;
  CUdeviceptr y;
  guint32 found[7 * 32];
  OK(cu.cuMemAlloc(&y, sizeof found));
  void *arguments[] = {&launch, &y, &stride, &params};
  EXPECT(expected, cu.cuLaunchKernel(function, grid, 1, 1, lanes, 1, 1, 0, p->stream, arguments, NULL));
  OK(cu.cuStreamSynchronize(p->stream));
  OK(cu.cuMemcpyDtoH(found, y, sizeof found));
  for (guint32 k = 0; k < 7 * 32 && !expected; k++)
    g_assert_cmpuint(found[k], ==, k / 32 * 32 + (k + 1) % 32);
  OK(cu.cuMemFree(y));
}

static void sum(place *p, CUfunction function) {
  enum { GROUPS = 3 };
  guint64 x[N], parts[GROUPS] = {0}, total = 0;
  bh_launch launch = {0, N, 1};
  bh_no_params params = {0};
  uint64_t stride = 0, part = 8;
  CUdeviceptr on_x, on_parts;
  for (guint64 k = 0; k < N; k++)
    x[k] = k;
  OK(cu.cuMemAlloc(&on_x, sizeof x));
  OK(cu.cuMemAlloc(&on_parts, sizeof parts));
  OK(cu.cuMemcpyHtoD(on_x, x, sizeof x));
  OK(cu.cuMemcpyHtoD(on_parts, parts, sizeof parts));
  void *arguments[] = {&launch, &on_parts, &part, &on_x, &stride, &params};
  OK(cu.cuLaunchKernel(function, GROUPS, 1, 1, 64, 1, 1, 0, p->stream, arguments, NULL));
  OK(cu.cuStreamSynchronize(p->stream));
  OK(cu.cuMemcpyDtoH(parts, on_parts, sizeof parts));
  for (int k = 0; k < GROUPS; k++) {
    g_assert_cmpuint(parts[k], >, 0);
    total += parts[k];
  }
  g_assert_cmpuint(total, ==, (guint64)N * (N - 1) / 2);
  OK(cu.cuMemFree(on_x));
  OK(cu.cuMemFree(on_parts));
}

static guint64 host_clock(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (guint64)now.tv_sec * 1000000000u + (guint64)now.tv_nsec;
}

/* The device's clock is far from the host's; the module's variable says what to add. */
static void read_clock(place *p, CUfunction function) {
  bh_launch launch = {0, 1, 1};
  bh_no_params params = {0};
  uint64_t stride = 0, now;
  CUdeviceptr on_now, variable;
  size_t bytes;
  OK(cu.cuMemAlloc(&on_now, 8));
  OK(cu.cuModuleGetGlobal(&variable, &bytes, p->module, "bh_clock_offset_ns"));
  g_assert_cmpuint(bytes, ==, 8);
  EXPECT(CUDA_ERROR_NOT_FOUND, cu.cuModuleGetGlobal(&variable, &bytes, p->module, "no_such"));
  void *arguments[] = {&launch, &on_now, &stride, &params};
  for (int with_offset = 0; with_offset < 2; with_offset++) {
    gint64 offset = with_offset ? -G_GINT64_CONSTANT(7000000000000000) : 0;
    OK(cu.cuMemcpyHtoD(variable, &offset, 8));
    guint64 before = host_clock();
    OK(cu.cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, p->stream, arguments, NULL));
    OK(cu.cuStreamSynchronize(p->stream));
    OK(cu.cuMemcpyDtoH(&now, on_now, 8));
    g_assert_cmpint(now >= before && now <= host_clock(), ==, with_offset);
  }
  OK(cu.cuMemFree(on_now));
}

static void test_made(void) {
  place p;
  CUfunction function;
  int value;
  place_open(&p);
  function = kernel_made(&p, "test_turn", one_buffer, 32);
  OK(cu.cuFuncGetAttribute(&value, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, function));
  g_assert_cmpint(value, ==, 32);
  OK(cu.cuFuncGetAttribute(&value, CU_FUNC_ATTRIBUTE_NUM_REGS, function));
  g_assert_cmpint(value, ==, 24);
  turn(&p, function, 2, 32, CUDA_SUCCESS);
  turn(&p, function, 9, 32, CUDA_SUCCESS);
  turn(&p, function, 2, 64, CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES);
  turn(&p, function, 0, 32, CUDA_ERROR_INVALID_VALUE);
  OK(cu.cuModuleUnload(p.module));
  sum(&p, kernel_made(&p, "test_sum", two_buffers, 64));
  OK(cu.cuModuleUnload(p.module));
  read_clock(&p, kernel_made(&p, "test_clock", one_buffer, 1024));
  OK(cu.cuModuleUnload(p.module));
  place_close(&p);
}

/* The same with what NVRTC makes of the same source: there sizes and places of arguments are the compiler's. */
static void test_compiled(void) {
  place p;
  scaling s;
  const char *why;
  CUfunction function;
  CUmodule wrong;
  int value;
  g_autofree void *image = cubin_compiled(test_kernels_source, 90, &why);
  g_autofree void *older = image ? cubin_compiled(test_kernels_source, 80, &why) : NULL;
  if (!image) {
    g_test_skip(why);
    return;
  }
  place_open(&p);
  scaling_open(&s);
  EXPECT(CUDA_ERROR_NO_BINARY_FOR_GPU, cu.cuModuleLoadData(&wrong, older));
  OK(cu.cuModuleLoadData(&p.module, image));
  OK(cu.cuModuleGetFunction(&function, p.module, "test_scale"));
  OK(cu.cuFuncGetAttribute(&value, CU_FUNC_ATTRIBUTE_NUM_REGS, function));
  g_assert_cmpint(value, >, 0);
  OK(scale(&p, function, s.x, s.y));
  OK(cu.cuStreamSynchronize(p.stream));
  OK(cu.cuMemcpyDtoH(s.out, s.y, sizeof s.out));
  scaling_check(s.out);
  OK(cu.cuModuleGetFunction(&function, p.module, "test_turn"));
  turn(&p, function, 2, 32, CUDA_SUCCESS);
  turn(&p, function, 2, 64, CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES);
  OK(cu.cuModuleGetFunction(&function, p.module, "test_sum"));
  sum(&p, function);
  OK(cu.cuModuleGetFunction(&function, p.module, "test_clock"));
  read_clock(&p, function);
  EXPECT(CUDA_ERROR_NOT_FOUND, cu.cuModuleGetFunction(&function, p.module, "no_such"));
  scaling_close(&s);
  OK(cu.cuModuleUnload(p.module));
  place_close(&p);
}

static void test_images(void) {
  place p;
  size_t bytes;
  char zeros[64] = {0};
  g_autofree unsigned char *image = cubin_made("test_scale", scale_sizes, 1024, 90, &bytes);
  place_open(&p);
  EXPECT(CUDA_ERROR_INVALID_IMAGE, cu.cuModuleLoadData(&p.module, zeros));
  EXPECT(CUDA_ERROR_UNSUPPORTED_PTX_VERSION,
         cu.cuModuleLoadData(&p.module, "//\n.version 9.0\n.target sm_90\n.address_size 64\n\n"));
  image[18] = 62; /* the machine: x86-64 */
  EXPECT(CUDA_ERROR_INVALID_IMAGE, cu.cuModuleLoadData(&p.module, image));
  image[18] = 190;
  image[49] = 89; /* the architecture, in the flags */
  EXPECT(CUDA_ERROR_NO_BINARY_FOR_GPU, cu.cuModuleLoadData(&p.module, image));
  image[49] = 90;
  memset(image + 64, 0xff, 64); /* symbols */
  EXPECT(CUDA_SUCCESS, cu.cuModuleLoadData(&p.module, image));
  CUfunction function;
  EXPECT(CUDA_ERROR_NOT_FOUND, cu.cuModuleGetFunction(&function, p.module, "test_scale"));
  OK(cu.cuModuleUnload(p.module));
  place_close(&p);
}

/* ---- Faults ---- */

/* What is after an error: everything says it, and nothing waits any more. */
static void expect_dead(place *p, CUresult why) {
  CUdeviceptr at;
  EXPECT(why, cu.cuMemAlloc(&at, 8));
  EXPECT(why, cu.cuStreamSynchronize(p->stream));
  EXPECT(why, cu.cuCtxSynchronize());
}

/* `asynchronous`: the launch itself is fine, the wait says it. */
static void launch_and_die(CUdeviceptr instead_of_x, CUresult why) {
  place p;
  scaling s;
  visit v = {.caller = pthread_self()};
  place_open(&p);
  scaling_open(&s);
  CUfunction function = kernel_made(&p, "test_scale", scale_sizes, 1024);
  OK(scale(&p, function, instead_of_x ? instead_of_x : s.x, s.y));
  OK(cu.cuLaunchHostFunc(p.stream, host_function, &v));
  EXPECT(why, cu.cuStreamSynchronize(p.stream));
  g_assert_cmpint(v.calls, ==, 0);
  expect_dead(&p, why);
}

static void test_host_pointer(void) {
  static double host[N];
  launch_and_die((guintptr)host, CUDA_ERROR_ILLEGAL_ADDRESS);
}

/* Handles belong to a context, and no device sees another one's memory. */
static void test_two_devices(void) {
  place p, q;
  scaling s;
  CUcontext second;
  CUdeviceptr theirs;
  place_open(&p);
  scaling_open(&s);
  CUfunction function = kernel_made(&p, "test_scale", scale_sizes, 1024);
  OK(cu.cuDevicePrimaryCtxRetain(&second, 1));
  OK(cu.cuCtxSetCurrent(second));
  OK(cu.cuStreamCreate(&q.stream, CU_STREAM_NON_BLOCKING));
  CUfunction their_function = kernel_made(&q, "test_scale", scale_sizes, 1024);
  OK(cu.cuMemAlloc(&theirs, sizeof s.in));
  EXPECT(CUDA_ERROR_INVALID_HANDLE, scale(&p, their_function, theirs, theirs)); /* the first one's stream */
  EXPECT(CUDA_ERROR_INVALID_HANDLE, scale(&q, function, theirs, theirs));
  OK(scale(&q, their_function, s.x, theirs));
  EXPECT(CUDA_ERROR_ILLEGAL_ADDRESS, cu.cuStreamSynchronize(q.stream));
}

/* 8 bytes, and 1000 items to read from there: the twin runs into the closed page behind them. */
static void test_out_of_bounds(void) {
  place p;
  scaling s;
  CUdeviceptr small;
  place_open(&p);
  scaling_open(&s);
  OK(cu.cuMemAlloc(&small, 8));
  CUfunction function = kernel_made(&p, "test_scale", scale_sizes, 1024);
  OK(scale(&p, function, small, s.y));
  EXPECT(CUDA_ERROR_ILLEGAL_ADDRESS, cu.cuStreamSynchronize(p.stream));
  expect_dead(&p, CUDA_ERROR_ILLEGAL_ADDRESS);
}

static void test_use_after_free(void) {
  place p;
  scaling s;
  place_open(&p);
  scaling_open(&s);
  CUfunction function = kernel_made(&p, "test_scale", scale_sizes, 1024);
  OK(cu.cuMemFree(s.x));
  OK(scale(&p, function, s.x, s.y));
  EXPECT(CUDA_ERROR_ILLEGAL_ADDRESS, cu.cuStreamSynchronize(p.stream));
}

static void test_fault_launch(void) {
  launch_and_die(0, CUDA_ERROR_LAUNCH_FAILED);
}
static void test_fault_illegal(void) {
  launch_and_die(0, CUDA_ERROR_ILLEGAL_ADDRESS);
}
static void test_fault_lost(void) {
  launch_and_die(0, CUDA_ERROR_UNKNOWN);
}
static void test_fault_host_pointer(void) {
  launch_and_die(0, CUDA_ERROR_ILLEGAL_ADDRESS);
}

static void test_fault_second(void) {
  place p;
  scaling s;
  place_open(&p);
  scaling_open(&s);
  CUfunction function = kernel_made(&p, "test_scale", scale_sizes, 1024);
  OK(scale(&p, function, s.x, s.y));
  OK(cu.cuStreamSynchronize(p.stream));
  OK(scale(&p, function, s.x, s.y));
  EXPECT(CUDA_ERROR_LAUNCH_FAILED, cu.cuStreamSynchronize(p.stream));
}

static void test_fault_other_kernel(void) {
  place p;
  scaling s;
  place_open(&p);
  scaling_open(&s);
  CUfunction function = kernel_made(&p, "test_scale", scale_sizes, 1024);
  OK(scale(&p, function, s.x, s.y));
  OK(cu.cuStreamSynchronize(p.stream));
}

static void test_fault_no_device(void) {
  EXPECT(CUDA_ERROR_NO_DEVICE, cu.cuInit(0));
}

static void test_fault_stub(void) {
  void *found;
  EXPECT(CUDA_ERROR_STUB_LIBRARY, cu.get("cuInit", &found, 2000, 0, NULL));
}

static void test_fault_oom(void) {
  place p;
  CUdeviceptr at;
  size_t available, total;
  place_open(&p);
  OK(cu.cuMemAlloc(&at, 4096));
  EXPECT(CUDA_ERROR_OUT_OF_MEMORY, cu.cuMemAlloc(&at, 1));
  OK(cu.cuMemGetInfo(&available, &total));
  g_assert_cmpuint(available, >, 1);
  OK(cu.cuMemFree(at));
  OK(cu.cuMemAlloc(&at, 1)); /* not sticky */
}

static void test_fault_arch(void) {
  place p;
  size_t bytes;
  CUmodule module;
  g_autofree void *image = cubin_made("test_scale", scale_sizes, 1024, 90, &bytes);
  g_autofree void *other = cubin_made("test_sum", two_buffers, 64, 90, &bytes);
  place_open(&p);
  EXPECT(CUDA_ERROR_NO_BINARY_FOR_GPU, cu.cuModuleLoadData(&module, image));
  OK(cu.cuModuleLoadData(&module, other));
}

static void test_fault_skip_sync(void) {
  place p;
  scaling s;
  place_open(&p);
  scaling_open(&s);
  CUfunction function = kernel_made(&p, "test_scale", scale_sizes, 1024);
  OK(scale(&p, function, s.x, s.y));
  OK(cu.cuMemcpyDtoHAsync(s.out, s.y, sizeof s.out, p.stream));
  OK(cu.cuStreamSynchronize(p.stream));
  g_assert_true(all_poison(s.out, sizeof s.out));
}

/* Left behind: a stream, 24 bytes on the device and the context; what was freed is not listed. */
static void test_fault_leaks(void) {
  place p;
  CUdeviceptr at, freed;
  place_open(&p);
  OK(cu.cuMemAlloc(&at, 24));
  OK(cu.cuMemAlloc(&freed, 48));
  OK(cu.cuMemFree(freed));
}

static void test_leaks(void) {
  g_autofree char *path = g_strdup_printf("%s/fake-cuda-trace-%d", g_get_tmp_dir(), (int)getpid()), *text = NULL;
  g_setenv("BENCHHOST_FAKE_CUDA_TRACE", path, TRUE);
  g_test_trap_subprocess("/fake-cuda/leaks/subprocess", 0, G_TEST_SUBPROCESS_DEFAULT);
  g_test_trap_assert_passed();
  g_unsetenv("BENCHHOST_FAKE_CUDA_TRACE");
  g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
  g_assert_nonnull(strstr(text, " cuMemAlloc bytes=24 "));
  g_assert_nonnull(strstr(text, " leak kind=device-memory id=1 bytes=24 -> 0\n"));
  g_assert_nonnull(strstr(text, " leak kind=stream "));
  g_assert_nonnull(strstr(text, " leak kind=context "));
  g_assert_null(strstr(text, "bytes=48 -> 0\n"));
  g_assert_nonnull(strstr(text, " exit leaks=3 -> 0\n"));
  g_assert_cmpint(unlink(path), ==, 0);
}

static void test_overrun(void) {
  place p;
  CUdeviceptr at;
  place_open(&p);
  OK(cu.cuMemAllocManaged(&at, 100, 1));
  ((char *)(guintptr)at)[100] = 1;
  OK(cu.cuMemFree(at));
}

static void test_overruns(void) {
  g_test_trap_subprocess("/fake-cuda/overruns/subprocess", 0, G_TEST_SUBPROCESS_DEFAULT);
  g_test_trap_assert_passed();
  g_test_trap_assert_stderr("*memory 1 of 100 bytes: somebody wrote behind its end, at byte 100*");
}

static void test_unknown_fault(void) {
  int count;
  g_assert_cmpint((int)cu.cuDeviceGetCount(&count), ==, 0); /* ends the process instead */
}

static void test_unknown(void) {
  g_setenv("BENCHHOST_FAKE_CUDA", "oom=3,lunch-failure=1", TRUE);
  g_test_trap_subprocess("/fake-cuda/unknown/subprocess", 0, G_TEST_SUBPROCESS_DEFAULT);
  g_unsetenv("BENCHHOST_FAKE_CUDA");
  g_test_trap_assert_failed();
  g_test_trap_assert_stderr("*cannot use 'lunch-failure=1'*");
}

/* Tests that need a process of their own: with these faults. */
static const struct child {
  const char *name, *faults;
  void (*run)(void);
} children[] = {
    {"order", "", test_order},
    {"memory", "", test_memory},
    {"touch", "", test_touch},
    {"host-pointer", "", test_host_pointer},
    {"two-devices", "devices=2", test_two_devices},
    {"out-of-bounds", "", test_out_of_bounds},
    {"use-after-free", "", test_use_after_free},
    {"fault-launch", "launch-failure=1", test_fault_launch},
    {"fault-launch-of-kernel", "launch-failure=1@test_scale", test_fault_launch},
    {"fault-second-launch", "launch-failure=2", test_fault_second},
    {"fault-other-kernel", "launch-failure@test_sum,device-lost@test_sum,wrong-arch@test_sum", test_fault_other_kernel},
    {"fault-illegal-address", "illegal-address=1", test_fault_illegal},
    {"fault-device-lost", "device-lost=1", test_fault_lost},
    {"fault-host-pointer", "host-pointer=1", test_fault_host_pointer},
    {"fault-no-device", "no-device", test_fault_no_device},
    {"fault-stub", "stub", test_fault_stub},
    {"fault-oom", "oom=4096", test_fault_oom},
    {"fault-arch", "wrong-arch@test_scale", test_fault_arch},
    {"fault-skip-sync", "skip-sync", test_fault_skip_sync},
};

static void run_child(const void *given) {
  const struct child *child = given;
  g_autofree char *path = g_strdup_printf("/fake-cuda/%s/subprocess", child->name);
  g_setenv("BENCHHOST_FAKE_CUDA", child->faults, TRUE);
  g_test_trap_subprocess(path, 0, G_TEST_SUBPROCESS_DEFAULT);
  g_unsetenv("BENCHHOST_FAKE_CUDA");
  g_test_trap_assert_passed();
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  if (!g_test_subprocess())
    g_unsetenv("BENCHHOST_FAKE_CUDA");
  driver_open();
  g_test_add_func("/fake-cuda/versions", test_versions);
  g_test_add_func("/fake-cuda/lazy", test_lazy);
  g_test_add_func("/fake-cuda/staging", test_staging);
  g_test_add_func("/fake-cuda/events", test_events);
  g_test_add_func("/fake-cuda/host-function", test_host_function);
  g_test_add_func("/fake-cuda/queue", test_queue);
  g_test_add_func("/fake-cuda/graph", test_graph);
  g_test_add_func("/fake-cuda/kernels-made", test_made);
  g_test_add_func("/fake-cuda/kernels-compiled", test_compiled);
  g_test_add_func("/fake-cuda/images", test_images);
  g_test_add_func("/fake-cuda/leaks", test_leaks);
  g_test_add_func("/fake-cuda/overruns", test_overruns);
  g_test_add_func("/fake-cuda/unknown-fault", test_unknown);
  g_test_add_func("/fake-cuda/leaks/subprocess", test_fault_leaks);
  g_test_add_func("/fake-cuda/overruns/subprocess", test_overrun);
  g_test_add_func("/fake-cuda/unknown/subprocess", test_unknown_fault);
  for (size_t k = 0; k < G_N_ELEMENTS(children); k++) {
    g_autofree char *path = g_strdup_printf("/fake-cuda/%s", children[k].name);
    g_autofree char *child = g_strdup_printf("/fake-cuda/%s/subprocess", children[k].name);
    g_test_add_data_func(path, &children[k], run_child);
    g_test_add_func(child, children[k].run);
  }
  return g_test_run();
}
