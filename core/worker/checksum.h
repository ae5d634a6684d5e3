/* SPDX-License-Identifier: MIT
 * A fast 64-bit checksum, to notice that memory which nobody may write was written. Not cryptographic. */
#pragma once
#include <glib.h>

guint64 bh_checksum(const void *memory, guint64 bytes);
