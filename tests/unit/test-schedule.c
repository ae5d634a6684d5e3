/* SPDX-License-Identifier: MIT
 * benchhost/schedule.h: hand-worked splits, every index exactly once under all schedules, and claims from many threads.
 */
#include <benchhost/schedule.h>
#include <glib.h>

typedef struct {
  guint64 begin, end;
  guint worker;
} Chunk;

/* All chunks, workers asking in a random order as they would at run time. */
static GArray *deal(const bh_share *share, GRand *random) {
  GArray *chunks = g_array_new(FALSE, FALSE, sizeof(Chunk));
  g_autofree guint64 *cursors = g_new0(guint64, share->workers);
  g_autofree gboolean *done = g_new0(gboolean, share->workers);
  bh_claims claims = {0};
  for (guint left = share->workers; left > 0;) {
    guint w = (guint)g_rand_int_range(random, 0, (gint32)share->workers);
    Chunk chunk = {.worker = w};
    if (done[w])
      continue;
    if (bh_schedule_next(share, &claims, &cursors[w], w, &chunk.begin, &chunk.end))
      g_array_append_val(chunks, chunk);
    else
      done[w] = TRUE, left--;
  }
  return chunks;
}

static gint by_begin(gconstpointer a, gconstpointer b) {
  const Chunk *x = a, *y = b;
  return x->begin < y->begin ? -1 : x->begin > y->begin;
}

static void expect(bh_schedule schedule, guint64 chunk, guint64 items, guint64 min_chunk, guint workers, guint worker,
                   const char *expected) {
  bh_share share = bh_schedule_share(schedule, chunk, items, min_chunk, workers);
  bh_claims claims = {0};
  guint64 cursor = 0, begin = 0, end = 0;
  g_autoptr(GString) text = g_string_new(NULL);
  while (bh_schedule_next(&share, &claims, &cursor, worker, &begin, &end))
    g_string_append_printf(text, "%" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT " ", begin, end);
  g_assert_cmpstr(text->str, ==, expected);
}

static void test_static_blocks(void) {
  expect(BH_STATIC, 0, 10, 1, 3, 0, "0-4 ");
  expect(BH_STATIC, 0, 10, 1, 3, 1, "4-7 ");
  expect(BH_STATIC, 0, 10, 1, 3, 2, "7-10 ");
  /* Grains of 4: 0-4 4-8 8-10, for two workers 2 and 1. */
  expect(BH_STATIC, 0, 10, 4, 2, 0, "0-8 ");
  expect(BH_STATIC, 0, 10, 4, 2, 1, "8-10 ");
  /* Fewer items than workers. */
  expect(BH_STATIC, 0, 2, 1, 4, 1, "1-2 ");
  expect(BH_STATIC, 0, 2, 1, 4, 2, "");
  expect(BH_STATIC, 0, 0, 1, 4, 0, "");
}

static void test_static_chunks(void) {
  expect(BH_STATIC, 2, 10, 1, 3, 0, "0-2 6-8 ");
  expect(BH_STATIC, 2, 10, 1, 3, 1, "2-4 8-10 ");
  expect(BH_STATIC, 2, 10, 1, 3, 2, "4-6 ");
  /* A chunk of 3 with grains of 2 becomes 4. */
  expect(BH_STATIC, 3, 11, 2, 2, 0, "0-4 8-11 ");
  expect(BH_STATIC, 3, 11, 2, 2, 1, "4-8 ");
}

static void test_dynamic(void) {
  expect(BH_DYNAMIC, 4, 10, 1, 2, 1, "0-4 4-8 8-10 ");
  /* ceil(1000 / (32 * 2)) = 16, grains of 10: 20. */
  bh_share share = bh_schedule_share(BH_DYNAMIC, 0, 1000, 10, 2);
  g_assert_cmpuint(bh_schedule_chunk_items(&share), ==, 20);
  share = bh_schedule_share(BH_DYNAMIC, 0, 5, 1, 8);
  g_assert_cmpuint(bh_schedule_chunk_items(&share), ==, 1);
  share = bh_schedule_share(BH_DYNAMIC, 100, 5, 1, 8);
  g_assert_cmpuint(bh_schedule_chunk_items(&share), ==, 5);
}

/* remaining / 4, at least 1: 25 18 14 10 8 6 4 3 3 2 and seven times 1, worked by hand. */
static void test_guided(void) {
  static const guint64 sizes[] = {25, 18, 14, 10, 8, 6, 4, 3, 3, 2, 1, 1, 1, 1, 1, 1, 1};
  bh_share share = bh_schedule_share(BH_GUIDED, 1, 100, 1, 2);
  bh_claims claims = {0};
  guint64 cursor = 0, begin = 0, end = 0, next = 0;
  for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
    g_assert_cmpint(bh_schedule_next(&share, &claims, &cursor, i % 2, &begin, &end), ==, 1);
    g_assert_cmpuint(begin, ==, next);
    g_assert_cmpuint(end - begin, ==, sizes[i]);
    next = end;
  }
  g_assert_cmpint(bh_schedule_next(&share, &claims, &cursor, 0, &begin, &end), ==, 0);
}

