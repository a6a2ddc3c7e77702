/* A table of the bytes with which formats begin, and functions for the few that are recognised in
 * other ways. */
#include "base/foreign_file.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <zlib.h>

/* -- Formats with fixed first bytes ------------------------------------------------------------ */

typedef struct Magic {
    const char *bytes;
    size_t size, at;
    const char *text;
} Magic;

#define BYTES(text) text, sizeof(text) - 1

static const Magic magics[] = {
    {BYTES("\x89HDF\r\n\x1a\n"), 0, "an HDF5 file"},
    {BYTES("\x0e\x03\x13\x01"), 0, "an HDF4 file"},
    {BYTES("CDF\x01"), 0, "a NetCDF file"},
    {BYTES("CDF\x02"), 0, "a NetCDF file"},
    {BYTES("\0\0\x08\x01"), 0, "an IDX file of labels"},
    {BYTES("\0\0\x08\x03"), 0, "an IDX file of images"},
    {BYTES("\x93NUMPY"), 0, "a NumPy array (.npy)"},
    {BYTES("\x1f\x8b"), 0, "compressed by gzip (gunzip unpacks it)"},
    {BYTES("BZh"), 0, "compressed by bzip2 (bunzip2 unpacks it)"},
    {BYTES("\xfd\x37zXZ\0"), 0, "compressed by xz (unxz unpacks it)"},
    {BYTES("\x28\xb5\x2f\xfd"), 0, "compressed by Zstandard (unzstd unpacks it)"},
    {BYTES("\x04\x22\x4d\x18"), 0, "compressed by LZ4 (unlz4 unpacks it)"},
    {BYTES("7z\xbc\xaf\x27\x1c"), 0, "a 7z archive"},
    {BYTES("Rar!"), 0, "a RAR archive"},
    {BYTES("ustar"), 257, "a tar archive (tar -xf unpacks it)"},
    {BYTES("\x89PNG"), 0, "a PNG picture"},
    {BYTES("\xff\xd8\xff"), 0, "a JPEG picture"},
    {BYTES("GIF8"), 0, "a GIF picture"},
    {BYTES("%PDF"), 0, "a PDF document"},
    {BYTES("PAR1"), 0, "a Parquet file"},
    {BYTES("\x80\x02"), 0, "a Python pickle (an older file of PyTorch?)"},
    {BYTES("\x80\x03"), 0, "a Python pickle"},
    {BYTES("\x80\x04"), 0, "a Python pickle"},
    {BYTES("\x80\x05"), 0, "a Python pickle"},
    {BYTES("\xff\xfe"), 0, "text in UTF-16"},
    {BYTES("\xfe\xff"), 0, "text in UTF-16"},
    {BYTES("version https://git-lfs.github.com/spec/"), 0,
     "a pointer of Git LFS, not the file itself (git lfs pull fetches it)"},
    {BYTES("/annex/objects/"), 0,
     "a pointer of git-annex, not the file itself (git annex get fetches it)"},
};

static const char *by_magic(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++) {
        const Magic *magic = &magics[i];
        if (size >= magic->at + magic->size &&
            memcmp(bytes + magic->at, magic->bytes, magic->size) == 0)
            return magic->text;
    }
    return NULL;
}

/* -- Others ------------------------------------------------------------------------------------ */

/* A ZIP archive begins with "PK\3\4". The length of the first file's name is at byte 26, the name
 * at byte 30. */
static const char *zip_kind(const uint8_t *bytes, size_t size)
{
    if (size < 31 || memcmp(bytes, "PK\x03\x04", 4) != 0)
        return NULL;
    char name[128] = "";
    size_t length = (size_t)bytes[26] | (size_t)bytes[27] << 8;
    length = length < size - 30 ? length : size - 30;
    length = length < sizeof name - 1 ? length : sizeof name - 1;
    memcpy(name, bytes + 30, length);
    if (strstr(name, "/data.pkl") || strstr(name, "/byteorder") || strstr(name, "/.format_version"))
        return "a file of PyTorch (torch.save)";
    if (strstr(name, ".npy"))
        return "a NumPy archive (.npz)";
    return "a ZIP archive (unzip unpacks it)";
}

