/* A table of another command, as `infer compare` reads it. Every cell can be read as text and as a
 * number. */
#include "infer/csv.h"
#include "fuzz/target.h"

#include <string.h>

void fuzz_csv(const uint8_t *bytes, size_t size)
{
    Error error = {0};
    Csv csv;
    if (!csv_read(&csv, fuzz_file("table.csv", bytes, size), &error))
        fuzz_check_error(&error);
    else {
        for (int row = 0; row < csv.rows; row++)
            for (int column = 0; column < csv.columns; column++) {
                if (strlen(csv_cell(&csv, row, csv.cells[column])) > size)
                    fuzz_broken("a cell is no longer than its file");
                (void)csv_number(&csv, row, csv.cells[column]);
            }
        if (csv_find(&csv, 0, "variance", "sn") >= csv.rows)
            fuzz_broken("a row that is found is there");
    }
    csv_free(&csv);
}
