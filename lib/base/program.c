#include "base/program.h"

#include "base/interrupt.h"
#include "base/memory.h"

#include <errno.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

bool program_make_directory(const char *path, Error *error)
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

int program_end(const char *name, bool done, Error *error)
{
    if (done && (fflush(stdout) != 0 || ferror(stdout)))
        done = error_runtime(error, "standard output cannot be written: %s", strerror(errno));
    if (!done)
        fprintf(stderr, "%s: %s\n", name, error->message);
    if (interrupt_requested())
        return interrupt_exit_code();
    return done ? 0 : (int)error->kind;
}

void program_set_threads(int wanted)
{
    int threads = wanted > 0 ? wanted : omp_get_max_threads(), limit = omp_get_thread_limit();
    omp_set_dynamic(0);
    omp_set_num_threads(threads < limit ? threads : limit);
}
