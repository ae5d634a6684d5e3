/* SPDX-License-Identifier: MIT
 *
 * options.h - what a matrix may say of this backend, in the order of its table.
 */
#pragma once
#include <benchhost/plugin.h>

enum { P_DEVICE, P_STREAMS, P_BLOCK, P_GRID, P_TIMING, P_BATCH_TIME, P_GRAPH };
typedef enum { TIMING_EVENTS, TIMING_ISOLATED, TIMING_BATCH } cuda_timing;
typedef enum { GRAPH_AUTO, GRAPH_YES, GRAPH_NO } cuda_graph;
extern const bh_param cuda_params[];

enum { MOST_DEVICES = 64, OPTIONS_WHY_BYTES = 256 };
/* "all", or indices below `devices` ("0, 2"), each at most once, in the order they are given. BH_OK, or BH_SKIP (this
 * machine has fewer), or BH_FAIL, with the reason in `ret_why`. */
bh_status cuda_parse_devices(const char *text, int devices, int ret_list[MOST_DEVICES], uint32_t *ret_n,
                             char ret_why[OPTIONS_WHY_BYTES]);
