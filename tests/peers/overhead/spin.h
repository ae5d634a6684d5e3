/* SPDX-License-Identifier: MIT
 * The kernel that both sides time: a chain of dependent multiplications, so that neither compiler, cache nor memory has a
 * say in how long it takes. Compiled once, into spin.o, and linked by both. */
#pragma once
#include <stdint.h>

uint64_t spin(uint64_t seed, uint64_t steps);
