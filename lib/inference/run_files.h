/* Which checkpoint files a command works on. */
#pragma once

#include "base/error.h"
#include "base/options.h"

/* Where the network comes from: a run directory, or files. Nothing is copied. */
typedef struct NetworkSource {
    /* --run DIR; NULL: checkpoints/<name>, by the name of the configuration. */
    const char *run;
    /* --config FILE; NULL: the default configuration. */
    const char *config;
    /* --set, for that configuration. */
    StringList overrides;
    /* --checkpoint FILE: these files, and no run directory. */
    StringList checkpoints;
} NetworkSource;

typedef struct RunFiles {
    /* The run directory, or the first file: the user's name for the network. */
    char *origin;
    /* [count], at least 1. Files in the order in which the user named them; of a run the files
     * of heads, newest first, then stage 1. */
    char **paths;
    int count;
    /* A run directory. Its files may be of different ages, and disagree. */
    bool is_run;
} RunFiles;

/* Finds the files, and reads none of them. An input error says what is missing, and which
 * command makes it. */
bool run_files_find(RunFiles *files, const NetworkSource *source, Error *error);
/* A zeroed struct is fine. */
void run_files_free(RunFiles *files);
