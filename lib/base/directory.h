/* Directories: where there is a place for temporary files, and how missing ones are made. */
#pragma once

#include "base/error.h"

/* Creates a directory and the missing ones above it. Run-time error if the system refuses, input
 * error if the name belongs to something else. */
bool directory_make(const char *path, Error *error);

/* $TMPDIR, or /tmp where that is not set or empty. */
const char *directory_temporary(void);
