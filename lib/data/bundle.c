/* Reads archives by libarchive: the one door to that library.
 *
 * Only the formats that the header names are switched on. Others, and filters that libarchive runs
 * as programs, would be attack surface without a use. gunzip.h unpacks gzip, because libarchive does
 * not compare gzip's checksum. Messages of libarchive may quote the archive, so control characters are
 * taken out of them.
 *
 * A tar ends with blocks of zeros. libarchive stops at the first ones, although tars may be joined, and
 * takes a tar without any for a whole one, although it may have lost its rest. So it is told to read
 * on, and the last block is looked at.
 */
#include "data/bundle.h"

#include "base/input_file.h"
#include "base/memory.h"
#include "base/utf8_locale.h"
#include "data/gunzip.h"

#include <archive.h>
#include <archive_entry.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK = 1 << 17, TAR_BLOCK = 512 };

struct Bundle {
    char *path;
    struct archive *archive;
    /* What unpacks the archive; NULL if it is not compressed. */
    Gunzip *gunzip;
    uint8_t block[BLOCK];
    /* The last bytes of the archive, unpacked. */
    uint8_t tail[TAR_BLOCK];
    /* The name of the file. */
    char *name;
    locale_t utf8;
};

/* -- Errors ------------------------------------------------------------------------------------ */

/* "damaged (Truncated gzip input)" */
static bool report(const Bundle *bundle, Error *error)
{
    char reason[200] = "";
    const char *said = archive_error_string(bundle->archive);
    for (size_t i = 0; said && said[i] && i + 1 < sizeof reason; i++)
        reason[i] = isprint((unsigned char)said[i]) ? said[i] : '?';
    return error_input(error, "%s: the archive is damaged, or of a kind that is not read (%s)",
                       bundle->path, reason[0] ? reason : "no reason is known");
}

/* -- Opening ----------------------------------------------------------------------------------- */

static bool is_compressed(const char *path)
{
    uint8_t begin[2] = {0};
    FILE *file = input_file_open(path);
    const size_t got = file ? fread(begin, 1, sizeof begin, file) : 0;
    if (file)
        fclose(file);
    return got == sizeof begin && begin[0] == 0x1f && begin[1] == 0x8b;
}

/* Gives libarchive the next block. */
static la_ssize_t unpack(struct archive *archive, void *state, const void **block)
{
    Bundle *bundle = state;
    const char *problem;
    *block = bundle->block;
    const int got = gunzip_read(bundle->gunzip, bundle->block, BLOCK, &problem);
    if (got < 0) {
        archive_set_error(archive, EIO, "%s", problem);
        return ARCHIVE_FATAL;
    }
    const int kept = got < TAR_BLOCK ? got : TAR_BLOCK;
    memmove(bundle->tail, bundle->tail + kept, (size_t)(TAR_BLOCK - kept));
    memcpy(bundle->tail + TAR_BLOCK - kept, bundle->block + got - kept, (size_t)kept);
    return got;
}

static bool open_archive(Bundle *bundle)
{
    struct archive *archive = bundle->archive = archive_read_new();
    if (!archive || archive_read_support_format_tar(archive) != ARCHIVE_OK ||
        archive_read_set_format_option(archive, "tar", "read_concatenated_archives", "1") !=
            ARCHIVE_OK)
        return false;
    if (is_compressed(bundle->path)) {
        bundle->gunzip = gunzip_open(bundle->path);
        return bundle->gunzip &&
               archive_read_open(archive, bundle, NULL, unpack, NULL) == ARCHIVE_OK;
    }
    return archive_read_support_format_zip_seekable(archive) == ARCHIVE_OK &&
           archive_read_open_filename(archive, bundle->path, BLOCK) == ARCHIVE_OK;
}

bool bundle_open(Bundle **result, const char *path, Error *error)
{
    int64_t size = 0;
    *result = NULL;
    if (!input_file_check(path, "an archive: tar, tar.gz or zip", &size, error))
        return false;
    Bundle *bundle = memory_small(1, sizeof *bundle);
    bundle->path = memory_string(path);
    bundle->utf8 = utf8_locale_new();
    if (open_archive(bundle)) {
        *result = bundle;
        return true;
    }
    if (bundle->archive && archive_errno(bundle->archive) == EIO)
        report(bundle, error);
    else
        error_input(error, "%s: is no archive, expected tar, tar.gz or zip", path);
    bundle_close(bundle);
    return false;
}

