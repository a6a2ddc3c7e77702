/* Zip by libarchive. Only the reader that seeks is enabled, since it trusts the directory of the
 * archive: a file that was cut off has none, and is refused. */
#include "exchange/zip_archive.h"

#include "base/memory.h"
#include "base/utf8_locale.h"

#include <archive.h>
#include <archive_entry.h>
#include <string.h>

/* Bytes that the library reads at once. */
enum { BLOCK = 1 << 18 };

struct ZipArchive {
    char *path;
    struct archive *archive;
    struct archive_entry *entry;
    /* Of the entry; NULL if the library can't read it. */
    const char *name;
    locale_t utf8;
    int64_t index;
    /* Bytes of the present member that are not read yet. */
    int64_t left;
};

/* What the library says, without the file's name. */
static bool fail(const ZipArchive *zip, Error *error)
{
    const char *why = archive_error_string(zip->archive);
    return error_input(error, "%s: is a zip archive that can't be read (is it complete?): %s",
                       zip->path, why ? why : "the library does not say why");
}

bool zip_open(ZipArchive **result, const char *path, Error *error)
{
    ZipArchive *zip = memory_small(1, sizeof *zip);
    zip->path = memory_string(path);
    zip->index = -1;
    zip->utf8 = utf8_locale_new();
    zip->archive = archive_read_new();
    const bool ok = zip->archive &&
                    archive_read_support_format_zip_seekable(zip->archive) == ARCHIVE_OK &&
                    archive_read_open_filename(zip->archive, path, BLOCK) == ARCHIVE_OK;
    *result = ok ? zip : NULL;
    if (!ok) {
        fail(zip, error);
        zip_close(zip);
    }
    return ok;
}

void zip_close(ZipArchive *zip)
{
    if (!zip)
        return;
    archive_read_free(zip->archive);
    utf8_locale_free(zip->utf8);
    memory_free(zip->path);
    memory_free(zip);
}

bool zip_next(ZipArchive *zip, bool *more, Error *error)
{
    const locale_t before = utf8_locale_enter(zip->utf8);
    const int status = archive_read_next_header(zip->archive, &zip->entry);
    *more = status == ARCHIVE_OK || status == ARCHIVE_WARN;
    zip->name = *more ? archive_entry_pathname(zip->entry) : NULL;
    utf8_locale_leave(before);
    if (!*more)
        return status == ARCHIVE_EOF || fail(zip, error);
    zip->index++;
    zip->left = zip_size(zip);
    return true;
}

const char *zip_name(const ZipArchive *zip)
{
    return zip->name ? zip->name : "";
}

int64_t zip_index(const ZipArchive *zip)
{
    return zip->index;
}

int64_t zip_size(const ZipArchive *zip)
{
    const int64_t size = archive_entry_size(zip->entry);
    return size > 0 ? size : 0;
}

bool zip_read(ZipArchive *zip, void *bytes, size_t size, Error *error)
{
    char extra;
    size_t done = 0;
    while (done < size) {
        const la_ssize_t got = archive_read_data(zip->archive, (char *)bytes + done, size - done);
        if (got < 0)
            return fail(zip, error);
        if (got == 0)
            return error_input(error, "%s: the member %.80s ends %zu bytes early", zip->path,
                               zip_name(zip), size - done);
        done += (size_t)got;
    }
    zip->left -= (int64_t)size;
    /* The library compares the checksum when it is asked for a byte after the last one. */
    if (zip->left == 0 && archive_read_data(zip->archive, &extra, 1) != 0)
        return fail(zip, error);
    return true;
}
