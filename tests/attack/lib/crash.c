/*
 * crash-run: kills processes of a sandbox and looks for what is left
 *
 *      crash-run stages NAME...       the launcher, at each named stage of a start (see runtime/sandbox/stage.h;
 *                                     the test build stops itself there)
 *      crash-run others NAME...       at each stage, every process but the launcher, one after the other
 *      crash-run running              each process of a running sandbox, one after the other
 *      crash-run moments COUNT        the launcher, at so many moments of a start, a tenth of a millisecond apart
 *
 * Options before that: --image FILE DIGEST (otherwise an empty directory is the image).
 * Afterwards there must be no process, control group, mount or loop device of it, nothing new in the image,
 * and no network device. Prints a line for each kill; the exit status is 1 if anything was left, or if at no
 * stage a loop device of the image file was there to be left.
 */
#include "base/cleanup.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

enum { MAX_PROCESSES = 64, WAIT_MILLISECONDS = 4000, STEP_MICROSECONDS = 2000 };

struct process {
        pid_t pid, parent;
        char state;
        char name[20];
        unsigned long long started; /* tells a process from a later one of the same number */
};

struct family {
        struct process members[MAX_PROCESSES]; /* the launcher first */
        size_t count;
};

static char directory[] = "/var/tmp/gbx-crash-XXXXXX";
static char run_name[32];
static const char *image_file, *image_digest;
static unsigned most_loops; /* seen before a kill, so that none afterwards says something */

/* --- processes ------------------------------------------------------------------- */

