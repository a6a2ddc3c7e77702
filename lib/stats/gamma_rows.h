/* The rows of a gamma regression (stats/gamma_regression.h): vectors phi of P features, the last of
 * them 1.
 *
 * A regression asks for two linear maps of its rows, never for their numbers.
 */
#pragma once

#include <stddef.h>

/* They come in chunks, so that a chunk stays in the caches. Several threads call the functions at
 * once, each for another chunk. */
typedef struct GammaRows {
    const void *context;
    /* P. */
    int features;
    int chunks;
    /* The number of rows before a chunk; of chunk `chunks`: the number of all rows. */
    size_t (*first)(const void *context, int chunk);
    /* l [rows of the chunk] := w' phi, w [P]. */
    void (*apply)(const void *context, int chunk, const double *w, double *l);
    /* sum [P] += the sum over the chunk's rows of slope phi, slope [rows of the chunk]. */
    void (*add)(const void *context, int chunk, const double *slope, double *sum);
} GammaRows;

/* Rows that lie in memory as a matrix. */
typedef struct GammaMatrix {
    size_t rows;
    int features;
    /* [rows, features] */
    const double *phi;
} GammaMatrix;

/* The matrix as rows; it is borrowed. */
GammaRows gamma_matrix_rows(const GammaMatrix *matrix);

/* fisher [P (P + 1) / 2] := the mean of phi phi', its lower triangle row by row. */
void gamma_matrix_fisher(const GammaMatrix *matrix, double *fisher);

/* l [rows] := w' phi of every row. */
void gamma_rows_apply(const GammaRows *rows, const double *w, double *l);
