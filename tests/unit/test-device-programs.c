/* SPDX-License-Identifier: MIT
 * The device programs of files and chunk-mean on the stub of a device: the order of their calls, results by the
 * workloads' own verify, and every call failing once: nothing may be left behind. */
#include "stub-device.h"
#include "workload-fixture.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

static char *scratch;

static const bh_program *open_program(Fixture *f, const char *workload, const char *settings, const char *variant,
                                      const char *target) {
  if (fixture_open(f, workload, settings, NULL, scratch, 1) != BH_OK)
    g_error("%s", bh_mini_host_reason(f->mini));
  if (bh_problem_choose(f->ours, variant, target, &f->mini->host) != BH_OK)
    g_error("%s", bh_mini_host_reason(f->mini));
  g_assert_nonnull(f->ours->kernels[0].program);
  g_assert_cmpstr(f->ours->chosen[0], ==, variant);
  return f->ours->kernels[0].program;
}

static StubDevice *open_stub(Fixture *f, guint index, guint count) {
  return stub_device_new(&f->mini->host, &f->ours->problem, f->region, index, count);
}

static StubDevice *open_device(Fixture *f) {
  return open_stub(f, 0, 1);
}

static void expect_reason(const Fixture *f, const char *part) {
  const char *reason = bh_mini_host_reason(f->mini);
  if (!reason || !strstr(reason, part))
    g_error("expected a reason with '%s', found: %s", part, reason);
}

static void expect_verified(Fixture *f) {
  if (fixture_verify(f) != BH_OK)
    g_error("%s", bh_mini_host_reason(f->mini));
  fixture_check_canaries(f);
}

/* Fails each call in turn until none is left to fail; the device is free of the program each time, and works again. */
static guint fail_each(Fixture *f, const bh_program *program, StubDevice *(*open)(Fixture *f), bh_status with) {
  for (guint n = 1;; n++) {
    g_autoptr(StubDevice) stub = open(f);
    bh_mini_host_reset(f->mini);
    fixture_prepare(f, n);
    stub->fail_at = n;
    stub->fail_with = with;
    const bh_status status = stub_device_run(stub, program, 0, 0, f->ours->loops[0].items, 1);
    if (stub->n_failable < n) {
      g_assert_cmpint(status, ==, BH_OK);
      expect_verified(f);
      return n - 1;
    }
    g_assert_cmpint(status, ==, with);
    expect_reason(f, "injected into call");
  }
}

/* ---- files ---- */

static void test_files_calls(void) {
  Fixture f;
  const bh_program *program = open_program(&f, "files", "count=3 size=10", "portable", "opencl");
  g_autoptr(StubDevice) stub = open_device(&f);
  fixture_prepare(&f, 0);
  g_assert_cmpint(stub_device_run(stub, program, 0, 0, 3, 1), ==, BH_OK);
  g_autofree char *calls = stub_device_calls(stub);
  g_assert_cmpstr(calls, ==,
                  "alloc 48\npinned 48\npinned 48\n" /* 10 letters are two words, of three files */
                  "-- enqueue\nlaunch letters 0..6\ndownload 48 from 0\nhost_func\nhost_func\n"
                  "-- fetch\nfinish\nregion 0\nupload 72 to 0\n"
                  "-- finish\nunpin\nunpin\nrelease 48\n");
  expect_verified(&f);
  fixture_damage(&f);
  g_clear_pointer(&stub, stub_device_free);
  fixture_close(&f);
}

static void files_verified(const char *settings, guint launches, guint64 batch) {
  Fixture f;
  bh_footprint own = {0};
  const bh_program *program = open_program(&f, "files", settings, "portable", "cuda");
  g_autoptr(StubDevice) stub = open_device(&f);
  g_assert_cmpint(program->footprint(&f.mini->host, &f.ours->problem, 0, &own), ==, BH_OK);
  g_assert_cmpuint(own.device_bytes, ==, batch);
  g_assert_cmpuint(own.host_bytes, ==, 2 * batch + f.ours->problem.regions[0].bytes); /* two slots, the records again */
  fixture_prepare(&f, 0);
  g_assert_cmpint(stub_device_run(stub, program, 0, 0, f.ours->loops[0].items, 2), ==, BH_OK);
  g_assert_cmpuint(stub_device_count(stub, "launch"), ==, 2 * launches); /* two runs */
  g_assert_cmpuint(stub_device_count(stub, "alloc"), ==, batch != 0);
  expect_verified(&f);
  g_clear_pointer(&stub, stub_device_free);
  fixture_close(&f);
}

