#include "emulator/build/look.h"

#include <stdlib.h>

#include "emulator/build/cache.h"
#include "emulator/build/internal.h"
#include "emulator/build/required.h"
#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/json.h"

static int look_at_layer(const struct build_request *request, const struct view *upload,
                         const struct python *python, struct build_look *look, struct error *error)
{
    bool in_place = sandbox_host_level(request->host) == SANDBOX_LEVEL_NONE;
    auto_free char *layers = fs_join(request->cache_dir, store_room_name(STORE_LAYERS));
    char key[HASH_HEX_SIZE];
    struct manifests manifests = {0};
    if (manifests_read(upload, &manifests, error) < 0) {
        return -1;
    }
    char required[HASH_HEX_SIZE];
    struct cJSON *list = required_list(&request->yaml->install);
    int result = required_digest(upload, list, required, error);
    json_free(list);
    if (result == 0) {
        manifests_key(&request->yaml->install, required, &manifests, python, request->build_env,
                      in_place ? layers : BUILD_LAYER_TARGET, key);
    }
    look->nothing_to_install = manifests.is_empty;
    manifests_release(&manifests);
    if (result == 0) {
        look->dir = store_look(request->cache_dir, STORE_LAYERS, key, &look->key, &look->cached);
        look->target = str_dup(in_place ? look->dir : BUILD_LAYER_TARGET);
    }
    return result;
}

static int look_at_products(const struct build_request *request, const struct view *upload,
                            bool keep_modes, struct build_look *look, struct error *error)
{
    const struct build_steps *steps = &request->yaml->build;
    char digest[HASH_HEX_SIZE];
    char key[HASH_HEX_SIZE];
    int64_t bytes = 0;
    if (!products_wanted(steps)) {
        return 0;
    }
    if (cache_hash_sources(upload, keep_modes ? SOURCE_MODES_KEPT : SOURCE_MODES_DROPPED, digest,
                           &bytes, error) < 0) {
        return -1;
    }
    products_key(look->dir, digest, request->build_env, steps, key);
    free(store_look(request->cache_dir, STORE_BUILT, key, &look->products, &look->products_cached));
    return 0;
}

int build_look(const struct build_request *request, const struct view *upload,
               const struct python *python, bool keep_modes, struct build_look *ret_look,
               struct error *error)
{
    struct build_look look = {0};
    if (look_at_layer(request, upload, python, &look, error) < 0 ||
        look_at_products(request, upload, keep_modes, &look, error) < 0) {
        build_look_release(&look);
        return -1;
    }
    *ret_look = look;
    return 0;
}

void build_look_release(struct build_look *look)
{
    free(look->key);
    free(look->dir);
    free(look->target);
    free(look->products);
    *look = (struct build_look){0};
}
