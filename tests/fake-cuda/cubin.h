/* SPDX-License-Identifier: MIT
 * Images for the driver double's test: the least that a cubin is, made here, or NVRTC's. */
#pragma once
#include <stddef.h>

/* An ELF file as a device's linker makes them: kernel `entry` with parameters of these sizes (0 ends them), at most
 * `max_threads` lanes a group, and a variable bh_clock_offset_ns. Caller frees. */
void *cubin_made(const char *entry, const unsigned *params, int max_threads, int arch, size_t *ret_bytes);
/* `source` compiled for sm_`arch`; NULL and *ret_why where there is no NVRTC. A failing compilation ends the test.
 * Caller frees. */
void *cubin_compiled(const char *source, int arch, const char **ret_why);
