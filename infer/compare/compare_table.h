/* The tables of compare.html. */
#pragma once

#include "infer/compare/compare_task.h"

#include <stdio.h>

/* A table of the page. It has a row for each variance, repeated for each trajectory (bounds) or
 * each sampler (a metric), and a column for each number of steps. */
typedef struct CompareTable {
    const Comparison *c;
    const Csv *csv;
    const char *column;          /* of csv: the values */
    const CompareMetric *metric; /* NULL: bounds */
} CompareTable;

/* Prints the table as HTML. */
void compare_put_table(FILE *to, const CompareTable *table);
