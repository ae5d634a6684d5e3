/* SPDX-License-Identifier: MIT
 * One launch of a kernel of forms.k.h, and the three ways to run it. */
#pragma once
#include <glib.h>

#define FORMS_USES 6

typedef struct {
  const char *name;
  gboolean by_group;
  guint groups, lanes; /* on the host: `groups` workers */
  guint64 begin, end, grain;
  guint uses;
  void *memory[FORMS_USES];
  gsize bytes[FORMS_USES];    /* of all parts */
  guint64 stride[FORMS_USES]; /* of a private part; 0: shared */
  const void *params;
  gsize params_bytes;
} Launch;

/* Parts of a private region: lanes, groups, or workers. */
static inline guint forms_device_parts(const Launch *l) {
  return l->by_group ? l->groups : l->groups * l->lanes;
}

void forms_twin_run(const Launch *l); /* fails the test where the name is not known */

/* NULL: ready. Else why not here. `source`: the text of the kernels. */
const char *forms_opencl_open(const char *source);
void forms_opencl_run(const Launch *l);
void forms_opencl_close(void);
