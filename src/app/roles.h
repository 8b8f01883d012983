/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The parts that this binary plays when it is started by itself: `imagesync -x ROLE ...`. Each
 * returns an exit status. Not for people.
 */

int role_worker(int argc, char **argv);    /* decodes and renders, in the sandbox */
int role_inference(int argc, char **argv); /* holds the model */
int role_http(int argc, char **argv);      /* the server itself, under the supervisor of `serve` */
