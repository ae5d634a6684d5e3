/* SPDX-License-Identifier: MIT
 * NVRTC's other half, as far as a test needs it: a library of that name. */
#include <benchhost/plugin.h>

BH_EXPORT int fake_builtins_are_here(void);
int fake_builtins_are_here(void) {
  return 1;
}
