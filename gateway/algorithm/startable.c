#include "gateway/algorithm/startable.h"

#include "base/cleanup.h"
#include "base/memfile.h"
#include "base/text.h"
#include "gateway/parse/frames.h"
#include "gateway/parse/parse.h"

#include <string.h>

/* The interpreters (dynamic linkers) that the image of an engine has, with the libraries they look for. The image of the
 * native engine has no file but the program (images/native-min). */
static const char *const interpreters[][1] = {
        [GBX_ENGINE_NATIVE] = { NULL },
};

static bool provides(unsigned engine, const char *interpreter) {
        for (size_t i = 0; engine < gbx_array_size(interpreters) && i < gbx_array_size(interpreters[engine]); i++)
                if (interpreters[engine][i] && strcmp(interpreters[engine][i], interpreter) == 0)
                        return true;
        return false;
}

/* What a program says that it needs, for people. */
struct needs {
        char interpreter[300]; /* "" is none */
        char libraries[400];   /* "libm.so.6, libc.so.6"; what does not fit is left out */
};

static int take_needs(const struct gbx_buffer *answer, struct needs *needs, struct gbx_error *err) {
        struct gbx_frames frames = { answer->data, answer->size };
        struct gbx_frame frame;
        int r;

        while ((r = gbx_frames_next(&frames, &frame, err)) > 0) {
                size_t used = strlen(needs->libraries);
                char name[300];

                gbx_text_printable((const char *)frame.data, frame.size, name, sizeof name);
                if (frame.kind == GBX_FRAME_INTERPRETER && needs->interpreter[0] == '\0')
                        memcpy(needs->interpreter, name, sizeof name);
                else if (frame.kind != GBX_FRAME_LIBRARY)
                        return gbx_fail(err, -EPROTO, "its reader contradicts itself");
                else if (used + strlen(name) + 3 < sizeof needs->libraries)
                        (void)sprintf(needs->libraries + used, "%s%s", used ? ", " : "", name);
        }
        return r;
}

static int check_program(unsigned engine, const struct gbx_bundle_file *entry, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer answer = {};
        struct needs needs = {};
        int r = gbx_parse_bytes(&gbx_parse_elf, entry->data, entry->size, &answer, err);

        if (r == 0)
                r = take_needs(&answer, &needs, err);
        if (r < 0)
                return r;
        if (needs.interpreter[0] && !provides(engine, needs.interpreter))
                return gbx_fail(err, -EINVAL, "the program needs the interpreter '%s'%s%s%s, which the image of the native engine has not; "
                                              "link it statically (-static or -static-pie)",
                                needs.interpreter, needs.libraries[0] ? " and libraries (" : "", needs.libraries,
                                needs.libraries[0] ? ")" : "");
        if (!needs.interpreter[0] && needs.libraries[0])
                return gbx_fail(err, -EINVAL, "it is a shared library, or a program that needs libraries (%s) and names no interpreter "
                                              "to load them", needs.libraries);
        return 0;
}

static bool is_script(const struct gbx_bundle_file *file, const char *entry) {
        size_t length = strlen(file->path);

        return strcmp(file->path, entry) == 0 || (length > 4 && strcmp(file->path + length - 4, ".lua") == 0);
}

static int check_scripts(const char *entry, const struct gbx_bundle *bundle, struct gbx_error *err) {
        gbx_auto(gbx_buffer_free) struct gbx_buffer answer = {};
        gbx_auto(gbx_close_fd) int question = gbx_memfile("parse-input", NULL, 0, err);
        int r = question < 0 ? question : 0;

        for (size_t i = 0; i < bundle->count && r == 0; i++)
                if (is_script(&bundle->files[i], entry))
                        r = gbx_bundle_files_write(&bundle->files[i], 1, question, err);
        if (r == 0)
                r = gbx_frame_write_end(question, 0, "", err);
        return r < 0 ? r : gbx_parse(&gbx_parse_lua, question, -1, &answer, err);
}

int gbx_algorithm_startable(const struct gbx_algorithm *algorithm, const struct gbx_bundle *bundle, struct gbx_error *err) {
        const struct gbx_bundle_file *entry = gbx_bundle_find(bundle, algorithm->entry);

        if (!entry)
                return gbx_fail(err, -EINVAL, "it has no file '%s'", algorithm->entry);
        if (algorithm->engine == GBX_ENGINE_NATIVE)
                return check_program(algorithm->engine, entry, err);
        return check_scripts(algorithm->entry, bundle, err);
}
