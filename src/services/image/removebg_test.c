/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "services/image/removebg.h"

/* The fields of an urlencoded body; the failure of reading them. */
static Failure read(const char *body, RemovebgRequest *request) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    const char *detail;
    Form form;

    assert_int_equal(
        form_parse("application/x-www-form-urlencoded", str_from(body), arena, &form, &detail), 0);
    *request = REMOVEBG_REQUEST_INIT;
    return removebg_read_fields(&form, request);
}

static void nothing_given_means_the_vendors_defaults(void **state) {
    RemovebgRequest request;

    (void)state;
    assert_int_equal(read("size=&bg_color=&unknown=1", &request), FAILURE_NONE);
    assert_int_equal(request.size, REMOVEBG_SIZE_PREVIEW);
    assert_int_equal(request.type_level, REMOVEBG_TYPE_LEVEL_1);
    assert_int_equal(request.recipe.format, OUTPUT_FORMAT_AUTO);
    assert_int_equal(request.recipe.background, RECIPE_BACKGROUND_NONE);
    assert_true(request.recipe.semitransparency && request.recipe.position.original);
    assert_false(request.recipe.crop || request.recipe.shadow);
}

static void each_wrong_value_has_its_own_code(void **state) {
    static const struct {
        const char *body, *code;
    } cases[] = {
        {"size=huge", "invalid_size"},
        {"type=spaceship", "invalid_type"},
        {"type_level=3", "invalid_type_level"},
        {"format=gif", "invalid_format"},
        {"format=avif", "invalid_format"},
        {"roi=1+2+3", "invalid_roi"},
        {"roi=-1+0+10+10", "invalid_roi"},
        {"crop=maybe", "invalid_crop"},
        {"crop_margin=501px", "invalid_crop_margin"},
        {"crop_margin=1+2+3", "invalid_crop_margin"},
        {"scale=5%25", "invalid_scale"},
        {"scale=big", "invalid_scale"},
        {"position=top", "invalid_position"},
        {"position=101%25", "invalid_position"},
        {"channels=rgb", "invalid_channels"},
        {"add_shadow=2", "invalid_add_shadow"},
        {"shadow_type=long", "invalid_shadow_type"},
        {"shadow_opacity=101", "invalid_shadow_opacity"},
        {"shadow_opacity=-1", "invalid_shadow_opacity"},
        {"shadow_opacity=dark", "invalid_shadow_opacity"},
        {"semitransparency=x", "invalid_semitransparency"},
        {"bg_color=%2312345", "invalid_bg_color"},
        {"bg_color=blurple", "invalid_bg_color"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        RemovebgRequest request;
        Failure failure = read(cases[i].body, &request);
        assert_string_equal(failure_info(failure)->code, cases[i].code);
        assert_int_equal(failure_info(failure)->status, 400);
    }
}

static void values_reach_the_recipe(void **state) {
    RemovebgRequest request;
    const Recipe *recipe = &request.recipe;

    (void)state;
    assert_int_equal(read("size=4k&type=product&type_level=latest&format=jpeg&roi=10+10px+50%25+90"
                          "&crop=true&crop_margin=10%25+30px&channels=alpha&semitransparency=false"
                          "&bg_color=81d4fa77&shadow_type=drop",
                          &request),
                     FAILURE_NONE);
    assert_int_equal(request.size, REMOVEBG_SIZE_FULL);
    assert_int_equal(request.type_level, REMOVEBG_TYPE_LEVEL_2);
    assert_int_equal(recipe->subject, RECIPE_SUBJECT_PRODUCT);
    assert_int_equal(recipe->format, OUTPUT_FORMAT_JPEG);
    assert_true(recipe->roi.x2.percent && recipe->roi.x2.value == 50);
    assert_true(recipe->crop && recipe->crop_margin.left.value == 30);
    assert_int_equal(recipe->channels, RECIPE_CHANNELS_ALPHA);
    assert_false(recipe->semitransparency);
    assert_int_equal(recipe->background, RECIPE_BACKGROUND_COLOUR);
    assert_int_equal(recipe->colour.a, 0x77);
    assert_true(recipe->shadow);
}

static void a_scaled_subject_is_centred_unless_placed(void **state) {
    RemovebgRequest request;

    (void)state;
    read("scale=80%25", &request);
    assert_false(request.recipe.position.original);
    assert_true(request.recipe.position.x == 0.5 && request.recipe.position.y == 0.5);
    read("scale=80%25&position=10%25+90%25", &request);
    assert_true(request.recipe.position.x == 0.1 && request.recipe.position.y == 0.9);
    read("scale=original", &request);
    assert_true(request.recipe.position.original);
}

static void shadows_are_mapped_sensibly(void **state) {
    RemovebgRequest request;

    (void)state;
    read("shadow_type=auto", &request);
    assert_false(request.recipe.shadow);
    read("add_shadow=true&shadow_type=auto&shadow_opacity=80", &request);
    assert_true(request.recipe.shadow && request.recipe.shadow_opacity == 0.8);
    read("add_shadow=true&shadow_type=none", &request);
    assert_false(request.recipe.shadow);
    read("shadow_type=3D&shadow_opacity=auto", &request);
    assert_true(request.recipe.shadow);
    assert_true(request.recipe.shadow_opacity == RECIPE_SHADOW_OPACITY);
    read("shadow_type=drop&shadow_opacity=0", &request);
    assert_true(request.recipe.shadow_opacity == 0);
}

static void auto_takes_what_picture_and_balance_allow(void **state) {
    (void)state;
    assert_int_equal(removebg_tier(REMOVEBG_SIZE_AUTO, 10000000, 100)->pixels_max, 25000000);
    assert_int_equal(removebg_tier(REMOVEBG_SIZE_AUTO, 10000000, 99)->cost, 25);
    assert_int_equal(removebg_tier(REMOVEBG_SIZE_AUTO, 250000, 10000)->cost, 25);
    assert_int_equal(removebg_tier(REMOVEBG_SIZE_50MP, 1, 0)->png_pixels_max, 10000000);
}

static void types_follow_their_level(void **state) {
    (void)state;
    assert_null(removebg_type_word(REMOVEBG_TYPE_LEVEL_NONE, RECIPE_SUBJECT_CAR, 0));
    assert_string_equal(removebg_type_word(REMOVEBG_TYPE_LEVEL_1, RECIPE_SUBJECT_CAR, 0), "car");
    assert_string_equal(removebg_type_word(REMOVEBG_TYPE_LEVEL_1, RECIPE_SUBJECT_TRANSPORTATION, 0),
                        "other");
    assert_string_equal(removebg_type_word(REMOVEBG_TYPE_LEVEL_2, RECIPE_SUBJECT_TRANSPORTATION, 0),
                        "transportation");
    assert_string_equal(removebg_type_word(REMOVEBG_TYPE_LEVEL_2, RECIPE_SUBJECT_GRAPHIC, 0),
                        "graphics");
    assert_string_equal(
        removebg_type_word(REMOVEBG_TYPE_LEVEL_1, RECIPE_SUBJECT_AUTO, RECIPE_SUBJECT_PERSON),
        "person");
    assert_string_equal(removebg_type_word(REMOVEBG_TYPE_LEVEL_1, RECIPE_SUBJECT_AUTO, 0), "other");
}

static void json_is_for_those_who_ask_for_it(void **state) {
    (void)state;
    assert_true(accepts_json("application/json"));
    assert_true(accepts_json("application/json; charset=utf-8"));
    assert_true(accepts_json("application/json, image/png"));
    assert_true(accepts_json("image/*;q=0.5, application/json"));
    assert_true(accepts_json("text/html, application/json;q=0.5"));
    /* What Photoroom's own examples send, and expect a picture for. */
    assert_false(accepts_json("image/png, application/json"));
    assert_false(accepts_json("image/png, application/json;q=0.5"));
    assert_false(accepts_json("application/json;q=0.5, image/png"));
    assert_false(accepts_json("application/zip, application/json"));
    assert_false(accepts_json("application/json;q=0"));
    assert_false(accepts_json("application/json, text/plain, */*"));
    assert_false(accepts_json("*/*"));
    assert_false(accepts_json("image/*"));
    assert_false(accepts_json(""));
    assert_false(accepts_json(NULL));
}

static void credits_read_as_decimals(void **state) {
    char text[32];

    (void)state;
    assert_string_equal(credits_text(100, text), "1");
    assert_string_equal(credits_text(25, text), "0.25");
    assert_string_equal(credits_text(150, text), "1.5");
    assert_string_equal(credits_text(5, text), "0.05");
    assert_string_equal(credits_text(0, text), "0");
}

static void sizes_fit_and_keep_their_shape(void **state) {
    uint32_t width, height;

    (void)state;
    fit_pixels(6000, 4000, 10000000, &width, &height);
    assert_true((uint64_t)width * height <= 10000000);
    assert_in_range(width, 3860, 3873);
    fit_pixels(300, 200, 10000000, &width, &height);
    assert_true(width == 300 && height == 200);
    fit_pixels(100000, 1, 100, &width, &height);
    assert_int_equal(height, 1);
}

static void errors_have_the_vendors_shapes(void **state) {
    const ErrorText text = {400, "missing_source", "No image given", "Send \"one\".", "r1"};
    _cleanup_(buf_done) Buf removebg = BUF_INIT, photoroom = BUF_INIT, problem = BUF_INIT;

    (void)state;
    error_body(ERROR_SHAPE_REMOVEBG, &text, &removebg);
    assert_string_equal(buf_cstr(&removebg),
                        "{\"errors\":[{\"title\":\"No image given\",\"code\":\"missing_source\","
                        "\"detail\":\"Send \\\"one\\\".\"}]}");
    error_body(ERROR_SHAPE_PHOTOROOM, &text, &photoroom);
    assert_string_equal(buf_cstr(&photoroom),
                        "{\"detail\":\"Send \\\"one\\\".\",\"status_code\":400,"
                        "\"type\":\"missing_image\"}");
    error_body(ERROR_SHAPE_PROBLEM, &text, &problem);
    assert_string_equal(buf_cstr(&problem),
                        "{\"type\":\"about:blank\",\"title\":\"No image given\",\"status\":400,"
                        "\"detail\":\"Send \\\"one\\\".\",\"code\":\"missing_source\","
                        "\"request_id\":\"r1\"}");
}

static void every_failure_and_render_status_has_words(void **state) {
    (void)state;
    for (int i = 0; i < _FAILURE_MAX; i++) {
        const FailureInfo *info = failure_info((Failure)i);
        assert_non_null(info->code);
        assert_non_null(info->title);
        assert_in_range(info->status, 200, 599);
    }
    for (int i = RENDER_OK; i < _RENDER_STATUS_MAX; i++) {
        assert_true(failure_of_render((RenderStatus)i) != FAILURE_NONE);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_given_means_the_vendors_defaults),
        cmocka_unit_test(each_wrong_value_has_its_own_code),
        cmocka_unit_test(values_reach_the_recipe),
        cmocka_unit_test(a_scaled_subject_is_centred_unless_placed),
        cmocka_unit_test(shadows_are_mapped_sensibly),
        cmocka_unit_test(auto_takes_what_picture_and_balance_allow),
        cmocka_unit_test(types_follow_their_level),
        cmocka_unit_test(json_is_for_those_who_ask_for_it),
        cmocka_unit_test(credits_read_as_decimals),
        cmocka_unit_test(sizes_fit_and_keep_their_shape),
        cmocka_unit_test(errors_have_the_vendors_shapes),
        cmocka_unit_test(every_failure_and_render_status_has_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
