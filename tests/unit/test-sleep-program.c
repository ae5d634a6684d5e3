/* SPDX-License-Identifier: MIT
 * The device program of sleep on the stub of a device: the host naps when the stream gets there, and what it wrote
 * comes into the device's copy when it is fetched, once. */
#include "stub-device.h"
#include "workload-fixture.h"

typedef struct {
  Fixture fixture;
  const bh_program *program;
} Sleep;

static void sleep_open(Sleep *s, const char *settings) {
  g_assert_cmpint(fixture_open(&s->fixture, "sleep", settings, NULL, "/nowhere", 1), ==, BH_OK);
  g_assert_cmpint(bh_problem_choose(s->fixture.ours, "portable", "opencl", &s->fixture.mini->host), ==, BH_OK);
  s->program = s->fixture.ours->kernels[0].program;
  g_assert_nonnull(s->program);
}

static StubDevice *sleep_device(Sleep *s, guint index, guint count) {
  return stub_device_new(&s->fixture.mini->host, &s->fixture.ours->problem, s->fixture.region, index, count);
}

static void sleep_verified(Sleep *s) {
  if (fixture_verify(&s->fixture) != BH_OK)
    g_error("%s", bh_mini_host_reason(s->fixture.mini));
  fixture_check_canaries(&s->fixture);
}

static void test_calls(void) {
  Sleep s;
  sleep_open(&s, "items=3 duration=100us");
  g_autoptr(StubDevice) stub = sleep_device(&s, 0, 1);
  fixture_prepare(&s.fixture, 0);
  g_assert_cmpint(stub_device_run(stub, s.program, 0, 0, 3, 2), ==, BH_OK);
  g_autofree char *calls = stub_device_calls(stub);
  const char *run = "-- enqueue\nhost_func\n-- fetch\nfinish\nregion 0\nupload 72 to 0\n";
  g_autofree char *expected = g_strconcat(run, run, "-- finish\n", NULL);
  g_assert_cmpstr(calls, ==, expected);
  sleep_verified(&s);
  fixture_damage(&s.fixture);
  g_clear_pointer(&stub, stub_device_free);
  fixture_close(&s.fixture);
}

/* Elsewhere the kernel itself runs. */
static void test_only_opencl(void) {
  static const char *const targets[] = {"host", "cuda"};
  for (guint i = 0; i < G_N_ELEMENTS(targets); i++) {
    Sleep s;
    g_assert_cmpint(fixture_open(&s.fixture, "sleep", "items=3", NULL, "/nowhere", 1), ==, BH_OK);
    g_assert_cmpint(bh_problem_choose(s.fixture.ours, "portable", targets[i], &s.fixture.mini->host), ==, BH_OK);
    g_assert_null(s.fixture.ours->kernels[0].program);
    g_assert_nonnull(s.fixture.ours->kernels[0].source);
    fixture_close(&s.fixture);
  }
}

static void test_two_devices(void) {
  Sleep s;
  sleep_open(&s, "items=9 duration=10us");
  fixture_prepare(&s.fixture, 0);
  for (guint k = 0; k < 2; k++) {
    g_autoptr(StubDevice) stub = sleep_device(&s, k, 2);
    g_assert_cmpint(stub_device_run(stub, s.program, 0, k ? 4 : 0, k ? 9 : 4, 1), ==, BH_OK);
  }
  sleep_verified(&s);
  fixture_close(&s.fixture);
}

/* Enqueued twice before a fetch, as inner repetitions are; fetched twice after it: the second adds nothing, so naps of
 * an earlier run cannot hide what the host wrote since. */
static void test_fetched_once(void) {
  Sleep s;
  void *state = NULL;
  sleep_open(&s, "items=4 duration=10us");
  g_autoptr(StubDevice) stub = sleep_device(&s, 0, 1);
  bh_device *d = &stub->device;
  const void *params = s.fixture.ours->loops[0].params;
  g_assert_cmpint(s.program->prepare(d, 0, &state), ==, BH_OK);
  g_assert_cmpint(s.program->enqueue(state, d, 0, 4, params), ==, BH_OK);
  g_assert_cmpint(s.program->enqueue(state, d, 0, 4, params), ==, BH_OK);
  g_assert_cmpuint(stub_device_count(stub, "host_func"), ==, 2);
  g_assert_cmpint(s.program->fetch(state, d), ==, BH_OK);
  g_assert_cmpint(s.program->fetch(state, d), ==, BH_OK);
  g_assert_cmpuint(stub_device_count(stub, "upload"), ==, 1);
  g_assert_cmpint(s.program->enqueue(state, d, 2, 2, params), ==, BH_OK); /* nothing to do */
  g_assert_cmpuint(stub_device_count(stub, "host_func"), ==, 2);
  g_assert_cmpint(d->finish(d), ==, BH_OK);
  s.program->finish(state, d);
  g_clear_pointer(&stub, stub_device_free);
  fixture_close(&s.fixture);
}

static void test_failures(void) {
  Sleep s;
  sleep_open(&s, "items=4 duration=10us");
  for (guint n = 1; n <= 3; n++) { /* host_func, finish, upload */
    g_autoptr(StubDevice) stub = sleep_device(&s, 0, 1);
    bh_mini_host_reset(s.fixture.mini);
    stub->fail_at = n;
    stub->fail_with = BH_FAIL;
    g_assert_cmpint(stub_device_run(stub, s.program, 0, 0, 4, 1), ==, BH_FAIL);
    g_assert_nonnull(strstr(bh_mini_host_reason(s.fixture.mini), "injected into call"));
  }
  fixture_close(&s.fixture);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/sleep-program/calls", test_calls);
  g_test_add_func("/sleep-program/only-opencl", test_only_opencl);
  g_test_add_func("/sleep-program/two-devices", test_two_devices);
  g_test_add_func("/sleep-program/fetched-once", test_fetched_once);
  g_test_add_func("/sleep-program/failures", test_failures);
  return g_test_run();
}
