/* Writes compare.html, a page that is one file and loads nothing from elsewhere.
 *
 * Its sections are printed one after the other from the filled-in comparison; charts and pictures
 * are in the page as base64. Pictures are read before the first line is printed, so that an error
 * never leaves half a page.
 */
#include "infer/compare/compare_page.h"

#include "base/input_file.h"
#include "base/memory.h"
#include "base/version.h"
#include "evaluation/features.h"
#include "infer/compare/compare_table.h"
#include "infer/html.h"
#include "io/output.h"

#include <math.h>
#include <string.h>

typedef struct Page {
    FILE *to;
    const Comparison *c;
    /* PNG */
    PlotBytes grids[LISTS_SAMPLERS], maps, correlation;
} Page;

static const char style[] =
    ":root{color-scheme:light dark;--line:#ccc;--soft:#555;--best:#e4f1e4}\n"
    "body{font:16px/1.5 sans-serif;margin:0 auto;padding:1rem;max-width:70rem;background:#fff;"
    "color:#222}\n"
    "h1{font-size:1.6rem;margin:.2em 0;overflow-wrap:anywhere}\n"
    "h2{font-size:1.25rem;margin:2rem 0 .3rem;border-top:1px solid var(--line);padding-top:1rem}\n"
    "h3{font-size:1rem;margin:1rem 0 .3rem}\n"
    "p{margin:.4rem 0;max-width:46rem}\n"
    ".soft,figcaption{color:var(--soft);font-size:.9rem}\n"
    ".wide{overflow-x:auto}\n"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums;margin:.5rem 0}\n"
    "th,td{padding:.25rem .6rem;border-bottom:1px solid var(--line);text-align:right;"
    "white-space:nowrap}\n"
    "th:first-child{text-align:left}\n"
    ".group th{color:var(--soft);font-size:.85rem;padding-top:.7rem}\n"
    ".floor{border-top:2px solid var(--line)}\n"
    "td.best{font-weight:bold;background:var(--best)}\n"
    "td span{color:var(--soft);font-weight:normal;font-size:.85rem}\n"
    ".figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));"
    "gap:1rem}\n"
    "figure{margin:.5rem 0}\n"
    "figure img{width:100%;max-width:40rem;height:auto;display:block}\n"
    "figure img.pixels{max-width:100%;width:auto}\n"
    "@media screen and (prefers-color-scheme:dark){:root{--line:#444;--soft:#aaa;--best:#234026}"
    "body{background:#17191c;color:#e2e2e2}}\n"
    "@media print{:root{color-scheme:light}body{font-size:10pt;max-width:none;padding:0}"
    ".wide{overflow:visible}.figures{grid-template-columns:1fr 1fr}"
    "h2,h3{break-after:avoid}figure,table{break-inside:avoid}}\n";

/* -- Pieces ----------------------------------------------------------------------------------- */

static void begin_section(const Page *page, const char *title, const char *how_to_read)
{
    fprintf(page->to, "<section>\n<h2>%s</h2>\n<p>%s</p>\n", title, how_to_read);
}

static void end_section(const Page *page)
{
    fprintf(page->to, "</section>\n");
}

static void put_figure(const Page *page, const Figure *figure)
{
    FILE *to = page->to;
    fprintf(to, "<figure><picture><source media=\"screen and (prefers-color-scheme: dark)\" "
                "srcset=\"");
    html_data(to, "image/svg+xml", figure->dark.data, figure->dark.size);
    fprintf(to, "\"><img width=\"%d\" height=\"%d\" alt=\"", PLOT_WIDTH, PLOT_HEIGHT);
    html_text(to, figure->title);
    fputs("\" src=\"", to);
    html_data(to, "image/svg+xml", figure->light.data, figure->light.size);
    fputs("\"></picture><figcaption>", to);
    html_text(to, figure->title);
    fprintf(to, " (figure-%s.svg, .png, .csv)</figcaption></figure>\n", figure->name);
}

