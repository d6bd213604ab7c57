#include "gateway/parse/bundle_paths.h"

#include "gateway/parse/bundle_files.h"

#include "base/cleanup.h"

#include <string.h>
#include <strings.h>

void gbx_bundle_paths_free(struct gbx_bundle_paths *paths) {
        for (size_t i = 0; i < paths->count; i++)
                free(paths->list[i].path);
        free(paths->list);
        *paths = (struct gbx_bundle_paths){};
}

static bool letter_or_digit(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* One part between slashes. */
static int check_part(const char *part, size_t length, struct gbx_error *err) {
        if (length == 0)
                return gbx_fail(err, -EINVAL, "an absolute path, or an empty part in it");
        if (length > GBX_BUNDLE_MAX_NAME)
                return gbx_fail(err, -EDQUOT, "a part of the path is longer than %d characters", GBX_BUNDLE_MAX_NAME);
        if ((length == 1 && part[0] == '.') || (length == 2 && memcmp(part, "..", 2) == 0))
                return gbx_fail(err, -EINVAL, "the path climbs ('.' or '..')");
        for (size_t i = 0; i < length; i++)
                if (!letter_or_digit(part[i]) && (i == 0 || (part[i] != '.' && part[i] != '-')))
                        return gbx_fail(err, -EINVAL, "the name has a character that is not allowed (letters, digits, "
                                                      "'_', and behind the first '.' and '-')");
        return 0;
}

static int check_path(const char *path, struct gbx_error *err) {
        size_t depth = 0;

        if (strlen(path) > GBX_BUNDLE_MAX_PATH)
                return gbx_fail(err, -EDQUOT, "the path is longer than %d characters", GBX_BUNDLE_MAX_PATH);
        for (const char *part = path;; part++) {
                size_t length = strcspn(part, "/");
                int r = check_part(part, length, err);

                if (r < 0)
                        return r;
                if (++depth > GBX_BUNDLE_MAX_DEPTH)
                        return gbx_fail(err, -EDQUOT, "the path is deeper than %d", GBX_BUNDLE_MAX_DEPTH);
                part += length;
                if (*part == '\0')
                        return 0;
        }
}

/* Adds one place, or finds that it is there already and agrees. */
static int remember(struct gbx_bundle_paths *paths, const char *path, size_t length, bool directory, bool explicit,
                    struct gbx_error *err) {
        struct gbx_bundle_path *list;

        for (size_t i = 0; i < paths->count; i++) {
                struct gbx_bundle_path *known = &paths->list[i];

                if (strncasecmp(known->path, path, length) != 0 || known->path[length] != '\0')
                        continue;
                if (strncmp(known->path, path, length) != 0)
                        return gbx_fail(err, -EINVAL, "its name differs from another's in case only ('%s')", known->path);
                if (known->directory != directory)
                        return gbx_fail(err, -EINVAL, "'%s' is a file and a directory", known->path);
                if (known->explicit && explicit)
                        return gbx_fail(err, -EINVAL, "there are two entries of this name");
                known->explicit |= explicit;
                return 0;
        }
        list = reallocarray(paths->list, paths->count + 1, sizeof *list);
        if (!list)
                return gbx_fail_memory(err);
        paths->list = list;
        list[paths->count] = (struct gbx_bundle_path){ strndup(path, length), directory, explicit };
        if (!list[paths->count].path)
                return gbx_fail_memory(err);
        paths->count++;
        return 0;
}

int gbx_bundle_paths_add(struct gbx_bundle_paths *paths, char *name, bool directory, const char **ret_path,
                         struct gbx_error *err) {
        char *path = name;
        size_t length;
        int r;

        if (strncmp(path, "./", 2) == 0)
                path += 2;
        length = strlen(path);
        if (directory && length > 0 && path[length - 1] == '/')
                path[--length] = '\0';
        if (directory && path != name && length == 0) {
                *ret_path = "";
                return 0;
        }
        if (directory && strcmp(name, ".") == 0) {
                *ret_path = "";
                return 0;
        }
        r = check_path(path, err);
        for (const char *slash = path; r == 0 && (slash = strchr(slash, '/')); slash++)
                r = remember(paths, path, (size_t)(slash - path), true, false, err);
        if (r == 0)
                r = remember(paths, path, length, directory, true, err);
        if (r == 0)
                *ret_path = path;
        return r;
}
