// A service: handle answers every HTTP request.

#include <cstdlib>
#include <string_view>

#include "service.h"

static void respond(wasi_http_types_own_response_outparam_t out, uint16_t status, std::string_view text);

void exports_wasi_http_incoming_handler_handle(
    exports_wasi_http_incoming_handler_own_incoming_request_t request,
    exports_wasi_http_incoming_handler_own_response_outparam_t out) {
    respond(out, 200, "Hello from C++!\n");
    wasi_http_types_incoming_request_drop_own(request);
}

// What can fail only if the program is wrong ends it.
static void must(bool succeeded) {
    if (!succeeded) std::abort();
}

// A string or list that is lent to a function of the host.
template <typename List>
static List lent(std::string_view text) {
    return {reinterpret_cast<uint8_t *>(const_cast<char *>(text.data())), text.size()};
}

static wasi_http_types_own_headers_t plain_text() {
    wasi_http_types_own_fields_t headers = wasi_http_types_constructor_fields();
    auto name = lent<wasi_http_types_field_name_t>("content-type");
    auto kind = lent<wasi_http_types_field_value_t>("text/plain; charset=utf-8");
    wasi_http_types_header_error_t error;
    must(wasi_http_types_method_fields_append(wasi_http_types_borrow_fields(headers), &name, &kind, &error));
    return headers;
}

static void write_text(wasi_http_types_own_outgoing_body_t body, std::string_view text) {
    wasi_http_types_own_output_stream_t stream;
    must(wasi_http_types_method_outgoing_body_write(wasi_http_types_borrow_outgoing_body(body), &stream));
    auto bytes = lent<service_list_u8_t>(text);
    wasi_io_streams_stream_error_t error;
    // The client may be gone: then there is nobody to tell.
    if (!wasi_io_streams_method_output_stream_blocking_write_and_flush(
            wasi_io_streams_borrow_output_stream(stream), &bytes, &error)) {
        wasi_io_streams_stream_error_free(&error);
    }
    wasi_io_streams_output_stream_drop_own(stream);
}

static void respond(wasi_http_types_own_response_outparam_t out, uint16_t status, std::string_view text) {
    auto response = wasi_http_types_constructor_outgoing_response(plain_text());
    auto borrowed = wasi_http_types_borrow_outgoing_response(response);
    must(wasi_http_types_method_outgoing_response_set_status_code(borrowed, status));
    wasi_http_types_own_outgoing_body_t body;
    must(wasi_http_types_method_outgoing_response_body(borrowed, &body));
    wasi_http_types_result_own_outgoing_response_error_code_t answer = {};
    answer.val.ok = response;
    wasi_http_types_static_response_outparam_set(out, &answer);

    write_text(body, text);
    wasi_http_types_error_code_t error;
    if (!wasi_http_types_static_outgoing_body_finish(body, nullptr, &error)) wasi_http_types_error_code_free(&error);
}
