/* The picture of a trace, as SVG */
#include "watermark/trace.h"

#include <math.h>

enum {
        WIDTH = 960,
        HEIGHT = 440,
        LEFT = 72,
        RIGHT = 24,
        TOP = 64,
        BOTTOM = 64,
        MAX_DOTS = 2000, /* of releases not accused */
        MAX_LABELS = 12,
        LINE = 17, /* between labels */
};

/* Letters stay legible where they cross lines and dots. */
#define HALO "paint-order=\"stroke\" stroke=\"#ffffff\" stroke-width=\"4\" stroke-linejoin=\"round\" "

struct plot {
        const struct gbx_trace *trace;
        double low, high; /* of the scores shown */
        double labelled;  /* down to here on the left */
        struct gbx_buffer *buffer;
        struct gbx_error *err;
        int status;
};

#define PUT(plot, ...) \
        do { \
                if ((plot)->status >= 0) \
                        (plot)->status = gbx_buffer_printf((plot)->buffer, (plot)->err, __VA_ARGS__); \
        } while (0)

/* Text as XML; control characters are left out. */
static void put_text(struct plot *plot, const char *text) {
        for (; *text && plot->status >= 0; text++) {
                switch (*text) {
                case '<':
                        PUT(plot, "&lt;");
                        break;
                case '>':
                        PUT(plot, "&gt;");
                        break;
                case '&':
                        PUT(plot, "&amp;");
                        break;
                case '"':
                        PUT(plot, "&quot;");
                        break;
                default:
                        if ((uint8_t)*text >= 0x20)
                                PUT(plot, "%c", *text);
                }
        }
}

static double place_y(const struct plot *plot, double score) {
        return TOP + (HEIGHT - TOP - BOTTOM) * (plot->high - score) / (plot->high - plot->low);
}

static double place_x(const struct plot *plot, size_t rank) {
        double count = plot->trace->count > 1 ? (double)(plot->trace->count - 1) : 1;

        return LEFT + 12 + (WIDTH - LEFT - RIGHT - 24) * (double)rank / count;
}

static void put_frame(struct plot *plot) {
        double step = pow(10, floor(log10((plot->high - plot->low) / 4)));

        while ((plot->high - plot->low) / step > 8)
                step *= 2;
        PUT(plot,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" "
            "font-family=\"system-ui, sans-serif\" font-size=\"13\" fill=\"#334155\">\n"
            "<title>Scores of the releases tested by a trace</title>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
            WIDTH, HEIGHT, WIDTH, HEIGHT);
        for (int n = (int)ceil(plot->low / step); n * step <= plot->high; n++) {
                double y = n * step;

                PUT(plot,
                    "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"%s\"/>"
                    "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n",
                    LEFT, place_y(plot, y), WIDTH - RIGHT, place_y(plot, y), n == 0 ? "#94a3b8" : "#e2e8f0",
                    LEFT - 8, place_y(plot, y) + 4,
                    y);
        }
        PUT(plot, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">releases tested, highest score first</text>\n",
            (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 20);
        PUT(plot,
            "<text transform=\"translate(20 %d) rotate(-90)\" text-anchor=\"middle\">score (standard deviations)</text>\n",
            (TOP + HEIGHT - BOTTOM) / 2);
}

static void put_title(struct plot *plot) {
        const struct gbx_trace *trace = plot->trace;

        PUT(plot, "<text x=\"%d\" y=\"28\" font-size=\"17\" font-weight=\"600\" fill=\"#0f172a\">Verdict: %s</text>\n",
            LEFT, gbx_trace_verdict_text(trace->verdict));
        PUT(plot, "<text x=\"%d\" y=\"48\">%zu accused of %llu releases tested; bound on accusing any innocent: %g</text>\n",
            LEFT, trace->accused, (unsigned long long)trace->tested, trace->alpha);
}

static void put_threshold(struct plot *plot) {
        double y;

        if (plot->trace->threshold <= 0)
                return;
        y = place_y(plot, plot->trace->threshold);
        PUT(plot,
            "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"#b91c1c\" stroke-dasharray=\"6 4\"/>"
            "<text " HALO "x=\"%d\" y=\"%.1f\" text-anchor=\"end\" fill=\"#b91c1c\">threshold %.2f</text>\n",
            LEFT, y, WIDTH - RIGHT, y, WIDTH - RIGHT, y - 6, plot->trace->threshold);
}

static void put_accused(struct plot *plot, const struct gbx_trace_candidate *candidates, size_t rank) {
        const struct gbx_trace_result *result = &plot->trace->results[rank];
        double x = place_x(plot, rank), y = place_y(plot, result->score);

        PUT(plot, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"6\" fill=\"#b91c1c\"/>\n", x, y);
        if (rank >= MAX_LABELS)
                return;
        plot->labelled = fmax(y + 4, plot->labelled + LINE);
        PUT(plot, "<text " HALO "x=\"%.1f\" y=\"%.1f\" font-weight=\"600\" fill=\"#0f172a\">", x + 12, plot->labelled);
        put_text(plot, candidates[result->candidate].recipient);
        PUT(plot, " (");
        put_text(plot, candidates[result->candidate].release);
        PUT(plot, ")</text>\n");
}

int gbx_trace_plot(const struct gbx_trace *trace, const struct gbx_trace_candidate *candidates,
                   struct gbx_buffer *buffer, struct gbx_error *err) {
        struct plot plot = { .trace = trace, .low = -4, .high = 7, .buffer = buffer, .err = err };
        size_t stride = trace->count / MAX_DOTS + 1;

        for (size_t i = 0; i < trace->count; i++) {
                plot.low = fmin(plot.low, trace->results[i].score - 1);
                plot.high = fmax(plot.high, trace->results[i].score * 1.1 + 1);
        }
        plot.high = fmax(plot.high, trace->threshold + 1);
        put_frame(&plot);
        put_title(&plot);
        put_threshold(&plot);
        for (size_t i = trace->accused; i < trace->count; i += stride)
                PUT(&plot, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"#64748b\" fill-opacity=\"0.6\"/>\n",
                    place_x(&plot, i), place_y(&plot, trace->results[i].score));
        for (size_t i = 0; i < trace->accused; i++)
                put_accused(&plot, candidates, i);
        PUT(&plot, "</svg>\n");
        return plot.status < 0 ? plot.status : 0;
}
