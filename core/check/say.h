/* SPDX-License-Identifier: MIT
 * A trial's voice: one JSON line per promise, on the stdout that the plugin cannot reach. */
#pragma once
#include <glib.h>

/* Takes stdout away from the plugin. Call before anything is loaded. */
gboolean bh_say_init(void);
/* What is being tried from now on: if the process dies, this is what failed. */
void bh_say_trying(const char *format, ...) G_GNUC_PRINTF(1, 2);
/* The current promise is kept. Nothing is said if bh_say_failed was called for it already. */
void bh_say_ok(void);
void bh_say_failed(const char *format, ...) G_GNUC_PRINTF(1, 2);
void bh_say_not_tried(const char *format, ...) G_GNUC_PRINTF(1, 2);
gboolean bh_say_has_failed(void); /* the current promise */
/* For signal handlers: async-signal-safe, `text` without quotes or control characters. */
void bh_say_dying(const char *text);
