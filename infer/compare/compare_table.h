/* The tables of compare.html. */
#pragma once

#include "infer/compare/compare_task.h"

#include <stdio.h>

/* A table of the page. It has a row for each variance, repeated for each trajectory (bounds) or
 * each sampler (a metric), and a column for each number of steps. */
typedef struct CompareTable {
    const Comparison *c;
    const Csv *csv;
    /* The column of csv with the values. */
    const char *column;
    /* NULL for bounds. */
    const CompareMetric *metric;
} CompareTable;

/* Prints the table as HTML. */
void compare_put_table(FILE *to, const CompareTable *table);
