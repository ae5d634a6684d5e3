/* SPDX-License-Identifier: MIT
 * Owns the error domain. */
#include "base/error.h"

G_DEFINE_QUARK(bh-error-quark, bh_error)
