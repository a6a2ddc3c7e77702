/* The values of an unfinished `infer quality`, which the same command continues. A file with
 * another key changes nothing. */
#include "fuzz/target.h"
#include "infer/quality/quality_store.h"

#include <string.h>

void fuzz_quality(const uint8_t *bytes, size_t size)
{
    enum { COLUMNS = 3, VALUES = 2 * QUALITY_METRICS * COLUMNS };
    Error error = {0};
    double values[VALUES];
    bool found = false;
    for (int i = 0; i < VALUES; i++)
        values[i] = 7;
    const QualityTask task = {.cell_count = 1, .columns = COLUMNS, .values = values};
    if (!quality_store_read(&task, FUZZ_KEY, fuzz_file("quality.h5", bytes, size), &found, &error))
        fuzz_check_error(&error);
    for (int i = 0; i < VALUES; i++)
        if (!found && values[i] != 7)
            fuzz_broken("a file of another key changes nothing");
}
