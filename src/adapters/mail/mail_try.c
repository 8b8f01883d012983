/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends one mail through an adapter, for tests/contract/test_mail.py:
 *   mail_try folder|smtp|smtp-plain PLACE FROM TO SUBJECT [CA-FILE [USER PASSWORD]] < TEXT
 * Prints "sent", "refused" or "fault ERRNO".
 */
#include "adapters/mail/folder/folder.h"
#include "adapters/mail/smtp/smtp.h"
#include "base/fd.h"

#include <stdio.h>
#include <unistd.h>

#define TEXT_MAX ((size_t)1 << 20)

static int open_mailer(int argc, char **argv, const MailSender *from, Mailer **ret_mailer) {
    if (strcmp(argv[1], "folder") == 0) {
        return mail_folder_new(argv[2], from, ret_mailer);
    }
    return mail_smtp_new(&(MailSmtpOptions){.url = argv[2],
                                            .ca_file = argc > 6 ? argv[6] : "",
                                            .user = argc > 8 ? argv[7] : "",
                                            .password = argc > 8 ? argv[8] : "",
                                            .plain = strcmp(argv[1], "smtp-plain") == 0,
                                            .connect_timeout_ms = 2000,
                                            .timeout_ms = 4000},
                         from, ret_mailer);
}

int main(int argc, char **argv) {
    _cleanup_(arena_freep) Arena *arena = arena_new();
    _cleanup_(mailer_freep) Mailer *mailer = NULL;
    _cleanup_(buf_done) Buf text = BUF_INIT;
    MailSender from;
    int r;

    if (argc < 6 || fd_read_to_end(STDIN_FILENO, TEXT_MAX, &text) < 0) {
        return 2;
    }
    r = mail_sender_parse(argv[3], arena, &from);
    if (r == 0) {
        r = open_mailer(argc, argv, &from, &mailer);
    }
    if (r == 0) {
        r = mailer_send(mailer, &(MailMessage){argv[4], argv[5], buf_cstr(&text)});
    }
    if (r < 0) {
        printf("fault %d\n", -r);
    } else {
        puts(r == 0 ? "sent" : "refused");
    }
    return 0;
}
