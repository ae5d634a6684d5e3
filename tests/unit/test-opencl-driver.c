/* SPDX-License-Identifier: MIT
 * plugins/opencl on a table of OpenCL functions whose device is this process's memory: each call fails once, what
 * drivers do that PoCL does not, and every object is given back (PoCL keeps so much to the end that LSan cannot tell).
 */
#include "opencl.h"

#include <glib.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- The host ---- */

static struct {
  bh_status why;
  char reason[512];
  guint n_calls, fail_at, live; /* live: OpenCL objects */
  gint32 error;                 /* of the call that fails */
  const char *failed;
  guint works, finishes;
  guint enqueued; /* calls when all of the run was enqueued */
  gboolean compiling;
} world;

static bh_status host_stop(const bh_host *h, bh_status why, const char *format, ...) {
  va_list list;
  (void)h;
  va_start(list, format);
  if (world.why == BH_OK) {
    vsnprintf(world.reason, sizeof world.reason, format, list);
    world.why = why;
  }
  va_end(list);
  return why;
}
static void host_say(const bh_host *h, const char *format, ...) {
  (void)h, (void)format;
}
static void host_fact(const bh_host *h, const char *name, const char *format, ...) {
  (void)h, (void)name, (void)format;
}
static void host_metric(const bh_host *h, const char *name, double value, const char *unit, bh_better better) {
  (void)h, (void)better;
  g_assert_cmpstr(name, ==, "device time");
  g_assert_cmpstr(unit, ==, "s");
  g_assert_cmpfloat(value, ==, 5e-9);
}
/* Compiling is the only phase, and it ends. */
static void host_phase(const bh_host *h, uint32_t worker, const char *name) {
  (void)h, (void)worker;
  g_assert_cmpstr(name, ==, world.compiling ? NULL : "jit"); /* NULL: it ends */
  world.compiling = !world.compiling;
}
static uint64_t host_now(void) {
  return 1;
}
static const bh_host host = {.size = sizeof host,
                             .abi = BH_ABI,
                             .stop = host_stop,
                             .log = host_say,
                             .fact = host_fact,
                             .phase = host_phase,
                             .metric = host_metric,
                             .now_ns = host_now};

/* ---- OpenCL ---- */

struct _cl_mem {
  size_t bytes;
};
struct _cl_event {
  gint32 status;
  guint made; /* calls before it */
};
struct _cl_program {
  int built;
};
struct _cl_kernel {
  int any;
};

