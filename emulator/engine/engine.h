// What: the engine process: one project, one loop, everything that must not stall.
// Why: it has no terminal; the screen and all commands are clients of its control socket (DESIGN
//      3).
// Order: started as "leanlocal @engine DIR" with the client's socket as descriptor 3; the first
//        message is "start".
// Owns: project, tree helper, builds, instances, gateway, journal, control socket. Ends when its
//       last client is gone (unless "detach"), on SIGTERM, or when a one-shot mode is done.
#ifndef EMULATOR_ENGINE_ENGINE_H
#define EMULATOR_ENGINE_ENGINE_H

#define ENGINE_CONTROL_FD 3

int engine_main(int argc, char **argv);

#endif
