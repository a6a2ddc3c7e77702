/* Writes and reads the file of decoded pictures.
 *
 * The index is one block of bytes in memory (data/picture_index_block.h). It is made whole before it is
 * written, and its fingerprint is compared before anything in it is believed.
 */
#include "data/picture_cache.h"

#include "base/atomic_file.h"
#include "base/directory.h"
#include "base/fingerprint.h"
#include "base/memory.h"
#include "data/picture_index_block.h"
#include "io/file_kind.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PAGE = 4096,
    MARK_SIZE = 32,
    KEY_DIGITS = 16,
};

static const char name_begin[] = "data-", name_end[] = ".cache";

typedef struct Header {
    /* file_kind_beginning(FILE_DATA_CACHE), and zeros. */
    char mark[MARK_SIZE];
    uint64_t key, place;
    int64_t resolution, channels;
    PictureCounts counts;
    /* Of the index. */
    int64_t index_size;
    uint64_t index_print;
    /* Of all fields above. */
    uint64_t print;
} Header;

_Static_assert(sizeof(Header) <= PAGE, "a header fits its page");

static uint64_t print_of_header(const Header *header)
{
    return fingerprint(FINGERPRINT_START, header, offsetof(Header, print));
}

static size_t image_size_of(const PictureCacheKey *key)
{
    return (size_t)key->resolution * (size_t)key->resolution * (size_t)key->channels;
}

/* -- Bytes ------------------------------------------------------------------------------------- */

/* False with errno if not everything could be written. */
static bool write_at(int fd, int64_t offset, const void *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        const ssize_t put =
            pwrite(fd, (const char *)bytes + done, size - done, (off_t)(offset + (int64_t)done));
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return false;
        done += (size_t)put;
    }
    return true;
}