static gint32 called(const char *name) {
  if (++world.n_calls != world.fail_at)
    return CL_SUCCESS;
  world.failed = name;
  return world.error;
}
static void *object(const char *name, size_t bytes, gint32 *ret_error) {
  *ret_error = called(name);
  if (*ret_error != CL_SUCCESS)
    return NULL;
  world.live++;
  return g_malloc0(bytes);
}
static gint32 gone(void *old) {
  g_assert_nonnull(old);
  world.live--;
  g_free(old);
  return CL_SUCCESS;
}
static gint32 commanded(const char *name, cl_event *event) {
  const gint32 error = called(name);
  if (error == CL_SUCCESS && event) {
    *event = g_new0(struct _cl_event, 1);
    (*event)->made = world.n_calls;
    world.live++;
  }
  return error;
}
static cl_mem buffer_of(const char *name, size_t bytes, int32_t *error) {
  cl_mem buffer = object(name, sizeof *buffer, error);
  if (buffer)
    buffer->bytes = bytes;
  return buffer;
}
static cl_mem create_buffer(cl_context c, uint64_t flags, size_t bytes, void *from, int32_t *error) {
  (void)c, (void)flags, (void)from;
  return buffer_of("clCreateBuffer", bytes, error);
}
static cl_mem create_part(cl_mem whole, uint64_t flags, uint32_t type, const void *region, int32_t *error) {
  const size_t *range = region;
  (void)flags;
  g_assert_cmpuint(type, ==, CL_BUFFER_CREATE_TYPE_REGION);
  g_assert_cmpuint(range[0] + range[1], ==, whole->bytes);
  return buffer_of("clCreateSubBuffer", range[1], error);
}
static int32_t release_buffer(cl_mem buffer) {
  return gone(buffer);
}
static cl_program create_program(cl_context c, uint32_t n, const char **text, const size_t *bytes, int32_t *error) {
  (void)c;
  g_assert_true(n == 1 && strlen(text[0]) == bytes[0]);
  return object("clCreateProgramWithSource", sizeof(struct _cl_program), error);
}
static int32_t build_program(cl_program p, uint32_t n, const cl_device_id *devices, const char *options,
                             void (*notify)(cl_program, void *), void *arg) {
  (void)n, (void)devices, (void)options, (void)notify, (void)arg;
  p->built = 1;
  return called("clBuildProgram");
}
static int32_t build_info(cl_program p, cl_device_id d, uint32_t what, size_t bytes, void *into, size_t *ret_bytes) {
  (void)p, (void)d;
  g_assert_cmpuint(what, ==, CL_PROGRAM_BUILD_LOG);
  if (into)
    memcpy(into, "log", MIN(bytes, 4));
  if (ret_bytes)
    *ret_bytes = 4;
  return CL_SUCCESS;
}
static int32_t release_program(cl_program p) {
  return gone(p);
}
static cl_kernel create_kernel(cl_program p, const char *name, int32_t *error) {
  g_assert_true(p->built);
  g_assert_cmpstr(name, ==, "entry");
  return object("clCreateKernel", sizeof(struct _cl_kernel), error);
}
static int32_t release_kernel(cl_kernel kernel) {
  return gone(kernel);
}
static int32_t set_argument(cl_kernel kernel, uint32_t index, size_t bytes, const void *value) {
  (void)kernel, (void)index;
  g_assert_true(bytes && value);
  return called("clSetKernelArg");
}
static int32_t group_info(cl_kernel kernel, cl_device_id d, uint32_t what, size_t bytes, void *into,
                          size_t *ret_bytes) {
  (void)kernel, (void)d, (void)ret_bytes;
  g_assert_cmpuint(bytes, ==, sizeof(size_t));
  gint32 error = what == CL_KERNEL_WORK_GROUP_SIZE ? called("clGetKernelWorkGroupInfo") : CL_INVALID_VALUE;
  if (error == CL_SUCCESS)
    *(size_t *)into = 16;
  return error;
}
static int32_t enqueue_kernel(cl_command_queue q, cl_kernel kernel, uint32_t dimensions, const size_t *offset,
                              const size_t *all, const size_t *lanes, uint32_t n, const cl_event *waits,
                              cl_event *event) {
  (void)q, (void)kernel, (void)offset, (void)n, (void)waits;
  g_assert_cmpuint(dimensions, ==, 1);
  g_assert_true(*lanes > 0 && *lanes <= 16 && *all % *lanes == 0);
  return commanded("clEnqueueNDRangeKernel", event);
}
static int32_t enqueue_read(cl_command_queue q, cl_mem buffer, uint32_t blocking, size_t at, size_t bytes, void *into,
                            uint32_t n, const cl_event *waits, cl_event *event) {
  (void)q, (void)blocking, (void)into, (void)n, (void)waits;
  g_assert_cmpuint(at + bytes, <=, buffer->bytes);
  return commanded("clEnqueueReadBuffer", event);
}
static int32_t enqueue_write(cl_command_queue q, cl_mem buffer, uint32_t blocking, size_t at, size_t bytes,
                             const void *from, uint32_t n, const cl_event *waits, cl_event *event) {
  (void)q, (void)from, (void)n, (void)waits;
  g_assert_cmpuint(at + bytes, <=, buffer->bytes);
  g_assert_true(blocking); /* the source may change once it returned */
  return commanded("clEnqueueWriteBuffer", event);
}
static int32_t enqueue_copy(cl_command_queue q, cl_mem from, cl_mem to, size_t from_at, size_t to_at, size_t bytes,
                            uint32_t n, const cl_event *waits, cl_event *event) {
  (void)q, (void)n, (void)waits;
  g_assert_true(from_at + bytes <= from->bytes && to_at + bytes <= to->bytes);
  return commanded("clEnqueueCopyBuffer", event);
}
static int32_t enqueue_fill(cl_command_queue q, cl_mem buffer, const void *pattern, size_t pattern_bytes, size_t at,
                            size_t bytes, uint32_t n, const cl_event *waits, cl_event *event) {
  (void)q, (void)pattern, (void)n, (void)waits;
  g_assert_true(bytes % pattern_bytes == 0 && at % pattern_bytes == 0 && at + bytes <= buffer->bytes);
  return commanded("clEnqueueFillBuffer", event);
}
static char mapped[256];
static void *enqueue_map(cl_command_queue q, cl_mem buffer, uint32_t blocking, uint64_t flags, size_t at, size_t bytes,
                         uint32_t n, const cl_event *waits, cl_event *event, int32_t *error) {
  (void)q, (void)flags, (void)n, (void)waits, (void)event;
  g_assert_true(blocking && at + bytes <= MIN(buffer->bytes, sizeof mapped));
  *error = called("clEnqueueMapBuffer");
  return *error == CL_SUCCESS ? mapped : NULL;
}
static int32_t enqueue_unmap(cl_command_queue q, cl_mem buffer, void *memory, uint32_t n, const cl_event *waits,
                             cl_event *event) {
  (void)q, (void)buffer, (void)n, (void)waits, (void)event;
  g_assert_true(memory == mapped);
  return CL_SUCCESS;
}
static int32_t enqueue_marker(cl_command_queue q, uint32_t n, const cl_event *waits, cl_event *event) {
  (void)q, (void)n, (void)waits;
  return commanded("clEnqueueMarkerWithWaitList", event);
}
static int32_t enqueue_barrier(cl_command_queue q, uint32_t n, const cl_event *waits, cl_event *event) {
  (void)q;
  g_assert_true(n == 1 && waits[0]);
  return commanded("clEnqueueBarrierWithWaitList", event);
}
static cl_event create_event(cl_context c, int32_t *error) {
  (void)c;
  return object("clCreateUserEvent", sizeof(struct _cl_event), error);
}
static guint set_events;
static int32_t set_event(cl_event event, int32_t status) {
  event->status = status;
  set_events++;
  return CL_SUCCESS;
}
/* Comes at `finish`: what the marker waits for is done, or failed. */
static struct {
  cl_event event;
  void (*call)(cl_event, int32_t, void *);
  void *arg;
} waiting;
static int32_t set_callback(cl_event event, int32_t type, void (*call)(cl_event, int32_t, void *), void *arg) {
  const gint32 error = called("clSetEventCallback");
  g_assert_cmpint(type, ==, CL_COMPLETE);
  if (error == CL_SUCCESS) {
    waiting.event = event;
    waiting.call = call;
    waiting.arg = arg;
  }
  return error;
}
static int32_t release_event(cl_event event) {
  return gone(event);
}
static gint32 last_status; /* of the queue's last command */
static int32_t event_info(cl_event event, uint32_t what, size_t bytes, void *into, size_t *ret_bytes) {
  (void)event, (void)ret_bytes;
  g_assert_cmpuint(what, ==, CL_EVENT_COMMAND_EXECUTION_STATUS);
  g_assert_cmpuint(bytes, ==, 4);
  *(gint32 *)into = last_status;
  return called("clGetEventInfo");
}
static int32_t profiling(cl_event event, uint32_t what, size_t bytes, void *into, size_t *ret_bytes) {
  (void)ret_bytes;
  g_assert_cmpuint(bytes, ==, 8);
  g_assert_cmpuint(event->made, <, world.enqueued); /* what is fetched later is no part of the run */
  *(guint64 *)into = what == CL_PROFILING_COMMAND_END ? 25 : 20;
  return called("clGetEventProfilingInfo");
}
static int32_t flush(cl_command_queue q) {
  (void)q;
  return called("clFlush");
}
static gint32 stream_status; /* of what the marker waits for */
static int32_t finish(cl_command_queue q) {
  (void)q;
  world.finishes++;
  if (waiting.call)
    waiting.call(waiting.event, stream_status, waiting.arg);
  waiting.call = NULL;
  return called("clFinish");
}