static void put_picture(const Page *page, const PlotBytes *png, const char *what)
{
    FILE *to = page->to;
    fprintf(to, "<figure><img class=\"pixels\" alt=\"%s\" src=\"", what);
    html_data(to, "image/png", png->data, png->size);
    fputs("\"></figure>\n", to);
}

static void put_figures(const Page *page, CompareSection section)
{
    fputs("<div class=\"figures\">\n", page->to);
    for (int f = 0; f < page->c->figure_count; f++)
        if (page->c->figures[f].section == section)
            put_figure(page, &page->c->figures[f]);
    fputs("</div>\n", page->to);
}

/* -- Sections --------------------------------------------------------------------------------- */

static const char *images_of_bounds(const Comparison *c)
{
    const CompareKey key = {.variance = csv_cell(&c->nll, 0, "variance"),
                            .steps = c->steps[0],
                            .trajectory = c->trajectories[0]};
    const int row = compare_row(&c->nll, &key);
    return row < 0 ? "?" : csv_cell(&c->nll, row, "images");
}

/* What the page says of NPR with its best floor, which stands beside nll without being asked
 * for. */
static void put_extra(const Page *page)
{
    const Comparison *c = page->c;
    if (c->extra >= 0)
        fprintf(
            page->to,
            "<p class=\"soft\">%s is npr with its best floor, on the same images, so that nll is "
            "compared with the best of the squared losses. Samples have no such row: "
            "--cov-floor 0,%g asks for it.</p>\n",
            c->labels[c->extra].text, c->floors[c->extra]);
    else if (c->missing.text[0])
        fprintf(page->to,
                "<p class=\"soft\">The stored table has no %s, which nll should be compared with: "
                "infer compare --cov-floor 0,0.03 measures it.</p>\n",
                c->missing.text);
}

static void put_nll(const Page *page)
{
    const Comparison *c = page->c;
    begin_section(page, "Likelihood",
                  "The bound on the negative log-likelihood of held-out images, in bits per "
                  "dimension: less is better. All variances saw the same images and the same "
                  "noise, so that differences between them are surer than the standard errors "
                  "(after ±) say.");
    fprintf(page->to, "<p class=\"soft\">%s test images; DDPM", images_of_bounds(c));
    if (c->trajectory_count == 1)
        fprintf(page->to, " on the trajectory %s", trajectory_name(c->trajectories[0]));
    fputs(".</p>\n", page->to);
    put_extra(page);
    compare_put_table(page->to, &(CompareTable){.c = c, .csv = &c->nll, .column = "bits_per_dim"});
    put_figures(page, COMPARE_NLL);
    end_section(page);
}

static void put_inception(const Page *page, int row)
{
    fputs("Features are the pool features of ", page->to);
    html_text(page->to, csv_cell(&page->c->quality, row, "classifier"));
    fputs(", Inception-v3. Fréchet distances are FIDs at these numbers of images, and kernel "
          "distances are KIDs. They compare with published ones only at equal numbers; published "
          "FIDs are mostly of 50000 samples.",
          page->to);
}

static void put_classifier(const Page *page, int row)
{
    const Csv *csv = &page->c->quality;
    fputs("Features are those of the classifier ", page->to);
    html_text(page->to, csv_cell(csv, row, "classifier"));
    fprintf(page->to,
            ", which is right about %.1f %% of test images; distances in them compare with no "
            "published FID, and with no other classifier's.",
            100 * csv_number(csv, row, "accuracy"));
}

/* What the distances are distances of. */
static void put_features(const Page *page)
{
    const Csv *csv = &page->c->quality;
    int row = 0; /* the last row with features; the sliced distance has none */
    for (int i = 0; i < csv->rows; i++)
        if (*csv_cell(csv, i, "classifier"))
            row = i;
    fprintf(page->to, "<p class=\"soft\">%s samples of each kind against %s held-out images. ",
            csv_cell(csv, row, "images"), csv_cell(csv, row, "reference"));
    const char *name = csv_cell(csv, row, "classifier");
    if (features_name_is_inception(name))
        put_inception(page, row);
    else if (*name)
        put_classifier(page, row);
    fputs("</p>\n", page->to);
}

