/* SPDX-License-Identifier: MIT
 * Cells without a partner, and which of the other side's come near: same workload and backend, one parameter or option
 * differs. Internal to history/. */
#pragma once
#include "history/compare.h"

GPtrArray *bh_near_list_new(void); /* of BhCompareLonely */
void bh_near_add(GPtrArray *lonely, const BhStoredCell *cell, guint run);
void bh_near_find(GPtrArray *lonely); /* fills each one's `near` */