static const ocl_functions table = {
    .clCreateBuffer = create_buffer,
    .clCreateSubBuffer = create_part,
    .clReleaseMemObject = release_buffer,
    .clCreateProgramWithSource = create_program,
    .clBuildProgram = build_program,
    .clGetProgramBuildInfo = build_info,
    .clReleaseProgram = release_program,
    .clCreateKernel = create_kernel,
    .clReleaseKernel = release_kernel,
    .clSetKernelArg = set_argument,
    .clGetKernelWorkGroupInfo = group_info,
    .clEnqueueNDRangeKernel = enqueue_kernel,
    .clEnqueueReadBuffer = enqueue_read,
    .clEnqueueWriteBuffer = enqueue_write,
    .clEnqueueCopyBuffer = enqueue_copy,
    .clEnqueueFillBuffer = enqueue_fill,
    .clEnqueueMapBuffer = enqueue_map,
    .clEnqueueUnmapMemObject = enqueue_unmap,
    .clEnqueueMarkerWithWaitList = enqueue_marker,
    .clEnqueueBarrierWithWaitList = enqueue_barrier,
    .clCreateUserEvent = create_event,
    .clSetUserEventStatus = set_event,
    .clSetEventCallback = set_callback,
    .clReleaseEvent = release_event,
    .clGetEventInfo = event_info,
    .clGetEventProfilingInfo = profiling,
    .clFlush = flush,
    .clFinish = finish,
};

