// Raw mode: Ctrl-C, Ctrl-Z, Ctrl-S are keys to us, so that nothing but our own loop decides what
// they do.
#include "tui/screen.h"

#include <curses.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/mem.h"
#include "tui/keymap.h"

#define ESC_DELAY_MS 25
#define RESTORE_MAX  256

// A terminal is one, and signal handlers need it.
static struct {
    bool open;   // between screen_open and screen_close
    bool active; // curses has the terminal now
    bool headless;
    bool color;
    bool synchronised; // frames are bracketed, so that a terminal shows them whole
    int cols, rows;    // headless
    struct termios before;
    char restore[RESTORE_MAX]; // what a handler writes: attributes off, cursor on, ordinary screen
    size_t restore_len;
    SCREEN *curses;
    struct canvas shown;
} tty;

static const int crash_signals[] = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL};

// ---- restoring ----

static void add_capability(const char *name)
{
    char *text = tigetstr(name);
    if (!text || text == (char *)-1) {
        return;
    }
    size_t len = strlen(text);
    if (tty.restore_len + len < RESTORE_MAX) {
        memcpy(tty.restore + tty.restore_len, text, len);
        tty.restore_len += len;
    }
}

void screen_restore_in_handler(void)
{
    if (!tty.active) {
        return;
    }
    tty.active = false;
    // A terminal that takes nothing must not hold the handler.
    int flags = fcntl(STDOUT_FILENO, F_GETFL);
    fcntl(STDOUT_FILENO, F_SETFL, flags | O_NONBLOCK);
    if (write(STDOUT_FILENO, tty.restore, tty.restore_len) < 0) {
        // Nothing more can be done from here.
    }
    fcntl(STDOUT_FILENO, F_SETFL, flags);
    tcsetattr(STDIN_FILENO, TCSANOW, &tty.before);
}

static void on_crash(int number)
{
    screen_restore_in_handler();
    signal(number, SIG_DFL);
    raise(number);
}

static void catch_crashes(void)
{
    static char stack_bytes[65536]; // a stack overflow has no room for a handler on its own stack
    const stack_t stack = {.ss_sp = stack_bytes, .ss_size = sizeof stack_bytes};
    sigaltstack(&stack, NULL);
    for (size_t i = 0; i < ARRAY_LEN(crash_signals); i++) {
        struct sigaction action = {.sa_handler = on_crash, .sa_flags = SA_ONSTACK | SA_NODEFER};
        sigaction(crash_signals[i], &action, NULL);
    }
}

// ---- colours ----

// How each style looks: foreground (-1: the terminal's own), attributes with and without colour.
// Blue and dim grey are avoided for text: unreadable on dark, respectively light, grounds.
static const struct {
    short fg;
    attr_t attributes;
    attr_t without_color;
} looks[STYLE__COUNT] = {
    [STYLE_NORMAL] = {-1, A_NORMAL, A_NORMAL},
    [STYLE_DIM] = {-1, A_DIM, A_DIM},
    [STYLE_STRONG] = {-1, A_BOLD, A_BOLD},
    [STYLE_GOOD] = {COLOR_GREEN, A_NORMAL, A_NORMAL},
    [STYLE_WARN] = {COLOR_YELLOW, A_NORMAL, A_BOLD},
    [STYLE_BAD] = {COLOR_RED, A_BOLD, A_BOLD | A_REVERSE},
    [STYLE_BUSY] = {COLOR_CYAN, A_NORMAL, A_BOLD},
    [STYLE_FRAME] = {-1, A_DIM, A_DIM},
    [STYLE_TITLE] = {-1, A_BOLD, A_BOLD},
    [STYLE_KEY] = {COLOR_CYAN, A_BOLD, A_BOLD},
    [STYLE_NOTE] = {COLOR_CYAN, A_NORMAL, A_NORMAL},
    [STYLE_ERR] = {COLOR_YELLOW, A_NORMAL, A_NORMAL},
    [STYLE_MATCH] = {-1, A_REVERSE, A_REVERSE},
    [STYLE_INPUT] = {-1, A_NORMAL, A_NORMAL},
};

#define PAIRS_MAX 64

