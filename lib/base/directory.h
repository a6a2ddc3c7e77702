/* Directories that are made where they are missing. */
#pragma once

#include "base/error.h"

/* Creates a directory and the missing ones above it. Run-time error if the system refuses, input
 * error if the name belongs to something else. */
bool directory_make(const char *path, Error *error);