/* ---- A lane's life ---- */

static const bh_kernel_shape by_lane = {.by = BH_BY_LANE, .lanes = 0};
static const bh_kernel kernel = {.name = "k", .source = "text", .source_bytes = 4, .entry = "entry", .shape = &by_lane};

static dev_lane begin(guint fail_at, gint32 error) {
  memset(&world, 0, sizeof world);
  world.fail_at = fail_at;
  world.error = error;
  stream_status = last_status = CL_COMPLETE;
  return (dev_lane){
      .head = {&host, 0, 1},
      .cl = &table,
      .profile = 1,
      .choice = {
          .type = CL_DEVICE_TYPE_GPU, .memory_bytes = 1000000, .most_bytes = 250000, .units = 2, .align_bytes = 64}};
}

/* As opencl.c's lane_close does. */
static void end(dev_lane *lane) {
  world.fail_at = 0;
  finish(NULL);
  ocl_queue_close(lane);
  ocl_memory_close(lane);
  ocl_code_close(lane);
  g_assert_cmpuint(world.live, ==, 0);
}

static void work(void *arg) {
  g_assert_true(arg == &world);
  world.works++;
}

static bh_status run(dev_lane *lane) {
  dev_memory *a = NULL, *b = NULL;
  dev_code *code = NULL;
  dev_shape shape;
  void *pinned;
  char bytes[40] = "";
  const guint64 value = 3;
  bh_status status = ocl_alloc(lane, 256, &a);
  if (status == BH_OK)
    status = ocl_alloc(lane, 256, &b);
  if (status == BH_OK)
    status = ocl_pinned(lane, 200, &pinned);
  if (status == BH_OK)
    status = ocl_compile(lane, &kernel, &code);
  if (status == BH_OK)
    status = ocl_shape(lane, code, &kernel, 100, 0, &shape);
  if (status == BH_OK)
    status = ocl_run_begin(lane, 0, NULL);
  if (status == BH_OK)
    status = ocl_upload(lane, a, 8, bytes, sizeof bytes);
  if (status == BH_OK)
    status = ocl_fill(lane, b, 64, 7, 20); /* two words and a half */
  if (status == BH_OK)
    status = ocl_copy(lane, a, 0, b, 128, 128);
  const dev_argument arguments[] = {
      {.value = &value, .value_bytes = 8}, {.memory = a}, {.memory = b, .offset_bytes = 64}};
  if (status == BH_OK)
    status = ocl_launch(lane, code, shape, arguments, G_N_ELEMENTS(arguments));
  if (status == BH_OK)
    status = ocl_host_func(lane, work, &world);
  if (status == BH_OK)
    status = ocl_download(lane, a, 0, bytes, sizeof bytes);
  if (status == BH_OK)
    status = ocl_run_enqueued(lane, 0);
  world.enqueued = world.n_calls;
  if (status == BH_OK)
    status = ocl_download(lane, b, 0, bytes, sizeof bytes);
  if (status == BH_OK)
    status = ocl_finish(lane);
  return status == BH_OK ? ocl_run_end(lane, 0) : status;
}

