// What: the app's log lines as the platform's command-line tool prints them, and its times.
// Why: who pipes `lean logs` somewhere pipes `leanlocal logs` there too.
// Sources: P-123 (JSON), P-125 (text), P-124 (--from, --to).
// Owns: what is returned is the caller's. Pure, but for the local time zone.
#ifndef TUI_CLI_LOG_H
#define TUI_CLI_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "emulator/logs/journal.h"

// One line with its end.
char *cli_log_text(const struct journal_record *record, int64_t now_wall_ms, bool color);
char *cli_log_json(const struct journal_record *record);
// "2026-11-22" (local) or RFC 3339. ends: a day means its end, not its beginning. false: neither.
bool cli_log_time(const char *text, bool ends, int64_t *ret_wall_ms);

#endif
