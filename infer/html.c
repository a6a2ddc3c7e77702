/* Writes text and bytes into an HTML page.
 *
 * Text is escaped character by character. Bytes become base64 (RFC 4648), three bytes to four
 * letters.
 */
#include "infer/html.h"

#include <string.h>

void html_text(FILE *to, const char *text)
{
    static const char special[] = "&<>\"'";
    static const char *const escaped[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
    for (; *text; text++) {
        const char *found = strchr(special, *text);
        if (found)
            fputs(escaped[found - special], to);
        else
            fputc(*text, to);
    }
}

void html_data(FILE *to, const char *type, const unsigned char *data, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    fprintf(to, "data:%s;base64,", type);
    for (size_t i = 0; i < size; i += 3) {
        const size_t left = size - i;
        const unsigned bits = (unsigned)data[i] << 16 |
                              (left > 1 ? (unsigned)data[i + 1] << 8 : 0) |
                              (left > 2 ? data[i + 2] : 0);
        fputc(digits[bits >> 18], to);
        fputc(digits[bits >> 12 & 63], to);
        fputc(left > 1 ? digits[bits >> 6 & 63] : '=', to);
        fputc(left > 2 ? digits[bits & 63] : '=', to);
    }
}
