/* Asks each outside library for its version.
 *
 * The functions are looked up by name in the running program. So no header of a library is needed
 * here, and a library that is not loaded is left out. libjpeg has no such function: the version is
 * that of its header.
 */
#include "infer/doctor/doctor_libraries.h"

#include "data/picture.h"
#include "engine/primitive.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static char text[512];

static void append(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void append(const char *format, ...)
{
    const size_t used = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + used, sizeof text - used, format, arguments);
    va_end(arguments);
}

/* *function := the address of a function of the running program; NULL if it has none of this
 * name. */
static void look_up(const char *name, void *function)
{
    *(void **)function = dlsym(RTLD_DEFAULT, name);
}

static void append_hdf5(void)
{
    int (*version)(unsigned *, unsigned *, unsigned *);
    unsigned major, minor, release;
    look_up("H5get_libversion", &version);
    if (version && version(&major, &minor, &release) >= 0)
        append(", HDF5 %u.%u.%u", major, minor, release);
}

/* The libraries that return their version as a string. libpng's function ignores its argument.
 * The texts of OpenBLAS and libarchive begin with name and version; the options of OpenBLAS's build
 * follow. */
static void append_strings(void)
{
    static const struct {
        const char *name, *function;
    } libraries[] = {
        {"", "openblas_get_config"},        {"libyaml ", "yaml_get_version_string"},
        {"libpng ", "png_get_libpng_ver"},  {"zlib ", "zlibVersion"},
        {"cairo ", "cairo_version_string"}, {"", "archive_version_string"},
    };
    for (size_t i = 0; i < sizeof libraries / sizeof libraries[0]; i++) {
        const char *(*version)(void *);
        look_up(libraries[i].function, &version);
        const char *said = version ? version(NULL) : NULL;
        if (said && libraries[i].name[0])
            append(", %s%s", libraries[i].name, said);
        else if (said)
            append(", %.*s", (int)strcspn(said, " ") + 1 + (int)strcspn(strchr(said, ' ') + 1, " "),
                   said);
    }
}

static void append_openmp(void)
{
    void (*gnu)(void), (*llvm)(void);
    look_up("GOMP_parallel", &gnu);
    look_up("__kmpc_fork_call", &llvm);
    append(", OpenMP of %s", llvm ? "LLVM" : gnu ? "GNU" : "an unknown kind");
}

const char *doctor_libraries(void)
{
    text[0] = '\0';
    append("%s", primitive_library());
    append_hdf5();
    append_strings();
    append(", %s", picture_jpeg_library());
    append_openmp();
    return text;
}