static void put_quality(const Page *page)
{
    const Comparison *c = page->c;
    begin_section(page, "Quality of samples",
                  "How far samples are from held-out images. The row of real images is the floor: "
                  "as many other real images in the place of samples. Standard errors are of a "
                  "bootstrap. With few samples distances are biased upward, the floor too.");
    if (!c->has_quality) {
        fputs("<p>Left out: ", page->to);
        html_text(page->to, c->quality_problem ? c->quality_problem : "--samples 0 was asked for");
        fputs(".</p>\n", page->to);
        end_section(page);
        return;
    }
    put_features(page);
    for (int m = 0; m < COMPARE_METRICS; m++) {
        const CompareMetric *metric = &compare_metrics[m];
        if (csv_find(&c->quality, 0, "metric", metric->name) < 0)
            continue;
        fprintf(page->to, "<h3>%s</h3>\n", metric->title);
        compare_put_table(
            page->to,
            &(CompareTable){.c = c, .csv = &c->quality, .column = "value", .metric = metric});
    }
    put_figures(page, COMPARE_QUALITY);
    end_section(page);
}

static void put_samples(const Page *page)
{
    begin_section(page, "Samples from the same noise",
                  "Variances down, numbers of steps across. Every block starts from the same "
                  "x_T and meets the same noise, so that images in one place differ by variance "
                  "and steps alone.");
    for (int i = 0; i < page->c->sampler_count; i++) {
        char *what = memory_format("Samples of every variance and number of steps, %s",
                                   sampler_name(page->c->samplers[i]));
        if (page->c->sampler_count > 1)
            fprintf(page->to, "<h3>%s</h3>\n", sampler_name(page->c->samplers[i]));
        put_picture(page, &page->grids[i], what);
        memory_free(what);
    }
    end_section(page);
}

static void put_number(const Page *page, double value, int digits)
{
    if (isnan(value))
        fputs("<td>–</td>", page->to);
    else
        fprintf(page->to, "<td>%.*f</td>", digits, value);
}

static void put_map_numbers(const Page *page)
{
    const Comparison *c = page->c;
    const CompareMaps *maps = &c->maps;
    FILE *to = page->to;
    const char *first = compare_map_name(c, 0);
    fputs("<div class=\"wide\"><table>\n<thead><tr><th>t</th><th>largest σ</th>", to);
    for (int k = 0; k < maps->count; k++)
        fprintf(to, "<th>mean σ, %s</th>", compare_map_name(c, k));
    for (int k = 1; k < maps->count; k++)
        fprintf(to, "<th>rms of %s − %s</th><th>correlation of %s, %s</th>", compare_map_name(c, k),
                first, compare_map_name(c, k), first);
    fputs("</tr></thead>\n<tbody>\n", to);
    for (int i = 0; i < maps->time_count; i++) {
        const MapRow *row = &maps->times[i];
        fprintf(to, "<tr><th>%d</th>", row->t);
        put_number(page, row->max, 4);
        for (int k = 0; k < maps->count; k++)
            put_number(page, row->mean[k], 4);
        for (int k = 1; k < maps->count; k++) {
            put_number(page, row->difference[k], 4);
            put_number(page, row->correlation[k], 3);
        }
        fputs("</tr>\n", to);
    }
    fputs("</tbody></table></div>\n", to);
}

/* "Maps of sigma by sn and npr", "by sn, npr and nll". The caller frees it. */
static char *title_of_maps(const Comparison *c)
{
    const int count = c->maps.count;
    char *title = memory_format("Maps of sigma by %s", compare_map_name(c, 0));
    for (int k = 1; k < count; k++) {
        char *longer =
            memory_format("%s%s%s", title, k == count - 1 ? " and " : ", ", compare_map_name(c, k));
        memory_free(title);
        title = longer;
    }
    return title;
}