static bool read_process(pid_t pid, struct process *ret) {
        char path[32], text[512], *close;
        gbx_auto(gbx_close_file) FILE *file = NULL;
        size_t n;

        (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        file = fopen(path, "re");
        n = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
        text[n] = '\0';
        close = strrchr(text, ')');
        if (!close || !strchr(text, '('))
                return false;
        *close = '\0';
        ret->pid = pid;
        (void)snprintf(ret->name, sizeof(ret->name), "%s", strchr(text, '(') + 1);
        return sscanf(close + 2, "%c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
                      &ret->state, &ret->parent, &ret->started) == 3;
}

/* Adds the descendants of the first member. Numbers may be out of order, so until nothing is added. */
static void find_family(struct family *family, pid_t launcher) {
        size_t before = 0;

        family->count = read_process(launcher, &family->members[0]) ? 1 : 0;
        while (family->count > 0 && family->count != before) {
                gbx_auto(gbx_close_directory) DIR *proc = opendir("/proc");
                struct dirent *entry;

                before = family->count;
                while (proc && (entry = readdir(proc))) {
                        struct process process;
                        bool child = false, known = false;

                        if (atoi(entry->d_name) <= 0 || !read_process(atoi(entry->d_name), &process))
                                continue;
                        for (size_t i = 0; i < family->count; i++) {
                                child |= family->members[i].pid == process.parent;
                                known |= family->members[i].pid == process.pid;
                        }
                        if (child && !known && family->count < MAX_PROCESSES)
                                family->members[family->count++] = process;
                }
        }
}

static bool alive(const struct process *process) {
        struct process now;

        return read_process(process->pid, &now) && now.started == process->started && now.state != 'Z' &&
               now.state != 'X';
}

/* --- what else there could be ---------------------------------------------------- */

static unsigned found;

static int look_for_cgroup(const char *path, const struct stat *info, int type, struct FTW *walk) {
        (void)info, (void)type;
        found += strstr(path + walk->base, run_name) != NULL;
        return 0;
}

static unsigned count_cgroups(void) {
        found = 0;
        (void)nftw("/sys/fs/cgroup", look_for_cgroup, 16, FTW_PHYS);
        return found;
}

/* Lines of a file, or those that contain a word. */
static unsigned count_lines(const char *path, const char *word) {
        gbx_auto(gbx_close_file) FILE *file = fopen(path, "re");
        char line[4096];
        unsigned lines = 0;

        while (file && fgets(line, sizeof(line), file))
                lines += !word || strstr(line, word) != NULL;
        return lines;
}

static unsigned count_loops(void) {
        unsigned loops = 0;

        for (int i = 0; image_file && i < 64; i++) {
                char path[64];

                (void)snprintf(path, sizeof(path), "/sys/block/loop%d/loop/backing_file", i);
                loops += count_lines(path, image_file);
        }
        return loops;
}

static void note_loops(void) {
        unsigned loops = count_loops();

        most_loops = loops > most_loops ? loops : most_loops;
}

static unsigned count_entries(const char *path) {
        gbx_auto(gbx_close_directory) DIR *opened = opendir(path);
        unsigned entries = 0;

        while (opened && readdir(opened))
                entries++;
        return entries;
}

struct state {
        unsigned mounts, devices, entries;
};

static struct state machine_state(void) {
        return (struct state){ count_lines("/proc/self/mountinfo", "gbx"), count_entries("/sys/class/net"),
                               count_entries(directory) };
}

/* Waits until nothing is left, or says what is. */
static bool nothing_left(const struct family *family, struct state before, const char *what) {
        unsigned processes = 0, cgroups = 0, loops = 0;
        struct state now = { 0 };

        for (int waited = 0; waited < WAIT_MILLISECONDS * 1000; waited += STEP_MICROSECONDS) {
                processes = 0;
                for (size_t i = 0; i < family->count; i++)
                        processes += alive(&family->members[i]);
                if (processes == 0) {
                        cgroups = count_cgroups();
                        loops = count_loops();
                        now = machine_state();
                        if (cgroups == 0 && loops == 0 && memcmp(&now, &before, sizeof(now)) == 0) {
                                (void)printf("clean %s: %zu processes, gone after %d ms\n", what, family->count,
                                             waited / 1000);
                                return true;
                        }
                }
                (void)usleep(STEP_MICROSECONDS);
        }
        (void)printf("LEFT %s: %u of %zu processes, %u cgroups, %u loop devices, mounts %u to %u, network %u to %u, "
                     "image %u to %u\n", what, processes, family->count, cgroups, loops, before.mounts, now.mounts,
                     before.devices, now.devices, before.entries, now.entries);
        for (size_t i = 0; i < family->count; i++)
                (void)kill(family->members[i].pid, SIGKILL);
        return false;
}

/* --- runs --------------------------------------------------------------------------- */

static int write_spec(void) {
        const char *attacks = getenv("ATTACKS") ? getenv("ATTACKS") : "build/tests/attack";
        gbx_auto(gbx_close_file) FILE *file = NULL;
        gbx_auto(gbx_free_pointer) char *absolute = realpath(attacks, NULL);
        char path[64];

        (void)snprintf(path, sizeof(path), "%s/spec", directory);
        file = fopen(path, "we");
        if (!file || !absolute)
                return -1;
        (void)fprintf(file,
                      "{\"version\": 1, \"name\": \"%s\", \"profile\": \"native\", \"stdin\": null,\n"
                      " \"argv\": [\"/job/e12_plaintext\", \"hold=600000\"],\n", run_name);
        if (image_file)
                (void)fprintf(file, " \"image\": {\"file\": \"%s\", \"digest\": \"%s\"},\n", image_file, image_digest);
        else
                (void)fprintf(file, " \"image\": {\"directory\": \"%s\"},\n", directory);
        (void)fprintf(file,
                      " \"mounts\": [{\"target\": \"/job\", \"directory\": \"%s\", \"executable\": true},\n"
                      "  {\"target\": \"/tmp\", \"tmpfs\": {\"bytes\": 1048576, \"inodes\": 16}}],\n"
                      " \"limits\": {\"wall_ms\": 600000, \"cpu_ms\": 600000, \"memory_bytes\": 67108864, \"pids\": 8}}\n",
                      absolute);
        return ferror(file) ? -1 : 0;
}

static pid_t start(const char *stage) {
        const char *variable = stage ? "GBX_SANDBOX_SWITCHES" : "GBX_SANDBOX";
        const char *program = getenv(variable) ? getenv(variable)
                              : stage          ? "build/tests/gbx-sandbox-switches"
                                               : "build/gbx-sandbox";
        char spec[64];
        pid_t pid;

        (void)snprintf(spec, sizeof(spec), "%s/spec", directory);
        pid = fork();
        if (pid == 0) {
                int null = open("/dev/null", O_RDWR);

                (void)dup2(null, STDIN_FILENO);
                (void)dup2(null, STDOUT_FILENO);
                (void)dup2(null, STDERR_FILENO);
                if (stage)
                        (void)setenv("GBX_SANDBOX_STOP", stage, 1);
                (void)execl(program, "gbx-sandbox", "run", spec, (char *)NULL);
                _exit(127);
        }
        return pid;
}

/* Until a process has stopped at its stage; without one, until the job runs. */
static bool wait_until(pid_t launcher, const char *stage, struct family *family) {
        for (int waited = 0; waited < WAIT_MILLISECONDS * 1000; waited += STEP_MICROSECONDS) {
                find_family(family, launcher);
                if (family->count > 0 && family->members[0].state == 'Z')
                        return false;
                for (size_t i = 0; i < family->count; i++)
                        if (stage ? family->members[i].state == 'T' || strcmp(family->members[i].name, "stopped") == 0
                                  : strcmp(family->members[i].name, "e12_plaintext") == 0)
                                return true;
                (void)usleep(STEP_MICROSECONDS);
        }
        return false;
}

/* Reaps the launcher; one that hangs is killed, and is reported as a process that is left. */
static bool launcher_ends(pid_t launcher) {
        for (int waited = 0; waited < WAIT_MILLISECONDS * 1000; waited += STEP_MICROSECONDS) {
                if (waitpid(launcher, NULL, WNOHANG) == launcher)
                        return true;
                (void)usleep(STEP_MICROSECONDS);
        }
        (void)kill(launcher, SIGKILL);
        (void)waitpid(launcher, NULL, 0);
        return false;
}

/* Kills member `index` once the run is where it should be. Returns 1 clean, 0 not, -1 if there is no such member. */
static int kill_member(const char *stage, size_t index) {
        struct state before = machine_state();
        struct family family;
        char what[96];
        pid_t launcher = start(stage);
        bool reached = wait_until(launcher, stage, &family), clean;

        (void)snprintf(what, sizeof(what), "%s, killed %s (%zu of %zu)", stage ? stage : "running",
                       index == 0              ? "launcher"
                       : index < family.count ? family.members[index].name
                                              : "none",
                       index + 1, family.count);
        note_loops();
        (void)kill(reached && index < family.count ? family.members[index].pid : launcher, SIGKILL);
        /* Who stopped itself for us must go on, to notice. */
        for (size_t i = 1; i < family.count; i++)
                if (index > 0 && i != index && family.members[i].state == 'T')
                        (void)kill(family.members[i].pid, SIGCONT);
        if (index > 0)
                (void)kill(launcher, SIGCONT);
        clean = launcher_ends(launcher);
        if (!clean)
                (void)printf("LEFT %s: the launcher did not end\n", what);
        if (!reached) {
                (void)printf("LEFT %s: never got there\n", stage ? stage : "running");
                (void)nothing_left(&family, before, what);
                return 0;
        }
        clean &= nothing_left(&family, before, what);
        return index < family.count ? clean : -1;
}

static bool kill_at_moments(int count) {
        bool clean = true;

        for (int i = 0; i < count; i++) {
                struct state before = machine_state();
                struct family family;
                char what[48];
                pid_t launcher = start(NULL);

                (void)usleep((useconds_t)i * 100);
                (void)kill(launcher, SIGSTOP); /* so that the family can be seen as it is */
                find_family(&family, launcher);
                note_loops();
                (void)kill(launcher, SIGKILL);
                (void)waitpid(launcher, NULL, 0);
                (void)snprintf(what, sizeof(what), "moment %d.%d ms", i / 10, i % 10);
                clean &= nothing_left(&family, before, what);
        }
        return clean;
}

static bool run_mode(int argc, char **argv) {
        bool clean = true;
        int result;

        if (strcmp(argv[0], "moments") == 0 && argc == 2)
                return kill_at_moments(atoi(argv[1]));
        if (strcmp(argv[0], "running") == 0) {
                for (size_t index = 0; clean && (result = kill_member(NULL, index)) >= 0; index++)
                        clean &= result;
                return clean;
        }
        for (int i = 1; i < argc; i++) {
                size_t index = strcmp(argv[0], "others") == 0;

                do {
                        result = kill_member(argv[i], index++);
                        clean &= result != 0;
                        (void)fflush(stdout);
                } while (index > 1 && result >= 0);
        }
        return clean && argc > 1;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk) {
        (void)info, (void)type, (void)walk;
        return remove(path);
}

int main(int argc, char **argv) {
        static const char *const names[] = { "job", "tmp", "proc", "dev" };
        bool clean;

        argc--, argv++;
        if (argc > 3 && strcmp(argv[0], "--image") == 0) {
                image_file = argv[1], image_digest = argv[2];
                argc -= 3, argv += 3;
        }
        if (argc < 1 || !mkdtemp(directory) || chmod(directory, 0755) < 0) {
                (void)fputs("usage: crash-run [--image FILE DIGEST] stages|others|running|moments [NAME]...\n", stderr);
                return 2;
        }
        (void)prctl(PR_SET_CHILD_SUBREAPER, 1); /* orphans are ours to reap */
        (void)signal(SIGCHLD, SIG_DFL);
        (void)snprintf(run_name, sizeof(run_name), "crash-%d", getpid());
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                char path[64];

                (void)snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
                (void)mkdir(path, 0755);
        }
        if (write_spec() < 0) {
                perror("crash-run: cannot write the spec");
                return 2;
        }
        clean = run_mode(argc, argv);
        if (image_file && strcmp(argv[0], "moments") != 0) { /* those may all be too early, on a slow machine */
                (void)printf("%s image: at most %u loop devices before a kill\n", most_loops ? "clean" : "LEFT", most_loops);
                clean &= most_loops > 0;
        }
        (void)nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
        return clean ? 0 : 1;
}
