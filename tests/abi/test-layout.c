/* SPDX-License-Identifier: MIT
 * The contract's structs as ABI 0.3 froze them on 64-bit machines: a change here means a new BH_ABI. */
#include <benchhost/device.h>
#include <glib.h>
#include <string.h>

#define AT(type, member, offset) g_assert_cmpuint(offsetof(type, member), ==, offset)

static void test_head_is_first_for_ever(void) {
  AT(bh_plugin_info, magic, 0);
  AT(bh_plugin_info, size, 4);
  AT(bh_plugin_info, abi, 8);
  g_assert_cmphex(BH_MAGIC, ==, 0x31484842);
  g_assert_cmpint(memcmp("BHH1", &(guint32){GUINT32_TO_LE(BH_MAGIC)}, 4), ==, 0);
}

static void test_abi_0_3(void) {
  if (sizeof(void *) != 8) {
    g_test_skip("sizes are written down for 64-bit machines");
    return;
  }
  g_assert_cmphex(BH_ABI, ==, 0x00000003);
  g_assert_cmpuint(sizeof(bh_plugin_info), ==, 64);
  g_assert_cmpuint(sizeof(bh_workload), ==, 56);
  g_assert_cmpuint(sizeof(bh_backend), ==, 88);
  g_assert_cmpuint(sizeof(bh_param), ==, 80);
  g_assert_cmpuint(sizeof(bh_value), ==, 40);
  g_assert_cmpuint(sizeof(bh_region), ==, 64);
  g_assert_cmpuint(sizeof(bh_use), ==, 40);
  g_assert_cmpuint(sizeof(bh_kernel), ==, 96);
  g_assert_cmpuint(sizeof(bh_kernel_shape), ==, 24);
  g_assert_cmpuint(sizeof(bh_loop), ==, 48);
  g_assert_cmpuint(sizeof(bh_args), ==, 32);
  g_assert_cmpuint(sizeof(bh_problem), ==, 128);
  g_assert_cmpuint(sizeof(bh_needs), ==, 40);
  g_assert_cmpuint(sizeof(bh_team), ==, 104);
  g_assert_cmpuint(sizeof(bh_host), ==, 112);
  g_assert_cmpuint(sizeof(bh_program), ==, 48);
  g_assert_cmpuint(sizeof(bh_footprint), ==, 16);
  g_assert_cmpuint(sizeof(bh_device), ==, 160);
  AT(bh_backend, run_loop, 56);
  AT(bh_backend, close, 80);
  AT(bh_workload, verify, 40);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/abi/head", test_head_is_first_for_ever);
  g_test_add_func("/abi/0.3", test_abi_0_3);
  return g_test_run();
}
