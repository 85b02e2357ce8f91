// What: the handlers that verbs.def names.
#ifndef TUI_COMMANDS_H
#define TUI_COMMANDS_H

struct command;

int cmd_up(struct command *command);
int cmd_verify(struct command *command);
int cmd_build(struct command *command);
int cmd_exec(struct command *command);
int cmd_explain(struct command *command);
int cmd_why(struct command *command);
// env --ide: the section "editor" of explain, as text or as an editor's settings.
int explain_to_editors(struct command *command);
int cmd_env(struct command *command);
int cmd_logs(struct command *command);
int cmd_status(struct command *command);
int cmd_restart(struct command *command);
int cmd_reload(struct command *command);
int cmd_stop(struct command *command);
int cmd_call(struct command *command);
int cmd_cron(struct command *command);
int cmd_cache(struct command *command);
int cmd_doctor(struct command *command);
int cmd_help(struct command *command);

#endif