static void check_split(const bh_share *share, guint64 min_chunk, GRand *random) {
  g_autoptr(GArray) chunks = deal(share, random);
  guint64 next = 0;
  g_array_sort(chunks, by_begin);
  for (guint i = 0; i < chunks->len; i++) {
    const Chunk *chunk = &g_array_index(chunks, Chunk, i);
    g_assert_cmpuint(chunk->begin, ==, next);
    g_assert_cmpuint(chunk->begin, <, chunk->end);
    g_assert_cmpuint(chunk->begin % MAX(min_chunk, 1), ==, 0);
    if (i + 1 < chunks->len)
      g_assert_cmpuint((chunk->end - chunk->begin) % MAX(min_chunk, 1), ==, 0);
    next = chunk->end;
  }
  g_assert_cmpuint(next, ==, share->items);
}

static void test_every_index_once(void) {
  static const guint64 items[] = {0, 1, 2, 3, 7, 64, 100, 1001}, grains[] = {0, 1, 3, 16, 5000};
  static const guint64 chunks[] = {0, 1, 2, 17, 100000};
  static const guint workers[] = {1, 2, 3, 8, 33};
  g_autoptr(GRand) random = g_rand_new_with_seed(1);
  for (int s = BH_STATIC; s <= BH_GUIDED; s++)
    for (guint i = 0; i < G_N_ELEMENTS(items); i++)
      for (guint g = 0; g < G_N_ELEMENTS(grains); g++)
        for (guint c = 0; c < G_N_ELEMENTS(chunks); c++)
          for (guint w = 0; w < G_N_ELEMENTS(workers); w++) {
            bh_share share = bh_schedule_share((bh_schedule)s, chunks[c], items[i], grains[g], workers[w]);
            check_split(&share, grains[g], random);
          }
}

static void test_blocks_are_even(void) {
  for (guint64 items = 0; items < 200; items++) {
    bh_share share = bh_schedule_share(BH_STATIC, 0, items, 8, 5);
    guint64 least = G_MAXUINT64, most = 0;
    for (guint w = 0; w < 5; w++) {
      bh_claims claims = {0};
      guint64 cursor = 0, begin = 0, end = 0;
      if (!bh_schedule_next(&share, &claims, &cursor, w, &begin, &end))
        begin = end = 0;
      least = MIN(least, end - begin);
      most = MAX(most, end - begin);
    }
    g_assert_cmpuint(most - least, <=, 15); /* a grain, and what the last one lacks */
  }
}

static void test_huge(void) {
  guint64 items = G_MAXUINT64 - 5, begin = 0, end = 0, cursor = 0;
  for (int s = BH_STATIC; s <= BH_GUIDED; s++) {
    bh_share share = bh_schedule_share((bh_schedule)s, G_MAXUINT64 / 2, items, 1000, 2);
    bh_claims claims = {0};
    guint64 next = 0;
    cursor = 0;
    while (next < items && bh_schedule_next(&share, &claims, &cursor, 0, &begin, &end)) {
      g_assert_cmpuint(begin, <, end);
      g_assert_cmpuint(end, <=, items);
      next = end;
    }
    for (int i = 0; i < 10; i++)
      bh_schedule_next(&share, &claims, &cursor, 0, &begin, &end);
    if (s != BH_STATIC)
      g_assert_cmpuint(next, ==, items);
  }
}

typedef struct {
  bh_share share;
  bh_claims claims;
  gint *visits;
} Race;

static gpointer claim_all(gpointer data) {
  Race *race = data;
  guint64 cursor = 0, begin = 0, end = 0;
  while (bh_schedule_next(&race->share, &race->claims, &cursor, 0, &begin, &end))
    for (guint64 i = begin; i < end; i++)
      g_atomic_int_inc(&race->visits[i]);
  return NULL;
}

static void test_race(void) {
  enum { N = 20000, THREADS = 4 };
  for (int s = BH_DYNAMIC; s <= BH_GUIDED; s++) {
    Race *race = g_aligned_alloc0(1, sizeof *race, 64);
    GThread *threads[THREADS];
    race->share = bh_schedule_share((bh_schedule)s, 1, N, 1, THREADS);
    race->visits = g_new0(gint, N);
    for (guint t = 0; t < THREADS; t++)
      threads[t] = g_thread_new("claim", claim_all, race);
    for (guint t = 0; t < THREADS; t++)
      g_thread_join(threads[t]);
    for (guint i = 0; i < N; i++)
      g_assert_cmpint(race->visits[i], ==, 1);
    g_free(race->visits);
    g_aligned_free(race);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/schedule/static-blocks", test_static_blocks);
  g_test_add_func("/schedule/static-chunks", test_static_chunks);
  g_test_add_func("/schedule/dynamic", test_dynamic);
  g_test_add_func("/schedule/guided", test_guided);
  g_test_add_func("/schedule/every-index-once", test_every_index_once);
  g_test_add_func("/schedule/blocks-are-even", test_blocks_are_even);
  g_test_add_func("/schedule/huge", test_huge);
  g_test_add_func("/schedule/race", test_race);
  return g_test_run();
}
