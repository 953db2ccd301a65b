/* Preloaded, this has a disk fail as a rule in a file says, which is read at each call: "fsync
 * PATTERN" or "rename PATTERN". Such a call on a path that matches does nothing and gives EIO. Each
 * failure is noted in a file beside the rule. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fails(const char *call, const char *path) {
    const char *rule = getenv("GENAI_TUI_TEST_EIO");
    char told[64], pattern[PATH_MAX], notes[PATH_MAX];
    FILE *file = rule ? fopen(rule, "re") : NULL;
    if (!file) return 0;
    int found = fscanf(file, "%63s %4095s", told, pattern);
    fclose(file);
    if (found != 2 || strcmp(told, call) || fnmatch(pattern, path, 0)) return 0;
    snprintf(notes, sizeof notes, "%s.failed", rule);
    if ((file = fopen(notes, "ae"))) {
        fprintf(file, "%s %s\n", call, path);
        fclose(file);
    }
    errno = EIO;
    return 1;
}

static const char *path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, PATH_MAX - 1);
    path[size > 0 ? size : 0] = 0;
    return path;
}

int fsync(int fd) {
    char path[PATH_MAX];
    return fails("fsync", path_of(fd, path)) ? -1 : syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
    char path[PATH_MAX];
    return fails("fsync", path_of(fd, path)) ? -1 : syscall(SYS_fdatasync, fd);
}

int rename(const char *from, const char *to) {
    return fails("rename", to) ? -1 : syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int renameat(int base, const char *from, int other, const char *to) {
    return fails("rename", to) ? -1 : syscall(SYS_renameat2, base, from, other, to, 0);
}
