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

/* Prints the calibration by tenths of an image's elements: a row for each variance, with the means
 * over timesteps of the columns <column>_1 to <column>_10 of c->calibration. */
void compare_put_tenths(FILE *to, const Comparison *c, const char *column);
