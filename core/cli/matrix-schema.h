/* SPDX-License-Identifier: MIT
 * The JSON Schema (draft 2020-12) of a matrix. */
#pragma once
#include "plugin/catalog.h"

/* `plugins`: of const BhPlugin, whose names and parameters it knows; NULL: any name, any parameter. Caller frees. */
char *bh_matrix_schema(const GPtrArray *plugins);
