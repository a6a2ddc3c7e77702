/* Which checkpoint files a command works on. */
#pragma once

#include "base/error.h"
#include "base/options.h"

/* Where the network comes from: a run directory, or files. */
typedef struct NetworkSource {
    const char *run;        /* --run DIR; NULL: the one that the configuration names */
    const char *config;     /* --config FILE; NULL: the default configuration */
    StringList overrides;   /* --set, of that configuration */
    StringList checkpoints; /* --checkpoint FILE: these, and no run directory */
} NetworkSource;

typedef struct RunFiles {
    char *origin; /* what the user would call the whole: the run directory, or the first file */
    char **paths; /* files that were named: as named; of a run: heads, newest first, then stage 1 */
    int count;    /* at least 1 */
    bool is_run;  /* a run directory: its files may be of different ages, and disagree */
} RunFiles;

/* Finds the files; reads none of them. An input error says what is missing and which command makes
 * it. */
bool run_files_find(RunFiles *files, const NetworkSource *source, Error *error);
void run_files_free(RunFiles *files);
