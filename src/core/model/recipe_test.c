/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "core/model/recipe.h"

#include <errno.h>

static void a_recipe_survives_its_json(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    Recipe recipe = RECIPE_INIT, again;
    const char *where;
    json_t *json;

    (void)state;
    recipe.square = 512;
    recipe.crop = true;
    recipe.crop_margin.left = (Length){12, true};
    recipe.background = RECIPE_BACKGROUND_COLOUR;
    recipe.colour = (Colour){1, 2, 3, 4};
    recipe.format = OUTPUT_FORMAT_WEBP;
    recipe.position = (Position){false, 0.25, 1};
    recipe.shadow = true;
    recipe.shadow_opacity = 0.75;
    json = recipe_to_json(&recipe);
    assert_int_equal(recipe_from_json(json, arena, &again, &where), 0);
    json_decref(json);
    assert_int_equal(again.square, 512);
    assert_true(again.crop && again.crop_margin.left.value == 12 && again.position.x == 0.25);
    assert_memory_equal(&again.colour, &recipe.colour, sizeof(Colour));
    assert_int_equal(again.format, OUTPUT_FORMAT_WEBP);
    assert_true(again.shadow && again.shadow_opacity == 0.75);
}

static void absent_members_have_their_defaults(void **state) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    json_t *json = json_object();
    const char *where;
    Recipe recipe;

    (void)state;
    assert_int_equal(recipe_from_json(json, arena, &recipe, &where), 0);
    assert_true(recipe.semitransparency && recipe.position.original && recipe.roi.x2.value == 100);
    assert_true(!recipe.shadow && recipe.shadow_opacity == RECIPE_SHADOW_OPACITY);
    json_object_set_new(json, "colour", json_string("nope"));
    assert_int_equal(recipe_from_json(json, arena, &recipe, &where), -EINVAL);
    assert_string_equal(where, "colour");
    json_decref(json);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_recipe_survives_its_json),
        cmocka_unit_test(absent_members_have_their_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
