/* Decodes JPEG by libjpeg: the one door to that library.
 *
 * libjpeg fills up what is missing of a truncated file, with a warning. Here warnings about damaged
 * data are errors. Two are not, since cameras write such files: bytes between two markers, and a
 * version of JFIF or Adobe that is not known. A progressive file of many scans takes long to decode
 * however small it is, so their number is limited.
 */
#include "base/memory.h"
#include "data/picture_codec.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

enum { MOST_SCANS = 100, EXIF = JPEG_APP0 + 1, PROFILE = JPEG_APP0 + 2, LONGEST_MARKER = 0xffff };

typedef struct Decoder {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf failed;
    Picture *picture;
    Error *error;
    /* [width, 4]: a row of CMYK. */
    uint8_t *inks;
    char reason[JMSG_LENGTH_MAX];
    bool truncated;
} Decoder;

#define QUOTED(token) #token
#define EXPANDED(token) QUOTED(token)

const char *picture_jpeg_library(void)
{
#ifdef LIBJPEG_TURBO_VERSION
    return "libjpeg-turbo " EXPANDED(LIBJPEG_TURBO_VERSION);
#else
    return "libjpeg " EXPANDED(JPEG_LIB_VERSION);
#endif
}

/* -- Errors ------------------------------------------------------------------------------------ */

static void fail(j_common_ptr jpeg)
{
    Decoder *decoder = jpeg->client_data;
    jpeg->err->format_message(jpeg, decoder->reason);
    decoder->truncated = jpeg->err->msg_code == JWRN_JPEG_EOF;
    longjmp(decoder->failed, 1);
}

static void judge(j_common_ptr jpeg, int level)
{
    const int code = jpeg->err->msg_code;
    if (level < 0 && code != JWRN_EXTRANEOUS_DATA && code != JWRN_JFIF_MAJOR &&
        code != JWRN_ADOBE_XFORM)
        fail(jpeg);
}

static void print_nothing(j_common_ptr jpeg)
{
    (void)jpeg;
}

static void count_scans(j_common_ptr jpeg)
{
    if (((j_decompress_ptr)jpeg)->input_scan_number > MOST_SCANS) {
        Decoder *decoder = jpeg->client_data;
        snprintf(decoder->reason, sizeof decoder->reason, "more than %d scans", MOST_SCANS);
        longjmp(decoder->failed, 1);
    }
}

/* -- Pixels ------------------------------------------------------------------------------------ */

/* Adobe's programs store inks inverted, and others leave Adobe's marker out. */
static void take_inks(const Decoder *decoder, uint8_t *pixels)
{
    const bool inverted = decoder->jpeg.saw_Adobe_marker;
    for (int x = 0; x < decoder->picture->width; x++)
        for (int c = 0; c < 3; c++) {
            const int ink = decoder->inks[4 * x + c], black = decoder->inks[4 * x + 3];
            const int light = inverted ? ink * black : (255 - ink) * (255 - black);
            pixels[3 * x + c] = (uint8_t)((light + 127) / 255);
        }
}

/* The first segment of EXIF counts: where the data are longer than a segment, others go on with them. */
static void read_markers(const Decoder *decoder, int *orientation)
{
    bool has_exif = false;
    for (jpeg_saved_marker_ptr m = decoder->jpeg.marker_list; m; m = m->next) {
        if (!has_exif && m->marker == EXIF && m->data_length > 6 &&
            memcmp(m->data, "Exif\0\0", 6) == 0) {
            *orientation = exif_orientation(m->data + 6, m->data_length - 6);
            has_exif = true;
        }
        if (m->marker == PROFILE && m->data_length > 12 && memcmp(m->data, "ICC_PROFILE", 12) == 0)
            decoder->picture->has_profile = true;
    }
}

/* False with `error` set; a failure of libjpeg's does not return. */
static bool read_picture(Decoder *decoder, const uint8_t *bytes, size_t size, int *orientation)
{
    j_decompress_ptr jpeg = &decoder->jpeg;
    Picture *picture = decoder->picture;
    jpeg_create_decompress(jpeg);
    jpeg->progress = &decoder->progress;
    jpeg_mem_src(jpeg, bytes, size);
    jpeg_save_markers(jpeg, EXIF, LONGEST_MARKER);
    jpeg_save_markers(jpeg, PROFILE, LONGEST_MARKER);
    (void)jpeg_read_header(jpeg, TRUE);
    read_markers(decoder, orientation);
    const bool cmyk = jpeg->jpeg_color_space == JCS_CMYK || jpeg->jpeg_color_space == JCS_YCCK;
    const bool grey = jpeg->jpeg_color_space == JCS_GRAYSCALE;
    jpeg->out_color_space = cmyk ? JCS_CMYK : grey ? JCS_GRAYSCALE : JCS_RGB;
    if (!picture_make(picture, jpeg->image_width, jpeg->image_height, grey ? 1 : 3, decoder->error))
        return false;
    if (cmyk)
        decoder->inks = memory_small((size_t)picture->width, 4);
    (void)jpeg_start_decompress(jpeg);
    const size_t row = (size_t)picture->width * (size_t)picture->channels;
    while (jpeg->output_scanline < jpeg->output_height) {
        uint8_t *pixels = picture->pixels + jpeg->output_scanline * row;
        JSAMPROW target = cmyk ? decoder->inks : pixels;
        (void)jpeg_read_scanlines(jpeg, &target, 1);
        if (cmyk)
            take_inks(decoder, pixels);
    }
    (void)jpeg_finish_decompress(jpeg);
    return true;
}

bool picture_decode_jpeg(Picture *picture, const uint8_t *bytes, size_t size, int *orientation,
                         Error *error)
{
    Decoder *decoder = memory_small(1, sizeof *decoder);
    decoder->jpeg.err = jpeg_std_error(&decoder->errors);
    decoder->jpeg.client_data = decoder;
    decoder->errors.error_exit = fail;
    decoder->errors.emit_message = judge;
    decoder->errors.output_message = print_nothing;
    decoder->progress.progress_monitor = count_scans;
    decoder->picture = picture;
    decoder->error = error;
    volatile bool ok = false;
    if (setjmp(decoder->failed) == 0)
        ok = read_picture(decoder, bytes, size, orientation);
    else if (decoder->truncated)
        error_input(error, "is truncated");
    else
        error_input(error, "is a damaged JPEG, or of a kind that is not read (%s)",
                    decoder->reason);
    jpeg_destroy_decompress(&decoder->jpeg);
    memory_free(decoder->inks);
    memory_free(decoder);
    return ok;
}
