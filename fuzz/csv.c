/* A table of another command, as `infer compare` reads it back. Every cell is there, as text and as a number. */
#include "infer/csv.h"
#include "fuzz/target.h"

#include <string.h>

void fuzz_csv(const uint8_t *bytes, size_t size)
{
    Error error = {0};
    Csv csv;
    volatile size_t length = 0; /* read, so that the sanitizer sees whether it is there */
    volatile double number = 0;
    if (!csv_read(&csv, fuzz_file("table.csv", bytes, size), &error))
        fuzz_check_error(&error);
    else {
        for (int row = 0; row < csv.rows; row++)
            for (int column = 0; column < csv.columns; column++) {
                length += strlen(csv_cell(&csv, row, csv.cells[column]));
                number += csv_number(&csv, row, csv.cells[column]);
            }
        if (csv_find(&csv, 0, "variance", "sn") >= csv.rows)
            fuzz_broken("a row that is found is there");
    }
    csv_free(&csv);
}
