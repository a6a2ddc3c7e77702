#include "csv.h"

#include "base/memory.h"
#include "io/input_file.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_text(Csv *csv, const char *path, Error *error)
{
    int64_t size = 0;
    if (!input_file_check(path, "a table (CSV)", &size, error) ||
        !(csv->text = memory_large((size_t)size + 1, 1, "a table", error)))
        return false;
    FILE *from = fopen(path, "r");
    const bool ok = from && fread(csv->text, 1, (size_t)size, from) == (size_t)size;
    if (!ok)
        error_runtime(error, "%s: cannot be read: %s", path, strerror(errno));
    if (from)
        fclose(from);
    return ok;
}

static int count_of(const char *text, char which)
{
    int count = 0;
    for (; *text; text++)
        count += *text == which;
    return count;
}

static bool cut_line(Csv *csv, char *text, int line)
{
    int column = 0;
    for (char *cell; (cell = strsep(&text, ",")); column++)
        if (column < csv->columns)
            csv->cells[line * csv->columns + column] = cell;
    return column == csv->columns;
}

bool csv_read(Csv *csv, const char *path, Error *error)
{
    *csv = (Csv){0};
    if (!read_text(csv, path, error))
        return false;
    const int lines = count_of(csv->text, '\n') + 1;
    char *rest = csv->text, *line = strsep(&rest, "\n");
    csv->columns = count_of(line, ',') + 1;
    csv->cells = memory_small((size_t)lines * (size_t)csv->columns, sizeof *csv->cells);
    for (int i = 0; line && (*line || i == 0); line = strsep(&rest, "\n"), i++) {
        if (!cut_line(csv, line, i))
            return error_input(error, "%s:%d: expected %d cells, as in its first line", path, i + 1,
                               csv->columns);
        csv->rows = i;
    }
    return true;
}

void csv_free(Csv *csv)
{
    memory_free(csv->text);
    memory_free(csv->cells);
    *csv = (Csv){0};
}

const char *csv_cell(const Csv *csv, int row, const char *name)
{
    for (int c = 0; c < csv->columns; c++)
        if (strcmp(csv->cells[c], name) == 0)
            return csv->cells[(row + 1) * csv->columns + c];
    return "";
}

double csv_number(const Csv *csv, int row, const char *name)
{
    const char *text = csv_cell(csv, row, name);
    char *end = NULL;
    const double value = strtod(text, &end);
    return end == text || *end ? NAN : value;
}

int csv_find(const Csv *csv, int from, const char *name, const char *value)
{
    for (int row = from; row < csv->rows; row++)
        if (strcmp(csv_cell(csv, row, name), value) == 0)
            return row;
    return -1;
}
