/* SPDX-License-Identifier: MIT
 * Memory between pages that nobody may touch: whoever runs over its end is caught in the act and named. The data end at
 * the page behind them, but for the bytes that 64-byte alignment leaves over; those, and the ones before the start,
 * hold a pattern that is looked at afterwards. */
#pragma once
#include <glib.h>

typedef struct {
  guint8 *data; /* 64-byte aligned */
  gsize bytes;
  guint8 *pages; /* the whole mapping, guard pages included */
  gsize page_bytes;
  char name[64];
  gboolean read_only;
} BhGuard;

BhGuard *bh_guard_new(const char *name, gsize bytes); /* zeroed; NULL: out of memory */
void bh_guard_free(BhGuard *guard);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(BhGuard, bh_guard_free)
void bh_guard_protect(BhGuard *guard, gboolean read_only);
/* What was written beside the data: "8 bytes before its start"; NULL: nothing. Caller frees. */
char *bh_guard_damage(const BhGuard *guard);
/* Turns SIGSEGV, SIGBUS, ... into a line that names the guard that was hit, then dies of the signal as before. */
void bh_guard_watch(void);
