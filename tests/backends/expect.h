/* SPDX-License-Identifier: MIT
 * What the checking workloads say of a wrong word. */
#pragma once
#include <benchhost/plugin.h>

#include <inttypes.h>

static inline bh_status expect_differs(const bh_host *h, const char *what, uint64_t i, uint64_t got,
                                       uint64_t expected) {
  return h->stop(h, BH_WRONG, "%s[%" PRIu64 "] is %" PRIx64 ", expected %" PRIx64, what, i, got, expected);
}

/* Returns from the caller, whose workload's state is `c`. Both words are worked out once. */
#define EXPECT(WHAT, I, GOT, EXPECTED)                                                                                 \
  do {                                                                                                                 \
    uint64_t got_ = (GOT), expected_ = (EXPECTED);                                                                     \
    if (got_ != expected_)                                                                                             \
      return expect_differs(c->host, WHAT, I, got_, expected_);                                                        \
  } while (0)