/* Whatever fails: the call is named, nothing is left behind, and no event is left for which something waits. */
static void every_failure(gint32 error, bh_status expected) {
  guint n = 1;
  for (;; n++) {
    dev_lane lane = begin(n, error);
    set_events = 0;
    const bh_status status = run(&lane);
    if (!world.failed) {
      g_assert_cmpint(status, ==, BH_OK);
      g_assert_cmpuint(world.works, ==, 1);
      end(&lane);
      break;
    }
    g_test_message("%u: %s: %s", n, world.failed, world.reason);
    g_assert_cmpint(world.why, ==, status);
    if (g_strcmp0(world.failed, "clBuildProgram") && g_strcmp0(world.failed, "clCreateKernel") &&
        g_strcmp0(world.failed, "clSetKernelArg"))
      g_assert_cmpint(status, ==, expected);
    if (expected == BH_FAIL && !strstr(world.reason, "host function"))
      g_assert_nonnull(strstr(world.reason, world.failed));
    if (!g_strcmp0(world.failed, "clEnqueueBarrierWithWaitList") || !g_strcmp0(world.failed, "clSetEventCallback"))
      g_assert_cmpuint(set_events, ==, 1);
    end(&lane);
  }
  g_assert_cmpuint(n, >=, 25);
}
static void test_every_failure(void) {
  every_failure(-34, BH_FAIL); /* CL_INVALID_CONTEXT: no matter of memory, whichever call says it */
}

/* A driver may find out at the first use that there is no memory for a buffer. */
static void test_late_memory(void) {
  every_failure(CL_MEM_OBJECT_ALLOCATION_FAILURE, BH_OUT_OF_MEMORY);
  dev_lane lane = begin(0, 0);
  dev_memory *memory = NULL;
  g_assert_cmpint(ocl_alloc(&lane, 4096, &memory), ==, BH_OK);
  world.fail_at = world.n_calls + 1;
  world.error = CL_MEM_OBJECT_ALLOCATION_FAILURE;
  g_assert_cmpint(ocl_upload(&lane, memory, 0, "12345678", 8), ==, BH_OUT_OF_MEMORY);
  g_assert_cmpstr(world.reason, ==,
                  "clEnqueueWriteBuffer: CL_MEM_OBJECT_ALLOCATION_FAILURE (-4): buffers of 4096 bytes were made on a "
                  "device of 1000000");
  end(&lane);
}

/* The stream failed before it came to a host function: that is not called, what waits for it is told, and the run fails
 * whether or not the driver carries the failure on to what was enqueued behind it. */
