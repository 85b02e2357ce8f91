// What: the helper "leanlocal @remove RUNS...": removes what engines have left in these
// directories:
//       what they have buried themselves, and of those that were killed the run directories, the
//       control groups, the sockets, and what they had begun to build in the cache that RUNS is in.
//       Each engine starts one, and so does a client whose engine was killed.
// Why: a version store of a large project takes seconds to unlink; neither the start nor the end of
//      an engine waits for that. What is to go has been renamed to REMOVE_PREFIX..., so nobody
//      takes it for alive.
// Not: in a hurry: several may run at once, each takes what it finds.
#ifndef EMULATOR_ENGINE_REMOVE_H
#define EMULATOR_ENGINE_REMOVE_H

#define REMOVE_PREFIX ".dead-"
#define REMOVE_GROUPS "groups" // in each of them: where its groups are (cgroup_record)

int remove_helper_main(int argc, char **argv);

#endif
