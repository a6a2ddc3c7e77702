/* A set of pictures for tests, and a run whose directory keeps its cache. */
#pragma once

#include "base/note.h"
#include "data/cache_place.h"
#include "data/dataset.h"

#include "tests/expect.h"
#include "tests/made_pictures.h"
#include "tests/scratch.h"

#include <dirent.h>
#include <sys/stat.h>

static Error error; /* of the last call */

enum { SIDE = 8, PIXELS = SIDE * SIDE, COUNT = 12 };

/* -- Pictures ---------------------------------------------------------------------------------- */

static inline void write_picture(const char *name, int level)
{
    uint8_t pixels[PIXELS];
    for (int i = 0; i < PIXELS; i++)
        pixels[i] = (uint8_t)(level + i);
    MadeFile file = made_plain_png(SIDE, SIDE, 1, pixels);
    scratch_write(scratch_path(name), file.bytes, file.size);
    free(file.bytes);
}

/* Twelve pictures in three classes, "set/b1/04.png". */
static inline void write_set(void)
{
    ck_assert_int_eq(mkdir(scratch_path("set"), 0777), 0);
    for (int c = 0; c < 3; c++) {
        char name[64];
        snprintf(name, sizeof name, "set/b%d", c);
        ck_assert_int_eq(mkdir(scratch_path(name), 0777), 0);
        for (int i = c; i < COUNT; i += 3) {
            snprintf(name, sizeof name, "set/b%d/%02d.png", c, i);
            write_picture(name, 10 * i);
        }
    }
}

/* -- Notes ------------------------------------------------------------------------------------- */

static char notes[8192];

static inline void keep_notes(const char *line)
{
    strncat(notes, line, sizeof notes - strlen(notes) - 2);
    strcat(notes, "\n");
}

static inline bool noted(const char *text)
{
    return strstr(notes, text) != NULL;
}

/* -- Opening ----------------------------------------------------------------------------------- */

static inline Config config_of(const char *path)
{
    Config config;
    config_defaults(&config);
    config.data.resolution = SIDE;
    config.data.cache = DATA_CACHE_ALWAYS;
    snprintf(config.data.train, sizeof config.data.train, "%s", path);
    config.data.test[0] = '\0';
    return config;
}

static inline void use_run(void)
{
    cache_place_set(scratch_path("run"), false);
    note_show(keep_notes);
}

/* Opens, reads every image, and closes. What was noted is in `notes`. It calls nothing of Check's, which
 * writes to a file whenever it checks something. */
static inline bool try_to_read(const Config *config, uint64_t *print)
{
    Dataset *dataset;
    notes[0] = '\0';
    if (!dataset_open(&dataset, config, DATASET_TRAIN, &error))
        return false;
    const bool ok = dataset_fingerprint(dataset, DATASET_FINGERPRINT_BYTES, print, &error);
    dataset_close(dataset);
    return ok;
}

static inline uint64_t read_with(const Config *config)
{
    uint64_t print;
    assert_ok(try_to_read(config, &print));
    return print;
}

static inline uint64_t read_set(void)
{
    const Config config = config_of(scratch_path("set"));
    return read_with(&config);
}

static inline uint64_t read_in_memory(const char *name)
{
    Config config = config_of(scratch_path(name));
    config.data.cache = DATA_CACHE_NEVER;
    return read_with(&config);
}

/* The files of a directory, and with `cache` the name of the last cache among them. */
static inline int files_in(const char *name, char cache[512])
{
    int count = 0;
    DIR *directory = opendir(scratch_path(name));
    for (struct dirent *entry; directory && (entry = readdir(directory)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        count++;
        if (cache)
            snprintf(cache, 512, "%s/%s", scratch_path(name), entry->d_name);
    }
    if (directory)
        closedir(directory);
    return count;
}