static bool read_at(int fd, int64_t offset, void *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        const ssize_t got =
            pread(fd, (char *)bytes + done, size - done, (off_t)(offset + (int64_t)done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

/* -- Names ------------------------------------------------------------------------------------- */

char *picture_cache_path(const char *directory, uint64_t key)
{
    return memory_format("%s/%s%016llx%s", directory, name_begin, (unsigned long long)key,
                         name_end);
}

/* Whether `name` is that of a cache, or with `temporary` that of one that is being written. */
static bool is_name(const char *name, bool temporary)
{
    const size_t begin = sizeof name_begin - 1, length = begin + KEY_DIGITS + sizeof name_end - 1;
    if (strncmp(name, name_begin, begin) != 0 ||
        strspn(name + begin, "0123456789abcdef") != KEY_DIGITS ||
        strncmp(name + begin + KEY_DIGITS, name_end, sizeof name_end - 1) != 0)
        return false;
    char base[64];
    snprintf(base, sizeof base, "%.*s", (int)length, name);
    return temporary ? atomic_is_temporary(name, base) : name[length] == '\0';
}

/* -- Old files --------------------------------------------------------------------------------- */

static bool read_header(int fd, Header *header)
{
    const char *mark = file_kind_beginning(FILE_DATA_CACHE);
    return read_at(fd, 0, header, sizeof *header) && strncmp(header->mark, mark, MARK_SIZE) == 0 &&
           header->print == print_of_header(header);
}

/* Removes a file that no program writes any more: a lock would say so. */
static void remove_if_left(int directory, const char *name)
{
    bool unknown = false;
    const int fd = openat(directory, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0 && atomic_lock(fd, &unknown))
        (void)unlinkat(directory, name, 0);
    if (fd >= 0)
        close(fd);
}

/* Removes a cache of the same place that has another key. */
static void remove_if_old(int directory, const char *name, const PictureCacheKey *key)
{
    Header header;
    const int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0 && read_header(fd, &header) && header.place == key->place && header.key != key->key)
        (void)unlinkat(directory, name, 0);
    if (fd >= 0)
        close(fd);
}

/* Removes what killed passes left in the directory, or with `old` caches that a new one replaces. */
static void clean(const char *path, const PictureCacheKey *key, bool old)
{
    DIR *directory = opendir(path);
    for (struct dirent *entry; directory && (entry = readdir(directory)) != NULL;) {
        if (!old && is_name(entry->d_name, true))
            remove_if_left(dirfd(directory), entry->d_name);
        if (old && is_name(entry->d_name, false))
            remove_if_old(dirfd(directory), entry->d_name, key);
    }
    if (directory)
        closedir(directory);
}

/* -- Writing ----------------------------------------------------------------------------------- */

struct PictureCacheWriter {
    AtomicFile file;
    /* A descriptor of the file that outlives the commit. */
    int fd;
    char *directory;
    bool made_directory;
    PictureCacheKey key;
    size_t image_size;
    int64_t count;
    double limit;
};

bool picture_cache_begin(PictureCacheWriter **result, const char *directory,
                         const PictureCacheKey *key, double limit, Error *error)
{
    PictureCacheWriter *w = memory_small(1, sizeof *w);
    *w = (PictureCacheWriter){.fd = -1,
                              .directory = memory_string(directory),
                              .made_directory = access(directory, F_OK) != 0,
                              .key = *key,
                              .image_size = image_size_of(key),
                              .limit = limit};
    char *path = picture_cache_path(directory, key->key);
    bool ok = directory_make(directory, error);
    if (ok)
        clean(directory, key, false);
    ok = ok && atomic_file_begin(&w->file, path, file_kind_rule(FILE_DATA_CACHE), error);
    if (ok && (w->fd = fcntl(w->file.fd, F_DUPFD_CLOEXEC, 3)) < 0)
        ok = error_runtime(error, "%s: cannot be written: %s", path, strerror(errno));
    memory_free(path);
    *result = ok ? w : NULL;
    if (!ok)
        picture_cache_abandon(w);
    return ok;
}

static bool cannot_write(const PictureCacheWriter *w, Error *error)
{
    return error_runtime(error, "%s: cannot be written: %s", w->file.path, strerror(errno));
}

bool picture_cache_add(PictureCacheWriter *w, const uint8_t *images, int64_t n, Error *error)
{
    const int64_t end = PAGE + w->count * (int64_t)w->image_size;
    const size_t size = (size_t)n * w->image_size;
    if ((double)end + (double)size > w->limit)
        return error_runtime(error, "%s: would have more than data.cache_limit, %.3g GiB",
                             w->file.path, w->limit / (1 << 30));
    if (!write_at(w->fd, end, images, size))
        return cannot_write(w, error);
    w->count += n;
    return true;
}

bool picture_cache_read_back(const PictureCacheWriter *w, int64_t first, int64_t n, uint8_t *images,
                             Error *error)
{
    return read_at(w->fd, PAGE + first * (int64_t)w->image_size, images,
                   (size_t)n * w->image_size) ||
           error_runtime(error, "%s: cannot be read: %s", w->file.path, strerror(errno));
}

static bool write_index(PictureCacheWriter *w, const PictureIndex *index, Error *error)
{
    size_t size = 0;
    uint8_t *block = picture_index_pack(index, &size);
    Header header = {.key = w->key.key,
                     .place = w->key.place,
                     .resolution = w->key.resolution,
                     .channels = w->key.channels,
                     .counts = picture_counts(index),
                     .index_size = (int64_t)size,
                     .index_print = fingerprint(FINGERPRINT_START, block, size)};
    uint8_t page[PAGE] = {0};
    snprintf(header.mark, sizeof header.mark, "%s", file_kind_beginning(FILE_DATA_CACHE));
    header.print = print_of_header(&header);
    memcpy(page, &header, sizeof header);
    const bool ok = (write_at(w->fd, PAGE + w->count * (int64_t)w->image_size, block, size) &&
                     write_at(w->fd, 0, page, PAGE) && fsync(w->fd) == 0) ||
                    cannot_write(w, error);
    memory_free(block);
    return ok;
}

bool picture_cache_commit(PictureCacheWriter *w, const PictureIndex *index, int *fd, Error *error)
{
    if (!write_index(w, index, error) || !atomic_file_commit(&w->file, error))
        return false;
    clean(w->directory, &w->key, true);
    *fd = w->fd;
    w->fd = -1;
    w->made_directory = false;
    picture_cache_abandon(w);
    return true;
}

void picture_cache_abandon(PictureCacheWriter *w)
{
    if (w == NULL)
        return;
    atomic_file_abandon(&w->file);
    if (w->fd >= 0)
        close(w->fd);
    if (w->made_directory)
        (void)rmdir(w->directory);
    memory_free(w->directory);
    memory_free(w);
}

/* -- Reading ----------------------------------------------------------------------------------- */

/* The sizes that the header claims, beside those of the file. */
static bool is_possible(const Header *header, const PictureCacheKey *key, int64_t file_size)
{
    const int64_t image = (int64_t)image_size_of(key), count = header->counts.count;
    return header->key == key->key && header->resolution == key->resolution &&
           header->channels == key->channels &&
           picture_counts_are_possible(&header->counts, header->index_size) &&
           count <= (INT64_MAX >> 8) / image &&
           file_size - PAGE - count * image == header->index_size;
}

static bool read_index(int fd, const Header *header, size_t image_size, PictureIndex *index)
{
    Error unused;
    const size_t size = (size_t)header->index_size;
    uint8_t *block = memory_large(size, 1, "the index of a cache", &unused);
    const bool ok = block &&
                    read_at(fd, PAGE + header->counts.count * (int64_t)image_size, block, size) &&
                    fingerprint(FINGERPRINT_START, block, size) == header->index_print &&
                    picture_index_unpack(index, &header->counts, block, size);
    memory_free(block);
    return ok;
}

CacheState picture_cache_open(const char *path, const PictureCacheKey *key, PictureIndex *index,
                              int *fd)
{
    Header header;
    struct stat status;
    *index = (PictureIndex){0};
    *fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (*fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? CACHE_ABSENT : CACHE_DAMAGED;
    if (fstat(*fd, &status) == 0 && S_ISREG(status.st_mode) && read_header(*fd, &header) &&
        is_possible(&header, key, status.st_size) &&
        read_index(*fd, &header, image_size_of(key), index))
        return CACHE_FOUND;
    picture_index_free(index);
    close(*fd);
    *fd = -1;
    return CACHE_DAMAGED;
}

/* How many of slots [n] lie one behind the other in the file. */
static int run_of(const uint32_t *slots, int n)
{
    int run = 1;
    while (run < n && slots[run] == slots[0] + (uint32_t)run)
        run++;
    return run;
}

bool picture_cache_read(int fd, const PictureIndex *index, size_t image_size, const uint32_t *slots,
                        int n, uint8_t *images)
{
    for (int first = 0, run; first < n; first += run) {
        uint8_t *to = images + (size_t)first * image_size;
        run = run_of(slots + first, n - first);
        if (!read_at(fd, PAGE + (int64_t)slots[first] * (int64_t)image_size, to,
                     (size_t)run * image_size))
            return false;
        for (int i = 0; i < run; i++)
            if (fingerprint(FINGERPRINT_START, to + (size_t)i * image_size, image_size) !=
                index->prints[slots[first + i]])
                return false;
    }
    return true;
}

void picture_cache_expect(int fd, size_t image_size, const uint32_t *slots, int n)
{
    for (int first = 0, run; first < n; first += run) {
        run = run_of(slots + first, n - first);
        (void)posix_fadvise(fd, PAGE + (off_t)slots[first] * (off_t)image_size,
                            (off_t)((size_t)run * image_size), POSIX_FADV_WILLNEED);
    }
}