static void put_maps(const Page *page)
{
    const Comparison *c = page->c;
    begin_section(page, "Predicted uncertainty of every pixel",
                  "σ = √Cov[x₀ | x_t] of each pixel by each head, on the same x_t of two test "
                  "images. σ is black at 0 and white at the largest σ of that t.");
    if (!c->maps.path) {
        fputs("<p>Left out: no variance of the table reads a head.</p>\n", page->to);
        end_section(page);
        return;
    }
    if (c->maps.count == 2)
        fputs(
            "<p>The difference of both is grey at 0, and lighter where the first is larger.</p>\n",
            page->to);
    char *title = title_of_maps(c);
    put_picture(page, &page->maps, title);
    memory_free(title);
    put_map_numbers(page);
    end_section(page);
}

/* Says which map above shows the diagonal of the covariance with correlations. */
static void put_diagonal(const Page *page)
{
    const Comparison *c = page->c;
    for (int k = 0; k < c->maps.count; k++) {
        const Variance *variance = c->variances[c->maps.rows[k]];
        if (variance != c->correlated && strcmp(variance->head, c->correlated->head) == 0)
            fprintf(page->to, "<p>%s has the σ of %s, which the maps show.</p>\n",
                    c->correlated->name, compare_map_name(c, k));
    }
}

static void put_correlation(const Page *page)
{
    const Comparison *c = page->c;
    if (!c->correlation)
        return;
    begin_section(
        page, "Correlations of neighbouring pixels",
        "The correlations of x₀ given x_t within a block of pixels: row i of a matrix has "
        "those of element i with all elements of the block. White is 1, grey 0, black −1. "
        "The timesteps are the same as in the maps above. The other variances take all elements "
        "to be independent.");
    put_diagonal(page);
    char *what = memory_format("Correlations within blocks by %s", c->correlated->name);
    put_picture(page, &page->correlation, what);
    memory_free(what);
    fputs(
        "<div class=\"wide\"><table>\n<thead><tr><th>t</th><th>mean correlation of neighbours</th>"
        "</tr></thead>\n<tbody>\n",
        page->to);
    for (int k = 0; k < COMPARE_MAP_TIMES; k++)
        fprintf(page->to, "<tr><th>%d</th><td>%.3f</td></tr>\n", c->correlation_rows[k].t,
                c->correlation_rows[k].neighbours);
    fputs("</tbody></table></div>\n", page->to);
    end_section(page);
}

static void put_calibration(const Page *page)
{
    begin_section(page, "Calibration",
                  "The mean of (x₀ − x̂₀)² / Cov[x₀ | x_t] over held-out images and pixels. 1, the "
                  "dashed line, is calibrated; above it a variance is overconfident, below it "
                  "too cautious. beta_tilde claims no uncertainty of x₀ and has no curve.");
    put_figures(page, COMPARE_CALIBRATION);
    fputs(
        "<p>The same by tenths of an image's elements: the tenth with the least Cov[x₀ | x_t], the "
        "next one, up to the tenth with the largest. Means over timesteps.</p>\n",
        page->to);
    compare_put_tenths(page->to, page->c, "mean_square");
    fputs("<p>The mean of the square of (x₀ − x̂₀)² / Cov[x₀ | x_t]: 3 where errors are normal and "
          "the "
          "variance is right.</p>\n",
          page->to);
    compare_put_tenths(page->to, page->c, "mean_fourth");
    end_section(page);
}

