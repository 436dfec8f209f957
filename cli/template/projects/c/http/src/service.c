// A service: handle answers every HTTP request.

#include <stdlib.h>
#include <string.h>

#include "service.h"

static void respond(wasi_http_types_own_response_outparam_t out, uint16_t status, const char *text);

void exports_wasi_http_incoming_handler_handle(
    exports_wasi_http_incoming_handler_own_incoming_request_t request,
    exports_wasi_http_incoming_handler_own_response_outparam_t out) {
    respond(out, 200, "Hello from C!\n");
    wasi_http_types_incoming_request_drop_own(request);
}

// What can fail only if the program is wrong ends it.
static void must(bool succeeded) {
    if (!succeeded) abort();
}

static wasi_http_types_own_headers_t plain_text(void) {
    static const char kind[] = "text/plain; charset=utf-8";
    wasi_http_types_own_fields_t headers = wasi_http_types_constructor_fields();
    service_string_t name;
    service_string_set(&name, "content-type");
    wasi_http_types_field_value_t value = {(uint8_t *)kind, strlen(kind)};
    wasi_http_types_header_error_t error;
    must(wasi_http_types_method_fields_append(wasi_http_types_borrow_fields(headers), &name, &value, &error));
    return headers;
}

static void write_text(wasi_http_types_own_outgoing_body_t body, const char *text) {
    wasi_http_types_own_output_stream_t stream;
    must(wasi_http_types_method_outgoing_body_write(wasi_http_types_borrow_outgoing_body(body), &stream));
    service_list_u8_t bytes = {(uint8_t *)text, strlen(text)};
    wasi_io_streams_stream_error_t error;
    // The client may be gone: then there is nobody to tell.
    if (!wasi_io_streams_method_output_stream_blocking_write_and_flush(
            wasi_io_streams_borrow_output_stream(stream), &bytes, &error)) {
        wasi_io_streams_stream_error_free(&error);
    }
    wasi_io_streams_output_stream_drop_own(stream);
}

static void respond(wasi_http_types_own_response_outparam_t out, uint16_t status, const char *text) {
    wasi_http_types_own_outgoing_response_t response = wasi_http_types_constructor_outgoing_response(plain_text());
    wasi_http_types_borrow_outgoing_response_t borrowed = wasi_http_types_borrow_outgoing_response(response);
    must(wasi_http_types_method_outgoing_response_set_status_code(borrowed, status));
    wasi_http_types_own_outgoing_body_t body;
    must(wasi_http_types_method_outgoing_response_body(borrowed, &body));
    wasi_http_types_result_own_outgoing_response_error_code_t answer = {.is_err = false, .val = {.ok = response}};
    wasi_http_types_static_response_outparam_set(out, &answer);

    write_text(body, text);
    wasi_http_types_error_code_t error;
    if (!wasi_http_types_static_outgoing_body_finish(body, NULL, &error)) wasi_http_types_error_code_free(&error);
}
