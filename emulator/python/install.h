// What: the helper that lets the user's pyenv install one version: "leanlocal @python install
//       VERSION PYENV_ROOT PYENV CACHE" (PYENV: its command).
// Why: a process of its own, since it takes minutes and has to clean up after whatever ends it. It
//      runs outside the sandbox: it is the user's pyenv, with the user's variables (mirror,
//      proxies, compiler flags), and what it makes is the user's.
// Order: waits for the version's lock, so that two engines do not build the same; removes what a
//        killed one left; runs pyenv; prints what pyenv says. It gives up when its stdin ends: that
//        is how it is cancelled, and how it learns that its engine is gone.
// Owns: all processes below it (it is their subreaper), its temporary directory, and the version's
//       prefix as long as the installation is not complete; nothing of them is left when it ends.
// Not: for the loop; installer.h is the engine's side of it.
#ifndef EMULATOR_PYTHON_INSTALL_H
#define EMULATOR_PYTHON_INSTALL_H

enum python_install_exit {
    PYTHON_INSTALL_DONE = 0, // it is there now, whoever installed it
    PYTHON_INSTALL_FAILED = 1,
    PYTHON_INSTALL_CANCELLED = 3,
};

// Returns the exit status.
struct python_install {
    const char *version;
    const char *root;    // PYENV_ROOT
    const char *program; // pyenv's command
    const char *cache_dir;
};
int python_install_main(const struct python_install *request);

#endif
