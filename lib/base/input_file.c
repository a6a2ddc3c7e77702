/* Asks the system about a file by its name, without opening it. */
#include "base/input_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool input_file_check(const char *path, const char *expected, int64_t *size, Error *error)
{
    struct stat status;
    if (path[0] == '\0')
        return error_input(error, "no file name given, expected that of %s", expected);
    if (stat(path, &status) != 0 && errno == ENOENT)
        return error_input(error, "%s: no such file, expected %s", path, expected);
    if (stat(path, &status) != 0)
        return error_input(error, "%s: %s", path, strerror(errno));
    if (S_ISDIR(status.st_mode))
        return error_input(error, "%s: is a directory, expected %s", path, expected);
    if (!S_ISREG(status.st_mode))
        return error_input(error, "%s: is no regular file, expected %s", path, expected);
    if (access(path, R_OK) != 0)
        return error_input(error, "%s: %s", path, strerror(errno));
    if (status.st_size == 0)
        return error_input(error, "%s: is empty, expected %s", path, expected);
    *size = status.st_size;
    return true;
}

/* Without O_NONBLOCK a named pipe would wait for its writer, where the first signal is lost. */
FILE *input_file_open(const char *path)
{
    struct stat status;
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    const bool regular = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
    FILE *file = regular ? fdopen(fd, "rb") : NULL;
    if (!file)
        close(fd);
    if (!regular)
        errno = EINVAL;
    return file;
}
