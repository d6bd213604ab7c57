/* A job that would go on for its whole wall time: it and its child ignore every signal that can be ignored, the child in a
 * session of its own. Both show the name NAME (12 bytes) in place of "/job/program", so that a test finds its own. */
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv) {
        const struct timespec pause = { .tv_nsec = 20 * 1000 * 1000 };
        int child;

        (void)argc;
        for (int i = 1; i < 65; i++)
                (void)signal(i, SIG_IGN);
        memcpy(argv[0], NAME, strlen(argv[0]) < sizeof NAME - 1 ? strlen(argv[0]) : sizeof NAME - 1);
        child = fork();
        if (child < 0)
                return 1;
        if (child == 0)
                (void)setsid();
        for (;;)
                (void)nanosleep(&pause, NULL);
}
