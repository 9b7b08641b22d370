// libncursesw as Swift sees it. Wide characters need this macro before the header.
#ifndef SELLOUT_CNCURSES_H
#define SELLOUT_CNCURSES_H
#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <term.h>
#include <wchar.h>
#include <stdlib.h>

// stdscr and curscr are macros or globals that Swift 6 takes for shared mutable state.
static inline WINDOW *sellout_stdscr(void) { return stdscr; }
static inline WINDOW *sellout_curscr(void) { return curscr; }

// COLORS and COLOR_PAIRS are globals that start_color() sets.
static inline int sellout_colors(void) { return COLORS; }
static inline int sellout_color_pairs(void) { return COLOR_PAIRS; }

// The A_ constants are macros that cast and shift.
static inline attr_t sellout_attributes(int bold, int dim, int reverse, int underline, int italic) {
    return (bold ? A_BOLD : 0) | (dim ? A_DIM : 0) | (reverse ? A_REVERSE : 0) | (underline ? A_UNDERLINE : 0) |
           (italic ? A_ITALIC : 0);
}

// setcchar takes a colour pair beyond a short only through its opts pointer.
static inline int sellout_set_cell(cchar_t *cell, const wchar_t *text, attr_t attributes, int pair) {
    return setcchar(cell, text, attributes, 0, &pair);
}

// The most bytes of a character in the present locale: 6 in UTF-8, 1 in C. A macro over a function call.
static inline int sellout_bytes_per_character_max(void) { return (int)MB_CUR_MAX; }

// wcwidth(3) is hidden behind a feature macro that Swift's Glibc module does not set; the symbol is always there.
extern int wcwidth(wchar_t character);
static inline int sellout_width(unsigned int scalar) { return wcwidth((wchar_t)scalar); }

// Mouse masks are macros that shift. What a button did: 1 press, 2 release, 3 double click, 4 wheel up, 5 wheel down, 0 other.
// A press and a release that are read together come as one click: as they do while the program was busy.
static inline mmask_t sellout_mouse_mask(void) {
    return BUTTON1_PRESSED | BUTTON1_RELEASED | BUTTON1_CLICKED | BUTTON1_DOUBLE_CLICKED | BUTTON4_PRESSED | BUTTON5_PRESSED;
}
static inline int sellout_mouse_action(mmask_t state) {
    if (state & BUTTON4_PRESSED) return 4;
    if (state & BUTTON5_PRESSED) return 5;
    if (state & BUTTON1_DOUBLE_CLICKED) return 3;
    if (state & (BUTTON1_PRESSED | BUTTON1_CLICKED)) return 1;
    if (state & BUTTON1_RELEASED) return 2;
    return 0;
}
#endif
