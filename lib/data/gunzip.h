/* Unpacks a gzip file to its very end.
 *
 * A file may have several members, one behind the other, and zeros behind the last. zlib's gzread takes
 * anything that does not begin as a member does for the end of the file, so that members behind a
 * damaged header would be lost without a word. Here it is an error.
 */
#pragma once

#include <stdint.h>

typedef struct Gunzip Gunzip;

/* NULL with errno set if the file cannot be opened. */
Gunzip *gunzip_open(const char *path);
void gunzip_close(Gunzip *gunzip); /* NULL is fine */

/* bytes [size] := the next ones. Returns their number, 0 at the end of the file, or -1 with *problem := what
 * is wrong, which lives as long as `gunzip`: "incorrect data check". Checksums of members are compared. */
int gunzip_read(Gunzip *gunzip, uint8_t *bytes, int size, const char **problem);

/* How many bytes of the file have been unpacked. */
int64_t gunzip_position(const Gunzip *gunzip);
