#include "runtime/sandbox/explain.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "runtime/sandbox/filter.h"
#include "runtime/sandbox/landlock.h"
#include "runtime/sandbox/run.h"

#include <stdio.h>
#include <string.h>

static void print_text(const char *label, const char *text) {
        char printable[512];

        gbx_text_printable(text, strlen(text), printable, sizeof printable);
        printf("%-12s %s\n", label, printable);
}

static void print_program(const struct gbx_spec *spec) {
        print_text("name", spec->name);
        for (size_t i = 0; spec->argv[i]; i++)
                print_text(i ? "" : "argv", spec->argv[i]);
        for (size_t i = 0; spec->environment[i]; i++)
                print_text(i ? "" : "environment", spec->environment[i]);
        if (!spec->environment[0])
                printf("%-12s empty\n", "environment");
        print_text("cwd", spec->cwd);
}

static void print_mounts(const struct gbx_spec *spec) {
        printf("\nmounts (nothing else of the host is visible)\n");
        printf("  %-20s ro nosuid nodev      %s%s%s\n", "/",
               spec->image.file        ? spec->image.file
               : spec->image.directory ? spec->image.directory
                                       : "a mount given by descriptor",
               spec->image.digest ? "  " : "", spec->image.digest ? spec->image.digest : "");
        printf("  %-20s ro nosuid nodev noexec  own processes only (subset=pid, hidepid=ptraceable)\n", "/proc");
        printf("  %-20s ro nosuid noexec     null zero full random urandom\n", "/dev");
        for (size_t i = 0; i < spec->mount_count; i++) {
                const struct gbx_spec_mount *mount = &spec->mounts[i];
                char source[320];

                if (mount->kind == GBX_MOUNT_TMPFS)
                        (void)snprintf(source, sizeof source, "tmpfs of %llu bytes, %llu inodes",
                                       (unsigned long long)mount->bytes, (unsigned long long)mount->inodes);
                else if (mount->kind == GBX_MOUNT_DETACHED)
                        (void)snprintf(source, sizeof source, "the mount of descriptor %d", mount->fd);
                else
                        (void)snprintf(source, sizeof source, "%.300s", mount->directory);
                printf("  %-20s %s nosuid nodev%s  %s\n", mount->target, mount->writable ? "rw" : "ro",
                       mount->executable ? "" : " noexec", source);
        }
}

static void print_descriptors(const struct gbx_spec *spec) {
        printf("\ndescriptors (all others are closed)\n");
        for (size_t i = 0; i < spec->descriptor_count; i++)
                if (spec->descriptors[i].outside == GBX_SPEC_CLOSED)
                        printf("  %-4d /dev/null\n", spec->descriptors[i].inside);
                else
                        printf("  %-4d the launcher's %d\n", spec->descriptors[i].inside, spec->descriptors[i].outside);
}

static void print_limits(const struct gbx_spec *spec) {
        const struct gbx_spec_limits *limits = &spec->limits;
        const struct { const char *name; uint64_t value; const char *effect; } rows[] = {
                { "wall_ms", limits->wall_ms, "then the run is killed" },
                { "cpu_ms", limits->cpu_ms, "of all processes together; then the run is killed" },
                { "cpu_percent", limits->cpu_percent, "of one processor; 0: no cap" },
                { "memory_bytes", limits->memory_bytes, "with tmpfs and page cache; no swap; then the kernel kills" },
                { "pids", limits->pids, "processes and threads; more are refused with EAGAIN" },
                { "pids_refused", limits->pids_refused, "such refusals, then the run is killed" },
                { "open_files", limits->open_files, "for each process" },
                { "file_bytes", limits->file_bytes, "for each file; then SIGXFSZ" },
                { "denials", limits->denials, "reported system calls, then the run is killed" },
        };

        printf("\nlimits\n");
        for (size_t i = 0; i < gbx_array_size(rows); i++)
                printf("  %-14s %14llu  %s\n", rows[i].name, (unsigned long long)rows[i].value, rows[i].effect);
}

static void print_layers(const struct gbx_spec *spec) {
        int abi = gbx_landlock_abi();

        printf("\nlayers\n"
               "  namespaces     user pid mount network ipc uts cgroup time\n"
               "  user           uid %d inside; outside an id of the run's own, used by nobody else\n"
               "  privileges     none: all capability sets empty, securebits locked, no_new_privs\n"
               "  network        %s\n"
               "  memory images  RLIMIT_CORE, undumpable set-up; a piped core_pattern %s\n",
               GBX_INSIDE_UID,
               spec->network_fd < 0 ? "an empty namespace, loopback down" : "the namespace of network.fd",
               spec->options.core_pattern_pipe == GBX_CORE_PIPE_REFUSE ? "refuses the run" : "is suppressed");
        if (abi)
                printf("  landlock       ABI %d%s\n", abi, spec->options.require_landlock ? ", required" : "");
        else
                printf("  landlock       unavailable on this host%s\n",
                       spec->options.require_landlock ? ", but required: the run will be refused" : "");
        printf("  options        core scheduling %s, coarse timers %s\n", spec->options.core_scheduling ? "on" : "off",
               spec->options.coarse_timers ? "on" : "off");
}

static void print_profile(const struct gbx_filter *filter) {
        printf("\nsystem calls: profile %s, %s\n", filter->name, filter->digest);
        for (const char *line = filter->text; *line;) {
                const char *end = strchrnul(line, '\n');

                printf("  %.*s\n", (int)(end - line), line);
                line = *end ? end + 1 : end;
        }
        printf("  (x32 and every architecture but x86-64: the process is killed)\n");
}

static void free_spec(struct gbx_spec *spec) {
        gbx_spec_free(spec);
}

int gbx_explain(const char *spec_path) {
        gbx_auto(free_spec) struct gbx_spec spec = {};
        const struct gbx_filter *filter;
        struct gbx_error err = {};
        int r = gbx_spec_read(&spec, spec_path, &err);

        if (r < 0) {
                (void)fprintf(stderr, "gbx-sandbox: %s\n", err.message);
                return r == -EINVAL ? GBX_EXIT_USAGE : GBX_EXIT_FAILED;
        }
        filter = gbx_filter_find(spec.profile);
        if (!filter) {
                (void)fprintf(stderr, "gbx-sandbox: profile: there is no profile '%.40s'\n", spec.profile);
                return GBX_EXIT_USAGE;
        }
        print_program(&spec);
        print_mounts(&spec);
        print_descriptors(&spec);
        print_limits(&spec);
        print_layers(&spec);
        print_profile(filter);
        return 0;
}
