/* What surrounds every call of the library.
 *
 * The house below was made for programs, which own their process: it reads numbers by strtod,
 * which obeys the locale; it tells HDF5 to print nothing; its engine has static tables. Here
 * each call puts things as the house wants them, and at its end as the caller had them. One lock
 * for all calls keeps the static tables whole. It costs nothing that matters: a call that
 * computes uses all threads of its model anyway.
 *
 * oneDNN's kernels wait for every thread that they were promised. So OpenMP may give no fewer
 * threads than a model was opened with (OMP_DYNAMIC), and a call inside a parallel region, where
 * it would give one, is refused. */
#include "base/note.h"
#include "base/version.h"
#include "hdf5/hdf5_trial.h"
#include "inference/image_array.h"
#include "library/varhead_internal.h"

#include <omp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

_Static_assert((int)ERROR_RUNTIME == VARHEAD_FAILED && (int)ERROR_INPUT == VARHEAD_INPUT,
               "kinds of errors are the codes");
_Static_assert(sizeof((Error){0}.message) == sizeof((VarheadError){0}.message),
               "messages are copied whole");

const char *varhead_version(void)
{
    return VARHEAD_VERSION;
}

void varhead_notes(void (*show)(const char *line))
{
    pthread_mutex_lock(&lock);
    note_show(show);
    pthread_mutex_unlock(&lock);
}

/* Where there is no memory for a locale, that of the caller stays. */
static locale_t use_c_locale(void)
{
    const locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return c ? uselocale(c) : (locale_t)0;
}

static void restore_locale(locale_t callers)
{
    if (!callers)
        return;
    const locale_t c = uselocale(callers);
    freelocale(c);
}

/* A caller inside a parallel region must not wait for the lock either: the one that has it may
 * wait for the caller at the region's end. */
bool call_begin(Call *call)
{
    *call = (Call){0};
    if (omp_in_parallel())
        return error_input(&call->error, "expected a call outside of OpenMP's parallel regions");
    pthread_mutex_lock(&lock);
    call->holds_lock = true;
    call->locale = use_c_locale();
    return true;
}

bool call_uses_threads(Call *call, int threads)
{
    call->threads = omp_get_max_threads();
    call->dynamic = omp_get_dynamic();
    omp_set_dynamic(0);
    omp_set_num_threads(threads);
    return true;
}

bool call_reads_files(Call *call, bool try_files)
{
    call->reads_files = true;
    call->messages = hdf5_messages_off();
    call->tries = hdf5_trial_wanted(try_files);
    return true;
}

int call_end(Call *call, bool ok, VarheadError *error)
{
    if (call->reads_files) {
        hdf5_messages_restore(call->messages);
        hdf5_trial_wanted(call->tries);
    }
    if (call->threads > 0) {
        omp_set_num_threads(call->threads);
        omp_set_dynamic(call->dynamic);
    }
    if (call->holds_lock) {
        restore_locale(call->locale);
        pthread_mutex_unlock(&lock);
    }
    const int code = ok ? VARHEAD_OK : (int)call->error.kind;
    if (error) {
        error->code = code;
        memcpy(error->message, ok ? "" : call->error.message, ok ? 1 : sizeof error->message);
    }
    return code;
}

bool call_count_is_possible(int64_t count, Error *error)
{
    return (count >= 0 && count <= IMAGE_ARRAY_LIMIT) ||
           error_input(error, "count: expected 0 to %d images, got %lld", IMAGE_ARRAY_LIMIT,
                       (long long)count);
}
