/* SPDX-License-Identifier: MIT
 * forms.k.h as a test double of a driver runs it: one lane (or group) at a time, arguments as a driver gets them. */
#define BH_TWIN
#include "forms.k.h"
#include "forms.h"

_Thread_local uint64_t bh_twin_index, bh_twin_count;
uint64_t bh_twin_clock_ns(void) {
  return 0;
}

#define SIX(FORM)                                                                                                      \
  {#FORM "1", FORM##1}, {#FORM "2", FORM##2}, {#FORM "3", FORM##3}, {#FORM "4", FORM##4}, {#FORM "5", FORM##5}, {      \
#FORM "6", FORM##6                                                                                                 \
  }
static const struct {
  const char *name;
  void (*run)(void **arguments);
} twins[] = {
    SIX(items),
    SIX(chunks),
    SIX(reduce),
    SIX(groups),
    {"private_items", private_items},
    {"private_chunks", private_chunks},
    {"private_groups", private_groups},
    {"randoms", randoms},
    {"doubles", doubles},
    {"floats", floats},
    {"bits", bits},
};

void forms_twin_run(const Launch *l) {
  bh_launch whole = {l->begin, l->end, l->grain};
  void *memory[FORMS_USES], *arguments[2 + 2 * FORMS_USES];
  guint64 stride[FORMS_USES];
  guint at = 0;
  for (guint k = 0; k < l->uses; k++) {
    memory[k] = l->memory[k];
    stride[k] = l->stride[k];
    arguments[1 + 2 * k] = &memory[k];
    arguments[2 + 2 * k] = &stride[k];
  }
  arguments[0] = &whole;
  arguments[1 + 2 * l->uses] = (void *)l->params;
  while (at < G_N_ELEMENTS(twins) && !g_str_equal(twins[at].name, l->name))
    at++;
  g_assert_cmpuint(at, <, G_N_ELEMENTS(twins));
  bh_twin_count = forms_device_parts(l);
  for (bh_twin_index = 0; bh_twin_index < bh_twin_count; bh_twin_index++)
    twins[at].run(arguments);
}
