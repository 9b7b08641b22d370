// Linux calls that Glibc's Swift overlay does not expose.
#ifndef SELLOUT_CLINUX_H
#define SELLOUT_CLINUX_H
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <signal.h>

// prctl(2) is variadic.
static inline int sellout_set_parent_death_signal(int signal_number) {
    return prctl(PR_SET_PDEATHSIG, (unsigned long)signal_number, 0, 0, 0);
}
#endif
