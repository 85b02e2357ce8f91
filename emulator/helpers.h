// What: our executable as one of its own helpers: "leanlocal @engine", "@tree", "@python",
//       "@remove".
// Why: helpers are re-executed, never merely forked (DESIGN 3); one table knows their names.
#ifndef EMULATOR_HELPERS_H
#define EMULATOR_HELPERS_H

// argv[1] is the helper's name; 2 for an unknown one.
int helper_main(int argc, char **argv);

#endif
