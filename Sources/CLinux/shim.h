// Linux calls that Glibc's Swift overlay does not expose.
#ifndef SELLOUT_CLINUX_H
#define SELLOUT_CLINUX_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

// prctl(2) is variadic.
static inline int sellout_set_parent_death_signal(int signal_number) {
    return prctl(PR_SET_PDEATHSIG, (unsigned long)signal_number, 0, 0, 0);
}

// Names the calling thread; Linux keeps 15 bytes.
static inline int sellout_set_thread_name(const char *name) {
    return prctl(PR_SET_NAME, (unsigned long)name, 0, 0, 0);
}

// A descriptor that turns readable when the process ends; -1 and errno when there is no such process.
static inline int sellout_pidfd_open(int process) { return (int)syscall(SYS_pidfd_open, process, 0); }

// Of stdlib.h, which as a whole does not go together with Swift's Glibc module.
extern int posix_openpt(int flags);
extern int grantpt(int descriptor);
extern int unlockpt(int descriptor);
extern int ptsname_r(int descriptor, char *buffer, unsigned long size);

// The two ends of a pseudo-terminal, close-on-exec; -1 and errno where the system has none left.
static inline int sellout_open_terminal(int *program_end, int *own_end) {
    int own = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (own < 0) return -1;
    char name[64];
    int program = -1;
    if (grantpt(own) == 0 && unlockpt(own) == 0 && ptsname_r(own, name, sizeof name) == 0) {
        program = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    }
    if (program < 0) {
        int code = errno;
        close(own);
        errno = code;
        return -1;
    }
    *program_end = program;
    *own_end = own;
    return 0;
}

// Starts a program in a session of its own, with default signals, no descriptor but 0 (nothing to read), 1 and 2 (`output`).
// With `on_terminal`, `output` is a terminal: it is 0 as well, and the session's own. With `die_with_thread`, the kernel kills it when the calling THREAD ends, however that ends.
//
// fork and exec stand here because posix_spawn cannot set the death signal, and because between the two, in a process with
// threads, only async-signal-safe calls are allowed: nothing of Swift may run there.
//
// Returns its process id, or the negative errno of what failed, exec included.
static inline int sellout_spawn(const char *path, char *const argv[], char *const environment[], const char *directory,
                                int output, int on_terminal, int die_with_thread) {
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0) return -errno;
    pid_t parent = getpid();
    sigset_t all, before;
    sigfillset(&all);
    // No handler of the parent may run in the child.
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t child = fork();
    if (child != 0) {
        int fork_error = errno;
        pthread_sigmask(SIG_SETMASK, &before, 0);
        close(report[1]);
        int code = 0;
        ssize_t count = 0;
        if (child > 0) do count = read(report[0], &code, sizeof code); while (count < 0 && errno == EINTR);
        close(report[0]);
        if (child < 0) return -fork_error;
        return count == (ssize_t)sizeof code ? -code : (int)child;
    }

    setsid();
    if (die_with_thread) {
        // The parent may have died before the signal was set: then nobody would send it.
        if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != parent) _exit(127);
    }
    for (int number = 1; number < NSIG; number++) {
        if (number != SIGKILL && number != SIGSTOP) signal(number, SIG_DFL);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, 0);
    int input = on_terminal ? output : open("/dev/null", O_RDONLY);
    if (on_terminal && ioctl(output, TIOCSCTTY, 0) != 0) input = -1;
    if (input >= 0 && dup2(input, 0) == 0 && dup2(output, 1) == 1 && dup2(output, 2) == 2 && chdir(directory) == 0) {
        // Close all others at exec; until then the report's end stays open.
        if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0) {
            for (int fd = 3; fd < 4096; fd++) fcntl(fd, F_SETFD, FD_CLOEXEC);
        }
        execve(path, argv, environment);
    }
    int code = errno;
    ssize_t ignored = write(report[1], &code, sizeof code);
    (void)ignored;
    _exit(127);
}
#endif
