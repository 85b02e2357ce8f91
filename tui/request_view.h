// What: one request as rows: what it was, what became of it, by which rule; heads, and the
//       beginnings of bodies.
// Order: request_view_make() when it has come or the width has changed -> rows to draw.
// Owns: request_view_release().
#ifndef TUI_REQUEST_VIEW_H
#define TUI_REQUEST_VIEW_H

#include "emulator/control/request_wire.h"
#include "tui/canvas.h"

struct request_row {
    enum style style;
    char *text; // harmless UTF-8
};

struct request_view {
    struct request_row *rows;
    int count;
};

void request_view_make(struct request_view *view, const struct request_detail *detail, int cols);
void request_view_release(struct request_view *view);

// How a status is told besides its number: a mark and a style of its class.
const char *request_status_mark(int64_t status);
enum style request_status_style(int64_t status);
// "3 ms", "12.4 s"; "1.8K", "412".
void request_format_time(int64_t us, char *out, size_t size);
void request_format_size(int64_t bytes, char *out, size_t size);

#endif
