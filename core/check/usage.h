/* SPDX-License-Identifier: MIT
 * What this process holds, to see what a plugin did not give back. */
#pragma once
#include <glib.h>

/* Calls `life` many times and looks what stays: "8 descriptors, 1024 bytes of heap" after BH_USAGE_ROUNDS calls, or
 * NULL when nothing does. Three windows in a row must grow: allocators settle late. FALSE from `life` ends it with
 * NULL. Caller frees. */
#define BH_USAGE_ROUNDS 8
char *bh_usage_growth(gboolean (*life)(void *user), void *user);