// Pairs are made when they are first needed: a terminal may have only 64.
static short pair_for(short fg, short bg)
{
    static struct {
        short fg, bg;
    } pairs[PAIRS_MAX];
    static short count = 1;
    if (fg < 0 && bg < 0) {
        return 0;
    }
    for (short i = 1; i < count; i++) {
        if (pairs[i].fg == fg && pairs[i].bg == bg) {
            return i;
        }
    }
    if (count >= PAIRS_MAX || count >= COLOR_PAIRS) {
        return 0;
    }
    pairs[count].fg = fg;
    pairs[count].bg = bg;
    init_pair(count, fg, bg);
    return count++;
}

// 1..16 of a text_style as curses counts, or the eight where there are no more.
static short color_number(uint8_t own)
{
    short number = (short)(own - 1);
    return number >= COLORS ? (short)(number & 7) : number;
}

static void look_of(const struct cell *cell, attr_t *ret_attributes, short *ret_pair)
{
    const struct text_style *own = &cell->own;
    attr_t attributes =
        tty.color ? looks[cell->style].attributes : looks[cell->style].without_color;
    attributes |= (own->bold ? A_BOLD : 0) | (own->dim ? A_DIM : 0) |
                  (own->underline ? A_UNDERLINE : 0) | (own->reverse ? A_REVERSE : 0);
    short fg = own->fg ? color_number(own->fg) : looks[cell->style].fg;
    short bg = own->bg ? color_number(own->bg) : -1;
    *ret_attributes = attributes;
    *ret_pair = tty.color ? pair_for(fg, bg) : 0;
}

// ---- life ----

// A terminal that does not know mode 2026 ignores it; the oldest ones are spared.
static bool knows_private_modes(void)
{
    const char *term = getenv("TERM");
    return term && !str_starts_with(term, "linux") && !str_starts_with(term, "vt") &&
           !str_starts_with(term, "ansi");
}

static void prepare_curses(void)
{
    tty.synchronised = knows_private_modes();
    raw();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    leaveok(stdscr, FALSE);
    set_escdelay(ESC_DELAY_MS);
    if (tty.color && has_colors()) {
        start_color();
        use_default_colors();
    } else {
        tty.color = false;
    }
}

int screen_open(const struct screen_setup *setup, struct error *error)
{
    tty.headless = setup->headless;
    tty.color = setup->color;
    tty.cols = setup->cols;
    tty.rows = setup->rows;
    tty.open = true;
    if (tty.headless) {
        return 0;
    }
    tcgetattr(STDIN_FILENO, &tty.before);
    tty.curses = newterm(NULL, stdout, stdin);
    if (!tty.curses) {
        tty.open = false;
        const char *term = getenv("TERM");
        error_set(error, ERROR_HOST, _("the terminal type TERM=%s is not known here"),
                  term ? term : "");
        return error_set_hint(error, _("use --plain, or a TERM that `infocmp` knows"));
    }
    set_term(tty.curses);
    prepare_curses();
    tty.restore_len = 0;
    add_capability("sgr0");
    add_capability("cnorm");
    add_capability("rmkx");
    add_capability("rmcup");
    tty.active = true;
    catch_crashes();
    return 0;
}

void screen_close(void)
{
    if (!tty.open) {
        return;
    }
    if (tty.active) {
        tty.active = false;
        endwin();
        delscreen(tty.curses);
    }
    for (size_t i = 0; !tty.headless && i < ARRAY_LEN(crash_signals); i++) {
        signal(crash_signals[i], SIG_DFL);
    }
    canvas_release(&tty.shown);
    tty.open = false;
}

void screen_leave(void)
{
    if (tty.active) {
        tty.active = false;
        endwin();
    }
}

// In the background the terminal's driver stops us here (SIGTTOU) until we are in front again.
void screen_return(void)
{
    if (!tty.open || tty.headless) {
        return;
    }
    reset_prog_mode(); // also after a SIGSTOP, when the shell has set its own modes meanwhile
    tty.active = true;
    screen_forget();
    refresh();
}

bool screen_is_gone(void)
{
    struct termios now;
    return !tty.headless && tcgetattr(STDIN_FILENO, &now) < 0 && errno == EIO;
}

// ---- out ----

