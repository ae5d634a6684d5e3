/* SPDX-License-Identifier: MIT
 * What plugins/cuda asks of NVML and NVRTC, on stand-ins of both: machines without a GPU have no NVML, and on those
 * that tests run on the loader finds NVRTC's other half by itself. */
#include "api.h"

#include <dlfcn.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <stdlib.h>

static nvml_state *opened(unsigned char last) {
  cu_uuid uuid = {{0}};
  uuid.bytes[15] = last;
  return nvml_open(&uuid);
}

static void expect_clocks(nvml_state *device) {
  char text[160] = "";
  g_assert_nonnull(device);
  g_assert_cmpint(nvml_clocks(device, text, sizeof text), ==, 1);
  g_assert_cmpstr(text, ==, "SM 1980 MHz, memory 3201 MHz");
  g_assert_cmpint(nvml_throttle(device, text, sizeof text), ==, 1);
  g_assert_cmpstr(text, ==, "0x44 (power cap, hardware thermal)");
  g_assert_cmpint(nvml_driver(device, text, sizeof text), ==, 1);
  g_assert_cmpstr(text, ==, "580.65.06");
}

static void test_nvml(void) {
  expect_clocks(opened(1));
}

/* A part of a GPU runs at the whole GPU's clocks. */
static void test_nvml_of_a_part(void) {
  expect_clocks(opened(2));
}

static void test_nvml_of_another_device(void) {
  char text[160] = "untouched";
  g_assert_null(opened(3));
  g_assert_cmpint(nvml_clocks(NULL, text, sizeof text), ==, 0);
  g_assert_cmpint(nvml_throttle(NULL, text, sizeof text), ==, 0);
  g_assert_cmpint(nvml_driver(NULL, text, sizeof text), ==, 0);
  g_assert_cmpstr(text, ==, "untouched");
}

static char *copied(const char *from, const char *folder, const char *name) {
  char *to = g_build_filename(folder, name, NULL), *bytes = NULL;
  gsize size = 0;
  GError *error = NULL;
  if (!g_file_get_contents(g_getenv(from), &bytes, &size, &error) ||
      !g_file_set_contents(to, bytes, (gssize)size, &error))
    g_error("%s", error->message);
  g_free(bytes);
  return to;
}

/* NVRTC from a folder that the loader does not look in: its other half lies beside it. */
static void test_nvrtc_from_a_folder(void) {
  char why[CU_WHY_BYTES] = "", range[64];
  g_autofree char *folder = g_dir_make_tmp("bh-nvrtc-XXXXXX", NULL);
  g_autofree char *nvrtc = copied("FAKE_NVRTC", folder, "libnvrtc.so.99");
  g_autofree char *builtins = copied("FAKE_BUILTINS", folder, "libnvrtc-builtins.so.99.1");
  g_setenv("BENCHHOST_NVRTC", nvrtc, TRUE);
  void *cubin = NULL;
  size_t bytes = 0;
  char *log = NULL;
  if (nvrtc_load(why) != 0)
    g_error("%s", why);
  g_assert_cmpstr(nvrtc_version_text(), ==, "99.1");
  g_assert_cmpint(nvrtc_architecture(9, 0, range), ==, 90);
  g_assert_cmpint(nvrtc_architecture(8, 9, range), ==, 0);
  g_assert_cmpstr(range, ==, "sm_75 to sm_90");
  if (nvrtc_compile("", 0, "nothing", 90, &cubin, &bytes, &log) != 0)
    g_error("%s", log);
  g_assert_cmpstr(cubin, ==, "a cubin");
  g_assert_cmpuint(bytes, ==, sizeof "a cubin");
  free(cubin);
  free(log);
  g_unlink(nvrtc);
  g_unlink(builtins);
  g_rmdir(folder);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  if (!dlopen(g_getenv("FAKE_NVML"), RTLD_NOW | RTLD_LOCAL)) /* by its SONAME it is the real one from now on */
    g_error("%s", dlerror());
  g_test_add_func("/cuda-companions/nvml", test_nvml);
  g_test_add_func("/cuda-companions/nvml-of-a-part", test_nvml_of_a_part);
  g_test_add_func("/cuda-companions/nvml-of-another-device", test_nvml_of_another_device);
  g_test_add_func("/cuda-companions/nvrtc-from-a-folder", test_nvrtc_from_a_folder);
  return g_test_run();
}
