/* SPDX-License-Identifier: MIT
 * The checksum: every single flipped bit shows, at every length around its block size; order and length count. */
#include "worker/checksum.h"

static void test_every_bit(void) {
  guint8 memory[100];
  for (guint i = 0; i < sizeof memory; i++)
    memory[i] = (guint8)(i * 37 + 11);
  for (guint n = 0; n <= sizeof memory; n++) {
    const guint64 before = bh_checksum(memory, n);
    for (guint bit = 0; bit < 8 * n; bit++) {
      memory[bit / 8] ^= (guint8)(1u << bit % 8);
      g_assert_cmphex(bh_checksum(memory, n), !=, before);
      memory[bit / 8] ^= (guint8)(1u << bit % 8);
    }
    g_assert_cmphex(bh_checksum(memory, n), ==, before);
  }
}

static void test_order_and_length(void) {
  static const guint64 zeros[8];
  for (guint n = 1; n <= sizeof zeros; n++)
    g_assert_cmphex(bh_checksum(zeros, n), !=, bh_checksum(zeros, n - 1));
  guint64 words[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  const guint64 before = bh_checksum(words, sizeof words);
  words[0] = 5; /* two words of one chain change places */
  words[4] = 1;
  g_assert_cmphex(bh_checksum(words, sizeof words), !=, before);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/checksum/every-bit", test_every_bit);
  g_test_add_func("/checksum/order-and-length", test_order_and_length);
  return g_test_run();
}