void screen_measure(int *ret_cols, int *ret_rows)
{
    struct winsize size;
    *ret_cols = tty.cols;
    *ret_rows = tty.rows;
    if (tty.headless) {
        return;
    }
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
        resizeterm(size.ws_row, size.ws_col);
    }
    *ret_cols = COLS;
    *ret_rows = LINES;
}

// ASCII is promised to a terminal that may show nothing else: what remains beyond it becomes "?".
static wchar_t shown_code(uint32_t code)
{
    bool outside = code >= 0x80 && MB_CUR_MAX == 1;
    return outside ? L'?' : (wchar_t)code;
}

static void put_cell(int row, int col, const struct cell *cell)
{
    wchar_t text[2 + CELL_MARKS] = {shown_code(cell->code)};
    for (size_t i = 0; i < CELL_MARKS && MB_CUR_MAX > 1; i++) {
        text[1 + i] = (wchar_t)cell->marks[i];
    }
    attr_t attributes;
    short pair;
    cchar_t cchar;
    look_of(cell, &attributes, &pair);
    if (setcchar(&cchar, text, attributes, pair, NULL) == OK) {
        mvadd_wch(row, col, &cchar);
    }
}

static void put_canvas(const struct canvas *canvas)
{
    for (int row = 0; row < canvas->rows; row++) {
        for (int col = 0; col < canvas->cols; col++) {
            const struct cell *cell = canvas_cell(canvas, row, col);
            if (cell->code != 0) {
                put_cell(row, col, cell);
            }
        }
    }
}

static void remember(const struct canvas *canvas)
{
    canvas_init(&tty.shown, canvas->cols, canvas->rows, canvas->ascii);
    size_t count = (size_t)canvas->cols * (size_t)canvas->rows;
    memcpy(tty.shown.cells, canvas->cells, count * sizeof *canvas->cells);
    tty.shown.cursor_row = canvas->cursor_row;
    tty.shown.cursor_col = canvas->cursor_col;
}

void screen_forget(void)
{
    canvas_release(&tty.shown);
    if (tty.active) {
        clearok(curscr, TRUE);
    }
}

void screen_show(const struct canvas *canvas)
{
    static const char begin[] =
        "\033[?2026h"; // synchronised output; unknown to a terminal: ignored
    static const char end[] = "\033[?2026l";
    if (!tty.active || canvas_equal(&tty.shown, canvas)) {
        return;
    }
    put_canvas(canvas);
    remember(canvas);
    bool with_cursor = canvas->cursor_row >= 0;
    curs_set(with_cursor ? 1 : 0);
    move(with_cursor ? canvas->cursor_row : canvas->rows - 1, with_cursor ? canvas->cursor_col : 0);
    if (tty.synchronised) {
        fputs(begin, stdout);
        fflush(stdout);
    }
    refresh();
    if (tty.synchronised) {
        fputs(end, stdout);
        fflush(stdout);
    }
}

// ---- in ----

static uint32_t special_key(wint_t code)
{
    static const struct {
        wint_t code;
        uint32_t key;
    } keys[] = {
        {KEY_UP, KEY_NAME_UP},
        {KEY_DOWN, KEY_NAME_DOWN},
        {KEY_LEFT, KEY_NAME_LEFT},
        {KEY_RIGHT, KEY_NAME_RIGHT},
        {KEY_HOME, KEY_NAME_HOME},
        {KEY_END, KEY_NAME_END},
        {KEY_PPAGE, KEY_NAME_PAGE_UP},
        {KEY_NPAGE, KEY_NAME_PAGE_DOWN},
        {KEY_BTAB, KEY_NAME_SHIFT_TAB},
        {KEY_DC, KEY_NAME_DELETE},
        {KEY_BACKSPACE, KEY_NAME_BACKSPACE},
        {KEY_ENTER, KEY_NAME_ENTER},
    };
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (keys[i].code == code) {
            return keys[i].key;
        }
    }
    return 0;
}

uint32_t screen_read_key(void)
{
    wint_t code;
    if (!tty.active) {
        return 0;
    }
    for (;;) {
        int kind = get_wch(&code);
        if (kind == ERR) {
            return 0;
        }
        if (kind != KEY_CODE_YES) {
            return code == '\n' ? KEY_NAME_ENTER : (uint32_t)code;
        }
        uint32_t key = special_key(code);
        if (key) {
            return key; // KEY_RESIZE and what has no name are dropped
        }
    }
}
