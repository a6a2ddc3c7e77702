#include "io/recipe.h"

#include "base/memory.h"

#include <string.h>
#include <unistd.h>

static const char here[] = "configs/fashion-mnist.yaml";
static const char installed[] = "../share/varhead/configs/fashion-mnist.yaml";

/* The directory of the running program, "" if the system does not tell. */
static void program_directory(char *path, size_t size)
{
    ssize_t length = readlink("/proc/self/exe", path, size - 1);
    path[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(path, '/');
    if (slash)
        slash[1] = '\0';
}

bool recipe_load(Config *config, const char *path, const char *const *overrides, int count,
                 Error *error)
{
    if (path || access(here, F_OK) == 0)
        return config_load(config, path ? path : here, overrides, count, error);
    char directory[4096];
    program_directory(directory, sizeof directory);
    char *beside = memory_format("%s%s", directory, installed);
    bool done = access(beside, F_OK) == 0
                    ? config_load(config, beside, overrides, count, error)
                    : error_input(error,
                                  "%s: the default recipe is not here, nor at %s; name one with "
                                  "--config, or start from the root of the repository",
                                  here, beside);
    memory_free(beside);
    return done;
}
