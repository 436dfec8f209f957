//! A service: `handle` answers every HTTP request.

const w = @import("bindings");

export fn exports_wasi_http_incoming_handler_handle(
    request: w.exports_wasi_http_incoming_handler_own_incoming_request_t,
    out: w.exports_wasi_http_incoming_handler_own_response_outparam_t,
) void {
    defer w.wasi_http_types_incoming_request_drop_own(request);
    respond(out, 200, "Hello from Zig!\n");
}

fn respond(out: w.wasi_http_types_own_response_outparam_t, status: u16, text: []const u8) void {
    const response = w.wasi_http_types_constructor_outgoing_response(plainText());
    const borrowed = w.wasi_http_types_borrow_outgoing_response(response);
    must(w.wasi_http_types_method_outgoing_response_set_status_code(borrowed, status));
    var body: w.wasi_http_types_own_outgoing_body_t = undefined;
    must(w.wasi_http_types_method_outgoing_response_body(borrowed, &body));
    var answer: w.wasi_http_types_result_own_outgoing_response_error_code_t = .{
        .is_err = false,
        .val = .{ .ok = response },
    };
    w.wasi_http_types_static_response_outparam_set(out, &answer);

    write(body, text);
    var failure: w.wasi_http_types_error_code_t = undefined;
    if (!w.wasi_http_types_static_outgoing_body_finish(body, null, &failure)) {
        w.wasi_http_types_error_code_free(&failure);
    }
}

fn plainText() w.wasi_http_types_own_headers_t {
    const headers = w.wasi_http_types_constructor_fields();
    const borrowed = w.wasi_http_types_borrow_fields(headers);
    var name = lent(w.wasi_http_types_field_name_t, "content-type");
    var kind = lent(w.wasi_http_types_field_value_t, "text/plain; charset=utf-8");
    var failure: w.wasi_http_types_header_error_t = undefined;
    must(w.wasi_http_types_method_fields_append(borrowed, &name, &kind, &failure));
    return headers;
}

fn write(body: w.wasi_http_types_own_outgoing_body_t, text: []const u8) void {
    var stream: w.wasi_io_streams_own_output_stream_t = undefined;
    must(w.wasi_http_types_method_outgoing_body_write(w.wasi_http_types_borrow_outgoing_body(body), &stream));
    defer w.wasi_io_streams_output_stream_drop_own(stream);
    const borrowed = w.wasi_io_streams_borrow_output_stream(stream);
    var bytes = lent(w.service_list_u8_t, text);
    var failure: w.wasi_io_streams_stream_error_t = undefined;
    // The client may be gone: then there is nobody to tell.
    if (!w.wasi_io_streams_method_output_stream_blocking_write_and_flush(borrowed, &bytes, &failure)) {
        w.wasi_io_streams_stream_error_free(&failure);
    }
}

/// A string or list that is lent to a function of the host.
fn lent(comptime List: type, text: []const u8) List {
    return .{ .ptr = @constCast(text.ptr), .len = text.len };
}

/// What can fail only if the program is wrong ends it.
fn must(succeeded: bool) void {
    if (!succeeded) @panic("the host refused what is always allowed");
}
