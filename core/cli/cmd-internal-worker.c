/* SPDX-License-Identifier: MIT
 * `benchhost internal-worker`: one cell's process; started by the supervisor only. */
#include "cli/cli.h"
#include "worker/request.h"

int bh_cmd_internal_worker(int argc, char **argv) {
  (void)argc, (void)argv;
  return bh_worker_main();
}