/* A safetensors file begins with the length of a header, 8 bytes, and the header, which is JSON. */
static bool is_safetensors(const uint8_t *bytes, size_t size)
{
    return size > 10 && bytes[8] == '{' && (bytes[9] == '"' || bytes[9] == '}') && bytes[4] == 0 &&
           bytes[5] == 0 && bytes[6] == 0 && bytes[7] == 0;
}

static size_t skip(const uint8_t *bytes, size_t size, size_t at)
{
    while (at < size && isspace(bytes[at]))
        at++;
    return at;
}

static bool begins(const uint8_t *bytes, size_t size, const char *word)
{
    const size_t length = strlen(word);
    return size >= length && strncasecmp((const char *)bytes, word, length) == 0;
}

/* HTML or XML, after a byte order mark, white space and comments. */
static const char *markup_kind(const uint8_t *bytes, size_t size)
{
    static const char *const html[] = {"<!doctype html", "<html", "<head", "<body", "<title"};
    size_t at = skip(bytes, size, size >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0);
    bool xml = false;
    while (begins(bytes + at, size - at, "<!--") || begins(bytes + at, size - at, "<?xml")) {
        const bool comment = bytes[at + 1] == '!';
        xml = xml || !comment;
        const uint8_t *end = memmem(bytes + at, size - at, comment ? "-->" : "?>", comment ? 3 : 2);
        at = end ? skip(bytes, size, (size_t)(end - bytes) + (comment ? 3 : 2)) : size;
    }
    for (size_t i = 0; i < sizeof html / sizeof html[0]; i++)
        if (begins(bytes + at, size - at, html[i]))
            return "an HTML page (did the download go wrong?)";
    return xml || begins(bytes + at, size - at, "<Error>")
               ? "an XML document (did the download go wrong?)"
               : NULL;
}

ForeignKind foreign_kind_of_bytes(const uint8_t *bytes, size_t size)
{
    ForeignKind kind = {""};
    const char *text = by_magic(bytes, size);
    if (!text)
        text = zip_kind(bytes, size);
    if (!text)
        text = is_safetensors(bytes, size) ? "a safetensors file" : markup_kind(bytes, size);
    if (text)
        snprintf(kind.text, sizeof kind.text, "%s", text);
    return kind;
}

/* "text, which begins with "404: Not Found"": a server or a program may send a message instead of a
 * file. */
static ForeignKind text_kind(const uint8_t *bytes, size_t size)
{
    enum { SHOWN = 60 };
    ForeignKind kind = {""};
    for (size_t i = 0; i < size; i++)
        if ((bytes[i] < ' ' && !isspace(bytes[i])) || bytes[i] == 0x7f)
            return kind;
    char line[SHOWN + 1] = "";
    size_t length = 0;
    for (size_t i = skip(bytes, size, 0); i < size && length < SHOWN && bytes[i] >= ' '; i++)
        line[length++] = (char)bytes[i];
    while (length > 0 && ((unsigned char)line[length - 1] & 0x80)) /* never a part of a character */
        length--;
    line[length] = '\0';
    if (length > 0)
        snprintf(kind.text, sizeof kind.text, "text, which begins with \"%s\"", line);
    return kind;
}

ForeignKind foreign_kind_of(const char *path)
{
    uint8_t bytes[FOREIGN_KIND_BYTES];
    struct stat status;
    /* zlib would wait for the writer of a named pipe. */
    if (stat(path, &status) != 0 || !S_ISREG(status.st_mode))
        return (ForeignKind){""};
    gzFile file = gzopen(path, "rb"); /* reads uncompressed files as they are, too */
    if (!file)
        return (ForeignKind){""};
    const int got = gzread(file, bytes, sizeof bytes);
    const bool compressed = gzdirect(file) == 0;
    gzclose_r(file);
    const size_t size = got > 0 ? (size_t)got : 0;
    ForeignKind kind = foreign_kind_of_bytes(bytes, size);
    if (!compressed)
        return kind.text[0] != '\0' ? kind : text_kind(bytes, size);
    ForeignKind packed = {"compressed by gzip (gunzip unpacks it)"};
    if (kind.text[0] != '\0')
        snprintf(packed.text, sizeof packed.text, "%.100s, compressed by gzip (gunzip unpacks it)",
                 kind.text);
    return packed;
}
