#include "base/directory.h"

#include "base/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Makes each missing directory of the path in turn. */
bool directory_make(const char *path, Error *error)
{
    char *partial = memory_string(path);
    bool done = true;
    for (char *end = partial + 1; done; end++) {
        if (*end != '/' && *end != '\0')
            continue;
        char kept = *end;
        *end = '\0';
        if (mkdir(partial, 0777) != 0 && errno != EEXIST)
            done = error_runtime(error, "%s: cannot create the directory: %s", partial,
                                 strerror(errno));
        *end = kept;
        if (kept == '\0')
            break;
    }
    struct stat status;
    if (done && (stat(path, &status) != 0 || !S_ISDIR(status.st_mode)))
        done = error_input(error, "%s: expected a directory", path);
    memory_free(partial);
    return done;
}

const char *directory_temporary(void)
{
    const char *chosen = getenv("TMPDIR");
    return chosen && *chosen ? chosen : "/tmp";
}