static void put_costs(const Page *page)
{
    const Comparison *c = page->c;
    const Csv *csv = &c->costs;
    begin_section(page, "What each variance costs",
                  "To draw: passes of the network in a step, and the time for one image and one "
                  "step, with the heads that the variance reads. The shortest of several "
                  "measurements, on the machine that made this page. To fit: the numbers of these "
                  "heads, the images that their training saw, and the time of its steps, as "
                  "metrics.csv has them. Heads that were trained together share one pass, and each "
                  "has the time of all; learned is trained with the mean.");
    fputs("<div class=\"wide\"><table>\n<thead><tr><th>variance</th><th>head</th><th>passes</th>"
          "<th>ms per image and step</th><th>relative</th><th>parameters</th><th>images to "
          "fit</th><th>seconds to fit</th></tr></thead>\n<tbody>\n",
          page->to);
    for (int v = 0; v < c->variance_count; v++) {
        const char *name = c->variances[v]->name;
        const int row = csv_find(csv, 0, "variance", name);
        const char *head = csv_cell(csv, row, "head");
        const char *images = csv_cell(csv, row, "fit_images"),
                   *seconds = csv_cell(csv, row, "fit_seconds");
        fprintf(page->to,
                "<tr><th>%s</th><td>%s</td><td>%s</td><td>%.3f</td><td>%.3f</td><td>%s</td>"
                "<td>%s</td><td>%s</td></tr>\n",
                compare_drawn_label(c, v).text, *head ? head : "–", csv_cell(csv, row, "passes"),
                1e3 * csv_number(csv, row, "seconds_per_image"), csv_number(csv, row, "relative"),
                csv_cell(csv, row, "parameters"), *images ? images : "–", *seconds ? seconds : "–");
    }
    fprintf(page->to,
            "</tbody></table></div>\n<p class=\"soft\">%s images at a time, %s threads. "
            "The rest of a step, which computes with these outputs, is not included.</p>\n",
            csv_cell(csv, 0, "images"), csv_cell(csv, 0, "threads"));
    end_section(page);
}

/* -- The page --------------------------------------------------------------------------------- */

static void put_title(const Page *page)
{
    const Comparison *c = page->c;
    const Config *config = network_config(c->network);
    FILE *to = page->to;
    fputs("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>", to);
    html_text(to, config->name);
    fprintf(to, ": reverse variances compared</title>\n<style>\n%s</style>\n</head>\n<body>\n<h1>",
            style);
    html_text(to, config->name);
    fputs(": reverse variances compared</h1>\n<p class=\"soft\">", to);
    html_text(to, network_run(c->network));
    fprintf(to, "; images of %d × %d pixels and %d channel%s, %d timesteps; varhead %s.</p>\n",
            config->data.resolution, config->data.resolution, config->data.channels,
            config->data.channels == 1 ? "" : "s", network_schedule(c->network)->timesteps,
            VARHEAD_VERSION);
    fputs("<p>In every table bold marks the best of a column, K is the number of sampling steps, "
          "and ± is a standard error: a lead that is smaller says nothing.</p>\n",
          to);
}

static void write_page(FILE *to, const void *context)
{
    Page page = *(const Page *)context;
    page.to = to;
    put_title(&page);
    put_nll(&page);
    put_quality(&page);
    put_samples(&page);
    put_maps(&page);
    put_correlation(&page);
    put_calibration(&page);
    put_costs(&page);
    fputs("</body>\n</html>\n", to);
}

static bool read_bytes(PlotBytes *bytes, const char *path, Error *error)
{
    int64_t size = 0;
    if (!input_file_check(path, "a picture", &size, error) ||
        !(bytes->data = memory_large((size_t)size, 1, "a picture", error)))
        return false;
    bytes->size = (size_t)size;
    FILE *from = input_file_open(path);
    const bool ok = from && fread(bytes->data, 1, bytes->size, from) == bytes->size;
    if (from)
        fclose(from);
    return ok || error_runtime(error, "%s: cannot be read", path);
}

bool compare_write_page(const Comparison *c, const char *path, Error *error)
{
    Page page = {.c = c};
    bool ok = (!c->maps.path || read_bytes(&page.maps, c->maps.path, error)) &&
              (!c->correlation || read_bytes(&page.correlation, c->correlation, error));
    for (int i = 0; ok && i < c->sampler_count; i++)
        ok = read_bytes(&page.grids[i], c->grids[i], error);
    ok = ok && output_text(path, FILE_PAGE, write_page, &page, error);
    for (int i = 0; i < c->sampler_count; i++)
        memory_free(page.grids[i].data);
    memory_free(page.maps.data);
    memory_free(page.correlation.data);
    return ok;
}