static void test_failed_stream(void) {
  for (guint carried = 0; carried < 2; carried++) {
    dev_lane lane = begin(0, 0);
    g_assert_cmpint(ocl_host_func(&lane, work, &world), ==, BH_OK);
    stream_status = CL_OUT_OF_RESOURCES;
    last_status = carried ? -14 : CL_COMPLETE;
    set_events = 0;
    g_assert_cmpint(ocl_finish(&lane), ==, BH_FAIL);
    g_assert_cmpstr(world.reason, ==, "the queue failed before a host function: CL_OUT_OF_RESOURCES (-5)");
    g_assert_cmpuint(world.works, ==, 0);
    g_assert_cmpuint(set_events, ==, 1);
    end(&lane);
  }
}

/* The callback of a queue that failed may come when the lane is closed. */
static void test_late_callback(void) {
  dev_lane lane = begin(0, 0);
  g_assert_cmpint(ocl_host_func(&lane, work, &world), ==, BH_OK);
  ocl_queue_close(&lane);
  g_assert_null(lane.fate);
  stream_status = CL_OUT_OF_RESOURCES;
  end(&lane); /* calls it */
  g_assert_null(waiting.call);
  g_assert_cmpuint(world.works, ==, 0);
}

/* clFinish says nothing, the last command's status does: with the device's words, and figures where it is about memory.
 */
static void test_failed_command(void) {
  const struct {
    gint32 status;
    bh_status expected;
    const char *reason;
  } cases[] = {
      {CL_OUT_OF_RESOURCES, BH_FAIL, "the queue's last command failed: CL_OUT_OF_RESOURCES (-5)"},
      {-9999, BH_FAIL, "the queue's last command failed: an error of the driver's own (-9999)"},
      {CL_MEM_OBJECT_ALLOCATION_FAILURE, BH_OUT_OF_MEMORY,
       "the queue's last command failed: CL_MEM_OBJECT_ALLOCATION_FAILURE (-4): buffers of 256 bytes were made on a "
       "device of 1000000"},
  };
  for (guint profile = 0; profile < 2; profile++)
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
      dev_lane lane = begin(0, 0);
      dev_memory *memory = NULL;
      lane.profile = (int)profile;
      g_assert_cmpint(ocl_alloc(&lane, 256, &memory), ==, BH_OK);
      g_assert_cmpint(ocl_finish(&lane), ==, BH_OK); /* nothing was enqueued yet */
      g_assert_cmpint(ocl_run_begin(&lane, 0, NULL), ==, BH_OK);
      g_assert_cmpint(ocl_fill(&lane, memory, 0, 7, 256), ==, BH_OK);
      g_assert_cmpint(ocl_run_enqueued(&lane, 0), ==, BH_OK);
      g_assert_cmpint(ocl_finish(&lane), ==, BH_OK);
      last_status = cases[i].status;
      g_assert_cmpint(ocl_finish(&lane), ==, cases[i].expected);
      g_assert_cmpstr(world.reason, ==, cases[i].reason);
      end(&lane);
    }
}

/* What did not compile is tried again, not taken for compiled. */
static void test_failed_compile(void) {
  for (guint n = 1; n <= 4; n++) {
    dev_lane lane = begin(n, -34);
    dev_code *code = NULL;
    g_assert_cmpint(ocl_compile(&lane, &kernel, &code), ==, BH_FAIL);
    g_assert_null(code);
    g_assert_cmpint(ocl_compile(&lane, &kernel, &code), ==, BH_OK);
    g_assert_true(code && code->kernel && code->program && code->most_lanes == 16 && code->multiple == 1);
    end(&lane);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/opencl-driver/every-failure", test_every_failure);
  g_test_add_func("/opencl-driver/late-memory", test_late_memory);
  g_test_add_func("/opencl-driver/failed-stream", test_failed_stream);
  g_test_add_func("/opencl-driver/late-callback", test_late_callback);
  g_test_add_func("/opencl-driver/failed-command", test_failed_command);
  g_test_add_func("/opencl-driver/failed-compile", test_failed_compile);
  return g_test_run();
}
