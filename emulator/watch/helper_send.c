#include <errno.h>
#include <sys/socket.h>

#include "emulator/watch/helper.h"

void helper_flush(struct helper *helper)
{
    for (size_t done = 0; done < helper->out.len && !helper->ended;) {
        ssize_t sent =
            send(ENGINE_FD, helper->out.data + done, helper->out.len - done, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR) {
            helper->ended = true;
        }
        done += sent > 0 ? (size_t)sent : 0;
    }
    helper->out.len = 0;
}

void helper_send_notice(void *context, const char *text)
{
    struct helper *helper = context;
    size_t begin = frame_begin(&helper->out, FRAME_NOTICE);
    frame_add_text(&helper->out, text);
    frame_end(&helper->out, begin);
    helper_flush(helper);
}

void helper_send_diagnostic(void *context, const struct diagnostic *item)
{
    struct helper *helper = context;
    size_t begin = frame_begin(&helper->out, FRAME_DIAGNOSTIC);
    frame_add_number(&helper->out, item->severity);
    frame_add_text(&helper->out, item->file);
    frame_add_number(&helper->out, (uint64_t)item->line);
    frame_add_text(&helper->out, item->rule);
    frame_add_text(&helper->out, item->text);
    frame_add_text(&helper->out, item->hint);
    frame_end(&helper->out, begin);
    helper_flush(helper);
}

void helper_send_fatal(struct helper *helper, const struct error *error)
{
    size_t begin = frame_begin(&helper->out, FRAME_FATAL);
    frame_add_bytes(&helper->out, error, sizeof *error);
    frame_end(&helper->out, begin);
    helper_flush(helper);
}

void helper_send_version(struct helper *helper, const struct tree_version *version)
{
    size_t begin = frame_begin(&helper->out, FRAME_VERSION);
    frame_add_text(&helper->out, version->tag);
    frame_add_list(&helper->out, &version->lowers);
    frame_add_number(&helper->out, version->file_count);
    frame_add_number(&helper->out, version->bytes);
    frame_add_number(&helper->out, version->changed_count);
    frame_add_number(&helper->out, version->written_bytes);
    frame_end(&helper->out, begin);
    helper_flush(helper);
}

void helper_send_failed(struct helper *helper, const char *tag, const struct error *error)
{
    size_t begin = frame_begin(&helper->out, FRAME_FAILED);
    frame_add_text(&helper->out, tag);
    frame_add_bytes(&helper->out, error, sizeof *error);
    frame_end(&helper->out, begin);
    helper_flush(helper);
}

void helper_send_changed(struct helper *helper, size_t total, const struct strlist *paths)
{
    size_t begin = frame_begin(&helper->out, FRAME_CHANGED);
    frame_add_number(&helper->out, total);
    frame_add_number(&helper->out, helper->rescanned);
    frame_add_list(&helper->out, paths);
    frame_end(&helper->out, begin);
    helper_flush(helper);
}
