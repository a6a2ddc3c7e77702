/* Tables of other commands, read back: CSV with a line of names first, as varhead writes it (no quotes). */
#pragma once

#include "base/error.h"

typedef struct Csv {
    char *text;   /* of the file, cut at commas and lines */
    char **cells; /* [1 + rows, columns]: the names first */
    int columns, rows;
} Csv;

/* Reads the file. An input error if it can't be read, if a line has more or fewer cells than the first,
 * or if that has more than any table. */
bool csv_read(Csv *csv, const char *path, Error *error);
void csv_free(Csv *csv); /* fine on a zeroed struct */

/* The cell in `row`, 0 .. rows - 1, of the column named `name`; "" where there is no such column. */
const char *csv_cell(const Csv *csv, int row, const char *name);

/* The same as a number; NaN where it is none. */
double csv_number(const Csv *csv, int row, const char *name);

/* The first row, from `from` on, whose column `name` holds `value`; -1 if none does. */
int csv_find(const Csv *csv, int from, const char *name, const char *value);
