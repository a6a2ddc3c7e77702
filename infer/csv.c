/* Reads a table into memory and cuts it in place.
 *
 * The text of the file is read once; commas and ends of lines become ends of strings, and the cells
 * point into the text. Tables are small, so a cell is found by comparing names.
 */
#include "infer/csv.h"

#include "base/input_file.h"
#include "base/memory.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More than any table of varhead has. Without a limit a file of commas could ask for any memory. */
enum { MAX_COLUMNS = 64 };

static bool read_text(Csv *csv, const char *path, Error *error)
{
    int64_t size = 0;
    if (!input_file_check(path, "a table (CSV)", &size, error) ||
        !(csv->text = memory_large((size_t)size + 1, 1, "a table", error)))
        return false;
    FILE *from = input_file_open(path);
    const bool ok = from && fread(csv->text, 1, (size_t)size, from) == (size_t)size;
    if (!ok)
        error_runtime(error, "%s: cannot be read: %s", path, strerror(errno));
    if (from)
        fclose(from);
    return ok;
}

static size_t count_of(const char *text, char which)
{
    size_t count = 0;
    for (; *text; text++)
        count += *text == which;
    return count;
}

static bool cut_line(Csv *csv, char *text, int line)
{
    char **cells = csv->cells + (size_t)line * (size_t)csv->columns;
    int column = 0;
    for (char *cell; (cell = strsep(&text, ",")); column++)
        if (column < csv->columns)
            cells[column] = cell;
    return column == csv->columns;
}

static bool cut_text(Csv *csv, const char *path, Error *error)
{
    const size_t lines = count_of(csv->text, '\n') + 1;
    char *rest = csv->text, *line = strsep(&rest, "\n");
    const size_t columns = count_of(line, ',') + 1;
    if (columns > MAX_COLUMNS)
        return error_input(error, "%s:1: expected at most %d cells, found %zu", path, MAX_COLUMNS,
                           columns);
    csv->columns = (int)columns;
    csv->cells = memory_large(lines, columns * sizeof *csv->cells, "a table", error);
    for (int i = 0; csv->cells && line && (*line || i == 0); line = strsep(&rest, "\n"), i++) {
        if (!cut_line(csv, line, i))
            return error_input(error, "%s:%d: expected %d cells, as in its first line", path, i + 1,
                               csv->columns);
        csv->rows = i;
    }
    return csv->cells != NULL;
}

/* The cells of a table that came from elsewhere must not become a part of a page. */
static bool check_text(const Csv *csv, const char *path, Error *error)
{
    return !strpbrk(csv->text, "<>&\"") ||
           error_input(error,
                       "%s: has one of the characters < > & \", which no table of varhead has",
                       path);
}

bool csv_read(Csv *csv, const char *path, Error *error)
{
    *csv = (Csv){0};
    if (read_text(csv, path, error) && check_text(csv, path, error) && cut_text(csv, path, error))
        return true;
    csv_free(csv);
    return false;
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
