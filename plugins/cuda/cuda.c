/* SPDX-License-Identifier: MIT
 *
 * cuda - NVIDIA GPUs by the driver API. The engine in plugins/device does what all devices have in common; the files
 * here are its driver.
 */
#include "lane.h"

static bh_status accept(const bh_host *h, const bh_value *values, const bh_problem *problem, bh_needs *ret_needs) {
  return dev_accept(&cuda_driver, h, values, problem, ret_needs);
}

static bh_status open(const bh_host *h, const bh_value *values, const bh_problem *problem, const void *workload_state,
                      void **ret_state) {
  return dev_open(&cuda_driver, h, values, problem, workload_state, ret_state);
}

static const bh_backend backend = {
    .size = sizeof backend,
    .target = "cuda",
    .probe = cuda_probe,
    .accept = accept,
    .open = open,
    .alloc = dev_alloc,
    .bind = dev_bind,
    .run_loop = dev_run_loop,
    .run_team = dev_run_team,
    .fetch = dev_fetch,
    .close = dev_close,
};

const bh_plugin_info bh_plugin = {
    BH_PLUGIN_HEAD,        .name = "cuda",
    .version = "0.1.0",    .summary = "NVIDIA GPUs: kernels compiled for the device at hand, lanes are its streams",
    .params = cuda_params, .backend = &backend,
};
