/* Tables of other commands, read back: CSV as varhead writes it, a line of names first, no
 * quotes. */
#pragma once

#include "base/error.h"

typedef struct Csv {
    /* The file, cut at commas and ends of lines. */
    char *text;
    /* [1 + rows, columns]: the names first; they point into text */
    char **cells;
    int columns, rows;
} Csv;

/* Reads the file. An input error if it cannot be read, if a line has more or fewer cells than
 * the first one, or if the first line has more than 64. */
bool csv_read(Csv *csv, const char *path, Error *error);
void csv_free(Csv *csv); /* fine on a zeroed struct */

/* The cell in `row`, 0 .. rows - 1, of the column `name`; "" if there is no such column. */
const char *csv_cell(const Csv *csv, int row, const char *name);

/* The same as a number; NaN if it is not one. */
double csv_number(const Csv *csv, int row, const char *name);

/* The first row, at `from` or after it, whose column `name` holds `value`; -1 if there is none. */
int csv_find(const Csv *csv, int from, const char *name, const char *value);