static void test_files_batches(void) {
  files_verified("count=1000 size=200", 1, 200000);
  files_verified("count=1000 size=20000", 5, 209 * 20000); /* 4 MiB hold 209 files */
  files_verified("count=50 size=199999", 3, 20 * 200000);
  files_verified("count=2 size=5000000", 2, 5000000); /* a file is never cut */
  files_verified("count=7 size=0", 0, 0);
  files_verified("count=1 size=1", 1, 8);
  files_verified("count=0 size=200", 0, 0);
}

/* Published sizes: 1e5 files of 20 kB are 2 GB, of which 4 MiB are ever there; of 1 GiB, one. */
static void test_files_footprint(void) {
  static const struct {
    const char *settings;
    guint64 bytes;
  } rows[] = {{"count=100000 size=20000", 209 * 20000},
              {"count=100000 size=200", 20971 * 200},
              {"count=5 size=1073741824", 1073741824}};
  for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
    Fixture f;
    bh_footprint own = {0};
    const bh_program *program = open_program(&f, "files", rows[i].settings, "portable", "opencl");
    g_assert_cmpint(program->footprint(&f.mini->host, &f.ours->problem, 0, &own), ==, BH_OK);
    g_assert_cmpuint(own.device_bytes, ==, rows[i].bytes);
    fixture_close(&f);
  }
}

/* Each device has its own part of the items; neither touches the other's records. */
static void test_files_two_devices(void) {
  Fixture f;
  const bh_program *program = open_program(&f, "files", "count=500 size=20001", "portable", "opencl");
  fixture_prepare(&f, 0);
  for (guint k = 0; k < 2; k++) {
    g_autoptr(StubDevice) stub = open_stub(&f, k, 2);
    g_assert_cmpint(stub_device_run(stub, program, 0, k ? 217 : 0, k ? 500 : 217, 1), ==, BH_OK);
    g_assert_cmpuint(stub_device_count(stub, "launch"), ==, 2);
  }
  expect_verified(&f);
  fixture_close(&f);
}

static void test_files_failures(void) {
  Fixture f;
  const bh_program *program = open_program(&f, "files", "count=500 size=20000", "portable", "opencl");
  /* alloc, 2 pinned, 3 batches of 3 calls, the last host_func, finish, upload */
  g_assert_cmpuint(fail_each(&f, program, open_device, BH_FAIL), ==, 3 + 9 + 3);
  g_assert_cmpuint(fail_each(&f, program, open_device, BH_OUT_OF_MEMORY), ==, 15);
  fixture_close(&f);
}

/* The device is lost between any two pieces of work: what would have gone on never does, and nobody waits for it. */
static void test_files_lost_device(void) {
  Fixture f;
  const bh_program *program = open_program(&f, "files", "count=500 size=20000", "portable", "opencl");
  for (guint n = 1; n <= 10; n++) {
    g_autoptr(StubDevice) stub = open_device(&f);
    bh_mini_host_reset(f.mini);
    fixture_prepare(&f, n);
    stub->lose_after = n;
    g_assert_cmpint(stub_device_run(stub, program, 0, 0, 500, 1), ==, BH_FAIL);
    expect_reason(&f, "the device is lost");
  }
  fixture_close(&f);
}

/* Files that a run did not write are not taken for written because an earlier run wrote them. It is the last batch that
 * is forgotten: after another one the next copy would not wait for the writer. */
static void test_files_forgotten_batch(void) {
  Fixture f;
  const bh_program *program = open_program(&f, "files", "count=500 size=20000", "portable", "opencl");
  g_autoptr(StubDevice) stub = open_device(&f);
  fixture_prepare(&f, 0);
  stub->forget_host_work = 4 + 3; /* three batches and the wait for the writer are the first run's */
  g_assert_cmpint(stub_device_run(stub, program, 0, 0, 500, 2), ==, BH_OK);
  g_assert_cmpint(fixture_verify(&f), ==, BH_WRONG);
  expect_reason(&f, "item 418: hash of the letters");
  g_clear_pointer(&stub, stub_device_free);
  fixture_close(&f);
}

/* As on the host: the step, the path and the system's reason. */
static void test_files_full_disk(void) {
  Fixture f;
  const bh_program *program = open_program(&f, "files", "count=300 size=20000", "portable", "opencl");
  struct rlimit before, low;
  signal(SIGXFSZ, SIG_IGN);
  getrlimit(RLIMIT_FSIZE, &before);
  low = before;
  low.rlim_cur = 5000;
  fixture_prepare(&f, 0);
  g_autoptr(StubDevice) stub = open_device(&f);
  setrlimit(RLIMIT_FSIZE, &low);
  g_assert_cmpint(stub_device_run(stub, program, 0, 0, 300, 1), ==, BH_OK);
  setrlimit(RLIMIT_FSIZE, &before);
  g_assert_cmpint(fixture_verify(&f), ==, BH_FAIL);
  expect_reason(&f, "item 0: cannot write");
  expect_reason(&f, "File too large");
  g_clear_pointer(&stub, stub_device_free);
  fixture_close(&f);
}

