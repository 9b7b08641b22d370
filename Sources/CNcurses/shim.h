// libncursesw as Swift sees it. Wide characters need this macro before the header.
#ifndef SELLOUT_CNCURSES_H
#define SELLOUT_CNCURSES_H
#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <term.h>
#endif
