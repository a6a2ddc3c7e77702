/* Names and checks the files of a command's results.
 *
 * nll and quality write a table, values beside it, and a file of unfinished work. One rule names
 * all of them after the table, so that a user finds them, and every one of them is checked before
 * the work.
 */
#include "infer/results.h"

#include "base/memory.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void results_choose(Results *results, const char *out, const Network *network, const char *name)
{
    const char *run = network_run(network);
    if (!out && !run)
        return;
    char *table = out ? memory_string(out) : memory_format("%s/%s", run, name);
    results->files[0].path = table;
    for (int i = 1; i < results->count; i++)
        results->files[i].path = output_sibling(table, results->files[i].ending);
}

bool results_check(const Results *results, const OutputInputs *inputs, Error *error)
{
    for (int i = 0; i < results->count; i++) {
        const ResultFile *file = &results->files[i];
        if (file->path && !output_check(file->path, file->kind, inputs, error))
            return false;
    }
    return true;
}

bool results_are_kept(const Results *results)
{
    return results->files[0].path != NULL;
}

void results_free(Results *results)
{
    for (int i = 0; i < results->count; i++)
        memory_free(results->files[i].path);
    *results = (Results){0};
}

char *settings_begin(uint64_t network, uint64_t seed, const NetworkOptions *options)
{
    return memory_format("network %016llx, seed %llu, %s", (unsigned long long)network,
                         (unsigned long long)seed, network_arithmetic(options));
}

void settings_add(char **settings, const char *format, ...)
{
    char more[PATH_MAX + 64];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(more, sizeof more, format, arguments);
    va_end(arguments);
    char *longer = memory_format("%s, %s", *settings, more);
    memory_free(*settings);
    *settings = longer;
}

static void print_text(uint64_t print, char text[17])
{
    snprintf(text, 17, "%016llx", (unsigned long long)print);
}

bool results_write_images(Hdf5File *file, uint64_t print, Error *error)
{
    char text[17];
    print_text(print, text);
    return hdf5_write_attribute_string(file, "/", "images", text, error);
}

bool results_has_images(Hdf5File *file, uint64_t print)
{
    char text[17], *stored = NULL;
    Error ignored = {0};
    print_text(print, text);
    const bool same = hdf5_attribute_exists(file, "/", "images") &&
                      hdf5_read_attribute_string(file, "/", "images", &stored, &ignored) &&
                      strcmp(stored, text) == 0;
    memory_free(stored);
    return same;
}
