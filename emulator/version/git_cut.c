#include "emulator/version/git_cut.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox/base/cleanup.h"
#include "sandbox/base/fs.h"
#include "sandbox/base/i18n.h"

#define DELTA_FILES 500 // more than these begin a new base

// ---- ownership ----

// nftw() has no context argument; a walk ends before give_all() returns.
static struct layer_owner giving_to;

static int give_one(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
    (void)info;
    (void)type;
    (void)ftw;
    return lchown(path, giving_to.uid, giving_to.gid);
}

static int give_all(const char *dir, struct layer_owner owner, struct error *error)
{
    giving_to = owner;
    if (owner.give && nftw(dir, give_one, 16, FTW_PHYS) != 0) {
        return error_set_errno(error, ERROR_HOST, errno, "chown %s", dir);
    }
    return 0;
}

// ---- what is gone ----

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

// Does any file lie in dir? files: sorted.
static bool has_below(const struct strlist *files, const char *dir)
{
    auto_free char *prefix = str_printf("%s/", dir);
    size_t low = 0;
    size_t high = files->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(files->items[middle], prefix) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < files->count && str_starts_with(files->items[low], prefix);
}

// The topmost directory that nothing is left of goes as a whole.
static void topmost_gone(const struct strlist *files, char *path)
{
    for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (!has_below(files, path)) {
            return;
        }
        *slash = '/';
    }
}

static int white_out(struct layer *layer, const struct git_listing *listing,
                     const struct strlist *gone, struct error *error)
{
    for (size_t i = 0; i < gone->count; i++) {
        auto_free char *path = str_dup(gone->items[i]);
        topmost_gone(&listing->files, path);
        // Where something else stands now, at the name or above it, that hides it.
        if (!has_below(&listing->files, path) && layer_whiteout(layer, path) < 0 &&
            errno != ENOTDIR) {
            return error_set_errno(error, ERROR_HOST, errno, "mknod");
        }
    }
    return 0;
}

// ---- cutting ----

struct cutting {
    struct git_cut *cut;
    const struct git *git;
    const char *tree, *tag, *store;
    struct layer_owner owner;
    struct git_listing listing;
    struct error *error;
};

// A new directory with these files (NULL: all) and whiteouts. Its name; NULL on failure.
static char *write_layer(struct cutting *cutting, const char *kind, const struct strlist *files,
                         const struct strlist *gone)
{
    char *name = str_printf("%s-%s", kind, cutting->tag);
    auto_free char *path = fs_join(cutting->store, name);
    auto_free char *index = str_printf("%s/.index-%s", cutting->store, cutting->tag);
    struct layer layer;
    int result = layer_create(&layer, path, cutting->owner, cutting->error);
    if (result == 0 && (!files || files->count > 0)) {
        result = git_write(cutting->git, cutting->tree, files, path, index, cutting->error);
    }
    if (result == 0 && gone) {
        result = white_out(&layer, &cutting->listing, gone, cutting->error);
    }
    if (result == 0) {
        result = give_all(path, cutting->owner, cutting->error);
    }
    layer_release(&layer);
    if (result < 0) {
        fs_remove_tree(path, NULL);
        free(name);
        return NULL;
    }
    return name;
}

static int cut_base(struct cutting *cutting)
{
    char *name = write_layer(cutting, "base", NULL, NULL);
    if (!name) {
        return -1;
    }
    struct git_cut *cut = cutting->cut;
    free(cut->base);
    free(cut->delta);
    cut->base = name;
    cut->delta = NULL;
    snprintf(cut->base_tree, sizeof cut->base_tree, "%s", cutting->tree);
    return 0;
}

// 1: too much differs, make a base.
static int cut_delta(struct cutting *cutting)
{
    struct git_cut *cut = cutting->cut;
    struct strlist other = {0};
    struct strlist gone = {0};
    int result =
        git_differences(cutting->git, cut->base_tree, cutting->tree, &other, &gone, cutting->error);
    if (result == 0 && other.count + gone.count > DELTA_FILES) {
        result = 1;
    } else if (result == 0) {
        bool same = other.count + gone.count == 0;
        char *name = same ? NULL : write_layer(cutting, "delta", &other, &gone);
        result = same || name ? 0 : -1;
        if (result == 0) {
            free(cut->delta);
            cut->delta = name;
        }
    }
    strlist_clear(&other);
    strlist_clear(&gone);
    return result;
}

static int cut_tree(struct cutting *cutting)
{
    struct git_cut *cut = cutting->cut;
    if (cut->base && strcmp(cut->tree, cutting->tree) == 0) {
        return 0; // the same again
    }
    int result = cut->base ? cut_delta(cutting) : 1;
    return result == 1 ? cut_base(cutting) : result;
}

int git_cut_version(struct git_cut *cut, const struct git *git, const char *tree, const char *tag,
                    const char *store, struct layer_owner owner, struct git_listing *ret_listing,
                    struct tree_version *ret_version, struct error *error)
{
    struct cutting cutting = {.cut = cut,
                              .git = git,
                              .tree = tree,
                              .tag = tag,
                              .store = store,
                              .owner = owner,
                              .error = error};
    mode_t mask = umask(022); // git makes modes by it
    int result = git_list(git, tree, &cutting.listing, error);
    if (result == 0) {
        qsort(cutting.listing.files.items, cutting.listing.files.count,
              sizeof *cutting.listing.files.items, by_name);
        result = cut_tree(&cutting);
    }
    umask(mask);
    if (result < 0) {
        git_listing_release(&cutting.listing);
        return -1;
    }
    snprintf(cut->tree, sizeof cut->tree, "%s", tree);
    *ret_version = (struct tree_version){.tag = str_dup(tag),
                                         .file_count = cutting.listing.files.count,
                                         .bytes = cutting.listing.bytes};
    if (cut->delta) {
        strlist_take(&ret_version->lowers, fs_join(store, cut->delta));
    }
    strlist_take(&ret_version->lowers, fs_join(store, cut->base));
    *ret_listing = cutting.listing;
    return 0;
}

void git_cut_release(struct git_cut *cut)
{
    free(cut->base);
    free(cut->delta);
    *cut = (struct git_cut){0};
}
