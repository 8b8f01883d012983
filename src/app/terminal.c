/* SPDX-License-Identifier: Apache-2.0 */
#include "app/terminal.h"

void terminal_print(FILE *out, const char *text) {
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text, next = (unsigned char)text[1];
        bool c1 = byte == 0xc2 && next >= 0x80 && next <= 0x9f; /* in UTF-8 */
        fputc(byte < 0x20 || byte == 0x7f || c1 ? '?' : byte, out);
        text += c1;
    }
}

void terminal_printfv(FILE *out, const char *format, va_list args) {
    _cleanup_(buf_done) Buf text = BUF_INIT;

    buf_addfv(&text, format, args);
    terminal_print(out, buf_cstr(&text));
}
