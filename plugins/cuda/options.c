/* SPDX-License-Identifier: MIT
 *
 * options.c - the table of options, and the list of devices in one of them.
 */
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const bh_param cuda_params[] = {
    {.name = "device",
     .type = BH_TEXT,
     .fallback = "0",
     .help = "which devices share a loop: indices (0, or 0,2), or all"},
    {.name = "streams",
     .type = BH_INT,
     .fallback = "1",
     .unit = "streams",
     .min = 1,
     .max = 64,
     .help = "lanes on each device: streams that share a loop's items"},
    {.name = "block",
     .type = BH_INT,
     .fallback = "0",
     .unit = "threads",
     .min = 0,
     .max = 1024,
     .help =
         "threads of a block, for kernels that do not fix it; 0: 256, or fewer where the kernel needs many registers"},
    {.name = "grid",
     .type = BH_INT,
     .fallback = "0",
     .unit = "blocks",
     .min = 0,
     .max = 2147483647,
     .help = "blocks of a launch; 0: as many as the device holds at once, and no more than there are items"},
    {.name = "timing",
     .type = BH_CHOICE,
     .fallback = "events",
     .choices = "events|isolated|batch",
     .help =
         "device time of a loop: between two events; with a cold cache and no launch in it; or the mean of many runs "
         "back to back"},
    {.name = "batch-time",
     .type = BH_DURATION,
     .fallback = "500ms",
     .min = 1e3,
     .max = 60e9,
     .help = "how long the batch of timing: batch lasts"},
    {.name = "graph",
     .type = BH_CHOICE,
     .fallback = "auto",
     .choices = "auto|yes|no",
     .help = "replay a loop as one CUDA graph; auto: where it enqueues several operations"},
    {NULL},
};

static bh_status refuse(bh_status status, const char *text, int devices, char *ret_why) {
  if (status == BH_SKIP)
    snprintf(ret_why, OPTIONS_WHY_BYTES, "device %.64s: this machine has %d CUDA device%s, counted from 0%s", text,
             devices, devices == 1 ? "" : "s", devices > MOST_DEVICES ? "; 64 of them can be used" : "");
  else
    snprintf(ret_why, OPTIONS_WHY_BYTES, "device: expected indices, each once (0, or 0,2), or all; found '%.64s'",
             text);
  return status;
}

static int listed(const int *list, uint32_t n, int index) {
  for (uint32_t i = 0; i < n; i++)
    if (list[i] == index)
      return 1;
  return 0;
}

bh_status cuda_parse_devices(const char *text, int devices, int ret_list[MOST_DEVICES], uint32_t *ret_n,
                             char ret_why[OPTIONS_WHY_BYTES]) {
  uint32_t n = 0;
  if (!strcmp(text, "all")) {
    for (; n < (uint32_t)devices && n < MOST_DEVICES; n++)
      ret_list[n] = (int)n;
    *ret_n = n;
    return BH_OK;
  }
  for (const char *at = text;;) {
    at += strspn(at, " ");
    if (*at < '0' || *at > '9' || n == MOST_DEVICES)
      return refuse(BH_FAIL, text, devices, ret_why);
    char *end;
    errno = 0;
    const long index = strtol(at, &end, 10);
    if (errno || index > 1000000 || listed(ret_list, n, (int)index))
      return refuse(BH_FAIL, text, devices, ret_why);
    if (index >= devices || index >= MOST_DEVICES)
      return refuse(BH_SKIP, text, devices, ret_why);
    ret_list[n++] = (int)index;
    at = end + strspn(end, " ");
    if (!*at)
      break;
    if (*at++ != ',')
      return refuse(BH_FAIL, text, devices, ret_why);
  }
  *ret_n = n;
  return BH_OK;
}
