/* The page that infer compare writes. */
#pragma once

#include "infer/compare/compare_task.h"

/* Writes the filled-in comparison as one HTML file. */
bool compare_write_page(const Comparison *c, const char *path, Error *error);