/* ---- chunk-mean by cuBLAS ---- */

static char *stub_library(const char *name) {
  g_autofree char *build = g_path_get_dirname(g_getenv("BENCHHOST"));
  return g_strdup_printf("%s/tests/unit/%s.so", build, name);
}

static int *library_int(const char *name) {
  g_autofree char *path = stub_library("stub-cublas");
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!library)
    g_error("%s", dlerror());
  int *found = dlsym(library, name);
  g_assert_nonnull(found);
  return found;
}

static StubDevice *open_cuda_with(Fixture *f, const char *soname, const char *library) {
  StubDevice *stub = open_stub(f, 0, 1);
  g_hash_table_insert(stub->libraries, g_strdup(soname), stub_library(library));
  return stub;
}

static StubDevice *open_cuda(Fixture *f) {
  return open_cuda_with(f, "libcublas.so.13", "stub-cublas");
}

static void test_cublas_calls(void) {
  Fixture f;
  const bh_program *program = open_program(&f, "chunk-mean", "elements=1000 chunks=10", "cublas", "cuda");
  g_autoptr(StubDevice) stub = open_cuda(&f);
  fixture_prepare(&f, 0);
  g_assert_cmpint(stub_device_run(stub, program, 0, 0, 10, 2), ==, BH_OK);
  g_autofree char *calls = stub_device_calls(stub);
  g_assert_cmpstr(calls, ==,
                  "library libcublas.so.13|libcublas.so.12\nalloc 800\nalloc 33554432\n"
                  "native cuda.stream\ncublasSetStream\ncublasSetWorkspace\nupload 800 to 0\n"
                  "-- enqueue\nregion 0\nregion 1\ncublasDgemv 100 x 10\n"
                  "-- enqueue\nregion 0\nregion 1\ncublasDgemv 100 x 10\n"
                  "-- finish\ncublasDestroy\nrelease 800\nrelease 33554432\n");
  expect_verified(&f);
  fixture_damage(&f);
  g_assert_cmpint(*library_int("stub_cublas_handles"), ==, 0);
  g_clear_pointer(&stub, stub_device_free);
  fixture_close(&f);
}

static void test_cublas_sizes(void) {
  static const char *const settings[] = {"elements=1 chunks=1", "elements=7 chunks=7", "elements=100000 chunks=100",
                                         "elements=300001 chunks=1"}; /* longer than a block of the vector */
  for (guint i = 0; i < G_N_ELEMENTS(settings); i++) {
    Fixture f;
    const bh_program *program = open_program(&f, "chunk-mean", settings[i], "cublas", "cuda");
    g_autoptr(StubDevice) stub = open_cuda_with(&f, "libcublas.so.12", "stub-cublas");
    fixture_prepare(&f, 0);
    g_assert_cmpint(stub_device_run(stub, program, 0, 0, f.ours->loops[0].items, 1), ==, BH_OK);
    expect_verified(&f);
    g_clear_pointer(&stub, stub_device_free);
    fixture_close(&f);
  }
}

static void test_cublas_two_devices(void) {
  Fixture f;
  const bh_program *program = open_program(&f, "chunk-mean", "elements=99000 chunks=99", "cublas", "cuda");
  fixture_prepare(&f, 0);
  for (guint k = 0; k < 2; k++) {
    g_autoptr(StubDevice) stub = open_cuda(&f);
    g_assert_cmpint(stub_device_run(stub, program, 0, k ? 40 : 0, k ? 99 : 40, 1), ==, BH_OK);
  }
  expect_verified(&f);
  fixture_close(&f);
}

/* Before anything is allocated. */
static void test_cublas_refusals(void) {
  Fixture f;
  const bh_program *program = open_program(&f, "chunk-mean", "elements=1001 chunks=10", "cublas", "cuda");
  bh_footprint own = {0};
  g_assert_cmpint(program->footprint(&f.mini->host, &f.ours->problem, 0, &own), ==, BH_UNSUPPORTED);
  expect_reason(&f, "chunks of equal length: 1001 elements in 10 chunks leave a rest of 1");
  fixture_close(&f);

  program = open_program(&f, "chunk-mean", "elements=1000 chunks=10", "cublas", "cuda");
  g_assert_cmpint(program->footprint(&f.mini->host, &f.ours->problem, 0, &own), ==, BH_OK);
  g_assert_cmpuint(own.device_bytes, ==, 800 + 33554432);
  bh_region regions[2] = {f.ours->problem.regions[0], f.ours->problem.regions[1]};
  bh_problem large = f.ours->problem;
  large.regions = regions;
  regions[0].bytes = G_GUINT64_CONSTANT(10) * 3000000000 * 8;
  g_assert_cmpint(program->footprint(&f.mini->host, &large, 0, &own), ==, BH_UNSUPPORTED);
  expect_reason(&f, "at most 2147483647 rows and columns, found 3000000000 and 10");
  fixture_close(&f);
}

