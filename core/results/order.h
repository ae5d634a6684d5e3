/* SPDX-License-Identifier: MIT
 * The order of cells in tables and exports. Internal to results/. */
#pragma once
#include "results/merge.h"

void bh_order_cells(const BhResults *results, GPtrArray *cells); /* of BhMerged; sorts in place */
