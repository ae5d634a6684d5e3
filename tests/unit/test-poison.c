/* SPDX-License-Identifier: MIT
 * Poison: found where it stands, not found where something else does. */
#include "worker/poison.h"

#include <string.h>

static void test_word(void) {
  for (guint64 i = 0; i < 1000; i++) {
    const guint64 word = bh_poison_word(42, i);
    for (guint b = 0; b < 8; b++)
      g_assert_cmpuint((word >> (8 * b)) & 0xff, >=, 0x80);
    g_assert_cmphex(word, !=, bh_poison_word(42, i + 1));
    g_assert_cmphex(word, !=, bh_poison_word(43, i));
  }
}

static void test_fill_and_count(void) {
  guint8 memory[100]; /* 12 whole words and a tail of 4 */
  const guint64 word = bh_poison_word(1, 2);
  guint64 first;
  bh_poison_fill(memory, sizeof memory, word);
  g_assert_cmpuint(bh_poison_count(memory, sizeof memory, word, 0, &first), ==, 12);
  g_assert_cmpuint(first, ==, 0);
  g_assert_cmpint(memcmp(memory + 96, &word, 4), ==, 0);
  memset(memory, 0, 40);
  g_assert_cmpuint(bh_poison_count(memory, sizeof memory, word, 0, &first), ==, 7);
  g_assert_cmpuint(first, ==, 40);
  memory[43] = 0; /* one byte written makes a word no poison */
  g_assert_cmpuint(bh_poison_count(memory, sizeof memory, word, 0, &first), ==, 6);
  memset(memory, 0, sizeof memory);
  g_assert_cmpuint(bh_poison_count(memory, sizeof memory, word, 0, &first), ==, 0);
}

static void test_spots_see_both_ends(void) {
  static guint64 memory[1 << 16];
  const guint64 word = bh_poison_word(7, 7);
  guint64 first;
  memory[0] = word;
  g_assert_cmpuint(bh_poison_count(memory, sizeof memory, word, 64, &first), >=, 1);
  memory[0] = 0;
  memory[G_N_ELEMENTS(memory) - 1] = word;
  g_assert_cmpuint(bh_poison_count(memory, sizeof memory, word, 64, &first), >=, 1);
  g_assert_cmpuint(first, ==, sizeof memory - 8);
  bh_poison_fill(memory, sizeof memory, word);
  g_assert_cmpuint(bh_poison_count(memory, sizeof memory, word, 64, &first), ==, 64);
  bh_poison_fill(memory, sizeof memory / 2, 0); /* half of it unwritten: 64 spots miss it once in 2^62 */
  g_assert_cmpuint(bh_poison_count(memory, sizeof memory, word, 64, &first), >, 0);
}

static void test_tiny(void) {
  guint8 few[7];
  guint64 first;
  bh_poison_fill(few, sizeof few, bh_poison_word(1, 1));
  g_assert_cmpuint(few[0], >=, 0x80);
  g_assert_cmpuint(bh_poison_count(few, sizeof few, bh_poison_word(1, 1), 0, &first), ==, 0);
  bh_poison_fill(few, 0, 1);
  g_assert_cmpuint(bh_poison_count(few, 0, 1, 5, &first), ==, 0);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/poison/word", test_word);
  g_test_add_func("/poison/fill-and-count", test_fill_and_count);
  g_test_add_func("/poison/spots-see-both-ends", test_spots_see_both_ends);
  g_test_add_func("/poison/tiny", test_tiny);
  return g_test_run();
}
