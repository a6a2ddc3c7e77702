/* Sorts the names of pictures, and reads their classes off the sorted names: pictures of a class are
 * neighbours. */
#include "data/picture_index.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int picture_index_listed(const PictureIndex *index)
{
    return index->broken < PICTURE_MOST_COMPLAINTS ? (int)index->broken : PICTURE_MOST_COMPLAINTS;
}

PictureName picture_name(const char *name)
{
    PictureName shown = {""};
    snprintf(shown.text, sizeof shown.text, "%s", name);
    for (char *c = shown.text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    return shown;
}

/* -- Order ------------------------------------------------------------------------------------- */

typedef struct Place {
    const char *name;
    uint32_t slot;
} Place;

static int compare(const void *a, const void *b)
{
    return strcmp(((const Place *)a)->name, ((const Place *)b)->name);
}

static bool check_names(const Place *places, int64_t count, const char *path, Error *error)
{
    for (int64_t i = 1; i < count; i++)
        if (strcmp(places[i - 1].name, places[i].name) == 0)
            return error_input(error, "%s: holds two pictures named %s", path,
                               picture_name(places[i].name).text);
    return true;
}

/* -- Classes ----------------------------------------------------------------------------------- */

/* Bytes of the directories, with the last slash, that all names share. The first and the last name in
 * byte order tell. */
static size_t shared_directories(const char *first, const char *last)
{
    size_t shared = 0;
    for (size_t i = 0; first[i] && first[i] == last[i]; i++)
        if (first[i] == '/')
            shared = i + 1;
    return shared;
}

static void add_class(PictureIndex *index, const char *name, size_t length)
{
    index->class_names =
        memory_grow(index->class_names, (size_t)index->classes + 1, sizeof *index->class_names);
    index->class_names[index->classes++] = memory_format("%.*s", (int)length, name);
}

static void read_classes(PictureIndex *index, const Place *places)
{
    const size_t shared = shared_directories(places[0].name, places[index->count - 1].name);
    const char *class = NULL;
    size_t length = 0;
    for (int64_t i = 0; i < index->count; i++) {
        const char *name = places[i].name + shared, *slash = strchr(name, '/');
        index->labels[i] = -1;
        if (!slash) {
            if (!index->outside)
                index->outside = memory_string(places[i].name);
            continue;
        }
        if (!class || (size_t)(slash - name) != length || strncmp(class, name, length) != 0)
            add_class(index, name, (size_t)(slash - name));
        class = name;
        length = (size_t)(slash - name);
        index->labels[i] = (int32_t)index->classes - 1;
    }
}

/* -- The whole --------------------------------------------------------------------------------- */

bool picture_index_sort(PictureIndex *index, char *const *names, const char *path, Error *error)
{
    const size_t count = (size_t)index->count;
    Place *places = memory_large(count, sizeof *places, "names of pictures", error);
    bool ok = places &&
              (index->slots = memory_large(count, sizeof(uint32_t), "indices", error)) != NULL &&
              (index->labels = memory_large(count, sizeof(int32_t), "labels", error)) != NULL;
    if (ok) {
        for (size_t i = 0; i < count; i++)
            places[i] = (Place){names[i], (uint32_t)i};
        qsort(places, count, sizeof *places, compare);
        for (size_t i = 0; i < count; i++)
            index->slots[i] = places[i].slot;
        ok = check_names(places, index->count, path, error);
    }
    if (ok)
        read_classes(index, places);
    memory_free(places);
    return ok;
}

void picture_index_free(PictureIndex *index)
{
    memory_free(index->slots);
    memory_free(index->labels);
    memory_free(index->prints);
    memory_free(index->sources);
    for (int64_t i = 0; i < index->classes; i++)
        memory_free(index->class_names[i]);
    memory_free(index->class_names);
    for (int i = 0; i < PICTURE_MOST_COMPLAINTS; i++)
        memory_free(index->complaints[i]);
    memory_free(index->outside);
    memory_free(index->first_other);
    *index = (PictureIndex){0};
}
