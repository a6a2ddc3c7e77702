/* Grids of images, and tables of grids with labels. */
#pragma once

#include "picture/canvas.h"

/* How a grid is laid out: row by row, padding around every image. */
typedef struct GridLayout {
    /* Of one image. */
    int height;
    int width;
    int channels;
    /* Images side by side. */
    int columns;
    /* The side of the square that shows a pixel of an image. */
    int scale;
    /* In pixels of the picture. */
    int padding;
} GridLayout;

/* Makes a canvas with images [n, height, width, channels], which the caller frees. Errors as in
 * canvas_make. */
bool image_grid(Canvas *canvas, const float *images, int n, const GridLayout *layout, Error *error);

/* A table of grids with labels: rows of variances, columns of steps, say. */
typedef struct GridTable {
    int rows;
    int columns;
    /* [rows] */
    const char *const *row_labels;
    /* [columns] */
    const char *const *column_labels;
    /* [rows * columns]: images [n, ...] of each cell; NULL: the cell stays blank. */
    const float *const *grids;
    /* Images in each grid. */
    int n;
    /* Of each grid. */
    GridLayout layout;
} GridTable;

/* The same of a table. */
bool image_grid_table(Canvas *canvas, const GridTable *table, Error *error);
