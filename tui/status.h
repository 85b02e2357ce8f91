// What: the lines around the panes: can it serve, the pipeline, meters or progress, the summary,
//       the footer.
// Why: the status line says one thing first; every figure keeps its column; what does not fit goes
//      whole.
// Owns: nothing; pure.
#ifndef TUI_STATUS_H
#define TUI_STATUS_H

#include <stdint.h>

#include "tui/pane.h"

#define METER_SAMPLES 8

// What the screen remembers of the figures, newest last.
struct meters {
    int64_t cpu_permille[METER_SAMPLES];
    int64_t memory_permille[METER_SAMPLES]; // of the limit
    int count;
    int64_t sampled_ms; // wall
};

// One sample a second at most.
void meters_sample(struct meters *meters, const struct snapshot *snapshot, int64_t wall_ms);

void status_draw_serving(struct canvas *canvas, int row, const struct pane_model *model);
void status_draw_pipeline(struct canvas *canvas, int row, const struct pane_model *model);
void status_draw_meters(struct canvas *canvas, int row, const struct pane_model *model,
                        const struct meters *meters);
void status_draw_compact_meters(struct canvas *canvas, int row, const struct pane_model *model);
void status_draw_summary(struct canvas *canvas, int row, const struct pane_model *model);
// maps: the focused pane's keymaps and GLOBAL.
void status_draw_footer(struct canvas *canvas, int row, unsigned maps);

// The stage that runs now, NULL: none.
const struct snapshot_stage *snapshot_running_stage(const struct snapshot *snapshot);

#endif
