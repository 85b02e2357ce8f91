#include "emulator/build/look.h"

#include <stdlib.h>

#include "emulator/build/internal.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"

int build_look(const struct build_request *request, const struct view *upload,
               const struct python *python, struct build_look *ret_look, struct error *error)
{
    bool in_place = sandbox_host_level(request->host) == SANDBOX_LEVEL_NONE;
    auto_free char *layers = fs_join(request->cache_dir, "layers");
    char key[HASH_HEX_SIZE];
    struct manifests manifests = {0};
    if (manifests_read(upload, &manifests, error) < 0) {
        return -1;
    }
    int result =
        manifests_key(upload, &request->yaml->install, &manifests, python, request->build_env,
                      in_place ? layers : BUILD_LAYER_TARGET, key, error);
    bool is_empty = manifests.is_empty;
    manifests_release(&manifests);
    if (result < 0) {
        return -1;
    }
    struct build_look look = {.nothing_to_install = is_empty};
    look.dir = store_look(request->cache_dir, key, &look.key, &look.cached);
    look.target = str_dup(in_place ? look.dir : BUILD_LAYER_TARGET);
    *ret_look = look;
    return 0;
}

void build_look_release(struct build_look *look)
{
    free(look->key);
    free(look->dir);
    free(look->target);
    *look = (struct build_look){0};
}
