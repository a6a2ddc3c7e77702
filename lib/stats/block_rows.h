/* The rows of a regression (stats/gamma_regression.h) from a sample of blocks
 * (stats/block_sample.h).
 *
 * Each pixel of a block that lies in the image is a row. Its phi holds the features of nine
 * neighbours, row by row, [9, features], and a one. This is the order of layers/patch_gram.h. The
 * rows are never written out: they are read where the blocks hold them.
 */
#pragma once

#include "stats/block_sample.h"
#include "stats/gamma_regression.h"

typedef struct BlockRows BlockRows;

/* Rows of one group, or of all groups if `group` is BLOCK_ROWS_ALL. Only every `stride`-th chunk of
 * some blocks is read. The sample is borrowed, and must not change. It fails for want of memory. */
enum { BLOCK_ROWS_ALL = -1 };
bool block_rows_make(BlockRows **rows, const BlockSample *sample, int group, int stride,
                     Error *error);
void block_rows_free(BlockRows *rows); /* NULL is fine */

/* The rows for a regression. They borrow `rows`. */
GammaRows block_rows_maps(const BlockRows *rows);

/* The number of rows. */
size_t block_rows_count(const BlockRows *rows);

/* value [rows] := function(context, t, residual) of each row's timestep and of its residual in one
 * channel. */
void block_rows_values(const BlockRows *rows, int channel,
                       double (*function)(const void *context, int t, double residual),
                       const void *context, double *value);
