// What: whole screens compared with tests/golden; sizes and languages that all of them are drawn
// in. GENERATE=1 rewrites the files; look at every one of them before keeping it.
#ifndef TESTS_SCREEN_GOLDEN_H
#define TESTS_SCREEN_GOLDEN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"
#include "sandbox/base/mem.h"
#include "tui/app.h"
#include "tui/language.h"

#define WALL_MS 1795342531000 // 2026-11-22 10:15:31 UTC

static const struct {
    const char *name;
    int cols, rows;
} sizes[] = {{"80x24", 80, 24}, {"160x45", 160, 45}, {"40x10", 40, 10}};

static const char *const languages[] = {"en", "ascii", "zh_CN"};

static inline void use_language(const char *name)
{
    char path[4096];
    language_unload();
    if (strcmp(name, "zh_CN") != 0) {
        return;
    }
    ssize_t len = readlink("/proc/self/exe", path, sizeof path - 1);
    assert_true(len > 0);
    path[len] = '\0';
    *strrchr(path, '/') = '\0';
    auto_free char *beside = str_printf("%s/../locale/zh_CN/LC_MESSAGES/leanlocal.mo", path);
    if (!language_load(beside)) {
        fail_msg("%s: no catalogue; build the target `translations`", beside);
    }
}

static inline void compare(const char *name, const char *text)
{
    auto_free char *path = str_printf("%s/golden/%s.txt", TESTS_DIR, name);
    if (getenv("GENERATE")) {
        assert_int_equal(fs_write_atomic(path, text, strlen(text), 0644, NULL), 0);
        return;
    }
    auto_free char *expected = fs_read(path, 1 << 20, NULL, NULL);
    if (!expected || strcmp(expected, text) != 0) {
        fail_msg("%s differs; is:\n%s\nexpected:\n%s", path, text, expected ? expected : "(none)");
    }
}

// Frames must close whatever the widths: every row of a frame has its right side in one column.
static inline void check_frame(const struct canvas *canvas)
{
    if (canvas->cols < 60) {
        return;
    }
    uint32_t side = canvas->ascii ? '|' : 0x2502;
    for (int row = 4; row < canvas->rows - 3; row++) {
        const struct cell *left = canvas_cell(canvas, row, 0);
        const struct cell *right = canvas_cell(canvas, row, canvas->cols - 1);
        if (left->code == side && right->code != side && right->code != '+' &&
            right->code < 0x2500) {
            fail_msg("row %d: the frame is open", row);
        }
    }
}

static inline void type(struct app *app, const char *keys)
{
    while (*keys) {
        size_t len = 1;
        if (*keys == '<') {
            len = strcspn(keys, ">") + 1;
            app_key(app, keymap_key_from_name(keys + 1, len - 2));
        } else {
            len = (unsigned char)*keys >= 0xE0 ? 3 : 1;
            app_key(app, keymap_key_from_name(keys, len));
        }
        keys += len;
    }
}

// What app shows, drawn once; its frame is looked at. Owned by the caller.
static inline char *screen_of(struct app *app, int cols, int rows, bool ascii)
{
    struct canvas canvas = {0};
    canvas_init(&canvas, cols, rows, ascii);
    app_draw(app, &canvas, WALL_MS);
    check_frame(&canvas);
    char *text = canvas_dump(&canvas);
    canvas_release(&canvas);
    return text;
}

static inline void expect_screen(struct app *app, const char *seen, const char *unseen)
{
    auto_free char *text = screen_of(app, 80, 24, false);
    if (!strstr(text, seen) || strstr(text, unseen)) {
        fail_msg("\"%s\" and not \"%s\"\n%s", seen, unseen, text);
    }
}

#endif