void bundle_close(Bundle *bundle)
{
    if (bundle == NULL)
        return;
    archive_read_free(bundle->archive);
    gunzip_close(bundle->gunzip);
    utf8_locale_free(bundle->utf8);
    memory_free(bundle->path);
    memory_free(bundle->name);
    memory_free(bundle);
}

bool bundle_detects(const char *path)
{
    Bundle *bundle = NULL;
    Error unused;
    struct archive_entry *entry;
    if (!bundle_open(&bundle, path, &unused))
        return false;
    const int code = archive_read_next_header(bundle->archive, &entry);
    bundle_close(bundle);
    return code == ARCHIVE_OK || code == ARCHIVE_WARN;
}

/* -- Reading ----------------------------------------------------------------------------------- */

/* tail [TAR_BLOCK] := the last bytes of the file; false where it has fewer. */
static bool read_tail(const char *path, uint8_t *tail)
{
    FILE *file = input_file_open(path);
    const bool ok = file && fseek(file, -TAR_BLOCK, SEEK_END) == 0 &&
                    fread(tail, 1, TAR_BLOCK, file) == TAR_BLOCK;
    if (file)
        fclose(file);
    return ok;
}

/* libarchive has read to the end of the data, where gzip's checksum is. */
static bool check_end(Bundle *bundle, Error *error)
{
    static const uint8_t zeros[TAR_BLOCK];
    const bool is_tar =
        (archive_format(bundle->archive) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_TAR;
    if (!is_tar || ((bundle->gunzip || read_tail(bundle->path, bundle->tail)) &&
                    memcmp(bundle->tail, zeros, TAR_BLOCK) == 0))
        return true;
    return error_input(error, "%s: the archive ends without tar's end mark; is it truncated?",
                       bundle->path);
}

/* The name without parts that lead nowhere, for memory_free: "b/1.png" of "./a/../b//1.png". */
static char *plain_name(const char *stored)
{
    char *name = memory_string(stored);
    size_t used = 0;
    while (*stored != '\0') {
        const size_t length = strcspn(stored, "/");
        const bool up = length == 2 && strncmp(stored, "..", 2) == 0;
        if (up) {
            while (used > 0 && name[--used] != '/')
                continue;
        } else if (length > 0 && !(length == 1 && stored[0] == '.')) {
            if (used > 0)
                name[used++] = '/';
            memmove(name + used, stored, length);
            used += length;
        }
        stored += length + (stored[length] == '/');
    }
    name[used] = '\0';
    return name;
}

/* archive_read_next_header, with the name of the entry; NULL if there is none. */
static int next_entry(Bundle *bundle, struct archive_entry **entry, const char **name)
{
    const locale_t before = utf8_locale_enter(bundle->utf8);
    const int code = archive_read_next_header(bundle->archive, entry);
    *name = NULL;
    if (code == ARCHIVE_OK || code == ARCHIVE_WARN)
        *name = archive_entry_pathname(*entry);
    utf8_locale_leave(before);
    return code;
}

bool bundle_next(Bundle *bundle, BundleFile *file, Error *error)
{
    *file = (BundleFile){0};
    struct archive_entry *entry;
    const char *name;
    for (;;) {
        const int code = next_entry(bundle, &entry, &name);
        if (code == ARCHIVE_EOF) {
            *file = (BundleFile){0}; /* an entry without a name may have come before */
            return check_end(bundle, error);
        }
        if (code != ARCHIVE_OK && code != ARCHIVE_WARN)
            return report(bundle, error);
        file->is_link =
            archive_entry_filetype(entry) == AE_IFLNK || archive_entry_hardlink(entry) != NULL;
        if (archive_entry_filetype(entry) != AE_IFREG && !file->is_link)
            continue;
        if (!name)
            return error_input(error, "%s: has a file whose name can't be read", bundle->path);
        file->size = archive_entry_size_is_set(entry) ? archive_entry_size(entry) : -1;
        memory_free(bundle->name);
        bundle->name = plain_name(name);
        file->name = bundle->name;
        if (file->name[0] != '\0')
            return true;
    }
}

bool bundle_read(Bundle *bundle, uint8_t *bytes, int64_t size, int64_t *got, Error *error)
{
    *got = 0;
    while (*got < size) {
        const la_ssize_t step =
            archive_read_data(bundle->archive, bytes + *got, (size_t)(size - *got));
        if (step < 0)
            return report(bundle, error);
        if (step == 0)
            break;
        *got += step;
    }
    return true;
}

int64_t bundle_position(const Bundle *bundle)
{
    return bundle->gunzip ? gunzip_position(bundle->gunzip)
                          : (int64_t)archive_filter_bytes(bundle->archive, -1);
}
