/* SPDX-License-Identifier: MIT
 *
 * stress CHECKS BACKENDS [seconds]: opens, runs and closes pthread and fork pools of many shapes again and again, more
 * workers than cores included. Made for ThreadSanitizer (a build tree with -Db_sanitize=thread), useful in any.
 */
#include "harness.h"
#include <stdio.h>
#include <stdlib.h>

static const char *const shapes[][6] = {
    {"pthread", "workers=2", "wait=spin"},
    {"pthread", "workers=2", "wait=block"},
    {"pthread", "workers=3", "wait=spin", "schedule=dynamic", "chunk=1"},
    {"pthread", "workers=6", "wait=block", "schedule=dynamic", "chunk=3"},
    {"pthread", "workers=4", "wait=spin", "schedule=guided"},
    {"pthread", "workers=5", "wait=block", "chunk=7"},
    {"fork", "workers=3", "wait=block", "schedule=dynamic", "chunk=1"},
    {"fork", "workers=2", "wait=spin", "schedule=guided"},
};
static const char *const loads[][3] = {
    {"check-items", "case=roles", "n=500"}, {"check-items", "case=chain", "n=300"},
    {"check-items", "case=roles", "n=1"},   {"check-team", "count=200", NULL},
    {"check-team", "count=9000", NULL},     {"check-team", "case=fail", "count=1"},
};
enum { SHAPES = sizeof shapes / sizeof *shapes, LOADS = sizeof loads / sizeof *loads };

static void load(BhTestPlugin *plugin, const char *folder, const char *subfolder, const char *const *words, int n) {
  char path[4096], *texts[8];
  int used[8] = {0}, given = 0;
  snprintf(path, sizeof path, "%s/%s%s%s.so", folder, subfolder, *subfolder ? "/" : "", words[0]);
  for (int i = 1; i < n && words[i]; i++)
    texts[given++] = (char *)(uintptr_t)words[i];
  bh_harness_load(plugin, path, texts, given, used);
}

int main(int argc, char **argv) {
  if (argc < 3)
    return fprintf(stderr, "usage: stress CHECKS BACKENDS [seconds]\n"), 64;
  const bh_host *h = bh_harness_host();
  uint64_t until = h->now_ns() + (uint64_t)(argc > 3 ? atoi(argv[3]) : 2) * 1000000000u;
  int cells = 0;
  bh_harness_quiet(1);
  /* fork shapes first, while this process has no threads: then only the others go round. */
  for (int s = SHAPES - 1; cells == 0 || h->now_ns() < until; s = s ? s - 1 : SHAPES - 3)
    for (int l = 0; l < LOADS; l++) {
      BhTestPlugin backend = {0}, workload = {0};
      load(&backend, argv[2], shapes[s][0], shapes[s], 6);
      load(&workload, argv[1], "", loads[l], 3);
      bh_harness_forget();
      bh_status status = bh_harness_run(&workload, &backend, 6);
      bh_status expected = l == LOADS - 1 ? BH_FAIL : BH_OK;
      cells++;
      if (status == expected)
        continue;
      printf("shape %d, load %d: status %d: %s\n", s, l, (int)status, bh_harness_reason());
      return 1;
    }
  printf("%d cells\n", cells);
  return 0;
}