static void test_cublas_library(void) {
  Fixture f;
  const bh_program *program = open_program(&f, "chunk-mean", "elements=1000 chunks=10", "cublas", "cuda");
  g_autoptr(StubDevice) none = open_stub(&f, 0, 1);
  g_assert_cmpint(stub_device_run(none, program, 0, 0, 10, 1), ==, BH_SKIP);
  expect_reason(&f, "none of libcublas.so.13|libcublas.so.12 is here");
  bh_mini_host_reset(f.mini);
  g_autoptr(StubDevice) old = open_cuda_with(&f, "libcublas.so.12", "stub-cublas-old");
  g_assert_cmpint(stub_device_run(old, program, 0, 0, 10, 1), ==, BH_SKIP);
  expect_reason(&f, "cuBLAS has no cublasDgemv_v2");
  g_clear_pointer(&none, stub_device_free);
  g_clear_pointer(&old, stub_device_free);
  fixture_close(&f);
}

static void test_cublas_failures(void) {
  Fixture f;
  const bh_program *program = open_program(&f, "chunk-mean", "elements=300000 chunks=1", "cublas", "cuda");
  g_assert_cmpuint(fail_each(&f, program, open_cuda, BH_FAIL), ==, 2 + 3); /* 2 alloc, 3 uploads of the vector */
  g_assert_cmpuint(fail_each(&f, program, open_cuda, BH_OUT_OF_MEMORY), ==, 5);
  g_assert_cmpint(*library_int("stub_cublas_handles"), ==, 0);
  fixture_close(&f);
}

/* cuBLAS's own functions fail, one after the other. */
static void test_cublas_statuses(void) {
  static const char *const functions[] = {"cublasCreate", "cublasSetStream", "cublasSetWorkspace", "cublasGetVersion",
                                          "cublasDgemv"};
  Fixture f;
  const bh_program *program = open_program(&f, "chunk-mean", "elements=1000 chunks=10", "cublas", "cuda");
  int *calls = library_int("stub_cublas_calls"), *fail_at = library_int("stub_cublas_fail_at");
  for (guint i = 0; i < G_N_ELEMENTS(functions); i++) {
    g_autoptr(StubDevice) stub = open_cuda(&f);
    g_autofree char *expected = g_strdup_printf("%s: the function failed to launch (status 13)", functions[i]);
    bh_mini_host_reset(f.mini);
    *calls = 0;
    *fail_at = (int)i + 1;
    *library_int("stub_cublas_status") = 13;
    g_assert_cmpint(stub_device_run(stub, program, 0, 0, 10, 1), ==, BH_FAIL);
    expect_reason(&f, expected);
    bh_mini_host_reset(f.mini);
    *calls = 0;
    *library_int("stub_cublas_status") = 3;
    g_assert_cmpint(stub_device_run(stub, program, 0, 0, 10, 1), ==, BH_OUT_OF_MEMORY);
    expect_reason(&f, "the resource allocation failed (status 3)");
    g_assert_cmpint(*library_int("stub_cublas_handles"), ==, 0);
  }
  *fail_at = 0;
  fixture_close(&f);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  scratch = g_dir_make_tmp("bh-programs-XXXXXX", NULL);
  g_test_add_func("/device-programs/files/calls", test_files_calls);
  g_test_add_func("/device-programs/files/batches", test_files_batches);
  g_test_add_func("/device-programs/files/footprint", test_files_footprint);
  g_test_add_func("/device-programs/files/two-devices", test_files_two_devices);
  g_test_add_func("/device-programs/files/failures", test_files_failures);
  g_test_add_func("/device-programs/files/lost-device", test_files_lost_device);
  g_test_add_func("/device-programs/files/forgotten-batch", test_files_forgotten_batch);
  g_test_add_func("/device-programs/files/full-disk", test_files_full_disk);
  g_test_add_func("/device-programs/cublas/calls", test_cublas_calls);
  g_test_add_func("/device-programs/cublas/sizes", test_cublas_sizes);
  g_test_add_func("/device-programs/cublas/two-devices", test_cublas_two_devices);
  g_test_add_func("/device-programs/cublas/refusals", test_cublas_refusals);
  g_test_add_func("/device-programs/cublas/library", test_cublas_library);
  g_test_add_func("/device-programs/cublas/failures", test_cublas_failures);
  g_test_add_func("/device-programs/cublas/statuses", test_cublas_statuses);
  const int result = g_test_run();
  g_rmdir(scratch);
  g_free(scratch);
  return result;
}
